"""Revocation lists: numbering, building, publishing, checking."""
