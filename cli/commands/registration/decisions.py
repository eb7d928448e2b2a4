"""``hpki ra approve`` and ``reject``: the approver's decisions."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import options
from cli.commands.registration.batches import All, Ref, Refs

app = typer.Typer()


@app.command()
def approve(
    operator: options.Operator,
    refs: Refs = None,
    every: All = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Decide to issue, signed, and order it from the CA.

    The approver is another person than the examiner. Prints each order's id; where a fee is due
    the order follows the payment. Of several files those that cannot be approved are shown before
    the question; one that is refused stops no other, and the exit status is then 3.

    Example: hpki ra approve T2026-0001 --operator endo
    """
    from cli.commands.registration.batches import Step, chosen, take, worded
    from cli.output import show_rows
    from policies.moves import ApplicationState

    services = options.services()
    signer = services.signer(operator)

    def act(ref: str) -> dict[str, Any]:
        order = services.examination.approve(ref, signer)
        waits = ApplicationState.PAYMENT_WAIT if order is None else ApplicationState.ISSUING
        return {"state": waits.value, "order": order.id if order else None}

    step = Step("approve", "承認", lambda ref: services.hindrances.of_approval(ref, operator), act)
    batch = take(step, chosen(services, refs, every, ApplicationState.EXAMINED), yes=yes)
    columns = ("application", "outcome", "state", "order", "code")
    show_rows(worded(batch.rows, as_json=as_json), columns, as_json=as_json)
    batch.conclude()


@app.command()
def reject(
    ref: Ref,
    code: Annotated[str, typer.Option(help="Refusal code, R01 to R10 or R99.")],
    operator: options.Operator,
    reason: Annotated[str, typer.Option(help="In words; R99 wants them.")] = "",
) -> None:
    """Decide not to issue, signed, with a refusal code.

    A letter (却下通知) is due.

    Example: hpki ra reject T2026-0002 --code R02 --operator endo
    """
    from cli.output import say
    from cli.terms import refusal_term, state_term

    services = options.services()
    made = services.examination.reject(ref, services.signer(operator), code.upper(), reason)
    say(f"{ref}: {state_term(made.state)} — {refusal_term(code.upper())}")
