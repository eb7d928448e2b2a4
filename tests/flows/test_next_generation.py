"""A hierarchy of the next generation: P-384 and RSA 4096 with SHA-384, cards with RSA 3072."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca.carriers import file_carrier
from ca.records import Carrier, CarrierKind, CertificateState, Issuer
from card_personalization.card import CardState
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Role, default_layout
from card_personalization.transport import CardRemoved, EmbeddedTransport
from card_personalization.virtual_card import VirtualCard
from crl.checking import verify_list
from keys.backend import KeySpec, PrivateKey
from pki import oids
from pki.errors import Refused
from pki.reading.crl import read_list
from pki.signing import HashName
from pki.validation import PathInputs, verify_path
from policies.profiles import Profiles, Purpose, shipped_profiles
from policies.site import SiteKind
from reports.board.counts import Measure, Question, count
from reports.moment import moment
from tests.flows.conftest import Centre, Moulds, lent
from tests.flows.issuing import (
    PURPOSES,
    accept,
    certificate,
    dossier,
    open_batch,
    refused,
    revoke,
    rows,
)
from tests.flows.registration import (
    batch_for,
    blank_card,
    certificates_on,
    make_cards,
    order_all,
    personalize,
    row,
)

if TYPE_CHECKING:
    from tests.postgres import Server

CEREMONY = (Path(__file__).parents[2] / "examples" / "ceremony-next-generation.toml").read_bytes()
SIGN, AUTH = PURPOSES
SHA384: HashName = "SHA-384"


@cache
def curve_key(number: int) -> ec.EllipticCurvePrivateKey:
    """One of this process's P-256 keys."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def centre(moulds: Moulds, database: Server | None, tmp_path: Path) -> Iterator[Centre]:
    """A centre that has held the example's ceremony."""
    yield from lent(moulds, tmp_path, database, CEREMONY)


def authority(centre: Centre, name: str) -> x509.Certificate:
    with centre.store.read() as tx:
        found = tx.get_one(Issuer, name).certificate_der or b""
    return x509.load_der_x509_certificate(found)


def request_by(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256())


def issue_file(centre: Centre, number: int) -> Carrier:
    """Both certificates for keys on P-256 in request files."""
    (order,) = order_all(centre, row(number), carrier=CarrierKind.FILE)
    batch = open_batch(centre, order.id, batch_id=f"batch-{order.id}")
    carrier = file_carrier(order.id)
    for purpose in PURPOSES:
        request = request_by(curve_key(2 * number + PURPOSES.index(purpose)))
        prepared = centre.orders.prepare(order.id, purpose, request)
        centre.orders.issue(prepared, order.id, purpose, carrier, batch)
    return carrier


def path_fault(centre: Centre, made: x509.Certificate, ca: str, profile_id: str) -> str | None:
    """What the path validation says with the lists served, None for a valid path."""
    rule = shipped_profiles().certificate(profile_id).certificate_policies
    assert rule is not None
    inputs = PathInputs(
        authority(centre, "root-ng").public_bytes(Encoding.DER),
        [authority(centre, ca).public_bytes(Encoding.DER)],
        [path.read_bytes() for path in sorted((centre.folder / "public").glob("*.crl"))],
        rule.oid(SiteKind.TRAINING),
        centre.now,
    )
    try:
        verify_path(made.public_bytes(Encoding.DER), inputs)
    except Refused as refusal:
        return refusal.text
    return None


def test_the_hierarchy(centre: Centre) -> None:
    root, sign, auth = (authority(centre, name) for name in ("root-ng", "sign-ng", "auth-ng"))
    for one in (root, sign, auth):
        one.verify_directly_issued_by(root)
        assert one.signature_algorithm_oid.dotted_string == oids.ECDSA_WITH_SHA384
    for one in (root, sign):
        key = one.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp384r1"
    key = auth.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 4096


