"""``hpki card``: the personalization station."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

app = typer.Typer(help="Cards and the personalization station.")


@app.command()
def personalize(
    operator: options.Operator,
    orders: Annotated[
        list[str] | None, typer.Argument(help="Orders' ids.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every order that waits.")] = False,
    reader: Annotated[str, typer.Option(help="virtual: a virtual card for each order.")] = (
        "virtual"
    ),
    card_operator: Annotated[
        str | None, typer.Option(help="Who works at the station; you, if you may.")
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write every APDU here, with secrets masked.")
    ] = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Make cards, with keys, certificates and sealed PINs.

    You, an IA operator, sign for the whole batch; each card is checked at the end. A card that
    fails stops no other: its error is told, and the exit status is 3 at the end (for a single card
    its error's own). A broken run goes on where it stopped, on the same card.

    Example: hpki card personalize --all --operator fujita
    """
    from cli.output import confirm, refuse_existing, say, show_error, show_rows, write_output
    from cli.personalization import personalize_all, waiting_orders
    from cli.progress import bars
    from pki.errors import HpkiError, InvalidInput, Refused, Unavailable

    services = options.services()
    if bool(orders) == every:
        raise InvalidInput(
            "cli.orders", "name orders, or give --all", "An order is named as T2026-0001.1."
        )
    if reader != "virtual":
        raise Unavailable(
            "card.reader", f"there is no reader {reader!r}", "This version knows: virtual."
        )
    refuse_existing(trace)
    wanted = list(dict.fromkeys(orders or waiting_orders(services)))
    if not wanted:
        say("no order waits for a card")
        show_rows([], ("order", "card"), as_json=as_json)
        return
    if len(wanted) > 1:
        confirm(f"personalize {len(wanted)} cards?", yes)
    executor = services.signer(operator)
    station = services.signer(card_operator) if card_operator else executor
    refused: list[HpkiError] = []
    rows = []
    lines: list[str] = []
    with bars() as shown:
        task = shown.start("cards", len(wanted))
        sink = lines.append if trace else None
        for result in personalize_all(services, executor, station, wanted, sink):
            shown.advance(task)
            if isinstance(result, HpkiError):
                refused.append(result)
            else:
                rows.append({"order": result.order_id, "card": result.chip_serial})
    if trace is not None:
        write_output(trace, "".join(f"{line}\n" for line in lines).encode())
    if refused and len(wanted) == 1:
        raise refused[0]
    show_rows(rows, ("order", "card"), as_json=as_json)
    for error in refused:
        show_error(error)
    say(f"cards: {len(rows)} of {len(wanted)} made and checked")
    if refused:
        raise Refused(
            "card.some",
            f"{len(refused)} of {len(wanted)} cards were not made",
            "The errors are above; `hpki card personalize ORDER` takes one up again.",
        )


@app.command("list")
def list_cards(as_json: options.Json = False) -> None:
    """List the cards of the site.

    Example: hpki card list
    """
    from card_personalization import records
    from cli.output import show_rows

    services = options.services()
    with services.store.read() as tx:
        rows = [
            {"card": card.chip_serial, "state": card.state.value, "order": card.order_id}
            for card in records.cards(tx)
        ]
    show_rows(rows, ("card", "state", "order"), as_json=as_json)


@app.command()
def show(
    card: Annotated[str, typer.Argument(help="A card's number (chip serial).")],
    as_json: options.Json = False,
) -> None:
    """Show a card: order, certificates, journal of its run.

    Example: hpki card show 0a1b2c3d4e5f6071
    """
    from ca.records import certificates_of_carrier, revocation_of
    from card_personalization import records
    from card_personalization.records import Card
    from cli.output import show_record
    from pki.errors import NotFound

    services = options.services()
    with services.store.read() as tx:
        row = tx.get(Card, card.lower())
        if row is None:
            raise NotFound("card.unknown", f"there is no card {card!r}", "See `hpki card list`.")
        runs = records.runs_of(tx, row.chip_serial)
        steps = [
            f"{step.name} {'done' if step.ended_at else 'broken off'}"
            for run in runs
            for step in records.steps_of(tx, run.id)
        ]
        certificates = [
            f"{one.usage} {one.serial.lstrip('0')}"
            f"{' revoked' if revocation_of(tx, one.id or 0) else ''}"
            for one in certificates_of_carrier(tx, f"card-{row.chip_serial}")
        ]
        envelopes = records.envelopes_of(tx, row.chip_serial)
    show_record(
        {
            "card": row.chip_serial,
            "state": row.state.value,
            "order": row.order_id,
            "certificates": certificates,
            "runs": [f"{run.id} {run.state.value}" for run in runs],
            "steps": steps,
            "pin_envelopes": [one.credential_id for one in envelopes],
        },
        as_json=as_json,
    )
