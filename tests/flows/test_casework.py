"""The moves of applications: each made once, all others refused, each guard by its own code."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import pytest

from ca.carriers import card_carrier, file_carrier
from ca.records import CarrierKind, Order
from operators.evidence.store import verify_statements
from pki.errors import HpkiError, InvalidInput, Refused
from policies.moves import ApplicationState, Guard, moves
from policies.profiles import Purpose
from ra.casework.duplicates import candidates
from ra.casework.records import Choice, NoticeKind
from ra.erasure import Erasure
from ra.intake import Outcome
from ra.records import find_application
from reports.reconciliation import check_rows
from store.database import Transaction
from tests.flows.conftest import Centre
from tests.flows.issuing import prepare, refused
from tests.flows.registration import (
    Row,
    answers_to,
    batch_for,
    bring_to_examination,
    entries,
    order_all,
    row,
    take_in,
)
from tests.flows.test_desk import LETTER
from tests.flows.test_desk import revoke as revoke_carrier

_S = ApplicationState
REF = "T2026-0001"
BEFORE_APPROVAL = ["DRAFT", "RECEIVED", "DEFICIENT", "EXAMINING", "QUAL_INQUIRY", "EXAMINED"]
ALLOWED = {
    *["DRAFT>RECEIVED", "DRAFT>RETURNED", "RECEIVED>EXAMINING", "RECEIVED>DEFICIENT"],
    *["DEFICIENT>EXAMINING", "DEFICIENT>RETURNED", "EXAMINING>DEFICIENT", "EXAMINING>QUAL_INQUIRY"],
    *["QUAL_INQUIRY>EXAMINING", "QUAL_INQUIRY>EXAMINED", "EXAMINING>EXAMINED"],
    *["EXAMINED>APPROVED", "EXAMINED>REJECTED", "EXAMINED>EXAMINING", "EXAMINED>COMPLETED"],
    *(f"{state}>WITHDRAWN" for state in BEFORE_APPROVAL),
    *(
        f"{state}>{to}"
        for state in ("APPROVED", "PAYMENT_WAIT", "ISSUING")
        for to in ("WITHDRAWN", "EXAMINING")
    ),
    *["APPROVED>PAYMENT_WAIT", "APPROVED>ISSUING", "PAYMENT_WAIT>ISSUING", "PAYMENT_WAIT>RETURNED"],
    *["ISSUING>ISSUED", "ISSUED>PERSONALISED"],
    *(f"{state}>CLOSED_REVOKED" for state in ("ISSUING", "ISSUED", "PERSONALISED")),
}
"""The table of moves once more, so that a new one is a decision; those for later left out."""


def ref_of(number: int) -> str:
    return f"T2026-{number:04d}"


def state_of(centre: Centre, ref: str = REF) -> ApplicationState:
    with centre.store.read() as tx:
        return find_application(tx, ref).state


def put(centre: Centre, state: ApplicationState, ref: str = REF, **values: object) -> None:
    """Write past the program."""
    with centre.store.begin() as tx:
        application = find_application(tx, ref)
        application.state = state
        for name, value in values.items():
            setattr(application, name, value)


def made_moves(centre: Centre) -> list[tuple[str, str]]:
    """Every move that the trail tells of, with its entry's code."""
    bodies = (json.loads(one.body) for one in entries(centre))
    found = ((one["detail"].get("move"), one["code"]) for one in bodies)
    return [(str(move), code) for move, code in found if move]


def sound(centre: Centre) -> bool:
    """Whether rows and trail agree."""
    with centre.store.read() as tx:
        return list(check_rows(tx, centre.archive)) == []


def examined(centre: Centre, *rows: Row) -> None:
    """Take the rows in and sign their examination."""
    take_in(centre, *rows)
    refs = [one["application_ref"] for one in rows]
    bring_to_examination(centre, *refs)
    for ref in refs:
        centre.examination.examine(ref, centre.signers["uketsuke"], rest_ok=True)


def approve(centre: Centre, ref: str = REF, by: str = "shonin") -> Order | None:
    return centre.examination.approve(ref, centre.signers[by])


def issue_on(centre: Centre, order: Order, number: int) -> None:
    """A signature certificate of the order, on a card or in a file as was approved."""
    on_card = json.loads(order.dossier)["content"]["carrier"] == "CARD"
    carrier = card_carrier(f"{number:08d}", order.id) if on_card else file_carrier(order.id)
    prepared = prepare(centre, order.id, Purpose.SIGN, number)
    batch = batch_for(centre, order.id, batch_id=f"b-{order.id}")
    centre.orders.issue(prepared, order.id, Purpose.SIGN, carrier, batch)


