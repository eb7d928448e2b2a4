"""``hpki audit``: the trail."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from audit.anchor import Anchor
    from audit.chain import Head
    from audit.records import TrailEntry
    from cli.wiring import Services

app = typer.Typer(help="The audit trail.")


class Outcome(StrEnum):
    """How it ended."""

    OK = "OK"
    FAIL = "FAIL"
    REFUSED = "REFUSED"


_After = Annotated[int, typer.Option(help="Entries after this position.", min=0, max=2**31 - 1)]
_Limit = Annotated[int, typer.Option(help="At most so many.", min=1, max=10000)]
_Code = Annotated[
    str | None, typer.Option(help="Only this code, e.g. CERT.ISSUE, or all of a group: CERT.")
]


@app.command()
def verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            help="What must still be in the trail: an anchor's file, or a head noted before, "
            "SEQ:HASH. May be given several times.",
        ),
    ] = None,
    statements: Annotated[
        bool, typer.Option("--statements", help="Prove people, roles and every statement, too.")
    ] = False,
    export: Annotated[
        Path | None, typer.Option(help="Verify this exported folder instead; it needs no site.")
    ] = None,
    setup: Annotated[
        str | None, typer.Option(help="With --export: SHA-256 of the first set-up, as signed.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Verify the trail and its anchors, and print its head.

    An anchor kept elsewhere, given with --anchor, proves that nothing before it was changed or cut.
    With --export no store is opened: an export is verified with all its statements, by anybody.

    Example: hpki audit verify --anchor /media/anchors/0123456789abcdef-000000000123.json
    """
    heads, files = _given_anchors(anchor or [])
    if export is not None or setup is not None:
        _verify_export(export, setup, heads, files, as_json=as_json)
        return
    from cli.evidence import prove_statements, warn_if_unreviewed
    from cli.output import say, show_record

    services = options.services(anchored=False)
    record = _verify_store(services, heads, files)
    if statements:
        record["statements"] = prove_statements(services)
    show_record(record, as_json=as_json)
    say(f"the trail is whole: {record['seq']} entries", "green")
    warn_if_unreviewed(services)


def _verify_store(
    services: Services, heads: Sequence[Head], files: Sequence[Anchor]
) -> dict[str, object]:
    """Verify the chain and all anchors, the site's own and those given; return the head."""
    from audit.anchor import verify_anchor, verify_site
    from cli.progress import bars

    with services.store.read() as tx:
        site_id, _ = services.trail.site(tx)
        stored = services.anchors.all(tx)
    for file in files:
        verify_site(file, site_id)
    wanted = [*heads, *(one.head for one in (*files, *stored))]
    with bars() as shown:
        task = shown.start("entries", 0)
        head = services.trail.verify(wanted, lambda done, total: shown.reach(task, done, total))
    keys = services.anchor_public_keys()
    services.anchors.verify_all(keys)
    for file in files:
        verify_anchor(file, site_id, keys)
        services.anchors.verify_time_stamp(file)
    return {"seq": head.seq, "head": f"{head.seq}:{head.hash}", "anchors": len(stored)}


def _verify_export(
    folder: Path | None,
    setup: str | None,
    heads: Sequence[Head],
    anchors: Sequence[Anchor],
    *,
    as_json: bool,
) -> None:
    from cli.output import say, show_record
    from cli.outsider import verify_folder
    from pki.errors import InvalidInput

    if folder is None:
        raise InvalidInput(
            "cli.audit.setup",
            "--setup is for an export",
            "Name it with --export; a site has its own in hpki.toml.",
        )
    found = verify_folder(folder, setup, heads, anchors)
    manifest = found.manifest
    record = {
        "site_id": manifest.site_id,
        "seq": manifest.last_seq,
        "head": f"{manifest.last_seq}:{manifest.head_hash}",
        "anchors": manifest.anchors,
        "statements": manifest.statements,
        "setup": manifest.setup,
        "manifest_signed": found.signed,
    }
    show_record(record, as_json=as_json)
    say(f"the export is whole: {manifest.entries} entries", "green")


