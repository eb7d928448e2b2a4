"""``hpki ra``: the registration authority's work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services

app = typer.Typer(help="Applications: import, examination, decision.")

Refs = Annotated[
    list[str] | None, typer.Argument(help="Application references.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="Every application that waits for this step.")]


@app.command("import")
def import_list(
    file: Annotated[Path, typer.Argument(help="CSV, one application a row.")],
    operator: options.Operator,
    rejects: Annotated[
        Path | None, typer.Option(help="Write the rejected rows here, to be corrected.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="utf-8 or cp932.")] = "utf-8",
    as_json: options.Json = False,
) -> None:
    """Import a list of applications, with verdicts.

    A bad row stops nothing: it is shown on stdout and, with --rejects, written to a file that can
    be corrected and imported. The exit status is 0 even if every row is rejected; a file that
    cannot be read as a list changes nothing and ends with 2. The same list twice doubles nobody.

    Example: hpki ra import examples/applications.csv --rejects rejects.csv --operator aoki
    """
    from cli.output import read_input, refuse_existing, say, show_rows, write_output
    from ra.intake import Outcome
    from ra.lists.rows import rejects_csv
    from ra.lists.table import MAX_BYTES

    services = options.services()
    octets = read_input(file, MAX_BYTES, "ra.import.too_large")
    refuse_existing(rejects)
    report = services.intake.import_list(octets, file.name, services.signer(operator), encoding)
    rows = [
        {
            "line": row.line,
            "application": row.application_ref,
            "outcome": row.outcome.value,
            "code": str(fault.code) if fault else None,
            "field": fault.field if fault else None,
            "text": fault.text if fault else None,
            "hint": fault.hint if fault else None,
        }
        for row in report.rows
        for fault in (row.faults or (None,))
    ]
    shown = rows if as_json else [row for row in rows if row["code"]]
    if shown:
        columns = ("line", "application", "code", "text", "hint")
        show_rows(shown, columns, as_json=as_json)
    if rejects is not None and report.count(Outcome.REJECTED):
        refused = {row.line for row in report.rows if row.outcome is Outcome.REJECTED}
        verdicts = [one for one in report.verdicts if one.line in refused]
        write_output(rejects, rejects_csv(verdicts, octets, encoding=encoding))
    counts = ", ".join(f"{report.count(outcome)} {outcome.lower()}" for outcome in Outcome)
    say(f"{file.name}: {counts}")


@app.command("list")
def list_applications(
    state: Annotated[
        list[str] | None, typer.Option(help="Only this state; may be repeated.")
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="Part of a name (kanji, kana, romaji) or a licence number.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List applications; --search finds a caller.

    Example: hpki ra list --search 前田
    """
    from cli.output import show_rows
    from pki.errors import InvalidInput
    from ra import records
    from ra.persons.search import matches
    from ra.records import ApplicationState

    services = options.services()
    try:
        states = [ApplicationState(one.upper()) for one in state or ()]
    except ValueError:
        known = ", ".join(ApplicationState)
        raise InvalidInput("cli.state", "there is no such state", f"Known: {known}.") from None
    with services.store.read() as tx:
        rows = [
            {
                "application": row.ref,
                "state": row.state.value,
                "kanji_name": records.newest_version(tx, row.person_id).kanji_name,
                "profession": row.profession,
                "prefecture": row.work_prefecture,
                "channel": row.channel,
            }
            for row in records.applications(tx, states)
            if search is None or matches(tx, row, search)
        ]
    columns = ("application", "state", "kanji_name", "profession", "prefecture", "channel")
    show_rows(rows, columns, as_json=as_json)


@app.command()
def show(
    ref: Annotated[str, typer.Argument(help="An application's reference.")],
    as_json: options.Json = False,
) -> None:
    """Show an application and what would be certified.

    Example: hpki ra show T2026-0001
    """
    from cli.output import show_record
    from pki.names import text
    from ra import records
    from ra.dossiers import content, examined_offer
    from ra.examination import find_application
    from ra.records import Person

    services = options.services()
    with services.store.read() as tx:
        row = find_application(tx, ref)
        person = tx.get_one(Person, row.person_id)
        version = records.applicant(tx, row)
        checks = records.checks_of(tx, ref)
        documents = records.documents_of(tx, ref)
    offer = examined_offer(row)
    erased = row.erased_at is not None
    wanted = None if erased else content(row, version, services.kind, offer)
    show_record(
        {
            "application": row.ref,
            "state": row.state.value,
            "kanji_name": version.kanji_name,
            "kana_name": version.kana_name,
            "romaji_name": version.romaji_name,
            "former_surname": version.former_surname,
            "birth_date": str(person.birth_date or ""),
            "profession": row.profession,
            "registration_number": row.registration_number,
            "registration_date": str(row.registration_date or ""),
            "director_role": row.director_role,
            "institution_ja": row.institution_ja,
            "prefecture": row.work_prefecture,
            "address": f"{version.postal_code} {version.address}",
            "telephone": version.telephone,
            "channel": row.channel,
            "received_on": str(row.received_on),
            "documents": documents,
            "checks": [f"{check.kind} {check.method} {check.result.value}" for check in checks],
            "reject_code": row.reject_code,
            "erased_at": row.erased_at,
            "subject": text(wanted.subject()) if wanted else "",
            "hc_roles": list(wanted.roles) if wanted else [],
            "profiles": list(offer.profiles.values()),
        },
        as_json=as_json,
    )


