"""Application lists as XLSX: what is read, what is refused, and that nothing fills the memory."""

import contextlib
import csv
import io
import re
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from pki.errors import InvalidInput
from policies.documents import load_document_rules
from ra.intake import role_names
from ra.lists import archive
from ra.lists.columns import COLUMNS, LABELS, LACKABLE
from ra.lists.faults import FaultCode
from ra.lists.rows import RowVerdict, read_applications, rejects_csv
from ra.lists.table import read_table
from ra.lists.template import template_csv, template_workbook
from ra.lists.workbook import is_workbook, read_workbook

TODAY = date(2026, 11, 1)
ROW = {
    "application_ref": "T2026-0001",
    "type": "NEW",
    "channel": "POST",
    "received_on": "2026-09-01",
    "kanji_name": "髙橋　𠮷郎\U000e0100",
    "kana_name": "タカハシ　ヨシロウ",
    "romaji_name": "TAKAHASHI YOSHIRO",
    "former_surname": "",
    "birth_date": "1970-03-02",
    "profession": "医師",
    "registration_number": "012345",
    "registration_date": "1995-05-01",
    "director_role": "",
    "institution_ja": "なし",
    "institution_en": "",
    "work_prefecture": "01",
    "municipality": "",
    "postal_code": "060-0000",
    "address": "北海道札幌市架空町1-2-3",
    "telephone": "09000000001",
    "email": "",
    "member_id": "",
    "documents": "PHOTO;RESIDENT_RECORD@令和8年8月30日",
    "terms_version": "1.0",
}
Change = Callable[[Worksheet], object]


def book(*rows: Mapping[str, object], change: Change = lambda sheet: None) -> bytes:
    """A workbook of the rows, as a person who knows nothing of text formats would make it."""
    workbook = Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(list(ROW))
    for row in rows:
        sheet.append([row[name] or None for name in ROW])
    change(sheet)
    return saved(workbook)


def saved(workbook: Workbook) -> bytes:
    octets = io.BytesIO()
    workbook.save(octets)
    return octets.getvalue()


def csv_of(*rows: Mapping[str, object]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ROW))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(octets: bytes) -> tuple[RowVerdict, ...]:
    return read_applications(
        octets, today=TODAY, roles=role_names(), documents=load_document_rules()
    )


