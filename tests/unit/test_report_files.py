from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import openpyxl
import pytest
from pypdf import PdfReader

from pki.errors import InvalidInput
from reports.cells import ems
from reports.charts import Bars, LineAndBars, TileMap, drawings, scale, shortened
from reports.csvfile import csv_bytes
from reports.files import Format, file_count, report_files
from reports.imprint import Imprint
from reports.jsonfile import json_bytes
from reports.page import report_html
from reports.pdf import pdf_of
from reports.plain import report_json, table_csv
from reports.stamp import digest
from reports.tables import Column, Kind, Language, Report, Row, Table, Text, total_row
from reports.workbook import HEADER, report_xlsx
from tests.tiers import require_tool
from tests.unit.sample_report import (
    CENTRE,
    FORMULA,
    HOSTILE,
    LONG,
    RARE,
    nasty,
    prefectures,
    stamp,
)

JA, EN = Language.JAPANESE, Language.ENGLISH
VOID = {"meta", "br", "link", "img", "hr", "input", "col"}
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)
SVG_NAME = "{http://www.w3.org/2000/svg}"
PROOFS = ("2016-09-01 00:00:00 JST", "1234 " + "ab" * 32)


def page_of(report: Report, language: Language = JA, kind: str = "training") -> str:
    return report_html(report, stamp(report, kind), language).decode()


