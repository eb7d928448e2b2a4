"""The folder of encrypted documents: one file and one key for each, the clear text in memory only.

A file: 8 octets that say form and version, a nonce, ciphertext and tag. Its name is drawn and says
nothing; the wrapped key stands with the document's row, so that either alone is worth nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from keys.documents import OVERHEAD_OCTETS, decrypt_document, encrypt_document
from pki.errors import InvalidInput, Refused, Unavailable
from pki.serials import Entropy
from policies.media import most_octets
from store.files import sync_folder, write_whole

_FORM = b"HPKIDOC1"
_NAME = re.compile(r"[0-9a-f]{32}\.bin")


@dataclass(frozen=True)
class Kept:
    """What a row keeps of a file: its name, its wrapped key (hex), SHA-256 and size when clear."""

    name: str
    wrapped_key: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Vault:
    """Keeps documents in ``folder``; ``data_key`` gives the site's 32 octets that wrap their keys.

    A document's ``identity`` is bound to its file: what is read as another does not open. Raises
    ``Unavailable`` where the disk fails.
    """

    folder: Path
    data_key: Callable[[], bytes] = field(repr=False)
    entropy: Entropy

    def store(self, identity: str, octets: bytes) -> Kept:
        """Write the document encrypted; nothing knows it before its row is there."""
        if not 0 < len(octets) <= most_octets():
            raise InvalidInput(
                "ra.document.size",
                f"a document has 1 to {most_octets()} octets, not {len(octets)}",
            )
        wrapped_key, ciphertext = encrypt_document(
            octets, _bound(identity), self.data_key(), self.entropy
        )
        name = f"{self.entropy(16).hex()}.bin"
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            write_whole(self.folder / name, _FORM + ciphertext)
        except OSError as error:
            raise _unavailable(name, "written", error) from None
        return Kept(name, wrapped_key.hex(), hashlib.sha256(octets).hexdigest(), len(octets))

    def read(self, identity: str, kept: Kept) -> bytes:
        """Return the document; raises ``Refused`` unless it is, whole, the one that was kept."""
        limit = len(_FORM) + OVERHEAD_OCTETS + kept.size
        try:
            with self._path(kept.name).open("rb") as file:
                found = file.read(limit + 1)
        except OSError as error:
            raise _unavailable(kept.name, "read", error) from None
        if len(found) != limit or not found.startswith(_FORM):
            raise _changed(kept.name)
        octets = decrypt_document(
            found[len(_FORM) :],
            _bound(identity),
            bytes.fromhex(kept.wrapped_key),
            self.data_key(),
        )
        if hashlib.sha256(octets).hexdigest() != kept.sha256:
            raise _changed(kept.name)
        return octets

    def destroy(self, name: str) -> None:
        """Remove the file if it is there; with its key blanked in the row, no copy opens again."""
        try:
            self._path(name).unlink(missing_ok=True)
            if self.folder.is_dir():
                sync_folder(self.folder)
        except OSError as error:
            raise _unavailable(name, "removed", error) from None

    def strays(self, known: Collection[str]) -> tuple[str, ...]:
        """Return the files that no row names, sorted: a crash left them before or after its row."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(one.name for one in self.folder.iterdir() if one.name not in known))

    def _path(self, name: str) -> Path:
        """Return the file's path; a name that this class never made is refused."""
        if not _NAME.fullmatch(name):
            raise _changed(name)
        return self.folder / name


def _bound(identity: str) -> bytes:
    return _FORM + identity.encode()


def _changed(name: str) -> Refused:
    return Refused(
        "ra.document.changed",
        f"the document's file {name!r} is not what was kept",
        "Bring the file back from the backup, and call the auditor.",
    )


def _unavailable(name: str, verb: str, error: OSError) -> Unavailable:
    return Unavailable(
        "ra.document.file",
        f"the document's file {name} cannot be {verb}: {error.strerror}",
        "Mend the folder documents/, or bring the file back from the backup.",
    )
