"""``hpki audit``: exports for outsiders, the monthly review, the report."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services
    from operators.evidence.export import Exports
    from operators.statements import Signer

app = typer.Typer()


class Format(StrEnum):
    """Of the report's file."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    operator: options.Operator,
    statement: Annotated[
        str | None, typer.Option(help="Only this statement, by its id, for OpenSSL.")
    ] = None,
    sign: Annotated[
        bool, typer.Option("--sign", help="Sign the manifest with the anchor key.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Export trail, statements, anchors and keys, for an auditor.

    The folder verifies elsewhere with `hpki audit verify --export`. Its README.txt says how to
    check it by hand. For AUDITOR and LOG_REVIEWER; it is entered as LOG.EXPORT.

    Example: hpki audit export --out /media/auditor/export --operator hoshino
    """
    from cli.output import show_record
    from operators.evidence.export import Exports

    services = options.services()
    signer = services.signer(operator)
    exports = Exports(services.directory, services.anchors)
    if statement is not None:
        row = exports.statement(statement, out, signer)
        show_record({"statement": row.id, "seq": row.seq, "output": out}, as_json=as_json)
        return
    record = _export_all(services, exports, out, signer, sign=sign)
    show_record({**record, "output": out}, as_json=as_json)


def _export_all(
    services: Services, exports: Exports, out: Path, signer: Signer, *, sign: bool
) -> dict[str, object]:
    """Export everything, and return what the manifest says in short."""
    from cli.evidence import anchor_key
    from cli.progress import bars

    key = anchor_key(services) if sign else None
    with bars() as shown:
        task = shown.start("entries", 0)
        manifest = exports.export(
            out, signer, key, lambda done, total: shown.reach(task, done, total)
        )
    shown_fields = ("site_id", "last_seq", "head_hash", "entries", "statements", "anchors", "setup")
    return {name: getattr(manifest, name) for name in shown_fields}


@app.command()
def review(
    operator: options.Operator,
    month: Annotated[
        str | None, typer.Option(help="YYYY-MM in Japan; the month before this one if none.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="What explains the differences.")] = None,
    note_file: Annotated[Path | None, typer.Option(help="The note in a file.")] = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Review trail and rows for a month, and sign the result.

    Trail, statements and anchors are verified, the rows compared with them. The LOG_REVIEWER signs
    the record; it stands with the note in the site's reports/.

    Example: hpki audit review --month 2026-10 --note "no differences" --operator hoshino
    """
    from cli.evidence import (
        keep_review,
        last_month,
        make_review,
        review_rows,
        review_summary,
    )
    from cli.output import confirm, say, show_record, show_rows

    text = _note(note, note_file)
    services = options.services()
    signer = services.signer(operator)
    found = make_review(services, month or last_month(), text)
    if found.found and not as_json:
        show_rows(review_rows(found), ("severity", "code", "seq", "text"), as_json=False)
    say(
        f"{found.period}: {sum(found.counts.values())} entries, {len(found.found)} differences",
        "yellow" if found.found else "green",
    )
    confirm(f"Sign this review as {found.decision}?", yes)
    path = keep_review(services, found, signer)
    summary = review_summary(found, path)
    show_record(
        {**summary, "differences": review_rows(found)} if as_json else summary, as_json=as_json
    )


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="The file to write.")],
    since: Annotated[
        datetime | None, typer.Option(help="First day in Japan.", formats=["%Y-%m-%d"])
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Last day in Japan.", formats=["%Y-%m-%d"])
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Of the file.")] = Format.HTML,
) -> None:
    """Report on the trail for a time, and whether it verifies.

    The month before this one, if no days are given.

    Example: hpki audit report --since 2026-10-01 --until 2026-10-31 --out october.html
    """
    from cli.evidence import day_of, last_month, make_report, month_of, write_report
    from cli.output import refuse_existing, say
    from pki.errors import InvalidInput

    services = options.services(anchored=False)
    refuse_existing(out)
    first, last = month_of(last_month())
    first, last = day_of(since, first), day_of(until, last)
    if first > last:
        raise InvalidInput(
            "cli.audit.period",
            f"{first} is later than {last}",
            "Give both, --since and --until: without them it is the month before this one.",
        )
    made = make_report(services, first, last)
    write_report(services, made, form.value, out)
    say(made.verdict or "the trail is whole", "red" if made.verdict else "green")


def _note(note: str | None, note_file: Path | None) -> str:
    from cli.output import read_input
    from pki.errors import InvalidInput

    if (note is None) == (note_file is None):
        raise InvalidInput(
            "cli.audit.note", "a review has one note", "Give --note TEXT, or --note-file FILE."
        )
    if note_file is None:
        return note or ""
    try:
        return read_input(note_file, 64 * 1024, "cli.audit.note").decode()
    except UnicodeDecodeError:
        raise InvalidInput("cli.audit.note", f"{note_file} is not UTF-8", "Save it so.") from None
