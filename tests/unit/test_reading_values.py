"""Names, times and general names: what is read, compared, shown, and what is wrong with them."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from unicodedata import category, normalize

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pki.reading.tlv import GENERALIZED_TIME, UTC_TIME, DerError, Reader
from pki.reading.values import (
    DIRECTORY,
    DNS,
    EDI,
    EMAIL,
    IP,
    OTHER_NAME,
    REGISTERED_ID,
    URI,
    X400,
    Attribute,
    GeneralName,
    Name,
    Time,
    _kept_name,
    printable,
    read_general_names,
    read_name,
    read_time,
)
from tests.golden.lint.tree import Node, attribute, node, oid, sequence, set_of, text

CN, SN, C, O, OU = "2.5.4.3", "2.5.4.5", "2.5.4.6", "2.5.4.10", "2.5.4.11"  # noqa: E741
LONGEST = 2.0


def name(*rdns: Node) -> Name:
    return read_name(sequence(*rdns).encode())


def common_name(value: str | bytes, tag: int = 0x0C) -> Name:
    encoded = text(value, tag) if isinstance(value, str) else Node(tag, value)
    return name(set_of(attribute(CN, encoded)))


# Names


def test_attributes_stand_in_the_order_encoded() -> None:
    found = name(
        set_of(attribute(C, text("JP", 0x13))),
        set_of(attribute(SN, text("1", 0x13)), attribute(CN, text("見本"))),
        set_of(attribute("1.2.3", text("x", 0x16))),
    )
    assert found.rdns == (
        (Attribute(C, 0x13, b"JP"),),
        (Attribute(SN, 0x13, b"1"), Attribute(CN, 0x0C, "見本".encode())),
        (Attribute("1.2.3", 0x16, b"x"),),
    )
    assert found.attributes == tuple(one for rdn in found.rdns for one in rdn)
    assert found.text == "C=JP, serialNumber=1, CN=見本, 1.2.3=x"


def test_an_empty_name_is_a_name() -> None:
    found = name()
    assert (found.rdns, found.attributes, found.text, found.folded) == ((), (), "", ())
    assert found.faults == ()


@pytest.mark.parametrize(
    ("dotted", "label"),
    [(CN, "CN"), (SN, "serialNumber"), (C, "C"), ("2.5.4.7", "L"), ("2.5.4.8", "ST"), (O, "O")]
    + [(OU, "OU"), ("2.5.4.4", "SN"), ("2.5.4.42", "GN"), ("2.5.4.12", "2.5.4.12")]
    + [("1.2.840.113549.1.9.1", "emailAddress")],
)
def test_labels(dotted: str, label: str) -> None:
    assert Attribute(dotted, 0x0C, b"").label == label


def test_the_first_attribute_of_a_type() -> None:
    found = name(
        set_of(attribute(OU, text("one"))),
        set_of(attribute(OU, text("two"))),
        set_of(attribute(CN, Node(0x0C, b"\xff"))),
    )
    assert found.first(OU) == "one"
    assert found.first(CN) is None
    assert found.first(O) is None


SECOND_IN_ORDER = (attribute(CN, text("a")), attribute(CN, text("b")))


def test_attributes_of_an_rdn_out_of_order_are_a_fault() -> None:
    first, second = SECOND_IN_ORDER
    assert name(set_of(first, second)).faults == ()
    assert name(set_of(first, first)).faults == ()
    bent = name(set_of(second, first))
    assert bent.faults == ("the attributes of an RDN are not in DER's order",)
    assert [one.text for one in bent.attributes] == ["b", "a"]


def test_a_shorter_attribute_comes_first() -> None:
    short, long_ = attribute(CN, text("zz")), attribute(CN, text("aaa"))
    assert name(set_of(short, long_)).faults == ()
    assert len(name(set_of(long_, short)).faults) == 1


PLACES = {
    "the name": lambda tree: tree,
    "the RDN": lambda tree: tree[0],
    "the attribute": lambda tree: tree[0][0],
    "the type": lambda tree: tree[0][0][0],
    "the value": lambda tree: tree[0][0][1],
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_longer_length_anywhere_is_a_fault(place: Callable[[Node], Node]) -> None:
    tree = sequence(set_of(attribute(CN, text("a"))))
    bent = place(tree)
    bent.length = b"\x81" + bytes((bent.encode()[1],))
    found = read_name(tree.encode())
    assert len(found.faults) == 1
    assert "shortest" in found.faults[0]
    assert (found.text, found.der) == ("CN=a", tree.encode())


def test_octets_after_a_name_are_a_fault() -> None:
    der = sequence(set_of(attribute(CN, text("a")))).encode() + b"\xaa"
    found = read_name(der)
    assert found.faults == ("1 octets follow a Name",)
    assert (found.text, found.der) == ("CN=a", der)


REFUSED = {
    "nothing": b"",
    "no SEQUENCE": set_of().encode(),
    "RDN is a SEQUENCE": sequence(sequence(attribute(CN, text("a")))).encode(),
    "empty RDN": sequence(set_of()).encode(),
    "empty RDN after a sound one": sequence(set_of(*SECOND_IN_ORDER), set_of()).encode(),
    "attribute is a SET": sequence(set_of(set_of(oid(CN), text("a")))).encode(),
    "no type": sequence(set_of(sequence(text("a")))).encode(),
    "empty attribute": sequence(set_of(sequence())).encode(),
    "no value": sequence(set_of(sequence(oid(CN)))).encode(),
    "two values": sequence(set_of(sequence(oid(CN), text("a"), text("b")))).encode(),
    "empty type": sequence(set_of(sequence(node(6), text("a")))).encode(),
    "cut type": sequence(set_of(sequence(node(6, b"\x55\x84"), text("a")))).encode(),
    "value of a high tag": sequence(set_of(attribute(CN, node(0x1F, b"a")))).encode(),
    "value beyond its attribute": sequence(
        set_of(attribute(CN, Node(0x0C, b"a", length=b"\x02")), attribute(CN, text("b")))
    ).encode(),
    "cut": sequence(set_of(attribute(CN, text("a")))).encode()[:-1],
}


@pytest.mark.parametrize("broken", REFUSED.values(), ids=REFUSED)
def test_broken_names_are_refused(broken: bytes) -> None:
    with pytest.raises(DerError):
        read_name(broken)


OIDS = st.sampled_from([CN, SN, O, OU, "2.5.4.7", "1.2.392.100495.1", "2.999.1"])
DIRECTORY_STRINGS = st.one_of(
    st.tuples(
        st.sampled_from([_ASN1Type.UTF8String, _ASN1Type.UniversalString, _ASN1Type.BMPString]),
        st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), min_size=1, max_size=20),
    ),
    st.tuples(st.just(_ASN1Type.UTF8String), st.text(min_size=1, max_size=20)),
    st.tuples(
        st.just(_ASN1Type.PrintableString),
        st.text("AZaz09 '()+,-./:=?", min_size=1, max_size=20),
    ),
    st.tuples(st.just(_ASN1Type.NumericString), st.text("0123456789 ", min_size=1, max_size=20)),
    st.tuples(
        st.just(_ASN1Type.IA5String), st.text(st.characters(codec="ascii"), min_size=1, max_size=20)
    ),
)
ATTRIBUTES = st.builds(
    lambda dotted, typed: x509.NameAttribute(
        x509.ObjectIdentifier(dotted), typed[1], typed[0], _validate=False
    ),
    OIDS,
    DIRECTORY_STRINGS,
)
NAMES = st.lists(
    st.lists(ATTRIBUTES, min_size=1, max_size=3, unique=True).map(x509.RelativeDistinguishedName),
    max_size=4,
).map(x509.Name)


@settings(deadline=None)
@given(NAMES)
def test_names_as_cryptography_writes_them(theirs: x509.Name) -> None:
    ours = read_name(theirs.public_bytes())
    assert ours.faults == ()
    assert [{(one.oid, one.tag, one.text) for one in rdn} for rdn in ours.rdns] == [
        {(one.oid.dotted_string, one._type.value, one.value) for one in rdn} for rdn in theirs.rdns
    ]
    assert [len(rdn) for rdn in ours.rdns] == [len(list(rdn)) for rdn in theirs.rdns]


def test_names_are_equal_by_their_octets() -> None:
    one, other = common_name("a"), common_name("a", 0x13)
    assert one == read_name(bytes(bytearray(one.der)))
    assert hash(one) == hash(read_name(bytes(bytearray(one.der))))
    assert one != other
    assert one != one.der
    assert len({one, other, common_name("a")}) == 2


# The text of an attribute


@pytest.mark.parametrize(
    ("tag", "octets", "string_type", "value"),
    [
        (0x0C, "e8a68be69cac", "UTF8String", "見本"),
        (0x0C, "f0a0aeb7", "UTF8String", "𠮷"),
        (0x0C, "", "UTF8String", ""),
        (0x0C, "efbbbf61", "UTF8String", "\ufeffa"),
        (0x0C, "ff", "UTF8String", None),
        (0x0C, "c080", "UTF8String", None),
        (0x0C, "eda080", "UTF8String", None),
        (0x0C, "f4908080", "UTF8String", None),
        (0x0C, "e8a6", "UTF8String", None),
        (0x12, "313220", "NumericString", "12 "),
        (0x12, "c3a9", "NumericString", None),
        (0x13, "4a50", "PrintableString", "JP"),
        (0x13, "c3a9", "PrintableString", None),
        (0x14, "e9", "TeletexString", "é"),
        (0x16, "6140622e", "IA5String", "a@b."),
        (0x16, "c3a9", "IA5String", None),
        (0x1C, "0000898b00020bb7", "UniversalString", "見𠮷"),
        (0x1C, "0000898b00", "UniversalString", None),
        (0x1C, "00110000", "UniversalString", None),
        (0x1C, "0000d842", "UniversalString", None),
        (0x1E, "898b672c", "BMPString", "見本"),
        (0x1E, "898b67", "BMPString", None),
        (0x1E, "d842", "BMPString", None),
        (0x1E, "d842dfb7", "BMPString", None),
        (0x1E, "feff0061", "BMPString", "\ufeffa"),
        (0x1A, "61", "tag 1a", None),
        (0x04, "61", "tag 04", None),
        (0x2C, "0c0161", "tag 2c", None),
    ],
)
def test_text_of_each_string_type(
    tag: int, octets: str, string_type: str, value: str | None
) -> None:
    found = Attribute(CN, tag, bytes.fromhex(octets))
    assert (found.string_type, found.text) == (string_type, value)


# What is shown


def test_what_is_no_text_is_shown_in_hexadecimal() -> None:
    assert common_name(b"\xffa").text == "CN=ff61"
    assert name(set_of(attribute(CN, node(0x30, b"\x05\x00")))).text == "CN=0500"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("見本　太郎 A-1", "見本　太郎 A-1"),
        ("a\u00a0b", "a\u00a0b"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x00\x7f\x85\x9b", "\\x00\\x7f\\x85\\x9b"),
        ("\u202edcba", "\\u202edcba"),
        ("\u200b\u2028\u2029\ufeff", "\\u200b\\u2028\\u2029\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\ue000", "\\ue000"),
        ("", ""),
    ],
)
def test_what_does_not_print_is_escaped(raw: str, shown: str) -> None:
    assert printable(raw) == shown
    assert common_name(raw).text == f"CN={shown}"


@settings(deadline=None)
@given(st.text())
def test_what_is_shown_prints(raw: str) -> None:
    shown = printable(raw)
    assert all(one.isprintable() or category(one) == "Zs" for one in shown)
    assert printable(shown) == shown
    kept = "".join(one for one in raw if one.isprintable() or category(one) == "Zs")
    assert shown == raw if kept == raw else len(shown) > len(raw)


# What is compared


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Demo", "DEMO"),
        ("Straße", "STRASSE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("ΐ", "Ϊ́"),
        ("ΰ", "Ϋ́"),
        ("a b", "  a \t\n b  "),
        ("a b", "a\u3000b"),
        ("a b", "a\u00a0\u2003b"),
        ("", "   "),
        ("ＨＰＫＩルート", "hpkiルート"),
        ("ﾙｰﾄ", "ルート"),
        ("が", "か\u3099"),
        ("Å", "A\u030a"),
        ("㈱見本", "(株)見本"),
        ("ﬁ", "FI"),
    ],
)
def test_values_that_compare_equal(one: str, other: str) -> None:
    assert common_name(one).folded == common_name(other).folded


@pytest.mark.parametrize(
    ("one", "other"),
    [("a", "b"), ("ab", "a b"), ("見本", "見元"), ("a", "a."), ("", "a"), ("か", "が")]
    + [("ルート", "るーと"), ("1", "2"), ("髙", "高")],
)
def test_values_that_compare_different(one: str, other: str) -> None:
    assert common_name(one).folded != common_name(other).folded


@pytest.mark.parametrize("tag", [0x13, 0x14, 0x16, 0x1C, 0x1E])
def test_the_string_type_does_not_count(tag: int) -> None:
    assert common_name("Root 1", tag).folded == common_name("root 1").folded
    assert common_name("Root 1", tag) != common_name("root 1")


def test_the_attribute_type_counts() -> None:
    assert common_name("a").folded != name(set_of(attribute(OU, text("a")))).folded


def test_rdns_compare_as_sets_in_their_order() -> None:
    one, other = attribute(C, text("JP", 0x13)), attribute(CN, text("a"))
    assert name(set_of(one, other)).folded == name(set_of(other, one)).folded
    assert name(set_of(one), set_of(other)).folded != name(set_of(other), set_of(one)).folded
    assert name(set_of(one, other)).folded != name(set_of(one), set_of(other)).folded
    assert name(set_of(one, one)).folded != name(set_of(one)).folded
    assert len(name(set_of(one), set_of(other)).folded) == 2


def test_values_that_are_no_text_equal_only_themselves() -> None:
    broken = common_name(b"\xff")
    assert broken.folded == common_name(b"\xff").folded
    for other in (common_name("ff"), common_name(b"\xff", 0x13), common_name(b"\xfe")):
        assert broken.folded != other.folded
    assert common_name("ÿ", 0x14).folded != broken.folded


@settings(deadline=None)
@given(st.text(max_size=12), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@example("\u0345\u0301", "NFD")
def test_normal_forms_compare_equal(value: str, form: str) -> None:
    other = normalize(form, value)  # type: ignore[arg-type]
    assert common_name(value).folded == common_name(other).folded


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="ı"), max_size=8))
def test_case_and_white_space_do_not_count(value: str) -> None:
    spread = "\u3000 " + value.replace(" ", " \t ") + "\n"
    assert common_name(spread).folded == common_name(value).folded
    assume("ı" not in normalize("NFKC", value))
    assert common_name(value.casefold()).folded == common_name(value).folded


def test_every_character_compares_equal_to_its_other_cases() -> None:
    """The dotless i alone does not: its capital is I."""

    def folded(value: str) -> str:
        return Name(b"", ((Attribute(CN, 0x0C, value.encode()),),), ()).folded[0][0][1]

    for code in range(0x30000):
        one = chr(code)
        if category(one) == "Cs" or not (one.upper() != one or one.lower() != one):
            continue
        wanted = folded(one)
        assert folded(wanted) == wanted
        assert folded(one.lower()) == wanted
        assert folded(one.upper()) == wanted or one == "ı"


# Names that are kept


def test_small_names_are_read_once_and_large_ones_are_not_kept() -> None:
    small = sequence(set_of(attribute(CN, text("x" * 900)))).encode()
    large = sequence(set_of(attribute(CN, text("x" * 1100)))).encode()
    assert read_name(small) is read_name(bytes(bytearray(small)))
    assert read_name(large) is not read_name(large)
    assert read_name(large) == read_name(large)


def numbered_name(number: int, more: int) -> Name:
    """One of many, with so many of the smallest attributes beside its own."""
    first = b"\x31\x0b\x30\x09\x06\x01\x2a\x0c\x04" + number.to_bytes(4, "big")
    return read_name(Node(0x30, first + SMALLEST.encode() * more).encode())


def test_names_that_are_kept_are_bounded() -> None:
    """More of them than are kept add nothing, nor do large ones; the worst take few megabytes."""
    most = _kept_name.cache_parameters()["maxsize"]
    assert most is not None
    worst = 110
    assert len(numbered_name(0, worst).der) <= 1024
    tracemalloc.start()
    try:
        for number in range(1, 33):
            numbered_name(number, worst)
        of_32, _ = tracemalloc.get_traced_memory()
        assert of_32 / 32 * most < 32 << 20
        for number in range(most):
            numbered_name(1000 + number, 0)
        full, _ = tracemalloc.get_traced_memory()
        for number in range(most):
            numbered_name(1000 + most + number, 0)
        for number in range(3):
            numbered_name(number, 4000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - full < 1 << 20


# Times


@pytest.mark.parametrize(
    ("octets", "moment"),
    [
        ("500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        ("991231235959Z", datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("000101000000Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("240229120102Z", datetime(2024, 2, 29, 12, 1, 2, tzinfo=UTC)),
        ("000229000000Z", datetime(2000, 2, 29, tzinfo=UTC)),
    ],
)
def test_utc_times(octets: str, moment: datetime) -> None:
    found = read_time(UTC_TIME, octets.encode())
    assert found == Time(UTC_TIME, octets.encode(), moment, ())


@pytest.mark.parametrize(
    ("octets", "moment"),
    [
        ("20500101000000Z", datetime(2050, 1, 1, tzinfo=UTC)),
        ("20520229010203Z", datetime(2052, 2, 29, 1, 2, 3, tzinfo=UTC)),
        ("99991231235959Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_generalized_times(octets: str, moment: datetime) -> None:
    found = read_time(GENERALIZED_TIME, octets.encode())
    assert found == Time(GENERALIZED_TIME, octets.encode(), moment, ())


@pytest.mark.parametrize("octets", ["20491231235959Z", "19500101000000Z", "00010101000000Z"])
def test_generalized_time_before_2050_is_a_fault(octets: str) -> None:
    found = read_time(GENERALIZED_TIME, octets.encode())
    assert found.moment is not None
    assert f"{found.moment.year:04}" == octets[:4]
    assert found.faults == ("a date before 2050 is GeneralizedTime, not UTCTime",)


@pytest.mark.parametrize(
    ("tag", "octets"),
    [
        (UTC_TIME, "230229000000Z"),
        (UTC_TIME, "240230000000Z"),
        (UTC_TIME, "240001000000Z"),
        (UTC_TIME, "241301000000Z"),
        (UTC_TIME, "240100000000Z"),
        (UTC_TIME, "240431000000Z"),
        (UTC_TIME, "240101240000Z"),
        (UTC_TIME, "240101006000Z"),
        (UTC_TIME, "240101000060Z"),
        (UTC_TIME, "161231235960Z"),
        (GENERALIZED_TIME, "21000229000000Z"),
        (GENERALIZED_TIME, "20500101240000Z"),
        (GENERALIZED_TIME, "20500101235960Z"),
    ],
)
def test_moments_that_there_are_not(tag: int, octets: str) -> None:
    found = read_time(tag, octets.encode())
    assert found.moment is None
    assert found.faults == (f"{octets} is no date",)


def test_the_year_zero_is_no_date() -> None:
    found = read_time(GENERALIZED_TIME, b"00000101000000Z")
    assert found.moment is None
    assert found.faults[0] == "00000101000000Z is no date"


@pytest.mark.parametrize(
    ("tag", "octets"),
    [
        (UTC_TIME, ""),
        (UTC_TIME, "Z"),
        (UTC_TIME, "2401010000Z"),
        (UTC_TIME, "240101000000"),
        (UTC_TIME, "240101000000z"),
        (UTC_TIME, "240101000000+0900"),
        (UTC_TIME, "240101000000-0000"),
        (UTC_TIME, "240101000000.0Z"),
        (UTC_TIME, "20240101000000Z"),
        (UTC_TIME, "2401010000 0Z"),
        (UTC_TIME, "24010100000\u0661Z"),
        (UTC_TIME, "+40101000000Z"),
        (UTC_TIME, "240101000000Z "),
        (UTC_TIME, "2401010000000"),
        (GENERALIZED_TIME, "205001010000Z"),
        (GENERALIZED_TIME, "2050010100Z"),
        (GENERALIZED_TIME, "20500101000000"),
        (GENERALIZED_TIME, "20500101000000.5Z"),
        (GENERALIZED_TIME, "20500101000000,5Z"),
        (GENERALIZED_TIME, "20500101000000+0900"),
        (GENERALIZED_TIME, "500101000000Z"),
    ],
)
def test_other_forms_have_no_moment(tag: int, octets: str) -> None:
    form = {UTC_TIME: "YYMMDDHHMMSSZ", GENERALIZED_TIME: "YYYYMMDDHHMMSSZ"}[tag]
    found = read_time(tag, octets.encode())
    assert found == Time(tag, octets.encode(), None, (f"a time is not of the form {form}",))


@pytest.mark.parametrize("tag", [0x00, 0x04, 0x16, 0x19, 0x37, 0x38, 0x97])
def test_what_is_no_time_is_refused(tag: int) -> None:
    with pytest.raises(DerError, match=f"tag {tag:02x}"):
        read_time(tag, b"240101000000Z")


def test_long_times_are_refused() -> None:
    assert read_time(UTC_TIME, b"0" * 32).moment is None
    with pytest.raises(DerError, match="33 octets"):
        read_time(UTC_TIME, b"0" * 33)


MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@settings(deadline=None)
@given(MOMENTS)
def test_every_moment_is_read_from_the_form_that_is_its(moment: datetime) -> None:
    if moment.year < 2050:
        found = read_time(UTC_TIME, f"{moment:%y%m%d%H%M%S}Z".encode())
    else:
        found = read_time(GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%S}Z".encode())
    assert (found.moment, found.faults) == (moment, ())
    assert found.moment is not None
    assert found.moment.utcoffset() == timedelta(0)


@settings(deadline=None)
@given(st.sampled_from([UTC_TIME, GENERALIZED_TIME]), st.binary(max_size=32))
def test_any_octets_have_a_moment_or_a_fault(tag: int, octets: bytes) -> None:
    found = read_time(tag, octets)
    assert (found.tag, found.octets) == (tag, octets)
    assert found.moment is not None or found.faults


# General names


def general_names(octets: bytes) -> tuple[Reader, tuple[GeneralName, ...]]:
    reader = Reader(octets)
    return reader, read_general_names(reader, 0, len(octets))


JP = sequence(set_of(attribute(C, text("JP", 0x13))))
ALL_KINDS = {
    OTHER_NAME: node(0xA0, oid("1.2.3"), node(0xA0, text("x"))),
    EMAIL: node(0x81, b"a@b.example"),
    DNS: node(0x82, b"b.example"),
    X400: node(0xA3, sequence()),
    DIRECTORY: node(0xA4, JP),
    EDI: node(0xA5, node(0x81, b"x")),
    URI: node(0x86, b"http://b.example/"),
    IP: node(0x87, bytes((192, 0, 2, 1))),
    REGISTERED_ID: node(0x88, oid("1.2.3").octets),
}


def test_all_nine_kinds() -> None:
    reader, found = general_names(b"".join(one.encode() for one in ALL_KINDS.values()))
    assert reader.faults == []
    assert [one.kind for one in found] == list(range(9))
    assert [one.octets for one in found] == [one.encode()[2:] for one in ALL_KINDS.values()]
    assert [one.name for one in found] == [
        read_name(JP.encode()) if kind == DIRECTORY else None for kind in range(9)
    ]
    assert found[EMAIL].text == "a@b.example"


def test_general_names_as_cryptography_writes_them() -> None:
    subject = x509.Name.from_rfc4514_string("CN=x,O=y")
    theirs = {
        OTHER_NAME: x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01x"),
        EMAIL: x509.RFC822Name("a@b.example"),
        DNS: x509.DNSName("b.example"),
        DIRECTORY: x509.DirectoryName(subject),
        URI: x509.UniformResourceIdentifier("http://b.example/"),
        IP: x509.IPAddress(ip_address("2001:db8::1")),
        REGISTERED_ID: x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    }
    encoded = x509.SubjectAlternativeName(theirs.values()).public_bytes()
    assert encoded[1] < 0x80
    reader, found = general_names(encoded[2:])
    assert reader.faults == []
    assert [one.kind for one in found] == list(theirs)
    by_kind = {one.kind: one for one in found}
    assert by_kind[OTHER_NAME].octets == bytes.fromhex("06022a03a0030c0178")
    assert by_kind[EMAIL].text == "a@b.example"
    assert by_kind[DNS].text == "b.example"
    assert by_kind[DIRECTORY].name == read_name(subject.public_bytes())
    assert by_kind[URI].text == "http://b.example/"
    assert by_kind[IP].octets == ip_address("2001:db8::1").packed
    assert by_kind[REGISTERED_ID].octets == b"\x2a\x03"


def test_a_range_of_addresses_keeps_its_mask() -> None:
    network = ip_network("192.0.2.0/24")
    constraints = x509.NameConstraints([x509.IPAddress(network)], None).public_bytes()
    _, (found,) = general_names(constraints[6:])
    assert found.octets == network.network_address.packed + network.netmask.packed


def test_text_of_a_general_name_is_ascii() -> None:
    assert GeneralName(DNS, b"").text == ""
    assert GeneralName(URI, "http://見本".encode()).text is None


@pytest.mark.parametrize("tag", [one for one in range(256) if one & 0x1F != 0x1F])
def test_every_other_tag_is_refused(tag: int) -> None:
    """Another class, another number, or primitive where the type is constructed."""
    octets = bytes((tag, 2)) + sequence().encode()
    if tag in [one.tag for one in ALL_KINDS.values()]:
        assert general_names(octets)[1][0].kind == tag & 0x1F
        return
    with pytest.raises(DerError, match=f"tag {tag:02x}"):
        general_names(octets)


@pytest.mark.parametrize("broken", ["a400", "a4023100", "a4043002 3100", "a4023001", "8201", "82"])
def test_broken_general_names_are_refused(broken: str) -> None:
    with pytest.raises(DerError):
        general_names(bytes.fromhex(broken))


def test_faults_of_a_directory_name_are_told() -> None:
    first, second = SECOND_IN_ORDER
    bent = sequence(set_of(second, first)).encode()
    reader, (found,) = general_names(node(0xA4, bent + b"\xaa").encode())
    assert found.name is not None
    assert reader.faults == [
        "1 octets follow a Name",
        "the attributes of an RDN are not in DER's order",
    ]


def test_faults_of_many_names_are_bounded() -> None:
    first, second = SECOND_IN_ORDER
    bent = node(0xA4, sequence(set_of(second, first)))
    reader, found = general_names(bent.encode() * 100)
    assert (len(found), len(reader.faults)) == (100, 20)


# Time


def nested(depth: int) -> bytes:
    octets = b""
    for _ in range(depth):
        octets = Node(0x30, octets).encode()
    return octets


SMALLEST = set_of(attribute("0.1", text("")))
HUGE_NAMES = {
    "attributes": sequence(*[SMALLEST] * 6000),
    "one RDN": sequence(set_of(*[SMALLEST[0]] * 7000)),
    "one RDN downwards": sequence(
        set_of(*[attribute("0.1", text(f"{number:04}")) for number in range(5000, 0, -1)])
    ),
    "bad lengths": Node(0x30, b"\x31\x81\x0a\x30\x81\x07\x06\x81\x01\x01\x0c\x81\x00" * 5000),
    "depth": sequence(set_of(sequence(oid(CN), Node(0x30, nested(16_000))))),
    "one value": sequence(set_of(attribute(CN, text("ﷺ" * 21_000)))),
    "controls": sequence(set_of(attribute(CN, text("\x1b" * 64_000)))),
}


@pytest.mark.parametrize("made", HUGE_NAMES.values(), ids=HUGE_NAMES)
def test_huge_names_take_little_time(made: Node) -> None:
    der = made.encode()
    start = time.process_time()
    found = read_name(der)
    assert len(found.text) + len(found.folded) > 0
    assert time.process_time() - start < LONGEST
    assert len(found.faults) <= 20


def test_thousands_of_general_names_take_little_time() -> None:
    for one, count in ((b"\x82\x00", 32_000), (b"\xa4\x02\x30\x00", 16_000)):
        start = time.process_time()
        assert len(general_names(one * count)[1]) == count
        assert time.process_time() - start < LONGEST
