"""Reports written to files: which there are, for which moment, in which forms."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from audit import records as audit_records
from cli.output import write_output
from cli.progress import bars
from cli.wiring import Services, now
from pki.errors import InvalidInput
from pki.validity import japan_date, start_of_day, whole_seconds
from reports.board.applications import applications_by_month
from reports.board.counts import Measure, Question
from reports.board.prefectures import ranking, trend
from reports.cells import cell_text
from reports.dashboard import dashboard_report
from reports.files import Format, file_count, report_files
from reports.index_page import IndexEntry, index_file, index_html
from reports.moment import Moment, moment
from reports.operations import operations_report
from reports.period import Period, month_before, month_of
from reports.separation import separation_report
from reports.stamp import stamp_of
from reports.tables import Language, Report, Text
from store.database import Transaction

Builder = Callable[[Services, Transaction, Moment], Report]
"""Computes a report as of a moment; a report of a month takes the one of ``moment.day``."""

DOCTORS = "医師"
_TREND_MONTHS = 6
_YEARS = range(1950, 3000)

USUAL = (Format.HTML, Format.XLSX, Format.CSV, Format.JSON)
"""What is written unless a format is asked for: all that needs no extra."""


@dataclass(frozen=True)
class Registered:
    """A report that ``hpki report`` makes; one with ``monthly`` belongs to the monthly set."""

    name: str
    title: Text
    takes: Text
    monthly: Builder | None = None


def operations_of(period: Period) -> Builder:
    """Return what computes the operations of a period."""
    return lambda services, tx, at: operations_report(tx, at, period, services.parameters)


def separation_of(period: Period) -> Builder:
    """Return what computes the separation of duties over a period, with progress."""

    def build(services: Services, tx: Transaction, at: Moment) -> Report:
        with bars() as shown:
            task = shown.start("certificates", 0)
            return separation_report(
                tx,
                at,
                period,
                services.directory,
                services.peers,
                lambda done, total: shown.reach(task, done, total),
            )

    return build


def trend_of(question: Question, days: Sequence[date]) -> Builder:
    """Return what computes the trend over the ends of days, the moment's being the last of them."""

    def build(_: Services, tx: Transaction, at: Moment) -> Report:
        if any(day > at.day for day in days):
            raise InvalidInput(
                "reports.days",
                f"{max(days)} is later than the last day, {at.day}",
                "Leave it out, or give a later --as-of.",
            )
        ends = (start_of_day(day + timedelta(days=1)) for day in days if day < at.day)
        past = [moment(tx, end, at.at) for end in ends]
        return trend(tx, [*past, at], question)

    return build


def _trend(services: Services, tx: Transaction, at: Moment) -> Report:
    """Compute the trend over the months of the site's life before the moment, at most six."""
    born = services.trail.page(0, 1)[0].at
    months = [month_before(at.day, count) for count in reversed(range(_TREND_MONTHS - 1))]
    days = [one - timedelta(days=1) for one in months if start_of_day(one) > born]
    return trend_of(Question(Measure.CARDS, profession=DOCTORS), days)(services, tx, at)


_MOMENT = Text("基準日時", "a moment")
_PERIOD = Text("期間、基準日時", "a period, a moment")
_QUESTION = Text("指標、区分、資格、基準日時", "measure, place, profession, a moment")
REPORTS = (
    Registered(
        "dashboard",
        Text("月次ダッシュボード", "The month on one page"),
        _MOMENT,
        lambda services, tx, at: dashboard_report(tx, at, services.parameters),
    ),
    Registered(
        "prefectures",
        Text("発行数順位表", "Cards by prefecture, ranked"),
        _QUESTION,
        lambda _, tx, at: ranking(tx, at, Question(Measure.CARDS, profession=DOCTORS)),
    ),
    Registered("trend", Text("発行推移表", "Cards over time"), _QUESTION, _trend),
    Registered(
        "applications",
        Text("申請数の推移", "Applications by month"),
        _MOMENT,
        lambda _, tx, at: applications_by_month(tx, at),
    ),
    Registered(
        "operations",
        Text("業務統計", "Operations"),
        _PERIOD,
        lambda services, tx, at: operations_of(month_of(at.day))(services, tx, at),
    ),
    Registered(
        "separation",
        Text("職務分掌", "Separation of duties"),
        _PERIOD,
        lambda services, tx, at: separation_of(month_of(at.day))(services, tx, at),
    ),
    Registered("compliance", Text("準拠性監査報告書", "Compliance audit"), _PERIOD),
)
"""Every report, in the order of lists and of the monthly index."""


@dataclass(frozen=True)
class Wish:
    """What a command line asks of any report; None is now, or the site's ``reports/``."""

    as_of: datetime | None
    language: Language
    formats: Sequence[Format]
    out: Path | None


