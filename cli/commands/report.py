"""``hpki report``: reports for the board and reviewers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import options

app = typer.Typer(help="Reports.")


@app.callback()
def group() -> None:
    """Make reports."""


@app.command()
def prefectures(
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; the site's reports/ if none.")
    ] = None,
    as_of: Annotated[
        datetime | None, typer.Option(help="Japan's day, today if none.", formats=["%Y-%m-%d"])
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Report cards issued by prefecture.

    Writes HTML with a tile map and bars, CSV and JSON; prints the first ten.

    Example: hpki report prefectures --out reports
    """
    from cli.output import show_rows
    from cli.reporting import report_prefectures

    services = options.services()
    report, paths = report_prefectures(services, as_of.date() if as_of else None, out)
    rows = [
        {
            "prefecture": row.prefecture.name_ja,
            "cards": row.cards,
            "rate": str(row.rate) if row.rate is not None else None,
        }
        for row in report.ranked[:10]
    ]
    show_rows(rows, ("prefecture", "cards", "rate"), as_json=as_json)
    for path in paths:
        typer.echo(path, err=True)
