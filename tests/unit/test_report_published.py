"""The published table of 2016-08-31 recomputes from its counts (reports/data/README.md)."""

from __future__ import annotations

import csv
from datetime import date
from importlib.resources import files

import pytest

from reports.population import physicians_2014
from reports.prefectures import PrefectureCount, PrefectureReport, prefecture_report
from reports.tables import Mark

# Code: (rank as published, rank that follows from the counts). All other 38 agree.
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


def _published() -> list[dict[str, str]]:
    path = files("reports") / "data" / "issued_cards_2016-08-31.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def report() -> PrefectureReport:
    counts = [
        PrefectureCount(
            line["code"], int(line["issued_2016_08_31"]), int(line["issued_2016_08_31"])
        )
        for line in _published()
    ]
    return prefecture_report(counts, date(2016, 8, 31), "cards ever issued")


def test_population_is_47_prefectures_and_the_national_total() -> None:
    prefectures = physicians_2014().prefectures
    assert [p.code for p in prefectures] == [f"{n:02}" for n in range(1, 48)]
    assert sum(p.physicians for p in prefectures) == 311_205
    assert [p.short_name for p in prefectures if p.code in ("01", "02", "13", "26")] == [
        "北海道",
        "青森",
        "東京",
        "京都",
    ]


def test_names_agree_with_the_population(report: PrefectureReport) -> None:
    names = {line["code"]: line["name_ja"] for line in _published() if line["code"] != "99"}
    assert {row.prefecture.code: row.prefecture.name_ja for row in report.rows} == names


def test_totals(report: PrefectureReport) -> None:
    assert (report.total.cards, report.total.physicians) == (5_534, 311_205)
    assert str(report.total.rate) == "1.78"
    assert report.overseas.cards == 1


def test_rates_and_their_ranks_are_the_published_ones(report: PrefectureReport) -> None:
    published = {
        line["code"]: (line["published_rate_percent"], int(line["published_rate_rank"]))
        for line in _published()
        if line["code"] != "99"
    }
    ours = {row.prefecture.code: (str(row.rate), row.rate_rank) for row in report.rows}
    assert ours == published


def test_ranks_differ_from_the_published_in_the_ten_known_cells_only(
    report: PrefectureReport,
) -> None:
    ours = {row.prefecture.code: row.rank for row in report.rows} | {"99": report.overseas.rank}
    differing = {
        line["code"]: (int(line["published_rank"]), ours[line["code"]])
        for line in _published()
        if int(line["published_rank"]) != ours[line["code"]]
    }
    assert differing == MISPRINTED_RANKS
    assert len(MISPRINTED_RANKS) == 10


def test_top_and_bottom_ten(report: PrefectureReport) -> None:
    def marked(mark: Mark) -> list[str]:
        return [row.prefecture.short_name for row in report.ranked if row.mark is mark]

    assert marked(Mark.TOP) == [
        "福岡",
        "兵庫",
        "東京",
        "熊本",
        "茨城",
        "神奈川",
        "愛媛",
        "大阪",
        "愛知",
        "広島",
    ]
    assert marked(Mark.BOTTOM) == [
        "香川",
        "岩手",
        "高知",
        "滋賀",
        "奈良",
        "和歌山",
        "山形",
        "福井",
        "山梨",
        "鳥取",
    ]
