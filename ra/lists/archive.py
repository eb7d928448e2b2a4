"""What is looked at in an XLSX before a library opens it: sizes, names, and its XML."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from xml.parsers import expat

from pki.errors import InvalidInput

MAX_MEMBERS = 500
MAX_MEMBER_BYTES = 96 * 1024 * 1024
MAX_INFLATED_BYTES = 128 * 1024 * 1024
MAX_RATIO = 200
MAX_DEPTH = 64
MAX_ELEMENTS = 5_000_000
MAX_ELEMENTS_BESIDES = 200_000
MAX_COLUMNS = 200
MAX_LINES = 1_048_576
_PIECE = 64 * 1024
_RATIO_COUNTS_FROM = 1024 * 1024
_DIRECTORY_ENTRY = b"PK\x01\x02"
_ARCHIVE = re.compile(r"\.(?:zip|xls[xmb]?|doc[xm]?|ppt[xm]?|jar|7z|gz)$", re.IGNORECASE)
_CELL = re.compile("([A-Z]{1,3})([1-9][0-9]{0,6})")
_ENCRYPTED = 0x1
SAVE_AGAIN = "Save the list again as an Excel workbook (.xlsx) or as CSV UTF-8."


def verify_archive(octets: bytes) -> None:
    """Raise for an XLSX that must not be opened; nothing is trusted, neither sizes nor names.

    Every member is inflated in pieces and counted: at most 500 members, 96 MiB each, 128 MiB
    together and 200 times what each takes in the file. XML has no DTD, nests 64 deep at most, and
    has at most 5,000,000 elements, 200,000 in a member that is no sheet and no text table; cells
    come in order, at most 200 columns, and what holds a value is neither hidden nor merged.
    Raises ``InvalidInput``: ``ra.import.bomb``, ``ra.import.workbook`` (damaged),
    ``ra.import.format`` (something else), ``ra.import.too_many_columns``, ``ra.import.hidden``,
    ``ra.import.merged``.
    """
    if octets.count(_DIRECTORY_ENTRY) > MAX_MEMBERS:
        raise bomb(f"has more than {MAX_MEMBERS} members")
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            _verify_members(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise damaged(str(error)) from None


def bomb(rest: str) -> InvalidInput:
    """Return the refusal of a workbook that would fill the memory."""
    return InvalidInput(
        "ra.import.bomb",
        f"The workbook {rest}.",
        "Paste the values into a new workbook, or save the list as CSV UTF-8.",
    )


def damaged(rest: str) -> InvalidInput:
    """Return the refusal of a workbook that cannot be read; ``rest`` says why."""
    return InvalidInput(
        "ra.import.workbook", f"The workbook cannot be read ({rest[:200]}).", SAVE_AGAIN
    )


def _verify_members(archive: zipfile.ZipFile) -> None:
    _verify_names(archive.namelist())
    _verify_kind(archive.namelist())
    total = elements = 0
    for member in archive.infolist():
        if member.flag_bits & _ENCRYPTED:
            raise InvalidInput(
                "ra.import.format", "The workbook is encrypted.", "Save it without a password."
            )
        reader = _Reader()
        for piece in _pieces(archive, member):
            total += len(piece)
            if total > MAX_INFLATED_BYTES:
                raise bomb(f"inflates to more than {MAX_INFLATED_BYTES:,} bytes")
            reader.feed(piece)
            if elements + reader.elements > MAX_ELEMENTS or reader.is_overfull():
                raise bomb("has more cells than a list needs")
        elements += reader.elements


def _verify_names(names: list[str]) -> None:
    if len(set(names)) != len(names):
        raise damaged("two members have one name")
    for name in names:
        if name.startswith("/") or "\\" in name or ".." in name.split("/") or ":" in name:
            raise damaged(f"the member name {name[:60]!r} leads outside")
        if _ARCHIVE.search(name):
            raise bomb(f"holds another archive, {name[:60]!r}")


def _verify_kind(names: list[str]) -> None:
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise InvalidInput(
            "ra.import.format",
            "The workbook has macros; such a file is not opened.",
            "Save it as a workbook without macros (.xlsx).",
        )
    if "xl/workbook.xml" not in names:
        kind = "an OpenDocument file" if "mimetype" in names else "a ZIP file"
        raise InvalidInput(
            "ra.import.format", f"The file is {kind}, no Excel workbook.", SAVE_AGAIN
        )


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member in pieces; raises as soon as it is larger or denser than allowed."""
    size, allowed = 0, max(member.compress_size * MAX_RATIO, _RATIO_COUNTS_FROM)
    with archive.open(member) as stream:
        while piece := stream.read(_PIECE):
            size += len(piece)
            if size > MAX_MEMBER_BYTES:
                raise bomb(f"has a member of more than {MAX_MEMBER_BYTES:,} bytes")
            if size > allowed:
                raise bomb(f"has a member that inflates to more than {MAX_RATIO} times its size")
            yield piece


