"""Hours between lists, counted by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from audit.chain import Head
from ca.records import Series
from policies.profiles import ListScope
from reports.list_history import ListMade, Rhythm, gaps_by_series
from reports.moment import Moment
from reports.period import Period

NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
ALLOWED = Rhythm(timedelta(hours=24), timedelta(hours=48))
SERIES = Series("sign", ListScope.FULL, 0)


def lists_of(*times: datetime) -> list[ListMade]:
    gaps = [None, *(after - before for before, after in zip(times, times[1:], strict=False))]
    return [
        ListMade(SERIES, number, at, None, 0, at, gap)
        for number, (at, gap) in enumerate(zip(times, gaps, strict=True), start=1)
    ]


def test_a_gap_that_is_open_at_the_end_of_the_period_counts_in_it() -> None:
    """No list from 20 October to 10 December: November says so, whenever it is told."""
    october, december = (datetime(2026, *day, tzinfo=UTC) for day in ((10, 20), (12, 10)))
    later = Moment(december + timedelta(hours=1), Head(9, "00" * 32))
    found = gaps_by_series(lists_of(october, december), later, NOVEMBER, ALLOWED)[SERIES]
    assert (found.lists, found.beyond_target, found.beyond_limit) == (0, 1, 1)
    assert found.longest == NOVEMBER.end - october
    early = Moment(NOVEMBER.start + timedelta(days=1), Head(5, "00" * 32))
    found = gaps_by_series(lists_of(october), early, NOVEMBER, ALLOWED)[SERIES]
    assert found.longest == early.at - october


def test_a_series_that_begins_after_the_period_has_no_gap_in_it() -> None:
    begun = datetime(2026, 12, 10, tzinfo=UTC)
    later = Moment(begun + timedelta(days=1), Head(9, "00" * 32))
    found = gaps_by_series(lists_of(begun), later, NOVEMBER, ALLOWED)[SERIES]
    assert (found.lists, found.longest, found.beyond_target) == (0, None, 0)
