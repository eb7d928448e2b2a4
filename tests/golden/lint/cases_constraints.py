"""Defects of policies and constraints: R240 to R250."""

from __future__ import annotations

from pki import oids
from tests.golden.lint.case import Scene, case
from tests.golden.lint.tree import Node, integer, node, oid, sequence, text

POLICY = "1.2.392.200999.1.1"
OTHER_POLICY = "1.2.392.200999.1.2"
VISIBLE, IA5, BMP = 0x1A, 0x16, 0x1E


def _policies(scene: Scene, *policies: Node) -> None:
    scene.first.put(oids.CERTIFICATE_POLICIES, sequence(*policies))


def _qualified(scene: Scene, qualifier: Node, policy: str = POLICY) -> None:
    _policies(scene, sequence(oid(policy), sequence(qualifier)))


@case("R240", "ERROR", "foreign-ee")
def policy_twice(scene: Scene) -> None:
    """certificatePolicies has one policy twice."""
    _policies(scene, *(sequence(oid(one)) for one in (POLICY, OTHER_POLICY, POLICY)))


@case("R241", "ERROR", "foreign-ee")
def qualifiers_empty(scene: Scene) -> None:
    """The list of a policy's qualifiers holds none."""
    _policies(scene, sequence(oid(POLICY), sequence()))


UNKNOWN = sequence(oid("1.3.6.1.5.5.7.2.9"), integer(1))


@case("R241", "ERROR", "foreign-ca")
def any_policy_with_an_unknown_qualifier(scene: Scene) -> None:
    """anyPolicy has a qualifier that is neither CPS URI nor userNotice."""
    _qualified(scene, UNKNOWN, oids.ANY_POLICY)


@case("R241", "WARNING", "foreign-ee")
def unknown_qualifier(scene: Scene) -> None:
    """A policy has a qualifier that is neither CPS URI nor userNotice."""
    _qualified(scene, UNKNOWN)


@case("R242", "ERROR", "foreign-ee")
def practice_statement_as_utf8string(scene: Scene) -> None:
    """The CPS URI is a UTF8String."""
    _qualified(scene, sequence(oid(oids.QUALIFIER_CPS), text("http://www.example.jp/cps")))


@case("R242", "ERROR", "foreign-ee")
def practice_statement_relative(scene: Scene) -> None:
    """The CPS URI has no scheme."""
    _qualified(scene, sequence(oid(oids.QUALIFIER_CPS), text("www.example.jp/cps", IA5)))


@case("R242", "ERROR", "foreign-ee")
def practice_statement_empty(scene: Scene) -> None:
    """The CPS URI is empty."""
    _qualified(scene, sequence(oid(oids.QUALIFIER_CPS), text("", IA5)))


@case("R242", "WARNING", "foreign-ee")
def practice_statement_on_a_host_of_one_label(scene: Scene) -> None:
    """The host of the CPS URI is not fully qualified."""
    _qualified(scene, sequence(oid(oids.QUALIFIER_CPS), text("http://intranet/cps", IA5)))


def _notice(scene: Scene, *parts: Node) -> None:
    _qualified(scene, sequence(oid(oids.QUALIFIER_USER_NOTICE), sequence(*parts)))


@case("R243", "ERROR", "foreign-ee")
def notice_as_ia5string(scene: Scene) -> None:
    """explicitText is an IA5String."""
    _notice(scene, text("For demonstration only", IA5))


@case("R243", "ERROR", "foreign-ee")
def notice_as_integer(scene: Scene) -> None:
    """explicitText is no string at all."""
    _notice(scene, integer(1))


@case("R243", "WARNING", "foreign-ee")
def notice_as_visiblestring(scene: Scene) -> None:
    """explicitText is a VisibleString."""
    _notice(scene, text("For demonstration only", VISIBLE))


@case("R243", "WARNING", "foreign-ee")
def notice_as_bmpstring(scene: Scene) -> None:
    """explicitText is a BMPString."""
    _notice(scene, text("見本です", BMP))


@case("R243", "ERROR", "foreign-ee")
def notice_of_201_characters(scene: Scene) -> None:
    """explicitText has 201 characters."""
    _notice(scene, text("見" * 201))


@case("R243", "ERROR", "foreign-ee")
def notice_empty(scene: Scene) -> None:
    """explicitText has no characters."""
    _notice(scene, text(""))


