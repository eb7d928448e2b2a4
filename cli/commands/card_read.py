"""``hpki card read``: what anyone may read of a card, of any issuer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from card_personalization.contents import CardContents, Layouts
    from card_personalization.transport import Transport

app = typer.Typer()

_MAX_LAYOUT = 64 * 1024


@app.command()
def read(
    reader: Annotated[
        str,
        typer.Option(
            help="A reader's name, or a part of it; else the only one with a card in it.",
            show_default=False,
        ),
    ] = "",
    virtual: Annotated[
        Path | None, typer.Option(help="Read the virtual card in this file.", show_default=False)
    ] = None,
    layout: Annotated[
        Path | None,
        typer.Option(
            help="Changes to the HPKI layout (TOML): an issuer's AIDs.", show_default=False
        ),
    ] = None,
    pem: Annotated[
        Path | None,
        typer.Option(
            help="Write the certificates into this new folder, as PEM.", show_default=False
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show an HPKI, PIV or My Number card, and who its holder is.

    Certificates, qualification (hcRole), PIN tries left; of any issuer, and without a site. No PIN
    is asked for, no try is spent. It shows what the card says: nothing here proves a certificate.

    Example: hpki card read --reader "Reader 00"
    """
    from card_personalization.contents import read_contents
    from cli.card_contents import contents_tree
    from cli.output import refuse_existing, show_json

    refuse_existing(pem)
    layouts = _layouts(layout)
    with _card(reader, virtual) as (name, transport):
        contents = read_contents(transport, layouts)
    tree = contents_tree(name, contents)
    if pem is not None:
        _write_pem(pem, contents)
    if as_json:
        show_json(tree)
    else:
        _show(tree)


def _layouts(changes: Path | None) -> Layouts:
    from card_personalization.contents import Layouts
    from card_personalization.layout import load_layout
    from card_personalization.sourced import shipped
    from cli.output import read_input
    from pki.errors import InvalidInput

    if changes is None:
        return Layouts()
    try:
        text = read_input(changes, _MAX_LAYOUT, "card.layout").decode()
    except UnicodeDecodeError:
        raise InvalidInput("card.layout", f"{changes} is no text in UTF-8") from None
    return Layouts(load_layout(shipped("hpki_layout.toml"), text))


@contextmanager
def _card(reader: str, virtual: Path | None) -> Iterator[tuple[str, Transport]]:
    """Open the card; gives its reader or file, and the connection."""
    from card_personalization.pcsc import PcscTransport
    from card_personalization.stock import load_virtual
    from card_personalization.transport import EmbeddedTransport
    from pki.errors import InvalidInput

    transport: Transport
    if virtual is not None:
        if reader:
            raise InvalidInput("cli.usage", "--virtual needs no reader", "Leave --reader out.")
        name, transport = str(virtual), EmbeddedTransport(load_virtual(virtual))
    else:
        name = _reader(reader)
        transport = PcscTransport(name)
    try:
        yield name, transport
    finally:
        transport.close()


def _reader(name: str) -> str:
    from card_personalization.pcsc import find_reader, readers
    from card_personalization.transport import NoCard
    from pki.errors import InvalidInput

    if name:
        return find_reader(name)
    holding = [one for one, atr in readers().items() if atr]
    if not holding:
        raise NoCard("no card is in any reader")
    if len(holding) > 1:
        raise InvalidInput(
            "card.reader", f"cards are in {', '.join(holding)}", "Name one: --reader NAME."
        )
    return holding[0]


def _write_pem(folder: Path, contents: CardContents) -> None:
    """Write every certificate under a name of ours, never one that the card gives."""
    from ssl import DER_cert_to_PEM_cert

    from cli.output import say, write_output

    for application in contents.applications:
        for key in application.keys:
            stem = f"{application.kind}-{key.role}".lower().replace("_", "-")
            found = {stem: key.certificate_der} if key.certificate_der else {}
            authorities = enumerate(key.ca_certificates_der, 1)
            found |= {f"{stem}-ca-{number}": der for number, (_, der) in authorities}
            for name, der in found.items():
                path = folder / f"{name}.pem"
                write_output(path, DER_cert_to_PEM_cert(der).encode())
                say(f"wrote {path}")


def _show(tree: dict[str, Any]) -> None:
    """Print the card, and a block for each key."""
    from cli.card_contents import application_record, card_record, key_record
    from cli.output import show_record
    from cli.tables import write_stdout

    lang = options.current.lang
    show_record(card_record(tree), as_json=False)
    for application in tree["applications"]:
        write_stdout("\n")
        show_record(application_record(application, lang), as_json=False)
        for key in application["keys"]:
            write_stdout("\n")
            show_record(key_record(application["kind"], key, lang), as_json=False)
