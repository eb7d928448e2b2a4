"""``hpki audit``: the trail."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

app = typer.Typer(help="The audit trail.")


@app.command()
def verify(
    anchor: Annotated[
        str | None, typer.Option(help="A head noted before, SEQ:HASH; must still be in the trail.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Verify the whole trail and print its head.

    Note the head down as an anchor: given with --anchor later, it proves that nothing before it
    was changed or cut.

    Example: hpki audit verify
    """
    from audit.trail import parse_anchor
    from cli.output import say, show_record

    services = options.services()
    head = services.trail.verify(parse_anchor(anchor) if anchor else None)
    show_record({"seq": head.seq, "head": f"{head.seq}:{head.hash}"}, as_json=as_json)
    say(f"the trail is whole: {head.seq} entries", "green")


@app.command()
def show(
    after: Annotated[
        int, typer.Option(help="Entries after this position.", min=0, max=2**31 - 1)
    ] = 0,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10000)] = 50,
    code: Annotated[str | None, typer.Option(help="Only this code, e.g. CERT.ISSUE.")] = None,
    as_json: options.Json = False,
) -> None:
    """Show entries of the trail, oldest first.

    Example: hpki audit show --code REV.EXECUTE
    """
    import json

    from cli.output import show_rows

    services = options.services()
    rows = []
    for entry in services.trail.page(after, limit, code):
        body = json.loads(entry.body)
        rows.append(
            {
                "seq": entry.seq,
                "time": entry.at,
                "code": entry.code,
                "outcome": body["outcome"],
                "actor": body["actor_id"],
                "co_actor": body["co_actor_id"],
                "object": f"{entry.object_type} {entry.object_id}",
                "detail": body["detail"],
            }
        )
    columns = ("seq", "time", "code", "outcome", "actor", "object")
    show_rows(rows, columns, as_json=as_json)
