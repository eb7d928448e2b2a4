"""What the registration authority got through by month, told by the moves in the trail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from policies.moves import ApplicationState, moves
from reports.moment import Moment
from reports.period import Period, month_place
from reports.rows import APPLICATION, ENTRY
from reports.tables import Column, Kind, Row, Table, Text, total_row
from store.database import Transaction

RECEIVE = "APP.RECEIVE"
_STEPS = (
    (ApplicationState.RECEIVED, "received", Text("受付", "Received")),
    (ApplicationState.EXAMINED, "examined", Text("審査済", "Examined")),
    (ApplicationState.APPROVED, "approved", Text("承認", "Approved")),
    (ApplicationState.REJECTED, "refused", Text("不承認", "Refused")),
    (ApplicationState.WITHDRAWN, "withdrawn", Text("取下げ", "Withdrawn")),
    (ApplicationState.RETURNED, "returned", Text("返戻", "Returned")),
)
COUNTS = tuple(Column(key, title, Kind.NUMBER) for _, key, title in _STEPS)
Counts = tuple[int, ...]
"""Received, examined, approved, refused, withdrawn, returned."""

_DEFINITION = Text(
    "期間内の証跡の移動を数える。1件が差し戻されて再び審査・承認されれば、その都度数える。月は日本時間。",
    "Moves that the trail tells of in the period. A file that was sent back is counted again "
    "whenever it is examined or approved again. Months are Japan's.",
)


def steps_by_kind(
    tx: Transaction, moment: Moment, period: Period
) -> dict[tuple[date, str, str], Counts]:
    """Count the steps by month, type and channel of the application."""
    entry, row = ENTRY.c, APPLICATION.c
    months = period.months
    keys = (month_place(entry.at, months), row.type, row.channel)
    sums = [sa.func.sum(sa.case((_comes_to(state), 1), else_=0)) for state, *_ in _STEPS]
    codes = {move.code for move in moves().move if not move.later} | {RECEIVE}
    query = (
        sa.select(*keys, *sums)
        .select_from(ENTRY.join(APPLICATION, row.ref == entry.object_id))
        .where(
            entry.code.in_(sorted(codes)),
            entry.object_type == "application",
            entry.outcome == "OK",
            entry.seq <= moment.head.seq,
            period.holds(entry.at),
        )
        .group_by(*keys)
        .order_by(*keys)
    )
    found = {}
    for place, kind, channel, *counts in tx.execute(query):
        if any(counts):
            found[months[place], kind, channel] = tuple(map(int, counts))
    return found


def steps_by_month(tx: Transaction, moment: Moment, period: Period) -> dict[date, Counts]:
    """Count the steps by month, every month of the period."""
    found: defaultdict[date, list[Counts]] = defaultdict(list)
    for (month, _, _), counts in steps_by_kind(tx, moment, period).items():
        found[month].append(counts)
    return {month: sum_of(found[month]) for month in period.months}


def sum_of(counts: Sequence[Counts]) -> Counts:
    """Add up counts step by step."""
    return tuple(map(sum, zip((0,) * len(_STEPS), *counts, strict=True)))


def throughput_table(tx: Transaction, moment: Moment, period: Period) -> Table:
    """Say by month, type and channel how many came how far."""
    columns = (
        Column("month", Text("月", "Month"), Kind.MONTH),
        Column("type", Text("種別", "Type"), Kind.TEXT),
        Column("channel", Text("経路", "Channel"), Kind.TEXT),
        *COUNTS,
    )
    found = steps_by_kind(tx, moment, period).items()
    rows = tuple(Row((*key, *counts)) for key, counts in found)
    title = Text("登録局処理件数(種別・経路別)", "Work of the RA by type and channel")
    total = total_row(columns, rows, Text("計", "Total"), "type")
    return Table("throughput", title, _DEFINITION, columns, rows, total)


def months_table(tx: Transaction, moment: Moment, period: Period) -> Table:
    """Say by month how many came how far."""
    columns = (Column("month", Text("月", "Month"), Kind.MONTH), *COUNTS)
    found = steps_by_month(tx, moment, period).items()
    rows = tuple(Row((month, *counts)) for month, counts in found)
    title = Text("登録局処理件数(月別)", "Work of the RA by month")
    sums = sum_of([counts for _, counts in found])
    return Table("months", title, _DEFINITION, columns, rows, Row((Text("計", "Total"), *sums)))


def _comes_to(state: ApplicationState) -> sa.ColumnElement[bool]:
    """Say whether an entry brings an application into the state, by a move of the table."""
    made = [move for move in moves().move if move.to is state and not move.later]
    ways = [(move.code, f'"move":"{move.origin}>{move.to}"') for move in made]
    if state is ApplicationState.RECEIVED:
        ways.append((RECEIVE, f'"state":"{state}"'))
    return sa.or_(
        *(
            sa.and_(ENTRY.c.code == code, ENTRY.c.body.contains(said, autoescape=True))
            for code, said in ways
        )
    )
