"""The board's tables from issued cards: the published figures, past dates, holders and places."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from pki.validity import start_of_day
from reports.board.applications import applications_by_month
from reports.board.counts import Measure, Question, count
from reports.board.places import Place
from reports.board.prefectures import ranking, trend
from reports.inventory import certificates_at, expiring
from reports.moment import Moment, moment
from reports.tables import Mark, Report, Text
from store.database import Transaction
from tests.flows.board import Planted, plant
from tests.flows.conftest import Centre, Moulds, lent

DAY = date(2016, 8, 31)
DOCTORS = Question(Measure.CARDS, profession="医師")

MISPRINTED_RANKS = {
    "02": (21, 22),
    "42": (23, 22),
    "04": (25, 26),
    "41": (25, 27),
    "33": (32, 31),
    "17": (32, 33),
    "36": (32, 34),
    "35": (18, 19),
    "29": (41, 42),
    "18": (44, 45),
}
"""By code: the rank as published, and the one that follows from the counts; the others agree."""


def end_of(tx: Transaction, day: date) -> Moment:
    at = start_of_day(day + timedelta(days=1))
    return moment(tx, at, at)


def records(report: Report) -> list[dict[str, Any]]:
    """The rows of the report's table by the keys of its columns, the total last."""
    (table,) = report.tables
    keys = [column.key for column in table.columns]
    rows = [*table.rows, *([table.total] if table.total else [])]
    return [dict(zip(keys, row.values, strict=True)) | {"mark": row.mark} for row in rows]


def published() -> list[dict[str, str]]:
    path = files("reports") / "data" / "issued_cards_2016-08-31.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


# Applications of each month of 2016. Source: Yano (JMA), 2016-10-01; before March: the rest.
MONTHS = {2: 2509, 3: 265, 4: 556, 5: 1423, 6: 1013, 7: 480, 8: 410}


def published_cards() -> list[Planted]:
    """The cards issued up to 2016-08-31, on its last day or, each second one, in June before."""
    days = [date(2016, month, 1) for month, number in MONTHS.items() for _ in range(number)]
    codes = [
        line["code"] for line in published() for _ in range(int(line["issued_2016_08_31"]))
    ] + ["13"] * (6656 - 5534)
    cards = []
    for number, (day, code) in enumerate(zip(days, codes, strict=True)):
        early = number % 2 and day.month < 6
        issued = (date(2016, 6, 30) if early else DAY) if number < 5534 else None
        cards.append(Planted(f"A{number}", day, issued, prefecture=code))
    return cards


def test_the_published_tables_come_out_of_issued_cards(moulds: Moulds, tmp_path: Path) -> None:
    """Total, every rate and every rank of the rate; ranks by count but for ten misprints."""
    for centre in lent(moulds, tmp_path, None):
        with centre.store.begin() as tx:
            plant(tx, published_cards())
            now, june = end_of(tx, DAY), end_of(tx, date(2016, 6, 30))
            ranked = records(ranking(tx, now, DOCTORS))
            grown = records(trend(tx, [now, june], DOCTORS))
            monthly = records(applications_by_month(tx, now, since=date(2016, 3, 1)))
    total = ranked.pop()
    assert (total["cards"], total["population"], total["rate"]) == (5534, 311_205, Decimal("1.78"))
    ours = {row["code"]: row for row in ranked}
    for line in published():
        row, rank = ours[line["code"]], int(line["published_rank"])
        assert row["cards"] == int(line["issued_2016_08_31"])
        assert row["rank"] == MISPRINTED_RANKS.get(line["code"], (rank, rank))[1]
        rate = "" if row["rate"] is None else str(row["rate"])
        assert (rate, str(row["rate_rank"] or "")) == (
            line["published_rate_percent"],
            line["published_rate_rank"],
        )
    assert [row["rank"] for row in ranked] == sorted(row["rank"] for row in ranked)
    assert [one["code"] for one in ranked if one["mark"] is Mark.TOP][:3] == ["40", "28", "13"]
    assert [one["code"] for one in ranked if one["mark"] is Mark.BOTTOM][-1] == "31"
    assert (ranked[-1]["code"], ranked[-1]["mark"]) == ("99", None)
    for row in grown:
        assert row["growth"] == row["on_2016_08_31"] - row["on_2016_06_30"]
    assert (grown[-1]["on_2016_08_31"], grown[-1]["growth"]) == (5534, 5534 - 2376)
    assert [(str(row["month"])[:7], row["applications"], row["cumulative"]) for row in monthly][
        :-1
    ] == [
        ("2016-03", 265, 2774),
        ("2016-04", 556, 3330),
        ("2016-05", 1423, 4753),
        ("2016-06", 1013, 5766),
        ("2016-07", 480, 6246),
        ("2016-08", 410, 6656),
    ]


def counted(
    tx: Transaction, day: date, measure: Measure, place: Place = Place.WORK, **asked: str
) -> dict[str, int]:
    """What there is at the end of the day."""
    return dict(count(tx, end_of(tx, day), Question(measure, place, **asked)))


def everything(tx: Transaction, now: Moment) -> list[Report]:
    """Each table there is at a moment."""
    questions = [
        Question(measure, place, prefecture="13" if place is Place.MUNICIPALITY else None)
        for measure in Measure
        for place in Place
    ]
    ranked = [ranking(tx, now, question) for question in questions]
    return [*ranked, applications_by_month(tx, now)]


FIRST, SECOND, THIRD = date(2027, 4, 1), date(2027, 10, 1), date(2027, 11, 1)


