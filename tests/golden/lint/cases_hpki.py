"""Cases of the HPKI's rules on fields and names: H001 to H011, H080 to H083."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec

from pki import oids
from tests.golden.lint import (
    cases_hpki_extensions,
    cases_hpki_policies,
    cases_hpki_profile,
    cases_hpki_roles,
)
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.shapes import (
    BMP,
    PRINTABLE,
    TELETEX,
    begins,
    certify,
    ends,
    key_info,
    named_key,
    place,
    point,
    rdn,
    remove,
    replace,
    rsa_key,
)
from tests.golden.lint.tree import Node, integer, node, oid, sequence, set_of

__all__ = [
    "cases_hpki_extensions",
    "cases_hpki_policies",
    "cases_hpki_profile",
    "cases_hpki_roles",
]

SHA1_WITH_RSA = "1.2.840.113549.1.1.5"
ED25519 = "1.3.101.112"
BRAINPOOL_P256 = "1.3.36.3.3.2.8.1.1.7"


@case("H001", "ERROR", "ee-sign")
def version_two(scene: Scene) -> None:
    """The version is v2."""
    scene.first.tbs[0][0].octets = b"\x01"


@case("H001", "ERROR", "sub-ca-sign")
def version_left_out(scene: Scene) -> None:
    """The version is left out, which says v1."""
    del scene.first.tbs.children[0]


@case("H002", "ERROR", "ee-sign")
def another_algorithm_inside(scene: Scene) -> None:
    """The signed part names SHA-384, the signature is by SHA-256."""
    scene.first.field("signature").children[0] = oid(oids.SHA384_WITH_RSA)


@case("H002", "ERROR", "ee-sign")
def no_parameters_of_rsa(scene: Scene) -> None:
    """The parameters of sha256WithRSAEncryption are left out, not NULL."""
    _algorithm(scene.first, sequence(oid(oids.SHA256_WITH_RSA)))


@case("H002", "ERROR", "ng-ee-sign")
def null_parameters_of_ecdsa(scene: Scene) -> None:
    """The parameters of ecdsa-with-SHA384 are NULL, not absent."""
    _algorithm(scene.first, sequence(oid(oids.ECDSA_WITH_SHA384), node(0x05)))


@case("H002", "ERROR", "ee-sign", also=("R401 WARNING",))
def sha_1(scene: Scene) -> None:
    """The signature algorithm is sha1WithRSAEncryption."""
    _algorithm(scene.first, sequence(oid(SHA1_WITH_RSA), node(0x05)))


def _algorithm(draft: Draft, algorithm: Node) -> None:
    draft.field("signature").children = algorithm.children
    draft.tree.children[1] = algorithm


@case("H003", "ERROR", "ee-sign")
def subject_without_country(scene: Scene) -> None:
    """The subject has no C."""
    remove(scene.first.field("subject"), oids.COUNTRY)


@case("H003", "ERROR", "ee-auth")
def country_as_utf8(scene: Scene) -> None:
    """The subject's C is a UTF8String."""
    replace(scene.first.field("subject"), oids.COUNTRY, "JP")


@case("H003", "ERROR", "sub-ca-sign")
def another_country(scene: Scene) -> None:
    """The subject's C is US."""
    replace(scene.first.field("subject"), oids.COUNTRY, "US", PRINTABLE)


@case("H003", "ERROR", "ee-sign", also=("R402 WARNING",))
def country_of_the_issuer_in_lower_case(scene: Scene) -> None:
    """The issuer's C is jp."""
    replace(scene.first.field("issuer"), oids.COUNTRY, "jp", PRINTABLE)


@case("H004", "WARNING", "ee-sign-clerk")
def common_name_as_printable_string(scene: Scene) -> None:
    """The subject's CN is a PrintableString."""
    replace(scene.first.field("subject"), oids.COMMON_NAME, "Hanako Demo", PRINTABLE)


@case("H004", "WARNING", "ee-sign-director")
def organization_as_bmp_string(scene: Scene) -> None:
    """The subject's O is a BMPString."""
    replace(scene.first.field("subject"), oids.ORGANIZATION, "DEMO Hospital", BMP)


@case("H004", "WARNING", "sub-ca-auth")
def unit_as_teletex_string(scene: Scene) -> None:
    """The CA's OU is a TeletexString."""
    unit = "DEMO Digital Certificate Center"
    replace(scene.first.field("subject"), oids.ORGANIZATIONAL_UNIT, unit, TELETEX)


@case("H004", "WARNING", "ee-sign", also=("R402 WARNING",))
def issuer_in_another_string_type(scene: Scene) -> None:
    """The issuer's O is a PrintableString, in the CA's certificate a UTF8String."""
    issuer = scene.first.field("issuer")
    replace(issuer, oids.ORGANIZATION, "DEMO Certification Centre", PRINTABLE)


