"""What an administrator of the database tries, so that a CA is revoked wrongly or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from sqlmodel import select

from ca.carriers import card_carrier
from ca.issuance import Acting
from ca.records import Certificate, Issuer, ListEntry
from ca.revocation import CaGround
from keys.backend import KeyBackend
from pki.errors import Conflict, HpkiError, Refused
from pki.reasons import entry_der
from policies.grounds import ca_ground
from policies.profiles import ListScope, Purpose
from tests.flows.conftest import Centre, Moulds
from tests.flows.issuing import (
    accept,
    dossier,
    issue,
    open_batch,
    prepare,
    refused,
    revoke,
)
from tests.flows.test_ca_revocation import codes, own_row, revoke_ca
from tests.flows.test_issuing_cas import reserve
from tests.flows.test_lists import published, revoke_row, serials
from tests.flows.test_operators import run
from tests.flows.test_premade import lose_key, made, take


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:
    """In a file: what is proven reads the tables alike on both databases."""
    found = moulds.copy(tmp_path, None)
    found.due()
    found.pass_time(minutes=1)
    yield found
    found.store.close()


def listed(centre: Centre) -> list[int]:
    return serials(published(centre, "sarl.crl"))


def certificate(centre: Centre, name: str) -> x509.Certificate:
    with centre.store.read() as tx:
        return x509.load_der_x509_certificate(tx.get_one(Issuer, name).certificate_der or b"")


def reserved_one(centre: Centre) -> Certificate:
    """A signing certificate that a crash left reserved."""
    order = accept(centre, dossier(1))
    batch = open_batch(centre, order.id)
    reserve(centre, order, batch, card_carrier("A-1", order.id))
    with centre.store.read() as tx:
        return tx.exec(select(Certificate).where(Certificate.order_id == order.id)).one()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (f"UPDATE certificate SET serial = '{7:040x}' WHERE id = :i", "ca.row.changed"),
        ("UPDATE certificate SET certificate_der = x'30' WHERE id = :i", "ca.row.changed"),
        (
            "UPDATE certificate SET order_id = (SELECT id FROM issue_order) WHERE id = :i",
            "ca.row.changed",
        ),
        (
            "INSERT INTO revocation (certificate_id, ground, revoked_at, statement_id, request_id,"
            " seq) VALUES (:i, 'C09_CA_KEY', '2026-11-20 00:00:00.000000', 'x', '', 3)",
            "ca.revoke.unsigned",
        ),
    ],
)
def test_a_row_that_was_changed_before_sends_no_manager_away(
    centre: Centre, change: str, code: str
) -> None:
    """Nor does it make another number stand on the list."""
    issue(centre, 1)
    run(centre, change, i=own_row(centre, "auth").id)
    refused(Refused, code, lambda: revoke_ca(centre))
    assert codes(centre) == set()
    assert listed(centre) == []


def test_a_card_to_which_a_ca_was_tied_takes_none_along(centre: Centre) -> None:
    card = issue(centre, 1)
    run(centre, "UPDATE certificate SET usage = NULL WHERE carrier_id = :c", c=card.id)
    run(
        centre,
        "UPDATE certificate SET order_id = :o, carrier_id = :c WHERE id = :i",
        o=card.order_id,
        c=card.id,
        i=own_row(centre, "auth").id,
    )
    refused(Refused, "ca.row.changed", lambda: revoke(centre, card))
    assert codes(centre) == set()
    assert listed(centre) == []


def test_a_revoked_ca_is_not_given_another_certificate(centre: Centre) -> None:
    """Also not one below a root of the forger's own, which bears the name of ours."""
    order = accept(centre, dossier(1))
    revoke_ca(centre, "auth")
    evil = rsa.generate_private_key(65537, 2048)
    root, auth = certificate(centre, "root"), certificate(centre, "auth")
    for name, signed in (
        ("root", resigned(root, evil.public_key(), root.serial_number, evil)),
        ("auth", resigned(auth, auth.public_key(), 12345, evil)),
    ):
        run(centre, "UPDATE issuer SET certificate_der = :d WHERE id = :n", d=signed, n=name)
    refused(Refused, "ca.issuer.changed", lambda: prepare(centre, order.id, Purpose.AUTH, 41))


def resigned(
    old: x509.Certificate, public_key: object, serial: int, key: rsa.RSAPrivateKey
) -> bytes:
    builder = x509.CertificateBuilder(
        old.issuer,
        old.subject,
        public_key,  # type: ignore[arg-type]
        serial,
        old.not_valid_before_utc,
        old.not_valid_after_utc,
        list(old.extensions),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("UPDATE issuer SET parent_id = 'root' WHERE id = 'root'", "ca.issuer.changed"),
        ("UPDATE issuer SET certificate_der = x'30' WHERE id = 'root'", "ca.issuer.certificate"),
        ("UPDATE issuer SET certificate_der = NULL WHERE id = 'root'", "ca.issuer.changed"),
    ],
)
def test_the_ca_above_is_proven_too(centre: Centre, change: str, code: str) -> None:
    order = accept(centre, dossier(1))
    run(centre, change)
    with pytest.raises(HpkiError) as refusal:
        prepare(centre, order.id, Purpose.AUTH, 41)
    assert refusal.value.code == code


