"""A revocation list as it is encoded. Source: RFC 5280 section 5.1.

A list is read from an open file (or octets) in blocks, so one of a million entries needs no more
memory than a short one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import SEEK_END, BytesIO
from typing import Any, BinaryIO, overload

from pki import oids
from pki.errors import InvalidInput, Unavailable
from pki.reading.entries import (
    LONGEST_PLAIN,
    Entry,
    OddBlock,
    PlainBlock,
    other_entry,
    plain_block,
    short_entry,
    split_entries,
    verify_size,
)
from pki.reading.extensions import Extension, read_extensions
from pki.reading.tlv import (
    BIT_STRING,
    GENERALIZED_TIME,
    INTEGER,
    SEQUENCE,
    UTC_TIME,
    DerError,
    Reader,
)
from pki.reading.values import Name, Time, read_name, read_time

__all__ = [
    "BLOCK_OCTETS",
    "MAX_OCTETS",
    "Entry",
    "RevocationList",
    "open_list",
    "read_list",
    "split_entries",
]

MAX_OCTETS = 256 * 1024 * 1024
BLOCK_OCTETS = 256 * 1024
"""Octets of the entries that are read at a time."""

_WINDOW = 4096


class _Source:
    """An open file's octets by their places; the window read last is kept."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = self._seek(0, SEEK_END)
        self._begin, self._window = 0, b""

    def __len__(self) -> int:
        return self._length

    def _seek(self, place: int, whence: int = 0) -> int:
        try:
            return self._file.seek(place, whence)
        except (OSError, ValueError) as error:
            raise _unreadable(error) from None

    def read(self, begin: int, end: int) -> bytes:
        """Return the octets; raises ``Unavailable`` if the file has become shorter."""
        self._seek(begin)
        try:
            octets = self._file.read(end - begin)
        except (OSError, ValueError) as error:
            raise _unreadable(error) from None
        if len(octets) != end - begin:
            raise Unavailable(
                "pki.crl.changed", "the list's file became shorter meanwhile", "Read it again."
            )
        return octets

    def digest(self, hash_name: str, begin: int, end: int) -> bytes:
        """Return the hash, by its name in ``hashlib``, of the octets between the two."""
        found = hashlib.new(hash_name)
        for at in range(begin, end, BLOCK_OCTETS):
            found.update(self.read(at, min(at + BLOCK_OCTETS, end)))
        return found.digest()

    @overload
    def __getitem__(self, place: int, /) -> int: ...
    @overload
    def __getitem__(self, place: slice, /) -> bytes: ...
    def __getitem__(self, place: int | slice, /) -> int | bytes:
        if isinstance(place, int):
            return self._piece(place, place + 1)[0]
        return self._piece(place.start, min(place.stop, self._length))

    def _piece(self, begin: int, end: int) -> bytes:
        verify_size(end - begin, "one part")
        if not self._begin <= begin <= end <= self._begin + len(self._window):
            self._window = self.read(begin, min(max(end, begin + _WINDOW), self._length))
            self._begin = begin
        return self._window[begin - self._begin : end - self._begin]


def _unreadable(error: Exception) -> Unavailable:
    return Unavailable(
        "pki.crl.read", f"the list's file cannot be read: {error}", "Give a file, not a pipe."
    )


@dataclass(frozen=True, eq=False)
class RevocationList:
    """All parts but the entries, with what is not DER in ``faults``; ``version`` is 1 or more.

    The bounds are places of the first octet and after the last: of the to-be-signed octets, and of
    revokedCertificates' content, None where it is absent. ``source`` must stay open as long as the
    list is used. Two lists are equal if they are the same object: octets may be many.
    """

    source: _Source = field(repr=False)
    tbs_bounds: tuple[int, int]
    version: int
    signature_inside: bytes
    issuer: Name
    this_update: Time
    next_update: Time | None
    entries_bounds: tuple[int, int] | None
    extensions: tuple[Extension, ...]
    signature_outside: bytes
    signature: bytes
    faults: tuple[str, ...]
    by_oid: dict[str, Extension] = field(repr=False)

    @property
    def octets(self) -> int:
        """How many octets the list has."""
        return len(self.source)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the DER in hexadecimal."""
        return self.source.digest("sha256", 0, len(self.source)).hex()

    def tbs_digest(self, hash_name: str) -> bytes:
        """Return the hash, by its name in ``hashlib``, of the to-be-signed octets."""
        return self.source.digest(hash_name, *self.tbs_bounds)

    @property
    def number(self) -> int | None:
        """The cRLNumber, None where there is none that can be read."""
        return self.value(oids.CRL_NUMBER)  # type: ignore[no-any-return]

    def value(self, oid: str) -> Any:
        """Return the readable value of the first extension of the type, or None."""
        found = self.by_oid.get(oid)
        return None if found is None else found.value

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in the order encoded; raises ``DerError`` at an unreadable one."""
        for block in self.blocks():
            yield from block.entries()

    def entry_blocks(self) -> Iterator[list[bytes]]:
        """Yield the DER of the entries in the order encoded, those of about 256 KiB at a time.

        Raises ``DerError`` at an unreadable one, after those before it.
        """
        for block in self.blocks():
            yield block.encoded()

    def blocks(self) -> Iterator[PlainBlock | OddBlock]:
        """Yield the entries by blocks; raises ``DerError`` at an unreadable one, as ``entries``."""
        at, end = self.entries_bounds or (0, 0)
        while at < end:
            octets = self.source.read(at, min(at + BLOCK_OCTETS, end))
            plain = plain_block(octets)
            cut_off = LONGEST_PLAIN if at + len(octets) < end else 1
            if plain is not None and len(octets) - len(plain.octets) < cut_off:
                yield plain
                at += len(plain.octets)
                continue
            read, at, error = self._read_block(octets, at, end)
            if read:
                yield OddBlock(read)
            if error is not None:
                raise error

    def _read_block(
        self, octets: bytes, begin: int, end: int
    ) -> tuple[list[tuple[Entry, bytes]], int, DerError | None]:
        """Return the entries that begin in the block, where the last ends, and what ended it."""
        read: list[tuple[Entry, bytes]] = []
        at, stop = begin, begin + len(octets)
        try:
            while at < stop:
                found = short_entry(octets, at - begin)
                if found is not None:
                    entry, after = found[0], begin + found[1]
                    der = octets[at - begin : found[1]]
                else:
                    entry, after = other_entry(self.source, at, end)
                    der = self.source.read(at, after)
                read.append((entry, der))
                at = after
        except DerError as error:
            return read, at, error
        return read, at, None