def test_a_card_holds_rsa_3072(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    report = personalize(centre, order.id, card)
    assert [check for check in report.checks if not check.ok] == []
    wanted = {
        Role.SIGN: ("sign-ng", "ee-sign-ng", oids.ECDSA_WITH_SHA384),
        Role.AUTH: ("auth-ng", "ee-auth-ng", oids.SHA384_WITH_RSA),
    }
    centre.pass_time(minutes=1)
    centre.due()
    for stored in certificates_on(centre, card):
        role = Role(str(stored.usage))
        issuer_id, profile_id, algorithm = wanted[role]
        assert (stored.issuer_id, stored.profile.partition("@")[0]) == (issuer_id, profile_id)
        made = report.certificates[role]
        made.verify_directly_issued_by(authority(centre, issuer_id))
        assert made.signature_algorithm_oid.dotted_string == algorithm
        key = made.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == 3072
        assert path_fault(centre, made, issuer_id, profile_id) is None


def test_request_files_hold_p_256(centre: Centre) -> None:
    carrier = issue_file(centre, 1)
    centre.pass_time(minutes=1)
    centre.due()
    found = {usage: one.profile.partition("@")[0] for usage, one in rows(centre, carrier).items()}
    assert found == {SIGN: "ee-sign-remote-ng", AUTH: "ee-auth-ng"}
    for purpose, ca in ((SIGN, "sign-ng"), (AUTH, "auth-ng")):
        made = certificate(centre, carrier, purpose)
        made.verify_directly_issued_by(authority(centre, ca))
        key = made.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
        assert path_fault(centre, made, ca, found[purpose]) is None
    sealed = certificate(centre, carrier, SIGN)
    other = path_fault(centre, sealed, "sign-ng", "ee-auth-ng")
    assert other is not None
    assert "policies" in other


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
    ],
    ids=["rsa-2048", "p-384", "p-521"],
)
def test_other_keys_are_refused(
    centre: Centre, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
) -> None:
    (order,) = order_all(centre, row(1), carrier=CarrierKind.FILE)
    for purpose in PURPOSES:
        refused(
            Refused,
            "ca.lint",
            lambda purpose=purpose: centre.orders.prepare(order.id, purpose, request_by(key)),  # type: ignore[misc]
        )


def test_lists_of_p_384_and_rsa_4096(centre: Centre) -> None:
    carrier = issue_file(centre, 1)
    serials = {one.issuer_id: int(one.serial, 16) for one in rows(centre, carrier).values()}
    made = certificate(centre, carrier, SIGN)
    centre.due()
    centre.pass_time(minutes=1)
    assert path_fault(centre, made, "sign-ng", "ee-sign-ng") is None
    revoke(centre, carrier)
    listed = centre.due()
    assert [(one.issuer_id, one.entries) for one in listed] == [("auth-ng", 1), ("sign-ng", 1)]
    for one in listed:
        octets = centre.archive.list_path(one).read_bytes()
        parsed, read = x509.load_der_x509_crl(octets), read_list(octets)
        issuer = authority(centre, one.issuer_id)
        verify_list(read, issuer, SHA384)
        refused(
            Refused,
            "crl.signature",
            lambda p=read, i=issuer: verify_list(p, i, "SHA-256"),  # type: ignore[misc]
        )
        assert [entry.serial_number for entry in parsed] == [serials[one.issuer_id]]
        wanted = oids.SHA384_WITH_RSA if one.issuer_id == "auth-ng" else oids.ECDSA_WITH_SHA384
        assert parsed.signature_algorithm_oid.dotted_string == wanted
        assert parsed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    centre.pass_time(minutes=1)
    fault = path_fault(centre, made, "sign-ng", "ee-sign-ng")
    assert fault is not None
    assert "revoked" in fault


def test_cards_are_counted_as_any_others(centre: Centre) -> None:
    make_cards(centre, row(1, work_prefecture="13"))
    at = centre.now + timedelta(seconds=1)
    with centre.store.read() as tx:
        assert count(tx, moment(tx, at, at), Question(Measure.CARDS)) == {"13": 1}


class _PulledPlug(BaseException):
    """The machine stops."""


def test_a_broken_ceremony_of_curves_is_finished(empty_centre: Centre) -> None:
    """An ECDSA signature differs each time; the bytes under it do not."""
    centre = empty_centre
    opened = centre.keys.generate

    def fails_at_auth(label: str, spec: KeySpec) -> PrivateKey:
        if label == "auth-ng":
            raise _PulledPlug
        return opened(label, spec)

    def fails_once(*_: object) -> None:
        raise _PulledPlug

    with pytest.MonkeyPatch.context() as patch:  # the root is reserved and not signed
        patch.setattr(type(centre.issuance), "finish", fails_once)
        with pytest.raises(_PulledPlug):
            centre.hold_ceremony(CEREMONY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(centre.keys, "generate", fails_at_auth)
        with pytest.raises(_PulledPlug):
            centre.hold_ceremony(CEREMONY)
    root = authority(centre, "root-ng")
    authority(centre, "sign-ng").verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)