@case("R243", "ERROR", "foreign-ee")
def notice_that_is_no_utf8(scene: Scene) -> None:
    """explicitText is a UTF8String with octets of Shift JIS."""
    _notice(scene, Node(0x0C, "見本です".encode("shift_jis")))


@case("R243", "WARNING", "foreign-ee")
def notice_with_a_line_break(scene: Scene) -> None:
    """explicitText has a line break in it."""
    _notice(scene, text("For demonstration\nonly"))


@case("R243", "WARNING", "foreign-ee")
def notice_not_normalized(scene: Scene) -> None:
    """explicitText has a voicing mark behind its letter, not in one character with it."""
    _notice(scene, text("\u304b\u3099"))


@case("R243", "WARNING", "foreign-ee")
def notice_by_reference(scene: Scene) -> None:
    """userNotice has a noticeRef beside its explicitText."""
    reference = sequence(text("DEMO"), sequence(integer(1)))
    _notice(scene, reference, text("For demonstration only"))


@case("R243", "ERROR", "foreign-ee")
def notice_of_two_texts(scene: Scene) -> None:
    """userNotice has two texts."""
    _notice(scene, text("For demonstration only"), text("Really"))


@case("R243", "ERROR", "foreign-ee")
def notice_that_is_no_sequence(scene: Scene) -> None:
    """userNotice is a bare text."""
    _qualified(scene, sequence(oid(oids.QUALIFIER_USER_NOTICE), text("For demonstration only")))


@case("R243", "ERROR", "foreign-ee")
def notice_not_der(scene: Scene) -> None:
    """The length of explicitText has two octets where one is enough."""
    notice = text("For demonstration only")
    notice.length = b"\x81" + bytes((len(notice.octets),))
    _notice(scene, notice)


def _mappings(scene: Scene, *pairs: tuple[str, str]) -> None:
    tree = sequence(*(sequence(oid(one), oid(other)) for one, other in pairs))
    scene.first.add(oids.POLICY_MAPPINGS, tree, critical=True)


@case("R244", "ERROR", "foreign-ca")
def mapping_from_any_policy(scene: Scene) -> None:
    """policyMappings maps anyPolicy to a policy."""
    _mappings(scene, (oids.ANY_POLICY, OTHER_POLICY))


@case("R244", "ERROR", "foreign-ca")
def mapping_to_any_policy(scene: Scene) -> None:
    """policyMappings maps a policy to anyPolicy."""
    _mappings(scene, (POLICY, oids.ANY_POLICY))


@case("R245", "WARNING", "foreign-ca")
def mapping_of_a_policy_not_asserted(scene: Scene) -> None:
    """policyMappings maps a policy that certificatePolicies has not."""
    _mappings(scene, (POLICY, OTHER_POLICY), (OTHER_POLICY, POLICY))


@case("R246", "WARNING", "foreign-ee")
def mappings_of_an_end_entity(scene: Scene) -> None:
    """policyMappings stands in an end entity's certificate."""
    _mappings(scene, (POLICY, OTHER_POLICY))


@case("R246", "WARNING", "foreign-ee")
def policy_constraints_of_an_end_entity(scene: Scene) -> None:
    """policyConstraints stands in an end entity's certificate."""
    scene.first.add(oids.POLICY_CONSTRAINTS, sequence(Node(0x80, b"\x00")), critical=True)


@case("R246", "WARNING", "foreign-ee")
def inhibit_any_policy_of_an_end_entity(scene: Scene) -> None:
    """inhibitAnyPolicy stands in an end entity's certificate."""
    scene.first.add(oids.INHIBIT_ANY_POLICY, integer(0), critical=True)


@case("R247", "ERROR", "foreign-ca")
def explicit_policy_after_minus_one(scene: Scene) -> None:
    """requireExplicitPolicy is -1."""
    scene.first.add(oids.POLICY_CONSTRAINTS, sequence(Node(0x80, b"\xff")), critical=True)


@case("R247", "ERROR", "foreign-ca")
def mapping_inhibited_after_minus_one(scene: Scene) -> None:
    """inhibitPolicyMapping is -1."""
    scene.first.add(oids.POLICY_CONSTRAINTS, sequence(Node(0x81, b"\xff")), critical=True)


