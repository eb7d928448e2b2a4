"""Defects of the fields of a certificate: R101 to R110 and R117 to R124."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import oids
from tests.golden.lint.case import Draft, Scene, case, private_key
from tests.golden.lint.tree import (
    Node,
    attribute,
    boolean,
    integer,
    oid,
    parse,
    sequence,
    set_of,
    text,
)

EMAIL_ADDRESS = "1.2.840.113549.1.9.1"


def as_written(draft: Draft) -> None:
    """Let the signed part keep lengths that are not the shortest."""
    size = len(b"".join(child.encode() for child in draft.tbs.children))
    draft.tbs.length = b"\x82" + size.to_bytes(2, "big")


@case("R101", "ERROR", "ee-sign")
def length_not_in_its_shortest_form(scene: Scene) -> None:
    """The length of validity has two octets where one is enough."""
    validity = scene.first.field("validity")
    validity.length = b"\x81" + bytes((len(validity.encode()) - 2,))
    as_written(scene.first)


@case("R101", "ERROR", "ee-sign")
def critical_true_as_01(scene: Scene) -> None:
    """critical is the BOOLEAN 01, not FF."""
    scene.first.extension(oids.KEY_USAGE).children[1] = Node(0x01, b"\x01")


@case("R101", "ERROR", "ee-sign")
def critical_false_encoded(scene: Scene) -> None:
    """critical FALSE is encoded although it is the default."""
    scene.first.extension(oids.SUBJECT_KEY_IDENTIFIER).children.insert(1, boolean(False))


@case("R101", "ERROR", "ee-sign")
def serial_with_a_needless_zero(scene: Scene) -> None:
    """The serial number begins with an octet 00 that it does not need."""
    serial = scene.first.field("serial")
    serial.octets = b"\x00" + serial.octets


@case("R101", "ERROR", "ee-sign")
def key_usage_with_trailing_zero_bits(scene: Scene) -> None:
    """keyUsage is encoded with zero bits at its end."""
    scene.first.put(oids.KEY_USAGE, b"\x03\x02\x00\x40")


@case("R101", "ERROR", "ee-sign")
def octets_after_an_extension_value(scene: Scene) -> None:
    """Two octets follow the value of subjectKeyIdentifier."""
    value = scene.first.value(oids.SUBJECT_KEY_IDENTIFIER).encode()
    scene.first.put(oids.SUBJECT_KEY_IDENTIFIER, value + b"\x05\x00")


@case("R101", "ERROR", "foreign-ee")
def attributes_of_an_rdn_out_of_order(scene: Scene) -> None:
    """An RDN has two attributes, the greater encoding first."""
    rdn = set_of(
        attribute(oids.ORGANIZATIONAL_UNIT, text("DEMO B")),
        attribute(oids.ORGANIZATION, text("DEMO A")),
    )
    scene.first.field("subject").children.insert(1, rdn)


@case("R101", "ERROR", "ee-sign")
def signature_with_unused_bits(scene: Scene) -> None:
    """The signature's BIT STRING says that a bit of it is unused."""

    def change(signed: Node) -> None:
        signed[2].octets = b"\x01" + signed[2].octets[1:-1] + bytes((signed[2].octets[-1] & 0xFE,))

    scene.first.after = change


@case("R101", "ERROR", "ng-ee-sign")
def key_with_unused_bits(scene: Scene) -> None:
    """The BIT STRING of the key says that a bit of it is unused."""
    bits = scene.first.field("public_key")[1]
    bits.octets = b"\x01" + bits.octets[1:-1] + bytes((bits.octets[-1] & 0xFE,))


@case("R101", "ERROR", "ng-ee-sign")
def octets_after_the_named_curve(scene: Scene) -> None:
    """NULL follows the OID of the curve."""
    scene.first.field("public_key")[0].children.append(Node(0x05))


@case("R102", "ERROR", "foreign-ee")
def extensions_in_version_2(scene: Scene) -> None:
    """The certificate says v2 and has extensions."""
    scene.first.tbs[0].children = [integer(1)]


@case("R102", "ERROR", "foreign-ee")
def version_4(scene: Scene) -> None:
    """The certificate says v4, which does not exist."""
    scene.first.tbs[0].children = [integer(3)]


@case("R103", "ERROR", "ee-sign")
def serial_number_zero(scene: Scene) -> None:
    """The serial number is 0."""
    scene.first.field("serial").octets = b"\x00"


@case("R103", "ERROR", "ee-sign")
def serial_number_negative(scene: Scene) -> None:
    """The serial number is negative: its first bit is set and no 00 stands before it."""
    scene.first.field("serial").octets = b"\x9b" + bytes(range(1, 16))


