"""The chain of entries judged from their octets alone, as an outsider judges it.

Each entry is one RFC 8785 object that names its position and its predecessor's hash; its own hash
is the SHA-256 of those octets; the first entry's predecessor is 64 zeros.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydantic_core import from_json

from audit.canonical import digest
from pki.errors import InvalidInput, Refused

MAX_ENTRY_OCTETS = 64 * 1024
CLOCK_STEP = "CLOCK.STEP"
"""The only entry that may carry an earlier time than its predecessor."""

_FIELDS = frozenset(
    (
        "seq",
        "ts",
        "code",
        "outcome",
        "actor_id",
        "actor_role",
        "co_actor_id",
        "terminal",
        "object_type",
        "object_id",
        "detail",
        "prev_hash",
    )
)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_HEAD = re.compile(r"[1-9][0-9]{0,17}:[0-9a-f]{64}")


@dataclass(frozen=True)
class Head:
    """An entry's position (0 before the first) and hash."""

    seq: int
    hash: str


START = Head(0, "0" * 64)
"""What the first entry names as its predecessor."""


def parse_anchor(text: str) -> Head:
    """Return the head written as ``SEQ:HASH``; raises ``InvalidInput``."""
    if not _HEAD.fullmatch(text):
        raise InvalidInput(
            "audit.anchor.form",
            f"{text!r} is no anchor",
            "Give it as SEQ:HASH, as `hpki audit verify` prints it, or name an anchor's file.",
        )
    seq, _, value = text.partition(":")
    return Head(int(seq), value)


class Chain:
    """Takes the entries one after another, and raises ``Refused`` at the first fault.

    Faults are a gap, an entry inserted or out of order, changed content, another predecessor, a
    time that runs back, an entry that is not the one an anchor names, and a tail cut before the
    head or the newest anchor. The first one taken comes after ``start``, not before ``time``.
    """

    def __init__(self, anchors: Iterable[Head] = (), start: Head = START, time: str = "") -> None:
        self._seq, self._hash = start.seq, start.hash
        self._time = time
        self._anchors: dict[int, set[str]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.seq, set()).add(anchor.hash)

    @property
    def last(self) -> Head:
        """The entry taken last."""
        return Head(self._seq, self._hash)

    def take(self, seq: int, octets: bytes, claimed: str) -> dict[str, Any]:
        """Return the content of the entry stored at ``seq`` with the hash ``claimed``."""
        if seq != self._seq + 1:
            raise self._misplaced(seq)
        if hashlib.sha256(octets).hexdigest() != claimed:
            raise self.broken("its content was changed")
        body = self._read(octets)
        if body["seq"] != seq:
            raise self.broken("its columns differ from its content")
        self._link(body, claimed)
        return body

    def take_line(self, line: bytes) -> dict[str, Any]:
        """Return the content of an entry that comes as its octets only, without end of line."""
        body = self._read(line)
        if body["seq"] != self._seq + 1:
            raise self._misplaced(body["seq"])
        self._link(body, digest(line))
        return body

    def finish(self, head: Head | None = None) -> Head:
        """Return the last entry, which is ``head`` if given, and no anchor names a later one."""
        if head is not None and head != self.last:
            raise self.broken("the tail was cut or the head changed")
        beyond = max(self._anchors, default=0)
        if beyond > self._seq:
            raise self.broken(f"the tail was cut, an anchor names entry {beyond}")
        return self.last

    def broken(self, what: str) -> Refused:
        """Return the refusal of the next entry."""
        return broken(self._seq + 1, what)

    def _misplaced(self, seq: int) -> Refused:
        if seq > self._seq:
            return self.broken(f"it is missing, the next is {seq}")
        return self.broken(f"entry {seq} stands in its place, inserted or out of order")

    def _read(self, octets: bytes) -> dict[str, Any]:
        if len(octets) > MAX_ENTRY_OCTETS:
            raise self.broken(f"it is longer than {MAX_ENTRY_OCTETS} octets")
        try:
            body = from_json(octets, allow_inf_nan=False)
            whole = (
                body.keys() == _FIELDS
                and type(body["seq"]) is int
                and octets[:1] + octets[-1:] == b"{}"
            )
            if whole and (body["ts"] == self._time or _TIME.fullmatch(body["ts"])):
                checked: dict[str, Any] = body
                return checked
        except (ValueError, TypeError, AttributeError):
            pass
        raise self.broken("its content is not an entry") from None

    def _link(self, body: dict[str, Any], own: str) -> None:
        if body["prev_hash"] != self._hash:
            raise self.broken("its predecessor is another one")
        time = body["ts"]
        if time < self._time and body["code"] != CLOCK_STEP:
            raise self.broken("its time runs back")
        seq = body["seq"]
        if seq in self._anchors and self._anchors[seq] != {own}:
            raise differs(seq)
        self._seq, self._hash, self._time = seq, own, time


def verify_lines(lines: BinaryIO, anchors: Iterable[Head] = ()) -> Head:
    """Return the last entry of JSON Lines, each the octets of one entry; ``Chain`` tells faults."""
    chain = Chain(anchors)
    while line := lines.readline(MAX_ENTRY_OCTETS + 2):
        chain.take_line(line.removesuffix(b"\n"))
    return chain.finish()


KEEP = "Keep the store as it is and call the auditor."


def broken(seq: int, what: str) -> Refused:
    """Return the refusal of a trail whose entry ``seq`` is the first at fault."""
    return Refused("audit.trail.broken", f"the trail is broken at entry {seq}: {what}", KEEP)


def differs(seq: int) -> Refused:
    """Return the refusal of a trail whose entry ``seq`` is not what an anchor names."""
    return Refused(
        "audit.anchor.differs",
        f"entry {seq} is not the one the anchor names",
        "The trail was rewritten or the store rolled back: keep it and call the auditor.",
    )
