"""DER as a tree that can be bent into any shape and encoded again, with no help of the product."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Node:
    """One element: its tag, and either its octets or its children; ``length`` overrides both."""

    tag: int
    octets: bytes = b""
    children: list[Node] = field(default_factory=list)
    length: bytes | None = None

    def encode(self) -> bytes:
        """Return the element as DER, or as what was asked for by ``length``."""
        content = b"".join(child.encode() for child in self.children) or self.octets
        size = len(content)
        if self.length is not None:
            return bytes((self.tag,)) + self.length + content
        if size < 0x80:
            return bytes((self.tag, size)) + content
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        return bytes((self.tag, 0x80 | len(octets))) + octets + content

    def __getitem__(self, index: int) -> Node:
        return self.children[index]


def parse(der: bytes) -> Node:
    """Return the tree of one element; constructed elements have children."""
    nodes = _parse(der)
    assert len(nodes) == 1
    return nodes[0]


def _parse(der: bytes) -> list[Node]:
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length >= 0x80:
            count = length - 0x80
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        content, at = der[at : at + length], at + length
        if tag & 0x20:
            found.append(Node(tag, children=_parse(content)))
        else:
            found.append(Node(tag, content))
    return found


def node(tag: int, *content: Node | bytes) -> Node:
    """Return an element of octets, or of children."""
    if content and isinstance(content[0], bytes):
        return Node(tag, b"".join(part for part in content if isinstance(part, bytes)))
    return Node(tag, children=[part for part in content if isinstance(part, Node)])


def sequence(*children: Node) -> Node:
    """Return a SEQUENCE."""
    return node(0x30, *children)


def set_of(*children: Node) -> Node:
    """Return a SET with its children in the order given."""
    return node(0x31, *children)


def oid(dotted: str) -> Node:
    """Return an OBJECT IDENTIFIER."""
    arcs = [int(arc) for arc in dotted.split(".")]
    octets = b""
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.insert(0, arc & 0x7F | 0x80)
        octets += bytes(groups)
    return Node(0x06, octets)


def integer(value: int) -> Node:
    """Return an INTEGER in its shortest form, negative ones too."""
    size = max(1, (value if value >= 0 else ~value).bit_length() // 8 + 1)
    return Node(0x02, value.to_bytes(size, "big", signed=True))


def boolean(value: bool) -> Node:
    """Return a BOOLEAN."""
    return Node(0x01, b"\xff" if value else b"\x00")


def text(value: str, tag: int = 0x0C) -> Node:
    """Return a string: UTF8String, or the type of the tag."""
    codec = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}.get(tag, "utf-8")
    return Node(tag, value.encode(codec))


def attribute(dotted: str, value: Node) -> Node:
    """Return an AttributeTypeAndValue."""
    return sequence(oid(dotted), value)
