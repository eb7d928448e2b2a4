"""A PIV card is emptied on order alone, and not while it stands in the books."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from card_personalization.apdu import FileNotFound, NotOffered
from card_personalization.card_key import signing_payload
from card_personalization.emptying import Emptying
from card_personalization.layout import Role
from card_personalization.piv_card import PivCard
from card_personalization.piv_layout import load_piv_layout
from card_personalization.records import Card
from card_personalization.transport import EmbeddedTransport
from card_personalization.virtual_piv import VirtualPiv
from pki.errors import Conflict, Refused, Unavailable
from ra.revocation import Request
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.piv import FACTORY_PIN, make_piv
from tests.flows.registration import entries, order_all, row


def service(centre: Centre) -> Emptying:
    return Emptying(centre.store, centre.trail, centre.directory)


def at_hand(chip: VirtualPiv) -> PivCard:
    return PivCard(EmbeddedTransport(chip), load_piv_layout(), lambda *_: bytes(32))


def test_only_what_is_destroyed_in_the_books_is_emptied(centre: Centre, tmp_path: Path) -> None:
    (order,) = order_all(centre, row(1))
    chip = VirtualPiv.create(tmp_path / "card.json", extensions=True)
    report = make_piv(centre, order.id, EmbeddedTransport(chip))
    card, hakko = at_hand(chip), centre.signers["hakko"]
    refused(Conflict, "card.reset.known", lambda: service(centre).empty(card, hakko))
    assert at_hand(chip).identify().chip_serial == report.chip_serial
    destroy(centre, report.chip_serial)
    refused(
        Refused,
        "operators.role.missing",
        lambda: service(centre).empty(card, centre.signers["shonin"]),
    )
    assert service(centre).empty(card, hakko) == report.chip_serial
    empty = at_hand(chip)
    assert empty.identify().chip_serial == ""
    refused(Unavailable, "card.no_certificate", lambda: empty.read_certificates(Role.SIGN))
    empty.verify_pin(Role.AUTH, FACTORY_PIN)
    key = report.certificates[Role.AUTH].public_key()
    with pytest.raises(FileNotFound):
        empty.sign(Role.AUTH, key, signing_payload(key, hashes.SHA256(), b"text"))  # type: ignore[arg-type]
    assert [json.loads(one.body)["outcome"] for one in entries(centre, "CARD.RESET")] == ["OK"]
    # it is another card now
    (other,) = order_all(centre, row(2))
    again = make_piv(centre, other.id, EmbeddedTransport(chip))
    assert again.chip_serial != report.chip_serial
    assert [one for one in again.checks if not one.ok] == []


def destroy(centre: Centre, card: str) -> None:
    """Revoke it and enter that two people destroyed it, though one of them kept it."""
    scrapped = Request("C12_CARD_SCRAPPED", "CA", "STATION", "run journal")
    people = centre.signers
    centre.desk.revoke(centre.desk.find(card), scrapped, people["shikko"], people["hakko"])
    with centre.store.begin() as tx:
        tx.get_one(Card, card).state = "DESTROYED"  # type: ignore[assignment]


def test_a_card_without_the_command_is_left_alone(centre: Centre, tmp_path: Path) -> None:
    chip = VirtualPiv.create(tmp_path / "card.json", extensions=False)
    before = (tmp_path / "card.json").read_bytes()
    with pytest.raises(NotOffered):
        service(centre).empty(at_hand(chip), centre.signers["hakko"])
    assert (tmp_path / "card.json").read_bytes() == before
    outcomes = [json.loads(one.body)["outcome"] for one in entries(centre, "CARD.RESET")]
    assert outcomes == ["OK", "FAIL"]
