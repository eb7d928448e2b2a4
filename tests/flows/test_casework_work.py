"""The work on files: the register's answers, possible duplicates, fees and clocks."""

from __future__ import annotations

import json
from datetime import date, timedelta

from pki.errors import Conflict, InvalidInput, NotFound, Refused
from policies.moves import ApplicationState
from ra import records
from ra.casework import records as work
from ra.casework.duplicates import Likeness, candidates
from ra.casework.inquiries import AnswerOutcome, AnswerRow, Made
from ra.casework.records import Answer, AnswerFile, Choice, FeeState, InquiryItem, NoticeKind
from ra.records import CheckResult, find_application
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    Row,
    answers_to,
    bring_to_examination,
    entries,
    order_all,
    row,
    take_in,
)
from tests.flows.test_casework import (
    REF,
    approve,
    examined,
    issue_on,
    made_moves,
    ref_of,
    sound,
    state_of,
)

_S = ApplicationState


# --- the register ---


def asked(centre: Centre, *rows: Row) -> Made:
    """An inquiry about the rows."""
    examiner = centre.signers["uketsuke"]
    take_in(centre, *rows)
    refs = [one["application_ref"] for one in rows]
    for ref in refs:
        centre.reception.complete(ref, examiner)
        for kind in ("IDENTITY", "DATA_MATCH"):
            centre.examination.check(ref, kind, examiner, ok=True)
    return centre.inquiries.make(refs, examiner)


def answer(centre: Centre, octets: bytes) -> tuple[AnswerRow, ...]:
    return centre.inquiries.answer(octets, centre.signers["uketsuke"])


def told(rows: tuple[AnswerRow, ...]) -> list[tuple[str | None, str]]:
    return [(one.application_ref, one.outcome.value) for one in rows]


def qualification(centre: Centre, ref: str) -> tuple[CheckResult, str] | None:
    with centre.store.read() as tx:
        found = {one.kind: (one.result, one.note) for one in records.checks_of(tx, ref)}
    return found.get("QUALIFICATION")


def test_every_answer_of_the_register_is_kept_with_its_words(empty_centre: Centre) -> None:
    centre = empty_centre
    made = asked(centre, *[row(number) for number in range(1, 6)])
    words = {1: "登録あり", 2: "該当なし", 3: "抹消", 4: "業務停止", 5: "REGISTERED"}
    for number, word in words.items():
        changes = {"kanji_name": "髙橋　次郎"} if number == 5 else {}
        (one,) = answer(centre, answers_to(made.rows[number - 1 : number], word, **changes))
        wanted = AnswerOutcome.CONFIRMED if number == 1 else AnswerOutcome.REFUTED
        assert (one.application_ref, one.outcome) == (ref_of(number), wanted)
    assert [qualification(centre, ref_of(number)) for number in range(1, 5)] == [
        (CheckResult.OK, ""),
        (CheckResult.FAIL, "the register answered NOT_FOUND"),
        (CheckResult.FAIL, "the register answered STRUCK_OFF"),
        (CheckResult.FAIL, "the register answered SUSPENDED"),
    ]
    result, note = qualification(centre, ref_of(5)) or (None, "")
    assert result is CheckResult.FAIL
    assert note.startswith("kanji_name: ")
    bodies = [json.loads(one.body)["detail"] for one in entries(centre, "QUAL.ANSWER")]
    assert [one["answer"] for one in bodies] == [
        "REGISTERED", "NOT_FOUND", "STRUCK_OFF", "SUSPENDED", "REGISTERED"
    ]  # fmt: skip
    assert bodies[4]["matches"]["kanji_name"] == "DIFFERENT"
    assert "次郎" not in "".join(one.body for one in entries(centre))
    assert {state_of(centre, ref_of(number)) for number in range(1, 6)} == {_S.QUAL_INQUIRY}


def test_a_difference_to_the_register_is_explained_and_then_no_failure(centre: Centre) -> None:
    """Only where the register knows the person, and what it showed stays as it is."""
    examiner = centre.signers["uketsuke"]
    made = asked(centre, row(1), row(2))
    answer(centre, answers_to(made.rows[:1], kanji_name="佐藤　一郎"))
    answer(centre, answers_to(made.rows[1:], "該当なし"))

    def qualify(ref: str) -> None:
        centre.examination.check(ref, "QUALIFICATION", examiner, ok=True)

    refused(Refused, "ra.check.register", lambda: qualify(ref_of(2)))
    qualify(REF)
    centre.examination.examine(REF, examiner, rest_ok=True)
    refused(Refused, "ra.guard.explained", lambda: approve(centre))
    centre.examination.send_back(REF, centre.signers["shonin"], "氏名の相違")
    centre.matches.explain(REF, "REGISTER", "kanji_name", "婚姻前の氏名", examiner)
    with centre.store.read() as tx:
        match = tx.get_one(work.FieldMatch, (REF, "REGISTER", "kanji_name"))
    assert (match.verdict, match.seen, match.explanation) == (
        "DIFFERENT",
        "佐藤　一郎",
        "婚姻前の氏名",
    )
    refused(
        NotFound,
        "ra.match.source",
        lambda: centre.matches.enter(REF, "REGISTER", {"kanji_name": "x"}, examiner),
    )
    refused(
        NotFound,
        "ra.match.none",
        lambda: centre.matches.explain(REF, "REGISTER", "address", "転居", examiner),
    )


