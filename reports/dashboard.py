"""The month on one page (月次ダッシュボード): key figures beside those of the month before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import sqlalchemy as sa

from pki.errors import InvalidInput
from policies.parameters import Parameters
from reports.inventory import carriers_at, certificates_at, forecast_table
from reports.list_history import TARGET, gaps_by_series, lists_made, rhythm
from reports.moment import Moment, moment
from reports.open_files import LIMIT, ages_by_state, all_ages
from reports.period import Period, month_before, month_of
from reports.revocation_times import Times, hours, middle, times_by_ground
from reports.rows import CERTIFICATE, ENTRY
from reports.tables import (
    Chart,
    ChartKind,
    Column,
    Fact,
    Kind,
    Report,
    Row,
    Table,
    Text,
)
from reports.throughput import COUNTS, months_table, steps_by_month, sum_of
from store.database import Transaction

NAME = "dashboard"
TREND_MONTHS = 6


@dataclass(frozen=True)
class Month:
    """The key figures of a month as of a moment: counts and hours, each by its name."""

    counts: dict[str, int]
    spans: dict[str, Decimal | None]


def dashboard_report(tx: Transaction, made: Moment, parameters: Parameters) -> Report:
    """Return the page of the moment's month; its earlier months are as they ended."""
    period = month_of(made.day)
    now = month_figures(tx, made, period, parameters)
    before = _before(tx, made, period, parameters)
    trend = Period(month_before(period.first, TREND_MONTHS - 1), period.last)
    tables = (
        _counts(now, before),
        _spans(now, before, parameters),
        months_table(tx, made, trend),
        forecast_table(tx, made, TREND_MONTHS),
    )
    facts = (
        Fact(Text("対象月", "Month"), f"{period.first:%Y-%m}"),
        Fact(Text("この月の集計の末日", "Counted up to"), min(made.day, period.last)),
    )
    return Report(
        NAME,
        Text("月次ダッシュボード", "Dashboard of the month"),
        facts,
        tables,
        _CHARTS,
        one_page=True,
    )


def month_figures(tx: Transaction, made: Moment, period: Period, parameters: Parameters) -> Month:
    """Return the figures of a month: what happened in it, and what was so at the moment."""
    stock, carriers = certificates_at(tx, made), carriers_at(tx, made)
    revoked = Times()
    for times in times_by_ground(tx, made, period).values():
        revoked.add(times)
    open_now = all_ages(ages_by_state(tx, made, int(parameters.value(LIMIT))))
    gaps = gaps_by_series(list(lists_made(tx, made)), made, period, rhythm(parameters)).values()
    longest = max((one.longest for one in gaps if one.longest is not None), default=None)
    steps = sum_of(list(steps_by_month(tx, made, period).values()))
    certificates, cards = _issued(tx, made, period)
    counts = {
        "issued": certificates,
        "cards": cards,
        "living": stock.living,
        "living_cards": sum(living for _, living in carriers.values()),
        **{column.key: count for column, count in zip(COUNTS, steps, strict=True)},
        "open": len(open_now.ages),
        "open_beyond": open_now.beyond,
        "oldest": open_now.oldest or 0,
        "revoked": len(revoked.carriers),
        "lists": sum(one.lists for one in gaps),
        "lists_slow": sum(one.beyond_target for one in gaps),
        "lists_late": sum(one.beyond_limit for one in gaps),
    }
    spans = {
        "median_hours": hours(middle(revoked.waits)),
        "max_hours": hours(max(revoked.waits, default=None)),
        "longest_gap": hours(longest),
    }
    return Month(counts, spans)


def _before(tx: Transaction, made: Moment, period: Period, parameters: Parameters) -> Month | None:
    """Return the figures of the month before as it ended; None where there was no site yet."""
    try:
        ended = moment(tx, period.start, made.at)
    except InvalidInput:
        return None
    return month_figures(tx, ended, month_of(period.first - timedelta(days=1)), parameters)


def _issued(tx: Transaction, made: Moment, period: Period) -> tuple[int, int]:
    """Count certificates of holders issued in the period, and the cards and files they are on."""
    query = (
        sa.select(sa.func.count(), sa.func.count(sa.distinct(CERTIFICATE.c.carrier_id)))
        .select_from(CERTIFICATE.join(ENTRY, ENTRY.c.seq == CERTIFICATE.c.issued_seq))
        .where(
            CERTIFICATE.c.order_id.is_not(None),
            CERTIFICATE.c.issued_seq <= made.head.seq,
            period.holds(ENTRY.c.at),
        )
    )
    certificates, carriers = tx.execute(query).one()
    return certificates, carriers


_COUNTS = {
    "issued": Text("発行証明書", "Certificates issued"),
    "cards": Text("発行カード等", "Cards and files issued"),
    "living": Text("有効証明書(月末)", "Living certificates (at the end)"),
    "living_cards": Text("有効カード等(月末)", "Living cards and files (at the end)"),
    **{column.key: column.title for column in COUNTS},
    "open": Text("未了申請(月末)", "Open files (at the end)"),
    "open_beyond": Text("うち期限超過", "of them beyond the limit"),
    "oldest": Text("最長滞留(日)", "Oldest open file, days"),
    "revoked": Text("失効", "Revocations"),
    "lists": Text("失効リスト発行", "Lists made"),
    "lists_slow": Text("間隔の目標超過", "Gaps beyond the target"),
    "lists_late": Text("間隔の上限超過", "Gaps beyond the limit"),
}
_SPANS = {
    "median_hours": Text("失効請求から公開まで(中央値)", "Request to list, median"),
    "max_hours": Text("失効請求から公開まで(最大)", "Request to list, longest"),
    "longest_gap": Text("失効リストの最長間隔", "Longest gap between lists"),
}


def _counts(now: Month, before: Month | None) -> Table:
    rows = []
    for key, words in _COUNTS.items():
        value, old = now.counts[key], None if before is None else before.counts[key]
        rows.append(Row((words, value, old, None if old is None else value - old)))
    return Table(
        "counts",
        Text("主要件数", "Key figures"),
        Text(
            "月内の件数。「月末」は基準時点、前月は前月末の時点の数。",
            "Counts of the month; at the end: at the moment, of the month before at its end.",
        ),
        _columns(Kind.NUMBER),
        tuple(rows),
    )


def _spans(now: Month, before: Month | None, parameters: Parameters) -> Table:
    rows = []
    for key, words in _SPANS.items():
        value, old = now.spans[key], None if before is None else before.spans[key]
        change = None if value is None or old is None else value - old
        rows.append(Row((words, value, old, change)))
    target = parameters.value(TARGET)
    return Table(
        "hours",
        Text("所要時間", "Hours"),
        Text(
            f"時間。リスト間隔の目標は{target}時間({TARGET})。",
            f"In hours; the target between lists is {target} ({TARGET}).",
        ),
        _columns(Kind.HOURS),
        tuple(rows),
    )


def _columns(kind: Kind) -> tuple[Column, ...]:
    return (
        Column("figure", Text("項目", "Figure"), Kind.WORDS),
        Column("value", Text("当月", "This month"), kind),
        Column("before", Text("前月", "Month before"), kind),
        Column("change", Text("増減", "Change"), kind),
    )


_CHARTS = (
    Chart(
        ChartKind.LINE_AND_BARS,
        Text("受付(棒)と承認(線)", "Received (bars) and approved (line)"),
        "months",
        "month",
        ("received", "approved"),
    ),
)