def rezip(octets: bytes, changed: Mapping[str, bytes | None], level: int = 6) -> bytes:
    """The archive with members put in the place of others, added, or (None) left out."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(octets)) as source,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as target,
    ):
        for name in source.namelist():
            if name not in changed:
                target.writestr(name, source.read(name))
        for name, content in changed.items():
            if content is not None:
                target.writestr(name, content)
    return result.getvalue()


SHEET = "xl/worksheets/sheet1.xml"


def sheet_with(old: str, new: str) -> bytes:
    octets = book(ROW)
    with zipfile.ZipFile(io.BytesIO(octets)) as source:
        xml = source.read(SHEET).decode()
    assert old in xml
    return rezip(octets, {SHEET: xml.replace(old, new, 1).encode()})


def refused(octets: bytes) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(octets)
    assert caught.value.hint
    return caught.value


def test_a_workbook_and_a_csv_of_the_same_cells_have_the_same_verdicts() -> None:
    other = ROW | {"application_ref": "T2026-0002", "telephone": "9", "address": " =1 "}
    from_sheet = read(book(ROW, other))
    assert from_sheet == read(csv_of(ROW, other))
    assert from_sheet[0].application is not None
    assert from_sheet[0].application.kanji_name == ROW["kanji_name"]
    assert from_sheet[0].application.document_dates == {"RESIDENT_RECORD": date(2026, 8, 30)}


def test_the_rejects_of_a_workbook_are_csv_and_can_be_read_again() -> None:
    octets = book(ROW, ROW | {"application_ref": "T2026-0002", "telephone": "+81"})
    verdicts = read(octets)
    rejects = rejects_csv(verdicts, octets)
    (row,) = csv.DictReader(io.StringIO(rejects.decode("utf-8-sig"), newline=""))
    assert row["telephone"] == "'+81"
    (again,) = read(rejects)
    assert (again.faults, again.row_digest) == (verdicts[1].faults, verdicts[1].row_digest)


def test_dates_numbers_and_truth_values_become_text() -> None:
    def change(sheet: Worksheet) -> None:
        values = {
            "A": (datetime.fromisoformat("2026-09-01"), None),
            "B": (date(1970, 3, 2), "[$-411]ge.m.d;@"),
            "C": (1, "00"), "D": (600000, "000-0000"), "E": (12345, "General"), "F": (12.0, None),
            "G": (True, None), "H": (600001, "[<=999]000;[<=9999]000-00;000-0000"),
            "I": (-5, "00"), "J": (123456789012345, "0"), "K": (7, "#,##0"),
            "L": (1234567, "00-00"), "M": (datetime.fromisoformat("2026-09-01T10:30"), None),
        }  # fmt: skip
        for column, (value, number_format) in values.items():
            cell = sheet[f"{column}3"]
            cell.value = value
            if number_format:
                cell.number_format = number_format

    rows = read_workbook(book(ROW, change=change), 10)
    assert [line for line, _ in rows] == [1, 2, 3]
    assert rows[2][1] == [
        "2026-09-01", "1970-03-02", "01", "060-0000", "12345", "12", "TRUE", "060-0001", "-5",
        "123456789012345", "7", "12345-67", "2026-09-01 10:30:00",
    ]  # fmt: skip


def test_lines_are_those_of_the_sheet_and_empty_rows_are_passed_over() -> None:
    def change(sheet: Worksheet) -> None:
        sheet.insert_rows(2, 3)
        sheet["Z9"] = "  "

    (verdict,) = read(book(ROW, change=change))
    assert (verdict.line, verdict.application_ref) == (5, "T2026-0001")


def test_a_cell_right_of_the_header_makes_a_row_too_wide() -> None:
    (verdict,) = read(book(ROW, change=lambda sheet: sheet.cell(2, len(ROW) + 1, "x")))
    assert [fault.code for fault in verdict.faults] == [FaultCode.WIDTH]


def test_what_the_file_says_of_its_size_is_not_believed() -> None:
    octets = sheet_with('<dimension ref="A1:X2" />', '<dimension ref="B2:C2" />')
    assert read(octets) == read(csv_of(ROW))


def test_escaped_control_characters_are_seen() -> None:
    (verdict,) = read(book(ROW | {"address": "札幌_x000D_市"}))
    assert [fault.code for fault in verdict.faults] == [FaultCode.CHARACTER]


@pytest.mark.parametrize(
    ("name", "field", "code"),
    [
        ("😀　太郎", "kanji_name", FaultCode.KANJI_NAME),
        ("見" * 100 + "　" + "本" * 100, "kanji_name", None),
        ("A" * 100, "romaji_name", FaultCode.ROMAJI_LENGTH),
        ("2026-11-02", "received_on", FaultCode.FUTURE),
        ("2001-02-29", "birth_date", FaultCode.DATE),
    ],
)
def test_strange_cells_are_judged_as_in_csv(name: str, field: str, code: FaultCode | None) -> None:
    (verdict,) = read(book(ROW | {field: name}))
    assert [fault.code for fault in verdict.faults] == ([code] if code else [])


def test_a_formula_names_its_cell_and_in_csv_it_is_only_text() -> None:
    error = refused(book(ROW | {"address": "=HYPERLINK(1)"}))
    assert (error.code, "S2" in error.text) == ("ra.import.formula", True)
    assert "値貼り付け" in error.hint
    assert read(csv_of(ROW | {"address": "=HYPERLINK(1)"}))[0].application is not None


@pytest.mark.parametrize(
    ("value", "code", "says"),
    [
        (1.5, "ra.import.number", "S2"),
        (1e15, "ra.import.number", "S2"),
        (1e300, "ra.import.number", "S2"),
        ("#REF!", "ra.import.error_cell", "#REF!"),
        ("x" * 1001, "ra.import.overlong_field", "line 2"),
    ],
)
def test_cells_that_are_no_text_of_a_list(value: object, code: str, says: str) -> None:
    error = refused(book(ROW | {"address": value}))
    assert error.code == code
    assert says in error.text


def hide_row(sheet: Worksheet) -> None:
    sheet.row_dimensions[2].hidden = True


def hide_column(sheet: Worksheet) -> None:
    sheet.column_dimensions["S"].hidden = True


def add_sheet(sheet: Worksheet) -> None:
    assert sheet.parent is not None
    sheet.parent.create_sheet("控え")["B2"] = "x"


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (hide_row, "ra.import.hidden", "row 2"),
        (hide_column, "ra.import.hidden", "column 19"),
        (lambda sheet: sheet.merge_cells("A1:A2"), "ra.import.merged", "A1:A2"),
        (add_sheet, "ra.import.second_sheet", "控え"),
        (lambda sheet: sheet.cell(1, 201, "x"), "ra.import.too_many_columns", "column 200"),
        (lambda sheet: sheet.delete_rows(1, 9), "ra.import.empty", "empty"),
        (lambda sheet: sheet.cell(1, 1, "ref"), "ra.import.unknown_column", "ref"),
    ],
)
def test_sheets_that_hide_or_lack_something(change: Change, code: str, says: str) -> None:
    error = refused(book(ROW, change=change))
    assert error.code == code
    assert says in error.text


def test_an_empty_hidden_sheet_and_empty_hidden_columns_do_no_harm() -> None:
    def change(sheet: Worksheet) -> None:
        assert sheet.parent is not None
        sheet.parent.create_sheet("Sheet2").sheet_state = "hidden"
        sheet.column_dimensions["AZ"].hidden = True
        sheet.row_dimensions[9].hidden = True

    assert read(book(ROW, change=change)) == read(csv_of(ROW))


def test_the_first_visible_sheet_counts() -> None:
    def change(sheet: Worksheet) -> None:
        assert sheet.parent is not None
        sheet.parent.create_sheet("Sheet0", 0).sheet_state = "hidden"

    assert read(book(ROW, change=change)) == read(csv_of(ROW))


LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "haha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 9) for n in range(1, 12))
    + b"]><worksheet>&a11;</worksheet>"
)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: rezip(book(ROW), {"xl/media/a.bin": bytes(10_000_000)}), "ra.import.bomb"),
        (
            lambda: rezip(
                book(ROW), {f"xl/media/{n}.bin": bytes(10_000_000) for n in range(3)}
            ),
            "ra.import.bomb",
        ),
        (lambda: rezip(book(ROW), {SHEET: LAUGHS}), "ra.import.bomb"),
        (lambda: rezip(book(ROW), {SHEET: LAUGHS.decode().encode("utf-16")}), "ra.import.bomb"),
        (lambda: rezip(book(ROW), {"xl/sharedStrings.xml": LAUGHS}), "ra.import.bomb"),
        (lambda: rezip(book(ROW), {f"x/{n}.bin": b"" for n in range(600)}), "ra.import.bomb"),
        (lambda: rezip(book(ROW), {"xl/embeddings/a.xlsx": b"x"}), "ra.import.bomb"),
        (lambda: rezip(book(ROW), {SHEET: b"<a>" * 100}), "ra.import.bomb"),
        (lambda: rezip(book(ROW), {"xl/styles.xml": b"<a>" + b"<b/>" * 200_001 + b"</a>"}),
         "ra.import.bomb"),
        (lambda: rezip(book(ROW), {"../evil.xml": b"<a/>"}), "ra.import.workbook"),
        (lambda: rezip(book(ROW), {"/etc/evil": b"x"}), "ra.import.workbook"),
        (lambda: rezip(book(ROW), {"C:evil": b"x"}), "ra.import.workbook"),
        (lambda: rezip(book(ROW), {SHEET: None}), "ra.import.workbook"),
        (lambda: rezip(book(ROW), {SHEET: b"\x00\xff"}), "ra.import.workbook"),
        (lambda: rezip(book(ROW), {"xl/styles.xml": b"<a"}), "ra.import.workbook"),
        (lambda: rezip(book(ROW), {"xl/workbook.xml": b"<a/>"}), "ra.import.workbook"),
        (lambda: rezip(book(ROW), {"xl/vbaProject.bin": b"x"}), "ra.import.format"),
        (lambda: rezip(book(ROW), {"xl/workbook.xml": None}), "ra.import.format"),
        (lambda: rezip(book(ROW), {"xl/workbook.xml": None, "mimetype": b"x"}),
         "ra.import.format"),
        (lambda: sheet_with('<row r="2">', '<row r="99999999">'), "ra.import.workbook"),
        (lambda: sheet_with('<row r="2">', '<row r="1">'), "ra.import.workbook"),
        (lambda: sheet_with('r="B2"', 'r="A2"'), "ra.import.workbook"),
        (lambda: sheet_with('r="X2"', 'r="CVAAA2"'), "ra.import.workbook"),
        (lambda: sheet_with('r="X2"', 'r="XFD2"'), "ra.import.too_many_columns"),
        (lambda: sheet_with('t="inlineStr"><is><t>NEW</t></is>', 't="s"><v>9</v>'),
         "ra.import.workbook"),
        (lambda: sheet_with('t="inlineStr"><is><t>NEW</t></is>', "><v>" + "9" * 9999 + "</v>"),
         "ra.import.workbook"),
        (lambda: book(ROW)[:-30], "ra.import.workbook"),
        (lambda: book(ROW)[:500], "ra.import.workbook"),
        (lambda: b"PK\x03\x04" + b"\x00" * 100, "ra.import.workbook"),
        (lambda: b"PK\x05\x06" + b"\x00" * 18, "ra.import.format"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 99, "ra.import.format"),
        (lambda: b"%PDF-1.7\n", "ra.import.format"),
    ],
)  # fmt: skip
def test_attacks_and_other_formats_are_one_clear_error(
    make: Callable[[], bytes], code: str
) -> None:
    octets = make()
    begun = time.process_time()
    assert refused(octets).code == code
    assert time.process_time() - begun < 2


def test_an_encrypted_member_is_refused() -> None:
    octets = bytearray(book(ROW))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        octets[octets.index(magic) + offset] |= 1
    assert refused(bytes(octets)).code == "ra.import.format"


def test_a_worksheet_by_any_name_is_read_before_it_is_opened() -> None:
    """The workbook's relations say which member is the sheet, not its name."""
    octets = book(ROW, change=lambda sheet: sheet.cell(1, 201, "x"))
    with zipfile.ZipFile(io.BytesIO(octets)) as source:
        xml = source.read(SHEET)
        rels = source.read("xl/_rels/workbook.xml.rels").replace(
            b"worksheets/sheet1.xml", b"picture.png"
        )
    moved = {SHEET: None, "xl/picture.png": xml, "xl/_rels/workbook.xml.rels": rels}
    assert refused(rezip(octets, moved)).code == "ra.import.too_many_columns"


