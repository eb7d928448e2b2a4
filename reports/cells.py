"""One value of a report as people read it."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from reports.imprint import jst_text
from reports.tables import Kind, Language, Mark, Row, Table, Text, Value

NOTHING = "–"
PLACES = {Kind.RATE: Decimal("0.01"), Kind.HOURS: Decimal("0.1")}
"""To what a kind of fraction is rounded, half up."""

NUMERIC = frozenset({Kind.NUMBER, Kind.RATE, Kind.HOURS})
MARK = Text("印", "Mark")

_MARKS = {
    Mark.TOP: Text("▲ 上位10", "▲ top 10"),
    Mark.BOTTOM: Text("▽ 下位10", "▽ bottom 10"),
    Mark.FLAG: Text("※ 要確認", "※ look at"),
}


def cell_text(value: Value | Text, kind: Kind, language: Language) -> str:
    """Write a value: 311,205; 0.68; 2016-08-31; 2016-08; 2016-09-01 09:00:00 JST; – for None."""
    if value is None:
        return NOTHING
    if isinstance(value, Text):
        return value.within(language)
    if isinstance(value, datetime):
        return jst_text(value)
    if isinstance(value, date):
        return value.strftime("%Y-%m") if kind is Kind.MONTH else value.isoformat()
    if isinstance(value, int | Decimal):
        return f"{fixed(value, kind):,}" if kind in NUMERIC else str(value)
    return value


def fixed(value: int | Decimal, kind: Kind) -> int | Decimal:
    """Return the number with the decimals of its kind; counts stay whole."""
    places = PLACES.get(kind)
    return value if places is None else Decimal(value).quantize(places, ROUND_HALF_UP)


def fact_text(value: Value | Text, language: Language) -> str:
    """Write the value of a fact; an integer is a count."""
    kind = Kind.NUMBER if isinstance(value, int) else Kind.TEXT
    return cell_text(value, kind, language)


def mark_text(row: Row, language: Language) -> str:
    """Return a row's mark as a sign and words, so that no colour is needed to see it."""
    return _MARKS[row.mark].within(language) if row.mark else ""


def is_marked(table: Table) -> bool:
    """Whether any row has a mark, so that a column for marks is due."""
    return any(row.mark for row in table.rows)


def ems(text: str) -> float:
    """Return about how wide a text is: kana and kanji 1, others 0.6, what combines nothing."""
    return sum(
        0.0
        if unicodedata.category(one) in ("Mn", "Me", "Cf")
        else 1.0
        if unicodedata.east_asian_width(one) in "WFA"
        else 0.6
        for one in text
    )
