"""The population that rates divide by, from a file that a site gives."""

from __future__ import annotations

from datetime import date

import pytest

from pki.errors import InvalidInput
from reports.board.places import prefecture_of
from reports.board.population import find_population, read_populations

HEAD = "profession,year,code,persons,source"


def survey(profession: str = "薬剤師", year: int = 2020, persons: int = 5) -> list[str]:
    return [f"{profession},{year},{code:02},{persons},somebody" for code in range(1, 48)]


def file_of(*rows: str, head: str = HEAD) -> bytes:
    return "\r\n".join((head, *rows)).encode("utf-8-sig")


def test_the_newest_survey_not_after_the_day_counts_and_a_sites_own_first() -> None:
    own = read_populations(file_of(*survey(), *survey(year=2022), *survey("医師", 2014)), "own.csv")

    def found(profession: str, day: date) -> tuple[int, int] | None:
        one = find_population(profession, day, own)
        return None if one is None else (one.year, one.total)

    assert found("薬剤師", date(2021, 12, 31)) == (2020, 47 * 5)
    assert found("薬剤師", date(2022, 1, 1)) == (2022, 47 * 5)
    assert found("医師", date(2016, 8, 31)) == (2014, 47 * 5)
    assert found("看護師", date(2030, 1, 1)) is None
    assert found("医師", date(2013, 12, 31)) is None
    shipped = find_population("医師", date(2016, 8, 31))
    assert shipped is not None
    assert shipped.total == 311_205


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (file_of(*survey()[:-1]), "line 1: 薬剤師 2020 lacks prefecture 47"),
        (file_of(*survey(), survey()[0]), "line 49: prefecture 01 stands twice"),
        (file_of(*survey(persons=-1)), "line 2: no number of persons '-1'"),
        (file_of("医者,2020,01,5,x"), "line 2: no profession '医者'"),
        (file_of("医師,2020,99,5,x"), "line 2: no prefecture code '99'"),
        (file_of("医師,20,01,5,x"), "line 2: no year '20'"),
        (file_of("医師,2020,01,5"), "line 2: 4 cells, not 5"),
        (file_of("医師,2020,01,5,x", "医師,2020,02,5,y"), "line 3: a survey has one source"),
        (file_of("医師,2020,01,5, "), "line 2: a survey has one source"),
        (file_of(*survey(), head="a,b"), f"line 1: the first line is not {HEAD}"),
        (file_of(), "line 1: it holds no survey"),
        ("医師".encode("shift_jis"), "line 1: it is no CSV file in UTF-8"),
    ],
)
def test_a_file_with_a_fault_is_refused_with_its_line(octets: bytes, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_populations(octets, "own.csv")
    assert caught.value.text.startswith(f"own.csv, {told}")
    assert "\n" not in caught.value.text


@pytest.mark.parametrize(
    ("address", "code"),
    [("京都府京都市", "26"), ("東京都新宿区", "13"), ("神奈川県", "14"), ("広島市", ""), ("", "")],
)
def test_a_prefecture_is_read_from_the_beginning_of_an_address(address: str, code: str) -> None:
    assert prefecture_of(address) == code
