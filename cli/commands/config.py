"""``hpki config``: the settings in force."""

from __future__ import annotations

import typer

from cli import options

app = typer.Typer(help="Settings of the site.")


@app.callback()
def group() -> None:
    """Show settings of the site."""


@app.command()
def show(as_json: options.Json = False) -> None:
    """Show each setting and where it came from.

    That is hpki.toml, a variable HPKI_SECTION__KEY in the environment, or a default. Secrets
    show as the reference to where they are.

    Example: hpki --site demo-site config show
    """
    from cli.config import load_site, origins
    from cli.output import show_banner, show_rows

    site = load_site(options.current.site)
    show_banner(site.settings.centre.kind)
    rows = [
        {"setting": key, "value": value, "from": origin} for key, value, origin in origins(site)
    ]
    show_rows(rows, ("setting", "value", "from"), as_json=as_json)
