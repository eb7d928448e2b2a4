"""Cases of the HPKI's rules on extensions: H020 to H042, H072, H073."""

from __future__ import annotations

from collections.abc import Callable

from pki import oids
from pki.reading.extensions import KEY_USAGE_BITS
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.shapes import PRINTABLE, rdn, remove, replace
from tests.golden.lint.tree import Node, boolean, integer, node, oid, sequence, text

CPS = "http://www.demo-hpki.example.jp/cps/"
SIGNING_TEST = "1.2.392.100495.1.5.1.1.0.1"
SIGNING = "1.2.392.100495.1.5.1.1.3.1"


@case("H020", "ERROR", "ee-sign")
def no_authority_key_identifier(scene: Scene) -> None:
    """authorityKeyIdentifier is missing."""
    scene.first.drop(oids.AUTHORITY_KEY_IDENTIFIER)


@case("H020", "ERROR", "root")
def root_without_authority_key_identifier(scene: Scene) -> None:
    """authorityKeyIdentifier of the root is missing."""
    scene.first.drop(oids.AUTHORITY_KEY_IDENTIFIER)


@case("H020", "ERROR", "sub-ca-sign")
def critical_authority_key_identifier(scene: Scene) -> None:
    """authorityKeyIdentifier is critical."""
    scene.first.critical(oids.AUTHORITY_KEY_IDENTIFIER, True)


@case("H020", "ERROR", "ee-sign")
def no_key_identifier_of_the_issuer(scene: Scene) -> None:
    """authorityKeyIdentifier has issuer and serial and no keyIdentifier."""
    _authority(scene.first, lambda parts: parts[1:])


@case("H021", "WARNING", "ee-sign")
def key_identifier_alone(scene: Scene) -> None:
    """authorityKeyIdentifier has neither issuer nor serial."""
    _authority(scene.first, lambda parts: parts[:1])


@case("H021", "ERROR", "ee-sign", options=("strict",))
def key_identifier_alone_before_signing(scene: Scene) -> None:
    """authorityKeyIdentifier has neither issuer nor serial in what is about to be signed."""
    _authority(scene.first, lambda parts: parts[:1])


@case("H021", "WARNING", "ee-sign")
def issuing_ca_as_authority(scene: Scene) -> None:
    """authorityCertIssuer is the issuing CA, not the issuer of its certificate."""
    name = scene.issuer.field("subject")
    _authority(scene.first, lambda parts: [parts[0], node(0xA1, node(0xA4, name)), parts[2]])


@case("H021", "WARNING", "ee-auth")
def own_serial_as_authority(scene: Scene) -> None:
    """authorityCertSerialNumber is the certificate's own serial number."""
    own = scene.first.field("serial").octets
    _authority(scene.first, lambda parts: [*parts[:2], Node(0x82, own)])


@case("H021", "WARNING", "sub-ca-sign")
def authority_as_uri(scene: Scene) -> None:
    """authorityCertIssuer is a URI."""
    name = node(0xA1, text(CPS, 0x86))
    _authority(scene.first, lambda parts: [parts[0], name, parts[2]])


@case("H021", "WARNING", "sub-ca-sign")
def two_authorities(scene: Scene) -> None:
    """authorityCertIssuer has a URI beside the directoryName."""
    _authority(
        scene.first,
        lambda parts: [parts[0], node(0xA1, parts[1][0], text(CPS, 0x86)), parts[2]],
    )


def _authority(draft: Draft, change: Callable[[list[Node]], list[Node]]) -> None:
    value = draft.value(oids.AUTHORITY_KEY_IDENTIFIER)
    value.children = change(value.children)
    draft.put(oids.AUTHORITY_KEY_IDENTIFIER, value)


@case("H022", "ERROR", "ee-sign")
def no_subject_key_identifier(scene: Scene) -> None:
    """subjectKeyIdentifier is missing."""
    scene.first.drop(oids.SUBJECT_KEY_IDENTIFIER)


@case("H022", "ERROR", "sub-ca-sign")
def critical_subject_key_identifier(scene: Scene) -> None:
    """subjectKeyIdentifier is critical."""
    scene.first.critical(oids.SUBJECT_KEY_IDENTIFIER, True)


@case("H022", "ERROR", "ee-sign")
def short_key_identifier(scene: Scene) -> None:
    """subjectKeyIdentifier has 8 octets, by method 2."""
    whole = scene.first.value(oids.SUBJECT_KEY_IDENTIFIER).octets
    scene.first.put(oids.SUBJECT_KEY_IDENTIFIER, Node(0x04, b"\x40" + whole[-7:]))


@case("H022", "WARNING", "ee-sign")
def key_identifier_by_another_method(scene: Scene) -> None:
    """subjectKeyIdentifier has 20 octets that are not the SHA-1 of the key."""
    scene.first.put(oids.SUBJECT_KEY_IDENTIFIER, Node(0x04, bytes(range(20))))


@case("H030", "ERROR", "sub-ca-sign")
def no_basic_constraints(scene: Scene) -> None:
    """basicConstraints of a CA is missing."""
    scene.first.drop(oids.BASIC_CONSTRAINTS)


