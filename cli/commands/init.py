"""``hpki init``: a new site folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    site: Annotated[Path, typer.Argument(help="The folder to make.", show_default=False)],
    kind: Annotated[
        str, typer.Option(help="training, trial or production; fixed for the life of the site.")
    ] = "training",
    name: Annotated[str, typer.Option(help="The centre's name.")] = "DEMO 電子認証センター",
    staff: Annotated[
        Path | None,
        typer.Option(help="TOML with the first operators; a training site has its own."),
    ] = None,
    store_url: Annotated[
        str, typer.Option(help="SQLAlchemy URL of the store.")
    ] = "sqlite:///store.sqlite",
    role_table: Annotated[
        str, typer.Option(help="full, small-centre, or a file of your own: FILE.toml.")
    ] = "full",
) -> None:
    """Make a site folder with its store and first operators.

    The first two operators of the staff file sign the first set-up together. A training site gets
    random passphrases in secrets/ (0600); a trial site asks for each on the terminal, twice. All
    of it is made or nothing. The role table says which roles one person never holds together; a
    file is copied into the folder.

    Example: hpki init demo-site --kind training
    """
    from cli.output import say, show_banner
    from cli.site import make_site

    made = make_site(site, kind, name, staff, store_url, role_table)
    show_banner(made.settings.centre.kind)
    say(f"{made.settings.centre.kind} site in {made.folder}")
