"""A made-up report with what breaks writers: formulas, rare kanji, long names, nothing, less."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from audit.chain import Head
from reports.board.places import prefectures as places
from reports.board.population import shipped_populations
from reports.moment import Moment
from reports.stamp import Stamp, stamp_of
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
    total_row,
)

HOSTILE = "</style><script>alert('x')</script>\"&]]>"
RARE = "𠮷田葛󠄀城"
LONG = "一般社団法人" + "とてもながい名前の病院" * 5
FORMULA = '=cmd|" /C calc"!A0'
MOMENT = Moment(datetime(2016, 8, 31, 15, tzinfo=UTC), Head(1234, "ab" * 32))
CENTRE = "DEMO 電子認証センター"


def stamp(report: Report, kind: str = "training", centre: str = CENTRE) -> Stamp:
    return stamp_of(report, kind, centre, MOMENT)


def prefectures(charts: bool = True) -> Report:
    """47 prefectures, overseas and the total: the longest table of the board on one page."""
    columns = (
        Column("rank", Text("順位", "Rank"), Kind.TEXT),
        Column("code", Text("コード", "Code"), Kind.TEXT),
        Column("prefecture", Text("都道府県", "Prefecture"), Kind.WORDS),
        Column("physicians", Text("医師数", "Physicians"), Kind.NUMBER),
        Column("cards", Text("発行枚数", "Cards"), Kind.NUMBER),
        Column("growth", Text("増減", "Growth"), Kind.NUMBER),
        Column("rate", Text("取得率 %", "Rate, per cent"), Kind.RATE),
    )
    rows = []
    persons = shipped_populations()[0].persons
    for place, one in enumerate(places()):
        mark = Mark.TOP if place < 10 else Mark.BOTTOM if place >= 37 else None
        cards = (place * 37) % 500
        rate = Decimal(cards * 100) / persons[one.code]
        name = Text(one.name_ja, one.name_en)
        values = (str(place + 1), one.code, name, persons[one.code], cards, 20 - place, rate)
        rows.append(Row(values, mark))
    rows.append(Row(("48", "99", Text("海外", "Overseas"), None, 16, -1, None)))
    table = Table(
        "prefectures",
        Text("発行数順位表", "Cards by prefecture"),
        Text(
            "累計発行: 基準日時までに署名用証明書を発行したカードの枚数。失効・満了を含む。",
            "Cards ever issued up to the moment, revoked and expired ones included.",
        ),
        columns,
        tuple(rows),
        total_row(columns, rows, Text("合計", "Total"), "prefecture"),
        (Text("同数は同順位とする（1、2、2、4）。", "Equal counts share a rank (1, 2, 2, 4)."),),
    )
    drawn = (
        Chart(ChartKind.TILES, Text("取得率の地図", "Rate by tile"), table.key, "code", ("rate",)),
        Chart(ChartKind.BARS, Text("発行枚数", "Cards"), table.key, "prefecture", ("cards",)),
    )
    title = Text("都道府県別発行枚数", "Cards by prefecture")
    source = Fact(Text("医師数の出典", "Physicians from"), Text("調査 2014", "Survey 2014"))
    return Report("prefectures", title, (source,), (table,), drawn if charts else ())


def nasty() -> Report:
    """Every kind of column, hostile and rare text, None, below zero, and a table without rows."""
    columns = (
        Column("month", Text("月", "Month"), Kind.MONTH),
        Column("name", Text("氏名", "Name"), Kind.TEXT),
        Column("cards", Text("発行枚数", "Cards"), Kind.NUMBER),
        Column("growth", Text("増加率 %", "Growth, per cent"), Kind.RATE),
        Column("hours", Text("時間", "Hours"), Kind.HOURS),
        Column("day", Text("日", "Day"), Kind.DAY),
        Column("at", Text("日時", "Moment"), Kind.MOMENT),
        Column("verdict", Text("判定", "Verdict"), Kind.WORDS),
    )
    names = (FORMULA, RARE, LONG, HOSTILE, "+81 3", "＝1+1", "東京 花子", "x" * 60)
    good, none = Text("適合", "met"), Text("対象なし", "nothing to judge")
    rows = tuple(
        Row(
            (
                date(2016, place + 1, 1),
                name,
                None if place == 3 else place * 1234567,
                None if place in (2, 3) else Decimal("-12.345") + place * 4,
                Decimal("1.25") * place,
                date(2016, 8, 31),
                datetime(2016, 8, 30, 15, 0, 5, tzinfo=UTC) + timedelta(hours=place),
                none if place == 3 else good,
            ),
            (Mark.FLAG, Mark.TOP, Mark.BOTTOM, None)[place % 4],
        )
        for place, name in enumerate(names)
    )
    table = Table(
        "months",
        Text("月別: [推移]*?/\\ とても長い表題のある表でシート名に収まらない", "By month: '/[]'"),
        Text("発行した月。", "The month of issue."),
        columns,
        rows,
        total_row(columns, rows, Text("合計", "Total"), "name"),
    )
    empty = Table("none", Text("空の表", "Empty"), Text("行なし。", "No rows."), columns[1:4], ())
    charts = (
        Chart(
            ChartKind.LINE_AND_BARS,
            Text("発行と増加率", "Cards and growth"),
            "months",
            "month",
            ("cards", "growth"),
        ),
        Chart(ChartKind.BARS, Text("増加率", "Growth"), "months", "name", ("growth",)),
        Chart(ChartKind.BARS, Text("空", "Empty"), "none", "name", ("cards",)),
    )
    facts = (
        Fact(Text("名前", "Name"), HOSTILE),
        Fact(Text("最長", "Longest"), LONG),
        Fact(Text("件数", "Count"), 5534),
        Fact(Text("なし", "Nothing"), None),
    )
    return Report("nasty", Text("試験用の報告", "A report to try"), facts, (table, empty), charts)
