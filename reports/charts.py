"""Charts laid out in pixels, before a template draws them; values and names as they are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import accumulate, groupby

from reports.board.places import prefectures
from reports.cells import NUMERIC, cell_text, ems
from reports.tables import Chart, ChartKind, Column, Kind, Language, Report, Table, Text, Value
from reports.tiles import PLACES, SPANS, ColourClass, colour_classes, colours

TILE = 64
BAR_WIDTH = 620
BARS_A_DRAWING = 50
"""As many as fit on a page; the rest goes on the next one, on the same scale."""

PLOT_WIDTH = 740
PLOT_HEIGHT = 280
_TICKS_AT_MOST = 8
_LABELS_AT_MOST = 13
_NAME_EMS = 14.0


@dataclass(frozen=True)
class Tick:
    """One line of an axis: what it says, and how far it lies from the axis's start."""

    text: str
    place: float


@dataclass(frozen=True)
class Tile:
    """One prefecture on the map; ``size`` in pixels."""

    code: str
    name: str
    x: int
    y: int
    size: int
    value: str
    fill: str
    ink: str


@dataclass(frozen=True)
class LegendLine:
    """One colour of the map: from, to, and how many prefectures have it."""

    colours: ColourClass
    low: str
    high: str


@dataclass(frozen=True)
class TileMap:
    """The map; ``elsewhere`` are the rows that have no place on it (overseas), name and value."""

    kind = "tiles"
    title: str
    description: str
    unit: str
    tiles: tuple[Tile, ...]
    legend: tuple[LegendLine, ...]
    elsewhere: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bar:
    """One bar: name as it fits and whole, start and length in pixels, value."""

    name: str
    whole_name: str
    start: float
    length: float
    value: str


@dataclass(frozen=True)
class Bars:
    """Horizontal bars and their axis; ``zero`` is where the axis has nought."""

    kind = "bars"
    title: str
    description: str
    unit: str
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    zero: float


@dataclass(frozen=True)
class Point:
    """One place along a line chart; ``label`` is empty where there is no room for all."""

    x: float
    name: str
    label: str
    bar: tuple[float, float] | None
    bar_value: str
    line_y: float | None
    line_value: str


@dataclass(frozen=True)
class LineAndBars:
    """Bars by the left axis, a line by the right one; ``strokes`` are its unbroken parts."""

    kind = "line_and_bars"
    title: str
    description: str
    bar_unit: str
    line_unit: str
    points: tuple[Point, ...]
    strokes: tuple[str, ...]
    bar_ticks: tuple[Tick, ...]
    line_ticks: tuple[Tick, ...]
    bar_width: float


Drawing = TileMap | Bars | LineAndBars


@dataclass(frozen=True)
class Scale:
    """An axis from ``low`` to ``high``, nought in it, with steps of 1, 2 or 5 by powers of ten."""

    low: Decimal
    high: Decimal
    step: Decimal

    def place(self, value: Decimal, length: float) -> float:
        """Return how far a value lies from the start of an axis of this length."""
        return float((value - self.low) / (self.high - self.low)) * length

    def ticks(self, length: float) -> tuple[Tick, ...]:
        """Return the lines of the axis."""
        count = int((self.high - self.low) / self.step)
        values = (self.low + n * self.step for n in range(count + 1))
        return tuple(Tick(f"{value:,f}", self.place(value, length)) for value in values)


def scale(values: Sequence[Decimal], *, whole: bool) -> Scale:
    """Return an axis that holds nought and every value; ``whole``: its steps are whole numbers."""
    low, high = min([*values, Decimal(0)]), max([*values, Decimal(0)])
    span = high - low or Decimal(1)
    power = Decimal(10) ** (span.adjusted() - 1)
    if whole:
        power = max(power, Decimal(1))
    steps = (digit * power * by for by in (1, 10) for digit in (1, 2, 5))
    step = next(one for one in steps if one * _TICKS_AT_MOST >= span)
    below, above = (
        (number / step).to_integral_value(ROUND_CEILING) * step for number in (-low, high)
    )
    return Scale(-below, above if above or below else step, step)


def drawings(report: Report, language: Language) -> Iterator[Drawing]:
    """Yield what the report's charts show; nothing for a table without rows."""
    for chart in report.charts:
        table = report.table(chart.table)
        if not table.rows:
            continue
        if chart.kind is ChartKind.TILES:
            yield tile_map(chart, table, language)
        elif chart.kind is ChartKind.BARS:
            yield from bars(chart, table, language)
        else:
            yield line_and_bars(chart, table, language)


def tile_map(chart: Chart, table: Table, language: Language) -> TileMap:
    """Colour the prefectures by the one value; a prefecture without a row has none."""
    (key,) = chart.values
    column = table.columns[table.place(key)]
    rows = dict(zip(_column(table, chart.labels), _column(table, key), strict=True))
    known = {prefecture.code: prefecture for prefecture in prefectures()}
    values = {code: _number(rows.get(code)) for code in known}
    classes = colour_classes([value for value in values.values() if value is not None])
    tiles = []
    for code, value in values.items():
        across, down = PLACES[code]
        name = known[code].short_name if language is Language.JAPANESE else known[code].name_en
        text = cell_text(value, column.kind, language)
        size = TILE * SPANS.get(code, 1)
        at = (round(across * TILE), round(down * TILE))
        tiles.append(Tile(code, name, *at, size, text, *colours(classes, value)))
    return TileMap(
        title=chart.title.within(language),
        description=_described(table, language),
        unit=column.title.within(language),
        tiles=tuple(tiles),
        legend=tuple(
            LegendLine(
                one,
                cell_text(one.low, column.kind, language),
                cell_text(one.high, column.kind, language),
            )
            for one in classes
        ),
        elsewhere=_elsewhere(table, chart, column, language),
    )


