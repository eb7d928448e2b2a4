"""Every list made, as files that only the centre reads: the list, and its coverage statement."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from crl.records import RevocationList
from pki.errors import NotFound, Unavailable
from pki.reading.crl import MAX_OCTETS
from store.files import open_regular, sweep, whole_file, write_whole

_PATIENCE = 120.0
_STEP = 0.05


@dataclass(frozen=True)
class Archive:
    """A folder (0700) with ``sign-12.crl`` and ``sign-12.json`` for each list."""

    folder: Path

    def list_path(self, row: RevocationList) -> Path:
        """Return where the list lies."""
        return self.folder / f"{row.issuer_id}-{row.number}.crl"

    def statement_path(self, row: RevocationList) -> Path:
        """Return where its coverage statement lies."""
        return self.folder / f"{row.issuer_id}-{row.number}.json"

    def highest_number(self, issuer_id: str) -> int:
        """Return the highest number of a list of the CA that lies there, 0 for none."""
        names = (path.stem for path in self.folder.glob(f"{issuer_id}-*.crl"))
        ends = (name.removeprefix(f"{issuer_id}-") for name in names)
        return max((int(end) for end in ends if re.fullmatch("[0-9]{1,9}", end)), default=0)

    @contextmanager
    def open(self, row: RevocationList) -> Iterator[BinaryIO]:
        """Give the list's file to read; raises ``NotFound``, ``Unavailable``."""
        with _readable(self.list_path(row)) as file:
            yield file

    def holds(self, row: RevocationList) -> bool:
        """Say whether the list lies there as it was made."""
        try:
            with self.open(row) as file:
                return sha256_of(file) == row.sha256
        except (NotFound, Unavailable):
            return False

    def statement(self, row: RevocationList) -> bytes:
        """Return the coverage statement's file; raises ``NotFound``, ``Unavailable``."""
        with _readable(self.statement_path(row)) as file:
            return file.read()

    @contextmanager
    def new(self, row: RevocationList) -> Iterator[BinaryIO]:
        """Give the empty file that becomes the list if nothing fails; raises ``Unavailable``."""
        try:
            with whole_file(self.list_path(row)) as file:
                yield file
        except OSError as error:
            raise _unavailable(self.list_path(row), error) from None

    def keep_statement(self, row: RevocationList, octets: bytes) -> None:
        """Write the coverage statement; raises ``Unavailable``."""
        try:
            write_whole(self.statement_path(row), octets)
        except OSError as error:
            raise _unavailable(self.statement_path(row), error) from None

    @contextmanager
    def scratch(self) -> Iterator[BinaryIO]:
        """Give a file without a name, which is gone when it is closed; raises ``Unavailable``."""
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                yield file
        except OSError as error:
            raise _unavailable(self.folder, error) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time make lists, and sweep away what a killed one left.

        Raises ``Unavailable`` when another one does not finish within two minutes.
        """
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise _unavailable(self.folder, error) from None
        with locked(self.folder / ".lock", _PATIENCE):
            sweep(self.folder)
            yield


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of all the file holds, hexadecimal; where it is being read stays so."""
    running, at = hashlib.sha256(), 0
    while block := os.pread(file.fileno(), 1 << 20, at):
        running.update(block)
        at += len(block)
    return running.hexdigest()


@contextmanager
def locked(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock that the file stands for; raises ``Unavailable`` after so many seconds."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _unavailable(path, error) from None
    try:
        _wait(descriptor, path, patience)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > until:
            raise Unavailable(
                "crl.busy",
                f"another process holds {path}",
                "Wait for it, or end it if it hangs; then do this again.",
            )
        time.sleep(_STEP)


@contextmanager
def _readable(path: Path) -> Iterator[BinaryIO]:
    try:
        file = open_regular(path, MAX_OCTETS)
    except OSError as error:
        raise _unavailable(path, error) from None
    if file is None:
        raise NotFound("crl.archive.missing", f"{path} is not there")
    with file:
        yield file


def _unavailable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "crl.write",
        f"{path} cannot be written or read: {error.strerror}",
        "Make room or mend the folder, then run `hpki crl due` again.",
    )
