"""Publishing: a complete file or none, and never one that is older, foreign or false."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pki.errors import Unavailable


class Publisher(Protocol):
    """A place that relying parties fetch from."""

    def current(self, name: str) -> bytes | None:
        """Return what stands there under the name, or None."""
        ...

    def put(self, name: str, octets: bytes) -> None:
        """Replace it whole; raises ``Unavailable`` and leaves the old one if it cannot."""
        ...


@dataclass(frozen=True)
class FolderPublisher:
    """A folder that a web server serves: temporary file, fsync, rename, fsync of the folder."""

    folder: Path

    def current(self, name: str) -> bytes | None:
        """Return the file's octets, or None."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(self.folder / name, error) from None

    def put(self, name: str, octets: bytes) -> None:
        """Write the file, world-readable, so that a reader sees the old or the new one whole."""
        target = self.folder / name
        temporary = self.folder / f".{name}.{secrets.token_hex(8)}"
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                self.folder.chmod(0o755)
            try:
                with temporary.open("xb") as file:
                    file.write(octets)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.chmod(0o644)
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _sync_folder(self.folder)
        except OSError as error:
            raise _unavailable(target, error) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "crl.publish.write",
        f"{path} cannot be published: {error.strerror}",
        "What stood there before still stands. Make room or mend the folder, then publish again.",
    )
