"""The bytes of our certificates, against hexadecimal written by hand from the observed shapes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.building import (
    IssuerFacts,
    Period,
    Wanted,
    certificate_twin,
    end_entity_period,
    issuer_facts,
    own_facts,
)
from ca.ceremonies import ca_period
from ca.dossier import Content
from pki.names import distinguished_name
from pki.signing import assemble, sign
from policies.profiles import Purpose, shipped_profiles
from policies.site import SiteKind
from tests.golden.vectors import (
    COMMON_NAME,
    NOW,
    ORGANIZATION,
    SERIAL_NUMBER,
    UNIT,
    ia5,
    key_identifier,
    name,
    printable,
    private_key,
    rdn,
    spki,
    tlv,
    utf8,
)

ROOT_RDNS = (rdn(ORGANIZATION, utf8("DEMO Ministry")), rdn(UNIT, utf8("DEMO HPKI Root CA")))
ROOT_DN = name(*ROOT_RDNS)
SUB_RDNS = (
    rdn(ORGANIZATION, utf8("DEMO Centre")),
    rdn(UNIT, utf8("DEMO CA")),
    rdn(COMMON_NAME, utf8("HPKI-01-DEMO_Sign-forNonRepudiation")),
)
ROOT_NAME = distinguished_name(
    organization="DEMO Ministry", organizational_units=["DEMO HPKI Root CA"]
)
SUB_NAME = distinguished_name(
    organization="DEMO Centre",
    organizational_units=["DEMO CA"],
    common_name="HPKI-01-DEMO_Sign-forNonRepudiation",
)
JAPANESE_NAME = distinguished_name(
    organization="DEMO 見本省", organizational_units=["DEMO ルート認証局"]
)
CONTENT = Content(
    holder_id="D000001",
    common_name="Taro Yamada",
    organization="DEMO Hospital",
    organizational_unit=None,
    japanese_organization="DEMO 見本病院",
    japanese_name="山田　太郎",
    roles=("Medical Doctor",),
    profiles={},
    validity_years=5,
)
SIGN_POLICY = "2a830886910f010501010001"
AUTH_POLICY = "2a830886910f010501020001"
BASIC_CONSTRAINTS = "30030101ff"
DOCTOR = (
    "303430320606288185420001312831263024a0223120"
    "a00c060a2a830886910f01060101a2100c0e4d65646963616c20446f63746f72"
)


def root(serial: int = 1) -> x509.Certificate:
    wanted = Wanted(
        ROOT_NAME,
        private_key("root").public_key(),
        serial,
        ca_period(NOW, 30),
        JAPANESE_NAME,
    )
    uri = "http://repository.test/rarl.crl"
    facts = own_facts(wanted, "http://repository.test/", uri, "SHA-256")
    return made("root", facts, wanted, "root")


def sub_ca(serial: int = 4) -> x509.Certificate:
    wanted = Wanted(SUB_NAME, private_key("sub").public_key(), serial, ca_period(NOW, 20))
    uri = "http://repository.test/sarl.crl"
    facts = issuer_facts(root(), "http://repository.test/", uri, "SHA-256")
    return made("sub-ca-sign", facts, wanted, "root")


def person(
    purpose: Purpose, content: Content = CONTENT, kind: SiteKind = SiteKind.TRAINING
) -> x509.Certificate:
    wanted = Wanted(
        content.subject(),
        private_key("person").public_key(),
        0x83E3,
        end_entity_period(NOW, content.validity_years),
        content.alternative_name(),
        content.roles,
    )
    uri = "http://repository.test/sign.crl"
    facts = issuer_facts(sub_ca(), "http://repository.test/cps/", uri, "SHA-256")
    return made(f"ee-{purpose.lower()}", facts, wanted, "sub", kind)


def made(
    profile_id: str,
    facts: IssuerFacts,
    wanted: Wanted,
    signer: str,
    kind: SiteKind = SiteKind.TRAINING,
) -> x509.Certificate:
    """The certificate by a shipped profile, signed with one of the fixed keys."""
    twin = certificate_twin(shipped_profiles().certificate(profile_id), facts, wanted, kind)
    key, body = private_key(signer), twin.tbs_certificate_bytes
    signature = sign(key, body, facts.hash_name)
    return x509.load_der_x509_certificate(
        assemble(body, key.public_key(), signature, facts.hash_name)
    )


def extension_bytes(certificate: x509.Certificate) -> dict[str, tuple[bool, str]]:
    """Criticality and extnValue contents as they stand in the DER, read by asn1crypto."""
    parsed = asn1.Certificate.load(certificate.public_bytes(Encoding.DER))
    found: dict[str, tuple[bool, str]] = {}
    for extension in parsed["tbs_certificate"]["extensions"]:
        oid = extension["extn_id"].dotted
        assert oid not in found
        found[oid] = (extension["critical"].native, extension["extn_value"].contents.hex())
    return found


def authority_key(issuer_key: str, issuer_dn: str, serial: str) -> str:
    return tlv(
        "30",
        tlv("80", key_identifier(issuer_key)),
        tlv("a1", tlv("a4", issuer_dn)),
        tlv("82", serial),
    )


def policies(oid: str, uri: str) -> str:
    qualifier = tlv("30", tlv("06", "2b06010505070201"), ia5("16", uri))
    return tlv("30", tlv("30", tlv("06", oid), tlv("30", qualifier)))


def point(general_name: str) -> str:
    return tlv("30", tlv("a0", tlv("a0", general_name)))


def ca_points(list_name: str, uri: str) -> str:
    directory = tlv("a4", name(*ROOT_RDNS, rdn(COMMON_NAME, utf8(list_name))))
    return tlv("30", point(directory), point(ia5("86", uri)))


def test_the_notation_gives_the_observed_bytes() -> None:
    """The hexadecimal notation itself, against lines of profile 3.8 copied from real bytes."""
    arc = "2a830886910f010501010301"
    assert policies(arc, "http://hpki.mhlw.go.jp/repository/").startswith(
        "30423040060c" + arc + "3030302e06082b060105050702011622"
    )
    real_root = name(
        rdn(ORGANIZATION, utf8("Ministry of Health, Labour and Welfare")),
        rdn(UNIT, utf8("Director-General for Policy Planning and Evaluation")),
        rdn(UNIT, utf8("MHLW HPKI Root CA V2")),
    )
    assert real_root.startswith("30819b")


def test_root() -> None:
    own_name = tlv(
        "a4",
        name(rdn(ORGANIZATION, utf8("DEMO 見本省")), rdn(UNIT, utf8("DEMO ルート認証局"))),
    )
    assert extension_bytes(root()) == {
        "2.5.29.35": (False, authority_key("root", ROOT_DN, "01")),
        "2.5.29.14": (False, "0414" + key_identifier("root")),
        "2.5.29.19": (True, BASIC_CONSTRAINTS),
        "2.5.29.15": (True, "03020106"),
        "2.5.29.17": (False, tlv("30", own_name)),
        "2.5.29.31": (False, ca_points("RARL", "http://repository.test/rarl.crl")),
    }


def test_sub_ca() -> None:
    assert extension_bytes(sub_ca()) == {
        "2.5.29.35": (False, authority_key("root", ROOT_DN, "01")),
        "2.5.29.14": (False, "0414" + key_identifier("sub")),
        "2.5.29.19": (True, BASIC_CONSTRAINTS),
        "2.5.29.15": (True, "03020106"),
        "2.5.29.32": (True, policies(SIGN_POLICY, "http://repository.test/")),
        "2.5.29.31": (False, ca_points("SARL", "http://repository.test/sarl.crl")),
    }


@pytest.mark.parametrize(
    ("purpose", "usage", "policy"),
    [(Purpose.SIGN, "03020640", SIGN_POLICY), (Purpose.AUTH, "03020780", AUTH_POLICY)],
)
def test_end_entity(purpose: Purpose, usage: str, policy: str) -> None:
    japanese = tlv(
        "a4",
        name(
            rdn(ORGANIZATION, utf8("DEMO 見本病院")),
            rdn(COMMON_NAME, utf8("山田　太郎")),
            rdn(SERIAL_NUMBER, printable("D000001")),
        ),
    )
    uri = ia5("86", "http://repository.test/sign.crl")
    assert extension_bytes(person(purpose)) == {
        # issuer and serial of the CA's certificate: the root's name, and 04
        "2.5.29.35": (False, authority_key("sub", ROOT_DN, "04")),
        "2.5.29.14": (False, "0414" + key_identifier("person")),
        "2.5.29.15": (True, usage),
        "2.5.29.32": (True, policies(policy, "http://repository.test/cps/")),
        "2.5.29.31": (False, tlv("30", point(uri))),
        "2.5.29.17": (False, tlv("30", japanese)),
        "2.5.29.9": (False, DOCTOR),
    }


def test_end_entity_without_the_optional_parts() -> None:
    content = CONTENT.model_copy(
        update={
            "organization": None,
            "japanese_organization": None,
            "japanese_name": None,
            "roles": (),
        }
    )
    found = extension_bytes(person(Purpose.SIGN, content))
    assert set(found) == {"2.5.29.35", "2.5.29.14", "2.5.29.15", "2.5.29.32", "2.5.29.31"}


def test_production_carries_the_production_policy() -> None:
    found = extension_bytes(person(Purpose.SIGN, kind=SiteKind.PRODUCTION))
    assert found["2.5.29.32"] == (
        True,
        policies("2a830886910f010501010301", "http://repository.test/cps/"),
    )


SHA256_WITH_RSA = "300d06092a864886f70d01010b0500"


def test_everything_before_the_extensions() -> None:
    """Version, serial, algorithm, names, period and key of the signing certificate, whole."""
    subject = name(
        rdn(ORGANIZATION, utf8("DEMO Hospital")),
        rdn(COMMON_NAME, utf8("Taro Yamada")),
        rdn(SERIAL_NUMBER, printable("D000001")),
    )
    wanted = (
        "a003020102"
        + "02030083e3"
        + SHA256_WITH_RSA
        + name(*SUB_RDNS)
        + tlv("30", tlv("17", b"261120150000Z".hex()), tlv("17", b"311120145959Z".hex()))
        + subject
        + spki("person").hex()
        + "a382"
    )
    body = person(Purpose.SIGN).tbs_certificate_bytes
    assert body[:2].hex() == "3082"
    assert body[4:].hex().startswith(wanted)


def test_the_root_of_thirty_years_ends_in_generalized_time() -> None:
    period = tlv("30", tlv("17", b"261121030000Z".hex()), tlv("18", b"20561120145959Z".hex()))
    assert period in root().tbs_certificate_bytes.hex()


@pytest.mark.parametrize("make", [root, sub_ca, lambda: person(Purpose.SIGN)])
def test_outer_structure(make: Callable[[], x509.Certificate]) -> None:
    certificate = make()
    parsed = asn1.Certificate.load(certificate.public_bytes(Encoding.DER), strict=True)
    assert parsed["signature_algorithm"].dump().hex() == SHA256_WITH_RSA
    assert parsed["tbs_certificate"]["signature"].dump().hex() == SHA256_WITH_RSA
    assert parsed["tbs_certificate"].dump() == certificate.tbs_certificate_bytes


def test_the_signatures_are_the_keys() -> None:
    authority, issuing, holder = root(), sub_ca(), person(Purpose.SIGN)
    authority.verify_directly_issued_by(authority)
    issuing.verify_directly_issued_by(authority)
    holder.verify_directly_issued_by(issuing)


def test_the_period_begins_with_japans_day() -> None:
    period = end_entity_period(datetime(2026, 11, 20, 15, 0, 0, tzinfo=UTC), 5)
    assert period == Period(
        datetime(2026, 11, 20, 15, 0, 0, tzinfo=UTC), datetime(2031, 11, 20, 14, 59, 59, tzinfo=UTC)
    )
