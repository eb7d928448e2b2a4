"""Runs the checks: rows of each kind are walked once, and every check judges them on the way.

A check stands in a mapping from the control's id. Those of rows stand in a ``Ledger``: what makes
their judge for a run, which may remember rows. The others stand in ``CHECKS`` of their module.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from pki.errors import HpkiError
from policies.controls import AuditKind, Control, controls
from reports.compliance.coverage import coverage
from reports.compliance.results import ControlResult, Outcome, Result
from reports.compliance.run import Run
from reports.tables import Text

Check = Callable[[Run], Outcome]
Progress = Callable[[str, int, int], None]
"""Called with the ledger's name, the rows judged and all there are."""

Outcomes = Mapping[AuditKind, Mapping[str, Outcome]]

_STEP = 1000
_DAMAGED = (HpkiError, ValueError, LookupError, TypeError, AttributeError)


class Row(Protocol):
    """What a ledger gives: how violations name it, and the reports that it counts in."""

    @property
    def name(self) -> str:
        """As ``certificate sign:00ab…``."""

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """The reports of which it is part."""


R = TypeVar("R", bound=Row)
Judge = Callable[[R], Sequence[Text] | None]
"""Gives the facts that break the control, none for a sound row; None: not of the population."""


@dataclass(frozen=True)
class Ledger(Generic[R]):
    """Rows of one kind, in the order they were entered; ``count`` says how many, for progress.

    ``checks``: control id to what makes its judge; those ``shared`` count in every report. A judge
    that meets a row it cannot read may raise ``HpkiError`` or what Python raises for wrong values:
    the row is blamed for it.
    """

    name: str
    rows: Callable[[Run], Iterable[R]]
    count: Callable[[Run], int]
    checks: Mapping[str, Callable[[Run], Judge[R]]]
    shared: frozenset[str] = frozenset()


def walk(run: Run, ledger: Ledger[R], progress: Progress | None = None) -> Outcomes:
    """Return what the ledger's checks find, for each report."""
    found = {kind: {one: Outcome() for one in ledger.checks} for kind in AuditKind}
    judges = {one: make(run) for one, make in ledger.checks.items()}

    @cache
    def counting(kinds: frozenset[AuditKind]) -> list[tuple[Judge[R], list[Outcome]]]:
        return [
            (judge, [found[kind][one] for kind in (found if one in ledger.shared else kinds)])
            for one, judge in judges.items()
        ]

    total = ledger.count(run) if progress is not None else 0
    for count, row in enumerate(ledger.rows(run), 1):
        for judge, outcomes in counting(row.kinds):
            facts = _facts(judge, row)
            if facts is None:
                continue
            for outcome in outcomes:
                outcome.population += 1
                if facts:
                    outcome.blame(row.name, facts)
        if progress is not None and count % _STEP == 0:
            progress(ledger.name, count, total)
    if progress is not None:
        progress(ledger.name, total, total)
    return found


def _facts(judge: Judge[R], row: R) -> Sequence[Text] | None:
    try:
        return judge(row)
    except _DAMAGED as error:
        why = error.code if isinstance(error, HpkiError) else type(error).__name__
        return (Text(f"記録を読み取れない: {why}", f"cannot be read: {why}"),)


Part = Ledger[Any] | Mapping[str, Check]


@dataclass
class Found:
    """What one part of the audit found; ``broken``: why a check could not end."""

    outcomes: Outcomes
    broken: Mapping[str, Text] = field(default_factory=dict)


def find(run: Run, part: Part, progress: Progress | None = None) -> Found:
    """Walk a ledger, or run every check of a mapping."""
    if isinstance(part, Ledger):
        return Found(walk(run, part, progress))
    outcomes: dict[str, Outcome] = {}
    broken: dict[str, Text] = {}
    for control_id, check in part.items():
        try:
            outcomes[control_id] = check(run)
        except _DAMAGED as error:
            broken[control_id] = Text(f"確認を中断: {error}", f"the check broke off: {error}")
    return Found(dict.fromkeys(AuditKind, outcomes), broken)


def audit(
    run: Run, parts: Iterable[Part], progress: Progress | None = None
) -> Mapping[AuditKind, tuple[ControlResult, ...]]:
    """Return the result of every control, for each report, in the order of the list."""
    return results(run, (find(run, part, progress) for part in parts))


def results(run: Run, found: Iterable[Found]) -> Mapping[AuditKind, tuple[ControlResult, ...]]:
    """Return the results of what the parts of an audit found, in their order."""
    every: dict[AuditKind, dict[str, Outcome]] = {kind: defaultdict(Outcome) for kind in AuditKind}
    broken: dict[str, Text] = {}
    for one in found:
        broken |= one.broken
        for kind, outcomes in one.outcomes.items():
            for control_id, outcome in outcomes.items():
                every[kind][control_id].add(outcome)
    return {
        kind: tuple(
            _result(run, one, every[kind].get(one.id), broken.get(one.id))
            for one in controls().control
            if kind in one.kinds
        )
        for kind in AuditKind
    }


def _result(
    run: Run, control: Control, outcome: Outcome | None, broken: Text | None
) -> ControlResult:
    """Decide by operations 8.3.

    A violation is one whatever the mode: the row says it. Without one, mode H stays 未確認 until
    the auditor confirms with evidence, though the numbers are printed; with no case at all there
    is nothing to confirm.
    """
    limits = coverage(control.id)
    remarks = tuple(one for one in (broken, limits.missing) if one is not None)
    if limits.parts and not run.parts.intersection(limits.parts):
        return ControlResult(control, Result.NOT_APPLICABLE, None, (_ELSEWHERE,))
    if outcome is None or broken is not None:
        return ControlResult(control, Result.UNCHECKED, None, remarks or (_BY_HAND,))
    remarks += tuple(outcome.notes)
    if outcome.count:
        return ControlResult(control, Result.FAILS, outcome, remarks)
    if not outcome.population:
        return ControlResult(control, Result.NO_CASE, outcome, remarks)
    if control.mode == "H":
        return ControlResult(control, Result.UNCHECKED, outcome, (_CONFIRM, *remarks))
    return ControlResult(control, Result.CONFORMS, outcome, remarks)


_ELSEWHERE = Text(
    "この拠点はその業務を行っていない。", "This site is not the part of a centre that does this."
)
_BY_HAND = Text("監査人が証拠とともに記入する。", "The auditor enters it, with evidence.")
_CONFIRM = Text(
    "要確認: 計算では違反なし。監査人が証拠で確認する。",
    "To be confirmed: none found by computing; the auditor confirms it with evidence.",
)
