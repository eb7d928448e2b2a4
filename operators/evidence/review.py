"""The monthly review of the trail: a record of what was found, signed by the log reviewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.canonical import canonical_json, digest
from audit.chain import Head
from audit.trail import Event
from operators.directory import Directory
from operators.records import Statement
from operators.statements import Decision, Signer, StatementType, head_text
from policies.roles import Role
from store.database import Transaction

CODE = "LOG.REVIEW"
_MOST_LISTED = 1000


@dataclass(frozen=True)
class Found:
    """One thing found; ``seq``: the entry it is about, 0 if none."""

    code: str
    severity: str
    seq: int
    what: str


@dataclass(frozen=True)
class Review:
    """What was reviewed: the entries of a month, ``period`` as 2026-10, and the trail to ``head``.

    ``first_seq`` and ``last_seq`` are 0 where the month has no entries; ``counts``: entries by code
    and outcome (``APP.DECIDE OK``).
    """

    site_id: str
    period: str
    first_seq: int
    last_seq: int
    head: Head
    counts: Mapping[str, int]
    found: Sequence[Found]
    note: str

    @property
    def decision(self) -> str:
        """CLEAN, or DIFFERENCES where anything was found."""
        return "DIFFERENCES" if self.found else "CLEAN"

    def found_by_code(self) -> dict[str, int]:
        """Return how much was found of each code."""
        return dict(sorted(Counter(one.code for one in self.found).items()))

    def record(self) -> bytes:
        """Return the canonical record whose SHA-256 is signed; it lists the first 1,000 found."""
        return canonical_json(
            {
                "format": "hpki-log-review-1",
                "site_id": self.site_id,
                "period": self.period,
                "first_seq": self.first_seq,
                "last_seq": self.last_seq,
                "head": head_text(self.head),
                "entries": dict(self.counts),
                "found_by_code": self.found_by_code(),
                "found": [vars(one) for one in self.found[:_MOST_LISTED]],
                "decision": self.decision,
                "note_sha256": digest(self.note.encode()),
            }
        )


def state_review(
    directory: Directory, tx: Transaction, review: Review, signer: Signer
) -> Statement:
    """Sign the review as LOG_REVIEWER and enter LOG.REVIEW; the caller keeps record and note."""
    record = digest(review.record())
    decision = Decision(
        StatementType.LOG_REVIEW,
        "trail",
        review.period,
        record,
        review.decision,
        Role.LOG_REVIEWER,
    )
    event = Event(
        CODE,
        "trail",
        review.period,
        actor=signer.operator_id,
        actor_role=Role.LOG_REVIEWER,
        detail={
            "first_seq": review.first_seq,
            "last_seq": review.last_seq,
            "head": head_text(review.head),
            "decision": review.decision,
            "found": review.found_by_code(),
            "record": record,
            "note": digest(review.note.encode()),
        },
    )
    (statement,) = directory.state(tx, event, (signer, decision))
    return statement