class _Balance(HTMLParser):
    """Every element that opens closes, in order; nothing refers to the outside."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not {"src", "href", "xlink:href", "onload"} & {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


@pytest.mark.parametrize("language", Language)
def test_page_is_balanced_self_contained_and_shows_every_value(language: Language) -> None:
    text = page_of(nasty(), language)
    page = _Balance()
    page.feed(text)
    page.close()
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(page.seen)
    assert text.startswith(f'<!DOCTYPE html>\n<html lang="{language}">')
    assert "@import" not in text
    assert set(re.findall(r"https?://[^\s\"<]+", text)) == {"http://www.w3.org/2000/svg"}
    wanted = {FORMULA, RARE, LONG, HOSTILE, "-12.35", "8,641,969", "8.8", "2016-08", "–"}
    assert wanted | {"2016-08-31 00:00:05 JST", "2016-08-31"} <= set(page.cells)
    assert ("該当なし" if language is JA else "none") in page.cells
    assert ("▲ 上位10" if language is JA else "▲ top 10") in page.cells


def test_hostile_text_stays_text_in_page_style_and_drawings() -> None:
    report = nasty()
    text = report_html(report, stamp(report, centre=HOSTILE), EN).decode()
    assert "<script" not in text
    assert text.count("</style>") == 1
    for drawing in SVG.findall(text):
        ElementTree.fromstring(drawing)
    assert f'<th scope="row" lang="ja">{RARE}</th>' in text


def test_a_row_of_figures_is_headed_by_its_month() -> None:
    report = nasty()
    months = report.tables[0]
    figures = replace(
        months,
        columns=(months.columns[2], months.columns[0]),
        rows=tuple(Row((row.values[2], row.values[0])) for row in months.rows),
        total=None,
    )
    text = page_of(replace(report, tables=(figures,), charts=()))
    assert text.count('<th scope="row" class="when">2016-') == len(figures.rows)


def test_drawings_are_named_and_hold_a_title_for_each_value() -> None:
    found = SVG.findall(page_of(prefectures()))
    assert len(found) == 2
    for number, drawing in enumerate(found, start=1):
        tree = ElementTree.fromstring(drawing)
        assert tree.get("role") == "img"
        names = [tree.find(SVG_NAME + name) for name in ("title", "desc")]
        assert tree.get("aria-labelledby") == f"chart-{number}-title chart-{number}-desc"
        assert all(name is not None and name.text for name in names)
        groups = [one for one in tree.findall(f".//{SVG_NAME}g") if one.get("class")]
        assert len(groups) == (47, 48)[number - 1]
        assert all(group.find(SVG_NAME + "title") is not None for group in groups)
    assert "海外 –" in found[0]


def test_an_axis_holds_nought_and_every_value() -> None:
    for values in ([-12.35, 15.66], [8641969], [], [0], [-3], [0.004], [1200, 7], [-1, -900]):
        numbers = [Decimal(str(value)) for value in values]
        axis = scale(numbers, whole=False)
        assert axis.low <= min([*numbers, Decimal(0)])
        assert axis.high >= max([*numbers, Decimal(0)])
        ticks = axis.ticks(100)
        assert 2 <= len(ticks) <= 10
        assert "0" in {tick.text.rstrip("0").rstrip(".") or "0" for tick in ticks}
        assert (ticks[0].place, ticks[-1].place) == (0, 100)


def test_a_line_breaks_where_a_value_is_missing_and_an_empty_table_is_not_drawn() -> None:
    line, growth = drawings(nasty(), JA)
    assert isinstance(line, LineAndBars)
    assert [len(stroke.split()) for stroke in line.strokes] == [2, 4]
    assert isinstance(growth, Bars)
    assert growth.bars[0].start + growth.bars[0].length == pytest.approx(growth.zero)


def test_a_map_with_growth_below_zero_has_a_class_for_it() -> None:
    report = prefectures()
    report = replace(report, charts=(replace(report.charts[0], values=("growth",)),))
    (tiles,) = drawings(report, EN)
    assert isinstance(tiles, TileMap)
    assert tiles.legend[0].high == "-1"
    assert sum(line.colours.prefectures for line in tiles.legend) == 47


def test_a_cut_name_fits_and_leaves_no_half_character() -> None:
    assert shortened("葛󠄀城", 5) == "葛城"
    for wide in (5, 9, 14):
        assert ems(shortened(LONG, wide)) <= wide
    assert shortened("x" * 60, 5) == "xxxxxx…"


@pytest.mark.parametrize(
    ("kind", "words"),
    [("training", "訓練 TRAINING"), ("trial", "試験 TRIAL"), ("production", None)],
)
def test_banner_stands_outside_production_on_screen_and_on_each_printed_page(
    kind: str, words: str | None
) -> None:
    text = page_of(prefectures(), kind=kind)
    visible = re.sub(r"<[^>]+>", "", text.partition("</style>")[2])
    assert all(proof in visible for proof in (*PROOFS, digest(prefectures()), CENTRE))
    if words is None:
        assert not re.search("訓練|試験|TRAINING|TRIAL|banner|@top-center", text)
        return
    assert visible.count(words) == 1 + 2 + 3
    assert "@top-center" in text


def test_an_unknown_kind_of_site_and_a_naive_time_are_refused() -> None:
    report = nasty()
    with pytest.raises(InvalidInput, match="site_kind"):
        report_html(report, stamp(report, "demo"), JA)
    with pytest.raises(InvalidInput, match="naive"):
        Imprint("trial", "", datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_same_report_gives_the_same_bytes_and_another_value_another_digest() -> None:
    first, again = (
        dict(report_files(report, stamp(report), JA, set(Format) - {Format.PDF}))
        for report in (nasty(), nasty())
    )
    assert first == again
    assert [*first] == [
        "nasty-2016-08-31.html",
        "nasty-2016-08-31.xlsx",
        "nasty-2016-08-31-months.csv",
        "nasty-2016-08-31-none.csv",
        "nasty-2016-08-31.json",
    ]
    report = nasty()
    assert file_count(report, set(Format) - {Format.PDF}) == len(first)
    table = report.tables[0]
    row = Row((date(2017, 1, 1), *table.rows[0].values[1:]), table.rows[0].mark)
    other = replace(report, tables=(replace(table, rows=(row, *table.rows[1:])),))
    assert digest(other) != digest(report) == digest(nasty())


def test_pdf_is_archival_and_a_table_of_48_rows_is_one_page() -> None:
    """Upright, and across with a column for each of eight or twelve days."""
    report = prefectures(charts=False)
    (table,) = report.tables
    report = replace(report, tables=(table, over_months(table, 8), over_months(table, 12)))
    page = report_html(report, stamp(report), EN)
    content = pdf_of(page)
    read = PdfReader(io.BytesIO(content))
    assert len(read.pages) == 3
    for across in read.pages[1:]:
        assert across.mediabox.width > across.mediabox.height
        assert all(one in across.extract_text() for one in ("Hokkaido", "Overseas", "Total"))
    text = read.pages[0].extract_text()
    assert all(proof in text for proof in (*PROOFS, digest(report), CENTRE, "訓練"))
    assert "Okinawa" in text
    fonts = read.pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    for font in (one.get_object() for one in fonts.values()):
        described = font["/DescendantFonts"][0]["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(described)
        assert "NotoSans" in described["/FontName"].replace("-", "")
    about = read.root_object["/Metadata"].get_object().get_data()  # type: ignore[union-attr]
    assert b'pdfaid:part="3" pdfaid:conformance="U"' in about
    assert {"/OutputIntents", "/Metadata", "/Lang"} <= set(read.root_object)
    assert read.metadata is not None
    assert pdf_of(page) == content
    assert read.metadata.creation_date == datetime(2016, 8, 31, 15, tzinfo=UTC)


def over_months(table: Table, months: int) -> Table:
    """Its places, and two more, with the same number in each month."""
    place, count = table.place("prefecture"), table.place("cards")
    days = [f"2016-{month:02}-28" for month in range(1, months + 1)]
    columns = (
        table.columns[place],
        *(Column(day, Text(day, day), Kind.NUMBER) for day in days),
    )
    rows = [
        Row((row.values[place], *[row.values[count]] * len(days)), row.mark)
        for row in (*table.rows, *table.rows[-2:])
    ]
    total = total_row(columns, rows, Text("合計", "Total"), "prefecture")
    long = Text(table.definition.ja * 4, table.definition.en * 4)
    made = replace(table, key=f"months-{months}", columns=columns, rows=tuple(rows), total=total)
    return replace(made, definition=long, notes=table.notes * 2)


def test_each_page_of_a_long_pdf_has_the_stamp_and_the_header() -> None:
    report = nasty()
    table = replace(report.tables[0], rows=report.tables[0].rows * 7, total=None)
    report = replace(report, tables=(table,), charts=())
    read = PdfReader(io.BytesIO(pdf_of(report_html(report, stamp(report), JA))))
    assert len(read.pages) > 2
    for number, page in enumerate(read.pages):
        text = page.extract_text()
        assert all(proof in text for proof in (*PROOFS, digest(report), "訓練"))
        assert number == 0 or "発行枚数" in text


def test_workbook_has_typed_cells_and_no_formula() -> None:
    report = nasty()
    book = openpyxl.load_workbook(io.BytesIO(report_xlsx(report, stamp(report), JA)))
    assert book.properties.created == datetime(2016, 8, 31, 15)  # noqa: DTZ001 - UTC
    facts, months, empty, charts = book.worksheets
    assert len(getattr(charts, "_charts")) == 2  # noqa: B009 - all that openpyxl has for it
    assert facts.title == "概要"
    assert HOSTILE in {cell.value for cell in facts["B"]}
    head, first, *_ = months.iter_rows(min_row=HEADER + 1, values_only=True)
    assert head == ("月", "氏名", "発行枚数", "増加率 %", "時間", "日", "日時", "判定", "印")
    day = datetime(2016, 8, 31)  # noqa: DTZ001 - a cell has no zone
    at = day.replace(second=5)
    assert first[:3] == (datetime(2016, 1, 1), FORMULA, 0)  # noqa: DTZ001
    assert first[3] == pytest.approx(-0.12345)
    assert first[4:] == (0, day, at, "適合", "※ 要確認")
    assert {cell.data_type for row in months.iter_rows() for cell in row} <= {"s", "n", "d"}
    assert months.cell(HEADER + 2, 4).number_format == "0.00%"
    assert months.cell(HEADER + 3, 2).value == RARE
    assert months.cell(HEADER + 5, 3).value is None
    assert months.freeze_panes == "A5"
    assert months.print_title_rows == "$4:$4"
    assert (months.page_setup.orientation, months.page_setup.fitToHeight) == ("landscape", 0)
    for sheet in (facts, months, empty, charts):
        footer = sheet.oddFooter
        assert footer is not None
        assert footer.left is not None
        printed = f"{footer.left.text}{sheet['A3'].value}"
        assert printed.count(digest(report)) == 2
        assert printed.count("2016-09-01 00:00:00 JST") == 2
        assert sheet["A1"].value.startswith("訓練 TRAINING")


def test_workbook_survives_libreoffice(tmp_path: Path) -> None:
    program = require_tool("soffice", tier="libreoffice")
    report = nasty()
    source = tmp_path / "nasty.xlsx"
    source.write_bytes(report_xlsx(report, stamp(report), JA))
    command = [program, f"-env:UserInstallation=file://{tmp_path}/office", "--headless"]
    command += ["--convert-to", "xlsx", "--outdir", str(tmp_path / "back"), str(source)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    ours, theirs = (
        [[cell.value for cell in row] for row in openpyxl.load_workbook(path).worksheets[1]]
        for path in (source, tmp_path / "back" / "nasty.xlsx")
    )
    assert ours == theirs


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_csv_text_never_starts_a_formula(start: str) -> None:
    rows = read_csv(csv_bytes(("a", "b"), [(start + "1+1", -5), ("a=1", None)]))
    assert rows == [["a", "b"], ["'" + start + "1+1", "-5"], ["a=1", ""]]


def test_csv_repeats_stamp_and_definition_in_every_row() -> None:
    report = nasty()
    months, empty = report.tables
    content = table_csv(report, months, stamp(report), EN)
    assert content.startswith(b"\xef\xbb\xbfsite_kind,")
    header, *rows = read_csv(content)
    lines = [dict(zip(header, row, strict=True)) for row in rows]
    assert [line["row"] for line in lines] == ["row"] * 8 + ["total"]
    for name, value in {
        "as_of": "2016-09-01T00:00:00+09:00",
        "trail_seq": "1234",
        "rows_sha256": digest(report),
        "definition": "The month of issue.",
    }.items():
        assert {line[name] for line in lines} == {value}
    assert (lines[0]["name"], lines[0]["growth"], lines[0]["cards"]) == (
        "'" + FORMULA,
        "-12.35",
        "0",
    )
    assert (lines[1]["month"], lines[1]["at"]) == ("2016-02", "2016-08-31T01:00:05+09:00")
    (none,) = read_csv(table_csv(report, empty, stamp(report), EN))[1:]
    assert digest(report) in none


def test_json_fits_its_schema_and_carries_what_the_digest_is_of() -> None:
    schema = json.loads((files("reports") / "data" / "report.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for report in (nasty(), prefectures()):
        content = report_json(report, stamp(report))
        value = json.loads(content)
        jsonschema.validate(value, schema)
        assert content == json_bytes(value)
        assert value["rows_sha256"] == digest(report)
        tables = json.dumps(
            value["tables"], ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        assert hashlib.sha256(tables.encode()).hexdigest() == digest(report)
    months = json.loads(report_json(nasty(), stamp(nasty())))["tables"][0]["rows"]
    assert months[0]["values"]["growth"] == "-12.35"
    value["tables"][0]["rows"][0]["values"]["rate"] = 0.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema)


def test_words_of_a_report_are_in_one_language_only() -> None:
    report = replace(prefectures(), title=Text("日本語", "English"))
    assert "日本語" not in page_of(report, EN)
    assert "English" not in page_of(report, JA)


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
