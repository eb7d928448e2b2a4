"""Issuers, orders, certificates, revocation, key ceremonies."""
