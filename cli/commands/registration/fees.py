"""``hpki ra fee``: what applicants owe, paid or waived."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import options
from cli.commands.registration.batches import Ref

app = typer.Typer(help="Fees of applications (手数料).")


@app.command("list")
def list_fees(
    every: Annotated[bool, typer.Option("--all", help="Settled ones too.")] = False,
    as_json: options.Json = False,
) -> None:
    """List the fees that are due.

    Example: hpki ra fee list
    """
    from cli.output import show_rows
    from cli.terms import term

    rows: list[dict[str, Any]] = [
        {
            "application": one.application_ref,
            "yen": one.yen,
            "fee": one.state.value if as_json else term(one.state.value),
            "asked_on": one.asked_on,
            "settled_on": one.settled_on,
        }
        for one in options.services().fees.asked(settled=every)
    ]
    columns = ("application", "yen", "fee", "asked_on", "settled_on")
    show_rows(rows, columns, as_json=as_json)


@app.command()
def pay(
    ref: Ref,
    yen: Annotated[int, typer.Argument(help="The sum that came in, in yen.")],
    reference: Annotated[str, typer.Option(help="Where it stands in the accounts.")],
    operator: options.Operator,
) -> None:
    """Keep that a fee was paid; a waiting file goes on.

    Example: hpki ra fee pay T2026-0006 5500 --reference 20261001-17 --operator aoki
    """
    from cli.output import say
    from cli.terms import term

    services = options.services()
    fee = services.fees.pay(ref, yen, reference, services.signer(operator))
    say(f"{ref}: {fee.yen:,}円 {term(fee.state.value)}")


@app.command()
def waive(
    ref: Ref,
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    operator: options.Operator,
) -> None:
    """Waive a fee, as an approver or the RA manager.

    Example: hpki ra fee waive T2026-0006 --reason "被災による免除" --operator endo
    """
    from cli.output import say
    from cli.terms import term

    services = options.services()
    fee = services.fees.waive(ref, reason, services.signer(operator))
    say(f"{ref}: {fee.yen:,}円 {term(fee.state.value)}")
