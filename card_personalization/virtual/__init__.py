"""Inside of the virtual card."""
