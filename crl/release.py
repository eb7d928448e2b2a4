"""Two people who let a list be shorter than the one before it."""

from __future__ import annotations

from dataclasses import dataclass

from audit.canonical import canonical_json, digest
from crl.records import RevocationList
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Refused
from policies.roles import Role
from store.database import Transaction

_ROLES = (Role.IA_MANAGER, Role.CA_MANAGER)


@dataclass(frozen=True)
class Release:
    """Who lets a list be shorter than the one before, and why.

    ``manager`` acts as IA manager, ``second`` as CA manager.
    """

    manager: Signer
    second: Signer
    reason: str

    def verify(self, tx: Transaction, directory: Directory) -> None:
        """Raise ``Refused`` unless they are two who may; asked before the CA's key signs."""
        if self.manager.operator_id == self.second.operator_id:
            raise Refused("crl.release.one", "a list is released by two people, and this is one")
        for signer, role in zip((self.manager, self.second), _ROLES, strict=True):
            directory.verify_may_act(tx, signer, role)

    def signed(self, row: RevocationList, before: str) -> tuple[tuple[Signer, Decision], ...]:
        """Return what each of them says."""
        first, second = release_decisions(row, before, self.reason)
        return (self.manager, first), (self.second, second)


def release_decisions(row: RevocationList, before: str, reason: str) -> tuple[Decision, Decision]:
    """Return what an IA manager and a CA manager say of a list; ``before``: SHA-256, hex."""
    bound = digest(canonical_json({"list": row.sha256, "previous": before}))
    name = f"{row.issuer_id}:{row.number}"
    return tuple(  # type: ignore[return-value]  # one for each role
        Decision(StatementType.LIST_RELEASE, "crl", name, bound, "RELEASE", role, reason=reason)
        for role in _ROLES
    )
