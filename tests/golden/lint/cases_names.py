"""Defects of distinguished names (R111 to R116) and of alternative names (R260)."""

from __future__ import annotations

from pki import oids
from tests.golden.lint.case import Scene, case
from tests.golden.lint.tree import Node, attribute, node, oid, sequence, set_of, text

PRINTABLE, TELETEX, IA5, UNIVERSAL, BMP = 0x13, 0x14, 0x16, 0x1C, 0x1E
EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25"
DN_QUALIFIER = "2.5.4.46"


def add(scene: Scene, dotted: str, value: Node) -> None:
    """Put one more attribute behind C into the subject."""
    scene.first.field("subject").children.insert(1, set_of(attribute(dotted, value)))


@case("R111", "ERROR", "foreign-ee")
def organization_as_ia5string(scene: Scene) -> None:
    """O is an IA5String, which no DirectoryString is."""
    add(scene, oids.ORGANIZATION, text("DEMO Hospital", IA5))


@case("R111", "ERROR", "foreign-ee")
def title_as_octet_string(scene: Scene) -> None:
    """The title is no string at all."""
    add(scene, "2.5.4.12", Node(0x04, b"Doctor"))


@case("R111", "ERROR", "foreign-ee")
def country_as_utf8string(scene: Scene) -> None:
    """C is a UTF8String."""
    scene.first.field("subject")[0][0][1].tag = 0x0C


@case("R111", "ERROR", "ee-sign")
def serial_number_as_utf8string(scene: Scene) -> None:
    """The attribute serialNumber is a UTF8String."""
    scene.first.field("subject")[-1][0][1].tag = 0x0C


@case("R111", "ERROR", "foreign-ee")
def dn_qualifier_as_utf8string(scene: Scene) -> None:
    """dnQualifier is a UTF8String."""
    add(scene, DN_QUALIFIER, text("7"))


@case("R111", "ERROR", "foreign-ee", also=("R110 WARNING",))
def email_address_as_utf8string(scene: Scene) -> None:
    """emailAddress is a UTF8String."""
    add(scene, EMAIL_ADDRESS, text("demo@mail.demo-hpki.example.jp"))


@case("R111", "ERROR", "foreign-ee")
def domain_component_as_printable_string(scene: Scene) -> None:
    """domainComponent is a PrintableString."""
    add(scene, DOMAIN_COMPONENT, text("example", PRINTABLE))


@case("R111", "ERROR", "ee-sign")
def serial_number_as_utf8string_in_the_alternative_name(scene: Scene) -> None:
    """serialNumber is a UTF8String in the Japanese name."""
    names = scene.first.value(oids.SUBJECT_ALT_NAME)
    names[0][0][-1][0][1].tag = 0x0C
    scene.first.put(oids.SUBJECT_ALT_NAME, names)


@case("R111", "ERROR", "foreign-ee", also=("R402 WARNING",))
def issuer_with_an_ia5string(scene: Scene) -> None:
    """O of the issuer is an IA5String, and a UTF8String in the issuer's certificate."""
    scene.first.field("issuer")[1][0][1].tag = IA5


@case("R112", "WARNING", "foreign-ee")
def organization_as_teletexstring(scene: Scene) -> None:
    """O is a TeletexString."""
    add(scene, oids.ORGANIZATION, text("DEMO Hospital", TELETEX))


@case("R112", "WARNING", "foreign-ee")
def organization_as_bmpstring(scene: Scene) -> None:
    """O is a BMPString."""
    add(scene, oids.ORGANIZATION, text("DEMO 見本病院", BMP))


@case("R112", "WARNING", "foreign-ee")
def organization_as_universalstring(scene: Scene) -> None:
    """O is a UniversalString."""
    add(scene, oids.ORGANIZATION, text("DEMO 見本病院", UNIVERSAL))


@case("R113", "ERROR", "foreign-ee")
def organization_that_is_no_utf8(scene: Scene) -> None:
    """O is a UTF8String with octets of Shift JIS."""
    add(scene, oids.ORGANIZATION, Node(0x0C, "見本病院".encode("shift_jis")))


@case("R113", "ERROR", "foreign-ee")
def printable_string_with_an_ampersand(scene: Scene) -> None:
    """O is a PrintableString with an ampersand, which it has not."""
    add(scene, oids.ORGANIZATION, text("DEMO Sons & Daughters", PRINTABLE))


@case("R113", "ERROR", "ee-sign")
def serial_number_with_a_low_line(scene: Scene) -> None:
    """serialNumber has a low line, which PrintableString has not, in both names."""
    names = scene.first.value(oids.SUBJECT_ALT_NAME)
    for name in (scene.first.field("subject"), names[0][0]):
        name[-1][0][1].octets = b"DEMO_000001"
    scene.first.put(oids.SUBJECT_ALT_NAME, names)


