"""Cases of the HPKI's rules on policies and distribution points: H050 to H053, H070, H071."""

from __future__ import annotations

from collections.abc import Callable

from pki import oids
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.shapes import cps, name_point, policy, rdn, remove, replace, uri_point
from tests.golden.lint.tree import Node, node, oid, sequence, text

HTTP = "http://repository.demo-hpki.example.jp/sign.crl"
CPS = "http://www.demo-hpki.example.jp/cps/"
SIGNING_TEST = "1.2.392.100495.1.5.1.1.0.1"
SIGNING = "1.2.392.100495.1.5.1.1.3.1"
PERSON_TEST = "1.2.392.100495.1.5.1.2.0.1"


@case("H050", "WARNING", "root")
def root_with_policy(scene: Scene) -> None:
    """The root has a policy of the HPKI."""
    scene.first.add(oids.CERTIFICATE_POLICIES, sequence(policy(SIGNING)), critical=True)


@case("H050", "ERROR", "root", options=("strict",))
def root_with_any_policy_before_signing(scene: Scene) -> None:
    """The root that this centre is about to sign has anyPolicy."""
    scene.first.add(oids.CERTIFICATE_POLICIES, sequence(policy(oids.ANY_POLICY)))


@case("H050", "WARNING", "root-link-new-with-old")
def link_with_policy(scene: Scene) -> None:
    """A link certificate has a policy of the HPKI."""
    scene.first.add(oids.CERTIFICATE_POLICIES, sequence(policy(SIGNING)))


@case("H050", "WARNING", "root-link-old-with-new")
def link_with_critical_any_policy(scene: Scene) -> None:
    """A link certificate has anyPolicy, critical."""
    scene.first.add(oids.CERTIFICATE_POLICIES, sequence(policy(oids.ANY_POLICY)), critical=True)


@case("H051", "ERROR", "ee-sign", hides=("H053 INFO",))
def no_policy(scene: Scene) -> None:
    """certificatePolicies is missing."""
    scene.first.drop(oids.CERTIFICATE_POLICIES)


@case("H051", "ERROR", "sub-ca-sign")
def policy_not_critical(scene: Scene) -> None:
    """certificatePolicies is not critical."""
    scene.first.critical(oids.CERTIFICATE_POLICIES, False)


@case("H051", "ERROR", "ee-sign")
def two_policies(scene: Scene) -> None:
    """certificatePolicies has anyPolicy beside the HPKI's policy."""
    _policies(scene.first, policy(SIGNING_TEST, cps(CPS)), policy(oids.ANY_POLICY))


@case("H051", "ERROR", "ee-sign", hides=("H053 INFO",))
def policy_of_somebody_else(scene: Scene) -> None:
    """The policy is not below the HPKI's arc."""
    _policies(scene.first, policy("1.2.392.100496.1.5.1.1.0.1", cps(CPS)))


@case("H051", "ERROR", "sub-ca-sign")
def no_qualifier(scene: Scene) -> None:
    """The policy has no qualifier."""
    _policies(scene.first, policy(SIGNING_TEST))


@case("H051", "ERROR", "ee-sign")
def two_qualifiers(scene: Scene) -> None:
    """The policy has two CPS URIs."""
    _policies(scene.first, policy(SIGNING_TEST, cps(CPS), cps(CPS + "en/")))


@case("H051", "ERROR", "ee-sign")
def user_notice(scene: Scene) -> None:
    """The policy's qualifier is a user notice."""
    notice = sequence(oid(oids.QUALIFIER_USER_NOTICE), sequence(text("See the CPS.")))
    _policies(scene.first, policy(SIGNING_TEST, notice))


@case("H051", "ERROR", "ee-auth")
def cps_uri_as_utf8(scene: Scene) -> None:
    """The CPS URI is a UTF8String."""
    _policies(scene.first, policy(PERSON_TEST, cps(CPS, 0x0C)))


