"""Where things lie on an HPKI card, loaded from ``data/hpki_layout.toml``.

The layout says how a card is written; a card is read by its own directory. Every item of the data
file names its source and how firm it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from card_personalization.scp03 import StaticKeys
from card_personalization.sourced import read_sourced, shipped
from pki.errors import InvalidInput, Refused

MF = 0x3F00
EF_DIR = 0x2F00
EF_DIR_SFI = 0x1E


class Role(StrEnum):
    """The two applications of the card. Source: JAHIS 24-002 4.4.2."""

    SIGN = "SIGN"
    AUTH = "AUTH"


class PathForm(StrEnum):
    """How the directory names a file: two-byte identifier, or SFI shifted left by 3 (annex B)."""

    FID = "fid"
    ANNEX_B = "annex-b"


class KeyOrigin(StrEnum):
    """Where keys are made: on the card, or here and then imported. Source: JAHIS 24-002 4.3."""

    CARD = "card"
    IMPORT = "import"


@dataclass(frozen=True)
class FileLayout:
    """File identifier (16 bits) and short file identifier (1 to 30)."""

    fid: int
    sfi: int

    def path(self, form: PathForm) -> bytes:
        """Path of this file as the directory writes it."""
        if form is PathForm.ANNEX_B:
            return bytes([self.sfi << 3])
        return self.fid.to_bytes(2, "big")


@dataclass(frozen=True)
class ApplicationLayout:
    """What differs between the applications; ``user_consent``: PIN before every signature.

    ``key_bits`` is the RSA modulus of the key to be made, in bits.
    """

    aid: bytes
    directory_label: str
    key_usage: tuple[str, ...]
    user_consent: bool
    key_bits: int


@dataclass(frozen=True)
class PinLayout:
    """PIN lengths in characters (``digits``: of ours), P2 of VERIFY, wrong tries allowed."""

    label: str
    auth_id: bytes
    reference: int
    min_length: int
    max_length: int
    stored_length: int
    digits: int
    tries: int


@dataclass(frozen=True)
class CaSlot:
    """A place for one CA certificate."""

    label: str
    certificate_id: bytes
    file: FileLayout


@dataclass(frozen=True)
class Layout:
    """One card profile; capacities in bytes, ``key_sizes`` the RSA moduli in bits it can make.

    ``factory``: issuer keys of blank cards, None where they are derived for each card.
    """

    path_form: PathForm
    ef_dir: bool
    ef_dir_capacity: int
    key_sizes: tuple[int, ...]
    certificate_capacity: int
    cd_capacity: int
    key_origin: KeyOrigin
    label: str
    key_reference_tag: int
    host_pads: bool
    applications: Mapping[Role, ApplicationLayout]
    pin: PinLayout
    key_label: str
    key_id: bytes
    holder_label: str
    files: Mapping[str, FileLayout]
    ca_slots: tuple[CaSlot, ...]
    factory: StaticKeys | None

    def with_key_bits(self, role: Role, key_bits: int) -> Layout:
        """Return the layout with another key in one application; raises ``Refused``."""
        if key_bits not in self.key_sizes:
            raise Refused(
                "card.key_size",
                f"an HPKI card makes no key of RSA {key_bits}",
                f"It makes RSA {', '.join(str(size) for size in self.key_sizes)}.",
            )
        changed = replace(self.applications[role], key_bits=key_bits)
        return replace(self, applications={**self.applications, role: changed})


def default_layout() -> Layout:
    """HPKI layout of ``data/hpki_layout.toml``. Source: JAHIS 24-002 Ver. 3.1 annex B."""
    return load_layout(shipped("hpki_layout.toml"))


def load_layout(text: str, changes: str = "") -> Layout:
    """Layout written in TOML, some items changed; InvalidInput if it is not whole."""
    values = read_sourced(text, changes)
    try:
        return _layout(values)
    except InvalidInput:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput("card.layout", f"the card layout cannot be read: {error!r}") from error


def _layout(values: dict[str, Any]) -> Layout:
    card, pin = values["card"], values["pin"]
    card["path_form"] = PathForm(card["path_form"])
    card["key_origin"] = KeyOrigin(card["key_origin"])
    card["key_sizes"] = tuple(card["key_sizes"])
    card["key_reference_tag"] = int(card["key_reference_tag"], 16)
    pin["auth_id"] = bytes.fromhex(pin["auth_id"])
    pin["reference"] = int(pin["reference"], 16)
    if not max(4, pin["min_length"]) <= pin["digits"] <= min(8, pin["max_length"]):
        raise ValueError("pin.digits are 4 to 8, and within min_length and max_length")
    return Layout(
        **card,
        applications={
            role: _application(values[role.lower()], card["key_sizes"][0]) for role in Role
        },
        pin=PinLayout(**pin),
        key_label=values["key"]["label"],
        key_id=bytes.fromhex(values["key"]["key_id"]),
        holder_label=values["holder"]["label"],
        files={name: _file(entry) for name, entry in values["files"].items()},
        ca_slots=tuple(
            CaSlot(slot["label"], bytes.fromhex(slot["certificate_id"]), _file(slot["file"]))
            for slot in values["ca"].values()
        ),
        factory=_factory(values["factory"]),
    )


def _factory(values: Mapping[str, str]) -> StaticKeys | None:
    """Keys of every blank card; None where each has its own. The error tells none of them."""
    if not any(values.values()):
        return None
    try:
        return StaticKeys(*(bytes.fromhex(values[name]) for name in ("enc", "mac", "dek")))
    except (ValueError, InvalidInput):
        raise InvalidInput(
            "card.layout",
            "factory: enc, mac and dek are keys of 16, 24 or 32 octets in hexadecimal, all alike",
        ) from None


def _application(entry: dict[str, Any], key_bits: int) -> ApplicationLayout:
    return ApplicationLayout(
        aid=bytes.fromhex(entry["aid"]),
        directory_label=entry["directory_label"],
        key_usage=tuple(entry["key_usage"]),
        user_consent=entry["user_consent"],
        key_bits=key_bits,
    )


def _file(entry: dict[str, str]) -> FileLayout:
    return FileLayout(int(entry["fid"], 16), int(entry["sfi"], 16))