@case("R113", "ERROR", "foreign-ee", also=("R110 WARNING",))
def email_address_beyond_ascii(scene: Scene) -> None:
    """emailAddress is an IA5String with an octet above 127."""
    add(scene, EMAIL_ADDRESS, Node(IA5, b"d\xe9mo@mail.demo-hpki.example.jp"))


@case("R113", "ERROR", "foreign-ee")
def unknown_attribute_with_letters_in_a_numeric_string(scene: Scene) -> None:
    """An attribute that RFC 5280 does not name is a NumericString of letters."""
    add(scene, "2.5.4.24", text("eight", 0x12))


@case("R114", "ERROR", "foreign-ee")
def common_name_of_65_characters(scene: Scene) -> None:
    """CN has 65 characters."""
    scene.first.field("subject")[1][0][1].octets = ("山" * 65).encode()


@case("R114", "ERROR", "foreign-ee")
def locality_of_129_characters(scene: Scene) -> None:
    """L has 129 characters."""
    add(scene, oids.LOCALITY, text("x" * 129))


@case("R114", "ERROR", "foreign-ee")
def organization_empty(scene: Scene) -> None:
    """O is an empty string."""
    add(scene, oids.ORGANIZATION, text(""))


@case("R114", "ERROR", "foreign-ee")
def country_of_three_letters(scene: Scene) -> None:
    """C is JPN."""
    scene.first.field("subject")[0][0][1].octets = b"JPN"


@case("R114", "ERROR", "foreign-ee")
def country_of_one_letter(scene: Scene) -> None:
    """C is J."""
    scene.first.field("subject")[0][0][1].octets = b"J"


@case("R114", "ERROR", "foreign-ee", also=("R110 WARNING",))
def email_address_of_256_characters(scene: Scene) -> None:
    """emailAddress has 256 characters."""
    add(scene, EMAIL_ADDRESS, text("demo@demo-hpki.example.jp".rjust(256, "a"), IA5))


@case("R115", "ERROR", "foreign-ee")
def two_units_in_one_rdn(scene: Scene) -> None:
    """One RDN has OU twice."""
    units = [attribute(oids.ORGANIZATIONAL_UNIT, text(unit)) for unit in ("DEMO A", "DEMO B")]
    scene.first.field("subject").children.insert(1, set_of(*units))


@case("R116", "WARNING", "foreign-ee")
def line_break_in_a_name(scene: Scene) -> None:
    """O has a line break in it."""
    add(scene, oids.ORGANIZATION, text("DEMO\nHospital"))


@case("R116", "WARNING", "foreign-ee")
def zero_width_space_in_a_name(scene: Scene) -> None:
    """CN has a zero width space in it, which nobody sees and comparison leaves out."""
    scene.first.field("subject")[1][0][1].octets = "Hana\u200bko Demo".encode()


@case("R116", "WARNING", "ee-sign")
def zero_width_space_in_the_alternative_name(scene: Scene) -> None:
    """The Japanese name has a zero width space in it."""
    names = scene.first.value(oids.SUBJECT_ALT_NAME)
    names[0][0][1][0][1].octets = "見本\u200b　花子".encode()
    scene.first.put(oids.SUBJECT_ALT_NAME, names)


def _alternative(scene: Scene, *names: Node) -> None:
    scene.first.put(oids.SUBJECT_ALT_NAME, sequence(*names))


def _mail(value: bytes) -> Node:
    return Node(0x81, value)


def _host(value: bytes) -> Node:
    return Node(0x82, value)


def _uri(value: bytes) -> Node:
    return Node(0x86, value)


@case("R260", "ERROR", "foreign-ee")
def mail_address_empty(scene: Scene) -> None:
    """subjectAltName has an empty rfc822Name."""
    _alternative(scene, _mail(b""))


@case("R260", "ERROR", "foreign-ee")
def mail_address_without_host(scene: Scene) -> None:
    """The rfc822Name is a user without a host."""
    _alternative(scene, _mail(b"demo"))


@case("R260", "ERROR", "foreign-ee")
def mail_address_in_angle_brackets(scene: Scene) -> None:
    """The rfc822Name has a name before it and angle brackets around it."""
    _alternative(scene, _mail(b"Demo <demo@demo-hpki.example.jp>"))


@case("R260", "ERROR", "foreign-ee")
def mail_address_beyond_ascii(scene: Scene) -> None:
    """The rfc822Name has an octet above 127."""
    _alternative(scene, _mail(b"d\xe9mo@demo-hpki.example.jp"))


