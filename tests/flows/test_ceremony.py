from __future__ import annotations

from cryptography import x509
from sqlmodel import SQLModel

from ca import records
from store.migrate import differences
from tests.flows.conftest import Centre


def test_migrations_give_exactly_the_records(empty_centre: Centre) -> None:
    assert differences(empty_centre.store, SQLModel.metadata) == []


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
    rows = centre.lists.due("SYSTEM")
    assert [(row.issuer_id, row.scope.value, row.number) for row in rows] == [
        ("root", "RARL", 1),
        ("root", "SARL", 2),
        ("auth", "FULL", 1),
        ("sign", "FULL", 1),
    ]
    assert centre.lists.due("SYSTEM") == []