# --- the table ---


def test_every_move_is_made_by_the_services_and_entered_with_its_code(centre: Centre) -> None:
    walk_drafts(centre)
    walk_reception(centre)
    walk_examination(centre)
    walk_decisions(centre)
    walk_orders(centre)
    walk_without_certificates(centre)
    table = {f"{one.origin}>{one.to}": one.code for one in moves().move if not one.later}
    transient = {"APPROVED>WITHDRAWN", "APPROVED>EXAMINING"}  # nothing stays APPROVED: see below
    assert set(table) == ALLOWED
    assert set(made_moves(centre)) == {
        (move, code) for move, code in table.items() if move not in transient
    }
    assert sound(centre)
    verify_statements(centre.directory)


def walk_drafts(centre: Centre) -> None:
    """To RECEIVED, WITHDRAWN and, sixty days later, RETURNED."""
    signer = centre.signers["uketsuke"]
    rows = [row(number, web_id=f"W-{number}") for number in (1, 2, 3)]
    take_in(centre, *rows, drafts=True)
    centre.reception.receive(ref_of(1), "W-1", signer)
    centre.examination.withdraw(ref_of(2), signer, "取下書")
    centre.pass_time(days=61)
    assert Erasure(centre.store, centre.registrar, centre.vault).purge() == (ref_of(3),)


def walk_reception(centre: Centre) -> None:
    """From RECEIVED and DEFICIENT wherever it goes."""
    signer, reception = centre.signers["uketsuke"], centre.reception
    take_in(centre, *[row(number) for number in range(4, 9)])
    for number in (4, 5, 6):
        reception.ask(ref_of(number), ["PHOTO"], "", signer)
    reception.complete(ref_of(4), signer)
    centre.examination.withdraw(ref_of(5), signer, "取下書")
    centre.examination.withdraw(ref_of(7), signer, "取下書")
    centre.letters.send(ref_of(6), NoticeKind.DEFICIENCY, "MAIL", signer)
    centre.pass_time(days=61)
    reception.return_file(ref_of(6), signer, "期限経過")
    reception.complete(ref_of(8), signer)
    reception.ask(ref_of(8), ["PHOTO"], "写真が不鮮明", signer)


def walk_examination(centre: Centre) -> None:
    """From EXAMINING and QUAL_INQUIRY back and out."""
    signer = centre.signers["uketsuke"]
    take_in(centre, *[row(number) for number in range(9, 12)])
    centre.reception.complete(ref_of(9), signer)
    centre.examination.withdraw(ref_of(9), signer, "取下書")
    bring_to_examination(centre, ref_of(10), ref_of(11))
    centre.inquiries.recall(ref_of(10), signer, "登録番号の誤記")
    centre.examination.withdraw(ref_of(11), signer, "取下書")


def walk_decisions(centre: Centre) -> None:
    """From EXAMINED and PAYMENT_WAIT wherever it goes."""
    signer, approver = centre.signers["uketsuke"], centre.signers["shonin"]
    to_pay = [row(number, member_id="") for number in range(15, 19)]
    examined(centre, *[row(number) for number in range(12, 15)], *to_pay)
    centre.examination.withdraw(ref_of(12), signer, "取下書")
    centre.examination.reject(ref_of(13), approver, "R02")
    centre.examination.send_back(ref_of(14), approver, "住所の確認")
    for one in to_pay:
        assert approve(centre, one["application_ref"]) is None
    centre.fees.pay(ref_of(15), 5500, "入金票 1", signer)
    centre.examination.withdraw(ref_of(16), approver, "死亡届")
    centre.examination.send_back(ref_of(17), approver, "氏名の確認")
    centre.letters.send(ref_of(18), NoticeKind.FEE, "MAIL", signer)
    centre.pass_time(days=61)
    centre.reception.return_file(ref_of(18), approver, "未入金")


def walk_orders(centre: Centre) -> None:
    """From APPROVED by ISSUING to what was made, and to its revocation."""
    approver = centre.signers["shonin"]
    cards = order_all(centre, *[row(number) for number in range(19, 23)])
    files = order_all(centre, row(23), carrier=CarrierKind.FILE)
    centre.examination.withdraw(ref_of(19), approver, "死亡届")
    centre.examination.send_back(ref_of(20), approver, "氏名の確認")
    for number, order in enumerate([*cards[2:], *files], start=1):
        issue_on(centre, order, number)
    with centre.store.begin() as tx:
        centre.examination.mark_personalised(tx, ref_of(22))
    centre.examination.mark_issued(files[0].id)
    for number in (21, 22, 23):
        revoke_carrier(centre, ref_of(number), LETTER, "hakko")


