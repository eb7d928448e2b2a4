"""The role catalogue: duties, and whose signatures give a role and take it back."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Self

from pydantic import Field, model_validator

from policies.schema import Firm, Strict, Words, load_toml, policy_data


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


class Duties(Strict):
    """What a role may do, in two languages."""

    english: Words
    japanese: Words


class RoleEntry(Strict):
    """One role: a grant or an end is signed by ``signatures`` persons out of ``appointed_by``."""

    code: Role
    japanese: Words
    may: Duties
    appointed_by: tuple[Role, ...] = Field(min_length=1)
    signatures: int = Field(ge=1)
    source: Words
    firm: Firm


class _Table(Strict):
    role: tuple[RoleEntry, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sorted(entry.code for entry in self.role) != sorted(Role):
            raise ValueError("each role stands in the catalogue once")
        return self


@cache
def _entries() -> dict[Role, RoleEntry]:
    table = load_toml(_Table, policy_data("roles.toml"), "roles.toml", "policies.roles")
    return {entry.code: entry for entry in table.role}


def role_entry(role: Role) -> RoleEntry:
    """Return the role's entry in the catalogue."""
    return _entries()[role]


def japanese_name(role: Role) -> str:
    """Return the role's Japanese name."""
    return role_entry(role).japanese


def appointed_by(role: Role) -> tuple[Role, ...]:
    """Return the roles one of which whoever signs a grant or an end of ``role`` must hold."""
    return role_entry(role).appointed_by


def signatures(role: Role) -> int:
    """Return how many persons sign a grant or an end of ``role`` together."""
    return role_entry(role).signatures
