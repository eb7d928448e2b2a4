"""The moves an application may make, and who makes them."""

from __future__ import annotations

from pki.errors import Conflict
from policies.roles import Role
from ra.records import Application, ApplicationState

_S = ApplicationState

MOVES: dict[tuple[ApplicationState, ApplicationState], Role] = {
    (_S.RECEIVED, _S.EXAMINED): Role.RA_EXAMINER,
    (_S.EXAMINED, _S.ISSUING): Role.RA_APPROVER,
    (_S.EXAMINED, _S.REJECTED): Role.RA_APPROVER,
    (_S.ISSUING, _S.PERSONALISED): Role.CARD_OPERATOR,
    (_S.ISSUING, _S.ISSUED): Role.IA_OPERATOR,
    (_S.ISSUED, _S.CLOSED_REVOKED): Role.REV_OFFICER,
    (_S.ISSUING, _S.CLOSED_REVOKED): Role.REV_OFFICER,
    (_S.PERSONALISED, _S.CLOSED_REVOKED): Role.REV_OFFICER,
}
"""Allowed moves with the role that makes each; everything else is refused."""


def move(application: Application, to: ApplicationState) -> Role:
    """Put the application into the state and return the mover's role; raises ``Conflict``."""
    role = MOVES.get((application.state, to))
    if role is None:
        raise Conflict(
            "ra.state",
            f"{application.ref} is {application.state} and cannot become {to}",
            "See `hpki ra show` for where it stands.",
        )
    application.state = to
    return role
