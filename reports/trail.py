"""The report on the trail: what was entered, by whom, what was refused, and what is overdue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from audit.records import TrailEntry
from pki.errors import InvalidInput
from pki.validity import start_of_day
from policies.events import known_codes
from policies.parameters import Parameters, parameter
from reports.csvfile import Cell, csv_bytes
from reports.imprint import Imprint, jst
from reports.jsonfile import JsonValue, json_bytes
from reports.render import environment
from store.database import Transaction

PARAMETERS = ("ANCHOR_DAYS", "LOG_REVIEW_DAYS")
_ACTS = {
    "SUBSTITUTE": ("代行", "substitution"),
    "SUSPEND": ("停止", "suspension"),
    "RESUME": ("停止の解除", "end of a suspension"),
    "LEAVE": ("退任", "departure"),
    "LOSS": ("鍵の紛失", "loss of keys"),
    "POLICY": ("規則の変更", "change of policy"),
    "ANCHOR_KEY": ("アンカー鍵の変更", "change of the anchor key"),
}
_ACT_CODES = (
    "ROLE.GRANT",
    "ACCOUNT.DISABLE",
    "ACCOUNT.ENABLE",
    "CREDENTIAL.LOSS",
    "CONFIG.CHANGE",
)
_MOST_LISTED = 1000


@dataclass(frozen=True)
class CodeCount:
    """Entries of one code and outcome, with the catalogue's words."""

    code: str
    outcome: str
    count: int
    japanese: str
    english: str


@dataclass(frozen=True)
class PersonCount:
    """Entries in which a person acted first, or second."""

    person: str
    first: int
    second: int


@dataclass(frozen=True)
class Listed:
    """One entry shown; ``japanese`` and ``english`` say what it is."""

    seq: int
    at: datetime
    code: str
    outcome: str
    actor: str
    about: str
    japanese: str
    english: str


@dataclass(frozen=True)
class Gap:
    """A time without an anchor or review, longer than allowed; ``until`` None: it goes on."""

    since: datetime
    until: datetime | None
    days: str


@dataclass(frozen=True)
class Limit:
    """A parameter with the value in force and its label."""

    key: str
    value: str
    unit: str
    firm: str


@dataclass(frozen=True)
class TrailReport:
    """Days are Japan's, both included; ``verdict`` is empty where the trail verifies."""

    since: date
    until: date
    first_seq: int
    last_seq: int
    entries: int
    counts: tuple[CodeCount, ...]
    people: tuple[PersonCount, ...]
    refusals: tuple[Listed, ...]
    refused: int
    acts: tuple[Listed, ...]
    anchors: int
    anchor_gaps: tuple[Gap, ...]
    reviews: tuple[Listed, ...]
    review_gaps: tuple[Gap, ...]
    limits: tuple[Limit, ...]
    verdict: str


CSV_COLUMNS = (
    "site_kind",
    "centre",
    "made_at",
    "since",
    "until",
    "row",
    "seq",
    "time",
    "code",
    "outcome",
    "person",
    "about",
    "count",
    "value",
    "japanese",
    "english",
)


def trail_html(report: TrailReport, imprint: Imprint) -> bytes:
    """Render the report as one HTML file, UTF-8."""
    page = environment().get_template("trail.html.j2")
    return page.render(report=report, imprint=imprint).encode()


def trail_json(report: TrailReport, imprint: Imprint) -> bytes:
    """Write the report as JSON; moments are RFC 3339 in Japan's time."""
    tree = asdict(report)
    tree |= {
        "site_kind": imprint.site_kind,
        "centre": imprint.centre,
        "made_at": imprint.made_at,
        "whole": not report.verdict,
    }
    return json_bytes(_json(tree))


def trail_csv(report: TrailReport, imprint: Imprint) -> bytes:
    """Write the report as CSV; ``row`` says what each row is, and every one names the period."""
    head: tuple[Cell, ...] = (
        imprint.site_kind,
        imprint.centre,
        _moment(imprint.made_at),
        report.since.isoformat(),
        report.until.isoformat(),
    )
    return csv_bytes(CSV_COLUMNS, [(*head, *row) for row in _csv_rows(report)])


