"""The revocation lists of a period: number, times, entries, and the hours between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from ca.records import Series
from policies.parameters import Parameters, parameter
from reports.moment import Moment
from reports.period import Period
from reports.revocation_times import hours
from reports.rows import ENTRY, LIST
from reports.tables import Column, Kind, Mark, Row, Table, Text
from store.database import Transaction

TARGET, LIMIT = "CRL_TARGET_H", "CRL_INTERVAL_H"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class ListMade:
    """A list as the trail told of it; ``gap`` since the one before it, None of the first."""

    series: Series
    number: int
    this_update: datetime
    next_update: datetime | None
    entries: int | None
    published_at: datetime | None
    gap: timedelta | None


@dataclass(frozen=True)
class Rhythm:
    """How often lists should and must be made."""

    target: timedelta
    limit: timedelta


def rhythm(parameters: Parameters) -> Rhythm:
    """Return target and limit in force."""
    target, limit = (timedelta(hours=float(parameters.value(key))) for key in (TARGET, LIMIT))
    return Rhythm(target, limit)


def lists_made(tx: Transaction, moment: Moment) -> Iterator[ListMade]:
    """Yield what was made and in force by the moment, by series and number."""
    rows = tx.execute(_query(moment)).all()
    for series, group in groupby(rows, key=lambda one: Series(one[0], one[1], one[2])):
        before: datetime | None = None
        for _, _, _, number, this_update, next_update, entries, published in group:
            gap = this_update - before if before is not None else None
            yield ListMade(series, number, this_update, next_update, entries, published, gap)
            before = this_update


def _query(moment: Moment) -> sa.Select[Any]:
    made, published, row = ENTRY.alias("made"), ENTRY.alias("published"), LIST.c
    name = row.issuer_id.concat(":").concat(sa.cast(row.number, sa.Text))

    def told(entry: Any, code: str) -> sa.ColumnElement[bool]:
        return sa.and_(
            entry.c.object_id == name,
            entry.c.code == code,
            entry.c.object_type == "crl",
            entry.c.outcome == "OK",
            entry.c.seq <= moment.head.seq,
        )

    source = LIST.join(made, told(made, "CRL.ISSUE"))
    source = source.outerjoin(published, told(published, "CRL.PUBLISH"))
    series = (row.issuer_id, row.scope, row.shard)
    return (
        sa.select(
            *series, row.number, row.this_update, row.next_update, row.entries, published.c.at
        )
        .select_from(source)
        .where(row.this_update <= moment.at)
        .order_by(*series, row.number)
    )


@dataclass(frozen=True)
class Gaps:
    """Hours between lists of a series within a period; ``newest``: by the moment."""

    lists: int
    longest: timedelta | None
    beyond_target: int
    beyond_limit: int
    newest: ListMade


def gaps_by_series(
    made: Sequence[ListMade], moment: Moment, period: Period, allowed: Rhythm
) -> dict[Series, Gaps]:
    """Return the gaps of every series: those ended in the period, or open at its end.

    The moment ends a period that goes on.
    """
    found, end = {}, min(moment.at, period.end)
    for series, group in groupby(made, key=lambda one: one.series):
        lists = list(group)
        within = [one for one in lists if period.start <= one.this_update < period.end]
        gaps = [one.gap for one in within if one.gap is not None]
        before = [one.this_update for one in lists if one.this_update <= end]
        if before:
            gaps.append(end - before[-1])
        found[series] = Gaps(
            len(within),
            max(gaps, default=None),
            sum(one > allowed.target for one in gaps),
            sum(one > allowed.limit for one in gaps),
            lists[-1],
        )
    return found


def lists_table(made: Sequence[ListMade], period: Period, allowed: Rhythm) -> Table:
    """List what was made in the period."""
    within = [one for one in made if period.start <= one.this_update < period.end]
    rows = tuple(
        Row(
            (
                *_series(one.series), one.number, one.this_update, one.next_update, one.entries,
                one.published_at, hours(one.gap), _word(one.gap, allowed),
            ),
            _mark(one.gap, allowed),
        )
        for one in within
    )  # fmt: skip
    return Table(
        "lists",
        Text("失効リスト発行履歴", "Lists made"),
        Text(
            "thisUpdateが期間内にあるリスト。間隔は同じ系列の前のリストのthisUpdateから。",
            "Lists whose thisUpdate is within the period; the gap runs from the thisUpdate of the "
            "list before it in the series.",
        ),
        (
            *_SERIES,
            Column("number", Text("番号", "Number"), Kind.NUMBER),
            Column("this_update", Text("発行時刻", "thisUpdate"), Kind.MOMENT),
            Column("next_update", Text("次回予定", "nextUpdate"), Kind.MOMENT),
            Column("entries", Text("件数", "Entries"), Kind.NUMBER),
            Column("published_at", Text("公開", "Published"), Kind.MOMENT),
            Column("gap_hours", Text("間隔(時間)", "Gap, hours"), Kind.HOURS),
            Column("rhythm", Text("判定", "Rhythm"), Kind.WORDS),
        ),
        rows,
        notes=(_limits(allowed),),
    )


def series_table(
    made: Sequence[ListMade], moment: Moment, period: Period, allowed: Rhythm
) -> Table:
    """Say of each series how long it went without a list."""
    found: Mapping[Series, Gaps] = gaps_by_series(made, moment, period, allowed)
    rows = tuple(
        Row(
            (
                *_series(series), one.lists, hours(one.longest), one.beyond_target,
                one.beyond_limit, one.newest.number, one.newest.this_update,
            ),
            _mark(one.longest, allowed),
        )
        for series, one in found.items()
    )  # fmt: skip
    return Table(
        "series",
        Text("失効リストの間隔", "Rhythm of the lists"),
        Text(
            "系列ごとの間隔。期間の終わり(基準時点が先なら基準時点)までの、最後のリストからの時間も数える。",
            "Gaps by series; the time from the last list to the end of the period, or to the "
            "moment if that is earlier, counts too.",
        ),
        (
            *_SERIES,
            Column("lists", Text("発行数", "Lists"), Kind.NUMBER),
            Column("longest_gap_hours", Text("最長間隔(時間)", "Longest gap, hours"), Kind.HOURS),
            Column("beyond_target", Text("目標超過", "Beyond the target"), Kind.NUMBER),
            Column("beyond_limit", Text("上限超過", "Beyond the limit"), Kind.NUMBER),
            Column("newest", Text("最新番号", "Newest number"), Kind.NUMBER),
            Column("newest_at", Text("最新発行", "Newest thisUpdate"), Kind.MOMENT),
        ),
        rows,
        notes=(_limits(allowed),),
    )


_SERIES = (
    Column("issuer", Text("認証局", "CA"), Kind.TEXT),
    Column("scope", Text("種別", "Scope"), Kind.TEXT),
    Column("shard", Text("分割", "Part"), Kind.NUMBER),
)
_LATE = Text("上限超過", "beyond the limit")
_SLOW = Text("目標超過", "beyond the target")
_KEPT = Text("目標内", "within the target")


def _series(series: Series) -> tuple[str, str, int]:
    return series.issuer_id, series.scope.value, series.shard


def _word(gap: timedelta | None, allowed: Rhythm) -> Text | None:
    if gap is None:
        return None
    return _LATE if gap > allowed.limit else _SLOW if gap > allowed.target else _KEPT


def _mark(gap: timedelta | None, allowed: Rhythm) -> Mark | None:
    return Mark.FLAG if gap is not None and gap > allowed.limit else None


def _limits(allowed: Rhythm) -> Text:
    target, limit = (f"{one / _HOUR:g}" for one in (allowed.target, allowed.limit))
    firm = [parameter(key).firm for key in (TARGET, LIMIT)]
    return Text(
        f"目標 {target}時間({TARGET}, {firm[0]}); 上限 {limit}時間({LIMIT}, {firm[1]})。"
        "印は上限を超えた行。",
        f"Target {target} h ({TARGET}, {firm[0]}); limit {limit} h ({LIMIT}, {firm[1]}). "
        "Rows beyond the limit are marked.",
    )
