"""Many kept statements verified anew, as ``Directory.verify_kept`` verifies one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from audit.chain import Head
from audit.records import content_of
from operators.accounts import Moment
from operators.directory import Directory
from operators.evidence.proof import Entry, kept, misplaced, read_entry, verify_stated
from operators.register import Register
from operators.statements import Decision, SignedStatement, verify_says
from pki.errors import Refused
from policies.roles import Role
from reports.rows import ENTRY, STATEMENT
from store.database import Transaction

_AT_ONCE = 10_000
"""Objects that one query names: a batch may have more orders than a query takes parameters."""


@dataclass(frozen=True)
class Said:
    """A statement that verified: who made it, in which role, and where it stands."""

    operator_id: str
    role: Role
    at: Moment


@dataclass
class Prover:
    """Loads statements with their entries a page at a time and verifies them."""

    tx: Transaction
    directory: Directory
    register: Register
    _rows: dict[str, Any] = field(default_factory=dict)
    _entries: dict[int, Any] = field(default_factory=dict)
    _chained: Head | None = None

    def load(self, statement_ids: Collection[str]) -> None:
        """Hold these statements in memory, and no others."""
        query = sa.select(STATEMENT).where(STATEMENT.c.id.in_(sorted(statement_ids)))
        self._rows = {row.id: row for row in self.tx.execute(query)}
        seqs = {row.seq for row in self._rows.values()}
        columns = (ENTRY.c.seq, ENTRY.c.body, ENTRY.c.hash)
        wanted = sorted(seqs | {seq - 1 for seq in seqs})
        query = sa.select(*columns).where(ENTRY.c.seq.in_(wanted))
        self._entries = {row.seq: row for row in self.tx.execute(query)}

    def signed(self, statement_id: str) -> SignedStatement:
        """Return a loaded statement; raises ``Refused`` if there is none."""
        row = self._row(statement_id)
        return kept(row.id, row.seq, row.body, row.signature).signed

    def entry_of(self, statement_id: str) -> Mapping[str, Any]:
        """Return what the entry says at which a loaded statement stands; raises ``Refused``."""
        return self._content(self._row(statement_id).seq)

    def verify(self, statement_id: str, expected: Decision) -> Said:
        """Return who made a loaded statement; raises as ``Directory.verify_kept``."""
        row = self._row(statement_id)
        statement = kept(row.id, row.seq, row.body, row.signature)
        entry = self._entry(row.seq)
        operator_id = verify_stated(self.register, entry, statement, self._stands)
        verify_says(statement.signed, expected)
        if self.register.account(operator_id).curtailed_after(row.seq):
            self._verify_chained(entry.head)
        return Said(operator_id, expected.role, entry.at)

    def _verify_chained(self, head: Head) -> None:
        """Raise ``Refused`` unless the chain leads from an entry to the register's newest act."""
        if self._chained is None or head.seq < self._chained.seq:
            self.directory.trail.verify_between(self.tx, head, self._chained or self.register.head)
            self._chained = head

    def _stands(self, head: Head) -> bool:
        row = self._entries.get(head.seq)
        return row is not None and row.hash == head.hash

    def _row(self, statement_id: str) -> Any:
        row = self._rows.get(statement_id)
        if row is None:
            raise Refused("operators.statement.missing", f"there is no statement {statement_id}")
        return row

    def _entry(self, seq: int) -> Entry:
        return read_entry(self._content(seq), Head(seq, self._entries[seq].hash))

    def _content(self, seq: int) -> Mapping[str, Any]:
        row = self._entries.get(seq)
        content = None if row is None else content_of(row.body, row.hash)
        if content is None:
            raise misplaced(seq)
        return content


def entries_about(
    tx: Transaction, codes: Sequence[str], object_ids: Collection[str], up_to: int
) -> list[dict[str, Any]]:
    """Return what the sound entries with outcome OK say, in order about each of the objects."""
    query = (
        sa.select(ENTRY.c.seq, ENTRY.c.body, ENTRY.c.hash)
        .where(
            ENTRY.c.code.in_(codes),
            ENTRY.c.outcome == "OK",
            ENTRY.c.seq <= up_to,
        )
        .order_by(ENTRY.c.seq)
    )
    wanted, found = sorted(object_ids), []
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        rows = tx.execute(query.where(ENTRY.c.object_id.in_(some)))
        found += [said for row in rows if (said := content_of(row.body, row.hash)) is not None]
    return found


def signed_in(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of the statements that stand at an entry."""
    named = body["detail"].get("signed")
    return sorted(named) if isinstance(named, dict) else []