def contact_change(
    ref: str, of: str, prefecture: str, address: str, decided: date | None
) -> Planted:
    """A change of contact that came on the second day."""
    return Planted(
        ref,
        SECOND,
        decided=decided,
        person=of,
        prefecture=prefecture,
        address=address,
        kind="CONTACT_CHANGE",
        replaces=of,
    )


PLANTED = (
    Planted("ONE", FIRST, FIRST, municipality="新宿区", association="架空区医師会"),
    Planted("LOST", FIRST, FIRST, prefecture="27", revoked=("S02_CARD_LOST", SECOND)),
    Planted("SCRAPPED", FIRST, FIRST, prefecture="27", revoked=("C12_CARD_SCRAPPED", SECOND)),
    Planted("NURSE", FIRST, FIRST, profession="看護師", municipality="渋谷区"),
    Planted("ABROAD", FIRST, FIRST, prefecture="99"),
    Planted("OPEN", FIRST, prefecture="01"),
    Planted("DRAFT", FIRST, prefecture="01", draft=True),
)
SINCE = (
    Planted("NEXT", SECOND, SECOND, person="ONE", prefecture="14", address="神奈川県横浜市"),
    contact_change("MOVES", "LOST", "47", "沖縄県那覇市", decided=SECOND),
    contact_change("ASKS", "ABROAD", "02", "青森県青森市", decided=None),
    Planted("NEW", SECOND, SECOND, prefecture="01", address="札幌市中央区"),
)


def test_a_past_moment_is_told_again_whatever_came_since(centre: Centre) -> None:
    """Later cards, revocations and changes of contact count from their own entry on.

    A change that waits for a decision counts nowhere; a draft is no application.
    """
    with centre.store.begin() as tx:
        plant(tx, PLANTED)
        morning = start_of_day(SECOND) + timedelta(hours=11)
        past = [end_of(tx, FIRST), moment(tx, morning, morning)]
        before = [everything(tx, one) for one in past]
        plant(tx, SINCE)
        again = [end_of(tx, FIRST), moment(tx, morning, morning)]
        assert [everything(tx, one) for one in again] == before
        assert everything(tx, end_of(tx, SECOND)) != before[1]
        assert counted(tx, FIRST, Measure.CARDS) == {"13": 2, "27": 2, "99": 1}
        asked = {"13": 2, "47": 1, "27": 1, "99": 1, "01": 2, "14": 1}
        assert counted(tx, SECOND, Measure.APPLICATIONS) == asked


def test_who_moves_twice_counts_once_where_he_moved_last(centre: Centre) -> None:
    again = contact_change("AGAIN", "LOST", "28", "兵庫県神戸市", decided=THIRD)
    with centre.store.begin() as tx:
        plant(tx, PLANTED)
        plant(tx, (*SINCE, replace(again, received=THIRD)))
        work = {"13": 2, "14": 1, "99": 1, "01": 1}
        assert counted(tx, SECOND, Measure.CARDS) == {**work, "47": 1}
        assert counted(tx, THIRD, Measure.CARDS) == {**work, "28": 1}
        home = counted(tx, THIRD, Measure.CARDS, Place.RESIDENCE)
        assert home == {"14": 2, "28": 1, "13": 2, "": 1}


def test_holders_are_persons_with_a_valid_card_and_cards_are_cards(centre: Centre) -> None:
    """Of one person two cards; one lost, one scrapped; all over after their last day."""
    with centre.store.begin() as tx:
        plant(tx, PLANTED)
        plant(tx, SINCE)
        cards, holders = Measure.CARDS, Measure.HOLDERS
        assert counted(tx, SECOND, cards) == {"13": 2, "14": 1, "47": 1, "99": 1, "01": 1}
        assert counted(tx, SECOND, holders) == {"13": 1, "14": 1, "99": 1, "01": 1}
        assert counted(tx, SECOND, holders, profession="看護師") == {"13": 1}
        assert counted(tx, date(2032, 3, 31), holders) == {"13": 1, "14": 1, "99": 1, "01": 1}
        assert counted(tx, date(2032, 4, 1), holders) == {"14": 1, "01": 1}
        ends = [end_of(tx, date(2032, *day)) for day in ((3, 30), (3, 31), (4, 1))]
        living = [certificates_at(tx, one).living for one in ends]
        assert living == [5, 5, 2]
        assert expiring(tx, ends[1], [date(2032, 3, 1)])[0][0] == 3
        assert counted(tx, date(2032, 10, 1), holders) == {}
        assert counted(tx, date(2032, 10, 1), cards, profession="看護師") == {"13": 1}
        home = counted(tx, SECOND, cards, Place.RESIDENCE)
        assert home == {"14": 2, "47": 1, "13": 2, "": 1}
        town = counted(tx, SECOND, cards, Place.MUNICIPALITY, prefecture="13")
        assert town == {"新宿区": 1, "渋谷区": 1}
        society = ranking(tx, end_of(tx, SECOND), Question(cards, Place.ASSOCIATION))
        assert [row.values for row in society.tables[0].rows] == [
            (1, "架空区医師会", 1),
            (None, Text("不明", "Unknown"), 5),
        ]
        ranked = records(ranking(tx, end_of(tx, SECOND), Question(holders, profession="医師")))
        abroad = next(one for one in ranked if one["code"] == "99")
        assert (abroad["holders"], abroad["rate"], abroad["rate_rank"]) == (1, None, None)
