"""``hpki report``: reports for the board and reviewers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.reporting import Wish

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


@app.command()
def prefectures(
    out: Out = None,
    as_of: AsOf = None,
    lang: Language = Lang.ja,
    formats: Formats = None,
    as_json: options.Json = False,
) -> None:
    """Report cards issued by prefecture.

    Writes the table by rank with a tile map and bars; prints the first ten.

    Example: hpki report prefectures --as-of 2016-08-31 --out reports
    """
    from cli.output import show_rows
    from cli.reporting import write_report
    from reports.cells import cell_text
    from reports.prefecture_tables import cards_report
    from reports.tables import Kind
    from reports.tables import Language as Written

    wish = wish_of(as_of, lang, formats, out)
    report, paths = write_report(options.services(), cards_report, wish)
    table = report.table("prefectures")
    place = table.place
    rows = [
        {
            "prefecture": cell_text(row.values[place("prefecture")], Kind.WORDS, Written.JAPANESE),
            "cards": row.values[place("cards")],
            "rate": row.values[place("rate_percent")],
        }
        for row in table.rows[:10]
    ]
    show_rows(rows, ("prefecture", "cards", "rate"), as_json=as_json)
    for path in paths:
        typer.echo(path, err=True)


def wish_of(as_of: str | None, lang: Lang, formats: str | None, out: Path | None) -> Wish:
    """Return what the options of a report ask for; raises ``InvalidInput``."""
    from cli.reporting import USUAL, Wish, read_formats, read_moment
    from reports.tables import Language as Written

    moment = read_moment(as_of) if as_of is not None else None
    chosen = read_formats(formats) if formats is not None else USUAL
    return Wish(moment, Written(lang.value), chosen, out)
