"""Cards by prefecture as a report: the table by rank, a map of tiles, and bars."""

from __future__ import annotations

from reports.issuance import MEASURE, cards_by_prefecture
from reports.moment import Moment
from reports.prefectures import OVERSEAS, PrefectureReport, prefecture_report
from reports.tables import (
    Chart,
    ChartKind,
    Column,
    Fact,
    Kind,
    Mark,
    Report,
    Row,
    Table,
    Text,
)
from store.database import Transaction

TITLE = Text("都道府県別発行枚数（発行数順位表）", "Cards by prefecture, ranked")
_COLUMNS = (
    Column("rank", Text("順位", "Rank"), Kind.NUMBER),
    Column("code", Text("コード", "Code"), Kind.TEXT),
    Column("prefecture", Text("都道府県", "Prefecture"), Kind.WORDS),
    Column("physicians", Text("医師数", "Physicians"), Kind.NUMBER),
    Column("cards", Text("発行枚数", "Cards"), Kind.NUMBER),
    Column("doctor_cards", Text("うち医師", "Doctors’"), Kind.NUMBER),
    Column("rate_percent", Text("発行率 %", "Rate %"), Kind.RATE),
    Column("rate_rank", Text("率の順位", "Rank of rate"), Kind.NUMBER),
)


def cards_report(tx: Transaction, moment: Moment) -> Report:
    """Return the report of cards ever issued up to the moment's day, by place of work."""
    return as_report(prefecture_report(cards_by_prefecture(tx, moment.day), moment.day, MEASURE))


def as_report(counted: PrefectureReport) -> Report:
    """Return what was counted as a report; coloured by cards where every rate rounds to nothing."""
    source = Text(counted.population.source_ja, counted.population.source_en)
    measure = Text(counted.measure, counted.measure)
    table = Table(
        "prefectures",
        Text("発行数順位表", "Cards by prefecture"),
        measure,
        _COLUMNS,
        _rows(counted),
        _total(counted),
        (
            Text(
                "発行率＝医師のカードの発行枚数÷医師数。同数は同順位とする（1、2、2、4）。",
                "Rate: doctors’ cards to physicians. Equal counts share a rank (1, 2, 2, 4).",
            ),
        ),
    )
    coloured = "rate_percent" if counted.total.rate else "cards"
    charts = (
        Chart(ChartKind.TILES, Text("地図", "Map"), table.key, "code", (coloured,)),
        Chart(ChartKind.BARS, Text("発行枚数", "Cards"), table.key, "prefecture", ("cards",)),
    )
    facts = (Fact(Text("医師数の出典", "Physicians from"), source),)
    return Report("prefectures", TITLE, facts, (table,), charts)


def _rows(counted: PrefectureReport) -> tuple[Row, ...]:
    rows = [
        Row(
            (
                row.rank,
                row.prefecture.code,
                Text(row.prefecture.name_ja, row.prefecture.name_en),
                row.prefecture.physicians,
                row.cards,
                row.doctor_cards,
                row.rate,
                row.rate_rank,
            ),
            Mark(row.mark.value) if row.mark else None,
        )
        for row in counted.ranked
    ]
    abroad, name = counted.overseas, Text("海外", "Overseas")
    counts = (abroad.cards, abroad.doctor_cards)
    return (*rows, Row((abroad.rank, OVERSEAS, name, None, *counts, None, None)))


def _total(counted: PrefectureReport) -> Row:
    total, label = counted.total, Text("合計", "Total")
    counts = (total.physicians, total.cards, total.doctor_cards)
    return Row((None, None, label, *counts, total.rate, None))
