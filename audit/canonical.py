"""Canonical JSON and its digest, the form in which everything signed or chained is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import rfc8785

from pki.errors import InvalidInput

JsonObject = Mapping[str, object]

_GREATEST = 2**53 - 1
_DEPTH = 32
_ENCODER = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
)


def canonical_json(value: JsonObject) -> bytes:
    """Return the RFC 8785 octets of an object of strings, integers, booleans, lists and objects.

    Raises ``InvalidInput`` for what has none: integers beyond 2^53 - 1, lone surrogates, other
    types. The interpreter's own encoder writes the plain values, for which it gives the same
    octets in a quarter of the time; rfc8785 writes and judges the rest.
    """
    try:
        if _is_plain(value, _DEPTH):
            return _ENCODER.encode(value).encode()
        return rfc8785.dumps(value)  # type: ignore[arg-type]  # it judges the value itself
    except (ValueError, RecursionError) as error:
        raise InvalidInput("audit.canonical", f"this has no canonical JSON: {error}") from None


def digest(octets: bytes) -> str:
    """Return the SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(octets).hexdigest()


def _is_plain(value: object, depth: int) -> bool:
    """Whether json writes it as RFC 8785 does: no floats, and ASCII keys, which sort alike."""
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, int):
        return -_GREATEST <= value <= _GREATEST
    if depth == 0:
        return False
    if isinstance(value, dict):
        for key, inner in value.items():
            if not (isinstance(key, str) and key.isascii()):
                return False
            if type(inner) is not str and not _is_plain(inner, depth - 1):
                return False
        return True
    if isinstance(value, list | tuple):
        for inner in value:
            if type(inner) is not str and not _is_plain(inner, depth - 1):
                return False
        return True
    return False