def test_answers_are_read_once(empty_centre: Centre) -> None:
    """The same file again changes nothing; another answer for the same line is refused."""
    centre = empty_centre
    made = asked(centre, row(1), row(2))
    octets = answers_to(made.rows)
    assert told(answer(centre, octets)) == [(REF, "CONFIRMED"), (ref_of(2), "CONFIRMED")]
    head = centre.trail.verify()
    assert told(answer(centre, octets)) == [(REF, "ALREADY"), (ref_of(2), "ALREADY")]
    other = answer(centre, answers_to(made.rows[:1], "抹消"))
    assert told(other) == [(REF, "REJECTED")]
    assert "REGISTERED" in other[0].words
    assert centre.trail.verify() == head
    assert qualification(centre, REF) == (CheckResult.OK, "")


def test_answers_that_fit_no_line_are_refused_and_the_others_kept(empty_centre: Centre) -> None:
    centre = empty_centre
    made = asked(centre, *[row(number) for number in range(1, 8)])
    first, rest = made.rows[:1], made.rows[1:]
    bad = b"".join(
        answers_to(rest[place : place + 1], **changes).split(b"\n", 1)[1]
        for place, changes in enumerate(
            (
                {"line": "99"},
                {"line": "二"},
                {"line": "-1"},
                {"inquiry": "Q20260101-000000"},
                {"answer": "多分"},
                {"birth_date": "昭和99年"},
            )
        )
    )
    rows = answer(centre, answers_to(first) + bad)
    assert told(rows) == [
        (REF, "CONFIRMED"),
        *[(None, "REJECTED")] * 4,
        (ref_of(6), "REJECTED"),
        (ref_of(7), "REJECTED"),
    ]
    assert [one.line for one in rows] == list(range(2, 9))
    assert all(one.words for one in rows[1:])
    assert qualification(centre, ref_of(6)) is qualification(centre, ref_of(7)) is None


def test_an_answer_that_comes_after_the_file_moved_on_changes_nothing(centre: Centre) -> None:
    examiner = centre.signers["uketsuke"]
    made = asked(centre, row(1), row(2))
    centre.examination.withdraw(REF, examiner, "取下書")
    centre.inquiries.recall(ref_of(2), examiner, "誤記")
    rows = answer(centre, answers_to(made.rows))
    assert told(rows) == [(REF, "REJECTED"), (ref_of(2), "REJECTED")]
    assert [one.words for one in rows] == ["the file is WITHDRAWN", "the file is EXAMINING"]
    centre.pass_time(minutes=1)
    again = centre.inquiries.make([ref_of(2)], examiner)
    answer(centre, answers_to(made.rows[1:]))
    act = centre.examination.examine
    refused(
        Refused, "ra.guard.answered", lambda: act(ref_of(2), examiner, rest_ok=True)
    )  # the answer to the newest inquiry counts
    answer(centre, answers_to(again.rows))
    act(ref_of(2), examiner, rest_ok=True)


def test_the_evidence_lies_encrypted(empty_centre: Centre) -> None:
    centre = empty_centre
    made = asked(centre, row(1))
    octets = answers_to(made.rows)
    answer(centre, octets)
    (kept,) = (centre.folder / "documents").iterdir()
    assert "髙橋".encode() not in kept.read_bytes()
    with centre.store.read() as tx:
        item = tx.get_one(InquiryItem, (made.inquiry_id, 1))
        file = tx.get_one(AnswerFile, item.evidence)
    assert (item.answer, item.answered_on, item.entered_by) == (
        Answer.REGISTERED,
        centre.registrar.today,
        "uketsuke",
    )
    assert (file.file_name, file.octets) == (kept.name, len(octets))
    assert centre.cabinet.strays() == ()
    assert centre.inquiries.rows(made.inquiry_id) == made.rows
    refused(NotFound, "ra.inquiry.unknown", lambda: centre.inquiries.rows("Q0"))


# --- duplicates ---


def alike(centre: Centre, ref: str) -> dict[str, list[Likeness]]:
    with centre.store.read() as tx:
        found = candidates(tx, find_application(tx, ref))
    return {one.other.ref: list(one.likenesses) for one in found}


