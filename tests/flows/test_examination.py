"""Examination and decision: what is recorded, who may, and what a changed file stops."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256

import pytest
import sqlalchemy as sa
from sqlalchemy import delete
from sqlmodel import SQLModel, col, select

from ca.orders import find_order
from ca.records import Order
from operators.records import Statement
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework.records import Answer, Choice, DuplicateChoice, FieldMatch, Inquiry, InquiryItem
from ra.dossiers import compute_dossier, examined_offer, salted
from ra.records import (
    Application,
    Check,
    CheckResult,
    Document,
    Person,
    PersonVersion,
    find_application,
)
from store.database import Transaction
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    DIRECTOR,
    bring_to_examination,
    entries,
    order_all,
    order_of,
    row,
    scan,
    take_in,
)

REF = "T2026-0001"


def state_of(centre: Centre, ref: str = REF) -> ApplicationState:
    with centre.store.read() as tx:
        return find_application(tx, ref).state


def sign(centre: Centre, ref: str = REF, **failures: str) -> None:
    """Have the examiner sign a file whose identity, data and register's answer are known."""
    centre.examination.examine(ref, centre.signers["uketsuke"], failures, rest_ok=True)


def examine(centre: Centre, ref: str = REF, **failures: str) -> None:
    bring_to_examination(centre, ref)
    sign(centre, ref, **failures)


def approve(centre: Centre, ref: str = REF) -> Order:
    order = centre.examination.approve(ref, centre.signers["shonin"])
    assert order is not None
    return order


def reject(centre: Centre, code: str = "R02", reason: str = "", ref: str = REF) -> Application:
    return centre.examination.reject(ref, centre.signers["shonin"], code, reason)


# --- checks ---


def test_every_check_is_recorded_with_the_channels_method(centre: Centre) -> None:
    rows = {
        "POST": row(1),
        "LRA": row(2, channel="LRA"),
        "MYNA": row(3, channel="MYNA"),
        "DIRECTOR": row(4, **DIRECTOR),
    }
    take_in(centre, *rows.values())
    found = {}
    for name, one in rows.items():
        examine(centre, one["application_ref"])
        with centre.store.read() as tx:
            checks = records.checks_of(tx, one["application_ref"])
        found[name] = {check.kind: check.method for check in checks}
        assert {(check.result, check.examiner, check.note) for check in checks} == {
            (CheckResult.OK, "uketsuke", "")
        }
    papers = {
        "IDENTITY": "ID_COPY_RESIDENT_RECORD_PLUS_PICKUP",
        "QUALIFICATION": "MHLW_REGISTER",
        "DATA_MATCH": "MANUAL",
        "INTENT": "SIGNED_FORM",
    }
    signed = {"IDENTITY": "JPKI_SIGNATURE", "INTENT": "JPKI_SIGNATURE"}
    assert found == {
        "POST": papers,
        "LRA": papers | {"IDENTITY": "FACE_TO_FACE_PHOTO_ID"},
        "MYNA": papers | signed,
        "DIRECTOR": papers | {"ORG": "ORG_DOC"},
    }


def test_the_examination_is_a_statement_over_the_file(centre: Centre) -> None:
    take_in(centre, row(1))
    examine(centre)
    with centre.store.read() as tx:
        application = find_application(tx, REF)
        seen = compute_dossier(tx, application, centre.kind, examined_offer(application))
        statement = tx.get_one(Statement, application.examination_id)
    body = json.loads(statement.body)
    assert (body["digest"], body["decision"], body["role"], body["operator"]) == (
        seen.digest(),
        "EXAMINED",
        "RA_EXAMINER",
        "uketsuke",
    )
    assert application.dossier == seen.octets().decode()
    assert application.state is ApplicationState.EXAMINED
    entry = json.loads(entries(centre, "APP.EXAMINED")[-1].body)
    assert (entry["object_id"], entry["actor_id"], entry["actor_role"]) == (
        REF,
        "uketsuke",
        "RA_EXAMINER",
    )
    assert entry["detail"] == {
        "move": "QUAL_INQUIRY>EXAMINED",
        "dossier": seen.digest(),
        "decision": "EXAMINED",
        "signed": {statement.id: sha256(statement.body.encode()).hexdigest()},
    }


