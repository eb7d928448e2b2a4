"""Earlier audits as the trail tells of them: how often, how whole, and what came of findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlmodel import col

from audit.canonical import digest
from audit.records import TrailEntry
from pki.errors import HpkiError
from pki.validity import japan_date
from policies.controls import AuditKind, controls
from reports.compliance.conclusion import FindingClass
from reports.compliance.engagements import Engagements
from reports.compliance.engine import Judge, Ledger
from reports.compliance.records import Engagement, FindingRow
from reports.compliance.results import Result
from reports.compliance.run import Run
from reports.tables import Text

_CODES = ("AUDIT.START", "AUDIT.RESULT", "FINDING.OPEN", "FINDING.CLOSE")


@dataclass
class _Told:
    """What the trail tells of one audit; details of entries, and when each was made."""

    kind: AuditKind
    signed: tuple[int, datetime, Mapping[str, Any]] | None = None
    opened: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    closed: dict[str, tuple[int, date]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    """Of one report, and named in it."""

    name: str
    kind: AuditKind

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """The one report that it is about."""
        return frozenset({self.kind})


@dataclass(frozen=True)
class Series(_Row):
    """When audits of a kind were signed."""

    signed_at: Sequence[datetime]


@dataclass(frozen=True)
class Signed(_Row):
    """An audit signed in the period: what its entry says, and its row, None where it is gone."""

    detail: Mapping[str, Any]
    engagement: Engagement | None


@dataclass(frozen=True)
class Raised(_Row):
    """A finding not closed before the period: its entry's detail, and its row, None for none."""

    detail: Mapping[str, Any]
    finding: FindingRow | None
    closed_on: date | None


def series(run: Run) -> Iterator[Series]:
    """Yield each kind that is audited."""
    every = _told(run).values()
    for kind in (AuditKind.SIGN, AuditKind.AUTH):
        signed = sorted(one.signed[1] for one in every if one.signed and one.kind is kind)
        yield Series(f"audits {kind}", kind, signed)


def signed(run: Run) -> Iterator[Signed]:
    """Yield each audit signed in the period."""
    for name, one in _told(run).items():
        if one.signed is not None and one.signed[0] in run.positions:
            engagement = run.tx.get(Engagement, name)
            yield Signed(f"audit {name}", one.kind, one.signed[2], engagement)


def raised(run: Run) -> Iterator[Raised]:
    """Yield each finding that was not closed before the period."""
    for one in _told(run).values():
        for name, detail in one.opened.items():
            seq, day = one.closed.get(name, (0, None))
            if day is None or seq >= run.positions.start:
                row = run.tx.get(FindingRow, name)
                yield Raised(f"finding {name}", one.kind, detail, row, day)


def _told(run: Run) -> Mapping[str, _Told]:
    query = sa.select(TrailEntry).where(
        col(TrailEntry.code).in_(_CODES),
        col(TrailEntry.outcome) == "OK",
        col(TrailEntry.seq) <= run.moment.head.seq,
    )
    found: dict[str, _Told] = {}
    for entry in run.tx.execute(query.order_by(col(TrailEntry.seq))).scalars():
        detail = (entry.content() or {}).get("detail", {})
        if entry.code == "AUDIT.START" and detail.get("kind") in set(AuditKind):
            found[entry.object_id] = _Told(AuditKind(detail["kind"]))
        one = found.get(entry.object_id)
        if one is None:
            continue
        if "record" in detail:
            one.signed = entry.seq, entry.at, detail
        elif entry.code == "FINDING.OPEN":
            one.opened[str(detail["id"])] = detail
        elif entry.code == "FINDING.CLOSE":
            one.closed[str(detail["id"])] = entry.seq, japan_date(entry.at)
    return found


def _often(run: Run) -> Judge[Series]:
    """HC-8.1-01: the times without an audit that touch the period, from the site's first day."""
    limit = timedelta(days=int(run.number("AUDIT_DAYS")))

    def judge(one: Series) -> Sequence[Text]:
        return [
            Text(
                f"{japan_date(since)} から {(until - since).days} 日間監査がない",
                f"no audit for {(until - since).days} days from {japan_date(since)}",
            )
            for since, until in run.gaps(one.signed_at)
            if until - since > limit
        ]

    return judge


def _whole(run: Run) -> Judge[Signed]:
    """HC-8.4-01: of audits signed in the period: as it was signed, every control has a result."""
    book = Engagements(run.directory.trail, run.directory, lambda: run.moment.at)

    def judge(one: Signed) -> Sequence[Text]:
        if one.engagement is None:
            return (Text("監査の行がない", "its row is gone"),)
        record = one.engagement.record or ""
        if digest(record.encode()) != one.detail["record"]:
            return (Text("署名された記録と異なる", "is not the record that was signed"),)
        try:
            book.verify(run.tx, one.engagement)
        except HpkiError as error:
            return (Text(f"検証できない: {error.code}", f"does not verify: {error.code}"),)
        said = from_json(record)["controls"]
        wanted = [control.id for control in controls().control if one.kind in control.kinds]
        none = [
            name
            for name in wanted
            if said.get(name, {}).get("result") in (None, Result.UNCHECKED.value)
        ]
        return [Text(f"{name} に結果がない", f"{name} has no result") for name in none]

    return judge


def _followed(run: Run) -> Judge[Raised]:
    """HC-8.5-01: a plan in time, closed in time; an observation wants none."""

    def judge(one: Raised) -> Sequence[Text]:
        if one.finding is None or not _is_entered(one.finding, one.detail):
            return (Text("記録された指摘と異なる", "is not the finding that was entered"),)
        if one.finding.grade is FindingClass.OBS:
            return ()
        due, facts = one.finding.due_on, []
        if not one.finding.action.strip() or due is None:
            facts.append(Text("是正処置と期日がない", "has no action with a date"))
        elif (one.closed_on or run.moment.day) > due:
            facts.append(Text(f"期日 {due} までに終結していない", f"was not closed by {due}"))
        if (one.finding.closed_on is None) is not (one.closed_on is None) and (
            one.finding.closed_seq is None or one.finding.closed_seq <= run.moment.head.seq
        ):
            facts.append(Text("終結の記録がない", "nobody entered that it was closed"))
        return facts

    return judge


def _is_entered(finding: FindingRow, detail: Mapping[str, Any]) -> bool:
    return detail == {
        "id": finding.id,
        "control": finding.control_id,
        "class": str(finding.grade),
        "fact": digest(finding.fact.encode()),
        "action": digest(finding.action.encode()),
        "due": finding.due_on.isoformat() if finding.due_on else "",
    }


def _count(rows: Callable[[Run], Iterable[_Row]]) -> Callable[[Run], int]:
    return lambda run: sum(1 for _ in rows(run))


LEDGERS: tuple[Ledger[Any], ...] = (
    Ledger("audits", series, _count(series), {"HC-8.1-01": _often}),
    Ledger("signed audits", signed, _count(signed), {"HC-8.4-01": _whole}),
    Ledger("findings", raised, _count(raised), {"HC-8.5-01": _followed}),
)
