"""One field of an application against what a document shows: equal, or why not, in words.

Nothing is rewritten: the forms that are compared are thrown away. Words go to the screen and the
check sheet, never to log or trail: they quote what was compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise, takewhile

from pki.errors import InvalidInput
from policies import variants
from ra.dates import ERAS, both_calendars, era_text, parse_date
from ra.persons import writings
from ra.persons.writings import VARIANT, Step, one_width, plain, prefecture

MAX_CHARACTERS = 1_000
_SHOWN_DIFFERENCES = 5
_SHOWN_CHARACTERS = 20
_UNITS = re.compile(f".[{variants.SELECTORS}]*", re.DOTALL)
_DATES = ("birth_date", "registration_date")
_STEPS: Mapping[str, Sequence[Step]] = {
    "kanji_name": writings.NAME,
    "kana_name": writings.KANA_NAME,
    "romaji_name": writings.NAME,
    "former_surname": writings.NAME,
    "registration_number": writings.NUMBER,
    "address": writings.ADDRESS,
}
FIELDS = (*_STEPS, *_DATES)
"""The fields that are compared."""


class Verdict(StrEnum):
    """How what is given stands to what is seen.

    ``EQUAL``: the same code points. ``VARIANT``: the same but for variant characters. ``FORM``:
    the same value in another writing.
    """

    EQUAL = "EQUAL"
    VARIANT = "VARIANT"
    FORM = "FORM"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True)
class Match:
    """The verdict on one field; the words are empty only for ``EQUAL``."""

    field: str
    verdict: Verdict
    words_ja: str = ""
    words_en: str = ""


def match_field(field: str, given: str, seen: str) -> Match:
    """Return how ``given`` (application) stands to ``seen`` (document); either may be empty.

    Raises ``InvalidInput`` for a field that is not compared (``ra.match.field``), more than 1,000
    characters (``ra.match.length``) and a date that cannot be read (``ra.date``).
    """
    if field not in FIELDS:
        raise InvalidInput(
            "ra.match.field",
            f"There is no field {field[:40]!r} to compare.",
            f"Known: {', '.join(FIELDS)}.",
        )
    if max(len(given), len(seen)) > MAX_CHARACTERS:
        raise InvalidInput(
            "ra.match.length",
            f"The field {field} has more than {MAX_CHARACTERS:,} characters.",
            "Give what the document shows in this field alone.",
        )
    if given == seen:
        return Match(field, Verdict.EQUAL)
    if not seen.strip():
        return Match(field, Verdict.DIFFERENT, "書類に記載なし", "missing on the document")
    if not given.strip():
        return Match(field, Verdict.DIFFERENT, "申請に記載なし", "missing on the application")
    if field in _DATES:
        return _match_dates(field, given, seen)
    return _match_texts(field, given, seen)


def _match_texts(field: str, given: str, seen: str) -> Match:
    steps = _STEPS[field]
    if field == "address" and (elsewhere := _prefectures(given, seen)):
        return Match(field, Verdict.DIFFERENT, *elsewhere)
    if plain(given, steps) != plain(seen, steps):
        return Match(field, Verdict.DIFFERENT, *_differences(field, given, seen))
    needed = _needed(steps, given, seen)
    words = [(step.words_ja, step.words_en) for step in needed if step is not VARIANT]
    if VARIANT in needed:
        words.insert(0, _variants(field, given, seen))
    verdict = Verdict.VARIANT if VARIANT in needed else Verdict.FORM
    return Match(field, verdict, "; ".join(ja for ja, _ in words), "; ".join(en for _, en in words))


def _needed(steps: Sequence[Step], given: str, seen: str) -> list[Step]:
    """Return the fewest steps that make the two equal, of those that all together do."""
    needed = list(steps)
    for step in reversed(steps):
        others = [other for other in needed if other is not step]
        if plain(given, others) == plain(seen, others):
            needed = others
    return needed


def _units(text: str) -> list[str]:
    """Return the characters, each with the variation selectors that follow it."""
    return _UNITS.findall(text)


def _variants(field: str, given: str, seen: str) -> tuple[str, str]:
    """Return why the differing characters of two texts that are one but for variants are one."""
    others = [step for step in _STEPS[field] if step is not VARIANT]
    pairs = dict.fromkeys(
        (one, other)
        for one, other in zip(
            _units(plain(given, others)), _units(plain(seen, others)), strict=False
        )
        if one != other
    )
    shown = list(pairs)[:_SHOWN_DIFFERENCES]
    return (
        "、".join(variants.explain_ja(*pair) or "" for pair in shown),
        "; ".join(variants.explain(*pair) or "" for pair in shown),
    )


def _differences(field: str, given: str, seen: str) -> tuple[str, str]:
    """Return which characters differ and where, positions counted in ``given`` from 1."""
    if field in ("address", "registration_number"):
        mine, theirs = (plain(text, _STEPS[field]) for text in (given, seen))
        told = _tail(mine, theirs) if field == "address" else _swapped_digits(mine, theirs)
        if told is not None:
            return told
    else:
        mine, theirs = one_width(given), one_width(seen)
    return _places(_units(mine), _units(theirs))


def _places(mine: list[str], theirs: list[str]) -> tuple[str, str]:
    keys = [[variants.fold(unit) for unit in units] for units in (mine, theirs)]
    start = _alike(*keys)
    end = min(_alike(keys[0][::-1], keys[1][::-1]), min(map(len, keys)) - start)
    if len(mine) != len(theirs):
        old, new = (_cut("".join(u[start : len(u) - end])) for u in (mine, theirs))
        return (
            f"{start + 1}文字目から: {old or '(なし)'}→{new or '(なし)'}",
            f"from character {start + 1}: {old or '(none)'} → {new or '(none)'}",
        )
    places = [n for n in range(len(mine)) if keys[0][n] != keys[1][n]][:_SHOWN_DIFFERENCES]
    return (
        "、".join(f"{n + 1}文字目: {mine[n]}→{theirs[n]}" for n in places),
        ", ".join(f"character {n + 1}: {mine[n]} → {theirs[n]}" for n in places),
    )


def _alike(one: list[str], other: list[str]) -> int:
    """Return how many characters are the same from the beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