@case("R247", "ERROR", "foreign-ca")
def any_policy_inhibited_after_minus_one(scene: Scene) -> None:
    """inhibitAnyPolicy is -1."""
    scene.first.add(oids.INHIBIT_ANY_POLICY, integer(-1), critical=True)


def _constraints(scene: Scene, *subtrees: Node, field: int = 0xA0) -> None:
    tree = sequence(node(field, *subtrees))
    scene.first.add(oids.NAME_CONSTRAINTS, tree, critical=True)


def _base(tag: int, value: bytes) -> Node:
    return sequence(Node(tag, value))


@case("R248", "ERROR", "foreign-ee")
def name_constraints_of_an_end_entity(scene: Scene) -> None:
    """nameConstraints stands in an end entity's certificate."""
    _constraints(scene, _base(0x82, b"example.jp"))


@case("R248", "ERROR", "ee-sign", also=("H073 WARNING",))
def name_constraints_of_a_holder(scene: Scene) -> None:
    """nameConstraints stands in a holder's certificate of the HPKI."""
    _constraints(scene, _base(0x82, b"example.jp"))


@case("R249", "ERROR", "foreign-ca")
def permitted_subtrees_empty(scene: Scene) -> None:
    """permittedSubtrees holds none."""
    _constraints(scene)


@case("R249", "ERROR", "foreign-ca")
def excluded_subtrees_empty(scene: Scene) -> None:
    """excludedSubtrees holds none."""
    _constraints(scene, field=0xA1)


@case("R249", "ERROR", "sub-ca-sign", also=("P001 WARNING",))
def subtree_from_one_below(scene: Scene) -> None:
    """A subtree of nameConstraints has the minimum 1."""
    _constraints(scene, sequence(Node(0x82, b"example.jp"), Node(0x80, b"\x01")))


@case("R249", "ERROR", "foreign-ca")
def subtree_with_a_maximum(scene: Scene) -> None:
    """A subtree of nameConstraints has the maximum 0."""
    _constraints(scene, sequence(Node(0x82, b"example.jp"), Node(0x81, b"\x00")), field=0xA1)


@case("R250", "ERROR", "foreign-ca")
def constraint_by_a_whole_uri(scene: Scene) -> None:
    """nameConstraints has a URI with scheme and path, not a host."""
    _constraints(scene, _base(0x86, b"http://www.example.jp/"))


@case("R250", "ERROR", "foreign-ca")
def constraint_by_an_empty_uri(scene: Scene) -> None:
    """nameConstraints has an empty URI."""
    _constraints(scene, _base(0x86, b""))


@case("R250", "ERROR", "foreign-ca")
def constraint_by_a_wildcard(scene: Scene) -> None:
    """nameConstraints has a dNSName with a wildcard."""
    _constraints(scene, _base(0x82, b"*.example.jp"), field=0xA1)


@case("R250", "ERROR", "foreign-ca")
def constraint_by_a_user_without_host(scene: Scene) -> None:
    """nameConstraints has an rfc822Name that ends with its at sign."""
    _constraints(scene, _base(0x81, b"demo@"))


@case("R250", "ERROR", "foreign-ca")
def constraint_of_hosts_by_a_mailbox(scene: Scene) -> None:
    """nameConstraints has a mailbox as dNSName."""
    _constraints(scene, _base(0x82, b"demo@example.jp"))


@case("R250", "ERROR", "foreign-ca")
def constraint_beyond_ascii(scene: Scene) -> None:
    """nameConstraints has a dNSName with an octet above 127."""
    _constraints(scene, _base(0x82, b"d\xe9mo.example.jp"))


@case("R250", "ERROR", "foreign-ca")
def constraint_by_an_address_without_mask(scene: Scene) -> None:
    """nameConstraints has an iPAddress of four octets."""
    _constraints(scene, _base(0x87, b"\xc0\x00\x02\x00"))


@case("R250", "ERROR", "foreign-ca")
def constraint_by_a_mask_with_a_hole(scene: Scene) -> None:
    """The mask of an iPAddress in nameConstraints is 255.0.255.0."""
    _constraints(scene, _base(0x87, b"\xc0\x00\x02\x00\xff\x00\xff\x00"))


@case("R250", "WARNING", "foreign-ca")
def constraint_by_a_registered_id(scene: Scene) -> None:
    """nameConstraints has a registeredID, for which nothing is defined."""
    _constraints(scene, _base(0x88, b"\x2a\x03"))
