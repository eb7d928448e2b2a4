"""``hpki repository``: what stands beside the lists on every target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.wiring import Services

app = typer.Typer(help="Certificates, policies and the page beside the lists.")

_COLUMNS = ("file", "kind", "version", "title_ja", "effective_at", "state", "published_at")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="PDF, or text in UTF-8.", show_default=False)],
    kind: Annotated[str, typer.Option(help="CP, CPS, TERMS or NOTICE.", show_default=False)],
    version: Annotated[str, typer.Option(help="Such as 1.0.", show_default=False)],
    title_ja: Annotated[str, typer.Option(help="Title in Japanese.", show_default=False)],
    title_en: Annotated[str, typer.Option(help="Title in English.", show_default=False)],
    effective: Annotated[
        str, typer.Option(help="First day in force, in Japan: YYYY-MM-DD.", show_default=False)
    ],
    operator: options.Operator,
    second: Annotated[
        str, typer.Option(help="The manager who releases it with you.", show_default=False)
    ],
    name: Annotated[
        str,
        typer.Option(help="What its versions have in common, as cp-sign.", show_default="the kind"),
    ] = "",
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Release a document for relying parties, and publish it at once.

    A CA manager and another manager sign it. What is published stays as it is for ever: a new text
    is a new version, and the one before is marked as superseded from the day the new one takes
    effect. Notices stand side by side. Documents that are in force together need names: cp-sign,
    cp-auth.

    Example: hpki repository add cps.pdf --kind CPS --version 1.0 --title-ja 認証実施規程
    --title-en "Certification practice statement" --effective 2026-12-01 --operator sakurai
    --second tani
    """
    from cli.output import confirm, raise_first, read_input, say
    from cli.staffing import known_day
    from cli.wiring import now
    from crl.repository.documents import MAX_OCTETS, Draft
    from crl.repository.records import DocumentKind
    from pki.errors import InvalidInput
    from pki.validity import start_of_day

    if kind not in DocumentKind.__members__:
        raise InvalidInput(
            "cli.document.kind",
            f"there is no kind {kind!r} of document",
            f"One of {', '.join(DocumentKind)}.",
        )
    octets = read_input(file, MAX_OCTETS, "crl.document.size")
    begins = start_of_day(known_day(effective))
    draft = Draft(
        DocumentKind(kind), name or kind.lower(), version, title_ja, title_en, begins, octets
    )
    published_as = draft.file_name()
    services = options.services()
    signers = (services.signer(operator), services.signer(second))
    if begins < now():
        say("warning: it is published after the time from which it is to be in force", "yellow")
    confirm(f"publish {file} as {published_as} for ever?", yes)
    services.documents.add(draft, *signers)
    failures = services.repository.publish()
    _show(services, as_json)
    raise_first(failures)


@app.command("list")
def list_documents(as_json: options.Json = False) -> None:
    """List the documents released, with all their versions.

    A document without a time of publication does not stand on every target yet. --json has the
    SHA-256 too.

    Example: hpki repository list
    """
    _show(options.services(), as_json)


@app.command()
def publish(as_json: options.Json = False) -> None:
    """Bring what stands beside the lists to every target now.

    That is certificates, fingerprints, documents and the page; `hpki crl due` does it too. Shows
    what every target has.

    Example: hpki repository publish
    """
    from cli.output import raise_first, show_rows
    from crl.repository import records

    services = options.services()
    failures = services.repository.publish()
    with services.store.read() as tx:
        rows = [
            {"target": one.target, "file": one.file_name, "sha256": one.sha256, "since": one.since}
            for one in records.served_files(tx)
        ]
    show_rows(rows, ("target", "file", "sha256"), as_json=as_json)
    raise_first(failures)


def _show(services: Services, as_json: bool) -> None:
    from cli.output import show_rows
    from cli.wiring import now
    from crl.repository import records
    from crl.repository.contents import standing_of

    with services.store.read() as tx:
        rows = [
            {
                "file": row.file_name,
                "kind": row.kind.value,
                "name": row.name,
                "version": row.version,
                "title_ja": row.title_ja,
                "title_en": row.title_en,
                "effective_at": row.effective_at,
                "superseded_at": row.superseded_at,
                "state": standing_of(row, now()).value,
                "approved_at": row.approved_at,
                "published_at": row.published_at,
                "octets": row.octets,
                "sha256": row.sha256,
            }
            for row in records.documents(tx)
        ]
    show_rows(rows, _COLUMNS, as_json=as_json)