@app.command()
def show(
    entries: Annotated[
        str | None, typer.Argument(metavar="[SEQ|FIRST-LAST]", help="A position, or a range.")
    ] = None,
    after: _After = 0,
    limit: _Limit = 50,
    code: _Code = None,
    as_json: options.Json = False,
) -> None:
    """Show entries of the trail, oldest first.

    Example: hpki audit show 100-120
    """
    from audit.trail import Criteria

    first, last = _range(entries) if entries is not None else (after + 1, 2**31)
    if entries is not None:
        limit = min(last - first + 1, 10000)
    services = options.services(anchored=False)
    found = services.trail.search(Criteria(code=_known(code)), first - 1, limit)
    shown = [entry for entry in found if entry.seq <= last]
    _show_entries(shown, limit if entries is None else None, as_json=as_json)


@app.command()
def search(
    person: Annotated[
        str | None, typer.Option(help="Who acted, alone or as second, or was acted on.")
    ] = None,
    about: Annotated[
        str | None, typer.Option("--object", metavar="[TYPE:]ID", help="What it was about.")
    ] = None,
    code: _Code = None,
    since: Annotated[str | None, typer.Option(help="From this day in Japan, YYYY-MM-DD.")] = None,
    until: Annotated[
        str | None, typer.Option(help="To this day in Japan and with it, YYYY-MM-DD.")
    ] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="How it ended.")] = None,
    after: _After = 0,
    limit: _Limit = 50,
    as_json: options.Json = False,
) -> None:
    """Show the entries that fit everything asked for, oldest first.

    Example: hpki audit search --person aoki --code APP. --since 2026-11-01
    """
    from datetime import timedelta

    from audit.trail import Criteria

    object_type, _, object_id = (about or "").rpartition(":")
    wanted = Criteria(
        person=person,
        object_type=object_type or None,
        object_id=object_id or None,
        code=_known(code),
        outcome=outcome.value if outcome else None,
        since=_start_of(since) if since else None,
        until=_start_of(until) + timedelta(days=1) if until else None,
    )
    services = options.services(anchored=False)
    _show_entries(services.trail.search(wanted, after, limit), limit, as_json=as_json)


@app.command("anchor")
def make_anchor(
    due: Annotated[
        bool, typer.Option("--due", help="Only if the newest is a day old: for a timer.")
    ] = False,
    stamp: Annotated[
        bool, typer.Option("--stamp", help="Make none; stamp those without a time stamp.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the anchor to this file as well.")] = None,
    as_json: options.Json = False,
) -> None:
    """Sign the trail's head as an anchor, and write it out.

    It goes to the site's anchors/ and to every folder under [anchors] in hpki.toml. --json has
    its SHA-256 too.

    Example: hpki audit anchor --due
    """
    from cli.output import refuse_existing, say, show_rows, write_output

    services = options.services(anchored=False)
    refuse_existing(out)
    with services.store.read() as tx:
        services.anchors.verify_newest(tx)
        newest = services.anchors.newest(tx)
        wanted = not due or services.anchors.is_due(tx)
    if stamp:
        done = _stamp_missing(services)
    elif wanted or newest is None:
        done = [_new_anchor(services)]
    else:
        services.anchors.deliver(newest)
        done = [newest]
        say("no anchor is due")
    if out is not None and done:
        write_output(out, done[-1].file_octets())
    columns = ("seq", "time", "file", "time_stamp")
    show_rows([_anchor_row(one) for one in done], columns, as_json=as_json)


@app.command("clock-step")
def clock_step(
    operator: options.Operator,
    co_operator: Annotated[str, typer.Option(help="A second manager, who signs too.")],
    yes: options.Yes = False,
) -> None:
    """Let the trail go on after the clock was set back.

    Its newest entries then claim a later time than now. Only after the clock was compared with a
    trusted one: what was entered under the wrong time keeps it, and the step stands in the trail
    for ever, signed by two managers.

    Example: hpki audit clock-step --operator sakurai --co-operator mori
    """
    from cli.output import confirm, jst, say
    from cli.wiring import now

    services = options.services(anchored=False)
    confirm(f"The clock says {jst(now())}. Is that the right time?", yes)
    signers = [services.signer(name) for name in (operator, co_operator)]
    with services.store.begin() as tx:
        seq = services.staff.step_clock(tx, signers)
    say(f"the step of the clock is entry {seq}", "green")