def test_the_same_licence_person_and_certificate_are_found(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    born, number = row(1)["birth_date"], row(1)["registration_number"]
    like = {"birth_date": born}
    others = [
        row(2, registration_number=number),
        row(3, **like, kanji_name="高橋　一郎"),
        row(4, **like, kanji_name="高梁　壱朗"),
        row(5, **like, kanji_name="鈴木　花子", kana_name="スズキ　ハナコ"),
        row(6, kanji_name="高橋　一郎"),
        row(7, registration_number=number, profession="薬剤師"),
    ]
    take_in(centre, *others)
    found = alike(centre, REF)
    assert found == {
        ref_of(2): [Likeness.SAME_LICENCE],
        ref_of(3): [Likeness.SAME_PERSON],
        ref_of(4): [Likeness.SAME_PERSON],
    }
    assert alike(centre, ref_of(2)) == {REF: [Likeness.SAME_LICENCE]}
    issue_on(centre, order, 1)
    with centre.store.begin() as tx:
        centre.examination.mark_personalised(tx, REF)
    assert alike(centre, ref_of(3))[REF] == [Likeness.SAME_PERSON, Likeness.VALID_CERTIFICATE]
    assert alike(centre, ref_of(2))[REF] == [Likeness.SAME_LICENCE, Likeness.VALID_CERTIFICATE]


def test_a_choice_wants_a_candidate_and_a_reason(empty_centre: Centre) -> None:
    centre, examiner = empty_centre, empty_centre.signers["uketsuke"]
    take_in(centre, row(1), row(2, registration_number=row(1)["registration_number"]), row(3))
    choose = centre.duplicates.choose
    other = ref_of(2)
    refused(Conflict, "ra.state", lambda: choose(REF, other, Choice.OTHER_PERSON, "別人", examiner))
    centre.reception.complete(REF, examiner)
    refused(
        InvalidInput,
        "ra.duplicate.reason",
        lambda: choose(REF, other, Choice.OTHER_PERSON, "\u3000", examiner),
    )
    for stranger in (ref_of(3), REF, "T2026-0099"):
        refused(
            NotFound,
            "ra.duplicate.unknown",
            lambda: choose(REF, stranger, Choice.DUPLICATE, "同じ", examiner),  # noqa: B023
        )
    choose(REF, other, Choice.DUPLICATE, "同じ人", examiner)
    choose(REF, other, Choice.OTHER_PERSON, "別人と確認", examiner)
    with centre.store.read() as tx:
        (kept,) = work.choices_of(tx, REF)
    assert (kept.choice, kept.reason) == (Choice.OTHER_PERSON, "別人と確認")
    said = entries(centre, "APP.DUPLICATE")
    assert [json.loads(one.body)["detail"]["choice"] for one in said] == [
        "DUPLICATE",
        "OTHER_PERSON",
    ]
    assert "別人" not in said[-1].body


def test_a_duplicate_that_came_after_the_examination_stops_the_approval(centre: Centre) -> None:
    examined(centre, row(1))
    take_in(centre, row(2, registration_number=row(1)["registration_number"]))
    refusal = refused(Refused, "ra.guard.duplicates_chosen", lambda: approve(centre))
    assert ref_of(2) in refusal.text


# --- fees ---


def fee_of(centre: Centre, ref: str) -> tuple[int, FeeState] | None:
    with centre.store.read() as tx:
        fee = tx.get(work.Fee, ref)
    return (fee.yen, fee.state) if fee else None


def test_a_fee_is_paid_waived_or_the_file_goes_back(centre: Centre) -> None:
    reception, approver = centre.signers["uketsuke"], centre.signers["shonin"]
    examined(centre, *[row(number, member_id="") for number in range(1, 4)], row(4))
    refused(Conflict, "ra.fee.none", lambda: centre.fees.pay(ref_of(4), 5500, "x", reception))
    for number in range(1, 4):
        assert approve(centre, ref_of(number)) is None
        assert state_of(centre, ref_of(number)) is _S.PAYMENT_WAIT
    assert fee_of(centre, REF) == (5500, FeeState.DUE)
    pay, waive = centre.fees.pay, centre.fees.waive
    refused(InvalidInput, "ra.fee.sum", lambda: pay(REF, 5000, "入金票", reception))
    refused(InvalidInput, "ra.fee.reference", lambda: pay(REF, 5500, " ", reception))
    refused(InvalidInput, "ra.fee.reason", lambda: waive(REF, "", approver))
    pay(REF, 5500, "入金票 7", reception)
    refused(Conflict, "ra.fee.none", lambda: pay(REF, 5500, "入金票 8", reception))
    waive(ref_of(2), "災害", approver)
    centre.letters.send(ref_of(3), NoticeKind.FEE, "MAIL", reception)
    centre.pass_time(days=61)
    centre.reception.return_file(ref_of(3), approver, "未入金")
    refused(Conflict, "ra.fee.over", lambda: pay(ref_of(3), 5500, "遅れた入金", reception))
    assert [fee_of(centre, ref_of(number)) for number in range(1, 5)] == [
        (5500, FeeState.PAID),
        (5500, FeeState.WAIVED),
        (5500, FeeState.DUE),
        None,
    ]
    states = [state_of(centre, ref_of(number)) for number in range(1, 4)]
    assert states == [_S.ISSUING, _S.ISSUING, _S.RETURNED]
    assert [one.object_id for one in entries(centre, "ISSUE.ORDER")] == [
        f"{REF}.1",
        f"{ref_of(2)}.1",
    ]
    assert "入金票" not in "".join(one.body for one in entries(centre))
    assert sound(centre)


def test_a_fee_paid_early_lets_the_file_through(centre: Centre) -> None:
    take_in(centre, row(1, member_id=""))
    centre.fees.pay(REF, 5500, "入金票", centre.signers["uketsuke"])
    bring_to_examination(centre, REF)
    centre.examination.examine(REF, centre.signers["uketsuke"], rest_ok=True)
    assert approve(centre) is not None
    assert ("APPROVED>ISSUING", "APP.STATE") in made_moves(centre)


def test_a_file_changed_while_it_waited_for_its_fee_is_not_ordered(centre: Centre) -> None:
    """And the payment is not kept: the money is told of again once the file is in order."""
    examined(centre, row(1, member_id=""))
    approve(centre)
    with centre.store.begin() as tx:
        records.applicant(tx, find_application(tx, REF)).address = "東京都架空区1-1"
    refusal = refused(
        Refused,
        "ra.dossier.changed",
        lambda: centre.fees.pay(REF, 5500, "入金票", centre.signers["uketsuke"]),
    )
    assert refusal.text.endswith(": address")
    assert fee_of(centre, REF) == (5500, FeeState.DUE)
    centre.examination.send_back(REF, centre.signers["shonin"], "住所の変更")
    assert state_of(centre) is _S.EXAMINING


# --- clocks ---


def due(centre: Centre, ref: str = REF) -> tuple[date | None, int]:
    with centre.store.read() as tx:
        application = find_application(tx, ref)
        return application.due_on, application.stopped_days


def test_the_clock_stands_while_a_file_waits_for_its_applicant(centre: Centre) -> None:
    """What it waits for papers or money is added to the centre's own days."""
    examiner = centre.signers["uketsuke"]
    received = date(2026, 9, 1)
    days = int(centre.registrar.parameters.value("OPEN_FILE_DAYS"))
    today = centre.registrar.today
    take_in(centre, row(1, member_id=""))
    assert due(centre) == (received + timedelta(days=days), 0)
    centre.reception.ask(REF, ["PHOTO"], "", examiner)
    assert due(centre) == (today + timedelta(days=60), 0)
    centre.pass_time(days=12)
    bring_to_examination(centre, REF)
    assert due(centre) == (received + timedelta(days=days + 12), 12)
    centre.pass_time(days=3)
    centre.examination.examine(REF, examiner, rest_ok=True)
    assert due(centre) == (received + timedelta(days=days + 12), 12)
    approve(centre)
    assert due(centre) == (today + timedelta(days=15 + 30), 12)
    centre.pass_time(days=5)
    centre.fees.pay(REF, 5500, "入金票", examiner)
    assert due(centre) == (received + timedelta(days=days + 17), 17)
    centre.examination.withdraw(REF, centre.signers["shonin"], "死亡届")
    assert due(centre) == (None, 17)


def test_letters_are_due_and_sent_once(empty_centre: Centre) -> None:
    centre, signer = empty_centre, empty_centre.signers["uketsuke"]
    take_in(centre, row(1, documents="PHOTO"))
    send = centre.letters.send
    refused(Conflict, "ra.notice.none", lambda: send(REF, NoticeKind.DEFICIENCY, "MAIL", signer))
    asked_for = centre.reception.ask(REF, [], "電話でも依頼", signer)
    assert asked_for.items == "APPLICATION_FORM,LICENCE_COPY,PHOTO_ID,RESIDENT_RECORD"
    (notice,) = centre.letters.due()
    assert (notice.kind, notice.due_on) == (NoticeKind.DEFICIENCY, date(2026, 11, 26))
    for way in ("", "by mail", "x" * 20):
        refused(
            InvalidInput,
            "ra.notice.way",
            lambda: send(REF, NoticeKind.DEFICIENCY, way, signer),  # noqa: B023
        )
    send(REF, NoticeKind.DEFICIENCY, "MAIL", signer)
    assert centre.letters.due() == []
    refused(Conflict, "ra.notice.none", lambda: send(REF, NoticeKind.DEFICIENCY, "MAIL", signer))
    assert "電話" not in "".join(one.body for one in entries(centre))
