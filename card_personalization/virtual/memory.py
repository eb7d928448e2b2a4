"""Memory of the virtual card: files, keys and counters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from card_personalization.scp03 import StaticKeys
from card_personalization.virtual.chip_file import from_record, read_file, write_file

FORMAT, VERSION = "hpki-virtual-card", 2
ALWAYS, ISSUER = 0x00, 0x20  # security condition bytes, ISO/IEC 7816-4 9.3.3.1
MAX_APPLICATIONS = 4
MAX_FILES = 32  # per application
MAX_FILE_SIZE = 32_767  # bytes, the reach of a 15-bit offset
ISSUER_TRIES = 10
PIN_SIZE = 16  # bytes, as stored


@dataclass(frozen=True)
class WorkingFile:
    """A transparent EF; ``content`` without the zeros at its end, conditions as one byte each."""

    fid: int
    sfi: int
    size: int
    read: int = ALWAYS
    update: int = ISSUER
    content: bytes = b""


@dataclass(frozen=True)
class PinFile:
    """The application's PIN; ``pin`` is padded with zeros to 16 bytes, empty until first set."""

    fid: int
    sfi: int
    reference: int
    max_tries: int
    min_length: int
    max_length: int
    tries_left: int
    pin: bytes = b""


@dataclass(frozen=True)
class KeyFile:
    """The application's private key; ``private_key_der`` is PKCS#8, empty until there is one."""

    fid: int
    sfi: int
    key_bits: int
    user_consent: bool
    private_key_der: bytes = b""


File = WorkingFile | PinFile | KeyFile
_KINDS: dict[str, type[WorkingFile | PinFile | KeyFile]] = {
    "working": WorkingFile,
    "pin": PinFile,
    "key": KeyFile,
}


@dataclass(frozen=True)
class Directory:
    """A DF: the MF (``aid`` empty) or an application."""

    aid: bytes
    files: tuple[File, ...] = ()

    def with_file(self, file: File) -> Directory:
        """Directory with ``file`` in the place of the one with its identifier, or added."""
        if all(old.fid != file.fid for old in self.files):
            return replace(self, files=(*self.files, file))
        return replace(
            self, files=tuple(file if old.fid == file.fid else old for old in self.files)
        )


@dataclass(frozen=True)
class Chip:
    """All a card remembers without power."""

    serial: bytes
    key_enc: bytes
    key_mac: bytes
    key_dek: bytes
    issuer_key_version: int = 1
    issuer_tries_left: int = ISSUER_TRIES
    activated: bool = False
    directories: tuple[Directory, ...] = field(default=(Directory(b""),))

    @property
    def issuer_keys(self) -> StaticKeys:
        """The issuer's keys."""
        return StaticKeys(self.key_enc, self.key_mac, self.key_dek)

    @property
    def blank(self) -> bool:
        """Whether nothing was created on it yet."""
        return self.directories == (Directory(b""),)

    def directory(self, aid: bytes) -> Directory:
        """DF of that exact name; the MF has the empty one."""
        return next(df for df in self.directories if df.aid == aid)

    def with_file(self, aid: bytes, file: File) -> Chip:
        """Chip after a file of application ``aid`` was written."""
        return replace(
            self,
            directories=tuple(
                df.with_file(file) if df.aid == aid else df for df in self.directories
            ),
        )


def write_chip(path: Path, chip: Chip) -> None:
    """Replace the card file as a whole; OSError."""
    record = {"format": FORMAT, "version": VERSION, **vars(chip)}
    record["directories"] = [
        {
            "aid": df.aid,
            "files": [{"kind": _kind(file), **vars(file)} for file in df.files],
        }
        for df in chip.directories
    ]
    write_file(path, record)


def read_chip(path: Path) -> Chip:
    """Chip in a card file; NotFound, Unavailable, or InvalidInput if the file is damaged."""
    return read_file(path, FORMAT, VERSION, _chip)


def _chip(record: dict[str, Any]) -> Chip:
    directories = tuple(_directory(entry) for entry in record.pop("directories"))
    if not directories or directories[0].aid:
        raise ValueError("the MF is missing")
    chip: Chip = from_record(Chip, {**record, "directories": ""})
    return replace(chip, directories=directories)


def _kind(file: File) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(file, kind))


def _directory(entry: dict[str, Any]) -> Directory:
    files = tuple(from_record(_KINDS[item.pop("kind")], item) for item in entry["files"])
    return Directory(bytes.fromhex(entry["aid"]), files)