@case("R104", "ERROR", "ee-sign")
def serial_number_of_21_octets(scene: Scene) -> None:
    """The serial number has 160 bits, which need a 00 before them: 21 octets."""
    scene.first.field("serial").octets = b"\x00\x9b" + bytes(range(1, 20))


@case("R105", "INFO", "ee-sign")
def serial_number_of_63_bits(scene: Scene) -> None:
    """The serial number has 63 bits."""
    scene.first.field("serial").octets = b"\x7f" + bytes(range(1, 8))


@case("R105", "ERROR", "ee-sign", options=("strict",))
def counted_serial_number_of_our_own(scene: Scene) -> None:
    """What this centre is about to sign has the serial number 7."""
    scene.first.field("serial").octets = b"\x07"


@case("R106", "ERROR", "ee-sign")
def not_after_as_generalized_time_before_2050(scene: Scene) -> None:
    """notAfter is GeneralizedTime although it is before 2050."""
    end = scene.first.field("validity")[1]
    end.tag, end.octets = 0x18, b"20" + end.octets


@case("R106", "ERROR", "ee-sign", hides=("R408 WARNING",))
def not_before_without_seconds(scene: Scene) -> None:
    """notBefore has no seconds."""
    scene.first.field("validity")[0].octets = b"2611211500Z"


@case("R107", "ERROR", "foreign-ee")
def end_before_begin(scene: Scene) -> None:
    """notAfter is a day before notBefore."""
    scene.first.field("validity")[1].octets = b"261120150000Z"


@case("R108", "ERROR", "foreign-ee")
def issuer_empty(scene: Scene) -> None:
    """The issuer is an empty name."""
    scene.first.field("issuer").children = []


@case("R109", "ERROR", "foreign-ca")
def subject_of_a_ca_empty(scene: Scene) -> None:
    """The subject of a CA is an empty name."""
    scene.first.field("subject").children = []


@case("R109", "ERROR", "foreign-ee")
def subject_empty_beside_uncritical_alternative_name(scene: Scene) -> None:
    """The subject is empty and subjectAltName is not critical."""
    scene.first.field("subject").children = []


@case("R109", "ERROR", "foreign-ee")
def subject_empty_without_alternative_name(scene: Scene) -> None:
    """The subject is empty and there is no subjectAltName."""
    scene.first.field("subject").children = []
    scene.first.drop(oids.SUBJECT_ALT_NAME)


@case("R109", "ERROR", "foreign-ee")
def subject_of_a_crl_issuer_empty(scene: Scene) -> None:
    """The subject of a CRL issuer is empty, though subjectAltName is critical."""
    scene.first.field("subject").children = []
    scene.first.critical(oids.SUBJECT_ALT_NAME, True)
    scene.first.put(oids.KEY_USAGE, b"\x03\x02\x01\x02")


@case("R110", "WARNING", "foreign-ee")
def email_address_in_the_subject_alone(scene: Scene) -> None:
    """The subject has emailAddress, which subjectAltName has not."""
    mail = attribute(EMAIL_ADDRESS, text("demo@mail.demo-hpki.example.jp", 0x16))
    scene.first.field("subject").children.append(set_of(mail))


@case("R117", "ERROR", "ee-sign")
def subject_unique_identifier(scene: Scene) -> None:
    """There is a subjectUniqueID."""
    scene.first.tbs.children.insert(-1, Node(0x82, b"\x00\x01"))


@case("R118", "ERROR", "ee-sign")
def key_identifier_that_is_no_octet_string(scene: Scene) -> None:
    """The value of subjectKeyIdentifier is an INTEGER."""
    scene.first.put(oids.SUBJECT_KEY_IDENTIFIER, integer(7))


@case("R118", "ERROR", "ocsp")
def no_check_that_is_not_null(scene: Scene) -> None:
    """The value of id-pkix-ocsp-nocheck is TRUE, not NULL."""
    scene.first.put(oids.OCSP_NO_CHECK, boolean(True))


@case("R118", "ERROR", "foreign-ee")
def distribution_point_that_is_no_sequence(scene: Scene) -> None:
    """A distribution point is an INTEGER."""
    scene.first.put(oids.CRL_DISTRIBUTION_POINTS, sequence(integer(1)))


@case("R119", "ERROR", "foreign-ee", also=("R208 ERROR", "R210 WARNING"))
def extensions_empty(scene: Scene) -> None:
    """The field of the extensions is there and holds none."""
    scene.first.extensions.children = []


