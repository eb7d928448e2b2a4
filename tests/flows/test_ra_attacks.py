"""What nobody gets past the registration authority: neither who writes rows, nor its own people."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from typing import Any

import pytest
from sqlmodel import select

from ca.dossier import parse_dossier
from ca.records import Holder, Order
from operators.identity import Identity
from pki.errors import HpkiError, Refused
from policies.moves import ApplicationState
from ra.casework.inquiries import AnswerOutcome, InquiryRow
from ra.casework.records import Answer, Fee, FeeState, FieldMatch, InquiryItem
from ra.lists.workbook import SheetColumn, write_workbook
from ra.persons.applicants import spellings
from ra.persons.names import forbidden_character
from ra.records import (
    Application,
    Check,
    CheckResult,
    PersonVersion,
    applicant,
    find_application,
)
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    Row,
    answers_to,
    blank_card,
    bring_to_examination,
    order_all,
    personalize,
    row,
    take_in,
)
from tests.flows.test_casework import (
    REF,
    approve,
    examined,
    issue_on,
    put,
    ref_of,
    state_of,
)

_S = ApplicationState


# --- who writes to the database ---


def put_copy(centre: Centre, order: Order, order_id: str, **changes: object) -> Order:
    """Write an order of one's own: the same statements and dossier under another name."""
    with centre.store.begin() as tx:
        values = order.model_dump() | {"id": order_id, **changes}
        tx.add(Order(**values))
    with centre.store.read() as tx:
        return tx.get_one(Order, order_id)


def test_one_approval_makes_no_second_card(centre: Centre) -> None:
    """The order is copied under the next attempt's name, and the file said to wait for a card."""
    (order,) = order_all(centre, row(1))
    personalize(centre, order.id, blank_card(centre))
    copy = put_copy(centre, order, f"{REF}.2", attempt=2)
    put(centre, _S.ISSUING, attempt=2)
    refused(Refused, "ca.order.changed", lambda: personalize(centre, copy.id, blank_card(centre)))
    refused(Refused, "ra.state.changed", lambda: centre.examination.verify_order_now(copy.id, []))


