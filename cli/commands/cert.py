"""``hpki cert``: certificates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from ca.records import Certificate
    from store.database import Transaction

app = typer.Typer(help="Certificates issued.")

Serial = Annotated[str, typer.Argument(help="Serial number in hexadecimal.")]
IssuerOption = Annotated[
    str | None, typer.Option("--ca", help="The issuing CA, where a serial is not unique.")
]


@app.command()
def issue(
    order: Annotated[str, typer.Argument(help="An order's id, as `hpki ra approve` gave it.")],
    csr: Annotated[Path, typer.Option(help="PKCS#10 request, PEM or DER.")],
    purpose: Annotated[str, typer.Option(help="SIGN or AUTH.")],
    operator: options.Operator,
    out: Annotated[Path | None, typer.Option(help="Write the certificate (PEM) here.")] = None,
    as_json: options.Json = False,
) -> None:
    """Issue a certificate for an order with a request file.

    For orders without a card. Prints its serial; if --out cannot be written, it is issued all the
    same: `hpki cert export`.

    Example: hpki cert issue T2026-0003.1 --csr holder.csr --purpose SIGN --operator fujita
    """
    import secrets

    from ca.carriers import file_carrier
    from ca.orders import find_order
    from cli.output import read_input, refuse_existing, show_record, write_output
    from pki.csr import load_request
    from pki.errors import InvalidInput
    from policies.profiles import Purpose

    try:
        wanted = Purpose(purpose.upper())
    except ValueError:
        raise InvalidInput(
            "cli.purpose", f"{purpose!r} is neither SIGN nor AUTH", "Give SIGN or AUTH."
        ) from None
    services = options.services()
    refuse_existing(out)
    request = load_request(read_input(csr, 16 * 1024, "pki.csr.size"))
    signer = services.signer(operator)
    with services.store.read() as tx:
        ours = find_order(tx, order).authority is None
    if ours:
        services.examination.verify_order_now(order, [operator])
    prepared = services.orders.prepare(order, wanted, request)
    batch = services.orders.open_batch(signer, [order], secrets.token_hex(8))
    certificate = services.orders.issue(prepared, order, wanted, file_carrier(order), batch)
    if ours:
        services.examination.mark_issued(order)
    serial = f"{certificate.serial_number:x}"
    show_record({"serial": serial, "order": order, "usage": wanted.value}, as_json=as_json)
    if out is not None:
        write_output(out, _pem(certificate))


@app.command("list")
def list_certificates(
    ca: IssuerOption = None,
    reserved: Annotated[
        bool, typer.Option("--reserved", help="Only serials reserved but not issued.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List certificates in order of issue.

    Example: hpki cert list --ca sign
    """
    from ca import records
    from ca.issuers import find_issuer
    from ca.records import CertificateState
    from cli.output import show_rows

    services = options.services()
    if ca is not None:
        with services.store.read() as tx:
            find_issuer(tx, ca)
    states = [CertificateState.RESERVED] if reserved else list(CertificateState)
    rows: list[dict[str, Any]] = []
    with services.store.read() as tx:
        after = 0
        while page := records.certificates(tx, states=states, after=after):
            rows += [_row(tx, one) for one in page if ca is None or one.issuer_id == ca]
            after = page[-1].id or 0
    columns = ("serial", "usage", "status", "not_after", "holder")
    show_rows(rows, columns, as_json=as_json)


@app.command()
def show(serial: Serial, ca: IssuerOption = None, as_json: options.Json = False) -> None:
    """Show a certificate, its order, card and status.

    Example: hpki cert show 01a2b3…
    """
    from ca import records
    from ca.records import Carrier
    from cli.output import show_record

    services = options.services()
    with services.store.read() as tx:
        row = _find(tx, serial, ca)
        carrier = tx.get(Carrier, row.carrier_id) if row.carrier_id else None
        revocation = records.revocation_of(tx, row.id or 0)
        record = _row(tx, row) | {
            "not_before": row.not_before,
            "profile": row.profile,
            "order": row.order_id,
            "card": carrier.chip_serial if carrier else None,
            "sha256": row.sha256,
            "ground": revocation.ground if revocation else None,
            "crl_number": revocation.crl_number if revocation else None,
        }
    record["path"] = services.path_verdict(row)
    show_record(record, as_json=as_json)


@app.command()
def export(
    serial: Serial,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write, PEM.")],
    ca: IssuerOption = None,
    der: Annotated[bool, typer.Option("--der", help="Write DER.")] = False,
) -> None:
    """Write a certificate to a file.

    Example: hpki cert export 01a2b3… --out holder.pem
    """
    from cryptography import x509

    from cli.output import say, write_output
    from pki.errors import Conflict

    services = options.services()
    with services.store.read() as tx:
        row = _find(tx, serial, ca)
    if row.certificate_der is None:
        raise Conflict(
            "cli.cert.reserved",
            f"serial {serial} is reserved, not issued",
            "See `hpki cert list --reserved`.",
        )
    certificate = x509.load_der_x509_certificate(row.certificate_der)
    write_output(out, row.certificate_der if der else _pem(certificate))
    say(f"wrote {out}")


def _find(tx: Transaction, serial: str, ca: str | None) -> Certificate:
    from ca import records
    from pki.errors import InvalidInput, NotFound
    from pki.serials import parse_serial

    found = records.certificate_by_serial(tx, parse_serial(serial), ca)
    if not found:
        raise NotFound(
            "cli.cert.unknown", f"there is no certificate {serial}", "See `hpki cert list`."
        )
    if len(found) > 1:
        raise InvalidInput("cli.cert.ambiguous", f"{serial} stands with several CAs", "Give --ca.")
    return found[0]


def _row(tx: Transaction, row: Certificate) -> dict[str, Any]:
    from ca import records

    revocation = records.revocation_of(tx, row.id or 0)
    return {
        "serial": row.serial.lstrip("0"),
        "issuer": row.issuer_id,
        "usage": row.usage.value if row.usage else None,
        "state": row.state.value,
        "status": "REVOKED" if revocation else row.state.value,
        "holder": _holder(row),
        "subject": row.subject,
        "not_after": row.not_after,
        "revoked": revocation.revoked_at if revocation else None,
    }


def _holder(row: Certificate) -> str:
    """Return the certificate's common name, a root's last organizational unit."""
    parts = dict(part.split("=", 1) for part in row.subject.split(", ") if "=" in part)
    return parts.get("CN") or parts.get("OU") or row.subject


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    encoded: bytes = certificate.public_bytes(Encoding.PEM)
    return encoded
