"""``hpki ra``: the registration authority's work, from the envelope to the order."""

import typer

from cli.commands.registration import (
    decisions,
    examination,
    fees,
    files,
    inquiries,
    letters,
    lists,
    online,
    states,
)

app = typer.Typer(help="Applications: reception, examination, decision.")
for part in (lists.app, online.app, files.app, examination.app, decisions.app, states.app):
    app.add_typer(part)
app.add_typer(inquiries.app, name="inquiry", no_args_is_help=True)
app.add_typer(fees.app, name="fee", no_args_is_help=True)
app.add_typer(letters.app, name="notice", no_args_is_help=True)
