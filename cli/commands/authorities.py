"""``hpki ca``: key ceremonies and the CAs of the site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services

app = typer.Typer(help="Certification authorities and their key ceremonies.")


@app.command()
def ceremony(
    file: Annotated[Path, typer.Argument(help="The reviewed ceremony file (TOML).")],
    custodian: Annotated[
        list[str],
        typer.Option(help="A key custodian; as many as the role table wants.", show_default=False),
    ],
    witness: Annotated[str, typer.Option(help="The witness, an IA manager.", show_default=False)],
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Hold a key ceremony: make the CAs that one file says.

    As many custodians as the role table wants, and a witness, sign the file's digest. The same
    file continues a ceremony that broke. The transcript is written to ceremonies/, the CAs are
    listed on stdout.

    Example: hpki ca ceremony examples/ceremony.toml --custodian kagi-ichi --custodian kagi-futa
    --custodian kagi-mitsu --witness mori
    """
    from ca.ceremonies import Officiants
    from ca.ceremony_file import load_script
    from cli.output import confirm, read_input, say, show_rows
    from cli.progress import bars
    from cli.transcripts import write_transcript
    from pki.names import text

    services = options.services()
    octets = read_input(file, 256 * 1024, "ca.ceremony.file")
    script = load_script(octets, services.profiles)
    if dry_run:
        rows = [
            {
                "id": entry.id,
                "issuer": entry.issuer or entry.id,
                "profile": entry.profile,
                "key": entry.key,
                "issues": list(entry.issues),
                "subject": text(entry.subject.x509()),
            }
            for entry in script.ca
        ]
        show_rows(rows, ("id", "issuer", "profile", "key", "issues", "subject"), as_json=as_json)
        return
    names = ", ".join(entry.id for entry in script.ca)
    confirm(f"Make the CAs {names} as {script.title!r} says?", yes)
    people = Officiants([services.signer(name) for name in custodian], services.signer(witness))
    with bars() as shown:
        task = shown.start("key ceremony", len(script.ca))
        held = services.ceremonies.hold(octets, people, lambda _: shown.advance(task))
    _show_cas(services, as_json)
    for path in write_transcript(services, held, file.name):
        say(f"transcript {path}")


@app.command("list")
def list_cas(as_json: options.Json = False) -> None:
    """List the CAs of the site.

    Example: hpki ca list
    """
    _show_cas(options.services(), as_json)


@app.command()
def show(
    ca: Annotated[str, typer.Argument(help="A CA's id, see `hpki ca list`.")],
    as_json: options.Json = False,
) -> None:
    """Show a CA with its fingerprint and the ceremony that made it.

    Example: hpki ca show sign
    """
    _show_ca(options.services(), ca, as_json)


@app.command()
def revoke(
    ca: Annotated[str, typer.Argument(help="A CA's id, see `hpki ca list`.")],
    ground: Annotated[str, typer.Option(help="C08_WEAK_ALGORITHM, C09_CA_KEY or C10_CA_END.")],
    evidence: Annotated[str, typer.Option(help="What shows it: incident, notice, plan.")],
    operator: options.Operator,
    second: Annotated[str, typer.Option(help="The IA manager who signs it with you.")],
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Revoke a CA for good, and publish the lists at once.

    You sign as CA manager, and an IA manager signs with you. It goes on the next list of the CA
    that certified it, and the CA issues nothing more; it still makes its own lists. If the lists
    cannot be published the revocation stands and the exit status is 6. A root whose key is not
    here gets the entry where its key is: then bring its list here with `hpki crl import`.

    Example: hpki ca revoke auth --ground C09_CA_KEY --evidence "incident 2026-7"
    --operator sakurai --second mori --yes
    """
    from ca.revocation import CaGround
    from cli.output import confirm, say
    from cli.publishing import publish_revoked
    from policies.grounds import ca_ground

    why = CaGround(ca_ground(ground), evidence)
    services = options.services()
    _show_ca(services, ca, as_json)
    if dry_run:
        return
    confirm(f"Revoke the CA {ca} for good?", yes)
    services.ask_for_list_keys()
    manager, other = services.signer(operator), services.signer(second)
    with services.store.begin() as tx:
        issuer = services.authorities.find(tx, ca)
        revoked = services.revocations.execute_ca(tx, issuer, why, manager, other)
    say(f"the certificate of {ca} is revoked; it issues nothing more", "bold")
    say("next: revoke what it issued, tell holders and relying parties, see `hpki cert list`")
    publish_revoked(services, operator, [revoked])


def _show_ca(services: Services, ca: str, as_json: bool) -> None:
    from ca.issuers import find_issuer, issued_profiles, issuer_certificate
    from ca.records import Ceremony
    from cli.output import show_record
    from pki.names import text

    with services.store.read() as tx:
        issuer = find_issuer(tx, ca)
        held = tx.get_one(Ceremony, issuer.ceremony_id)
    certificate = issuer_certificate(issuer)
    shards = services.profiles.crl(issuer.crl_profile).shards
    show_record(
        {
            "id": issuer.id,
            "subject": text(certificate.subject),
            "issuer": text(certificate.issuer),
            "serial": f"{certificate.serial_number:x}",
            "not_before": certificate.not_valid_before_utc,
            "not_after": certificate.not_valid_after_utc,
            "sha256": _sha256(issuer.certificate_der or b""),
            "profile": issuer.profile,
            "issues": list(issued_profiles(issuer)),
            "japanese_names": issuer.japanese_names,
            "crl_uri": issuer.crl_uri,
            "own_list_uri": issuer.own_list_uri,
            "shards": shards.count if shards is not None else None,
            "ceremony": held.title,
            "ceremony_script_sha256": held.script_sha256,
            "ceremony_ended": held.ended_at,
        },
        as_json=as_json,
    )


def _show_cas(services: Services, as_json: bool) -> None:
    from cryptography import x509

    from ca import records
    from ca.issuers import own_certificate
    from cli.output import show_rows
    from pki.names import text

    rows = []
    with services.store.read() as tx:
        for issuer in records.issuers(tx):
            der = issuer.certificate_der
            certificate = x509.load_der_x509_certificate(der) if der else None
            own = own_certificate(tx, issuer) if der else None
            revocation = records.revocation_of(tx, own.id or 0) if own is not None else None
            rows.append(
                {
                    "id": issuer.id,
                    "issuer": issuer.parent_id or issuer.id,
                    "profile": issuer.profile,
                    "subject": text(certificate.subject) if certificate else "",
                    "not_after": certificate.not_valid_after_utc if certificate else None,
                    "revoked": revocation.revoked_at if revocation is not None else None,
                }
            )
    columns = ("id", "issuer", "profile", "not_after", "revoked", "subject")
    show_rows(rows, columns, as_json=as_json)


def _sha256(octets: bytes) -> str:
    import hashlib

    return hashlib.sha256(octets).hexdigest()