@case("H030", "ERROR", "root")
def basic_constraints_not_critical(scene: Scene) -> None:
    """basicConstraints of a root is not critical."""
    scene.first.critical(oids.BASIC_CONSTRAINTS, False)


@case("H030", "ERROR", "sub-ca-sign")
def ca_not_true(scene: Scene) -> None:
    """basicConstraints of a CA is an empty SEQUENCE: cA FALSE."""
    scene.first.put(oids.BASIC_CONSTRAINTS, sequence())


@case("H030", "WARNING", "sub-ca-sign")
def path_length_zero(scene: Scene) -> None:
    """A subordinate CA has pathLenConstraint 0."""
    scene.first.put(oids.BASIC_CONSTRAINTS, sequence(boolean(True), integer(0)))


@case("H030", "ERROR", "sub-ca-sign")
def path_length_one(scene: Scene) -> None:
    """A subordinate CA has pathLenConstraint 1."""
    scene.first.put(oids.BASIC_CONSTRAINTS, sequence(boolean(True), integer(1)))


@case("H030", "ERROR", "root")
def root_with_path_length(scene: Scene) -> None:
    """The root has pathLenConstraint 0."""
    scene.first.put(oids.BASIC_CONSTRAINTS, sequence(boolean(True), integer(0)))


@case("H031", "WARNING", "ee-sign")
def empty_basic_constraints(scene: Scene) -> None:
    """An end entity has an empty basicConstraints."""
    scene.first.add(oids.BASIC_CONSTRAINTS, sequence(), critical=True)


@case("H031", "ERROR", "ee-sign", options=("strict",))
def basic_constraints_before_signing(scene: Scene) -> None:
    """An end entity has an empty basicConstraints in what this centre is about to sign."""
    scene.first.add(oids.BASIC_CONSTRAINTS, sequence())


@case("H031", "ERROR", "ee-sign", options=("profile=ee-sign",))
def end_entity_as_ca(scene: Scene) -> None:
    """basicConstraints says cA TRUE where an end entity's certificate is wanted."""
    scene.first.add(oids.BASIC_CONSTRAINTS, sequence(boolean(True)), critical=True)
    del scene.objects[1:]


@case("H040", "ERROR", "sub-ca-sign")
def ca_without_key_usage(scene: Scene) -> None:
    """keyUsage of a CA is missing."""
    scene.first.drop(oids.KEY_USAGE)


@case("H040", "ERROR", "root")
def key_usage_of_root_not_critical(scene: Scene) -> None:
    """keyUsage of a root is not critical."""
    scene.first.critical(oids.KEY_USAGE, False)


@case("H040", "ERROR", "sub-ca-auth")
def ca_with_digital_signature(scene: Scene) -> None:
    """keyUsage of a CA has digitalSignature too."""
    _usage(scene.first, "keyCertSign", "cRLSign", "digitalSignature")


@case("H040", "ERROR", "sub-ca-sign")
def ca_without_crl_sign(scene: Scene) -> None:
    """keyUsage of a CA lacks cRLSign."""
    _usage(scene.first, "keyCertSign")


@case("H041", "ERROR", "ee-sign")
def no_key_usage(scene: Scene) -> None:
    """keyUsage of a signing certificate is missing."""
    scene.first.drop(oids.KEY_USAGE)


@case("H041", "ERROR", "ee-sign")
def key_usage_not_critical(scene: Scene) -> None:
    """keyUsage of a signing certificate is not critical."""
    scene.first.critical(oids.KEY_USAGE, False)


@case("H041", "ERROR", "ee-sign")
def digital_signature_beside_non_repudiation(scene: Scene) -> None:
    """keyUsage of a signing certificate has digitalSignature too."""
    _usage(scene.first, "nonRepudiation", "digitalSignature")


@case("H041", "ERROR", "ee-sign")
def digital_signature_alone(scene: Scene) -> None:
    """keyUsage of a signing certificate is digitalSignature."""
    _usage(scene.first, "digitalSignature")


@case("H042", "WARNING", "ee-auth")
def non_repudiation_in_authentication(scene: Scene) -> None:
    """keyUsage of an authentication certificate has nonRepudiation too."""
    _usage(scene.first, "digitalSignature", "nonRepudiation")


@case("H042", "WARNING", "ee-auth")
def authentication_without_key_usage(scene: Scene) -> None:
    """keyUsage of an authentication certificate is missing."""
    scene.first.drop(oids.KEY_USAGE)


@case("H042", "WARNING", "ee-auth-org")
def key_encipherment_of_organisation(scene: Scene) -> None:
    """keyUsage of an organisation's certificate has keyEncipherment too."""
    _usage(scene.first, "digitalSignature", "keyEncipherment")


@case("H042", "ERROR", "ee-auth", options=("strict",))
def key_usage_before_signing(scene: Scene) -> None:
    """keyUsage of an authentication certificate is not critical, and this centre is to sign it."""
    scene.first.critical(oids.KEY_USAGE, False)


def _usage(draft: Draft, *bits: str) -> None:
    places = sorted(KEY_USAGE_BITS.index(bit) for bit in bits)
    octet = sum(0x80 >> place for place in places)
    draft.put(oids.KEY_USAGE, Node(0x03, bytes((7 - places[-1], octet))))


