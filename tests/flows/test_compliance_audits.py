"""What an audit says of those before it: how often, how whole, and what came of findings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from policies.controls import AuditKind
from policies.parameters import Parameters
from reports.compliance.audits import LEDGERS
from reports.compliance.conclusion import FindingClass
from reports.compliance.engagements import Engagements
from reports.compliance.engine import walk
from reports.compliance.results import Outcome
from tests.flows.auditing import run_of
from tests.flows.conftest import Centre
from tests.flows.test_engagements import answer_everything, book, concluded, opened
from tests.flows.test_trail import change

__all__ = ["book"]
OFTEN, WHOLE, FOLLOWED = "HC-8.1-01", "HC-8.4-01", "HC-8.5-01"
DUE = date(2026, 12, 31)


def found(centre: Centre, kind: AuditKind = AuditKind.SIGN) -> dict[str, Outcome]:
    with centre.store.read() as tx:
        walked = [walk(run_of(centre, tx), one) for one in LEDGERS]
    assert not any(one.broken for one in walked)
    return {control: found for one in walked for control, found in one.outcomes[kind].items()}


def said(centre: Centre, control: str, kind: AuditKind = AuditKind.SIGN) -> list[str]:
    return [f"{one.row} {one.fact.en}" for one in found(centre, kind)[control].violations]


@pytest.fixture
def audited(empty_centre: Centre, book: Engagements) -> Centre:
    """One audit of every control, with a finding and an observation, signed."""
    audit, kansa = opened(empty_centre, book), empty_centre.signers["kansa"]
    answer_everything(empty_centre, book, audit)
    with empty_centre.store.begin() as tx:
        plan = (FindingClass.MINOR, "不足", "補う", DUE)
        book.raise_finding(tx, audit, kansa, "HC-4.2-01", *plan)
        book.raise_finding(tx, audit, kansa, "HC-4.2-01", FindingClass.OBS, "観察")
    concluded(empty_centre, book, audit)
    empty_centre.pass_time(seconds=1)
    return empty_centre


def test_a_sound_audit_breaks_nothing_and_counts_for_its_policy_alone(audited: Centre) -> None:
    sign, auth = found(audited), found(audited, AuditKind.AUTH)
    assert {one: (it.population, it.count) for one, it in sign.items()} == {
        OFTEN: (1, 0),
        WHOLE: (1, 0),
        FOLLOWED: (2, 0),
    }
    assert {one: (it.population, it.count) for one, it in auth.items()} == {
        OFTEN: (1, 0),
        WHOLE: (0, 0),
        FOLLOWED: (0, 0),
    }


def test_an_audit_must_come_in_time(empty_centre: Centre, book: Engagements) -> None:
    """The one of the other policy is none."""
    empty_centre.parameters = Parameters({"AUDIT_DAYS": 1})
    empty_centre.pass_time(hours=20)
    concluded(empty_centre, book, opened(empty_centre, book))
    empty_centre.pass_time(hours=10)
    assert said(empty_centre, OFTEN) == []
    assert len(said(empty_centre, OFTEN, AuditKind.AUTH)) == 1
    empty_centre.pass_time(hours=15)
    (late,) = said(empty_centre, OFTEN)
    assert late.startswith("audits SIGN no audit for 1 days from 2026-11-2")


def test_an_audit_with_a_control_unanswered_is_named(
    empty_centre: Centre, book: Engagements
) -> None:
    audit = opened(empty_centre, book)
    concluded(empty_centre, book, audit)
    empty_centre.pass_time(seconds=1)
    every = said(empty_centre, WHOLE)
    assert f"audit {audit} HC-8.6-01 has no result" in every
    assert f"audit {audit} HC-4.2-01 has no result" not in every


Fault = Callable[[Centre], None]


def sql(*statements: str) -> Fault:
    return lambda centre: change(centre, "PRAGMA foreign_keys = OFF", *statements)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("fault", "control", "fact"),
    [
        (
            sql("UPDATE engagement SET record = replace(record, 'CONFORMS', 'NO_CASE')"),
            WHOLE,
            "is not the record that was signed",
        ),
        (
            sql("UPDATE engagement SET statement_id = 'x'"),
            WHOLE,
            "does not verify",
        ),
        (sql("DELETE FROM finding"), FOLLOWED, "is not the finding that was entered"),
        (sql("UPDATE finding SET due_on = '2030-01-01'"), FOLLOWED, "is not the finding"),
        (
            sql("UPDATE finding SET closed_on = '2026-11-21', closed_seq = 3"),
            FOLLOWED,
            "nobody entered that it was closed",
        ),
        (lambda centre: centre.pass_time(days=60), FOLLOWED, f"was not closed by {DUE}"),
    ],
)
def test_what_was_audited_cannot_be_rewritten(
    audited: Centre, fault: Fault, control: str, fact: str
) -> None:
    fault(audited)
    assert any(fact in one for one in said(audited, control)), said(audited, control)


@pytest.mark.parametrize(
    ("days", "late"), [(60, [f"finding SIGN-2026-01-F01 was not closed by {DUE}"]), (1, [])]
)
def test_a_finding_closed_after_its_day_is_named_for_ever(
    audited: Centre, book: Engagements, days: int, late: list[str]
) -> None:
    audited.pass_time(days=days)
    with audited.store.begin() as tx:
        book.close_finding(tx, "SIGN-2026-01-F01", audited.signers["kansa"])
    audited.pass_time(days=90)
    assert said(audited, FOLLOWED) == late


def test_a_finding_without_a_plan_is_named(empty_centre: Centre, book: Engagements) -> None:
    audit, kansa = opened(empty_centre, book), empty_centre.signers["kansa"]
    with empty_centre.store.begin() as tx:
        book.raise_finding(tx, audit, kansa, "HC-4.2-01", FindingClass.MAJOR, "不足")
    empty_centre.pass_time(seconds=1)
    assert said(empty_centre, FOLLOWED) == [f"finding {audit}-F01 has no action with a date"]
