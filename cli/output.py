"""What commands print: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from cli.options import current
from cli.words import heading
from pki.errors import Conflict, HpkiError, InvalidInput, Refused, Unavailable
from pki.validity import JST, rfc3339
from policies.site import SiteKind

Row = Mapping[str, Any]

_BANNER_STYLE = {SiteKind.TRAINING: "bold white on dark_orange3", SiteKind.TRIAL: "bold on purple"}


def stdout() -> Console:
    """Return the console for data."""
    return Console(file=sys.stdout, soft_wrap=True)


def stderr() -> Console:
    """Return the console for everything that is not data."""
    return Console(file=sys.stderr, soft_wrap=True, highlight=False)


def show_banner(kind: SiteKind) -> None:
    """Say on stderr that this is no production site."""
    if kind.banner is not None:
        console = stderr()
        line = f" {kind.banner} — 実在の証明書ではありません / not for real use "
        console.print(Text(line, style=_BANNER_STYLE[kind]), soft_wrap=True)


def show_rows(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as a table with the columns given, or whole as a JSON list."""
    if as_json:
        show_json(rows)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(heading(name, current.lang), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    width = None if sys.stdout.isatty() else 400
    Console(file=sys.stdout, width=width).print(table)


def show_record(row: Row, *, as_json: bool) -> None:
    """Print one thing as lines of name and value, or as a JSON object."""
    if as_json:
        show_json(row)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in row.items():
        table.add_row(Text(heading(name, current.lang), style="bold"), Text(_cell(value)))
    width = None if sys.stdout.isatty() else 400
    Console(file=sys.stdout, width=width).print(table)


def show_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n")


def say(text: str, style: str = "") -> None:
    """Print a line for people on stderr."""
    stderr().print(Text(text, style=style))


def show_error(error: HpkiError) -> None:
    """Print an error as one line with its code, and its hint and findings below."""
    console = stderr()
    console.print(Text.assemble(("error ", "bold red"), f"{error.code}: {_line(error.text)}"))
    for finding in error.findings if isinstance(error, Refused) else ():
        console.print(Text(f"  {finding.severity} {finding.code}: {finding.message}"))
    if error.hint:
        console.print(Text.assemble(("hint ", "bold"), _line(error.hint)))


def confirm(question: str, yes: bool) -> None:
    """Ask before a big change; raises ``Refused`` for a no, or without terminal and --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("cli.confirm", question, "Answer with --yes.")
    stderr().print(Text(f"{question} [y/N] "), end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("cli.confirm", "nothing was done")


def confirm_digits(wanted: str, given: str | None) -> None:
    """Want the digits typed that name who is hit; raises ``Refused`` for any others."""
    if given is None:
        if not sys.stdin.isatty():
            raise Refused(
                "cli.confirm.digits",
                "this cannot be undone; nothing was done",
                "Give the licence's last four digits, else the card number's, for several cards "
                "their count: --confirm DIGITS.",
            )
        stderr().print(Text("Last four digits of the licence (or the count): "), end="")
        given = sys.stdin.readline().strip()
    if not secrets.compare_digest(given.encode(), wanted.encode()):
        raise Refused("cli.confirm.digits", "the digits do not fit; nothing was done")


def jst(moment: datetime | None) -> str:
    """Return an aware moment as people see it: ``2026-11-21 12:00 JST``."""
    return moment.astimezone(JST).strftime("%Y-%m-%d %H:%M JST") if moment is not None else ""


def read_input(path: Path, max_octets: int, code: str) -> bytes:
    """Return a file's octets, refusing a larger one before it is read."""
    try:
        if path.stat().st_size > max_octets:
            raise InvalidInput(
                code,
                f"{path} has {path.stat().st_size} octets, at most {max_octets} are read",
                "Split the file.",
            )
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            "cli.file.read", f"{path} cannot be read: {error.strerror}", "Check the path."
        ) from None


def write_output(path: Path, octets: bytes, *, replace: bool = False) -> None:
    """Write a whole file (0600) or none; an existing one stays unless ``replace``."""
    if path.exists() and not replace:
        raise Conflict(
            "cli.file.exists", f"{path} exists", "Name another file, or remove it first."
        )
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable("cli.file.write", f"{path} cannot be written: {error.strerror}") from None


class Bars:
    """Progress bars on stderr; they stay silent where stderr is no terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def track(self, items: Iterable[Any], total: int, text: str) -> Iterator[Any]:
        """Yield the items and move a bar."""
        task = self._progress.add_task(text, total=total)
        for item in items:
            yield item
            self._progress.advance(task)

    def start(self, text: str, total: int) -> TaskID:
        """Open a bar."""
        return self._progress.add_task(text, total=total)

    def advance(self, task: TaskID) -> None:
        """Move a bar by one."""
        self._progress.advance(task)


@contextmanager
def bars() -> Iterator[Bars]:
    """Show progress bars while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr(), disable=not sys.stderr.isatty()) as progress:
        yield Bars(progress)


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return jst(value)
    if isinstance(value, list | tuple | frozenset | set):
        return ", ".join(str(item) for item in value)
    return str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)
