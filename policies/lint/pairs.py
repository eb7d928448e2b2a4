"""Checks of two lists of one issuer and one point that follow each other: H097, H098 and R5xx."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakKeyDictionary, ref

from pki.findings import Severity
from pki.reading.crl import Entry, RevocationList
from pki.reading.tlv import DerError
from policies.lint.check import Check, Found, JudgedPair
from policies.lint.survey import MOST_UNORDERED, Tally, is_delta, is_indirect
from policies.lint.words import MOMENT, hexadecimal, number

_HOLD = 6


class _Unordered(Exception):  # noqa: N818 - no error: the lists are then compared another way
    """The serial numbers of a list do not rise."""


@dataclass
class Changes:
    """What became of the older list's entries; ``too_many``: they could not be compared."""

    early: Tally = field(default_factory=Tally)
    at_expiry: Tally = field(default_factory=Tally)
    between: Tally = field(default_factory=Tally)
    unknown: Tally = field(default_factory=Tally)
    dates: Tally = field(default_factory=Tally)
    reasons: Tally = field(default_factory=Tally)
    too_many: bool = False


_Kept = tuple["ref[RevocationList]", Mapping[int, datetime], Changes]
_CHANGES: WeakKeyDictionary[RevocationList, _Kept] = WeakKeyDictionary()


def changes(pair: JudgedPair) -> Changes:
    """Return what became of the older list's entries; the same pair is compared once."""
    kept = _CHANGES.get(pair.newer)
    if kept is not None and kept[0]() is pair.older and kept[1] is pair.expiry:
        return kept[2]
    found = _compared(pair)
    _CHANGES[pair.newer] = (ref(pair.older), pair.expiry, found)
    return found


def _compared(pair: JudgedPair) -> Changes:
    """Return the changes, none where the entries cannot be compared or the order is not known."""
    before, after = pair.older.this_update.moment, pair.newer.this_update.moment
    if before is None or after is None or after < before:
        return Changes()
    if any(is_delta(one) or is_indirect(one) for one in (pair.older, pair.newer)):
        return Changes()
    try:
        try:
            return _noted(pair, _merged(pair.older, pair.newer))
        except _Unordered:
            return _noted(pair, _looked_up(pair.older, pair.newer))
    except DerError:
        return Changes()


def _merged(older: RevocationList, newer: RevocationList) -> Iterator[tuple[Entry, Entry | None]]:
    """Yield each older entry with the newer one, in no memory; both lists must rise."""
    following = _rising(newer)
    current = next(following, None)
    for entry in _rising(older):
        while current is not None and current.serial < entry.serial:
            current = next(following, None)
        same = current is not None and current.serial == entry.serial
        yield entry, current if same else None
    for _ in following:
        pass


def _rising(crl: RevocationList) -> Iterator[Entry]:
    previous: int | None = None
    for entry in crl.entries():
        if previous is not None and entry.serial <= previous:
            raise _Unordered
        previous = entry.serial
        yield entry


def _looked_up(
    older: RevocationList, newer: RevocationList
) -> Iterator[tuple[Entry, Entry | None]] | None:
    """Return each older entry with the newer one, None where there are too many to remember."""
    known: dict[int, Entry] = {}
    for entry in newer.entries():
        known[entry.serial] = entry
        if len(known) > MOST_UNORDERED:
            return None
    return ((entry, known.get(entry.serial)) for entry in older.entries())


def _noted(pair: JudgedPair, entries: Iterator[tuple[Entry, Entry | None]] | None) -> Changes:
    found = Changes(too_many=entries is None)
    for old, new in entries or ():
        if new is None:
            _note_vanished(pair, old, found)
        elif new[1:] != old[1:]:
            _note_changed(old, new, found)
    return found


