"""Certificate serial numbers: 64 random bits and more, stored as 40 hexadecimal digits."""

from __future__ import annotations

from collections.abc import Callable

from pki.errors import InvalidInput

Entropy = Callable[[int], bytes]
"""Gives that many octets from a cryptographically secure source."""

_OCTETS = 16


def new_serial(entropy: Entropy) -> int:
    """Return a positive number with at least 120 random bits, at most 20 octets in DER.

    Source: RFC 5280 section 4.1.2.2; the HPKI's own lint asks for 64 bits from a CSPRNG.
    """
    return int.from_bytes(b"\x01" + entropy(_OCTETS - 1), "big")


def serial_hex(serial: int) -> str:
    """Return 40 lower-case hexadecimal digits, the form in which the store keeps serials."""
    return f"{serial:040x}"


def parse_serial(text: str) -> int:
    """Return the serial written in hexadecimal, with or without colons; raises ``InvalidInput``."""
    digits = text.replace(":", "").strip()
    try:
        serial = int(digits, 16)
    except ValueError:
        serial = 0
    if not 0 < serial < 1 << 159:
        raise InvalidInput(
            "pki.serial", f"{text!r} is not a serial number", "Give it in hexadecimal digits."
        )
    return serial
