"""``hpki card``: the personalization station, readers, and the virtual card."""

from __future__ import annotations

import re
import signal
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from card_personalization.card import CardProfile
    from card_personalization.station import Report
    from card_personalization.virtual_card import KeyMaker
    from keys.backend import KeySpec, PrivateKey

app = typer.Typer(help="Cards and the personalization station.")

Profile = Annotated[str, typer.Option(help="The kind of card: hpki or piv.")]
Layout = Annotated[
    Path | None,
    typer.Option(help="TOML with changes to the card's layout; see `hpki card layout`."),
]


class Application(StrEnum):
    """What a virtual card is."""

    HPKI = "hpki"
    PIV = "piv"


@app.command()
def personalize(
    operator: options.Operator,
    orders: Annotated[
        list[str] | None, typer.Argument(help="Orders' ids.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every order that waits.")] = False,
    reader: Annotated[
        list[str] | None,
        typer.Option(
            help="A reader's name, or a part of it, or virtual: a virtual card for each order. "
            "Several work at once.",
            show_default="virtual",
        ),
    ] = None,
    profile: Profile = "hpki",
    layout: Layout = None,
    wait: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds that a reader waits for its next card.",
            show_default="300, for a single order 0",
        ),
    ] = None,
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
    Ctrl-C lets the cards in work be finished.

    Example: hpki card personalize --all --reader "Reader 00" --reader "Reader 01" --operator fujita
    """
    from cli.output import confirm, refuse_existing, say, show_error, show_rows, write_output
    from cli.personalization import VIRTUAL, Setup, personalize_all, waiting_orders
    from cli.progress import bars
    from pki.errors import HpkiError, InvalidInput, Refused

    services = options.services()
    if bool(orders) == every:
        raise InvalidInput(
            "cli.orders", "name orders, or give --all", "An order is named as T2026-0001.1."
        )
    kind = card_kind(profile, layout)
    places = [one if one == VIRTUAL else _reader(one) for one in reader or [VIRTUAL]]
    if len({one for one in places if one != VIRTUAL}) < len(places) - places.count(VIRTUAL):
        raise InvalidInput("cli.reader", "a reader is named twice", "Name each once.")
    refuse_existing(trace)
    wanted = list(dict.fromkeys(orders or waiting_orders(services)))
    if not wanted:
        say("no order waits for a card")
        show_rows([], ("order", "card", "not_offered"), as_json=as_json)
        return
    if len(wanted) > 1:
        confirm(f"personalize {len(wanted)} cards?", yes)
    executor = services.signer(operator)
    station = services.signer(card_operator) if card_operator else executor
    refused: list[HpkiError] = []
    rows = []
    lines: list[str] = []
    pause = wait if wait is not None else (300 if len(wanted) > 1 else 0)
    setup = Setup(places, kind, pause, say, lines.append if trace else None)
    stopped = False
    with bars() as shown:
        task = shown.start("cards", len(wanted))
        try:
            for result in personalize_all(services, executor, station, wanted, setup):
                shown.advance(task)
                if isinstance(result, HpkiError):
                    refused.append(result)
                else:
                    rows.append(_made(result))
        except KeyboardInterrupt:
            stopped = True
        finally:
            if trace is not None:
                write_output(trace, "".join(f"{line}\n" for line in lines).encode())
    if refused and len(wanted) == 1:
        raise refused[0]
    show_rows(rows, ("order", "card", "not_offered"), as_json=as_json)
    for error in refused:
        show_error(error)
    say(f"cards: {len(rows)} of {len(wanted)} made and checked")
    if stopped:
        raise KeyboardInterrupt
    if refused:
        raise Refused(
            "card.some",
            f"{len(refused)} of {len(wanted)} cards were not made",
            "The errors are above; `hpki card personalize ORDER` takes one up again.",
        )


def _reader(name: str) -> str:
    from card_personalization.pcsc import find_reader

    return find_reader(name)


def _made(report: Report) -> dict[str, str]:
    return {
        "order": report.order_id,
        "card": report.chip_serial,
        "not_offered": ", ".join(report.not_offered),
    }


def card_kind(profile: str, layout: Path | None) -> CardProfile:
    """Return the kind of card, with the changes to its layout; raises as ``layout_changes``."""
    from card_personalization.profiles import card_profile

    return card_profile(profile, layout_changes(layout))


def layout_changes(layout: Path | None) -> str:
    """Return the TOML in the file, nothing without one.

    Raises ``Refused`` (cli.secret.mode) if others may read factory secrets in it.
    """
    from cli.output import read_input, refuse_shared
    from pki.errors import InvalidInput

    octets = b"" if layout is None else read_input(layout, 65_536, "card.layout")
    try:
        changes = octets.decode()
    except UnicodeDecodeError:
        raise InvalidInput("card.layout", f"{layout} is not written in UTF-8") from None
    if layout is not None and "factory" in changes:
        refuse_shared(layout, layout.stat().st_mode)
    return changes


@app.command("layout")
def show_layout(profile: Annotated[str, typer.Argument(help="hpki or piv.")]) -> None:
    """Print what of a card's layout may be changed.

    A file with some of its items as plain values (tries = 10) goes to --layout.

    Example: hpki card layout piv
    """
    from card_personalization.profiles import layout_text
    from cli.tables import write_stdout

    write_stdout(layout_text(profile))


@app.command()
def readers(as_json: options.Json = False) -> None:
    """List the card readers, and the card in each by its ATR.

    Example: hpki card readers
    """
    from card_personalization import pcsc
    from cli.output import show_rows

    rows = [{"reader": name, "atr": atr.hex()} for name, atr in pcsc.readers().items()]
    show_rows(rows, ("reader", "atr"), as_json=as_json)


@app.command()
def virtual(
    file: Annotated[Path, typer.Argument(help="The card's file: its chip, keys and all.")],
    new: Annotated[
        bool, typer.Option("--new", help="Make the file: a blank card of this site.")
    ] = False,
    application: Annotated[
        Application | None,
        typer.Option(help="What a new card is: hpki (by default) or piv, as from its factory."),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="A new PIV card without Yubico's extensions.")
    ] = False,
    vpcd: Annotated[
        str, typer.Option(help="Where the virtual reader waits, HOST:PORT.")
    ] = "127.0.0.1:35963",
    chip_delay: Annotated[
        float, typer.Option(min=0, help="Seconds that the chip takes for each key.")
    ] = 0,
) -> None:
    """Put a virtual card into a virtual reader until interrupted.

    Every program sees it there as a card in a PC/SC reader. Ctrl-C or SIGTERM takes it out. The
    file lies unencrypted: training and tests only, for one program at a time.

    Example: hpki card virtual card.json --new --chip-delay 2
    """
    from card_personalization.stock import load_virtual
    from card_personalization.virtual.vpcd import dial, serve
    from cli.output import say
    from pki.errors import InvalidInput

    if (application and not new) or (plain and application is not Application.PIV):
        raise InvalidInput(
            "cli.card.application", "--application goes with --new, --plain with a new PIV card"
        )
    host, _, port = vpcd.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise InvalidInput("cli.vpcd", f"{vpcd!r} is no HOST:PORT", "As in 127.0.0.1:35963.")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with dial(host, int(port)) as connection:
            if application is Application.PIV:
                options.services().stock.write_virtual_piv(file, extensions=not plain)
            elif new:
                options.services().stock.write_virtual(file)
            card = load_virtual(file, _slow_key(chip_delay))
            say(f"the card is in the reader at {vpcd}")
            serve(connection, card)
            say("the reader is gone")
    except KeyboardInterrupt:
        say("the card is out")


def _slow_key(seconds: float) -> KeyMaker:
    from keys.files import make_private_key

    def make(spec: KeySpec) -> PrivateKey:
        time.sleep(seconds)
        return make_private_key(spec)

    return make


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
            {
                "card": card.chip_serial,
                "profile": card.profile,
                "state": card.state.value,
                "order": card.order_id,
            }
            for card in records.cards(tx)
        ]
    show_rows(rows, ("card", "profile", "state", "order"), as_json=as_json)


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
    from card_personalization.inspection import not_offered
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
        missing = not_offered([one for run in runs for one in records.steps_of(tx, run.id)])
        certificates = [
            f"{one.usage} {one.serial.lstrip('0')}"
            f"{' revoked' if revocation_of(tx, one.id or 0) else ''}"
            for one in certificates_of_carrier(tx, f"card-{row.chip_serial}")
        ]
        envelopes = records.envelopes_of(tx, row.chip_serial)
    show_record(
        {
            "card": row.chip_serial,
            "profile": row.profile,
            "state": row.state.value,
            "order": row.order_id,
            "not_offered": sorted(missing),
            "certificates": certificates,
            "runs": [f"{run.id} {run.state.value}" for run in runs],
            "steps": steps,
            "pin_envelopes": [one.credential_id for one in envelopes],
        },
        as_json=as_json,
    )
