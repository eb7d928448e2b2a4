"""Any report as an XLSX workbook: typed cells, a sheet for each table, native charts."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]

from pki.errors import InvalidInput
from reports.cells import MARK, cell_text, is_marked, mark_text
from reports.imprint import jst
from reports.stamp import Stamp
from reports.tables import Chart, ChartKind, Column, Kind, Language, Mark, Report, Row, Table, Text

HEADER = 3
"""The row of a table's header, counted from zero; above it title, definition and stamp."""

_LAST_ROW = 1_048_000
_WIDEST = 60
_CHART_ROWS = 24
_NUMBER_FORMATS = {
    Kind.NUMBER: "#,##0",
    Kind.RATE: "0.00%",
    Kind.HOURS: "0.0",
    Kind.DAY: "yyyy-mm-dd",
    Kind.MONTH: "yyyy-mm",
    Kind.MOMENT: "yyyy-mm-dd hh:mm:ss",
}
_FILLS = {Mark.TOP: "#e6f0f9", Mark.BOTTOM: "#f3f1ec", Mark.FLAG: "#fdeee2", None: None}
_FACTS = Text("概要", "Summary")
_CHARTS = Text("グラフ", "Charts")
_FORBIDDEN = str.maketrans("[]:*?/\\", "       ")


def report_xlsx(report: Report, stamp: Stamp, language: Language) -> bytes:
    """Return the workbook; the same report and stamp give the same bytes.

    No text becomes a formula or a link. Per cent are fractions shown as per cent, times JST.
    Raises ``InvalidInput`` for a table with more rows than a sheet holds.
    """
    out = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(out, options) as book:
        made = stamp.moment.at.astimezone(UTC).replace(tzinfo=None)
        title = report.title.within(language)
        book.set_properties({"title": title, "author": stamp.centre, "created": made})
        _Book(book, report, stamp, language).write()
    return out.getvalue()