def walk_without_certificates(centre: Centre) -> None:
    """From EXAMINING straight to EXAMINED, and to COMPLETED."""
    signer = centre.signers["uketsuke"]
    loss = row(22, application_ref=ref_of(24), type="LOSS_REPORT", replaces=ref_of(22))
    take_in(centre, loss | {"received_on": "2026-11-02"})
    centre.reception.complete(ref_of(24), signer)
    centre.examination.examine(ref_of(24), signer, rest_ok=True)
    centre.reception.carry_out(ref_of(24), signer)


def test_a_move_that_is_not_in_the_table_is_refused(empty_centre: Centre) -> None:
    """Each of 22 times 22; those for later too. What the guards say of the others is not asked."""
    take_in(empty_centre, row(1))
    found = set()
    tx = Transaction(empty_centre.store.engine)  # nothing of it is kept
    application = find_application(tx, REF)
    for origin in ApplicationState:
        for to in ApplicationState:
            application.state = origin
            code = outcome(lambda: empty_centre.registrar.follow(tx, application, to))  # noqa: B023
            if code != "ra.state":
                found.add(f"{origin}>{to}")
            assert application.state is (to if code == "made" else origin)
            assert code in ("ra.state", "made") or code.startswith("ra.guard.")
    tx.close()
    assert found == ALLOWED


def outcome(act: Callable[[], object]) -> str:
    """The code of the error, or "made"."""
    try:
        act()
    except HpkiError as error:
        return error.code
    return "made"


def test_what_stays_approved_can_be_taken_back(centre: Centre) -> None:
    """As when a store was returned to the moment between approval and order."""
    examined(centre, row(1), row(2))
    for ref, act in ((REF, centre.examination.withdraw), (ref_of(2), centre.examination.send_back)):
        put(centre, _S.APPROVED, ref)
        act(ref, centre.signers["shonin"], "死亡届")
    assert made_moves(centre)[-2:] == [
        ("APPROVED>WITHDRAWN", "APP.WITHDRAW"),
        ("APPROVED>EXAMINING", "APP.SENDBACK"),
    ]


# --- guards ---


@pytest.fixture
def files(centre: Centre) -> Centre:
    """Three members' files examined, the third with a failed check; one is under examination."""
    take_in(centre, *[row(number) for number in range(1, 5)])
    bring_to_examination(centre, *[ref_of(number) for number in range(1, 5)])
    examiner = centre.signers["uketsuke"]
    for number, failures in ((1, {}), (2, {}), (3, {"INTENT": "署名なし"})):
        centre.examination.examine(ref_of(number), examiner, failures, rest_ok=True)
    return centre


def test_the_guards_of_reception_and_drafts(empty_centre: Centre) -> None:
    centre, signer = empty_centre, empty_centre.signers["uketsuke"]
    reception = centre.reception
    take_in(centre, row(1, documents="PHOTO"), row(2))
    take_in(centre, row(3, web_id="W-3"), drafts=True)

    def enter(to: ApplicationState) -> None:
        with centre.store.begin() as tx:
            centre.registrar.enter(tx, find_application(tx, REF), to, signer)

    guard(centre, Guard.WEB_ID, lambda: reception.receive(ref_of(3), "W-4", signer), ref_of(3))
    text = guard(centre, Guard.DOCUMENTS_PRESENT, lambda: reception.complete(REF, signer))
    assert "APPLICATION_FORM, LICENCE_COPY, PHOTO_ID, RESIDENT_RECORD" in text
    guard(centre, Guard.ITEMS_LISTED, lambda: enter(_S.DEFICIENT))
    for words in ("", " \u3000"):
        guard(centre, Guard.REASON, lambda: centre.examination.withdraw(REF, signer, words))  # noqa: B023
    put(centre, _S.RECEIVED, ref_of(2), terms_version="")
    guard(centre, Guard.TERMS_AGREED, lambda: reception.complete(ref_of(2), signer), ref_of(2))
    reception.ask(REF, [], "", signer)
    refused(InvalidInput, "ra.deficiency.none", lambda: reception.ask(ref_of(2), [], "", signer))
    guard(centre, Guard.NOTICE_SENT, lambda: reception.return_file(REF, signer, ""))
    centre.letters.send(REF, NoticeKind.DEFICIENCY, "MAIL", signer)
    centre.pass_time(days=60)
    text = guard(centre, Guard.PERIOD_OVER, lambda: reception.return_file(REF, signer, ""))
    assert text.endswith("the period runs until 2027-01-20")
    centre.pass_time(days=1)
    reception.return_file(REF, signer, "")

    def purge() -> None:
        with centre.store.begin() as tx:
            centre.registrar.follow(tx, find_application(tx, ref_of(3)), _S.RETURNED)

    guard(centre, Guard.PURGED, purge, ref_of(3))


