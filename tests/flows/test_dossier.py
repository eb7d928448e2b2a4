"""The order's file: what it holds of a person, what it must not, and what it makes of a role."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from ca.dossier import Dossier, Offer, changed_parts, parse_dossier
from ca.records import CarrierKind
from pki.errors import InvalidInput
from policies.profiles import Purpose
from policies.site import SiteKind
from ra.dossiers import compute_dossier, content
from ra.records import Application, PersonVersion, applicant, find_application
from tests.flows.conftest import Centre
from tests.flows.registration import DIRECTOR, Row, order_all, row, take_in

REF = "T2026-0001"
WHOLE = {
    **DIRECTOR,
    "former_surname": "𠮷野",
    "municipality": "新宿区",
    "member_id": "9900000001",
    "documents": DIRECTOR["documents"] + ";FORMER_NAME_DOC",
}


def card_offer(centre: Centre) -> Offer:
    """What a person gets on a card."""
    with centre.store.read() as tx:
        return centre.orders.offer(tx, CarrierKind.CARD)


def received(centre: Centre, *rows: Row) -> list[tuple[Application, PersonVersion, Dossier]]:
    """Application, person and dossier of each row, as taken in."""
    take_in(centre, *rows)
    found = []
    with centre.store.read() as tx:
        for one in rows:
            application = find_application(tx, one["application_ref"])
            dossier = compute_dossier(tx, application, centre.kind, card_offer(centre))
            found.append((application, applicant(tx, application), dossier))
    return found


def name_parts(name: x509.Name) -> list[tuple[x509.ObjectIdentifier, str]]:
    return [(attribute.oid, str(attribute.value)) for attribute in name]


def test_the_order_holds_the_names_and_nothing_else_of_the_person(centre: Centre) -> None:
    given = row(1, **WHOLE)
    (order,) = order_all(centre, given)
    certified = ("kanji_name", "romaji_name", "institution_en", "institution_ja")
    assert [name for name in certified if given[name] not in order.dossier] == []
    secret = (
        "kana_name", "former_surname", "birth_date", "address", "postal_code", "telephone", "email",
        "registration_number", "registration_date", "municipality", "member_id", "received_on",
    )  # fmt: skip
    values = {name: given[name] for name in secret}
    assert all(len(value) >= 2 for value in values.values())
    assert [name for name, value in values.items() if value in order.dossier] == []
    parts = [*given["kana_name"].split("\u3000"), "架空町", given["birth_date"].replace("-", "")]
    assert [part for part in parts if part in order.dossier] == []


def test_digests_are_salted_for_each_application(centre: Centre) -> None:
    """Without the salt nobody finds a birth date by trying all."""
    second = row(1, application_ref="T2026-0100", profession="薬剤師")
    (one, _, first), (other, _, again) = received(centre, row(1), second)
    assert one.salt != other.salt
    assert one.salt not in first.octets().decode()
    same = [name for name in first.fields if first.fields[name] == again.fields[name]]
    assert same == []
    born = row(1)["birth_date"]
    guesses = {hashlib.sha256(text.encode()).hexdigest() for text in (born, f"birth_date={born}")}
    assert guesses.isdisjoint(first.fields.values())
    assert all(len(value) == 64 for value in first.fields.values())


def test_equal_values_of_two_fields_have_two_digests(centre: Centre) -> None:
    ((_, _, dossier),) = received(centre, row(1, municipality="新宿区", institution_ja="新宿区"))
    assert len(set(dossier.fields.values())) == len(dossier.fields)


def test_the_dossier_is_the_same_each_time(centre: Centre) -> None:
    (order,) = order_all(centre, row(1, **WHOLE))
    with centre.store.read() as tx:
        now = compute_dossier(tx, find_application(tx, REF), centre.kind, card_offer(centre))
    assert now.octets().decode() == order.dossier
    assert now.digest() == order.digest == hashlib.sha256(order.dossier.encode()).hexdigest()
    assert parse_dossier(order.dossier.encode()) == now
    assert changed_parts(now, parse_dossier(order.dossier.encode())) == ()


def test_a_director_has_o_and_ou_and_both_roles(centre: Centre) -> None:
    ((application, version, dossier),) = received(centre, row(1, **DIRECTOR))
    assert dossier.content.roles == ("Medical Doctor", "Director of Hospital")
    holder = application.person_id
    training = [
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.ORGANIZATION_NAME, "DEMO Fictitious Hospital"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Director"),
        (NameOID.COMMON_NAME, "TAKAHASHI ICHIRO"),
        (NameOID.SERIAL_NUMBER, holder),
    ]
    assert name_parts(dossier.content.subject()) == training
    alternative = dossier.content.alternative_name()
    assert alternative is not None
    japanese = dict(name_parts(alternative))
    assert japanese[NameOID.ORGANIZATION_NAME] == "DEMO 架空病院"
    assert japanese[NameOID.COMMON_NAME] == "髙橋　一郎"
    real = content(application, version, SiteKind.PRODUCTION, dossier.content.offer)
    assert name_parts(real.subject())[1] == (NameOID.ORGANIZATION_NAME, "Fictitious Hospital")
    assert real.japanese_organization == "架空病院"
    trial = content(application, version, SiteKind.TRIAL, dossier.content.offer)
    assert trial.organization == "DEMO Fictitious Hospital"


def test_who_is_no_director_has_neither_o_nor_ou(centre: Centre) -> None:
    """Not even with a workplace on file, and never with DEMO in the person's names."""
    workplace = {"institution_ja": "架空病院", "institution_en": "Fictitious Hospital"}
    ((application, _, dossier),) = received(centre, row(1, **workplace))
    assert name_parts(dossier.content.subject()) == [
        (NameOID.COUNTRY_NAME, "JP"),
        (NameOID.COMMON_NAME, "TAKAHASHI ICHIRO"),
        (NameOID.SERIAL_NUMBER, application.person_id),
    ]
    assert dossier.content.japanese_organization is None
    assert dossier.content.japanese_name == "髙橋　一郎"
    assert dossier.content.roles == ("Medical Doctor",)
    assert dossier.content.validity_years == 5


