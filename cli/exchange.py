"""Files of the exchange read, shown and written by commands."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from audit.canonical import digest
from ca import records as ca_records
from cli.output import read_input, refuse_existing, say, write_output
from cli.wiring import Services
from operators.exchange.paper import MAX_OCTETS
from operators.exchange.peers import PeerView
from operators.exchange.register import RegisterContent
from pki.errors import Conflict, InvalidInput, Refused
from policies.exchange import PaperKind, Part
from ra.handover.records import unanswered_orders
from store.database import Transaction

_DIGITS = 8


def own_content(services: Services, tx: Transaction) -> RegisterContent:
    """Return what our register says of us: a CA if there is one here, else an RA."""
    name = services.site.settings.centre.name
    if ca_records.issuers(tx):
        return services.foreign_orders.register_content(tx, name)
    return RegisterContent(part=Part.RA, name=name)


def read_paper(path: Path) -> bytes:
    """Return the octets of a file of the exchange."""
    return read_input(path, MAX_OCTETS, "exchange.size")


def write_paper(out: Path, make: Callable[[], bytes]) -> dict[str, object]:
    """Make a file and write it; return its SHA-256 and where it is."""
    refuse_existing(out)
    octets = make()
    write_output(out, octets)
    return {"sha256": digest(octets), "output": out}


def show_origin(services: Services, octets: bytes, kind: PaperKind) -> None:
    """Say on stderr who signed a file of a peer, before it is taken; raises for a fault in it."""
    with services.store.read() as tx:
        opened = services.peers.open(tx, octets, kind)
    signers = ", ".join(one.signed.field("operator") for one in opened.paper.statements)
    say(
        f"  {opened.view.content.part.value} {opened.view.id} {opened.view.content.name}: {signers}"
    )


def show_sender(view: PeerView, sha256: str) -> None:
    """Say on stderr whom a register concerns, before anything is signed."""
    content = view.content
    say(f"  {content.part.value} {view.id} {content.name}")
    say(f"  SHA-256 {sha256}")
    for name, account in sorted(view.known.register.accounts.items()):
        roles = sorted(one.role.value for one in account.roles if one.until_seq is None)
        say(f"  {name}: {', '.join(roles)}")
    for one in content.authorities:
        say(f"  CA {one.id}: {', '.join(one.issues)}")


def confirm_digest(sha256: str, given: str | None) -> None:
    """Want the first eight digits of the SHA-256 typed; raises ``Refused`` for any others."""
    hint = "Ask the sender for the SHA-256 by telephone or on paper: --confirm DIGITS."
    if given is None:
        if not sys.stdin.isatty():
            raise Refused("cli.confirm.digest", "nothing was accepted; confirm the SHA-256", hint)
        say(f"First {_DIGITS} digits of the SHA-256 that the sender told: ")
        given = sys.stdin.readline().strip()
    if not secrets.compare_digest(given.lower().encode(), sha256[:_DIGITS].encode()):
        raise Refused("cli.confirm.digest", "the digits do not fit; nothing was accepted", hint)


def addressee(services: Services, given: str | None) -> str:
    """Return the id of the CA that orders go to; raises ``InvalidInput`` if none is named."""
    found = given or services.site.settings.ra.ca
    if found is None:
        raise InvalidInput(
            "cli.exchange.to", "no CA is named", "Give --to ID, or set ca under [ra] in hpki.toml."
        )
    return found


def open_refs(services: Services, ca_id: str) -> list[str]:
    """Return the applications whose orders for the CA have no result and were not withdrawn."""
    with services.store.read() as tx:
        found = [
            order.application_ref
            for order in unanswered_orders(tx, ca_id)
            if not services.orders.is_withdrawn(tx, order.id)
        ]
    if not found:
        raise Conflict("cli.exchange.none", f"no order for {ca_id} waits for a result")
    return found
