"""Business days (開庁日) of an office in Japan."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import jpholiday

from pki.errors import InvalidInput

FIRST_YEAR, LAST_YEAR = 1949, 2099
"""Whole years under the holiday act (昭和23年法律第178号) for which equinoxes are computed; the
observatory fixes those of a year in the February before, which may still move a day."""
MAX_DAYS = 10_000
_YEAR_END = ((12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3))


def is_business_day(day: date) -> bool:
    """Tell whether offices are open: no weekend, national holiday or 12-29 to 01-03.

    Raises ``InvalidInput`` (``ra.business_day``) outside 1949 to 2099.
    Source: 行政機関の休日に関する法律 (昭和63年法律第91号) art. 1; RECALL-H for offices of the
    state, INFERRED for certification centres.
    """
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InvalidInput("ra.business_day", f"The holidays of {day.year} are not known.", _HINT)
    return day.weekday() < 5 and (day.month, day.day) not in _YEAR_END and not _is_holiday(day)


def add_business_days(day: date, count: int) -> date:
    """Return the ``count``-th business day after ``day`` (before it if negative).

    0 gives the day itself, or the next business day. Raises ``InvalidInput``
    (``ra.business_day``) for more than 10,000 days either way.
    """
    if abs(count) > MAX_DAYS:
        raise InvalidInput("ra.business_day", f"{count} business days are too many.", _HINT)
    if count == 0:
        return day if is_business_day(day) else add_business_days(day, 1)
    step, left = timedelta(days=1 if count > 0 else -1), abs(count)
    while left:
        day += step
        left -= is_business_day(day)
    return day


_HINT = f"Give days of the years {FIRST_YEAR} to {LAST_YEAR}, and at most {MAX_DAYS:,} of them."


@lru_cache(maxsize=4096)
def _is_holiday(day: date) -> bool:
    """Ask the library once for each day: it takes half a millisecond."""
    return jpholiday.is_holiday(day)
