"""Extensions: each as another writes it, and what each reader refuses or finds fault with."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import oids
from pki.reading.extensions import (
    KEY_USAGE_BITS,
    READERS,
    AccessDescription,
    AuthorityKeyIdentifier,
    BasicConstraints,
    DirectoryAttribute,
    DistributionPoint,
    Extension,
    IssuingDistributionPoint,
    NameConstraints,
    PolicyConstraints,
    PolicyInformation,
    PrivateKeyUsagePeriod,
    Qualifier,
    Subtree,
    _kept_value,
    read_extensions,
)
from pki.reading.tlv import DerError, Reader
from pki.reading.values import DIRECTORY, GeneralName, read_name, read_time
from tests.golden.lint.tree import (
    Node,
    attribute,
    boolean,
    integer,
    node,
    oid,
    sequence,
    set_of,
    text,
)

LONGEST = 2.0


def read(dotted: str, value: Node | bytes) -> Extension:
    """The extension with this value, as it stands in a certificate."""
    octets = value.encode() if isinstance(value, Node) else value
    der = sequence(oid(dotted), node(0x04, octets)).encode()
    reader = Reader(der)
    (found,) = read_extensions(reader, 0, len(der))
    assert (found.oid, found.critical, found.octets) == (dotted, False, octets)
    assert reader.faults == []
    return found


def sound(dotted: str, value: Node | bytes) -> Any:
    """What the value says, after making sure that nothing is wrong with it."""
    found = read(dotted, value)
    assert found.unreadable is None
    assert found.faults == ()
    return found.value


def refusal(dotted: str, value: Node | bytes) -> str:
    """Why the value cannot be read; it is kept all the same."""
    found = read(dotted, value)
    assert found.value is None
    assert found.unreadable
    assert found.unreadable.isprintable()
    return found.unreadable


# Every extension as cryptography writes it

DOTTED = st.sampled_from(["2.5.29.32.0", "1.2.392.100495.1.5.1.1.3.1", "2.999.1", "0.9.2342.1"])
OIDS = DOTTED.map(x509.ObjectIdentifier)
SHORT_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
HOST = st.sampled_from(["a.example", "b.example", "x" * 63 + ".example"])
NAMES = st.lists(
    SHORT_TEXT.map(
        lambda value: x509.RelativeDistinguishedName(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, value, _validate=False)]
        )
    ),
    max_size=2,
).map(x509.Name)
GENERAL_NAME = st.one_of(
    HOST.map(lambda host: x509.RFC822Name(f"a@{host}")),
    HOST.map(x509.DNSName),
    HOST.map(lambda host: x509.UniformResourceIdentifier(f"http://{host}/")),
    NAMES.map(x509.DirectoryName),
    OIDS.map(x509.RegisteredID),
    st.ip_addresses().map(x509.IPAddress),
    st.builds(lambda type_id: x509.OtherName(type_id, b"\x0c\x01x"), OIDS),
)
GENERAL_NAMES = st.lists(GENERAL_NAME, min_size=1, max_size=4)
NUMBERS = st.integers(0, 1 << 70)
SMALL = st.one_of(st.none(), st.integers(0, 300))
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2999, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
REASONS = st.one_of(
    st.none(),
    st.frozensets(
        st.sampled_from(
            sorted(
                set(x509.ReasonFlags)
                - {x509.ReasonFlags.unspecified}
                - {x509.ReasonFlags.remove_from_crl},
                key=lambda flag: flag.name,
            )
        ),
        min_size=1,
    ),
)
RDN = st.just(
    x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "list 1")])
)


@st.composite
def points(draw: st.DrawFn) -> x509.DistributionPoint:
    full = draw(st.one_of(st.none(), GENERAL_NAMES))
    relative = draw(RDN) if full is None and draw(st.booleans()) else None
    issuer = draw(st.one_of(st.none(), st.lists(NAMES.map(x509.DirectoryName), min_size=1)))
    if full is None and relative is None and issuer is None:
        full = draw(GENERAL_NAMES)
    reasons = draw(REASONS) if full is not None or relative is not None else None
    return x509.DistributionPoint(full, relative, reasons, issuer)


POINTS = st.lists(points(), min_size=1, max_size=3)


@st.composite
def issuing_points(draw: st.DrawFn) -> x509.IssuingDistributionPoint:
    full = draw(st.one_of(st.none(), GENERAL_NAMES))
    relative = draw(RDN) if full is None and draw(st.booleans()) else None
    which = draw(st.sampled_from(["", "user", "ca", "attribute"]))
    reasons, indirect = draw(REASONS), draw(st.booleans())
    if full is None and relative is None and not which and not reasons and not indirect:
        which = "user"
    return x509.IssuingDistributionPoint(
        full, relative, which == "user", which == "ca", reasons, indirect, which == "attribute"
    )


BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
KEY_USAGES = st.frozensets(st.sampled_from(BITS)).map(
    lambda bits: x509.KeyUsage(
        **{
            bit: bit in bits and ("key_agreement" in bits or not bit.endswith("_only"))
            for bit in BITS
        }
    )
)
QUALIFIERS = st.one_of(
    HOST.map(lambda host: f"http://{host}/"),
    st.builds(x509.UserNotice, st.none(), st.one_of(st.none(), SHORT_TEXT)),
)
POLICY = st.builds(
    x509.PolicyInformation, OIDS, st.one_of(st.none(), st.lists(QUALIFIERS, min_size=1, max_size=2))
)
ACCESS = st.lists(st.builds(x509.AccessDescription, OIDS, GENERAL_NAME), min_size=1, max_size=3)
RANGES = st.one_of(
    st.sampled_from(["192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"])
    .map(ip_network)
    .map(x509.IPAddress),
    HOST.map(x509.DNSName),
    NAMES.map(x509.DirectoryName),
)
TREES = st.lists(RANGES, min_size=1, max_size=3)

CERTIFICATE_EXTENSIONS: dict[str, st.SearchStrategy[x509.ExtensionType]] = {
    oids.SUBJECT_KEY_IDENTIFIER: st.binary(max_size=40).map(x509.SubjectKeyIdentifier),
    oids.KEY_USAGE: KEY_USAGES,
    oids.PRIVATE_KEY_USAGE_PERIOD: st.one_of(
        st.builds(x509.PrivateKeyUsagePeriod, MOMENTS, st.none()),
        st.builds(x509.PrivateKeyUsagePeriod, st.none(), MOMENTS),
        MOMENTS.map(lambda moment: x509.PrivateKeyUsagePeriod(moment, moment)),
    ),
    oids.SUBJECT_ALT_NAME: GENERAL_NAMES.map(x509.SubjectAlternativeName),
    oids.ISSUER_ALT_NAME: GENERAL_NAMES.map(x509.IssuerAlternativeName),
    oids.BASIC_CONSTRAINTS: st.one_of(
        st.just(x509.BasicConstraints(False, None)),
        SMALL.map(lambda length: x509.BasicConstraints(True, length)),
    ),
    oids.NAME_CONSTRAINTS: st.one_of(
        st.builds(x509.NameConstraints, TREES, st.one_of(st.none(), TREES)),
        st.builds(x509.NameConstraints, st.none(), TREES),
    ),
    oids.CRL_DISTRIBUTION_POINTS: POINTS.map(x509.CRLDistributionPoints),
    oids.CERTIFICATE_POLICIES: st.lists(POLICY, min_size=1, max_size=3).map(
        x509.CertificatePolicies
    ),
    oids.AUTHORITY_KEY_IDENTIFIER: st.one_of(
        st.binary(max_size=40).map(lambda key: x509.AuthorityKeyIdentifier(key, None, None)),
        st.builds(
            x509.AuthorityKeyIdentifier,
            st.one_of(st.none(), st.binary(max_size=40)),
            GENERAL_NAMES,
            st.integers(1, 1 << 70),
        ),
    ),
    oids.POLICY_CONSTRAINTS: st.one_of(
        st.builds(x509.PolicyConstraints, st.integers(0, 300), SMALL),
        st.builds(x509.PolicyConstraints, st.none(), st.integers(0, 300)),
    ),
    oids.EXTENDED_KEY_USAGE: st.lists(OIDS, min_size=1, max_size=4).map(x509.ExtendedKeyUsage),
    oids.FRESHEST_CRL: POINTS.map(x509.FreshestCRL),
    oids.INHIBIT_ANY_POLICY: st.integers(0, 300).map(x509.InhibitAnyPolicy),
    oids.AUTHORITY_INFO_ACCESS: ACCESS.map(x509.AuthorityInformationAccess),
    oids.SUBJECT_INFO_ACCESS: ACCESS.map(x509.SubjectInformationAccess),
    oids.OCSP_NO_CHECK: st.just(x509.OCSPNoCheck()),
}
"""What cryptography can write of what stands in certificates, by OID."""

LIST_EXTENSIONS: dict[str, st.SearchStrategy[x509.ExtensionType]] = {
    oids.CRL_NUMBER: NUMBERS.map(x509.CRLNumber),
    oids.DELTA_CRL_INDICATOR: NUMBERS.map(x509.DeltaCRLIndicator),
    oids.ISSUING_DISTRIBUTION_POINT: issuing_points(),
    oids.REASON_CODE: st.sampled_from(x509.ReasonFlags).map(x509.CRLReason),
    oids.INVALIDITY_DATE: MOMENTS.map(x509.InvalidityDate),
    oids.CERTIFICATE_ISSUER: GENERAL_NAMES.map(x509.CertificateIssuer),
}
"""And of what stands in lists and their entries."""

UNKNOWN_EXTENSIONS: list[x509.ExtensionType] = [
    x509.TLSFeature([x509.TLSFeatureType.status_request]),
    x509.PrecertPoison(),
    x509.OCSPNonce(b"nonce"),
    x509.MSCertificateTemplate(x509.ObjectIdentifier("1.2.3"), 1, None),
    x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x30\x80 no DER at all"),
    x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.23"), b""),
]

REASON_CODES = {
    "unspecified": 0,
    "key_compromise": 1,
    "ca_compromise": 2,
    "affiliation_changed": 3,
    "superseded": 4,
    "cessation_of_operation": 5,
    "certificate_hold": 6,
    "remove_from_crl": 8,
    "privilege_withdrawn": 9,
    "aa_compromise": 10,
}
REASON_BITS = {name: bit for bit, name in enumerate(REASON_CODES) if bit} | {
    "privilege_withdrawn": 7,
    "aa_compromise": 8,
}


def general_name(theirs: x509.GeneralName) -> GeneralName:
    """The same in our words, by way of what it says and not of its encoding."""
    match theirs:
        case x509.OtherName(type_id=type_id, value=value):
            return GeneralName(0, oid(type_id.dotted_string).encode() + node(0xA0, value).encode())
        case x509.RFC822Name(value=value):
            return GeneralName(1, value.encode())
        case x509.DNSName(value=value):
            return GeneralName(2, value.encode())
        case x509.DirectoryName(value=value):
            return GeneralName(4, value.public_bytes(), read_name(value.public_bytes()))
        case x509.UniformResourceIdentifier(value=value):
            return GeneralName(6, value.encode())
        case x509.IPAddress(value=IPv4Network() | IPv6Network() as value):
            return GeneralName(7, value.network_address.packed + value.netmask.packed)
        case x509.IPAddress(value=IPv4Address() | IPv6Address() as value):
            return GeneralName(7, value.packed)
        case x509.RegisteredID(value=value):
            return GeneralName(8, oid(value.dotted_string).octets)
    raise AssertionError(theirs)


def general_names(theirs: Iterable[x509.GeneralName] | None) -> tuple[GeneralName, ...] | None:
    return None if theirs is None else tuple(map(general_name, theirs))


def reason_octets(theirs: frozenset[x509.ReasonFlags] | None) -> bytes | None:
    """The named bits of ReasonFlags, with no trailing zero bits."""
    if theirs is None:
        return None
    bits = sum(0x8000 >> REASON_BITS[flag.name] for flag in theirs)
    return bits.to_bytes(2, "big").rstrip(b"\0")


def relative(theirs: x509.RelativeDistinguishedName | None) -> bytes | None:
    """The attributes of the RDN, without the SET's head."""
    if theirs is None:
        return None
    return b"".join(
        attribute(one.oid.dotted_string, text(str(one.value))).encode() for one in theirs
    )


