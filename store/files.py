"""Files that are written whole or not at all, and are there after a power failure."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: Path, octets: bytes, mode: int = 0o600) -> None:
    """Put the file in place: temporary file beside it, fsync, rename, fsync of the folder.

    A reader sees the old or the new one whole. Raises ``OSError``, and then the old one stands.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed in the folder durable; raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