@case("H051", "ERROR", "ee-sign")
def cps_uri_of_another_scheme(scene: Scene) -> None:
    """The CPS URI is an ftp URI."""
    _policies(scene.first, policy(SIGNING_TEST, cps("ftp://www.demo-hpki.example.jp/cps/")))


def _policies(draft: Draft, *policies: Node) -> None:
    draft.put(oids.CERTIFICATE_POLICIES, sequence(*policies))


@case("H052", "ERROR", "ee-sign", hides=("H053 INFO",))
def policy_of_another_level(scene: Scene) -> None:
    """The policy is for signing, of a level that is neither production nor test."""
    _policies(scene.first, policy("1.2.392.100495.1.5.1.1.9.1", cps(CPS)))


@case("H052", "ERROR", "sub-ca-sign")
def policy_of_ca_of_another_version(scene: Scene) -> None:
    """The CA's policy is the one for signing in another version."""
    _policies(scene.first, policy("1.2.392.100495.1.5.1.1.3.2", cps(CPS)))


@case("H052", "ERROR", "ee-sign", hides=("H053 INFO",), options=("site=training",))
def production_policy_from_training_site(scene: Scene) -> None:
    """The policy is the one of production, and a training site issues the certificate."""
    _policies(scene.first, policy(SIGNING, cps(CPS)))


@case("H052", "ERROR", "ee-sign", elsewhere=("2 H052 ERROR",), options=("site=production",))
def test_policy_from_production_site(scene: Scene) -> None:
    """The policies are those for tests, and a production site issues the certificates."""


@case("H052", "ERROR", "ee-sign", elsewhere=("2 H010 ERROR",))
def issuer_with_policy_of_another_purpose(scene: Scene) -> None:
    """The issuer's policy is for authentication, the certificate's for signing."""
    _policies(scene.issuer, policy(PERSON_TEST, cps(CPS)))


@case("H010", "ERROR", "ee-sign", also=("H042 WARNING",))
def authentication_below_the_signing_ca(scene: Scene) -> None:
    """The signing CA issued a certificate whose policy is for authentication."""
    _policies(scene.first, policy(PERSON_TEST, cps(CPS)))


@case("H053", "INFO", "ee-sign")
def test_card_of_a_production_ca(scene: Scene) -> None:
    """The policy is for tests, the issuer's for production, as on the cards for testing."""
    _policies(scene.issuer, policy(SIGNING, cps(CPS)))


@case("H070", "WARNING", "sub-ca-sign")
def ca_without_distribution_points(scene: Scene) -> None:
    """cRLDistributionPoints of a CA is missing."""
    scene.first.drop(oids.CRL_DISTRIBUTION_POINTS)


@case("H070", "WARNING", "root")
def critical_distribution_points_of_root(scene: Scene) -> None:
    """cRLDistributionPoints of a root is critical."""
    scene.first.critical(oids.CRL_DISTRIBUTION_POINTS, True)


@case("H070", "WARNING", "sub-ca-sign")
def no_directory_name_of_the_list(scene: Scene) -> None:
    """A CA's distribution point is the URI alone."""
    _points(scene.first, lambda points: points[1:])


@case("H070", "WARNING", "sub-ca-sign")
def no_uri_of_the_list(scene: Scene) -> None:
    """A CA's distribution point is the directoryName alone."""
    _points(scene.first, lambda points: points[:1])


@case("H070", "WARNING", "sub-ca-sign")
def two_uris_of_the_list(scene: Scene) -> None:
    """A CA's distribution points are two URIs."""
    _points(scene.first, lambda points: [points[1], uri_point(HTTP)])


@case("H070", "WARNING", "root")
def both_names_in_one_point(scene: Scene) -> None:
    """directoryName and URI stand in one distribution point."""
    _points(
        scene.first,
        lambda points: [sequence(node(0xA0, node(0xA0, *(one[0][0][0] for one in points))))],
    )