def guard(
    centre: Centre, wanted: Guard, act: Callable[[], object], ref: str = REF, part: str = ""
) -> str:
    """Want the guard's refusal, nothing changed and nothing entered; return its text."""
    before, head = state_of(centre, ref), centre.trail.verify()
    refusal = refused(Refused, f"ra.guard.{wanted.lower()}", act)
    assert (state_of(centre, ref), centre.trail.verify()) == (before, head)
    assert refusal.text.startswith(f"{ref}: ")
    assert part in refusal.text
    assert refusal.hint
    return refusal.text


def test_an_unusual_romaji_is_confirmed_by_itself(centre: Centre) -> None:
    """Not even a signature over all the rest confirms what goes into the certificate."""
    examiner, name = centre.signers["uketsuke"], "TAKAHASI ICHIRO"
    take_in(centre, row(1, romaji_name=name))
    centre.reception.complete(REF, examiner)
    for kind in ("IDENTITY", "DATA_MATCH"):
        centre.examination.check(REF, kind, examiner, ok=True)
    ask_and_answer(centre, REF)

    def rest_ok() -> object:
        return centre.examination.examine(REF, examiner, rest_ok=True)

    guard(centre, Guard.ROMAJI_CONFIRMED, rest_ok, part="TAKAHASHI ICHIRO")
    centre.matches.enter(REF, "APPLICATION_FORM", {"romaji_name": name}, examiner)
    rest_ok()


def test_a_decision_is_never_entered_unsigned(centre: Centre) -> None:
    take_in(centre, row(1))
    bring_to_examination(centre, REF)
    centre.examination.examine(REF, centre.signers["uketsuke"], rest_ok=True)

    def enter(to: ApplicationState) -> None:
        with centre.store.begin() as tx:
            application = find_application(tx, REF)
            centre.registrar.enter(tx, application, to, centre.signers["shonin"], "理由")

    for to in (_S.APPROVED, _S.REJECTED):
        refused(Refused, "ra.move.unsigned", partial(enter, to))


def test_the_guards_of_the_examination(centre: Centre) -> None:
    examiner, approver = centre.signers["uketsuke"], centre.signers["shonin"]
    same = {"registration_number": row(1)["registration_number"]}
    take_in(centre, row(1), row(2, **same), row(3))
    for number in (1, 3):
        centre.reception.complete(ref_of(number), examiner)
    for kind in ("IDENTITY", "DATA_MATCH"):
        centre.examination.check(ref_of(3), kind, examiner, ok=True)
    made = centre.inquiries.make([ref_of(3), REF], examiner)
    assert [(ref, one.code) for ref, one in made.refused] == [(REF, "ra.guard.identity_matched")]

    def examine(ref: str = REF) -> object:
        return centre.examination.examine(ref, examiner)

    guard(centre, Guard.NO_INQUIRY, examine)
    guard(centre, Guard.ANSWERED, lambda: examine(ref_of(3)), ref_of(3))
    centre.pass_time(seconds=1)
    take_back(centre, ref_of(3))
    for kind in ("IDENTITY", "DATA_MATCH"):
        centre.examination.check(REF, kind, examiner, ok=True)
    ask_and_answer(centre, REF)
    wanted = "INTENT, APPLICATION_FORM, PHOTO, LICENCE_COPY, PHOTO_ID, RESIDENT_RECORD"
    guard(centre, Guard.CHECKED, examine, part=f"not checked yet: {wanted}")
    centre.matches.enter(REF, "LICENCE_COPY", {"kanji_name": "髙橋　次郎"}, examiner)

    def rest_ok() -> object:
        return centre.examination.examine(REF, examiner, rest_ok=True)

    guard(centre, Guard.DUPLICATES_CHOSEN, rest_ok, part=f"without a choice: {ref_of(2)}")
    centre.duplicates.choose(REF, ref_of(2), Choice.DUPLICATE, "同じ人", examiner)
    rest_ok()
    part = "LICENCE_COPY.kanji_name"
    guard(centre, Guard.EXPLAINED, lambda: approve(centre), part=part)
    centre.examination.send_back(REF, approver, "説明を")
    centre.matches.explain(REF, "LICENCE_COPY", "kanji_name", "改名", examiner)
    centre.pass_time(seconds=1)
    ask_and_answer(centre, REF)
    rest_ok()
    guard(centre, Guard.DUPLICATES_CHOSEN, lambda: approve(centre), part=f"doubles {ref_of(2)}")
    guard(centre, Guard.ISSUES_NOTHING, lambda: centre.reception.carry_out(REF, examiner))


