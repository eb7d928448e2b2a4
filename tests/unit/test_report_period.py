"""Days and months of a report, across the end of a year."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pki.errors import InvalidInput
from reports.period import Period, month_before, month_of, months_from


def test_months_go_on_over_the_year() -> None:
    december, january = date(2026, 12, 1), date(2027, 1, 1)
    assert months_from(date(2026, 12, 31), 2) == (december, january)
    assert month_before(date(2027, 1, 31)) == december
    assert month_before(january, 13) == date(2025, 12, 1)
    assert month_of(date(2028, 2, 3)) == Period(date(2028, 2, 1), date(2028, 2, 29))
    assert Period(date(2026, 12, 31), january).months == (december, january)


def test_a_period_is_of_japans_days() -> None:
    november = month_of(date(2026, 11, 5))
    assert november.start == datetime(2026, 10, 31, 15, tzinfo=UTC)
    assert november.end == datetime(2026, 11, 30, 15, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="is later than"):
        Period(date(2026, 11, 2), date(2026, 11, 1))
