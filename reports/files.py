"""Any report as files: which there are, how they are named, what they hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum

from reports.page import report_html
from reports.pdf import pdf_of
from reports.plain import report_json, table_csv
from reports.stamp import Stamp
from reports.tables import Language, Report
from reports.workbook import report_xlsx


class Format(StrEnum):
    """How a report is written; the value is the ending of the file's name."""

    HTML = "html"
    PDF = "pdf"
    XLSX = "xlsx"
    CSV = "csv"
    JSON = "json"


def file_count(report: Report, formats: Collection[Format]) -> int:
    """Return how many files ``report_files`` makes."""
    return sum(len(report.tables) if one is Format.CSV else 1 for one in set(formats))


def report_files(
    report: Report, stamp: Stamp, language: Language, formats: Collection[Format]
) -> Iterator[tuple[str, bytes]]:
    """Yield name and octets of each file, made one after the other.

    The name is ``NAME-YYYY-MM-DD.ending``. CSV holds one table, so a report of several has a
    ``NAME-YYYY-MM-DD-TABLE.csv`` for each. Raises ``Unavailable`` for a PDF without WeasyPrint.
    """
    stem = f"{report.name}-{stamp.moment.day}"
    page = report_html(report, stamp, language) if {Format.HTML, Format.PDF} & set(formats) else b""
    for wanted in Format:
        if wanted not in formats:
            continue
        if wanted is Format.CSV:
            for table in report.tables:
                part = f"-{table.key}" if len(report.tables) > 1 else ""
                yield f"{stem}{part}.csv", table_csv(report, table, stamp, language)
        elif wanted is Format.HTML:
            yield f"{stem}.html", page
        elif wanted is Format.PDF:
            yield f"{stem}.pdf", pdf_of(page)
        elif wanted is Format.XLSX:
            yield f"{stem}.xlsx", report_xlsx(report, stamp, language)
        else:
            yield f"{stem}.json", report_json(report, stamp)
