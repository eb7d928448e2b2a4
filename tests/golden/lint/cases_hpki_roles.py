"""Cases of the HPKI's rules on hcRole: H060 to H066."""

from __future__ import annotations

from pki import oids
from tests.golden.lint.case import Draft, Scene, case
from tests.golden.lint.shapes import (
    BMP,
    NUMERIC,
    PRINTABLE,
    actor,
    coded_data,
    hc_role,
    place,
    rdn,
    remove,
    replace,
)
from tests.golden.lint.tree import Node, integer, node, oid, sequence, set_of, text

ROLE = oids.SUBJECT_DIRECTORY_ATTRIBUTES
DOCTOR = actor(coded_data("Medical Doctor"))
DIRECTOR = actor(coded_data("Director of Hospital"))
PHARMACIST = actor(coded_data("Pharmacist"))


def _attributes(draft: Draft, *attributes: Node) -> None:
    draft.put(ROLE, sequence(*attributes))


def _roles(draft: Draft, *actors: Node) -> None:
    _attributes(draft, hc_role(set_of(*actors)))


@case("H060", "ERROR", "ee-sign")
def critical_roles(scene: Scene) -> None:
    """subjectDirectoryAttributes is critical."""
    scene.first.critical(ROLE, True)


@case("H060", "ERROR", "ee-sign", also=("H066 INFO",))
def two_attributes_of_roles(scene: Scene) -> None:
    """subjectDirectoryAttributes has two attributes of hcRole."""
    _attributes(scene.first, hc_role(set_of(DOCTOR)), hc_role(set_of(PHARMACIST)))


@case("H061", "ERROR", "ee-sign", also=("H066 INFO",))
def two_values_of_roles(scene: Scene) -> None:
    """The roles stand in two HCActorData, not in one."""
    _attributes(scene.first, hc_role(set_of(PHARMACIST), set_of(DOCTOR)))


@case("H061", "ERROR", "ee-sign")
def one_set(scene: Scene) -> None:
    """HCActor stands in the values of the attribute, without the SET of HCActorData."""
    _attributes(scene.first, hc_role(DOCTOR))


@case("H061", "ERROR", "ee-sign")
def actor_data_as_sequence(scene: Scene) -> None:
    """HCActorData is a SEQUENCE."""
    _attributes(scene.first, hc_role(sequence(DOCTOR)))


@case("H061", "ERROR", "ee-sign")
def actor_as_set(scene: Scene) -> None:
    """HCActor is a SET."""
    _roles(scene.first, set_of(*DOCTOR.children))


@case("H061", "ERROR", "ee-sign")
def coded_data_as_sequence(scene: Scene) -> None:
    """CodedData is a SEQUENCE."""
    _roles(scene.first, actor(sequence(*coded_data("Medical Doctor").children)))


@case("H061", "ERROR", "ee-sign")
def implicit_coded_data(scene: Scene) -> None:
    """codedData is tagged IMPLICIT: its tag stands for the SET."""
    _roles(scene.first, sequence(node(0xA0, *coded_data("Medical Doctor").children)))


@case("H061", "ERROR", "ee-sign")
def implicit_coding_scheme(scene: Scene) -> None:
    """codingSchemeReference is tagged IMPLICIT."""
    scheme = Node(0x80, oid(oids.JHPKI_CODED_DATA).octets)
    _roles(scene.first, actor(set_of(scheme, coded_data("Medical Doctor")[1])))


@case("H061", "ERROR", "ee-sign")
def implicit_free_text(scene: Scene) -> None:
    """codeDataFreeText is tagged IMPLICIT."""
    scheme = coded_data("Medical Doctor")[0]
    _roles(scene.first, actor(set_of(scheme, text("Medical Doctor", 0x82))))


@case("H061", "ERROR", "ee-sign")
def another_tag_of_coded_data(scene: Scene) -> None:
    """codedData has the tag of regionalHCActorData."""
    _roles(scene.first, sequence(node(0xA1, coded_data("Medical Doctor"))))