def _csv_rows(report: TrailReport) -> Iterator[tuple[Cell, ...]]:
    """Yield the cells from the column ``row`` on."""
    none: tuple[Cell, ...] = (None, None)
    verdict = report.verdict or "whole"
    yield ("verdict", report.last_seq, None, *none, *none, report.entries, verdict, *none)
    for count in report.counts:
        words = (count.japanese, count.english)
        yield ("code", *none, count.code, count.outcome, *none, count.count, None, *words)
    for one in report.people:
        total = one.first + one.second
        yield ("person", *none, *none, one.person, None, total, None, *none)
    for name, listed in (
        ("refusal", report.refusals),
        ("act", report.acts),
        ("review", report.reviews),
    ):
        for row in listed:
            cells = (row.seq, _moment(row.at), row.code, row.outcome, row.actor, row.about)
            yield (name, *cells, None, None, row.japanese, row.english)
    for name, gaps in (("anchor_gap", report.anchor_gaps), ("review_gap", report.review_gaps)):
        for gap in gaps:
            yield (name, None, _moment(gap.since), *none, *none, None, gap.days, *none)
    for limit in report.limits:
        value = f"{limit.value} {limit.unit}"
        yield ("limit", *none, limit.key, limit.firm, *none, None, value, *none)


def _json(value: Any) -> JsonValue:
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    plain: str | int | bool | None = value
    return plain


def _moment(moment: datetime) -> str:
    return jst(moment).isoformat(timespec="seconds")


@dataclass(frozen=True)
class _Period:
    start: datetime
    end: datetime

    def conditions(self) -> tuple[Any, ...]:
        return (col(TrailEntry.at) >= self.start, col(TrailEntry.at) < self.end)


def trail_report(
    tx: Transaction,
    days: tuple[date, date],
    now: datetime,
    parameters: Parameters,
    verdict: str,
) -> TrailReport:
    """Return the report of the days from first to last; raises ``InvalidInput`` for none such."""
    since, until = days
    if since > until:
        raise InvalidInput("reports.trail.period", f"{since} is later than {until}")
    period = _Period(start_of_day(since), start_of_day(until + timedelta(days=1)))
    counts = entries_by_code(tx, period.start, period.end)
    first_seq, last_seq = first_and_last(tx, period.start, period.end)
    refusals = list(_listed(tx, period, col(TrailEntry.outcome) != "OK"))
    reviews = tuple(_listed(tx, period, TrailEntry.code == "LOG.REVIEW"))
    anchors = _anchor_times(tx)
    return TrailReport(
        since=since,
        until=until,
        first_seq=first_seq,
        last_seq=last_seq,
        entries=sum(one.count for one in counts),
        counts=counts,
        people=tuple(_people(tx, period)),
        refusals=tuple(refusals),
        refused=sum(one.count for one in counts if one.outcome != "OK"),
        acts=tuple(_acts(tx, period)),
        anchors=sum(period.start <= one < period.end for one in anchors),
        anchor_gaps=_gaps(tx, anchors, period, now, parameters, "ANCHOR_DAYS"),
        reviews=reviews,
        review_gaps=_gaps(tx, review_times(tx), period, now, parameters, "LOG_REVIEW_DAYS"),
        limits=tuple(_limit(key, parameters) for key in PARAMETERS),
        verdict=verdict,
    )


def entries_by_code(tx: Transaction, start: datetime, end: datetime) -> tuple[CodeCount, ...]:
    """Return the entries of a time counted by code and outcome, in the catalogue's order."""
    query = (
        select(TrailEntry.code, TrailEntry.outcome, sa.func.count())
        .where(*_Period(start, end).conditions())
        .group_by(col(TrailEntry.code), col(TrailEntry.outcome))
    )
    order = list(known_codes())
    found = [CodeCount(code, outcome, n, *_words(code)) for code, outcome, n in tx.exec(query)]
    place = {code: number for number, code in enumerate(order)}
    return tuple(
        sorted(found, key=lambda one: (place.get(one.code, len(place)), one.code, one.outcome))
    )


