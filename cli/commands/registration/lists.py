"""``hpki ra import``, ``template`` and ``list``: lists of applications in and out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services
    from policies.moves import ApplicationState
    from ra.intake import ImportReport
    from ra.persons.records import Listed, Wanted

app = typer.Typer()


@app.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX, one application a row.")],
    operator: options.Operator,
    rejects: Annotated[
        Path | None, typer.Option(help="Write the rejected rows here, to be corrected.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="Of CSV: utf-8 or cp932.")] = "utf-8",
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Typed online; their paper is still to come.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Import a list of applications, with verdicts.

    A bad row stops nothing: it is shown on stdout and, with --rejects, written to a file that can
    be corrected and imported. Papers that are missing (不備) reject nothing; they are told. The
    exit status is 0 even if every row is rejected; a file that cannot be read as a list changes
    nothing and ends with 2. The same list twice doubles nobody.

    Example: hpki ra import examples/applications.csv --rejects rejects.csv --operator aoki
    """
    from cli.output import read_input, refuse_existing, say, show_rows, write_output
    from ra.casework.views import Use
    from ra.intake import Outcome
    from ra.lists.rows import rejects_csv
    from ra.lists.table import MAX_BYTES

    services = options.services()
    octets = read_input(file, MAX_BYTES, "ra.import.too_large")
    refuse_existing(rejects)
    signer = services.signer(operator)
    report = services.intake.import_list(octets, file.name, signer, encoding, drafts=drafts)
    rows = _verdicts(report)
    shown = rows if as_json else [row for row in rows if row["code"]]
    if shown:
        columns = ("line", "application", "code", "text", "hint")
        show_rows(shown, columns, as_json=as_json)
    refused = {row.line for row in report.rows if row.outcome is Outcome.REJECTED}
    if rejects is not None and refused:
        verdicts = [one for one in report.verdicts if one.line in refused]
        written = rejects_csv(verdicts, octets, encoding=encoding)
        services.views.enter(Use.EXPORT, [], operator, f"import {report.import_id}")
        write_output(rejects, written)
    counts = ", ".join(f"{report.count(outcome)} {outcome.lower()}" for outcome in Outcome)
    say(f"{file.name}: {counts}")
    lacking = [row for row in report.rows if row.missing]
    if lacking:
        say(f"不備 papers missing: {len(lacking)}件; see `hpki ra complete --all`", "yellow")


def _verdicts(report: ImportReport) -> list[dict[str, Any]]:
    """Return a row for each fault, one for each sound row."""
    return [
        {
            "line": row.line,
            "application": row.application_ref,
            "outcome": row.outcome.value,
            "code": str(fault.code) if fault else None,
            "field": fault.field if fault else None,
            "text": fault.text if fault else None,
            "hint": fault.hint if fault else None,
            "missing": list(row.missing),
        }
        for row in report.rows
        for fault in (row.faults or (None,))
    ]


@app.command()
def template(
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    form: Annotated[
        str | None, typer.Option("--format", help="csv or xlsx.", show_default="by the ending")
    ] = None,
) -> None:
    """Write an empty list to be filled in.

    Every column has its Japanese name and an example. The example row is refused until it is
    replaced. A workbook keeps leading zeros and offers choices.

    Example: hpki ra template list.xlsx
    """
    from cli.output import say, write_output
    from pki.errors import InvalidInput
    from ra.lists.template import template_csv, template_workbook

    kind = (form or out.suffix.removeprefix(".")).lower()
    makers = {"csv": template_csv, "xlsx": template_workbook}
    if kind not in makers:
        raise InvalidInput(
            "cli.template.format", f"there is no template as {kind!r}", "Give --format csv or xlsx."
        )
    write_output(out, makers[kind]())
    say(f"{out} is written; fill it in, then `hpki ra import {out}`")


@app.command("list")
def list_applications(
    state: Annotated[
        list[str] | None, typer.Option(help="Only this state; may be repeated.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="Part of a name (kanji, kana, romaji) or a licence number.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=200)] = 50,
    after: Annotated[str, typer.Option(help="Go on after this reference.")] = "",
    operator: Annotated[
        str | None,
        typer.Option(
            "--operator",
            envvar="HPKI_OPERATOR",
            help="Who looks: shows names, and is entered.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List applications; --search finds a caller.

    Names are shown to an operator only, and whose were shown is entered in the trail. Without
    --operator the list has no names.

    Example: hpki ra list --search 前田 --operator aoki
    """
    from cli.output import say, show_rows
    from cli.terms import channel_term, state_term
    from ra.persons.records import Wanted

    wanted = Wanted(_states(state or ()), None, search, after, limit)
    found = _page(wanted, operator)
    columns = ["application", "state", "due_on", "profession", "prefecture", "channel"]
    if operator is not None:
        columns[2:3] = ["kanji_name"]
        columns.remove("channel")
    rows = [_listed(one, names=operator is not None) for one in found]
    for row in () if as_json else rows:
        row |= {"state": state_term(row["state"]), "channel": channel_term(row["channel"])}
    show_rows(rows, columns, as_json=as_json)
    if len(found) == limit:
        say(f"続き more: --after {found[-1].application_ref}")


def _page(wanted: Wanted, operator: str | None) -> list[Listed]:
    from pki.errors import InvalidInput
    from ra.persons.records import list_applications

    services = options.services()
    if operator is not None:
        return _names(services, wanted, services.signer(operator).operator_id)
    if wanted.search is not None:
        raise InvalidInput(
            "cli.search.operator", "who searches for a person is entered", "Give --operator."
        )
    with services.store.read() as tx:
        return list_applications(tx, wanted)


def _names(services: Services, wanted: Wanted, operator: str) -> list[Listed]:
    """Return the page for an operator, who of a reception office sees its files, and enter it."""
    from ra.casework.views import Use
    from ra.persons.records import list_applications

    with services.store.read() as tx:
        office = services.directory.register(tx).account(operator).office
        found = list_applications(tx, replace(wanted, office=office))
    services.views.enter(Use.VIEW, [one.application_ref for one in found], operator, "list")
    return found


def _states(words: list[str] | tuple[str, ...]) -> tuple[ApplicationState, ...]:
    from pki.errors import InvalidInput
    from policies.moves import ApplicationState

    try:
        return tuple(ApplicationState(one.upper()) for one in words)
    except ValueError:
        known = ", ".join(ApplicationState)
        raise InvalidInput("cli.state", "there is no such state", f"Known: {known}.") from None


def _listed(one: Listed, *, names: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "application": one.application_ref,
        "state": one.state.value,
        "due_on": one.due_on,
        "type": one.type,
        "profession": one.profession,
        "prefecture": one.work_prefecture,
        "channel": one.channel,
    }
    return row | ({"kanji_name": one.kanji_name, "kana_name": one.kana_name} if names else {})


@app.command()
def purge(yes: options.Yes = False) -> None:
    """Erase drafts whose paper never came in their period.

    The applicant's values go, the reference stays as 返却 RETURNED. Nothing was received, so nobody
    signs; each is entered (APP.PURGE).

    Example: hpki ra purge --yes
    """
    from cli.output import confirm, say

    services = options.services()
    confirm("下書きを消去しますか / erase the drafts that are too old?", yes)
    refs = services.erasure.purge()
    say(f"purge: {len(refs)}" + (f" ({', '.join(refs[:20])})" if refs else ""))
