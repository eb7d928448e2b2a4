"""Any report as JSON and CSV."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from reports.cells import cell_text, fixed, mark_text
from reports.csvfile import Cell, csv_bytes
from reports.imprint import jst
from reports.jsonfile import json_bytes, json_cell
from reports.stamp import Stamp, json_tables
from reports.tables import Column, Kind, Language, Report, Row, Table, Text, Value

STAMP_COLUMNS = (
    "site_kind",
    "centre",
    "as_of",
    "trail_seq",
    "trail_hash",
    "rows_sha256",
    "report",
    "table",
    "definition",
    "row",
)


def report_json(report: Report, stamp: Stamp) -> bytes:
    """Write the report as canonical JSON; its schema is ``reports/data/report.schema.json``.

    It holds both languages, so it is the same for either.
    """
    return json_bytes(
        {
            "form": "hpki-report-1",
            "name": report.name,
            "title": json_cell(report.title),
            "site_kind": stamp.site_kind,
            "centre": stamp.centre,
            "as_of": json_cell(stamp.moment.at),
            "trail": {"seq": stamp.moment.head.seq, "hash": stamp.moment.head.hash},
            "rows_sha256": stamp.rows_sha256,
            "facts": [
                {"name": json_cell(fact.name), "value": json_cell(fact.value)}
                for fact in report.facts
            ],
            "tables": json_tables(report),
            "charts": [
                {
                    "kind": chart.kind.value,
                    "title": json_cell(chart.title),
                    "table": chart.table,
                    "labels": chart.labels,
                    "values": list(chart.values),
                }
                for chart in report.charts
            ],
        }
    )


def table_csv(report: Report, table: Table, stamp: Stamp, language: Language) -> bytes:
    """Write one table as CSV; stamp and definition stand in every row, so none gets lost.

    ``row`` is "row", "total", or "none" in the only line of a table without rows. Numbers have
    no commas, times are ISO 8601 in JST, a missing value is an empty cell.
    """
    head: tuple[Cell, ...] = (
        stamp.site_kind,
        stamp.centre,
        _plain(stamp.moment.at, Kind.MOMENT, language),
        stamp.moment.head.seq,
        stamp.moment.head.hash,
        stamp.rows_sha256,
        report.name,
        table.key,
        table.definition.within(language),
    )
    lines = [(*head, "row", *_cells(table.columns, row, language)) for row in table.rows]
    if not lines:
        lines = [(*head, "none", *[None] * len(table.columns), None)]
    if table.total:
        lines.append((*head, "total", *_cells(table.columns, table.total, language)))
    return csv_bytes((*STAMP_COLUMNS, *(column.key for column in table.columns), "mark"), lines)


def _cells(columns: tuple[Column, ...], row: Row, language: Language) -> tuple[Cell, ...]:
    values = zip(columns, row.values, strict=True)
    cells = (_plain(value, column.kind, language) for column, value in values)
    return (*cells, mark_text(row, language))


def _plain(value: Value | Text, kind: Kind, language: Language) -> Cell:
    if isinstance(value, int | Decimal):
        return fixed(value, kind)
    if isinstance(value, datetime):
        return jst(value).isoformat(timespec="seconds")
    if isinstance(value, Text | date):
        return cell_text(value, kind, language)
    return value