@case("R120", "ERROR", "foreign-ee", also=("R401 ERROR",))
def other_signature_algorithm_outside(scene: Scene) -> None:
    """The signature algorithm is SHA-256 with RSA inside and SHA-512 with RSA outside."""
    scene.first.tree.children[1] = sequence(oid(oids.SHA512_WITH_RSA), Node(0x05))


@case("R121", "ERROR", "ee-sign")
def rsa_key_without_null(scene: Scene) -> None:
    """The parameters of the RSA key are absent."""
    del scene.first.field("public_key")[0].children[1]


def _rsa(scene: Scene, modulus: int | None = None, exponent: int | None = None) -> None:
    bits = scene.first.field("public_key")[1]
    numbers = parse(bits.octets[1:])
    if modulus is not None:
        numbers.children[0] = integer(modulus)
    if exponent is not None:
        numbers.children[1] = integer(exponent)
    bits.octets = b"\x00" + numbers.encode()


_MODULUS = (1 << 3071) + 12345


@case("R122", "ERROR", "ee-sign", also=("H022 WARNING",))
def modulus_even(scene: Scene) -> None:
    """The RSA modulus is even."""
    _rsa(scene, _MODULUS + 1)


@case("R122", "ERROR", "foreign-ee")
def modulus_negative(scene: Scene) -> None:
    """The RSA modulus is negative."""
    _rsa(scene, -_MODULUS)


@case("R122", "ERROR", "foreign-ee")
def exponent_one(scene: Scene) -> None:
    """The RSA exponent is 1."""
    _rsa(scene, exponent=1)


@case("R122", "ERROR", "foreign-ee")
def exponent_even(scene: Scene) -> None:
    """The RSA exponent is 65538."""
    _rsa(scene, exponent=65538)


@case("R122", "ERROR", "foreign-ee")
def exponent_as_great_as_the_modulus(scene: Scene) -> None:
    """The RSA exponent is the modulus."""
    _rsa(scene, _MODULUS, _MODULUS)


@case("R122", "ERROR", "foreign-ee")
def rsa_key_not_der(scene: Scene) -> None:
    """The RSA modulus begins with a 00 that it does not need."""
    bits = scene.first.field("public_key")[1]
    numbers = parse(bits.octets[1:])
    numbers[0].octets = b"\x00" + numbers[0].octets
    bits.octets = b"\x00" + numbers.encode()


def _elliptic(scene: Scene) -> Node:
    """Give the certificate the key on P-256, and return its subjectPublicKeyInfo."""
    key = private_key("p256").public_key()
    info = parse(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    scene.first.field("public_key").children = info.children
    return scene.first.field("public_key")


@case("R123", "ERROR", "foreign-ee")
def curve_given_by_its_parameters(scene: Scene) -> None:
    """The curve is given by numbers, not by its name."""
    _elliptic(scene)[0].children[1] = sequence(integer(1))


@case("R123", "ERROR", "foreign-ee")
def curve_missing(scene: Scene) -> None:
    """The parameters of the elliptic curve key are absent."""
    del _elliptic(scene)[0].children[1]


def _point(scene: Scene, octets: bytes) -> None:
    scene.first.field("public_key")[1].octets = b"\x00" + octets


def _point_of(scene: Scene) -> bytes:
    return scene.first.field("public_key")[1].octets[1:]


@case("R124", "ERROR", "ng-ee-sign", also=("H022 WARNING",))
def point_beside_the_curve(scene: Scene) -> None:
    """The last bit of y is another: the point is not on P-256."""
    octets = _point_of(scene)
    _point(scene, octets[:-1] + bytes((octets[-1] ^ 1,)))


@case("R124", "ERROR", "ng-ee-sign", also=("H022 WARNING",))
def point_cut_off(scene: Scene) -> None:
    """The point lacks its last octet."""
    _point(scene, _point_of(scene)[:-1])


@case("R124", "ERROR", "ng-ee-sign", also=("H022 WARNING",))
def point_in_hybrid_form(scene: Scene) -> None:
    """The point is in the hybrid form, which must not be used."""
    octets = _point_of(scene)
    _point(scene, bytes((6 | octets[-1] & 1,)) + octets[1:])


@case("R124", "ERROR", "ng-ee-sign", also=("H022 WARNING",))
def no_point(scene: Scene) -> None:
    """The key has no octets."""
    _point(scene, b"")


@case("R124", "ERROR", "ng-ee-sign", also=("H022 WARNING",))
def compressed_point_of_no_point(scene: Scene) -> None:
    """No point of P-256 has the x of the compressed point."""
    _point(scene, b"\x02" + (1).to_bytes(32, "big"))