def distribution_points(theirs: Iterable[x509.DistributionPoint]) -> tuple[DistributionPoint, ...]:
    return tuple(
        DistributionPoint(
            general_names(one.full_name),
            relative(one.relative_name),
            reason_octets(one.reasons),
            general_names(one.crl_issuer),
        )
        for one in theirs
    )


def qualifier(theirs: str | x509.UserNotice) -> Qualifier:
    if isinstance(theirs, str):
        return Qualifier(oids.QUALIFIER_CPS, 0x16, theirs.encode())
    notice = text(theirs.explicit_text).encode() if theirs.explicit_text is not None else b""
    return Qualifier(oids.QUALIFIER_USER_NOTICE, 0x30, notice)


def generalized(moment: datetime | None) -> bytes | None:
    return None if moment is None else f"{moment:%Y%m%d%H%M%S}Z".encode()


def subtrees(theirs: Iterable[x509.GeneralName] | None) -> tuple[Subtree, ...] | None:
    if theirs is None:
        return None
    return tuple(Subtree(general_name(base), 0, None) for base in theirs)


def as_ours(theirs: x509.ExtensionType) -> Any:  # noqa: C901
    """What we should read where cryptography wrote this."""
    match theirs:
        case x509.SubjectKeyIdentifier():
            return theirs.digest
        case x509.KeyUsage():
            return frozenset(
                name
                for name, bit in zip(KEY_USAGE_BITS, BITS, strict=True)
                if getattr(theirs, "_" + bit)
            )
        case x509.PrivateKeyUsagePeriod():
            begin, end = generalized(theirs.not_before), generalized(theirs.not_after)
            return PrivateKeyUsagePeriod(begin, end)
        case (
            x509.SubjectAlternativeName() | x509.IssuerAlternativeName() | x509.CertificateIssuer()
        ):
            return general_names(theirs)
        case x509.BasicConstraints():
            return BasicConstraints(theirs.ca, theirs.path_length)
        case x509.NameConstraints():
            permitted, excluded = theirs.permitted_subtrees, theirs.excluded_subtrees
            return NameConstraints(subtrees(permitted), subtrees(excluded))
        case x509.CRLDistributionPoints() | x509.FreshestCRL():
            return distribution_points(theirs)
        case x509.CertificatePolicies():
            return tuple(
                PolicyInformation(
                    one.policy_identifier.dotted_string,
                    None
                    if one.policy_qualifiers is None
                    else tuple(map(qualifier, one.policy_qualifiers)),
                )
                for one in theirs
            )
        case x509.AuthorityKeyIdentifier():
            return AuthorityKeyIdentifier(
                theirs.key_identifier,
                general_names(theirs.authority_cert_issuer),
                theirs.authority_cert_serial_number,
            )
        case x509.PolicyConstraints():
            require, inhibit = theirs.require_explicit_policy, theirs.inhibit_policy_mapping
            return PolicyConstraints(require, inhibit)
        case x509.ExtendedKeyUsage():
            return tuple(one.dotted_string for one in theirs)
        case x509.InhibitAnyPolicy():
            return theirs.skip_certs
        case x509.AuthorityInformationAccess() | x509.SubjectInformationAccess():
            return tuple(
                AccessDescription(
                    one.access_method.dotted_string, general_name(one.access_location)
                )
                for one in theirs
            )
        case x509.OCSPNoCheck():
            return True
        case x509.CRLNumber() | x509.DeltaCRLIndicator():
            return theirs.crl_number
        case x509.IssuingDistributionPoint():
            return IssuingDistributionPoint(
                general_names(theirs.full_name),
                relative(theirs.relative_name),
                theirs.only_contains_user_certs,
                theirs.only_contains_ca_certs,
                reason_octets(theirs.only_some_reasons),
                theirs.indirect_crl,
                theirs.only_contains_attribute_certs,
            )
        case x509.CRLReason():
            return REASON_CODES[theirs.reason.name]
        case x509.InvalidityDate():
            written = generalized(theirs.invalidity_date)
            assert written is not None
            return read_time(0x18, written)
    return None


