"""Trail and statements proven together, in the store and in an export for outsiders."""
