"""What may be issued, as data with sources, and the checks that judge against it."""