def take_back(centre: Centre, ref: str) -> None:
    centre.inquiries.recall(ref, centre.signers["uketsuke"], "紙を見直す")


def ask_and_answer(centre: Centre, ref: str) -> None:
    examiner = centre.signers["uketsuke"]
    made = centre.inquiries.make([ref], examiner)
    centre.inquiries.answer(answers_to(made.rows), examiner)


def test_the_guards_of_the_decision(files: Centre) -> None:
    centre, approver = files, files.signers["shonin"]
    guard(
        centre,
        Guard.CHECKS_OK,
        lambda: approve(centre, ref_of(3)),
        ref_of(3),
        part="failed INTENT",
    )
    for act in (
        lambda: centre.examination.send_back(REF, approver, " "),
        lambda: centre.examination.withdraw(REF, centre.signers["uketsuke"], ""),
    ):
        guard(centre, Guard.REASON, act)
    order = approve(centre)
    assert order is not None
    put(centre, _S.APPROVED)

    def follow(to: ApplicationState) -> None:
        with centre.store.begin() as tx:
            centre.registrar.follow(tx, find_application(tx, REF), to)

    guard(centre, Guard.FEE_DUE, lambda: follow(_S.PAYMENT_WAIT))
    put(centre, _S.ISSUING)
    issue_on(centre, order, 1)
    for verb in (centre.examination.withdraw, centre.examination.send_back):
        guard(centre, Guard.NO_CERTIFICATE, lambda: verb(REF, approver, "死亡届"))  # noqa: B023
    examined(centre, row(5, member_id=""))
    assert approve(centre, ref_of(5)) is None

    def settle() -> None:
        with centre.store.begin() as tx:
            centre.registrar.follow(tx, find_application(tx, ref_of(5)), _S.ISSUING)

    guard(centre, Guard.FEE_SETTLED, settle, ref_of(5))


def test_the_guards_about_an_earlier_application(centre: Centre) -> None:
    """Its certificates live or are revoked, as the type wants it."""
    examiner = centre.signers["uketsuke"]
    (order,) = order_all(centre, row(1))
    issue_on(centre, order, 1)
    types = {2: "REISSUE_LOST", 3: "LOSS_REPORT", 4: "PIN_UNLOCK", 5: "REMOTE_NEW"}
    about = {"replaces": REF}
    changes = {
        number: about | {"type": name, "received_on": f"2026-11-0{number}"}
        for number, name in types.items()
    }
    later = [row(1, application_ref=ref_of(number), **one) for number, one in changes.items()]
    assert take_in(centre, *later).count(Outcome.ACCEPTED) == 4
    bring_to_examination(centre, ref_of(2), ref_of(5))
    for number in (3, 4):
        centre.reception.complete(ref_of(number), examiner)
    for kind in ("IDENTITY", "DATA_MATCH"):
        centre.examination.check(ref_of(3), kind, examiner, ok=True)
    made = refused(
        InvalidInput, "ra.inquiry.none", lambda: centre.inquiries.make([ref_of(3)], examiner)
    )
    assert "ra.guard.issues: " in made.text
    for number in types:
        choose_all(centre, ref_of(number))
        centre.examination.examine(ref_of(number), examiner, rest_ok=True)
    guard(centre, Guard.PREVIOUS, lambda: approve(centre, ref_of(2)), ref_of(2), "not revoked yet")
    guard(centre, Guard.ISSUES, lambda: approve(centre, ref_of(3)), ref_of(3), "issues nothing")
    for number in (3, 4):
        ref = ref_of(number)
        guard(centre, Guard.CARRIED_OUT, lambda: centre.reception.carry_out(ref, examiner), ref)  # noqa: B023
    revoke_carrier(centre, REF, LETTER, "hakko")
    guard(centre, Guard.PREVIOUS, lambda: approve(centre, ref_of(5)), ref_of(5), "no certificate")
    centre.reception.carry_out(ref_of(3), examiner)
    centre.reception.carry_out(ref_of(4), examiner, "窓口で解除した")
    assert approve(centre, ref_of(2)) is None  # a fee is due
    assert sound(centre)


def choose_all(centre: Centre, ref: str) -> None:
    """Say of every possible duplicate that both are wanted."""
    with centre.store.read() as tx:
        found = [one.other.ref for one in candidates(tx, find_application(tx, ref))]
    for other in found:
        centre.duplicates.choose(
            ref, other, Choice.BOTH_WANTED, "続けて届いた", centre.signers["uketsuke"]
        )
