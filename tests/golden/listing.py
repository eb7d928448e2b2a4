"""Lists small enough to be held in memory."""

from __future__ import annotations

from crl.building import ListFacts, frame


def to_be_signed(facts: ListFacts, *entries: bytes) -> bytes:
    """TBSCertList of the facts with these entries, DER."""
    joined = b"".join(entries)
    around = frame(facts, len(joined))
    return around.head + joined + around.tail
