"""Reports written to files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from cli.output import write_output
from cli.transcripts import imprint
from cli.wiring import Services, now
from pki.errors import InvalidInput
from pki.validity import japan_date
from reports.csvfile import prefectures_csv
from reports.issuance import MEASURE, cards_by_prefecture
from reports.jsonfile import prefectures_json
from reports.prefectures import PrefectureReport, prefecture_report
from reports.render import prefectures_html

_EARLIEST = date(2000, 1, 1)


def report_prefectures(
    services: Services, as_of: date | None, folder: Path | None
) -> tuple[PrefectureReport, list[Path]]:
    """Write the report of cards by prefecture as HTML, CSV and JSON, replacing the day's own."""
    today = japan_date(now())
    day = as_of or today
    if not _EARLIEST <= day <= today:
        raise InvalidInput(
            "reports.as_of",
            f"{day} is not a day that a report can be made for",
            f"Give a day from {_EARLIEST} to {today}.",
        )
    with services.store.read() as tx:
        counts = cards_by_prefecture(tx, day)
    report = prefecture_report(counts, day, MEASURE)
    stamp = imprint(services)
    target = folder or services.site.path("reports")
    paths = [target / f"prefectures-{day}.{ending}" for ending in ("html", "csv", "json")]
    for path, octets in zip(
        paths,
        (
            prefectures_html(report, stamp),
            prefectures_csv(report, stamp),
            prefectures_json(report, stamp),
        ),
        strict=True,
    ):
        write_output(path, octets, replace=True)
    return report, paths
