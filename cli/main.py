"""Entry point: assembles the commands, and turns errors into one line and an exit status."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.commands import (
    audit,
    ca,
    card,
    cert,
    config,
    crl,
    demo,
    init,
    operator,
    ra,
    report,
    revoke,
)

app = typer.Typer(
    name="hpki",
    help="Certification centre for Japan's healthcare PKI: CA, RA, lists, cards, reports.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("init")(init.init)
app.command("demo")(demo.demo)
app.command("revoke")(revoke.revoke)
for name, group in (
    ("ca", ca.app),
    ("operator", operator.app),
    ("ra", ra.app),
    ("cert", cert.app),
    ("card", card.app),
    ("crl", crl.app),
    ("report", report.app),
    ("audit", audit.app),
    ("config", config.app),
):
    app.add_typer(group, name=name, no_args_is_help=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hpki {version('hpki-ca')}")
        raise typer.Exit


@app.callback()
def main(
    site: Annotated[
        Path, typer.Option("--site", envvar="HPKI_SITE", help="The site folder.")
    ] = Path("."),
    lang: Annotated[
        str, typer.Option("--lang", help="Language of headings: ja or en.", show_default="locale")
    ] = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Certification centre for Japan's healthcare PKI: CA, RA, lists, cards, reports."""
    options.current.site = site
    options.current.lang = lang or _locale_language()


def _locale_language() -> str:
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "ja" if next((name for name in names if name), "").startswith("ja") else "en"


def run() -> None:
    """Run the command line."""
    os.umask(0o077)
    from pki.errors import HpkiError

    try:
        app()
    except HpkiError as error:
        from cli.output import show_error

        show_error(error)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was begun can be taken up again\n")
        sys.exit(130)
    except Exception as error:
        _report_bug(error)
        sys.exit(1)


def _report_bug(error: Exception) -> None:
    """Say in one line that it is our fault, and keep the traceback in the site's log."""
    import traceback

    log = options.current.site / "hpki.log"
    place = ""
    if log.parent.joinpath("hpki.toml").exists():
        with log.open("a") as file:
            traceback.print_exception(error, file=file)
        place = f", the traceback is in {log}"
    sys.stderr.write(f"error bug: {type(error).__name__} in hpki{place}; please report it\n")
    if not place:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        sys.stderr.write(f"hint It happened at {frame.filename}:{frame.lineno}\n")
