"""Revocation on both databases: two persons, the whole carrier, final."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from asn1crypto import crl as asn1_crl

from ca import records
from ca.carriers import card_carrier
from ca.records import Carrier, CertificateState, Series, list_entry
from ca.revocation import RevocationOrder, living_certificates
from keys.backend import KeySpec, PrivateKey
from operators.statements import Signer
from pki.errors import Conflict, NotFound, Refused
from pki.reasons import Reason, entry_der
from policies.grounds import ground
from policies.profiles import ListScope, Purpose
from tests.flows.conftest import Centre
from tests.flows.issuing import (
    accept,
    dossier,
    issue,
    open_batch,
    prepare,
    refused,
    revocation_order,
    revoke,
    rows,
    state,
)


def execute(
    centre: Centre,
    order: RevocationOrder,
    executor: Signer | None,
    decided: RevocationOrder | None = None,
) -> list[str]:
    """Execute ``order`` on the officer's statement about ``decided``, in one transaction."""
    with centre.store.begin() as tx:
        kept = state(centre, tx, "shikko", (decided or order).decision())
        made = centre.revocations.execute(tx, order, kept, executor)
        return [row.serial for row in made]


def revocations(centre: Centre, carrier: Carrier) -> list[records.Revocation]:
    with centre.store.read() as tx:
        found = [
            records.revocation_of(tx, row.id)
            for row in records.certificates_of_carrier(tx, carrier.id)
            if row.id is not None
        ]
    return [row for row in found if row is not None]


def test_both_certificates_are_revoked_by_two_people(centre: Centre) -> None:
    carrier = issue(centre)
    other = issue(centre, 2)
    before = centre.trail.verify().seq
    centre.pass_time(minutes=5)
    made = revoke(centre, carrier)
    assert [row.usage for row in made] == [Purpose.SIGN, Purpose.AUTH]
    found = revocations(centre, carrier)
    assert len(found) == 2
    stored = {row.id: row for row in rows(centre, carrier).values()}
    for revocation in found:
        serial = int(stored[revocation.certificate_id].serial, 16)
        assert revocation.ground == "S02_CARD_LOST"
        assert revocation.reason == Reason.CESSATION_OF_OPERATION
        assert revocation.revoked_at == centre.now
        row = stored[revocation.certificate_id]
        with centre.store.read() as tx:
            listed = list_entry(tx, Series(row.issuer_id, ListScope.FULL), row.serial)
        assert listed is not None
        assert (listed.not_after, listed.seq) == (row.not_after, revocation.seq)
        assert listed.entry_der == entry_der(serial, centre.now, Reason.CESSATION_OF_OPERATION)
        parsed = asn1_crl.RevokedCertificate.load(listed.entry_der, strict=True)
        assert parsed["user_certificate"].native == serial
        assert parsed["crl_entry_extensions"][0]["extn_value"].native == "cessation_of_operation"
        assert revocation.crl_number is None
    assert revocations(centre, other) == []
    decided, entry = centre.trail.page(before, 10)
    assert decided.code == "REV.DECIDE"
    body = json.loads(entry.body)
    assert (body["code"], body["actor_id"], body["co_actor_id"]) == (
        "REV.EXECUTE",
        "hakko",
        "shikko",
    )
    assert body["detail"]["certificates"] == [f"{r.issuer_id}:{r.serial}" for r in made]
    assert {revocation.seq for revocation in found} == {entry.seq}
    again = refused(Conflict, "ca.revoke.twice", lambda: revoke(centre, carrier))
    assert "final" in again.hint
    refused(Conflict, "ca.revoke.twice", lambda: revoke(centre, carrier, emergency=True))
    assert revocations(centre, carrier) == found
    with centre.store.read() as tx:
        assert living_certificates(tx, carrier.id) == []
        assert len(living_certificates(tx, other.id)) == 2