def _tail(mine: str, theirs: str) -> tuple[str, str] | None:
    """Return the words on an address that only goes on further than the other, else None."""
    short, long = sorted((mine, theirs), key=len)
    rest = long[len(short) :]
    if not long.startswith(short) or not short[-1:].isdigit() or rest[:1].isdigit():
        return None
    where = ("書類", "on the document") if short == theirs else ("申請", "on the application")
    if re.fullmatch("[-0-9]+", rest):
        return f"{where[0]}に部屋番号または番地の記載なし: {_cut(rest)}", (
            f"room or block number missing {where[1]}: {_cut(rest)}"
        )
    return (
        f"{where[0]}に建物名の記載なし: {_cut(rest)}",
        f"building missing {where[1]}: {_cut(rest)}",
    )


def _prefectures(given: str, seen: str) -> tuple[str, str] | None:
    """Return the words on two addresses that name different prefectures, else None."""
    mine, theirs = prefecture(given), prefecture(seen)
    if not mine or not theirs or mine == theirs:
        return None
    return f"都道府県が相違: {mine}→{theirs}", f"different prefecture: {mine} → {theirs}"


def _swapped_digits(mine: str, theirs: str) -> tuple[str, str] | None:
    """Return the words on two neighbouring digits that changed places, else None."""
    for n, (one, other) in enumerate(pairwise(mine)):
        if one != other and mine[:n] + other + one + mine[n + 2 :] == theirs:
            return (
                f"{n + 1}桁目と{n + 2}桁目が入れ替わり: {one}{other}→{other}{one}",
                f"digits {n + 1} and {n + 2} changed places: {one}{other} → {other}{one}",
            )
    return None


def _match_dates(field: str, given: str, seen: str) -> Match:
    mine, theirs = parse_date(given), parse_date(seen)
    days = f"{both_calendars(mine)} → {both_calendars(theirs)}"
    if mine == theirs:
        ja, en = f"同じ日の別表記: {both_calendars(mine)}", f"the same day: {both_calendars(mine)}"
        return Match(field, Verdict.FORM, ja, en)
    reasons = _date_reasons(mine, theirs)
    words_ja = "、".join((days, *(ja for ja, _ in reasons)))
    words_en = ", ".join((days, *(en for _, en in reasons)))
    return Match(field, Verdict.DIFFERENT, words_ja, words_en)


def _date_reasons(mine: date, theirs: date) -> list[tuple[str, str]]:
    """Return which parts of two dates differ, and how that may have come about."""
    parts = [
        word
        for word, one, other in zip(
            (("年", "year"), ("月", "month"), ("日", "day")),
            mine.timetuple(),
            theirs.timetuple(),
            strict=False,
        )
        if one != other
    ]
    reasons = [
        (
            f"{'・'.join(ja for ja, _ in parts)}が相違",
            f"different {' and '.join(en for _, en in parts)}",
        )
    ]
    if (mine.year, mine.month, mine.day) == (theirs.year, theirs.day, theirs.month):
        return [*reasons, ("月と日の入れ替わりか", "month and day may have changed places")]
    same_day = (mine.month, mine.day) == (theirs.month, theirs.day)
    years = abs(mine.year - theirs.year)
    for earlier, later in pairwise(ERAS):
        if same_day and years == later.first_day.year - earlier.first_day.year:
            pair = f"{earlier.name}・{later.name}"
            reasons.append((f"元号の取り違えか({pair})", f"the era may be misread ({pair})"))
    if same_day and years == 1:
        reasons.append(("和暦の年が1年ずれか", "the year of the era may be misread by one"))
    if any(_swapped_digits(text(mine), text(theirs)) for text in (date.isoformat, era_text)):
        reasons.append(("数字の入れ替わりか", "two digits may have changed places"))
    return reasons