@case("H004", "ERROR", "ee-sign-director", options=("strict",))
def printable_string_before_signing(scene: Scene) -> None:
    """The subject's O is a PrintableString in what this centre is about to sign."""
    replace(scene.first.field("subject"), oids.ORGANIZATION, "DEMO Hospital", PRINTABLE)


@case("H005", "INFO", "ee-sign")
def serial_number_before_common_name(scene: Scene) -> None:
    """The subject's serialNumber stands before CN."""
    subject = scene.first.field("subject")
    subject.children[-2:] = reversed(subject.children[-2:])


@case("H005", "INFO", "ee-sign-director")
def two_organizations(scene: Scene) -> None:
    """The subject has O twice."""
    subject = scene.first.field("subject")
    subject.children.insert(place(subject, oids.ORGANIZATION), rdn(oids.ORGANIZATION, "DEMO Two"))


@case("H005", "INFO", "ee-sign")
def two_attributes_in_an_rdn(scene: Scene) -> None:
    """CN and serialNumber of the subject stand in one RDN."""
    subject = scene.first.field("subject")
    common_name, number = subject.children[-2:]
    subject.children[-2:] = [set_of(common_name[0], number[0])]


@case("H005", "INFO", "ee-sign")
def japanese_name_in_another_order(scene: Scene) -> None:
    """CN of the subjectAltName stands behind serialNumber."""
    names = scene.first.value(oids.SUBJECT_ALT_NAME)
    name = names[0][0]
    name.children[-2:] = reversed(name.children[-2:])
    scene.first.put(oids.SUBJECT_ALT_NAME, names)


@case("H005", "ERROR", "ee-sign", options=("strict",))
def order_before_signing(scene: Scene) -> None:
    """C stands last in what this centre is about to sign."""
    subject = scene.first.field("subject")
    subject.children.append(subject.children.pop(0))


@case("H006", "WARNING", "ee-sign")
def japanese_in_the_subject(scene: Scene) -> None:
    """The subject's CN is in Japanese."""
    replace(scene.first.field("subject"), oids.COMMON_NAME, "見本　花子")


@case("H006", "WARNING", "ee-sign-director")
def full_width_letters_in_the_subject(scene: Scene) -> None:
    """The subject's O has full-width letters."""
    replace(scene.first.field("subject"), oids.ORGANIZATION, "ＤＥＭＯ Hospital")


@case("H006", "WARNING", "ee-sign")
def line_feed_in_the_subject(scene: Scene) -> None:
    """The subject's CN has a line feed."""
    replace(scene.first.field("subject"), oids.COMMON_NAME, "Hanako\nDemo")


@case("H010", "ERROR", "sub-ca-sign")
def ca_name_without_the_pattern(scene: Scene) -> None:
    """The CA's CN is not of the form HPKI-NN-*-purpose."""
    replace(scene.first.field("subject"), oids.COMMON_NAME, "DEMO Signing CA 1")


@case("H010", "ERROR", "sub-ca-auth")
def ca_name_cut_off(scene: Scene) -> None:
    """The CA's CN ends in forAuthentication, without forIndividual."""
    subject = scene.first.field("subject")
    replace(subject, oids.COMMON_NAME, "HPKI-01-DEMO_auth1-forAuthentication")


@case("H010", "ERROR", "sub-ca-auth")
def ca_name_of_another_purpose(scene: Scene) -> None:
    """The CA's CN says forNonRepudiation, its policy is for authentication."""
    subject = scene.first.field("subject")
    replace(subject, oids.COMMON_NAME, "HPKI-01-DEMO_auth1-forNonRepudiation")


@case("H010", "ERROR", "sub-ca-sign")
def ca_name_with_a_space(scene: Scene) -> None:
    """The CA's CN has a space where letters, digits and underscores stand."""
    subject = scene.first.field("subject")
    replace(subject, oids.COMMON_NAME, "HPKI-01-DEMO sign1-forNonRepudiation")


@case("H010", "ERROR", "sub-ca-sign", also=("H006 WARNING",))
def ca_name_with_full_width_digits(scene: Scene) -> None:
    """The number in the CA's CN is of full-width digits."""
    subject = scene.first.field("subject")
    replace(subject, oids.COMMON_NAME, "HPKI-０１-DEMO_sign1-forNonRepudiation")


@case("H010", "ERROR", "sub-ca-sign")
def ca_name_in_other_letters(scene: Scene) -> None:
    """The tail of the CA's CN is forNonrepudiation."""
    subject = scene.first.field("subject")
    replace(subject, oids.COMMON_NAME, "HPKI-01-DEMO_sign1-forNonrepudiation")


@case("H010", "ERROR", "sub-ca-sign")
def ca_name_with_another_part(scene: Scene) -> None:
    """The CA's CN has one part more before its tail."""
    subject = scene.first.field("subject")
    replace(subject, oids.COMMON_NAME, "HPKI-01-DEMO_sign1-two-forNonRepudiation")


