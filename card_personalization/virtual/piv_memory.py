"""Memory of the virtual PIV card, and what it knows between two resets.

Source: NIST SP 800-73-4 part 1 (objects, key references), SP 800-78-4 table 6-2 (algorithms).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from card_personalization import tlv
from card_personalization.virtual.chip_file import from_record, read_file, write_file
from card_personalization.virtual.session import Status
from keys.backend import KeySpec, PrivateKey
from pki.errors import InvalidInput

FORMAT, VERSION = "hpki-virtual-piv", 1
PIN_SIZE = 8  # bytes, as stored and sent
MAX_OBJECTS = 48
MAX_OBJECT_SIZE = 3072  # bytes
TRIES = 3

AUTHENTICATION, SIGNATURE, KEY_MANAGEMENT, CARD_AUTHENTICATION = 0x9A, 0x9C, 0x9D, 0x9E
SLOTS = (AUTHENTICATION, SIGNATURE, KEY_MANAGEMENT, CARD_AUTHENTICATION)
RETIRED_SLOTS = tuple(range(0x82, 0x96))
MANAGEMENT = 0x9B
PIN, PUK = 0x80, 0x81

ALGORITHMS: Mapping[int, KeySpec] = {
    0x07: KeySpec("RSA-2048"),
    0x11: KeySpec("P-256"),
    0x14: KeySpec("P-384"),
}
TRIPLE_DES = 0x03
MANAGEMENT_ALGORITHMS: Mapping[int, int] = {TRIPLE_DES: 24, 0x08: 16, 0x0A: 24, 0x0C: 32}
"""3DES, AES-128, AES-192 and AES-256, each with the length of its key in bytes."""

NEVER, ONCE, ALWAYS = 0x01, 0x02, 0x03
"""When a key asks for the PIN, in Yubico's numbers."""
DEFAULT_POLICIES: Mapping[int, int] = {SIGNATURE: ALWAYS, CARD_AUTHENTICATION: NEVER}

FACTORY_PIN, FACTORY_PUK = b"123456\xff\xff", b"12345678"
FACTORY_MANAGEMENT_KEY = bytes(range(1, 9)) * 3


@dataclass(frozen=True)
class Secret:
    """PIN or PUK: ``value`` is padded with FF to 8 bytes."""

    value: bytes
    max_tries: int = TRIES
    tries_left: int = TRIES

    def fresh(self) -> Secret:
        """Secret with all its tries."""
        return replace(self, tries_left=self.max_tries)


@dataclass(frozen=True)
class SlotKey:
    """A private key (PKCS#8) in its slot; its ``algorithm`` is one of ``ALGORITHMS``."""

    slot: int
    algorithm: int
    pin_policy: int
    generated: bool
    private_key_der: bytes


@dataclass(frozen=True)
class DataObject:
    """Content of the 53 that GET DATA gives for the tag ``identifier``."""

    identifier: int
    content: bytes


@dataclass(frozen=True)
class PivChip:
    """All a PIV card remembers without power; ``extensions`` are Yubico's commands."""

    serial: bytes
    extensions: bool
    pin: Secret = Secret(FACTORY_PIN)
    puk: Secret = Secret(FACTORY_PUK)
    management_algorithm: int = TRIPLE_DES
    management_key: bytes = FACTORY_MANAGEMENT_KEY
    keys: tuple[SlotKey, ...] = ()
    objects: tuple[DataObject, ...] = ()

    def slot_key(self, slot: int) -> SlotKey | None:
        """Key in a slot, None if it is empty."""
        return next((key for key in self.keys if key.slot == slot), None)

    def with_key(self, key: SlotKey) -> PivChip:
        """Chip with ``key`` in the place of what was in its slot."""
        others = (old for old in self.keys if old.slot != key.slot)
        return replace(self, keys=(*others, key))

    def content(self, identifier: int) -> bytes | None:
        """Content of a data object, None if it is absent."""
        return next((one.content for one in self.objects if one.identifier == identifier), None)

    def with_content(self, identifier: int, content: bytes) -> PivChip:
        """Chip with that data object; empty ``content`` takes it away."""
        others = tuple(one for one in self.objects if one.identifier != identifier)
        return replace(
            self, objects=(*others, DataObject(identifier, content)) if content else others
        )


def write_chip(path: Path, chip: PivChip) -> None:
    """Replace the card file as a whole; OSError."""
    write_file(path, {"format": FORMAT, "version": VERSION, **asdict(chip)})


def read_chip(path: Path) -> PivChip:
    """Chip in a card file; NotFound, Unavailable, or InvalidInput if the file is damaged."""
    return read_file(path, FORMAT, VERSION, _chip)


def _chip(record: dict[str, Any]) -> PivChip:
    nested = {
        "pin": from_record(Secret, record["pin"]),
        "puk": from_record(Secret, record["puk"]),
        "keys": tuple(from_record(SlotKey, entry) for entry in record["keys"]),
        "objects": tuple(from_record(DataObject, entry) for entry in record["objects"]),
    }
    chip: PivChip = from_record(PivChip, record | dict.fromkeys(nested, ""))
    for key in nested["keys"]:
        if key.algorithm not in ALGORITHMS:
            raise ValueError("algorithm of a key")
    if len(chip.management_key) != MANAGEMENT_ALGORITHMS[chip.management_algorithm]:
        raise ValueError("length of the management key")
    return replace(chip, **nested)


@dataclass
class PivSession:
    """What the card knows until reset, and its hands.

    ``pin_fresh``: the PIN was verified and no private key was used since. ``witness`` and
    ``challenge`` are what a management key's answer is awaited to.
    """

    chip: PivChip
    write: Callable[[PivChip], None]
    entropy: Callable[[int], bytes]
    make_key: Callable[[KeySpec], PrivateKey]
    selected: bool = False
    pin_verified: bool = False
    pin_fresh: bool = False
    manager: bool = False
    witness: bytes = b""
    challenge: bytes = b""

    def commit(self, chip: PivChip) -> None:
        """Write the new memory; Status 6581 leaves the old one."""
        self.write(chip)
        self.chip = chip

    def forget(self) -> None:
        """End everything that was verified or begun."""
        self.set_pin_verified(False)
        self.manager = False
        self.witness = self.challenge = b""

    def set_pin_verified(self, verified: bool) -> None:
        """Note a VERIFY that was right or wrong."""
        self.pin_verified = self.pin_fresh = verified

    def need_manager(self) -> None:
        """Refuse with 6982 without the management key's authentication."""
        if not self.manager:
            raise Status(0x6982)


def objects_in(data: bytes) -> dict[int, bytes]:
    """Outermost data objects by tag; Status 6A80 if broken or if a tag comes twice."""
    try:
        found = tlv.parse_flat(data)
    except InvalidInput as error:
        raise Status(0x6A80) from error
    objects = {one.tag: one.value for one in found}
    if len(objects) < len(found):
        raise Status(0x6A80)
    return objects
