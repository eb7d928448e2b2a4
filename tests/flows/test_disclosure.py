"""PIN disclosure: two people who neither made nor hold the card, in the trail before it opens."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import select

from card_personalization import disclosure as module
from card_personalization import records
from card_personalization.disclosure import (
    Disclosure,
    DisclosureReason,
    Pins,
    disclosure,
    envelopes_digest,
)
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Role as Application
from card_personalization.layout import default_layout
from card_personalization.records import Card, CardState
from operators.acts import Rekey, p256_key
from operators.records import Statement
from pki.errors import Conflict, NotFound, Refused
from pki.signing import spki_der
from policies.roles import Role
from tests.flows.conftest import Centre, identity, p256
from tests.flows.issuing import refused
from tests.flows.registration import blank_card, entries, make_cards, order_all, personalize, row

LOST = DisclosureReason.LETTER_LOST


def disclose(
    centre: Centre,
    card: str,
    operator: str = "ansho",
    approver: str = "toroku",
    key: Callable[[str], ec.EllipticCurvePrivateKey] | None = None,
) -> Pins:
    service = Disclosure(centre.store, centre.trail, centre.directory)
    signers = centre.signers
    return service.disclose(
        card,
        LOST,
        signers[operator],
        signers[approver],
        key or (lambda _: centre.sealing[operator]),
    )


def written(centre: Centre) -> str:
    with centre.store.read() as tx:
        statements = [one.body for one in tx.exec(select(Statement))]
    return "".join([*statements, *(one.body for one in entries(centre))])


def test_two_people_disclose_and_the_pins_open_the_card(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    pins = disclose(centre, card)
    assert set(pins.by_application) == {"SIGN", "AUTH"}
    chip = HpkiCard(centre.stock.insert_virtual(card), default_layout())
    for role in Application:
        chip.verify_pin(role, pins.by_application[role])
    entry = json.loads(entries(centre)[-1].body)
    assert (entry["code"], entry["actor_id"], entry["co_actor_id"], entry["object_id"]) == (
        "PIN.DISCLOSE_APPROVE",
        "ansho",
        "toroku",
        card,
    )
    for pin in pins.by_application.values():
        assert pin not in written(centre)
        assert pin not in repr(pins)
    with centre.store.read() as tx:
        (run,) = records.runs_of(tx, card)
        seen = envelopes_digest(run, records.envelopes_of(tx, card))
        kept = tx.exec(select(Statement).where(Statement.type == "PIN_DISCLOSURE")).all()
        roles = {"ansho": Role.PIN_OPERATOR, "toroku": Role.RA_MANAGER}
        assert {one.operator_id for one in kept} == set(roles)
        for one in kept:
            expected = disclosure(run, seen, roles[one.operator_id], LOST)
            centre.directory.verify_kept(tx, one.id, expected)
    for sealed in (b"another", b""):
        with centre.store.read() as tx:
            (envelope,) = records.envelopes_of(tx, card)
            envelope.sealed = sealed
            assert envelopes_digest(run, [envelope]) != seen
    centre.trail.verify()


def test_who_may_not(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    head = centre.trail.verify()
    for operator, approver, code in (
        ("ansho", "ansho", "card.pins.people"),
        ("ansho", "hakko", "card.pins.made"),
        ("ansho", "shonin", "operators.role.missing"),
    ):
        refused(Refused, code, lambda: disclose(centre, card, operator, approver))  # noqa: B023
    refused(NotFound, "card.pins.envelope", lambda: disclose(centre, card, "toroku", "kanri"))
    refused(NotFound, "card.pins.envelope", lambda: disclose(centre, "ff" * 8))
    assert centre.trail.verify() == head
    assert disclose(centre, card, approver="kanri").chip_serial == card


def test_who_worked_on_an_abandoned_run_of_the_card_may_not(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    with centre.store.begin() as tx:
        (run,) = records.runs_of(tx, card)
        run.operator_id = "toroku"
    refused(Refused, "card.pins.made", lambda: disclose(centre, card))


def test_the_holder_discloses_nothing(centre: Centre) -> None:
    own = identity("kanri")
    mine = row(1, romaji_name=own.full_name.upper(), birth_date=str(own.birth_date))
    (card,) = make_cards(centre, mine)
    refused(Refused, "operators.own_file", lambda: disclose(centre, card, approver="kanri"))
    assert disclose(centre, card).chip_serial == card


def test_only_a_finished_card(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    for state in (CardState.RESERVED, CardState.DESTROYED):
        with centre.store.begin() as tx:
            tx.get_one(Card, card).state = state
        refused(Conflict, "card.pins.state", lambda: disclose(centre, card))


def test_an_envelope_opens_with_the_pair_it_was_sealed_to(centre: Centre) -> None:
    """After new keys the old encryption key is asked for; the new signing key signs."""
    (card,) = make_cards(centre, row(1))
    old = centre.sealing["ansho"]
    keys = centre.make_keys("ansho")
    centre.decide(Rekey(operator="ansho", keys=keys), "kanri", "tachiai")
    with centre.store.read() as tx:
        (envelope,) = records.envelopes_of(tx, card)
        account = centre.directory.register(tx).account("ansho")
    belongs = {one.credential: one.keys.sealing_key for one in account.keys}
    asked: list[str] = []

    def key(credential_id: str) -> ec.EllipticCurvePrivateKey:
        asked.append(credential_id)
        wanted = spki_der(p256_key(belongs[credential_id]))
        return next(
            one for one in (old, centre.sealing["ansho"]) if spki_der(one.public_key()) == wanted
        )

    assert disclose(centre, card, key=key).chip_serial == card
    assert asked == [envelope.credential_id]
    (second,) = order_all(centre, row(2))
    newer = blank_card(centre)
    personalize(centre, second.id, newer)
    assert disclose(centre, newer, key=key).chip_serial == newer
    assert asked[1] != asked[0]


def test_it_is_in_the_trail_before_the_envelope_opens(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    (card,) = make_cards(centre, row(1))
    seen: list[str] = []

    def opened(*_: object) -> bytes:
        seen.append(entries(centre)[-1].code)
        raise Refused("keys.sealed", "the envelope does not open with this key")

    monkeypatch.setattr(module, "open_sealed", opened)
    refused(Refused, "keys.sealed", lambda: disclose(centre, card))
    assert seen == ["PIN.DISCLOSE_APPROVE"]


def test_another_key_opens_nothing_and_says_no_pin(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    refusal = refused(Refused, "keys.sealed", lambda: disclose(centre, card, key=lambda _: p256()))
    assert refusal.__cause__ is None
    assert entries(centre)[-1].code == "PIN.DISCLOSE_APPROVE"


def test_a_key_that_does_not_unlock_enters_nothing(centre: Centre) -> None:
    (card,) = make_cards(centre, row(1))
    head = centre.trail.verify()

    def locked(_: str) -> ec.EllipticCurvePrivateKey:
        raise Refused("keys.passphrase.wrong", "the passphrase does not open the key")

    refused(Refused, "keys.passphrase.wrong", lambda: disclose(centre, card, key=locked))
    assert centre.trail.verify() == head
