"""Defects of extensions (R201 to R212) and of what a key may be used for (R220 to R232)."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import oids
from tests.golden.lint.case import Scene, case, private_key
from tests.golden.lint.tree import Node, boolean, integer, node, oid, parse, sequence, set_of, text

FOREIGN = "1.2.392.200999.9"
POINT = sequence(sequence(node(0xA0, node(0xA0, Node(0x86, b"http://lists.example.jp/delta.crl")))))
ACCESS = sequence(sequence(oid("1.3.6.1.5.5.7.48.1"), Node(0x86, b"http://ocsp.example.jp/")))
NOT_IN_PROFILE = "P001 WARNING"


@case("R201", "ERROR", "foreign-ee")
def critical_authority_key_identifier(scene: Scene) -> None:
    """authorityKeyIdentifier is critical."""
    scene.first.critical(oids.AUTHORITY_KEY_IDENTIFIER, True)


@case("R201", "ERROR", "foreign-ca")
def critical_subject_key_identifier(scene: Scene) -> None:
    """subjectKeyIdentifier is critical."""
    scene.first.critical(oids.SUBJECT_KEY_IDENTIFIER, True)


@case("R201", "ERROR", "foreign-ee")
def critical_directory_attributes(scene: Scene) -> None:
    """subjectDirectoryAttributes is critical."""
    attribute = sequence(oid("1.3.6.1.5.5.7.9.4"), set_of(text("JP", 0x13)))
    scene.first.add(oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(attribute), critical=True)


@case("R201", "ERROR", "foreign-ee")
def critical_freshest_crl(scene: Scene) -> None:
    """freshestCRL is critical."""
    scene.first.add(oids.FRESHEST_CRL, POINT, critical=True)


@case("R201", "ERROR", "foreign-ee")
def critical_authority_info_access(scene: Scene) -> None:
    """authorityInfoAccess is critical."""
    scene.first.add(oids.AUTHORITY_INFO_ACCESS, ACCESS, critical=True)


@case("R201", "ERROR", "ee-sign")
def critical_authority_info_access_that_the_profile_allows(scene: Scene) -> None:
    """authorityInfoAccess is critical in a certificate of the HPKI, which may have it."""
    scene.first.add(oids.AUTHORITY_INFO_ACCESS, ACCESS, critical=True)


@case("R201", "ERROR", "foreign-ee")
def critical_subject_info_access(scene: Scene) -> None:
    """subjectInfoAccess is critical."""
    scene.first.add(oids.SUBJECT_INFO_ACCESS, ACCESS, critical=True)


@case("R202", "ERROR", "foreign-ca")
def uncritical_basic_constraints_of_a_ca(scene: Scene) -> None:
    """basicConstraints of a CA is not critical."""
    scene.first.critical(oids.BASIC_CONSTRAINTS, False)


@case("R202", "ERROR", "foreign-ca", also=("R220 ERROR",))
def uncritical_basic_constraints_without_key_usage(scene: Scene) -> None:
    """basicConstraints of a CA is not critical, and there is no keyUsage."""
    scene.first.critical(oids.BASIC_CONSTRAINTS, False)
    scene.first.drop(oids.KEY_USAGE)


@case("R202", "ERROR", "foreign-ca")
def uncritical_name_constraints(scene: Scene) -> None:
    """nameConstraints is not critical."""
    tree = sequence(node(0xA0, sequence(Node(0x82, b"example.jp"))))
    scene.first.add(oids.NAME_CONSTRAINTS, tree)


@case("R202", "ERROR", "sub-ca-sign", also=(NOT_IN_PROFILE,))
def uncritical_policy_constraints(scene: Scene) -> None:
    """policyConstraints is not critical."""
    scene.first.add(oids.POLICY_CONSTRAINTS, sequence(Node(0x80, b"\x00")))


@case("R202", "ERROR", "foreign-ca")
def uncritical_inhibit_any_policy(scene: Scene) -> None:
    """inhibitAnyPolicy is not critical."""
    scene.first.add(oids.INHIBIT_ANY_POLICY, integer(0))


@case("R203", "WARNING", "foreign-ee")
def critical_alternative_name_beside_a_subject(scene: Scene) -> None:
    """subjectAltName is critical although the subject is not empty."""
    scene.first.critical(oids.SUBJECT_ALT_NAME, True)


@case("R203", "WARNING", "sub-ca-sign", also=(NOT_IN_PROFILE,))
def critical_alternative_name_that_the_profile_does_not_know(scene: Scene) -> None:
    """subjectAltName of a CA of the HPKI is critical."""
    name = sequence(Node(0x86, b"http://www.example.jp/"))
    scene.first.add(oids.SUBJECT_ALT_NAME, name, critical=True)


@case("R203", "WARNING", "foreign-ee")
def critical_issuer_alternative_name(scene: Scene) -> None:
    """issuerAltName is critical."""
    name = sequence(Node(0x86, b"http://www.example.jp/"))
    scene.first.add(oids.ISSUER_ALT_NAME, name, critical=True)


@case("R203", "WARNING", "foreign-ee")
def critical_distribution_points(scene: Scene) -> None:
    """cRLDistributionPoints is critical."""
    scene.first.critical(oids.CRL_DISTRIBUTION_POINTS, True)


@case("R203", "WARNING", "foreign-ee", also=("R230 WARNING",))
def critical_no_check(scene: Scene) -> None:
    """id-pkix-ocsp-nocheck is critical."""
    scene.first.add(oids.OCSP_NO_CHECK, Node(0x05), critical=True)


@case("R204", "WARNING", "foreign-ee")
def uncritical_key_usage(scene: Scene) -> None:
    """keyUsage is not critical."""
    scene.first.critical(oids.KEY_USAGE, False)


MAPPINGS = sequence(sequence(oid("1.2.392.200999.1.1"), oid("1.2.392.200999.1.2")))


@case("R204", "WARNING", "foreign-ca")
def uncritical_policy_mappings(scene: Scene) -> None:
    """policyMappings is not critical."""
    scene.first.add(oids.POLICY_MAPPINGS, MAPPINGS)


@case("R205", "ERROR", "foreign-ee")
def policies_empty(scene: Scene) -> None:
    """certificatePolicies holds no policy."""
    scene.first.put(oids.CERTIFICATE_POLICIES, sequence())


@case("R205", "ERROR", "foreign-ca")
def policy_mappings_empty(scene: Scene) -> None:
    """policyMappings holds no pair."""
    scene.first.add(oids.POLICY_MAPPINGS, sequence(), critical=True)


@case("R205", "ERROR", "foreign-ee")
def alternative_names_empty(scene: Scene) -> None:
    """subjectAltName holds no name."""
    scene.first.put(oids.SUBJECT_ALT_NAME, sequence())


@case("R205", "ERROR", "ee-sign")
def directory_attributes_empty(scene: Scene) -> None:
    """subjectDirectoryAttributes holds no attribute."""
    scene.first.put(oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence())


@case("R205", "ERROR", "foreign-ee")
def distribution_points_empty(scene: Scene) -> None:
    """cRLDistributionPoints holds no point."""
    scene.first.put(oids.CRL_DISTRIBUTION_POINTS, sequence())


@case("R205", "ERROR", "foreign-ee")
def purposes_empty(scene: Scene) -> None:
    """extKeyUsage holds no purpose."""
    scene.first.add(oids.EXTENDED_KEY_USAGE, sequence())


@case("R205", "ERROR", "foreign-ee")
def access_descriptions_empty(scene: Scene) -> None:
    """authorityInfoAccess holds no description."""
    scene.first.add(oids.AUTHORITY_INFO_ACCESS, sequence())


@case("R205", "ERROR", "foreign-ca")
def name_constraints_empty(scene: Scene) -> None:
    """nameConstraints has neither permitted nor excluded subtrees."""
    scene.first.add(oids.NAME_CONSTRAINTS, sequence(), critical=True)


@case("R205", "ERROR", "foreign-ca")
def policy_constraints_empty(scene: Scene) -> None:
    """policyConstraints has neither of its two fields."""
    scene.first.add(oids.POLICY_CONSTRAINTS, sequence(), critical=True)


@case("R205", "ERROR", "foreign-ee")
def private_key_usage_period_empty(scene: Scene) -> None:
    """privateKeyUsagePeriod has neither of its two times."""
    scene.first.add(oids.PRIVATE_KEY_USAGE_PERIOD, sequence())


@case("R206", "ERROR", "foreign-ee")
def key_usage_twice(scene: Scene) -> None:
    """keyUsage stands there twice."""
    scene.first.add(oids.KEY_USAGE, b"\x03\x02\x07\x80", critical=True)


@case("R207", "WARNING", "foreign-ee")
def unknown_critical_extension(scene: Scene) -> None:
    """An extension that nobody knows is critical."""
    scene.first.add(FOREIGN, integer(1), critical=True)


@case("R208", "ERROR", "foreign-ee")
def authority_key_identifier_missing(scene: Scene) -> None:
    """There is no authorityKeyIdentifier."""
    scene.first.drop(oids.AUTHORITY_KEY_IDENTIFIER)


@case("R208", "ERROR", "foreign-ca")
def authority_key_identifier_without_key_identifier(scene: Scene) -> None:
    """authorityKeyIdentifier has issuer and serial number alone."""
    value = scene.first.value(oids.AUTHORITY_KEY_IDENTIFIER)
    del value.children[0]
    scene.first.put(oids.AUTHORITY_KEY_IDENTIFIER, value)


@case("R209", "ERROR", "ee-sign")
def authority_key_identifier_without_serial(scene: Scene) -> None:
    """authorityKeyIdentifier has authorityCertIssuer and no authorityCertSerialNumber."""
    value = scene.first.value(oids.AUTHORITY_KEY_IDENTIFIER)
    del value.children[2]
    scene.first.put(oids.AUTHORITY_KEY_IDENTIFIER, value)


@case("R209", "ERROR", "foreign-ca")
def authority_key_identifier_without_issuer(scene: Scene) -> None:
    """authorityKeyIdentifier has authorityCertSerialNumber and no authorityCertIssuer."""
    value = scene.first.value(oids.AUTHORITY_KEY_IDENTIFIER)
    del value.children[1]
    scene.first.put(oids.AUTHORITY_KEY_IDENTIFIER, value)


@case("R209", "ERROR", "foreign-ca")
def authority_cert_issuer_empty(scene: Scene) -> None:
    """authorityCertIssuer holds no name."""
    value = scene.first.value(oids.AUTHORITY_KEY_IDENTIFIER)
    value.children[1] = Node(0xA1)
    scene.first.put(oids.AUTHORITY_KEY_IDENTIFIER, value)


@case("R210", "ERROR", "foreign-ca")
def ca_without_subject_key_identifier(scene: Scene) -> None:
    """A CA has no subjectKeyIdentifier."""
    scene.first.drop(oids.SUBJECT_KEY_IDENTIFIER)


@case("R210", "WARNING", "foreign-ee")
def end_entity_without_subject_key_identifier(scene: Scene) -> None:
    """An end entity's certificate has no subjectKeyIdentifier."""
    scene.first.drop(oids.SUBJECT_KEY_IDENTIFIER)


