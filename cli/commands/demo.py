"""``hpki demo``: the whole centre at work on the sample applicants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    site: Annotated[Path, typer.Argument(help="The training site to make.")] = Path("demo-site"),
    examples: Annotated[
        Path, typer.Option(help="Folder with ceremony.toml and applications.csv.")
    ] = Path("examples"),
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove a training site that is there.")
    ] = False,
) -> None:
    """Run the whole chain on sample applicants.

    Site, ceremony, applications, cards, revocations, lists and report. It ends with OpenSSL's own
    verdict on a good and on a revoked certificate.

    Example: hpki demo demo-site --replace
    """
    from cli.demonstration import run_demonstration

    run_demonstration(site, examples, replace)
