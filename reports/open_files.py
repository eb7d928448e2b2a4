"""Files that were open at a moment and how old they were, told by the moves in the trail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from pki.validity import japan_date
from policies.moves import ApplicationState, moves
from policies.parameters import Parameters
from reports.differences import PAGE, read_body
from reports.moment import Moment
from reports.rows import APPLICATION, ENTRY
from reports.tables import Column, Kind, Mark, Row, Table, Text
from reports.throughput import RECEIVE
from store.database import Transaction

LIMIT = "OPEN_FILE_DAYS"


@dataclass(frozen=True)
class OpenFile:
    """An application in whose state somebody has to do something.

    ``age`` is in days since its receipt, ``worked`` those in which the centre's clock ran.
    """

    ref: str
    state: ApplicationState
    age: int
    worked: int


def open_files(tx: Transaction, moment: Moment) -> Iterator[OpenFile]:
    """Yield the files open at the moment, by reference."""
    entry, row = ENTRY.c, APPLICATION.c
    newest = sa.select(sa.func.max(entry.seq)).where(*_moves(moment)).group_by(entry.object_id)
    last = ENTRY.alias("last")
    waits = [last.c.body.contains(f'{said}"', autoescape=True) for said in _OPEN]
    still = sa.select(last.c.object_id).where(last.c.seq.in_(newest), sa.or_(*waits))
    query = (
        sa.select(row.ref, row.received_on, entry.at, entry.body)
        .select_from(ENTRY.join(APPLICATION, row.ref == entry.object_id))
        .where(*_moves(moment), entry.object_id.in_(still))
        .order_by(row.ref, entry.seq)
    )
    rows = tx.connection().execute(query, execution_options={"yield_per": PAGE})
    for (ref, received_on), steps in groupby(rows, key=lambda one: (one.ref, one.received_on)):
        yield _followed(ref, received_on, [(one.at, one.body) for one in steps], moment.day)


def _followed(ref: str, received_on: date, steps: Sequence[tuple[Any, str]], day: date) -> OpenFile:
    """Return the file as its moves have brought it."""
    state, since, stopped = ApplicationState.RECEIVED, received_on, 0
    for at, text in steps:
        on = japan_date(at)
        stopped += _stood(state, since, on)
        detail = (read_body(text) or {"detail": {}})["detail"]
        told = str(detail.get("move") or detail.get("state")).rpartition(">")[2]
        state, since = ApplicationState(told), on
    age = (day - received_on).days
    return OpenFile(ref, state, age, age - stopped - _stood(state, since, day))


def _stood(state: ApplicationState, since: date, until: date) -> int:
    """Return the days in which the file waited for its applicant or for payment."""
    stands = moves().entry(state).clock == "stands"
    return max((until - since).days, 0) if stands else 0


def _moves(moment: Moment) -> tuple[sa.ColumnElement[bool], ...]:
    codes = {move.code for move in moves().move if not move.later} | {RECEIVE}
    told = sa.or_(ENTRY.c.code == RECEIVE, ENTRY.c.body.contains('"move":"', autoescape=True))
    return (
        ENTRY.c.code.in_(sorted(codes)),
        told,
        ENTRY.c.object_type == "application",
        ENTRY.c.outcome == "OK",
        ENTRY.c.seq <= moment.head.seq,
    )


_OPEN = tuple(
    said
    for state in moves().open_states()
    for said in (
        *(f'"move":"{one.origin}>{state}' for one in moves().move if one.to is state),
        f'"state":"{state}',
    )
)


@dataclass(frozen=True)
class Ages:
    """Open files together: ages in days, and how many are beyond the limit."""

    ages: Sequence[int]
    beyond: int

    @property
    def oldest(self) -> int | None:
        """The age of the oldest, None of none."""
        return max(self.ages, default=None)

    @property
    def median(self) -> int | None:
        """The median age, the lower of two in the middle; None of none."""
        return sorted(self.ages)[(len(self.ages) - 1) // 2] if self.ages else None


def ages_by_state(tx: Transaction, moment: Moment, limit_days: int) -> dict[ApplicationState, Ages]:
    """Return the ages of the open files, by state in the order of a file's life."""
    ages: defaultdict[ApplicationState, list[int]] = defaultdict(list)
    beyond: defaultdict[ApplicationState, int] = defaultdict(int)
    for one in open_files(tx, moment):
        ages[one.state].append(one.age)
        beyond[one.state] += one.worked > limit_days
    states = moves().open_states()
    return {state: Ages(ages[state], beyond[state]) for state in states if state in ages}


def all_ages(by_state: dict[ApplicationState, Ages]) -> Ages:
    """Return the ages of all of them."""
    every = by_state.values()
    return Ages([age for one in every for age in one.ages], sum(one.beyond for one in every))


def open_files_table(tx: Transaction, moment: Moment, parameters: Parameters) -> Table:
    """Say by state how many files were open, how old, and how many beyond the limit."""
    limit = int(parameters.value(LIMIT))
    found = ages_by_state(tx, moment, limit)
    rows = []
    for state, ages in found.items():
        entry = moves().entry(state)
        name = (state.value, Text(entry.japanese, entry.english))
        rows.append(Row((*name, *_figures(ages)), Mark.FLAG if ages.beyond else None))
    return Table(
        "open_files",
        Text("未了申請の滞留日数", "Ages of open files"),
        Text(
            f"基準時点で未了の申請。日数は受付日から。期限超過は、申請者・入金待ちの日を除いて{limit}日を"
            f"超えたもの({LIMIT})。",
            f"Applications open at the moment; days since receipt. Beyond the limit: more than "
            f"{limit} days ({LIMIT}) without those spent waiting for the applicant or payment.",
        ),
        _COLUMNS,
        tuple(rows),
        Row((Text("計", "Total"), None, *_figures(all_ages(found)))),
    )


def _figures(ages: Ages) -> tuple[int | None, ...]:
    return len(ages.ages), ages.median, ages.oldest, ages.beyond


_COLUMNS = (
    Column("state", Text("状態", "State"), Kind.TEXT),
    Column("meaning", Text("内容", "Meaning"), Kind.WORDS),
    Column("files", Text("件数", "Files"), Kind.NUMBER),
    Column("median_days", Text("中央値(日)", "Median days"), Kind.NUMBER),
    Column("oldest_days", Text("最長(日)", "Oldest, days"), Kind.NUMBER),
    Column("beyond", Text("期限超過", "Beyond the limit"), Kind.NUMBER),
)
