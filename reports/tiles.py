"""The tile map of Japan: where each prefecture's tile lies, and how values become colours."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

# Column and row of each tile's upper left corner, in tiles. Halves leave the straits open:
# Tsugaru north of Aomori, Kanmon west of Yamaguchi, the Inland Sea north of Shikoku.
PLACES = MappingProxyType(
    {
        "01": (12.0, 0.0),
        "02": (12.0, 2.4),
        "05": (11.5, 3.4),
        "03": (12.5, 3.4),
        "06": (11.5, 4.4),
        "04": (12.5, 4.4),
        "17": (9.0, 5.4),
        "16": (10.0, 5.4),
        "15": (11.0, 5.4),
        "07": (12.0, 5.4),
        "18": (8.0, 6.4),
        "21": (9.0, 6.4),
        "20": (10.0, 6.4),
        "10": (11.0, 6.4),
        "09": (12.0, 6.4),
        "08": (13.0, 6.4),
        "32": (4.0, 7.4),
        "31": (5.0, 7.4),
        "28": (6.0, 7.4),
        "26": (7.0, 7.4),
        "25": (8.0, 7.4),
        "23": (9.0, 7.4),
        "22": (10.0, 7.4),
        "19": (11.0, 7.4),
        "11": (12.0, 7.4),
        "12": (13.0, 7.4),
        "35": (3.0, 8.4),
        "34": (4.0, 8.4),
        "33": (5.0, 8.4),
        "27": (7.0, 8.4),
        "29": (8.0, 8.4),
        "24": (9.0, 8.4),
        "14": (11.0, 8.4),
        "13": (12.0, 8.4),
        "30": (7.5, 9.4),
        "38": (4.0, 9.9),
        "37": (5.0, 9.9),
        "39": (4.0, 10.9),
        "36": (5.0, 10.9),
        "41": (0.6, 9.4),
        "40": (1.6, 9.4),
        "42": (0.6, 10.4),
        "43": (1.6, 10.4),
        "44": (2.6, 10.4),
        "46": (1.6, 11.4),
        "45": (2.6, 11.4),
        "47": (0.0, 12.6),
    }
)

# Hokkaido's tile is two by two, as the eye expects it; all others are one by one.
SPANS = MappingProxyType({"01": 2})

# One hue from light to dark: it reads the same with every colour vision and on a grey printer.
# Each fill with the ink that stands out on it by at least 4.5 to 1.
_SCALE = (
    ("#dfebf7", "#12263a"),
    ("#b3d0e8", "#12263a"),
    ("#7db3d8", "#12263a"),
    ("#2470ad", "#ffffff"),
    ("#0b3a75", "#ffffff"),
)
_ZERO = ("#ffffff", "#4b5563")
_BELOW = ("#f3d3b0", "#5a2d0c")
NO_VALUE = ("#eceae6", "#4b5563")


@dataclass(frozen=True)
class ColourClass:
    """The values from ``low`` to ``high``, both inclusive, and how many prefectures they are."""

    low: Decimal
    high: Decimal
    prefectures: int
    fill: str
    ink: str


def colour_classes(values: Sequence[Decimal]) -> tuple[ColourClass, ...]:
    """Divide the values into at most five classes of about equal size, lowest first.

    What is below zero is one class, zero another; equal values always share a class. Rates are
    skewed (most prefectures below 2 %, the first above 6 %), so equal steps would leave most
    tiles alike.
    """
    ladder = sorted(value for value in values if value > 0)
    members: dict[int, list[Decimal]] = {}
    for value in ladder:
        lower = bisect_left(ladder, value)
        members.setdefault(lower * len(_SCALE) // len(ladder), []).append(value)
    below = sorted(value for value in values if value < 0)
    zeros = len(values) - len(ladder) - len(below)
    first = [ColourClass(below[0], below[-1], len(below), *_BELOW)] if below else []
    if zeros:
        first.append(ColourClass(Decimal(0), Decimal(0), zeros, *_ZERO))
    return *first, *(
        ColourClass(group[0], group[-1], len(group), *_SCALE[step])
        for step, group in sorted(members.items())
    )


def colours(classes: Sequence[ColourClass], value: Decimal | None) -> tuple[str, str]:
    """Give fill and ink for one of the values the classes were made of, or for none."""
    if value is None:
        return NO_VALUE
    found = next(c for c in classes if c.low <= value <= c.high)
    return found.fill, found.ink
