"""Examination and decision: what is recorded, who may, and what a changed file stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import col, select

from ca.orders import find_order
from ca.records import Order
from operators.records import Statement
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused
from policies.roles import Role
from ra import records
from ra.dossiers import compute_dossier, examined_offer, salted
from ra.examination import find_application
from ra.records import (
    Application,
    ApplicationState,
    Check,
    CheckResult,
    Document,
    Person,
    PersonVersion,
)
from ra.states import MOVES, move
from store.database import Transaction
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import DIRECTOR, entries, order_all, order_of, row, take_in

REF = "T2026-0001"


def state_of(centre: Centre, ref: str = REF) -> ApplicationState:
    with centre.store.read() as tx:
        return find_application(tx, ref).state


def examine(centre: Centre, ref: str = REF, **failures: str) -> None:
    centre.examination.examine(ref, centre.signers["uketsuke"], failures)


def approve(centre: Centre, ref: str = REF) -> Order:
    return centre.examination.approve(ref, centre.signers["shonin"])


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
        "dossier": seen.digest(),
        "decision": "EXAMINED",
        "signed": {statement.id: sha256(statement.body.encode()).hexdigest()},
    }


def test_a_failed_check_blocks_approval_and_allows_rejection(centre: Centre) -> None:
    take_in(centre, row(1))
    examine(centre, IDENTITY="photo differs", INTENT="not signed")
    refusal = refused(Refused, "ra.check.failed", lambda: approve(centre))
    assert refusal.text == f"{REF} failed IDENTITY, INTENT"
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
    before = centre.trail.verify()
    refusal = refused(
        InvalidInput, "ra.check.unknown", lambda: examine(centre, ORG="no", IDENTITY="no")
    )
    assert "ORG" in refusal.text
    assert "IDENTITY" not in refusal.text
    with centre.store.read() as tx:
        assert records.checks_of(tx, REF) == []
    assert state_of(centre) is ApplicationState.RECEIVED
    assert centre.trail.verify() == before


# --- who ---


def test_each_decision_needs_its_role(centre: Centre) -> None:
    take_in(centre, row(1))
    signers = centre.signers
    attempts: list[Callable[[], object]] = [
        lambda: centre.examination.examine(REF, signers["shonin"]),
        lambda: centre.examination.examine(REF, signers["hakko"]),
    ]
    for attempt in attempts:
        refused(Refused, "operators.role.missing", attempt)
    assert state_of(centre) is ApplicationState.RECEIVED
    examine(centre)
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

KEPT_BESIDE = {
    Application: {
        "ref", "import_id", "row_digest", "state", "reject_code", "reject_reason", "erased_at",
        "dossier", "examination_id",
    },
    PersonVersion: {"person_id", "valid_from"},
    Person: {"id", "search_key"},
    Check: {"application_ref", "note", "examiner"},
    Document: {"application_ref"},
}  # fmt: skip
"""Columns that are no part of what is examined; the others must all be."""

CHANGED: dict[str, tuple[object, set[str]]] = {
    "kanji_name": ("髙橋　二郎", {"kanji_name", "content japanese_name"}),
    "kana_name": ("タカハシ　ジロウ", {"kana_name"}),
    "carrier": ("FILE", {"content carrier"}),
    "romaji_name": ("TAKAHASHI JIRO", {"romaji_name", "content common_name"}),
    "former_surname": ("木村", {"former_surname"}),
    "postal_code": ("160-0001", {"postal_code"}),
    "address": ("東京都新宿区架空町1-2-4", {"address"}),
    "telephone": ("090-0000-9999", {"telephone"}),
    "email": (None, {"email"}),
    "birth_date": (timedelta(days=1), {"birth_date"}),
    "received_on": (timedelta(days=-1), {"received_on"}),
    "type": ("RENEW", {"type"}),
    "channel": ("LRA", {"channel"}),
    "profession": ("歯科医師", {"profession", "content roles"}),
    "registration_number": ("900002", {"registration_number"}),
    "registration_date": (timedelta(days=-1), {"registration_date"}),
    "director_role": ("診療所院長", {"director_role", "content roles"}),
    "institution_ja": ("見本病院", {"institution_ja", "content japanese_organization"}),
    "institution_en": ("Sample Hospital", {"institution_en", "content organization"}),
    "work_prefecture": ("14", {"work_prefecture"}),
    "municipality": ("新宿区", {"municipality"}),
    "member_id": ("1", {"member_id"}),
    "terms_version": ("DEMO-0.9", {"terms_version"}),
    "method": ("MANUAL", {"check IDENTITY"}),
    "result": (CheckResult.FAIL, {"check IDENTITY"}),
    "kind": ("IDENTITY2", {"check IDENTITY", "check IDENTITY2"}),
    "code": ("PASSPORT", {"document PHOTO", "document PASSPORT"}),
}
"""Column, what is put in its place (a difference for dates), and what the refusal must name."""


def owner(tx: Transaction, ref: str, column: str) -> object:
    """The row of the application that holds the column."""
    application = find_application(tx, ref)
    versions = select(PersonVersion).where(PersonVersion.person_id == application.person_id)
    candidates = (
        application,
        tx.exec(versions).one(),
        tx.get_one(Person, application.person_id),
        tx.get_one(Check, (ref, "IDENTITY")),
        tx.get_one(Document, (ref, "PHOTO")),
    )
    return next(
        one
        for one in candidates
        if column in type(one).model_fields and column not in KEPT_BESIDE[type(one)]
    )


def change(centre: Centre, ref: str, column: str, value: object) -> object:
    """Change one column past the program and return what stood there."""
    with centre.store.begin() as tx:
        stored = owner(tx, ref, column)
        before: object = getattr(stored, column)
        if isinstance(before, date) and isinstance(value, timedelta):
            value = before + value
        setattr(stored, column, value)
    return before


def restore(centre: Centre, ref: str, column: str, before: object) -> None:
    with centre.store.begin() as tx:
        if column == "kind":
            tx.get_one(Check, (ref, "IDENTITY2")).kind = str(before)
        elif column == "code":
            tx.get_one(Document, (ref, "PASSPORT")).code = str(before)
        else:
            setattr(owner(tx, ref, column), column, before)


def named(refusal: HpkiError) -> set[str]:
    """The parts that a refusal for a changed file names."""
    assert refusal.code == "ra.dossier.changed"
    return set(refusal.text.partition("signed: ")[2].split(", "))


def test_every_column_is_examined_or_known_not_to_be() -> None:
    tables = (Application, PersonVersion, Person, Check, Document)
    columns = {name for table in tables for name in set(table.model_fields) - KEPT_BESIDE[table]}
    # whose it is and its salt are changed by themselves below
    assert columns - {"person_id", "salt"} == set(CHANGED)


@pytest.fixture
def examined(centre: Centre) -> Centre:
    """A centre with one director's application, examined."""
    take_in(centre, row(1, **DIRECTOR))
    examine(centre)
    return centre


