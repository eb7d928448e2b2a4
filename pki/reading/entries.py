"""The entries of a revocation list as they are encoded. Source: RFC 5280 section 5.1.

Lists are long, so plain entries, which nearly all are, are told from others by one pattern and
are taken apart many at a time.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import product
from operator import lt
from typing import NamedTuple

from pki import oids
from pki.reading.extensions import Extension, read_extensions
from pki.reading.tlv import INTEGER, SEQUENCE, UTC_TIME, DerError, Octets, Reader
from pki.reading.values import Time, read_time

MAX_PART = 64 * 1024
"""Octets of whatever is read in one piece: a name, all extensions, a serial, a signature."""


class Entry(NamedTuple):
    """One revoked certificate: serial, tag and octets of revocationDate, and the rest.

    ``extensions`` is None where the entry has none; ``faults`` are breaches of DER in the entry.
    """

    serial: int
    date_tag: int
    date: bytes
    extensions: tuple[Extension, ...] | None
    faults: tuple[str, ...]

    @property
    def revoked_at(self) -> Time:
        """The revocationDate."""
        return read_time(self.date_tag, self.date)

    @property
    def reason(self) -> int | None:
        """The reasonCode's value, None where there is none that can be read."""
        for extension in self.extensions or ():
            if extension.oid == oids.REASON_CODE:
                return extension.value  # type: ignore[no-any-return]
        return None


@dataclass(frozen=True)
class Columns:
    """What the rules on plain entries need of them.

    ``rising``: each serial number is higher than the one before; ``days``: the days (YYMMDD) on
    which they were revoked; ``reasons``: an octet for each, ``NO_REASON`` without one; ``serial``
    gives the serial number at a place.
    """

    rising: bool
    days: set[bytes]
    reasons: bytes
    serial: Callable[[int], int]


NO_REASON = 0xFF
"""Stands among reasons for an entry without reasonCode."""


@dataclass(frozen=True)
class PlainBlock:
    """Octets of entries that all are plain.

    Such an entry has a positive serial of at most 20 octets, a UTCTime with digits and a sound
    clock, at most one extension (reasonCode 0 to 10, not critical) and is DER.
    """

    octets: bytes
    even: Columns | None = None

    def encoded(self) -> list[bytes]:
        """Return the DER of each entry."""
        return _plain().findall(self.octets)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries."""
        for der in self.encoded():
            middle = 4 + der[3]
            after = middle + _UTC_ELEMENT
            extensions = reason_extensions(der[-1]) if after < len(der) else None
            serial = int.from_bytes(der[4:middle], "big")
            yield Entry(serial, UTC_TIME, der[middle + 2 : after], extensions, ())

    def columns(self) -> Columns:
        """Return the columns; without a look at each entry where serials are as long."""
        return self.even or _filled_columns(self.octets) or _columns(self.encoded())


@dataclass(frozen=True)
class OddBlock:
    """Entries of which some are not plain, each with its DER."""

    read: list[tuple[Entry, bytes]]

    def encoded(self) -> list[bytes]:
        """Return the DER of each entry."""
        return [der for _, der in self.read]

    def entries(self) -> Iterator[Entry]:
        """Yield the entries."""
        return (entry for entry, _ in self.read)


_UTC_ELEMENT = 15
"""Octets of a UTCTime with seconds."""

_REASON = b"\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01"
"""The extensions of an entry with a reasonCode only, but for the reason's octet."""

_REASON_OCTETS = len(_REASON) + 1
_LONGEST_SERIAL = 20
_SHORTEST_ENTRY = 4 + 1 + _UTC_ELEMENT
LONGEST_PLAIN = 4 + _LONGEST_SERIAL + _UTC_ELEMENT + _REASON_OCTETS
_FREQUENT = (16, 20, 19, 17, 18, *range(15, 0, -1))
_DATE = rb"\x17\x0d[0-9]{6}(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z"


def _plain_forms() -> Iterator[bytes]:
    """Yield a pattern for the plain entries of each length, the most frequent first."""
    reason = re.escape(_REASON) + rb"[\x00-\x0a]"
    for octets in _FREQUENT:
        serials = [rb"[\x01-\x7f].{%d}" % (octets - 1)]
        if octets > 1:
            serials.append(rb"\x00[\x80-\xff].{%d}" % (octets - 2))
        for extensions, serial in product((reason, b""), serials):
            length = 2 + octets + _UTC_ELEMENT + (_REASON_OCTETS if extensions else 0)
            yield re.escape(bytes((0x30, length, 0x02, octets))) + serial + _DATE + extensions


@cache
def _plain(times: bytes = b"") -> re.Pattern[bytes]:
    """Return the pattern of one plain entry, or so often; long, so made when first needed."""
    return re.compile(b"(?:" + b"|".join(_plain_forms()) + b")" + times, re.DOTALL)


def plain_end(octets: bytes, at: int) -> int:
    """Return where the plain entries that begin at ``at`` end."""
    found = _plain(b"*+").match(octets, at)
    return at if found is None else found.end()


