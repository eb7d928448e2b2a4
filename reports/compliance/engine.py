"""Runs the checks: rows of each kind are walked once, and every check judges them on the way.

A check stands in a mapping from the control's id. Those of rows stand in a ``Ledger``: what makes
their judge for a run. The others stand in ``CHECKS`` of their module.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
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

Advance = Callable[[int], None]
"""Called with the rows judged since the last call."""

Outcomes = Mapping[AuditKind, Mapping[str, Outcome]]

_STEP = 1000
_MOST_FORMS = 10_000
_DAMAGED = (
    *(HpkiError, ValueError, LookupError, TypeError, AttributeError),
    *(OverflowError, RecursionError),
)


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


Rows = Callable[[Run], Iterable[R]]


@dataclass(frozen=True)
class Ledger(Generic[R]):
    """Rows of one kind, in the order of their keys; ``count`` says how many, for progress.

    ``checks``: control id to what makes its judge; those ``shared`` count in every report. A judge
    that meets a row it cannot read may raise ``HpkiError`` or what Python raises for wrong values:
    the row is blamed for it. ``cut`` gives the spans that are all the rows together, for judges
    that remember no rows (``spans``); a ledger without it is walked at once. Rows for which
    ``likeness`` gives the same value, unless that is None, are judged alike: of sound ones the
    first is judged, the others are counted.
    """

    name: str
    rows: Rows[R]
    count: Callable[[Run], int]
    checks: Mapping[str, Callable[[Run], Judge[R]]]
    shared: frozenset[str] = frozenset()
    cut: Callable[[Run], Sequence[Rows[R]]] | None = None
    likeness: Callable[[R], Hashable] = lambda _: None


def spans(rows: Callable[..., Iterable[R]], key: Any, size: int) -> Callable[[Run], list[Rows[R]]]:
    """Return a ledger's ``cut`` into spans of so many of a table's rows, by its key.

    ``rows`` takes the bounds ``after`` and ``upto``, None for an open end.
    """

    def cut(run: Run) -> list[Rows[R]]:
        return [partial(rows, after=after, upto=upto) for after, upto in run.cut(key, size)]

    return cut


Part = Ledger[Any] | Mapping[str, Check]


@dataclass
class Found:
    """What one part of the audit found; ``broken``: why a check could not end."""

    outcomes: Outcomes
    broken: Mapping[str, Text] = field(default_factory=dict)


def walk(
    run: Run, ledger: Ledger[R], rows: Rows[R] | None = None, advance: Advance | None = None
) -> Found:
    """Return what the ledger's checks find in all rows, or those of a span.

    It ends before a row that cannot even be fetched.
    """
    found = {kind: {one: Outcome() for one in ledger.checks} for kind in AuditKind}
    judges, broken = _judges(run, ledger)

    @cache
    def counting(kinds: frozenset[AuditKind]) -> list[tuple[Judge[R], list[Outcome]]]:
        return [
            (judge, [found[kind][one] for kind in (found if one in ledger.shared else kinds)])
            for one, judge in judges.items()
        ]

    count, last, sound = 0, None, dict[Hashable, list[Outcome]]()
    likeness, alike = ledger.likeness, Counter[Hashable]()
    try:
        for count, row in enumerate((rows or ledger.rows)(run), 1):
            last, form = row, likeness(row)
            if form is not None and form in sound:
                alike[form] += 1
            else:
                counted, is_sound = _judge(row, counting(row.kinds))
                if form is not None and is_sound and len(sound) < _MOST_FORMS:
                    sound[form] = counted
            if advance is not None and count % _STEP == 0:
                advance(_STEP)
    except _DAMAGED as error:
        broken = dict.fromkeys(ledger.checks, _broken(error, last.name if last else ""))
    for form, times in alike.items():
        for outcome in sound[form]:
            outcome.population += times
    if advance is not None:
        advance(count % _STEP)
    return Found(found, broken)


def _judges(run: Run, ledger: Ledger[R]) -> tuple[dict[str, Judge[R]], dict[str, Text]]:
    """Make the judges of a ledger, and say of which there is none, and why."""
    judges: dict[str, Judge[R]] = {}
    broken: dict[str, Text] = {}
    for one, make in ledger.checks.items():
        try:
            judges[one] = make(run)
        except _DAMAGED as error:
            broken[one] = _broken(error)
    return judges, broken


def _judge(row: R, judges: Sequence[tuple[Judge[R], list[Outcome]]]) -> tuple[list[Outcome], bool]:
    """Return the outcomes of whose population the row is, and whether it breaks none of them."""
    counted: list[Outcome] = []
    is_sound = True
    for judge, outcomes in judges:
        facts = _facts(judge, row)
        if facts is None:
            continue
        counted += outcomes
        for outcome in outcomes:
            outcome.population += 1
        if facts:
            is_sound = False
            for outcome in outcomes:
                outcome.blame(row.name, facts)
    return counted, is_sound


def _facts(judge: Judge[R], row: R) -> Sequence[Text] | None:
    try:
        return judge(row)
    except _DAMAGED as error:
        why = _why(error)
        return (Text(f"記録を読み取れない: {why}", f"cannot be read: {why}"),)


def _why(error: Exception) -> str:
    """Return what went wrong without the value, which may be personal."""
    return error.code if isinstance(error, HpkiError) else type(error).__name__


def _broken(error: Exception, last: str = "") -> Text:
    why = _why(error)
    if not last:
        return Text(f"確認を中断: {why}", f"the check broke off: {why}")
    return Text(f"{last} の後で確認を中断: {why}", f"the check broke off after {last}: {why}")


Piece = tuple[int, Rows[Any] | None]
"""A part by its place, and the span of it; None: the whole."""


def pieces(run: Run, parts: Sequence[Part]) -> list[Piece]:
    """Return what an audit of the parts is made of, in the order of its results."""
    found: list[Piece] = []
    for place, part in enumerate(parts):
        cut = part.cut(run) if isinstance(part, Ledger) and part.cut is not None else (None,)
        found += [(place, rows) for rows in cut]
    return found


def find(
    run: Run, part: Part, rows: Rows[Any] | None = None, advance: Advance | None = None
) -> Found:
    """Walk a ledger, or a span of it, or run every check of a mapping."""
    if isinstance(part, Ledger):
        return walk(run, part, rows, advance)
    outcomes: dict[str, Outcome] = {}
    broken: dict[str, Text] = {}
    for control_id, check in part.items():
        try:
            outcomes[control_id] = check(run)
        except _DAMAGED as error:
            broken[control_id] = _broken(error)
    return Found(dict.fromkeys(AuditKind, outcomes), broken)


def audit(
    run: Run, parts: Sequence[Part], progress: Progress | None = None
) -> Mapping[AuditKind, tuple[ControlResult, ...]]:
    """Return the result of every control, for each report, in the order of the list."""
    shown = Shown(run, parts, progress)
    found = [
        find(run, parts[place], rows, shown.advance(parts[place]))
        for place, rows in pieces(run, parts)
    ]
    shown.end()
    return results(run, found)


class Shown:
    """Adds up what was judged of each ledger, where there is a progress to tell."""

    def __init__(self, run: Run, parts: Sequence[Part], progress: Progress | None) -> None:
        self._progress = progress
        ledgers = [part for part in parts if isinstance(part, Ledger)] if progress else []
        self._totals = {one.name: one.count(run) for one in ledgers}
        self._done = Counter[str]()

    def advance(self, part: Part) -> Advance | None:
        """Return what shows more rows of the part."""
        return partial(self.add, part.name) if isinstance(part, Ledger) else None

    def add(self, name: str, rows: int) -> None:
        """Show more rows of the ledger."""
        if self._progress is not None:
            self._done[name] += rows
            self._progress(name, self._done[name], self._totals[name])

    def end(self) -> None:
        """Show that all is judged, also of what lies after the moment."""
        if self._progress is not None:
            for name, total in self._totals.items():
                self._progress(name, total, total)


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

    A violation is one whatever the mode and the site's parts: the row says it. Without one, mode H
    stays 未確認 until the auditor confirms with evidence, though the numbers are printed; with no
    case at all there is nothing to confirm.
    """
    limits = coverage(control.id)
    remarks = tuple(one for one in (broken, limits.missing) if one is not None)
    if outcome is not None and outcome.count:
        return ControlResult(control, Result.FAILS, outcome, (*remarks, *outcome.notes))
    if limits.parts and not run.parts.intersection(limits.parts):
        return ControlResult(control, Result.NOT_APPLICABLE, None, (_ELSEWHERE,))
    if outcome is None or broken is not None:
        is_broken = broken is not None
        said = (*(remarks or (_BY_HAND,)), *_asked(control))
        return ControlResult(control, Result.UNCHECKED, None, said, is_broken)
    remarks += tuple(outcome.notes)
    if not outcome.population:
        return ControlResult(control, Result.NO_CASE, outcome, remarks)
    if control.mode == "H":
        return ControlResult(
            control, Result.UNCHECKED, outcome, (_CONFIRM, *_asked(control), *remarks)
        )
    return ControlResult(control, Result.CONFORMS, outcome, remarks)


def _asked(control: Control) -> tuple[Text, ...]:
    """Return what the auditor asks to see."""
    if not control.evidence_ja:
        return ()
    return (Text(f"証拠: {control.evidence_ja}。", f"Evidence: {control.evidence_en}."),)


_ELSEWHERE = Text(
    "この拠点はその業務を行っていない。", "This site is not the part of a centre that does this."
)
_BY_HAND = Text("監査人が証拠とともに記入する。", "The auditor enters it, with evidence.")
_CONFIRM = Text(
    "要確認: 計算では違反なし。監査人が証拠で確認する。",
    "To be confirmed: none found by computing; the auditor confirms it with evidence.",
)