def test_a_failed_check_blocks_approval_and_allows_rejection(centre: Centre) -> None:
    take_in(centre, row(1))
    examine(centre, IDENTITY="photo differs", INTENT="not signed")
    refusal = refused(Refused, "ra.guard.checks_ok", lambda: approve(centre))
    assert refusal.text == f"{REF}: failed IDENTITY, INTENT"
    assert state_of(centre) is ApplicationState.EXAMINED
    assert order_of(centre, REF) is None
    assert reject(centre, "R01").reject_code == "R01"
    with centre.store.read() as tx:
        assert find_application(tx, REF).state is ApplicationState.REJECTED
        notes = {check.kind: check.note for check in records.checks_of(tx, REF) if check.note}
        statement = tx.exec(select(Statement).order_by(col(Statement.seq).desc())).first()
    assert notes == {"IDENTITY": "photo differs", "INTENT": "not signed"}
    assert statement is not None
    assert json.loads(statement.body)["decision"] == "R01"
    decided = json.loads(entries(centre, "APP.DECIDE")[-1].body)
    assert (decided["actor_id"], decided["detail"]["decision"]) == ("shonin", "R01")
    refused(Conflict, "ra.state", lambda: approve(centre))


def test_an_unknown_check_stores_nothing(centre: Centre) -> None:
    take_in(centre, row(1))
    bring_to_examination(centre, REF)
    before = centre.trail.verify()
    refusal = refused(
        InvalidInput, "ra.check.unknown", lambda: sign(centre, IDENTITY="no", ORG="no")
    )
    assert refusal.text == f"{REF} has no check ORG"
    with centre.store.read() as tx:
        checks = records.checks_of(tx, REF)
    assert {one.kind: one.result for one in checks} == dict.fromkeys(
        ("DATA_MATCH", "IDENTITY", "QUALIFICATION"), CheckResult.OK
    )
    assert state_of(centre) is ApplicationState.QUAL_INQUIRY
    assert centre.trail.verify() == before


# --- who ---


def test_each_decision_needs_its_role(centre: Centre) -> None:
    take_in(centre, row(1))
    bring_to_examination(centre, REF)
    signers = centre.signers
    attempts: list[Callable[[], object]] = [
        lambda: centre.examination.examine(REF, signers["shonin"]),
        lambda: centre.examination.examine(REF, signers["hakko"]),
    ]
    for attempt in attempts:
        refused(Refused, "operators.role.missing", attempt)
    assert state_of(centre) is ApplicationState.QUAL_INQUIRY
    sign(centre)
    attempts = [
        lambda: centre.examination.approve(REF, signers["uketsuke"]),
        lambda: centre.examination.approve(REF, signers["hakko"]),
        lambda: centre.examination.reject(REF, signers["uketsuke"], "R01"),
    ]
    for attempt in attempts:
        refused(Refused, "operators.role.missing", attempt)
    assert state_of(centre) is ApplicationState.EXAMINED


def test_the_examiner_may_not_approve_even_with_the_role(centre: Centre) -> None:
    take_in(centre, row(1))
    examine(centre)
    centre.become_small()
    centre.grant("uketsuke", Role.RA_APPROVER)
    refused(
        Refused,
        "ca.separation",
        lambda: centre.examination.approve(REF, centre.signers["uketsuke"]),
    )
    assert order_of(centre, REF) is None
    assert state_of(centre) is ApplicationState.EXAMINED
    approve(centre)


# --- a changed file ---

KEPT_BESIDE: dict[type[SQLModel], set[str]] = {
    Application: {
        "ref", "import_id", "row_digest", "state", "reject_code", "reject_reason", "erased_at",
        "dossier", "examination_id", "approval_id", "web_id", "state_since", "due_on",
        "stopped_days", "attempt",
    },
    PersonVersion: {"person_id", "valid_from", "confirmed_on"},
    Person: {"id", "search_key"},
    Check: {"application_ref", "note", "examiner", "at"},
    Document: {
        "application_ref", "media_type", "octets", "file_name", "wrapped_key", "statement_id",
        "note", "checked_by", "checked_at",
    },
    FieldMatch: {"application_ref", "examiner", "at"},
    DuplicateChoice: {"application_ref", "reason", "examiner", "at"},
    InquiryItem: {"application_ref", "line", "answered_on", "entered_by"},
}  # fmt: skip
"""Columns that are no part of what is examined; the others must all be."""

DAY = timedelta(days=1)
SCAN, MATCH = "RESIDENT_RECORD.2", "check match LICENCE_COPY.kanji_name"
ASKED = "check inquiry Q1"


def both(paper: str) -> set[str]:
    """A document, and the examiner's word on it."""
    return {f"document {paper}", f"check document {paper}"}


