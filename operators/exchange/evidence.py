"""One statement of another organisation's operator, with the entries of its trail that prove it."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from audit.canonical import canonical_json, digest
from audit.chain import Chain
from operators.directory import Directory, kept_statement
from operators.evidence.proof import verify_stated
from operators.exchange.fold import entry_before, read_lone_entry, verify_not_lost
from operators.exchange.paper import EntryText, SignedPiece
from operators.records import Statement
from operators.register import Register
from operators.statements import Decision, verify_says
from pki.errors import InvalidInput, NotFound, Refused
from policies.schema import Strict, validate
from store.database import Transaction

_MOST_ENTRIES = 10_000


class Evidence(Strict):
    """A statement and the octets of the entries that prove it, in order.

    The first entry names the statement. Where its signer's keys or rights were taken away later,
    every one from there to the next act of the register follows.
    """

    statement: SignedPiece
    entries: Annotated[tuple[EntryText, ...], Field(min_length=1, max_length=_MOST_ENTRIES)]

    @property
    def statement_id(self) -> str:
        """The statement's id."""
        return self.statement.signed.field("statement_id")

    def octets(self) -> bytes:
        """Return the RFC 8785 octets."""
        return canonical_json(self.model_dump(mode="json"))

    def digest(self) -> str:
        """Return the SHA-256 of the octets."""
        return digest(self.octets())


def parse_evidence(text: str) -> Evidence:
    """Return the evidence as it is kept; raises ``InvalidInput``."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput("exchange.evidence", "the evidence is not JSON") from None
    return validate(Evidence, tree, "the evidence", "exchange.evidence")


def gather_evidence(directory: Directory, tx: Transaction, statement_id: str) -> Evidence:
    """Return our own statement with what proves it to others; raises ``NotFound``."""
    row = tx.get(Statement, statement_id)
    if row is None:
        raise NotFound("operators.statement.missing", f"there is no statement {statement_id}")
    register, last = directory.register(tx), row.seq
    signed = kept_statement(row).signed
    if register.account(signed.field("operator")).curtailed_after(row.seq):
        last = register.head_from(row.seq).seq
    if last - row.seq >= _MOST_ENTRIES:
        raise Refused(
            "exchange.evidence.long",
            f"{last - row.seq} entries would have to prove the statement at entry {row.seq}",
            "Let it be decided again by people who hold their roles now.",
        )
    entries = [directory.trail.entry(tx, seq) for seq in range(row.seq, last + 1)]
    return Evidence(
        statement=SignedPiece(body=row.body, signature=row.signature),
        entries=tuple(one.body for one in entries if one is not None),
    )


def verify_evidence(
    register: Register, evidence: Evidence, expected: Decision, until: int | None = None
) -> str:
    """Return who made the statement.

    Raises ``Refused`` unless it says exactly what is expected, its entry names it, its signature
    verifies, key and role were held there, and the key was never reported lost. Where rights were
    taken away since, its entry must be in the chain that leads to the next act; ``until``: only up
    to that position, for a statement that we had before the later acts.
    """
    statement = evidence.statement
    entry, chain = read_lone_entry(evidence.entries[0])
    before = entry_before(evidence.entries[0])
    kept = statement.kept(entry.head.seq)
    operator_id = verify_stated(register, entry, kept, lambda head: head == before)
    verify_says(kept.signed, expected)
    verify_not_lost(register, kept.signed)
    if register.account(operator_id).curtailed_after(entry.head.seq, until):
        _verify_pinned(register, chain, evidence)
    return operator_id


def _verify_pinned(register: Register, chain: Chain, evidence: Evidence) -> None:
    wanted = register.head_from(chain.last.seq)
    for text in evidence.entries[1:]:
        chain.take_line(text.encode())
    chain.finish(wanted)
