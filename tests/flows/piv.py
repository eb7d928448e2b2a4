"""PIV cards at the station, and what must hold of a finished one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from card_personalization import records
from card_personalization.apdu import WrongPin
from card_personalization.card import CardIdentity
from card_personalization.card_key import signing_payload
from card_personalization.layout import Role
from card_personalization.piv_layout import load_piv_layout
from card_personalization.piv_reader import PivReader
from card_personalization.profiles import PIV, card_profile
from card_personalization.records import Card, CardState, RunState
from card_personalization.station import Report
from card_personalization.transport import Transport
from pki.signing import IssuerPublicKey, verify_signature
from store.database import Transaction
from tests.flows.conftest import Centre
from tests.flows.registration import batch_for, certificates_on, pins_of

FACTORY_PIN, FACTORY_PUK = "123456", "12345678"


def make_piv(
    centre: Centre, order_id: str, transport: Transport, changes: str = "", attempt: str = "first"
) -> Report:
    """Put the order on the PIV card behind the connection; the card may be a stranger."""

    def admit(tx: Transaction, card: CardIdentity) -> None:
        centre.stock.admit(tx, order_id, card, "hakko", PIV)

    station = replace(centre.station, profile=card_profile(PIV, changes))
    batch = batch_for(centre, order_id, batch_id=f"{attempt}-{order_id}")
    hakko = centre.signers["hakko"]
    return station.personalize(order_id, transport, batch, hakko, lambda _: None, admit)


def check_whole_piv(centre: Centre, order_id: str, transport: Transport, report: Report) -> None:
    """Store, envelope and card agree; the factory's PIN and PUK are gone, ours work."""
    assert [one for one in report.checks if not one.ok] == []
    serial = report.chip_serial
    card = PivReader(transport, load_piv_layout())
    card.reset()
    assert card.identify().chip_serial == serial
    stored = {Role(str(one.usage)): one for one in certificates_on(centre, serial)}
    assert set(stored) == set(Role)
    pins = pins_of(centre, serial, order_id)
    assert {name: len(value) for name, value in pins.items()} == {"chip": 32, "PIN": 6, "PUK": 8}
    for role in Role:
        found = card.read_certificates(role).holder_der
        assert found == stored[role].certificate_der
        public_key = x509.load_der_x509_certificate(found).public_key()
        assert isinstance(public_key, IssuerPublicKey)
        card.verify_pin(role, pins["PIN"])
        payload = signing_payload(public_key, hashes.SHA256(), b"prescription")
        signature = card.sign(role, public_key, payload)
        verify_signature(public_key, signature, b"prescription", "SHA-256")
    card.reset()
    with pytest.raises(WrongPin):
        card.verify_pin(Role.SIGN, FACTORY_PIN)
    unblock(card, pins["PUK"], "654321")
    card.verify_pin(Role.SIGN, "654321")
    with pytest.raises(WrongPin):
        unblock(card, FACTORY_PUK, "111111")
    with centre.store.read() as tx:
        stocked, (run,) = tx.get_one(Card, serial), records.runs_of(tx, serial)
    assert (stocked.profile, stocked.state) == (PIV, CardState.PERSONALISED)
    assert (run.order_id, run.state) == (order_id, RunState.DONE)


def unblock(card: PivReader, puk: str, pin: str) -> None:
    """RESET RETRY COUNTER."""
    card.select()
    body = f"{puk}{pin}".encode().ljust(16, b"\xff")
    card.channel.send(0x00, 0x2C, 0x00, 0x80, body)
