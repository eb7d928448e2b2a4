"""Earlier audits as the trail tells of them: how often, how whole, and what came of findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
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


@dataclass(frozen=True)
class AuditRow:
    """One audit, one finding (``opened``: its entry's detail), or neither: all of a kind.

    ``signed_at`` are the moments at which audits were signed: of the one, or of all.
    """

    name: str
    kind: AuditKind
    signed_at: Sequence[datetime] = ()
    signed: Mapping[str, Any] | None = None
    in_period: bool = False
    engagement: Engagement | None = None
    opened: Mapping[str, Any] | None = None
    finding: FindingRow | None = None
    closed_on: date | None = None

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """The one report that it is about."""
        return frozenset({self.kind})


@dataclass
class _Told:
    """What the trail tells of one audit; details of entries, and when each was made."""

    kind: AuditKind
    signed: tuple[int, datetime, Mapping[str, Any]] | None = None
    opened: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    closed: dict[str, tuple[int, date]] = field(default_factory=dict)


def rows(run: Run) -> Iterator[AuditRow]:
    """Yield each kind, each audit signed up to the moment, and each finding not closed before."""
    every = _told(run)
    signed: defaultdict[AuditKind, list[datetime]] = defaultdict(list)
    for name, one in every.items():
        if one.signed is not None:
            seq, at, detail = one.signed
            signed[one.kind].append(at)
            engagement = run.tx.get(Engagement, name)
            yield AuditRow(
                f"audit {name}", one.kind, (at,), detail, seq in run.positions, engagement
            )
        for finding, detail in one.opened.items():
            seq, day = one.closed.get(finding, (0, None))
            if day is None or seq >= run.positions.start:
                row = run.tx.get(FindingRow, finding)
                yield AuditRow(
                    f"finding {finding}", one.kind, opened=detail, finding=row, closed_on=day
                )
    for kind in (AuditKind.SIGN, AuditKind.AUTH):
        yield AuditRow(f"audits {kind}", kind, signed[kind])


def count(run: Run) -> int:
    """Return how many rows there are."""
    return sum(1 for _ in rows(run))


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


def _often(run: Run) -> Judge[AuditRow]:
    """HC-8.1-01: the times without an audit that touch the period, from the site's first day."""
    limit = timedelta(days=int(run.number("AUDIT_DAYS")))
    start = run.tx.execute(sa.select(sa.func.min(col(TrailEntry.at)))).scalar() or run.moment.at

    def judge(one: AuditRow) -> Sequence[Text] | None:
        if one.opened is not None or one.signed is not None:
            return None
        return [
            Text(
                f"{japan_date(since)} から {(until - since).days} 日間監査がない",
                f"no audit for {(until - since).days} days from {japan_date(since)}",
            )
            for since, until in pairwise([start, *one.signed_at, run.moment.at])
            if until - since > limit and since < run.until and until >= run.since
        ]

    return judge


def _whole(run: Run) -> Judge[AuditRow]:
    """HC-8.4-01: of audits signed in the period: as it was signed, every control has a result."""
    book = Engagements(run.directory.trail, run.directory, lambda: run.moment.at)

    def judge(one: AuditRow) -> Sequence[Text] | None:
        if one.signed is None or not one.in_period:
            return None
        if one.engagement is None:
            return (Text("監査の行がない", "its row is gone"),)
        record = one.engagement.record or ""
        if digest(record.encode()) != one.signed["record"]:
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


def _followed(run: Run) -> Judge[AuditRow]:
    """HC-8.5-01: a plan in time, closed in time; an observation wants none."""

    def judge(one: AuditRow) -> Sequence[Text] | None:
        if one.opened is None:
            return None
        if one.finding is None or not _is_entered(one.finding, one.opened):
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


LEDGER: Ledger[AuditRow] = Ledger(
    "audits", rows, count, {"HC-8.1-01": _often, "HC-8.4-01": _whole, "HC-8.5-01": _followed}
)
