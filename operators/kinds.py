"""How each act of the register is said: statement, code in the trail, object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from operators import acts
from operators.acts import Act, SetUp, act_digest
from operators.statements import Decision, SignedStatement, StatementType, verify_says
from pki.errors import Refused
from policies.roles import Role


@dataclass(frozen=True)
class ActKind:
    """How an act is said: statement type, code in the trail, decision's word."""

    type: StatementType
    code: str
    word: str


@dataclass(frozen=True)
class Kept:
    """A statement as it is kept: its id, the entry that names it, the act it is about if one."""

    id: str
    seq: int
    signed: SignedStatement
    content: str | None


KINDS: Mapping[type, ActKind] = {
    SetUp: ActKind(StatementType.SETUP, "ACCOUNT.CREATE", "APPOINT"),
    acts.Appoint: ActKind(StatementType.APPOINTMENT, "ACCOUNT.CREATE", "APPOINT"),
    acts.Grant: ActKind(StatementType.ROLE_GRANT, "ROLE.GRANT", "GRANT"),
    acts.End: ActKind(StatementType.ROLE_END, "ROLE.REVOKE", "END"),
    acts.Suspend: ActKind(StatementType.SUSPENSION, "ACCOUNT.DISABLE", "SUSPEND"),
    acts.Resume: ActKind(StatementType.RESUMPTION, "ACCOUNT.ENABLE", "RESUME"),
    acts.Leave: ActKind(StatementType.DEPARTURE, "ACCOUNT.DISABLE", "LEAVE"),
    acts.Substitute: ActKind(StatementType.SUBSTITUTION, "ROLE.GRANT", "SUBSTITUTE"),
    acts.Rekey: ActKind(StatementType.CREDENTIAL, "CREDENTIAL.REGISTER", "REGISTER"),
    acts.Loss: ActKind(StatementType.LOSS, "CREDENTIAL.LOSS", "LOST"),
    acts.Train: ActKind(StatementType.TRAINING, "TRAINING.DONE", "TRAINED"),
    acts.Assign: ActKind(StatementType.OFFICE, "OFFICE.ASSIGN", "ASSIGN"),
    acts.Approve: ActKind(StatementType.POLICY_CHANGE, "CONFIG.CHANGE", "APPROVE"),
    acts.AnchorKey: ActKind(StatementType.ANCHOR_KEY, "CONFIG.CHANGE", "REGISTER"),
}
REGISTER_CODES = frozenset(kind.code for kind in KINDS.values())
"""Codes of the trail that acts of the register have, and nothing else."""


def act_decision(act: Act, site_id: str, role: Role) -> Decision:
    """Return what each signer of the act says in a role."""
    kind = KINDS[type(act)]
    if isinstance(act, SetUp | acts.Approve | acts.AnchorKey):
        object_type, object_id = "site", site_id
    else:
        object_type, object_id = "operator", act.operator
    return Decision(kind.type, object_type, object_id, act_digest(act), kind.word, role)


def verify_act_statements(act: Act, site_id: str, statements: Sequence[Kept]) -> None:
    """Raise ``Refused`` unless every statement is about exactly this act."""
    for one in statements:
        if one.content != statements[0].content or one.signed.field("statement_id") != one.id:
            raise Refused("operators.statement.differs", f"the act {one.id} was changed")
        role = one.signed.field("role")
        if role not in set(Role):
            raise Refused("operators.statement.role", f"there is no role {role!r}")
        verify_says(one.signed, act_decision(act, site_id, Role(role)))
