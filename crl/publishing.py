"""Places that relying parties fetch from: a complete file or none, and never an older one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from crl.archive import locked
from crl.building import copy_octets
from pki.errors import Unavailable
from pki.reading.crl import MAX_OCTETS
from store.files import open_regular, sweep, whole_file

_PATIENCE = 5.0
"""Seconds: whoever writes the folder could hold its lock for ever."""

Accept = Callable[[BinaryIO | None], None]
"""Is shown what stands there, and raises ``Refused`` where that must not be replaced."""


class Publisher(Protocol):
    """A place that relying parties fetch from."""

    @property
    def name(self) -> str:
        """What the place is called in settings, store and trail."""
        ...

    def current(self, name: str) -> BinaryIO | None:
        """Return the file that stands there, open to read, or None; raises ``Unavailable``."""
        ...

    def replace(self, name: str, source: BinaryIO, accept: Accept) -> None:
        """Put the source's octets there whole, if ``accept`` lets what stands there go.

        Nobody else replaces anything there between the two. Raises ``Unavailable`` and leaves the
        old one if it cannot.
        """
        ...


@dataclass(frozen=True)
class FolderPublisher:
    """A folder that a web server serves: temporary file, fsync, rename, fsync of the folder."""

    name: str
    folder: Path

    def current(self, name: str) -> BinaryIO | None:
        """Return the file, open to read, or None; what nobody can fetch does not stand there."""
        try:
            file = open_regular(self.folder / name, MAX_OCTETS)
        except OSError as error:
            raise self._unavailable(name, error) from None
        if file is not None and not os.fstat(file.fileno()).st_mode & stat.S_IROTH:
            file.close()
            return None
        return file

    def replace(self, name: str, source: BinaryIO, accept: Accept) -> None:
        """Write the file, world-readable, so that a reader sees the old or the new one whole."""
        target = self.folder / name
        with self._locked(), ExitStack() as closing:
            standing = self.current(name)
            if standing is not None:
                closing.enter_context(standing)
            if standing is not None and _same(standing, source):
                return
            accept(standing)
            try:
                with whole_file(target, 0o644) as file:
                    copy_octets(source, file)
            except OSError as error:
                raise self._unavailable(name, error) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            if not self.folder.exists():
                self.folder.mkdir(parents=True)
                self.folder.chmod(0o755)
        except OSError as error:
            raise self._unavailable("", error) from None
        with locked(self.folder / ".lock", _PATIENCE):
            sweep(self.folder)
            yield

    def _unavailable(self, name: str, error: OSError) -> Unavailable:
        return Unavailable(
            "crl.publish.write",
            f"{self.folder / name} cannot be published: {error.strerror}",
            "What stood there before still stands. Make room or mend the folder, publish again.",
        )


def _same(one: BinaryIO, other: BinaryIO) -> bool:
    """Say whether both files hold the same octets."""
    if os.fstat(one.fileno()).st_size != os.fstat(other.fileno()).st_size:
        return False
    one.seek(0)
    other.seek(0)
    while block := one.read(1 << 20):
        if block != other.read(len(block)):
            return False
    return True