CHANGED: dict[type[SQLModel], dict[str, tuple[object, set[str]]]] = {
    PersonVersion: {
        "kanji_name": ("髙橋　二郎", {"kanji_name", "content japanese_name"}),
        "kana_name": ("タカハシ　ジロウ", {"kana_name"}),
        "romaji_name": ("TAKAHASHI JIRO", {"romaji_name", "content common_name"}),
        "former_surname": ("木村", {"former_surname"}),
        "postal_code": ("160-0001", {"postal_code"}),
        "address": ("東京都新宿区架空町1-2-4", {"address"}),
        "telephone": ("090-0000-9999", {"telephone"}),
        "email": (None, {"email"}),
    },
    Person: {"birth_date": (DAY, {"birth_date"})},
    Application: {
        "carrier": ("FILE", {"content carrier"}),
        "received_on": (-DAY, {"received_on"}),
        "type": ("RENEW", {"type"}),
        "channel": ("LRA", {"channel"}),
        "profession": ("歯科医師", {"profession", "content roles"}),
        "registration_number": ("900002", {"registration_number"}),
        "registration_date": (-DAY, {"registration_date"}),
        "director_role": ("診療所院長", {"director_role", "content roles"}),
        "institution_ja": ("見本病院", {"institution_ja", "content japanese_organization"}),
        "institution_en": ("Sample Hospital", {"institution_en", "content organization"}),
        "work_prefecture": ("14", {"work_prefecture"}),
        "municipality": ("新宿区", {"municipality"}),
        "member_id": ("1", {"member_id"}),
        "terms_version": ("DEMO-0.9", {"terms_version"}),
        "office": ("LRA-9", {"office"}),
        "association": ("新宿区医師会", {"association"}),
        "replaces": ("T2026-0002", {"replaces"}),
    },
    Check: {
        "method": ("MANUAL", {"check IDENTITY"}),
        "result": (CheckResult.FAIL, {"check IDENTITY"}),
        "kind": ("IDENTITY2", {"check IDENTITY", "check IDENTITY2"}),
    },
    Document: {
        "code": ("CARD_FACE", {*both(SCAN), *both("CARD_FACE.2")}),
        "number": (3, {*both(SCAN), *both("RESIDENT_RECORD.3")}),
        "redacts": (1, both(SCAN)),
        "received_on": (-DAY, {f"document {SCAN}"}),
        "issued_on": (DAY, {f"document {SCAN}"}),
        "valid_until": (date(2026, 8, 20), {f"document {SCAN}"}),
        "sha256": ("00" * 32, {f"document {SCAN}"}),
        "result": (CheckResult.FAIL, {f"check document {SCAN}"}),
    },
    FieldMatch: {
        "source": ("PHOTO_ID", {MATCH, "check match PHOTO_ID.kanji_name"}),
        "field": ("romaji_name", {MATCH, "check match LICENCE_COPY.romaji_name"}),
        "verdict": ("EQUAL", {MATCH}),
        "seen": ("髙橋　一朗", {MATCH}),
        "explanation": ("", {MATCH}),
    },
    DuplicateChoice: {
        "other_ref": (
            "T2026-0003",
            {"check duplicate T2026-0002", "check duplicate T2026-0003"},
        ),
        "choice": (Choice.BOTH_WANTED, {"check duplicate T2026-0002"}),
    },
    InquiryItem: {
        "inquiry_id": ("Q0", {"check inquiry Q0", ASKED}),
        "answer": (Answer.SUSPENDED, {ASKED}),
        "evidence": ("00" * 32, {ASKED}),
    },
}
"""Column, what is put in its place (a difference for dates), and what the refusal must name."""


def owner(tx: Transaction, table: type[SQLModel]) -> SQLModel:
    """The row of the examined application in the table, of several the one told here."""
    application = find_application(tx, REF)
    if table is Application:
        return application
    if table is Person:
        return tx.get_one(Person, application.person_id)
    if table is PersonVersion:
        return tx.get_one(PersonVersion, (application.person_id, date(2026, 9, 1)))
    query = select(table).where(col(table.application_ref) == REF)  # type: ignore[attr-defined]
    of_several = {
        Check: col(Check.kind).startswith("IDENTITY"),
        Document: col(Document.octets).is_not(None),
        FieldMatch: col(FieldMatch.source) != "REGISTER",
    }
    return tx.exec(query.where(of_several.get(table, sa.true()))).one()


def change(centre: Centre, table: type[SQLModel], column: str, value: object) -> object:
    """Change one column past the program and return what stood there."""
    with centre.store.begin() as tx:
        row = owner(tx, table)
        before: object = getattr(row, column)
        if isinstance(before, date) and isinstance(value, timedelta):
            value = before + value
        setattr(row, column, value)
    return before