@case("R211", "ERROR", "foreign-ee")
def directory_attribute_without_value(scene: Scene) -> None:
    """An attribute of subjectDirectoryAttributes has an empty SET of values."""
    attribute = sequence(oid("1.3.6.1.5.5.7.9.4"), set_of())
    scene.first.add(oids.SUBJECT_DIRECTORY_ATTRIBUTES, sequence(attribute))


@case("R212", "ERROR", "foreign-ee")
def private_key_usage_period_without_seconds(scene: Scene) -> None:
    """notAfter of privateKeyUsagePeriod has no seconds."""
    period = sequence(Node(0x81, b"203011221500Z"))
    scene.first.add(oids.PRIVATE_KEY_USAGE_PERIOD, period)


@case("R212", "ERROR", "foreign-ee")
def private_key_usage_period_of_a_hundred_octets(scene: Scene) -> None:
    """notBefore of privateKeyUsagePeriod is longer than any time."""
    scene.first.add(oids.PRIVATE_KEY_USAGE_PERIOD, sequence(Node(0x80, b"2" * 99 + b"Z")))


@case("R212", "ERROR", "foreign-ee")
def private_key_usage_period_backwards(scene: Scene) -> None:
    """privateKeyUsagePeriod ends before it begins."""
    period = sequence(Node(0x80, b"20301122150000Z"), Node(0x81, b"20291122145959Z"))
    scene.first.add(oids.PRIVATE_KEY_USAGE_PERIOD, period)


