"""Reading DER, and telling where an encoding is readable but not DER.

Source: X.690. Lengths have at most four octets and tags one; nesting is bounded because what reads
follows the structures of RFC 5280 and never recurses.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol, overload

_MAX_FAULTS = 20
_MAX_OID_OCTETS = 64

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x0A, 0x17, 0x18, 0x30, 0x31


class DerError(ValueError):
    """The octets cannot be read; the text says why and where."""


class Octets(Protocol):
    """Octets by their places: ``bytes``, or what reads them from a file when asked."""

    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, place: int, /) -> int: ...
    @overload
    def __getitem__(self, place: slice, /) -> bytes: ...


class Reader:
    """Reads one run of octets; ``faults`` collects what is readable but not DER."""

    __slots__ = ("faults", "octets")

    def __init__(self, octets: Octets) -> None:
        self.octets = octets
        self.faults: list[str] = []

    def fault(self, text: str) -> None:
        """Note a breach of DER that does not hinder reading on."""
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(text)

    def element(self, at: int, end: int) -> tuple[int, int, int]:
        """Return tag, begin and end of the content of the element at ``at``, inside ``end``."""
        octets = self.octets
        begin = at + 2
        if begin > end:
            raise DerError(f"an element is cut off at octet {at}")
        tag, length = octets[at], octets[at + 1]
        if tag & 0x1F == 0x1F:
            raise DerError(f"a tag of several octets at octet {at}")
        if length >= 0x80:
            count = length - 0x80
            if not 1 <= count <= 4:
                raise DerError(f"an indefinite or overlong length at octet {at}")
            begin += count
            length = int.from_bytes(octets[at + 2 : begin], "big")
            if length < 0x80 or length >> 8 * (count - 1) == 0:
                self.fault(f"the length at octet {at} is not in its shortest form")
        stop = begin + length
        if stop > end:
            raise DerError(f"the element at octet {at} runs beyond what holds it")
        return tag, begin, stop

    def expect(self, tag: int, at: int, end: int, what: str) -> tuple[int, int]:
        """Return begin and end of the content at ``at``; raises ``DerError`` for another tag."""
        found, begin, stop = self.element(at, end)
        if found != tag:
            raise DerError(f"{what} has the tag {found:02x}, not {tag:02x}")
        return begin, stop

    def children(self, begin: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield start, tag, and begin and end of the content of each element between the two."""
        at = begin
        while at < end:
            tag, start, stop = self.element(at, end)
            yield at, tag, start, stop
            at = stop

    def whole(self, tag: int, what: str) -> tuple[int, int]:
        """Return the content's bounds of the one element that the octets are."""
        begin, stop = self.expect(tag, 0, len(self.octets), what)
        if stop != len(self.octets):
            self.fault(f"{len(self.octets) - stop} octets follow {what}")
        return begin, stop

    def boolean(self, begin: int, end: int) -> bool:
        """Return a BOOLEAN's value; anything but 00 and FF is a fault."""
        value = self.octets[begin:end]
        if len(value) != 1:
            raise DerError("a BOOLEAN has not one octet")
        if value not in (b"\x00", b"\xff"):
            self.fault("a BOOLEAN is neither 00 nor FF")
        return value != b"\x00"

    def integer(self, begin: int, end: int) -> int:
        """Return an INTEGER's or ENUMERATED's value; a longer form than needed is a fault."""
        value = self.octets[begin:end]
        if not value:
            raise DerError("an INTEGER has no octets")
        if len(value) > 1 and (
            (value[0] == 0 and value[1] < 0x80) or (value[0] == 0xFF and value[1] >= 0x80)
        ):
            self.fault("an INTEGER is not in its shortest form")
        return int.from_bytes(value, "big", signed=True)

    def oid(self, begin: int, end: int) -> str:
        """Return an OBJECT IDENTIFIER in dotted form."""
        if end - begin > _MAX_OID_OCTETS:
            raise DerError("an OBJECT IDENTIFIER is too long")
        return _dotted(self.octets[begin:end])

    def bit_string(self, begin: int, end: int) -> tuple[bytes, int]:
        """Return a BIT STRING's octets and the number of unused bits; a set one is a fault."""
        if end - begin < 1 or self.octets[begin] > 7 or (end - begin == 1 and self.octets[begin]):
            raise DerError("a BIT STRING has no sound first octet")
        unused, octets = self.octets[begin], self.octets[begin + 1 : end]
        if unused and octets[-1] & ((1 << unused) - 1):
            self.fault("unused bits of a BIT STRING are set")
        return octets, unused


@lru_cache(maxsize=4096)
def _dotted(octets: bytes) -> str:
    if not octets or octets[-1] & 0x80:
        raise DerError("an OBJECT IDENTIFIER is empty or cut off")
    arcs, value, fresh = [], 0, True
    for octet in octets:
        if fresh and octet == 0x80:
            raise DerError("an arc of an OBJECT IDENTIFIER is not in its shortest form")
        value = value << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
