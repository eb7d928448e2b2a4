"""What commands print: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.options import current
from cli.tables import show_table, sound, write_stdout
from cli.words import HINTS, heading, phrase
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused, Unavailable
from pki.validity import JST, japan_date, rfc3339
from policies.site import SiteKind
from store.files import write_whole

Row = Mapping[str, Any]

_DAYS = ("not_before", "not_after")
"""Columns that a day is enough for: certificates follow Japan's day."""

_BANNER_STYLE = {SiteKind.TRAINING: "bold white on dark_orange3", SiteKind.TRIAL: "bold on purple"}


def stderr() -> Console:
    """Return the console for everything that is not data."""
    return Console(file=sys.stderr, soft_wrap=True, highlight=False)


def show_banner(kind: SiteKind) -> None:
    """Say on stderr that this is no production site."""
    if kind.banner is not None:
        console = stderr()
        line = f" {kind.banner} — 実在の証明書ではありません / not for real use "
        console.print(Text(line, style=_BANNER_STYLE[kind]), soft_wrap=True)


def show_rows(
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    as_json: bool,
    styles: Sequence[str] = (),
    titles: Sequence[str] = (),
) -> None:
    """Print rows as a table with the columns given, or whole as a JSON list.

    ``styles``: of each row on a terminal; a row's words say the same. ``titles``: what heads the
    columns where they have words of their own.
    """
    if as_json:
        show_json(rows)
        return
    header = titles or [heading(name, current.lang) for name in columns]
    show_table(header, [[_cell(row.get(name), name) for name in columns] for row in rows], styles)


def show_record(row: Row, *, as_json: bool) -> None:
    """Print one thing as lines of name and value, or as a JSON object."""
    if as_json:
        show_json(row)
        return
    show_table(None, [[heading(name, current.lang), _cell(row[name])] for name in row])


def show_json(value: object) -> None:
    """Print a value as JSON on stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    write_stdout("\n".join(map(_escaped, text.split("\n"))) + "\n")


def _escaped(line: str) -> str:
    """Return a line of JSON with what could bend a terminal as JSON escapes it."""
    if line.isprintable():
        return line
    return "".join(one if sound(one) == one else json.dumps(one).strip('"') for one in line)


def say(text: str, style: str = "") -> None:
    """Print a line for people on stderr."""
    stderr().print(Text(sound(text), style=style))


def show_error(error: HpkiError) -> None:
    """Print an error as one line with its code, its findings, and what to do."""
    console = Console(file=sys.stderr, soft_wrap=not sys.stderr.isatty(), highlight=False)
    console.print(Text.assemble(("error ", "bold red"), f"{error.code}: {_line(error.text)}"))
    for finding in error.findings if isinstance(error, Refused) else ():
        console.print(Text(f"  {finding.severity} {finding.code}: {_line(finding.message)}"))
    hint = _line(error.hint) or HINTS[error.exit_status]
    console.print(Text.assemble(("hint ", "bold"), hint))


def raise_first(failures: Sequence[HpkiError]) -> None:
    """Show all failures but the first, and raise that; without any do nothing."""
    for error in failures[1:]:
        show_error(error)
    if failures:
        raise failures[0]


def confirm(question: str, yes: bool) -> None:
    """Ask before a big change; raises ``Refused`` for a no, or without terminal and --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            "cli.confirm", f"nothing was done; nobody answered {question!r}", "Answer with --yes."
        )
    stderr().print(Text(f"{question} [y/N] "), end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("cli.confirm", "nothing was done", "Answer y, or give --yes.")


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
        raise Refused(
            "cli.confirm.digits",
            "the digits do not fit; nothing was done",
            "Compare the person shown with the request, and type that licence's last four digits.",
        )


def yes_or_no(value: bool) -> str:
    """Return a truth as people read it, in the language of the headings."""
    return phrase("yes" if value else "no", current.lang)


def jst(moment: datetime) -> str:
    """Return an aware moment as people see it: ``2026-11-21 12:00 JST``."""
    return moment.astimezone(JST).strftime("%Y-%m-%d %H:%M JST")


def read_input(path: Path, max_octets: int, code: str) -> bytes:
    """Return a file's octets; a larger one is refused before it is read, a pipe at the limit."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            octets = file.read(max_octets + 1) if status.st_size <= max_octets else b""
    except FileNotFoundError:
        raise NotFound("cli.file.none", f"there is no file {path}", "Check the path.") from None
    except IsADirectoryError:
        raise InvalidInput("cli.file.folder", f"{path} is a folder", "Name a file.") from None
    except OSError as error:
        raise Unavailable(
            "cli.file.read", f"{path} cannot be read: {error.strerror}", "Check path and rights."
        ) from None
    size = max(status.st_size, len(octets))
    if size > max_octets:
        raise InvalidInput(
            code, f"{path} has {size} octets or more, at most {max_octets} are read", "Split it."
        )
    return octets


def refuse_shared(path: Path, mode: int) -> None:
    """Raise ``Refused`` where a file with secrets has a mode that lets others read it."""
    if mode & 0o077:
        raise Refused(
            "cli.secret.mode",
            f"{path} may be read by others",
            f"chmod 600 {path}, and change the secret if it was seen.",
        )


def refuse_existing(path: Path | None) -> None:
    """Raise ``Conflict`` if an output file is there already."""
    if path is not None and path.exists():
        raise Conflict(
            "cli.file.exists", f"{path} exists", "Name another file, or remove it first."
        )


def write_output(path: Path, octets: bytes, *, replace: bool = False) -> None:
    """Write a whole file (0600) or none; an existing one stays unless ``replace``."""
    if not replace:
        refuse_existing(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, octets)
    except OSError as error:
        raise Unavailable(
            "cli.file.write",
            f"{path} cannot be written: {error.strerror}",
            "Make room or mend the folder; what stood there before still stands.",
        ) from None


def _line(text: str) -> str:
    return sound(" ".join(text.split()))


def _cell(value: object, column: str = "") -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return yes_or_no(value)
    if isinstance(value, datetime) and column in _DAYS:
        return str(japan_date(value))
    if isinstance(value, datetime):
        return jst(value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items()) or phrase(
            "none", current.lang
        )
    if isinstance(value, list | tuple | frozenset | set):
        return ", ".join(str(item) for item in value)
    return str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)
