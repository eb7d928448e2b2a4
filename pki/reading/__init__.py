"""Certificates and lists as they are encoded, to be judged: nothing is repaired, nothing hidden."""
