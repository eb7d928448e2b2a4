"""A folder that appears when it is whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from operators.evidence.manifest import FileNote
from pki.errors import Conflict, Unavailable
from store.files import sync_folder


@dataclass(frozen=True)
class Draft:
    """A folder beside its place; ``files`` says what was written so far."""

    folder: Path
    files: dict[str, FileNote] = field(default_factory=dict)

    def write(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a new file (0600) piece by piece, and note its digest."""
        path, size, hashed = self.folder / name, 0, hashlib.sha256()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
                hashed.update(piece)
                size += len(piece)
            file.flush()
            os.fsync(file.fileno())
        self.files[name] = FileNote(sha256=hashed.hexdigest(), size=size)


@contextmanager
def drafted(target: Path) -> Iterator[Draft]:
    """Give a draft of the folder, which takes its place when the block ends well.

    Raises ``Conflict`` where something is already, ``Unavailable`` where it cannot be written.
    """
    if target.exists():
        raise Conflict("operators.export.exists", f"{target} exists", "Name a folder that is new.")
    draft = target.absolute().with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        try:
            draft.mkdir(mode=0o700)
            yield Draft(draft)
            draft.rename(target)
            sync_folder(target.absolute().parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise Unavailable(
            "operators.export.write",
            f"{target} cannot be written: {error.strerror}",
            "Make room or mend the folder; nothing was left there.",
        ) from None
