"""The entries of a list in its file, and what changed from one list to the next."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from pki.errors import InvalidInput
from pki.reading.entries import short_entry, split_entries
from pki.reading.tlv import DerError

_BLOCK = 1 << 18


class Change(NamedTuple):
    """Entries that one list has and the other has not, DER in order of serial number."""

    gone: list[bytes]
    new: list[bytes]


@dataclass(frozen=True)
class Entries:
    """The content of revokedCertificates in an open file: from one octet to another."""

    file: BinaryIO
    begin: int
    end: int

    def octets(self, at: int, size: int) -> bytes:
        """Return up to ``size`` octets from there, none behind the end."""
        return os.pread(self.file.fileno(), max(0, min(size, self.end - at)), at)

    def pages(self, at: int | None = None) -> Iterator[list[bytes]]:
        """Yield the entries in blocks; raises ``InvalidInput`` at what is none."""
        at = self.begin if at is None else at
        size = _BLOCK
        while at < self.end:
            try:
                found, taken = split_entries(self.octets(at, size))
            except DerError as error:
                raise InvalidInput("crl.entries", f"at octet {at}: {error}") from None
            if not found:
                size *= 2
                if size > _BLOCK * 16:
                    raise InvalidInput("crl.entries", f"there is no entry at octet {at}")
                continue
            yield found
            at += taken
            size = _BLOCK


def serial_key(entry: bytes) -> bytes:
    """Return what sorts as the entry's serial number: its INTEGER, which is positive.

    Entries have short lengths only: those of a list that this centre made.
    """
    return entry[3 : 4 + entry[3]]


def serial_of(entry: bytes) -> int:
    """Return the entry's serial number."""
    return int.from_bytes(serial_key(entry)[1:], "big")


def last_serial(joined: bytes) -> int:
    """Return the serial number of the last of the entries; raises ``InvalidInput``.

    Where all are as long as the first, and short, none before it is taken apart.
    """
    width = joined[1] + 2 if len(joined) > 1 else 2
    last = joined[-width:]
    even = joined[0::width].count(0x30), joined[1::width].count(width - 2)
    if even != (len(joined) / width,) * 2 or short_entry(last, 0) is None:
        last = split(joined)[-1]
    return serial_of(last)


def split(joined: bytes) -> list[bytes]:
    """Return the entries that stand one behind the other; raises ``InvalidInput``."""
    try:
        found, taken = split_entries(joined)
    except DerError as error:
        raise InvalidInput("crl.entries", f"what should be entries is not: {error}") from None
    if taken != len(joined):
        raise InvalidInput("crl.entries", "what should be entries breaks off")
    return found


def changes(older: Entries, newer: Iterable[bytes]) -> Iterator[Change]:
    """Yield what left and what came, page by page of the newer list's joined entries.

    Both rise by serial number. An entry whose content differs is in both parts. Where the octets
    are the same nothing is taken apart, so it costs what comparing costs.
    """
    at = older.begin
    for joined in newer:
        if older.octets(at, len(joined)) == joined:
            at += len(joined)
            continue
        page = split(joined)
        before, at = _up_to(older, at, serial_key(page[-1]))
        had, has = set(before), set(page)
        change = Change(
            [one for one in before if one not in has], [one for one in page if one not in had]
        )
        if change.gone or change.new:
            yield change
    for rest in older.pages(at):
        yield Change(rest, [])


def _up_to(entries: Entries, at: int, last: bytes) -> tuple[list[bytes], int]:
    """Return the entries from there whose serial number is not higher, and where the next is."""
    found: list[bytes] = []
    for page in entries.pages(at):
        count = bisect_right(page, last, key=serial_key)
        found += page[:count]
        at += sum(map(len, page[:count]))
        if count < len(page):
            break
    return found, at