@pytest.mark.parametrize("dotted", [*CERTIFICATE_EXTENSIONS, *LIST_EXTENSIONS])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_extensions_as_cryptography_writes_them(dotted: str, data: st.DataObject) -> None:
    theirs = data.draw((CERTIFICATE_EXTENSIONS | LIST_EXTENSIONS)[dotted])
    assert theirs.oid.dotted_string == dotted
    assert sound(dotted, theirs.public_bytes()) == as_ours(theirs)


def test_every_reader_is_compared_with_another_writer() -> None:
    by_cryptography = {*CERTIFICATE_EXTENSIONS, *LIST_EXTENSIONS}
    assert READERS.keys() - by_cryptography == {
        oids.POLICY_MAPPINGS,
        oids.SUBJECT_DIRECTORY_ATTRIBUTES,
    }
    assert by_cryptography <= READERS.keys()


@pytest.mark.parametrize("theirs", UNKNOWN_EXTENSIONS, ids=lambda one: one.oid.dotted_string)
def test_unknown_extensions_have_no_value_and_no_fault(theirs: x509.ExtensionType) -> None:
    assert sound(theirs.oid.dotted_string, theirs.public_bytes()) is None


@settings(deadline=None)
@given(st.lists(st.tuples(DOTTED, DOTTED), min_size=1, max_size=4))
def test_policy_mappings_as_asn1crypto_writes_them(pairs: list[tuple[str, str]]) -> None:
    names = ("issuer_domain_policy", "subject_domain_policy")
    theirs = asn1.PolicyMappings([dict(zip(names, pair, strict=True)) for pair in pairs])
    assert sound(oids.POLICY_MAPPINGS, theirs.dump()) == tuple(pairs)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(DOTTED, st.lists(SHORT_TEXT.map(lambda value: text(value).encode()))), max_size=4
    )
)
def test_directory_attributes(attributes: list[tuple[str, list[bytes]]]) -> None:
    der = Node(
        0x30,
        b"".join(
            oid_and_values.encode()
            for oid_and_values in (
                Node(0x30, oid(dotted).encode() + Node(0x31, b"".join(sorted(values))).encode())
                for dotted, values in attributes
            )
        ),
    )
    assert sound(oids.SUBJECT_DIRECTORY_ATTRIBUTES, der) == tuple(
        DirectoryAttribute(dotted, tuple(sorted(values))) for dotted, values in attributes
    )


# What holds the extensions


