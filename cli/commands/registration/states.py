"""``hpki ra states``: the table of states and moves, as a page."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def states() -> None:
    """Print the states of a file and its moves, as Markdown.

    The table that the program and the audit read, with diagrams. docs/states.md is written by it.

    Example: hpki ra states
    """
    from cli.tables import write_stdout
    from reports.states import states_markdown

    write_stdout(states_markdown())