def _usage(scene: Scene, *octets: int) -> None:
    """Set keyUsage: the number of unused bits, and the bits."""
    scene.first.put(oids.KEY_USAGE, Node(0x03, bytes(octets)))


@case("R220", "ERROR", "foreign-ca")
def ca_without_key_usage(scene: Scene) -> None:
    """A CA has no keyUsage."""
    scene.first.drop(oids.KEY_USAGE)


@case("R220", "WARNING", "foreign-ca")
def ca_that_signs_no_certificates(scene: Scene) -> None:
    """The keyUsage of a CA is cRLSign alone."""
    _usage(scene, 1, 0x02)


@case("R221", "ERROR", "foreign-ee")
def key_usage_without_bits(scene: Scene) -> None:
    """keyUsage has no bit set."""
    _usage(scene, 0)


@case("R222", "ERROR", "foreign-ee")
def certificates_signed_without_basic_constraints(scene: Scene) -> None:
    """keyUsage has keyCertSign and there is no basicConstraints."""
    _usage(scene, 2, 0x04)


@case("R222", "ERROR", "ee-auth", also=("H042 WARNING",), options=("profile=ee-auth",))
def certificates_signed_by_a_holder(scene: Scene) -> None:
    """keyUsage of a holder's certificate has keyCertSign beside digitalSignature."""
    del scene.objects[1:]
    _usage(scene, 2, 0x84)


