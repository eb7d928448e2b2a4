"""PINs: drawn evenly, and sealed to what they belong to."""

from __future__ import annotations

from card_personalization.records import Run
from pki.serials import Entropy

PIN_DIGITS = 8


def random_pin(entropy: Entropy) -> str:
    """Return PIN_DIGITS digits, each drawn evenly: octets of 250 and more are drawn again."""
    digits = ""
    while len(digits) < PIN_DIGITS:
        octet = entropy(1)[0]
        if octet < 250:
            digits += str(octet % 10)
    return digits


def pin_envelope_purpose(run: Run) -> bytes:
    """Return what an envelope is bound to: the card and the order."""
    return f"hpki pin {run.chip_serial} {run.order_id}".encode()
