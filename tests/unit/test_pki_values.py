"""Names, validity, serials, reasons, DER forms, requests and signatures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import permutations, product

import pytest
from asn1crypto import core
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pki import csr, der, names, reasons, serials, signing, validity
from pki.errors import InvalidInput, Refused
from tests.golden.vectors import private_key

NAME = names.distinguished_name(
    serial_number="D-1",
    common_name="Hanako",
    organizational_units=["Director", "Ward 2"],
    organization="Clinic",
    locality="Tokyo",
)


def test_attribute_order_and_string_types() -> None:
    parsed = asn1.Name.load(NAME.public_bytes(), strict=True)
    seen = [
        (item["type"].dotted, item["value"].chosen.__class__.__name__, item["value"].native)
        for rdn in parsed.chosen
        for item in rdn
    ]
    assert seen == [
        ("2.5.4.6", "PrintableString", "JP"),
        ("2.5.4.7", "UTF8String", "Tokyo"),
        ("2.5.4.10", "UTF8String", "Clinic"),
        ("2.5.4.11", "UTF8String", "Director"),
        ("2.5.4.11", "UTF8String", "Ward 2"),
        ("2.5.4.3", "UTF8String", "Hanako"),
        ("2.5.4.5", "PrintableString", "D-1"),
    ]
    assert all(len(rdn) == 1 for rdn in parsed.chosen)


def test_equal_names_have_equal_der_and_nothing_is_normalised() -> None:
    same = names.distinguished_name(organization="Clinic", common_name="Hanako")
    assert same.public_bytes() == (
        names.distinguished_name(common_name="Hanako", organization="Clinic").public_bytes()
    )
    for other in ("hanako", "Hanako ", "Ｈanako", "Hanako\u3000"):
        different = names.distinguished_name(organization="Clinic", common_name=other)
        assert different.public_bytes() != same.public_bytes()
        assert names.one(different, NameOID.COMMON_NAME) == other


@pytest.mark.parametrize("field", ["organization", "common_name", "serial_number"])
def test_lengths(field: str) -> None:
    names.distinguished_name(**{field: "x" * 64})
    for value in ("x" * 65, "", " "):
        with pytest.raises(InvalidInput) as refusal:
            names.distinguished_name(**{field: value})
        assert refusal.value.code == "pki.name.length"


def test_length_of_locality_and_units() -> None:
    names.distinguished_name(locality="x" * 128, organizational_units=["x" * 64])
    with pytest.raises(InvalidInput):
        names.distinguished_name(locality="x" * 129)
    with pytest.raises(InvalidInput):
        names.distinguished_name(organizational_units=["x" * 65])


@pytest.mark.parametrize("value", ["日本", "a_b", "a@b", "a*", "a\n", "ａ", "é", "a&b"])
def test_serial_number_must_be_printable(value: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        names.distinguished_name(serial_number=value)
    assert refusal.value.code == "pki.name.printable"


@pytest.mark.parametrize("value", ["Test117120", "T20024-jpa", "A '()+,-./:=?z9"])
def test_printable_serial_numbers(value: str) -> None:
    assert names.one(names.distinguished_name(serial_number=value), NameOID.SERIAL_NUMBER) == value


@pytest.mark.parametrize(
    ("common_name", "purpose"),
    [
        ("HPKI-01-MedisSignCA2-forNonRepudiation", "forNonRepudiation"),
        ("HPKI-01-HPKI_JV2-forNonRepudiation", "forNonRepudiation"),
        (
            "HPKI-01-MedisAuthCA2-forAuthentication-forIndividual",
            "forAuthentication-forIndividual",
        ),
        ("HPKI-01-MedisAuthCA2-forAuthentication", None),
        ("HPKI-1-X-forNonRepudiation", None),
        ("HPKI-01-X-forNonRepudiation\n", None),
        ("xHPKI-01-X-forNonRepudiation", None),
    ],
)
def test_pattern_of_ca_names(common_name: str, purpose: str | None) -> None:
    match = names.CA_COMMON_NAME.match(common_name)
    assert (match["purpose"] if match else None) == purpose


def test_text_of_a_name() -> None:
    assert names.text(NAME) == (
        "C=JP, L=Tokyo, O=Clinic, OU=Director, OU=Ward 2, CN=Hanako, serialNumber=D-1"
    )


def test_japans_day() -> None:
    before = datetime(2026, 11, 20, 14, 59, 59, tzinfo=UTC)
    assert validity.japan_date(before) == date(2026, 11, 20)
    assert validity.japan_date(before + timedelta(seconds=1)) == date(2026, 11, 21)
    assert validity.start_of_day(date(2026, 11, 21)) == datetime(2026, 11, 20, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first_day", "years", "last"),
    [
        (date(2017, 3, 16), 5, datetime(2022, 3, 15, 14, 59, 59, tzinfo=UTC)),
        (date(2024, 2, 29), 5, datetime(2029, 2, 28, 14, 59, 59, tzinfo=UTC)),
        (date(2024, 2, 29), 4, datetime(2028, 2, 28, 14, 59, 59, tzinfo=UTC)),
        (date(2023, 3, 1), 1, datetime(2024, 2, 29, 14, 59, 59, tzinfo=UTC)),
        (date(2026, 1, 1), 1, datetime(2026, 12, 31, 14, 59, 59, tzinfo=UTC)),
        (date(2026, 11, 21), 30, datetime(2056, 11, 20, 14, 59, 59, tzinfo=UTC)),
    ],
)
def test_end_after_years(first_day: date, years: int, last: datetime) -> None:
    assert validity.end_after_years(first_day, years) == last


def test_whole_seconds_in_utc() -> None:
    noon = datetime(2026, 11, 21, 12, 0, 0, 999999, tzinfo=timezone(timedelta(hours=9)))
    assert validity.whole_seconds(noon) == datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)
    assert validity.rfc3339(noon) == "2026-11-21T03:00:00Z"


def test_new_serials_are_positive_random_and_short_enough() -> None:
    low = serials.new_serial(bytes)
    high = serials.new_serial(lambda size: b"\xff" * size)
    assert 0 < low < high
    assert high - low >= (1 << 64) - 1
    for serial in (low, high):
        assert len(der.integer(serial)) <= 2 + 20
        assert serials.parse_serial(serials.serial_hex(serial)) == serial
        assert len(serials.serial_hex(serial)) == 40


def test_entropy_goes_into_the_serial() -> None:
    serial = serials.new_serial(lambda size: bytes(range(1, size + 1)))
    assert f"{serial:x}" == "1" + bytes(range(1, 16)).hex()


@pytest.mark.parametrize(
    ("text", "serial"), [("83e3", 0x83E3), ("00:83:E3", 0x83E3), (" 6f ", 0x6F)]
)
def test_serials_are_read(text: str, serial: int) -> None:
    assert serials.parse_serial(text) == serial


@pytest.mark.parametrize("text", ["", "xyz", "0", "-1", "0" * 39, "f" * 41, "1 2"])
def test_no_serials(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        serials.parse_serial(text)
    assert refusal.value.code == "pki.serial"


@pytest.mark.parametrize("reason", [None, *reasons.Reason])
def test_entries_are_read_by_others(reason: reasons.Reason | None) -> None:
    moment = datetime(2026, 11, 21, 3, 0, 1, tzinfo=UTC)
    entry = asn1_crl.RevokedCertificate.load(reasons.entry_der(0x83E3, moment, reason), strict=True)
    assert entry["user_certificate"].native == 0x83E3
    assert entry["revocation_date"].native == moment
    if reason is None:
        assert entry["crl_entry_extensions"].native is None
        return
    (only,) = entry["crl_entry_extensions"]
    assert only["extn_id"].dotted == "2.5.29.21"
    assert only["critical"].native is False
    assert only["extn_value"].parsed.contents == bytes((reason,))


def test_there_is_no_hold_and_no_code_to_leave_out() -> None:
    assert {int(reason) for reason in reasons.Reason} == {1, 2, 3, 4, 5, 9}


@given(st.integers(0, 1 << 170))
def test_integers(value: int) -> None:
    assert der.integer(value) == core.Integer(value).dump()


@given(st.binary(max_size=70000))
def test_octets(content: bytes) -> None:
    assert der.tlv(0x04, content) == core.OctetString(content).dump()


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 65535, 65536])
def test_length_forms(size: int) -> None:
    assert der.tlv(0x04, bytes(size)) == core.OctetString(bytes(size)).dump()
    assert der.bit_string(bytes(size)) == core.OctetBitString(bytes(size)).dump()


@given(st.integers(0, 4_250_000_000))
def test_times(seconds: int) -> None:
    whole = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    kind = core.UTCTime if whole.year < 2050 else core.GeneralizedTime
    parsed = kind.load(der.time(whole), strict=True)
    assert parsed.native == whole
    assert kind(whole).dump() == der.time(whole)


def test_the_turn_to_generalized_time() -> None:
    assert der.time(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)) == b"\x17\x0d491231235959Z"
    assert der.time(datetime(2050, 1, 1, tzinfo=UTC)) == b"\x18\x0f20500101000000Z"


@pytest.mark.parametrize("dotted", ["1.0.17090.0.1", "1.2.392.100495.1.6.1.1", "2.5.29.9"])
def test_object_identifiers(dotted: str) -> None:
    assert core.ObjectIdentifier.load(der.object_identifier(dotted)).dotted == dotted
    assert der.sequence(b"\x02\x01\x01", b"\x05\x00") == bytes.fromhex("30050201010500")


def request_der(key: object = None) -> bytes:
    chosen = key or private_key("person")
    algorithm = None if isinstance(chosen, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(NAME)
        .sign(
            chosen,  # type: ignore[arg-type]
            algorithm,
        )
    )
    return request.public_bytes(Encoding.DER)


def test_a_request_in_der_and_pem() -> None:
    octets = request_der()
    parsed = x509.load_der_x509_csr(octets)
    for given_octets in (octets, b"\n" + parsed.public_bytes(Encoding.PEM)):
        request = csr.load_request(given_octets)
        key = csr.proven_public_key(request)
        assert signing_numbers(key) == private_key("person").public_key().public_numbers()


def signing_numbers(key: signing.IssuerPublicKey) -> object:
    return key.public_numbers()


def test_a_request_with_another_signature_proves_nothing() -> None:
    octets = bytearray(request_der())
    octets[-1] ^= 1
    with pytest.raises(Refused) as refusal:
        csr.proven_public_key(csr.load_request(bytes(octets)))
    assert refusal.value.code == "pki.csr.proof"


def test_a_request_for_a_key_of_someone_else_proves_nothing() -> None:
    mine = request_der()
    other = private_key("sub").public_key().public_numbers().n
    own = private_key("person").public_key().public_numbers().n
    stolen = mine.replace(own.to_bytes(256, "big"), other.to_bytes(256, "big"))
    assert stolen != mine
    with pytest.raises(Refused) as refusal:
        csr.proven_public_key(csr.load_request(stolen))
    assert refusal.value.code == "pki.csr.proof"


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x30\x03\x02\x01\x00", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", b"\xff" * 99],
)
def test_garbage_is_no_request(octets: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        csr.load_request(octets)
    assert refusal.value.code == "pki.csr.unreadable"


def test_an_oversized_request_is_not_even_parsed() -> None:
    with pytest.raises(InvalidInput) as refusal:
        csr.load_request(request_der() + bytes(16 * 1024))
    assert refusal.value.code == "pki.csr.size"


def test_a_request_whose_name_is_not_utf8_is_unreadable() -> None:
    octets = request_der().replace(b"Hanako", b"Han\xffko")
    with pytest.raises(InvalidInput) as refusal:
        csr.load_request(octets)
    assert refusal.value.code == "pki.csr.unreadable"


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_request_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    octets = bytearray(request_der())
    for place, value in changes:
        octets[place] = value
    try:
        request = csr.load_request(bytes(octets))
        csr.proven_public_key(request)
        list(request.subject)
    except (InvalidInput, Refused):
        return


def test_signatures_verify_by_their_own_key_only() -> None:
    names: tuple[signing.HashName, ...] = ("SHA-256", "SHA-384")
    keys: tuple[signing.IssuerPrivateKey, ...] = (
        private_key("root"),
        ec.generate_private_key(ec.SECP384R1()),
    )
    for key, (name, other) in product(keys, permutations(names)):
        signature = signing.sign(key, b"body", name)
        signing.verify_signature(key.public_key(), signature, b"body", name)
        for wrong in (
            (private_key("sub").public_key(), signature, b"body", name),
            (key.public_key(), signature, b"other", name),
            (key.public_key(), signature[:-1] + bytes((signature[-1] ^ 1,)), b"body", name),
            (key.public_key(), b"", b"body", name),
            (key.public_key(), signature, b"body", other),
        ):
            with pytest.raises(Refused) as refusal:
                signing.verify_signature(*wrong)
            assert refusal.value.code == "pki.signature.invalid"


def test_an_rsa_signature_is_pkcs1_with_the_hash() -> None:
    key = private_key("root")
    for name, algorithm in (("SHA-256", hashes.SHA256()), ("SHA-384", hashes.SHA384())):
        wanted = key.sign(b"body", padding.PKCS1v15(), algorithm)
        assert signing.sign(key, b"body", name) == wanted  # type: ignore[arg-type]


def test_other_kinds_of_keys_verify_nothing() -> None:
    with pytest.raises(InvalidInput) as refusal:
        signing.verify_signature(
            ed25519.Ed25519PrivateKey.generate().public_key(), b"", b"", "SHA-256"
        )
    assert refusal.value.code == "pki.key.type"


def test_the_placeholder_holds_nothing_and_has_the_right_length() -> None:
    real = private_key("root")
    placeholder = signing.placeholder_key(real.public_key())
    assert placeholder.public_key() == real.public_key()
    assert len(placeholder.sign(b"")) == len(signing.sign(real, b"", "SHA-256"))  # type: ignore[call-arg]
    for name in ("private_numbers", "private_bytes", "decrypt", "exchange"):
        with pytest.raises(TypeError):
            getattr(placeholder, name)()
    curve = ec.generate_private_key(ec.SECP256R1())
    length = len(signing.placeholder_key(curve.public_key()).sign(b"", ec.ECDSA(hashes.SHA256())))  # type: ignore[call-arg, arg-type]
    assert abs(length - len(signing.sign(curve, b"", "SHA-256"))) <= 3


def test_a_twin_has_the_bytes_that_are_signed() -> None:
    key = private_key("root")
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 11, 21, tzinfo=UTC))
        .not_valid_after(datetime(2027, 11, 21, tzinfo=UTC))
    )
    twin = builder.sign(signing.placeholder_key(key.public_key()), hashes.SHA256())
    signed = builder.sign(key, hashes.SHA256())
    assert twin.tbs_certificate_bytes == signed.tbs_certificate_bytes
    body = twin.tbs_certificate_bytes
    assembled = signing.assemble(
        body, key.public_key(), signing.sign(key, body, "SHA-256"), "SHA-256"
    )
    assert assembled == signed.public_bytes(Encoding.DER)
    assert set(twin.signature) == {0}
    assert signing.twin(body, key.public_key(), "SHA-256") == twin.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("key", "name", "wanted"),
    [
        (private_key("root"), "SHA-256", "300d06092a864886f70d01010b0500"),
        (private_key("root"), "SHA-384", "300d06092a864886f70d01010c0500"),
        (ec.generate_private_key(ec.SECP256R1()), "SHA-256", "300a06082a8648ce3d040302"),
        (ec.generate_private_key(ec.SECP384R1()), "SHA-384", "300a06082a8648ce3d040303"),
    ],
)
def test_algorithm_identifiers(
    key: signing.IssuerPrivateKey, name: signing.HashName, wanted: str
) -> None:
    """NULL parameters for RSA (RFC 4055 section 5), none for ECDSA (RFC 5758 section 3.2)."""
    assert signing.algorithm_der(key.public_key(), name).hex() == wanted