def listed(*extensions: Node) -> tuple[Reader, tuple[Extension, ...]]:
    octets = b"".join(one.encode() for one in extensions)
    reader = Reader(octets)
    return reader, read_extensions(reader, 0, len(octets))


EMPTY = node(0x04)
NO_CHECK = node(0x04, b"\x05\x00")


def test_criticality() -> None:
    reader, found = listed(
        sequence(oid("1.2.3"), boolean(True), EMPTY), sequence(oid("1.2.4"), EMPTY)
    )
    assert [one.critical for one in found] == [True, False]
    assert reader.faults == []


def test_criticality_that_is_not_der_is_a_fault() -> None:
    reader, found = listed(
        sequence(oid("1.2.3"), boolean(False), EMPTY),
        sequence(oid("1.2.4"), node(0x01, b"\x01"), EMPTY),
    )
    assert [one.critical for one in found] == [False, True]
    assert reader.faults == [
        "critical FALSE is encoded although it is the default",
        "a BOOLEAN is neither 00 nor FF",
    ]


def test_repeated_extensions_are_all_kept_in_order() -> None:
    _, found = listed(
        sequence(oid("1.2.3"), node(0x04, b"a")),
        sequence(oid("1.2.4"), node(0x04, b"b")),
        sequence(oid("1.2.3"), node(0x04, b"c")),
    )
    assert [(one.oid, one.octets) for one in found] == [
        ("1.2.3", b"a"),
        ("1.2.4", b"b"),
        ("1.2.3", b"c"),
    ]


def test_an_unreadable_value_does_not_hinder_the_next() -> None:
    _, found = listed(
        sequence(oid(oids.OCSP_NO_CHECK), node(0x04, b"\x05\x01\x00")),
        sequence(oid(oids.OCSP_NO_CHECK), NO_CHECK),
    )
    assert (found[0].value, found[0].unreadable) == (None, "a NULL has content")
    assert (found[1].value, found[1].unreadable) == (True, None)


NO_EXTENSIONS = {
    "SET": set_of(oid("1.2.3"), EMPTY),
    "nothing": sequence(),
    "no value": sequence(oid("1.2.3")),
    "no value after criticality": sequence(oid("1.2.3"), boolean(True)),
    "no type": sequence(EMPTY),
    "criticality first": sequence(boolean(True), oid("1.2.3"), EMPTY),
    "criticality twice": sequence(oid("1.2.3"), boolean(True), boolean(True), EMPTY),
    "criticality last": sequence(oid("1.2.3"), EMPTY, boolean(True)),
    "two values": sequence(oid("1.2.3"), EMPTY, EMPTY),
    "value is a BIT STRING": sequence(oid("1.2.3"), node(0x03, b"\x00")),
    "value is constructed": sequence(oid("1.2.3"), node(0x24, EMPTY)),
    "empty BOOLEAN": sequence(oid("1.2.3"), node(0x01), EMPTY),
    "long BOOLEAN": sequence(oid("1.2.3"), node(0x01, b"\xff\xff"), EMPTY),
    "broken type": sequence(node(0x06, b"\x2a\x80"), EMPTY),
}


@pytest.mark.parametrize("broken", NO_EXTENSIONS.values(), ids=NO_EXTENSIONS)
def test_what_is_no_extension_is_refused(broken: Node) -> None:
    with pytest.raises(DerError):
        listed(sequence(oid("1.2.4"), EMPTY), broken)


# What each reader refuses

A = oid("1.2.3")
B = oid("1.2.4")
HOST_NAME = node(0x82, b"a.example")
FULL_NAME = node(0xA0, node(0xA0, HOST_NAME))
RELATIVE = node(0xA0, node(0xA1, attribute("2.5.4.3", text("x"))))
REASON = node(0x81, b"\x06\x40")

WHOLE = {
    oids.SUBJECT_DIRECTORY_ATTRIBUTES: sequence(sequence(A, set_of(text("x")))),
    oids.SUBJECT_KEY_IDENTIFIER: node(0x04, b"key"),
    oids.KEY_USAGE: node(0x03, b"\x07\x80"),
    oids.PRIVATE_KEY_USAGE_PERIOD: sequence(node(0x80, b"20240101000000Z")),
    oids.SUBJECT_ALT_NAME: sequence(HOST_NAME),
    oids.ISSUER_ALT_NAME: sequence(HOST_NAME),
    oids.BASIC_CONSTRAINTS: sequence(boolean(True), integer(1)),
    oids.CRL_NUMBER: integer(1),
    oids.REASON_CODE: node(0x0A, b"\x01"),
    oids.INVALIDITY_DATE: node(0x18, b"20500101000000Z"),
    oids.DELTA_CRL_INDICATOR: integer(1),
    oids.ISSUING_DISTRIBUTION_POINT: sequence(node(0x81, b"\xff")),
    oids.CERTIFICATE_ISSUER: sequence(HOST_NAME),
    oids.NAME_CONSTRAINTS: sequence(node(0xA0, sequence(HOST_NAME))),
    oids.CRL_DISTRIBUTION_POINTS: sequence(sequence(FULL_NAME)),
    oids.CERTIFICATE_POLICIES: sequence(sequence(A)),
    oids.POLICY_MAPPINGS: sequence(sequence(A, B)),
    oids.AUTHORITY_KEY_IDENTIFIER: sequence(node(0x80, b"key")),
    oids.POLICY_CONSTRAINTS: sequence(node(0x80, b"\x01")),
    oids.EXTENDED_KEY_USAGE: sequence(A),
    oids.FRESHEST_CRL: sequence(sequence(FULL_NAME)),
    oids.INHIBIT_ANY_POLICY: integer(1),
    oids.AUTHORITY_INFO_ACCESS: sequence(sequence(A, HOST_NAME)),
    oids.SUBJECT_INFO_ACCESS: sequence(sequence(A, HOST_NAME)),
    oids.OCSP_NO_CHECK: node(0x05),
}
"""A sound value of every extension that is read."""


def test_there_is_a_sound_value_of_every_extension() -> None:
    assert WHOLE.keys() == READERS.keys()
    for dotted, value in WHOLE.items():
        assert sound(dotted, value)


