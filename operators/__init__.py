"""People, roles, separation of duties, signed statements."""
