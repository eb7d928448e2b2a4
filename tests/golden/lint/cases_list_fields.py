"""Defects of lists by RFC 5280 sections 5.1 and 5.2: R301 to R317."""

from __future__ import annotations

from datetime import timedelta

from pki import oids
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.cases_certificate import as_written
from tests.golden.lint.cases_lists import (
    AKI,
    DELTA,
    FRESHEST,
    NUMBER,
    POINT,
    PRIVATE,
    URI_POINT,
    entry,
    next_update,
)
from tests.golden.lint.sound import NOW
from tests.golden.lint.tree import Node, boolean, integer, node, oid, sequence


def without_version(draft: Draft, *places: int) -> None:
    """Leave the version out, and other fields of the signed part."""
    other = Draft(draft.encode(), draft.signer, draft.hash_name)
    for place in sorted((0, *places), reverse=True):
        del other.tbs.children[place]
    draft.raw = other.encode()


# R301: DER


@case("R301", "ERROR", "list-sarl")
def point_critical_as_01(scene: Scene) -> None:
    """critical is the BOOLEAN 01, not FF."""
    scene.first.extension(POINT).children[1] = Node(0x01, b"\x01")


@case("R301", "ERROR", "list-sarl")
def point_with_flag_false(scene: Scene) -> None:
    """onlyContainsUserCerts FALSE is encoded although it is the default."""
    value = scene.first.value(POINT)
    value.children.insert(1, Node(0x81, b"\x00"))
    scene.first.put(POINT, value)


@case("R301", "ERROR", "list")
def entry_with_a_long_length(scene: Scene) -> None:
    """The length of an entry has two octets where one is enough."""
    one = entry(scene.first, 0)
    one.length = b"\x81" + bytes((len(one.encode()) - 2,))
    as_written(scene.first)


@case("R301", "ERROR", "list")
def entry_serial_with_a_needless_zero(scene: Scene) -> None:
    """The serial number of an entry begins with an octet 00 that it does not need."""
    serial = entry(scene.first, 0)[0]
    serial.octets = b"\x00" + serial.octets


@case("R301", "ERROR", "list")
def entry_critical_false_encoded(scene: Scene) -> None:
    """critical FALSE is encoded in an entry although it is the default."""
    entry(scene.first, 0)[2][0].children.insert(1, boolean(False))


@case("R301", "ERROR", "list")
def entry_reason_with_a_needless_zero(scene: Scene) -> None:
    """A reasonCode has two octets where one is enough."""
    entry(scene.first, 0)[2][0].children[1] = Node(0x04, b"\x0a\x02\x00\x05")


@case("R301", "ERROR", "foreign-list", also=("R304 ERROR", "R305 ERROR"))
def extensions_are_an_empty_sequence(scene: Scene) -> None:
    """The list's extensions are an empty SEQUENCE."""
    scene.first.extensions.children.clear()


# R302 to R306: version and what must be there


@case("R302", "ERROR", "foreign-list", also=("R301 ERROR",))
def version_one_encoded(scene: Scene) -> None:
    """The version is encoded as v1, and the list has extensions."""
    scene.first.tbs[0].octets = b"\x00"


@case("R302", "ERROR", "foreign-list")
def foreign_version_three(scene: Scene) -> None:
    """The version says v3, which lists have not."""
    scene.first.tbs[0].octets = b"\x02"


@case("R302", "ERROR", "foreign-list")
def extensions_without_version(scene: Scene) -> None:
    """The list has extensions and no version."""
    without_version(scene.first)


@case("R302", "ERROR", "foreign-list", also=("R304 ERROR", "R305 ERROR"))
def entry_extensions_without_version(scene: Scene) -> None:
    """Entries have extensions, the list itself has none and no version."""
    without_version(scene.first, 6)


@case("R303", "ERROR", "foreign-list")
def foreign_without_next_update(scene: Scene) -> None:
    """There is no nextUpdate."""
    del scene.first.tbs.children[4]