def test_a_role_without_a_known_string_is_refused(centre: Centre) -> None:
    ((application, version, _),) = received(centre, row(1))
    application.profession = "内科医"
    with pytest.raises(InvalidInput) as refusal:
        content(application, version, SiteKind.TRAINING, Offer({}, 1))
    assert refusal.value.code == "ra.role.unknown"


def test_every_card_has_both_purposes(centre: Centre) -> None:
    ((_, _, dossier),) = received(centre, row(1))
    assert set(dossier.content.profiles) == {Purpose.SIGN, Purpose.AUTH}


def test_another_attempt_or_reference_is_a_change(centre: Centre) -> None:
    ((_, _, dossier),) = received(centre, row(1))
    for other in (replace(dossier, attempt=2), replace(dossier, application_ref="T2026-0002")):
        assert changed_parts(dossier, other) == ("application",)
    fewer = {name: value for name, value in dossier.fields.items() if name != "email"}
    assert changed_parts(dossier, replace(dossier, fields=fewer)) == ("email",)
    assert changed_parts(replace(dossier, fields=fewer), dossier) == ("email",)


def without(tree: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key != name}


def test_only_the_canonical_octets_are_a_dossier(centre: Centre) -> None:
    ((_, _, dossier),) = received(centre, row(1))
    octets = dossier.octets()
    tree = json.loads(octets)
    bad = [
        b"\xff",
        b"[]",
        b"[" * 100_000,
        octets + b"\n",
        octets.replace(b":", b": ", 1),
        json.dumps(tree).encode(),
        *(json.dumps(without(tree, name)).encode() for name in tree),
        json.dumps(tree | {"more": 1}, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps(tree | {"attempt": "1"}, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps(tree | {"content": without(tree["content"], "roles")}).encode(),
    ]
    for broken in bad:
        with pytest.raises(InvalidInput) as refusal:
            parse_dossier(broken)
        assert refusal.value.code == "ca.dossier.form", broken[:40]
    with pytest.raises(InvalidInput) as refusal:
        parse_dossier(b" " * 300_000)
    assert refusal.value.code == "ca.dossier.size"
