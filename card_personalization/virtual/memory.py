"""Memory of the virtual card: files, keys and counters, and the one JSON file they live in.

**The JSON file is the chip.** It holds the private keys (PKCS#8), the PINs and the issuer keys as a
chip's memory does, unencrypted; who reads it has the card. It is for training and tests only.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from card_personalization.scp03 import StaticKeys
from pki.errors import InvalidInput, NotFound, Unavailable

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
    """The application's private key; ``private_key_der`` is PKCS#8, empty until generated."""

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
    """Replace the card file as a whole: temporary file, fsync, rename; mode 0600; OSError.

    The folder is not synced: after a power cut of the machine the chip may be one command back,
    never torn.
    """
    record = {"format": "hpki-virtual-card", "version": 2, **vars(chip)}
    record["directories"] = [
        {
            "aid": df.aid,
            "files": [{"kind": _kind(file), **vars(file)} for file in df.files],
        }
        for df in chip.directories
    ]
    text = json.dumps(record, default=bytes.hex)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def read_chip(path: Path) -> Chip:
    """Chip in a card file; NotFound, Unavailable, or InvalidInput if the file is damaged."""
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise NotFound("card.virtual.missing", f"there is no card file {path}") from error
    except OSError as error:
        raise Unavailable("card.virtual.unreadable", f"{path}: {error}") from error
    except ValueError as error:
        raise InvalidInput("card.virtual.damaged", f"{path} is no card file") from error
    try:
        record = json.loads(text)
        if (record.pop("format"), record.pop("version")) != ("hpki-virtual-card", 2):
            raise ValueError("another format")
        directories = tuple(_directory(entry) for entry in record.pop("directories"))
        if not directories or directories[0].aid:
            raise ValueError("the MF is missing")
        chip: Chip = _build(Chip, {**record, "directories": ""})
        return replace(chip, directories=directories)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput("card.virtual.damaged", f"{path} is no card file: {error!r}") from error


def _kind(file: File) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(file, kind))


def _directory(entry: dict[str, Any]) -> Directory:
    files = tuple(_build(_KINDS[item.pop("kind")], item) for item in entry["files"])
    return Directory(bytes.fromhex(entry["aid"]), files)


def _build(kind: Any, record: dict[str, Any]) -> Any:
    """Dataclass from its JSON form; every field must be there and of its type."""
    if set(record) != {item.name for item in fields(kind)}:
        raise ValueError(f"fields of {kind.__name__}")
    values = {}
    for item in fields(kind):
        value = record[item.name]
        wanted = {"int": int, "bool": bool}.get(str(item.type), str)
        if type(value) is not wanted:
            raise ValueError(f"{kind.__name__}.{item.name}")
        values[item.name] = bytes.fromhex(str(value)) if item.type == "bytes" else value
    return kind(**values)