def each_change(centre: Centre, attempt: Callable[[], object]) -> None:
    """Change each column by itself: the attempt is refused and names exactly what changed."""
    found, expected = {}, {}
    for table, columns in CHANGED.items():
        for column, (value, parts) in columns.items():
            before = change(centre, table, column, value)
            with pytest.raises(Refused) as caught:
                attempt()
            found[table.__name__, column] = named(caught.value)
            expected[table.__name__, column] = parts
            change(centre, table, column, before)
    assert found == expected


def named(refusal: HpkiError) -> set[str]:
    """The parts that a refusal for a changed file names; the inquiry is called Q1."""
    assert refusal.code == "ra.dossier.changed"
    parts = refusal.text.partition("signed: ")[2]
    return set(re.sub(r"Q\d{8}-\w{6}", "Q1", parts).split(", "))


def test_every_column_is_examined_or_known_not_to_be() -> None:
    # whose it is and its salt are changed by themselves below
    apart = {"person_id", "salt"}
    for table, beside in KEPT_BESIDE.items():
        assert set(table.model_fields) - beside - apart == set(CHANGED[table]), table


@pytest.fixture
def examined(centre: Centre) -> Centre:
    """A centre with one director's application, examined, with everything an examiner enters."""
    examiner = centre.signers["uketsuke"]
    same = row(1)["registration_number"]
    take_in(centre, row(1, **DIRECTOR), row(2, registration_number=same), row(3))
    bring_to_examination(centre, REF)
    issued_on = date(2026, 8, 20)
    code = "RESIDENT_RECORD"
    centre.cabinet.add(REF, code, date(2026, 9, 2), examiner, scan(), issued_on)
    seen, words = {"kanji_name": "高橋　二郎"}, {"kanji_name": "登録後の改名"}
    centre.matches.enter(REF, "LICENCE_COPY", seen, examiner, words)
    centre.duplicates.choose(REF, "T2026-0002", Choice.OTHER_PERSON, "番号の誤記", examiner)
    with centre.store.begin() as tx:
        tx.add(Inquiry(id="Q0", at=centre.now, examiner="uketsuke"))
    sign(centre)
    return centre


def test_what_changed_after_the_examination_is_named_and_stops_it(examined: Centre) -> None:
    each_change(examined, lambda: approve(examined))
    assert order_of(examined, REF) is None
    approve(examined)  # as it was, nothing stands against it


def test_what_changed_after_the_approval_is_named_and_stops_it(examined: Centre) -> None:
    order = approve(examined)
    each_change(examined, lambda: examined.examination.verify_order_now(order.id, ["hakko"]))
    examined.examination.verify_order_now(order.id, ["hakko"])


def test_rows_of_the_examination_that_vanish_or_appear_are_named(examined: Centre) -> None:
    order = approve(examined)
    with examined.store.begin() as tx:
        for table in (FieldMatch, DuplicateChoice, InquiryItem):
            tx.execute(delete(table).where(col(table.application_ref) == REF))
        tx.execute(delete(Document).where(col(Document.code) == "PHOTO"))
        tx.execute(delete(Check).where(col(Check.kind) == "ORG"))
        tx.add(Document(application_ref=REF, code="OATH", number=1, received_on=date(2026, 9, 1)))
    with pytest.raises(Refused) as caught:
        examined.examination.verify_order_now(order.id, ["hakko"])
    register = ("birth_date", "kanji_name", "registration_date", "registration_number")
    assert named(caught.value) == {
        "check ORG",
        "document OATH.1",
        *both("PHOTO.1"),
        MATCH,
        *(f"check match REGISTER.{field}" for field in register),
        "check duplicate T2026-0002",
        ASKED,
    }


def test_another_person_or_salt_behind_the_application_is_named(examined: Centre) -> None:
    with examined.store.begin() as tx:
        own = find_application(tx, REF).person_id
        find_application(tx, REF).person_id = find_application(tx, "T2026-0002").person_id
    with pytest.raises(Refused) as caught:
        approve(examined)
    assert {"content holder_id", "birth_date", "address"} <= named(caught.value)
    with examined.store.begin() as tx:
        application = find_application(tx, REF)
        application.person_id, application.salt = own, "00" * 32
    with pytest.raises(Refused) as caught:
        approve(examined)
    assert {"kana_name", "birth_date", "terms_version"} <= named(caught.value)


