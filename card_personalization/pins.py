"""PINs: drawn evenly, and sealed to what they belong to."""

from __future__ import annotations

from card_personalization.records import Run
from pki.serials import Entropy


def random_pin(entropy: Entropy, count: int) -> str:
    """Return that many digits, each drawn evenly: octets of 250 and more are drawn again."""
    digits = ""
    while len(digits) < count:
        octet = entropy(1)[0]
        if octet < 250:
            digits += str(octet % 10)
    return digits


def pin_envelope_purpose(run: Run) -> bytes:
    """Return what an envelope is bound to: the card and the order."""
    return f"hpki pin {run.chip_serial} {run.order_id}".encode()
