"""``hpki crl``: lists as relying parties get them, and what they prove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cryptography import x509

    from cli.wiring import Services
    from crl.monitoring.inspection import Inspected
    from crl.monitoring.watch import Watch
    from crl.proving import Place, Standing

app = typer.Typer()

SEEN_FILE = "crl-seen.json"
WARNED, WRONG, UNREACHED = 7, 3, 6
"""Exit statuses of a check; the worst of all places counts, WRONG before UNREACHED."""

_MAX_CERTIFICATES = 1024 * 1024
IssuerFiles = Annotated[
    list[Path] | None,
    typer.Option("--issuer", help="Certificate of the lists' CA; then no site is opened."),
]


@app.command()
def check(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="URL|FILE…",
            help="Lists, DER or PEM; all URIs of the site's lists if none.",
            show_default=False,
        ),
    ] = None,
    issuer: IssuerFiles = None,
    seen: Annotated[
        Path | None,
        typer.Option(help="Remembers the lists seen.", show_default="crl-seen.json of the site"),
    ] = None,
    warn_hours: Annotated[
        float, typer.Option(min=0, max=8760, help="Warn so long before expiry, without a site.")
    ] = 24,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=600, help="Seconds for each whole answer.")
    ] = 20,
    as_json: options.Json = False,
) -> None:
    """Fetch lists as relying parties do and judge them: for monitoring.

    One line for each, with the remedy: OK, WARNING or ERROR. Judged are signature, age, expiry,
    number and entries against those last seen, media type, and on a site whether it is the newest
    list that was published. Exit status: 0 all sound, 7 a warning, 3 an error, 6 a list that could
    not be fetched; of several 3 counts before 6, and 6 before 7.

    Example: hpki crl check http://repository.demo-hpki.example.jp/crl-sign.crl
    """
    from datetime import timedelta

    from cli.output import show_json
    from cli.tables import sound, write_stdout
    from cli.wiring import now
    from crl.monitoring.fetching import is_url
    from crl.monitoring.inspection import Inspection
    from crl.monitoring.seen import load_memory
    from pki.errors import InvalidInput

    services = None if issuer else _site()
    watch = _watch(services) if services is not None else None
    certificates = _certificates(issuer or [], watch)
    wanted = places or (watch.places() if watch is not None else [])
    if not wanted:
        raise InvalidInput("cli.usage", "no list was named", "See `hpki crl check --help`.")
    for place in wanted:
        is_url(place)
    if seen is None and services is not None:
        seen = services.site.path(SEEN_FILE)
    memory = load_memory(seen)
    overlap = timedelta(hours=warn_hours)
    inspection = Inspection(certificates, memory, watch, now, overlap, timeout)
    looked = [inspection.look(place) for place in wanted]
    memory.keep()
    if as_json:
        show_json([_tree(one) for one in looked])
    else:
        write_stdout("".join(f"{sound(_line(one))}\n" for one in looked))
    statuses = {_status(one) for one in looked}
    status = next((one for one in (WRONG, UNREACHED, WARNED) if one in statuses), 0)
    if status:
        raise typer.Exit(status)


@app.command()
def prove(
    serial: Annotated[str, typer.Argument(help="Hexadecimal, with or without colons.")],
    ca: Annotated[str | None, typer.Option("--ca", help="Ask this CA alone.")] = None,
    file: Annotated[
        Path | None, typer.Option("--list", help="Ask this list alone, DER or PEM.")
    ] = None,
    issuer: IssuerFiles = None,
    as_json: options.Json = False,
) -> None:
    """Show whether and since which list a serial number is revoked.

    The answer comes from the lists in the archive, each proven by its CA's signature, its coverage
    statement and the trail. Of a serial that is not listed, those before and after it on the list
    are shown: nothing stands between. Exit status 0 when the question could be answered.

    Example: hpki crl prove 01:9a:3c:55:07 --ca sign
    """
    from cli.output import raise_first, show_json, show_record
    from cli.wiring import now
    from crl.proving import Proving
    from pki.serials import parse_serial

    number = parse_serial(serial)
    if file is not None:
        show_record(_listed(file, number, issuer or []), as_json=as_json)
        return
    services = options.services()
    proving = Proving(services.store, services.trail, services.authorities, services.lists, now)
    found = proving.prove(number, ca)
    trees = [_standing(one, number) for one in found]
    if as_json:
        show_json(trees)
    else:
        for tree in trees:
            show_record(tree, as_json=False)
    raise_first([fault for one in found for fault in one.faults])


def _site() -> Services | None:
    """Return the services of the site, None where there is none."""
    from cli.config import FILE_NAME

    if not options.current.site.joinpath(FILE_NAME).is_file():
        return None
    return options.services()


def _watch(services: Services) -> Watch:
    from crl.monitoring.watch import Watch

    return Watch(services.store, services.authorities, services.lists, services.parameters)


def _certificates(files: Sequence[Path], watch: Watch | None) -> list[x509.Certificate]:
    """Return the CAs' certificates in the files, else the site's; raises ``InvalidInput``."""
    from cli.output import read_input
    from pki.errors import InvalidInput

    if not files and watch is None:
        raise InvalidInput(
            "cli.crl.issuer",
            "whose lists these are is not known: there is no site",
            "Name the CA's certificate with --issuer FILE, or a site with --site.",
        )
    if not files and watch is not None:
        return watch.certificates()
    read = [read_input(file, _MAX_CERTIFICATES, "cli.crl.issuer") for file in files]
    return [one for octets, file in zip(read, files, strict=True) for one in _parsed(octets, file)]


def _parsed(octets: bytes, file: Path) -> list[x509.Certificate]:
    from cryptography import x509

    from pki.errors import InvalidInput

    try:
        if b"-----BEGIN" in octets:
            return x509.load_pem_x509_certificates(octets)
        return [x509.load_der_x509_certificate(octets)]
    except ValueError:
        raise InvalidInput(
            "cli.crl.issuer", f"{file} holds no certificate", "Give it in DER or PEM."
        ) from None


def _status(one: Inspected) -> int:
    from pki.findings import Severity

    if not one.reached:
        return UNREACHED
    if one.severity is Severity.ERROR:
        return WRONG
    return WARNED if one.severity is Severity.WARNING else 0


def _line(one: Inspected) -> str:
    """Return severity, place, what the list says, and each remark with its remedy."""
    from cli.output import jst

    parts = []
    if one.found is not None:
        found = one.found
        ends = jst(found.next_update) if found.next_update is not None else "-"
        parts.append(
            f"list {found.number} of {jst(found.this_update)} until {ends}, "
            f"{found.entries} entries, {found.octets} octets"
        )
    parts += [f"{remark.text}  ({remark.hint})" for remark in one.remarks]
    return f"{one.severity or 'OK'}  {one.place}  {'; '.join(parts)}"


def _tree(one: Inspected) -> dict[str, Any]:
    from dataclasses import asdict

    found = asdict(one.found) if one.found is not None else {}
    found.pop("issuer_der", None)
    return {
        "place": one.place,
        "severity": one.severity or "OK",
        "reached": one.reached,
        "remarks": [asdict(remark) for remark in one.remarks],
        **found,
    }


def _listed(file: Path, number: int, issuer: list[Path]) -> dict[str, Any]:
    """Return what one list file says; its signature must verify."""
    from crl.checking import this_update
    from crl.monitoring.fetching import fetched
    from crl.monitoring.observation import verify_by
    from crl.proving import find_serial
    from pki.reading.crl import open_list

    services = None if issuer else _site()
    watch = _watch(services) if services is not None else None
    certificates = _certificates(issuer, watch)
    with fetched(str(file), 1) as (opened, _):
        parsed = open_list(opened)
        verify_by(parsed, certificates)
        place = find_serial(parsed, opened, number)
        ends = parsed.next_update
        return {
            "serial": f"{number:x}",
            "issuer": parsed.issuer.text,
            **_place(place),
            "list_number": parsed.number,
            "this_update": this_update(parsed),
            "next_update": ends.moment if ends is not None else None,
        }


def _standing(one: Standing, number: int) -> dict[str, Any]:
    certificate, revocation = one.certificate, one.revocation
    newest, first, left = one.newest, one.first, one.left
    return {
        "serial": f"{number:x}",
        "issuer": one.series.issuer_id,
        "scope": one.series.scope.value,
        "shard": one.series.shard,
        "certificate": certificate.state.value if certificate is not None else None,
        "not_after": certificate.not_after if certificate is not None else None,
        "ground": revocation.ground if revocation is not None else None,
        "revoked": revocation.revoked_at if revocation is not None else None,
        **_place(one.place),
        "list_number": newest.number if newest is not None else None,
        "this_update": newest.this_update if newest is not None else None,
        "next_update": newest.next_update if newest is not None else None,
        "first_list": first.number if first is not None else None,
        "first_update": first.this_update if first is not None else None,
        "published_at": first.published_at if first is not None else None,
        "list_before": one.absent.number if one.absent is not None else None,
        "left_list": left.number if left is not None else None,
        "left_update": left.this_update if left is not None else None,
        "faults": [fault.code for fault in one.faults],
    }


def _place(place: Place | None) -> dict[str, Any]:
    """Return whether the serial is on the list, with its entry or its neighbours."""
    from pki.reasons import Reason

    entry = place.entry if place is not None else None
    reason = entry.reason if entry is not None else None
    names = {one.value: one.name for one in Reason}
    before, after = (place.before, place.after) if place is not None else (None, None)
    return {
        "on_list": None if place is None else entry is not None,
        "entry_date": entry.revoked_at.moment if entry is not None else None,
        "reason": names.get(reason, str(reason)) if reason is not None else None,
        "serial_before": f"{before:x}" if before is not None else None,
        "serial_after": f"{after:x}" if after is not None else None,
    }
