"""Files of an application list: bytes to rows of cells and back, and the faults of a whole file."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pki.errors import InvalidInput
from ra.lists.workbook import is_workbook, read_workbook

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 100_000
MAX_FIELD_CHARACTERS = 1_000
_MAX_LINE_CHARACTERS = 100_000

FAULTS_COLUMN = "faults"
"""Last column of a rejects file; the reader passes over it."""
REMARK = "#"
"""What the row under the header begins with, before the label, if it is no application."""

_BOM = b"\xef\xbb\xbf"
_ASCII_SPACE = " \t\r\n\v\f"
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@\t\r＝＋－＠]")


@dataclass(frozen=True)
class Record:
    """One row: the line of the file it begins on (from 1) and its cells, as given."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Column names in the order of the file, without ``faults``, and the rows that hold anything.

    A row whose cells do not number as the columns is kept as it is.
    """

    columns: tuple[str, ...]
    records: tuple[Record, ...]


def read_table(
    content: bytes, known: Mapping[str, str], encoding: str, optional: Collection[str] = ()
) -> Table:
    """Return the rows of ``content``, CSV or XLSX: what it is shows in its first bytes.

    ``known`` maps each column to its Japanese name; a file may lack those of ``optional``.
    ``encoding`` (of CSV) is ``utf-8`` (with or without BOM) or ``cp932``. Rows without any text
    are passed over, and under the header the template's remark with the labels. In a file with a
    ``faults`` column the escapes of ``write_rejects`` are undone.
    Raises ``InvalidInput`` (``ra.import...``) for what makes the whole file unreadable.
    """
    if len(content) > MAX_BYTES:
        raise InvalidInput(
            "ra.import.too_large",
            f"The file has {len(content):,} bytes; {MAX_BYTES:,} are the most that is read.",
            "Split the list into several files.",
        )
    is_sheet = is_workbook(content)
    rows = iter(_sheet_rows(content)) if is_sheet else _rows(_decode(content, encoding))
    try:
        _, cells = next(rows)
    except StopIteration:
        raise _empty("The file is empty.") from None
    header = [strip_ascii(cell) for cell in cells]
    _verify_header(header, known, optional)
    if is_sheet:
        rows = _padded(rows, len(header))
    faults_at = header.index(FAULTS_COLUMN) if FAULTS_COLUMN in header else None
    label = known.get(header[0], "")
    records = tuple(_records(_without_remark(rows, label), len(header), faults_at))
    if not records:
        raise _empty("The file has a header but no application.")
    return Table(tuple(name for name in header if name != FAULTS_COLUMN), records)


def _empty(text: str) -> InvalidInput:
    return InvalidInput(
        "ra.import.empty",
        text,
        "Give a CSV or XLSX file with the header row and one row per application.",
    )


def _sheet_rows(content: bytes) -> list[tuple[int, list[str]]]:
    """Return line and cells of the rows of a workbook: header, remark, one row too many."""
    rows = read_workbook(content, MAX_ROWS + 3)
    for line, cells in rows:
        if max(map(len, cells)) > MAX_FIELD_CHARACTERS:
            raise _overlong(line)
    return rows


def _padded(rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a workbook, which leaves out empty cells at the end, in full width."""
    for line, cells in rows:
        yield line, cells + [""] * (width - len(cells))


