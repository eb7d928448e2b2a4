"""``hpki card verify`` and ``reset``: a card that was made before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options
from cli.commands.card import Layout, Profile, card_kind, layout_changes

app = typer.Typer()

_MAX_OCTETS = 4096


@app.command()
def verify(
    reader: Annotated[str, typer.Option(help="A reader's name, or a part of it.")] = "",
    profile: Profile = "hpki",
    layout: Layout = None,
    pins: Annotated[
        Path | None, typer.Option(help="The card's PINs, as `hpki card disclose-pins` writes them.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Check a finished card against the store.

    Certificates are compared byte by byte and validated with the newest lists; what only the issuer
    may do is tried and must be refused. With its PINs each key signs a challenge, with and without
    PIN, and the factory's secrets are tried.

    Example: hpki card verify --reader "Reader 00"
    """
    import os
    from contextlib import closing
    from functools import partial

    from card_personalization.inspection import inspect
    from card_personalization.pcsc import PcscTransport, find_reader
    from card_personalization.verify import CheckResult
    from cli.output import say, show_rows
    from keys.diversify import card_key
    from pki.errors import Refused

    services = options.services()
    kind = card_kind(profile, layout)
    known = {} if pins is None else _pins(pins)
    secret = partial(card_key, services.vault.card_master())
    with closing(PcscTransport(find_reader(reader))) as transport:
        found = inspect(services.store, kind.card(transport, secret), known, os.urandom)
    checks = list(found.checks)
    for row in found.certificates:
        verdict = services.path_verdict(row)
        checks.append(CheckResult(f"{str(row.usage).lower()}.path", verdict == "valid", verdict))
    rows = [{"check": one.step, "ok": one.ok, "detail": one.detail} for one in checks]
    show_rows(rows, ("check", "ok", "detail"), as_json=as_json)
    failed = [one.step for one in checks if not one.ok]
    if failed:
        raise Refused(
            "card.verify",
            f"the card {found.chip_serial} failed {', '.join(failed)}",
            "See the details above; `hpki card show` tells how it was made.",
        )
    say(f"{found.chip_serial}: {len(checks)} checks, all passed", "bold")


@app.command()
def reset(
    operator: options.Operator,
    reader: Annotated[str, typer.Option(help="A reader's name, or a part of it.")] = "",
    layout: Layout = None,
    confirm: Annotated[
        str | None, typer.Option(help="Last four digits of the card's number, 0000 if it has none.")
    ] = None,
) -> None:
    """Empty a PIV card: keys, certificates, PINs.

    It is for good, and for cards that are not in the site's books, or are destroyed there. Where
    the card has no such command nothing is done to it.

    Example: hpki card reset --reader "Reader 00" --operator fujita --confirm 6071
    """
    from contextlib import closing

    from card_personalization.card import no_secret
    from card_personalization.pcsc import PcscTransport, find_reader
    from card_personalization.piv_card import PivCard
    from card_personalization.piv_layout import load_piv_layout
    from cli.output import confirm_digits, say

    services = options.services()
    numbers = load_piv_layout(layout_changes(layout))
    with closing(PcscTransport(find_reader(reader))) as transport:
        card = PivCard(transport, numbers, no_secret)
        serial = card.identify().chip_serial
        say(f"PIV card {serial or 'without a number'}")
        confirm_digits(serial[-4:] or "0000", confirm)
        services.emptying.empty(card, services.signer(operator))
    say(f"{serial or 'the card'} is empty", "bold")


def _pins(path: Path) -> dict[str, str]:
    """Return PINs by name; raises ``InvalidInput`` that tells none."""
    from cli.output import read_input, refuse_shared
    from pki.errors import InvalidInput

    octets = read_input(path, _MAX_OCTETS, "cli.pins")
    refuse_shared(path, path.stat().st_mode)
    lines = [line.split() for line in octets.decode("ascii", "replace").splitlines()]
    if any(len(line) != 2 for line in lines):
        raise InvalidInput("cli.pins", f"{path} holds no lines of NAME and PIN")
    return {name: pin for name, pin in lines if name != "card"}
