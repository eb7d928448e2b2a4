"""``hpki crl``: revocation lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services
    from crl.records import RevocationList

app = typer.Typer(help="Revocation lists: issue, publish, show.")

SYSTEM = "SYSTEM"
_LONGEST_PATH = 256
Cas = Annotated[list[str] | None, typer.Argument(help="CAs; all if none.", show_default=False)]
Actor = Annotated[
    str, typer.Option("--operator", envvar="HPKI_OPERATOR", help="Who acts; SYSTEM for a timer.")
]


@app.command()
def issue(cas: Cas = None, operator: Actor = "SYSTEM", as_json: options.Json = False) -> None:
    """Issue new lists; `hpki crl publish` makes them public.

    Example: hpki crl issue sign
    """
    from ca import records

    services = _services_for(operator)
    with services.store.read() as tx:
        wanted = cas or [one.id for one in records.issuers(tx)]
    made = [row for ca in wanted for row in services.lists.issue(ca, operator)]
    _show(made, as_json)


@app.command()
def publish(cas: Cas = None, operator: Actor = "SYSTEM", as_json: options.Json = False) -> None:
    """Publish the newest list of each CA, and the CA certificates.

    Refuses a list that does not verify, is another CA's, or is not newer than the one served.

    Example: hpki crl publish
    """
    from ca import records as ca_records
    from ca.issuers import find_issuer
    from crl import records
    from crl.records import ListState, Scope
    from pki.errors import NotFound

    services = _services_for(operator)
    with services.store.read() as tx:
        issuers = [find_issuer(tx, ca) for ca in cas] if cas else ca_records.issuers(tx)
        newest = [
            records.latest(tx, one.id, Scope(scope))
            for one in issuers
            for scope in services.profiles.crl(one.crl_profile).scopes
        ]
    rows = [row for row in newest if row is not None]
    if not rows:
        raise NotFound("crl.none", "there is no list to publish", "Issue one: `hpki crl issue`.")
    services.lists.publish_certificates()
    done = [services.lists.publish(row, operator) for row in rows if row.state is ListState.STORED]
    for row in rows:
        if row.state is ListState.PUBLISHED:
            services.lists.restore(row)
    _show(done or rows, as_json)


@app.command()
def due(operator: Actor = "SYSTEM", as_json: options.Json = False) -> None:
    """Issue and publish what is due: for a timer.

    A list is due when a revocation stands on none, or when it is older than its interval. Run it
    from a timer, and by hand after a revocation whose list could not be published. With nothing
    due it prints an empty table and ends with 0.

    Example: hpki crl due
    """
    services = _services_for(operator)
    _show(services.lists.due(operator), as_json)


@app.command()
def show(
    target: Annotated[
        str | None, typer.Argument(help="A CA's id or a list file; all lists if none.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show the lists made, or the content of one.

    Without a target every list is shown, newest first; else the file, or the CA's newest list.

    Example: hpki crl show public/crl-sign.crl
    """
    from ca.issuers import find_issuer
    from cli.output import read_input, show_record
    from crl import records
    from crl.checking import load_list
    from crl.records import Scope
    from pki.errors import NotFound

    services = options.services()
    if target is None:
        with services.store.read() as tx:
            rows = records.lists(tx)
        _show(rows, as_json)
        return
    if len(target) < _LONGEST_PATH and Path(target).is_file():
        octets = read_input(Path(target), 256 * 1024 * 1024, "crl.size")
        show_record(_content(load_list(octets)), as_json=as_json)
        return
    with services.store.read() as tx:
        issuer = find_issuer(tx, target)
        scopes = services.profiles.crl(issuer.crl_profile).scopes
        newest = records.latest(tx, issuer.id, Scope(scopes[-1]))
    if newest is None or newest.list_der is None:
        raise NotFound("crl.none", f"the CA {target} has made no list yet", "`hpki crl issue`.")
    show_record(_content(load_list(newest.list_der)), as_json=as_json)


def _services_for(operator: str) -> Services:
    """Open the site; a named IA operator unlocks their key, a timer acts as SYSTEM."""
    from policies.roles import Role

    services = options.services()
    if operator != SYSTEM:
        signer = services.signer(operator)
        with services.store.read() as tx:
            services.directory.verify_may_act(tx, signer, Role.IA_OPERATOR)
    return services


def _show(rows: list[RevocationList], as_json: bool) -> None:
    from cli.output import show_rows

    shown = [
        {
            "issuer": row.issuer_id,
            "scope": row.scope.value,
            "number": row.number,
            "state": row.state.value,
            "entries": row.entries,
            "this_update": row.this_update,
            "next_update": row.next_update,
            "sha256": row.sha256,
        }
        for row in rows
    ]
    columns = ("issuer", "scope", "number", "state", "entries", "this_update", "next_update")
    show_rows(shown, columns, as_json=as_json)


def _content(parsed: Any) -> dict[str, Any]:
    from crl.checking import crl_number
    from pki.names import text

    return {
        "issuer": text(parsed.issuer),
        "number": crl_number(parsed),
        "this_update": parsed.last_update_utc,
        "next_update": parsed.next_update_utc,
        "entries": len(parsed),
        "certificates": [f"{entry.serial_number:x}" for entry in list(parsed)[:1000]],
    }
