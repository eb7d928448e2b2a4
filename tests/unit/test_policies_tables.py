"""Strict reading of data files; grounds, DEMO marks."""

from __future__ import annotations

from typing import Literal

import pytest
from cryptography import x509

from pki.errors import InvalidInput, Refused
from pki.names import distinguished_name
from pki.reasons import Reason
from policies.grounds import ground, grounds, reason_on_list
from policies.schema import Strict, load_toml
from policies.site import SiteKind, verify_demo_marks


class Inner(Strict):
    number: int


class Outer(Strict):
    name: str
    inner: tuple[Inner, ...] = ()


def read(text: str | bytes) -> Outer:
    octets = text if isinstance(text, bytes) else text.encode()
    return load_toml(Outer, octets, "the file", "test.file")


def test_a_sound_file() -> None:
    assert read('name = "x"\n[[inner]]\nnumber = 1') == Outer(name="x", inner=(Inner(number=1),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nnmae = "y"', "the file: unknown key nmae"),
        ('name = "x"\n[[inner]]\nnumber = 1\nsize = 2', "the file: unknown key inner.0.size"),
        ('name = "x"\n[[inner]]\nnumber = 1\n[[inner]]', "the file: inner.1.number: "),
        ("", "the file: name: Field required"),
        ("name = 1", "the file: name: Input should be a valid string"),
        ('name = "x', "the file is not TOML: "),
        ('name = "x"\nname = "y"', "the file is not TOML: "),
        (b'name = "\xff"', "the file is not UTF-8 at octet 8"),
        ("a = " + "[" * 5000, "the file is "),
        (b"#" * (1024 * 1024 + 1), "the file is larger than"),
    ],
)
def test_faults_are_named_with_their_place(text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read(text)
    assert refusal.value.code == "test.file"
    assert refusal.value.text.startswith(message)


def test_values_cannot_be_changed() -> None:
    value = read('name = "x"')
    with pytest.raises(ValueError, match="frozen"):
        value.name = "y"  # type: ignore[misc]


RFC_5280: dict[str, int | None] = {
    "S01_KEY_COMPROMISE": 1,
    "S02_CARD_LOST": 1,
    "S03_PIN_LEAK": 1,
    "S04_STOP_USE": 5,
    "S05_NAME_CHANGE": 3,
    "S06_CARD_DAMAGED": 4,
    "S07_MEMBER_CHANGE": 4,
    "S08_CARD_LOCKED": 4,
    "S09_RENEWED": 4,
    "S10_LEFT_POST": 3,
    "S11_NO_REASON": None,
    "R01_DEATH": 5,
    "C01_QUAL_LOST": 9,
    "C03_NOT_RECEIVED": None,
    "C04_MISISSUE": 4,
    "C05_OBLIGATION": 9,
    "C06_FALSE_APPLICATION": 9,
    "C07_TEMP_DOCS": 9,
    "C11_POLICY_OTHER": None,
    "C12_CARD_SCRAPPED": 4,
}


def test_grounds_and_their_reasons() -> None:
    assert {one.code: reason_on_list(one, "rfc5280") for one in grounds()} == RFC_5280
    observed: Literal["observed"] = "observed"
    assert {reason_on_list(one, observed) for one in grounds()} == {Reason.CESSATION_OF_OPERATION}
    assert all(one.limit_hours > 0 for one in grounds())
    assert ground("S02_CARD_LOST").limit_hours == 2


def test_an_unknown_ground_lists_the_known() -> None:
    with pytest.raises(InvalidInput) as refusal:
        ground("S99")
    assert refusal.value.code == "policies.ground.unknown"
    assert "S02_CARD_LOST" in refusal.value.hint


@pytest.mark.parametrize("kind", [SiteKind.TRIAL, SiteKind.TRAINING])
def test_demo_marks_outside_production(kind: SiteKind) -> None:
    assert kind.banner
    for name in (
        distinguished_name(
            organization="DEMO Centre", common_name="HPKI-01-DEMO_X-forNonRepudiation"
        ),
        distinguished_name(organization="DEMO", organizational_units=["Bureau", "DEMO Root"]),
        distinguished_name(organization="DEMO Hospital", common_name="Taro Yamada"),
        distinguished_name(common_name="Taro Yamada", serial_number="D1"),
    ):
        verify_demo_marks(kind, name)
        if name.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME):
            assert_refused(SiteKind.PRODUCTION, name)
    for name in (
        distinguished_name(organization="Centre", common_name="HPKI-01-DEMO_X-forNonRepudiation"),
        distinguished_name(organization="DEMO Centre", common_name="HPKI-01-X-forNonRepudiation"),
        distinguished_name(organization="DEMO", organizational_units=["DEMO Bureau", "Root"]),
        distinguished_name(organization="Hospital", common_name="Taro Yamada"),
        distinguished_name(organization="Demo Hospital", common_name="Taro Yamada"),
    ):
        assert_refused(kind, name)


def test_production_says_demo_nowhere_in_ca_names() -> None:
    verify_demo_marks(
        SiteKind.PRODUCTION,
        distinguished_name(organization="Centre", common_name="HPKI-01-X-forNonRepudiation"),
    )
    verify_demo_marks(SiteKind.PRODUCTION, distinguished_name(common_name="Demo DEMO"))
    assert SiteKind.PRODUCTION.banner is None


def assert_refused(kind: SiteKind, name: x509.Name) -> None:
    with pytest.raises(Refused) as refusal:
        verify_demo_marks(kind, name)
    assert refusal.value.code == "policies.demo_mark"
