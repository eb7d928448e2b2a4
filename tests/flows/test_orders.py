"""Orders and issuance on both databases: what is accepted, issued, and refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from threading import Barrier

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import text
from sqlmodel import select

from audit.canonical import canonical_json
from ca import records
from ca.carriers import card_carrier, file_carrier
from ca.dossier import changed_parts, parse_dossier
from ca.issuance import Acting, Prepared
from ca.orders import Batch, Orders
from ca.records import Carrier, Certificate, CertificateState, Order
from keys.backend import KeySpec, PrivateKey
from keys.files import FileKeyBackend
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from pki.findings import Severity
from pki.hcrole import decode_hc_roles
from pki.names import text as name_text
from pki.serials import serial_hex
from pki.signing import spki_der
from policies.profiles import Purpose
from policies.roles import Role
from policies.site import SiteKind
from tests.flows.conftest import Centre
from tests.flows.issuing import (
    PURPOSES,
    accept,
    card_key,
    certificate,
    content,
    csr,
    dossier,
    issue,
    open_batch,
    prepare,
    refused,
    revoke,
    rows,
    statements,
)


def own_certificate(centre: Centre, issuer_id: str) -> x509.Certificate:
    with centre.store.read() as tx:
        issuer = tx.get_one(records.Issuer, issuer_id)
    return x509.load_der_x509_certificate(issuer.certificate_der or b"")


def codes(centre: Centre, after: int) -> list[str]:
    return [entry.code for entry in centre.trail.page(after, 1000)]


@dataclass(frozen=True)
class ClosedBackend:
    """A key store that nobody may open: whatever reaches for a CA key shows itself."""

    hardware = False

    def generate(self, label: str, spec: KeySpec) -> PrivateKey:
        raise AssertionError(f"a key {label} was made")

    def open(self, label: str) -> PrivateKey:
        raise AssertionError(f"the key {label} was opened")

    def labels(self) -> tuple[str, ...]:
        return ()


def with_keys(centre: Centre, keys: FileKeyBackend | ClosedBackend) -> Orders:
    return replace(centre.orders, issuance=replace(centre.issuance, keys=keys))


def test_both_certificates_say_what_was_ordered(centre: Centre) -> None:
    before = centre.trail.verify().seq
    carrier = issue(centre)
    for purpose, issuer_id in ((Purpose.SIGN, "sign"), (Purpose.AUTH, "auth")):
        made = certificate(centre, carrier, purpose)
        made.verify_directly_issued_by(own_certificate(centre, issuer_id))
        assert name_text(made.subject) == (
            "C=JP, O=DEMO Hospital, CN=Taro Yamada 1, serialNumber=D000001"
        )
        assert made.not_valid_before_utc == datetime(2026, 11, 20, 15, tzinfo=UTC)
        assert made.not_valid_after_utc == datetime(2031, 11, 20, 14, 59, 59, tzinfo=UTC)
        key = 6 + PURPOSES.index(purpose)
        assert made.public_key() == card_key(key).public_key()
        found = made.extensions.get_extension_for_oid(x509.ObjectIdentifier("2.5.29.9"))
        assert isinstance(found.value, x509.UnrecognizedExtension)
        assert decode_hc_roles(found.value.value) == ("Medical Doctor",)
        alternative = made.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        (name,) = alternative.value.get_values_for_type(x509.DirectoryName)
        assert name_text(name) == "C=JP, O=DEMO 見本病院, CN=山田　太郎, serialNumber=D000001"
        row = rows(centre, carrier)[purpose]
        assert row.state is CertificateState.ISSUED
        assert row.tbs_der == made.tbs_certificate_bytes
        assert int(row.serial, 16) == made.serial_number
    assert codes(centre, before) == [
        "APP.EXAMINED",
        "APP.DECIDE",
        "ISSUE.ORDER",
        "PRIV.USE",
        "CERT.POP_OK",
        "CERT.ISSUE",
        "CERT.POP_OK",
        "CERT.ISSUE",
    ]
    centre.trail.verify()


def test_one_person_cannot_do_two_steps(centre: Centre) -> None:
    """Who examined may not approve; who approved may not execute: by person, whatever the roles."""
    paper = dossier()
    centre.become_small()
    centre.grant("uketsuke", Role.RA_APPROVER)
    centre.grant("shonin", Role.IA_OPERATOR)
    both = statements(centre, paper, examiner="uketsuke", approver="uketsuke")
    refusal = refused(Refused, "ca.separation", lambda: accept(centre, paper, both))
    assert "uketsuke examined" in refusal.text
    order = accept(centre, paper)
    batch = centre.orders.open_batch(centre.signers["shonin"], [order.id], "batch-x")
    prepared = prepare(centre, order.id, Purpose.SIGN, 1)
    refusal = refused(
        Refused,
        "ca.separation",
        lambda: centre.orders.issue(
            prepared, order.id, Purpose.SIGN, card_carrier("01", order.id), batch
        ),
    )
    assert "shonin approved" in refusal.text
    assert no_certificates(centre)


def no_certificates(centre: Centre) -> bool:
    with centre.store.read() as tx:
        return not tx.exec(select(Certificate).where(Certificate.order_id != None)).all()  # noqa: E711


def test_statements_over_something_else_are_refused(centre: Centre) -> None:
    paper = dossier()
    for other in (
        dossier(common_name="Jiro Yamada"),
        dossier(roles=("Dentist",)),
        dossier(validity_years=4),
        dossier(japanese_name="山田　次郎"),
        replace(paper, checks={"IDENTITY": "NG"}),
        replace(paper, documents=("APPLICATION_FORM",)),
        replace(paper, fields={"family_name": "0" * 64}),
        replace(paper, attempt=2),
    ):
        ids = statements(centre, other)
        refused(
            Refused,
            "operators.statement.differs",
            lambda ids=ids: accept(centre, paper, ids),  # type: ignore[misc]
        )
    first, second = statements(centre, paper)
    before = centre.trail.verify()
    for pair in ((second, first), (first, first), (second, second), (first, "0" * 32)):
        with pytest.raises(Refused):
            accept(centre, paper, pair)
    assert centre.trail.verify() == before
    assert accept(centre, paper, (first, second)).digest == paper.digest()


def test_an_order_comes_once_for_each_attempt(centre: Centre) -> None:
    accept(centre, dossier())
    refused(Conflict, "ca.order.exists", lambda: accept(centre, dossier()))
    assert accept(centre, dossier(attempt=2)).id == "A0001.2"
    refused(Conflict, "ca.order.exists", lambda: accept(centre, dossier()))


def test_a_subject_belongs_to_one_holder_for_ever(centre: Centre) -> None:
    accept(centre, dossier(1))
    subject = content(1).subject()
    row = "INSERT INTO holder (id) VALUES ('D9')"
    with centre.store.engine.begin() as connection:
        connection.execute(text(row))
        connection.execute(text("UPDATE holder_subject SET holder_id = 'D9'"))
    refusal = refused(Conflict, "ca.subject.taken", lambda: accept(centre, dossier(1, 2)))
    assert "another holder" in refusal.text
    assert content(2, holder_id="D000001", common_name="Taro Yamada 1").subject() == subject


def change_dossier(centre: Centre, old: str, new: str) -> None:
    with centre.store.engine.begin() as connection:
        changed = connection.execute(
            text("UPDATE issue_order SET dossier = replace(dossier, :old, :new)"),
            {"old": old, "new": new},
        )
        assert changed.rowcount == 1


def test_a_dossier_changed_in_the_database_is_refused(centre: Centre) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    sound = prepare(centre, order.id, Purpose.SIGN, 1)
    change_dossier(centre, "Taro Yamada", "Jiro Yamada")
    changed = prepare(centre, order.id, Purpose.SIGN, 1)
    for prepared in (sound, changed):
        refused(
            Refused,
            "ca.order.changed",
            lambda prepared=prepared: centre.orders.issue(  # type: ignore[misc]
                prepared, order.id, Purpose.SIGN, carrier, batch
            ),
        )
    # with the digest changed to fit, the signed statements still do not
    with centre.store.begin() as tx:
        row = tx.get_one(Order, order.id)
        row.digest = parse_dossier(row.dossier.encode()).digest()
    refused(
        Refused,
        "operators.statement.differs",
        lambda: centre.orders.issue(changed, order.id, Purpose.SIGN, carrier, batch),
    )
    # changed only while it was prepared: what was prepared is not what was ordered
    change_dossier(centre, "Jiro Yamada", "Taro Yamada")
    with centre.store.begin() as tx:
        tx.get_one(Order, order.id).digest = order.digest
    refused(
        Refused,
        "ca.issue.differs",
        lambda: centre.orders.issue(changed, order.id, Purpose.SIGN, carrier, batch),
    )
    assert no_certificates(centre)
    centre.orders.issue(sound, order.id, Purpose.SIGN, carrier, batch)


def test_what_was_prepared_serves_its_own_order_and_purpose(centre: Centre) -> None:
    first, second = accept(centre, dossier(1)), accept(centre, dossier(2))
    batch = open_batch(centre, first.id, second.id)
    prepared = prepare(centre, first.id, Purpose.SIGN, 1)
    for order, purpose in ((second, Purpose.SIGN), (first, Purpose.AUTH)):
        refused(
            Refused,
            "ca.issue.differs",
            lambda order=order, purpose=purpose: centre.orders.issue(  # type: ignore[misc]
                prepared, order.id, purpose, card_carrier("01", order.id), batch
            ),
        )
    assert no_certificates(centre)


def test_an_order_outside_the_batch_is_refused(centre: Centre) -> None:
    first, second = accept(centre, dossier(1)), accept(centre, dossier(2))
    batch = open_batch(centre, first.id)
    prepared = prepare(centre, second.id, Purpose.SIGN, 1)
    carrier = card_carrier("01", second.id)

    def act() -> object:
        return centre.orders.issue(prepared, second.id, Purpose.SIGN, carrier, batch)

    refused(Refused, "ca.batch.order", act)
    batch = replace(batch, digests=(*batch.digests, second.digest))
    refused(Refused, "operators.statement.differs", act)
    refused(
        Refused,
        "operators.role.missing",
        lambda: centre.orders.open_batch(centre.signers["shonin"], [second.id], "batch-2"),
    )
    refused(
        NotFound,
        "ca.order.unknown",
        lambda: centre.orders.open_batch(centre.signers["hakko"], ["A9999.1"], "batch-3"),
    )
    assert no_certificates(centre)


def test_a_request_names_nobody_or_the_subject(centre: Centre) -> None:
    order = accept(centre, dossier())
    other = csr(card_key(1), content(2).subject())
    refused(
        Refused,
        "ca.csr.subject",
        lambda: centre.orders.prepare(order.id, Purpose.SIGN, other),
    )
    same = csr(card_key(1), content(1).subject())
    assert centre.orders.prepare(order.id, Purpose.SIGN, same).twin.subject == (
        content(1).subject()
    )


def test_a_key_is_certified_once(centre: Centre) -> None:
    issue(centre, 1)
    order = accept(centre, dossier(2))
    batch = open_batch(centre, order.id)
    carrier = card_carrier("02", order.id)
    again = prepare(centre, order.id, Purpose.SIGN, 6)
    refused(
        Conflict,
        "ca.key.reused",
        lambda: centre.orders.issue(again, order.id, Purpose.SIGN, carrier, batch),
    )
    one = prepare(centre, order.id, Purpose.SIGN, 20)
    centre.orders.issue(one, order.id, Purpose.SIGN, carrier, batch)
    both = prepare(centre, order.id, Purpose.AUTH, 20)
    refused(
        Conflict,
        "ca.key.reused",
        lambda: centre.orders.issue(both, order.id, Purpose.AUTH, carrier, batch),
    )
    with centre.store.read() as tx:
        assert [row.usage for row in records.certificates_of_carrier(tx, carrier.id)] == [
            Purpose.SIGN
        ]


def test_the_ca_key_of_a_ca_is_no_card_key(centre: Centre) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    key = centre.keys.open("sign")
    assert isinstance(key, rsa.RSAPrivateKey)
    prepared = centre.orders.prepare(order.id, Purpose.SIGN, csr(key))
    refused(
        Conflict,
        "ca.key.reused",
        lambda: centre.orders.issue(
            prepared, order.id, Purpose.SIGN, card_carrier("01", order.id), batch
        ),
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 1024),
        lambda: rsa.generate_private_key(3, 2048),
        lambda: ec.generate_private_key(ec.SECP256R1()),
    ],
    ids=["rsa-1024", "exponent-3", "p-256"],
)
def test_a_weak_key_never_reaches_the_ca_key(
    centre: Centre, make: Callable[[], rsa.RSAPrivateKey]
) -> None:
    order = accept(centre, dossier())
    before = centre.trail.verify()
    orders = with_keys(centre, ClosedBackend())
    refusal = refused(
        Refused, "ca.lint", lambda: orders.prepare(order.id, Purpose.SIGN, csr(make()))
    )
    assert isinstance(refusal, Refused)
    errors = {one.code for one in refusal.findings if one.severity is Severity.ERROR}
    assert errors
    assert errors <= {"H083", "P005"}
    assert codes(centre, before.seq) == ["LINT.FAIL", "CERT.ISSUE_FAIL"]
    assert no_certificates(centre)


def test_content_that_breaks_the_profile_is_refused(centre: Centre) -> None:
    closed = with_keys(centre, ClosedBackend())
    for code, paper in (
        ("H080", dossier(1, validity_years=6)),
        ("H064", dossier(2, roles=("Medical Doctor", "Director of Clinic"))),
    ):
        order = accept(centre, paper)
        refusal = refused(
            Refused,
            "ca.lint",
            lambda order=order: closed.prepare(order.id, Purpose.SIGN, csr(card_key(1))),  # type: ignore[misc]
        )
        assert isinstance(refusal, Refused)
        assert code in {one.code for one in refusal.findings}
    order = accept(centre, dossier(9, organization="Real Hospital"))
    refused(
        Refused,
        "policies.demo_mark",
        lambda: closed.prepare(order.id, Purpose.SIGN, csr(card_key(1))),
    )


def test_a_changed_profile_is_refused(centre: Centre) -> None:
    old = {Purpose.SIGN: "ee-sign@2020-01-01", Purpose.AUTH: "ee-auth@2020-01-01"}
    order = accept(centre, dossier(profiles=old))
    for purpose in PURPOSES:
        refused(
            Refused,
            "ca.order.profile",
            lambda purpose=purpose: prepare(centre, order.id, purpose, 1),  # type: ignore[misc]
        )
    sign_only = {Purpose.SIGN: content().profiles[Purpose.SIGN]}
    order = accept(centre, dossier(2, profiles=sign_only))
    refused(Refused, "ca.order.purpose", lambda: prepare(centre, order.id, Purpose.AUTH, 1))
    prepare(centre, order.id, Purpose.SIGN, 1)


def test_before_the_ceremony_nobody_issues(empty_centre: Centre) -> None:
    order = accept(empty_centre, dossier())
    refused(NotFound, "ca.issuer.none", lambda: prepare(empty_centre, order.id, Purpose.SIGN, 1))
    refused(NotFound, "ca.order.unknown", lambda: prepare(empty_centre, "A9.1", Purpose.SIGN, 1))


def test_an_order_has_one_carrier_and_a_carrier_one_order(centre: Centre) -> None:
    first, second = accept(centre, dossier(1)), accept(centre, dossier(2))
    batch = open_batch(centre, first.id, second.id)
    carrier = card_carrier("01", first.id)
    prepared = prepare(centre, first.id, Purpose.SIGN, 1)
    centre.orders.issue(prepared, first.id, Purpose.SIGN, carrier, batch)
    more = prepare(centre, first.id, Purpose.AUTH, 2)
    refused(
        Conflict,
        "ca.order.carrier",
        lambda: centre.orders.issue(
            more, first.id, Purpose.AUTH, card_carrier("02", first.id), batch
        ),
    )
    foreign = prepare(centre, second.id, Purpose.AUTH, 3)
    refused(
        Conflict,
        "ca.carrier.taken",
        lambda: centre.orders.issue(foreign, second.id, Purpose.AUTH, carrier, batch),
    )
    twice = prepare(centre, first.id, Purpose.SIGN, 4)
    refused(
        Conflict,
        "ca.issue.twice",
        lambda: centre.orders.issue(twice, first.id, Purpose.SIGN, carrier, batch),
    )


class PulledPlug(BaseException):
    """The power fails."""


@dataclass(frozen=True)
class FailingBackend(ClosedBackend):
    """A key store whose plug is pulled, or which is out of reach, when a key is opened."""

    fault: BaseException

    def open(self, label: str) -> PrivateKey:
        raise self.fault


def leave_reserved(
    centre: Centre, prepared: Prepared, order_id: str, carrier: Carrier, batch: Batch
) -> None:
    """Crash between the reservation and the signature."""
    unplugged = with_keys(centre, FailingBackend(PulledPlug()))
    with pytest.raises(PulledPlug):
        unplugged.issue(prepared, order_id, Purpose.SIGN, carrier, batch)


def test_a_crash_before_signing_is_finished_with_the_stored_bytes(centre: Centre) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    prepared = prepare(centre, order.id, Purpose.SIGN, 1)
    leave_reserved(centre, prepared, order.id, carrier, batch)
    row = rows(centre, carrier)[Purpose.SIGN]
    assert (row.state, row.certificate_der, row.issued_seq) == (
        CertificateState.RESERVED,
        None,
        None,
    )
    assert row.tbs_der == prepared.twin.tbs_certificate_bytes
    centre.pass_time(hours=30)
    again = prepare(centre, order.id, Purpose.SIGN, 1)
    assert again.twin.serial_number != prepared.twin.serial_number
    other = prepare(centre, order.id, Purpose.SIGN, 2)
    refused(
        Conflict,
        "ca.issue.reserved",
        lambda: centre.orders.issue(other, order.id, Purpose.SIGN, carrier, batch),
    )
    made = centre.orders.issue(again, order.id, Purpose.SIGN, carrier, batch)
    assert made.tbs_certificate_bytes == row.tbs_der
    assert made.serial_number == prepared.twin.serial_number
    made.verify_directly_issued_by(own_certificate(centre, "sign"))
    stored = rows(centre, carrier)[Purpose.SIGN]
    assert (stored.state, stored.id) == (CertificateState.ISSUED, row.id)
    centre.trail.verify()


def test_what_was_approved_for_a_card_is_never_put_on_a_file(centre: Centre) -> None:
    order, other = accept(centre, dossier(1)), accept(centre, dossier(2, carrier="FILE"))
    batch = open_batch(centre, order.id, other.id)
    for carrier in (file_carrier(order.id), card_carrier("01", other.id)):
        prepared = prepare(centre, carrier.order_id, Purpose.SIGN, 1)
        refused(
            Refused,
            "ca.order.carrier_kind",
            lambda p=prepared, c=carrier: centre.orders.issue(  # type: ignore[misc]
                p, c.order_id, Purpose.SIGN, c, batch
            ),
        )
    prepared = prepare(centre, other.id, Purpose.SIGN, 1)
    centre.orders.issue(prepared, other.id, Purpose.SIGN, file_carrier(other.id), batch)


@pytest.mark.parametrize("swap", ["key", "serial", "period"])
def test_reserved_bytes_swapped_in_the_store_are_not_signed(centre: Centre, swap: str) -> None:
    """A crash left a reservation, and somebody wrote other bytes into its row."""
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    prepared = prepare(centre, order.id, Purpose.SIGN, 1)
    leave_reserved(centre, prepared, order.id, carrier, batch)
    if swap == "period":
        centre.now -= timedelta(days=9000)
    forged = prepare(centre, order.id, Purpose.SIGN, 2 if swap == "key" else 1).twin
    centre.now = datetime(2026, 11, 21, 4, 0, 0, tzinfo=UTC)
    with centre.store.begin() as tx:
        stored = tx.get_one(Certificate, rows(centre, carrier)[Purpose.SIGN].id)
        stored.tbs_der = forged.tbs_certificate_bytes
        if swap == "period":
            stored.serial = serial_hex(forged.serial_number)
            stored.not_before = forged.not_valid_before_utc
            stored.not_after = forged.not_valid_after_utc
    again = prepare(centre, order.id, Purpose.SIGN, 1)
    refused(
        Refused,
        "ca.issue.differs",
        lambda: centre.orders.issue(again, order.id, Purpose.SIGN, carrier, batch),
    )
    assert rows(centre, carrier)[Purpose.SIGN].state is CertificateState.RESERVED


def test_two_at_once_get_one_carrier(centre: Centre) -> None:
    """Two stations issue for one order on two cards in the same moment: one is refused."""
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    prepared = [prepare(centre, order.id, Purpose.SIGN, number) for number in (1, 2)]
    start = Barrier(2)

    def issue_on(number: int) -> str:
        start.wait()
        try:
            centre.orders.issue(
                prepared[number],
                order.id,
                Purpose.SIGN,
                card_carrier(f"0{number}", order.id),
                batch,
            )
        except Conflict as refusal:
            return refusal.code
        return "issued"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(issue_on, (0, 1))) == ["ca.order.carrier", "issued"]


def test_a_reservation_is_finished_for_its_own_order_only(centre: Centre) -> None:
    first, second = accept(centre, dossier(1)), accept(centre, dossier(2))
    batch = open_batch(centre, first.id, second.id)
    carrier = card_carrier("01", first.id)
    prepared = prepare(centre, first.id, Purpose.SIGN, 1)
    broken = with_keys(centre, FailingBackend(Unavailable("keys.file", "out of reach")))
    refused(
        Unavailable,
        "keys.file",
        lambda: broken.issue(prepared, first.id, Purpose.SIGN, carrier, batch),
    )
    foreign = prepare(centre, second.id, Purpose.SIGN, 1)
    refused(
        Refused,
        "ca.issue.differs",
        lambda: centre.orders.issue(foreign, second.id, Purpose.SIGN, carrier, batch),
    )


def test_a_reservation_is_finished_once(centre: Centre) -> None:
    """Two processes finish the same reservation: the second finds it issued and stores nothing."""
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    prepared = prepare(centre, order.id, Purpose.SIGN, 1)
    leave_reserved(centre, prepared, order.id, carrier, batch)
    reserved = rows(centre, carrier)[Purpose.SIGN]
    acting = Acting(actor="hakko", actor_role=Role.IA_OPERATOR, order_id=order.id)
    centre.issuance.finish(reserved, acting)
    before = rows(centre, carrier)[Purpose.SIGN].issued_seq
    refused(Conflict, "ca.issue.twice", lambda: centre.issuance.finish(reserved, acting))
    assert rows(centre, carrier)[Purpose.SIGN].issued_seq == before


def test_a_revoked_reservation_is_not_finished(centre: Centre) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    prepared = prepare(centre, order.id, Purpose.SIGN, 1)
    leave_reserved(centre, prepared, order.id, carrier, batch)
    revoke(centre, carrier, "C12_CARD_SCRAPPED")
    again = prepare(centre, order.id, Purpose.SIGN, 1)
    refused(
        Conflict,
        "ca.issue.revoked",
        lambda: centre.orders.issue(again, order.id, Purpose.SIGN, carrier, batch),
    )
    assert rows(centre, carrier)[Purpose.SIGN].state is CertificateState.RESERVED


def test_a_foreign_key_under_the_cas_label_signs_nothing(centre: Centre) -> None:
    """Key files exchanged: what comes back does not verify with the CA's certificate."""
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    folder = centre.folder / "keys"
    shutil.copy(folder / "auth.pem", folder / "sign.pem")
    orders = with_keys(centre, FileKeyBackend(folder, lambda _: b"ca passphrase"))
    prepared = orders.prepare(order.id, Purpose.SIGN, csr(card_key(1)))
    refused(
        Refused,
        "pki.signature.invalid",
        lambda: orders.issue(prepared, order.id, Purpose.SIGN, carrier, batch),
    )
    assert rows(centre, carrier)[Purpose.SIGN].state is CertificateState.RESERVED
    assert rows(centre, carrier)[Purpose.SIGN].certificate_der is None


