"""A revocation list as it is encoded. Source: RFC 5280 section 5.1.

Entries are read one at a time from the octets, so a list of a million needs no more memory than
its file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from pki import oids
from pki.errors import InvalidInput
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

MAX_OCTETS = 256 * 1024 * 1024
_MAX_PART = 64 * 1024
"""Octets of the issuer's name, of the list's extensions, and of one entry's extensions."""


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


@dataclass(frozen=True, eq=False)
class RevocationList:
    """All parts but the entries, with what is not DER in ``faults``; ``version`` is 1 or more.

    ``entries_bounds`` are the bounds of revokedCertificates' content, None where it is absent. Two
    lists are equal if they are the same object: octets may be many.
    """

    der: bytes
    tbs_der: bytes
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

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the DER in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def number(self) -> int | None:
        """The cRLNumber, None where there is none that can be read."""
        return self.value(oids.CRL_NUMBER)  # type: ignore[no-any-return]

    def value(self, oid: str) -> Any:
        """Return the readable value of the first extension of the type, or None."""
        found = self.by_oid.get(oid)
        return None if found is None else found.value

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in the order encoded; raises ``DerError`` at an unreadable one.

        The plain form (short lengths, UTCTime) is read without a call, for lists are long.
        """
        if self.entries_bounds is None:
            return
        der, (at, end) = self.der, self.entries_bounds
        extensions: tuple[Extension, ...] | None
        faults: tuple[str, ...]
        while at < end:
            stop, middle = at + 2 + der[at + 1], at + 4 + der[at + 3]
            after = middle + _UTC_ELEMENT
            if (
                at + 4 < middle < after <= stop <= end
                and stop < at + 2 + 0x80
                and der[at] == SEQUENCE
                and der[at + 2] == INTEGER
                and der[middle] == UTC_TIME
                and der[middle + 1] == _UTC_ELEMENT - 2
                and (der[at + 4] or der[at + 5] >= 0x80)
                and der[at + 4] != 0xFF
            ):
                extensions, faults = None, ()
                if after < stop:
                    extensions, faults = _entry_extensions(der[after:stop])
                serial = int.from_bytes(der[at + 4 : middle], "big", signed=True)
                yield Entry(serial, UTC_TIME, der[middle + 2 : after], extensions, faults)
            else:
                entry, stop = _other_entry(der, at, end)
                yield entry
            at = stop


_UTC_ELEMENT = 15
"""Octets of a UTCTime with seconds."""


def _other_entry(der: bytes, at: int, end: int) -> tuple[Entry, int]:
    reader = Reader(der)
    start, stop = reader.expect(SEQUENCE, at, end, f"the entry at octet {at}")
    serial_begin, serial_end = reader.expect(INTEGER, start, stop, "an entry's serial")
    serial = reader.integer(serial_begin, serial_end)
    tag, time_begin, time_end = reader.element(serial_end, stop)
    date = der[time_begin:time_end]
    read_time(tag, date)
    extensions: tuple[Extension, ...] | None = None
    faults: tuple[str, ...] = ()
    if time_end < stop:
        extensions, faults = _entry_extensions(der[time_end:stop])
    return Entry(serial, tag, date, extensions, (*reader.faults, *faults)), stop


def _entry_extensions(der: bytes) -> tuple[tuple[Extension, ...], tuple[str, ...]]:
    return _kept_extensions(der) if len(der) <= _MOST_KEPT else _read_extensions(der)


def _verify_size(octets: int, what: str) -> None:
    if octets > _MAX_PART:
        raise DerError(f"{octets} octets in {what}, more than {_MAX_PART}")


def _read_extensions(der: bytes) -> tuple[tuple[Extension, ...], tuple[str, ...]]:
    _verify_size(len(der), "an entry's extensions")
    reader = Reader(der)
    begin, end = reader.whole(SEQUENCE, "an entry's extensions")
    return read_extensions(reader, begin, end), tuple(reader.faults)


_MOST_KEPT = 64
_kept_extensions = lru_cache(maxsize=256)(_read_extensions)


def read_list(der: bytes) -> RevocationList:
    """Return the list that the octets are.

    Raises ``InvalidInput`` (pki.crl.unreadable) where its structure cannot be followed; entries
    are not looked at.
    """
    if len(der) > MAX_OCTETS:
        raise InvalidInput("pki.crl.size", f"a list has at most {MAX_OCTETS} octets")
    try:
        return _read(der)
    except DerError as error:
        raise InvalidInput("pki.crl.unreadable", f"this is no revocation list: {error}") from None


def _read(der: bytes) -> RevocationList:
    reader = Reader(der)
    begin, end = reader.whole(SEQUENCE, "the list")
    at, tbs_end = reader.expect(SEQUENCE, begin, end, "tbsCertList")
    _, algorithm_end = reader.expect(SEQUENCE, tbs_end, end, "signatureAlgorithm")
    signature_begin, signature_end = reader.expect(BIT_STRING, algorithm_end, end, "the signature")
    if signature_end != end:
        raise DerError("a list has more than three parts")
    version = 1
    if der[at : at + 1] == b"\x02":
        number_begin, at = reader.expect(INTEGER, at, tbs_end, "the version")
        version = reader.integer(number_begin, at) + 1
        if version == 1:
            reader.fault("version v1 is encoded although only v2 may be")
    inside = at
    _, at = reader.expect(SEQUENCE, at, tbs_end, "signature")
    signature_inside = der[inside:at]
    issuer_at = at
    _, at = reader.expect(SEQUENCE, at, tbs_end, "the issuer")
    _verify_size(at - issuer_at, "the issuer")
    issuer = read_name(der[issuer_at:at])
    tag, time_begin, at = reader.element(at, tbs_end)
    this_update = read_time(tag, der[time_begin:at])
    next_update, bounds = None, None
    extensions: tuple[Extension, ...] = ()
    stage = 0
    for _, tag, start, stop in reader.children(at, tbs_end):
        number = {UTC_TIME: 1, GENERALIZED_TIME: 1, SEQUENCE: 2, 0xA0: 3}.get(tag, 0)
        if number <= stage:
            raise DerError(f"tbsCertList holds the tag {tag:02x} where it cannot stand")
        stage = number
        if number == 1:
            next_update = read_time(tag, der[start:stop])
        elif number == 2:
            bounds = (start, stop)
        else:
            list_begin, list_end = reader.expect(SEQUENCE, start, stop, "the extensions")
            if list_end != stop:
                raise DerError("the extensions are more than one SEQUENCE")
            _verify_size(stop - start, "the extensions")
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
        der,
        der[begin:tbs_end],
        version,
        signature_inside,
        issuer,
        this_update,
        next_update,
        bounds,
        extensions,
        der[tbs_end:algorithm_end],
        signature,
        (*reader.faults, *issuer.faults),
        by_oid,
    )
