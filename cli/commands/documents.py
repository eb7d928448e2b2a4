"""``hpki ra document``: the documents of an application, their files kept encrypted."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services
    from ra.records import Document

app = typer.Typer(help="Documents: add, open, check, redact.")

Ref = Annotated[str, typer.Argument(help="An application's reference.")]
Paper = Annotated[str, typer.Argument(help="CODE.NUMBER, or CODE for the newest.")]
IssuedOn = Annotated[
    str | None, typer.Option(help="The date on it, as 2026-08-20 or R8.8.20.", show_default=False)
]
ValidUntil = Annotated[
    str | None, typer.Option(help="Its last day, if one stands on it.", show_default=False)
]


@app.command()
def add(
    ref: Ref,
    code: Annotated[str, typer.Argument(help="What it is, as RESIDENT_RECORD.")],
    operator: options.Operator,
    file: Annotated[
        Path | None, typer.Argument(help="JPEG, PNG or PDF; none for paper alone.")
    ] = None,
    received_on: Annotated[
        str | None, typer.Option(help="The day it arrived.", show_default="today")
    ] = None,
    issued_on: IssuedOn = None,
    valid_until: ValidUntil = None,
    as_json: options.Json = False,
) -> None:
    """Add a document; its file is kept encrypted.

    What it is, is told by its content, never by its name. The file given stays where it is:
    remove it, or pipe the scan in as /dev/stdin. A second one of a code gets the next number.

    Example: hpki ra document add T2026-0001 RESIDENT_RECORD scan.pdf --issued-on R8.8.20
    --operator aoki
    """
    from cli.output import read_input, say, show_record
    from cli.wiring import now
    from pki.validity import japan_date
    from policies.media import most_octets

    services = options.services()
    octets = None if file is None else read_input(file, most_octets(), "ra.document.size")
    row, media = services.cabinet.add(
        ref,
        code.upper(),
        _day(received_on) or japan_date(now()),
        services.signer(operator),
        octets,
        _day(issued_on),
        _day(valid_until),
    )
    show_record(_row(row), as_json=as_json)
    if media is not None:
        say(f"{file} still lies there in clear; remove it when you need it no more", "yellow")
    if media is not None and media.gps:
        say("the picture tells where it was taken (GPS)", "yellow")


@app.command("list")
def list_documents(ref: Ref, as_json: options.Json = False) -> None:
    """List an application's documents.

    Example: hpki ra document list T2026-0001
    """
    from cli.output import show_rows

    services = options.services()
    rows = [_row(one) for one in services.cabinet.documents(ref)]
    columns = ("document", "received_on", "issued_on", "valid_until", "media_type", "result")
    show_rows(rows, columns, as_json=as_json)


@app.command("open")
def open_document(ref: Ref, paper: Paper, operator: options.Operator) -> None:
    """Show a document in the local viewer, from memory.

    That you looked is entered first. Nothing is written to the disk; the command ends with the
    viewer. Which viewer: [documents] image_viewer, pdf_viewer and signed_viewer in
    hpki.toml, else a known one.

    Example: hpki ra document open T2026-0001 RESIDENT_RECORD --operator aoki
    """
    from cli.viewer import show, viewer_for

    services = options.services()
    code, number = _chosen(services, ref, paper, filed=True)
    octets, media_type = services.cabinet.open(ref, code, number, services.signer(operator))
    show(octets, viewer_for(services.site.settings.documents, media_type))


@app.command()
def check(
    ref: Ref,
    paper: Paper,
    result: Annotated[str, typer.Argument(help="OK or FAIL.")],
    operator: options.Operator,
    note: Annotated[str, typer.Option(help="What is wrong with it; FAIL wants it.")] = "",
    issued_on: IssuedOn = None,
    valid_until: ValidUntil = None,
    as_json: options.Json = False,
) -> None:
    """Keep the examiner's word on a document.

    Age and validity count on the day of receipt. An OK against the rules is refused.

    Example: hpki ra document check T2026-0001 RESIDENT_RECORD OK --issued-on R8.8.20
    --operator aoki
    """
    from cli.commands.card_papers import one_of
    from cli.output import show_record
    from ra.records import CheckResult

    services = options.services()
    code, number = _chosen(services, ref, paper, filed=False)
    ok = one_of(CheckResult, result) is CheckResult.OK
    row = services.cabinet.check(
        ref,
        code,
        number,
        services.signer(operator),
        ok,
        note,
        _day(issued_on),
        _day(valid_until),
    )
    show_record(_row(row), as_json=as_json)


@app.command()
def redact(
    ref: Ref,
    paper: Paper,
    file: Annotated[Path, typer.Argument(help="The copy with the words blacked out.")],
    reason: Annotated[str, typer.Option(help="MY_NUMBER, OTHER_PERSON or NOT_NEEDED.")],
    operator: options.Operator,
    witness: Annotated[str, typer.Option(help="Who sees it: an RA manager or approver.")],
    confirm: Annotated[str | None, typer.Option(help="Last four digits of the licence.")] = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Put a redacted copy in a document's place, for good.

    You are the examiner, and both of you sign. The original's file is destroyed; what was signed
    about the application before still verifies.

    Example: hpki ra document redact T2026-0001 RESIDENT_RECORD black.pdf --reason MY_NUMBER
    --operator aoki --witness endo --confirm 1234
    """
    from cli.commands.card_papers import one_of
    from cli.output import confirm_digits, read_input, say, show_record
    from policies.media import most_octets
    from ra.documents.cabinet import RedactionReason
    from ra.documents.formats import recognise

    services = options.services()
    code, number = _chosen(services, ref, paper, filed=True)
    why = one_of(RedactionReason, reason)
    octets = read_input(file, most_octets(), "ra.document.size")
    recognise(octets, code)
    shown, digits = _whose(services, ref, code, number)
    show_record(shown, as_json=as_json)
    if dry_run:
        return
    confirm_digits(digits, confirm)
    people = services.signer(operator), services.signer(witness)
    copy = services.cabinet.redact(ref, code, number, octets, *people, why)
    say(f"{code}.{number} is destroyed; {copy.code}.{copy.number} is in its place", "bold")
    say(f"{file} still lies there; where the original came from, it may lie too", "yellow")
    if not services.store.empty_log():
        say("another process reads the store: its log holds old pages until that ends", "yellow")


