"""Who may do what, and the statements they made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from operators import records
from operators.records import Credential, KeyUse, Operator, RoleGrant, Statement
from operators.statements import (
    Decision,
    SignedStatement,
    Signer,
    StatementType,
    credential_id,
    make_statement,
    public_key_der,
    verify_statement,
)
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.serials import Entropy
from pki.validity import rfc3339
from policies.roles import Role, conflicting_pair
from store.database import Transaction

_NAME = re.compile(r"[a-z][a-z0-9-]{1,31}\Z")


@dataclass(frozen=True)
class Appointment:
    """A person to be made an operator: name to type, full name, public keys, roles."""

    operator_id: str
    full_name: str
    signing_key: ec.EllipticCurvePublicKey
    sealing_key: ec.EllipticCurvePublicKey
    roles: tuple[Role, ...]

    def digest(self) -> str:
        """Return the SHA-256 that statements about the appointment are bound to."""
        return digest(
            canonical_json(
                {
                    "operator": self.operator_id,
                    "full_name": self.full_name,
                    "signing_key": public_key_der(self.signing_key).hex(),
                    "sealing_key": public_key_der(self.sealing_key).hex(),
                    "roles": sorted(self.roles),
                }
            )
        )


@dataclass(frozen=True)
class Directory:
    """Operators, their roles and statements."""

    trail: Trail
    entropy: Entropy

    def set_up(
        self, tx: Transaction, first: Sequence[Appointment], officers: Sequence[Signer]
    ) -> None:
        """Appoint the first operators: two officers among them sign the whole list together."""
        names = {signer.operator_id for signer in officers}
        managers = (Role.CA_MANAGER, Role.RA_MANAGER, Role.IA_MANAGER)
        offices = {
            one.operator_id: role
            for one in first
            for role in reversed(managers)
            if role in one.roles
        }
        if (
            len(names) != 2
            or not names <= set(offices)
            or Role.CA_MANAGER not in (offices[name] for name in names)
        ):
            raise Refused(
                "operators.setup",
                "the first set-up is signed by a CA manager and another manager",
                "The first two operators of the staff file are CA_MANAGER and RA_MANAGER, say.",
            )
        listed = digest(canonical_json({"appointments": [one.digest() for one in first]}))
        for appointment in first:
            self._add(tx, appointment, actor=officers[0].operator_id)
        site_id = self.trail.site(tx)[0]
        statements = [
            self._keep(
                tx,
                signer,
                Decision(
                    StatementType.SETUP,
                    "site",
                    site_id,
                    listed,
                    "APPOINT",
                    offices[signer.operator_id],
                ),
            )
            for signer in officers
        ]
        for appointment in first:
            self._grant(tx, appointment, statements[0], co_actor=officers[1].operator_id)

    def appoint(self, tx: Transaction, appointment: Appointment, manager: Signer) -> None:
        """Make a new operator with roles, signed by a CA manager, who is another person."""
        self.verify_may_appoint(tx, manager, appointment.operator_id, appointment.roles)
        decision = Decision(
            StatementType.ROLE_GRANT,
            "operator",
            appointment.operator_id,
            appointment.digest(),
            "APPOINT",
            Role.CA_MANAGER,
        )
        self._add(tx, appointment, actor=manager.operator_id)
        statement = self._keep(tx, manager, decision)
        self._grant(tx, appointment, statement, co_actor="")

    def verify_may_appoint(
        self, tx: Transaction, manager: Signer, name: str, roles: Iterable[Role]
    ) -> None:
        """Raise unless the CA manager may appoint that name to those roles."""
        if manager.operator_id == name:
            raise Refused("operators.grant.self", "nobody grants roles to themselves")
        self.verify_may_act(tx, manager, Role.CA_MANAGER)
        if not _NAME.match(name):
            raise InvalidInput(
                "operators.name", f"{name!r} is no operator name", "Use a-z, 0-9 and hyphen."
            )
        if records.by_id(tx, name) is not None:
            raise Conflict("operators.exists", f"there is an operator {name!r} already")
        _verify_roles(name, roles)

    def roles_of(self, tx: Transaction, operator_id: str) -> frozenset[Role]:
        """Return the roles held now; raises ``NotFound`` for an unknown operator."""
        if records.by_id(tx, operator_id) is None:
            raise NotFound(
                "operators.unknown",
                f"there is no operator {operator_id!r}",
                "See `hpki operator list`.",
            )
        grants = records.grants_of(tx, operator_id)
        return frozenset(Role(grant.role) for grant in grants if grant.until_seq is None)

    def verify_may_act(self, tx: Transaction, signer: Signer, role: Role) -> None:
        """Raise ``Refused`` unless the signer's key is current and its operator holds the role."""
        self._credential(tx, signer)
        if role not in self.roles_of(tx, signer.operator_id):
            raise Refused(
                "operators.role.missing",
                f"{signer.operator_id} does not hold the role {role}",
                f"Act as {' or '.join(records.holders_of(tx, role)) or 'someone appointed to it'}.",
            )

    def state(self, tx: Transaction, signer: Signer, decision: Decision) -> Statement:
        """Sign the decision, keep and return it; the signer must hold the role it claims."""
        self.verify_may_act(tx, signer, decision.role)
        return self._keep(tx, signer, decision)

    def verify_kept(self, tx: Transaction, statement_id: str, expected: Decision) -> str:
        """Return the operator who made the kept statement, verified anew.

        Raises ``Refused`` unless it says exactly what is expected, for this site, its signature
        verifies, and the operator held key and role at the statement's position in the trail.
        """
        row = tx.get(Statement, statement_id)
        if row is None:
            raise Refused("operators.statement.missing", f"there is no statement {statement_id}")
        statement = SignedStatement(row.body.encode(), bytes.fromhex(row.signature))
        credential = tx.get(Credential, statement.field("credential"))
        if (
            credential is None
            or credential.use is not KeyUse.SIGN
            or not _held(credential, row.seq)
        ):
            raise Refused(
                "operators.statement.credential", "the key was not valid when it was signed"
            )
        verify_statement(statement, credential.public_key_der, expected, credential.operator_id)
        names = (statement.field("statement_id"), statement.field("site_id"))
        if names != (row.id, self.trail.site(tx)[0]):
            raise Refused("operators.statement.differs", "the statement has another id or site")
        grants = records.grants_of(tx, credential.operator_id)
        if not any(grant.role == expected.role and _held(grant, row.seq) for grant in grants):
            raise Refused(
                "operators.statement.role",
                f"{credential.operator_id} did not hold {expected.role} when it was signed",
            )
        return credential.operator_id

    def position(self, tx: Transaction, statement_id: str) -> int:
        """Return the trail position after which a kept statement stands."""
        return tx.get_one(Statement, statement_id).seq

    def sealing_keys(
        self, tx: Transaction, role: Role
    ) -> list[tuple[Credential, ec.EllipticCurvePublicKey]]:
        """Return the current encryption keys of everyone who holds the role."""
        found = []
        for operator_id in records.holders_of(tx, role):
            for credential in records.credentials_of(tx, operator_id, KeyUse.SEAL):
                key = load_der_public_key(credential.public_key_der)
                if credential.until_seq is None and isinstance(key, ec.EllipticCurvePublicKey):
                    found.append((credential, key))
        return found

    def everyone(self) -> list[tuple[Operator, frozenset[Role]]]:
        """Return all operators with the roles they hold now."""
        with self.trail.store.read() as tx:
            return [(row, self.roles_of(tx, row.id)) for row in records.everyone(tx)]

    def _credential(self, tx: Transaction, signer: Signer) -> Credential:
        wanted = credential_id(signer.public_key())
        for credential in records.credentials_of(tx, signer.operator_id, KeyUse.SIGN):
            if credential.id == wanted and credential.until_seq is None:
                return credential
        raise Refused(
            "operators.credential.unknown",
            f"the key is not a current signing key of {signer.operator_id}",
        )

    def _add(self, tx: Transaction, appointment: Appointment, actor: str) -> None:
        name = appointment.operator_id
        if not _NAME.match(name):
            raise InvalidInput(
                "operators.name", f"{name!r} is no operator name", "Use a-z, 0-9 and hyphen."
            )
        _verify_roles(name, appointment.roles)
        if records.by_id(tx, name) is not None:
            raise Conflict("operators.exists", f"there is an operator {name!r} already")
        tx.add(Operator(id=name, full_name=appointment.full_name))
        tx.flush()
        seq = self.trail.append(
            tx,
            Event(
                "ACCOUNT.CREATE",
                "operator",
                name,
                actor=actor,
                detail={"appointment": appointment.digest()},
            ),
        )
        for use, key in (
            (KeyUse.SIGN, appointment.signing_key),
            (KeyUse.SEAL, appointment.sealing_key),
        ):
            tx.add(
                Credential(
                    id=credential_id(key),
                    operator_id=name,
                    use=use,
                    public_key_der=public_key_der(key),
                    from_seq=seq,
                )
            )
        tx.flush()

    def _grant(
        self, tx: Transaction, appointment: Appointment, statement: Statement, co_actor: str
    ) -> None:
        seq = self.trail.append(
            tx,
            Event(
                "ROLE.GRANT",
                "operator",
                appointment.operator_id,
                actor=statement.operator_id,
                actor_role=json.loads(statement.body)["role"],
                co_actor=co_actor,
                detail={"roles": sorted(appointment.roles), "statement": statement.id},
            ),
        )
        for role in appointment.roles:
            tx.add(
                RoleGrant(
                    operator_id=appointment.operator_id,
                    role=role,
                    from_seq=seq,
                    statement_id=statement.id,
                )
            )
        tx.flush()

    def _keep(self, tx: Transaction, signer: Signer, decision: Decision) -> Statement:
        self._credential(tx, signer)
        statement_id = self.entropy(16).hex()
        signed = make_statement(
            signer,
            decision,
            statement_id=statement_id,
            site_id=self.trail.site(tx)[0],
            at=rfc3339(self.trail.clock()),
        )
        row = Statement(
            id=statement_id,
            operator_id=signer.operator_id,
            type=decision.type,
            object_id=decision.object_id,
            body=signed.body.decode(),
            signature=signed.signature.hex(),
            seq=self.trail.position(tx),
        )
        tx.add(row)
        tx.flush()
        return row


def _held(row: Credential | RoleGrant, seq: int) -> bool:
    return row.from_seq <= seq and (row.until_seq is None or seq < row.until_seq)


def _verify_roles(name: str, roles: Iterable[Role]) -> None:
    pair = conflicting_pair(roles)
    if pair is not None:
        raise Refused(
            "operators.role.conflict",
            f"{name} may not hold {pair[0]} and {pair[1]} together",
            "Appoint another person to one of them.",
        )
