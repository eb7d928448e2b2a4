"""``hpki ra revocations``, ``review-revocation`` and ``erase``: what follows, days or years on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from ra.erasure import Erasable
    from ra.records import RevocationRequest

app = typer.Typer()


@app.command()
def revocations(
    unreviewed: Annotated[
        bool, typer.Option("--unreviewed", help="Only emergencies that nobody has reviewed.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List revocation requests, oldest first.

    DUE: an emergency that waits for its review, by `hpki ra review-revocation`.

    Example: hpki ra revocations --unreviewed
    """
    from cli.output import show_rows

    services = options.services()
    rows = [_request(one) for one in services.desk.requests(unreviewed=unreviewed)]
    columns = ("request", "application", "ground", "requested_at", "review")
    if not as_json:
        for row in rows:
            row["review"] = row["review"] or ("DUE" if _is_due(row) else None)
    show_rows(rows, columns, as_json=as_json)


def _is_due(row: dict[str, Any]) -> bool:
    from ra.records import RequestState

    return bool(row["emergency"]) and row["state"] == RequestState.EXECUTED.value


@app.command("review-revocation")
def review_revocation(
    request: Annotated[str, typer.Argument(help="A request, from `hpki ra revocations`.")],
    verdict: Annotated[str, typer.Option(help="CONFIRMED or DISPUTED.")],
    note: Annotated[str, typer.Option(help="What was looked at; kept with the request.")],
    operator: options.Operator,
) -> None:
    """Review an emergency that another person carried out.

    Once. You are a revocation officer or an RA manager, and sign. The revocation is final even if
    you dispute it.

    Example: hpki ra review-revocation R-0a1b2c3d4e5f6071 --verdict CONFIRMED
    --note "call record heard" --operator tani
    """
    from cli.commands.card_papers import one_of
    from cli.output import say
    from ra.revocation import Verdict

    said = one_of(Verdict, verdict)
    services = options.services()
    services.desk.review(request, services.signer(operator), said, note)
    say(f"{request} is reviewed: {said}")


@app.command()
def erase(
    ref: Annotated[str, typer.Argument(help="An application's reference.")],
    reason: Annotated[str, typer.Option(help="RETENTION_OVER or APPLICANT_ASKS.")],
    operator: options.Operator,
    witness: Annotated[str, typer.Option(help="Who sees it: a manager or a log reviewer.")],
    confirm: Annotated[str | None, typer.Option(help="Last four digits of the licence.")] = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Erase a person's values from a file, for good.

    Its time of keeping is over. You are an RA manager, and both of you sign. Certificates stay:
    they are records kept by law. The trail and every statement still verify: they hold digests,
    whose salt goes too.

    Example: hpki ra erase T2026-0007 --reason RETENTION_OVER --operator tani --witness sakurai
    --confirm 1234
    """
    from cli.commands.card_papers import one_of
    from cli.output import confirm_digits, say, show_record
    from ra.erasure import ErasureReason

    services = options.services()
    why = one_of(ErasureReason, reason)
    found = services.erasure.find(ref)
    show_record(_file(found), as_json=as_json)
    if dry_run:
        return
    confirm_digits(found.confirmation, confirm)
    erasing, seeing = services.signer(operator), services.signer(witness)
    services.erasure.erase(ref, erasing, seeing, why)
    say(f"{ref} is erased: {len(found.fields)} fields", "bold")
    if not services.store.empty_log():
        say("another process reads the store: its log holds old pages until that ends", "yellow")


def _request(row: RevocationRequest) -> dict[str, Any]:
    return {
        "request": row.id,
        "application": row.application_ref,
        "card": row.carrier_id.removeprefix("card-"),
        "ground": row.ground,
        "channel": row.channel,
        "state": row.state.value,
        "requested_at": row.requested_at,
        "emergency": row.emergency,
        "officer": row.officer,
        "executor": row.executor,
        "review": row.review,
        "reviewer": row.reviewer,
        "reviewed_at": row.reviewed_at,
    }


def _file(found: Erasable) -> dict[str, Any]:
    person = found.applicant
    return {
        "application": person.application_ref,
        "state": found.state.value,
        "kanji_name": person.kanji_name,
        "kana_name": person.kana_name,
        "birth_date": str(person.birth_date),
        "licence": f"{person.profession} {person.registration_number}",
        "kept_until": found.kept_until,
        "fields": list(found.fields),
    }
