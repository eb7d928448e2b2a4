"""One pass over the entries of a list: all that the rules on entries need, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pki import oids
from pki.findings import Severity
from pki.reading.crl import Entry, RevocationList
from pki.reading.entries import PlainBlock, plain_block, reason_extensions
from pki.reading.extensions import Extension
from pki.reading.tlv import GENERALIZED_TIME, UTC_TIME, DerError
from pki.reading.values import Time, read_time
from policies.lint.check import Found
from policies.lint.words import MOMENT, hexadecimal, shown

MOST_TOLD = 5
MOST_UNORDERED = 1_000_000
"""Entries of a list not in the order of its serials that are compared with each other."""

SERIAL_BOUND = 1 << 159
"""Positive numbers below it have at most 20 octets."""

_MOST_KINDS = 1024
_REASONS = range(11)
REASON_IS_CRITICAL = "reasonCode"
"""Code of the note that a reasonCode is critical: which rule it breaks depends on the profile."""

_NAMES = {
    oids.REASON_CODE: "reasonCode",
    oids.INVALIDITY_DATE: "invalidityDate",
    oids.CERTIFICATE_ISSUER: "certificateIssuer",
    oids.HOLD_INSTRUCTION: "holdInstructionCode",
}
_CRITICAL = {oid: oid == oids.CERTIFICATE_ISSUER for oid in _NAMES}
"""Criticality of the entry extensions. Source: RFC 5280 section 5.3."""

_CLOCK = re.compile(rb"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z")


@dataclass
class Tally:
    """How often something was found, and what to tell of the first times."""

    count: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, count: int, told: list[str]) -> None:
        """Count some more, with what to tell of the first of them."""
        self.count += count
        self.told += told[: MOST_TOLD - len(self.told)]

    def messages(self) -> Iterator[str]:
        """Yield what to tell: the first times, and how many more there are."""
        yield from self.told
        if self.count > len(self.told):
            yield f"and {self.count - len(self.told)} more entries like these"


@dataclass
class Survey:
    """What stands in the entries.

    ``notes`` are by the code of the rule broken, ``reasons`` by reasonCode (-1 for any that RFC
    5280 does not have). ``unreadable`` says why reading ended early. ``too_many``: nothing can be
    said of serial numbers that stand twice.
    """

    count: int = 0
    has_extensions: bool = False
    too_many: bool = False
    unreadable: str | None = None
    notes: dict[str, Tally] = field(default_factory=dict)
    reasons: dict[int, Tally] = field(default_factory=dict)

    def note(self, code: str, serial: int, message: str) -> None:
        """Note that the entry breaks the rule."""
        tally = self.notes.setdefault(code, Tally())
        tally.count += 1
        if tally.count <= MOST_TOLD:
            tally.told.append(f"entry {hexadecimal(serial)}: {shown(message)}")

    def found(self, code: str, severity: Severity | None = None) -> Found:
        """Yield the messages noted for the rule, with the severity where one is given."""
        tally = self.notes.get(code)
        for message in tally.messages() if tally is not None else ():
            yield message if severity is None else (severity, message)


@dataclass
class _Kind:
    """Entries with the same extensions: what is wrong with these, and how many they are."""

    extensions: tuple[Extension, ...]
    breaches: list[tuple[str, str]]
    reasons: list[int]
    count: int = 0
    first: list[int] = field(default_factory=list)


_SURVEYS: WeakKeyDictionary[RevocationList, Survey] = WeakKeyDictionary()


def survey(crl: RevocationList) -> Survey:
    """Return what stands in the list's entries; the same list is read through once."""
    found = _SURVEYS.get(crl)
    if found is None:
        found = _SURVEYS[crl] = _Surveyor(crl).run()
    return found


def is_delta(crl: RevocationList) -> bool:
    """Say whether the list has a deltaCRLIndicator."""
    return oids.DELTA_CRL_INDICATOR in crl.by_oid


def is_indirect(crl: RevocationList) -> bool:
    """Say whether the list says of itself that it holds entries of other issuers."""
    point = crl.value(oids.ISSUING_DISTRIBUTION_POINT)
    return point is not None and bool(point.indirect)


def _is_generalized(date: Time | None) -> bool:
    """Say whether the date is a sound GeneralizedTime; one that cannot be read passes here."""
    return date is None or (date.tag == GENERALIZED_TIME and date.moment is not None)