def _note_vanished(pair: JudgedPair, entry: Entry, found: Changes) -> None:
    """Sort an entry that left: it may go once it stood on a list issued after the expiry.

    An entry on hold may be released. Source: RFC 5280 sections 3.3 and 5.3.1.
    """
    before, after = pair.older.this_update.moment, pair.newer.this_update.moment
    end = pair.expiry.get(entry.serial)
    if entry.reason == _HOLD or before is None or after is None:
        return
    told = f"entry {hexadecimal(entry.serial)}"
    if end is None:
        found.unknown.add(1, [told])
        return
    told += f", whose certificate ends at {end:{MOMENT}}"
    promised = pair.older.next_update.moment if pair.older.next_update is not None else None
    if after <= end:
        found.early.add(1, [told])
    elif before <= end:
        adjacent = promised is None or after <= promised
        (found.at_expiry if adjacent else found.between).add(1, [told])


def _note_changed(old: Entry, new: Entry, found: Changes) -> None:
    serial = hexadecimal(old.serial)
    before, after = old.revoked_at.moment, new.revoked_at.moment
    if before is not None and after is not None and before != after:
        message = f"entry {serial}: revoked at {before:{MOMENT}}, later {after:{MOMENT}}"
        found.dates.add(1, [message])
    reasons = old.reason or 0, new.reason or 0
    if reasons[0] != reasons[1] and reasons[0] != _HOLD:
        message = f"entry {serial}: reasonCode {number(reasons[0])}, later {number(reasons[1])}"
        found.reasons.add(1, [message])


def _succession(pair: JudgedPair) -> Found:
    first, second = pair.older.number, pair.newer.number
    if first is None or second is None:
        return
    if second <= first:
        yield f"two different lists have the number {number(second)}"
    before, after = pair.older.this_update.moment, pair.newer.this_update.moment
    if before is not None and after is not None and after <= before:
        yield (
            f"thisUpdate of list {number(second)} ({after:{MOMENT}}) is not after that of "
            f"list {number(first)} ({before:{MOMENT}})"
        )


def _vanished(pair: JudgedPair) -> Found:
    found = changes(pair)
    for message in found.early.messages():
        yield f"{message}: left before it"
    for message in found.at_expiry.messages():
        yield Severity.WARNING, f"{message}: was on no list after it"
    for tally, why in (
        (found.between, "around the end of their certificates; the lists between are not here"),
        (found.unknown, "whose certificates are not here"),
    ):
        if tally.count:
            yield Severity.INFO, f"{tally.count} entries left, {why}: {_first(tally)}"
    if found.too_many:
        yield Severity.INFO, f"not compared: more than {MOST_UNORDERED} entries without order"


def _first(tally: Tally) -> str:
    more = ", …" if tally.count > len(tally.told) else ""
    return ", ".join(one.partition(",")[0] for one in tally.told) + more


def _dates(pair: JudgedPair) -> Found:
    yield from changes(pair).dates.messages()


def _reasons(pair: JudgedPair) -> Found:
    yield from changes(pair).reasons.messages()


CHECKS: tuple[Check[JudgedPair], ...] = (
    Check(
        "H097",
        Severity.ERROR,
        "CRL pair",
        "From one list to the next of the same scope, cRLNumber and thisUpdate rise.",
        "RFC 5280 5.2.3, profile 5.4",
        "READ",
        _succession,
    ),
    Check(
        "H098",
        Severity.ERROR,
        "CRL pair",
        "No entry leaves before its certificate expired; it should stand on one more list after "
        "that. Where the expiry is not known, a note tells of entries that left.",
        "RFC 5280 3.3, profile 5.5",
        "READ",
        _vanished,
    ),
    Check(
        "R501",
        Severity.WARNING,
        "CRL pair",
        "An entry keeps its revocationDate from list to list.",
        "RFC 5280 5.1.2.6, 5.3.2",
        "INFERRED",
        _dates,
    ),
    Check(
        "R502",
        Severity.WARNING,
        "CRL pair",
        "An entry keeps its reasonCode from list to list, unless it was on hold.",
        "RFC 5280 5.3.1",
        "INFERRED",
        _reasons,
    ),
)