@case("H070", "WARNING", "sub-ca-sign")
def list_of_the_roots_own_level(scene: Scene) -> None:
    """A subordinate CA's distribution point is RARL, not SARL."""

    def change(points: list[Node]) -> list[Node]:
        replace(points[0][0][0][0][0], oids.COMMON_NAME, "RARL")
        return points

    _points(scene.first, change)


@case("H070", "WARNING", "sub-ca-sign")
def list_of_somebody_else(scene: Scene) -> None:
    """The directoryName of the list is not below the issuer's name."""

    def change(points: list[Node]) -> list[Node]:
        remove(points[0][0][0][0][0], oids.ORGANIZATIONAL_UNIT)
        return points

    _points(scene.first, change)


@case("H070", "WARNING", "root")
def list_of_root_by_ftp(scene: Scene) -> None:
    """The URI of the root's list is an ftp URI."""
    ftp = uri_point("ftp://repository.demo-hpki.example.jp/rarl.crl")
    _points(scene.first, lambda points: [points[0], ftp])


@case("H070", "WARNING", "sub-ca-auth")
def reasons_in_a_point_of_ca(scene: Scene) -> None:
    """A CA's distribution point has reasons, beside one for all."""
    _points(scene.first, lambda points: [points[0], uri_point(HTTP, Node(0x81, b"\x01\x7e"))])


@case("H070", "WARNING", "sub-ca-auth")
def crl_issuer_in_a_point_of_ca(scene: Scene) -> None:
    """A CA's distribution point has a cRLIssuer."""
    issuer = node(0xA2, node(0xA4, scene.first.field("subject")))
    _points(scene.first, lambda points: [points[0], uri_point(HTTP, issuer)])


@case("H070", "ERROR", "sub-ca-sign", options=("strict",))
def one_point_before_signing(scene: Scene) -> None:
    """The distribution point of a CA that this centre is about to sign is the URI alone."""
    _points(scene.first, lambda points: points[1:])


@case("H071", "ERROR", "ee-sign")
def no_distribution_points(scene: Scene) -> None:
    """cRLDistributionPoints is missing."""
    scene.first.drop(oids.CRL_DISTRIBUTION_POINTS)


@case("H071", "ERROR", "ee-auth")
def critical_distribution_points(scene: Scene) -> None:
    """cRLDistributionPoints is critical."""
    scene.first.critical(oids.CRL_DISTRIBUTION_POINTS, True)


@case("H071", "ERROR", "ee-sign")
def list_by_directory_name(scene: Scene) -> None:
    """The distribution point is a directoryName alone."""
    name = sequence(*scene.first.field("issuer").children, rdn(oids.COMMON_NAME, "CRL"))
    _points(scene.first, lambda _: [name_point(name)])


@case("H071", "WARNING", "ee-sign")
def list_by_https(scene: Scene) -> None:
    """The distribution point is an https URI alone."""
    _points(scene.first, lambda _: [uri_point(HTTP.replace("http:", "https:"))])


@case("H071", "ERROR", "ee-sign")
def reasons_in_a_point(scene: Scene) -> None:
    """A distribution point has reasons, beside one for all."""
    some = uri_point(HTTP, Node(0x81, b"\x01\x7e"))
    _points(scene.first, lambda points: [*points, some])


@case("H071", "ERROR", "ee-sign")
def crl_issuer_in_a_point(scene: Scene) -> None:
    """A distribution point has a cRLIssuer."""
    issuer = node(0xA2, node(0xA4, scene.issuer.field("issuer")))
    _points(scene.first, lambda _: [uri_point(HTTP, issuer)])


def _points(draft: Draft, change: Callable[[list[Node]], list[Node]]) -> None:
    value = draft.value(oids.CRL_DISTRIBUTION_POINTS)
    value.children = change(value.children)
    draft.put(oids.CRL_DISTRIBUTION_POINTS, value)
