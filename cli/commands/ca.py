"""``hpki ca``: key ceremonies and the CAs of the site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

app = typer.Typer(help="Certification authorities and their key ceremonies.")


@app.command()
def ceremony(
    file: Annotated[Path, typer.Argument(help="The reviewed ceremony file (TOML).")],
    custodian: Annotated[
        list[str], typer.Option(help="A key custodian; at least two.", show_default=False)
    ],
    witness: Annotated[str, typer.Option(help="The witness, an IA manager.", show_default=False)],
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
) -> None:
    """Hold a key ceremony: make the keys and certificates of a hierarchy from one file.

    Two custodians and a witness sign the file's digest. The same file continues a ceremony that
    broke. The transcript is written to ceremonies/.

    Example: hpki ca ceremony examples/ceremony.toml --custodian kagi-ichi --custodian kagi-futa
    --witness mori
    """
    from ca.ceremonies import Officiants, load_script
    from cli.output import bars, confirm, read_input, say, show_rows
    from cli.transcripts import write_transcript

    services = options.services()
    octets = read_input(file, 256 * 1024, "ca.ceremony.file")
    script = load_script(octets)
    if dry_run:
        rows = [
            {
                "id": entry.id,
                "issuer": entry.issuer or entry.id,
                "profile": entry.profile,
                "key": entry.key,
                "subject": entry.subject.x509().rfc4514_string(),
            }
            for entry in script.ca
        ]
        show_rows(rows, ("id", "issuer", "profile", "key", "subject"), as_json=False)
        return
    names = ", ".join(entry.id for entry in script.ca)
    confirm(f"Make the CAs {names} as {script.title!r} says?", yes)
    people = Officiants([services.signer(name) for name in custodian], services.signer(witness))
    with bars() as shown:
        task = shown.start("key ceremony", len(script.ca))
        held = services.ceremonies.hold(octets, people, lambda _: shown.advance(task))
    for path in write_transcript(services, held, file.name):
        say(f"transcript {path}")


@app.command("list")
def list_cas(as_json: options.Json = False) -> None:
    """List the CAs of the site.

    Example: hpki ca list
    """
    from cryptography import x509

    from ca import records
    from cli.output import show_rows

    services = options.services()
    with services.store.read() as tx:
        issuers = records.issuers(tx)
    rows = []
    for issuer in issuers:
        name = (
            x509.load_der_x509_certificate(issuer.certificate_der)
            if (issuer.certificate_der)
            else None
        )
        rows.append(
            {
                "id": issuer.id,
                "issuer": issuer.parent_id or issuer.id,
                "profile": issuer.profile,
                "subject": name.subject.rfc4514_string() if name else "",
                "not_after": name.not_valid_after_utc if name else None,
            }
        )
    columns = ("id", "issuer", "profile", "subject", "not_after")
    show_rows(rows, columns, as_json=as_json)


@app.command()
def show(
    ca: Annotated[str, typer.Argument(help="A CA's id, see `hpki ca list`.")],
    as_json: options.Json = False,
) -> None:
    """Show a CA: names, key, validity, fingerprint, lists and the ceremony that made it.

    Example: hpki ca show sign
    """
    from ca.issuance import find_issuer, issuer_certificate
    from ca.records import Ceremony
    from cli.output import show_record

    services = options.services()
    with services.store.read() as tx:
        issuer = find_issuer(tx, ca)
        held = tx.get_one(Ceremony, issuer.ceremony_id)
    certificate = issuer_certificate(issuer)
    show_record(
        {
            "id": issuer.id,
            "subject": certificate.subject.rfc4514_string(),
            "issuer": certificate.issuer.rfc4514_string(),
            "serial": f"{certificate.serial_number:x}",
            "not_before": certificate.not_valid_before_utc,
            "not_after": certificate.not_valid_after_utc,
            "sha256": _sha256(issuer.certificate_der or b""),
            "profile": issuer.profile,
            "crl_uri": issuer.crl_uri,
            "own_list_uri": issuer.own_list_uri,
            "ceremony": held.title,
            "ceremony_script_sha256": held.script_sha256,
            "ceremony_ended": held.ended_at,
        },
        as_json=as_json,
    )


def _sha256(octets: bytes) -> str:
    import hashlib

    return hashlib.sha256(octets).hexdigest()
