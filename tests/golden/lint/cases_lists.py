"""Defects of lists by the HPKI's rules, against their issuer, and between two of them."""

from __future__ import annotations

from datetime import timedelta

from pki import oids
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.cases_issuer import no_signature
from tests.golden.lint.shapes import rdn, time
from tests.golden.lint.sound import NOW, service
from tests.golden.lint.tree import Node, boolean, integer, node, oid, sequence

AKI, NUMBER = oids.AUTHORITY_KEY_IDENTIFIER, oids.CRL_NUMBER
POINT, FRESHEST, DELTA = (
    oids.ISSUING_DISTRIBUTION_POINT,
    oids.FRESHEST_CRL,
    oids.DELTA_CRL_INDICATOR,
)
PRIVATE = "1.2.392.200999.1.2"
URI_POINT = sequence(sequence(node(0xA0, node(0xA0, Node(0x86, b"http://x.example/d.crl")))))


def next_update(draft: Draft, hours: int, seconds: int = 0) -> None:
    """Set nextUpdate so long after thisUpdate."""
    draft.tbs.children[4] = time(NOW + timedelta(hours=hours, seconds=seconds))


def entry(draft: Draft, index: int) -> Node:
    """Return an entry of the list."""
    return draft.tbs[5][index]


def extension(dotted: str, value: Node | bytes, *, critical: bool = False) -> Node:
    """Return an Extension."""
    octets = value if isinstance(value, bytes) else value.encode()
    flag = [boolean(True)] if critical else []
    return sequence(oid(dotted), *flag, Node(0x04, octets))


def entry_extensions(draft: Draft, index: int, *extensions: Node) -> None:
    """Give an entry these extensions and no others."""
    found = entry(draft, index)
    found.children = [found[0], found[1], sequence(*extensions)]


def reason(draft: Draft, index: int, code: int, *, critical: bool = False) -> None:
    """Give an entry this reasonCode."""
    value = Node(0x0A, bytes((code,)))
    entry_extensions(draft, index, extension(oids.REASON_CODE, value, critical=critical))


def point(draft: Draft, *content: Node) -> None:
    """Give the list an issuingDistributionPoint of these parts."""
    draft.put(POINT, sequence(*content))


# H090


@case("H090", "ERROR", "list")
def version_three(scene: Scene) -> None:
    """The version says v3, which lists have not."""
    scene.first.tbs[0].octets = b"\x02"


@case("H090", "ERROR", "list")
def without_aki(scene: Scene) -> None:
    """There is no authorityKeyIdentifier."""
    scene.first.drop(AKI)


@case("H090", "ERROR", "list")
def aki_without_key_identifier(scene: Scene) -> None:
    """The AKI names issuer and serial number of the CA's certificate only."""
    value = scene.first.value(AKI)
    del value.children[0]
    scene.first.put(AKI, value)


@case("H090", "ERROR", "list")
def aki_critical(scene: Scene) -> None:
    """authorityKeyIdentifier is critical."""
    scene.first.critical(AKI, True)


@case("H090", "ERROR", "list")
def without_number(scene: Scene) -> None:
    """There is no cRLNumber."""
    scene.first.drop(NUMBER)


@case("H090", "ERROR", "list-sarl")
def number_critical(scene: Scene) -> None:
    """cRLNumber is critical."""
    scene.first.critical(NUMBER, True)


# H091


@case("H091", "ERROR", "list")
def without_next_update(scene: Scene) -> None:
    """There is no nextUpdate."""
    del scene.first.tbs.children[4]


@case("H091", "ERROR", "list")
def valid_a_second_too_long(scene: Scene) -> None:
    """nextUpdate is 96 hours and one second after thisUpdate."""
    next_update(scene.first, 96, 1)


@case("H091", "WARNING", "list-rarl")
def valid_less_than_two_days(scene: Scene) -> None:
    """nextUpdate is a second less than 48 hours after thisUpdate."""
    next_update(scene.first, 48, -1)


@case("H091", "ERROR", "list")
def next_update_is_this_update(scene: Scene) -> None:
    """nextUpdate is the moment of thisUpdate."""
    next_update(scene.first, 0)


# H092


@case("H092", "ERROR", "list")
def reason_critical(scene: Scene) -> None:
    """A reasonCode is critical."""
    reason(scene.first, 0, 5, critical=True)


@case("H092", "ERROR", "list")
def reason_certificate_hold(scene: Scene) -> None:
    """An entry has the reasonCode certificateHold."""
    reason(scene.first, 1, 6)


