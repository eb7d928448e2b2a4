"""``hpki ra receive-signed``: applications that came signed online."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options

app = typer.Typer()


@app.command("receive-signed")
def receive_signed(
    files: Annotated[list[Path], typer.Argument(help="Signed applications (.p7m, DER).")],
    operator: options.Operator,
    as_json: options.Json = False,
) -> None:
    """Take in applications signed with a valid certificate.

    Each file is a CMS message that holds a list with one application. Whoever signed must be the
    holder of the application that it replaces. The message is kept, encrypted, as the form. One
    that is refused stops no other and leaves nothing; the exit status is then 3. The same file
    again changes nothing.

    Example: hpki ra receive-signed renewal.p7m --operator aoki
    """
    from cli.commands.registration.batches import worded
    from cli.output import read_input, say, show_error, show_rows
    from pki.cms import MAX_OCTETS
    from pki.errors import HpkiError, Refused

    services = options.services()
    signer = services.signer(operator)
    rows: list[Mapping[str, Any]] = []
    for file in files:
        try:
            octets = read_input(file, MAX_OCTETS, "pki.cms.size")
            made = services.online.receive(octets, signer)
        except HpkiError as error:
            if len(files) == 1:
                raise
            show_error(error)
            told = {"code": error.code, "text": error.text, "hint": error.hint}
            rows.append({"file": file.name, "outcome": "REFUSED", **told})
        else:
            done = {"application": made.ref, "outcome": "DONE", "state": made.state.value}
            rows.append({"file": file.name, **done})
    columns = ("file", "application", "outcome", "state", "code")
    show_rows(worded(rows, as_json=as_json), columns, as_json=as_json)
    refused = sum("code" in row for row in rows)
    say(f"オンライン受付 receive-signed: {len(files) - refused} of {len(files)} done")
    if refused:
        raise Refused(
            "ra.receive_signed.some",
            f"{refused} of {len(files)} were not taken in",
            "The errors are above; nothing is kept of those files.",
        )
