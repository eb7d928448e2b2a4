"""``hpki ra sheet``, ``label``, ``letter``: what the registration authority prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

app = typer.Typer(help="Papers of the registration authority.")

Refs = Annotated[list[str], typer.Argument(help="Application references.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="A new file, .html or .pdf.")]


@app.command()
def sheet(refs: Refs, out: Out, operator: options.Operator) -> None:
    """Write check sheets (審査チェックシート) to be printed.

    Example: hpki ra sheet T2026-0001 --out sheet.pdf --operator aoki
    """
    from cli.output import refuse_existing, say
    from cli.papers import sheets_page, write_page

    services = options.services()
    refuse_existing(out)
    write_page(
        out, sheets_page(services, list(dict.fromkeys(refs)), services.signer(operator).operator_id)
    )
    say(f"{out}")


@app.command()
def label(refs: Refs, out: Out) -> None:
    """Write labels with the receipt numbers as QR codes.

    Example: hpki ra label T2026-0001 T2026-0002 --out labels.pdf
    """
    from cli.output import refuse_existing, say
    from cli.papers import labels_page, write_page

    services = options.services()
    refuse_existing(out)
    write_page(out, labels_page(services, list(dict.fromkeys(refs))))
    say(f"{out}")


@app.command()
def letter(
    refs: Refs,
    kind: Annotated[str, typer.Option(help="DEFICIENCY, FEE, RETURN or REJECTION.")],
    out: Out,
    operator: options.Operator,
) -> None:
    """Write letters that applicants are owed (不備, 却下 …).

    Example: hpki ra letter T2026-0008 --kind DEFICIENCY --out letter.pdf --operator aoki
    """
    from cli.output import refuse_existing, say
    from cli.papers import letters_page, write_page
    from pki.errors import InvalidInput
    from ra.casework.records import NoticeKind

    try:
        wanted = NoticeKind(kind.upper())
    except ValueError:
        known = ", ".join(NoticeKind)
        raise InvalidInput("cli.notice", "there is no such letter", f"Known: {known}.") from None
    services = options.services()
    refuse_existing(out)
    write_page(
        out,
        letters_page(
            services, list(dict.fromkeys(refs)), wanted, services.signer(operator).operator_id
        ),
    )
    say(f"{out}")


@app.command("print-inquiry")
def print_inquiry(
    inquiry: Annotated[str, typer.Argument(help="An inquiry's id.")],
    out: Out,
    operator: options.Operator,
) -> None:
    """Write an inquiry (登録照会一覧) to be printed.

    Example: hpki ra print-inquiry Q20261122-a1b2c3 --out inquiry.pdf --operator aoki
    """
    from cli.output import refuse_existing, say
    from cli.papers import inquiry_page, write_page

    services = options.services()
    refuse_existing(out)
    write_page(out, inquiry_page(services, inquiry, services.signer(operator).operator_id))
    say(f"{out}")