@app.command()
def strays(as_json: options.Json = False) -> None:
    """List encrypted files that no document knows.

    A crash leaves them; so does the return of an older store, and then they are needed. Without
    a document's row, which holds its key, none can be read.

    Example: hpki ra document strays
    """
    from cli.output import show_rows

    rows = [{"file": name} for name in options.services().cabinet.strays()]
    show_rows(rows, ("file",), as_json=as_json)


def _whose(services: Services, ref: str, code: str, number: int) -> tuple[dict[str, Any], str]:
    """Return whose document it is, as it is shown, and the digits that confirm it."""
    from ra.persons.applicants import applicant_of
    from ra.records import find_application

    with services.store.read() as tx:
        person = applicant_of(tx, find_application(tx, ref))
    shown = {
        "application": ref,
        "kanji_name": person.kanji_name,
        "kana_name": person.kana_name,
        "birth_date": str(person.birth_date),
        "licence": f"{person.profession} {person.registration_number}",
        "document": f"{code}.{number}",
    }
    return shown, person.registration_number[-4:]


def _chosen(services: Services, ref: str, text: str, *, filed: bool) -> tuple[str, int]:
    """Return code and number typed; without a number the newest: with a file, or no copy."""
    from pki.errors import InvalidInput

    code, dot, number = text.upper().partition(".")
    if dot and not (number.isascii() and number.isdecimal() and len(number) <= 4):
        raise InvalidInput(
            "cli.document", f"{text!r} is not CODE or CODE.NUMBER", "As in RESIDENT_RECORD.1."
        )
    if dot:
        return code, int(number)
    fitting = [
        one.number
        for one in services.cabinet.documents(ref)
        if one.code == code and (one.file_name if filed else one.redacts is None)
    ]
    return code, max(fitting, default=1)


def _day(text: str | None) -> date | None:
    from ra.dates import parse_date

    return None if text is None else parse_date(text)


def _row(row: Document) -> dict[str, Any]:
    days = (row.received_on, row.issued_on, row.valid_until)
    received, issued, valid = (str(day) if day else None for day in days)
    return {
        "application": row.application_ref,
        "document": f"{row.code}.{row.number}",
        "received_on": received,
        "issued_on": issued,
        "valid_until": valid,
        "media_type": row.media_type,
        "octets": row.octets,
        "redacts": f"{row.code}.{row.redacts}" if row.redacts else None,
        "result": row.result.value if row.result else None,
        "note": row.note,
        "checked_by": row.checked_by or None,
    }