@app.command()
def examine(
    operator: options.Operator,
    refs: Refs = None,
    every: All = False,
    fail: Annotated[
        list[str] | None, typer.Option(help="A failed check as KIND=NOTE; the others are OK.")
    ] = None,
    carrier: Annotated[
        str, typer.Option(help="What will hold the keys: CARD, or FILE for a request file.")
    ] = "CARD",
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Record the checks and sign the file as seen.

    Each check is recorded as OK by its channel's usual method unless --fail names it. Of several
    applications one that is refused stops no other; the exit status is then 3.

    Example: hpki ra examine T2026-0001 --operator aoki
    """
    from ca.records import CarrierKind
    from pki.errors import InvalidInput
    from ra.records import ApplicationState

    failures = {}
    for text in fail or ():
        kind, mark, note = text.partition("=")
        if not mark or not note.strip():
            raise InvalidInput(
                "cli.fail", f"{text!r} is not KIND=NOTE", "As in --fail 'NAME_MATCH=differs'."
            )
        failures[kind.upper()] = note
    try:
        kind = CarrierKind(carrier.upper())
    except ValueError:
        raise InvalidInput(
            "cli.carrier", f"{carrier!r} is neither CARD nor FILE", "Give CARD or FILE."
        ) from None
    services = options.services()
    signer = services.signer(operator)

    def act(ref: str) -> dict[str, str]:
        examined = services.examination.examine(ref, signer, failures, kind)
        return {"state": examined.state.value}

    _each(
        services,
        _chosen(services, refs, every, ApplicationState.RECEIVED),
        "examine",
        act,
        yes,
        as_json,
    )


@app.command()
def approve(
    operator: options.Operator,
    refs: Refs = None,
    every: All = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Decide to issue, signed, and order it from the CA.

    The approver is another person than the examiner. Prints each order's id. Of several
    applications one that is refused stops no other; the exit status is then 3.

    Example: hpki ra approve T2026-0001 --operator endo
    """
    from ra.records import ApplicationState

    services = options.services()
    signer = services.signer(operator)
    _each(
        services,
        _chosen(services, refs, every, ApplicationState.EXAMINED),
        "approve",
        lambda ref: {"order": services.examination.approve(ref, signer).id},
        yes,
        as_json,
    )


@app.command()
def reject(
    ref: Annotated[str, typer.Argument(help="An application's reference.")],
    code: Annotated[str, typer.Option(help="Refusal code, R01 to R10 or R99.")],
    operator: options.Operator,
    reason: Annotated[str, typer.Option(help="In words; R99 wants them.")] = "",
) -> None:
    """Decide not to issue, signed, with a refusal code.

    Example: hpki ra reject T2026-0002 --code R02 --operator endo
    """
    from cli.output import say

    services = options.services()
    services.examination.reject(ref, services.signer(operator), code.upper(), reason)
    say(f"{ref} is rejected: {code.upper()}")


def _chosen(services: Services, refs: list[str] | None, every: bool, state: Any) -> list[str]:
    from pki.errors import InvalidInput
    from ra import records

    if bool(refs) == every:
        raise InvalidInput(
            "cli.refs", "name applications, or give --all", "See `hpki ra list` for references."
        )
    if refs:
        return list(dict.fromkeys(refs))
    with services.store.read() as tx:
        return [row.ref for row in records.applications(tx, [state])]


def _each(
    services: Services,
    refs: list[str],
    verb: str,
    act: Callable[[str], dict[str, str]],
    yes: bool,
    as_json: bool,
) -> None:
    """Do it for each; one that is refused stops nothing but is told and counts in the end."""
    from cli.output import confirm, say, show_error, show_rows
    from cli.progress import bars
    from pki.errors import HpkiError, Refused

    if len(refs) > 1:
        confirm(f"{verb} {len(refs)} applications?", yes)
    refused: list[HpkiError] = []
    rows: list[dict[str, str]] = []
    with bars() as shown:
        for ref in shown.track(refs, len(refs), verb):
            try:
                rows.append({"application": ref} | act(ref))
            except HpkiError as error:
                if len(refs) == 1:
                    raise
                refused.append(error)
    show_rows(rows, list(rows[0]) if rows else ("application",), as_json=as_json)
    for one in refused:
        show_error(one)
    say(f"{verb}: {len(rows)} of {len(refs)} done")
    if refused:
        raise Refused(
            f"ra.{verb}.some",
            f"{len(refused)} of {len(refs)} were not done",
            "The errors are above; see `hpki ra list`.",
        )
