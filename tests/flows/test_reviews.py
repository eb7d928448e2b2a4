"""An emergency is reviewed by another person, once; the revocation stands whatever they say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date

import pytest
from sqlmodel import select

from operators.records import Statement
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused
from policies.roles import Role
from ra.dossiers import salted
from ra.records import RevocationRequest, find_application
from ra.revocation import CallerCheck, Request, Verdict, request_digest, review_decision
from store.database import Transaction
from tests.flows.conftest import Centre, identity
from tests.flows.issuing import refused
from tests.flows.registration import certificates_on, entries, make_cards, row

NOTE = "通話記録を確認した"


def emergency(centre: Centre, **changes: str) -> tuple[str, str]:
    """A card revoked at three in the morning: the request's id and the card."""
    known = row(1, **changes)
    (card,) = make_cards(centre, known)
    born = date.fromisoformat(known["birth_date"])
    check = CallerCheck(True, known["registration_number"], born)
    request = Request("S02_CARD_LOST", "subscriber", "TELEPHONE", "call-back 03:10", check)
    centre.desk.revoke(centre.desk.find(card), request, centre.signers["shikko"], None)
    (made,) = centre.desk.requests()
    return made.id, card


def review(
    centre: Centre, request_id: str, by: str = "toroku", verdict: Verdict = Verdict.CONFIRMED
) -> RevocationRequest:
    return centre.desk.review(request_id, centre.signers[by], verdict, NOTE)


@pytest.mark.parametrize("verdict", Verdict)
def test_another_person_reviews_once(centre: Centre, verdict: Verdict) -> None:
    request_id, card = emergency(centre)
    assert [one.id for one in centre.desk.requests(unreviewed=True)] == [request_id]
    centre.pass_time(days=1)
    made = review(centre, request_id, verdict=verdict)
    assert (made.review, made.review_note, made.reviewer, made.reviewed_at) == (
        verdict,
        NOTE,
        "toroku",
        centre.now,
    )
    assert centre.desk.requests(unreviewed=True) == []
    assert len(centre.desk.requests()) == 1
    entry = json.loads(entries(centre)[-1].body)
    assert (entry["code"], entry["actor_id"], entry["actor_role"], entry["object_id"]) == (
        "REV.REVIEW",
        "toroku",
        "RA_MANAGER",
        request_id,
    )
    assert NOTE not in json.dumps([one.body for one in entries(centre)], ensure_ascii=False)
    with centre.store.read() as tx:
        kept = tx.exec(select(Statement).where(Statement.type == "EMERGENCY_REVIEW")).one()
        assert NOTE not in kept.body
        salt = find_application(tx, made.application_ref).salt
        said = salted("review_note", NOTE, salt)
        seen = request_digest(tx, made)
        expected = review_decision(made, seen, verdict, Role.RA_MANAGER, said)
        assert centre.directory.verify_kept(tx, kept.id, expected) == "toroku"
        other = review_decision(made, "0" * 64, verdict, Role.RA_MANAGER, said)
        refused(
            Refused,
            "operators.statement.differs",
            lambda: centre.directory.verify_kept(tx, kept.id, other),
        )
    refused(Conflict, "ra.review.twice", lambda: review(centre, request_id))
    assert centre.desk.find(card).certificates == ()  # disputed or not: final
    centre.trail.verify()


def test_who_may_not_review(centre: Centre) -> None:
    own = identity("toroku")
    request_id, _ = emergency(
        centre, romaji_name=own.full_name.upper(), birth_date=str(own.birth_date)
    )
    head = centre.trail.verify()
    refused(Refused, "ra.review.self", lambda: review(centre, request_id, "shikko"))
    refused(Refused, "operators.own_file", lambda: review(centre, request_id))
    refused(Refused, "operators.role.missing", lambda: review(centre, request_id, "hakko"))
    for note in ("", "\u3000 "):
        signer = centre.signers["toroku"]
        refused(
            InvalidInput,
            "ra.review.note",
            lambda: centre.desk.review(request_id, signer, Verdict.CONFIRMED, note),  # noqa: B023
        )
    refused(NotFound, "ra.request.unknown", lambda: review(centre, "R-0"))
    assert len(centre.desk.requests(unreviewed=True)) == 1
    assert centre.trail.verify() == head
    centre.appoint("shikko-ni", Role.REV_OFFICER, manager="kanri")
    assert review(centre, request_id, "shikko-ni").reviewer == "shikko-ni"


def test_only_an_emergency_that_was_carried_out_is_reviewed(centre: Centre) -> None:
    lost, dead = make_cards(centre, row(1), row(2))
    signers = centre.signers
    wrong = CallerCheck(True, "999999", date(1980, 1, 2))
    call = Request("S02_CARD_LOST", "subscriber", "TELEPHONE", "call-back", wrong)
    refused(
        Refused,
        "ra.revoke.caller",
        lambda: centre.desk.revoke(centre.desk.find(lost), call, signers["shikko"], None),
    )
    letter = Request("R01_DEATH", "heir", "NOTICE", "死亡届の写し")
    centre.desk.revoke(centre.desk.find(dead), letter, signers["shikko"], signers["hakko"])
    assert centre.desk.requests(unreviewed=True) == []
    for one in centre.desk.requests():
        refused(Conflict, "ra.review.none", lambda: review(centre, one.id))  # noqa: B023


def set_field(name: str, value: str) -> Callable[[Transaction, str], None]:
    def act(tx: Transaction, request_id: str) -> None:
        setattr(tx.get_one(RevocationRequest, request_id), name, value)

    return act


def drop_statement(tx: Transaction, request_id: str) -> None:
    statement_id = tx.get_one(RevocationRequest, request_id).statement_id
    tx.delete(tx.get_one(Statement, statement_id))


ATTACKS = {
    "evidence": (set_field("evidence", "another call"), "operators.statement.differs"),
    "requester": (set_field("requester", "heir"), "operators.statement.differs"),
    "ground": (set_field("ground", "R01_DEATH"), "operators.statement.differs"),
    "carrier": (set_field("carrier_id", "card-00"), "operators.statement.differs"),
    "officer": (set_field("officer", "hakko"), "ra.review.officer"),
    "statement": (drop_statement, "operators.statement.missing"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_request_changed_behind_our_back_is_not_reviewed(centre: Centre, attack: str) -> None:
    request_id, card = emergency(centre)
    change, code = ATTACKS[attack]
    with centre.store.begin() as tx:
        change(tx, request_id)
    with pytest.raises(HpkiError) as refusal:
        review(centre, request_id)
    assert refusal.value.code == code
    assert len(certificates_on(centre, card)) == 2
    assert len(centre.desk.requests(unreviewed=True)) == 1