@case("R260", "ERROR", "foreign-ee")
def domain_name_blank(scene: Scene) -> None:
    """The dNSName is one blank."""
    _alternative(scene, _host(b" "))


@case("R260", "ERROR", "foreign-ee")
def domain_name_with_a_label_of_64_letters(scene: Scene) -> None:
    """A label of the dNSName has 64 letters."""
    _alternative(scene, _host(b"a" * 64 + b".example.jp"))


@case("R260", "ERROR", "foreign-ee")
def domain_name_of_254_characters(scene: Scene) -> None:
    """The dNSName has 254 characters."""
    _alternative(scene, _host(b".".join([b"a" * 62] * 4) + b".ab"))


@case("R260", "ERROR", "foreign-ee")
def domain_name_with_a_final_dot(scene: Scene) -> None:
    """The dNSName ends with a dot."""
    _alternative(scene, _host(b"www.demo-hpki.example.jp."))


@case("R260", "WARNING", "foreign-ee")
def domain_name_with_a_low_line(scene: Scene) -> None:
    """The dNSName has a low line."""
    _alternative(scene, _host(b"my_host.demo-hpki.example.jp"))


@case("R260", "ERROR", "foreign-ee")
def uri_relative(scene: Scene) -> None:
    """The URI has no scheme."""
    _alternative(scene, _uri(b"www.demo-hpki.example.jp/me"))


@case("R260", "ERROR", "foreign-ee")
def uri_of_a_scheme_alone(scene: Scene) -> None:
    """Nothing follows the scheme of the URI."""
    _alternative(scene, _uri(b"urn:"))


@case("R260", "ERROR", "foreign-ee")
def uri_with_a_blank(scene: Scene) -> None:
    """The URI has a blank in it."""
    _alternative(scene, _uri(b"http://www.demo-hpki.example.jp/my page"))


@case("R260", "ERROR", "foreign-ee")
def uri_with_an_empty_host(scene: Scene) -> None:
    """The URI names no host."""
    _alternative(scene, _uri(b"http:///me"))


@case("R260", "ERROR", "foreign-ee")
def uri_without_authority(scene: Scene) -> None:
    """The http URI has no authority at all."""
    _alternative(scene, _uri(b"http:me"))


@case("R260", "ERROR", "foreign-ee")
def uri_with_a_broken_address(scene: Scene) -> None:
    """The bracket around the host's address is not closed."""
    _alternative(scene, _uri(b"x-demo://[2001:db8::1/me"))


@case("R260", "ERROR", "foreign-ee")
def uri_with_an_impossible_host(scene: Scene) -> None:
    """The host of the URI has an empty label."""
    _alternative(scene, _uri(b"http://www..example.jp/me"))


@case("R260", "WARNING", "foreign-ee")
def uri_with_a_host_of_one_label(scene: Scene) -> None:
    """The host of the URI is not fully qualified."""
    _alternative(scene, _uri(b"http://intranet/me"))


@case("R260", "ERROR", "foreign-ee")
def address_of_five_octets(scene: Scene) -> None:
    """The iPAddress has five octets."""
    _alternative(scene, Node(0x87, b"\xc0\x00\x02\x01\x00"))


@case("R260", "ERROR", "foreign-ee")
def directory_name_empty(scene: Scene) -> None:
    """subjectAltName has an empty directoryName."""
    _alternative(scene, node(0xA4, sequence()))


@case("R260", "ERROR", "foreign-ee")
def party_name_empty(scene: Scene) -> None:
    """The ediPartyName has no content."""
    _alternative(scene, Node(0xA5))


@case("R260", "ERROR", "foreign-ee")
def other_name_without_value(scene: Scene) -> None:
    """The otherName has a type and no value."""
    _alternative(scene, node(0xA0, oid("1.3.6.1.4.1.311.20.2.3")))


@case("R260", "ERROR", "foreign-ee")
def other_name_with_two_values(scene: Scene) -> None:
    """The otherName has a type and two values."""
    value = node(0xA0, text("demo"))
    _alternative(scene, node(0xA0, oid("1.3.6.1.4.1.311.20.2.3"), value, value))


@case("R260", "ERROR", "foreign-ee")
def registered_id_cut_off(scene: Scene) -> None:
    """The registeredID is cut off in the middle of an arc."""
    _alternative(scene, Node(0x88, b"\x2a\x83"))


@case("R260", "ERROR", "foreign-ee")
def issuer_alternative_name_with_a_relative_uri(scene: Scene) -> None:
    """issuerAltName has a URI without a scheme."""
    scene.first.add(oids.ISSUER_ALT_NAME, sequence(_uri(b"/me")))
