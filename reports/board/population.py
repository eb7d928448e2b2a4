"""How many of a profession work in each prefecture: what rates are divided by.

A file holds any number of surveys, each a profession in a year with all 47 prefectures.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from pki.errors import InvalidInput
from policies.hcroles import hc_role_table
from reports.board.places import prefectures

COLUMNS = ("profession", "year", "code", "persons", "source")
_MOST_PERSONS = 10_000_000
MOST_OCTETS = 4 * 1024 * 1024
"""A file of populations that is longer is not read."""


@dataclass(frozen=True)
class Population:
    """Persons of a profession (its Japanese name) by code of prefecture, and who counted them."""

    profession: str
    year: int
    source: str
    persons: Mapping[str, int]

    @property
    def total(self) -> int:
        """All of Japan."""
        return sum(self.persons.values())


@cache
def shipped_populations() -> tuple[Population, ...]:
    """Return the surveys that ship (``reports/data/README.md``)."""
    folder = files("reports") / "data" / "population"
    found = sorted((one for one in folder.iterdir() if one.name.endswith(".csv")), key=str)
    return tuple(each for one in found for each in read_populations(one.read_bytes(), one.name))


def find_population(
    profession: str, day: date, own: Sequence[Population] = ()
) -> Population | None:
    """Return the survey of the newest year not after the day's, or None.

    One of ``own``, which a site gives, goes before the shipped one of the same year.
    """
    fitting = [
        one
        for one in (*own, *shipped_populations())
        if one.profession == profession and one.year <= day.year
    ]
    return max(fitting, key=lambda one: one.year, default=None)


def read_populations(octets: bytes, name: str) -> tuple[Population, ...]:
    """Return the surveys of a CSV file in UTF-8 with the columns ``COLUMNS``.

    Raises ``InvalidInput`` with the first fault and its line: an unknown profession or code, no
    number, a prefecture twice or left out, two sources for one survey.
    """
    surveys: defaultdict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    sources: dict[tuple[str, int], str] = {}
    for line, row in _lines(octets, name):
        key, code = (row["profession"], _year(row, name, line)), row["code"]
        if code in surveys[key]:
            raise _fault(name, line, f"prefecture {code} stands twice for {key[0]} {key[1]}")
        source = row["source"].strip()
        if not source or sources.setdefault(key, source) != source:
            raise _fault(name, line, "a survey has one source, the same in each row")
        surveys[key][code] = _persons(row, name, line)
    if not surveys:
        raise _fault(name, 1, "it holds no survey")
    for (profession, year), persons_of in surveys.items():
        missing = sorted({one.code for one in prefectures()} - set(persons_of))
        if missing:
            raise _fault(name, 1, f"{profession} {year} lacks prefecture {missing[0]}")
    return tuple(
        Population(key[0], key[1], sources[key], persons) for key, persons in surveys.items()
    )


def _lines(octets: bytes, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with its line number, its profession and code known."""
    known = {one.japanese for one in hc_role_table().qualification}
    codes = {one.code for one in prefectures()}
    try:
        reader = csv.reader(io.StringIO(octets.decode("utf-8-sig"), newline=""), strict=True)
        if tuple(next(reader, ())) != COLUMNS:
            raise _fault(name, 1, f"the first line is not {','.join(COLUMNS)}")
        for cells in reader:
            if len(cells) != len(COLUMNS):
                raise _fault(name, reader.line_num, f"{len(cells)} cells, not {len(COLUMNS)}")
            row = dict(zip(COLUMNS, cells, strict=True))
            if row["profession"] not in known:
                raise _fault(name, reader.line_num, f"no profession {row['profession'][:40]!r}")
            if row["code"] not in codes:
                raise _fault(name, reader.line_num, f"no prefecture code {row['code'][:40]!r}")
            yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise _fault(name, 1, f"it is no CSV file in UTF-8: {error}") from error


def _year(row: Mapping[str, str], name: str, line: int) -> int:
    text = row["year"]
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise _fault(name, line, f"no year {text[:40]!r}")
    return int(text)


def _persons(row: Mapping[str, str], name: str, line: int) -> int:
    text = row["persons"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1
    if not 0 <= number <= _MOST_PERSONS:
        raise _fault(name, line, f"no number of persons {text[:40]!r}")
    return number


def _fault(name: str, line: int, what: str) -> InvalidInput:
    return InvalidInput(
        "reports.population",
        f"{name}, line {line}: {what}",
        "One row for each of the 47 prefectures (01 to 47), as the shipped file has them.",
    )
