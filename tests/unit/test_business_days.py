"""Business days: weekends, national holidays, the year's end."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.errors import InvalidInput
from ra.business_days import add_business_days, is_business_day


@pytest.mark.parametrize(
    "closed",
    ["2026-09-19", "2026-09-20",  # weekend
     "2026-09-21", "2026-09-22", "2026-09-23",  # 敬老の日, 国民の休日 between, 秋分の日
     "2026-05-06",  # 振替休日 after 憲法記念日 on a Sunday
     "2019-05-01", "2021-07-23",  # accession; 海の日/スポーツの日 moved for the Olympic Games
     "2026-12-29", "2026-12-31", "2027-01-01", "2027-01-03"],
)  # fmt: skip
def test_offices_are_closed(closed: str) -> None:
    assert not is_business_day(date.fromisoformat(closed))


@pytest.mark.parametrize("opened", ["2026-09-18", "2026-09-24", "2026-12-28", "2027-01-04"])
def test_offices_are_open(opened: str) -> None:
    assert is_business_day(date.fromisoformat(opened))


def test_counting_over_closed_days() -> None:
    friday, thursday = date(2026, 9, 18), date(2026, 9, 24)
    assert add_business_days(friday, 1) == thursday
    assert add_business_days(thursday, -1) == friday
    assert add_business_days(date(2026, 9, 19), 0) == thursday
    assert add_business_days(friday, 0) == friday
    assert add_business_days(date(2026, 12, 28), 1) == date(2027, 1, 4)


@settings(deadline=None)
@given(st.dates(date(2024, 1, 1), date(2028, 12, 31)), st.integers(1, 30))
def test_adding_and_counting_agree(day: date, count: int) -> None:
    later = add_business_days(day, count)
    assert is_business_day(later)
    days = range(1, (later - day).days + 1)
    assert sum(is_business_day(day + timedelta(days=n)) for n in days) == count
    assert later > day


@pytest.mark.parametrize(("day", "count"), [(date(1948, 6, 1), 1), (date(2099, 12, 31), 1),
                                            (date(2026, 1, 5), 10_001), (date.max, 0)])  # fmt: skip
def test_out_of_bounds_is_one_error(day: date, count: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        add_business_days(day, count)
    assert caught.value.code == "ra.business_day"
