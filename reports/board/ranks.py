"""Ranks, rates and marks.

Source: the published table of 2016-08-31, which recomputes to the last digit in totals, rates and
ranks of the rate (``reports/data/README.md``). Rates rank by the exact quotient: two of 0.68 % are
45th and 46th there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from reports.tables import Mark

MARKED = 10
_TWO_DECIMALS = Decimal("0.01")
_DIVISION = Context(prec=40, rounding=ROUND_HALF_UP)


def quotient(count: int, persons: int) -> Fraction | None:
    """Return the exact rate; None where there is nobody to divide by."""
    return Fraction(count, persons) if persons else None


def percent(rate: Fraction | None) -> Decimal | None:
    """Return per cent with two decimals, half up."""
    if rate is None:
        return None
    exact = _DIVISION.divide(Decimal(100 * rate.numerator), Decimal(rate.denominator))
    return exact.quantize(_TWO_DECIMALS, context=_DIVISION)


def rank(ladder: Sequence[int] | Sequence[Fraction], value: int | Fraction) -> int:
    """Return the competition rank (1, 2, 2, 4): one more than how many are greater.

    ``ladder``: all values, ascending.
    """
    return 1 + len(ladder) - bisect_right(ladder, value)


def mark(ladder: Sequence[int], count: int) -> Mark | None:
    """Return top or bottom ten; a tie that would make them more than ten is left out whole.

    Without this rule a young site, where most prefectures have no card, would mark them all. Fewer
    than twice ten are not marked at all.
    """
    if len(ladder) < 2 * MARKED:
        return None
    at_least = len(ladder) - bisect_left(ladder, count)
    if count > 0 and at_least <= MARKED:
        return Mark.TOP
    return Mark.BOTTOM if bisect_right(ladder, count) <= MARKED else None