def plain_block(octets: bytes) -> PlainBlock | None:
    """Return the plain entries that the octets begin with, None where the first is none."""
    first = _plain().match(octets)
    if first is None:
        return None
    even = octets[: len(octets) - len(octets) % first.end()]
    columns = _even_columns(even, first.end())
    if columns is not None and plain_end(octets, len(even)) == len(even):
        return PlainBlock(even, columns)
    return PlainBlock(octets[: plain_end(octets, 0)])


def split_entries(block: bytes) -> tuple[list[bytes], int]:
    """Return the DER of the whole entries at the start of the block, and how many octets these are.

    An entry that the block's end cuts off is left. Raises ``DerError`` at what can be no entry.
    """
    found: list[bytes] = []
    at = 0
    while True:
        plain = plain_end(block, at)
        found += _plain().findall(block, at, plain)
        stop = _entry_end(block, plain)
        if stop is None:
            return found, plain
        if short_entry(block, plain) is None:
            other_entry(block, plain, stop)
        found.append(block[plain:stop])
        at = stop


def _entry_end(block: bytes, at: int) -> int | None:
    """Return where the entry ends, None where the block ends before it."""
    if at == len(block):
        return None
    reader = Reader(block[at : at + _LONGEST_HEADER].ljust(_LONGEST_HEADER, b"\x00"))
    _, stop = reader.expect(SEQUENCE, 0, _LONGEST_ENTRY, f"the entry at octet {at}")
    return at + stop if at + stop <= len(block) else None


_LONGEST_HEADER = 6
_LONGEST_ENTRY = 256 * 1024 * 1024


def _columns(encoded: list[bytes]) -> Columns:
    places = [4 + der[3] for der in encoded]
    serials = [der[3:place] for der, place in zip(encoded, places, strict=True)]
    return Columns(
        all(map(lt, serials, serials[1:])),
        {der[place + 2 : place + 8] for der, place in zip(encoded, places, strict=True)},
        bytes(
            der[-1] if len(der) > place + _UTC_ELEMENT else NO_REASON
            for der, place in zip(encoded, places, strict=True)
        ),
        lambda at: int.from_bytes(serials[at][1:], "big"),
    )


_FILL = bytes((NO_REASON,)) * _REASON_OCTETS


def _even_columns(rows: bytes, width: int) -> Columns | None:
    """Return the columns of plain entries of one form, None where one of them is none.

    The first is plain. What is the same in all of its form is compared with it; the other octets
    may be what the pattern lets them be.
    """
    date, end = 4 + rows[3], 4 + rows[3] + _UTC_ELEMENT
    hour, last = date + 8, end - 1
    column = [rows[place::width] for place in range(width)]
    fixed = (0, 1, 2, 3, date, date + 1, last, *range(end, width - 1))
    if (
        any(column[place].count(rows[place]) != len(column[0]) for place in fixed)
        or column[4].translate(None, _POSITIVE)
        or not all(digits.isdigit() for digits in column[date + 2 : last])
        or not _HOURS.issuperset(_numbers(column[hour : hour + 2]))
        or any(column[place].translate(None, b"012345") for place in (hour + 2, hour + 4))
        or (end < width and column[-1].translate(None, _REASONS))
    ):
        return None
    columns = _taken_apart(rows, width)
    return columns if end < width else replace(columns, reasons=_NONE * len(column[0]))


_NONE = bytes((NO_REASON,))
_POSITIVE = bytes(range(1, 0x80))
_REASONS = bytes(range(11))
_HOURS = {int.from_bytes(b"%02d" % hour, "big") for hour in range(24)}


def _filled_columns(octets: bytes) -> Columns | None:
    """Return the columns of plain entries whose serials have one length, None for others.

    Those without a reasonCode are filled up to the length of those with one.
    """
    serial = octets[3]
    width = 4 + serial + _UTC_ELEMENT + _REASON_OCTETS
    rows = _after_date(serial).sub(b"Z" + _FILL, octets)
    if (len(rows) + _REASON_OCTETS) % width == 0:
        rows += _FILL
    return _taken_apart(rows, width) if _are_rows(rows, width) else None


def _are_rows(rows: bytes, width: int) -> bool:
    """Say whether an entry begins at each multiple of the width, filled up or not.

    The octets were plain entries. Had a fill hit inside a serial, whose octets are anything, the
    last of the date's would stand where that entry's UTCTime begins.
    """
    serial, lengths = rows[3], rows[1::width]
    count, rest = divmod(len(rows), width)
    if rest or lengths.count(width - 2) + lengths.count(width - 2 - _REASON_OCTETS) != count:
        return False
    date = 4 + serial
    fixed = {0: SEQUENCE, 2: INTEGER, 3: serial, date: UTC_TIME, date + 1: 13, date + 14: 0x5A}
    return all(rows[place::width].count(octet) == count for place, octet in fixed.items())


