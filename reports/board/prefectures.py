"""発行数順位表 and 発行推移表: what was counted by place, ranked, or at chosen dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from pki.errors import InvalidInput
from reports.board import ranks, words
from reports.board.counts import Measure, Question, count
from reports.board.places import OVERSEAS, UNKNOWN, Place, prefectures
from reports.board.population import Population, find_population
from reports.moment import Moment
from reports.tables import Chart, ChartKind, Column, Fact, Kind, Mark, Report, Row, Table, Text
from store.database import Transaction

Counts = Mapping[str, int]
Rate = tuple[int, Decimal | None, int | None]

_ALL = "all"
_CODE = Column("code", Text("コード", "Code"), Kind.TEXT)
_PREFECTURE = Column("prefecture", Text("都道府県", "Prefecture"), Kind.WORDS)
_RANK = Column("rank", Text("順位", "Rank"), Kind.NUMBER)
_POPULATION = Column("population", Text("人口", "Population"), Kind.NUMBER)
_RATE = Column("rate", Text("取得率(%)", "Rate (%)"), Kind.RATE)
_RATE_RANK = Column("rate_rank", Text("取得率順位", "Rank of the rate"), Kind.NUMBER)
_GROWTH = Column("growth", Text("前回比", "Growth since the last"), Kind.NUMBER)


def ranking(
    tx: Transaction, moment: Moment, question: Question, own: Sequence[Population] = ()
) -> Report:
    """Return 発行数順位表 for the moment, with a map of the rates and bars.

    Rates divide cards or holders by the newest population of the profession, ``own`` before what
    ships; all professions together, associations and municipalities have none.
    """
    counted = count(tx, moment, question)
    survey = None
    if question.profession is not None and _has_rates(question):
        survey = find_population(question.profession, moment.day, own)
    table = _ranked(question, counted, survey)
    charts = [_bars(table, question.measure.value)]
    if _by_prefecture(question):
        shown = "rate" if survey else question.measure.value
        title = table.columns[table.place(shown)].title
        charts.insert(0, Chart(ChartKind.TILES, title, table.key, _CODE.key, (shown,)))
    source = Fact(_POPULATION.title, survey.source if survey else None)
    return Report("prefectures", table.title, (*_facts(question), source), (table,), tuple(charts))


def trend(tx: Transaction, moments: Sequence[Moment], question: Question) -> Report:
    """Return 発行推移表: a column for each moment, oldest first, and the growth since the last.

    Raises ``InvalidInput`` for no moment and for a day given twice.
    """
    ordered = sorted(moments, key=lambda one: one.at)
    days = [one.day for one in ordered]
    if not days or any(day == following for day, following in pairwise(days)):
        raise InvalidInput("reports.days", "a trend wants days, each once", "Give other days.")
    series = [count(tx, one, question) for one in ordered]
    dates = [
        Column(f"on_{day:%Y_%m_%d}", Text(f"{day:%Y-%m-%d}", f"{day:%Y-%m-%d}"), Kind.NUMBER)
        for day in days
    ]
    keys = _keys(question, series)
    marks = _marks(question, keys, series[-1])
    measure = words.MEASURES[question.measure]
    table = Table(
        key="trend",
        title=Text(f"発行推移表({measure.ja})", f"{measure.en} over time"),
        definition=words.definition(question),
        columns=(*_heads(question), *dates, *((_GROWTH,) if len(days) > 1 else ())),
        rows=tuple(
            Row((*_names(question, key), *_grown([one[key] for one in series])), marks.get(key))
            for key in keys
        ),
        total=Row((*_total_names(question), *_grown([one.total() for one in series]))),
        notes=(words.ERASED,),
    )
    return Report("trend", table.title, _facts(question), (table,), (_bars(table, dates[-1].key),))


def _grown(numbers: Sequence[int]) -> list[int]:
    """Return the numbers, and by how much the last is more than the one before it."""
    return [*numbers, *(numbers[-1] - before for before in numbers[-2:-1])]


def _by_prefecture(question: Question) -> bool:
    return question.place in (Place.WORK, Place.RESIDENCE)


def _has_rates(question: Question) -> bool:
    return _by_prefecture(question) and question.measure is not Measure.APPLICATIONS


def _keys(question: Question, series: Sequence[Counts]) -> list[str]:
    """Return the rows: every prefecture and overseas, or the names found; unknown if there are."""
    found = {key for one in series for key in one if one[key]}
    if not _by_prefecture(question):
        return sorted(found, key=lambda key: (key == UNKNOWN, key))
    abroad = [OVERSEAS] if question.place is Place.WORK else []
    return [*(one.code for one in prefectures()), *abroad, *({UNKNOWN} & found)]


def _heads(question: Question) -> tuple[Column, ...]:
    """Return the columns that name a row's place."""
    if _by_prefecture(question):
        return _CODE, _PREFECTURE
    return (Column("place", words.PLACES[question.place], Kind.TEXT),)


