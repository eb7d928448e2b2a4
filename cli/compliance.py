"""The compliance audit as commands need it: a run on this site, and its report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path

from cli.progress import bars
from cli.reporting import Wish, present, write_made
from cli.wiring import Services, now
from operators.statements import Signer
from policies.controls import AuditKind
from reports.compliance.engagements import (
    Engagements,
    find_engagement,
    findings,
    with_answers,
)
from reports.compliance.processes import audit_all
from reports.compliance.records import Engagement, answers_of, engagements, findings_of
from reports.compliance.report import CONCLUSION, report
from reports.compliance.results import ControlResult, Result
from reports.compliance.run import Run, parts_of
from reports.moment import Moment, moment
from reports.period import Period
from reports.tables import Fact, Report, Text
from store.database import Transaction


def book_of(services: Services) -> Engagements:
    """Return the site's book of engagements."""
    return Engagements(services.trail, services.directory, services.trail.clock)


def run_of(services: Services, tx: Transaction, at: Moment, period: Period) -> Run:
    """Return a run on the site as of the moment."""
    return Run(
        tx,
        at,
        period.first,
        period.last,
        parts_of(tx),
        services.kind,
        services.parameters,
        services.profiles,
        services.directory,
        services.lists.archive,
    )


def audited(run: Run) -> dict[AuditKind, tuple[ControlResult, ...]]:
    """Return the results of every control, with progress."""
    with bars() as shown:
        task = cache(lambda name: shown.start(name, 0))

        def progress(name: str, done: int, total: int) -> None:
            shown.reach(task(name), done, total)

        return dict(audit_all(run, os.cpu_count() or 1, progress))


def newest_of(tx: Transaction, kind: AuditKind, period: Period, at: datetime) -> Engagement | None:
    """Return the newest engagement about the period that was opened before the moment, or None."""
    for one in engagements(tx):
        same = (one.kind, one.period_from, one.period_to) == (kind, period.first, period.last)
        if same and one.opened_at < at:
            return one
    return None


def moment_of(engagement: Engagement | None, at: datetime) -> datetime:
    """Return the moment of a signed engagement, or the given one if it was not signed by then."""
    signed = engagement.as_of if engagement is not None else None
    return signed if signed is not None and signed <= at else at


def compliance_report(
    services: Services,
    run: Run,
    kind: AuditKind,
    computed: Sequence[ControlResult],
    engagement: Engagement | None,
) -> Report:
    """Return the report, with what the engagement adds; one signed by then is verified first."""
    if engagement is None:
        return report(run, kind, computed)
    signed = engagement.as_of == run.moment.at
    if signed:
        book_of(services).verify(run.tx, engagement)
    seq = run.moment.head.seq
    results = with_answers(computed, answers_of(run.tx, engagement.id, seq))
    made = report(run, kind, results, findings(findings_of(run.tx, engagement.id), seq))
    facts = (
        Fact(Text("報告書番号", "Report no."), engagement.id),
        Fact(Text("監査人", "Auditor"), engagement.auditor),
        Fact(Text("監査の開始", "Opened"), engagement.opened_at),
        Fact(Text("署名", "Signature"), engagement.statement_id if signed else UNSIGNED),
    )
    return replace(made, facts=(*facts, *made.facts))


UNSIGNED = Text("未署名（案）", "not signed (draft)")


def conclude(
    services: Services, engagement_id: str, auditor: Signer, as_of: datetime
) -> Engagement:
    """Run the checks as of the moment and have the conclusion signed, by who may sign it."""
    with services.store.begin() as tx:
        book_of(services).verify_may_conclude(tx, engagement_id, auditor)
    with services.store.read() as tx:
        engagement = find_engagement(tx, engagement_id)
        at = moment(tx, as_of, now())
        run = run_of(services, tx, at, Period(engagement.period_from, engagement.period_to))
        computed = audited(run)[engagement.kind]
    with services.store.begin() as tx:
        return book_of(services).conclude(tx, engagement_id, auditor, at, computed)


def write_compliance(
    services: Services, kinds: Sequence[AuditKind], period: Period, wish: Wish
) -> list[tuple[Report, list[Path]]]:
    """Write the report of each kind: of its newest engagement if there is one for the period.

    A signed engagement's is as of its own moment, unless ``wish`` has an earlier one.
    """
    usual = wish.as_of or present(services)
    with services.store.read() as tx:
        found = {kind: newest_of(tx, kind, period, usual) for kind in kinds}
    moments = {kind: moment_of(one, usual) for kind, one in found.items()}
    written = []
    for at in dict.fromkeys(moments.values()):
        with services.store.read() as tx:
            run = run_of(services, tx, moment(tx, at, now()), period)
            computed = audited(run)
            reports = [
                compliance_report(services, run, kind, computed[kind], found[kind])
                for kind in kinds
                if moments[kind] == at
            ]
        written += [(one, write_made(services, one, run.moment, wish)) for one in reports]
    return written


def summary(made: Report) -> dict[str, object]:
    """Return what a report comes to: its conclusion, and controls by result."""
    said = next(one.value for one in made.facts if one.name == CONCLUSION)
    table = made.table("controls")
    found = Counter(row.values[table.place("result")] for row in table.rows)
    counts = {one.name.lower(): found[one.text] for one in Result}
    conclusion = said.en if isinstance(said, Text) else said
    return {"report": made.name, "conclusion": conclusion, **counts}
