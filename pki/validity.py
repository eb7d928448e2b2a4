"""Validity arithmetic: certificates begin and end with Japan's day.

Source: every HPKI certificate seen ends at 23:59:59 JST; end entities begin at 00:00:00 JST.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone

Clock = Callable[[], datetime]
"""Gives the present moment as aware UTC."""

JST = timezone(timedelta(hours=9), "JST")


def japan_date(moment: datetime) -> date:
    """Return Japan's calendar day of an aware moment."""
    return moment.astimezone(JST).date()


def start_of_day(day: date) -> datetime:
    """Return 00:00:00 JST of the day, in UTC."""
    return datetime.combine(day, time(0), JST).astimezone(UTC)


def end_after_years(first_day: date, years: int) -> datetime:
    """Return 23:59:59 JST of the day before the ``years``-th anniversary, in UTC.

    A period that begins on 29 February ends on 28 February.
    """
    try:
        anniversary = first_day.replace(year=first_day.year + years)
    except ValueError:
        anniversary = date(first_day.year + years, 3, 1)
    return start_of_day(anniversary) - timedelta(seconds=1)


def whole_seconds(moment: datetime) -> datetime:
    """Return the moment in UTC without its fraction, as everything signed carries it."""
    return moment.astimezone(UTC).replace(microsecond=0)


def rfc3339(moment: datetime) -> str:
    """Return ``2026-11-21T03:00:00Z``."""
    return whole_seconds(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