@case("H092", "ERROR", "list")
def reason_seven(scene: Scene) -> None:
    """An entry has the reasonCode 7, which is not used."""
    reason(scene.first, 1, 7)


@case("H092", "ERROR", "list")
def reason_remove_from_crl(scene: Scene) -> None:
    """An entry has the reasonCode removeFromCRL."""
    reason(scene.first, 1, 8)


@case("H092", "ERROR", "list")
def reason_eleven(scene: Scene) -> None:
    """An entry has the reasonCode 11, which there is not."""
    reason(scene.first, 1, 11)


@case("H092", "WARNING", "list", options=("strict",))
def reason_unspecified(scene: Scene) -> None:
    """An entry has the reasonCode unspecified, which should be left out."""
    reason(scene.first, 1, 0)


@case("H092", "WARNING", "list")
def reason_ca_compromise(scene: Scene) -> None:
    """An entry of a sub CA's list has the reasonCode cACompromise."""
    reason(scene.first, 1, 2)


@case("H092", "ERROR", "list", options=("strict",))
def reason_ca_compromise_by_us(scene: Scene) -> None:
    """As before, judged as this centre judges itself."""
    reason(scene.first, 1, 2)


# H093


@case("H093", "ERROR", "list-sarl")
def without_point(scene: Scene) -> None:
    """A list of the root has no issuingDistributionPoint."""
    scene.first.drop(POINT)


@case("H093", "ERROR", "list-sarl")
def point_not_critical(scene: Scene) -> None:
    """issuingDistributionPoint is not critical."""
    scene.first.critical(POINT, False)


@case("H093", "ERROR", "list-sarl")
def point_without_ca_flag(scene: Scene) -> None:
    """onlyContainsCACerts is not TRUE."""
    point(scene.first, scene.first.value(POINT)[0])


@case("H093", "ERROR", "list-sarl")
def point_with_a_uri_too(scene: Scene) -> None:
    """issuingDistributionPoint has a URI beside the directory name."""
    value = scene.first.value(POINT)
    value[0][0].children.append(Node(0x86, b"http://repository.demo-hpki.example.jp/sarl.crl"))
    scene.first.put(POINT, value)


@case("H093", "ERROR", "list-sarl")
def point_of_an_indirect_list(scene: Scene) -> None:
    """indirectCRL is TRUE in issuingDistributionPoint."""
    value = scene.first.value(POINT)
    value.children.append(Node(0x84, b"\xff"))
    scene.first.put(POINT, value)


def _rename(scene: Scene, place: int, renamed: Node) -> None:
    value = scene.first.value(POINT)
    value[0][0][0][0].children[place] = renamed
    scene.first.put(POINT, value)


@case("H093", "ERROR", "list-sarl")
def sarl_of_another_name(scene: Scene) -> None:
    """The list is a SARL of another organization than the sub CA's certificate points to."""
    _rename(scene, 1, rdn(oids.ORGANIZATION, "DEMO Ministry of Somebody"))


@case("H093", "ERROR", "list-sarl")
def list_that_nobody_points_to(scene: Scene) -> None:
    """Neither the root nor its sub CA points to a list called XARL."""
    _rename(scene, 4, rdn(oids.COMMON_NAME, "XARL"))


# H094, H095, P301, H096; H099


@case("H094", "WARNING", "list")
def sub_ca_list_with_point(scene: Scene) -> None:
    """The complete list of a sub CA has an issuingDistributionPoint."""
    scene.first.add(POINT, sequence(Node(0x81, b"\xff")), critical=True)


@case("H094", "ERROR", "list", options=("strict",))
def sub_ca_list_with_point_by_us(scene: Scene) -> None:
    """As before, judged as this centre judges itself."""
    sub_ca_list_with_point(scene)


# H099


def _shard_point(scene: Scene, *flags: Node) -> Node:
    value = scene.first.value(POINT)
    value.children.extend(flags)
    scene.first.put(POINT, value)
    return value


@case("H099", "ERROR", "list-split")
def shard_point_not_critical(scene: Scene) -> None:
    """issuingDistributionPoint of a split list is not critical."""
    scene.first.critical(POINT, False)


@case("H099", "ERROR", "list-split")
def shard_point_for_end_entities(scene: Scene) -> None:
    """onlyContainsUserCerts is TRUE in issuingDistributionPoint of a split list."""
    _shard_point(scene, Node(0x81, b"\xff"))


