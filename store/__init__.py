"""The database and nothing about what is in it."""
