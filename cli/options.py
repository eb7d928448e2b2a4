"""Options that many commands share, and the state of one invocation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.wiring import Services


@dataclass
class Invocation:
    """The global options of this run."""

    site: Path
    lang: str


current = Invocation(Path("."), "ja")

Operator = Annotated[
    str,
    typer.Option(
        "--operator",
        envvar="HPKI_OPERATOR",
        help="Who acts: an operator's name.",
        show_default=False,
    ),
]
CoOperator = Annotated[
    str | None,
    typer.Option("--co-operator", help="Who signs with you, where two decide.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Answer yes to the question before a big change.")]


def services(*, anchored: bool = True) -> Services:
    """Open the site that --site or HPKI_SITE names, and say of what kind it is.

    ``anchored``: refuse a store that stands behind its newest anchor.
    """
    from cli.config import load_site
    from cli.output import show_banner
    from cli.unlock import keep_memory_private
    from cli.wiring import open_services

    site = load_site(current.site)
    keep_memory_private()
    show_banner(site.settings.centre.kind)
    return open_services(site, anchored=anchored)
