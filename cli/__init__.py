"""The terminal: commands, configuration, wiring, output."""
