"""``hpki report``: reports for the board and reviewers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.reporting import Builder, Wish
    from reports.board.counts import Question
    from reports.board.population import Population

app = typer.Typer(help="Reports.")


class Lang(StrEnum):
    """What a report is written in."""

    ja = "ja"
    en = "en"


Out = Annotated[Path | None, typer.Option(help="Folder to write to; the site's reports/ if none.")]
AsOf = Annotated[
    str | None,
    typer.Option(
        help="Japan's day, which means its end, or an RFC 3339 moment; now if none.",
        metavar="DAY|MOMENT",
    ),
]
Language = Annotated[Lang, typer.Option("--lang", help="Language of the report.")]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Some of html,pdf,xlsx,csv,json, or all; all but pdf if none.",
        metavar="LIST",
    ),
]


@app.callback()
def group() -> None:
    """Make reports."""


@app.command("list")
def list_reports(as_json: options.Json = False) -> None:
    """List the reports: name, title, what each takes.

    Example: hpki report list
    """
    from cli.output import show_rows
    from cli.reporting import REPORTS
    from reports.tables import Language as Written

    language = Written(options.current.lang)
    rows = [
        {
            "name": one.name,
            "title": one.title.within(language),
            "takes": one.takes.within(language),
            "monthly": one.monthly is not None,
        }
        for one in REPORTS
    ]
    show_rows(rows, ("name", "title", "takes", "monthly"), as_json=as_json)


@app.command()
def monthly(
    month: Annotated[str, typer.Option(help="The month.", metavar="YYYY-MM", show_default=False)],
    out: Out = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
) -> None:
    """Write all monthly reports and an index page into a folder.

    As of the end of the month, or as of now in the month that still runs.

    Example: hpki report monthly --month 2026-10 --out board
    """
    from cli.reporting import read_month, write_month

    first_day, wish = read_month(month), wish_of(None, lang, formats, out)
    for path in write_month(options.services(), first_day, wish):
        typer.echo(path, err=True)


class Measured(StrEnum):
    """What the board's tables count."""

    cards = "cards"
    holders = "holders"
    applications = "applications"


class Placed(StrEnum):
    """By which place."""

    work = "work"
    residence = "residence"
    association = "association"
    municipality = "municipality"


MeasureOption = Annotated[
    Measured,
    typer.Option(
        help="Cards ever issued (累計発行), holders of a valid one (有効保有者), or applications."
    ),
]
PlaceOption = Annotated[Placed, typer.Option(help="By which place.")]
ProfessionOption = Annotated[
    str, typer.Option(help="Its Japanese name, or all; rates are those of one profession.")
]
PrefectureOption = Annotated[
    str | None,
    typer.Option(help="Code of the prefecture whose municipalities are wanted.", metavar="CODE"),
]
Since = Annotated[str, typer.Option("--from", help="First day in Japan.", metavar="DAY")]
Until = Annotated[str, typer.Option("--to", help="Last day in Japan.", metavar="DAY")]


