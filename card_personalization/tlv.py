"""BER-TLV with definite lengths, bounded in size and depth.

Source: ISO/IEC 7816-4 5.2.2 (the subset of BER that cards use).
"""

from __future__ import annotations

from dataclasses import dataclass

from pki.errors import InvalidInput

MAX_SIZE = 65_536  # bytes of one parsed string
MAX_DEPTH = 16  # levels of nesting
_CONSTRUCTED = 0x20
_MAX_HEADER = 7  # bytes of tag and length
_FILLER = (0x00, 0xFF)


@dataclass(frozen=True)
class Tlv:
    """One data object; ``tag`` as the card writes it (0x84, 0x7F49), children if constructed."""

    tag: int
    value: bytes
    children: tuple[Tlv, ...] = ()


def encode(tag: int, *parts: bytes) -> bytes:
    """One data object around the joined ``parts``; InvalidInput for an impossible tag or size."""
    tag_bytes = tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")
    if _tag_length(tag_bytes) != len(tag_bytes):
        raise _broken(f"{tag:X} is not a tag")
    value = b"".join(parts)
    if len(value) >= MAX_SIZE:
        raise _broken(f"{len(value)} bytes are too many for one data object")
    if len(value) < 0x80:
        return tag_bytes + bytes([len(value)]) + value
    size = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return tag_bytes + bytes([0x80 | len(size)]) + size + value


def parse(data: bytes, max_depth: int = MAX_DEPTH) -> tuple[Tlv, ...]:
    """All data objects in ``data``; 00 and FF between them are filler; InvalidInput if broken."""
    found = []
    for one in parse_flat(data):
        constructed = _first_octet(one.tag) & _CONSTRUCTED and one.value
        if constructed and max_depth < 2:
            raise _broken("nested too deeply")
        children = parse(one.value, max_depth - 1) if constructed else ()
        found.append(Tlv(one.tag, one.value, children))
    return tuple(found)


def parse_flat(data: bytes) -> tuple[Tlv, ...]:
    """As ``parse``, but what is inside an object stays unread, as where tags do not tell it."""
    if len(data) > MAX_SIZE:
        raise _broken(f"{len(data)} bytes are more than {MAX_SIZE}")
    found = []
    offset = 0
    while offset < len(data):
        if data[offset] in _FILLER:
            offset += 1
            continue
        tag_length, head, length = _header(data[offset : offset + _MAX_HEADER])
        value = data[offset + head : offset + head + length]
        if len(value) < length:
            raise _broken("a data object is cut off")
        tag = int.from_bytes(data[offset : offset + tag_length], "big")
        found.append(Tlv(tag, value))
        offset += head + length
    return tuple(found)


def find(objects: tuple[Tlv, ...], *tags: int) -> bytes | None:
    """Value of the first object reached by following ``tags`` inwards, or None."""
    value = None
    for tag in tags:
        match = next((o for o in objects if o.tag == tag), None)
        if match is None:
            return None
        value, objects = match.value, match.children
    return value


def object_length(head: bytes) -> int:
    """Length in bytes of the object that starts in ``head``, header included.

    ``head`` needs to hold the header only. InvalidInput if it is none.
    """
    _, header, length = _header(head)
    return header + length


def is_complete(data: bytes) -> bool:
    """Whether whole objects fill ``data`` up to its end or to the filler behind them."""
    rest = data[whole_objects(data) :]
    return not rest or rest[0] in _FILLER


def whole_objects(data: bytes, begin: int = 0) -> int:
    """Where the whole objects from ``begin`` on end: before filler, a cut-off object or nothing."""
    while begin < len(data) and data[begin] not in _FILLER:
        try:
            end = begin + object_length(data[begin : begin + _MAX_HEADER])
        except InvalidInput:
            break
        if end > len(data):
            break
        begin = end
    return begin


def _first_octet(tag: int) -> int:
    return tag >> 8 * ((tag.bit_length() - 1) // 8)


def _header(data: bytes) -> tuple[int, int, int]:
    """Length of the tag, of tag and length field together, and of the value."""
    tag_length = _tag_length(data)
    if tag_length >= len(data):
        raise _broken("a length field is missing")
    first = data[tag_length]
    if first < 0x80:
        return tag_length, tag_length + 1, first
    count = first & 0x7F
    if not 1 <= count <= 3:
        raise _broken(f"length byte {first:02X} is not supported")
    field = data[tag_length + 1 : tag_length + 1 + count]
    if len(field) < count:
        raise _broken("a length field is cut off")
    return tag_length, tag_length + 1 + count, int.from_bytes(field, "big")


def _tag_length(data: bytes) -> int:
    """Count of tag bytes at the start, 1 to 3."""
    if not data or data[0] in _FILLER:
        raise _broken("a tag is missing")
    if data[0] & 0x1F != 0x1F:
        return 1
    if len(data) > 1 and data[1] & 0x80 == 0:
        return 2
    if len(data) > 2 and data[2] & 0x80 == 0:
        return 3
    raise _broken("a tag is cut off or longer than three bytes")


def _broken(text: str) -> InvalidInput:
    return InvalidInput("card.tlv", text)
