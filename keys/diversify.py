"""Issuer keys of single cards, derived from one master secret and the chip's serial number."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from pki.errors import InvalidInput

_KEY_OCTETS = 16
_SERIAL = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def card_key(master: bytes, label: str, chip_serial: str, octets: int = _KEY_OCTETS) -> bytes:
    """Return the key of one card for one use, 16 octets unless more are asked for.

    ``master``: 16 or 32 octets; ``chip_serial`` in hexadecimal. Source: NIST SP 800-108, KDF in
    counter mode with AES-CMAC, label and context as given.
    """
    if len(master) not in (16, 32):
        raise InvalidInput("keys.card_master", "the card master key has 16 or 32 octets")
    if not _SERIAL.fullmatch(chip_serial):
        raise InvalidInput("keys.chip_serial", f"{chip_serial!r} is no chip serial in hexadecimal")
    return KBKDFCMAC(
        algorithm=AES,
        mode=Mode.CounterMode,
        length=octets,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label.encode(),
        context=bytes.fromhex(chip_serial),
        fixed=None,
    ).derive(master)
