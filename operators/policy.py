"""What a site issues by, as a value that two managers approve."""

from __future__ import annotations

from audit.canonical import canonical_json, digest
from operators.acts import PolicyState
from policies.parameters import Parameters
from policies.parameters import parameters as shipped_parameters
from policies.profiles import Profiles
from policies.role_tables import RoleTable
from policies.schema import Strict


def policy_state(profiles: Profiles, table: RoleTable, parameters: Parameters) -> PolicyState:
    """Return the digests of all profiles and of the role table, and the parameters' values."""
    return PolicyState(
        certificates={name: _digest(one) for name, one in profiles.certificates.items()},
        lists={name: _digest(one) for name, one in profiles.lists.items()},
        role_table=table.reference,
        role_table_sha256=_digest(table),
        parameters={one.key: str(parameters.value(one.key)) for one in shipped_parameters()},
    )


def policy_changes(approved: PolicyState | None, current: PolicyState) -> list[str]:
    """Return the names of profiles, role table and parameters that are not as approved."""
    if approved is None:
        return ["everything"]
    changed = []
    for title, old, new in (
        ("profile", approved.certificates, current.certificates),
        ("list profile", approved.lists, current.lists),
        ("parameter", approved.parameters, current.parameters),
    ):
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        changed += [f"{title} {name}" for name in names]
    if (approved.role_table, approved.role_table_sha256) != (
        current.role_table,
        current.role_table_sha256,
    ):
        changed.append(f"role table {current.role_table}")
    return changed


def _digest(value: Strict) -> str:
    return digest(canonical_json(value.model_dump(mode="json")))
