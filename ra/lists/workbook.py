"""XLSX of an application list: bytes to rows of text and back. The only home of openpyxl.

openpyxl is imported late: it takes 0.2 s that a CSV need not wait for.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from typing import TYPE_CHECKING

from pki.errors import InvalidInput
from ra.lists.archive import MAX_LINES, SAVE_AGAIN, damaged, verify_archive

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell, MergedCell
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet
    from openpyxl.worksheet.worksheet import Worksheet

_ZIP = b"PK\x03\x04"
_OTHER_FORMATS = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel file (.xls) or an encrypted workbook",
    b"%PDF": "a PDF file",
    b"PK\x05\x06": "an empty ZIP file",
}
_MASK_SECTION = re.compile(r"(?:\[<=([0-9]{1,15})\])?(.*)", re.DOTALL)
_MASK = re.compile("0[0-]*")
_EXCEL_ESCAPE = re.compile("_x00([01][0-9A-Fa-f])_")
_EXACT_DIGITS = 15
_TEXT = "@"


def is_workbook(octets: bytes) -> bool:
    """Tell whether it is a ZIP file, as every XLSX is; raises for formats that are not read.

    ``InvalidInput`` (``ra.import.format``): .xls, encrypted, PDF.
    """
    for magic, what in _OTHER_FORMATS.items():
        if octets.startswith(magic):
            raise InvalidInput("ra.import.format", f"The file is {what}.", SAVE_AGAIN)
    return octets.startswith(_ZIP)


def read_workbook(octets: bytes, most_rows: int) -> list[tuple[int, list[str]]]:
    """Return row number (from 1) and cells of the rows of the first visible sheet that hold text.

    Dates come as YYYY-MM-DD, numbers as their cell shows them where its format is made of digits
    (00000), else plain; truth values as TRUE and FALSE. Empty cells at the end are left out, and
    rows after the first ``most_rows``.
    Raises ``InvalidInput`` for what ``verify_archive`` refuses, for formulas
    (``ra.import.formula``), error values (``ra.import.error_cell``), numbers that no identifier is
    (``ra.import.number``), text on another sheet (``ra.import.second_sheet``).
    """
    verify_archive(octets)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(islice(_rows(octets), most_rows))
    except InvalidInput:
        raise
    except Exception as error:  # openpyxl lets through whatever broken XML makes it raise
        raise damaged(type(error).__name__) from None


def _rows(octets: bytes) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook

    book = load_workbook(io.BytesIO(octets), read_only=True, data_only=False, keep_links=False)
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            raise damaged("it has no visible sheet")
        for sheet in book.worksheets:
            if sheet is not sheets[0] and next(_sheet_rows(sheet), None) is not None:
                raise InvalidInput(
                    "ra.import.second_sheet",
                    f"The sheet {sheet.title[:31]!r} holds values too; only the first is read.",
                    "Give each sheet as a file of its own, or delete it.",
                )
        yield from _sheet_rows(sheets[0])
    finally:
        book.close()


def _sheet_rows(sheet: ReadOnlyWorksheet) -> Iterator[tuple[int, list[str]]]:
    sheet.reset_dimensions()  # what the file says of its size need not be true
    for line, cells in enumerate(sheet.rows, start=1):
        texts = [_text(cell) for cell in cells]
        while texts and not texts[-1]:
            texts.pop()
        if any(text.strip() for text in texts):
            yield line, texts


def _text(cell: Cell | MergedCell) -> str:
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "f":
        raise _fault(cell, "formula", "holds a formula", "Paste its value instead (値貼り付け).")
    if cell.data_type == "e":
        raise _fault(cell, "error_cell", f"holds the error {str(value)[:10]}", "Correct the cell.")
    if isinstance(value, str):
        return _EXCEL_ESCAPE.sub(lambda found: chr(int(found[1], 16)), value)
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return str(value.date() if value.time() == time() else value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return _number(cell, value)
    raise _fault(cell, "number", "holds a time", "Format the column as text and type the value.")


def _number(cell: Cell | MergedCell, value: int | float) -> str:
    """Return a number as the cell shows it if its format is a mask of digits, else plain."""
    if value != value or value != int(value) or abs(value) >= 10**_EXACT_DIGITS:
        raise _fault(
            cell,
            "number",
            f"holds a number that is not whole or has more than {_EXACT_DIGITS} digits",
            "Format the column as text and type the value again: a spreadsheet rounds it.",
        )
    digits = str(int(value))
    mask = _mask(str(cell.number_format), int(value))
    if mask is None or value < 0:
        return digits
    filled = list(digits.rjust(mask.count("0"), "0"))
    shown = [character if character == "-" else filled.pop() for character in reversed(mask)]
    return "".join(filled) + "".join(reversed(shown))


def _mask(number_format: str, value: int) -> str | None:
    """Return the mask of zeros and hyphens that a format shows the value by, if it is one."""
    for section in number_format.split(";"):
        found = _MASK_SECTION.fullmatch(section)
        if found is not None and (found[1] is None or value <= int(found[1])):
            mask = re.sub(r'[\\"]', "", found[2])
            return mask if _MASK.fullmatch(mask) else None
    return None


def _fault(cell: Cell | MergedCell, code: str, rest: str, hint: str) -> InvalidInput:
    return InvalidInput(f"ra.import.{code}", f"The cell {cell.coordinate} {rest}.", hint)


@dataclass(frozen=True)
class SheetColumn:
    """One column to write: its heading, a note on it, and what may be chosen, if anything."""

    heading: str
    note: str
    choices: tuple[str, ...] = ()


def write_workbook(
    title: str, columns: Sequence[SheetColumn], rows: Sequence[Mapping[str, str]]
) -> bytes:
    """Return an XLSX of one sheet: headings with notes, rows by heading, all columns text.

    A list of choices holds at most 255 characters with its commas, as Excel has it.
    """
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = title
    sheet.freeze_panes = "A2"
    _write_cells(sheet, columns, rows)
    octets = io.BytesIO()
    book.save(octets)
    return octets.getvalue()


def _write_cells(
    sheet: Worksheet, columns: Sequence[SheetColumn], rows: Sequence[Mapping[str, str]]
) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for number, column in enumerate(columns, start=1):
        letter = get_column_letter(number)
        sheet.column_dimensions[letter].number_format = _TEXT
        sheet.column_dimensions[letter].width = max(12, len(column.heading) + 2)
        heading = sheet.cell(1, number, column.heading)
        heading.font = Font(bold=True)
        heading.comment = Comment(column.note, "hpki", width=320, height=120)
        for line, row in enumerate(rows, start=2):
            sheet.cell(line, number, row.get(column.heading) or None).number_format = _TEXT
        if column.choices:
            rule = DataValidation(
                "list",
                formula1=f'"{",".join(column.choices)}"',
                allow_blank=True,
                showErrorMessage=True,
            )
            rule.add(f"{letter}2:{letter}{MAX_LINES}")
            sheet.add_data_validation(rule)