def first_and_last(tx: Transaction, start: datetime, end: datetime) -> tuple[int, int]:
    """Return the first and last position of a time, zeros where it has no entries."""
    seq = col(TrailEntry.seq)
    query = select(sa.func.min(seq), sa.func.max(seq)).where(*_Period(start, end).conditions())
    first, last = tx.exec(query).one()
    return first or 0, last or 0


def review_times(tx: Transaction) -> list[datetime]:
    """Return when the trail was reviewed, in order."""
    query = select(TrailEntry.at).where(TrailEntry.code == "LOG.REVIEW")
    return list(tx.exec(query.order_by(col(TrailEntry.seq))))


def review_overdue(tx: Transaction, now: datetime, parameters: Parameters) -> Gap | None:
    """Return the time since the last review, or since the first entry, if it is too long."""
    start = tx.exec(select(sa.func.min(TrailEntry.at))).one() or now
    times = review_times(tx) or [start]
    gaps = _between([times[-1], now], now, parameters, "LOG_REVIEW_DAYS")
    return gaps[0] if gaps else None


def _gaps(
    tx: Transaction,
    times: Sequence[datetime],
    period: _Period,
    now: datetime,
    parameters: Parameters,
    key: str,
) -> tuple[Gap, ...]:
    """Return the gaps that touch the period, between times, the site's first entry, and now."""
    start = tx.exec(select(sa.func.min(TrailEntry.at))).one()
    if start is None:
        return ()
    found = _between([start, *times, now], now, parameters, key)
    return tuple(
        gap for gap in found if gap.since < period.end and (gap.until or now) > period.start
    )


def _between(
    times: Sequence[datetime], now: datetime, parameters: Parameters, key: str
) -> tuple[Gap, ...]:
    limit = timedelta(days=float(parameters.value(key)))
    return tuple(
        Gap(since, None if until == now else until, f"{(until - since) / timedelta(days=1):.1f}")
        for since, until in pairwise(times)
        if until - since > limit
    )


def _anchor_times(tx: Transaction) -> list[datetime]:
    """Return when anchors were made, as the entries say that tell of them."""
    query = select(TrailEntry.at).where(TrailEntry.code == "LOG.ANCHOR")
    return list(tx.exec(query.order_by(col(TrailEntry.seq))))


def _people(tx: Transaction, period: _Period) -> Iterator[PersonCount]:
    found: dict[str, list[int]] = {}
    for place, column in enumerate((col(TrailEntry.actor), col(TrailEntry.co_actor))):
        query = select(column, sa.func.count()).where(*period.conditions()).group_by(column)
        for person, count in tx.exec(query):
            if person:
                found.setdefault(person, [0, 0])[place] = count
    for person, (first, second) in sorted(found.items()):
        yield PersonCount(person, first, second)


def _listed(tx: Transaction, period: _Period, wanted: Any) -> Iterator[Listed]:
    query = select(TrailEntry).where(*period.conditions(), wanted)
    for row in tx.exec(query.order_by(col(TrailEntry.seq)).limit(_MOST_LISTED)):
        yield _shown(row, *_words(row.code))


def _acts(tx: Transaction, period: _Period) -> Iterator[Listed]:
    query = select(TrailEntry).where(*period.conditions(), col(TrailEntry.code).in_(_ACT_CODES))
    for row in tx.exec(query.order_by(col(TrailEntry.seq)).limit(_MOST_LISTED)):
        words = _ACTS.get(str(json.loads(row.body)["detail"].get("act")))
        if words is not None:
            yield _shown(row, *words)


def _shown(row: TrailEntry, japanese: str, english: str) -> Listed:
    actor = f"{row.actor}, {row.co_actor}" if row.co_actor else row.actor
    about = f"{row.object_type} {row.object_id}"
    return Listed(row.seq, row.at, row.code, row.outcome, actor, about, japanese, english)


def _words(code: str) -> tuple[str, str]:
    found = known_codes().get(code)
    return (found.japanese, found.english) if found else ("", "")


def _limit(key: str, parameters: Parameters) -> Limit:
    shipped = parameter(key)
    return Limit(key, str(parameters.value(key)), shipped.unit, shipped.firm)