def test_what_changed_after_the_examination_is_named_and_stops_it(examined: Centre) -> None:
    found, expected = {}, {}
    for column, (value, parts) in CHANGED.items():
        before = change(examined, REF, column, value)
        if column == "result":  # a failed check is refused as such
            refusal = refused(Refused, "ra.check.failed", lambda: approve(examined))
            assert "IDENTITY" in refusal.text
        else:
            with pytest.raises(Refused) as caught:
                approve(examined)
            found[column], expected[column] = named(caught.value), parts
        restore(examined, REF, column, before)
    assert found == expected
    assert order_of(examined, REF) is None
    approve(examined)  # as it was, nothing stands against it


def test_what_changed_after_the_approval_is_named_and_stops_it(examined: Centre) -> None:
    order = approve(examined)
    found = {}
    for column, (value, _) in CHANGED.items():
        before = change(examined, REF, column, value)
        with pytest.raises(Refused) as caught:
            examined.examination.verify_order_now(order.id, ["hakko"])
        found[column] = named(caught.value)
        restore(examined, REF, column, before)
    assert found == {column: parts for column, (_, parts) in CHANGED.items()}
    examined.examination.verify_order_now(order.id, ["hakko"])


def test_documents_and_checks_that_vanish_or_appear_are_named(examined: Centre) -> None:
    order = approve(examined)
    with examined.store.begin() as tx:
        tx.execute(delete(Document).where(col(Document.code) == "PHOTO"))
        tx.execute(delete(Check).where(col(Check.kind) == "ORG"))
        tx.add(Document(application_ref=REF, code="OATH"))
    with pytest.raises(Refused) as caught:
        examined.examination.verify_order_now(order.id, ["hakko"])
    assert named(caught.value) == {"check ORG", "document OATH", "document PHOTO"}


def test_another_person_or_salt_behind_the_application_is_named(examined: Centre) -> None:
    take_in(examined, row(2))
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
    change(examined, REF, "kanji_name", "偽名　太郎")
    with examined.store.begin() as tx:
        application = find_application(tx, REF)
        forged = compute_dossier(tx, application, examined.kind, examined_offer(application))
        application.dossier = forged.octets().decode()
    refused(Refused, "operators.statement.differs", lambda: approve(examined))
    assert order_of(examined, REF) is None
    assert state_of(examined) is ApplicationState.EXAMINED


# --- states ---


def test_every_move_that_is_not_allowed_is_refused() -> None:
    """The table itself is written out here once more, so that a new move is a decision."""
    allowed = {
        ("RECEIVED", "EXAMINED"): "RA_EXAMINER",
        ("EXAMINED", "ISSUING"): "RA_APPROVER",
        ("EXAMINED", "REJECTED"): "RA_APPROVER",
        ("ISSUING", "PERSONALISED"): "CARD_OPERATOR",
        ("ISSUING", "ISSUED"): "IA_OPERATOR",
        ("ISSUING", "CLOSED_REVOKED"): "REV_OFFICER",
        ("ISSUED", "CLOSED_REVOKED"): "REV_OFFICER",
        ("PERSONALISED", "CLOSED_REVOKED"): "REV_OFFICER",
    }
    bare: dict[str, Any] = {"ref": REF}
    found = {}
    for before in ApplicationState:
        for after in ApplicationState:
            application = Application(**bare, state=before)
            with suppress(Conflict):
                found[before.value, after.value] = str(move(application, after))
            moved = (before.value, after.value) in found
            assert application.state is (after if moved else before)
    assert found == allowed


def test_each_step_works_from_its_own_state_only(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))

    def personalised() -> None:
        with centre.store.begin() as tx:
            centre.examination.mark_personalised(tx, REF)

    steps: dict[ApplicationState, Callable[[], object]] = {
        ApplicationState.EXAMINED: lambda: examine(centre),
        ApplicationState.ISSUING: lambda: approve(centre),
        ApplicationState.REJECTED: lambda: reject(centre),
        ApplicationState.ISSUED: lambda: centre.examination.mark_issued(order.id),
        ApplicationState.PERSONALISED: personalised,
    }
    for before in ApplicationState:
        with centre.store.begin() as tx:
            find_application(tx, REF).state = before
        head = centre.trail.verify()
        for after, step in steps.items():
            if (before, after) not in MOVES and before is not after:
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
    change(examined, REF, "address", "elsewhere")
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
    codes = [entry.code for entry in entries(examined)][-2:]
    assert codes == ["APP.DECIDE", "ISSUE.ORDER"]
    refused(Conflict, "ra.state", lambda: approve(examined))
