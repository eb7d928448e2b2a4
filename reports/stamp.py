"""What stands on every page, sheet and file of a report, so that none can be mistaken later."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from reports.imprint import Imprint, jst_text
from reports.jsonfile import JsonValue, json_bytes, json_cell
from reports.moment import Moment
from reports.tables import Language, Report, Row, Table, Text


@dataclass(frozen=True)
class Stamp:
    """Kind of site, centre, moment with the trail's head, and the digest of a report's rows.

    ``rows_sha256`` is of ``json_tables``: anybody can compute it again from the JSON file.
    """

    site_kind: str
    centre: str
    moment: Moment
    rows_sha256: str

    @property
    def imprint(self) -> Imprint:
        """The imprint of pages; made at the moment itself, for no clock is read."""
        return Imprint(self.site_kind, self.centre, self.moment.at)

    @property
    def banner(self) -> str:
        """``訓練 TRAINING``, or nothing in production."""
        banner = self.imprint.banner
        return f"{banner.word_ja} {banner.word_en}" if banner else ""

    def lines(self, language: Language) -> tuple[str, str]:
        """Return the two lines of a footer: who and when; the trail's head and the digest."""
        head = self.moment.head
        as_of, entry, rows = (word.within(language) for word in _WORDS)
        when = f"{as_of} {jst_text(self.moment.at)}"
        return (
            " · ".join(filter(None, (self.banner, when, self.centre))),
            f"{entry} {head.seq} {head.hash} · {rows} {self.rows_sha256}",
        )


_WORDS = (Text("基準日時", "as of"), Text("証跡", "trail"), Text("行 SHA-256", "rows SHA-256"))


def stamp_of(report: Report, site_kind: str, centre: str, moment: Moment) -> Stamp:
    """Return the stamp of a report; ``site_kind`` and ``centre`` as in ``Imprint``."""
    return Stamp(site_kind, centre, moment, digest(report))


def digest(report: Report) -> str:
    """Return the SHA-256 of all tables in canonical JSON (RFC 8785), in hexadecimal."""
    return hashlib.sha256(json_bytes(json_tables(report))).hexdigest()


def json_tables(report: Report) -> list[JsonValue]:
    """Return the tables as JSON, both languages of every word of ours in them."""
    return [_json_table(table) for table in report.tables]


def _json_table(table: Table) -> JsonValue:
    return {
        "key": table.key,
        "title": json_cell(table.title),
        "definition": json_cell(table.definition),
        "columns": [
            {"key": column.key, "title": json_cell(column.title), "kind": column.kind.value}
            for column in table.columns
        ],
        "rows": [_json_row(table, row) for row in table.rows],
        "total": _json_row(table, table.total) if table.total else None,
        "notes": [json_cell(note) for note in table.notes],
    }


def _json_row(table: Table, row: Row) -> JsonValue:
    cells = zip(table.columns, row.values, strict=True)
    return {
        "values": {column.key: json_cell(value, column.kind) for column, value in cells},
        "mark": row.mark.value if row.mark else None,
    }
