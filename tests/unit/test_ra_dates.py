"""Dates as offices write them: both calendars, the borders of the eras, what is no day."""

import contextlib
from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pki.errors import InvalidInput
from ra.dates import ERAS, FIRST_DAY, LAST_DAY, both_calendars, era_text, parse_date

DAY = date(1970, 3, 2)


@pytest.mark.parametrize(
    "text",
    ["1970-03-02", "1970-3-2", "1970/3/2", "1970.3.2", "1970年3月2日", "１９７０年３月２日",
     "1970／3／2", "S45.3.2", "s45/3/2", "S45-03-02", "Ｓ４５．３．２", "ｓ４５／３／２",
     "昭和45年3月2日", "昭和45.3.2", "昭和 45年 3月 2日", "昭和四十五年三月二日",
     "昭和四五年三月二日", "一九七〇年三月二日", " S45.3.2　", "1970−03−02", "S45．０３．０２",
     "㍼45年3月2日"],
)  # fmt: skip
def test_the_forms_of_one_day(text: str) -> None:
    assert parse_date(text) == DAY


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("明治元年10月23日", date(1868, 10, 23)),
        ("明治45年7月29日", date(1912, 7, 29)),
        ("大正元年7月30日", date(1912, 7, 30)),
        ("T15.12.24", date(1926, 12, 24)),
        ("昭和元年12月25日", date(1926, 12, 25)),
        ("昭和64年1月7日", date(1989, 1, 7)),
        ("平成元年1月8日", date(1989, 1, 8)),
        ("H1.1.8", date(1989, 1, 8)),
        ("H31.4.30", date(2019, 4, 30)),
        ("令和元年5月1日", date(2019, 5, 1)),
        ("R8.9.1", date(2026, 9, 1)),
        ("昭和十年十月十日", date(1935, 10, 10)),
        ("2000-02-29", date(2000, 2, 29)),
        ("S63.2.29", date(1988, 2, 29)),
    ],
)
def test_the_borders_of_the_eras(text: str, day: date) -> None:
    assert parse_date(text) == day


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("昭和64年1月8日", "平成元年1月8日"),
        ("平成元年1月7日", "昭和64年1月7日"),
        ("明治45年7月30日", "大正元年7月30日"),
        ("大正15年12月25日", "昭和元年12月25日"),
        ("昭和元年12月24日", "大正15年12月24日"),
        ("平成31年5月1日", "令和元年5月1日"),
        ("R1.4.30", "平成31年4月30日"),
        ("S95.3.2", "令和2年3月2日"),
    ],
)
def test_a_day_of_another_era_is_refused_with_the_right_one(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_date(text)
    assert caught.value.code == "ra.date"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1900-02-29", "month 2 of 1900 has 28 days, 1900 is no leap year"),
        ("2001-02-29", "month 2 of 2001 has 28 days, 2001 is no leap year"),
        ("S45.2.29", "1970 is no leap year"),
        ("2000-02-30", "month 2 of 2000 has 29 days."),
        ("2026-04-31", "month 4 of 2026 has 30 days"),
        ("2026-9-0", "has 30 days"),
        ("2026-13-01", "there is no month 13"),
        ("2026-00-01", "there is no month 00"),
        ("S0.1.1", "no year 0"),
        ("1868-10-22", "outside 1868-10-23 to 2100-12-31"),
        ("1867-01-01", "the year 1867 lies outside"),
        ("2101-01-01", "the year 2101 lies outside"),
        ("R99.1.1", "the year 2117 lies outside"),
        ("0000-00-00", "there is no month"),
        ("20260901", "is not a date"),
        ("26.9.1", "is not a date"),
        ("2026-9/1", "is not a date"),
        ("元年5月1日", "is not a date"),
        ("X45.3.2", "is not a date"),
        ("平安2年3月4日", "is not a date"),
        ("", "is not a date"),
        ("二〇二六・九・一", "is not a date"),
        ("2026-09-01 10:00", "is not a date"),
        ("20\x0026-09-01", "<U+0000>"),
        ("2026年9月1日" + " " * 40, "at most 40 characters; this has 49"),
        ("😀", "is not a date"),
    ],
)
def test_what_is_no_day_is_said_plainly(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_date(text)
    assert caught.value.code == "ra.date"
    assert says in caught.value.text
    assert caught.value.hint


def test_every_day_comes_back_through_its_era() -> None:
    day = FIRST_DAY
    while day <= LAST_DAY:
        assert parse_date(era_text(day)) == day
        day += timedelta(days=1)


def test_eras_follow_one_another() -> None:
    for earlier, later in zip(ERAS, ERAS[1:], strict=False):
        last = later.first_day - timedelta(days=1)
        assert era_text(last).startswith(earlier.name)
        assert era_text(later.first_day).startswith(f"{later.name}元年")


@given(st.dates(FIRST_DAY, LAST_DAY))
@example(date(2026, 9, 1))
def test_western_forms_come_back(day: date) -> None:
    for text in (day.isoformat(), f"{day:%Y/%m/%d}", f"{day.year}年{day.month}月{day.day}日"):
        assert parse_date(text) == day


@given(st.text(st.sampled_from("昭和平成令元年月日SHR0123456789.-/〇一十百千 \0"), max_size=45))
def test_any_text_is_a_day_or_one_clear_error(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert FIRST_DAY <= parse_date(text) <= LAST_DAY


def test_both_calendars() -> None:
    assert both_calendars(DAY) == "1970-03-02 (昭和45年3月2日)"
    assert both_calendars(date(2019, 5, 1)) == "2019-05-01 (令和元年5月1日)"
    assert both_calendars(date(1868, 10, 22)) == "1868-10-22"
    with pytest.raises(InvalidInput, match=r"ra\.date"):
        era_text(date(1868, 10, 22))
