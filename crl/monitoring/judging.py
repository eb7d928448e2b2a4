"""What is to say of a list as relying parties get it: pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from crl.moments import DRIFT
from crl.monitoring.observation import Observation
from crl.monitoring.seen import Seen
from pki.errors import HpkiError
from pki.findings import Severity
from pki.validity import rfc3339

MEDIA_TYPE = "application/pkix-crl"
_FEW = 10
_DUE = "Run `hpki crl due` and read what it says."
_AGAIN = "Bring the newest list to every target: `hpki crl publish`."
_AUDITOR = "Find out who put it there; keep it and call the auditor."


@dataclass(frozen=True)
class Remark:
    """What is wrong with a list, and the remedy."""

    code: str
    severity: Severity
    text: str
    hint: str


@dataclass(frozen=True)
class Newest:
    """The newest list that a site published of a series."""

    number: int
    published_at: datetime


@dataclass(frozen=True)
class Expected:
    """What a list is judged by.

    ``overlap``: so long before nextUpdate the next one should be there. ``interval`` between
    lists, None where nobody here knows it. ``delay``: what publishing may take. ``ours``: whether
    the site made exactly this list, None without a site. ``ended``: how many of the entries last
    seen may have left because their certificates expired, None where nobody here knows.
    """

    overlap: timedelta
    interval: timedelta | None = None
    delay: timedelta = timedelta(0)
    ours: bool | None = None
    newest: Newest | None = None
    ended: int | None = None


def judge(
    found: Observation, expected: Expected, before: Seen | None, now: datetime
) -> tuple[Remark, ...]:
    """Return what is wrong with a verified list; ``before``: the one last seen in its place."""
    remarks = [*_times(found, expected, now), *_site(found, expected, now)]
    if found.media_type is not None and found.media_type != MEDIA_TYPE:
        told = f"it is served as {found.media_type or 'nothing'}, not as {MEDIA_TYPE}"
        remarks.append(_warning("media_type", told, "Set the type of .crl in the web server."))
    if found.number is None:
        remarks.append(_error("number", "it has no number", _AUDITOR))
    elif before is not None:
        remarks += _succession(found, found.number, expected, before)
    return tuple(remarks)


def refusal(error: HpkiError) -> Remark:
    """Return the error of a list that could not be got, read or verified."""
    return Remark(error.code, Severity.ERROR, error.text, error.hint or _AGAIN)


def _times(found: Observation, expected: Expected, now: datetime) -> Iterator[Remark]:
    if found.this_update > now + DRIFT:
        told = f"its thisUpdate {rfc3339(found.this_update)} is to come"
        yield _error("early", told, "Set the clocks right, of this machine and of the centre.")
    ends = found.next_update
    if ends is None:
        yield _error("no_end", "it has no nextUpdate", _AUDITOR)
    elif ends <= now:
        yield _error("expired", f"it expired {_spell(now - ends)} ago", _DUE)
    elif ends - now < expected.overlap:
        told = f"it expires in {_spell(ends - now)}, less than {_spell(expected.overlap)}"
        yield _warning("ends_soon", told, _DUE)
    age = now - found.this_update
    if expected.interval is not None and age > expected.interval + expected.delay:
        told = f"it is {_spell(age)} old, and one is made every {_spell(expected.interval)}"
        yield _warning("old", told, _DUE)


def _site(found: Observation, expected: Expected, now: datetime) -> Iterator[Remark]:
    newest = expected.newest
    if expected.ours is False:
        yield _error("unknown", "the CA's key signed it, and this site did not make it", _AUDITOR)
    elif newest is not None and found.number is not None and found.number < newest.number:
        late = now - newest.published_at
        told = f"list {newest.number} was published {_spell(late)} ago, and this is still served"
        remark = _warning if late <= expected.delay else _error
        yield remark("behind", told, _AGAIN)


def _succession(
    found: Observation, number: int, expected: Expected, before: Seen
) -> Iterator[Remark]:
    if number < before.number:
        yield _error("backwards", f"list {before.number} was seen here before it", _AGAIN)
        return
    if number == before.number and found.sha256 != before.sha256:
        yield _error("twice", f"another list with the number {number} was seen here", _AUDITOR)
        return
    had = before.entries if number > before.number else before.entries_before
    may_leave = had // _FEW if expected.ended is None else expected.ended
    if had - found.entries > may_leave:
        told = f"it has {found.entries} entries, the list before {had}; {may_leave} may have ended"
        remedy = "Ask for one that left: `hpki crl prove SERIAL`; read its coverage statement."
        yield _warning("fewer", told, remedy)


def _spell(span: timedelta) -> str:
    """Return a span as people say it: ``35 min``, ``26 h``, ``5 days``."""
    minutes = int(span.total_seconds()) // 60
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 72 * 60 else f"{minutes // 1440} days"


def _error(code: str, text: str, hint: str) -> Remark:
    return Remark(f"crl.check.{code}", Severity.ERROR, text, hint)


def _warning(code: str, text: str, hint: str) -> Remark:
    return Remark(f"crl.check.{code}", Severity.WARNING, text, hint)
