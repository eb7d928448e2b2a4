from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InvalidInput
from reports.board.ranks import percent, quotient
from reports.population import Population, Prefecture
from reports.prefectures import PrefectureCount, PrefectureReport, prefecture_report
from reports.tables import Mark

DAY = date(2026, 11, 1)


def _report(*counts: tuple[str, int, int]) -> PrefectureReport:
    return prefecture_report([PrefectureCount(*count) for count in counts], DAY, "cards")


def _ranks(report: PrefectureReport, codes: Sequence[str]) -> list[int]:
    by_code = {row.prefecture.code: row.rank for row in report.rows}
    return [by_code[code] for code in codes]


def test_equal_counts_share_a_rank_and_the_next_is_skipped() -> None:
    report = _report(("01", 9, 0), ("02", 5, 0), ("03", 5, 0), ("04", 4, 0))
    assert _ranks(report, ["01", "02", "03", "04", "05"]) == [1, 2, 2, 4, 5]
    assert [row.prefecture.code for row in report.ranked][:4] == ["01", "02", "03", "04"]


def test_a_prefecture_left_out_has_no_cards() -> None:
    report = _report()
    assert len(report.rows) == 47
    assert {(row.cards, row.rank, row.mark) for row in report.rows} == {(0, 1, None)}
    assert report.total.rate == Decimal("0.00")


def test_overseas_counts_in_the_total_and_is_ranked() -> None:
    report = _report(("13", 10, 8), ("99", 5, 3), ("27", 2, 2))
    assert (report.total.cards, report.total.doctor_cards) == (17, 13)
    assert report.overseas.rank == 2
    assert _ranks(report, ["13", "27"]) == [1, 3]
    assert all(row.prefecture.code != "99" for row in report.rows)


def test_rate_is_of_doctors_cards_only() -> None:
    row = next(r for r in _report(("13", 5000, 433)).rows if r.prefecture.code == "13")
    assert row.rate == Decimal("1.00")
    assert row.rate_rank == 1


def test_without_physicians_there_is_no_rate() -> None:
    empty = Prefecture("01", "北海道", "Hokkaido", 0)
    report = prefecture_report(
        [PrefectureCount("01", 3, 3)], DAY, "cards", Population("none", "none", (empty,))
    )
    assert (report.rows[0].rate, report.rows[0].rate_rank, report.total.rate) == (None, None, None)


@pytest.mark.parametrize(
    ("cards", "physicians", "expected"),
    [(1, 20_000, "0.01"), (1, 20_001, "0.00"), (3, 20_000, "0.02"), (2, 1, "200.00")],
)
def test_rate_rounds_half_up(cards: int, physicians: int, expected: str) -> None:
    with localcontext() as context:
        context.prec = 2
        assert str(percent(quotient(cards, physicians))) == expected


@pytest.mark.parametrize("code", ["00", "48", "1", "", "13 ", "ab", "１３"])
def test_an_unknown_code_is_refused(code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        _report((code, 1, 0))
    assert caught.value.code == "reports.prefecture.unknown"


def test_a_code_given_twice_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        _report(("13", 1, 0), ("13", 1, 0))
    assert caught.value.code == "reports.prefecture.twice"


@pytest.mark.parametrize(("cards", "doctors"), [(-1, -1), (1, 2), (1, -1)])
def test_counts_that_cannot_be_are_refused(cards: int, doctors: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        _report(("13", cards, doctors))
    assert caught.value.code == "reports.prefecture.counts"


def test_a_tie_across_the_border_of_ten_is_not_marked() -> None:
    counts = [(f"{n:02}", 100 - n, 0) for n in range(1, 10)]
    counts += [("10", 50, 0), ("11", 50, 0), ("12", 10, 0)]
    marks = {row.prefecture.code: row.mark for row in _report(*counts).rows}
    assert [code for code, mark in marks.items() if mark is Mark.TOP] == [
        f"{n:02}" for n in range(1, 10)
    ]
    assert Mark.BOTTOM not in marks.values()


@given(st.lists(st.integers(0, 30), min_size=48, max_size=48))
def test_ranks_and_sums_hold_for_any_counts(numbers: list[int]) -> None:
    codes = [f"{n:02}" for n in range(1, 48)] + ["99"]
    report = _report(*((code, n, n // 2) for code, n in zip(codes, numbers, strict=True)))
    for row in report.rows:
        assert row.rank == 1 + sum(n > row.cards for n in numbers)
    assert report.total.cards == sum(numbers)
    for mark in Mark:
        assert sum(row.mark is mark for row in report.rows) <= 10