def _elsewhere(
    table: Table, chart: Chart, column: Column, language: Language
) -> tuple[tuple[str, str], ...]:
    """Return name and value of rows off the map; the name stands in the first column of words."""
    codes, values = _column(table, chart.labels), _column(table, column.key)
    found = []
    for row, code, value in zip(table.rows, codes, values, strict=True):
        if code not in PLACES:
            name = next((one for one in row.values if isinstance(one, Text)), code)
            number = cell_text(value, column.kind, language)
            found.append((cell_text(name, Kind.TEXT, language), number))
    return tuple(found)


def bars(chart: Chart, table: Table, language: Language) -> Iterator[Bars]:
    """Lay out a bar for each row, on one axis with nought in it."""
    (key,) = chart.values
    column, label = table.columns[table.place(key)], table.columns[table.place(chart.labels)]
    cells = _column(table, key)
    axis = scale([n for n in map(_number, cells) if n is not None], whole=_is_whole(column))
    zero = axis.place(Decimal(0), BAR_WIDTH)
    made = []
    for name, cell in zip(_column(table, chart.labels), cells, strict=True):
        whole_name = cell_text(name, label.kind, language)
        end = axis.place(_number(cell) or Decimal(0), BAR_WIDTH)
        value = cell_text(cell, column.kind, language)
        fitting = shortened(whole_name, _NAME_EMS)
        made.append(Bar(fitting, whole_name, min(zero, end), abs(end - zero), value))
    for first in range(0, len(made), BARS_A_DRAWING):
        yield Bars(
            title=chart.title.within(language),
            description=_described(table, language),
            unit=column.title.within(language),
            bars=tuple(made[first : first + BARS_A_DRAWING]),
            ticks=axis.ticks(BAR_WIDTH),
            zero=zero,
        )


def line_and_bars(chart: Chart, table: Table, language: Language) -> LineAndBars:
    """Lay out bars and line; the line is broken where a value is missing."""
    columns = [table.columns[table.place(key)] for key in chart.values]
    bar_column, line_column = columns
    label = table.columns[table.place(chart.labels)]
    bar_cells, line_cells = (_column(table, column.key) for column in columns)
    axes = [
        scale([n for n in map(_number, cells) if n is not None], whole=_is_whole(column))
        for column, cells in zip(columns, (bar_cells, line_cells), strict=True)
    ]
    pitch = PLOT_WIDTH / len(table.rows)
    every = -(-len(table.rows) // _LABELS_AT_MOST)
    points = []
    for place, name in enumerate(_column(table, chart.labels)):
        text = cell_text(name, label.kind, language)
        bar, line = _number(bar_cells[place]), _number(line_cells[place])
        points.append(
            Point(
                x=(place + 0.5) * pitch,
                name=text,
                label=shortened(text, 5) if place % every == 0 else "",
                bar=None if bar is None else _upright(axes[0], bar),
                bar_value=cell_text(bar_cells[place], bar_column.kind, language),
                line_y=None if line is None else PLOT_HEIGHT - axes[1].place(line, PLOT_HEIGHT),
                line_value=cell_text(line_cells[place], line_column.kind, language),
            )
        )
    return LineAndBars(
        title=chart.title.within(language),
        description=_described(table, language),
        bar_unit=bar_column.title.within(language),
        line_unit=line_column.title.within(language),
        points=tuple(points),
        strokes=tuple(_strokes(points)),
        bar_ticks=axes[0].ticks(PLOT_HEIGHT),
        line_ticks=axes[1].ticks(PLOT_HEIGHT),
        bar_width=min(pitch * 0.7, 60),
    )


def _upright(axis: Scale, value: Decimal) -> tuple[float, float]:
    """Return top and height of an upright bar."""
    zero, end = (PLOT_HEIGHT - axis.place(n, PLOT_HEIGHT) for n in (Decimal(0), value))
    return min(zero, end), abs(end - zero)


def _strokes(points: Sequence[Point]) -> Iterator[str]:
    for there, group in groupby(points, key=lambda point: point.line_y is not None):
        if there:
            yield " ".join(f"{point.x:.1f},{point.line_y:.1f}" for point in group)


def shortened(text: str, wide: float) -> str:
    """Cut a name that is wider than so many ems, with … at its end.

    Variation selectors are left out: WeasyPrint draws a chart's text character by character and
    would show them as gaps. The whole name is the drawing's ``<title>``, and in the table.
    """
    drawn = [one for one in text if ems(one)]
    if ems(text) <= wide:
        return "".join(drawn)
    widths = accumulate(map(ems, drawn))
    return "".join(one for one, width in zip(drawn, widths, strict=True) if width <= wide - 1) + "…"


def _described(table: Table, language: Language) -> str:
    """Return what a chart shows, for those who do not see it: the numbers are in the table."""
    title = table.title.within(language)
    if language is Language.JAPANESE:
        return f"数値は表「{title}」にある。"
    return f"The numbers stand in the table “{title}”."


def _column(table: Table, key: str) -> list[Value | Text]:
    place = table.place(key)
    return [row.values[place] for row in table.rows]


def _is_whole(column: Column) -> bool:
    if column.kind not in NUMERIC:
        raise ValueError(f"column {column.key} holds no numbers to draw")
    return column.kind is Kind.NUMBER


def _number(value: Value | Text) -> Decimal | None:
    return Decimal(value) if isinstance(value, int | Decimal) else None
