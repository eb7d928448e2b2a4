"""Files that are written whole or not at all, and are there after a power failure."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}")


@contextmanager
def whole_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Give a new file to write and read, which takes its place at the end if nothing fails.

    Temporary file beside it, fsync, rename, fsync of the folder: a reader sees the old or the new
    one whole. Raises ``OSError``, and then the old one stands.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w+b") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what a killed ``whole_file`` left in the folder; nobody may be writing there."""
    for left in folder.iterdir():
        if _TEMPORARY.fullmatch(left.name):
            with suppress(OSError):  # a folder or another's file of such a name is none of ours
                status = left.lstat()
                if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
                    left.unlink()


def write_whole(path: Path, octets: bytes, mode: int = 0o600) -> None:
    """Put the octets in place as ``whole_file`` does; raises ``OSError``."""
    with whole_file(path, mode) as file:
        file.write(octets)


def open_regular(path: Path, most_octets: int) -> BinaryIO | None:
    """Return the file, open to read, or None for anything else that bears the name.

    A link, a pipe, a device, or a file of more octets is no file of ours, and could hold up whoever
    reads it. Raises ``OSError``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            return None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > most_octets:
        os.close(descriptor)
        return None
    return os.fdopen(descriptor, "rb")


def sync_folder(folder: Path) -> None:
    """Make what was renamed in the folder durable; raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
