"""How many physicians work in each prefecture: what issuing rates are divided by."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Prefecture:
    """One of the 47 prefectures; ``code`` is JIS X 0401, two digits, "01" to "47".

    ``name_ja`` carries its suffix (青森県), ``physicians`` counts persons by place of work.
    """

    code: str
    name_ja: str
    name_en: str
    physicians: int

    @property
    def short_name(self) -> str:
        """The name as maps write it: 東京, 京都, 青森, but 北海道 whole."""
        return self.name_ja if self.name_ja == "北海道" else self.name_ja[:-1]


@dataclass(frozen=True)
class Population:
    """The prefectures in the order of their codes, and where the numbers come from."""

    source_ja: str
    source_en: str
    prefectures: tuple[Prefecture, ...]


@cache
def physicians_2014() -> Population:
    """Give the 47 prefectures with their physicians in 2014 (sum 311,205).

    Source: ministry survey 2014, table 14-1; see ``reports/data/README.md``.
    """
    text = (files("reports") / "data" / "physicians_2014.csv").read_text(encoding="utf-8")
    prefectures = tuple(
        Prefecture(row["code"], row["name_ja"], row["name_en"], int(row["physicians_2014"]))
        for row in csv.DictReader(text.splitlines())
    )
    return Population(
        source_ja="厚生労働省「医師・歯科医師・薬剤師調査」2014年 表14-1（従業地による医師数）",
        source_en="Ministry of Health, Labour and Welfare, survey 2014, table 14-1 "
        "(physicians by place of work)",
        prefectures=prefectures,
    )
