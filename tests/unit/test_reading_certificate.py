"""Certificates: the same as cryptography reads in sound ones, and more in broken ones."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki import oids
from pki.errors import InvalidInput
from pki.reading.certificate import MAX_OCTETS, Certificate, read_certificate
from pki.reading.crl import read_list
from pki.reading.extensions import READERS, BasicConstraints, Extension
from pki.reading.tlv import GENERALIZED_TIME, UTC_TIME, Reader
from pki.reading.values import Name, Time
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
    text,
)
from tests.unit.test_reading_extensions import (
    CERTIFICATE_EXTENSIONS,
    UNKNOWN_EXTENSIONS,
    as_ours,
)
from tests.unit.test_reading_values import NAMES

LONGEST = 2.0
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "hpki_public"
SIGNER = ec.derive_private_key(0x5EED, ec.SECP256R1())
CURVES: dict[str, ec.EllipticCurve] = {
    "1.2.840.10045.3.1.7": ec.SECP256R1(),
    "1.3.132.0.34": ec.SECP384R1(),
    "1.3.132.0.35": ec.SECP521R1(),
    "1.3.132.0.10": ec.SECP256K1(),
}


def common_name(value: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, value)])


@cache
def sound() -> bytes:
    """A certificate with three extensions and three fields of each kind of length."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .serial_number(0x1234)
        .issuer_name(common_name("CA"))
        .subject_name(common_name("見本"))
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=10_000))
        .public_key(rsa.RSAPublicNumbers(65537, (1 << 2047) + 1).public_key())
        .add_extension(x509.BasicConstraints(True, 3), critical=True)
        .add_extension(x509.SubjectKeyIdentifier(b"key"), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        .sign(SIGNER, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


VERSION, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, KEY, EXTENSIONS = range(8)


def bent(change: Callable[[Node], object]) -> bytes:
    """The sound certificate after a change to its tree."""
    tree = parse(sound())
    change(tree)
    return tree.encode()


def bent_tbs(change: Callable[[Node], object]) -> bytes:
    return bent(lambda tree: change(tree[0]))


def read_bent(change: Callable[[Node], object]) -> Certificate:
    return read_certificate(bent_tbs(change))


def refusal(der: bytes) -> str:
    """Why this is no certificate, in a few words that print."""
    with pytest.raises(InvalidInput) as refused:
        read_certificate(der)
    assert refused.value.code == "pki.certificate.unreadable"
    assert refused.value.text.isprintable()
    assert len(refused.value.text) < 300
    return refused.value.text.removeprefix("this is no certificate: ")


# Agreement with cryptography


def same_time(ours: Time, theirs: datetime) -> bool:
    tag = UTC_TIME if theirs.year < 2050 else GENERALIZED_TIME
    return (ours.moment, ours.faults, ours.tag) == (theirs, (), tag)


def same_name(ours: Name, theirs: x509.Name) -> bool:
    assert [{(one.oid, one.tag, one.text) for one in rdn} for rdn in ours.rdns] == [
        {(one.oid.dotted_string, one._type.value, one.value) for one in rdn} for rdn in theirs.rdns
    ]
    return ours.der == theirs.public_bytes()


def assert_same(der: bytes) -> None:
    """Ours and cryptography's reading say the same, and ours finds no fault."""
    ours, theirs = read_certificate(der), x509.load_der_x509_certificate(der)
    assert ours.faults == ()
    assert ours.der == der
    assert ours.version == theirs.version.value + 1
    assert ours.serial == theirs.serial_number
    assert same_name(ours.issuer, theirs.issuer)
    assert same_name(ours.subject, theirs.subject)
    assert ours.self_issued is (theirs.issuer.public_bytes() == theirs.subject.public_bytes())
    assert same_time(ours.not_before, theirs.not_valid_before_utc)
    assert same_time(ours.not_after, theirs.not_valid_after_utc)
    assert ours.tbs_der == theirs.tbs_certificate_bytes
    assert ours.signature == theirs.signature
    algorithm = oid(theirs.signature_algorithm_oid.dotted_string).encode()
    assert ours.signature_inside == ours.signature_outside
    assert ours.signature_outside[2:].startswith(algorithm)
    assert der.endswith(ours.signature_outside + node(0x03, b"\0" + ours.signature).encode())
    assert ours.sha256 == theirs.fingerprint(hashes.SHA256()).hex()
    assert ours.unique_ids is False
    assert [
        (one.oid, one.critical, one.octets, one.value, one.unreadable, one.faults)
        for one in ours.extensions
    ] == [
        (
            one.oid.dotted_string,
            one.critical,
            one.value.public_bytes(),
            ours_of(one),
            None,
            (),
        )
        for one in theirs.extensions
    ]
    assert ours.has_extensions is bool(list(theirs.extensions))
    assert [*ours.by_oid.values()] == [*ours.extensions]
    same_key(ours, theirs)


def ours_of(theirs: x509.Extension[x509.ExtensionType]) -> object:
    if theirs.oid.dotted_string not in READERS:
        return None
    if theirs.oid.dotted_string == oids.SUBJECT_DIRECTORY_ATTRIBUTES:
        return READERS[oids.SUBJECT_DIRECTORY_ATTRIBUTES](Reader(theirs.value.public_bytes()))
    return as_ours(theirs.value)


def same_key(ours: Certificate, theirs: x509.Certificate) -> None:
    """Algorithm, parameters, numbers, point and identifier, as far as cryptography says them."""
    key, found = theirs.public_key(), ours.public_key
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert found.der == encoded
    assert found.algorithm == theirs.public_key_algorithm_oid.dotted_string
    assert found.sha1 == x509.SubjectKeyIdentifier.from_public_key(key).digest
    assert found.faults == ()
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        assert (found.modulus, found.exponent, found.curve) == (numbers.n, numbers.e, None)
        assert found.parameters == b"\x05\x00"
        assert found.text == f"RSA {key.key_size}"
    elif isinstance(key, ec.EllipticCurvePublicKey):
        assert (found.modulus, found.exponent) == (None, None)
        known = key.curve.name in ("secp256r1", "secp384r1", "secp521r1")
        assert found.curve == (key.curve.name if known else None)
        assert found.text == (key.curve.name if known else oids.EC_PUBLIC_KEY)
        point = serialization.PublicFormat.UncompressedPoint
        assert found.octets == key.public_bytes(serialization.Encoding.X962, point)
        (curve,) = [dotted for dotted, one in CURVES.items() if one.name == key.curve.name]
        assert found.parameters == oid(curve).encode()
    else:
        assert (found.modulus, found.exponent, found.curve) == (None, None, None)
        assert found.parameters == b""
        raw = serialization.PublicFormat.Raw
        assert found.octets == key.public_bytes(serialization.Encoding.Raw, raw)
        assert found.text == found.algorithm


KEYS = st.one_of(
    st.builds(
        lambda bits, low: rsa.RSAPublicNumbers(65537, (1 << bits - 1) + 2 * low + 1).public_key(),
        st.sampled_from([1024, 2047, 2048, 3072]),
        st.integers(0, 1 << 1000),
    ),
    st.builds(
        lambda secret, curve: ec.derive_private_key(secret, curve).public_key(),
        st.integers(1, 1 << 250),
        st.sampled_from([*CURVES.values()]),
    ),
    st.binary(min_size=32, max_size=32).map(
        lambda secret: ed25519.Ed25519PrivateKey.from_private_bytes(secret).public_key()
    ),
)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@st.composite
def certificates(draw: st.DrawFn) -> bytes:
    """Certificates as cryptography makes them, of anything that it takes."""
    begin, end = sorted((draw(MOMENTS), draw(MOMENTS)))
    issuer = draw(NAMES)
    builder = (
        x509.CertificateBuilder()
        .serial_number(draw(st.one_of(st.integers(1, 300), st.integers(1, (1 << 159) - 1))))
        .issuer_name(issuer)
        .subject_name(draw(st.one_of(NAMES, st.just(issuer))))
        .not_valid_before(begin)
        .not_valid_after(end)
        .public_key(draw(KEYS))
    )
    known = draw(st.lists(st.sampled_from([*CERTIFICATE_EXTENSIONS]), max_size=6, unique=True))
    chosen = [draw(CERTIFICATE_EXTENSIONS[dotted]) for dotted in known]
    if draw(st.booleans()):
        chosen.insert(draw(st.integers(0, len(chosen))), draw(st.sampled_from(UNKNOWN_EXTENSIONS)))
    for extension in chosen:
        builder = builder.add_extension(extension, critical=draw(st.booleans()))
    made = builder.sign(SIGNER, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(certificates())
def test_sound_certificates_are_read_as_cryptography_reads_them(der: bytes) -> None:
    assert_same(der)


def test_the_sound_certificate_of_these_tests() -> None:
    assert_same(sound())
    found = read_certificate(sound())
    assert found.serial == 0x1234
    assert found.value(oids.BASIC_CONSTRAINTS) == BasicConstraints(True, 3)
    assert found.value(oids.KEY_USAGE) is None
    assert found.self_issued is False


@pytest.mark.parametrize("file", [path.stem for path in sorted(REAL.glob("*.cer"))] or ["none"])
@pytest.mark.skipif(
    not REAL.is_dir(), reason=f"REAL HPKI ARTEFACTS ARE ABSENT: {REAL} (not part of the project)"
)
def test_real_certificates(file: str) -> None:
    assert_same((REAL / f"{file}.cer").read_bytes())


@pytest.mark.parametrize("file", [path.stem for path in sorted(REAL.glob("*.crl"))] or ["none"])
@pytest.mark.skipif(
    not REAL.is_dir(), reason=f"REAL HPKI ARTEFACTS ARE ABSENT: {REAL} (not part of the project)"
)
def test_real_lists(file: str) -> None:
    der = (REAL / f"{file}.crl").read_bytes()
    ours, theirs = read_list(der), x509.load_der_x509_crl(der)
    assert ours.faults == ()
    assert ours.version == 2
    assert same_name(ours.issuer, theirs.issuer)
    assert same_time(ours.this_update, theirs.last_update_utc)
    assert ours.next_update is not None
    assert theirs.next_update_utc is not None
    assert same_time(ours.next_update, theirs.next_update_utc)
    assert ours.tbs_digest("sha256") == hashlib.sha256(theirs.tbs_certlist_bytes).digest()
    assert ours.signature == theirs.signature
    assert extensions_of(ours.extensions) == [
        (one.oid.dotted_string, one.critical, as_ours(one.value), None, ())
        for one in theirs.extensions
    ]
    entries = list(ours.entries())
    assert [(one.serial, one.revoked_at.moment) for one in entries] == [
        (one.serial_number, one.revocation_date_utc) for one in theirs
    ]
    assert [extensions_of(one.extensions or ()) for one in entries] == [
        [
            (one.oid.dotted_string, one.critical, as_ours(one.value), None, ())
            for one in entry.extensions
        ]
        for entry in theirs
    ]
    assert all(one.faults == () and one.revoked_at.faults == () for one in entries)


def extensions_of(found: tuple[Extension, ...]) -> list[tuple[object, ...]]:
    return [(one.oid, one.critical, one.value, one.unreadable, one.faults) for one in found]


# Versions


def test_a_v1_certificate() -> None:
    def change(tbs: Node) -> None:
        del tbs.children[EXTENSIONS], tbs.children[VERSION]

    assert_same(bent_tbs(change))
    found = read_bent(change)
    assert (found.version, found.extensions, found.has_extensions) == (1, (), False)


def test_v1_encoded_is_a_fault() -> None:
    found = read_bent(lambda tbs: tbs[VERSION].children.__setitem__(0, integer(0)))
    assert found.version == 1
    assert found.faults == ("version v1 is encoded although it is the default",)


@pytest.mark.parametrize("value", [1, 3, -1, -2, 255, 1 << 400])
def test_other_versions_are_read(value: int) -> None:
    found = read_bent(lambda tbs: tbs[VERSION].children.__setitem__(0, integer(value)))
    assert (found.version, found.faults) == (value + 1, ())


# Unique identifiers and extensions


@pytest.mark.parametrize("tags", [(0x81,), (0x82,), (0x81, 0x82)])
def test_unique_identifiers(tags: tuple[int, ...]) -> None:
    def change(tbs: Node) -> None:
        tbs.children[EXTENSIONS:EXTENSIONS] = [node(tag, b"\x00\xaa") for tag in tags]

    found = read_bent(change)
    assert found.unique_ids is True
    assert len(found.extensions) == 3
    assert_same_but_for_ids(bent_tbs(change))


def assert_same_but_for_ids(der: bytes) -> None:
    ours, theirs = read_certificate(der), x509.load_der_x509_certificate(der)
    assert ours.tbs_der == theirs.tbs_certificate_bytes
    assert len(ours.extensions) == len(list(theirs.extensions))


def test_unique_identifiers_without_extensions() -> None:
    found = read_bent(lambda tbs: tbs.children.__setitem__(EXTENSIONS, node(0x81, b"\x00")))
    assert (found.unique_ids, found.has_extensions, found.by_oid) == (True, False, {})


def test_no_extensions_and_an_empty_field_of_them_differ() -> None:
    none = read_bent(lambda tbs: tbs.children.pop())
    assert (none.has_extensions, none.extensions) == (False, ())
    empty = read_bent(lambda tbs: tbs[EXTENSIONS][0].children.clear())
    assert (empty.has_extensions, empty.extensions) == (True, ())


def test_a_repeated_extension_is_kept_and_the_first_is_the_value() -> None:
    def change(tbs: Node) -> None:
        again = sequence(oid(oids.BASIC_CONSTRAINTS), node(0x04, sequence()))
        tbs[EXTENSIONS][0].children.append(again)

    found = read_bent(change)
    assert [one.oid for one in found.extensions].count(oids.BASIC_CONSTRAINTS) == 2
    assert found.value(oids.BASIC_CONSTRAINTS) == BasicConstraints(True, 3)
    assert found.extensions[-1].value == BasicConstraints(False, None)
    assert found.faults == ()


def test_an_unreadable_extension_keeps_the_rest() -> None:
    def change(tbs: Node) -> None:
        tbs[EXTENSIONS][0][0].children[-1] = node(0x04, b"\x30\x80")

    found = read_bent(change)
    first, *rest = found.extensions
    assert first == found.by_oid[oids.BASIC_CONSTRAINTS]
    assert (first.critical, first.octets, first.value) == (True, b"\x30\x80", None)
    assert first.unreadable == "an indefinite or overlong length at octet 0"
    assert found.value(oids.BASIC_CONSTRAINTS) is None
    assert [one.value for one in rest] == [b"key", (oids.CLIENT_AUTH,)]
    assert found.faults == ()


def test_faults_of_extensions_stay_with_them() -> None:
    def change(tbs: Node) -> None:
        tbs[EXTENSIONS][0][0].children[-1] = node(0x04, sequence(boolean(False)))

    found = read_bent(change)
    assert found.extensions[0].faults == ("cA FALSE is encoded although it is the default",)
    assert found.faults == ()


# What is readable and not DER


def lengthen(what: Node) -> None:
    """Give the element's length one octet more than it needs."""
    encoded = what.encode()
    count = encoded[1] - 0x80 if encoded[1] >= 0x80 else 0
    size = int.from_bytes(encoded[2 : 2 + count], "big") if count else encoded[1]
    what.length = bytes((0x81 + count,)) + size.to_bytes(count + 1, "big")


LENGTHS: dict[str, Callable[[Node], Node]] = {
    "certificate": lambda tree: tree,
    "tbsCertificate": lambda tree: tree[0],
    "version": lambda tree: tree[0][VERSION],
    "number of the version": lambda tree: tree[0][VERSION][0],
    "serial": lambda tree: tree[0][SERIAL],
    "signature": lambda tree: tree[0][ALGORITHM],
    "signature's algorithm": lambda tree: tree[0][ALGORITHM][0],
    "issuer": lambda tree: tree[0][ISSUER],
    "RDN of the issuer": lambda tree: tree[0][ISSUER][0],
    "attribute of the issuer": lambda tree: tree[0][ISSUER][0][0],
    "type in the issuer": lambda tree: tree[0][ISSUER][0][0][0],
    "value in the issuer": lambda tree: tree[0][ISSUER][0][0][1],
    "validity": lambda tree: tree[0][VALIDITY],
    "notBefore": lambda tree: tree[0][VALIDITY][0],
    "notAfter": lambda tree: tree[0][VALIDITY][1],
    "subject": lambda tree: tree[0][SUBJECT],
    "value in the subject": lambda tree: tree[0][SUBJECT][0][0][1],
    "key": lambda tree: tree[0][KEY],
    "key's algorithm": lambda tree: tree[0][KEY][0],
    "key's algorithm's OID": lambda tree: tree[0][KEY][0][0],
    "key's parameters": lambda tree: tree[0][KEY][0][1],
    "key's bits": lambda tree: tree[0][KEY][1],
    "field of extensions": lambda tree: tree[0][EXTENSIONS],
    "extensions": lambda tree: tree[0][EXTENSIONS][0],
    "extension": lambda tree: tree[0][EXTENSIONS][0][1],
    "extension's type": lambda tree: tree[0][EXTENSIONS][0][1][0],
    "extension's criticality": lambda tree: tree[0][EXTENSIONS][0][0][1],
    "extension's value": lambda tree: tree[0][EXTENSIONS][0][1][1],
    "signatureAlgorithm": lambda tree: tree[1],
    "signatureAlgorithm's OID": lambda tree: tree[1][0],
    "signature value": lambda tree: tree[2],
}


@pytest.mark.parametrize("place", LENGTHS.values(), ids=LENGTHS)
def test_a_longer_length_anywhere_is_a_fault(place: Callable[[Node], Node]) -> None:
    der = bent(lambda tree: lengthen(place(tree)))
    found, whole = read_certificate(der), read_certificate(sound())
    assert len(der) > len(sound())
    assert found.faults
    assert all("is not in its shortest form" in fault for fault in found.faults)
    assert (found.serial, found.subject.text, found.not_after, found.extensions) == (
        whole.serial,
        whole.subject.text,
        whole.not_after,
        whole.extensions,
    )
    assert found.public_key.modulus == whole.public_key.modulus


def test_octets_after_the_certificate_are_a_fault() -> None:
    found = read_certificate(sound() + b"\x00\x00")
    assert found.faults == ("2 octets follow the certificate",)
    assert found.der == sound() + b"\x00\x00"


@pytest.mark.parametrize(
    ("octets", "serial", "faults"),
    [("00ff", 255, 0), ("ff", -1, 0), ("00", 0, 0), ("0001", 1, 1), ("ff80", -128, 1)]
    + [("7f" * 30, int("7f" * 30, 16), 0)],
)
def test_serial_numbers(octets: str, serial: int, faults: int) -> None:
    found = read_bent(
        lambda tbs: tbs.children.__setitem__(SERIAL, node(0x02, bytes.fromhex(octets)))
    )
    assert (found.serial, len(found.faults)) == (serial, faults)


def test_unused_bits_of_signature_and_key_are_faults() -> None:
    def change(tree: Node) -> None:
        tree[2].octets = b"\x04" + tree[2].octets[1:-1] + b"\xf0"
        tree[0][KEY][1].octets = b"\x01" + tree[0][KEY][1].octets[1:]

    found = read_certificate(bent(change))
    assert found.faults == (
        "the signature has unused bits",
        "unused bits of a BIT STRING are set",
        "the key has unused bits",
    )


def test_criticality_false_is_a_fault() -> None:
    found = read_bent(lambda tbs: tbs[EXTENSIONS][0][1].children.insert(1, boolean(False)))
    assert found.faults == ("critical FALSE is encoded although it is the default",)
    assert found.extensions[1].critical is False


def test_faults_of_names_are_told() -> None:
    pair = (attribute("2.5.4.3", text("b")), attribute("2.5.4.3", text("a")))
    found = read_bent(lambda tbs: tbs[SUBJECT].children.append(set_of(*pair)))
    assert found.faults == ("the attributes of an RDN are not in DER's order",)
    found = read_bent(lambda tbs: tbs[ISSUER].children.append(set_of(*pair)))
    assert found.faults == ("the attributes of an RDN are not in DER's order",)


BROKEN_ALGORITHMS = {
    "nothing": (sequence(), "cannot be read: an element is cut off"),
    "no OID": (sequence(node(0x05)), "cannot be read: the algorithm has the tag 05, not 06"),
    "broken OID": (
        sequence(node(0x06, b"\x2a\x80")),
        "cannot be read: an OBJECT IDENTIFIER is empty or cut off",
    ),
    "three parts": (
        sequence(oid("1.2.3"), node(0x05), node(0x05)),
        "has more than algorithm and parameters",
    ),
    "cut OID": (node(0x30, b"\x06\x05\x2a"), "cannot be read: the element at octet"),
    "cut parameters": (node(0x30, b"\x06\x01\x2a\x05\x01"), "cannot be read: the element at octet"),
}


@pytest.mark.parametrize(("broken", "wanted"), BROKEN_ALGORITHMS.values(), ids=BROKEN_ALGORITHMS)
def test_a_signature_algorithm_of_another_structure_is_a_fault(broken: Node, wanted: str) -> None:
    found = read_bent(lambda tbs: tbs.children.__setitem__(ALGORITHM, broken))
    (fault,) = found.faults
    assert "signature" in fault
    assert "signatureAlgorithm" not in fault
    assert wanted in fault
    assert found.signature_inside == broken.encode()
    found = read_certificate(bent(lambda tree: tree.children.__setitem__(1, broken)))
    (fault,) = found.faults
    assert "signatureAlgorithm" in fault
    assert wanted in fault
    assert found.signature_outside == broken.encode()


def test_times_in_another_form_are_read_with_faults() -> None:
    def change(tbs: Node) -> None:
        tbs[VALIDITY].children[:] = [
            node(0x18, b"20260101000000Z"),
            node(0x17, b"3001010000Z"),
        ]

    found = read_bent(change)
    assert found.not_before.moment == datetime(2026, 1, 1, tzinfo=UTC)
    assert len(found.not_before.faults) == 1
    assert (found.not_after.moment, len(found.not_after.faults)) == (None, 1)
    assert found.faults == ()


def test_faults_are_bounded() -> None:
    def change(tbs: Node) -> None:
        tbs[EXTENSIONS][0].children[:] = [
            sequence(oid("1.2.3"), boolean(False), node(0x04)) for _ in range(500)
        ]
        for name in (SUBJECT, ISSUER):
            tbs[name].octets, tbs[name].children = (
                b"\x31\x81\x07\x30\x05\x06\x01\x2a\x0c\x00" * 99,
                [],
            )

    found = read_bent(change)
    assert len(found.extensions) == 500
    assert len(found.faults) == 60


# Keys


def key_of(algorithm: Node, bits: bytes) -> Callable[[Node], object]:
    return lambda tbs: tbs.children.__setitem__(
        KEY, sequence(algorithm, node(0x03, b"\x00" + bits))
    )


RSA = sequence(oid(oids.RSA_ENCRYPTION), node(0x05))


@pytest.mark.parametrize(
    "bits",
    [
        b"",
        b"key",
        sequence().encode(),
        sequence(integer(77)).encode(),
        sequence(integer(77), integer(3), integer(1)).encode(),
        sequence(integer(77), text("3")).encode(),
        set_of(integer(77), integer(3)).encode(),
        sequence(integer(77), integer(3)).encode() + b"\x00",
        sequence(node(0x02, b"\x00\x4d"), integer(3)).encode(),
        sequence(integer(77), node(0x02, b"\x00\x03")).encode(),
        sequence(integer(77), node(0x02)).encode(),
        sequence(integer(77), integer(3)).encode()[:-1],
    ],
)
def test_rsa_keys_that_are_no_two_numbers_in_der(bits: bytes) -> None:
    found = read_bent(key_of(RSA, bits)).public_key
    assert (found.modulus, found.exponent, found.octets) == (None, None, bits)
    assert found.text == oids.RSA_ENCRYPTION


def test_rsa_numbers_are_as_encoded() -> None:
    found = read_bent(key_of(RSA, sequence(integer(-77), integer(0)).encode())).public_key
    assert (found.modulus, found.exponent) == (-77, 0)


@pytest.mark.parametrize("dotted", [oids.RSA_ENCRYPTION, oids.EC_PUBLIC_KEY, "1.2.3"])
def test_parameters_are_kept_as_they_are(dotted: str) -> None:
    for parameters in (b"", b"\x05\x01\x00", b"\x30\x00"):
        algorithm = node(0x30, oid(dotted).encode() + parameters)
        found = read_bent(key_of(algorithm, b"")).public_key
        assert (found.parameters, found.faults) == (parameters, ())
    for parameters, fault in (
        (b"\x05\x00\x05\x00", "the key's algorithm has more than algorithm and parameters"),
        (b"\x05\x81\x00", "the length at octet"),
        (b"\x05\x01", "the parameters in the key's algorithm cannot be read: the element at octet"),
    ):
        algorithm = node(0x30, oid(dotted).encode() + parameters)
        found = read_bent(key_of(algorithm, b"")).public_key
        assert (found.parameters, len(found.faults)) == (parameters, 1)
        assert found.faults[0].startswith(fault)


def test_a_key_of_elliptic_curve_parameters_has_no_curve() -> None:
    algorithm = sequence(oid(oids.EC_PUBLIC_KEY), sequence(integer(1)))
    found = read_bent(key_of(algorithm, b"\x04")).public_key
    assert (found.curve, found.text, found.faults) == (None, oids.EC_PUBLIC_KEY, ())


def test_faults_of_a_curve_are_told() -> None:
    curve = oid("1.2.840.10045.3.1.7")
    lengthen(curve)
    found = read_bent(key_of(sequence(oid(oids.EC_PUBLIC_KEY), curve, node(0x05)), b"\x04"))
    assert found.public_key.curve == "secp256r1"
    assert found.faults == found.public_key.faults
    assert found.faults == (
        "the length at octet 0 is not in its shortest form",
        "2 octets follow the curve",
    )


# What is no certificate


def load_all(der: bytes) -> None:
    """Have cryptography read what it reads only when it is asked for."""
    theirs = x509.load_der_x509_certificate(der)
    assert [theirs.issuer, theirs.subject, theirs.extensions, theirs.public_key()]
    assert [theirs.not_valid_before_utc, theirs.not_valid_after_utc, theirs.version]


def put(index: int, new: Node) -> Callable[[Node], object]:
    return lambda tbs: tbs.children.__setitem__(index, new)


CN = set_of(attribute("2.5.4.3", text("x")))
MOMENT = node(0x17, b"240101000000Z")
IN_TBS: dict[str, Callable[[Node], object]] = {
    "version of two": put(VERSION, node(0xA0, integer(2), integer(2))),
    "version of nothing": put(VERSION, node(0xA0)),
    "version is no INTEGER": put(VERSION, node(0xA0, boolean(True))),
    "version is primitive": put(VERSION, node(0x80, b"\x02")),
    "version is bare": put(VERSION, integer(2)),
    "empty number of the version": put(VERSION, node(0xA0, node(0x02))),
    "no serial": lambda tbs: tbs.children.pop(SERIAL),
    "empty serial": put(SERIAL, node(0x02)),
    "serial is no INTEGER": put(SERIAL, node(0x0A, b"\x01")),
    "no signature": lambda tbs: tbs.children.pop(ALGORITHM),
    "signature is a SET": put(ALGORITHM, set_of()),
    "no issuer": lambda tbs: tbs.children.pop(ISSUER),
    "issuer is a SET": put(ISSUER, set_of(CN)),
    "issuer is broken": put(ISSUER, sequence(sequence())),
    "no validity": lambda tbs: tbs.children.pop(VALIDITY),
    "validity of one": put(VALIDITY, sequence(MOMENT)),
    "validity of three": put(VALIDITY, sequence(MOMENT, MOMENT, MOMENT)),
    "validity of nothing": put(VALIDITY, sequence()),
    "notBefore is no time": put(VALIDITY, sequence(integer(1), MOMENT)),
    "notAfter is no time": put(VALIDITY, sequence(MOMENT, integer(1))),
    "notAfter is too long": put(VALIDITY, sequence(MOMENT, node(0x17, b"1" * 33))),
    "no subject": lambda tbs: tbs.children.pop(SUBJECT),
    "subject is broken": put(SUBJECT, sequence(set_of())),
    "no key": lambda tbs: tbs.children.pop(KEY),
    "key of nothing": put(KEY, sequence()),
    "key of three": lambda tbs: tbs[KEY].children.append(node(0x05)),
    "key without algorithm": lambda tbs: tbs[KEY].children.pop(0),
    "key's algorithm has no OID": put(KEY, sequence(sequence(node(0x05)), node(0x03, b"\0"))),
    "key's algorithm is empty": put(KEY, sequence(sequence(), node(0x03, b"\0"))),
    "key is no BIT STRING": put(KEY, sequence(RSA, node(0x04, b"\0"))),
    "key has no octets": put(KEY, sequence(RSA, node(0x03))),
    "curve is broken": put(
        KEY, sequence(sequence(oid(oids.EC_PUBLIC_KEY), node(0x06, b"\x80")), node(0x03, b"\0"))
    ),
    "extensions twice": lambda tbs: tbs.children.append(tbs[EXTENSIONS]),
    "extensions before a unique identifier": lambda tbs: tbs.children.append(node(0x81, b"\0")),
    "unique identifiers out of order": lambda tbs: tbs.children.__setitem__(
        slice(EXTENSIONS, None), [node(0x82, b"\0"), node(0x81, b"\0")]
    ),
    "unique identifier twice": lambda tbs: tbs.children.__setitem__(
        slice(EXTENSIONS, None), [node(0x81, b"\0"), node(0x81, b"\0")]
    ),
    "constructed unique identifier": put(EXTENSIONS, node(0xA1, node(0x03, b"\0"))),
    "unknown field": lambda tbs: tbs.children.append(node(0xA4, sequence())),
    "version last": lambda tbs: tbs.children.append(tbs.children.pop(VERSION)),
    "extensions of nothing": put(EXTENSIONS, node(0xA3)),
    "extensions are a SET": put(EXTENSIONS, node(0xA3, set_of())),
    "two SEQUENCEs of extensions": put(EXTENSIONS, node(0xA3, sequence(), sequence())),
    "bare extensions": lambda tbs: put(EXTENSIONS, tbs[EXTENSIONS][0])(tbs),
    "extension is a SET": lambda tbs: tbs[EXTENSIONS][0].children.append(set_of()),
    "issuer and validity exchanged": lambda tbs: tbs.children.__setitem__(
        slice(ISSUER, SUBJECT), [tbs[VALIDITY], tbs[ISSUER]]
    ),
    "subject and key exchanged": lambda tbs: tbs.children.__setitem__(
        slice(SUBJECT, EXTENSIONS), [tbs[KEY], tbs[SUBJECT]]
    ),
    "nothing": lambda tbs: tbs.children.clear(),
}
AROUND: dict[str, Callable[[Node], object]] = {
    "four parts": lambda tree: tree.children.append(node(0x05)),
    "two parts": lambda tree: tree.children.pop(),
    "one part": lambda tree: tree.children.__delitem__(slice(1, None)),
    "no part": lambda tree: tree.children.clear(),
    "signature is no BIT STRING": lambda tree: tree.children.__setitem__(2, node(0x04, b"\0")),
    "signature has no octets": lambda tree: tree.children.__setitem__(2, node(0x03)),
    "unused bits of nothing": lambda tree: tree.children.__setitem__(2, node(0x03, b"\1")),
    "eight unused bits": lambda tree: tree.children.__setitem__(2, node(0x03, b"\x08\x00")),
    "algorithm is a SET": lambda tree: tree.children.__setitem__(1, set_of()),
    "tbsCertificate is a SET": lambda tree: tree.children.__setitem__(0, set_of()),
    "parts turned round": lambda tree: tree.children.reverse(),
    "all in a SET": lambda tree: setattr(tree, "tag", 0x31),
    "indefinite length": lambda tree: setattr(tree, "length", b"\x80"),
    "indefinite length inside": lambda tree: setattr(tree[0], "length", b"\x80"),
    "signature is one octet short": lambda tree: setattr(
        tree[2], "length", bytes((len(tree[2].octets) + 1,))
    ),
}


@pytest.mark.parametrize("change", IN_TBS.values(), ids=IN_TBS)
def test_another_structure_inside_is_refused(change: Callable[[Node], object]) -> None:
    der = bent_tbs(change)
    assert refusal(der)
    with pytest.raises(ValueError, match=".+"):
        load_all(der)


@pytest.mark.parametrize("change", AROUND.values(), ids=AROUND)
def test_another_structure_around_is_refused(change: Callable[[Node], object]) -> None:
    assert refusal(bent(change))


def test_every_cut_is_refused() -> None:
    for size in range(len(sound())):
        assert refusal(sound()[:size])


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x00", b"-----BEGIN CERTIFICATE-----", b"\0" * 99]
)
def test_other_octets_are_refused(der: bytes) -> None:
    assert refusal(der)


def test_the_refusal_says_what_and_where() -> None:
    assert refusal(bent_tbs(put(SERIAL, text("x")))) == "the serial number has the tag 0c, not 02"
    assert refusal(bent_tbs(lambda tbs: tbs.children.append(node(0x04)))) == (
        "tbsCertificate holds the tag 04 where it cannot stand"
    )
    assert refusal(sound()[:-1]) == "the element at octet 0 runs beyond what holds it"


# Sizes


def of_size(size: int) -> bytes:
    """The certificate with an extension that makes it so many octets long."""

    def change(tree: Node) -> None:
        filler = node(0x04, b"\0" * (size - len(sound()) - 40))
        tree[0][EXTENSIONS][0].children.append(sequence(oid("1.2.3"), filler))

    der = bent(change)
    missing = size - len(der)

    def finish(tree: Node) -> None:
        change(tree)
        tree[2].octets += b"\0" * missing

    return bent(finish)


def test_sizes() -> None:
    largest = of_size(MAX_OCTETS)
    assert len(largest) == MAX_OCTETS == 65_536
    assert read_certificate(largest).faults == ()
    with pytest.raises(InvalidInput) as refused:
        read_certificate(largest + b"\0")
    assert refused.value.code == "pki.certificate.size"
    assert "65536" in refused.value.text


# Equality


def test_certificates_are_equal_by_what_they_say_and_can_be_in_sets() -> None:
    one, other = read_certificate(sound()), read_certificate(bytes(bytearray(sound())))
    assert one == other
    assert len({one, other}) == 1
    assert one != read_bent(put(SERIAL, integer(5)))
    assert "by_oid" not in repr(one)


# Bent at random


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_certificate_with_wrong_octets_is_read_the_same_or_refused(data: st.DataObject) -> None:
    """Where cryptography reads it too, the two agree on what was signed by whom for whom."""
    octets = bytearray(sound())
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at] = data.draw(st.sampled_from([0, 1, 2, 4, 0x30, 0x7F, 0x80, 0x81, 0x82, 0xFF]))
    der = bytes(octets)
    try:
        ours = read_certificate(der)
    except InvalidInput as error:
        assert error.code == "pki.certificate.unreadable"  # noqa: PT017
        return
    try:
        theirs = x509.load_der_x509_certificate(der)
        said = theirs.serial_number, theirs.issuer.public_bytes(), theirs.subject.public_bytes()
        extensions = [(one.oid.dotted_string, one.critical) for one in theirs.extensions]
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion):
        return
    assert (ours.serial, ours.issuer.der, ours.subject.der) == said
    assert [(one.oid, one.critical) for one in ours.extensions] == extensions
    assert ours.tbs_der == theirs.tbs_certificate_bytes
    assert ours.signature == theirs.signature
    assert all(one.unreadable is None for one in ours.extensions)