@case("H099", "ERROR", "list-split")
def shard_point_for_some_reasons(scene: Scene) -> None:
    """onlySomeReasons stands in issuingDistributionPoint of a split list."""
    _shard_point(scene, Node(0x83, b"\x05\x60"))


@case("H099", "ERROR", "list-split")
def shard_point_of_an_indirect_list(scene: Scene) -> None:
    """indirectCRL is TRUE in issuingDistributionPoint of a split list."""
    _shard_point(scene, Node(0x84, b"\xff"))


@case("H099", "ERROR", "list-split")
def shard_point_with_two_uris(scene: Scene) -> None:
    """issuingDistributionPoint of a split list has two URIs."""
    value = scene.first.value(POINT)
    value[0][0].children.append(Node(0x86, b"http://mirror.demo-hpki.example.jp/sign-3.crl"))
    scene.first.put(POINT, value)


def _move(scene: Scene, uri: bytes) -> None:
    value = scene.first.value(POINT)
    value[0][0][0].octets = uri
    scene.first.put(POINT, value)


@case("H099", "ERROR", "list-split")
def shard_that_certificates_seek_elsewhere(scene: Scene) -> None:
    """The certificate points to the file of the same name on another host."""
    _move(scene, b"http://repository.demo-hpki.example.com/sign-3.crl")


@case("H099", "INFO", "list-split")
def shard_of_other_certificates(scene: Scene) -> None:
    """The certificate points to another one of the lists."""
    _move(scene, b"http://repository.demo-hpki.example.jp/sign-4.crl")


@case("H095", "WARNING", "list")
def delta_list(scene: Scene) -> None:
    """The list is a delta list."""
    scene.first.add(DELTA, integer(40), critical=True)


@case("H095", "WARNING", "list")
def names_a_delta_list(scene: Scene) -> None:
    """freshestCRL says where a delta list is."""
    scene.first.add(FRESHEST, URI_POINT)


@case("H095", "ERROR", "list", options=("strict",))
def names_a_delta_list_of_ours(scene: Scene) -> None:
    """As before, judged as this centre judges itself."""
    names_a_delta_list(scene)


@case("P301", "WARNING", "list")
def extension_that_the_profile_has_not(scene: Scene) -> None:
    """The list has an extension that is known to nobody."""
    scene.first.add(PRIVATE, b"\x05\x00")


@case("H096", "ERROR", "list-sarl")
def empty_entries(scene: Scene) -> None:
    """revokedCertificates is there without an entry."""
    scene.first.tbs.children.insert(5, sequence())


@case("H096", "ERROR", "foreign-list")
def empty_entries_of_a_foreign_list(scene: Scene) -> None:
    """revokedCertificates is there without an entry."""
    scene.first.tbs.children[5] = sequence()


# R361 to R365


@case("R361", "ERROR", "list")
def signed_by_a_key_that_the_aki_does_not_name(scene: Scene) -> None:
    """The list is signed by another key than that which the AKI names."""
    scene.first.signer = "other"


@case("R361", "ERROR", "rollover")
def signed_by_the_former_key(scene: Scene) -> None:
    """The list names the root's new key and is signed by the old one."""
    scene.first.signer = "root"


@case("R361", "WARNING", "list", also=("R307 ERROR",))
def list_algorithm_that_is_not_verified(scene: Scene) -> None:
    """The signature is by SHA-1, which is not verified here."""
    for one in (scene.first.tbs[1], scene.first.tree[1]):
        one.children[0] = oid("1.2.840.113549.1.1.5")


@case("R361", "WARNING", "foreign-list")
def foreign_list_algorithm_that_is_not_verified(scene: Scene) -> None:
    """The signature is by SHA-1, which is not verified here."""
    list_algorithm_that_is_not_verified(scene)


@case("R361", "WARNING", "list", options=("strict",))
def placeholder_under_a_list_to_be_signed(scene: Scene) -> None:
    """The signature is the placeholder under which this centre judges before it signs."""
    no_signature(scene.first)


@case("R362", "ERROR", "list", elsewhere=("2 H040 ERROR",))
def issuer_may_not_sign_lists(scene: Scene) -> None:
    """The keyUsage of the CA's certificate is keyCertSign alone."""
    scene.issuer.put(oids.KEY_USAGE, b"\x03\x02\x02\x04")


@case("R363", "WARNING", "list")
def list_issuer_encoded_otherwise(scene: Scene) -> None:
    """The issuer's O is PrintableString, in the CA's certificate UTF8String."""
    scene.first.tbs[2].children[1] = rdn(oids.ORGANIZATION, "DEMO Certification Centre", 0x13)