@pytest.mark.parametrize("dotted", WHOLE)
def test_a_value_of_another_type_is_refused(dotted: str) -> None:
    sound_tag = WHOLE[dotted].tag
    for tag in (0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x17, 0x18, 0x24, 0x30, 0x31, 0xA0):
        if tag == sound_tag or (dotted == oids.INVALIDITY_DATE and tag == 0x17):
            continue
        assert refusal(dotted, Node(tag, WHOLE[dotted].encode()[2:]))


@pytest.mark.parametrize("dotted", WHOLE)
def test_a_cut_value_is_refused(dotted: str) -> None:
    encoded = WHOLE[dotted].encode()
    for size in range(len(encoded)):
        assert refusal(dotted, encoded[:size])


@pytest.mark.parametrize("dotted", WHOLE)
def test_octets_after_a_value_are_a_fault(dotted: str) -> None:
    found = read(dotted, WHOLE[dotted].encode() + b"\x05\x00")
    assert (found.value, found.unreadable) == (sound(dotted, WHOLE[dotted]), None)
    assert len(found.faults) == 1
    assert found.faults[0].startswith("2 octets follow ")


@pytest.mark.parametrize("dotted", WHOLE)
def test_a_longer_length_is_one_fault(dotted: str) -> None:
    encoded = WHOLE[dotted].encode()
    found = read(dotted, encoded[:1] + b"\x81" + encoded[1:])
    assert found.value == sound(dotted, WHOLE[dotted])
    assert found.faults == ("the length at octet 0 is not in its shortest form",)


@pytest.mark.parametrize("dotted", [one for one, value in WHOLE.items() if value.tag == 0x30])
def test_an_element_of_another_kind_is_refused(dotted: str) -> None:
    for stray in (node(0x05), node(0x30), node(0xA7, node(0x30)), node(0x87)):
        whole = WHOLE[dotted]
        if stray.tag == 0x87 and dotted in (
            oids.SUBJECT_ALT_NAME,
            oids.ISSUER_ALT_NAME,
            oids.CERTIFICATE_ISSUER,
        ):
            continue  # an iPAddress, of no octets
        for children in ([stray, *whole.children], [*whole.children, stray]):
            if stray.tag == 0x30 and dotted in (oids.CRL_DISTRIBUTION_POINTS, oids.FRESHEST_CRL):
                assert len(sound(dotted, sequence(*children))) == 2
            else:
                assert refusal(dotted, sequence(*children))


@pytest.mark.parametrize(
    ("dotted", "value"),
    [
        (oids.SUBJECT_DIRECTORY_ATTRIBUTES, ()),
        (oids.SUBJECT_ALT_NAME, ()),
        (oids.BASIC_CONSTRAINTS, BasicConstraints(False, None)),
        (
            oids.ISSUING_DISTRIBUTION_POINT,
            IssuingDistributionPoint(None, None, False, False, None, False, False),
        ),
        (oids.NAME_CONSTRAINTS, NameConstraints(None, None)),
        (oids.CRL_DISTRIBUTION_POINTS, ()),
        (oids.CERTIFICATE_POLICIES, ()),
        (oids.POLICY_MAPPINGS, ()),
        (oids.AUTHORITY_KEY_IDENTIFIER, AuthorityKeyIdentifier(None, None, None)),
        (oids.POLICY_CONSTRAINTS, PolicyConstraints(None, None)),
        (oids.PRIVATE_KEY_USAGE_PERIOD, PrivateKeyUsagePeriod(None, None)),
        (oids.EXTENDED_KEY_USAGE, ()),
        (oids.AUTHORITY_INFO_ACCESS, ()),
    ],
)
def test_empty_sequences_are_read(dotted: str, value: object) -> None:
    """They say nothing; that they may not be empty is for rules to say."""
    assert sound(dotted, sequence()) == value


