"""``hpki revoke``: final, and at once on the list."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from ra.revocation import Affected


def revoke(
    targets: Annotated[
        list[str],
        typer.Argument(help="Card number, application reference or registration number."),
    ],
    ground: Annotated[str, typer.Option(help="Ground, e.g. S02_CARD_LOST, R01_DEATH.")],
    operator: options.Operator,
    requester: Annotated[str, typer.Option(help="Who asks: subscriber, heir, CA …")],
    evidence: Annotated[str, typer.Option(help="What proves it.")],
    channel: Annotated[str, typer.Option(help="TELEPHONE, FORM, NOTICE …")] = "FORM",
    executor: Annotated[
        str | None, typer.Option(help="The IA operator who executes what you decided.")
    ] = None,
    emergency: Annotated[
        bool, typer.Option("--emergency", help="A card lost, by telephone: one person, at once.")
    ] = False,
    called_back: Annotated[
        bool,
        typer.Option("--called-back", help="The caller was called back at the number on file."),
    ] = False,
    registration_number: Annotated[
        str, typer.Option(help="What the caller says: registration number.")
    ] = "",
    birth_date: Annotated[
        datetime | None,
        typer.Option(help="What the caller says: birth date.", formats=["%Y-%m-%d"]),
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(help="Last four digits of the licence; for several cards their count."),
    ] = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Revoke a card for good, and publish the lists at once.

    First shows whom it hits, and wants the licence's last four digits typed (or --confirm).
    You decide as a revocation officer and an IA operator executes; in an emergency you act alone,
    after calling back the number on file and asking for two facts. If the lists cannot be
    published the revocation stands, the exit status is 6, and `hpki crl due` publishes them.

    Example: hpki revoke T2026-0007 --ground R01_DEATH --requester heir --evidence "notice"
    --operator ishii --executor fujita --confirm 1234
    """
    from cli.output import confirm_digits, say, show_error
    from cli.publishing import publish_revoked
    from pki.errors import HpkiError, InvalidInput, Refused
    from policies.grounds import ground as find_ground
    from ra.revocation import CallerCheck, Request

    services = options.services()
    services.ask_for_list_keys()
    find_ground(ground)
    if emergency and (len(targets) > 1 or birth_date is None or not registration_number):
        raise InvalidInput(
            "cli.revoke.emergency",
            "an emergency is one card, with what the caller says",
            "Give --called-back --registration-number … --birth-date YYYY-MM-DD.",
        )
    hit = [services.desk.find(target) for target in targets]
    if len({one.carrier_id for one in hit}) != len(hit):
        raise InvalidInput("cli.revoke.twice", "the same card is named twice", "Name it once.")
    _show(hit, as_json)
    if dry_run:
        return
    confirm_digits(hit[0].confirmation if len(hit) == 1 else str(len(hit)), confirm)
    caller = None
    if emergency and birth_date is not None:
        said = date(birth_date.year, birth_date.month, birth_date.day)
        caller = CallerCheck(called_back, registration_number, said)
    request = Request(ground, requester, channel, evidence, caller)
    officer = services.signer(operator)
    second = services.signer(executor) if executor else None
    refused, made = 0, []
    for one in hit:
        try:
            revoked = services.desk.revoke(one, request, officer, second)
            made += revoked
            say(f"{one.carrier_id}: {len(revoked)} certificates revoked", "bold")
            if emergency:
                say("next: another person reviews it, see `hpki ra revocations --unreviewed`")
        except HpkiError as error:
            if len(hit) == 1:
                raise
            refused += 1
            show_error(error)
    publish_revoked(services, operator, made)
    if refused:
        raise Refused(
            "cli.revoke.some",
            f"{refused} of {len(hit)} cards were not revoked",
            "The errors are above; the others stand.",
        )


def _show(hit: list[Affected], as_json: bool) -> None:
    from cli.output import show_record, show_rows

    rows = [_row(one) for one in hit]
    if len(rows) == 1 and not as_json:
        show_record(rows[0], as_json=False)
        return
    columns = ("kanji_name", "kana_name", "birth_date", "licence", "card", "certificates")
    show_rows(rows, columns, as_json=as_json)


def _row(affected: Affected) -> dict[str, Any]:
    return {
        "application": affected.application_ref,
        "kanji_name": affected.kanji_name,
        "kana_name": affected.kana_name,
        "birth_date": str(affected.birth_date),
        "licence": f"{affected.profession} {affected.registration_number}",
        "telephone": affected.telephone,
        "card": affected.card_number or affected.carrier_id,
        "certificates": [f"{one.usage} {one.serial.lstrip('0')}" for one in affected.certificates],
    }
