"""Which CA issues by which profile: persons, organisations, second certificates, newer CAs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ca import records
from ca.carriers import card_carrier, file_carrier, place_carrier
from ca.issuance import Prepared
from ca.issuers import issued_profiles, issuer_for
from ca.orders import Batch
from ca.records import Carrier, CarrierKind, Certificate, CertificateState, Issuer, Order
from pki.errors import Conflict, NotFound, Refused
from pki.names import text
from policies.profiles import Profiles, Purpose, shipped_profiles
from tests.flows.conftest import CEREMONY, Centre
from tests.flows.issuing import (
    PURPOSES,
    accept,
    card_key,
    certificate,
    csr,
    dossier,
    issue,
    open_batch,
    prepare,
    profiles,
    refused,
    revoke,
    rows,
)
from tests.flows.registration import order_all, row
from tests.unit.test_ca_ceremony_file import ORGANISATION, sub_ca

SIGN, AUTH = PURPOSES


def with_organisations(centre: Centre) -> None:
    """Hold a ceremony of a person's and an organisation's authentication CA side by side."""
    centre.hold_ceremony(CEREMONY + ORGANISATION.encode())


def named(centre: Centre, **issues: list[str]) -> None:
    """Hold the ceremony with the profiles named that each CA issues by."""
    octets = CEREMONY.decode()
    for name, listed in issues.items():
        octets = octets.replace(f'id = "{name}"', f'id = "{name}"\nissues = {listed}')
    centre.hold_ceremony(octets.encode())


def offered(centre: Centre, carrier: CarrierKind) -> dict[Purpose, str]:
    with centre.store.read() as tx:
        found = centre.orders.offer(tx, carrier).profiles
    return {purpose: reference.partition("@")[0] for purpose, reference in found.items()}


ORGANISATION_PAPER: dict[str, Any] = {
    "common_name": "Sample Hospital",
    "roles": (),
    "japanese_name": None,
    "carrier": "FILE",
    "profiles": {AUTH: shipped_profiles().certificate("ee-auth-org").reference},
}


def reserve(centre: Centre, order: Order, batch: Batch, carrier: Carrier) -> Prepared:
    """Reserve the signing certificate on the carrier, as a crash before the signature leaves it."""
    prepared = prepare(centre, order.id, SIGN, 1)
    with centre.store.begin() as tx:
        _, acting = centre.orders.verify_for_issue(tx, order.id, batch)
        place_carrier(tx, carrier, order.id)
        acting = replace(acting, order_id=order.id, carrier_id=carrier.id, usage=SIGN)
        centre.issuance.reserve(tx, prepared, acting)
    return prepared


# --- an organisation's CA beside a person's ---


def test_organisations_are_certified_by_their_own_ca(empty_centre: Centre) -> None:
    centre = empty_centre
    with_organisations(centre)
    order = accept(centre, dossier(1, **ORGANISATION_PAPER))
    batch = open_batch(centre, order.id)
    prepared = prepare(centre, order.id, AUTH, 1)
    assert (prepared.issuer_id, prepared.profile.id) == ("org", "ee-auth-org")
    carrier = file_carrier(order.id)
    centre.orders.issue(prepared, order.id, AUTH, carrier, batch)
    made = certificate(centre, carrier, AUTH)
    assert "forOrganization" in text(made.issuer)
    policies = made.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert [one.policy_identifier.dotted_string for one in policies] == [
        "1.2.392.100495.1.5.1.3.0.1"
    ]
    assert rows(centre, carrier)[AUTH].profile == prepared.profile.reference
    # a person beside it gets theirs from the person's CA
    person = issue(centre, 2)
    assert {row.issuer_id for row in rows(centre, person).values()} == {"sign", "auth"}
    revoke(centre, carrier)
    made_lists = centre.due()
    assert {(row.issuer_id, row.entries) for row in made_lists} == {
        ("root", 0),
        ("sign", 0),
        ("auth", 0),
        ("org", 1),
    }


def test_persons_are_offered_nothing_of_an_organisations_ca(empty_centre: Centre) -> None:
    with_organisations(empty_centre)
    wanted = {SIGN: "ee-sign", AUTH: "ee-auth"}
    assert offered(empty_centre, CarrierKind.CARD) == wanted
    assert offered(empty_centre, CarrierKind.FILE) == wanted


def test_an_organisation_alone_is_no_offer(empty_centre: Centre) -> None:
    octets = CEREMONY.decode().partition('[[ca]]\nid = "sign"')[0] + ORGANISATION
    empty_centre.hold_ceremony(octets.encode())
    refused(NotFound, "ca.issuer.none", lambda: offered(empty_centre, CarrierKind.FILE))


# --- what is offered ---


def test_before_a_ceremony_nothing_is_offered(empty_centre: Centre) -> None:
    for carrier in CarrierKind:
        refused(NotFound, "ca.issuer.none", lambda c=carrier: offered(empty_centre, c))  # type: ignore[misc]


def test_a_second_certificate_goes_on_a_file_and_the_card_keeps_its_own(
    empty_centre: Centre,
) -> None:
    centre = empty_centre
    named(centre, sign=["ee-sign-remote", "ee-sign"])
    assert offered(centre, CarrierKind.CARD) == {SIGN: "ee-sign", AUTH: "ee-auth"}
    assert offered(centre, CarrierKind.FILE) == {SIGN: "ee-sign-remote", AUTH: "ee-auth"}
    (order,) = order_all(centre, row(1), carrier=CarrierKind.FILE)
    prepared = prepare(centre, order.id, SIGN, 1)
    assert (prepared.issuer_id, prepared.profile.id) == ("sign", "ee-sign-remote")
    batch = open_batch(centre, order.id)
    centre.orders.issue(prepared, order.id, SIGN, file_carrier(order.id), batch)


def test_what_stands_first_is_offered(empty_centre: Centre) -> None:
    named(empty_centre, sign=["ee-sign", "ee-sign-remote"])
    assert offered(empty_centre, CarrierKind.FILE)[SIGN] == "ee-sign"


def test_a_purpose_that_no_ca_serves_on_the_carrier_is_left_out(empty_centre: Centre) -> None:
    named(empty_centre, sign=["ee-sign-remote"])
    assert offered(empty_centre, CarrierKind.CARD) == {AUTH: "ee-auth"}
    assert offered(empty_centre, CarrierKind.FILE) == {SIGN: "ee-sign-remote", AUTH: "ee-auth"}


def test_a_ca_whose_ceremony_broke_hinders_the_examination(centre: Centre) -> None:
    """Otherwise a card with one certificate of two would be approved."""
    with centre.store.begin() as tx:
        tx.get_one(Issuer, "auth").certificate_der = None
    refused(Conflict, "ca.issuer.unfinished", lambda: offered(centre, CarrierKind.CARD))
    refused(Conflict, "ca.issuer.unfinished", lambda: order_all(centre, row(1)))


def test_certificates_last_as_long_as_the_shortest_profile(centre: Centre) -> None:
    shipped = shipped_profiles()
    short = shipped.certificate("ee-auth")
    short = short.model_copy(
        update={"validity": short.validity.model_copy(update={"max_years": 2})}
    )
    centre.profiles = Profiles({**shipped.certificates, "ee-auth": short}, shipped.lists)
    centre.__post_init__()
    with centre.store.read() as tx:
        assert centre.orders.offer(tx, CarrierKind.CARD).validity_years == 2


# --- a newer CA beside an older one ---

SECOND = """
title = "A second hierarchy"
version = "1"
place = "test"