# Time


def nested(depth: int) -> Node:
    octets = b""
    for _ in range(depth):
        octets = Node(0x30, octets).encode()
    return Node(0x30, octets)


def many(element: bytes, count: int) -> Node:
    return Node(0x30, element * count)


def extension(dotted: str, value: Node) -> Callable[[Node], object]:
    made = sequence(oid(dotted), node(0x04, value.encode()))
    return lambda tbs: tbs[EXTENSIONS][0].children.append(made)


SMALLEST_RDN = b"\x31\x07\x30\x05\x06\x01\x2a\x0c\x00"
HUGE: dict[str, Callable[[Node], object]] = {
    "extensions": lambda tbs: tbs[EXTENSIONS].children.__setitem__(
        0, many(b"\x30\x05\x06\x01\x2a\x04\x00", 9000)
    ),
    "extensions that differ": lambda tbs: tbs[EXTENSIONS].children.__setitem__(
        0,
        Node(
            0x30,
            b"".join(sequence(oid(f"1.2.{number}"), node(0x04)).encode() for number in range(7000)),
        ),
    ),
    "unreadable extensions": lambda tbs: tbs[EXTENSIONS].children.__setitem__(
        0, many(b"\x30\x07\x06\x03\x55\x1d\x13\x04\x00", 7000)
    ),
    "not in DER": lambda tbs: tbs[EXTENSIONS].children.__setitem__(
        0, many(b"\x30\x81\x09\x06\x01\x2a\x01\x01\x00\x04\x81\x00", 5000)
    ),
    "subject": put(SUBJECT, many(SMALLEST_RDN, 7000)),
    "issuer not in DER": put(ISSUER, many(b"\x31\x81\x07\x30\x05\x06\x01\x2a\x0c\x00", 6000)),
    "deep name": put(SUBJECT, nested(16_000)),
    "deep value": put(SUBJECT, sequence(set_of(sequence(oid("1.2"), nested(16_000))))),
    "deep parameters": put(KEY, sequence(sequence(oid("1.2"), nested(16_000)), node(3, b"\0"))),
    "parameters": put(
        KEY, sequence(Node(0x30, b"\x06\x01\x2a" + b"\x05\x00" * 31_000), node(3, b"\0"))
    ),
    "deep algorithm": put(ALGORITHM, nested(16_000)),
    "algorithm": put(ALGORITHM, many(b"\x05\x00", 32_000)),
    "algorithm not in DER": put(ALGORITHM, many(b"\x05\x81\x00", 21_000)),
    "unique identifiers": lambda tbs: tbs.children.extend([node(0x81, b"\0")] * 20_000),
    "serial": put(SERIAL, node(0x02, b"\x7f" * 64_000)),
    "version": put(VERSION, node(0xA0, node(0x02, b"\x7f" * 64_000))),
    "modulus": key_of(RSA, sequence(node(0x02, b"\x7f" * 60_000), integer(3)).encode()),
    "deep extension": extension(oids.CERTIFICATE_POLICIES, nested(16_000)),
    "deep unknown extension": extension("1.2.3", nested(16_000)),
    "names": extension(oids.SUBJECT_ALT_NAME, many(b"\x82\x00", 32_000)),
    "points": extension(oids.CRL_DISTRIBUTION_POINTS, many(b"\x30\x00", 32_000)),
}


@pytest.mark.parametrize("change", HUGE.values(), ids=HUGE)
def test_huge_certificates_take_little_time(change: Callable[[Node], object]) -> None:
    der = bent_tbs(change)
    assert 40_000 < len(der) <= MAX_OCTETS
    start = time.process_time()
    try:
        found = read_certificate(der)
    except InvalidInput as error:
        assert error.code == "pki.certificate.unreadable"  # noqa: PT017
    else:
        assert len(found.faults) <= 60
    assert time.process_time() - start < LONGEST