@case("H010", "ERROR", "sub-ca-sign")
def ca_without_common_name(scene: Scene) -> None:
    """The CA has no CN."""
    remove(scene.first.field("subject"), oids.COMMON_NAME)


@case("H010", "ERROR", "ee-sign", elsewhere=("2 H010 ERROR",))
def issuer_without_the_pattern(scene: Scene) -> None:
    """The issuer's CN has three digits where HPKI-NN has two, and so has the CA's."""
    for name in (scene.first.field("issuer"), scene.issuer.field("subject")):
        replace(name, oids.COMMON_NAME, "HPKI-001-DEMO_sign1-forNonRepudiation")


@case("H011", "ERROR", "ee-sign")
def extension_twice(scene: Scene) -> None:
    """keyUsage stands there twice."""
    extensions = scene.first.extensions.children
    extensions.append(scene.first.extension(oids.KEY_USAGE))


@case("H011", "ERROR", "ee-sign")
def unknown_critical_extension(scene: Scene) -> None:
    """A private extension is critical."""
    scene.first.add("1.2.392.100495.99.1", node(0x05), critical=True)


@case("H080", "ERROR", "ee-sign")
def five_years_and_a_day(scene: Scene) -> None:
    """The validity ends a second after Japan's day five years later, and so with the next day."""
    ends(scene.first, datetime(2031, 11, 23, 14, 59, 59, tzinfo=UTC))


@case("H080", "ERROR", "ee-auth", also=("H081 INFO",))
def a_second_too_long(scene: Scene) -> None:
    """The validity ends one second after Japan's day five years later."""
    ends(scene.first, datetime(2031, 11, 22, 15, 0, 0, tzinfo=UTC))


@case("H080", "ERROR", "ocsp")
def responder_for_two_months(scene: Scene) -> None:
    """An OCSP responder's certificate is valid for 62 days."""
    ends(scene.first, datetime(2027, 1, 22, 14, 59, 59, tzinfo=UTC))


@case("H081", "INFO", "sub-ca-sign")
def end_within_the_day(scene: Scene) -> None:
    """notAfter is in the middle of Japan's day."""
    ends(scene.first, datetime(2046, 11, 21, 3, 0, 0, tzinfo=UTC))


@case("H081", "INFO", "ee-sign")
def begin_within_the_day(scene: Scene) -> None:
    """notBefore of an end entity's certificate is in the middle of Japan's day."""
    begins(scene.first, datetime(2026, 11, 22, 3, 0, 1, tzinfo=UTC))


@case("H082", "ERROR", "ee-sign")
def longer_than_its_issuer(scene: Scene) -> None:
    """The certificate ends after the CA's."""
    begins(scene.first, datetime(2044, 11, 20, 15, 0, 0, tzinfo=UTC))
    ends(scene.first, datetime(2049, 11, 20, 14, 59, 59, tzinfo=UTC))


@case("H083", "WARNING", "ee-sign")
def rsa_2048_beyond_2030(scene: Scene) -> None:
    """The key is RSA 2048 and the certificate ends in 2031."""
    certify(scene.first, named_key("small"))


@case("H083", "ERROR", "ee-sign")
def rsa_1024(scene: Scene) -> None:
    """The key is RSA 1024."""
    certify(scene.first, rsa_key((1 << 1023) + 0xC0FFEF))


@case("H083", "ERROR", "ee-sign")
def rsa_of_2047_bits(scene: Scene) -> None:
    """The RSA modulus has one bit less than 2048."""
    certify(scene.first, rsa_key((1 << 2046) + 0xC0FFEF))


@case("H083", "ERROR", "ee-sign")
def negative_modulus(scene: Scene) -> None:
    """The RSA modulus is encoded as a negative INTEGER, without its leading zero."""
    certify(scene.first, rsa_key(-((1 << 3071) + 0xC0FFEF)))


@case("H083", "ERROR", "sub-ca-sign")
def exponent_three(scene: Scene) -> None:
    """The RSA exponent is 3."""
    certify(scene.first, rsa_key((1 << 3071) + 0xC0FFEF, 3))


@case("H083", "ERROR", "ee-sign")
def rsa_key_of_one_number(scene: Scene) -> None:
    """The RSA key is a modulus without exponent."""
    algorithm = sequence(oid(oids.RSA_ENCRYPTION), node(0x05))
    certify(scene.first, key_info(algorithm, sequence(integer((1 << 3071) + 0xC0FFEF))))


@case("H083", "ERROR", "ng-ee-sign")
def ed25519(scene: Scene) -> None:
    """The key is Ed25519."""
    certify(scene.first, key_info(sequence(oid(ED25519)), bytes(range(32))))


@case("H083", "ERROR", "ng-ee-sign")
def brainpool_curve(scene: Scene) -> None:
    """The key is on brainpoolP256r1."""
    info = point(ec.SECP256R1())
    certify(
        scene.first,
        key_info(sequence(oid(oids.EC_PUBLIC_KEY), oid(BRAINPOOL_P256)), info[1].octets[1:]),
    )
