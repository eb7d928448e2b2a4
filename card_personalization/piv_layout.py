"""Which places of a PIV card are used, loaded from ``data/piv_layout.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from card_personalization.layout import KeyOrigin, Role
from card_personalization.sourced import read_sourced, shipped
from keys.backend import KeySpec
from pki.errors import InvalidInput

ALGORITHMS = {"RSA-2048": 0x07, "P-256": 0x11, "P-384": 0x14}
"""Algorithm identifiers of keys. Source: NIST SP 800-78-4 table 6-2."""

CIPHERS = {"3DES": (0x03, 24), "AES-128": (0x08, 16), "AES-192": (0x0A, 24), "AES-256": (0x0C, 32)}
"""Algorithm identifier and key length in octets of management keys. Source: as above."""


@dataclass(frozen=True)
class Slot:
    """A key's reference and its certificate's object; ``issuing`` and root CA's, empty for none."""

    reference: int
    certificate: bytes
    pin_always: bool
    issuing: bytes


@dataclass(frozen=True)
class Reference:
    """PIN or PUK: its reference, and length and tries of those we give."""

    reference: int
    digits: int
    tries: int


@dataclass(frozen=True)
class FactorySecrets:
    """What a card comes with; PIN and PUK in ASCII, management key in octets."""

    pin: str
    puk: str
    management_key: bytes

    def __repr__(self) -> str:
        return "FactorySecrets()"


@dataclass(frozen=True)
class PivLayout:
    """One kind of PIV card; ``reset_pins``: PIN and PUK after their retry limits were set.

    ``others``: objects with the certificates of keys that we do not make, by the keys' names.
    """

    aid: bytes
    algorithms: tuple[KeySpec, ...]
    key_origin: KeyOrigin
    slots: Mapping[Role, Slot]
    root: bytes
    chuid: bytes
    ccc: bytes
    fasc_n: bytes
    expiry: str
    ccc_start: bytes
    pin: Reference
    puk: Reference
    management_reference: int
    management_algorithms: tuple[str, ...]
    reset_pins: tuple[str, str]
    factory: FactorySecrets
    others: Mapping[str, bytes]


def load_piv_layout(changes: str = "") -> PivLayout:
    """Shipped layout with some items changed (TOML); InvalidInput (card.layout) tells no secret."""
    values = read_sourced(shipped("piv_layout.toml"), changes)
    try:
        return PivLayout(**_card(values["card"]), **_rest(values))
    except InvalidInput:
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidInput("card.layout", f"the card layout cannot be read: {error!r}") from error


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    wanted = card["algorithms"]
    if not wanted or not set(wanted) <= set(ALGORITHMS):
        raise ValueError(f"card.algorithms are of {', '.join(ALGORITHMS)}")
    if len(card["expiry"]) != 8 or not card["expiry"].isdecimal():
        raise ValueError("card.expiry is written YYYYMMDD")
    octets = {name: bytes.fromhex(card[name]) for name in ("aid", "chuid", "ccc")}
    octets |= {name: bytes.fromhex(card[name]) for name in ("fasc_n", "ccc_start")}
    specs = tuple(KeySpec(name) for name in wanted)
    origin = KeyOrigin(card["key_origin"])
    return {"algorithms": specs, "key_origin": origin, "expiry": card["expiry"], **octets}


def _rest(values: Mapping[str, Any]) -> dict[str, Any]:
    management = values["management"]
    if not set(management["algorithms"]) <= set(CIPHERS):
        raise ValueError(f"management.algorithms are of {', '.join(CIPHERS)}")
    return {
        "slots": {
            role: Slot(
                int(values[role.lower()]["slot"], 16),
                bytes.fromhex(values[role.lower()]["object"]),
                values[role.lower()]["pin_always"],
                bytes.fromhex(values["ca"][f"issuing_{role.lower()}"]),
            )
            for role in Role
        },
        "root": bytes.fromhex(values["ca"]["root"]),
        "pin": _reference(values["pin"], 6, 8),
        "puk": _reference(values["puk"], 8, 8),
        "management_reference": int(management["reference"], 16),
        "management_algorithms": tuple(management["algorithms"]),
        "reset_pins": (values["reset"]["pin"], values["reset"]["puk"]),
        "factory": _factory(values["factory"]),
        "others": {name: bytes.fromhex(one) for name, one in values["others"].items()},
    }


def _reference(values: Mapping[str, Any], shortest: int, longest: int) -> Reference:
    if not shortest <= values["digits"] <= longest or not 1 <= values["tries"] <= 255:
        raise ValueError(f"{shortest} to {longest} digits and 1 to 255 tries")
    return Reference(int(values["reference"], 16), values["digits"], values["tries"])


def _factory(values: Mapping[str, str]) -> FactorySecrets:
    pin, puk = values["pin"], values["puk"]
    try:
        key = bytes.fromhex(values["management_key"])
    except ValueError:
        key = b""
    whole = pin.isascii() and puk.isascii() and 6 <= len(pin) <= 8 and 6 <= len(puk) <= 8
    if not whole or len(key) not in (16, 24, 32):
        raise InvalidInput(
            "card.layout",
            "factory: a PIN or PUK of 6 to 8 characters, or a management key of 16, 24 or 32 "
            "octets in hexadecimal, is missing",
        )
    return FactorySecrets(pin, puk, key)