@case("H061", "ERROR", "ee-sign")
def another_tag_of_free_text(scene: Scene) -> None:
    """codeDataFreeText has the tag 3."""
    coded = coded_data("Medical Doctor")
    coded[1].tag = 0xA3
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign")
def field_of_coded_data_twice(scene: Scene) -> None:
    """codeDataFreeText stands in CodedData twice."""
    coded = coded_data("Medical Doctor")
    coded.children.append(coded[1])
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign")
def no_free_text(scene: Scene) -> None:
    """CodedData has no codeDataFreeText."""
    coded = coded_data("Medical Doctor")
    del coded.children[1]
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign")
def no_coding_scheme(scene: Scene) -> None:
    """CodedData has no codingSchemeReference."""
    coded = coded_data("Medical Doctor")
    del coded.children[0]
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign")
def coding_scheme_known_as_mistake(scene: Scene) -> None:
    """codingSchemeReference is 1.2.392.100495.1.6.2.1."""
    _roles(scene.first, actor(coded_data("Medical Doctor", "1.2.392.100495.1.6.2.1")))


@case("H061", "ERROR", "ee-sign")
def another_coding_scheme(scene: Scene) -> None:
    """codingSchemeReference is the arc of ISO 17090."""
    _roles(scene.first, actor(coded_data("Medical Doctor", "1.0.17090.1")))


@case("H061", "ERROR", "ee-sign")
def role_as_printable_string(scene: Scene) -> None:
    """codeDataFreeText is a PrintableString."""
    _roles(scene.first, actor(coded_data("Medical Doctor", tag=PRINTABLE)))


@case("H061", "ERROR", "ee-sign")
def role_as_bmp_string(scene: Scene) -> None:
    """codeDataFreeText is a BMPString."""
    _roles(scene.first, actor(coded_data("Medical Doctor", tag=BMP)))


@case("H061", "ERROR", "ee-sign")
def role_not_utf8(scene: Scene) -> None:
    """codeDataFreeText says UTF8String and has octets that are none."""
    coded = coded_data("Medical Doctor")
    coded[1].children = [Node(0x0C, b"\xff\xfe")]
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign")
def fields_out_of_order(scene: Scene) -> None:
    """The fields of CodedData stand in the order [2], [0]."""
    coded = coded_data("Medical Doctor")
    coded.children.reverse()
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign-director")
def actors_out_of_order(scene: Scene) -> None:
    """The longer of two actors stands first in the SET OF."""
    _roles(scene.first, DIRECTOR, DOCTOR)


@case("H061", "ERROR", "ee-sign")
def length_not_in_shortest_form(scene: Scene) -> None:
    """A length inside hcRole has two octets where one is enough."""
    coded = coded_data("Medical Doctor")
    coded[1][0].length = b"\x81\x0e"
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign")
def octets_behind_the_scheme(scene: Scene) -> None:
    """A second element stands behind the OID inside the explicit tag."""
    coded = coded_data("Medical Doctor")
    coded[0].children.append(node(0x05))
    _roles(scene.first, actor(coded))


@case("H061", "ERROR", "ee-sign")
def octets_behind_the_role(scene: Scene) -> None:
    """A third element stands in HCActor."""
    _roles(scene.first, actor(coded_data("Medical Doctor"), node(0xA1, sequence()), node(0x05)))


@case("H061", "ERROR", "ee-sign")
def no_actor(scene: Scene) -> None:
    """HCActorData is empty."""
    _roles(scene.first)


@case("H061", "ERROR", "ee-sign")
def no_actor_data(scene: Scene) -> None:
    """The attribute of hcRole has no value."""
    _attributes(scene.first, hc_role())


@case("H061", "ERROR", "ee-sign")
def code_value_as_integer(scene: Scene) -> None:
    """codeDataValue is an INTEGER."""
    _roles(scene.first, actor(coded_data("Pharmacist", value=integer(123))))


@case("R101", "ERROR", "ee-sign")
def octets_behind_the_attributes(scene: Scene) -> None:
    """Two octets stand behind subjectDirectoryAttributes."""
    scene.first.put(ROLE, sequence(hc_role(set_of(DOCTOR))).encode() + b"\x05\x00")