def test_a_production_site_refuses_software_keys(empty_centre: Centre) -> None:
    empty_centre.kind = SiteKind.PRODUCTION
    empty_centre.__post_init__()
    refused(Refused, "ca.keys.software", empty_centre.hold_ceremony)
    assert empty_centre.keys.labels() == ()


def test_dossiers_are_read_back_as_they_were_signed() -> None:
    paper = dossier()
    octets = paper.octets()
    assert parse_dossier(octets) == paper
    assert parse_dossier(octets).digest() == paper.digest()
    for broken in (
        octets + b" ",
        octets.replace(b'{"app', b'{ "app'),
        octets.replace(b'"attempt":1', b'"attempt":1,"attempt":1'),
        octets.replace(b'"attempt":1', b'"attempt":1.0'),
        octets.replace(b'"attempt":1', b'"attempt":"1"'),
        octets.replace(b'"attempt":1', b'"attempt":1,"extra":1'),
        b"[]",
        b"[" * 100_000,
        b"\xff",
        canonical_json({"application_ref": "A"}),
    ):
        refused(InvalidInput, "ca.dossier.form", lambda broken=broken: parse_dossier(broken))  # type: ignore[misc]
    refused(InvalidInput, "ca.dossier.size", lambda: parse_dossier(bytes(256 * 1024 + 1)))
    refused(Conflict, "ca.dossier.erased", lambda: parse_dossier(b""))


def test_changed_parts_are_named() -> None:
    paper = dossier()
    other = replace(
        dossier(common_name="Jiro", attempt=2),
        fields={"family_name": "0" * 64, "given_name": "1" * 64},
        documents=("APPLICATION_FORM",),
        checks={"IDENTITY": "NG", "QUALIFICATION": "OK"},
    )
    assert changed_parts(paper, paper) == ()
    assert changed_parts(paper, other) == (
        "application",
        "check IDENTITY",
        "content common_name",
        "document LICENCE_COPY",
        "family_name",
        "given_name",
    )


def test_the_stored_row_names_key_and_carrier(centre: Centre) -> None:
    carrier = issue(centre)
    with centre.store.read() as tx:
        stored = tx.get_one(Carrier, carrier.id)
        assert (stored.order_id, stored.chip_serial) == ("A0001.1", "00000101")
    made = certificate(centre, carrier, Purpose.SIGN)
    key = made.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert rows(centre, carrier)[Purpose.SIGN].spki_sha256 == sha256(spki_der(key)).hexdigest()