@app.command()
def prefectures(
    measure: MeasureOption = Measured.cards,
    place: PlaceOption = Placed.work,
    profession: ProfessionOption = "医師",
    prefecture: PrefectureOption = None,
    population: Annotated[
        Path | None, typer.Option(help="CSV with populations to divide by, before those shipped.")
    ] = None,
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Rank prefectures by cards, holders or applications (発行数順位表).

    Writes the table with rates, a tile map and bars; prints the first ten.

    Example: hpki report prefectures --measure holders --as-of 2026-10-31 --out reports
    """
    from cli.output import read_input
    from reports.board.population import MOST_OCTETS, read_populations
    from reports.board.prefectures import ranking

    question = _question(measure, place, profession, prefecture)
    own: tuple[Population, ...] = ()
    if population is not None:
        octets = read_input(population, MOST_OCTETS, "reports.population")
        own = read_populations(octets, population.name)
    wish = wish_of(as_of, lang, formats, out)
    _write(lambda _, tx, at: ranking(tx, at, question, own), wish, as_json=as_json)


@app.command()
def trend(
    days: Annotated[
        str, typer.Option(help="Days in Japan, with commas; --as-of is the last one.")
    ] = "",
    measure: MeasureOption = Measured.cards,
    place: PlaceOption = Placed.work,
    profession: ProfessionOption = "医師",
    prefecture: PrefectureOption = None,
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Show counts at chosen days, and the growth (発行推移表).

    Example: hpki report trend --days 2026-08-31,2026-09-30 --as-of 2026-10-31
    """
    from cli.reporting import read_day, trend_of

    question = _question(measure, place, profession, prefecture)
    wanted = [read_day(one.strip()) for one in days.split(",") if one.strip()]
    _write(trend_of(question, wanted), wish_of(as_of, lang, formats, out), as_json=as_json)


@app.command()
def applications(
    since: Annotated[
        str | None, typer.Option(help="First month; that of the first application if none.")
    ] = None,
    profession: ProfessionOption = "all",
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Show applications by month and in all (申請数の推移).

    Example: hpki report applications --since 2026-04
    """
    from cli.reporting import read_month
    from reports.board.applications import applications_by_month

    first = read_month(since) if since is not None else None
    whose = _profession(profession)
    wish = wish_of(as_of, lang, formats, out)
    _write(lambda _, tx, at: applications_by_month(tx, at, whose, first), wish, as_json=as_json)


@app.command()
def operations(
    since: Since,
    until: Until,
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Show stock, expiry, revocations, the RA's work and lists.

    Example: hpki report operations --from 2026-10-01 --to 2026-10-31
    """
    from cli.reporting import operations_of, read_period

    build = operations_of(read_period(since, until))
    _write(build, wish_of(as_of, lang, formats, out), as_json=as_json)


@app.command()
def separation(
    since: Since,
    until: Until,
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Prove who did what for every certificate (職務分掌).

    Whoever did two things that one person may not do is flagged.

    Example: hpki report separation --from 2026-10-01 --to 2026-10-31
    """
    from cli.reporting import read_period, separation_of

    build = separation_of(read_period(since, until))
    _write(build, wish_of(as_of, lang, formats, out), as_json=as_json)


@app.command()
def dashboard(
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Show a month on one page, beside the one before.

    Example: hpki report dashboard --as-of 2026-10-31 --format pdf
    """
    from reports.dashboard import dashboard_report

    wish = wish_of(as_of, lang, formats, out)
    _write(
        lambda services, tx, at: dashboard_report(tx, at, services.parameters),
        wish,
        as_json=as_json,
    )


def _question(
    measure: Measured, place: Placed, profession: str, prefecture: str | None
) -> Question:
    from reports.board.counts import Measure, Question
    from reports.board.places import Place

    whose = _profession(profession)
    return Question(Measure(measure.value), Place(place.value), whose, prefecture)


def _profession(name: str) -> str | None:
    return None if name == "all" else name


def _write(build: Builder, wish: Wish, *, as_json: bool) -> None:
    """Write the report's files, and print the first rows of its first table."""
    from cli.output import show_rows
    from cli.reporting import first_rows, write_report
    from reports.tables import Language as Written

    report, paths = write_report(options.services(), build, wish)
    language, columns = Written(options.current.lang), report.tables[0].columns
    show_rows(
        first_rows(report, language),
        [one.key for one in columns],
        as_json=as_json,
        titles=[one.title.within(language) for one in columns],
    )
    for path in paths:
        typer.echo(path, err=True)


def wish_of(as_of: str | None, lang: Lang, formats: str | None, out: Path | None) -> Wish:
    """Return what the options of a report ask for; raises ``InvalidInput``."""
    from cli.reporting import USUAL, Wish, read_formats, read_moment
    from reports.tables import Language as Written

    moment = read_moment(as_of) if as_of is not None else None
    chosen = read_formats(formats) if formats is not None else USUAL
    return Wish(moment, Written(lang.value), chosen, out)
