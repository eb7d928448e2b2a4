"""Certificates and lists bent out of shape: bytes flipped, elements moved, lengths that lie."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from pki.reading.objects import objects_in
from tests.golden.lint.case import octets_of
from tests.golden.lint.tree import Node, parse

GOLDEN = Path(__file__).parents[1] / "golden" / "lint" / "files"


@cache
def specimens() -> list[bytes]:
    """The DER of every object of the sound golden files."""
    return [
        octets_of(one)
        for path in sorted(GOLDEN.glob("sound-*.pem"))
        for one in objects_in(path.read_bytes())
    ]


def _flip(octets: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)


def _overwrite(octets: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(octets))
    octets[at] = rng.choice((0, 1, 0x7F, 0x80, 0x84, 0x88, 0xFF, rng.randrange(256)))


def _cut(octets: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(octets))
    del octets[at : at + rng.choice((1, 2, 8, len(octets)))]


def _double(octets: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(octets))
    octets[at:at] = octets[at : at + rng.randrange(1, 64)]


def _fill(octets: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(octets))
    octets[at:at] = rng.randbytes(rng.choice((1, 4, 64, 2000)))


BYTES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _cut,
    _double,
    _fill,
)


def nodes(tree: Node) -> Iterator[Node]:
    yield tree
    for child in tree.children:
        yield from nodes(child)


def _bend(tree: Node, rng: random.Random) -> None:
    """Change one element of the tree; lengths around it stay right."""
    node = rng.choice(list(nodes(tree)))
    parents = [one for one in nodes(tree) if one.children]
    if not parents:
        return
    match rng.randrange(8):
        case 0:
            node.tag = rng.choice((0x02, 0x03, 0x04, 0x05, 0x0C, 0x13, 0x30, 0x31, 0xA0, 0x80))
        case 1:
            node.octets, node.children = rng.randbytes(rng.choice((0, 1, 9, 700))), []
        case 2:
            rng.choice(parents).children.reverse()
        case 3:
            parent = rng.choice(parents)
            parent.children.insert(0, rng.choice(parent.children))
        case 4:
            parent = rng.choice(parents)
            del parent.children[rng.randrange(len(parent.children))]
        case 5:
            node.octets, node.children = node.encode(), []
        case 6:
            node.length = rng.choice(
                (b"\x80", b"\x81\x01", b"\x84\xff\xff\xff\xff", b"\x82\x00\x05")
            )
        case _:
            other = rng.choice(parents)
            node.octets, node.children = other.encode(), []


def mangled(seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` mangled objects; the same for the same seed."""
    rng = random.Random(seed)
    whole = specimens()
    for _ in range(count):
        der = rng.choice(whole)
        if rng.random() < 0.5:
            tree = parse(der)
            for _ in range(rng.choice((1, 1, 2))):
                _bend(tree, rng)
            yield tree.encode()
            continue
        octets = bytearray(der)
        for _ in range(rng.choice((1, 1, 1, 3))):
            if octets:
                rng.choice(BYTES)(octets, rng)
        yield bytes(octets)
