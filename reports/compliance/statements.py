"""Signed statements, each verified anew: its key, its role, and its place in the trail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from audit.chain import Head
from audit.records import TrailEntry, content_of
from operators.evidence.proof import kept, read_entry, verify_stated
from operators.records import Statement
from operators.register import Register
from operators.statements import SignedStatement, StatementType
from pki.errors import HpkiError
from policies.controls import AuditKind
from reports.compliance.engine import Judge, Ledger, spans
from reports.compliance.people import with_register
from reports.compliance.run import Run, kinds_of
from reports.tables import Text

_PAGE, _SPAN = 400, 4000
_CONTROLS: Mapping[str, tuple[StatementType, ...]] = {
    "HC-4.2-01": (
        StatementType.EXAMINATION,
        StatementType.REJECTION,
        StatementType.WITHDRAWAL,
        StatementType.RETURN,
    ),
    "HC-4.3-02": (StatementType.EXECUTION,),
    "HC-4.4-04": (StatementType.CARD_DESTRUCTION,),
    "HC-4.9.3-02": (StatementType.EMERGENCY_REVIEW,),
    "HC-5.2-02": (StatementType.CEREMONY,),
    "HC-5.4.2-01": (StatementType.LOG_REVIEW,),
    "HC-5.5.2-01": (StatementType.ERASURE,),
    "HC-6.4-04": (StatementType.PIN_DISCLOSURE,),
}
"""What rests on statements of which types; approvals and decisions to revoke are verified with
what they order."""


@dataclass(frozen=True)
class StatementRow:
    """One statement of the period and its entry, None where there is none or a damaged one."""

    data: Any = field(repr=False)
    head: Head
    content: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """``statement`` and its id."""
        return f"statement {self.data.id}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """Statements are for both uses."""
        return kinds_of(None)


def verify(register: Register, row: Any, content: Mapping[str, Any], head: Head) -> SignedStatement:
    """Return the statement of a row, verified at its entry; raises ``HpkiError``.

    Whether the trail before the entry is whole, HC-5.4.4-01 says.
    """
    statement, before = kept(row.id, row.seq, row.body, row.signature), content["prev_hash"]
    verify_stated(register, read_entry(content, head), statement, lambda seen: seen.hash == before)
    return statement.signed


_SEQ = col(Statement.seq)
_TYPES = sorted({one.value for types in _CONTROLS.values() for one in types})
_QUERY = (
    sa.select(
        *sa.inspect(Statement).columns,
        col(TrailEntry.body).label("entry"),
        col(TrailEntry.hash),
    )
    .outerjoin(TrailEntry, col(TrailEntry.seq) == _SEQ)
    .where(col(Statement.type).in_(_TYPES))
    .order_by(_SEQ, col(Statement.id))
)


def count(run: Run) -> int:
    """Return how many statements the period has."""
    first, last = run.positions.start, run.positions.stop - 1
    wanted = col(Statement.type).in_(_TYPES), _SEQ.between(first, last)
    return run.tx.execute(sa.select(sa.func.count(_SEQ)).where(*wanted)).scalar() or 0


def rows(run: Run, after: int | None = None, upto: int | None = None) -> Iterator[StatementRow]:
    """Yield the statements of the period on which controls rest, in the order of their entries."""
    last = run.positions.stop - 1 if upto is None else min(upto, run.positions.stop - 1)
    begin = max(after or 0, run.positions.start - 1)
    query = _QUERY.where(begin < _SEQ, last >= _SEQ)
    found = run.tx.connection().execute(query, execution_options={"yield_per": _PAGE})
    for one in found:
        content = content_of(one.entry, one.hash) if one.entry is not None else None
        yield StatementRow(one, Head(one.seq, one.hash or ""), content)


def _proven(*types: StatementType) -> Callable[[Run], Judge[StatementRow]]:
    """Return a maker of the judge; what is sound is counted with what rests on it."""

    def make(_: Run, register: Register) -> Judge[StatementRow]:
        def judge(row: StatementRow) -> Sequence[Text] | None:
            if row.content is None:
                return (Text("記録がないか壊れている", "its entry is gone or damaged"),)
            try:
                verify(register, row.data, row.content, row.head)
            except HpkiError as error:
                return (Text(f"検証できない: {error.code}", f"does not verify: {error.code}"),)
            return None

        return judge

    def made(run: Run) -> Judge[StatementRow]:
        judge = with_register(make)(run)
        return lambda row: judge(row) if row.data.type in types else None

    return made


LEDGER: Ledger[StatementRow] = Ledger(
    "statements",
    rows,
    count,
    {one: _proven(*types) for one, types in _CONTROLS.items()},
    cut=spans(rows, _SEQ, _SPAN),
)
