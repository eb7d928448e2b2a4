"""Cards and the station."""
