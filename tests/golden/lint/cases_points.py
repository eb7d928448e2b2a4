"""Defects of distribution points and of places to look at: R270 to R278."""

from __future__ import annotations

from pki import oids
from tests.golden.lint.case import Scene, case
from tests.golden.lint.tree import Node, attribute, node, oid, parse, sequence, text

HTTP = Node(0x86, b"http://lists.example.jp/a.crl")


def _names(*names: Node) -> Node:
    """Return the distributionPoint of these names."""
    return node(0xA0, node(0xA0, *names))


def _points(scene: Scene, *points: Node) -> None:
    scene.first.put(oids.CRL_DISTRIBUTION_POINTS, sequence(*points))


def _issuer_name(scene: Scene) -> Node:
    return node(0xA4, parse(scene.first.field("issuer").encode()))


OTHER_NAME = node(
    0xA4, sequence(node(0x31, attribute(oids.COMMON_NAME, text("DEMO Other List Issuer"))))
)
ANOTHER_NAME = node(
    0xA4, sequence(node(0x31, attribute(oids.COMMON_NAME, text("DEMO Another List Issuer"))))
)
SOME_REASONS = Node(0x81, b"\x06\x40")
RELATIVE = node(0xA0, node(0xA1, attribute(oids.COMMON_NAME, text("LIST"))))


@case("R270", "ERROR", "foreign-ee")
def point_of_nothing(scene: Scene) -> None:
    """A distribution point has no field at all."""
    _points(scene, sequence(_names(HTTP)), sequence())


@case("R270", "ERROR", "foreign-ee")
def point_of_reasons_alone(scene: Scene) -> None:
    """A distribution point has nothing but reasons."""
    _points(scene, sequence(_names(HTTP)), sequence(SOME_REASONS))


@case("R270", "ERROR", "foreign-ee")
def point_without_names(scene: Scene) -> None:
    """The fullName of a distribution point holds no name."""
    _points(scene, sequence(_names(HTTP)), sequence(node(0xA0, Node(0xA0))))


@case("R271", "ERROR", "foreign-ee")
def list_issuer_who_is_the_issuer(scene: Scene) -> None:
    """cRLIssuer names the certificate's own issuer."""
    _points(scene, sequence(_names(HTTP), node(0xA2, _issuer_name(scene))))


@case("R271", "ERROR", "foreign-ee")
def list_issuer_by_its_host(scene: Scene) -> None:
    """cRLIssuer has a dNSName beside the name of an issuer."""
    issuer = node(0xA2, OTHER_NAME, Node(0x82, b"lists.example.jp"))
    _points(scene, sequence(_names(HTTP), issuer))


@case("R271", "ERROR", "foreign-ee")
def list_issuer_empty(scene: Scene) -> None:
    """cRLIssuer holds no name."""
    _points(scene, sequence(_names(HTTP), Node(0xA2)))


@case("R271", "ERROR", "foreign-ee")
def list_issuer_with_an_empty_name(scene: Scene) -> None:
    """cRLIssuer is an empty name."""
    _points(scene, sequence(_names(HTTP), node(0xA2, node(0xA4, sequence()))))


@case("R272", "WARNING", "foreign-ee")
def relative_name(scene: Scene) -> None:
    """A distribution point has nameRelativeToCRLIssuer."""
    _points(scene, sequence(_names(HTTP)), sequence(RELATIVE))


@case("R272", "WARNING", "foreign-ee")
def relative_name_to_one_issuer(scene: Scene) -> None:
    """A distribution point has nameRelativeToCRLIssuer and one name of the cRLIssuer."""
    _points(scene, sequence(_names(HTTP)), sequence(RELATIVE, node(0xA2, OTHER_NAME)))


@case("R272", "ERROR", "foreign-ee")
def relative_name_to_two_issuers(scene: Scene) -> None:
    """A distribution point has nameRelativeToCRLIssuer and two names of the cRLIssuer."""
    issuers = node(0xA2, OTHER_NAME, ANOTHER_NAME)
    _points(scene, sequence(_names(HTTP)), sequence(RELATIVE, issuers))


@case("R273", "ERROR", "foreign-ee")
def no_point_for_all_reasons(scene: Scene) -> None:
    """The only distribution point is for keyCompromise alone."""
    _points(scene, sequence(_names(HTTP), SOME_REASONS))


@case("R273", "ERROR", "foreign-ee")
def point_for_all_reasons_but_the_last(scene: Scene) -> None:
    """The only distribution point is for every reason but aACompromise."""
    _points(scene, sequence(_names(HTTP), Node(0x81, b"\x00\x7f")))


@case("R274", "WARNING", "foreign-ee")
def lists_in_the_directory_alone(scene: Scene) -> None:
    """The only distribution point is a directoryName."""
    _points(scene, sequence(_names(OTHER_NAME)))


