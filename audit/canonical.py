"""Canonical JSON and its digest, the form in which everything signed or chained is written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import rfc8785

from pki.errors import InvalidInput

JsonObject = Mapping[str, object]


def canonical_json(value: JsonObject) -> bytes:
    """Return the RFC 8785 octets of an object of strings, integers, booleans, lists and objects."""
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it judges the value itself
    except rfc8785.CanonicalizationError as error:
        raise InvalidInput("audit.canonical", f"this has no canonical JSON: {error}") from None


def digest(octets: bytes) -> str:
    """Return the SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(octets).hexdigest()
