"""Verification of an export by an outsider: no site, no database, no configuration.

Files are read line by line, each within its limit, and hashed as they are read; what is kept is
the register and the hash of each entry.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from audit.anchor import (
    MAX_FILE_OCTETS,
    Anchor,
    parse_anchor_file,
    verify_anchor,
    verify_anchors,
    verify_site,
)
from audit.chain import MAX_ENTRY_OCTETS, Chain, Head
from operators.acts import p256_key
from operators.evidence import manifest as form
from operators.evidence.manifest import (
    FileNote,
    Manifest,
    key_file,
    key_pem,
    parse_manifest,
    parse_statement_line,
    public_keys,
)
from operators.evidence.proof import Proof
from operators.kinds import Kept
from operators.register import Register
from pki.errors import HpkiError, InvalidInput, NotFound, Refused, Unavailable
from pki.signing import key_id, verify_signature

Progress = Callable[[int, int], None]

T = TypeVar("T")

_STEP = 1000
_MOST_ANCHORS = 100_000


@dataclass(frozen=True)
class Trusted:
    """What the outsider brings: SHA-256 of the first set-up, heads and anchors kept elsewhere.

    With ``setup`` None the root of trust is the export's own, and only a person can compare it.
    """

    setup: str | None = None
    heads: Sequence[Head] = ()
    anchors: Sequence[Anchor] = ()


@dataclass(frozen=True)
class Verified:
    """What was verified; ``signed``: whether the manifest is signed by an anchor key."""

    manifest: Manifest
    signed: bool


def verify_export(folder: Path, trusted: Trusted, progress: Progress | None = None) -> Verified:
    """Verify all of an export and return what it holds.

    Raises ``Refused`` at the first fault, naming file and line or entry; ``InvalidInput`` where a
    file is none of an export, ``NotFound`` where it is missing.
    """
    files = _Files(folder)
    manifest = files.manifest
    for anchor in trusted.anchors:
        verify_site(anchor, manifest.site_id)
    heads = [one.head for one in files.anchors()]
    chain = Chain([*trusted.heads, *(one.head for one in trusted.anchors), *heads])
    proof = Proof(manifest.site_id, trusted.setup, files.statements())
    for count, line in enumerate(files.lines(form.TRAIL, MAX_ENTRY_OCTETS), 1):
        body = chain.take_line(line)
        proof.take(body, chain.last)
        if count == 1:
            _verify_first(body, manifest)
        if progress is not None and count % _STEP == 0:
            progress(count, manifest.entries)
    chain.finish(manifest.head)
    register = proof.finish()
    keys = {key_id(one): one for one in map(bytes.fromhex, register.anchor_keys)}
    for _ in verify_anchors(files.anchors(), manifest.site_id, keys):
        pass
    for anchor in trusted.anchors:
        verify_anchor(anchor, manifest.site_id, keys)
    _verify_counts(manifest, proof, len(heads))
    files.verify_keys(register)
    files.finish()
    return Verified(manifest, files.verify_signed(register))


@dataclass
class _Files:
    """The files of an export; whatever was read is noted, to be compared with the manifest."""

    folder: Path
    manifest: Manifest = field(init=False)
    _octets: bytes = field(init=False, repr=False)
    _read: dict[str, FileNote] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._octets = self.small(form.MANIFEST, form.MAX_MANIFEST_OCTETS)
        self.manifest = parse_manifest(self._octets)
        known = {*self.manifest.files, form.MANIFEST, form.MANIFEST_SIGNATURE}
        for inner in ("", form.KEYS):
            for name in _names(self.folder / inner):
                path = f"{inner}/{name}" if inner else name
                if path not in known and path != form.KEYS:
                    raise Refused("operators.export.file", f"{path} is not in {form.MANIFEST}")

    def lines(self, name: str, most: int) -> Iterator[bytes]:
        """Yield the lines of a file without their ends, each of at most so many octets."""
        hashed, size = hashlib.sha256(), 0
        with _opened(self.folder / name, name) as file:
            number = 0
            while line := file.readline(most + 2):
                number += 1
                if not line.endswith(b"\n") or len(line) > most + 1:
                    raise InvalidInput(
                        "operators.export.line",
                        f"{name} line {number} is longer than {most} octets or has no end",
                    )
                hashed.update(line)
                size += len(line)
                yield line[:-1]
        self._read[name] = FileNote(sha256=hashed.hexdigest(), size=size)

    def statements(self) -> Iterator[Kept]:
        """Yield the statements."""
        return self._parsed(form.STATEMENTS, form.MAX_STATEMENT_OCTETS, parse_statement_line)

    def anchors(self) -> Iterator[Anchor]:
        """Yield the anchors, whose signatures are not verified yet."""
        anchors = self._parsed(form.ANCHORS, MAX_FILE_OCTETS, parse_anchor_file)
        for number, anchor in enumerate(anchors, 1):
            if number > _MOST_ANCHORS:
                raise InvalidInput("operators.export.size", f"more than {_MOST_ANCHORS} anchors")
            yield anchor

    def small(self, name: str, most: int = form.MAX_SMALL_FILE_OCTETS) -> bytes:
        """Return the octets of a small file."""
        with _opened(self.folder / name, name) as file:
            octets = file.read(most + 1)
        if len(octets) > most:
            raise InvalidInput("operators.export.size", f"{name} has more than {most} octets")
        self._read[name] = FileNote(sha256=hashlib.sha256(octets).hexdigest(), size=len(octets))
        return octets

    def verify_keys(self, register: Register) -> None:
        """Raise ``Refused`` unless the key files are the keys that were registered."""
        keys = {key_file(name): spki_hex for name, spki_hex in public_keys(register).items()}
        there = {name for name in self.manifest.files if name.startswith(f"{form.KEYS}/")}
        for name in sorted(there ^ set(keys)):
            raise Refused("operators.export.key", f"{name} and the keys registered do not agree")
        for name, spki_hex in keys.items():
            if self.small(name) != key_pem(spki_hex):
                raise Refused("operators.export.key", f"{name} is not the key that was registered")

    def finish(self) -> None:
        """Raise ``Refused`` unless every file is the one that the manifest names."""
        for name, note in self.manifest.files.items():
            if name not in self._read:
                self.small(name)
            if self._read[name] != note:
                raise Refused(
                    "operators.export.digest", f"{name} is not the file that {form.MANIFEST} names"
                )

    def verify_signed(self, register: Register) -> bool:
        """Return whether the manifest is signed; raises ``Refused`` if by no anchor key."""
        if not os.path.lexists(self.folder / form.MANIFEST_SIGNATURE):
            return False
        signature = self.small(form.MANIFEST_SIGNATURE)
        for spki_hex in register.anchor_keys:
            try:
                verify_signature(p256_key(spki_hex), signature, self._octets, "SHA-256")
            except Refused:
                continue
            return True
        raise Refused(
            "operators.export.signature",
            f"{form.MANIFEST_SIGNATURE} is not a signature of an anchor key over {form.MANIFEST}",
        )

    def _parsed(self, name: str, most: int, parse: Callable[[bytes], T]) -> Iterator[T]:
        for number, line in enumerate(self.lines(name, most), 1):
            try:
                yield parse(line)
            except HpkiError as error:
                where = f"{name} line {number}: {error.text}"
                raise Refused(error.code, where, error.hint) from None


def _verify_first(body: Mapping[str, Any], manifest: Manifest) -> None:
    """Raise ``Refused`` unless the first entry opens the trail of the manifest's site and kind."""
    if (body["object_id"], body["detail"].get("kind")) != (manifest.site_id, manifest.kind):
        raise Refused(
            "operators.export.manifest",
            f"{form.MANIFEST} names another site or kind than entry 1 of the trail",
        )


def _verify_counts(manifest: Manifest, proof: Proof, anchors: int) -> None:
    for name, found in (
        ("setup", proof.root),
        ("entries", manifest.last_seq),
        ("statements", proof.statements),
        ("anchors", anchors),
    ):
        if getattr(manifest, name) != found:
            raise Refused(
                "operators.export.manifest",
                f"{form.MANIFEST} says {getattr(manifest, name)} for {name}, there is {found}",
            )


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            for one in found:
                yield one.name
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(str(folder), error) from None


@contextmanager
def _opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a regular file, no link, no pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InvalidInput("operators.export.file", f"{name} is no file")
            yield file
    except FileNotFoundError:
        raise NotFound("operators.export.file", f"the export has no {name}") from None
    except OSError as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError) -> Unavailable:
    return Unavailable("operators.export.read", f"{name} cannot be read: {error.strerror}")