class _Book:
    """One workbook being written, in one language."""

    def __init__(self, book: Any, report: Report, stamp: Stamp, language: Language) -> None:
        self.book = book
        self.report = report
        self.stamp = stamp
        self.language = language
        self.lines = stamp.lines(language)
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}
        self._sheets: dict[str, str] = {}

    def write(self) -> None:
        self._write_facts()
        for number, table in enumerate(self.report.tables, start=1):
            self._write_table(number, table)
        drawn = [one for one in self.report.charts if self.report.table(one.table).rows]
        if drawn:
            sheet = self._sheet(_CHARTS.within(self.language))
            for place, chart in enumerate(drawn):
                sheet.insert_chart(HEADER + place * _CHART_ROWS, 0, self._chart(chart))

    def _sheet(self, name: str, *, title: str = "") -> Any:
        """Add a sheet with title and stamp above, and the stamp on each printed page."""
        sheet = self.book.add_worksheet(name)
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.9)
        who, proof = (_header_text(line) for line in self.lines)
        heading = _header_text(self.report.title.within(self.language))
        sheet.set_header(f"&L&8 {heading[:200]}&R&8 &P / &N")
        sheet.set_footer(f"&L&6 {who[:80]}\n{proof}")
        above = title or self.report.title.within(self.language)
        banner = f"{self.stamp.banner}  " if self.stamp.banner else ""
        sheet.write_string(0, 0, banner + above, self._format(bold=True, font_size=14))
        sheet.write_string(2, 0, "   ".join(self.lines), self._format(font_size=8))
        return sheet

    def _write_facts(self) -> None:
        sheet = self._sheet(_FACTS.within(self.language))
        sheet.set_column(0, 0, 26)
        sheet.set_column(1, 1, 100)
        name, wrapped = self._format(bold=True, valign="top"), self._format(text_wrap=True)
        lines: list[tuple[str, Any]] = [
            (fact.name.within(self.language), fact.value) for fact in self.report.facts
        ]
        lines += [
            (table.title.within(self.language), table.definition) for table in self.report.tables
        ]
        for place, (words, value) in enumerate(lines, start=HEADER):
            sheet.write_string(place, 0, words, name)
            if isinstance(value, int):
                sheet.write_number(place, 1, value, self._format(num_format="#,##0", align="left"))
            else:
                text = cell_text(value, Kind.TEXT, self.language)
                sheet.write_string(place, 1, text, wrapped)

    def _write_table(self, number: int, table: Table) -> None:
        """Write header, rows, total and notes; the header is frozen and on every page."""
        if len(table.rows) > _LAST_ROW:
            raise InvalidInput(
                "reports.xlsx.rows",
                f"{table.key} has {len(table.rows)} rows, more than a sheet holds",
                "Write CSV or JSON.",
            )
        title = table.title.within(self.language)
        name = f"{number} {title.translate(_FORBIDDEN)}"[:31].rstrip("' ")
        self._sheets[table.key] = name
        sheet = self._sheet(name, title=title)
        sheet.set_landscape()
        sheet.write_string(1, 0, table.definition.within(self.language))
        sheet.freeze_panes(HEADER + 1, 0)
        sheet.repeat_rows(HEADER)
        columns = table.columns
        if is_marked(table):
            columns += (Column("mark", MARK, Kind.WORDS),)
        self._write_header(sheet, columns, table)
        for place, row in enumerate(table.rows, start=HEADER + 1):
            self._write_row(sheet, place, columns, row)
        after = HEADER + 1 + len(table.rows)
        if table.total:
            self._write_row(sheet, after, columns, table.total, bold=True, top=1)
            after += 1
        for note in table.notes:
            after += 1
            sheet.write_string(after, 0, note.within(self.language), self._format(font_size=9))

    def _write_header(self, sheet: Any, columns: tuple[Column, ...], table: Table) -> None:
        head = self._format(bold=True, bg_color="#f4f6f8", bottom=1, top=1, text_wrap=True)
        for place, column in enumerate(columns):
            title = column.title.within(self.language)
            sheet.write_string(HEADER, place, title, head)
            cells = (row.values[place] for row in table.rows if place < len(row.values))
            texts = (cell_text(one, column.kind, self.language) for one in cells)
            widest = max((_width(text) for text in (title, *texts)), default=8)
            sheet.set_column(place, place, min(max(widest + 2, 12), _WIDEST))
        sheet.autofilter(HEADER, 0, HEADER + max(1, len(table.rows)), len(columns) - 1)

    def _write_row(
        self, sheet: Any, line: int, columns: tuple[Column, ...], row: Row, **style: Any
    ) -> None:
        fill = _FILLS[row.mark]
        look = style | ({"bg_color": fill} if fill else {})
        for place, (column, value) in enumerate(zip(columns, row.values, strict=False)):
            number_format = _NUMBER_FORMATS.get(column.kind)
            given = self._format(**look, **({"num_format": number_format} if number_format else {}))
            if value is None or value == "":
                sheet.write_blank(line, place, None, given)
            elif isinstance(value, datetime):
                sheet.write_datetime(line, place, jst(value).replace(tzinfo=None), given)
            elif isinstance(value, date):
                sheet.write_datetime(line, place, value, given)
            elif isinstance(value, int | Decimal):
                divisor = 100 if column.kind is Kind.RATE else 1
                sheet.write_number(line, place, float(Decimal(value) / divisor), given)
            else:
                text = cell_text(value, column.kind, self.language)
                sheet.write_string(line, place, text, given)
        words = mark_text(row, self.language)
        if words and len(columns) > len(row.values):
            sheet.write_string(line, len(row.values), words, self._format(**look))

    def _chart(self, chart: Chart) -> Any:
        """Return a native chart; a map of tiles is shown as bars, Excel has no tiles."""
        title = chart.title.within(self.language)
        if chart.kind is ChartKind.LINE_AND_BARS:
            made = self.book.add_chart({"type": "column"})
            made.add_series(self._series(chart, chart.values[0]) | {"fill": {"color": "#7DB3D8"}})
            line = self.book.add_chart({"type": "line"})
            look = {"line": {"color": "#8A3B00"}, "marker": {"type": "circle"}, "y2_axis": True}
            line.add_series(self._series(chart, chart.values[1]) | look)
            made.combine(line)
            made.set_legend({"position": "bottom"})
        else:
            made = self.book.add_chart({"type": "column"})
            made.add_series(self._series(chart, chart.values[0]) | {"fill": {"color": "#2470AD"}})
            made.set_legend({"none": True})
        made.set_title({"name": title, "name_font": {"size": 12}})
        made.set_size({"width": 1000, "height": _CHART_ROWS * 20 - 20})
        return made

    def _series(self, chart: Chart, value: str) -> dict[str, Any]:
        table, sheet = self.report.table(chart.table), self._sheets[chart.table]
        first, last = HEADER + 1, HEADER + len(table.rows)
        labels, values = table.place(chart.labels), table.place(value)
        return {
            "name": table.columns[values].title.within(self.language),
            "categories": [sheet, first, labels, last, labels],
            "values": [sheet, first, values, last, values],
        }

    def _format(self, **look: Any) -> Any:
        key = tuple(sorted(look.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format(dict(look))
        return self._formats[key]


def _header_text(text: str) -> str:
    """Return text for a printed header or footer (255 characters), where & begins a code."""
    return text.replace("&", "＆")


def _width(text: str) -> int:
    """Return about how many Latin letters wide a text is."""
    return sum(1 if ord(one) < 0x1100 else 2 for one in text)
