"""The one JSON file that a virtual card lives in: written as a whole, read strictly.

**The file is the chip.** It holds private keys, PINs and other secrets as a chip's memory does,
unencrypted; who reads it has the card. It is for training and tests only.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from pki.errors import Conflict, InvalidInput, NotFound, Unavailable

ChipT = TypeVar("ChipT")


def write_file(path: Path, record: Mapping[str, object]) -> None:
    """Replace the card file as a whole: temporary file, rename; mode 0600; OSError.

    Bytes become hexadecimal. A program that is killed leaves the chip as the last command did.
    Nothing is synced, since a chip writes some sixty times while it is personalized: a power cut of
    the machine may take the newest commands, or the card.
    """
    text = json.dumps(record, default=bytes.hex)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def creating(path: Path) -> Iterator[None]:
    """Around the first writing: Conflict if the file exists, Unavailable if it fails."""
    if path.exists():
        raise Conflict("card.virtual.exists", f"the card file {path} exists")
    try:
        yield
    except OSError as error:
        raise Unavailable("card.virtual.unwritable", f"{path}: {error}") from error


def file_format(path: Path) -> str:
    """Which kind of card the file holds; NotFound, Unavailable, InvalidInput if damaged."""
    return _read(path, lambda record: str(record["format"]))


def read_file(
    path: Path, file_format: str, version: int, build: Callable[[dict[str, Any]], ChipT]
) -> ChipT:
    """Chip that ``build`` makes of the file's record, without its format and version.

    NotFound, Unavailable; InvalidInput if the card is of another kind or the file is damaged.
    """

    def checked(record: dict[str, Any]) -> ChipT:
        found = record.pop("format")
        if found != file_format:
            raise InvalidInput(
                "card.virtual.kind", f"{path} is of the format {found!r}, not {file_format!r}"
            )
        if record.pop("version") != version:
            raise ValueError("another version")
        return build(record)

    return _read(path, checked)


def _read(path: Path, build: Callable[[dict[str, Any]], ChipT]) -> ChipT:
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise NotFound("card.virtual.missing", f"there is no card file {path}") from error
    except OSError as error:
        raise Unavailable("card.virtual.unreadable", f"{path}: {error}") from error
    except ValueError as error:
        raise InvalidInput("card.virtual.damaged", f"{path} is no card file") from error
    try:
        return build(json.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidInput("card.virtual.damaged", f"{path} is no card file: {error!r}") from error


def from_record(kind: Any, record: dict[str, Any]) -> Any:
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
