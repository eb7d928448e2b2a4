"""Who together may sign which act. Source: operations 1.2, 1.4 (PROPOSAL where data says so)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from operators import acts
from operators.acts import PersonAct, SiteAct
from pki.errors import Refused
from policies.roles import Role, appointed_by, signatures

MANAGERS = (Role.CA_MANAGER, Role.IA_MANAGER, Role.RA_MANAGER)


@dataclass(frozen=True)
class Signature:
    """Who signs, in which role."""

    operator_id: str
    role: Role


def verify_may_sign(
    act: PersonAct | SiteAct, signed: Sequence[Signature], target_roles: Iterable[Role]
) -> None:
    """Raise ``Refused`` unless these people together may decide the act.

    ``target_roles`` are the roles that the person decided about holds. Nobody decides about
    their own account; they may report its loss, and sign for new keys beside a manager. One
    manager alone cannot suspend another: nobody could be left to resume them.
    """
    _verify_some(signed)
    _verify_different(signed)
    match act:
        case acts.Approve() | acts.AnchorKey():
            verify_two_managers(signed, must=Role.CA_MANAGER)
        case acts.Substitute():
            verify_two_managers(_others(act, signed))
            _verify_appointers((act.role,), signed)
        case acts.Loss():
            _verify_managers([one for one in signed if one.operator_id != act.operator])
        case acts.Rekey():
            others = [one for one in signed if one.operator_id != act.operator]
            _verify_managers(others or _others(act, signed))
            _verify_appointers(target_roles, signed, others)
        case acts.Grant() | acts.End():
            _verify_managers(_others(act, signed))
            _verify_appointers(act.roles, signed)
        case acts.Resume() | acts.Leave():
            _verify_managers(_others(act, signed))
            _verify_appointers(target_roles, signed)
        case acts.Suspend() if set(target_roles) & set(MANAGERS):
            verify_two_managers(_others(act, signed))
        case _:
            _verify_managers(_others(act, signed))


def verify_two_managers(signed: Sequence[Signature], must: Role | None = None) -> None:
    """Raise ``Refused`` unless two managers sign, one of them in the role ``must`` if given."""
    _verify_different(signed)
    _verify_managers(signed)
    if len(signed) < 2:
        raise Refused(
            "operators.signatures",
            "this is signed by two managers together",
            "Name the second with --co-operator.",
        )
    if must is not None and must not in {one.role for one in signed}:
        raise Refused("operators.signatures", f"one of the two must act as {must}")


def _others(act: PersonAct, signed: Sequence[Signature]) -> Sequence[Signature]:
    if act.operator in {one.operator_id for one in signed}:
        raise Refused(
            "operators.grant.self",
            "nobody decides about their own account",
            "Let another manager sign.",
        )
    return signed


def _verify_different(signed: Sequence[Signature]) -> None:
    if len({one.operator_id for one in signed}) != len(signed):
        raise Refused("operators.separation", "one person cannot sign twice")


def _verify_managers(signed: Sequence[Signature]) -> None:
    for one in signed:
        if one.role not in MANAGERS:
            raise Refused(
                "operators.signatures",
                f"{one.operator_id} signs as {one.role}",
                f"This is signed by {' or '.join(MANAGERS)}.",
            )


def _verify_some(signed: Sequence[Signature]) -> None:
    if not signed:
        raise Refused("operators.signatures", "nobody signed")


def _verify_appointers(
    roles: Iterable[Role],
    signed: Sequence[Signature],
    others: Sequence[Signature] | None = None,
) -> None:
    """Want, for each role, one signature of those who appoint to it, and as many as it needs."""
    others = signed if others is None else others
    _verify_some(others)
    for role in roles:
        allowed = appointed_by(role)
        if not any(one.role in allowed for one in others):
            raise Refused(
                "operators.signatures",
                f"{role} is not appointed by {', '.join(one.role for one in others)}",
                f"This is signed by {' or '.join(allowed)}.",
            )
        if len(signed) < signatures(role):
            raise Refused(
                "operators.signatures",
                f"decisions about {role} are signed by {signatures(role)} people",
                "Name the second with --co-operator.",
            )
