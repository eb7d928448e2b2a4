"""The same proof over the store itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from audit import records as audit_records
from audit.chain import Chain, Head
from operators import records
from operators.directory import Directory, kept_statement
from operators.evidence.proof import Proof
from operators.records import Statement
from store.database import Transaction

Progress = Callable[[int, int], None]

_PAGE = 1000


def verify_statements(directory: Directory, progress: Progress | None = None) -> Proof:
    """Prove register and every statement of the store, from the pinned set-up on.

    Raises ``Refused`` at the first fault, naming the entry.
    """
    trail = directory.trail
    with trail.store.read() as tx:
        site_id, _ = trail.site(tx)
        head = trail.head(tx)
        chain = Chain()
        proof = Proof(site_id, directory.root, map(kept_statement, every_statement(tx)))
        for seq, octets, own in contents(tx, head, progress):
            proof.take(chain.take(seq, octets, own), chain.last)
        chain.finish(head)
        proof.finish()
    return proof


def contents(
    tx: Transaction, head: Head, progress: Progress | None = None
) -> Iterator[tuple[int, bytes, str]]:
    """Yield position, octets and hash of every entry as the store has them, a page at a time."""
    last = 0
    while page := audit_records.contents(tx, last, _PAGE):
        for row in page:
            last = row[0]
            yield last, str(row[1]).encode(), row[2]
        if progress is not None:
            progress(last, head.seq)


def every_statement(tx: Transaction) -> Iterator[Statement]:
    """Yield all statements in the order of their entries, a page at a time."""
    last = -1
    while page := records.statements_after(tx, last, _PAGE):
        last = page[-1].seq
        yield from page
        tx.expunge_all()