def test_a_withdrawn_order_does_not_come_back_under_another_name(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    centre.examination.withdraw(REF, centre.signers["shonin"], "死亡届")
    put(centre, _S.ISSUING)
    refused(Refused, "ra.state.changed", lambda: centre.examination.verify_order_now(order.id, []))
    refused(Refused, "ca.order.withdrawn", lambda: issue_on(centre, order, 1))
    copy = put_copy(centre, order, f"{REF}.9", attempt=9)
    refused(Refused, "ca.order.changed", lambda: issue_on(centre, copy, 1))


@pytest.mark.parametrize("end", ["reject", "withdraw", "send back"])
def test_a_file_that_was_ended_is_not_approved_after_all(centre: Centre, end: str) -> None:
    """Its state and what was signed are put back as they stood before the end."""
    examined(centre, row(1))
    before = kept(centre)
    if end == "reject":
        centre.examination.reject(REF, centre.signers["shonin"], "R05")
    elif end == "withdraw":
        centre.examination.withdraw(REF, centre.signers["uketsuke"], "取下書")
    else:
        centre.examination.send_back(REF, centre.signers["shonin"], "旧姓の確認")
    put(centre, _S.EXAMINED, **before)
    refused(Refused, "ra.state.changed", lambda: approve(centre))


def kept(centre: Centre) -> dict[str, Any]:
    with centre.store.read() as tx:
        application = find_application(tx, REF)
        return {name: getattr(application, name) for name in ("dossier", "examination_id")}


def test_an_older_and_better_examination_does_not_take_the_newers_place(centre: Centre) -> None:
    """The first examiner found all in order; the second did not."""
    examined(centre, row(1))
    better = kept(centre)
    centre.examination.send_back(REF, centre.signers["shonin"], "署名の確認")
    failed = {"INTENT": "本人の署名でない"}
    centre.examination.examine(REF, centre.signers["uketsuke"], failed, rest_ok=True)
    put(centre, _S.EXAMINED, **better)
    with centre.store.begin() as tx:
        tx.get_one(Check, (REF, "INTENT")).result = CheckResult.OK
    refused(Refused, "ra.state.changed", lambda: approve(centre))


@pytest.mark.parametrize("taken_back", [False, True])
def test_no_order_is_written_past_the_fee_or_the_withdrawal(
    centre: Centre, taken_back: bool
) -> None:
    """Two people approved, and the order is written by hand where the program made none."""
    examined(centre, row(1, member_id=""))
    assert approve(centre) is None
    if taken_back:
        centre.examination.withdraw(REF, centre.signers["shonin"], "死亡届")
    with centre.store.begin() as tx:
        file = find_application(tx, REF)
        dossier = parse_dossier((file.dossier or "").encode())
        tx.add(Holder(id=file.person_id))
        tx.flush()
        order = Order(
            id=f"{REF}.1",
            application_ref=REF,
            attempt=1,
            holder_id=file.person_id,
            dossier=file.dossier or "",
            digest=dossier.digest(),
            statement_ids=json.dumps([file.examination_id, file.approval_id]),
            accepted_seq=centre.trail.position(tx),
        )
        tx.add(order)
    put(centre, _S.ISSUING)
    refused(Refused, "ra.state.changed", lambda: centre.examination.verify_order_now(order.id, []))
    refused(Refused, "ca.order.changed", lambda: issue_on(centre, order, 1))


@pytest.mark.parametrize("how", ["rewritten", "gone", "by another method"])
def test_a_failure_does_not_vanish_before_the_signature(centre: Centre, how: str) -> None:
    """The examiner failed a check, and signs that the rest is OK at the end."""
    take_in(centre, row(1))
    bring_to_examination(centre, REF)
    examiner = centre.signers["uketsuke"]
    centre.examination.check(REF, "INTENT", examiner, ok=False, note="本人の署名でない")
    with centre.store.begin() as tx:
        intent, register = (tx.get_one(Check, (REF, one)) for one in ("INTENT", "QUALIFICATION"))
        if how == "rewritten":
            intent.result = CheckResult.OK
        elif how == "gone":
            tx.delete(intent)
        else:  # and no answer of the register would be asked for
            register.method = "QUAL_REGISTRY_LINK"
    told = refused(
        Refused,
        "ra.check.changed",
        lambda: centre.examination.examine(REF, examiner, rest_ok=True),
    )
    assert ("QUALIFICATION" if how == "by another method" else "INTENT") in told.text


def test_the_registers_answer_is_the_one_that_was_entered(centre: Centre) -> None:
    take_in(centre, row(1))
    examiner = centre.signers["uketsuke"]
    rows = ask(centre, REF)
    centre.inquiries.answer(answers_to(rows, "抹消"), examiner)
    with centre.store.begin() as tx:
        tx.exec(select(InquiryItem)).one().answer = Answer.REGISTERED
        check = tx.get_one(Check, (REF, "QUALIFICATION"))
        check.result, check.note = CheckResult.OK, ""
    refused(
        Refused,
        "ra.check.changed",
        lambda: centre.examination.examine(REF, examiner, rest_ok=True),
    )


def ask(centre: Centre, *refs: str) -> tuple[InquiryRow, ...]:
    examiner = centre.signers["uketsuke"]
    for ref in refs:
        centre.reception.complete(ref, examiner)
        for kind in ("IDENTITY", "DATA_MATCH"):
            centre.examination.check(ref, kind, examiner, ok=True)
    return centre.inquiries.make(refs, examiner).rows


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        (PersonVersion, "kanji_name", "偽名　太郎"),
        (PersonVersion, "romaji_name", "GIMEI TARO"),
        (Application, "registration_number", "999999"),
        (Application, "profession", "薬剤師"),
    ],
)
def test_what_the_register_was_asked_about_is_what_is_signed(
    centre: Centre, table: type, field: str, value: str
) -> None:
    """A doctor's file becomes somebody else's between the answer and the examiner's signature."""
    take_in(centre, row(1))
    bring_to_examination(centre, REF)
    with centre.store.begin() as tx:
        application = find_application(tx, REF)
        one = application if table is Application else applicant(tx, application)
        setattr(one, field, value)
    examiner = centre.signers["uketsuke"]
    refused(
        Refused,
        "ra.guard.answered",
        lambda: centre.examination.examine(REF, examiner, rest_ok=True),
    )


# --- the centre's own people, and callers ---


@pytest.mark.parametrize(
    ("own", "written", "same"),
    [
        ("髙橋 一郎", "高橋　一郎", True),
        ("渡邊　花子", "渡辺　花子", True),
        ("葛\U000e0100城　一", "葛城　一", True),
        ("TAKAHASHI Ichiro", "ｔａｋａｈａｓｈｉ　ichiro", True),
        ("高橋　一郎", "高橋　二郎", False),
    ],
)
def test_an_own_file_under_another_spelling_is_an_own_file(
    own: str, written: str, same: bool
) -> None:
    born = date(1980, 1, 2)
    assert Identity(own, born, "00").maybe((written,), born) is same