@case("R304", "ERROR", "foreign-list")
def foreign_without_aki(scene: Scene) -> None:
    """There is no authorityKeyIdentifier."""
    scene.first.drop(AKI)


@case("R304", "ERROR", "foreign-list")
def foreign_aki_without_key_identifier(scene: Scene) -> None:
    """The AKI names issuer and serial number of the CA's certificate only."""
    value = scene.first.value(AKI)
    del value.children[0]
    scene.first.put(AKI, value)


@case("R304", "ERROR", "foreign-list", also=("R305 ERROR",))
def plain_list_of_version_one(scene: Scene) -> None:
    """The list is v1 without any extension, as lists once were."""
    for one in scene.first.tbs[5].children:
        del one.children[2:]
    without_version(scene.first, 6)


@case("R305", "ERROR", "foreign-list")
def foreign_without_number(scene: Scene) -> None:
    """There is no cRLNumber."""
    scene.first.drop(NUMBER)


@case("R306", "WARNING", "foreign-list")
def foreign_next_update_is_this_update(scene: Scene) -> None:
    """nextUpdate is the moment of thisUpdate."""
    next_update(scene.first, 0)


# R307 to R309: algorithm, issuer, times


@case("R307", "ERROR", "foreign-list")
def list_with_another_algorithm_inside(scene: Scene) -> None:
    """The algorithm inside is SHA-384 with RSA, outside SHA-256."""
    scene.first.tbs[1].children[0] = oid(oids.SHA384_WITH_RSA)


@case("R307", "ERROR", "list")
def list_algorithm_without_null(scene: Scene) -> None:
    """The parameters of the RSA algorithm are absent, not NULL, inside and outside."""
    for one in (scene.first.tbs[1], scene.first.tree[1]):
        del one.children[1]


@case("R307", "ERROR", "foreign-list")
def list_with_other_parameters_inside(scene: Scene) -> None:
    """The parameters of the algorithm are NULL outside and absent inside."""
    del scene.first.tbs[1].children[1]


@case("R308", "ERROR", "foreign-list")
def list_without_issuer(scene: Scene) -> None:
    """The issuer's name is empty."""
    scene.first.tbs[2].children.clear()


@case("R309", "ERROR", "list")
def this_update_without_seconds(scene: Scene) -> None:
    """thisUpdate has no seconds."""
    scene.first.tbs[3].octets = b"2611220300Z"