class _Reader:
    """Reads one member as far as it is XML, in the way in which the library would."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._is_xml = True
        self._root = ""
        self._row_hidden = False
        self.elements = 0
        self._depth = self._row = self._column = 0
        self._hidden_columns: list[range] = []

    def feed(self, piece: bytes) -> None:
        """Read on; raises ``InvalidInput``. What is no XML, a picture say, is passed over."""
        if self._is_xml:
            try:
                self._parser.Parse(piece, False)
            except expat.ExpatError:
                self._is_xml = False

    def is_overfull(self) -> bool:
        """Tell whether a member that is no sheet and no text table has too many elements."""
        return self._root not in ("worksheet", "sst") and self.elements > MAX_ELEMENTS_BESIDES

    def _refuse_doctype(self, *_: object) -> None:
        raise bomb("declares a document type (DTD), as no spreadsheet program does")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self.elements += 1
        tag = name.rpartition(" ")[2]
        if self._depth == 1:
            self._root = tag
        if self._depth > MAX_DEPTH:
            raise bomb(f"nests its XML more than {MAX_DEPTH} deep")
        if self._root == "worksheet" and tag in _READERS:
            _READERS[tag](self, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1

    def _read_row(self, attributes: dict[str, str]) -> None:
        number = attributes.get("r", str(self._row + 1))
        if not re.fullmatch("[0-9]{1,7}", number) or not self._row < int(number) <= MAX_LINES:
            raise damaged(f"row {number[:20]!r} after row {self._row}")
        self._row, self._column = int(number), 0
        self._row_hidden = attributes.get("hidden") in _TRUE

    def _read_cell(self, attributes: dict[str, str]) -> None:
        reference, column = attributes.get("r"), self._column + 1
        if reference is not None:
            found = _CELL.fullmatch(reference)
            if found is None or int(found[2]) != self._row:
                raise damaged(f"cell {reference[:20]!r} in row {self._row}")
            column = _column_number(found[1])
        if column <= self._column:
            raise damaged(f"cells of row {self._row} out of order")
        if column > MAX_COLUMNS:
            raise InvalidInput(
                "ra.import.too_many_columns",
                f"The workbook has cells right of column {MAX_COLUMNS}.",
                "Delete the columns that are not of the list.",
            )
        self._column = column

    def _read_value(self, attributes: dict[str, str]) -> None:
        column_hidden = any(self._column in hidden for hidden in self._hidden_columns)
        if self._row_hidden or column_hidden:
            what = f"row {self._row}" if self._row_hidden else f"column {self._column}"
            raise InvalidInput(
                "ra.import.hidden",
                f"The workbook hides {what}, which holds values.",
                "Show it again (clear filters, ungroup), or delete it.",
            )

    def _read_columns(self, attributes: dict[str, str]) -> None:
        first, last = attributes.get("min", ""), attributes.get("max", "")
        if attributes.get("hidden") in _TRUE and first.isdecimal() and last.isdecimal():
            self._hidden_columns.append(range(int(first[:7]), int(last[:7]) + 1))

    def _refuse_merged(self, attributes: dict[str, str]) -> None:
        raise InvalidInput(
            "ra.import.merged",
            f"The cells {attributes.get('ref', '')[:20]} are merged.",
            "Split merged cells: each application has one row, each value one cell.",
        )


_TRUE = ("1", "true")
_READERS = {
    "row": _Reader._read_row,
    "c": _Reader._read_cell,
    "v": _Reader._read_value,
    "is": _Reader._read_value,
    "col": _Reader._read_columns,
    "mergeCell": _Reader._refuse_merged,
}


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