def test_a_letter_that_nobody_decided_on_moves_no_callback(centre: Centre) -> None:
    """Who wants another's card revoked by telephone writes in with a number of their own first."""
    (order,) = order_all(centre, row(1))
    personalize(centre, order.id, blank_card(centre))
    change: Row = row(
        1,
        application_ref=ref_of(2),
        type="CONTACT_CHANGE",
        replaces=REF,
        received_on="2026-11-20",
        telephone="080-9999-9999",
        documents="APPLICATION_FORM;PHOTO_ID",
    )
    report = take_in(centre, change)
    assert not report.rows[0].faults, report.rows[0].faults
    assert centre.desk.find(REF).telephone == row(1)["telephone"]


# --- files ---


@pytest.mark.parametrize("text", ["\x1b[2J承認", "山田\u202e太郎", "a\x9b31m"])
def test_an_answer_brings_no_control_characters_to_a_screen(centre: Centre, text: str) -> None:
    take_in(centre, row(1))
    rows = ask(centre, REF)
    (told,) = centre.inquiries.answer(answers_to(rows, kanji_name=text), centre.signers["uketsuke"])
    assert told.outcome is AnswerOutcome.REJECTED
    with centre.store.read() as tx:
        assert not list(tx.exec(select(FieldMatch)))


@pytest.mark.parametrize("unseen", "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u202e\u200b")
def test_a_name_holds_nothing_that_is_not_seen(unseen: str) -> None:
    """Or two files of one name would not be found to be alike, nor one's own to be so."""
    assert forbidden_character(f"髙橋{unseen}　一郎") is not None
    assert forbidden_character("葛\U000e0100城　𠮷郎") is None


def test_a_nul_in_a_workbook_of_answers_is_a_fault_of_its_row(centre: Centre) -> None:
    """Excel writes it as _x0000_; PostgreSQL takes none, not even in a question."""
    take_in(centre, row(1))
    (asked,) = ask(centre, REF)
    text = answers_to([asked, asked]).decode().splitlines()
    columns, *rows = list(csv.reader(text))
    rows[0][0] = "Q_x0000_1"
    sheet = write_workbook(
        "answers",
        [SheetColumn(one, "") for one in columns],
        [dict(zip(columns, one, strict=True)) for one in rows],
    )
    told = centre.inquiries.answer(sheet, centre.signers["uketsuke"])
    assert [one.outcome for one in told] == [AnswerOutcome.REJECTED, AnswerOutcome.CONFIRMED]


def test_a_fee_that_nobody_entered_as_paid_is_owed(centre: Centre) -> None:
    take_in(centre, row(1, member_id=""))
    bring_to_examination(centre, REF)
    centre.examination.examine(REF, centre.signers["uketsuke"], rest_ok=True)
    with centre.store.begin() as tx:
        paid = Fee(application_ref=REF, yen=5500, state=FeeState.PAID, asked_on=date(2026, 11, 1))
        tx.add(paid)
    refused(
        Refused,
        "ra.fee.changed",
        lambda: centre.examination.approve(REF, centre.signers["shonin"]),
    )
    assert state_of(centre, REF) is _S.EXAMINED


def test_an_own_file_is_known_by_the_former_name_too() -> None:
    names = spellings("山田　花子", "ヤマダ　ハナコ", "YAMADA HANAKO", former_surname="前田")
    assert Identity("前田　花子", date(1980, 1, 1), "00").maybe(names, date(1980, 1, 1))
    assert not Identity("前田　花子", date(1980, 1, 1), "00").maybe(names[:3], date(1980, 1, 1))


# --- at the same moment ---


def test_a_document_beside_an_examination_stops_neither(centre: Centre) -> None:
    """Whoever waits for a file holds nothing that its holder waits for."""
    refs = [ref_of(number) for number in range(1, 7)]
    take_in(centre, *[row(number) for number in range(1, 7)])
    for ref in refs:
        centre.reception.complete(ref, centre.signers["uketsuke"])
    signer, told = centre.signers["uketsuke"], []
    for ref in refs:
        barrier = Barrier(3)

        def check(kind: str, ref: str = ref, barrier: Barrier = barrier) -> None:
            barrier.wait()
            centre.examination.check(ref, kind, signer, ok=True)

        def paper(ref: str = ref, barrier: Barrier = barrier) -> None:
            barrier.wait()
            centre.cabinet.check(ref, "PHOTO", 1, signer, True)

        with ThreadPoolExecutor(3) as pool:
            jobs = [
                pool.submit(check, "IDENTITY"),
                pool.submit(check, "INTENT"),
                pool.submit(paper),
            ]
            for job in jobs:
                try:
                    job.result()
                except HpkiError as error:
                    told.append(error.text)
    assert told == []
    assert {state_of(centre, ref) for ref in refs} == {_S.EXAMINING}
