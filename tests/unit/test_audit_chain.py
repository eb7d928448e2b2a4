"""The chain judged from lines alone, as an auditor on another machine does it."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from typing import Any

import pytest

from audit.canonical import canonical_json
from audit.chain import CLOCK_STEP, MAX_ENTRY_OCTETS, START, Chain, Head, verify_lines
from pki.errors import Refused


def entry(seq: int, before: str, **changes: Any) -> bytes:
    fields = {
        "seq": seq,
        "ts": "2026-11-21T03:00:00Z",
        "code": "TEST.ENTRY",
        "outcome": "OK",
        "actor_id": "kanri",
        "actor_role": "",
        "co_actor_id": "",
        "terminal": "test",
        "object_type": "thing",
        "object_id": f"t-{seq}",
        "detail": {},
        "prev_hash": before,
    }
    return canonical_json(fields | changes)


def lines(count: int, **changes: Any) -> list[bytes]:
    """Chained entries; ``changes`` go to the last."""
    made: list[bytes] = []
    for seq in range(1, count + 1):
        before = sha256(made[-1]).hexdigest() if made else START.hash
        made.append(entry(seq, before, **(changes if seq == count else {})))
    return made


def verified(made: list[bytes], *anchors: Head) -> Head:
    return verify_lines(io.BytesIO(b"".join(line + b"\n" for line in made)), anchors)


def fault(made: list[bytes], *anchors: Head, code: str = "audit.trail.broken") -> str:
    with pytest.raises(Refused) as refusal:
        verified(made, *anchors)
    assert refusal.value.code == code
    return refusal.value.text


def test_a_whole_chain_and_its_anchors() -> None:
    made = lines(5)
    heads = [Head(seq, sha256(line).hexdigest()) for seq, line in enumerate(made, 1)]
    assert verified(made) == heads[-1]
    assert verified(made, *heads) == heads[-1]
    assert verify_lines(io.BytesIO(b"\n".join(made))) == heads[-1]
    assert verified([]) == START


def test_the_first_fault_is_named() -> None:
    made = lines(6)
    assert "entry 3: it is missing, the next is 4" in fault(made[:2] + made[3:])
    assert "entry 1: it is missing, the next is 2" in fault(made[1:])
    swapped = [*made[:2], made[3], made[2], *made[4:]]
    assert "entry 3: it is missing, the next is 4" in fault(swapped)
    assert "entry 4: entry 3 stands in its place" in fault([*made[:3], made[2], *made[3:]])
    forged = entry(3, sha256(made[1]).hexdigest(), object_id="x")
    assert "entry 4: its predecessor" in fault([*made[:2], forged, *made[3:]])
    assert "entry 4: its predecessor" in fault([*made[:3], entry(4, "0" * 64), *made[4:]])
    assert "entry 4: its content is not" in fault([*made[:3], b"", *made[3:]])
    assert "entry 1: its content is not" in fault([b"\xff"])


def test_a_tail_cut_or_another_chain_is_found_by_an_anchor() -> None:
    made = lines(6)
    last = Head(6, sha256(made[-1]).hexdigest())
    assert "entry 5: the tail was cut, an anchor names entry 6" in fault(made[:4], last)
    other = lines(6, object_id="x")
    assert "entry 6" in fault(other, last, code="audit.anchor.differs")


def test_time_runs_back_at_a_clock_step_only() -> None:
    earlier = {"ts": "2026-11-21T02:59:59Z"}
    assert "entry 3: its time runs back" in fault(lines(3, **earlier))
    made = lines(3, code=CLOCK_STEP, **earlier)
    made.append(entry(4, sha256(made[-1]).hexdigest(), **earlier))
    assert verified(made).seq == 4
    made[-1] = entry(4, sha256(made[2]).hexdigest(), ts="2026-11-21T02:59:58Z")
    assert "entry 4: its time runs back" in fault(made)


def test_lines_are_bounded() -> None:
    short = len(lines(1, detail={"x": ""})[0])
    made = lines(1, detail={"x": "x" * (MAX_ENTRY_OCTETS - short)})
    assert len(made[0]) == MAX_ENTRY_OCTETS
    assert verified(made).seq == 1
    assert "entry 1: it is longer" in fault(lines(1, detail={"x": "x" * MAX_ENTRY_OCTETS}))

    class Endless(io.RawIOBase):
        def readline(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert 0 < size <= MAX_ENTRY_OCTETS + 2
            return b"x" * size

    with pytest.raises(Refused):
        verify_lines(Endless())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b"[" * 60_000,
        b'{"seq":' + b"1" * 5000 + b"}",
        "{}".encode("utf-16"),
        b"{" + b'"a":{' * 10_000,
    ],
)
def test_what_is_no_entry(line: bytes) -> None:
    assert "entry 1: its content is not an entry" in fault([line])


def test_stored_columns_are_compared_with_the_octets() -> None:
    (made,) = lines(1)
    own = sha256(made).hexdigest()
    assert Chain().take(1, made, own) == json.loads(made)
    for seq, octets, claimed in ((1, made, "0" * 64), (2, made, own), (1, made + b" ", own)):
        with pytest.raises(Refused):
            Chain().take(seq, octets, claimed)
    chain = Chain()
    chain.take(1, made, own)
    with pytest.raises(Refused) as refusal:
        chain.finish(START)
    assert "the tail was cut or the head changed" in refusal.value.text
