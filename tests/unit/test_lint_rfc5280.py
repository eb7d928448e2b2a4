"""What the rules of RFC 5280 let pass, and that nothing readable breaks them.

What they find, one defect at a time, stands in the golden files.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import oids
from pki.errors import InvalidInput
from pki.findings import Finding
from pki.reading.certificate import read_certificate
from pki.reading.extensions import READERS
from policies.lint.catalogue import CERTIFICATE_CHECKS
from policies.lint.check import JudgedCertificate, run
from policies.lint.rfc5280_extensions import extension_name
from policies.profiles import CertificateProfile, shipped_profiles
from tests.golden.lint.case import CASES, Draft, private_key
from tests.golden.lint.sound import SOUND, sound_octets
from tests.golden.lint.tree import (
    Node,
    attribute,
    boolean,
    integer,
    node,
    oid,
    parse,
    sequence,
    set_of,
)
from tests.golden.lint.tree import text as string

CHECKS = tuple(one for one in CERTIFICATE_CHECKS if one.code[:2] in ("R1", "R2"))
OF_LISTS = {
    oids.CRL_NUMBER,
    oids.REASON_CODE,
    oids.INVALIDITY_DATE,
    oids.DELTA_CRL_INDICATOR,
    oids.ISSUING_DISTRIBUTION_POINT,
    oids.CERTIFICATE_ISSUER,
}
PRINTABLE, IA5 = 0x13, 0x16
SUBJECT_PUBLIC_KEY_INFO = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
POLICY, OTHER_POLICY = "1.2.392.200999.1.1", "1.2.392.200999.1.2"


def judge(der: bytes, profile: CertificateProfile | None = None) -> tuple[Finding, ...]:
    return run(CHECKS, JudgedCertificate(read_certificate(der), profile), strict=False)


def said_of(
    change: Callable[[Draft], object], scene: str = "foreign-ee", profile: str | None = None
) -> list[str]:
    """Codes and severities that the changed certificate draws."""
    draft = SOUND[scene].make().first
    change(draft)
    rules = shipped_profiles().certificate(profile) if profile is not None else None
    return [f"{one.code} {one.severity}" for one in judge(draft.encode(), rules)]


def alternative(tag: int, value: bytes) -> Callable[[Draft], None]:
    return lambda draft: draft.put(oids.SUBJECT_ALT_NAME, sequence(Node(tag, value)))


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x81, b"demo@demo-hpki.example.jp"),
        (0x81, b'"Hanako Demo"@demo-hpki.example.jp'),
        (0x81, b"demo@[192.0.2.1]"),
        (0x82, b"example"),
        (0x82, b"*.demo-hpki.example.jp"),
        (0x82, b"1-2.EXAMPLE.jp"),
        (0x82, b"a" * 63 + b".jp"),
        (0x82, b".".join([b"a" * 62] * 4) + b".a"),
        (0x86, b"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        (0x86, b"mailto:demo@demo-hpki.example.jp"),
        (0x86, b"HTTPS://demo@www.example.jp:8443/a%20b?c=d#e"),
        (0x86, b"http://192.0.2.1/"),
        (0x86, b"http://[2001:db8::1]/"),
        (0x86, b"file:///etc/hosts"),
        (0x87, b"\xc0\x00\x02\x01"),
        (0x87, bytes(16)),
        (0x88, b"\x2a\x83\x08"),
        (0xA0, oid("1.3.6.1.4.1.311.20.2.3").encode() + b"\xa0\x04\x0c\x02me"),
        (0xA5, b"\xa1\x04\x0c\x02me"),
    ],
)
def test_names_of_each_kind_in_their_form(tag: int, value: bytes) -> None:
    assert said_of(alternative(tag, value)) == []


@pytest.mark.parametrize(
    ("dotted", "value"),
    [
        (oids.ORGANIZATION, string("見" * 64)),
        (oids.ORGANIZATIONAL_UNIT, string("x" * 64, PRINTABLE)),
        (oids.LOCALITY, string("x" * 128)),
        ("2.5.4.8", string("x" * 128)),
        ("2.5.4.12", string("x" * 64)),
        ("2.5.4.65", string("x" * 128)),
        ("2.5.4.46", string("", PRINTABLE)),
        ("2.5.4.42", string("x" * 200)),
        ("0.9.2342.19200300.100.1.25", string("example", IA5)),
        ("1.2.392.200999.2", Node(0x04, b"\x00\xff")),
        ("2.5.4.24", string("0123 456", 0x12)),
        (oids.ORGANIZATION, string("葛\U000e0100城病院　本館")),
    ],
)
def test_attributes_of_each_type_in_their_form(dotted: str, value: Node) -> None:
    added = set_of(attribute(dotted, value))
    assert said_of(lambda draft: draft.field("subject").children.insert(1, added)) == []


@pytest.mark.parametrize(
    ("dotted", "longest"),
    [
        (oids.COMMON_NAME, 64),
        (oids.ORGANIZATION, 64),
        (oids.ORGANIZATIONAL_UNIT, 64),
        (oids.LOCALITY, 128),
        ("2.5.4.8", 128),
        ("2.5.4.12", 64),
        ("2.5.4.65", 128),
        ("2.5.4.4", 32768),
        ("2.5.4.41", 32768),
        ("2.5.4.42", 32768),
        ("2.5.4.43", 32768),
        ("2.5.4.44", 32768),
    ],
)
def test_upper_bounds(dotted: str, longest: int) -> None:
    def longer(draft: Draft) -> None:
        value = string("x" * (longest + 1))
        draft.field("subject").children.insert(1, set_of(attribute(dotted, value)))

    assert said_of(longer) == ["R114 ERROR"]


def test_an_upper_bound_of_a_printable_string() -> None:
    value = set_of(attribute(oids.SERIAL_NUMBER, string("7" * 65, PRINTABLE)))
    assert said_of(lambda draft: draft.field("subject").children.append(value)) == ["R114 ERROR"]


def test_an_email_address_in_both_places() -> None:
    def both(draft: Draft) -> None:
        mail = attribute("1.2.840.113549.1.9.1", string("demo@example.jp", IA5))
        draft.field("subject").children.append(set_of(mail))
        alternative(0x81, b"demo@example.jp")(draft)

    assert said_of(both) == []


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"\x00\x80" + bytes(7), []),
        (b"\x7f" + bytes(19), []),
        (b"\x80" + bytes(19), ["R103 ERROR"]),
        (b"\x80" + bytes(20), ["R103 ERROR", "R104 ERROR"]),
        (b"\x01", ["R105 INFO"]),
    ],
)
def test_serial_numbers_at_the_bounds(octets: bytes, expected: list[str]) -> None:
    def serial(draft: Draft) -> None:
        draft.field("serial").octets = octets

    assert said_of(serial) == expected


def test_one_moment_of_validity_and_dates_from_2050_on() -> None:
    def moment(draft: Draft) -> None:
        begin, end = draft.field("validity").children
        end.octets = begin.octets

    def century(draft: Draft) -> None:
        draft.field("validity").children[1] = Node(0x18, b"20500101000000Z")

    assert said_of(moment) == []
    assert said_of(century) == []


def test_an_end_entity_named_by_its_critical_alternative_name_alone() -> None:
    def nameless(draft: Draft) -> None:
        draft.field("subject").children = []
        draft.critical(oids.SUBJECT_ALT_NAME, True)

    assert said_of(nameless) == []


def test_versions_without_extensions() -> None:
    def second(draft: Draft) -> None:
        del draft.tbs.children[-1]
        draft.tbs[0].children = [integer(1)]

    def first(draft: Draft) -> None:
        del draft.tbs.children[-1]
        del draft.tbs.children[0]

    assert said_of(first) == said_of(second) == ["R208 ERROR", "R210 WARNING"]


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.BrainpoolP256R1()]
)
@pytest.mark.parametrize("form", [PublicFormat.CompressedPoint, PublicFormat.UncompressedPoint])
def test_points_in_both_forms(curve: ec.EllipticCurve, form: PublicFormat) -> None:
    key = ec.derive_private_key(7, curve).public_key()
    info = key.public_bytes(*SUBJECT_PUBLIC_KEY_INFO)
    point = key.public_bytes(Encoding.X962, form)

    def elliptic(draft: Draft) -> None:
        draft.field("public_key").children = [parse(info)[0], Node(0x03, b"\x00" + point)]

    assert said_of(elliptic) == []


@pytest.mark.parametrize(
    ("scene", "change"),
    [
        (
            "foreign-ca",
            lambda draft: draft.put(oids.BASIC_CONSTRAINTS, sequence(boolean(True), integer(0))),
        ),
        ("foreign-ee", lambda draft: draft.add(oids.BASIC_CONSTRAINTS, sequence())),
        ("foreign-ee", lambda draft: draft.put(oids.KEY_USAGE, b"\x03\x02\x05\xa0")),
        (
            "foreign-ee",
            lambda draft: draft.add(
                oids.EXTENDED_KEY_USAGE,
                sequence(oid(oids.CLIENT_AUTH), oid("1.3.6.1.5.5.7.3.4")),
                critical=True,
            ),
        ),
        (
            "foreign-ee",
            lambda draft: draft.add(
                oids.EXTENDED_KEY_USAGE,
                sequence(oid(oids.CLIENT_AUTH), oid("1.2.392.200999.3.1")),
            ),
        ),
        (
            "foreign-ee",
            lambda draft: draft.add(
                oids.EXTENDED_KEY_USAGE, sequence(oid(oids.ANY_EXTENDED_KEY_USAGE))
            ),
        ),
        ("foreign-ee", lambda draft: draft.add("1.2.392.200999.9", integer(1))),
        (
            "foreign-ee",
            lambda draft: draft.add(
                oids.PRIVATE_KEY_USAGE_PERIOD,
                sequence(Node(0x80, b"20261122150000Z"), Node(0x81, b"20261122150000Z")),
            ),
        ),
        (
            "foreign-ca",
            lambda draft: draft.add(
                oids.POLICY_CONSTRAINTS,
                sequence(Node(0x80, b"\x00"), Node(0x81, b"\x00")),
                critical=True,
            ),
        ),
        (
            "foreign-ca",
            lambda draft: draft.add(oids.INHIBIT_ANY_POLICY, integer(0), critical=True),
        ),
        (
            "foreign-ca",
            lambda draft: draft.add(
                oids.POLICY_MAPPINGS,
                sequence(sequence(oid(POLICY), oid(OTHER_POLICY))),
                critical=True,
            ),
        ),
    ],
)
def test_extensions_that_break_no_rule(scene: str, change: Callable[[Draft], None]) -> None:
    assert said_of(change, scene) == []


def test_a_ca_for_lists_alone_needs_no_critical_basic_constraints() -> None:
    def lists_alone(draft: Draft) -> None:
        draft.critical(oids.BASIC_CONSTRAINTS, False)
        draft.put(oids.KEY_USAGE, b"\x03\x02\x01\x02")

    assert said_of(lists_alone, "foreign-ca") == ["R220 WARNING"]


def test_a_policy_mapped_from_any() -> None:
    def mapped(draft: Draft) -> None:
        draft.put(oids.CERTIFICATE_POLICIES, sequence(sequence(oid(oids.ANY_POLICY))))
        pair = sequence(oid(POLICY), oid(OTHER_POLICY))
        draft.add(oids.POLICY_MAPPINGS, sequence(pair), critical=True)

    assert said_of(mapped, "foreign-ca") == []


def test_mappings_without_certificate_policies() -> None:
    def bare(draft: Draft) -> None:
        draft.drop(oids.CERTIFICATE_POLICIES)
        pair = sequence(oid(POLICY), oid(OTHER_POLICY))
        draft.add(oids.POLICY_MAPPINGS, sequence(pair), critical=True)

    assert said_of(bare, "foreign-ca") == ["R245 WARNING"]


def test_an_empty_subject_excuses_subject_alt_name_alone() -> None:
    def nameless(draft: Draft) -> None:
        draft.field("subject").children = []
        draft.critical(oids.SUBJECT_ALT_NAME, True)
        name = sequence(Node(0x86, b"http://www.example.jp/"))
        draft.add(oids.ISSUER_ALT_NAME, name, critical=True)

    assert said_of(nameless) == ["R203 WARNING"]


def qualified(qualifier: str, value: Node, policy: str = POLICY) -> Callable[[Draft], None]:
    tree = sequence(sequence(oid(policy), sequence(sequence(oid(qualifier), value))))
    return lambda draft: draft.put(oids.CERTIFICATE_POLICIES, tree)


@pytest.mark.parametrize(
    ("qualifier", "value"),
    [
        (oids.QUALIFIER_CPS, string("http://www.example.jp/cps", IA5)),
        (oids.QUALIFIER_USER_NOTICE, sequence()),
        (oids.QUALIFIER_USER_NOTICE, sequence(string("見" * 200))),
        (oids.QUALIFIER_USER_NOTICE, sequence(string("が"))),
    ],
)
def test_qualifiers_in_their_form(qualifier: str, value: Node) -> None:
    assert said_of(qualified(qualifier, value)) == []
    assert said_of(qualified(qualifier, value, oids.ANY_POLICY)) == []


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x81, b"demo@example.jp"),
        (0x81, b"example.jp"),
        (0x81, b".example.jp"),
        (0x81, b""),
        (0x82, b"example.jp"),
        (0x82, b""),
        (0x86, b".example.jp"),
        (0x87, bytes(8)),
        (0x87, b"\xc0\x00\x02\x00\xff\xff\xff\x00"),
        (0x87, b"\xc0\x00\x02\x01\xff\xff\xff\xff"),
        (0x87, bytes(32)),
        (0xA4, b"\x30\x00"),
    ],
)
def test_constraints_of_names_in_their_form(tag: int, value: bytes) -> None:
    tree = sequence(node(0xA0, sequence(Node(tag, value))))
    added = partial(Draft.add, dotted=oids.NAME_CONSTRAINTS, value=tree, critical=True)
    assert said_of(added, "foreign-ca") == []


HTTP = node(0xA0, node(0xA0, Node(0x86, b"http://lists.example.jp/a.crl")))
OTHER_ISSUER = node(0xA4, sequence(set_of(attribute(oids.COMMON_NAME, string("DEMO List Issuer")))))


@pytest.mark.parametrize(
    "points",
    [
        sequence(sequence(HTTP, Node(0x81, b"\x07\x7f\x80"))),
        sequence(sequence(HTTP, Node(0x81, b"\x06\x40")), sequence(HTTP)),
        sequence(sequence(HTTP, node(0xA2, OTHER_ISSUER))),
        sequence(sequence(HTTP), sequence(node(0xA2, OTHER_ISSUER))),
        sequence(
            sequence(
                node(
                    0xA0,
                    node(0xA0, Node(0x86, b"LDAP://ldap.example.jp/cn=A,c=JP?crl;binary?base")),
                )
            )
        ),
    ],
)
def test_points_in_their_form(points: Node) -> None:
    assert said_of(lambda draft: draft.put(oids.CRL_DISTRIBUTION_POINTS, points)) == []
    assert said_of(lambda draft: draft.add(oids.FRESHEST_CRL, points)) == []


@pytest.mark.parametrize(
    ("arc", "place"),
    [
        (1, Node(0x86, b"http://ocsp.example.jp")),
        (2, Node(0x86, b"ldaps://ldap.example.jp/cn=A,c=JP?cACertificate,crossCertificatePair")),
        (3, Node(0x82, b"tsa.example.jp")),
        (5, Node(0x86, b"https://www.example.jp/certificates.p7c")),
    ],
)
def test_places_in_their_form(arc: int, place: Node) -> None:
    access = sequence(sequence(oid(f"1.3.6.1.5.5.7.48.{arc}"), place))
    assert said_of(lambda draft: draft.add(oids.AUTHORITY_INFO_ACCESS, access)) == []
    assert said_of(lambda draft: draft.add(oids.SUBJECT_INFO_ACCESS, access)) == []


def test_what_the_rules_of_the_hpki_say_is_not_said_twice() -> None:
    def legacy(draft: Draft) -> None:
        draft.field("subject")[0][0][1].octets = b"JPN"
        draft.field("subject")[1][0][1].tag = 0x14
        draft.field("public_key")[1].octets = b"\x00\x30\x00"
        draft.tbs[0].children = [integer(1)]
        draft.critical(oids.KEY_USAGE, False)
        draft.put(oids.CERTIFICATE_POLICIES, sequence())
        for oid_ in (oids.AUTHORITY_KEY_IDENTIFIER, oids.SUBJECT_DIRECTORY_ATTRIBUTES):
            draft.critical(oid_, True)
        draft.critical(oids.CRL_DISTRIBUTION_POINTS, True)
        draft.drop(oids.SUBJECT_KEY_IDENTIFIER)
        draft.add("1.2.392.200999.9", integer(1), critical=True)
        draft.add(oids.KEY_USAGE, b"\x03\x02\x07\x80", critical=True)

    assert said_of(legacy, "ee-sign", "ee-sign") == []


def test_hostile_names_take_no_longer_than_their_length() -> None:
    hostile = (b"a" * 20_000, b"a." * 10_000, b'"' + b"a" * 20_000, b"a@" * 10_000)
    names = sequence(*(Node(tag, one) for one in hostile for tag in (0x81, 0x82, 0x86)))
    draft = SOUND["foreign-ee"].make().first
    start = time.process_time()
    for one in names.children:
        draft.put(oids.SUBJECT_ALT_NAME, sequence(one))
        assert judge(draft.encode())
    assert time.process_time() - start < 5


def test_nothing_readable_breaks_a_rule() -> None:
    """Octets changed at random: no rule raises, and every message is one short printable line."""
    chance = random.Random(5280)
    profiles = [None, *shipped_profiles().certificates.values()]
    scenes = ("root", "ee-sign", "ng-ee-sign", "tsa", "foreign-ca", "foreign-ee")
    sound = [sound_octets(name)[0] for name in scenes]
    for one in CASES[::7]:
        if one.code[:2] in ("R1", "R2"):
            scene = SOUND[one.scene].make()
            one.change(scene)
            sound.append(scene.first.encode())
    read = 0
    for _ in range(4000):
        octets = bytearray(chance.choice(sound))
        for _ in range(chance.choice((1, 1, 2, 4))):
            octets[chance.randrange(len(octets))] = chance.choice((0, 6, 0x30, 0x80, 0xA0, 0xFF))
        try:
            findings = judge(bytes(octets), chance.choice(profiles))
        except InvalidInput:
            continue
        read += 1
        for finding in findings:
            assert len(finding.message) < 300, finding
            assert finding.message.replace("\u3000", " ").isprintable(), finding
    assert read > 2000


def test_an_elliptic_key_for_agreement_alone_may_decipher_only() -> None:
    def agreement(draft: Draft) -> None:
        info = private_key("p256").public_key().public_bytes(*SUBJECT_PUBLIC_KEY_INFO)
        draft.field("public_key").children = parse(info).children
        draft.put(oids.KEY_USAGE, b"\x03\x03\x07\x08\x80")

    assert said_of(agreement) == []


def test_the_least_exponent() -> None:
    def cubes(draft: Draft) -> None:
        bits = draft.field("public_key")[1]
        numbers = sequence(parse(bits.octets[1:])[0], integer(3))
        bits.octets = b"\x00" + numbers.encode()

    assert said_of(cubes) == []


SIGNS, REPUDIATES, TRANSPORTS, AGREES = b"\x07\x80", b"\x06\x40", b"\x05\x20", b"\x03\x08"


@pytest.mark.parametrize(
    ("purpose", "fitting"),
    [
        (oids.SERVER_AUTH, (SIGNS, TRANSPORTS, AGREES)),
        (oids.CLIENT_AUTH, (SIGNS, AGREES)),
        ("1.3.6.1.5.5.7.3.3", (SIGNS,)),
        ("1.3.6.1.5.5.7.3.4", (SIGNS, REPUDIATES, TRANSPORTS, AGREES)),
        (oids.TIME_STAMPING, (SIGNS, REPUDIATES)),
        (oids.OCSP_SIGNING, (SIGNS, REPUDIATES)),
    ],
)
def test_purposes_and_the_bits_that_serve_them(purpose: str, fitting: tuple[bytes, ...]) -> None:
    for bits in (SIGNS, REPUDIATES, TRANSPORTS, AGREES):

        def both(draft: Draft, bits: bytes = bits) -> None:
            draft.put(oids.KEY_USAGE, Node(0x03, bits))
            draft.add(oids.EXTENDED_KEY_USAGE, sequence(oid(purpose)))

        assert ("R229 WARNING" in said_of(both)) is (bits not in fitting)


def test_a_path_length_without_ca_and_key_usage() -> None:
    def change(draft: Draft) -> None:
        draft.add(oids.BASIC_CONSTRAINTS, sequence(integer(0)))
        draft.drop(oids.KEY_USAGE)

    assert said_of(change) == ["R226 ERROR"]


@pytest.mark.parametrize(
    ("begin", "end"), [(b"2026", b"20301122145959Z"), (b"20261122150000Z", b"2030")]
)
def test_a_usage_period_with_one_time_that_is_none(begin: bytes, end: bytes) -> None:
    period = sequence(Node(0x80, begin), Node(0x81, end))
    added = partial(Draft.add, dotted=oids.PRIVATE_KEY_USAGE_PERIOD, value=period)
    assert said_of(added) == ["R212 ERROR"]


def test_who_needs_an_authority_key_identifier() -> None:
    lacking = partial(Draft.drop, dotted=oids.AUTHORITY_KEY_IDENTIFIER)
    assert said_of(lacking, "root") == []
    assert said_of(lacking, "ee-sign", "ee-sign") == []
    assert said_of(lacking, "foreign-ca") == ["R208 ERROR"]


def test_a_name_of_many_faults_is_told_of_in_few_words() -> None:
    def many(draft: Draft) -> None:
        bad = set_of(attribute(oids.ORGANIZATION, string("", IA5)))
        draft.field("subject").children += [bad] * 300

    assert said_of(many) == ["R111 ERROR"] * 20


def test_no_check_of_an_ocsp_responder() -> None:
    def responder(draft: Draft) -> None:
        draft.add(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.OCSP_SIGNING)))
        draft.add(oids.OCSP_NO_CHECK, Node(0x05))

    assert said_of(responder) == []


def test_an_unreadable_extension_is_told_once() -> None:
    known = (
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.KEY_USAGE,
        oids.SUBJECT_ALT_NAME,
        oids.CERTIFICATE_POLICIES,
        oids.CRL_DISTRIBUTION_POINTS,
    )
    for one in known:
        assert said_of(partial(Draft.put, dotted=one, value=boolean(True))) == ["R118 ERROR"], one
    for one in (*known[:3], oids.BASIC_CONSTRAINTS):
        change = partial(Draft.put, dotted=one, value=Node(0x05))
        assert said_of(change, "foreign-ca") == ["R118 ERROR"], one
    purposes = partial(Draft.put, dotted=oids.EXTENDED_KEY_USAGE, value=Node(0x05))
    assert said_of(purposes, "tsa", "tsa") == ["R118 ERROR"]
    assert said_of(purposes, "ocsp", "ocsp") == ["R118 ERROR"]


def test_what_the_profile_says_of_a_ca_is_not_said_twice() -> None:
    def no_ca(draft: Draft) -> None:
        draft.drop(oids.BASIC_CONSTRAINTS)
        subtree = sequence(Node(0x82, b"example.jp"))
        draft.add(oids.NAME_CONSTRAINTS, sequence(node(0xA0, subtree)), critical=True)
        place = node(0xA0, node(0xA0, OTHER_ISSUER))
        draft.put(oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(place)))

    assert said_of(no_ca, "sub-ca-sign", "sub-ca-sign") == []
    assert said_of(no_ca, "foreign-ca") == ["R222 ERROR", "R248 ERROR", "R274 WARNING"]


def test_what_the_profile_says_of_purposes_is_not_said_twice() -> None:
    def for_lists(draft: Draft) -> None:
        draft.put(oids.KEY_USAGE, b"\x03\x02\x01\x02")

    assert said_of(for_lists, "tsa", "tsa") == []


def test_known_extensions_are_called_by_their_names() -> None:
    for one in READERS.keys() - OF_LISTS:
        assert not extension_name(one)[0].isdigit(), one
    assert extension_name("1.2.3") == "1.2.3"


def test_a_message_says_which_of_two_is_missing() -> None:
    for index, expected in (
        (1, "authorityKeyIdentifier has authorityCertSerialNumber and no authorityCertIssuer"),
        (2, "authorityKeyIdentifier has authorityCertIssuer and no authorityCertSerialNumber"),
    ):
        draft = SOUND["foreign-ca"].make().first
        value = draft.value(oids.AUTHORITY_KEY_IDENTIFIER)
        del value.children[index]
        draft.put(oids.AUTHORITY_KEY_IDENTIFIER, value)
        assert [one.message for one in judge(draft.encode())] == [expected]


def test_a_key_of_another_algorithm_is_not_looked_at() -> None:
    def edwards(draft: Draft) -> None:
        draft.field("public_key").children = [
            sequence(oid("1.3.101.112")),
            Node(0x03, b"\x00" + bytes(32)),
        ]

    assert said_of(edwards) == []
