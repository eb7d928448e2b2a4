"""Entry point: assembles the commands, and turns errors into one line and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, cast

import typer

from cli import options
from cli.commands import (
    authorities,
    card,
    card_check,
    card_papers,
    card_read,
    cert,
    config,
    demo,
    documents,
    engagement,
    evidence,
    exchange,
    followup,
    init,
    lint,
    list_evidence,
    lists,
    papers,
    registration,
    report,
    repository,
    revoke,
    serve,
    staff,
    trail,
    worklist,
)

_USAGE_ERROR = typer.BadParameter.__mro__[1]  # not exported by its own name
_INTERRUPTED = 130
_CLOSED_PIPE = 141

app = typer.Typer(
    name="hpki",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("init")(init.init)
app.command("demo")(demo.demo)
app.command("revoke")(revoke.revoke)
app.command("lint")(lint.lint)
app.command("serve")(serve.serve)
trail.app.add_typer(evidence.app)
report.app.add_typer(engagement.reports)
card.app.add_typer(card_papers.app)
card.app.add_typer(card_check.app)
card.app.add_typer(card_read.app)
lists.app.add_typer(list_evidence.app)
registration.app.add_typer(followup.app)
registration.app.add_typer(papers.app)
registration.app.add_typer(worklist.app)
registration.app.add_typer(documents.app, name="document", no_args_is_help=True)
for name, group in (
    ("ca", authorities.app),
    ("operator", staff.app),
    ("ra", registration.app),
    ("cert", cert.app),
    ("card", card.app),
    ("crl", lists.app),
    ("repository", repository.app),
    ("report", report.app),
    ("audit", trail.app),
    ("engagement", engagement.app),
    ("exchange", exchange.app),
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
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Certification centre for Japan's healthcare PKI: CA, RA, lists, cards, reports.

    Data goes to stdout in UTF-8, everything else to stderr. Exit status: 0 done, 2 bad input,
    3 refused by a rule, 4 not found, 5 conflict with what is there, 6 not available now,
    130 interrupted, 141 nobody reads the output, 1 a bug.

    Example: hpki --site demo-site --lang ja ra list
    """
    if lang not in ("", "ja", "en"):
        raise typer.BadParameter(f"{lang!r} is neither ja nor en", param_hint="'--lang'")
    options.current.site = site
    options.current.lang = lang or _locale_language()


def _locale_language() -> str:
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "ja" if next((name for name in names if name), "").startswith("ja") else "en"


@cache
def command() -> Callable[..., object]:
    """Return the whole command line, put together once."""
    return typer.main.get_command(app)


def run() -> None:
    """Run the command line and exit with its status."""
    os.umask(0o077)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(_status())


def _status() -> int:
    if any("\udc80" <= character <= "\udcff" for part in sys.argv for character in part):
        sys.stderr.write(
            "error cli.usage: an argument is not UTF-8\nhint Type it in a UTF-8 terminal.\n"
        )
        return 2
    try:
        status = command()(standalone_mode=False)
    except SystemExit:  # how typer and rich take a pipe that nobody reads
        _drop_output()
        return _CLOSED_PIPE
    except Exception as error:
        return _told(error)
    if status == _INTERRUPTED:
        sys.stderr.write("interrupted; what was begun can be taken up again\n")
    return status if isinstance(status, int) else 0


def _told(error: Exception) -> int:
    """Say what went wrong, and return the exit status."""
    from cli.output import show_error
    from pki.errors import HpkiError, InvalidInput, Refused

    if isinstance(error, typer.Abort):
        error = Refused("cli.prompt.end", "the input ended before the answer; nothing was done")
    elif isinstance(error, _USAGE_ERROR):
        usage = cast(typer.BadParameter, error)
        text = usage.format_message()
        if "\n" in text:  # a group without a command: its help
            sys.stderr.write(f"{text}\n")
            return InvalidInput.exit_status
        path = usage.ctx.command_path if usage.ctx else "hpki"
        error = InvalidInput("cli.usage", text, f"See `{path} --help`.")
    if isinstance(error, HpkiError):
        show_error(error)
        _drop_output()
        return error.exit_status
    _report_bug(error)
    return 1


def _drop_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter ends in silence."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


def _report_bug(error: Exception) -> None:
    """Say in one line that it is our fault, and keep the traceback in the site's log."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    hint = f"It happened at {frame.filename}:{frame.lineno}; please report it."
    log = options.current.site / "hpki.log"
    if log.parent.joinpath("hpki.toml").exists():
        try:
            with log.open("a", encoding="utf-8") as file:
                traceback.print_exception(error, file=file)
            hint = f"The traceback is in {log}; please report it."
        except OSError:
            pass  # the line on stderr still says where
    sys.stderr.write(f"error bug: {type(error).__name__} in hpki\nhint {hint}\n")
