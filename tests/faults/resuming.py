"""What must hold of a card after a broken run was taken up again on it."""

from __future__ import annotations

import json

from cryptography import x509
from sqlmodel import select

from ca.records import Carrier, CarrierKind, CertificateState
from card_personalization import records
from card_personalization.card import CardState as ChipState
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Role, default_layout
from card_personalization.records import Card, CardState, RunState
from card_personalization.station import Report
from keys.sealing import open_sealed
from policies.moves import ApplicationState
from ra.records import find_application
from tests.flows.conftest import Centre
from tests.flows.registration import batch_for, certificates_on, personalize


def resume(centre: Centre, order_id: str, card: str) -> Report:
    """Put the card in again, with a batch of its own."""
    batch = batch_for(centre, order_id, batch_id=f"again-{order_id}")
    return personalize(centre, order_id, card, batch)


def is_finished(centre: Centre, card: str) -> bool:
    """Whether the store says that the card is finished."""
    with centre.store.read() as tx:
        return tx.get_one(Card, card).state is CardState.PERSONALISED


def check_whole(centre: Centre, order_id: str, card: str, report: Report | None) -> None:
    """One living card, one certificate of each kind, PINs that work, and a journal that ends."""
    if report is not None:
        assert [check for check in report.checks if not check.ok] == []
    rows = certificates_on(centre, card)
    assert sorted(str(row.usage) for row in rows) == ["AUTH", "SIGN"]
    assert {row.state for row in rows} == {CertificateState.ISSUED}
    chip = HpkiCard(centre.stock.insert_virtual(card), default_layout())
    assert chip.identify().state is ChipState.ACTIVATED
    with centre.store.read() as tx:
        assert [one.id for one in tx.exec(select(Carrier).where(Carrier.order_id == order_id))] == [
            f"card-{card}"
        ]
        assert tx.get_one(Carrier, f"card-{card}").kind is CarrierKind.CARD
        (run,) = records.runs_of(tx, card)
        steps = records.steps_of(tx, run.id)
        stocked = tx.get_one(Card, card)
        (envelope,) = records.envelopes_of(tx, card)
        state = find_application(tx, order_id.partition(".")[0]).state
    purpose = f"hpki pin {card} {order_id}".encode()
    pins = json.loads(open_sealed(envelope.sealed, centre.sealing["ansho"], purpose))
    for row in rows:
        role = Role(str(row.usage))
        assert chip.read_certificates(role).holder_der == row.certificate_der
        certificate = x509.load_der_x509_certificate(row.certificate_der or b"")
        assert certificate.tbs_certificate_bytes == row.tbs_der
        assert certificate.public_key() == chip.public_key(role)
        chip.verify_pin(role, pins[role])
    assert (run.state, stocked.state, stocked.order_id) == (
        RunState.DONE,
        CardState.PERSONALISED,
        order_id,
    )
    assert state is ApplicationState.PERSONALISED
    assert steps[-1].name == "VERIFY"
    assert steps[-1].ended_at is not None