def test_an_emergency_needs_the_officer_alone(centre: Centre) -> None:
    carrier = issue(centre)
    before = centre.trail.verify().seq
    revoke(centre, carrier, emergency=True)
    assert len(revocations(centre, carrier)) == 2
    body = json.loads(centre.trail.page(before, 10)[1].body)
    assert (body["actor_id"], body["actor_role"], body["co_actor_id"]) == (
        "shikko",
        "REV_OFFICER",
        "",
    )
    assert body["detail"]["emergency"] is True


def test_what_is_not_decided_is_not_executed(centre: Centre) -> None:
    carrier = issue(centre)
    other = issue(centre, 2)
    order = revocation_order(carrier)
    before = centre.trail.verify()
    hakko = centre.signers["hakko"]
    for code, what, executor, decided in (
        ("ca.separation", order, None, None),
        ("ca.separation", order, centre.signers["shikko"], None),
        ("operators.role.missing", order, centre.signers["shonin"], None),
        # decided otherwise than executed: emergency, request, ground, carrier
        ("operators.statement.differs", replace(order, emergency=True), None, order),
        ("operators.statement.differs", order, hakko, replace(order, emergency=True)),
        ("operators.statement.differs", order, hakko, replace(order, request_digest="0" * 64)),
        (
            "operators.statement.differs",
            replace(order, ground=ground("C01_QUAL_LOST")),
            hakko,
            order,
        ),
        ("operators.statement.differs", replace(order, carrier_id=other.id), hakko, order),
    ):

        def act(
            what: RevocationOrder = what,
            executor: Signer | None = executor,
            decided: RevocationOrder | None = decided,
        ) -> object:
            return execute(centre, what, executor, decided)

        refused(Refused, code, act)
    assert revocations(centre, carrier) == []
    assert centre.trail.verify() == before
    unknown = replace(order, carrier_id="card-none")
    refused(NotFound, "ca.carrier.unknown", lambda: execute(centre, unknown, hakko))

    def by_another_role() -> None:
        with centre.store.begin() as tx:
            state(centre, tx, "hakko", order.decision())

    refused(Refused, "operators.role.missing", by_another_role)


@dataclass(frozen=True)
class Unplugged:
    """A key store that fails when a CA key is opened."""

    hardware = False

    def generate(self, label: str, spec: KeySpec) -> PrivateKey:
        raise KeyboardInterrupt

    def open(self, label: str) -> PrivateKey:
        raise KeyboardInterrupt

    def labels(self) -> tuple[str, ...]:
        return ()


def test_a_reserved_row_counts_as_possibly_issued(centre: Centre) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    signing = prepare(centre, order.id, Purpose.SIGN, 1)
    centre.orders.issue(signing, order.id, Purpose.SIGN, carrier, batch)
    issuance = replace(centre.issuance, keys=Unplugged())
    auth = prepare(centre, order.id, Purpose.AUTH, 2)
    with pytest.raises(KeyboardInterrupt):
        replace(centre.orders, issuance=issuance).issue(
            auth, order.id, Purpose.AUTH, carrier, batch
        )
    states = {usage: row.state for usage, row in rows(centre, carrier).items()}
    assert states == {
        Purpose.SIGN: CertificateState.ISSUED,
        Purpose.AUTH: CertificateState.RESERVED,
    }
    revoke(centre, carrier, "C12_CARD_SCRAPPED")
    assert len(revocations(centre, carrier)) == 2
    made = {(row.issuer_id, row.entries) for row in centre.due()}
    assert ("auth", 1) in made
    assert ("sign", 1) in made


def test_a_certificate_added_later_can_still_be_revoked(centre: Centre) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    signing = prepare(centre, order.id, Purpose.SIGN, 1)
    centre.orders.issue(signing, order.id, Purpose.SIGN, carrier, batch)
    revoke(centre, carrier)
    auth = prepare(centre, order.id, Purpose.AUTH, 2)
    centre.orders.issue(auth, order.id, Purpose.AUTH, carrier, batch)
    made = revoke(centre, carrier, "C12_CARD_SCRAPPED")
    assert [row.usage for row in made] == [Purpose.AUTH]
