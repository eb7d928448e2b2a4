"""``hpki operator``: the people who act."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

app = typer.Typer(help="Operators, their keys and roles.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name to act under: a-z, 0-9, hyphen.")],
    full_name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[list[str], typer.Option(help="A role; may be repeated.")],
    operator: options.Operator,
) -> None:
    """Appoint an operator, signed by a CA manager who is another person.

    The new operator's passphrase comes from the site's secret reference: typed, or in a training
    site made at random in secrets/operators/.

    Example: hpki operator add yamada --full-name "山田 花子" --role RA_EXAMINER --operator sakurai
    """
    from cli.output import say
    from cli.site import NewOperator, appointment, make_passphrase
    from pki.errors import Conflict, InvalidInput
    from policies.roles import Role
    from policies.site import SiteKind

    services = options.services()
    try:
        roles = tuple(Role(one.upper()) for one in role)
    except ValueError:
        raise InvalidInput(
            "cli.role", f"unknown role in {', '.join(role)}", f"Known: {', '.join(Role)}."
        ) from None
    manager = services.signer(operator)
    with services.store.read() as tx:
        services.directory.verify_may_appoint(tx, manager, name, roles)
    if f"{name}.sign" in services.operator_keys.labels():
        raise Conflict("operators.exists", f"there are keys of an operator {name!r} already")
    if services.kind is SiteKind.TRAINING:
        make_passphrase(services.site.folder, name)
    person = appointment(services, NewOperator(name, full_name, roles))
    with services.store.begin() as tx:
        services.directory.appoint(tx, person, manager)
    say(f"{name} is appointed: {', '.join(roles)}")
    if services.kind is SiteKind.PRODUCTION:
        say("warning: the operator's key lies in a file; production wants it on a card", "yellow")


@app.command("list")
def list_operators(as_json: options.Json = False) -> None:
    """List operators with the roles they hold now.

    Example: hpki operator list
    """
    from cli.output import show_rows
    from policies.roles import japanese_name

    services = options.services()
    rows = [
        {
            "operator": row.id,
            "full_name": row.full_name,
            "roles": [
                japanese_name(role) if options.current.lang == "ja" and not as_json else role.value
                for role in sorted(roles)
            ],
        }
        for row, roles in services.directory.everyone()
    ]
    show_rows(rows, ("operator", "full_name", "roles"), as_json=as_json)