@case("H072", "WARNING", "ee-sign")
def critical_alternative_name(scene: Scene) -> None:
    """subjectAltName is critical."""
    scene.first.critical(oids.SUBJECT_ALT_NAME, True)


@case("H072", "WARNING", "ee-sign")
def alternative_name_with_an_address(scene: Scene) -> None:
    """subjectAltName has an e-mail address beside the directoryName."""
    names = scene.first.value(oids.SUBJECT_ALT_NAME)
    names.children.append(text("hanako@demo-hpki.example.jp", 0x81))
    scene.first.put(oids.SUBJECT_ALT_NAME, names)


@case("H072", "WARNING", "ee-sign")
def alternative_name_without_directory_name(scene: Scene) -> None:
    """subjectAltName is an e-mail address."""
    scene.first.put(oids.SUBJECT_ALT_NAME, sequence(text("hanako@demo-hpki.example.jp", 0x81)))


@case("H072", "WARNING", "ee-sign")
def alternative_name_of_somebody_else(scene: Scene) -> None:
    """The serialNumber of the subjectAltName is not the subject's."""
    _japanese(scene.first, lambda name: replace(name, oids.SERIAL_NUMBER, "DEMO2", PRINTABLE))


@case("H072", "WARNING", "ee-auth")
def alternative_name_without_number(scene: Scene) -> None:
    """The subjectAltName has no serialNumber."""
    _japanese(scene.first, lambda name: remove(name, oids.SERIAL_NUMBER))


@case("H072", "WARNING", "ee-sign")
def alternative_name_without_country(scene: Scene) -> None:
    """The subjectAltName has no C."""
    _japanese(scene.first, lambda name: remove(name, oids.COUNTRY))


@case("H072", "WARNING", "ee-sign")
def alternative_name_with_locality(scene: Scene) -> None:
    """The subjectAltName has L."""
    _japanese(scene.first, lambda name: name.children.insert(1, rdn(oids.LOCALITY, "見本市")))


@case("H072", "WARNING", "ee-sign")
def alternative_name_as_printable_string(scene: Scene) -> None:
    """CN of the subjectAltName is a PrintableString."""
    _japanese(scene.first, lambda name: replace(name, oids.COMMON_NAME, "Hanako", PRINTABLE))


@case("H072", "ERROR", "root", options=("strict",))
def critical_alternative_name_before_signing(scene: Scene) -> None:
    """subjectAltName is critical in the root that this centre is about to sign."""
    scene.first.critical(oids.SUBJECT_ALT_NAME, True)


def _japanese(draft: Draft, change: Callable[[Node], None]) -> None:
    names = draft.value(oids.SUBJECT_ALT_NAME)
    change(names[0][0])
    draft.put(oids.SUBJECT_ALT_NAME, names)


@case("H073", "WARNING", "ee-sign")
def extended_key_usage(scene: Scene) -> None:
    """A signing certificate has extKeyUsage."""
    scene.first.add(oids.EXTENDED_KEY_USAGE, sequence(oid("1.3.6.1.5.5.7.3.36")))


@case("H073", "WARNING", "ee-auth")
def client_authentication(scene: Scene) -> None:
    """An authentication certificate of a person has extKeyUsage."""
    scene.first.add(oids.EXTENDED_KEY_USAGE, sequence(oid(oids.CLIENT_AUTH)))


@case("H073", "WARNING", "ee-sign")
def private_key_usage_period(scene: Scene) -> None:
    """A signing certificate has privateKeyUsagePeriod."""
    period = sequence(Node(0x80, b"20261121150000Z"), Node(0x81, b"20281121145959Z"))
    scene.first.add(oids.PRIVATE_KEY_USAGE_PERIOD, period)


@case("H073", "ERROR", "ee-sign", options=("strict",))
def usage_period_before_signing(scene: Scene) -> None:
    """A signing certificate that this centre is about to sign has privateKeyUsagePeriod."""
    scene.first.add(oids.PRIVATE_KEY_USAGE_PERIOD, sequence(Node(0x81, b"20281121145959Z")))


@case("H073", "WARNING", "ee-sign")
def policy_mappings(scene: Scene) -> None:
    """A signing certificate has policyMappings."""
    mapping = sequence(sequence(oid(SIGNING_TEST), oid(SIGNING)))
    scene.first.add(oids.POLICY_MAPPINGS, mapping, critical=True)


@case("H073", "WARNING", "ee-sign", also=("R248 ERROR",))
def name_constraints(scene: Scene) -> None:
    """A signing certificate has nameConstraints."""
    subtrees = node(0xA1, sequence(text("example.com", 0x82)))
    scene.first.add(oids.NAME_CONSTRAINTS, sequence(subtrees), critical=True)


@case("H073", "WARNING", "ee-sign")
def policy_constraints(scene: Scene) -> None:
    """A signing certificate has policyConstraints."""
    scene.first.add(oids.POLICY_CONSTRAINTS, sequence(Node(0x80, b"\x00")), critical=True)
