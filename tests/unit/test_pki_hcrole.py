"""hcRole: the observed bytes both ways, and nothing but InvalidInput for other bytes."""

from __future__ import annotations

import base64

import pytest
from asn1crypto import core
from hypothesis import example, given
from hypothesis import strategies as st

from pki import oids
from pki.errors import InvalidInput
from pki.hcrole import HcActor, decode_hc_roles, encode_hc_roles, read_hc_actor_data
from policies.hcroles import hc_role_table

DOCTOR = (
    "303430320606288185420001312831263024A0223120"
    "A00C060A2A830886910F01060101A2100C0E4D65646963616C20446F63746F72"
)
PHARMACIST = (
    "3030302E0606288185420001312431223020A01E311C"
    "A00C060A2A830886910F01060101A20C0C0A506861726D6163697374"
)
DOCTOR_AND_DIRECTOR = (
    "3060305E0606288185420001315431523024A0223120A00C060A2A830886910F01060101"
    "A2100C0E4D65646963616C20446F63746F72302AA0283126A00C060A2A830886910F01060101"
    "A2160C144469726563746F72206F6620486F73706974616C"
)
VECTORS = [
    (("Medical Doctor",), DOCTOR),
    (("Pharmacist",), PHARMACIST),
    (("Medical Doctor", "Director of Hospital"), DOCTOR_AND_DIRECTOR),
]
WITH_CODE_VALUE = "MCegJTEjoAwGCiqDCIaRDwEGAQGhBRIDMTIzogwMClBoYXJtYWNpc3Q="
WITH_REGION = "MCugJTEjoAwGCiqDCIaRDwEGAQGhBRIDMTIzogwMClBoYXJtYWNpc3ShAjAA"
TYPE = bytes.fromhex("0606288185420001")


def element(tag: int, content: bytes) -> bytes:
    """One TLV by asn1crypto, as a second encoder."""
    size = len(content)
    length = bytes((size,)) if size < 128 else bytes((0x82, *divmod(size, 256)))
    return bytes((tag,)) + length + content


def wrapped(actors: bytes) -> bytes:
    return element(0x30, element(0x30, TYPE + element(0x31, element(0x31, actors))))


@pytest.mark.parametrize(("roles", "octets"), VECTORS)
def test_observed_bytes_both_ways(roles: tuple[str, ...], octets: str) -> None:
    assert encode_hc_roles(roles).hex().upper() == octets
    assert decode_hc_roles(bytes.fromhex(octets)) == roles


def test_the_order_given_does_not_matter() -> None:
    """A SET OF sorts by encoding."""
    swapped = encode_hc_roles(["Director of Hospital", "Medical Doctor"])
    assert swapped.hex().upper() == DOCTOR_AND_DIRECTOR


@pytest.mark.parametrize("actor", [WITH_CODE_VALUE, WITH_REGION])
def test_unused_parts_are_read(actor: str) -> None:
    assert decode_hc_roles(wrapped(base64.b64decode(actor))) == ("Pharmacist",)


def test_other_attributes_are_passed_over() -> None:
    date_of_birth = bytes.fromhex(
        "301D06082B0601050507090131111 80F3139363030343031313230303030 5A".replace(" ", "")
    )
    both = element(0x30, date_of_birth + bytes.fromhex(DOCTOR)[2:])
    assert decode_hc_roles(both) == ("Medical Doctor",)
    assert decode_hc_roles(element(0x30, date_of_birth)) == ()


def coded(*fields: bytes) -> bytes:
    return element(0x30, element(0xA0, element(0x31, b"".join(fields))))


SCHEME = bytes.fromhex("A00C060A2A830886910F01060101")
UTF8, NUMERIC, PRINTABLE, TELETEX, UNIVERSAL, BMP = 0x0C, 0x12, 0x13, 0x14, 0x1C, 0x1E


def free_text(tag: int, octets: bytes) -> bytes:
    return element(0xA2, element(tag, octets))


