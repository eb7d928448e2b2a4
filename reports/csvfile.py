"""CSV that spreadsheets open rightly and safely."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from reports.imprint import Imprint, jst
from reports.prefectures import OVERSEAS, PrefectureReport

Cell = str | int | Decimal | None

# The full-width signs start a formula too in Japanese spreadsheets.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

PREFECTURE_COLUMNS = (
    "site_kind",
    "centre",
    "as_of",
    "made_at",
    "measure",
    "row",
    "code",
    "name_ja",
    "name_en",
    "physicians",
    "cards",
    "doctor_cards",
    "rate_percent",
    "rank",
    "rate_rank",
    "mark",
)


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Write UTF-8 with a byte order mark (Excel needs it) and CRLF; None is an empty cell.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    Source: RFC 4180 for the form; OWASP "CSV Injection" for the escape.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def prefectures_csv(report: PrefectureReport, imprint: Imprint) -> bytes:
    """Write the report as CSV: 47 prefectures by code, overseas, total.

    ``row`` is "prefecture", "overseas" or "total"; every row repeats the kind of site, the
    date, the time of making (JST, ISO 8601) and the definition, so none can be lost in a copy.
    """
    head: tuple[Cell, ...] = (
        imprint.site_kind,
        imprint.centre,
        report.as_of.isoformat(),
        jst(imprint.made_at).isoformat(timespec="seconds"),
        report.measure,
    )
    rows: list[tuple[Cell, ...]] = [
        (
            *head,
            "prefecture",
            row.prefecture.code,
            row.prefecture.name_ja,
            row.prefecture.name_en,
            row.prefecture.physicians,
            row.cards,
            row.doctor_cards,
            row.rate,
            row.rank,
            row.rate_rank,
            row.mark,
        )
        for row in report.rows
    ]
    return csv_bytes(PREFECTURE_COLUMNS, [*rows, *((*head, *row) for row in _last_rows(report))])


def _last_rows(report: PrefectureReport) -> tuple[tuple[Cell, ...], ...]:
    """Make the rows of overseas and of the total, from the column ``row`` on."""
    abroad, total = report.overseas, report.total
    return (
        ("overseas", OVERSEAS, "海外", "Overseas", None, abroad.cards, abroad.doctor_cards)
        + (None, abroad.rank, None, None),
        ("total", None, "合計", "Total", total.physicians, total.cards, total.doctor_cards)
        + (total.rate, None, None, None),
    )


def _cell(value: Cell) -> str:
    """Write one value; only text can need the escape."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return str(value)
