"""The first page of a folder of reports: every file with its size and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from reports.render import environment
from reports.stamp import Stamp
from reports.tables import Language, Report, Text

_WORDS = {
    "title": Text("月次報告", "Monthly reports"),
    "as_of": Text("基準日時", "As of"),
    "trail": Text("直前の証跡", "Last entry of the trail before"),
    "file": Text("ファイル", "File"),
    "octets": Text("バイト数", "Octets"),
    "rows_sha256": Text("行 SHA-256", "Rows SHA-256"),
}


@dataclass(frozen=True)
class IndexFile:
    """One file beside the index: its name, how long it is, its SHA-256 in hexadecimal."""

    name: str
    octets: int
    sha256: str


@dataclass(frozen=True)
class IndexEntry:
    """One report with its stamp and its files."""

    report: Report
    stamp: Stamp
    files: tuple[IndexFile, ...]


def index_file(name: str, content: bytes) -> IndexFile:
    """Return the line of a file."""
    return IndexFile(name, len(content), hashlib.sha256(content).hexdigest())


def index_html(entries: Sequence[IndexEntry], month: str, language: Language) -> bytes:
    """Return the page that links every file; all entries are of one moment, one at least."""
    stamp = entries[0].stamp
    page = environment().get_template("index.html.j2")
    return page.render(
        entries=[(entry.report.title.within(language), entry) for entry in entries],
        month=month,
        imprint=stamp.imprint,
        head=stamp.moment.head,
        words={name: text.within(language) for name, text in _WORDS.items()},
        language=language.value,
    ).encode()