@case("R309", "ERROR", "list")
def next_update_as_generalized_time(scene: Scene) -> None:
    """nextUpdate is GeneralizedTime before 2050."""
    moment = NOW + timedelta(hours=96)
    scene.first.tbs.children[4] = Node(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


# R310 to R312: any extension


@case("R310", "ERROR", "list")
def number_is_no_integer(scene: Scene) -> None:
    """cRLNumber is an OCTET STRING."""
    scene.first.put(NUMBER, b"\x04\x01\x29")


@case("R311", "ERROR", "list")
def number_stands_twice(scene: Scene) -> None:
    """There are two extensions cRLNumber."""
    scene.first.add(NUMBER, integer(41))


@case("R312", "ERROR", "list")
def unknown_critical_extension(scene: Scene) -> None:
    """An extension that nobody knows is critical."""
    scene.first.add(PRIVATE, b"\x05\x00", critical=True)


@case("R312", "ERROR", "foreign-list")
def critical_extension_of_certificates(scene: Scene) -> None:
    """keyUsage, an extension of certificates, is critical in a list."""
    scene.first.add(oids.KEY_USAGE, b"\x03\x02\x01\x06", critical=True)


# R313 to R317: extensions of lists


@case("R313", "ERROR", "list")
def number_negative(scene: Scene) -> None:
    """cRLNumber is negative."""
    scene.first.put(NUMBER, integer(-1))


@case("R313", "ERROR", "list")
def number_of_21_octets(scene: Scene) -> None:
    """cRLNumber has 21 octets."""
    scene.first.put(NUMBER, integer(1 << 159))


@case("R313", "ERROR", "foreign-list")
def base_number_negative(scene: Scene) -> None:
    """BaseCRLNumber is negative."""
    scene.first.add(DELTA, integer(-1), critical=True)


@case("R314", "ERROR", "foreign-list")
def delta_not_critical(scene: Scene) -> None:
    """deltaCRLIndicator is not critical."""
    scene.first.add(DELTA, integer(40))


@case("R314", "ERROR", "foreign-list")
def foreign_point_not_critical(scene: Scene) -> None:
    """issuingDistributionPoint is not critical."""
    scene.first.add(POINT, sequence(Node(0x81, b"\xff")))


@case("R314", "ERROR", "list", also=("H094 WARNING",))
def point_of_a_sub_ca_not_critical(scene: Scene) -> None:
    """A sub CA's list has an issuingDistributionPoint, and that is not critical."""
    scene.first.add(POINT, sequence(Node(0x81, b"\xff")))


@case("R314", "ERROR", "foreign-list")
def freshest_critical(scene: Scene) -> None:
    """freshestCRL is critical."""
    scene.first.add(FRESHEST, URI_POINT, critical=True)


@case("R314", "ERROR", "foreign-list")
def foreign_aki_critical(scene: Scene) -> None:
    """authorityKeyIdentifier is critical."""
    scene.first.critical(AKI, True)


@case("R314", "ERROR", "foreign-list")
def foreign_number_critical(scene: Scene) -> None:
    """cRLNumber is critical."""
    scene.first.critical(NUMBER, True)


@case("R314", "WARNING", "foreign-list")
def issuer_alternative_name_critical(scene: Scene) -> None:
    """issuerAltName is critical."""
    value = sequence(Node(0x86, b"http://x.example/"))
    scene.first.add(oids.ISSUER_ALT_NAME, value, critical=True)


@case("R315", "ERROR", "foreign-list")
def point_says_nothing(scene: Scene) -> None:
    """issuingDistributionPoint is an empty SEQUENCE."""
    scene.first.add(POINT, sequence(), critical=True)


@case("R315", "ERROR", "foreign-list")
def point_with_two_flags(scene: Scene) -> None:
    """The list holds only users' certificates and only CAs'."""
    flags = (Node(0x81, b"\xff"), Node(0x82, b"\xff"))
    scene.first.add(POINT, sequence(*flags), critical=True)


@case("R315", "ERROR", "foreign-list")
def point_for_attribute_certificates(scene: Scene) -> None:
    """The list holds only attribute certificates."""
    scene.first.add(POINT, sequence(Node(0x85, b"\xff")), critical=True)


@case("R315", "ERROR", "foreign-list")
def point_with_an_empty_name(scene: Scene) -> None:
    """The full name of the point is empty."""
    value = sequence(node(0xA0, Node(0xA0)), Node(0x81, b"\xff"))
    scene.first.add(POINT, value, critical=True)


@case("R316", "ERROR", "foreign-list")
def delta_list_with_freshest(scene: Scene) -> None:
    """A delta list says where a delta list is."""
    scene.first.add(DELTA, integer(40), critical=True)
    scene.first.add(FRESHEST, URI_POINT)


@case("R317", "ERROR", "list")
def aki_without_serial(scene: Scene) -> None:
    """The AKI has authorityCertIssuer without authorityCertSerialNumber."""
    value = scene.first.value(AKI)
    del value.children[2]
    scene.first.put(AKI, value)


@case("R317", "ERROR", "foreign-list")
def aki_without_issuer(scene: Scene) -> None:
    """The AKI has authorityCertSerialNumber without authorityCertIssuer."""
    value = scene.first.value(AKI)
    del value.children[1]
    scene.first.put(AKI, value)