@pytest.mark.parametrize(
    ("tag", "octets"),
    [
        (UTF8, b"Dentist"),
        (PRINTABLE, b"Dentist"),
        (TELETEX, b"Dentist"),
        (UNIVERSAL, "Dentist".encode("utf-32-be")),
        (BMP, "Dentist".encode("utf-16-be")),
    ],
)
def test_any_directory_string_is_read(tag: int, octets: bytes) -> None:
    actor = coded(SCHEME, free_text(tag, octets))
    assert decode_hc_roles(wrapped(actor)) == ("Dentist",)
    expected = HcActor(oids.JHPKI_CODED_DATA, "Dentist", tag, None, False)
    assert read_hc_actor_data(element(0x31, actor)) == ((expected,), ())


@pytest.mark.parametrize("tag", [0x16, 0x12, 0x04, 0x1B])
def test_another_string_is_invalid(tag: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode_hc_roles(wrapped(coded(SCHEME, free_text(tag, b"12"))))
    assert refusal.value.code == "pki.hcrole.shape"


@pytest.mark.parametrize("tag", [UTF8, NUMERIC])
def test_a_code_value_is_read(tag: int) -> None:
    value = element(0xA1, element(tag, b"123"))
    actor = coded(SCHEME, value, free_text(UTF8, b"Dentist"))
    assert decode_hc_roles(wrapped(actor)) == ("Dentist",)
    assert read_hc_actor_data(element(0x31, actor)).actors[0].code_value == "123"


def test_a_code_value_of_another_type_is_invalid() -> None:
    value = element(0xA1, element(PRINTABLE, b"123"))
    with pytest.raises(InvalidInput, match="codeDataValue has the tag 13"):
        decode_hc_roles(wrapped(coded(SCHEME, value, free_text(UTF8, b"Dentist"))))


def test_a_second_string_is_invalid() -> None:
    both = element(0xA2, element(UTF8, b"Dentist") + element(UTF8, b"Doctor"))
    with pytest.raises(InvalidInput) as refusal:
        decode_hc_roles(wrapped(coded(SCHEME, both)))
    assert refusal.value.code == "pki.hcrole.shape"


def test_regional_data_is_told_of_and_not_read() -> None:
    actor = base64.b64decode(WITH_REGION)
    found = read_hc_actor_data(element(0x31, actor)).actors[0]
    assert (found.regional, found.code_value, found.text) == (True, "123", "Pharmacist")
    assert (
        not read_hc_actor_data(element(0x31, base64.b64decode(WITH_CODE_VALUE))).actors[0].regional
    )


def test_another_coding_scheme_is_read() -> None:
    mistaken = bytes.fromhex("A00C060A2A830886910F01060201")
    actor = coded(mistaken, free_text(UTF8, b"Dentist"))
    assert decode_hc_roles(wrapped(actor)) == ("Dentist",)
    assert read_hc_actor_data(element(0x31, actor)).actors[0].scheme == "1.2.392.100495.1.6.2.1"


def test_what_is_not_der_is_a_fault() -> None:
    short, long = (coded(SCHEME, free_text(UTF8, text)) for text in (b"Dentist", b"Pharmacist"))
    assert read_hc_actor_data(element(0x31, short + long)).faults == ()
    assert read_hc_actor_data(element(0x31, long + short)).faults == (
        "the actors are not in DER's order",
    )
    turned = coded(free_text(UTF8, b"Dentist"), SCHEME)
    assert read_hc_actor_data(element(0x31, turned)).faults == (
        "the fields of CodedData are not in DER's order",
    )
    assert decode_hc_roles(wrapped(long + short)) == ("Pharmacist", "Dentist")


def test_no_actor_is_no_role() -> None:
    assert read_hc_actor_data(b"\x31\x00") == ((), ())
    assert decode_hc_roles(wrapped(b"")) == ()


@pytest.mark.parametrize("octets", [b"", b"\x31", b"\x30\x00", b"\x31\x02\x31\x00"])
def test_what_is_no_actor_data_is_invalid(octets: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_hc_actor_data(octets)
    assert refusal.value.code == "pki.hcrole.shape"


def test_too_long_actor_data_is_invalid() -> None:
    with pytest.raises(InvalidInput, match="longer"):
        read_hc_actor_data(bytes(4097))


@pytest.mark.parametrize("roles", [(), ("",), ("Dentist", "Dentist"), ("Dentist", "")])
def test_empty_and_repeated_roles_are_refused(roles: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        encode_hc_roles(roles)
    assert refusal.value.code == "pki.hcrole.empty"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x04\x00",
        bytes.fromhex(DOCTOR) + b"\x00",
        bytes.fromhex(DOCTOR)[:-1],
        bytes.fromhex(DOCTOR.replace("A022", "A122")),
        bytes.fromhex(DOCTOR.replace("A2100C0E", "A3100C0E")),
        bytes.fromhex(DOCTOR.replace("31263024", "30263024")),
        bytes.fromhex(DOCTOR.replace("0C0E4D", "0C0EFF")),
        bytes.fromhex("30023000"),
        wrapped(b"\x30\x00"),
    ],
)
def test_what_is_not_hc_role_is_invalid(octets: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode_hc_roles(octets)
    assert refusal.value.code == "pki.hcrole.shape"


def test_too_long_is_invalid() -> None:
    with pytest.raises(InvalidInput, match="longer"):
        decode_hc_roles(bytes(4097))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_invalid(octets: bytes) -> None:
    try:
        roles = decode_hc_roles(octets)
    except InvalidInput:
        return
    assert all(isinstance(role, str) for role in roles)


@given(
    st.sampled_from([bytes.fromhex(octets) for _, octets in VECTORS]),
    st.lists(st.tuples(st.integers(0, 97), st.integers(0, 255)), min_size=1, max_size=4),
)
@example(bytes.fromhex(DOCTOR), [(4, 0x24)])
def test_a_damaged_vector_is_read_or_invalid(vector: bytes, changes: list[tuple[int, int]]) -> None:
    octets = bytearray(vector)
    for place, value in changes:
        octets[place % len(octets)] = value
    try:
        roles = decode_hc_roles(bytes(octets))
    except InvalidInput:
        return
    assert all(isinstance(role, str) for role in roles)


@given(st.sets(st.sampled_from(sorted(hc_role_table().names())), min_size=1, max_size=6))
def test_round_trip_of_the_table(roles: set[str]) -> None:
    octets = encode_hc_roles(sorted(roles))
    decoded = decode_hc_roles(octets)
    assert set(decoded) == roles
    assert len(decoded) == len(roles)
    actors = [element_of(role) for role in decoded]
    assert actors == sorted(actors)
    assert core.Sequence.load(octets, strict=True).dump() == octets


def element_of(role: str) -> bytes:
    """One HCActor by the second encoder."""
    scheme = bytes.fromhex("A00C060A2A830886910F01060101")
    text = element(0xA2, element(0x0C, role.encode()))
    return element(0x30, element(0xA0, element(0x31, scheme + text)))


@given(st.text(min_size=1, max_size=40))
def test_any_text_round_trips(role: str) -> None:
    try:
        octets = encode_hc_roles([role])
    except InvalidInput:
        return
    assert decode_hc_roles(octets) == (role,)


def test_the_table_is_the_policys() -> None:
    """27 qualifications in the policy's order, 5 administrator roles; strings are unique."""
    table = hc_role_table()
    assert len(table.qualification) == 27
    assert len(table.administrator) == 5
    assert len(table.names()) == 32
    assert [entry.role for entry in table.qualification[:6]] == [
        "Medical Doctor",
        "Dentist",
        "Pharmacist",
        "Medical Technologist",
        "Radiological Technologist",
        "General Nurse",
    ]
    confirmed = {e.role for e in (*table.qualification, *table.administrator)} - {
        e.role for e in (*table.qualification, *table.administrator) if e.status == "assumed"
    }
    assert confirmed == {
        *(entry.role for entry in table.qualification[:6]),
        "Director of Hospital",
        "Director of Clinic",
    }
    assert table.role_of("医師") == "Medical Doctor"
    assert table.role_of("病院長") == "Director of Hospital"
    assert table.role_of("陰陽師") is None
    assert table.spelled("medical DOCTOR") == "Medical Doctor"
    assert table.spelled("director") == "Director"
    assert table.spelled("Medical  Doctor") is None
    assert table.administrator_names() == {
        "Director of Hospital",
        "Director of Clinic",
        "Supervisor of Pharmacy",
        "Proprietor of Pharmacy",
        "Director",
    }
