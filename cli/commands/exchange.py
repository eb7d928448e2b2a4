"""``hpki exchange``: registers, orders and results between organisations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from operators.exchange.peers import PeerView

app = typer.Typer(help="Files between this organisation and others.")

Out = Annotated[Path, typer.Argument(help="The file to write.")]
In = Annotated[Path, typer.Argument(help="The file that came.")]


@app.command("register")
def make_register(
    out: Out,
    operator: options.Operator,
    co_operator: options.CoOperator = None,
    as_json: options.Json = False,
) -> None:
    """Write our register for others, signed by two officers.

    It holds who may sign here, by account and key, and what our CAs issue; no names of people.
    Tell the receiver its SHA-256 in another way: the receiver's officers compare it.

    Example: hpki exchange register ra-register.json --operator toroku --co-operator sakurai
    """
    from cli.exchange import own_content, write_paper
    from cli.output import show_record
    from cli.staffing import signers_of
    from operators.exchange import sending

    services = options.services()
    signers = signers_of(services, operator, co_operator)

    def made() -> bytes:
        with services.store.begin() as tx:
            content = own_content(services, tx)
            return sending.make_register(services.directory, tx, content, signers)

    written = write_paper(out, made)
    show_record({"id": services.peers.own_id, **written}, as_json=as_json)


@app.command()
def accept(
    file: In,
    operator: options.Operator,
    co_operator: options.CoOperator = None,
    confirm: Annotated[
        str | None, typer.Option(help="First eight digits of the SHA-256 the sender told.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Accept another organisation by its register.

    Or take a newer register of one. Two officers accept it; first it shows whom it concerns, and
    wants the first eight digits of the SHA-256 that the sender told you in another way. A newer
    one is taken by one operator: each act in it is signed by people of the register before. An
    older one is refused.

    Example: hpki exchange accept ra-register.json --operator sakurai --co-operator mori
    --confirm 01234567
    """
    from cli.exchange import confirm_digest, read_paper, show_sender
    from cli.output import say, show_record
    from cli.staffing import signers_of

    services = options.services()
    octets = read_paper(file)
    with services.store.read() as tx:
        opened = services.peers.open_register(tx, octets)
        known = services.peers.knows(tx, opened.view.id)
    show_sender(opened.view, opened.sha256)
    if not known:
        confirm_digest(opened.sha256, confirm)
    signers = signers_of(services, operator, None if known else co_operator)
    with services.store.begin() as tx:
        opened = services.peers.open_register(tx, octets)
        if services.peers.knows(tx, opened.view.id):
            services.peers.keep(tx, opened, signers[0])
        else:
            services.peers.accept(tx, opened, signers)
    if opened.again:
        say("this register was taken before; nothing was changed", "yellow")
    show_record(_row(opened.view), as_json=as_json)


@app.command("orders")
def send_orders(
    out: Out,
    refs: Annotated[
        list[str] | None,
        typer.Argument(help="Application numbers; all that have no result, if none."),
    ] = None,
    *,
    to: Annotated[
        str | None, typer.Option(help="The CA's id; the one of hpki.toml, if none.")
    ] = None,
    operator: options.Operator,
    as_json: options.Json = False,
) -> None:
    """Write approved orders to a file for another CA.

    Example: hpki exchange orders orders.json T2026-0001 T2026-0002 --operator endo
    """
    from cli.exchange import addressee, open_refs, write_paper
    from cli.output import show_record

    services = options.services()
    ca_id = addressee(services, to)
    wanted = refs or open_refs(services, ca_id)
    signer = services.signer(operator)
    written = write_paper(out, lambda: services.handover.export(ca_id, wanted, signer))
    show_record({"id": ca_id, "orders": len(wanted), **written}, as_json=as_json)


@app.command()
def receive(file: In, operator: options.Operator, as_json: options.Json = False) -> None:
    """Take another organisation's orders.

    All of a file, or none. They are issued as our own: `hpki card personalize` or `hpki cert
    issue`.

    Example: hpki exchange receive orders.json --operator fujita
    """
    from cli.exchange import read_paper, show_origin
    from cli.output import say, show_rows
    from policies.exchange import PaperKind

    services = options.services()
    octets = read_paper(file)
    show_origin(services, octets, PaperKind.ORDERS)
    received = services.foreign_orders.accept(octets, services.signer(operator))
    if received.again:
        say("this file was taken before; nothing was changed", "yellow")
    rows = [{"order": one, "id": received.authority} for one in received.order_ids]
    show_rows(rows, ("order",), as_json=as_json)


@app.command("results")
def send_results(
    out: Out,
    orders: Annotated[list[str], typer.Argument(help="Orders, as `hpki exchange receive` said.")],
    operator: options.Operator,
    refuse: Annotated[
        str | None, typer.Option(help="Refuse these orders, with this code; for good.")
    ] = None,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Write results to a file for whoever ordered them.

    Certificates, or a refusal. All orders are one organisation's.

    Example: hpki exchange results results.json 0123456789abcdef/T2026-0001.1 --operator fujita
    """
    from cli.exchange import write_paper
    from cli.output import confirm, show_record
    from policies.exchange import order_refusal

    services = options.services()
    if refuse is not None:
        why = order_refusal(refuse).english
        confirm(f"Refuse {len(orders)} orders for good: {why}?", yes)
    signer = services.signer(operator)
    written = write_paper(out, lambda: services.foreign_orders.results(orders, signer, refuse))
    show_record({"orders": len(orders), **written}, as_json=as_json)


@app.command()
def take(file: In, operator: options.Operator, as_json: options.Json = False) -> None:
    """Take the results that another CA sent.

    All of a file, or none. Every certificate is held against its order, octet for octet. An order
    that the CA refused stays with its application: send that back, or withdraw it.

    Example: hpki exchange take results.json --operator endo
    """
    from cli.exchange import read_paper, show_origin
    from cli.output import say, show_rows
    from policies.exchange import PaperKind

    services = options.services()
    octets = read_paper(file)
    show_origin(services, octets, PaperKind.RESULTS)
    signer = services.signer(operator)
    with services.store.begin() as tx:
        found = services.handover.import_result(tx, octets, signer)
        for one in found:
            if one.refusal is None:
                services.examination.follow_issue(tx, one.order_id)
    if not found:
        say("this file was taken before; nothing was changed", "yellow")
    rows = [
        {
            "application": one.application_ref,
            "order": one.order_id,
            "certificates": sorted(usage.value for usage in one.certificates),
            "refusal": one.refusal,
        }
        for one in found
    ]
    show_rows(rows, ("order", "certificates", "refusal"), as_json=as_json)


@app.command()
def peers(as_json: options.Json = False) -> None:
    """List the organisations that were accepted.

    Example: hpki exchange peers
    """
    from cli.output import show_rows

    services = options.services()
    with services.store.read() as tx:
        rows = [_row(one) for one in services.peers.all(tx)]
    show_rows(rows, ("id", "part", "name", "seq", "people"), as_json=as_json)


def _row(view: PeerView) -> dict[str, Any]:
    return {
        "id": view.id,
        "part": view.content.part.value,
        "name": view.content.name,
        "setup": view.known.setup,
        "seq": view.head.seq,
        "people": len(view.known.register.accounts),
    }