def write_report(services: Services, build: Builder, wish: Wish) -> tuple[Report, list[Path]]:
    """Compute a report and write its files, replacing those of the same day."""
    at = wish.as_of or present(services)
    with services.store.read() as tx:
        as_of = moment(tx, at, now())
        report = build(services, tx, as_of)
    return report, write_made(services, report, as_of, wish)


def write_made(services: Services, report: Report, as_of: Moment, wish: Wish) -> list[Path]:
    """Write the files of a report, replacing those of the same day."""
    folder = wish.out or services.site.path("reports")
    entry = _write(services, report, as_of, wish, folder)
    return [folder / file.name for file in entry.files]


def write_month(services: Services, month: date, wish: Wish) -> list[Path]:
    """Write all monthly reports as of the end of a month, or now in it, and their index."""
    end = start_of_day((month + timedelta(days=31)).replace(day=1))
    at = min(end, present(services)) if month <= japan_date(now()) else end
    name = f"{month:%Y-%m}"
    folder = wish.out or services.site.path("reports") / name
    builders = [one.monthly for one in REPORTS if one.monthly]
    entries = []
    with services.store.read() as tx, bars() as shown:
        as_of = moment(tx, at, now())
        for build in shown.track(builders, len(builders), f"reports {name}"):
            entries.append(_write(services, build(services, tx, as_of), as_of, wish, folder))
    index = folder / "index.html"
    write_output(index, index_html(entries, name, wish.language), replace=True)
    return [*(folder / file.name for entry in entries for file in entry.files), index]


def _write(
    services: Services, report: Report, as_of: Moment, wish: Wish, folder: Path
) -> IndexEntry:
    stamp = stamp_of(report, str(services.kind), services.site.settings.centre.name, as_of)
    files = []
    with bars() as shown:
        made = report_files(report, stamp, wish.language, wish.formats)
        for name, content in shown.track(made, file_count(report, wish.formats), report.name):
            write_output(folder / name, content, replace=True)
            files.append(index_file(name, content))
    return IndexEntry(report, stamp, tuple(files))


def present(services: Services) -> datetime:
    """Return this second, or the next after waiting for it if the trail has an entry of this one.

    A report knows the entries before its moment: made so, what was just done is in it, and the
    same moment given later finds the same entries.
    """
    at = whole_seconds(now())
    with services.store.read() as tx:
        head = audit_records.head(tx)
        newest = audit_records.time_of(tx, head.seq) if head else None
    if newest is None or whole_seconds(newest) != at:
        return at
    at += timedelta(seconds=1)
    while (left := (at - now()).total_seconds()) > 0:
        time.sleep(left)
    return at


def read_moment(text: str) -> datetime | None:
    """Return the moment that ``--as-of`` names: the end of Japan's day, or an RFC 3339 moment.

    None for today, whose end is still to come. Raises ``InvalidInput`` for anything else.
    """
    if (day := _day(text)) is not None:
        return None if day == japan_date(now()) else start_of_day(day + timedelta(days=1))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.utcoffset() is None or at.microsecond or at.year not in _YEARS:
        raise InvalidInput(
            "reports.as_of",
            f"{text!r} is neither a day nor a moment with its zone",
            "Give 2016-08-31, the end of that day in Japan, or 2016-08-31T15:00:00+09:00.",
        )
    return at


def read_month(text: str) -> date:
    """Return the first day of ``2026-10``; raises ``InvalidInput``."""
    if (first := _day(f"{text}-01")) is None:
        raise InvalidInput("reports.month", f"{text!r} is not a month", "Give it as 2026-10.")
    return first


def read_formats(text: str) -> tuple[Format, ...]:
    """Return the formats of a list with commas, or of "all"; raises ``InvalidInput``."""
    if text == "all":
        return tuple(Format)
    try:
        return tuple(Format(one.strip()) for one in text.split(","))
    except ValueError as error:
        raise InvalidInput(
            "reports.format", str(error), "Give some of html,pdf,xlsx,csv,json, or all."
        ) from None


def read_day(text: str) -> date:
    """Return the day of ``2016-08-31``; raises ``InvalidInput``."""
    if (day := _day(text)) is None:
        raise InvalidInput("reports.day", f"{text!r} is not a day", "Give it as 2026-10-31.")
    return day


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text and day.year in _YEARS else None


def read_period(since: str, until: str) -> Period:
    """Return the days from one to the other; raises ``InvalidInput``."""
    return Period(read_day(since), read_day(until))


def first_rows(report: Report, language: Language) -> list[dict[str, object]]:
    """Return the first ten rows of the first table, by the keys of its columns."""
    table = report.tables[0]
    return [
        {
            column.key: value
            if value is None or isinstance(value, int)
            else cell_text(value, column.kind, language)
            for column, value in zip(table.columns, row.values, strict=True)
        }
        for row in table.rows[:10]
    ]
