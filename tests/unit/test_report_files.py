from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from pki.errors import InvalidInput
from reports.csvfile import PREFECTURE_COLUMNS, csv_bytes, prefectures_csv
from reports.imprint import Imprint
from reports.jsonfile import prefectures_json
from reports.population import Population, Prefecture
from reports.prefectures import PrefectureCount, PrefectureReport, prefecture_report
from reports.render import bar_chart, prefectures_html, tile_map

VOID = {"meta", "br", "link", "img", "hr", "input"}
HOSTILE = "<script>alert('x')</script>\"&]]>"
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


def _imprint(kind: str = "training", centre: str = "DEMO 電子認証センター") -> Imprint:
    return Imprint(kind, centre, datetime(2026, 10, 31, 15, 0, 5, tzinfo=UTC))


def _report(
    measure: str = "発行済カード", population: Population | None = None
) -> PrefectureReport:
    counts = [PrefectureCount("13", 1200, 900), PrefectureCount("27", 300, 300)]
    overseas = [PrefectureCount("99", 2, 1)]
    counts = overseas if population else counts + overseas
    return prefecture_report(counts, date(2026, 11, 1), measure, population)


class _Balance(HTMLParser):
    """Every element that opens closes, in order; nothing refers to the outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not {"src", "href", "xlink:href", "onload"} & {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_balanced_self_contained_and_without_script() -> None:
    text = prefectures_html(_report(), _imprint()).decode()
    page = _Balance()
    page.feed(text)
    page.close()
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.seen)
    assert text.startswith('<!DOCTYPE html>\n<html lang="ja">')
    assert "url(" not in text
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\s\"<]+", text)) == {"http://www.w3.org/2000/svg"}


def test_map_and_chart_are_well_formed_and_show_all_47_once_with_tooltips() -> None:
    drawings = SVG.findall(prefectures_html(_report(), _imprint()).decode())
    expected = [f"{n:02}" for n in range(1, 48)]
    assert len(drawings) == 2
    for drawing in drawings:
        groups = ElementTree.fromstring(drawing).findall(".//*[@data-code]")
        assert sorted(group.attrib["data-code"] for group in groups) == expected
        assert all(len(group.findall("{http://www.w3.org/2000/svg}title")) == 1 for group in groups)


def test_page_says_when_what_and_how_much() -> None:
    text = prefectures_html(_report("カードの定義"), _imprint()).decode()
    for words in (
        "都道府県別発行枚数（発行数順位表）",
        "2026年11月1日 現在",
        "2026-11-01 00:00:05 JST",
        "1,502",
        "海外",
        "DEMO 電子認証センター",
    ):
        assert words in text
    assert text.count("カードの定義") == 2


@pytest.mark.parametrize(
    ("kind", "words"),
    [("training", "訓練 TRAINING"), ("trial", "試験 TRIAL"), ("production", None)],
)
def test_banner_stands_outside_production_on_screen_and_on_each_printed_page(
    kind: str, words: str | None
) -> None:
    text = prefectures_html(_report(), _imprint(kind)).decode()
    visible = re.sub(r"<[^>]+>", "", text)
    if words is None:
        assert not re.search("訓練|試験|TRAINING|TRIAL|banner|@top-center", text)
        return
    assert text.count('class="banner"') == 1
    assert visible.count(words) == 1 + 3
    assert "@top-center" in text


def test_an_unknown_kind_of_site_and_a_naive_time_are_refused() -> None:
    with pytest.raises(InvalidInput, match="site_kind"):
        _imprint("demo")
    with pytest.raises(InvalidInput, match="naive"):
        Imprint("trial", "", datetime(2026, 1, 1))  # noqa: DTZ001


def test_hostile_text_stays_text() -> None:
    names = Population(HOSTILE, HOSTILE, (Prefecture("13", HOSTILE, HOSTILE, 10),))
    text = prefectures_html(_report(HOSTILE, names), _imprint(centre=HOSTILE)).decode()
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&amp;" in text
    for drawing in SVG.findall(text):
        ElementTree.fromstring(drawing)


def test_same_input_gives_the_same_bytes() -> None:
    for write in (prefectures_html, prefectures_csv, prefectures_json):
        assert write(_report(), _imprint()) == write(_report(), _imprint())


def test_map_shows_cards_where_rates_round_to_nothing() -> None:
    few = prefecture_report([PrefectureCount("13", 7, 5)], date(2026, 11, 1), "cards")
    assert tile_map(_report()).by_rate
    assert not tile_map(few).by_rate
    assert {tile.value for tile in tile_map(few).tiles} == {"7", "0"}


def test_axis_starts_at_zero_and_holds_the_longest_bar() -> None:
    assert [value for value, _ in bar_chart(_report()).ticks] == [0, 200, 400, 600, 800, 1000, 1200]
    empty = bar_chart(prefecture_report([], date(2026, 11, 1), "cards"))
    assert [value for value, _ in empty.ticks] == [0, 1]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_csv_text_never_starts_a_formula(start: str) -> None:
    rows = _read(csv_bytes(("a", "b"), [(start + "1+1", -5), ("a=1", None)]))
    assert rows == [["a", "b"], ["'" + start + "1+1", "-5"], ["a=1", ""]]


def test_csv_has_mark_site_kind_and_49_rows() -> None:
    content = prefectures_csv(_report('=cmd|" /C calc"!A0'), _imprint())
    assert content.startswith(b"\xef\xbb\xbfsite_kind,")
    header, *rows = _read(content)
    assert tuple(header) == PREFECTURE_COLUMNS
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["row"] for row in table] == ["prefecture"] * 47 + ["overseas", "total"]
    assert {row["site_kind"] for row in table} == {"training"}
    assert {row["measure"] for row in table} == {'\'=cmd|" /C calc"!A0'}
    assert {row["made_at"] for row in table} == {"2026-11-01T00:00:05+09:00"}
    assert (table[12]["name_ja"], table[12]["cards"], table[12]["rate_percent"]) == (
        "東京都",
        "1200",
        "2.08",
    )
    assert (table[47]["rate_percent"], table[48]["cards"]) == ("", "1502")


def test_json_is_sorted_compact_and_says_the_kind_of_site() -> None:
    content = prefectures_json(_report(), _imprint("trial"))
    value = json.loads(content)
    again = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert content == again.encode()
    assert value["site_kind"] == "trial"
    assert len(value["prefectures"]) == 47
    assert value["prefectures"][12]["rate_percent"] == "2.08"
    assert "東京都" in content.decode()


def _read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
