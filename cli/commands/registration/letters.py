"""``hpki ra notice``: letters that applicants must get."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import options
from cli.commands.registration.batches import Ref

app = typer.Typer(help="Letters to applicants (通知).")


@app.command("list")
def list_notices(as_json: options.Json = False) -> None:
    """List the letters that were not sent yet.

    Example: hpki ra notice list
    """
    from cli.output import show_rows
    from cli.terms import term

    services = options.services()
    today = services.registrar.today
    rows: list[dict[str, Any]] = [
        {
            "application": one.application_ref,
            "notice": one.kind.value if as_json else term(one.kind.value),
            "due_on": one.due_on,
            "late": one.due_on < today,
        }
        for one in services.letters.due()
    ]
    show_rows(rows, ("application", "notice", "due_on", "late"), as_json=as_json)


@app.command()
def sent(
    ref: Ref,
    kind: Annotated[str, typer.Argument(help="DEFICIENCY, RETURN, REJECTION or FEE.")],
    operator: options.Operator,
    way: Annotated[str, typer.Option(help="MAIL, EMAIL, FAX or the like.")] = "MAIL",
) -> None:
    """Keep that a letter was sent.

    Example: hpki ra notice sent T2026-0003 DEFICIENCY --operator aoki
    """
    from cli.output import say
    from cli.terms import term
    from pki.errors import InvalidInput
    from ra.casework.records import NoticeKind

    try:
        wanted = NoticeKind(kind.upper())
    except ValueError:
        raise InvalidInput(
            "cli.notice", f"there is no letter {kind!r}", f"Known: {', '.join(NoticeKind)}."
        ) from None
    services = options.services()
    notice = services.letters.send(ref, wanted, way.upper(), services.signer(operator))
    say(f"{ref}: {term(notice.kind.value)} {notice.way} {notice.sent_on}")
