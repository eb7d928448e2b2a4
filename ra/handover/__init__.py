"""Orders to another organisation's CA, and its results."""
