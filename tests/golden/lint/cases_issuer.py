"""Defects between a certificate and its issuer: R401 to R409."""

from __future__ import annotations

from datetime import timedelta

from pki import oids
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.shapes import begins, rdn, replace
from tests.golden.lint.sound import NOW
from tests.golden.lint.tree import Node, integer, node, oid, sequence

SHA1_WITH_RSA = "1.2.840.113549.1.1.5"
PRINTABLE = 0x13


def no_signature(draft: Draft) -> None:
    """Put zeros in the place of the signature."""

    def blank(signed: Node) -> None:
        signed.children[2] = Node(0x03, b"\x00" + bytes(384))

    draft.after = blank


def algorithm(draft: Draft, dotted: str, inside: Node) -> None:
    """Name another signature algorithm inside and outside."""
    for one in (inside, draft.tree[1]):
        one.children[0] = oid(dotted)


def directory_subtree(organization: str) -> Node:
    """A subtree of all names below C=JP and the organization."""
    name = sequence(rdn(oids.COUNTRY, "JP", PRINTABLE), rdn(oids.ORGANIZATION, organization))
    return sequence(node(0xA4, name))


@case("R401", "ERROR", "ee-sign")
def signed_by_another_key(scene: Scene) -> None:
    """The signature is another key's than that which the AKI names."""
    scene.first.signer = "other"


@case("R401", "ERROR", "ee-sign", options=("strict",))
def signed_by_another_key_than_ours(scene: Scene) -> None:
    """As before, judged as this centre judges itself."""
    scene.first.signer = "other"


@case("R401", "ERROR", "root")
def root_not_signed_by_itself(scene: Scene) -> None:
    """The root names itself as issuer, but the signature is another key's."""
    scene.first.signer = "other"


@case("R401", "ERROR", "ng-ee-sign")
def ecdsa_signature_of_other_octets(scene: Scene) -> None:
    """The certificate was changed after it was signed."""

    def change(signed: Node) -> None:
        serial = signed[0][1]
        serial.octets = serial.octets[:-1] + bytes((serial.octets[-1] ^ 1,))

    scene.first.after = change


@case("R401", "ERROR", "ee-sign")
def zeros_for_a_signature(scene: Scene) -> None:
    """The signature is zeros: a placeholder that was never replaced."""
    no_signature(scene.first)


@case("R401", "WARNING", "ee-sign", options=("strict",))
def placeholder_under_what_is_to_be_signed(scene: Scene) -> None:
    """The signature is the placeholder under which this centre judges before it signs."""
    no_signature(scene.first)


@case("R401", "WARNING", "ee-sign", also=("H002 ERROR",))
def algorithm_that_is_not_verified(scene: Scene) -> None:
    """The signature is by SHA-1, which is not verified here."""
    algorithm(scene.first, SHA1_WITH_RSA, scene.first.field("signature"))


@case("R401", "ERROR", "ee-sign", also=("H002 ERROR",))
def algorithm_of_another_kind_of_key(scene: Scene) -> None:
    """The signature is said to be ECDSA's, the issuer has an RSA key."""
    algorithm(scene.first, oids.ECDSA_WITH_SHA256, scene.first.field("signature"))


@case("R402", "WARNING", "ee-sign", also=("H004 WARNING",))
def issuer_name_encoded_otherwise(scene: Scene) -> None:
    """The issuer's O is PrintableString, in the CA's own certificate UTF8String."""
    issuer = scene.first.field("issuer")
    replace(issuer, oids.ORGANIZATION, "DEMO Certification Centre", PRINTABLE)


@case("R402", "ERROR", "ee-sign", also=("H004 ERROR",), options=("strict",))
def issuer_name_encoded_otherwise_by_us(scene: Scene) -> None:
    """As before, judged as this centre judges itself."""
    issuer_name_encoded_otherwise(scene)


@case("R403", "ERROR", "ee-sign")
def aki_names_another_key(scene: Scene) -> None:
    """The keyIdentifier of the AKI is not that of the key that signed."""
    value = scene.first.value(oids.AUTHORITY_KEY_IDENTIFIER)
    value[0].octets = bytes(20)
    scene.first.put(oids.AUTHORITY_KEY_IDENTIFIER, value)


@case("R404", "ERROR", "ee-sign", elsewhere=("2 H030 ERROR",))
def issuer_is_no_ca(scene: Scene) -> None:
    """The issuing certificate has basicConstraints without cA TRUE."""
    scene.issuer.put(oids.BASIC_CONSTRAINTS, sequence())


@case("R404", "ERROR", "ee-sign", elsewhere=("2 H030 ERROR",))
def issuer_without_basic_constraints(scene: Scene) -> None:
    """The issuing certificate has no basicConstraints."""
    scene.issuer.drop(oids.BASIC_CONSTRAINTS)


@case("R405", "ERROR", "ee-sign", elsewhere=("2 H040 ERROR",))
def issuer_may_not_sign_certificates(scene: Scene) -> None:
    """The keyUsage of the issuing certificate is cRLSign alone."""
    scene.issuer.put(oids.KEY_USAGE, b"\x03\x02\x01\x02")


@case("R406", "ERROR", "sub-ca-sign", elsewhere=("2 H030 ERROR",))
def ca_below_path_length_zero(scene: Scene) -> None:
    """The root allows no CA below it, by pathLenConstraint 0."""
    value = scene.issuer.value(oids.BASIC_CONSTRAINTS)
    value.children.append(integer(0))
    scene.issuer.put(oids.BASIC_CONSTRAINTS, value)


@case("R407", "ERROR", "ee-sign", elsewhere=("2 P001 WARNING",))
def subject_outside_permitted_names(scene: Scene) -> None:
    """The issuer may name only what is below another organization."""
    value = sequence(node(0xA0, directory_subtree("Elsewhere")))
    scene.issuer.add(oids.NAME_CONSTRAINTS, value, critical=True)


@case("R407", "ERROR", "ee-sign-director", elsewhere=("2 P001 WARNING",))
def subject_within_excluded_names(scene: Scene) -> None:
    """The issuer may not name what is below the organization of the subject."""
    value = sequence(node(0xA1, directory_subtree("demo  hospital")))
    scene.issuer.add(oids.NAME_CONSTRAINTS, value, critical=True)


@case("R407", "ERROR", "ee-sign-director", elsewhere=("2 P001 WARNING",))
def alternative_name_within_excluded_names(scene: Scene) -> None:
    """The issuer may not name what is below the organization of the alternative name."""
    value = sequence(node(0xA1, directory_subtree("DEMO 見本病院")))
    scene.issuer.add(oids.NAME_CONSTRAINTS, value, critical=True)


@case("R408", "WARNING", "ee-sign")
def begins_before_its_issuer(scene: Scene) -> None:
    """The certificate begins a day before the CA's."""
    begins(scene.first, NOW.replace(hour=15) - timedelta(days=2))


@case("R408", "WARNING", "ee-sign", also=("H081 INFO",))
def begins_on_the_issuer_s_day_at_another_hour(scene: Scene) -> None:
    """The certificate begins an hour before the CA's, at no beginning of Japan's day."""
    begins(scene.first, NOW - timedelta(hours=1))


@case("R409", "ERROR", "ee-sign", elsewhere=("4 R409 ERROR", "4 H053 INFO"))
def serial_number_given_twice(scene: Scene) -> None:
    """Another certificate of the CA has the same serial number."""
    twin = Draft(scene.first.encode(), scene.first.signer)
    replace(twin.field("subject"), oids.COMMON_NAME, "Taro Demo")
    scene.objects.append(twin)