def test_a_reservation_is_finished_with_its_stored_bytes(centre: Centre) -> None:
    (order,) = order_all(centre, row(1), carrier=CarrierKind.FILE)
    batch, carrier = open_batch(centre, order.id), file_carrier(order.id)
    request = request_by(curve_key(90))
    prepared = centre.orders.prepare(order.id, SIGN, request)

    def pulled(*_: object) -> None:
        raise _PulledPlug

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(centre.issuance), "finish", pulled)
        with pytest.raises(_PulledPlug):
            centre.orders.issue(prepared, order.id, SIGN, carrier, batch)
    stored = rows(centre, carrier)[SIGN]
    assert stored.state is CertificateState.RESERVED
    again = centre.orders.prepare(order.id, SIGN, request)
    made = centre.orders.issue(again, order.id, SIGN, carrier, batch)
    assert made.tbs_certificate_bytes == stored.tbs_der
    made.verify_directly_issued_by(authority(centre, "sign-ng"))


def without_rsa(centre: Centre, profile_id: str) -> None:
    """Let the site's profile certify keys on a curve alone."""
    shipped = shipped_profiles()
    profile = shipped.certificate(profile_id)
    changed = profile.model_copy(update={"key": profile.key.model_copy(update={"rsa_bits": ()})})
    centre.profiles = Profiles({**shipped.certificates, profile_id: changed}, shipped.lists)
    centre.approve_policy()


@pytest.mark.parametrize("profile_id", ["ee-sign-ng", "ee-auth-ng"])
def test_a_profile_without_rsa_never_touches_a_card(centre: Centre, profile_id: str) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    without_rsa(centre, profile_id)
    refusal = refused(Refused, "card.key_type", lambda: personalize(centre, order.id, card))
    assert profile_id in refusal.text
    chip = HpkiCard(centre.stock.insert_virtual(card), default_layout())
    assert chip.identify().state is CardState.BLANK
    assert certificates_on(centre, card) == []


def with_new_version(centre: Centre, profile_id: str) -> None:
    """Let the site's profile have another version than what was approved."""
    shipped = shipped_profiles()
    changed = shipped.certificate(profile_id).model_copy(update={"version": "later"})
    centre.profiles = Profiles({**shipped.certificates, profile_id: changed}, shipped.lists)
    centre.approve_policy()


def test_a_profile_that_changed_never_touches_a_card(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    with_new_version(centre, "ee-auth-ng")
    refused(Refused, "ca.order.profile", lambda: personalize(centre, order.id, card))
    chip = HpkiCard(centre.stock.insert_virtual(card), default_layout())
    assert chip.identify().state is CardState.BLANK


def test_a_card_that_is_locked_is_finished_whatever_became_of_its_profile(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)

    class PulledAfterActivation(EmbeddedTransport):
        active = False

        def transmit(self, apdu: bytes) -> bytes:
            if self.active:
                raise CardRemoved
            answer = super().transmit(apdu)
            self.active = apdu[:2] == b"\x04\x44"
            return answer

    centre.stock.insert_virtual(card).close()
    chip = VirtualCard.load(centre.folder / "virtual_cards" / f"{card}.json")
    with pytest.raises(CardRemoved):
        personalize(centre, order.id, PulledAfterActivation(chip))
    with_new_version(centre, "ee-auth-ng")
    batch = batch_for(centre, order.id, batch_id="again")
    report = personalize(centre, order.id, card, batch)
    assert {one.ok for one in report.checks} == {True}


def test_both_generations_on_one_site(moulds: Moulds, tmp_path: Path) -> None:
    """What was examined before goes on with the older CAs, what comes after with the newer."""
    centre = moulds.copy(tmp_path, None)
    (before,) = order_all(centre, row(1))
    centre.hold_ceremony(CEREMONY)
    (after,) = order_all(centre, row(2))
    found = {}
    for order in (before, after):
        card = blank_card(centre)
        report = personalize(centre, order.id, card)
        assert all(check.ok for check in report.checks)
        found[order.id] = {(one.usage, one.issuer_id) for one in certificates_on(centre, card)}
    assert found == {
        before.id: {(SIGN, "sign"), (AUTH, "auth")},
        after.id: {(SIGN, "sign-ng"), (AUTH, "auth-ng")},
    }
    made = centre.due()
    assert len(made) == 8
    assert {one.issuer_id for one in made} == {
        "root", "sign", "auth", "root-ng", "sign-ng", "auth-ng",
    }  # fmt: skip
    centre.store.close()


def test_the_older_version_of_a_profile_is_not_issued_by(centre: Centre) -> None:
    old: dict[Purpose, str] = {SIGN: "ee-sign-ng@2020-01-01"}
    order = accept(centre, dossier(profiles=old))
    refused(
        Refused,
        "ca.order.profile",
        lambda: centre.orders.prepare(order.id, SIGN, request_by(curve_key(91))),
    )