@case("R364", "ERROR", "list")
def list_aki_names_another_key(scene: Scene) -> None:
    """The keyIdentifier of the AKI is not that of the key that signed."""
    value = scene.first.value(AKI)
    value[0].octets = bytes(20)
    scene.first.put(AKI, value)


@case("R365", "WARNING", "list")
def aki_without_issuer_and_serial(scene: Scene) -> None:
    """The AKI has the keyIdentifier alone."""
    value = scene.first.value(AKI)
    del value.children[1:]
    scene.first.put(AKI, value)


@case("R365", "ERROR", "list", options=("strict",))
def aki_without_issuer_and_serial_by_us(scene: Scene) -> None:
    """As before, judged as this centre judges itself."""
    aki_without_issuer_and_serial(scene)


@case("R365", "WARNING", "list")
def aki_with_another_serial(scene: Scene) -> None:
    """authorityCertSerialNumber is not that of the CA's certificate."""
    value = scene.first.value(AKI)
    value[2].octets = b"\x01"
    scene.first.put(AKI, value)


@case("R365", "WARNING", "list")
def aki_with_the_ca_for_its_issuer(scene: Scene) -> None:
    """authorityCertIssuer is the CA itself, not the issuer of its certificate."""
    value = scene.first.value(AKI)
    value[1][0].children = [scene.first.tbs[2]]
    scene.first.put(AKI, value)


# H097, H098, R501, R502: the newer list stands first, the older second


@case("H097", "ERROR", "list-pair")
def number_given_twice(scene: Scene) -> None:
    """Two lists of different times have the same number."""
    scene.objects[1].put(NUMBER, integer(41))


@case("H097", "ERROR", "list-pair")
def this_update_does_not_rise(scene: Scene) -> None:
    """The list of the higher number has the same thisUpdate."""
    scene.objects[1].tbs.children[3] = time(NOW)


ENDED = ("5 H081 INFO", "5 R408 WARNING")
"""What the certificate of an entry that leaves cannot help: its times fit the lists, not the CA."""


def _ending(scene: Scene, end: timedelta) -> None:
    """Add the certificate of the first entry, which leaves; it ends so long after the newer list.

    The entry's serial number is that of an OCSP responder's certificate, for it may be short.
    """
    certificate = service("ocsp").first
    certificate.field("serial").octets = bytes.fromhex("5B1C0A2E77F34D619C")
    certificate.field("validity").children[0] = time(NOW - timedelta(days=20))
    certificate.field("validity").children[1] = time(NOW + end)
    scene.objects.append(certificate)
    del scene.first.tbs[5].children[1]


@case("H098", "ERROR", "list-pair", elsewhere=ENDED)
def entry_left_before_the_end(scene: Scene) -> None:
    """An entry left the list although its certificate ends with the newer one."""
    _ending(scene, timedelta(0))


@case("H098", "WARNING", "list-pair", elsewhere=ENDED)
def entry_left_at_the_end(scene: Scene) -> None:
    """An entry left the list without standing on one issued after its certificate's end."""
    _ending(scene, timedelta(hours=-1))


@case("H098", "WARNING", "list-pair", elsewhere=ENDED)
def entry_left_at_the_end_to_the_second(scene: Scene) -> None:
    """The older list was issued in the second in which the certificate ended."""
    _ending(scene, timedelta(hours=-24))


@case("H098", "INFO", "list-pair")
def entry_of_an_unknown_certificate_left(scene: Scene) -> None:
    """An entry left the list, and its certificate is not at hand."""
    del scene.first.tbs[5].children[0]


@case("H098", "INFO", "list-pair", elsewhere=ENDED)
def entry_left_between_distant_lists(scene: Scene) -> None:
    """An entry left after its certificate's end; lists between the two are not at hand."""
    older = scene.objects[1]
    older.tbs.children[3] = time(NOW - timedelta(days=8))
    older.tbs.children[4] = time(NOW - timedelta(days=4))
    entry(older, 1).children[1] = time(NOW - timedelta(days=9))
    _ending(scene, timedelta(hours=-1))


@case("R501", "WARNING", "list-pair")
def revocation_date_changed(scene: Scene) -> None:
    """An entry has another revocationDate than on the list before."""
    entry(scene.first, 0).children[1] = time(NOW - timedelta(days=89))


@case("R502", "WARNING", "list-pair")
def reason_changed(scene: Scene) -> None:
    """An entry has another reasonCode than on the list before."""
    reason(scene.first, 0, 4)
