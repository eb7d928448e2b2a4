"""Cards by prefecture: ranks, rates and the total, computed from frozen counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pki.errors import InvalidInput
from reports.board import ranks
from reports.board.places import OVERSEAS
from reports.population import Population, Prefecture, physicians_2014
from reports.tables import Mark


@dataclass(frozen=True)
class PrefectureCount:
    """What the database counted for one code ("01" to "47", "99" overseas).

    ``doctor_cards`` is the part of ``cards`` that went to doctors.
    """

    code: str
    cards: int
    doctor_cards: int


@dataclass(frozen=True)
class PrefectureRow:
    """One prefecture in the table.

    ``rate`` is doctors' cards to physicians in per cent with two decimals, None without
    physicians. ``rank`` (by cards, overseas ranked along) and ``rate_rank`` are competition
    ranks (1, 2, 2, 4).
    """

    prefecture: Prefecture
    cards: int
    doctor_cards: int
    rate: Decimal | None
    rank: int
    rate_rank: int | None
    mark: Mark | None


@dataclass(frozen=True)
class OverseasRow:
    """Cards of holders who work abroad (海外): ranked and in the total, but without a rate."""

    cards: int
    doctor_cards: int
    rank: int


@dataclass(frozen=True)
class TotalRow:
    """All prefectures and overseas; ``rate`` divides all doctors' cards by all physicians."""

    physicians: int
    cards: int
    doctor_cards: int
    rate: Decimal | None


@dataclass(frozen=True)
class PrefectureReport:
    """The table 発行数順位表; ``rows`` are in the order of the codes.

    ``measure`` says what was counted and is printed with the table.
    """

    as_of: date
    measure: str
    population: Population
    rows: tuple[PrefectureRow, ...]
    overseas: OverseasRow
    total: TotalRow

    @property
    def ranked(self) -> tuple[PrefectureRow, ...]:
        """The rows by rank, equal ranks by code."""
        return tuple(sorted(self.rows, key=lambda row: (row.rank, row.prefecture.code)))


def prefecture_report(
    counts: Sequence[PrefectureCount],
    as_of: date,
    measure: str,
    population: Population | None = None,
) -> PrefectureReport:
    """Compute the table; a prefecture that ``counts`` leaves out has no cards.

    ``population`` defaults to the physicians of 2014. A code that the population does not know,
    a code given twice, a negative count and more doctors' cards than cards raise InvalidInput.

    Source: the published table of 2016-08-31, which recomputes to the last digit in totals,
    rates and ranks of the rate (``reports/data/README.md``). Rates rank by the exact quotient:
    two of 0.68 % are 45th and 46th there.
    """
    population = population or physicians_2014()
    known = _by_code(counts, population)
    abroad = known[OVERSEAS]
    ladder = sorted(count.cards for count in known.values())
    return PrefectureReport(
        as_of=as_of,
        measure=measure,
        population=population,
        rows=_rows(known, population, ladder),
        overseas=OverseasRow(abroad.cards, abroad.doctor_cards, ranks.rank(ladder, abroad.cards)),
        total=_total(known, population),
    )


def _by_code(
    counts: Sequence[PrefectureCount], population: Population
) -> dict[str, PrefectureCount]:
    """Each code of the population and overseas with its count, zero where none was given."""
    codes = [p.code for p in population.prefectures] + [OVERSEAS]
    known = {code: PrefectureCount(code, 0, 0) for code in codes}
    seen: set[str] = set()
    for count in counts:
        if count.code not in known:
            raise InvalidInput(
                "reports.prefecture.unknown",
                f"no such prefecture code: {count.code!r}",
                "two digits, 01 to 47, or 99 for overseas",
            )
        if count.code in seen:
            raise InvalidInput(
                "reports.prefecture.twice",
                f"prefecture code {count.code} is given twice",
                "add the counts of one prefecture up first",
            )
        if not 0 <= count.doctor_cards <= count.cards:
            raise InvalidInput(
                "reports.prefecture.counts",
                f"{count.code}: {count.doctor_cards} doctors' cards of {count.cards} cards",
                "doctors' cards are a part of the cards, and neither is negative",
            )
        seen.add(count.code)
        known[count.code] = count
    return known


def _rows(
    known: dict[str, PrefectureCount], population: Population, ladder: Sequence[int]
) -> tuple[PrefectureRow, ...]:
    """Make the rows of the prefectures; ``ladder`` is every count, overseas too, ascending."""
    counted = [(p, known[p.code]) for p in population.prefectures]
    quotients = [ranks.quotient(count.doctor_cards, p.physicians) for p, count in counted]
    rate_ladder = sorted(q for q in quotients if q is not None)
    home_ladder = sorted(count.cards for _, count in counted)
    return tuple(
        PrefectureRow(
            prefecture=p,
            cards=count.cards,
            doctor_cards=count.doctor_cards,
            rate=ranks.percent(q),
            rank=ranks.rank(ladder, count.cards),
            rate_rank=None if q is None else ranks.rank(rate_ladder, q),
            mark=ranks.mark(home_ladder, count.cards),
        )
        for (p, count), q in zip(counted, quotients, strict=True)
    )


def _total(known: dict[str, PrefectureCount], population: Population) -> TotalRow:
    """Add up all prefectures and overseas."""
    physicians = sum(p.physicians for p in population.prefectures)
    doctor_cards = sum(count.doctor_cards for count in known.values())
    return TotalRow(
        physicians=physicians,
        cards=sum(count.cards for count in known.values()),
        doctor_cards=doctor_cards,
        rate=ranks.percent(ranks.quotient(doctor_cards, physicians)),
    )