@case("R101", "ERROR", "ee-sign", also=("H061 ERROR", "H066 INFO"))
def values_of_roles_out_of_order(scene: Scene) -> None:
    """The longer of two HCActorData stands first in the values of the attribute."""
    _attributes(scene.first, hc_role(set_of(DOCTOR), set_of(PHARMACIST)))


@case("R205", "ERROR", "ee-sign")
def no_attribute_at_all(scene: Scene) -> None:
    """subjectDirectoryAttributes is an empty SEQUENCE."""
    _attributes(scene.first)


@case("R118", "ERROR", "ee-sign")
def attribute_of_roles_without_set(scene: Scene) -> None:
    """The attribute of hcRole has an HCActor where the SET of values stands."""
    _attributes(scene.first, sequence(oid(oids.HEALTHCARE_ACTOR), DOCTOR))


@case("H062", "WARNING", "ee-sign")
def unknown_role(scene: Scene) -> None:
    """The role is none of the table."""
    _roles(scene.first, actor(coded_data("Veterinarian")))


@case("H062", "WARNING", "ee-sign")
def role_in_lower_case(scene: Scene) -> None:
    """The role is spelled in lower case."""
    _roles(scene.first, actor(coded_data("medical doctor")))


@case("H062", "WARNING", "ee-sign")
def role_in_japanese(scene: Scene) -> None:
    """The role is in Japanese."""
    _roles(scene.first, actor(coded_data("医師")))


@case("H063", "WARNING", "ee-sign")
def code_value(scene: Scene) -> None:
    """The role has a codeDataValue."""
    _roles(scene.first, actor(coded_data("Pharmacist", value=text("123", NUMERIC))))


@case("H063", "WARNING", "ee-sign")
def code_value_as_utf8(scene: Scene) -> None:
    """The role has a codeDataValue as UTF8String, as ISO 17090-2 shows it."""
    _roles(scene.first, actor(coded_data("Pharmacist", value=text("123"))))


@case("H063", "WARNING", "ee-sign")
def regional_data(scene: Scene) -> None:
    """The role has regionalHCActorData."""
    _roles(scene.first, actor(coded_data("Pharmacist"), node(0xA1, sequence(node(0x05)))))


@case("H063", "WARNING", "ee-sign")
def code_value_and_regional_data(scene: Scene) -> None:
    """The role has a codeDataValue, and an empty regionalHCActorData."""
    coded = coded_data("Pharmacist", value=text("123", NUMERIC))
    _roles(scene.first, actor(coded, node(0xA1, sequence())))


@case("H064", "ERROR", "ee-sign-director")
def director_without_organization(scene: Scene) -> None:
    """The holder of an administrator role has no O."""
    remove(scene.first.field("subject"), oids.ORGANIZATION)


@case("H064", "ERROR", "ee-sign-director")
def director_without_unit(scene: Scene) -> None:
    """The holder of an administrator role has no OU."""
    remove(scene.first.field("subject"), oids.ORGANIZATIONAL_UNIT)


@case("H064", "ERROR", "ee-sign-director")
def director_in_lower_case(scene: Scene) -> None:
    """OU of the holder of an administrator role is director."""
    replace(scene.first.field("subject"), oids.ORGANIZATIONAL_UNIT, "director")


@case("H065", "WARNING", "ee-sign")
def unit_director_of_a_doctor(scene: Scene) -> None:
    """OU is Director, and the holder is a doctor only."""
    subject = scene.first.field("subject")
    unit = rdn(oids.ORGANIZATIONAL_UNIT, "Director")
    subject.children.insert(place(subject, oids.COMMON_NAME), unit)


@case("H065", "WARNING", "ee-sign-clerk")
def unit_director_without_role(scene: Scene) -> None:
    """OU is Director, and there is no hcRole."""
    subject = scene.first.field("subject")
    unit = rdn(oids.ORGANIZATIONAL_UNIT, "Director")
    subject.children.insert(place(subject, oids.COMMON_NAME), unit)


@case("H066", "INFO", "ee-auth")
def two_roles(scene: Scene) -> None:
    """hcRole has two roles."""
    _roles(scene.first, PHARMACIST, DOCTOR)