class EarlySurvey:
    """Looks at entries before their list is put together; ``head`` is that list without them."""

    def __init__(self, head: RevocationList) -> None:
        self._surveyor = _Surveyor(head)
        self._octets, self._sound = 0, True

    def take(self, joined: bytes) -> None:
        """Look at whole entries, behind those taken before."""
        self._octets += len(joined)
        block = plain_block(joined) if self._sound else None
        self._sound = (
            block is not None
            and len(block.octets) == len(joined)
            and self._surveyor.read_at_once(block)
        )

    def hand_over(self, crl: RevocationList) -> None:
        """Let the list that now holds these entries be judged by what was seen.

        Where they are not all sound it is left to be read through itself.
        """
        begin, end = crl.entries_bounds or (0, 0)
        if self._sound and self._octets == end - begin:
            _SURVEYS[crl] = self._surveyor.folded()


class _Surveyor:
    def __init__(self, crl: RevocationList) -> None:
        self.crl = crl
        self.delta, self.indirect = is_delta(crl), is_indirect(crl)
        self.result = Survey()
        self._kinds: dict[int, _Kind] = {}
        self._sound_days: set[bytes] = set()
        self._previous, self._ordered = 0, True

    def run(self) -> Survey:
        result = self.result
        try:
            for block in self.crl.blocks():
                if not isinstance(block, PlainBlock) or not self.read_at_once(block):
                    self._read(block.entries())
        except DerError as error:
            result.unreadable = str(error)
        self.folded()
        if not self._ordered:
            result.too_many = result.count > MOST_UNORDERED
            if not result.too_many:
                self._look_for_repeated()
        return result

    def folded(self) -> Survey:
        """Return what was found, when the last block was looked at."""
        for kind in self._kinds.values():
            self._fold(kind)
        return self.result

    def read_at_once(self, block: PlainBlock) -> bool:
        """Look at all entries together; say False, with nothing noted, if one is not sound."""
        columns = block.columns()
        reasons = columns.reasons
        if not (columns.rising and self._previous < columns.serial(0)):
            return False
        if not all(self._is_sound(day, block.octets) for day in columns.days - self._sound_days):
            return False
        present = sorted(filter(reasons.__contains__, _REASONS), key=reasons.index)
        known = {reason: reason_extensions(reason) for reason in present}
        if len(self._kinds.keys() | {id(one) for one in known.values()}) > _MOST_KINDS:
            return False
        for reason, extensions in known.items():
            kind = self._kinds.get(id(extensions)) or self._kind(extensions)
            kind.count += reasons.count(reason)
            at = -1
            while len(kind.first) < MOST_TOLD and (at := reasons.find(reason, at + 1)) >= 0:
                kind.first.append(columns.serial(at))
        self.result.count += len(reasons)
        self._previous = columns.serial(len(reasons) - 1)
        return True

    def _is_sound(self, day: bytes, entries: bytes) -> bool:
        """Say whether what was revoked on the day has a date, not later than thisUpdate.

        The day of thisUpdate itself is looked for among the plain entries.
        """
        moment, faults = read_time(UTC_TIME, day + b"000000Z")[2:]
        limit = self.crl.this_update.moment
        if moment is None or faults:
            return False
        if limit is None or moment.date() < limit.date():
            self._sound_days.add(day)
            return True
        clocks = re.findall(rb"\x17\x0d" + day + rb"([0-9]{6})Z", entries)
        return moment.date() == limit.date() and max(clocks) <= f"{limit:%H%M%S}".encode()

    def _read(self, entries: Iterable[Entry]) -> None:
        """Look at every entry, and whether their serial numbers rise."""
        result, kinds, sound_days = self.result, self._kinds, self._sound_days
        plain_clock = _CLOCK.fullmatch
        for entry in entries:
            serial, _, date, extensions, faults = entry
            result.count += 1
            if not self._previous < serial < SERIAL_BOUND:
                self._ordered = self._ordered and serial > self._previous
                self._serial(serial)
            self._previous = serial
            if date[:6] not in sound_days or plain_clock(date, 6) is None:
                self._date(entry)
            if extensions is not None:
                kind = kinds.get(id(extensions)) or self._kind(extensions)
                kind.count += 1
                if kind.count <= MOST_TOLD:
                    kind.first.append(serial)
                if len(kinds) == _MOST_KINDS and id(extensions) not in kinds:
                    self._fold(kind)
            if faults:
                result.note("R301", serial, faults[0])

    def _serial(self, serial: int) -> None:
        if serial < 1:
            self.result.note("R321", serial, "the serial number is not positive")
        elif serial >= SERIAL_BOUND:
            self.result.note("R321", serial, "the serial number has more than 20 octets")

    def _date(self, entry: Entry) -> None:
        """Look at a revocationDate; remember a day that is sound whatever the hour."""
        revoked_at, this_update = entry.revoked_at, self.crl.this_update.moment
        moment = revoked_at.moment
        for fault in revoked_at.faults:
            self.result.note("R323", entry.serial, f"revocationDate: {fault}")
        if moment is None or this_update is None:
            return
        if moment > this_update:
            late = f"revoked at {moment:{MOMENT}}, after thisUpdate"
            self.result.note("R324", entry.serial, late)
        elif not revoked_at.faults and moment.date() < this_update.date():
            self._sound_days.add(entry.date[:6])

    def _kind(self, extensions: tuple[Extension, ...]) -> _Kind:
        self.result.has_extensions = True
        breaches = list(self._breaches(extensions))
        reasons = [
            one.value if one.value in _REASONS else -1
            for one in extensions
            if one.oid == oids.REASON_CODE and one.value is not None
        ]
        kind = _Kind(extensions, breaches, reasons[:1])
        if len(self._kinds) < _MOST_KINDS:
            self._kinds[id(extensions)] = kind
        return kind

    def _fold(self, kind: _Kind) -> None:
        result, entries = self.result, [f"entry {hexadecimal(serial)}" for serial in kind.first]
        for code, message in kind.breaches:
            told = [f"{entry}: {shown(message)}" for entry in entries]
            result.notes.setdefault(code, Tally()).add(kind.count, told)
        for reason in kind.reasons:
            result.reasons.setdefault(reason, Tally()).add(kind.count, entries)

    def _breaches(self, extensions: tuple[Extension, ...]) -> Iterator[tuple[str, str]]:
        """Yield code and message for what is wrong with an entry's extensions."""
        if not extensions:
            yield "R333", "its extensions are an empty SEQUENCE"
        if self.crl.version == 1:
            yield "R302", "it has extensions in a list that is not v2"
        if len({one.oid for one in extensions}) < len(extensions):
            yield "R327", "an extension stands in it twice"
        for one in extensions:
            if one.faults:
                yield "R301", one.faults[0]
            if one.unreadable is not None:
                yield "R325", f"{one.oid}: {one.unreadable}"
            yield from self._extension(one)

    def _extension(self, one: Extension) -> Iterator[tuple[str, str]]:
        wanted = _CRITICAL.get(one.oid)
        if wanted is None and one.critical:
            yield "R326", f"{one.oid} is critical and unknown"
        elif one.oid == oids.REASON_CODE and one.critical:
            yield REASON_IS_CRITICAL, "reasonCode is critical"
        elif wanted is not None and one.critical is not wanted:
            yield "R328", f"{_NAMES[one.oid]} is {'critical' if one.critical else 'not critical'}"
        if one.oid == oids.HOLD_INSTRUCTION:
            yield "R332", "holdInstructionCode stands in it"
        elif one.oid == oids.CERTIFICATE_ISSUER and not self.indirect:
            yield "R330", "certificateIssuer stands in it although the list is not indirect"
        elif one.oid == oids.INVALIDITY_DATE and not _is_generalized(one.value):
            yield "R329", "invalidityDate is no GeneralizedTime YYYYMMDDHHMMSSZ"

    def _look_for_repeated(self) -> None:
        seen: set[object] = set()
        issuer = b""
        with suppress(DerError):
            for entry in self.crl.entries():
                for one in (entry.extensions or ()) if self.indirect else ():
                    if one.oid == oids.CERTIFICATE_ISSUER:
                        issuer = one.octets
                key = (issuer, entry.serial) if issuer else entry.serial
                if key in seen:
                    self.result.note("R322", entry.serial, "the serial number stands twice")
                seen.add(key)
