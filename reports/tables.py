"""A report before it is written: bilingual tables of typed values, with charts that show them.

Whoever computes a report gives these; whoever writes HTML, PDF, XLSX, CSV or JSON takes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

Value = str | int | Decimal | date | datetime | None


class Language(StrEnum):
    """What a report is written in."""

    JAPANESE = "ja"
    ENGLISH = "en"


@dataclass(frozen=True)
class Text:
    """Words of ours in both languages; never data."""

    ja: str
    en: str

    def within(self, language: Language) -> str:
        """Return the words in the language."""
        return self.ja if language is Language.JAPANESE else self.en


class Kind(StrEnum):
    """What a column holds.

    TEXT is data, WORDS a ``Text`` value; NUMBER an integer; RATE per cent with two decimals;
    HOURS with one; DAY a date, MONTH its first day, MOMENT an aware time that is shown in JST.
    """

    TEXT = "text"
    WORDS = "words"
    NUMBER = "number"
    RATE = "rate"
    HOURS = "hours"
    DAY = "day"
    MONTH = "month"
    MOMENT = "moment"


class Mark(StrEnum):
    """What a row is marked for: among the ten most, the ten fewest, or to be looked at."""

    TOP = "top_ten"
    BOTTOM = "bottom_ten"
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """One column; ``key`` names it in CSV and JSON (ASCII, snake case)."""

    key: str
    title: Text
    kind: Kind


@dataclass(frozen=True)
class Row:
    """Values in the order of the columns; None is printed as a dash."""

    values: tuple[Value | Text, ...]
    mark: Mark | None = None


@dataclass(frozen=True)
class Table:
    """One table; ``definition`` says what is counted and is printed with it.

    ``total`` has a value or None for each column.
    """

    key: str
    title: Text
    definition: Text
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: Row | None = None
    notes: tuple[Text, ...] = ()

    def place(self, key: str) -> int:
        """Return the index of the column with the key."""
        return next(i for i, column in enumerate(self.columns) if column.key == key)


class ChartKind(StrEnum):
    """How a table is drawn."""

    TILES = "tiles"
    BARS = "bars"
    LINE_AND_BARS = "line_and_bars"


@dataclass(frozen=True)
class Chart:
    """A picture of a table: ``labels`` and ``values`` are keys of its columns.

    TILES: ``labels`` is the column of prefecture codes, the one value gives the colour. BARS: one
    bar a row. LINE_AND_BARS: the first value as bars, the second as a line on an axis of its own.
    """

    kind: ChartKind
    title: Text
    table: str
    labels: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """One line above the tables: a name and its value."""

    name: Text
    value: Value | Text


@dataclass(frozen=True)
class Report:
    """A whole report, as of a moment; ``name`` is the one of the command line.

    ``one_page``: printed with its tables in two columns, so that it fits on one page.
    """

    name: str
    title: Text
    facts: tuple[Fact, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...] = ()
    one_page: bool = False

    def table(self, key: str) -> Table:
        """Return the table with the key."""
        return next(one for one in self.tables if one.key == key)


def total_row(columns: Sequence[Column], rows: Sequence[Row], label: Text, label_key: str) -> Row:
    """Add up the columns of numbers; ``label`` stands in the column ``label_key``."""
    values: list[Value | Text] = []
    for place, column in enumerate(columns):
        if column.key == label_key:
            values.append(label)
        elif column.kind is Kind.NUMBER:
            cells = (row.values[place] for row in rows)
            values.append(sum(cell for cell in cells if isinstance(cell, int)))
        else:
            values.append(None)
    return Row(tuple(values))
