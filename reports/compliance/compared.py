"""Rows and trail side by side: what stands in one and not in the other, in the period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from audit.records import TrailEntry
from ca.records import Certificate, Order, Revocation
from crl.records import RevocationList
from operators.records import Statement
from reports.applications import check_applications
from reports.compliance.engine import Check
from reports.compliance.results import Outcome
from reports.compliance.run import Run
from reports.differences import Difference
from reports.reconciliation import check_ledgers, check_lists
from reports.tables import Text

_MOST = 10_000
"""Differences of one kind that are kept."""


def _differences(run: Run, compare: Compare) -> list[Difference]:
    """Return where rows and trail do not agree in the period, compared once for a run.

    And those that no entry of any time can tell of.
    """
    key = f"compliance.{compare.__name__}"
    if key not in run.tx.info:
        newest = run.directory.trail.head(run.tx).seq
        told, kept = Counter[str](), []
        for one in compare(run):
            if one.seq in run.positions or not 0 < one.seq <= newest:
                told[one.code] += 1
                if told[one.code] <= _MOST:
                    kept.append(one)
        run.tx.info[key] = kept
    known: list[Difference] = run.tx.info[key]
    return known


Compare = Callable[[Run], Iterable[Difference]]


def _ledgers(run: Run) -> Iterable[Difference]:
    return check_ledgers(run.tx)


def _applications(run: Run) -> Iterable[Difference]:
    return check_applications(run.tx)


def _lists(run: Run) -> Iterable[Difference]:
    return check_lists(run.tx, run.archive)


def _disagreement(
    compare: Compare, population: Callable[[Run], int], wanted: Callable[[str, str], bool]
) -> Callable[[Run], Outcome]:
    """Return a check that names the differences wanted by ledger and kind."""

    def check(run: Run) -> Outcome:
        outcome = Outcome(population=population(run))
        for one in _differences(run, compare):
            ledger, _, kind = one.code.partition(".")
            if wanted(ledger, kind):
                row = f"entry {one.seq}" if one.seq else one.what.split(":")[0]
                outcome.blame(row, [Text(f"記録と不一致: {one.what}", f"differs: {one.what}")])
        return outcome

    return check


def _entries_of(run: Run, *codes: str) -> int:
    entry = sa.inspect(TrailEntry).columns
    query = sa.select(sa.func.count(entry.seq)).where(
        entry.code.in_(codes),
        entry.outcome == "OK",
        entry.seq.between(run.positions.start, run.positions.stop - 1),
    )
    return run.tx.execute(query).scalar() or 0


def _rows_told(run: Run) -> int:
    first, last = run.positions.start, run.positions.stop - 1
    return sum(
        run.tx.execute(sa.select(sa.func.count()).where(column.between(first, last))).scalar() or 0
        for column in map(col, _ENTERED)
    )


_ENTERED: Sequence[Any] = (
    *(Certificate.reserved_seq, Certificate.issued_seq, Revocation.seq),
    *(Order.accepted_seq, Statement.seq),
)
_TOLD = ("CERT.POP_OK", "CERT.ISSUE", "REV.EXECUTE", "ISSUE.ORDER")


def _lists_made(run: Run) -> int:
    made = col(RevocationList.this_update).between(run.since, run.until)
    return run.tx.execute(sa.select(sa.func.count()).where(made)).scalar() or 0


def _is_untold(_: str, kind: str) -> bool:
    return kind in ("no_entry", "differs", "published")


def _is_gone(_: str, kind: str) -> bool:
    return kind == "no_row"


def _moved(run: Run) -> int:
    return _entries_of(run, "APP.RECEIVE", "APP.COMPLETE", "APP.EXAMINED", "APP.DECIDE")


ROWS: Mapping[str, Check] = {
    "HC-5.4.1-01": _disagreement(_ledgers, _rows_told, _is_untold),
    "HC-5.4.1-02": _disagreement(_ledgers, lambda run: _entries_of(run, *_TOLD), _is_gone),
}
"""Those that read rows and trail side by side, once for both.

The reverse of HC-5.4.1-01 is that of all it asks for: what is gone from any table is named.
"""

FILES: Mapping[str, Check] = {
    "HC-4.2-04": _disagreement(_applications, _moved, lambda _, kind: kind != "erased"),
    "HC-5.4.1-01": _disagreement(
        _applications, lambda run: _entries_of(run, "APP.DECIDE"), _is_untold
    ),
    "HC-5.4.1-02": _disagreement(
        _applications, lambda run: _entries_of(run, "APP.RECEIVE"), _is_gone
    ),
}
"""Those that follow every application's moves in the trail, once for all of them."""

LISTS: Mapping[str, Check] = {
    "HC-5.4.1-01": _disagreement(_lists, _lists_made, _is_untold),
    "HC-5.4.1-02": _disagreement(_lists, lambda run: _entries_of(run, "CRL.ISSUE"), _is_gone),
}
"""Those that look for every list and its file."""
