"""Results by the rule of operations 8.3, and the conclusion from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, cast

import pytest

from policies.controls import AuditKind, controls
from policies.exchange import Part
from reports.compliance import engine
from reports.compliance.checks import PARTS
from reports.compliance.conclusion import Conclusion, Finding, FindingClass, conclude
from reports.compliance.coverage import coverage
from reports.compliance.engagements import with_answers
from reports.compliance.engine import Check, Judge, Ledger, audit
from reports.compliance.records import Answer
from reports.compliance.results import MOST_NAMED, ControlResult, Outcome, Result
from reports.compliance.run import Run
from reports.tables import Text

FAULT = Text("違反", "broken")
CHECKED = {one for part in PARTS for one in (part.checks if isinstance(part, Ledger) else part)}


@dataclass(frozen=True)
class Row:
    name: str
    kinds: frozenset[AuditKind] = frozenset({AuditKind.SIGN})


@dataclass(frozen=True)
class Site:
    """All that deciding a result asks of a run."""

    parts: frozenset[Part] = frozenset({Part.CA})


def result(control_id: str, *, sound: int = 0, broken: int = 0, part: Part = Part.CA) -> Result:
    """The result of a control whose check judges so many rows."""

    def rows(_: Run) -> Iterator[Row]:
        yield from (Row("sound") for _ in range(sound))
        yield from (Row("broken") for _ in range(broken))

    ledger = Ledger(
        "rows",
        rows,
        lambda _: sound + broken,
        {control_id: lambda _: lambda one: (FAULT,) * (one.name == "broken")},
    )
    run = cast(Run, Site(frozenset({part})))
    found = audit(run, [ledger])[AuditKind.SIGN]
    return next(one.result for one in found if one.control.id == control_id)


def test_a_result_needs_cases() -> None:
    """No case is never conformity, and mode H waits for the auditor unless a row breaks it."""
    automatic, confirmed = "HC-1.2-01", "HC-6.1-01"
    assert result(automatic) is Result.NO_CASE
    assert result(automatic, sound=2) is Result.CONFORMS
    assert result(automatic, sound=2, broken=1) is Result.FAILS
    assert result(automatic, sound=2, part=Part.RA) is Result.NOT_APPLICABLE
    assert result(automatic, broken=1, part=Part.RA) is Result.FAILS
    assert result(confirmed) is Result.NO_CASE
    assert result(confirmed, sound=2) is Result.UNCHECKED
    assert result(confirmed, broken=1) is Result.FAILS
    assert result("HC-5.1-02") is Result.NO_CASE


def test_sound_rows_that_are_alike_are_judged_once_and_all_counted() -> None:
    """What stands for others is a sound row; each broken one is named."""
    asked: list[str] = []

    def judge(one: Row) -> Sequence[Text] | None:
        asked.append(one.name)
        return None if one.name == "other" else (FAULT,) * (one.name == "broken")

    ledger = Ledger(
        "rows",
        lambda _: (Row(name) for name in ("sound", "broken", "other") * 3),
        lambda _: 9,
        {"HC-1.2-01": lambda _: judge},
        likeness=lambda one: one.name,
    )
    shown: list[int] = []
    found = engine.walk(_parts(Part.CA), ledger, None, shown.append).outcomes[AuditKind.SIGN]
    outcome = found["HC-1.2-01"]
    assert (outcome.population, outcome.count, sum(shown)) == (6, 3, 9)
    assert sorted(asked) == ["broken", "broken", "broken", "other", "sound"]


def _parts(*parts: Part) -> Run:
    return cast(Run, Site(frozenset(parts)))


def _found(run: Run, parts: Sequence[object], control: str) -> ControlResult:
    every = audit(run, cast(Sequence[engine.Part], parts))[AuditKind.SIGN]
    return next(one for one in every if one.control.id == control)


def _ledger(control_id: str, *names: str, end: Exception | None = None) -> Ledger[Row]:
    """Rows of which those named broken break the control, and perhaps one that is not there."""

    def rows(_: Run) -> Iterator[Row]:
        yield from map(Row, names)
        if end is not None:
            raise end

    checks = {control_id: lambda _: lambda one: (FAULT,) * one.name.startswith("broken")}
    return Ledger("rows", rows, lambda _: len(names), checks)


def test_a_row_that_cannot_be_fetched_ends_in_no_conformity() -> None:
    """Nor does it hide what was found before it, or end the audit; its value is not shown."""
    for error in (ValueError("YAMADA"), KeyError("YAMADA"), OverflowError(), RecursionError()):
        control, run = "HC-1.2-01", _parts(Part.CA)
        sound = _found(run, [_ledger(control, "sound", end=error)], control)
        assert (sound.result, sound.outcome) == (Result.UNCHECKED, None)
        assert "after sound" in sound.remarks[0].en
        assert "YAMADA" not in repr(sound.remarks)
        broken = _found(run, [_ledger(control, "broken", "sound", end=error)], control)
        assert broken.result is Result.FAILS
        assert "broke off" in broken.remarks[0].en


def test_a_judge_that_cannot_be_made_leaves_the_others() -> None:
    def unmade(_: Run) -> Judge[Row]:
        raise LookupError("YAMADA")

    ledger, run = _ledger("HC-1.2-01", "broken"), _parts(Part.CA)
    ledger = replace(ledger, checks={**ledger.checks, "HC-1.4-01": unmade})
    assert _found(run, [ledger], "HC-1.2-01").result is Result.FAILS
    assert _found(run, [ledger], "HC-1.4-01").result is Result.UNCHECKED


def _says(*rows: str, end: Exception | None = None) -> Check:
    def check(_: Run) -> Outcome:
        outcome = Outcome(notes=[Text("注", rows[0])])
        for row in rows:
            outcome.judge(row, [FAULT])
        if end is not None:
            raise end
        return outcome

    return check


def test_two_parts_of_one_control_are_added_in_their_order() -> None:
    control, run = "HC-1.2-01", _parts(Part.CA)
    ledger, more = _ledger(control, "sound", "broken 1"), {control: _says("broken 2")}
    for parts, named in (
        ([ledger, more], ["broken 1", "broken 2"]),
        ([more, ledger], ["broken 2", "broken 1"]),
    ):
        outcome = _found(run, parts, control).outcome
        assert outcome is not None
        assert (outcome.population, outcome.count) == (3, 2)
        assert [one.row for one in outcome.violations] == named
        assert [one.en for one in outcome.notes] == ["broken 2"]


def test_a_part_that_breaks_off_hides_nothing_of_the_other() -> None:
    """And the sound other part is no conformity."""
    control, run = "HC-1.2-01", _parts(Part.CA)
    off = {control: _says("lost", end=ValueError("YAMADA"))}
    for parts in ([_ledger(control, "broken"), off], [off, _ledger(control, "broken")]):
        found = _found(run, parts, control)
        assert found.result is Result.FAILS
        assert found.outcome is not None
        assert [one.row for one in found.outcome.violations] == ["broken"]
        assert "YAMADA" not in repr(found)
    assert _found(run, [_ledger(control, "sound"), off], control).result is Result.UNCHECKED


@pytest.mark.parametrize(
    ("end", "said", "wanted"),
    [
        (None, Result.FAILS, Result.FAILS),
        (ValueError(), Result.CONFORMS, Result.UNCHECKED),
        (ValueError(), Result.NOT_APPLICABLE, Result.UNCHECKED),
        (ValueError(), Result.FAILS, Result.FAILS),
    ],
)
def test_no_word_makes_a_broken_check_conform(
    end: Exception | None, said: Result, wanted: Result
) -> None:
    """Neither of an automatic control nor of one that waits for the auditor."""
    for control in ("HC-1.2-01", "HC-6.1-01"):
        found = _found(_parts(Part.CA), [_ledger(control, "sound", end=end)], control)
        entered: dict[str, Any] = {"note": "seen", "auditor": "a", "seq": 1}
        answer = Answer(engagement_id="E", control_id=control, result=said, **entered)
        (after,) = with_answers([found], [answer])
        assert after.result is wanted
        assert after.remarks[-1].en == "Auditor: seen"


def test_a_control_without_check_says_what_is_missing() -> None:
    for one in audit(cast(Run, Site()), [])[AuditKind.AUTH]:
        assert one.result in (Result.UNCHECKED, Result.NOT_APPLICABLE)
        assert one.remarks, one.control.id
        if one.control.id not in CHECKED and one.result is Result.UNCHECKED:
            assert coverage(one.control.id).missing in one.remarks, one.control.id
        if one.result is Result.UNCHECKED and one.control.evidence_ja:
            assert one.control.evidence_ja in one.remarks[-1].ja


def test_only_the_first_violations_are_named() -> None:
    outcome = Outcome()
    for number in range(MOST_NAMED + 5):
        outcome.judge(f"row {number}", (FAULT,))
    assert (outcome.population, outcome.count) == (MOST_NAMED + 5, MOST_NAMED + 5)
    assert len(outcome.violations) == MOST_NAMED


def _results(*found: Result) -> list[ControlResult]:
    known = controls().control
    return [ControlResult(known[place], one, None) for place, one in enumerate(found)]


def _finding(grade: FindingClass, due: date | None = None, closed: date | None = None) -> Finding:
    return Finding("F1", controls().control[0].id, grade, FAULT, due, closed)


MINOR, MAJOR, OBS = FindingClass.MINOR, FindingClass.MAJOR, FindingClass.OBS
DAY = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("found", "findings", "wanted"),
    [
        ([Result.CONFORMS, Result.NO_CASE, Result.NOT_APPLICABLE], [], Conclusion.CONFORMS),
        ([Result.CONFORMS, Result.UNCHECKED], [], Conclusion.FAILS),
        ([Result.FAILS], [], Conclusion.FAILS),
        ([Result.FAILS], [_finding(OBS)], Conclusion.FAILS),
        ([Result.FAILS], [_finding(MAJOR, DAY)], Conclusion.FAILS),
        ([Result.FAILS], [_finding(MAJOR, DAY, DAY)], Conclusion.CONFORMS),
        ([Result.FAILS], [_finding(MINOR)], Conclusion.CONDITIONAL),
        ([Result.FAILS], [_finding(MINOR, DAY)], Conclusion.CONFORMS),
    ],
)
def test_the_conclusion(found: list[Result], findings: list[Finding], wanted: Conclusion) -> None:
    assert conclude(_results(*found), findings) is wanted
