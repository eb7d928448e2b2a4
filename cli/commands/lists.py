"""``hpki crl``: revocation lists."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services
    from crl.records import Delivery, RevocationList
    from crl.release import Release
    from pki.reading.crl import RevocationList as ReadList

app = typer.Typer(help="Revocation lists: issue, publish, import, check, prove.")

SYSTEM = "SYSTEM"
_LONGEST_PATH = 256
_MOST_SHOWN = 1000
Cas = Annotated[list[str] | None, typer.Argument(help="CAs; all if none.", show_default=False)]
Actor = Annotated[
    str, typer.Option("--operator", envvar="HPKI_OPERATOR", help="Who acts; SYSTEM for a timer.")
]


@app.command()
def issue(
    cas: Cas = None,
    operator: Actor = "SYSTEM",
    ahead: Annotated[
        int, typer.Option(min=0, max=400, help="As many more for the times that follow.")
    ] = 0,
    release: Annotated[
        str, typer.Option(help="Why a list may lack what stood on the one before; two people.")
    ] = "",
    second: Annotated[
        str | None, typer.Option(help="The CA manager who releases it with you.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Issue new lists; `hpki crl publish` makes them public.

    With --ahead the lists of the following intervals are made too, for a root whose key is rarely
    at hand: `hpki crl due` publishes each at its time. With --release you act as IA manager, and a
    CA manager signs with you.

    Example: hpki crl issue root --ahead 15
    """
    from ca import records

    services = options.services() if release else _services_for(operator)
    by = _release(services, operator, second, release)
    with services.store.read() as tx:
        wanted = cas or [one.id for one in records.issuers(tx)]
    made = [
        row for ca in wanted for row in services.lists.issue(ca, operator, ahead=ahead, release=by)
    ]
    _show(made, as_json)


def _release(services: Services, operator: str, second: str | None, reason: str) -> Release | None:
    from crl.release import Release
    from pki.errors import InvalidInput

    if not reason:
        return None
    if second is None or second == operator or operator == SYSTEM:
        raise InvalidInput(
            "cli.crl.release",
            "a list that lacks what stood on the one before is released by two people",
            "Name an IA manager with --operator and a CA manager with --second.",
        )
    return Release(services.signer(operator), services.signer(second), reason)


@app.command()
def publish(cas: Cas = None, operator: Actor = "SYSTEM", as_json: options.Json = False) -> None:
    """Publish the newest list of each CA, and the CA certificates.

    A target refuses a list that does not verify, is another CA's, is not newer than the one it
    serves, or lacks an entry of that for no reason.

    Example: hpki crl publish
    """
    from ca import records as ca_records
    from ca.issuers import find_issuer
    from cli.output import raise_first
    from cli.wiring import now
    from crl import records
    from pki.errors import NotFound

    services = _services_for(operator)
    with services.store.read() as tx:
        issuers = [find_issuer(tx, ca) for ca in cas] if cas else ca_records.issuers(tx)
        newest = [
            records.latest(tx, series, by=now())
            for one in issuers
            for series in services.lists.all_series(tx, one)
        ]
    rows = [row for row in newest if row is not None]
    if not rows:
        raise NotFound("crl.none", "there is no list to publish", "Issue one: `hpki crl issue`.")
    done, failures = [], []
    for row in rows:
        published, failed = services.publication.publish(row, operator)
        done.append(published)
        failures += failed
    failures += services.repository.publish()
    _show(done, as_json)
    raise_first(failures)


