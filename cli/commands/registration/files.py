"""``hpki ra show``, ``receive``, ``complete``, ``ask`` and the other ways a file goes or ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options
from cli.commands.registration.batches import COLUMNS, All, Ref, Refs

if TYPE_CHECKING:
    from cli.commands.registration.batches import Batch
    from cli.wiring import Services
    from operators.statements import Signer

app = typer.Typer()

Reason = Annotated[str, typer.Option(help="Why, in words; kept with the file.")]


@app.command()
def show(ref: Ref, operator: options.Operator, as_json: options.Json = False) -> None:
    """Show a whole file and its history.

    Values, papers, checks, matches, possible duplicates, inquiries, what was asked for, fee,
    letters, every move, and what would be certified. That you looked is entered first.

    Example: hpki ra show T2026-0001 --operator aoki
    """
    from cli.casefile import open_file, worded
    from cli.output import show_record

    services = options.services()
    found = open_file(services, ref, services.signer(operator))
    show_record(found if as_json else worded(found), as_json=as_json)


@app.command()
def receive(
    ref: Ref,
    web_id: Annotated[str, typer.Option(help="The web id printed on the paper.")],
    operator: options.Operator,
) -> None:
    """Receive the paper of a draft typed online.

    Example: hpki ra receive T2026-0009 --web-id W-20260901-0009 --operator aoki
    """
    from cli.output import say
    from cli.terms import state_term

    services = options.services()
    made = services.reception.receive(ref, web_id, services.signer(operator))
    say(f"{ref}: {state_term(made.state)}")


@app.command()
def complete(
    operator: options.Operator,
    refs: Refs = None,
    every: All = False,
    ask_for_rest: Annotated[
        bool, typer.Option("--ask", help="Ask the applicant for what is missing (不備).")
    ] = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Pass complete files on to the examination.

    A file that lacks papers (不備) stays where it is and is told; with --ask it becomes
    DEFICIENT, and a letter is due. --all are the received files. The exit status is 3 if any
    could not be passed on or asked for.

    Example: hpki ra complete --all --ask --operator aoki
    """
    from cli.commands.registration.batches import chosen, worded
    from cli.output import show_rows
    from policies.moves import ApplicationState

    services = options.services()
    signer = services.signer(operator)
    wanted = chosen(services, refs, every, ApplicationState.RECEIVED)
    batch = _complete(services, signer, wanted, asking=ask_for_rest, yes=yes)
    columns = ("application", "outcome", "state", "missing" if ask_for_rest else "code")
    show_rows(worded(batch.rows, as_json=as_json), columns, as_json=as_json)
    batch.conclude()


def _complete(
    services: Services, signer: Signer, refs: list[str], *, asking: bool, yes: bool
) -> Batch:
    from cli.commands.registration.batches import Step, take
    from pki.errors import Refused
    from policies.moves import ApplicationState

    def lacks_papers(error: Refused) -> bool:
        return asking and error.code == "ra.guard.documents_present"

    def hindrance(ref: str) -> None:
        try:
            services.hindrances.of_completion(ref, signer.operator_id)
        except Refused as error:
            if not lacks_papers(error):
                raise

    def act(ref: str) -> dict[str, Any]:
        try:
            return {"state": services.reception.complete(ref, signer).state.value}
        except Refused as error:
            if not lacks_papers(error):
                raise
            asked = services.reception.ask(ref, (), "", signer)
            return {"state": ApplicationState.DEFICIENT.value, "missing": asked.items.split(",")}

    return take(Step("complete", "書類の完備", hindrance, act), refs, yes=yes)


@app.command()
def ask(
    ref: Ref,
    operator: options.Operator,
    item: Annotated[
        list[str] | None,
        typer.Option(help="A document's code, FORM or FIELDS; may be repeated."),
    ] = None,
    note: Annotated[str, typer.Option(help="In words; out of an examination wanted.")] = "",
) -> None:
    """Ask the applicant for what is missing (不備).

    Without --item: what is missing by the rules. A letter is due, and the clock stands still.

    Example: hpki ra ask T2026-0003 --item RESIDENT_RECORD --note "older than three months"
    --operator aoki
    """
    from cli.output import say
    from cli.terms import document_term

    services = options.services()
    items = [one.upper() for one in item or ()]
    asked = services.reception.ask(ref, items, note, services.signer(operator))
    words = "・".join(document_term(one) for one in asked.items.split(","))
    say(f"{ref}: 不備照会中 DEFICIENT — {words}; see `hpki ra notice list`")


@app.command("return")
def return_files(
    operator: options.Operator,
    refs: Refs = None,
    late: Annotated[
        bool, typer.Option("--late", help="Every file whose applicant let the period pass.")
    ] = False,
    reason: Annotated[str, typer.Option(help="In words.")] = "",
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Send files back whose period is over (返却).

    Signed: by an examiner, after unpaid fees by an approver. The letter that asked must have been
    sent, and its period must be over. Another letter is due.

    Example: hpki ra return --late --operator aoki
    """
    from cli.commands.registration.batches import Step, chosen, take, worded
    from cli.output import show_rows

    services = options.services()
    signer = services.signer(operator)
    step = Step(
        "return",
        "返却",
        lambda ref: services.hindrances.of_return(ref, operator),
        lambda ref: {"state": services.reception.return_file(ref, signer, reason).state.value},
    )
    overdue = late and not refs
    wanted = (
        [one.ref for one in services.reception.late()] if overdue else chosen(services, refs, late)
    )
    batch = take(step, wanted, yes=yes)
    show_rows(worded(batch.rows, as_json=as_json), COLUMNS, as_json=as_json)
    batch.conclude()


@app.command()
def withdraw(ref: Ref, reason: Reason, operator: options.Operator) -> None:
    """End a file for an applicant who withdrew or died.

    By the reception; after the approval by an approver, signed. Once certificates live, revoke.

    Example: hpki ra withdraw T2026-0004 --reason "取下書を受理" --operator aoki
    """
    from cli.output import say
    from cli.terms import state_term

    services = options.services()
    made = services.examination.withdraw(ref, services.signer(operator), reason)
    say(f"{ref}: {state_term(made.state)}")


@app.command("send-back")
def send_back(ref: Ref, reason: Reason, operator: options.Operator) -> None:
    """Give a file back to the examiner (差戻し).

    What was checked stays. After an approval this takes the approval back, signed, and withdraws
    the order; the file is examined and approved anew.

    Example: hpki ra send-back T2026-0004 --reason "住所の相違" --operator endo
    """
    from cli.output import say
    from cli.terms import state_term

    services = options.services()
    made = services.examination.send_back(ref, services.signer(operator), reason)
    say(f"{ref}: {state_term(made.state)}")


@app.command("carry-out")
def carry_out(
    ref: Ref,
    operator: options.Operator,
    done: Annotated[str, typer.Option(help="What was done, where no row shows it.")] = "",
) -> None:
    """End a file that issues nothing, once it is done.

    A changed contact counts from now on. After a report of loss the certificates must be revoked.

    Example: hpki ra carry-out T2026-0010 --done "PIN letter sent" --operator aoki
    """
    from cli.output import say
    from cli.terms import state_term

    services = options.services()
    made = services.reception.carry_out(ref, services.signer(operator), done)
    say(f"{ref}: {state_term(made.state)}")