def _without_remark(
    rows: Iterator[tuple[int, list[str]]], label: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows under the header, without the first if it repeats it in Japanese.

    Nothing else is passed over: a row is never lost because its first cell begins with #.
    """
    first = next(rows, None)
    if first is not None and first[1][0].strip() != f"{REMARK} {label}":
        yield first
    yield from rows


def _decode(content: bytes, encoding: str) -> str:
    """Return the text, without BOM. CP932 is never guessed: it cannot hold every name."""
    nul = content.find(b"\0")
    if nul >= 0 and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInput(
            "ra.import.nul",
            f"The file has a NUL byte at offset {nul}; it is not a CSV text file.",
            "Save the list as CSV UTF-8 (not as UTF-16) or as an Excel workbook (.xlsx).",
        )
    if encoding == "utf-8":
        return _decode_utf8(content.removeprefix(_BOM), content.startswith(_BOM))
    if encoding == "cp932":
        return _decode_cp932(content)
    raise InvalidInput(
        "ra.import.encoding",
        f"The encoding {show(encoding)} is not one of utf-8 and cp932.",
        "Save the list as CSV UTF-8.",
    )


def _decode_utf8(content: bytes, had_bom: bool) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start + (len(_BOM) if had_bom else 0)
    hint = "Save the list as CSV UTF-8 and try again."
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = "It looks like UTF-16: save it as CSV UTF-8."
    elif _decodes_as(content, "cp932"):
        hint = "It looks like CP932 (Shift_JIS): save it as CSV UTF-8, or say encoding cp932."
    raise InvalidInput(
        "ra.import.not_utf8", f"The file is not UTF-8: the byte at offset {offset} is wrong.", hint
    )


def _decode_cp932(content: bytes) -> str:
    if not content.isascii() and _decodes_as(content, "utf-8"):
        raise InvalidInput(
            "ra.import.not_cp932",
            "The file is UTF-8, not CP932.",
            "Read it without the encoding cp932.",
        )
    try:
        return content.decode("cp932")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            "ra.import.not_cp932",
            f"The file is not CP932: the byte at offset {error.start} is wrong.",
            "Save the list as CSV UTF-8 and read it without the encoding cp932.",
        ) from error


def _decodes_as(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield first line and cells of every row that holds any text."""
    reader = csv.reader(_short_lines(text), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidInput(
                "ra.import.csv",
                f"The row that begins on line {line} is not sound CSV ({error}).",
                'Look for an unpaired quotation mark ("); inside a quoted cell it is doubled.',
            ) from error
        if any(map(strip_ascii, cells)):
            yield line, cells


def _short_lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > _MAX_LINE_CHARACTERS:
            raise _overlong(number)
        yield line


def _overlong(line: int) -> InvalidInput:
    return InvalidInput(
        "ra.import.overlong_field",
        f"A field of the row on line {line} has more than {MAX_FIELD_CHARACTERS:,} characters.",
        'Shorten it, or look for an unpaired quotation mark (").',
    )


def _verify_header(
    header: Sequence[str], known: Mapping[str, str], optional: Collection[str]
) -> None:
    unknown = [name for name in header if name not in known and name != FAULTS_COLUMN]
    if unknown:
        raise InvalidInput(
            "ra.import.unknown_column",
            f"The file has columns that are not known: {', '.join(map(show, unknown[:5]))}.",
            " ".join(_nearest(name, known) for name in unknown[:5]),
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InvalidInput(
            "ra.import.duplicate_column",
            f"The file has a column more than once: {', '.join(twice)}.",
            "Keep one of them.",
        )
    missing = [
        f"{name} ({label})"
        for name, label in known.items()
        if name not in header and name not in optional
    ]
    if missing:
        raise InvalidInput(
            "ra.import.missing_column",
            f"The file lacks columns: {', '.join(missing)}.",
            "Add them to the header row; the cells of an optional column may stay empty.",
        )


def _nearest(name: str, known: Mapping[str, str]) -> str:
    if "\t" in name or ";" in name:
        return "Separate the columns by commas."
    by_label = [column for column, label in known.items() if label == name]
    near = by_label or difflib.get_close_matches(name[:40].lower(), known, n=1, cutoff=0.5)
    if near:
        return f"For {show(name)} write {near[0]} ({known[near[0]]})."
    return f"Remove {show(name)}."


def _records(
    rows: Iterable[tuple[int, list[str]]], width: int, faults_at: int | None
) -> Iterator[Record]:
    for number, (line, cells) in enumerate(rows, start=1):
        if number > MAX_ROWS:
            raise InvalidInput(
                "ra.import.too_many_rows",
                f"The file has more than {MAX_ROWS:,} applications.",
                "Split the list into several files.",
            )
        given = cells if faults_at is None else _as_given(cells, width, faults_at)
        if max(map(len, given), default=0) > MAX_FIELD_CHARACTERS:
            raise _overlong(line)
        yield Record(line, tuple(given))


def _as_given(cells: list[str], width: int, faults_at: int) -> list[str]:
    """Return the cells of a rejects file as they were before ``write_rejects``."""
    if len(cells) == width:
        del cells[faults_at]
    elif cells[-1].startswith("ra.row."):
        del cells[-1]
    return [cell[1:] if _ESCAPED_FORMULA.match(cell) else cell for cell in cells]


def write_rejects(columns: Sequence[str], rows: Iterable[tuple[Sequence[str], str]]) -> bytes:
    """Return CSV of ``columns`` and ``faults``; each row is its cells and its faults.

    UTF-8 with BOM, CRLF. A cell that a spreadsheet would take for a formula gets a leading
    apostrophe, which ``read_table`` takes away again.
    """
    escaped = ([_escaped(cell) for cell in cells] + [faults] for cells, faults in rows)
    return _written([*columns, FAULTS_COLUMN], escaped)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return CSV of ``columns``, UTF-8 with BOM, CRLF; formulas escaped as in a rejects file."""
    return _written(columns, ([_escaped(cell) for cell in cells] for cells in rows))


def _escaped(cell: str) -> str:
    return "'" + cell if _FORMULA.match(cell) else cell


def _written(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return _BOM + text.getvalue().encode("utf-8")


def strip_ascii(cell: str) -> str:
    """Return the cell without outer ASCII white space; U+3000 stays."""
    return cell.strip(_ASCII_SPACE)


def show(value: str) -> str:
    """Return up to 40 characters of the value in quotation marks, escaped where unprintable."""
    printable = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in value[:40]
    )
    return f"“{printable}{'…' if len(value) > 40 else ''}”"