[[ca]]
id = "root2"
profile = "root"
crl_profile = "crl-root"
key = "RSA-2048"
validity_years = 30
cps_uri = "http://repository.test/"
crl_uri = "http://repository.test/sarl2.crl"
own_list_uri = "http://repository.test/rarl2.crl"
subject = { organization = "DEMO Ministry", organizational_units = ["DEMO HPKI Root CA 2"] }
""" + sub_ca("aa", "sub-ca-sign", "forNonRepudiation").replace('"root"', '"root2"')


def test_the_newest_ca_issues_and_what_the_older_began_stays_its_own(centre: Centre) -> None:
    first = accept(centre, dossier(1))
    batch = open_batch(centre, first.id)
    carrier = card_carrier("01", first.id)
    reserve(centre, first, batch, carrier)  # by the older CA, before the newer one comes to be
    centre.hold_ceremony(SECOND.encode())
    with centre.store.read() as tx:
        assert [one.id for one in records.newest_issuers(tx)][:2] == ["aa", "root2"]
        assert issuer_for(tx, "ee-sign").id == "aa"
        assert issuer_for(tx, "ee-auth").id == "auth"
    assert offered(centre, CarrierKind.CARD) == {SIGN: "ee-sign", AUTH: "ee-auth"}
    again = prepare(centre, first.id, SIGN, 1)
    assert again.issuer_id == "aa"
    made = centre.orders.issue(again, first.id, SIGN, carrier, batch)
    assert "DEMO_Sign" in text(made.issuer)
    assert rows(centre, carrier)[SIGN].issuer_id == "sign"
    second = issue(centre, 2)
    assert rows(centre, second)[SIGN].issuer_id == "aa"


def test_a_newer_ca_that_is_not_finished_does_not_issue_yet(centre: Centre) -> None:
    centre.hold_ceremony(SECOND.encode())
    with centre.store.begin() as tx:
        tx.get_one(Issuer, "aa").certificate_der = None
    with centre.store.read() as tx:
        assert issuer_for(tx, "ee-sign").id == "sign"
    assert offered(centre, CarrierKind.CARD)[SIGN] == "ee-sign"


# --- what was ordered, and nothing else ---


@pytest.mark.parametrize(
    ("purpose", "carrier", "ordered"),
    [
        (SIGN, "CARD", "ee-auth"),
        (SIGN, "CARD", "ee-sign-remote"),
        (AUTH, "CARD", "ee-auth-org"),
        (SIGN, "FILE", "ocsp"),
        (SIGN, "FILE", "sub-ca-sign"),
    ],
)
def test_a_profile_for_another_purpose_or_carrier_is_refused(
    centre: Centre, purpose: Purpose, carrier: str, ordered: str
) -> None:
    wanted = {purpose: shipped_profiles().certificate(ordered).reference}
    order = accept(centre, dossier(carrier=carrier, profiles=wanted))
    refused(Refused, "ca.order.profile", lambda: prepare(centre, order.id, purpose, 1))


def test_a_profile_that_is_gone_is_not_found(centre: Centre) -> None:
    order = accept(centre, dossier(profiles={SIGN: "ee-own@1"}))
    refused(NotFound, "policies.profile.unknown", lambda: prepare(centre, order.id, SIGN, 1))


def test_a_profile_that_no_ca_issues_by_is_not_found(centre: Centre) -> None:
    order = accept(centre, dossier(profiles=profiles(sign="ee-sign-ng")))
    refusal = refused(NotFound, "ca.issuer.none", lambda: prepare(centre, order.id, SIGN, 1))
    assert "ee-sign-ng" in refusal.text


@pytest.mark.parametrize("change", ["issuer", "profile", "issues"])
def test_a_reservation_of_another_ca_or_profile_is_not_signed(centre: Centre, change: str) -> None:
    order = accept(centre, dossier())
    batch = open_batch(centre, order.id)
    carrier = card_carrier("01", order.id)
    prepared = reserve(centre, order, batch, carrier)
    with centre.store.begin() as tx:
        stored = tx.get_one(Certificate, rows(centre, carrier)[SIGN].id)
        if change == "issuer":
            stored.issuer_id = "auth"
        elif change == "profile":
            stored.profile = "ee-sign@2020-01-01"
        else:
            tx.get_one(Issuer, "sign").issues = '["ee-sign-remote"]'
    refused(
        Refused,
        "ca.issue.differs",
        lambda: centre.orders.issue(prepared, order.id, SIGN, carrier, batch),
    )
    assert rows(centre, carrier)[SIGN].state is CertificateState.RESERVED


# --- Japanese names ---


def test_japanese_names_are_left_out_where_the_ca_does_not_carry_them(
    empty_centre: Centre,
) -> None:
    centre = empty_centre
    octets = CEREMONY.replace(b'id = "sign"', b'id = "sign"\njapanese_names = false')
    centre.hold_ceremony(octets)
    carrier = issue(centre)
    signing = certificate(centre, carrier, SIGN)
    with pytest.raises(x509.ExtensionNotFound):
        signing.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert "山田" not in text(signing.subject)
    auth = certificate(centre, carrier, AUTH)
    alternative = auth.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "山田" in text(alternative.get_values_for_type(x509.DirectoryName)[0])
    with centre.store.read() as tx:
        kept = {one.id: (one.japanese_names, issued_profiles(one)) for one in records.issuers(tx)}
    assert kept == {
        "root": (True, ()),
        "sign": (False, ("ee-sign",)),
        "auth": (True, ("ee-auth",)),
    }


def test_the_file_key_of_a_person_is_judged(centre: Centre) -> None:
    (order,) = order_all(centre, row(1), carrier=CarrierKind.FILE)
    weak = rsa.generate_private_key(65537, 1024)
    refused(Refused, "ca.lint", lambda: centre.orders.prepare(order.id, SIGN, csr(weak)))
    centre.orders.prepare(order.id, SIGN, csr(card_key(1)))