def _names(question: Question, key: str) -> tuple[str | Text | None, ...]:
    if not _by_prefecture(question):
        return (key or words.place_name(UNKNOWN),)
    return (key or None, words.place_name(key))


def _total_names(question: Question) -> tuple[Text | None, ...]:
    return (None, words.TOTAL) if _by_prefecture(question) else (words.TOTAL,)


def _marks(question: Question, keys: Sequence[str], counted: Counts) -> dict[str, Mark]:
    """Return the top and bottom ten; overseas and unknown are no places to compare."""
    compared = [key for key in keys if key not in (OVERSEAS, UNKNOWN)]
    ladder = sorted(counted[key] for key in compared)
    found = {key: ranks.mark(ladder, counted[key]) for key in compared}
    return {key: mark for key, mark in found.items() if mark is not None}


def _ranked(question: Question, counted: Counts, survey: Population | None) -> Table:
    keys = _keys(question, [counted])
    ladder = sorted(counted[key] for key in keys if key != UNKNOWN)
    marks = _marks(question, keys, counted)
    rates = _rates(counted, survey) if survey else {}
    measure = words.MEASURES[question.measure]
    number = Column(question.measure.value, measure, Kind.NUMBER)
    rated = _has_rates(question)

    def cells(key: str, cards: int) -> tuple[Decimal | int | None, ...]:
        persons, rate, rank = rates.get(key, (None, None, None))
        return (persons, cards, rate, rank) if rated else (cards,)

    rows = []
    for key in sorted(keys, key=lambda key: (key == UNKNOWN, -counted[key], key)):
        rank = None if key == UNKNOWN else ranks.rank(ladder, counted[key])
        values = (rank, *_names(question, key), *cells(key, counted[key]))
        rows.append(Row(values, marks.get(key)))
    return Table(
        key="ranking",
        title=Text(f"発行数順位表({measure.ja})", f"{measure.en}, ranked"),
        definition=words.definition(question),
        columns=(
            _RANK,
            *_heads(question),
            *((_POPULATION, number, _RATE, _RATE_RANK) if rated else (number,)),
        ),
        rows=tuple(rows),
        total=Row((None, *_total_names(question), *cells(_ALL, sum(counted.values())))),
        notes=(words.RANKED, words.ERASED) if rated else (words.ERASED,),
    )


def _rates(counted: Counts, survey: Population) -> dict[str, Rate]:
    """Return population, rate and rank of the rate by code, and of all under ``_ALL``.

    All of the counted are divided by all of the population: overseas and unknown count there.
    """
    exact = {code: ranks.quotient(counted[code], n) for code, n in survey.persons.items()}
    ladder = sorted(one for one in exact.values() if one is not None)
    found: dict[str, Rate] = {
        code: (
            survey.persons[code],
            ranks.percent(one),
            None if one is None else ranks.rank(ladder, one),
        )
        for code, one in exact.items()
    }
    whole = ranks.quotient(sum(counted.values()), survey.total)
    return found | {_ALL: (survey.total, ranks.percent(whole), None)}


def _bars(table: Table, value: str) -> Chart:
    """Draw one column, a bar for each place."""
    label = next(one.key for one in table.columns if one.key in ("prefecture", "place"))
    return Chart(ChartKind.BARS, table.title, table.key, label, (value,))


def _facts(question: Question) -> tuple[Fact, ...]:
    return (
        Fact(Text("集計", "Measure"), words.MEASURES[question.measure]),
        Fact(Text("資格", "Profession"), words.profession_name(question.profession)),
        Fact(Text("区分", "By"), words.PLACES[question.place]),
        *(
            [Fact(Text("都道府県", "Prefecture"), words.place_name(question.prefecture))]
            if question.prefecture
            else []
        ),
    )