REFUSED = [
    (oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence())),
    (oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence(A))),
    (oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence(A, text("x")))),
    (oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence(A, sequence(text("x"))))),
    (oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence(set_of(text("x")), A))),
    (oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence(A, set_of(), set_of()))),
    (oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence(A, node(0x31, b"\x0c\x02x")))),
    (oids.KEY_USAGE, node(0x03)),
    (oids.KEY_USAGE, node(0x03, b"\x08\x80")),
    (oids.KEY_USAGE, node(0x03, b"\x01")),
    (oids.KEY_USAGE, node(0x03, b"\x06\x80\x40")),
    (oids.KEY_USAGE, node(0x03, b"\x00\x80\x01")),
    (oids.PRIVATE_KEY_USAGE_PERIOD, sequence(node(0x81, b""), node(0x80, b""))),
    (oids.PRIVATE_KEY_USAGE_PERIOD, sequence(node(0x80, b""), node(0x80, b""))),
    (oids.PRIVATE_KEY_USAGE_PERIOD, sequence(node(0x18, b"20240101000000Z"))),
    (oids.SUBJECT_ALT_NAME, sequence(node(0xA4, text("x")))),
    (oids.SUBJECT_ALT_NAME, sequence(node(0x89))),
    (oids.BASIC_CONSTRAINTS, sequence(integer(1), boolean(True))),
    (oids.BASIC_CONSTRAINTS, sequence(boolean(True), boolean(True))),
    (oids.BASIC_CONSTRAINTS, sequence(integer(1), integer(1))),
    (oids.BASIC_CONSTRAINTS, sequence(boolean(True), integer(1), integer(1))),
    (oids.BASIC_CONSTRAINTS, sequence(node(0x01))),
    (oids.BASIC_CONSTRAINTS, sequence(boolean(True), node(0x02))),
    (oids.CRL_NUMBER, node(0x02)),
    (oids.REASON_CODE, node(0x0A)),
    (oids.REASON_CODE, integer(1)),
    (oids.CRL_NUMBER, node(0x0A, b"\x01")),
    (oids.INVALIDITY_DATE, node(0x18, b"2" * 33)),
    (oids.INVALIDITY_DATE, b""),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x81))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x82, b"\xff\xff"))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x82, b"\xff"), node(0x81, b"\xff"))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x81, b"\xff"), node(0x81, b"\xff"))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x83))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0xA0))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0xA0, HOST_NAME))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0xA1, boolean(True)))),
    (oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x86, b"\xff"))),
    (oids.NAME_CONSTRAINTS, sequence(node(0xA1), node(0xA0))),
    (oids.NAME_CONSTRAINTS, sequence(node(0xA0, HOST_NAME))),
    (oids.NAME_CONSTRAINTS, sequence(node(0xA0, sequence()))),
    (oids.NAME_CONSTRAINTS, sequence(node(0xA0, sequence(integer(1))))),
    (oids.NAME_CONSTRAINTS, sequence(node(0xA0, sequence(HOST_NAME, HOST_NAME)))),
    (oids.NAME_CONSTRAINTS, sequence(node(0xA0, sequence(HOST_NAME, node(0x80))))),
    (
        oids.NAME_CONSTRAINTS,
        sequence(node(0xA0, sequence(HOST_NAME, node(0x81, b"\1"), node(0x80, b"\1")))),
    ),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(FULL_NAME)),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(HOST_NAME))),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(node(0xA0)))),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(node(0xA0, node(0xA2, HOST_NAME))))),
    (
        oids.CRL_DISTRIBUTION_POINTS,
        sequence(sequence(node(0xA0, node(0xA0, HOST_NAME), node(0xA0, HOST_NAME)))),
    ),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(REASON, FULL_NAME))),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(FULL_NAME, FULL_NAME))),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(FULL_NAME, node(0x81, b"\x08\x40")))),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(FULL_NAME, node(0xA1, REASON)))),
    (oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(FULL_NAME, node(0xA2, text("x"))))),
    (oids.CERTIFICATE_POLICIES, sequence(A)),
    (oids.CERTIFICATE_POLICIES, sequence(sequence())),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, A))),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence(), sequence()))),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence(A)))),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence(sequence())))),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence(sequence(A))))),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence(set_of(A, text("x")))))),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence(sequence(A, text("x"), A))))),
    (oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence(sequence(text("x"), A))))),
    (oids.POLICY_MAPPINGS, sequence(sequence(A))),
    (oids.POLICY_MAPPINGS, sequence(sequence(A, B, B))),
    (oids.POLICY_MAPPINGS, sequence(set_of(A, B))),
    (oids.POLICY_MAPPINGS, sequence(sequence(A, text("x")))),
    (oids.AUTHORITY_KEY_IDENTIFIER, sequence(node(0x82, b"\x01"), node(0x80, b"key"))),
    (oids.AUTHORITY_KEY_IDENTIFIER, sequence(node(0x80, b"key"), node(0x80, b"key"))),
    (oids.AUTHORITY_KEY_IDENTIFIER, sequence(node(0x82))),
    (oids.AUTHORITY_KEY_IDENTIFIER, sequence(node(0x81, b"\x01"))),
    (oids.AUTHORITY_KEY_IDENTIFIER, sequence(node(0xA0, text("x")))),
    (oids.AUTHORITY_KEY_IDENTIFIER, sequence(node(0xA1, text("x")))),
    (oids.POLICY_CONSTRAINTS, sequence(node(0x80))),
    (oids.POLICY_CONSTRAINTS, sequence(node(0x81, b"\1"), node(0x80, b"\1"))),
    (oids.EXTENDED_KEY_USAGE, sequence(node(0x06))),
    (oids.EXTENDED_KEY_USAGE, sequence(A, text("x"))),
    (oids.AUTHORITY_INFO_ACCESS, sequence(sequence(A))),
    (oids.AUTHORITY_INFO_ACCESS, sequence(sequence(A, HOST_NAME, HOST_NAME))),
    (oids.AUTHORITY_INFO_ACCESS, sequence(sequence(HOST_NAME, A))),
    (oids.AUTHORITY_INFO_ACCESS, sequence(sequence(A, text("x")))),
    (oids.AUTHORITY_INFO_ACCESS, sequence(set_of(A, HOST_NAME))),
    (oids.OCSP_NO_CHECK, node(0x05, b"\x00")),
]


@pytest.mark.parametrize(
    ("dotted", "value"),
    REFUSED,
    ids=[
        f"{one}-{value.encode().hex() if isinstance(value, Node) else ''}" for one, value in REFUSED
    ],
)
def test_broken_values_are_refused(dotted: str, value: Node | bytes) -> None:
    assert refusal(dotted, value)


# What is readable and not DER


def fault(dotted: str, value: Node) -> tuple[Any, tuple[str, ...]]:
    found = read(dotted, value)
    assert found.unreadable is None
    return found.value, found.faults


def test_ca_false_is_a_fault() -> None:
    assert fault(oids.BASIC_CONSTRAINTS, sequence(boolean(False))) == (
        BasicConstraints(False, None),
        ("cA FALSE is encoded although it is the default",),
    )


def test_ca_01_is_true_and_a_fault() -> None:
    assert fault(oids.BASIC_CONSTRAINTS, sequence(node(0x01, b"\x01"), integer(0))) == (
        BasicConstraints(True, 0),
        ("a BOOLEAN is neither 00 nor FF",),
    )


def test_a_path_length_without_ca_is_read() -> None:
    assert sound(oids.BASIC_CONSTRAINTS, sequence(integer(-1))) == BasicConstraints(False, -1)


def test_integers_in_a_longer_form_are_a_fault() -> None:
    wanted = ("an INTEGER is not in its shortest form",)
    long_ = node(0x02, b"\x00\x01")
    assert fault(oids.CRL_NUMBER, long_) == (1, wanted)
    assert fault(oids.INHIBIT_ANY_POLICY, long_) == (1, wanted)
    assert fault(oids.REASON_CODE, node(0x0A, b"\x00\x01")) == (1, wanted)
    assert fault(oids.POLICY_CONSTRAINTS, sequence(node(0x80, b"\x00\x01")))[1] == wanted
    assert fault(oids.AUTHORITY_KEY_IDENTIFIER, sequence(node(0x82, b"\x00\x01")))[1] == wanted
    assert fault(oids.BASIC_CONSTRAINTS, sequence(boolean(True), long_))[1] == wanted


def test_numbers_may_be_negative() -> None:
    assert sound(oids.CRL_NUMBER, integer(-5)) == -5
    assert sound(oids.REASON_CODE, node(0x0A, b"\xff")) == -1


