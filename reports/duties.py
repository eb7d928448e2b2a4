"""Duties about one certificate, who did them, and the rules on which of them stay apart.

Source: operations 1.3 (pairs of the role table, rules of one file); HC-4.2-01, HC-4.3-02 and
HC-6.4-02.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, product

from policies.role_tables import RoleTable
from policies.roles import Role
from reports.tables import Text


class Duty(StrEnum):
    """What is done on the way from the application to the PIN letter."""

    RECEIVED = "received"
    EXAMINED = "examined"
    APPROVED = "approved"
    EXECUTED = "executed"
    PERSONALISED = "personalised"
    DISCLOSED = "disclosed"


WORDS = {
    Duty.RECEIVED: Text("受付", "Received"),
    Duty.EXAMINED: Text("審査", "Examined"),
    Duty.APPROVED: Text("承認", "Approved"),
    Duty.EXECUTED: Text("発行実行", "Executed"),
    Duty.PERSONALISED: Text("カード作成", "Personalised"),
    Duty.DISCLOSED: Text("PIN開示", "PIN disclosed"),
}

FILE_RULES = {
    (Duty.EXAMINED, Duty.APPROVED): "HC-4.2-01",
    (Duty.APPROVED, Duty.EXECUTED): "HC-4.3-02",
    (Duty.PERSONALISED, Duty.DISCLOSED): "HC-6.4-02",
}
"""Duties about one certificate that two people do, whatever a role table says."""
ROLES_RULE = "HC-5.2-01"
"""Roles that one person never holds together, by the role table."""
PROOF_RULE = "proof"
"""What is told of a duty is proven: signatures, roles at their time, entries of the trail."""


@dataclass(frozen=True)
class Doer:
    """A person who did a duty and the role acted in; a peer's people are named PEER/OPERATOR."""

    person: str
    role: str


Doers = Mapping[Duty, Sequence[Doer]]


@dataclass(frozen=True)
class Finding:
    """A rule that is broken, in words that name the people."""

    rule: str
    words: Text


def unproven(duty: Duty, code: str) -> Finding:
    """Return the finding that what is told of a duty is not proven; ``code``: why."""
    told = WORDS[duty]
    return Finding(
        PROOF_RULE, Text(f"{told.ja}が検証できない({code})", f"{told.en}: not proven ({code})")
    )


def broken(doers: Doers, table: RoleTable) -> Iterator[Finding]:
    """Yield the rules that the people who did two duties break."""
    for one, other in combinations(Duty, 2):
        rule = FILE_RULES.get((one, other))
        for first, second in product(doers.get(one, ()), doers.get(other, ())):
            if first.person != second.person:
                continue
            pair = None if rule else _conflict(first.role, second.role, table)
            if rule or pair:
                yield _together(rule or ROLES_RULE, one, other, first.person, pair)


def _conflict(one: str, other: str, table: RoleTable) -> str | None:
    known = [role for role in Role if role in (one, other)]
    pair = table.conflicting_pair(known)
    return f"{pair[0]} × {pair[1]}" if pair else None


def _together(rule: str, one: Duty, other: Duty, person: str, pair: str | None) -> Finding:
    first, second = WORDS[one], WORDS[other]
    roles = f": {pair}" if pair else ""
    return Finding(
        rule,
        Text(
            f"{rule} {first.ja}と{second.ja}が同一人物({person}{roles})",
            f"{rule} {first.en} and {second.en.lower()} by one person ({person}{roles})",
        ),
    )


def held_together(person: str, pair: tuple[Role, Role]) -> Finding:
    """Return the finding that a person held two roles that exclude each other when signing."""
    roles = f"{pair[0]} × {pair[1]}"
    return Finding(
        ROLES_RULE,
        Text(
            f"{ROLES_RULE} {person}が兼務できない役割を兼務({roles})",
            f"{ROLES_RULE} {person} held roles that exclude each other ({roles})",
        ),
    )