@app.command()
def due(
    operator: Actor = "SYSTEM",
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Try targets that failed, whatever their pause.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Issue and publish what is due: for a timer.

    A list is due when a revocation stands on none, when it is older than its interval, or when a
    target does not serve it. Run it from a timer, and by hand after a revocation whose list could
    not be published. With nothing due it prints an empty table and ends with 0.

    Example: hpki crl due
    """
    from cli.output import raise_first

    services = _services_for(operator)
    done = services.publish_due(operator, at_once=at_once)
    _show(done.published, as_json)
    raise_first(done.failures)


@app.command("import")
def import_lists(
    files: Annotated[list[Path], typer.Argument(help="List files, DER or PEM.")],
    operator: Actor = "SYSTEM",
    as_json: options.Json = False,
) -> None:
    """Take in lists made where a CA's key is, as an offline root's.

    They are taken in the order of their numbers. Each must verify, follow every list of ours, and
    hold all that this site revoked; `hpki crl due` publishes it when its thisUpdate comes. What a
    root's list revokes beyond is taken over.

    Example: hpki crl import root-7.crl root-8.crl
    """
    from contextlib import ExitStack

    from crl.checking import crl_number
    from crl.importing import Imports
    from crl.monitoring.fetching import fetched
    from pki.reading.crl import open_list

    services = _services_for(operator)
    imports = Imports(services.lists)
    with ExitStack() as opened:
        given = [opened.enter_context(fetched(str(path), 1))[0] for path in files]
        given.sort(key=lambda file: crl_number(open_list(file)))
        _show([imports.take(file, operator) for file in given], as_json)


@app.command()
def targets(as_json: options.Json = False) -> None:
    """Show how the newest lists came to each target.

    DONE: the list stands there. WAITING: nothing was tried yet. FAILED: after so many attempts,
    with the last error and when the next one is due.

    Example: hpki crl targets
    """
    from ca import records as ca_records
    from cli.output import show_rows
    from cli.wiring import now
    from crl import records

    services = options.services()
    rows: list[dict[str, Any]] = []
    with services.store.read() as tx:
        for issuer in ca_records.issuers(tx):
            for series in services.lists.all_series(tx, issuer):
                newest = records.latest(tx, series, by=now())
                ways = records.deliveries(tx, newest.id or 0) if newest is not None else {}
                rows += [
                    _way(newest, target.name, ways.get(target.name))
                    for target in services.targets
                    if newest is not None
                ]
    columns = ("issuer", "scope", "number", "target", "state", "attempts", "next_try", "error")
    show_rows(rows, columns, as_json=as_json)


def _way(row: RevocationList, target: str, way: Delivery | None) -> dict[str, Any]:
    state = "WAITING" if way is None else "FAILED" if way.done_at is None else "DONE"
    return {
        "issuer": row.issuer_id,
        "scope": row.scope.value,
        "shard": row.shard,
        "number": row.number,
        "target": target,
        "state": state,
        "attempts": way.attempts if way is not None else 0,
        "next_try": way.next_try_at if way is not None else None,
        "error": way.error if way is not None else None,
        "done_at": way.done_at if way is not None else None,
    }


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
    from crl.checking import list_in
    from pki.errors import NotFound
    from pki.reading.crl import MAX_OCTETS, open_list

    services = options.services()
    if target is None:
        with services.store.read() as tx:
            rows = records.lists(tx)
        _show(rows, as_json)
        return
    if len(target) < _LONGEST_PATH and Path(target).is_file():
        octets = read_input(Path(target), MAX_OCTETS, "crl.size")
        show_record(_content(list_in(octets)), as_json=as_json)
        return
    with services.store.read() as tx:
        issuer = find_issuer(tx, target)
        found = [records.latest(tx, one) for one in services.lists.all_series(tx, issuer)]
    made = [one for one in found if one is not None]
    if not made:
        raise NotFound("crl.none", f"the CA {target} has made no list yet", "`hpki crl issue`.")
    with services.lists.archive.open(max(made, key=lambda one: one.number)) as file:
        show_record(_content(open_list(file)), as_json=as_json)


def _services_for(operator: str) -> Services:
    """Open the site; a named IA operator unlocks their key, a timer acts as SYSTEM."""
    from policies.roles import Role

    services = options.services()
    services.ask_for_list_keys()
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
            "shard": row.shard,
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


def _content(parsed: ReadList) -> dict[str, Any]:
    entries = (f"{entry.serial:x}" for entry in parsed.entries())
    return {
        "issuer": parsed.issuer.text,
        "number": parsed.number,
        "this_update": parsed.this_update.moment,
        "next_update": parsed.next_update.moment if parsed.next_update is not None else None,
        "entries": sum(len(block) for block in parsed.entry_blocks()),
        "certificates": list(islice(entries, _MOST_SHOWN)),
    }
