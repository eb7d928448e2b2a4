"""Dates as offices in Japan write them: both calendars, any width, kanji digits."""

from __future__ import annotations

import re
import unicodedata
from calendar import isleap, monthrange
from dataclasses import dataclass
from datetime import date

from pki.errors import InvalidInput

MAX_CHARACTERS = 40
LAST_DAY = date(2100, 12, 31)


@dataclass(frozen=True)
class Era:
    """One era and its first day; it ends on the day before the next one."""

    name: str
    letter: str
    first_day: date


ERAS = (
    Era("明治", "M", date(1868, 10, 23)),
    Era("大正", "T", date(1912, 7, 30)),
    Era("昭和", "S", date(1926, 12, 25)),
    Era("平成", "H", date(1989, 1, 8)),
    Era("令和", "R", date(2019, 5, 1)),
)
"""Each day belongs to one era; the day of a change to the new one. Days of 明治 before 1873, when
Japan still had another calendar, are counted by ours.

Source: 一世一元の詔 (1868-10-23); 大正改元ノ詔書 (明治45年7月30日以後ヲ改メテ大正元年ト為ス);
昭和改元ノ詔書 (大正15年12月25日以後ヲ改メテ昭和元年ト為ス); 元号を改める政令, 昭和64年政令第1号
(from the day after 1989-01-07) and 平成31年政令第143号 (from 2019-05-01). RECALL-H.
"""
FIRST_DAY = ERAS[0].first_day

_NAMES = {era.name: era for era in ERAS} | {era.letter: era for era in ERAS}
_KANJI_DIGITS = {digit: value for value, digit in enumerate("〇一二三四五六七八九")}
_KANJI_NUMBER = re.compile("[〇一二三四五六七八九十百千]+")
_HYPHENS = str.maketrans(dict.fromkeys("‐‑‒–—―−ー", "-"))
_MARK = r"\s*(?P<mark>[-/.])\s*"
_ERA = f"(?P<era>{'|'.join(_NAMES)})?\\s*"
_FORMS = (
    re.compile(
        rf"{_ERA}(?P<year>\d{{1,4}}|元){_MARK}(?P<month>\d+)\s*(?P=mark)\s*(?P<day>\d+)", re.ASCII
    ),
    re.compile(
        rf"{_ERA}(?P<year>\d{{1,4}}|元)\s*年\s*(?P<month>\d+)\s*月\s*(?P<day>\d+)\s*日", re.ASCII
    ),
)
_ISO = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HINT = "Write 2026-09-01, 2026/9/1, 令和8年9月1日 or R8.9.1."


def parse_date(text: str) -> date:
    """Return the day that ``text`` names, of 1868-10-23 to 2100-12-31.

    Taken: 2026-09-01, 2026/9/1, 2026.9.1, 2026年9月1日, S45.3.2, 昭和45年3月2日, 元年, in full
    or half width, 年月日 also with kanji digits. Raises ``InvalidInput`` (``ra.date``) for anything
    else, for a day that the calendar or the era does not have, and for more than 40 characters.
    """
    if _ISO.fullmatch(text) and (iso := _iso_day(text)) is not None:
        return iso
    if len(text) > MAX_CHARACTERS:
        raise _fault(f"A date has at most {MAX_CHARACTERS} characters; this has {len(text)}.")
    plain = unicodedata.normalize("NFKC", text).translate(_HYPHENS).strip().upper()
    if "年" in plain:
        plain = _KANJI_NUMBER.sub(lambda number: from_kanji_digits(number[0]), plain)
    found = next((match for form in _FORMS if (match := form.fullmatch(plain))), None)
    if found is None or (found["era"] is None and len(found["year"]) != 4):
        raise _fault(f"{_shown(text)} is not a date.")
    era = _NAMES.get(found["era"] or "")
    year = 1 if found["year"] == "元" else int(found["year"])
    if year == 0 and era is not None:
        raise _fault(f"{_shown(text)}: an era has no year 0; its first is 元年.")
    western = year + era.first_day.year - 1 if era else year
    day = _day(western, found["month"], found["day"], _shown(text))
    if era is not None:
        _verify_era(day, era, _shown(text))
    return day


def _iso_day(text: str) -> date | None:
    """Return the day of YYYY-MM-DD without the longer way; None if there is none to return."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def era_text(day: date) -> str:
    """Return the day in the calendar of the eras: ``昭和45年3月2日``, in a first year ``元年``.

    Raises ``InvalidInput`` (``ra.date``) for a day before 1868-10-23.
    """
    era = _era_of(day)
    year = day.year - era.first_day.year + 1
    return f"{era.name}{'元' if year == 1 else year}年{day.month}月{day.day}日"


def both_calendars(day: date) -> str:
    """Return ``1970-03-02 (昭和45年3月2日)``; a day before 1868-10-23 stands alone."""
    return f"{day.isoformat()} ({era_text(day)})" if day >= FIRST_DAY else day.isoformat()


def from_kanji_digits(number: str) -> str:
    """Return a number of 〇 to 九, 十, 百, 千 in ASCII digits: 四十五 and 四五 both give 45."""
    total, digit = 0, -1
    for character in number:
        unit = {"十": 10, "百": 100, "千": 1000}.get(character)
        if unit is None:
            digit = max(digit, 0) * 10 + _KANJI_DIGITS[character]
        else:
            total, digit = total + (1 if digit < 0 else digit) * unit, -1
    return str(total + max(digit, 0))


def _era_of(day: date) -> Era:
    for era in reversed(ERAS):
        if day >= era.first_day:
            return era
    raise _fault(f"{day.isoformat()} lies before {FIRST_DAY}, the first day of 明治.")


def _day(year: int, month_text: str, day_text: str, shown: str) -> date:
    """Return the day of our calendar; raises with what of it does not exist."""
    if len(month_text) > 2 or not 1 <= int(month_text) <= 12:
        raise _fault(f"{shown}: there is no month {month_text[:4]}.")
    if not FIRST_DAY.year <= year <= LAST_DAY.year:
        raise _fault(f"{shown}: the year {year} lies outside {FIRST_DAY} to {LAST_DAY}.")
    month = int(month_text)
    days = monthrange(year, month)[1]
    if len(day_text) > 2 or not 1 <= int(day_text) <= days:
        leap = "" if isleap(year) or month != 2 else f", {year} is no leap year"
        raise _fault(f"{shown}: month {month} of {year} has {days} days{leap}.")
    found = date(year, month, int(day_text))
    if found < FIRST_DAY:
        raise _fault(f"{shown} lies outside {FIRST_DAY} to {LAST_DAY}.")
    return found


def _verify_era(day: date, era: Era, shown: str) -> None:
    if _era_of(day) != era:
        raise _fault(
            f"{shown} is no day of {era.name}.",
            f"Write {era_text(day)} if that is the day; compare the document.",
        )


def _shown(text: str) -> str:
    return "“" + "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text) + "”"


def _fault(text: str, hint: str = _HINT) -> InvalidInput:
    return InvalidInput("ra.date", text, hint)