@pytest.mark.parametrize(
    ("octets", "bits", "faulty"),
    [
        ("00", (), False),
        ("0780", (0,), False),
        ("0640", (1,), False),
        ("06c0", (0, 1), False),
        ("0106", (5, 6), False),
        ("070080", (8,), False),
        ("070880", (4, 8), False),
        ("00ff", range(8), False),
        ("07ff80", range(9), False),
        ("0700", (), True),
        ("0000", (), True),
        ("0680", (0,), True),
        ("0080", (0,), True),
        ("078000", (0,), True),
        ("008000", (0,), True),
        ("07000000", (), True),
        ("000000", (), True),
    ],
)
def test_key_usage(octets: str, bits: Iterable[int], faulty: bool) -> None:
    value, faults = fault(oids.KEY_USAGE, node(0x03, bytes.fromhex(octets)))
    assert value == {KEY_USAGE_BITS[bit] for bit in bits}
    wanted = ("keyUsage is encoded with trailing zero bits",) if faulty else ()
    assert faults == wanted


def test_key_usage_with_unused_bits_that_are_set() -> None:
    value, faults = fault(oids.KEY_USAGE, node(0x03, b"\x07\xc0"))
    assert value == {"digitalSignature"}
    assert faults == ("unused bits of a BIT STRING are set",)


@pytest.mark.parametrize("reasons", ["0000", "0540", "064000", "0700"])
def test_reasons_with_trailing_zero_bits_are_a_fault(reasons: str) -> None:
    octets = bytes.fromhex(reasons)
    (point,), faults = fault(
        oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(FULL_NAME, node(0x81, octets)))
    )
    assert (point.reasons, faults) == (octets[1:], ("reasons is encoded with trailing zero bits",))
    list_point, faults = fault(oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x83, octets)))
    assert list_point.some_reasons == octets[1:]
    assert faults == ("onlySomeReasons is encoded with trailing zero bits",)


def test_reasons_with_unused_bits_that_are_set_are_a_fault() -> None:
    wanted = ("unused bits of a BIT STRING are set",)
    points = sequence(sequence(FULL_NAME, node(0x81, b"\x06\x60")))
    assert fault(oids.CRL_DISTRIBUTION_POINTS, points)[1] == wanted


@pytest.mark.parametrize("flag", [1, 2, 4, 5])
def test_flags_of_a_list_that_are_false_are_a_fault(flag: int) -> None:
    value, faults = fault(oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x80 | flag, b"\x00")))
    assert value == IssuingDistributionPoint(None, None, False, False, None, False, False)
    assert faults == ("a flag FALSE is encoded although it is the default",)
    one = sound(oids.ISSUING_DISTRIBUTION_POINT, sequence(node(0x80 | flag, b"\xff")))
    assert [place for place, said in enumerate(one) if said is True] == [
        {1: 2, 2: 3, 4: 5, 5: 6}[flag]
    ]


def test_values_of_an_attribute_out_of_order_are_a_fault() -> None:
    value, faults = fault(
        oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(sequence(A, set_of(text("b"), text("a"))))
    )
    assert value == (DirectoryAttribute("1.2.3", (b"\x0c\x01b", b"\x0c\x01a")),)
    assert faults == ("the values of an Attribute are not in DER's order",)


def test_the_default_minimum_is_a_fault() -> None:
    subtree = sequence(HOST_NAME, node(0x80, b"\x00"), node(0x81, b"\x05"))
    value, faults = fault(oids.NAME_CONSTRAINTS, sequence(node(0xA1, subtree)))
    assert value == NameConstraints(None, (Subtree(GeneralName(2, b"a.example"), 0, 5),))
    assert faults == ("minimum 0 is encoded although it is the default",)


def test_other_distances_are_read() -> None:
    subtree = sequence(HOST_NAME, node(0x80, b"\x01"), node(0x81, b"\xff"))
    value = sound(oids.NAME_CONSTRAINTS, sequence(node(0xA0, subtree), node(0xA1)))
    assert value == NameConstraints((Subtree(GeneralName(2, b"a.example"), 1, -1),), ())


def test_faults_of_a_directory_name_are_told() -> None:
    bent = sequence(set_of(attribute("2.5.4.3", text("b")), attribute("2.5.4.3", text("a"))))
    wanted = ("the attributes of an RDN are not in DER's order",)
    value, faults = fault(oids.SUBJECT_ALT_NAME, sequence(node(0xA4, bent)))
    assert (value[0].kind, faults) == (DIRECTORY, wanted)
    point = sequence(sequence(node(0xA0, node(0xA0, node(0xA4, bent)))))
    assert fault(oids.FRESHEST_CRL, point)[1] == wanted


def test_faults_before_what_cannot_be_read_are_kept() -> None:
    found = read(oids.BASIC_CONSTRAINTS, sequence(boolean(False), text("x")))
    assert found.value is None
    assert found.unreadable == "basicConstraints holds the tag 0c where it cannot stand"
    assert found.faults == ("cA FALSE is encoded although it is the default",)


def test_faults_are_bounded() -> None:
    found = read(oids.EXTENDED_KEY_USAGE, node(0x30, b"\x06\x81\x01\x2a" * 3000))
    assert (len(found.value), len(found.faults)) == (3000, 20)


# Details


def test_a_relative_name_is_its_attributes() -> None:
    (point,) = sound(oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(RELATIVE)))
    wanted = attribute("2.5.4.3", text("x")).encode()
    assert point == DistributionPoint(None, wanted, None, None)
    assert sound(oids.ISSUING_DISTRIBUTION_POINT, sequence(RELATIVE)).relative_name == wanted


def test_a_point_of_nothing_is_read() -> None:
    nothing = DistributionPoint(None, None, None, None)
    assert sound(oids.CRL_DISTRIBUTION_POINTS, sequence(sequence())) == (nothing,)
    (point,) = sound(oids.CRL_DISTRIBUTION_POINTS, sequence(sequence(node(0xA0, node(0xA0)))))
    assert point == DistributionPoint((), None, None, None)


def test_an_empty_list_of_qualifiers_is_not_none() -> None:
    assert sound(oids.CERTIFICATE_POLICIES, sequence(sequence(A, sequence()), sequence(B))) == (
        PolicyInformation("1.2.3", ()),
        PolicyInformation("1.2.4", None),
    )


def test_an_invalidity_date_before_2050_is_read() -> None:
    found = sound(oids.INVALIDITY_DATE, node(0x18, b"20240102030405Z"))
    assert found.moment == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    utc = sound(oids.INVALIDITY_DATE, node(0x17, b"240102030405Z"))
    assert (utc.tag, utc.moment) == (0x17, found.moment)


