"""Cases of conformity with the profile: P001 to P008."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec

from pki import oids
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.shapes import (
    EMAIL_ADDRESS,
    GIVEN_NAME,
    IA5,
    actor,
    certify,
    coded_data,
    ends,
    hc_role,
    place,
    point,
    rdn,
    remove,
    uri_point,
)
from tests.golden.lint.tree import Node, node, oid, sequence, set_of, text

OCSP_ACCESS = "1.3.6.1.5.5.7.48.1"
CA_REPOSITORY = "1.3.6.1.5.5.7.48.5"
CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
QC_STATEMENTS = "1.3.6.1.5.5.7.1.3"
URI = text("http://ocsp.demo-hpki.example.jp/", 0x86)
ACCESS = sequence(sequence(oid(OCSP_ACCESS), URI))
PRIVATE = "1.2.392.100495.99.1"


@case("P001", "WARNING", "sub-ca-sign")
def authority_information_of_ca(scene: Scene) -> None:
    """A CA has authorityInfoAccess."""
    scene.first.add(oids.AUTHORITY_INFO_ACCESS, ACCESS)


@case("P001", "WARNING", "sub-ca-sign")
def purpose_of_ca(scene: Scene) -> None:
    """A CA has extKeyUsage."""
    scene.first.add(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.CLIENT_AUTH)))


@case("P001", "WARNING", "sub-ca-sign")
def alternative_name_of_ca(scene: Scene) -> None:
    """A subordinate CA has a subjectAltName."""
    name = sequence(node(0xA4, scene.first.field("subject")))
    scene.first.add(oids.SUBJECT_ALT_NAME, name)


@case("P001", "WARNING", "ee-sign")
def subject_information(scene: Scene) -> None:
    """A signing certificate has subjectInfoAccess."""
    access = sequence(sequence(oid(CA_REPOSITORY), URI))
    scene.first.add(oids.SUBJECT_INFO_ACCESS, access)


@case("P001", "WARNING", "ee-sign")
def freshest_list(scene: Scene) -> None:
    """A signing certificate has freshestCRL."""
    point_ = uri_point("http://repository.demo-hpki.example.jp/delta.crl")
    scene.first.add(oids.FRESHEST_CRL, sequence(point_))


@case("P001", "WARNING", "ee-sign")
def qualified_statements(scene: Scene) -> None:
    """A signing certificate has qcStatements."""
    scene.first.add(QC_STATEMENTS, sequence(sequence(oid("0.4.0.1862.1.1"))))


@case("P001", "INFO", "ee-sign")
def unknown_extension(scene: Scene) -> None:
    """There is a private extension, not critical."""
    scene.first.add(PRIVATE, node(0x05))


@case("P001", "ERROR", "ee-sign", options=("strict",))
def unknown_extension_before_signing(scene: Scene) -> None:
    """There is a private extension in what this centre is about to sign."""
    scene.first.add(PRIVATE, node(0x05))


@case("P001", "WARNING", "ee-auth-org")
def role_of_organisation(scene: Scene) -> None:
    """An organisation has hcRole."""
    attribute = hc_role(set_of(actor(coded_data("Medical Doctor"))))
    scene.first.add(oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(attribute))


@case("P001", "WARNING", "ocsp")
def policy_of_responder(scene: Scene) -> None:
    """An OCSP responder has a policy."""
    policies = sequence(sequence(oid("1.2.392.100495.1.5.1.1.0.1")))
    scene.first.add(oids.CERTIFICATE_POLICIES, policies)


@case("P002", "WARNING", "ocsp")
def responder_without_no_check(scene: Scene) -> None:
    """An OCSP responder has no id-pkix-ocsp-nocheck."""
    scene.first.drop(oids.OCSP_NO_CHECK)


@case("P003", "WARNING", "ocsp")
def critical_purpose_of_responder(scene: Scene) -> None:
    """extKeyUsage of an OCSP responder is critical."""
    scene.first.critical(oids.EXTENDED_KEY_USAGE, True)


@case("P003", "WARNING", "ee-sign")
def critical_alternative_name_of_issuer(scene: Scene) -> None:
    """issuerAltName is critical."""
    name = sequence(node(0xA4, scene.first.field("issuer")))
    scene.first.add(oids.ISSUER_ALT_NAME, name, critical=True)


@case("P003", "ERROR", "ocsp", options=("strict",))
def critical_no_check_before_signing(scene: Scene) -> None:
    """id-pkix-ocsp-nocheck is critical in what this centre is about to sign."""
    scene.first.critical(oids.OCSP_NO_CHECK, True)


@case("P004", "WARNING", "ee-sign")
def given_name(scene: Scene) -> None:
    """The subject has GN."""
    subject = scene.first.field("subject")
    subject.children.insert(place(subject, oids.COMMON_NAME), rdn(GIVEN_NAME, "Hanako"))


@case("P004", "WARNING", "ee-auth")
def email_address(scene: Scene) -> None:
    """The subject has an e-mail address."""
    address = rdn(EMAIL_ADDRESS, "hanako@demo-hpki.example.jp", IA5)
    scene.first.field("subject").children.append(address)


@case("P004", "WARNING", "ee-sign-clerk")
def no_subscriber_number(scene: Scene) -> None:
    """The subject has no serialNumber."""
    remove(scene.first.field("subject"), oids.SERIAL_NUMBER)


@case("P004", "WARNING", "ee-auth-org")
def organisation_without_name(scene: Scene) -> None:
    """The subject of an organisation has no O."""
    remove(scene.first.field("subject"), oids.ORGANIZATION)


@case("P004", "WARNING", "root")
def common_name_of_root(scene: Scene) -> None:
    """The root has a CN."""
    for name in ("subject", "issuer"):
        scene.first.field(name).children.append(rdn(oids.COMMON_NAME, "DEMO Root"))
    _rename_authority(scene.first)


@case("P004", "ERROR", "ee-sign-clerk", options=("strict",))
def given_name_before_signing(scene: Scene) -> None:
    """The subject that this centre is about to sign has GN."""
    subject = scene.first.field("subject")
    subject.children.insert(1, rdn(GIVEN_NAME, "Hanako"))


def _rename_authority(draft: Draft) -> None:
    """Let AKI and distribution point of a root name it as it is called now."""
    name = draft.field("subject")
    authority = draft.value(oids.AUTHORITY_KEY_IDENTIFIER)
    authority[1].children = [node(0xA4, name)]
    draft.put(oids.AUTHORITY_KEY_IDENTIFIER, authority)
    points = draft.value(oids.CRL_DISTRIBUTION_POINTS)
    listed = sequence(*name.children, rdn(oids.COMMON_NAME, "RARL"))
    points[0][0][0].children = [node(0xA4, listed)]
    draft.put(oids.CRL_DISTRIBUTION_POINTS, points)


@case("P005", "INFO", "ee-sign")
def key_on_p_521(scene: Scene) -> None:
    """The key is on P-521, which no profile of signing certificates has."""
    certify(scene.first, point(ec.SECP521R1()))


@case(
    "P005",
    "ERROR",
    "ng-ee-sign",
    elsewhere=("2 P005 ERROR", "3 P005 ERROR"),
    options=("strict",),
)
def curves_where_the_profile_has_rsa(scene: Scene) -> None:
    """The keys are on curves, and the profiles by which this centre is to sign have RSA."""


@case("P006", "WARNING", "ee-auth-org")
def code_signing(scene: Scene) -> None:
    """extKeyUsage of an organisation has code signing."""
    purposes = sequence(oid(oids.CLIENT_AUTH), oid(CODE_SIGNING))
    scene.first.add(oids.EXTENDED_KEY_USAGE, purposes)


@case("P006", "WARNING", "ocsp")
def responder_for_clients(scene: Scene) -> None:
    """extKeyUsage of an OCSP responder has client authentication too."""
    purposes = sequence(oid(oids.OCSP_SIGNING), oid(oids.CLIENT_AUTH))
    scene.first.put(oids.EXTENDED_KEY_USAGE, purposes)


@case("P007", "WARNING", "ocsp")
def responder_with_non_repudiation(scene: Scene) -> None:
    """keyUsage of an OCSP responder has nonRepudiation too."""
    scene.first.put(oids.KEY_USAGE, Node(0x03, b"\x06\xc0"))


@case("P007", "WARNING", "ocsp")
def responder_without_key_usage(scene: Scene) -> None:
    """keyUsage of an OCSP responder is missing."""
    scene.first.drop(oids.KEY_USAGE)


@case("P008", "WARNING", "sub-ca-sign")
def ca_for_twenty_one_years(scene: Scene) -> None:
    """A subordinate CA is valid for 21 years."""
    ends(scene.first, datetime(2047, 11, 21, 14, 59, 59, tzinfo=UTC))


@case("P008", "WARNING", "root")
def root_for_forty_years(scene: Scene) -> None:
    """A root is valid for 40 years."""
    ends(scene.first, datetime(2066, 11, 21, 14, 59, 59, tzinfo=UTC))


@case("P008", "ERROR", "sub-ca-auth", options=("strict",))
def ca_for_too_long_before_signing(scene: Scene) -> None:
    """A subordinate CA that this centre is about to sign is valid for 21 years."""
    ends(scene.first, datetime(2047, 11, 21, 14, 59, 59, tzinfo=UTC))