@case("R222", "ERROR", "foreign-ca")
def certificates_signed_by_what_is_no_ca(scene: Scene) -> None:
    """keyUsage has keyCertSign and cA is not TRUE."""
    scene.first.put(oids.BASIC_CONSTRAINTS, sequence())


@case("R223", "WARNING", "foreign-ee")
def encipher_only_without_agreement(scene: Scene) -> None:
    """keyUsage has encipherOnly without keyAgreement."""
    _usage(scene, 0, 0x41)


@case("R223", "WARNING", "foreign-ee")
def decipher_only_without_agreement(scene: Scene) -> None:
    """keyUsage has decipherOnly without keyAgreement."""
    _usage(scene, 7, 0x40, 0x80)


@case("R223", "WARNING", "foreign-ee")
def encipher_only_and_decipher_only(scene: Scene) -> None:
    """keyUsage of an elliptic curve key has encipherOnly and decipherOnly."""
    _elliptic(scene)
    _usage(scene, 7, 0x09, 0x80)


def _elliptic(scene: Scene) -> None:
    """Give the certificate the key on P-256."""
    key = private_key("p256").public_key()
    info = parse(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    scene.first.field("public_key").children = info.children


@case("R224", "ERROR", "foreign-ee")
def elliptic_key_for_key_encipherment(scene: Scene) -> None:
    """keyUsage of an elliptic curve key has keyEncipherment."""
    _elliptic(scene)
    _usage(scene, 5, 0xA0)


@case("R224", "ERROR", "ng-ee-sign", also=("H041 ERROR",))
def elliptic_key_for_data_encipherment(scene: Scene) -> None:
    """keyUsage of an elliptic curve key has dataEncipherment."""
    _usage(scene, 4, 0x50)


@case("R224", "WARNING", "foreign-ee")
def rsa_key_for_agreement(scene: Scene) -> None:
    """keyUsage of an RSA key has keyAgreement."""
    _usage(scene, 3, 0x08)


@case("R225", "WARNING", "foreign-ca")
def ca_key_for_key_encipherment(scene: Scene) -> None:
    """keyUsage of a CA has keyEncipherment."""
    _usage(scene, 1, 0x26)


@case("R225", "WARNING", "foreign-ee")
def list_key_for_data_encipherment(scene: Scene) -> None:
    """keyUsage of a CRL issuer has dataEncipherment."""
    _usage(scene, 1, 0x12)


@case("R226", "ERROR", "foreign-ca")
def path_length_negative(scene: Scene) -> None:
    """pathLenConstraint is -1."""
    scene.first.put(oids.BASIC_CONSTRAINTS, sequence(boolean(True), integer(-1)))


@case("R226", "ERROR", "foreign-ee")
def path_length_of_an_end_entity(scene: Scene) -> None:
    """pathLenConstraint stands there without cA TRUE."""
    scene.first.add(oids.BASIC_CONSTRAINTS, sequence(integer(0)))


@case("R226", "ERROR", "foreign-ca", also=("R220 WARNING",))
def path_length_of_a_ca_that_signs_no_certificates(scene: Scene) -> None:
    """pathLenConstraint stands there with cA TRUE and without keyCertSign."""
    scene.first.put(oids.BASIC_CONSTRAINTS, sequence(boolean(True), integer(0)))
    _usage(scene, 1, 0x02)


def _purposes(scene: Scene, *purposes: str, critical: bool = False) -> None:
    scene.first.add(oids.EXTENDED_KEY_USAGE, sequence(*map(oid, purposes)), critical=critical)


@case("R227", "WARNING", "foreign-ee")
def purpose_twice(scene: Scene) -> None:
    """extKeyUsage has emailProtection twice."""
    _purposes(scene, "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.4")


@case("R228", "WARNING", "foreign-ee")
def critical_any_purpose(scene: Scene) -> None:
    """extKeyUsage is critical and has anyExtendedKeyUsage."""
    _purposes(scene, oids.ANY_EXTENDED_KEY_USAGE, critical=True)


@case("R229", "WARNING", "foreign-ee")
def purpose_that_key_usage_forbids(scene: Scene) -> None:
    """extKeyUsage is clientAuth and codeSigning, keyUsage nonRepudiation."""
    _purposes(scene, oids.CLIENT_AUTH, "1.3.6.1.5.5.7.3.3")


@case("R230", "WARNING", "foreign-ee")
def no_check_in_a_holders_certificate(scene: Scene) -> None:
    """id-pkix-ocsp-nocheck stands in a certificate that is no OCSP responder's."""
    scene.first.add(oids.OCSP_NO_CHECK, Node(0x05))


@case("R231", "ERROR", "ocsp", also=("P006 WARNING",), options=("profile=ocsp",))
def responder_with_another_purpose(scene: Scene) -> None:
    """extKeyUsage of an OCSP responder is clientAuth."""
    del scene.objects[1:]
    scene.first.put(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.CLIENT_AUTH)))


@case("R232", "ERROR", "tsa")
def time_stamping_among_other_purposes(scene: Scene) -> None:
    """extKeyUsage of a time-stamping authority has clientAuth too."""
    purposes = sequence(oid(oids.TIME_STAMPING), oid(oids.CLIENT_AUTH))
    scene.first.put(oids.EXTENDED_KEY_USAGE, purposes)


@case("R232", "ERROR", "tsa")
def uncritical_time_stamping(scene: Scene) -> None:
    """extKeyUsage of a time-stamping authority is not critical."""
    scene.first.critical(oids.EXTENDED_KEY_USAGE, False)


@case("R231", "ERROR", "ocsp", options=("profile=ocsp",))
def responder_without_purposes(scene: Scene) -> None:
    """An OCSP responder has no extKeyUsage."""
    del scene.objects[1:]
    scene.first.drop(oids.EXTENDED_KEY_USAGE)


@case("R232", "ERROR", "tsa", options=("profile=tsa",))
def time_stamping_without_purposes(scene: Scene) -> None:
    """A time-stamping authority has no extKeyUsage."""
    del scene.objects[1:]
    scene.first.drop(oids.EXTENDED_KEY_USAGE)
