"""Any report as one HTML page: self-contained, no script, for screen, printer and PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.cells import MARK, NOTHING, NUMERIC, cell_text, ems, fact_text, is_marked, mark_text
from reports.charts import drawings
from reports.imprint import day_text, jst_text
from reports.render import environment
from reports.stamp import Stamp
from reports.tables import Kind, Language, Mark, Report, Row, Table, Text

_WORDS = {
    "as_of": Text("基準日", "As of"),
    "definition": Text("定義", "Definition"),
    "no_rows": Text("該当なし", "none"),
    "off_the_map": Text("地図に含まない", "not on the map"),
    "prefectures": Text("都道府県数", "prefectures"),
}
_ROW_STYLES = {Mark.TOP: "top", Mark.BOTTOM: "bottom", Mark.FLAG: "flag"}
_UPRIGHT, _ACROSS = 62, 92
"""Ems of a table's print that an A4 page is wide, upright and across."""

_SMALLER, _ROWS_ACROSS, _ROWS = 1.2, 36, 50
"""How many times more ems small print has in a line; rows on a page across, and on any page."""

_PADDING, _NARROWEST, _WIDEST, _BOLD = 1.8, 2.4, 22.0, 1.1
_UNBROKEN = frozenset({Kind.DAY, Kind.MONTH, Kind.MOMENT})


@dataclass(frozen=True)
class PageColumn:
    """One column; ``width`` in ems, and the one that ``heads_row`` names what a row is about."""

    title: str
    style: str
    width: float
    heads_row: bool


@dataclass(frozen=True)
class PageRow:
    """What stands in a row, and the class that colours it."""

    texts: tuple[str, ...]
    style: str


@dataclass(frozen=True)
class PageTable:
    """A table in one language, every value as it is printed."""

    title: str
    definition: str
    columns: tuple[PageColumn, ...]
    rows: tuple[PageRow, ...]
    total: tuple[str, ...] | None
    notes: tuple[str, ...]

    @property
    def width(self) -> float:
        """Ems of all columns together."""
        return sum(column.width for column in self.columns)

    @property
    def is_whole(self) -> bool:
        """Whether it stands on one page: the prefectures, overseas and unknown do."""
        return len(self.rows) <= _ROWS

    @property
    def form(self) -> str:
        """The class for the page that it fits on: upright or across, in small print if need be."""
        if self.width <= _UPRIGHT:
            return ""
        if len(self.rows) <= _ROWS_ACROSS or not self.is_whole:
            return "wide" if self.width <= _ACROSS else "wide small"
        return "small" if self.width <= _UPRIGHT * _SMALLER else "wide small"


def report_html(report: Report, stamp: Stamp, language: Language) -> bytes:
    """Return the page, UTF-8; the same report and stamp give the same bytes."""
    page = environment().get_template("report.html.j2")
    return page.render(
        title=report.title.within(language),
        facts=[
            (fact.name.within(language), fact_text(fact.value, language)) for fact in report.facts
        ],
        as_of=_as_of(stamp, language),
        one_page=report.one_page,
        drawings=list(drawings(report, language)),
        tables=[_table(table, language) for table in report.tables],
        stamp=stamp,
        imprint=stamp.imprint,
        lines=stamp.lines(language),
        words={name: text.within(language) for name, text in _WORDS.items()},
        language=language.value,
    ).encode()


def _as_of(stamp: Stamp, language: Language) -> str:
    moment = jst_text(stamp.moment.at)
    if language is Language.JAPANESE:
        return f"{day_text(stamp.moment.day)}（{moment} より前）"
    return f"{stamp.moment.day} (before {moment})"


def _table(table: Table, language: Language) -> PageTable:
    marked = is_marked(table)
    kinds = [column.kind for column in table.columns]
    heading = _heading(kinds)

    def texts(row: Row) -> tuple[str, ...]:
        cells = zip(row.values, kinds, strict=True)
        printed = tuple(cell_text(value, kind, language) for value, kind in cells)
        return (*printed, mark_text(row, language)) if marked else printed

    rows = tuple(
        PageRow(texts(row), _ROW_STYLES[row.mark] if row.mark else "") for row in table.rows
    )
    total = _total(table, texts(table.total)) if table.total else None
    heads = [(column.title.within(language), _style(column.kind)) for column in table.columns]
    if marked:
        heads.append((MARK.within(language), "when"))
    cells = [*(row.texts for row in rows), total or ("",) * len(heads)]
    widths = [_width(column) for column in zip(*cells, strict=True)]
    columns = tuple(
        PageColumn(title, style, max(width, _title_width(title)) + _PADDING, place == heading)
        for place, ((title, style), width) in enumerate(zip(heads, widths, strict=True))
    )
    return PageTable(
        title=table.title.within(language),
        definition=table.definition.within(language),
        columns=columns,
        rows=rows,
        total=total,
        notes=tuple(note.within(language) for note in table.notes),
    )


def _heading(kinds: Sequence[Kind]) -> int | None:
    """Return the column that heads each row: the first with words, or with a day or month."""
    for wanted in ((Kind.TEXT, Kind.WORDS), _UNBROKEN):
        for place, kind in enumerate(kinds):
            if kind in wanted:
                return place
    return None


def _width(texts: tuple[str, ...]) -> float:
    """Return the ems of the longest text; words wrap, so there is a widest column."""
    return min(ems(max(texts, key=len)), _WIDEST)


def _title_width(title: str) -> float:
    """Return the ems of a heading in two lines, or of its longest word; it is bold."""
    words = (ems(word) for word in title.split() if word.isascii())
    return _BOLD * max(_NARROWEST, ems(title) / 2, *words)


def _total(table: Table, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Leave empty what has no total; where a number is missing the dash stays."""
    words = {n for n, column in enumerate(table.columns) if column.kind not in NUMERIC}
    return tuple("" if n in words and text == NOTHING else text for n, text in enumerate(texts))


def _style(kind: Kind) -> str:
    if kind in NUMERIC:
        return "num"
    return "when" if kind in _UNBROKEN else ""
