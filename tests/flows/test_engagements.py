"""Audits: opened, answered and signed by who holds AUDITOR and nothing else."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from pki.errors import Conflict, InvalidInput, NotFound, Refused
from policies.controls import AuditKind, controls
from policies.roles import Role
from reports.compliance.conclusion import Conclusion, FindingClass
from reports.compliance.engagements import (
    Engagements,
    find_engagement,
    findings,
    with_answers,
)
from reports.compliance.records import answers_of, findings_of
from reports.compliance.results import ControlResult, Outcome, Result
from reports.moment import Moment, moment
from tests.flows.conftest import Centre
from tests.flows.issuing import refused

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 20)
CONTROL, BY_HAND = "HC-4.2-01", "HC-8.6-01"


@pytest.fixture
def book(empty_centre: Centre) -> Engagements:
    empty_centre.appoint("kansa", Role.AUDITOR)
    empty_centre.appoint("kansa-2", Role.AUDITOR)
    return Engagements(empty_centre.trail, empty_centre.directory, empty_centre.trail.clock)


def opened(centre: Centre, book: Engagements, kind: AuditKind = AuditKind.SIGN) -> str:
    with centre.store.begin() as tx:
        return book.open(tx, centre.signers["kansa"], kind, FIRST, LAST).id


def computed(failing: str = "") -> list[ControlResult]:
    """Every control as a run without records gives it, but for two that are computed."""
    found = []
    for one in controls().control:
        if AuditKind.SIGN not in one.kinds:
            continue
        result = Result.CONFORMS if one.mode == "A" else Result.UNCHECKED
        if one.id == failing:
            result = Result.FAILS
        found.append(ControlResult(one, result, Outcome(population=3)))
    return found


def now(centre: Centre) -> Moment:
    centre.pass_time(seconds=1)
    with centre.store.read() as tx:
        return moment(tx, centre.now, centre.now)


def answer_everything(centre: Centre, book: Engagements, engagement_id: str) -> None:
    with centre.store.begin() as tx:
        for one in computed():
            if one.result is Result.UNCHECKED:
                book.answer(
                    tx,
                    engagement_id,
                    centre.signers["kansa"],
                    one.control.id,
                    Result.CONFORMS,
                    "確認した",
                    ("記録.pdf", b"%PDF"),
                )


def concluded(centre: Centre, book: Engagements, engagement_id: str, failing: str = "") -> object:
    at = now(centre)
    with centre.store.begin() as tx:
        signer = centre.signers["kansa"]
        return book.conclude(tx, engagement_id, signer, at, computed(failing)).conclusion


def test_nothing_confirmed_is_no_conformity(empty_centre: Centre, book: Engagements) -> None:
    assert concluded(empty_centre, book, opened(empty_centre, book)) is Conclusion.FAILS


def test_everything_confirmed_conforms_and_the_signature_holds_it(
    empty_centre: Centre, book: Engagements
) -> None:
    engagement_id = opened(empty_centre, book)
    answer_everything(empty_centre, book, engagement_id)
    assert concluded(empty_centre, book, engagement_id) is Conclusion.CONFORMS
    with empty_centre.store.read() as tx:
        engagement = find_engagement(tx, engagement_id)
        book.verify(tx, engagement)
        said = json.loads(engagement.record or "")
        assert said["controls"][BY_HAND]["evidence_name"] == "記録.pdf"
        assert said["controls"][CONTROL] == {
            "result": "CONFORMS",
            "population": 3,
            "violations": 0,
            "rows": said["controls"][CONTROL]["rows"],
        }
        engagement.record = (engagement.record or "").replace("確認した", "確認しない", 1)
        refused(Refused, "operators.statement.differs", lambda: book.verify(tx, engagement))
    empty_centre.trail.verify()


def test_findings_decide_with_their_plans(empty_centre: Centre, book: Engagements) -> None:
    outcomes = []
    kansa = empty_centre.signers["kansa"]
    for grade, due in (
        (FindingClass.MAJOR, None),
        (FindingClass.MINOR, None),
        (FindingClass.MINOR, date(2027, 1, 31)),
        (FindingClass.OBS, None),
    ):
        engagement_id = opened(empty_centre, book)
        answer_everything(empty_centre, book, engagement_id)
        with empty_centre.store.begin() as tx:
            book.raise_finding(tx, engagement_id, kansa, CONTROL, grade, "兼務", "分ける", due)
        outcomes.append(concluded(empty_centre, book, engagement_id, failing=CONTROL))
    assert outcomes == [
        Conclusion.FAILS,
        Conclusion.CONDITIONAL,
        Conclusion.CONFORMS,
        Conclusion.FAILS,  # what fails has no finding but an observation
    ]
    with empty_centre.store.begin() as tx:
        (finding,) = findings_of(tx, "SIGN-2026-02")
        closed = book.close_finding(tx, finding.id, kansa)
        assert (closed.verified_by, closed.closed_on) == ("kansa", date(2026, 11, 21))
        seq = closed.closed_seq or 0
        then, before = (findings([closed], at)[0].closed for at in (seq, seq - 1))
        assert (then, before) == (date(2026, 11, 21), None)
        assert findings([closed], closed.raised_seq - 1) == []
    with empty_centre.store.begin() as tx:
        again = finding.id
        refused(Conflict, "audit.finding.closed", lambda: book.close_finding(tx, again, kansa))


def test_an_answer_never_hides_a_violation(empty_centre: Centre, book: Engagements) -> None:
    engagement_id, kansa = opened(empty_centre, book), empty_centre.signers["kansa"]
    with empty_centre.store.begin() as tx:
        book.answer(tx, engagement_id, kansa, CONTROL, Result.CONFORMS, "問題なし")
        first = book.answer(tx, engagement_id, kansa, BY_HAND, Result.NO_CASE, "提出なし")
        book.answer(tx, engagement_id, kansa, BY_HAND, Result.CONFORMS, "提出済み")
        last = book.answer(tx, engagement_id, kansa, "HC-3.1-01", Result.FAILS, "同名")
        found = with_answers(computed(failing=CONTROL), answers_of(tx, engagement_id, last.seq))
        then = {one.control_id: one.note for one in answers_of(tx, engagement_id, first.seq)}
    assert then == {CONTROL: "問題なし", BY_HAND: "提出なし"}
    by_id = {one.control.id: one for one in found}
    assert by_id[CONTROL].result is Result.FAILS
    assert by_id[BY_HAND].result is Result.CONFORMS
    assert by_id[BY_HAND].remarks[-1].ja == "監査人: 提出済み"
    assert by_id["HC-3.1-01"].result is Result.FAILS


def test_what_is_entered_while_the_checks_run_is_not_signed_unseen(
    empty_centre: Centre, book: Engagements
) -> None:
    engagement_id, at = opened(empty_centre, book), now(empty_centre)
    answer_everything(empty_centre, book, engagement_id)
    with empty_centre.store.begin() as tx:
        signer = empty_centre.signers["kansa"]
        refused(
            Conflict,
            "audit.engagement.later",
            lambda: book.conclude(tx, engagement_id, signer, at, computed()),
        )
    assert concluded(empty_centre, book, engagement_id) is Conclusion.CONFORMS


def test_who_may_do_what(empty_centre: Centre, book: Engagements) -> None:
    centre, signers = empty_centre, empty_centre.signers
    engagement_id, at = opened(centre, book), now(centre)
    with centre.store.begin() as tx:
        refused(
            Refused,
            "operators.role.missing",
            lambda: book.open(tx, signers["kanri"], AuditKind.AUTH, FIRST, LAST),
        )
        refused(
            Conflict,
            "audit.engagement.open",
            lambda: book.open(tx, signers["kansa-2"], AuditKind.SIGN, FIRST, LAST),
        )
        refused(
            InvalidInput,
            "audit.period",
            lambda: book.open(tx, signers["kansa"], AuditKind.AUTH, FIRST, LAST + timedelta(2)),
        )
        refused(
            InvalidInput,
            "audit.control.kind",
            lambda: book.answer(
                tx, engagement_id, signers["kansa"], "HC-R-01", Result.CONFORMS, "有"
            ),
        )
        refused(
            InvalidInput,
            "audit.answer",
            lambda: book.answer(tx, engagement_id, signers["kansa"], CONTROL, Result.FAILS, " "),
        )
        refused(NotFound, "audit.engagement.unknown", lambda: find_engagement(tx, "SIGN-1999-01"))
        refused(
            Refused,
            "audit.auditor",
            lambda: book.conclude(tx, engagement_id, signers["kansa-2"], at, computed()),
        )
        refused(
            Refused,
            "audit.auditor",
            lambda: book.verify_may_conclude(tx, engagement_id, signers["kansa-2"]),
        )
    concluded(centre, book, engagement_id)
    with centre.store.begin() as tx:
        refused(
            Conflict,
            "audit.engagement.concluded",
            lambda: book.answer(tx, engagement_id, signers["kansa"], CONTROL, Result.FAILS, "x"),
        )
