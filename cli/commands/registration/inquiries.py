"""``hpki ra inquiry``: the ministry's register is asked, and answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.commands.registration.batches import All, Refs

if TYPE_CHECKING:
    from cli.commands.registration.batches import Batch
    from cli.wiring import Services
    from ra.casework.inquiries import InquiryRow, Made
    from ra.casework.views import Use

app = typer.Typer(help="Inquiries to the ministry's register (資格照会).")

InquiryId = Annotated[str, typer.Argument(help="An inquiry, from `hpki ra inquiry list`.")]


@app.command()
def make(
    *,
    refs: Refs = None,
    out: Annotated[Path, typer.Argument(help="The CSV file to write.", show_default=False)],
    operator: options.Operator,
    every: All = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Put files on a new list for the register.

    Their identity and data were checked before. The list holds personal values: who made it is
    entered. Its last column is for the answer. --all are the files under examination.

    Example: hpki ra inquiry make T2026-0001 T2026-0002 list.csv --operator aoki
    """
    from cli.commands.registration.batches import chosen
    from cli.output import refuse_existing, say, show_rows, write_output
    from policies.moves import ApplicationState
    from ra.casework.inquiries import inquiry_csv
    from ra.casework.views import Use

    refuse_existing(out)
    services = options.services()
    wanted = chosen(services, refs, every, ApplicationState.EXAMINING)
    made, batch = _ask(services, wanted, operator, yes=yes)
    _enter(services, Use.EXPORT, made.rows, operator)
    write_output(out, inquiry_csv(made.rows))
    rows = [
        {"inquiry": made.inquiry_id, "line": one.line, "application": one.application_ref}
        for one in made.rows
    ]
    show_rows(rows, ("inquiry", "line", "application"), as_json=as_json)
    say(f"{out}: {made.inquiry_id}")
    batch.conclude()


def _ask(services: Services, refs: list[str], operator: str, *, yes: bool) -> tuple[Made, Batch]:
    """Make the inquiry about the files that nothing hinders; asks first if there are several."""
    from cli.commands.registration.batches import Batch, Step, foresee, refuse
    from cli.output import confirm

    signer = services.signer(operator)
    step = Step(
        "inquiry make",
        "資格照会",
        lambda ref: services.hindrances.of_inquiry(ref, operator),
        lambda _: {},
    )
    batch = Batch(step)
    able = foresee(batch, refs) if len(refs) > 1 else refs
    if len(refs) > 1 and able:
        confirm(f"資格照会: {len(able)} applications?", yes)
    made = services.inquiries.make(able, signer)
    for ref, error in made.refused:
        refuse(batch, ref, error)
    batch.rows += [{"application": one.application_ref} for one in made.rows]
    return made, batch


def _enter(services: Services, use: Use, rows: Sequence[InquiryRow], operator: str) -> None:
    refs = [row.application_ref for row in rows]
    services.views.enter(use, refs, operator, f"inquiry {rows[0].inquiry_id}")


@app.command("list")
def list_inquiries(as_json: options.Json = False) -> None:
    """List inquiries and how many answers are in.

    Example: hpki ra inquiry list
    """
    from cli.output import show_rows

    rows = [
        {
            "inquiry": one.id,
            "time": one.at,
            "operator": one.examiner,
            "asked": asked,
            "answered": answered,
        }
        for one, asked, answered in options.services().inquiries.made()
    ]
    show_rows(rows, ("inquiry", "time", "operator", "asked", "answered"), as_json=as_json)


@app.command()
def show(
    inquiry: InquiryId,
    operator: options.Operator,
    out: Annotated[Path | None, typer.Option(help="Write the CSV file again.")] = None,
    as_json: options.Json = False,
) -> None:
    """Show the list that went to the register.

    That you looked, or wrote it once more, is entered.

    Example: hpki ra inquiry show Q20261122-1a2b3c --operator aoki
    """
    from dataclasses import asdict

    from cli.output import refuse_existing, show_rows, write_output
    from ra.casework.inquiries import inquiry_csv
    from ra.casework.views import Use

    refuse_existing(out)
    services = options.services()
    services.signer(operator)
    found = services.inquiries.rows(inquiry)
    _enter(services, Use.VIEW, found, operator)
    if out is not None:
        _enter(services, Use.EXPORT, found, operator)
        write_output(out, inquiry_csv(found))
    rows: list[dict[str, Any]] = [
        asdict(one) | {"application": one.application_ref} for one in found
    ]
    columns = ("line", "application", "profession", "kanji_name", "birth_date",
               "registration_number")  # fmt: skip
    show_rows(rows, columns, as_json=as_json)


@app.command()
def answer(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX with the column 回答 filled.")],
    operator: options.Operator,
    encoding: Annotated[str, typer.Option(help="Of CSV: utf-8 or cp932.")] = "utf-8",
    as_json: options.Json = False,
) -> None:
    """Read the register's answers.

    Each row is held against its file, and every difference told in words. The answers are kept,
    encrypted, as evidence. The same file twice changes nothing. The exit status is 3 if a row
    could not be read.

    Example: hpki ra inquiry answer answers.csv --operator aoki
    """
    from cli.output import read_input, say, show_rows
    from cli.terms import term
    from pki.errors import Refused
    from ra.casework.inquiries import AnswerOutcome
    from ra.lists.table import MAX_BYTES

    octets = read_input(file, MAX_BYTES, "ra.import.too_large")
    services = options.services()
    found = services.inquiries.answer(octets, services.signer(operator), encoding)
    rows = [
        {
            "line": one.line,
            "application": one.application_ref,
            "outcome": one.outcome.value if as_json else term(one.outcome.value),
            "text": one.words,
        }
        for one in found
    ]
    show_rows(rows, ("line", "application", "outcome", "text"), as_json=as_json)
    counts = {outcome: sum(one.outcome is outcome for one in found) for outcome in AnswerOutcome}
    say(f"{file.name}: {', '.join(f'{counts[one]} {one.lower()}' for one in AnswerOutcome)}")
    if counts[AnswerOutcome.REJECTED]:
        raise Refused(
            "ra.inquiry.rows",
            f"{counts[AnswerOutcome.REJECTED]} of {len(found)} rows were not taken",
            "What is wrong with each is shown; correct the file and read it again.",
        )


@app.command()
def recall(
    ref: Annotated[str, typer.Argument(help="An application's reference.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    operator: options.Operator,
) -> None:
    """Take a file out of its inquiry, back to its papers.

    As when the answer shows an error of the file. The inquiry and its answer stay in the file.

    Example: hpki ra inquiry recall T2026-0001 --reason 登録番号の誤記 --operator aoki
    """
    from cli.output import say
    from cli.terms import state_term

    services = options.services()
    row = services.inquiries.recall(ref, services.signer(operator), reason)
    say(f"{ref}: {state_term(row.state)}")
