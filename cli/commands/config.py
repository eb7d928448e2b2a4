"""``hpki config``: the settings in force, and their approval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from operators.acts import PolicyState

_TABLE = "role table"

app = typer.Typer(help="Settings of the site.")


@app.callback()
def group() -> None:
    """Show settings of the site, and approve what it issues by."""


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


@app.command()
def parameters(as_json: options.Json = False) -> None:
    """Show the numbers of the rules: in force, as shipped, how firm.

    A site sets its own under [parameters] in hpki.toml; `hpki config approve` brings them into
    force. --json has the source of each too.

    Example: hpki config parameters
    """
    from cli.config import load_site
    from cli.output import show_banner, show_rows
    from policies.parameters import Parameters
    from policies.parameters import parameters as shipped_parameters

    site = load_site(options.current.site)
    show_banner(site.settings.centre.kind)
    in_force = Parameters(site.settings.parameters)
    rows = [
        {
            "parameter": one.key,
            "value": str(in_force.value(one.key)),
            "shipped": str(one.value),
            "unit": one.unit,
            "firm": one.firm,
            "source": one.source,
        }
        for one in shipped_parameters()
    ]
    columns = ("parameter", "value", "shipped", "unit", "firm")
    show_rows(rows, columns, as_json=as_json)


@app.command()
def approve(
    operator: options.Operator,
    co_operator: Annotated[
        str, typer.Option("--co-operator", help="Who signs with you.", show_default=False)
    ],
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    as_json: options.Json = False,
) -> None:
    """Approve profiles, role table and parameters as they are now.

    Shows first what differs from what is approved: parameters by value, the others by SHA-256.
    A CA manager and another manager sign. Until then nothing is issued; revocation goes on.

    Example: hpki config approve --operator sakurai --co-operator tani
    """
    from cli.output import confirm, say, show_rows
    from cli.staffing import decide, signers_of
    from operators.acts import Approve
    from operators.policy import policy_changes

    services = options.services()
    with services.store.read() as tx:
        approved = services.directory.register(tx).policy
    current = services.directory.policy
    changed = policy_changes(approved, current)
    before, after = _values(approved), _values(current)
    rows = [
        {"changed": name, "approved": before.get(_key(name)), "value": after.get(_key(name))}
        for name in changed
    ]
    if rows or as_json:
        show_rows(rows, ("changed", "approved", "value"), as_json=as_json)
    if not changed:
        say("everything is approved as it is")
    if dry_run or not changed:
        return
    act = Approve(policy=current)
    signers = signers_of(services, operator, co_operator)
    with services.store.read() as tx:
        services.staff.verify_may_decide(tx, act, signers)
    confirm(f"approve {len(changed)} changes?", yes)
    seq = decide(services, act, signers)
    say(f"approved: in force after entry {seq}")


def _values(state: PolicyState | None) -> dict[str, str]:
    """Return values and SHA-256 by the names that changes have."""
    if state is None:
        return {}
    table = f"{state.role_table} {state.role_table_sha256}"
    return {
        **{f"profile {name}": one for name, one in state.certificates.items()},
        **{f"list profile {name}": one for name, one in state.lists.items()},
        **{f"parameter {name}": one for name, one in state.parameters.items()},
        _TABLE: table,
    }


def _key(change: str) -> str:
    return _TABLE if change.startswith(f"{_TABLE} ") else change
