import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_personalization import tlv
from pki.errors import InvalidInput

PRIMITIVE = st.sampled_from([0x04, 0x80, 0x84, 0x9F70, 0x5FC105])
CONSTRUCTED = st.sampled_from([0x30, 0x62, 0xA5, 0x7F49, 0xBF8101])


Encoded = tuple[tlv.Tlv, bytes]  # an object and its encoding


def _leaf(pair: tuple[int, bytes]) -> Encoded:
    tag, value = pair
    return tlv.Tlv(tag, value), tlv.encode(tag, value)


def _node(pair: tuple[int, list[Encoded]]) -> Encoded:
    tag, inner = pair
    children = tuple(object_ for object_, _ in inner)
    value = b"".join(encoded for _, encoded in inner)
    return tlv.Tlv(tag, value, children), tlv.encode(tag, value)


OBJECTS = st.recursive(
    st.tuples(PRIMITIVE, st.binary(max_size=300)).map(_leaf),
    lambda inner: st.tuples(CONSTRUCTED, st.lists(inner, max_size=4)).map(_node),
    max_leaves=12,
)


@given(st.lists(OBJECTS, max_size=3), st.sampled_from([b"", b"\0", b"\0\0\xff"]))
def test_what_is_encoded_is_parsed(objects: list[Encoded], filler: bytes) -> None:
    data = b"".join(encoded + filler for _, encoded in objects)
    assert tlv.parse(data) == tuple(object_ for object_, _ in objects)
    assert tlv.is_complete(b"".join(encoded for _, encoded in objects) + filler)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    try:
        objects = tlv.parse(data)
    except InvalidInput as error:
        assert error.code == "card.tlv"  # noqa: PT017
    else:
        assert all(object_.tag for object_ in objects)


@pytest.mark.parametrize(
    ("size", "head"),
    [(127, "047F"), (128, "048180"), (255, "0481FF"), (256, "04820100"), (65_535, "0482FFFF")],
)
def test_length_forms(size: int, head: str) -> None:
    encoded = tlv.encode(0x04, bytes(size))
    assert encoded[: len(head) // 2].hex().upper() == head
    assert tlv.object_length(encoded[:5]) == len(encoded)


@pytest.mark.parametrize(
    "broken",
    ["84", "8405AA", "3080", "0484000000010A", "0485", "1F", "1F8181", "1F81818101", "0482FF"],
)
def test_broken_objects_are_refused(broken: str) -> None:
    with pytest.raises(InvalidInput):
        tlv.parse(bytes.fromhex(broken))


def test_bounds_of_size_and_depth() -> None:
    nested = b"\x04\x00"
    for _ in range(tlv.MAX_DEPTH - 1):
        nested = tlv.encode(0x30, nested)
    assert tlv.parse(nested)
    with pytest.raises(InvalidInput):
        tlv.parse(tlv.encode(0x30, nested))
    with pytest.raises(InvalidInput):
        tlv.parse(bytes(tlv.MAX_SIZE + 1))
    with pytest.raises(InvalidInput):
        tlv.encode(0x04, bytes(tlv.MAX_SIZE))


@pytest.mark.parametrize("tag", [0x00, 0xFF, 0x1F, 0x8401, 0x1F81])
def test_impossible_tags_are_refused(tag: int) -> None:
    with pytest.raises(InvalidInput):
        tlv.encode(tag, b"")


def test_find_follows_tags_inwards() -> None:
    objects = tlv.parse(bytes.fromhex("6208 8001AA A5038001BB".replace(" ", "")))
    assert tlv.find(objects, 0x62, 0x80) == b"\xaa"
    assert tlv.find(objects, 0x62, 0xA5, 0x80) == b"\xbb"
    assert tlv.find(objects, 0x62, 0x81) is None


def test_unfinished_objects_are_not_complete() -> None:
    assert not tlv.is_complete(bytes.fromhex("0403AABB"))
    assert not tlv.is_complete(bytes.fromhex("04"))