def test_a_file_forged_to_fit_is_not_what_the_examiner_signed(examined: Centre) -> None:
    """Who writes to the database cannot make the kept file match a changed row."""
    change(examined, PersonVersion, "kanji_name", "偽名　太郎")
    with examined.store.begin() as tx:
        application = find_application(tx, REF)
        forged = compute_dossier(tx, application, examined.kind, examined_offer(application))
        application.dossier = forged.octets().decode()
    refused(Refused, "operators.statement.differs", lambda: approve(examined))
    assert order_of(examined, REF) is None
    assert state_of(examined) is ApplicationState.EXAMINED


# --- states ---


def test_each_step_works_from_its_own_state_only(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))

    def personalised() -> None:
        with centre.store.begin() as tx:
            centre.examination.mark_personalised(tx, REF)

    under_examination = {ApplicationState.EXAMINING, ApplicationState.QUAL_INQUIRY}
    steps: list[tuple[Callable[[], object], set[ApplicationState]]] = [
        (lambda: sign(centre), under_examination),
        (lambda: approve(centre), {ApplicationState.EXAMINED}),
        (lambda: reject(centre), {ApplicationState.EXAMINED}),
        (
            lambda: centre.examination.mark_issued(order.id),
            {ApplicationState.ISSUING, ApplicationState.ISSUED},
        ),
        (personalised, {ApplicationState.ISSUING}),
    ]
    for before in ApplicationState:
        with centre.store.begin() as tx:
            find_application(tx, REF).state = before
        head = centre.trail.verify()
        for step, origins in steps:
            if before not in origins:
                refused(Conflict, "ra.state", step)
        assert (state_of(centre), centre.trail.verify()) == (before, head)


def test_an_order_is_executed_for_an_application_being_issued_only(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    passed = set()
    for state in ApplicationState:
        with centre.store.begin() as tx:
            find_application(tx, REF).state = state
        with suppress(Conflict):
            centre.examination.verify_order_now(order.id, ["hakko"])
            passed.add(state)
    assert passed == {ApplicationState.ISSUING, ApplicationState.ISSUED}


# --- rejection ---


def test_a_rejection_has_a_known_code_and_r99_its_reason(centre: Centre) -> None:
    take_in(centre, row(1))
    examine(centre)
    refused(InvalidInput, "policies.refusal.unknown", lambda: reject(centre, "R00"))
    for reason in ("", " \t"):
        refused(InvalidInput, "ra.reject.reason", lambda: reject(centre, "R99", reason))  # noqa: B023
    assert state_of(centre) is ApplicationState.EXAMINED
    reject(centre, "R99", "applicant withdrew by letter")
    with centre.store.read() as tx:
        statement = tx.exec(select(Statement).order_by(col(Statement.seq).desc())).first()
        application = find_application(tx, REF)
    assert statement is not None
    body = json.loads(statement.body)
    reason = salted("reject_reason", "applicant withdrew by letter", application.salt)
    assert (body["decision"], body["reason"]) == ("R99", reason)
    assert application.reject_reason == "applicant withdrew by letter"


def test_a_file_that_was_changed_can_still_be_rejected(examined: Centre) -> None:
    change(examined, PersonVersion, "address", "elsewhere")
    reject(examined, "R05")
    assert state_of(examined) is ApplicationState.REJECTED


def test_what_is_unknown_is_not_found(centre: Centre) -> None:
    for attempt in (
        lambda: examine(centre, "T2026-0009"),
        lambda: approve(centre, "T2026-0009"),
        lambda: reject(centre, ref="T2026-0009"),
    ):
        refused(NotFound, "ra.application.unknown", attempt)
    refused(
        NotFound,
        "ca.order.unknown",
        lambda: centre.examination.verify_order_now("T2026-0009.1", ["hakko"]),
    )


def test_approval_leaves_one_order_with_both_statements(examined: Centre) -> None:
    order = approve(examined)
    assert (order.id, order.attempt, order.application_ref) == (f"{REF}.1", 1, REF)
    with examined.store.read() as tx:
        ids = json.loads(find_order(tx, order.id).statement_ids)
        signers = [tx.get_one(Statement, one).operator_id for one in ids]
    assert signers == ["uketsuke", "shonin"]
    assert state_of(examined) is ApplicationState.ISSUING
    codes = [entry.code for entry in entries(examined)][-3:]
    assert codes == ["APP.DECIDE", "APP.STATE", "ISSUE.ORDER"]
    refused(Conflict, "ra.state", lambda: approve(examined))
