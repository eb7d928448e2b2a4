"""HTML pages: one self-contained file each, no script, nothing fetched, same input same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports.imprint import Imprint, day_text, jst_text
from reports.prefectures import PrefectureReport, PrefectureRow
from reports.tiles import PLACES, SPANS, ColourClass, colour_classes, colours

TILE = 64
BAR_WIDTH = 720
_TICKS_AT_MOST = 8


@dataclass(frozen=True)
class Tile:
    """One prefecture on the map; place and ``size`` in pixels, ``value`` as it is printed."""

    row: PrefectureRow
    x: int
    y: int
    size: int
    value: str
    fill: str
    ink: str


@dataclass(frozen=True)
class TileMap:
    """The map and its legend; ``by_rate`` says whether rates or cards give the colours."""

    by_rate: bool
    tiles: tuple[Tile, ...]
    classes: tuple[ColourClass, ...]


@dataclass(frozen=True)
class Bar:
    """One bar: doctors' cards and the cards of the other professions, lengths in pixels."""

    row: PrefectureRow
    doctors: str
    others: str


@dataclass(frozen=True)
class BarChart:
    """The bars by rank, and the ticks of the axis as (value, place in pixels)."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[int, str], ...]


@cache
def environment() -> Environment:
    """Give the one template environment: everything escaped, unknown names are errors."""
    made = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["jst"] = jst_text
    made.filters["day"] = day_text
    made.filters["number"] = number_text
    made.filters["hex_groups"] = hex_groups
    return made


def number_text(number: int | Decimal) -> str:
    """Write the number with commas between thousands: 311,205; 0.68."""
    return f"{number:,}"


def hex_groups(text: str) -> str:
    """Write hexadecimal digits in lower case and groups of four, to be compared by eye."""
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4)).lower()


def prefectures_html(report: PrefectureReport, imprint: Imprint) -> bytes:
    """Render the table 発行数順位表 with its map and chart as one HTML file, UTF-8."""
    page = environment().get_template("prefectures.html.j2")
    return page.render(
        report=report,
        imprint=imprint,
        map=tile_map(report),
        chart=bar_chart(report),
        has_others=report.total.cards > report.total.doctor_cards,
    ).encode()


def tile_map(report: PrefectureReport) -> TileMap:
    """Colour the tiles by rate; by cards where there is none or the total shows as 0.00 %.

    With a handful of cards every rate rounds to nothing and the map would stay blank.
    """
    by_rate = bool(report.total.rate)
    shown = [(row, row.rate if by_rate else Decimal(row.cards)) for row in report.rows]
    classes = colour_classes([value for _, value in shown if value is not None])
    tiles = []
    for row, value in shown:
        column, line = PLACES[row.prefecture.code]
        fill, ink = colours(classes, value)
        text = "–" if value is None else number_text(value)
        size = TILE * SPANS.get(row.prefecture.code, 1)
        tiles.append(Tile(row, round(column * TILE), round(line * TILE), size, text, fill, ink))
    return TileMap(by_rate, tuple(tiles), classes)


def bar_chart(report: PrefectureReport) -> BarChart:
    """Lay out one bar for each prefecture, most cards first, on an axis that starts at zero."""
    most = max((row.cards for row in report.rows), default=0)
    step = _tick_step(most)
    end = step * max(1, -(-most // step))
    bars = tuple(
        Bar(row, _length(row.doctor_cards, end), _length(row.cards - row.doctor_cards, end))
        for row in report.ranked
    )
    return BarChart(bars, tuple((n, _length(n, end)) for n in range(0, end + 1, step)))


def _tick_step(most: int) -> int:
    """Choose 1, 2 or 5 times a power of ten, so that the axis needs few ticks."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power * _TICKS_AT_MOST >= most:
                return digit * power
        power *= 10


def _length(count: int, end: int) -> str:
    """Scale a count to the axis, in pixels with one decimal."""
    return f"{count * BAR_WIDTH / end:.1f}"
