"""Issuing in flow tests: dossier, statements, order, batch, and software keys as the card."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from audit.trail import Event
from ca.carriers import card_carrier
from ca.dossier import Content, Dossier
from ca.issuance import Prepared
from ca.orders import Batch, approval, examination
from ca.records import Carrier, Certificate, Order, certificates_of_carrier
from ca.revocation import RevocationOrder
from operators.statements import Decision, Signer, StatementType
from pki.errors import HpkiError
from policies.grounds import ground
from policies.profiles import Purpose, shipped_profiles
from store.database import Transaction
from tests.flows.conftest import Centre

_CODES = {
    StatementType.EXAMINATION: "APP.EXAMINED",
    StatementType.APPROVAL: "APP.DECIDE",
    StatementType.REVOCATION: "REV.DECIDE",
}
PURPOSES = (Purpose.SIGN, Purpose.AUTH)


def profiles(sign: str = "ee-sign", auth: str = "ee-auth") -> dict[Purpose, str]:
    """What an order names for both purposes: shipped profiles in their present version."""
    ids = {Purpose.SIGN: sign, Purpose.AUTH: auth}
    return {
        purpose: shipped_profiles().certificate(profile_id).reference
        for purpose, profile_id in ids.items()
    }


@cache
def card_key(number: int) -> rsa.RSAPrivateKey:
    """One of this process's keys: stores differ from test to test, so keys may come again."""
    return rsa.generate_private_key(65537, 2048)


def content(number: int = 1, **changes: object) -> Content:
    """The content to be certified for the ``number``-th doctor."""
    value = Content(
        holder_id=f"D{number:06d}",
        common_name=f"Taro Yamada {number}",
        organization="DEMO Hospital",
        organizational_unit=None,
        japanese_organization="DEMO 見本病院",
        japanese_name="山田　太郎",
        roles=("Medical Doctor",),
        profiles=profiles(),
        validity_years=5,
    )
    return value.model_copy(update=changes)


def dossier(number: int = 1, attempt: int = 1, **changes: object) -> Dossier:
    """A dossier; ``changes`` go into its content."""
    return Dossier(
        application_ref=f"A{number:04d}",
        attempt=attempt,
        content=content(number, **changes),
        fields={"family_name": sha256(f"salt {number}".encode()).hexdigest()},
        documents=("APPLICATION_FORM", "LICENCE_COPY"),
        checks={"IDENTITY": "OK", "QUALIFICATION": "OK"},
    )


def statements(
    centre: Centre, paper: Dossier, examiner: str = "uketsuke", approver: str = "shonin"
) -> tuple[str, str]:
    """The ids of an examination's and an approval's statement over the dossier."""
    ref, seen = paper.application_ref, paper.digest()
    with centre.store.begin() as tx:
        return (
            state(centre, tx, examiner, examination(ref, seen)),
            state(centre, tx, approver, approval(ref, seen)),
        )


def state(centre: Centre, tx: Transaction, name: str, decision: Decision) -> str:
    """The id of a statement that the operator makes, with its entry."""
    event = Event(
        _CODES[decision.type],
        decision.object_type,
        decision.object_id,
        actor=name,
        actor_role=decision.role,
    )
    (kept,) = centre.directory.state(tx, event, (centre.signers[name], decision))
    return kept.id


def accept(centre: Centre, paper: Dossier, ids: tuple[str, str] | None = None) -> Order:
    """The accepted order of the dossier."""
    pair = ids or statements(centre, paper)
    with centre.store.begin() as tx:
        return centre.orders.accept(tx, paper, pair)


def open_batch(centre: Centre, *order_ids: str, batch_id: str = "batch-1") -> Batch:
    """A batch that the IA operator opened."""
    return centre.orders.open_batch(centre.signers["hakko"], order_ids, batch_id)


def csr(key: rsa.RSAPrivateKey, subject: x509.Name | None = None) -> x509.CertificateSigningRequest:
    """A request signed by the key, by default with an empty subject, as cards make it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or x509.Name([]))
    return builder.sign(key, hashes.SHA256())


def prepare(centre: Centre, order_id: str, purpose: Purpose, key: int) -> Prepared:
    """The judged twin for one of the process's keys."""
    return centre.orders.prepare(order_id, purpose, csr(card_key(key)))


def issue(centre: Centre, number: int = 1, *, attempt: int = 1, **changes: object) -> Carrier:
    """A card with both certificates for the ``number``-th doctor."""
    paper = dossier(number, attempt, **changes)
    order = accept(centre, paper)
    batch = open_batch(centre, order.id, batch_id=f"batch-{order.id}")
    carrier = card_carrier(f"{number:06d}{attempt:02d}", order.id)
    for purpose in PURPOSES:
        key = 4 * number + 2 * attempt + PURPOSES.index(purpose)
        prepared = prepare(centre, order.id, purpose, key)
        centre.orders.issue(prepared, order.id, purpose, carrier, batch)
    return carrier


def rows(centre: Centre, carrier: Carrier) -> dict[Purpose, Certificate]:
    """The carrier's stored certificates by purpose."""
    with centre.store.read() as tx:
        found = certificates_of_carrier(tx, carrier.id)
    return {row.usage: row for row in found if row.usage is not None}


def certificate(centre: Centre, carrier: Carrier, purpose: Purpose) -> x509.Certificate:
    """One of the carrier's certificates, parsed."""
    return x509.load_der_x509_certificate(rows(centre, carrier)[purpose].certificate_der or b"")


def revocation_order(
    carrier: Carrier, code: str = "S02_CARD_LOST", *, emergency: bool = False
) -> RevocationOrder:
    """A decided request to revoke the carrier."""
    seen = sha256(f"request {carrier.id} {code}".encode()).hexdigest()
    return RevocationOrder(f"R-{carrier.id}", carrier.id, ground(code), seen, emergency)


def revoke(
    centre: Centre,
    carrier: Carrier,
    code: str = "S02_CARD_LOST",
    *,
    emergency: bool = False,
    executor: Signer | None = None,
) -> list[Certificate]:
    """Revoke the carrier: decided by the revocation officer, executed by the IA operator."""
    order = revocation_order(carrier, code, emergency=emergency)
    second = None if emergency else executor or centre.signers["hakko"]
    with centre.store.begin() as tx:
        decided = state(centre, tx, "shikko", order.decision())
        return centre.revocations.execute(tx, order, decided, second)


def refused(kind: type[HpkiError], code: str, act: Callable[[], object]) -> HpkiError:
    """Call ``act`` and return the refusal, which must be of that kind and code."""
    with pytest.raises(kind) as refusal:
        act()
    assert refusal.value.code == code, refusal.value
    return refusal.value
