"""The role catalogue and the pairs that one person never holds together."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache

from pydantic import Field

from policies.schema import Strict, load_toml, policy_data


class Role(StrEnum):
    """Role codes; duties and Japanese names stand in ``data/roles.toml``."""

    CA_MANAGER = "CA_MANAGER"
    IA_MANAGER = "IA_MANAGER"
    RA_MANAGER = "RA_MANAGER"
    KEY_CUSTODIAN = "KEY_CUSTODIAN"
    SYS_ADMIN = "SYS_ADMIN"
    IA_OPERATOR = "IA_OPERATOR"
    RA_RECEPTION = "RA_RECEPTION"
    RA_EXAMINER = "RA_EXAMINER"
    RA_APPROVER = "RA_APPROVER"
    LRA_RECEPTION = "LRA_RECEPTION"
    REV_OFFICER = "REV_OFFICER"
    CARD_OPERATOR = "CARD_OPERATOR"
    PIN_OPERATOR = "PIN_OPERATOR"
    ROOM_GUARD = "ROOM_GUARD"
    LOG_REVIEWER = "LOG_REVIEWER"
    AUDITOR = "AUDITOR"
    HELPDESK = "HELPDESK"


class _Entry(Strict):
    code: Role
    japanese: str


class _Conflict(Strict):
    role: Role
    against: tuple[Role | str, ...] = Field(alias="with")


class _Table(Strict):
    role: tuple[_Entry, ...]
    conflict: tuple[_Conflict, ...]


@cache
def _table() -> _Table:
    return load_toml(_Table, policy_data("roles.toml"), "roles.toml", "policies.roles")


def japanese_name(role: Role) -> str:
    """Return the role's Japanese name."""
    return next(entry.japanese for entry in _table().role if entry.code is role)


def conflicting_pair(roles: Iterable[Role]) -> tuple[Role, Role] | None:
    """Return a pair among ``roles`` that one person may not hold, or None."""
    held = sorted(set(roles))
    for conflict in _table().conflict:
        for other in held:
            if (
                conflict.role in held
                and other is not conflict.role
                and ("*" in conflict.against or other in conflict.against)
            ):
                return conflict.role, other
    return None
