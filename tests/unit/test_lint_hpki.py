"""The HPKI's rules and conformity with the profile, where a golden file cannot show it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import oids
from pki.errors import InvalidInput
from pki.findings import Finding
from pki.reading.certificate import Certificate, read_certificate
from pki.reading.objects import objects_in
from policies.lint import (
    conformity,
    hpki_extensions,
    hpki_fields,
    hpki_names,
    hpki_policies,
    hpki_roles,
)
from policies.lint.check import JudgedCertificate, run
from policies.lint.kinds import claimed_profile
from policies.profiles import CertificateProfile, shipped_profiles
from policies.site import SiteKind
from tests.golden.lint.case import Draft
from tests.golden.lint.make import FOLDER
from tests.golden.lint.shapes import (
    actor,
    begins,
    certify,
    coded_data,
    cps,
    ends,
    hc_role,
    named_key,
    policy,
    rdn,
    replace,
    rsa_key,
    time,
)
from tests.golden.lint.sound import SOUND
from tests.golden.lint.tree import Node, integer, node, oid, sequence, set_of, text

CHECKS = (
    *hpki_fields.CHECKS,
    *hpki_names.CHECKS,
    *hpki_extensions.CHECKS,
    *hpki_policies.CHECKS,
    *hpki_roles.CHECKS,
    *conformity.CHECKS,
)
PROFILES = shipped_profiles().certificates
LONGEST = 400


def first(scene: str) -> Draft:
    return SOUND[scene].make().first


def judge(
    found: Draft | Certificate,
    profile: CertificateProfile | str | None,
    issuer: Certificate | None = None,
    *,
    site: SiteKind | None = None,
    strict: bool = False,
) -> tuple[Finding, ...]:
    certificate = read_certificate(found.encode()) if isinstance(found, Draft) else found
    rules = PROFILES[profile] if isinstance(profile, str) else profile
    return run(CHECKS, JudgedCertificate(certificate, rules, issuer, site, strict), strict=strict)


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{one.code} {one.severity}" for one in findings if one.code != "H053"]


def changed(profile: str, field: str, **values: Any) -> CertificateProfile:
    rules = PROFILES[profile]
    rule = getattr(rules, field).model_copy(update=values)
    return rules.model_copy(update={field: rule})


def every_certificate() -> Iterator[Certificate]:
    for path in sorted(FOLDER.glob("*.pem")):
        for found in objects_in(path.read_bytes()):
            if isinstance(found, Certificate):
                yield found
                break


def test_nothing_is_told_of_what_has_no_profile() -> None:
    assert [one for found in every_certificate() for one in judge(found, None, found)] == []


def test_a_profile_without_issuer_and_serial_reverses_the_rule() -> None:
    rules = changed("ee-sign", "authority_key_identifier", issuer_and_serial=False)
    whole = first("ee-sign")
    assert told(judge(whole, rules)) == ["H021 WARNING"]
    alone = first("ee-sign")
    value = alone.value(oids.AUTHORITY_KEY_IDENTIFIER)
    alone.put(oids.AUTHORITY_KEY_IDENTIFIER, sequence(value[0]))
    assert told(judge(alone, rules)) == []
    assert told(judge(alone, "ee-sign")) == ["H021 WARNING"]


@pytest.mark.parametrize(
    ("kept", "expected"), [((0, 1), []), ((0, 2), []), ((1, 2), ["H020 ERROR"])]
)
def test_half_an_issuer_and_serial_is_told_by_rfc_5280(
    kept: tuple[int, int], expected: list[str]
) -> None:
    draft = first("ee-sign")
    value = draft.value(oids.AUTHORITY_KEY_IDENTIFIER)
    draft.put(oids.AUTHORITY_KEY_IDENTIFIER, sequence(*(value[place] for place in kept)))
    assert told(judge(draft, "ee-sign")) == expected


def test_optional_extensions_may_be_missing() -> None:
    rules = changed("ee-sign", "distribution_points", required=False)
    draft = first("ee-sign")
    draft.drop(oids.CRL_DISTRIBUTION_POINTS)
    assert told(judge(draft, rules)) == []


def test_required_extensions_may_not() -> None:
    rules = changed("ee-sign", "subject_directory_attributes", required=True)
    assert told(judge(first("ee-sign-clerk"), rules)) == ["P002 WARNING"]
    assert told(judge(first("ee-sign"), rules)) == []


def test_a_profile_that_wants_the_purpose_misses_it() -> None:
    purpose = PROFILES["ee-auth-org"].extended_key_usage
    assert purpose is not None
    rules = changed("ee-auth-org", "extended_key_usage", required=True)
    draft = first("ee-auth-org")
    assert told(judge(draft, rules)) == ["P002 WARNING"]
    draft.add(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.CLIENT_AUTH)))
    assert told(judge(draft, rules)) == ["P006 WARNING"]
    draft.put(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.CLIENT_AUTH), oid(oids.SERVER_AUTH)))
    assert told(judge(draft, rules)) == []


def test_one_of_the_allowed_purposes_is_enough() -> None:
    draft = first("ee-auth-org")
    draft.add(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.CLIENT_AUTH)))
    assert told(judge(draft, "ee-auth-org")) == []


def test_the_purpose_a_responder_lacks_is_rfc_6960s() -> None:
    draft = first("ocsp")
    draft.put(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.CLIENT_AUTH)))
    assert told(judge(draft, "ocsp")) == ["P006 WARNING"]


def test_what_must_be_critical_and_is_not_is_told_of() -> None:
    rules = changed("ocsp", "extended_key_usage", critical=True)
    assert told(judge(first("ocsp"), rules)) == ["P003 WARNING"]


@pytest.mark.parametrize("scene", ["root-link-new-with-old", "root-link-old-with-new"])
def test_a_link_may_have_any_policy(scene: str) -> None:
    draft = first(scene)
    draft.add(oids.CERTIFICATE_POLICIES, sequence(policy(oids.ANY_POLICY)))
    assert told(judge(draft, scene)) == []
    both = sequence(policy(oids.ANY_POLICY), policy(oids.ANY_POLICY))
    draft.put(oids.CERTIFICATE_POLICIES, both)
    assert told(judge(draft, scene)) == ["H050 WARNING"]


def test_a_tail_of_ones_own_is_asked_for() -> None:
    rules = changed("sub-ca-sign", "ca_name", tail="forSealing")
    assert told(judge(first("sub-ca-sign"), rules)) == ["H010 ERROR"]


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("begin", "end", "too_long"),
    [
        ((2022, 2, 6, 15), (2027, 2, 7, 14, 59, 59), False),
        ((2022, 2, 6, 15), (2027, 2, 7, 15), True),
        ((2017, 3, 15, 15), (2022, 3, 15, 14, 59, 59), False),
        ((2028, 2, 28, 15), (2033, 3, 1, 14, 59, 59), False),
        ((2028, 2, 28, 15), (2033, 3, 1, 15), True),
        ((2026, 11, 22, 14, 59, 59), (2031, 11, 22, 14, 59, 59), False),
        ((2026, 11, 22, 15), (2031, 11, 23, 14, 59, 59), False),
        ((9998, 1, 1), (9999, 12, 31, 23, 59, 59), False),
        ((9999, 12, 31, 20), (9999, 12, 31, 23, 59, 59), False),
    ],
)
def test_five_years(begin: tuple[int, ...], end: tuple[int, ...], too_long: bool) -> None:
    draft = first("ee-sign")
    draft.field("validity").children = [time(moment(*begin)), time(moment(*end))]
    assert ("H080 ERROR" in told(judge(draft, "ee-sign"))) is too_long


@pytest.mark.parametrize(("second", "too_long"), [(0, False), (1, True)])
def test_days_run_from_the_moment(second: int, too_long: bool) -> None:
    draft = first("ocsp")
    begins(draft, moment(2026, 11, 22, 3))
    ends(draft, moment(2026, 12, 23, 3, 0, second))
    assert ("H080 ERROR" in told(judge(draft, "ocsp"))) is too_long


@pytest.mark.parametrize("octets", [b"20261122", b"991332000000Z", b"99991332000000Z"])
def test_unreadable_times_are_passed_over(octets: bytes) -> None:
    draft = first("ee-sign")
    draft.field("validity").children = [Node(0x18, octets), Node(0x18, octets)]
    certify(draft, named_key("small"))
    unreadable = read_certificate(draft.encode())
    codes = {one.code for one in judge(draft, "ee-sign", unreadable)}
    codes |= {one.code for one in judge(first("ee-sign"), "ee-sign", unreadable)}
    assert not codes & {"H080", "H081", "H082", "H083"}


def test_the_first_year_is_judged() -> None:
    draft = first("ee-sign")
    draft.field("validity").children[0] = Node(0x18, b"00010101000000Z")
    assert "H080 ERROR" in told(judge(draft, "ee-sign"))


@pytest.mark.parametrize(
    ("modulus_bits", "end", "warned"),
    [
        (2048, (2030, 12, 31, 14, 59, 59), False),
        (2048, (2030, 12, 31, 15), True),
        (3071, (2031, 1, 31, 14, 59, 59), True),
        (3072, (2031, 1, 31, 14, 59, 59), False),
    ],
)
def test_rsa_2048_to_the_end_of_2030(modulus_bits: int, end: tuple[int, ...], warned: bool) -> None:
    draft = first("ee-sign")
    certify(draft, rsa_key((1 << modulus_bits - 1) + 0xC0FFEF))
    ends(draft, moment(*end))
    assert ("H083 WARNING" in told(judge(draft, "ee-sign"))) is warned
    assert "H083 ERROR" not in told(judge(draft, "ee-sign"))


def test_an_issuer_that_ends_at_the_same_second_is_long_enough() -> None:
    issuer = read_certificate(first("sub-ca-sign").encode())
    assert issuer.not_after.moment is not None
    draft = first("ee-sign")
    begins(draft, moment(2042, 1, 31, 15))
    ends(draft, issuer.not_after.moment)
    assert "H082 ERROR" not in told(judge(draft, "ee-sign", issuer))


def test_a_curve_of_another_profile_is_noted_only_where_none_is_based_on_this_one() -> None:
    assert told(judge(first("ng-ee-sign"), "ee-sign")) == []
    assert told(judge(first("ng-ee-sign"), "ee-sign", strict=True)) == ["P005 ERROR"]
    assert told(judge(first("ng-ee-sign"), "ee-sign-ng", strict=True)) == []
    assert told(judge(first("ng-ee-sign"), "ee-sign-remote")) == []
    certify(draft := first("ee-sign"), named_key("p384-sub"))
    assert told(judge(draft, "ee-sign")) == ["P005 INFO"]


def test_the_site_is_the_profiles_of_its_kind() -> None:
    draft = first("ee-sign")
    assert told(judge(draft, "ee-sign", site=SiteKind.TRAINING)) == []
    assert told(judge(draft, "ee-sign", site=SiteKind.TRIAL)) == []
    assert told(judge(draft, "ee-sign", site=SiteKind.PRODUCTION)) == ["H052 ERROR"]


def test_a_long_name_is_told_of_in_bounds() -> None:
    draft = first("ee-sign")
    unit = rdn(oids.ORGANIZATIONAL_UNIT, "部" * 100)
    other = rdn("2.5.4.99", "x", 0x13)
    draft.field("subject").children.extend([unit, other] * 100)
    findings = judge(draft, "ee-sign")
    assert len(findings) < 60
    assert {"H004", "H005", "H006", "P004"} <= {one.code for one in findings}
    assert all(len(one.message) < LONGEST for one in findings)


def test_huge_numbers_are_told_of_in_bounds() -> None:
    huge = integer(-(1 << 20000))
    draft = first("ee-sign")
    value = draft.value(oids.AUTHORITY_KEY_IDENTIFIER)
    value.children[2] = Node(0x82, huge.octets)
    draft.put(oids.AUTHORITY_KEY_IDENTIFIER, value)
    certify(draft, rsa_key((1 << 2047) + 1, 1 << 20000))
    issuer = read_certificate(first("sub-ca-sign").encode())
    findings = judge(draft, "ee-sign", issuer)
    assert {"H021 WARNING", "H083 ERROR"} <= set(told(findings))
    ca = first("sub-ca-sign")
    ca.put(oids.BASIC_CONSTRAINTS, sequence(Node(0x01, b"\xff"), huge))
    findings += judge(ca, "sub-ca-sign")
    assert all(len(one.message) < LONGEST for one in findings)


def is_one_line(message: str) -> bool:
    return message.replace("\u3000", "").isprintable() and len(message) < LONGEST


@pytest.mark.parametrize("profile", ["root", "sub-ca-auth", "ee-sign", "ee-auth-org-ng", "ocsp"])
def test_any_certificate_is_judged_by_any_profile(profile: str) -> None:
    for found in every_certificate():
        for strict in (False, True):
            for one in judge(found, profile, found, site=SiteKind.TRIAL, strict=strict):
                assert is_one_line(one.message)


SOUND_DER = [
    draft.encode()
    for scene in ("ee-sign-director", "sub-ca-sign", "root", "ocsp", "ng-ee-sign")
    for draft in SOUND[scene].make().objects[:1]
]


@settings(max_examples=100)
@given(
    st.sampled_from(SOUND_DER),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=3),
    st.booleans(),
)
def test_no_damage_stops_the_judge(
    der: bytes, changes: list[tuple[int, int]], strict: bool
) -> None:
    octets = bytearray(der)
    for place, value in changes:
        octets[place % len(octets)] = value
    try:
        found = read_certificate(bytes(octets))
    except InvalidInput:
        return
    claimed = claimed_profile(found, shipped_profiles())
    for profile in (claimed, PROFILES["ee-sign"], PROFILES["root"]):
        for one in judge(found, profile, found, strict=strict):
            assert is_one_line(one.message)


def test_one_name_twice_is_told_of_once() -> None:
    draft = first("root")
    for field in ("subject", "issuer"):
        replace(draft.field(field), oids.COUNTRY, "US", 0x13)
    assert told(judge(draft, "root")).count("H003 ERROR") == 1


def test_characters_that_a_printable_string_cannot_have_are_rfc_5280s() -> None:
    draft = first("ee-sign")
    replace(draft.field("subject"), oids.COMMON_NAME, "Hanako\nDemo", 0x13)
    assert told(judge(draft, "ee-sign")) == ["H004 WARNING"]


def test_an_address_that_looks_like_a_uri_is_none() -> None:
    draft = first("ee-sign")
    address = sequence(node(0xA0, node(0xA0, text("http://x.example.jp/", 0x81))))
    draft.put(oids.CRL_DISTRIBUTION_POINTS, sequence(address))
    assert told(judge(draft, "ee-sign")) == ["H071 ERROR"]


def test_another_qualifier_with_a_uri_is_no_cps() -> None:
    draft = first("ee-sign")
    qualifier = sequence(oid("1.2.392.100495.99.2"), text("http://x.example.jp/", 0x16))
    test = PROFILES["ee-sign"].certificate_policies
    assert test is not None
    draft.put(oids.CERTIFICATE_POLICIES, sequence(policy(test.test, qualifier)))
    assert told(judge(draft, "ee-sign")) == ["H051 ERROR"]


def test_policies_of_a_profile_of_ones_own() -> None:
    own, other = "1.2.392.200999.1", "1.2.392.200999.2"
    rules = changed("ee-sign", "certificate_policies", production=own, test=other)
    draft = first("ee-sign")
    assert told(judge(draft, rules)) == ["H052 ERROR"]
    draft.put(oids.CERTIFICATE_POLICIES, sequence(policy(own, cps("https://x.example.jp/"))))
    assert told(judge(draft, rules)) == []
    assert told(judge(draft, rules, site=SiteKind.PRODUCTION)) == []
    assert told(judge(draft, rules, site=SiteKind.TRIAL)) == ["H052 ERROR"]
    issuer = read_certificate(first("sub-ca-auth").encode())
    assert "H052 ERROR" not in told(judge(draft, rules, issuer))


def roles(draft: Draft, *values: Node) -> Draft:
    draft.put(oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(hc_role(*values)))
    return draft


def test_the_known_mistake_is_named() -> None:
    mistaken = actor(coded_data("Dentist", "1.2.392.100495.1.6.2.1"))
    findings = judge(roles(first("ee-sign"), set_of(mistaken)), "ee-sign")
    assert [one.message for one in findings if one.code == "H061"] == [
        "the coding scheme is 1.2.392.100495.1.6.2.1, a known mistake for 1.2.392.100495.1.6.1.1"
    ]


def test_unreadable_roles_make_nobody_a_false_director() -> None:
    broken = roles(first("ee-sign-director"), set_of(sequence()))
    assert told(judge(broken, "ee-sign")) == ["H061 ERROR"]
    broken.put(oids.SUBJECT_DIRECTORY_ATTRIBUTES, b"\x30\x01")
    assert told(judge(broken, "ee-sign")) == []


def test_other_attributes_of_the_subject_are_passed_over() -> None:
    draft = first("ee-sign")
    birth = sequence(oid("1.3.6.1.5.5.7.9.1"), set_of(Node(0x18, b"19600401120000Z")))
    doctor = hc_role(set_of(actor(coded_data("Medical Doctor"))))
    draft.put(oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(birth, doctor))
    assert told(judge(draft, "ee-sign")) == []


def test_a_name_without_rdns_is_judged() -> None:
    draft = first("sub-ca-sign")
    for field in ("subject", "issuer"):
        draft.field(field).children = []
    points = sequence(
        sequence(node(0xA0, node(0xA0, node(0xA4, sequence())))),
        sequence(node(0xA0, node(0xA0, Node(0x86, b"http://x/")))),
    )
    draft.put(oids.CRL_DISTRIBUTION_POINTS, points)
    assert {"H003 ERROR", "H010 ERROR", "H070 WARNING"} <= set(told(judge(draft, "sub-ca-sign")))
