"""The days that a report covers, and the months within them, as Japan counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from pki.errors import InvalidInput
from pki.validity import start_of_day


@dataclass(frozen=True)
class Period:
    """Japan's days from ``first`` to ``last``, both included; raises ``InvalidInput`` for none."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise InvalidInput("reports.period", f"{self.first} is later than {self.last}")

    @property
    def start(self) -> datetime:
        """00:00:00 JST of the first day."""
        return start_of_day(self.first)

    @property
    def end(self) -> datetime:
        """00:00:00 JST of the day after the last."""
        return start_of_day(self.last + timedelta(days=1))

    @property
    def months(self) -> tuple[date, ...]:
        """The first day of every month that has a day within."""
        count = (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1
        return months_from(self.first, count)

    def holds(self, column: sa.ColumnElement[datetime]) -> sa.ColumnElement[bool]:
        """Say whether a time is within."""
        return sa.and_(column >= self.start, column < self.end)


def month_of(day: date) -> Period:
    """Return the whole month of a day."""
    first, after = months_from(day, 2)
    return Period(first, after - timedelta(days=1))


def months_from(day: date, count: int) -> tuple[date, ...]:
    """Return the first days of that many months, the day's own first."""
    number = day.year * 12 + day.month - 1
    places = range(number, number + count)
    return tuple(date(place // 12, place % 12 + 1, 1) for place in places)


def month_before(day: date, count: int = 1) -> date:
    """Return the first day of the month that lies so many before the day's own."""
    number = day.year * 12 + day.month - 1 - count
    return date(number // 12, number % 12 + 1, 1)


def month_place(
    column: sa.ColumnElement[datetime], months: Sequence[date]
) -> sa.ColumnElement[int]:
    """Return which of consecutive months a time lies in, from 0; the number of them if later.

    What lies before the first is counted with it: leave it out by a condition of its own.
    """
    *_, beyond = months_from(months[-1], 2)
    ends = (*months[1:], beyond)
    cases = ((column < start_of_day(end), place) for place, end in enumerate(ends))
    return sa.case(*cases, else_=len(months))
