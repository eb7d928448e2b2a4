from __future__ import annotations

import json
from dataclasses import replace

import pytest
from cryptography import x509
from sqlmodel import SQLModel

from ca import records
from ca.ceremonies import Officiants
from keys.backend import KeySpec, PrivateKey
from pki.errors import Conflict, Refused
from policies.site import SiteKind
from store.migrate import differences
from tests.flows.conftest import CEREMONY, Centre


def test_migrations_give_exactly_the_records(empty_centre: Centre) -> None:
    assert differences(empty_centre.store, SQLModel.metadata) == []


class _PulledPlug(BaseException):
    """The machine stops."""


def test_a_broken_ceremony_is_taken_up_again_and_says_so(empty_centre: Centre) -> None:
    """The power fails when the second key is made; the same file goes on with what is missing."""
    made = empty_centre.keys.generate

    def fails_at_the_second(label: str, spec: KeySpec) -> PrivateKey:
        if label == "sign":
            raise _PulledPlug
        return made(label, spec)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(empty_centre.keys, "generate", fails_at_the_second)
        with pytest.raises(_PulledPlug):
            empty_centre.hold_ceremony()
    root = (empty_centre.folder / "keys" / "root.pem").read_bytes()
    empty_centre.hold_ceremony()
    assert (empty_centre.folder / "keys" / "root.pem").read_bytes() == root
    with empty_centre.store.read() as tx:
        (held,) = records.ceremonies(tx)
        assert all(one.certificate_der for one in records.issuers(tx))
    transcript = json.loads(held.transcript)
    assert (transcript["attempts"], len(transcript["participants"])) == (2, 8)
    with pytest.raises(Conflict, match="ca.ceremony.done"):
        empty_centre.hold_ceremony()
    empty_centre.trail.verify()


def test_software_keys_are_refused_in_production(empty_centre: Centre) -> None:
    production = replace(empty_centre.issuance, kind=SiteKind.PRODUCTION)
    ceremonies = replace(empty_centre.ceremonies, issuance=production)
    signers = empty_centre.signers
    custodians = [signers[name] for name in ("kagi-a", "kagi-b", "kagi-c")]
    people = Officiants(custodians, signers["tachiai"])
    with pytest.raises(Refused, match="ca.keys.software"):
        ceremonies.hold(CEREMONY, people, lambda _: None)
    assert empty_centre.keys.labels() == ()


def test_ceremony_makes_the_hierarchy(centre: Centre) -> None:
    with centre.store.read() as tx:
        issuers = {one.id: one for one in records.issuers(tx)}
    certificates = {
        name: x509.load_der_x509_certificate(one.certificate_der or b"")
        for name, one in issuers.items()
    }
    for name in ("root", "sign", "auth"):
        certificates[name].verify_directly_issued_by(certificates["root"])
    assert centre.trail.verify().seq > 0
    rows = centre.due()
    assert [(row.issuer_id, row.scope.value, row.number) for row in rows] == [
        ("root", "RARL", 1),
        ("root", "SARL", 2),
        ("auth", "FULL", 1),
        ("sign", "FULL", 1),
    ]
    assert centre.due() == []