def _new_anchor(services: Services) -> Anchor:
    """Make, stamp and deliver one; raises ``Unavailable`` where it stands without its stamp."""
    from cli.evidence import anchor_key
    from pki.errors import HpkiError, Unavailable

    anchor = services.anchors.make(anchor_key(services))
    failure: HpkiError | None = None
    if services.anchors.stamper is not None:
        try:
            anchor = services.anchors.stamp(anchor)
        except HpkiError as error:
            failure = error
    services.anchors.deliver(anchor)
    if failure is not None:
        raise Unavailable(
            failure.code,
            f"the anchor of entry {anchor.content.seq} stands, without a time stamp: "
            f"{failure.text}",
            failure.hint,
        )
    return anchor


def _stamp_missing(services: Services) -> list[Anchor]:
    with services.store.read() as tx:
        missing = [one for one in services.anchors.all(tx) if one.time_stamp is None]
    stamped = []
    for anchor in missing:
        stamped.append(services.anchors.stamp(anchor))
        services.anchors.deliver(stamped[-1])
    return stamped


def _anchor_row(anchor: Anchor) -> dict[str, object]:
    from audit.canonical import digest

    return {
        "seq": anchor.content.seq,
        "hash": anchor.content.hash,
        "time": anchor.made_at,
        "sha256": digest(anchor.body),
        "file": anchor.file_name,
        "time_stamp": anchor.time_stamp is not None,
    }


def _given_anchors(texts: Sequence[str]) -> tuple[list[Head], list[Anchor]]:
    """Return the heads given as SEQ:HASH, and the anchors of the files named."""
    from audit.anchor_files import read_anchor_file
    from audit.chain import parse_anchor

    files = [Path(text) for text in texts if text.endswith(".json") or Path(text).exists()]
    heads = [parse_anchor(text) for text in texts if Path(text) not in files]
    return heads, [read_anchor_file(path) for path in files]


def _known(code: str | None) -> str | None:
    """Return the code or group of codes; raises ``InvalidInput`` where no event has it."""
    from policies.events import find_codes

    if code is not None:
        find_codes(code)
    return code


def _range(text: str) -> tuple[int, int]:
    from pki.errors import InvalidInput

    first, dash, last = text.partition("-")
    numbers = (first, last if dash else first)
    if not all(one.isascii() and one.isdecimal() and len(one) < 10 for one in numbers):
        raise InvalidInput(
            "cli.audit.range", f"{text!r} is no position", "Give 100, or a range: 100-120."
        )
    if not 0 < int(numbers[0]) <= int(numbers[1]):
        raise InvalidInput(
            "cli.audit.range",
            f"{text!r} is no range",
            "Positions begin at 1; the last is not before the first.",
        )
    return int(numbers[0]), int(numbers[1])


def _start_of(text: str) -> datetime:
    """Return the first moment of a day in Japan."""
    from cli.staffing import known_day
    from pki.validity import start_of_day

    return start_of_day(known_day(text))


def _show_entries(entries: Sequence[TrailEntry], limit: int | None, *, as_json: bool) -> None:
    """Show entries, and say where a limit may have cut them off."""
    import json

    from cli.output import say, show_rows

    rows = [
        {
            "seq": entry.seq,
            "time": entry.at,
            "code": entry.code,
            "outcome": entry.outcome,
            "actor": entry.actor,
            "co_actor": entry.co_actor,
            "object": f"{entry.object_type} {entry.object_id}",
            "detail": json.loads(entry.body)["detail"],
        }
        for entry in entries
    ]
    columns = ("seq", "time", "code", "outcome", "actor", "object")
    if not as_json:
        for row in rows:
            row["actor"] = ", ".join(str(row[one]) for one in ("actor", "co_actor") if row[one])
    show_rows(rows, columns, as_json=as_json)
    if len(rows) == limit:
        say(f"there may be more: go on with --after {rows[-1]['seq']}", "yellow")
    elif not rows:
        say("no entry fits")