def test_a_bomb_takes_no_memory() -> None:
    octets = rezip(book(ROW), {"xl/a.bin": bytes(20_000_000)})
    tracemalloc.start()
    refused(octets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_directory_that_lies_about_sizes_is_counted() -> None:
    octets = bytearray(rezip(book(ROW), {"xl/a.bin": bytes(9_000_000)}))
    entry = octets.rindex(b"PK\x01\x02", 0, octets.index(b"xl/a.bin", octets.index(b"PK\x01\x02")))
    octets[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    assert refused(bytes(octets)).code in ("ra.import.bomb", "ra.import.workbook")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_byte_is_read_or_refused(data: st.DataObject) -> None:
    with zipfile.ZipFile(io.BytesIO(SMALL)) as source:
        name = data.draw(st.sampled_from(source.namelist()))
        content = bytearray(source.read(name))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(1, 9))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(InvalidInput):
        read(rezip(SMALL, {name: bytes(content)}, level=1))


SMALL = book(ROW)


def test_many_rows_that_are_much_alike_are_not_taken_for_a_bomb() -> None:
    with zipfile.ZipFile(io.BytesIO(SMALL)) as source:
        xml = source.read(SHEET).decode()
    start, end = xml.index('<row r="2"'), xml.index("</sheetData>")
    row = xml[start:end]
    rows = (re.sub(r' r="([A-X]?)2"', rf' r="\g<1>{line}"', row) for line in range(2, 802))
    octets = rezip(SMALL, {SHEET: (xml[:start] + "".join(rows) + xml[end:]).encode()}, level=9)
    archive.verify_archive(octets)
    assert read_workbook(octets, 3)[2] == (3, read_workbook(SMALL, 2)[1][1])


def test_shared_strings_are_read_without_their_readings() -> None:
    """Excel keeps texts apart from the cells, with the reading (ふりがな) of each."""
    with zipfile.ZipFile(io.BytesIO(SMALL)) as source:
        members = {name: source.read(name).decode() for name in source.namelist()}
    texts = re.findall(r"<is><t(?: [^>]*)?>([^<]*)</t></is>", members[SHEET])
    count = iter(range(len(texts)))
    members[SHEET] = re.sub(
        r't="inlineStr"><is>.*?</is>', lambda _: f't="s"><v>{next(count)}</v>', members[SHEET]
    )
    reading = '<rPh sb="0" eb="1"><t>ヨミ</t></rPh>'
    members["xl/sharedStrings.xml"] = (
        '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        + "".join(f"<si><t>{text}</t>{reading}</si>" for text in texts)
        + "</sst>"
    )
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    members["[Content_Types].xml"] = members["[Content_Types].xml"].replace(
        "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    )
    octets = rezip(SMALL, {name: text.encode() for name, text in members.items()})
    assert read(octets) == read(csv_of(ROW))


def test_is_workbook() -> None:
    assert is_workbook(SMALL)
    assert not is_workbook(csv_of(ROW))


@pytest.mark.parametrize("template", [template_csv, template_workbook])
def test_the_template_is_refused_until_its_example_is_replaced(
    template: Callable[[], bytes],
) -> None:
    (verdict,) = read(template())
    assert [fault.code for fault in verdict.faults] == [FaultCode.APPLICATION_REF]
    table = read_table(template(), LABELS, "utf-8", LACKABLE)
    assert table.columns == tuple(column.name for column in COLUMNS)


def test_a_filled_template_is_read() -> None:
    filled = template_csv().replace("記入例".encode(), b"T2026-0001")
    assert read(filled)[0].application is not None
    workbook = load_workbook(io.BytesIO(template_workbook()))
    sheet = workbook.worksheets[0]
    assert sheet["A1"].comment is not None
    assert "申請番号" in sheet["A1"].comment.text
    for number, name in enumerate(LABELS, start=1):
        sheet.cell(2, number).value = ROW.get(name) or None
    assert read(saved(workbook)) == read(csv_of(ROW))


def test_the_template_keeps_leading_zeros_and_offers_choices() -> None:
    sheet = load_workbook(io.BytesIO(template_workbook())).worksheets[0]
    letters = dict(zip(LABELS, map(get_column_letter, range(1, 99)), strict=False))
    assert {sheet.column_dimensions[letter].number_format for letter in letters.values()} == {"@"}
    rules = {
        str(rule.sqref).partition("2:")[0]: rule.formula1
        for rule in sheet.data_validations.dataValidation
    }
    offered = ("type", "channel", "profession", "director_role", "work_prefecture")
    assert set(rules) == {letters[name] for name in offered}
    assert all(len(formula) <= 257 for formula in rules.values())
    assert "医師" in rules[letters["profession"]]