def test_addresses_keep_their_octets() -> None:
    packed = ip_address("192.0.2.1").packed
    (found,) = sound(oids.SUBJECT_ALT_NAME, sequence(node(0x87, packed)))
    assert found == GeneralName(7, packed)


# What is kept


def numbered(number: int, size: int) -> bytes:
    """One of many values of about so many octets, each with the most objects that they can hold."""
    first = b"\x30\x05\x81\x03\x00" + number.to_bytes(2, "big")
    return Node(0x30, first + b"\x30\x00" * ((size - 11) // 2)).encode()


def value_of(octets: bytes) -> Any:
    return read(oids.CRL_DISTRIBUTION_POINTS, octets).value


def test_small_values_are_read_once_and_large_ones_are_not_kept() -> None:
    small, large = numbered(1, 500), numbered(1, 1000)
    assert len(small) <= 512 < len(large)
    assert value_of(small) is value_of(bytes(bytearray(small)))
    assert value_of(large) is not value_of(large)
    assert value_of(large) == value_of(large)


def test_what_is_kept_belongs_to_one_type_of_extension() -> None:
    octets = integer(1).encode()
    assert sound(oids.CRL_NUMBER, octets) == 1
    assert refusal(oids.OCSP_NO_CHECK, octets)
    assert sound("1.2.3", octets) is None


def test_values_that_are_kept_are_bounded() -> None:
    """More of them than are kept add nothing, nor do large ones; the worst take few megabytes."""
    most = _kept_value.cache_parameters()["maxsize"]
    assert most is not None
    worst = [points_extension(number, 512) for number in range(32)]
    first = [points_extension(number, 20) for number in range(most)]
    second = [points_extension(number + most, 20) for number in range(most)]
    large = [points_extension(number, 20_000) for number in range(3)]
    tracemalloc.start()
    try:
        read_all(worst)
        of_32, _ = tracemalloc.get_traced_memory()
        assert of_32 / 32 * most < 48 << 20
        read_all(first)
        full, _ = tracemalloc.get_traced_memory()
        read_all(second)
        read_all(large)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - full < 1 << 20


def points_extension(number: int, size: int) -> bytes:
    value = node(0x04, numbered(number, size))
    return sequence(oid(oids.CRL_DISTRIBUTION_POINTS), value).encode()


def read_all(extensions: list[bytes]) -> None:
    for octets in extensions:
        (found,) = read_extensions(Reader(octets), 0, len(octets))
        assert found.value


# Time


def nested(depth: int) -> bytes:
    octets = b""
    for _ in range(depth):
        octets = Node(0x30, octets).encode()
    return octets


DEEP = nested(16_000)
HUGE = {
    "names": (oids.SUBJECT_ALT_NAME, b"\x82\x00" * 32_000),
    "directory names": (oids.SUBJECT_ALT_NAME, b"\xa4\x02\x30\x00" * 16_000),
    "deep otherName": (oids.SUBJECT_ALT_NAME, node(0xA0, DEEP).encode()),
    "deep directory name": (oids.SUBJECT_ALT_NAME, node(0xA4, DEEP).encode()),
    "points": (oids.CRL_DISTRIBUTION_POINTS, b"\x30\x00" * 32_000),
    "deep point": (oids.CRL_DISTRIBUTION_POINTS, DEEP),
    "reasons": (oids.CRL_DISTRIBUTION_POINTS, node(0x30, node(0x81, bytes(64_000))).encode()),
    "policies": (oids.CERTIFICATE_POLICIES, b"\x30\x03\x06\x01\x2a" * 12_000),
    "qualifiers": (
        oids.CERTIFICATE_POLICIES,
        sequence(A, Node(0x30, b"\x30\x05\x06\x01\x2a\x05\x00" * 9000)).encode(),
    ),
    "deep qualifier": (
        oids.CERTIFICATE_POLICIES,
        sequence(A, sequence(sequence(A, Node(0x30, DEEP)))).encode(),
    ),
    "mappings": (oids.POLICY_MAPPINGS, b"\x30\x06\x06\x01\x2a\x06\x01\x2a" * 8000),
    "purposes": (oids.EXTENDED_KEY_USAGE, b"\x06\x01\x2a" * 21_000),
    "longest purposes": (oids.EXTENDED_KEY_USAGE, (b"\x06\x40" + b"\xff" * 63 + b"\x7f") * 990),
    "bad lengths": (oids.EXTENDED_KEY_USAGE, b"\x06\x84\x00\x00\x00\x01\x2a" * 9000),
    "subtrees": (oids.NAME_CONSTRAINTS, Node(0xA0, b"\x30\x02\x82\x00" * 16_000).encode()),
    "attributes": (
        oids.SUBJECT_DIRECTORY_ATTRIBUTES,
        b"\x30\x05\x06\x01\x2a\x31\x00" * 9000,
    ),
    "values downwards": (
        oids.SUBJECT_DIRECTORY_ATTRIBUTES,
        sequence(
            A,
            Node(0x31, b"".join(b"\x02\x02" + n.to_bytes(2, "big") for n in range(16_000, 0, -1))),
        ).encode(),
    ),
    "access": (oids.AUTHORITY_INFO_ACCESS, b"\x30\x05\x06\x01\x2a\x82\x00" * 9000),
    "fields": (oids.ISSUING_DISTRIBUTION_POINT, b"\x81\x01\xff" * 20_000),
}


@pytest.mark.parametrize(("dotted", "content"), HUGE.values(), ids=HUGE)
def test_huge_values_take_little_time(dotted: str, content: bytes) -> None:
    octets = Node(0x30, content).encode()
    start = time.process_time()
    found = read(dotted, octets)
    assert time.process_time() - start < LONGEST
    assert found.value or found.unreadable
    assert len(found.faults) <= 20


def test_a_huge_key_usage_and_number_take_little_time() -> None:
    start = time.process_time()
    assert refusal(oids.KEY_USAGE, node(0x03, b"\x00" + b"\xff" * 64_000))
    assert fault(oids.KEY_USAGE, node(0x03, bytes(64_000)))[0] == frozenset()
    assert sound(oids.CRL_NUMBER, node(0x02, b"\x7f" * 64_000)) > 1 << 500_000
    assert time.process_time() - start < LONGEST