@case("R274", "WARNING", "foreign-ee")
def lists_by_ftp_alone(scene: Scene) -> None:
    """The only distribution point is an ftp URI."""
    _points(scene, sequence(_names(Node(0x86, b"ftp://lists.example.jp/a.crl"))))


@case("R275", "ERROR", "foreign-ee")
def list_at_a_relative_uri(scene: Scene) -> None:
    """A URI of the distribution points has no scheme."""
    _points(scene, sequence(_names(HTTP, Node(0x86, b"/a.crl"))))


@case("R275", "ERROR", "ee-sign")
def list_of_a_holder_at_a_relative_uri_too(scene: Scene) -> None:
    """A second URI in a certificate of the HPKI has no scheme."""
    _points(scene, sequence(_names(HTTP, Node(0x86, b"/a.crl"))))


@case("R275", "ERROR", "foreign-ee")
def delta_list_at_a_uri_with_a_blank(scene: Scene) -> None:
    """The URI in freshestCRL has a blank."""
    point = sequence(_names(Node(0x86, b"http://lists.example.jp/delta list.crl")))
    scene.first.add(oids.FRESHEST_CRL, sequence(point))


@case("R275", "WARNING", "foreign-ee")
def list_on_a_host_of_one_label(scene: Scene) -> None:
    """The host of the list is not fully qualified."""
    _points(scene, sequence(_names(Node(0x86, b"http://lists/a.crl"))))


def _ldap(scene: Scene, uri: bytes) -> None:
    _points(scene, sequence(_names(Node(0x86, uri))))


@case("R276", "ERROR", "foreign-ee")
def ldap_without_attribute(scene: Scene) -> None:
    """The LDAP URI of a list names no attribute."""
    _ldap(scene, b"ldap://ldap.example.jp/cn=DEMO,c=JP")


@case("R276", "ERROR", "foreign-ee")
def ldap_without_entry(scene: Scene) -> None:
    """The LDAP URI of a list names no entry."""
    _ldap(scene, b"ldap://ldap.example.jp/?certificateRevocationList")


@case("R276", "ERROR", "foreign-ee")
def ldap_with_two_attributes(scene: Scene) -> None:
    """The LDAP URI of a list names two attributes."""
    _ldap(scene, b"ldap://ldap.example.jp/cn=DEMO,c=JP?certificateRevocationList,cACertificate")


@case("R276", "WARNING", "foreign-ee")
def ldap_without_host(scene: Scene) -> None:
    """The LDAP URI of a list names no host."""
    _ldap(scene, b"ldap:///cn=DEMO,c=JP?certificateRevocationList")


ISSUERS, REPOSITORY, OCSP = (oid(f"1.3.6.1.5.5.7.48.{arc}") for arc in (2, 5, 1))


def _access(scene: Scene, method: Node, place: Node) -> None:
    scene.first.add(oids.AUTHORITY_INFO_ACCESS, sequence(sequence(method, place)))


@case("R276", "ERROR", "foreign-ee")
def ldap_of_the_issuers_without_attribute(scene: Scene) -> None:
    """The LDAP URI of the issuer's certificates names no attribute."""
    _access(scene, ISSUERS, Node(0x86, b"ldap://ldap.example.jp/cn=DEMO,c=JP"))


@case("R277", "WARNING", "foreign-ee")
def issuers_in_the_directory_alone(scene: Scene) -> None:
    """id-ad-caIssuers has a directoryName alone."""
    _access(scene, ISSUERS, OTHER_NAME)


@case("R277", "WARNING", "foreign-ca")
def repository_by_ftp_alone(scene: Scene) -> None:
    """id-ad-caRepository has an ftp URI alone."""
    place = Node(0x86, b"ftp://ftp.example.jp/certificates.p7c")
    scene.first.add(oids.SUBJECT_INFO_ACCESS, sequence(sequence(REPOSITORY, place)))


@case("R277", "WARNING", "foreign-ee")
def ocsp_by_its_host(scene: Scene) -> None:
    """id-ad-ocsp has a dNSName, not a URI."""
    _access(scene, OCSP, Node(0x82, b"ocsp.example.jp"))


@case("R278", "ERROR", "foreign-ee")
def ocsp_at_a_relative_uri(scene: Scene) -> None:
    """The URI of id-ad-ocsp has no scheme."""
    _access(scene, OCSP, Node(0x86, b"ocsp.example.jp"))


@case("R278", "WARNING", "foreign-ee")
def ocsp_on_a_host_of_one_label(scene: Scene) -> None:
    """The host of the OCSP responder is not fully qualified."""
    _access(scene, OCSP, Node(0x86, b"http://ocsp/"))