@pytest.mark.parametrize("gone", ["DELETE FROM list_entry", "DELETE FROM revocation", ""])
def test_a_ca_revoked_by_a_list_from_elsewhere_issues_nothing_here(
    centre: Centre, gone: str
) -> None:
    order = accept(centre, dossier(1))
    element = entry_der(int(own_row(centre, "auth").serial, 16), centre.now, None)
    take(centre, made(centre, ListScope.SARL, 9, centre.now, element))
    refused(Refused, "ca.issuer.revoked", lambda: prepare(centre, order.id, Purpose.AUTH, 41))
    refused(Conflict, "ca.revoke.twice", lambda: revoke_ca(centre))
    assert codes(centre) == set()
    if gone == "DELETE FROM list_entry":
        run(centre, gone)
        centre.pass_time(hours=49)
        assert codes(centre) == {"crl.entry.vanished"}


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM list_entry",
        "UPDATE list_entry SET seq = 0",
        "UPDATE revocation_list SET high_water_seq = 1000000",
    ],
)
def test_without_the_roots_key_no_row_says_that_all_is_well(centre: Centre, change: str) -> None:
    revoke_ca(centre)
    lose_key(centre)
    run(centre, change)
    assert codes(centre) == {"crl.key.elsewhere"}


def test_a_revocation_while_the_key_is_being_opened_counts(centre: Centre) -> None:
    row = reserved_one(centre)

    class Slow:
        def __init__(self, keys: KeyBackend, meanwhile: Callable[[], object]) -> None:
            self.keys, self.meanwhile = keys, meanwhile

        def open(self, label: str) -> object:
            self.meanwhile()
            return self.keys.open(label)

    keys = Slow(centre.keys, lambda: revoke_ca(centre, "sign"))
    issuance = replace(centre.issuance, keys=keys)  # type: ignore[arg-type]
    acting = Acting("SYSTEM", "", order_id=row.order_id)
    refused(Refused, "ca.issuer.revoked", lambda: issuance.finish(row, acting))


def test_a_ca_without_certificate_signs_for_no_order(centre: Centre) -> None:
    row = reserved_one(centre)
    revoke_ca(centre, "sign")
    run(centre, "UPDATE issuer SET certificate_der = NULL WHERE id = 'sign'")
    acting = Acting("SYSTEM", "", order_id=row.order_id)
    refused(Conflict, "ca.issuer.unfinished", lambda: centre.issuance.finish(row, acting))


def test_one_who_signed_for_both_is_not_enough(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the statements say one person, whatever was let through when they were made."""
    revoke_ca(centre)
    real = type(centre.directory).verify_kept
    monkeypatch.setattr(
        type(centre.directory), "verify_kept", lambda *args: real(*args) and "kanri"
    )
    assert codes(centre) == {"ca.revoke.unsigned"}


def test_evidence_is_part_of_what_was_signed(centre: Centre) -> None:
    row = own_row(centre, "auth")
    one, other = (
        CaGround(ca_ground("C09_CA_KEY"), said).decisions(row) for said in ("incident 7", "8")
    )
    assert one[0].digest == one[1].digest
    assert {one[0].digest} != {other[0].digest}


def test_a_row_put_in_is_not_taken_over_with_a_list(centre: Centre) -> None:
    row = own_row(centre, "auth")
    revoke_row(centre, row, centre.now)
    with centre.store.read() as tx:
        element = tx.exec(select(ListEntry)).one().entry_der
    octets = made(centre, ListScope.SARL, 9, centre.now, element)
    refused(Refused, "ca.revoke.unsigned", lambda: take(centre, octets))


@pytest.mark.parametrize("reserved", [False, True])
def test_another_number_than_the_certificates_is_not_revoked(
    centre: Centre, reserved: bool
) -> None:
    card = issue(centre, 1)
    cut = ", certificate_der = NULL, state = 'RESERVED', sha256 = NULL" if reserved else ""
    run(
        centre,
        f"UPDATE certificate SET serial = '{7:040x}'{cut} WHERE carrier_id = :c AND usage = 'SIGN'",
        c=card.id,
    )
    refused(Refused, "ca.row.changed", lambda: revoke(centre, card))


@pytest.mark.parametrize(
    ("changed", "told", "code"),
    [
        ("REV.EXECUTE", "root:", "crl.trail.changed"),
        ("CERT.ISSUE", '"profile":"root', "ca.issuer.changed"),
    ],
)
def test_an_entry_of_the_trail_that_was_changed_tells_nothing(
    centre: Centre, changed: str, told: str, code: str
) -> None:
    """Its body says something else, sound in form, and its hash is as it was."""
    revoke_ca(centre)
    run(
        centre,
        "UPDATE trail_entry SET body = replace(body, :a, :b) WHERE code = :c",
        a=told,
        b=told.replace("root", "toor"),
        c=changed,
    )
    fresh = replace(centre.authorities, _told=set())
    centre.lists = replace(centre.lists, authorities=fresh)
    centre.rhythm = replace(centre.rhythm, lists=centre.lists)
    assert codes(centre) == {code}
