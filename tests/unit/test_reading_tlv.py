"""Reading DER: what is followed, what is a fault, what is refused. The measure is X.690."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from asn1crypto import core, parser
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pki.reading.tlv import BIT_STRING, INTEGER, OID, SEQUENCE, DerError, Reader
from tests.golden.lint import tree

LONGEST = 2.0
"""Seconds that anything of 64 KB may take on a busy machine; quadratic work takes far longer."""


def length_octets(size: int, count: int) -> bytes:
    """The long form with so many octets, needed or not."""
    return bytes((0x80 | count,)) + size.to_bytes(count, "big")


def refusal(octets: bytes) -> str:
    """What the refusal to read the octets as one element says."""
    with pytest.raises(DerError) as refused:
        Reader(octets).element(0, len(octets))
    return str(refused.value)


# Lengths


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "0400"),
        (1, "0401"),
        (127, "047f"),
        (128, "048180"),
        (255, "0481ff"),
        (256, "04820100"),
        (65_535, "0482ffff"),
        (65_536, "0483010000"),
        (1 << 24, "048401000000"),
    ],
)
def test_shortest_lengths(size: int, head: str) -> None:
    begin = len(head) // 2
    reader = Reader(bytes.fromhex(head) + bytes(size))
    assert reader.element(0, begin + size) == (4, begin, begin + size)
    assert reader.faults == []


@pytest.mark.parametrize(
    ("size", "count"),
    [(0, 1), (1, 1), (127, 1), (0, 2), (127, 2), (128, 2), (255, 2), (256, 3), (65_535, 3)]
    + [(0, 4), (65_536, 4), ((1 << 24) - 1, 4)],
)
def test_longer_lengths_are_read_with_a_fault(size: int, count: int) -> None:
    reader = Reader(b"\x04" + length_octets(size, count) + bytes(size))
    assert reader.element(0, 2 + count + size) == (4, 2 + count, 2 + count + size)
    assert reader.faults == ["the length at octet 0 is not in its shortest form"]


@pytest.mark.parametrize("first", [0x80, *range(0x85, 0x100)])
def test_indefinite_and_overlong_lengths_are_refused(first: int) -> None:
    tail = bytes(126) + b"\x01\x00"
    assert refusal(bytes((0x30, first)) + tail) == "an indefinite or overlong length at octet 0"


@pytest.mark.parametrize("cut", ["", "04", "30"])
def test_a_cut_head_is_refused(cut: str) -> None:
    assert refusal(bytes.fromhex(cut)) == "an element is cut off at octet 0"


@pytest.mark.parametrize(
    "lying",
    ["0401", "0402aa", "0481", "048180", "0482", "048201", "04820100", "0484", "0484000000"]
    + ["0484ffffffff", "0484ffffffff00", "04847fffffff00", "0483010000"],
)
def test_lengths_beyond_the_octets_are_refused(lying: str) -> None:
    assert refusal(bytes.fromhex(lying)) == "the element at octet 0 runs beyond what holds it"


@pytest.mark.parametrize("inner", ["0405aaaaaa", "04820003aa", "0481", "04", "048400000001"])
def test_an_element_does_not_reach_into_what_follows_its_holder(inner: str) -> None:
    octets = b"\x30" + bytes((len(inner) // 2,)) + bytes.fromhex(inner) + bytes(80)
    reader = Reader(octets)
    begin, end = reader.expect(SEQUENCE, 0, len(octets), "it")
    assert end == 2 + len(inner) // 2
    with pytest.raises(DerError):
        reader.element(begin, end)


def test_an_element_may_fill_its_holder_to_the_last_octet() -> None:
    assert Reader(b"\x04\x02\xaa\xbb\xcc").element(0, 4) == (4, 2, 4)
    with pytest.raises(DerError):
        Reader(b"\x04\x02\xaa\xbb\xcc").element(0, 3)


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 4), st.binary(max_size=5))
def test_the_length_says_where_the_element_ends(content: bytes, count: int, tail: bytes) -> None:
    """Whatever form the length has; a length of too few octets says another size, or is refused."""
    size = len(content)
    if count and size >> 8 * count:
        return
    octets = b"\x04" + (length_octets(size, count) if count else bytes((size & 0x7F,))) + content
    reader = Reader(octets + tail)
    _, begin, end = reader.element(0, len(octets + tail))
    assert (octets + tail)[begin:end] == (content if count else content[: size & 0x7F])
    shortest = tree.Node(4, content).encode()
    if octets == shortest:
        assert reader.faults == []
    elif count:
        assert len(reader.faults) == 1


# Tags


@pytest.mark.parametrize("tag", [0x1F, 0x3F, 0x5F, 0x7F, 0x9F, 0xBF, 0xDF, 0xFF])
def test_tags_of_several_octets_are_refused(tag: int) -> None:
    assert refusal(bytes((tag, 0x02, 0x01, 0x00))) == "a tag of several octets at octet 0"


@pytest.mark.parametrize("tag", [tag for tag in range(256) if tag & 0x1F != 0x1F])
def test_tags_of_one_octet_are_read(tag: int) -> None:
    assert Reader(bytes((tag, 1, 0xAA))).element(0, 3) == (tag, 2, 3)


def test_another_tag_is_refused_and_named() -> None:
    with pytest.raises(DerError, match=r"^the number has the tag 04, not 02$"):
        Reader(b"\x04\x00").expect(INTEGER, 0, 2, "the number")


def test_a_constructed_string_is_another_tag() -> None:
    with pytest.raises(DerError, match="the tag 23, not 03"):
        Reader(b"\x23\x04\x03\x02\x00\xaa").whole(BIT_STRING, "the signature")


# Agreement with other readers


@settings(deadline=None)
@given(
    st.sampled_from([0x02, 0x04, 0x0C, 0x30, 0x31, 0x80, 0xA3]),
    st.one_of(
        st.integers(0, 255).map(lambda size: bytes((size,))),
        st.builds(length_octets, st.integers(0, 255), st.integers(1, 4)),
        st.binary(min_size=1, max_size=6),
    ),
    st.binary(max_size=260),
)
@example(0x04, b"\x84\xff\xff\xff\xff", b"")
def test_what_asn1crypto_reads_is_read_the_same(tag: int, length: bytes, content: bytes) -> None:
    octets = bytes((tag,)) + length + content
    reader = Reader(octets)
    try:
        _, begin, end = reader.element(0, len(octets))
    except DerError:
        if length[0] == 0x80 or length[0] > 0x84:
            return  # asn1crypto reads BER
        with pytest.raises(ValueError, match="Insufficient data"):
            parser.parse(octets)
    else:
        _, _, _, head, inner, tail = parser.parse(octets)
        assert (head, inner, tail) == (octets[:begin], octets[begin:end], b"")


# Several elements


NODES = st.lists(
    st.builds(tree.Node, st.sampled_from([0x02, 0x04, 0x30, 0x80, 0xA1]), st.binary(max_size=140)),
    max_size=6,
)


@settings(deadline=None)
@given(NODES, st.binary(max_size=3), st.binary(max_size=3))
def test_children_are_all_elements_in_order(
    nodes: list[tree.Node], before: bytes, after: bytes
) -> None:
    encoded = [one.encode() for one in nodes]
    reader = Reader(before + b"".join(encoded) + after)
    end = len(reader.octets) - len(after)
    found = list(reader.children(len(before), end))
    assert [reader.octets[at:stop] for at, _, _, stop in found] == encoded
    assert [tag for _, tag, _, _ in found] == [one.tag for one in nodes]
    assert [reader.octets[begin:stop] for _, _, begin, stop in found] == [
        one.octets for one in nodes
    ]
    assert reader.faults == []


@pytest.mark.parametrize("tail", ["04", "0401", "1f00", "0480"])
def test_children_end_with_a_refusal_at_a_broken_one(tail: str) -> None:
    octets = b"\x04\x01\xaa" + bytes.fromhex(tail)
    children = Reader(octets).children(0, len(octets))
    assert next(children) == (0, 4, 2, 3)
    with pytest.raises(DerError, match="at octet 3"):
        next(children)


def test_octets_after_the_whole_are_a_fault() -> None:
    reader = Reader(b"\x30\x01\xaa\xbb\xcc")
    assert reader.whole(SEQUENCE, "the list") == (2, 3)
    assert reader.faults == ["2 octets follow the list"]
    reader = Reader(b"\x30\x01\xaa")
    assert reader.whole(SEQUENCE, "the list") == (2, 3)
    assert reader.faults == []


def test_the_whole_is_of_the_tag_and_not_empty() -> None:
    with pytest.raises(DerError, match="the list has the tag 31, not 30"):
        Reader(b"\x31\x00").whole(SEQUENCE, "the list")
    with pytest.raises(DerError, match="cut off"):
        Reader(b"").whole(SEQUENCE, "the list")


def test_faults_are_bounded_and_reading_goes_on() -> None:
    octets = b"\x04\x81\x00" * 1000
    reader = Reader(octets)
    assert len(list(reader.children(0, len(octets)))) == 1000
    assert reader.faults == [
        f"the length at octet {at} is not in its shortest form" for at in range(0, 60, 3)
    ]


@pytest.mark.parametrize("element", ["0400", "048100", "3000"])
def test_thousands_of_elements_take_little_time(element: str) -> None:
    octets = bytes.fromhex(element) * (65_536 // (len(element) // 2))
    start = time.process_time()
    count = sum(1 for _ in Reader(octets).children(0, len(octets)))
    assert time.process_time() - start < LONGEST
    assert count == len(octets) * 2 // len(element)


# BOOLEAN


def test_booleans() -> None:
    for value in range(256):
        reader = Reader(bytes((0xAA, value, 0xBB)))
        assert reader.boolean(1, 2) is (value != 0)
        wanted = [] if value in (0, 0xFF) else ["a BOOLEAN is neither 00 nor FF"]
        assert reader.faults == wanted


@pytest.mark.parametrize("octets", ["", "0000", "ffff", "ff00ff"])
def test_booleans_of_another_size_are_refused(octets: str) -> None:
    with pytest.raises(DerError):
        Reader(bytes.fromhex(octets)).boolean(0, len(octets) // 2)


# INTEGER


@pytest.mark.parametrize(
    ("octets", "value"),
    [("00", 0), ("01", 1), ("7f", 127), ("0080", 128), ("00ff", 255), ("0100", 256)]
    + [("ff", -1), ("80", -128), ("ff7f", -129), ("ff00", -256), ("8000", -32768)],
)
def test_integers(octets: str, value: int) -> None:
    reader = Reader(bytes.fromhex(octets))
    assert reader.integer(0, len(octets) // 2) == value
    assert reader.faults == []


@pytest.mark.parametrize(
    ("octets", "value"),
    [("0000", 0), ("007f", 127), ("000080", 128), ("ffff", -1), ("ff80", -128), ("ffff7f", -129)],
)
def test_longer_integers_are_read_with_a_fault(octets: str, value: int) -> None:
    reader = Reader(bytes.fromhex(octets))
    assert reader.integer(0, len(octets) // 2) == value
    assert reader.faults == ["an INTEGER is not in its shortest form"]


def test_an_integer_without_octets_is_refused() -> None:
    with pytest.raises(DerError):
        Reader(b"\x01").integer(0, 0)


INTEGERS = st.one_of(st.integers(-70000, 70000), st.integers(-(1 << 200), 1 << 200))


@settings(deadline=None)
@given(INTEGERS, st.integers(0, 3))
def test_integers_as_asn1crypto_writes_them(value: int, padding: int) -> None:
    shortest: bytes = core.Integer(value).contents
    octets = (b"\xff" if value < 0 else b"\x00") * padding + shortest
    reader = Reader(b"\x7f" + octets + b"\x7f")
    assert reader.integer(1, 1 + len(octets)) == value
    assert len(reader.faults) == (padding > 0)
    assert shortest == tree.integer(value).octets


# OBJECT IDENTIFIER


def read_oid(octets: bytes) -> str:
    return Reader(b"\x00" + octets + b"\x00").oid(1, 1 + len(octets))


@pytest.mark.parametrize(
    ("octets", "dotted"),
    [("00", "0.0"), ("27", "0.39"), ("28", "1.0"), ("4f", "1.39"), ("50", "2.0"), ("7f", "2.47")]
    + [("8100", "2.48"), ("883703", "2.999.3"), ("2a864886f70d010101", "1.2.840.113549.1.1.1")]
    + [("550480", None), ("550400", "2.5.4.0"), ("2a8101", "1.2.129"), ("2aff7f", "1.2.16383")],
)
def test_object_identifiers(octets: str, dotted: str | None) -> None:
    if dotted is None:
        with pytest.raises(DerError):
            read_oid(bytes.fromhex(octets))
    else:
        assert read_oid(bytes.fromhex(octets)) == dotted


@pytest.mark.parametrize("octets", ["", "80", "8001", "2a80", "2a8001", "2a81", "2a018001", "ff"])
def test_broken_object_identifiers_are_refused(octets: str) -> None:
    with pytest.raises(DerError):
        read_oid(bytes.fromhex(octets))


def test_arcs_are_bounded() -> None:
    assert read_oid(b"\xff" * 63 + b"\x7f") == f"2.{(1 << 448) - 1 - 80}"
    with pytest.raises(DerError, match="too long"):
        read_oid(b"\xff" * 64 + b"\x7f")
    with pytest.raises(DerError, match="too long"):
        read_oid(b"\x2a" * 65)


ARCS = st.one_of(st.integers(0, 300), st.integers(0, 1 << 63), st.integers(0, 1 << 128))
DOTTED = st.tuples(
    st.one_of(
        st.tuples(st.integers(0, 1), st.integers(0, 39)),
        st.tuples(st.just(2), st.one_of(st.integers(30, 200), ARCS)),
    ),
    st.lists(ARCS, max_size=4),
).map(lambda parts: ".".join(map(str, (*parts[0], *parts[1]))))


@settings(deadline=None)
@given(DOTTED)
def test_object_identifiers_as_asn1crypto_writes_them(dotted: str) -> None:
    encoded = core.ObjectIdentifier(dotted)
    encoded.dump()
    if len(encoded.contents) <= 64:
        assert read_oid(encoded.contents) == dotted
        assert tree.oid(dotted).octets == encoded.contents


OID_OCTETS = st.lists(
    st.sampled_from([0x00, 0x01, 0x27, 0x2A, 0x4F, 0x50, 0x7F, 0x80, 0x81, 0x88, 0xFF]),
    max_size=12,
).map(bytes)


@settings(deadline=None)
@given(st.one_of(OID_OCTETS, st.binary(max_size=12)))
def test_each_object_identifier_has_one_encoding(octets: bytes) -> None:
    """What is read is written again as the same octets, so no two encodings read the same."""
    try:
        dotted = read_oid(octets)
    except DerError:
        with suppress(ValueError, IndexError):
            repaired = core.ObjectIdentifier.load(element(octets)).dotted
            assert tree.oid(repaired).octets != octets
    else:
        assert tree.oid(dotted).octets == octets
        assert core.ObjectIdentifier.load(element(octets)).dotted == dotted


def element(octets: bytes) -> bytes:
    return tree.Node(OID, octets).encode()


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=16))
def test_cryptography_reads_the_same_object_identifiers(octets: bytes) -> None:
    """As far as its arcs go; they have 128 bits at most."""
    purposes = tree.sequence(tree.Node(OID, octets)).encode()
    try:
        dotted = read_oid(octets)
    except DerError:
        dotted = ""
    try:
        known = x509.ObjectIdentifier(dotted) if dotted else None
    except ValueError:
        return
    if known is not None:
        assert x509.ExtendedKeyUsage([known]).public_bytes() == purposes


# BIT STRING


@pytest.mark.parametrize(
    ("octets", "bits", "unused"),
    [("00", "", 0), ("0000", "00", 0), ("00ff", "ff", 0), ("07ff80", "ff80", 7), ("04f0", "f0", 4)],
)
def test_bit_strings(octets: str, bits: str, unused: int) -> None:
    reader = Reader(b"\x01" + bytes.fromhex(octets) + b"\x01")
    assert reader.bit_string(1, 1 + len(octets) // 2) == (bytes.fromhex(bits), unused)
    assert reader.faults == []


@pytest.mark.parametrize("octets", ["", "01", "07", "0800", "8000", "ff00", "ff"])
def test_bit_strings_with_a_wrong_first_octet_are_refused(octets: str) -> None:
    with pytest.raises(DerError):
        Reader(bytes.fromhex(octets) + b"\x00").bit_string(0, len(octets) // 2)


@pytest.mark.parametrize("unused", range(8))
def test_unused_bits_that_are_set_are_a_fault(unused: int) -> None:
    for bit in range(8):
        reader = Reader(bytes((unused, 0xFF, 1 << bit)))
        assert reader.bit_string(0, 3) == (bytes((0xFF, 1 << bit)), unused)
        wanted = ["unused bits of a BIT STRING are set"] if bit < unused else []
        assert reader.faults == wanted


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_bit_strings_as_asn1crypto_writes_them(bits: list[bool]) -> None:
    written: bytes = core.BitString(tuple(map(int, bits))).contents
    reader = Reader(written)
    octets, unused = reader.bit_string(0, len(written))
    assert len(octets) * 8 - unused == len(bits)
    assert [bool(octets[at // 8] & 0x80 >> at % 8) for at in range(len(bits))] == bits
    assert reader.faults == []
