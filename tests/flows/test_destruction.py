"""Destruction of cards: two people, nothing living, and an order that may go on."""

from __future__ import annotations

import json

import pytest
from sqlmodel import select

from audit.canonical import digest
from ca.records import CertificateState
from card_personalization import records
from card_personalization.destruction import Destruction, DestructionReason, destruction
from card_personalization.records import Card, CardState, RunState
from card_personalization.transport import FaultTransport
from operators.records import Statement
from pki.errors import Conflict, NotFound, Refused, Unavailable
from policies.roles import Role
from ra.revocation import Request
from tests.flows.conftest import Centre, identity
from tests.flows.issuing import refused
from tests.flows.registration import (
    blank_card,
    certificates_on,
    entries,
    make_cards,
    order_all,
    personalize,
    row,
)

FAULTY = DestructionReason.FAULTY
SCRAPPED = Request("C12_CARD_SCRAPPED", "CA", "SYSTEM", "run journal")


def service(centre: Centre) -> Destruction:
    return Destruction(centre.store, centre.trail, centre.directory, centre.trail.clock)


def destroy(centre: Centre, card: str, operator: str = "hakko", witness: str = "toroku") -> None:
    signers = centre.signers
    service(centre).destroy(card, signers[operator], signers[witness], FAULTY)


def state_of(centre: Centre, card: str) -> tuple[CardState, list[RunState], int]:
    with centre.store.read() as tx:
        return (
            tx.get_one(Card, card).state,
            [one.state for one in records.runs_of(tx, card)],
            len(records.envelopes_of(tx, card)),
        )


def break_off(centre: Centre, order_id: str, card: str, at: int) -> None:
    with pytest.raises(Unavailable):
        personalize(centre, order_id, FaultTransport(centre.stock.insert_virtual(card), fail_at=at))


def revoke(centre: Centre, target: str) -> None:
    signers = centre.signers
    found = centre.desk.find(target)
    centre.desk.revoke(found, SCRAPPED, signers["shikko"], signers["hakko"])


def test_a_stock_card_is_destroyed_by_two(centre: Centre) -> None:
    card = blank_card(centre)
    doomed = service(centre).find(card)
    assert (doomed.applicant, doomed.confirmation) == (None, card[-4:])
    seen = doomed.digest()
    destroy(centre, card)
    assert state_of(centre, card) == (CardState.DESTROYED, [], 0)
    entry = json.loads(entries(centre)[-1].body)
    assert (entry["code"], entry["object_id"], entry["actor_id"], entry["co_actor_id"]) == (
        "CARD.DESTROY",
        card,
        "hakko",
        "toroku",
    )
    with centre.store.read() as tx:
        kept = tx.exec(select(Statement).where(Statement.type == "CARD_DESTRUCTION")).all()
        assert entry["detail"]["signed"] == {one.id: digest(one.body.encode()) for one in kept}
        assert {one.operator_id for one in kept} == {"hakko", "toroku"}
        for one in kept:
            role = Role.CARD_OPERATOR if one.operator_id == "hakko" else Role.RA_MANAGER
            doomed.card.state = CardState.STOCK
            expected = destruction(doomed, role, FAULTY)
            assert expected.digest == seen
            assert centre.directory.verify_kept(tx, one.id, expected) == one.operator_id
    refused(Conflict, "card.destroyed", lambda: destroy(centre, card))
    assert centre.stock.reserve("none") is None
    centre.trail.verify()


def test_two_people_in_their_roles(centre: Centre) -> None:
    card = blank_card(centre)
    head = centre.trail.verify()
    refused(Refused, "card.destroy.people", lambda: destroy(centre, card, witness="hakko"))
    for operator, witness in (("shikko", "toroku"), ("hakko", "shonin"), ("toroku", "hakko")):
        refused(
            Refused,
            "operators.role.missing",
            lambda: destroy(centre, card, operator, witness),  # noqa: B023
        )
    refused(NotFound, "card.unknown", lambda: destroy(centre, "ff" * 8))
    assert state_of(centre, card)[0] is CardState.STOCK
    assert centre.trail.verify() == head


def test_a_chip_that_dies_before_its_first_certificate(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    dead, spare = blank_card(centre), blank_card(centre)
    break_off(centre, order.id, dead, 30)
    assert certificates_on(centre, dead) == []
    refused(Conflict, "card.run.other", lambda: personalize(centre, order.id, spare))
    destroy(centre, dead)
    assert state_of(centre, dead) == (CardState.DESTROYED, [RunState.ABANDONED], 0)
    refused(Conflict, "card.destroyed", lambda: personalize(centre, order.id, dead))
    given = centre.stock.reserve(order.id)
    assert given is not None
    assert given.chip_serial == spare
    personalize(centre, order.id, spare)
    assert {one.state for one in certificates_on(centre, spare)} == {CertificateState.ISSUED}
    assert state_of(centre, spare) == (CardState.PERSONALISED, [RunState.DONE], 1)


def test_a_reserved_serial_is_revoked_first(centre: Centre) -> None:
    """It may have been issued: neither destroyed nor made anew before that."""
    (order,) = order_all(centre, row(1))
    dead, spare = blank_card(centre), blank_card(centre)

    def fails(*_: object) -> None:
        raise Unavailable("keys.file", "the key is away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(centre.issuance), "finish", fails)
        with pytest.raises(Unavailable):
            personalize(centre, order.id, dead)
    assert [one.state for one in certificates_on(centre, dead)] == [CertificateState.RESERVED]
    refused(Refused, "card.destroy.lives", lambda: destroy(centre, dead))
    assert state_of(centre, dead) == (CardState.RESERVED, [RunState.OPEN], 0)
    revoke(centre, dead)
    destroy(centre, dead)
    assert state_of(centre, dead) == (CardState.DESTROYED, [RunState.ABANDONED], 0)
    refused(Conflict, "card.order.spent", lambda: personalize(centre, order.id, spare))
    assert certificates_on(centre, spare) == []


def test_a_finished_card_lives_until_it_is_revoked_or_expired(centre: Centre) -> None:
    first, second = make_cards(centre, row(1), row(2))
    refused(Refused, "card.destroy.lives", lambda: destroy(centre, first))
    assert state_of(centre, first) == (CardState.PERSONALISED, [RunState.DONE], 1)
    doomed = service(centre).find(first)
    assert doomed.applicant is not None
    assert (doomed.applicant.kanji_name, doomed.confirmation) == ("髙橋　一郎", "0001")
    revoke(centre, first)
    destroy(centre, first)
    assert state_of(centre, first) == (CardState.DESTROYED, [RunState.DONE], 0)
    ends = max(one.not_after for one in certificates_on(centre, second))
    centre.now = ends
    assert len(service(centre).find(second).living) == 2
    centre.pass_time(seconds=1)
    assert service(centre).find(second).living == ()


def test_nobody_destroys_their_own_card(centre: Centre) -> None:
    own = identity("hakko")
    mine = row(1, romaji_name=own.full_name.upper(), birth_date=str(own.birth_date))
    (order,) = order_all(centre, mine)
    card = blank_card(centre)
    with centre.store.begin() as tx:
        stocked = tx.get_one(Card, card)
        stocked.state, stocked.order_id = CardState.RESERVED, order.id
    refused(Refused, "operators.own_file", lambda: destroy(centre, card))