def read_list(der: bytes) -> RevocationList:
    """Return the list that the octets are; as ``open_list``."""
    return open_list(BytesIO(der))


def open_list(file: BinaryIO) -> RevocationList:
    """Return the list in the seekable file, which is read as needed while it stays open.

    Raises ``InvalidInput`` (pki.crl.unreadable) where its structure cannot be followed, entries
    are not looked at; ``Unavailable`` where the file cannot be read.
    """
    source = _Source(file)
    if len(source) > MAX_OCTETS:
        raise InvalidInput("pki.crl.size", f"a list has at most {MAX_OCTETS} octets")
    try:
        return _read(source)
    except DerError as error:
        raise InvalidInput("pki.crl.unreadable", f"this is no revocation list: {error}") from None


def _read(source: _Source) -> RevocationList:
    reader = Reader(source)
    begin, end = reader.whole(SEQUENCE, "the list")
    at, tbs_end = reader.expect(SEQUENCE, begin, end, "tbsCertList")
    _, algorithm_end = reader.expect(SEQUENCE, tbs_end, end, "signatureAlgorithm")
    signature_begin, signature_end = reader.expect(BIT_STRING, algorithm_end, end, "the signature")
    if signature_end != end:
        raise DerError("a list has more than three parts")
    version = 1
    if source[at : at + 1] == b"\x02":
        number_begin, at = reader.expect(INTEGER, at, tbs_end, "the version")
        version = reader.integer(number_begin, at) + 1
        if version == 1:
            reader.fault("version v1 is encoded although only v2 may be")
    inside = at
    _, at = reader.expect(SEQUENCE, at, tbs_end, "signature")
    signature_inside = source[inside:at]
    issuer_at = at
    _, at = reader.expect(SEQUENCE, at, tbs_end, "the issuer")
    verify_size(at - issuer_at, "the issuer")
    issuer = read_name(source[issuer_at:at])
    tag, time_begin, at = reader.element(at, tbs_end)
    this_update = read_time(tag, source[time_begin:at])
    next_update, bounds = None, None
    extensions: tuple[Extension, ...] = ()
    stage = 0
    for _, tag, start, stop in reader.children(at, tbs_end):
        number = {UTC_TIME: 1, GENERALIZED_TIME: 1, SEQUENCE: 2, 0xA0: 3}.get(tag, 0)
        if number <= stage:
            raise DerError(f"tbsCertList holds the tag {tag:02x} where it cannot stand")
        stage = number
        if number == 1:
            next_update = read_time(tag, source[start:stop])
        elif number == 2:
            bounds = (start, stop)
        else:
            list_begin, list_end = reader.expect(SEQUENCE, start, stop, "the extensions")
            if list_end != stop:
                raise DerError("the extensions are more than one SEQUENCE")
            verify_size(stop - start, "the extensions")
            extensions = read_extensions(reader, list_begin, list_end)
            if not extensions:
                reader.fault("the list's extensions are an empty SEQUENCE")
    signature, unused = reader.bit_string(signature_begin, signature_end)
    if unused:
        reader.fault("the signature has unused bits")
    by_oid: dict[str, Extension] = {}
    for extension in extensions:
        by_oid.setdefault(extension.oid, extension)
    return RevocationList(
        source,
        (begin, tbs_end),
        version,
        signature_inside,
        issuer,
        this_update,
        next_update,
        bounds,
        extensions,
        source[tbs_end:algorithm_end],
        signature,
        (*reader.faults, *issuer.faults),
        by_oid,
    )
