"""Publishing: a complete file or none, and never one that is older, foreign or false."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pki.errors import Unavailable
from store.files import write_whole


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
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                self.folder.chmod(0o755)
            write_whole(target, octets, 0o644)
        except OSError as error:
            raise _unavailable(target, error) from None


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "crl.publish.write",
        f"{path} cannot be published: {error.strerror}",
        "What stood there before still stands. Make room or mend the folder, then publish again.",
    )
