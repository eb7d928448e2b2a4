"""How many physicians work in each prefecture: what ``hpki report prefectures`` divides by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from reports.board import places
from reports.board.population import shipped_populations


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
    """Give the 47 prefectures with their physicians in 2014 (sum 311,205)."""
    (survey,) = (
        one for one in shipped_populations() if (one.profession, one.year) == ("医師", 2014)
    )
    source_ja, _, source_en = survey.source.partition(" / ")
    return Population(
        source_ja=source_ja,
        source_en=source_en,
        prefectures=tuple(
            Prefecture(one.code, one.name_ja, one.name_en, survey.persons[one.code])
            for one in places.prefectures()
        ),
    )