def _taken_apart(rows: bytes, width: int) -> Columns:
    """Return the columns of entries that begin at each multiple of the width."""
    end = 4 + rows[3]
    leading = _numbers([rows[place::width] for place in range(4, min(end, 12))])
    rising = all(map(lt, leading, leading[1:]))
    if not rising:
        serials = [rows[at + 4 : at + end] for at in range(0, len(rows), width)]
        rising = all(map(lt, serials, serials[1:]))
    days = set(_numbers([rows[end + 2 + place :: width] for place in range(6)]))
    return Columns(
        rising,
        {day.to_bytes(6, "big") for day in days},
        rows[width - 1 :: width],
        lambda at: int.from_bytes(rows[at * width + 4 : at * width + end], "big"),
    )


def _numbers(columns: list[bytes]) -> tuple[int, ...]:
    """Return the number that the octets of each row are, of up to eight columns."""
    size = 2 if len(columns) <= 2 else 8  # noqa: PLR2004
    octets = bytearray(size * len(columns[0]))
    for place, column in enumerate(columns, size - len(columns)):
        octets[place::size] = column
    return struct.unpack(f">{len(columns[0])}{'H' if size == 2 else 'Q'}", octets)


@lru_cache(maxsize=_LONGEST_SERIAL)
def _after_date(serial: int) -> re.Pattern[bytes]:
    """Return a pattern for a date's last octet before the header of an entry."""
    short = 2 + serial + _UTC_ELEMENT
    lengths = re.escape(bytes((short,))) + b"|" + re.escape(bytes((short + _REASON_OCTETS,)))
    return re.compile(rb"Z(?=\x30(?:%b)\x02%b)" % (lengths, re.escape(bytes((serial,)))))


def short_entry(octets: bytes, at: int) -> tuple[Entry, int] | None:
    """Return an entry of short lengths with a UTCTime and where it ends, None for another form.

    What the octets cut off is of another form too.
    """
    if len(octets) - at < _SHORTEST_ENTRY:
        return None
    stop, middle = at + 2 + octets[at + 1], at + 4 + octets[at + 3]
    after = middle + _UTC_ELEMENT
    if not (
        at + 4 < middle < after <= stop <= len(octets)
        and stop < at + 2 + 0x80
        and octets[at] == SEQUENCE
        and octets[at + 2] == INTEGER
        and octets[middle] == UTC_TIME
        and octets[middle + 1] == _UTC_ELEMENT - 2
        and (octets[at + 4] or octets[at + 5] >= 0x80)
        and octets[at + 4] != 0xFF
    ):
        return None
    extensions: tuple[Extension, ...] | None = None
    faults: tuple[str, ...] = ()
    if after < stop:
        extensions, faults = _entry_extensions(octets[after:stop])
    serial = int.from_bytes(octets[at + 4 : middle], "big", signed=True)
    return Entry(serial, UTC_TIME, octets[middle + 2 : after], extensions, faults), stop


def other_entry(octets: Octets, at: int, end: int) -> tuple[Entry, int]:
    """Return the entry, of any form, that begins at ``at``, and where it ends.

    Raises ``DerError`` where it cannot be read or ends after ``end``.
    """
    reader = Reader(octets)
    start, stop = reader.expect(SEQUENCE, at, end, f"the entry at octet {at}")
    serial_begin, serial_end = reader.expect(INTEGER, start, stop, "an entry's serial")
    serial = reader.integer(serial_begin, serial_end)
    tag, time_begin, time_end = reader.element(serial_end, stop)
    date = octets[time_begin:time_end]
    read_time(tag, date)
    extensions: tuple[Extension, ...] | None = None
    faults: tuple[str, ...] = ()
    if time_end < stop:
        verify_size(stop - time_end, "an entry's extensions")
        extensions, faults = _entry_extensions(octets[time_end:stop])
    return Entry(serial, tag, date, extensions, (*reader.faults, *faults)), stop


def _entry_extensions(der: bytes) -> tuple[tuple[Extension, ...], tuple[str, ...]]:
    return _kept_extensions(der) if len(der) <= _MOST_KEPT else _read_extensions(der)


def verify_size(octets: int, what: str) -> None:
    """Raise ``DerError`` if these are more octets than are read in one piece."""
    if octets > MAX_PART:
        raise DerError(f"{octets} octets in {what}, more than {MAX_PART}")


def _read_extensions(der: bytes) -> tuple[tuple[Extension, ...], tuple[str, ...]]:
    reader = Reader(der)
    begin, end = reader.whole(SEQUENCE, "an entry's extensions")
    return read_extensions(reader, begin, end), tuple(reader.faults)


_MOST_KEPT = 64
_kept_extensions = lru_cache(maxsize=256)(_read_extensions)


def reason_extensions(reason: int) -> tuple[Extension, ...]:
    """Return the extensions of an entry that has the reasonCode (one octet) and no other."""
    return _kept_extensions(_REASON + bytes((reason,)))[0]
