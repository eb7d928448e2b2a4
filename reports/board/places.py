"""The 47 prefectures, and by which place of the holder a table counts."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

OVERSEAS, UNKNOWN = "99", ""


class Place(StrEnum):
    """WORK and MUNICIPALITY are where the holder works, the latter within one prefecture."""

    WORK = "work"
    RESIDENCE = "residence"
    ASSOCIATION = "association"
    MUNICIPALITY = "municipality"


@dataclass(frozen=True)
class Prefecture:
    """One of the 47 prefectures; ``code`` is JIS X 0401, two digits; the name has its suffix."""

    code: str
    name_ja: str
    name_en: str

    @property
    def short_name(self) -> str:
        """The name as maps write it: 東京, 京都, 青森, but 北海道 whole."""
        return self.name_ja if self.name_ja == "北海道" else self.name_ja[:-1]


@cache
def prefectures() -> tuple[Prefecture, ...]:
    """Return the 47 in the order of their codes. Source: ``reports/data/README.md``."""
    text = (files("reports") / "data" / "prefectures.csv").read_text(encoding="utf-8")
    return tuple(Prefecture(**row) for row in csv.DictReader(text.splitlines()))


def known_code(code: str) -> str:
    """Return the code of a prefecture or of overseas, else ``UNKNOWN``."""
    known = code == OVERSEAS or any(one.code == code for one in prefectures())
    return code if known else UNKNOWN


def prefecture_of(address: str) -> str:
    """Return the code of the prefecture that an address begins with, or ``UNKNOWN``."""
    found = (one.code for one in prefectures() if address.startswith(one.name_ja))
    return next(found, UNKNOWN)
