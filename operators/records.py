"""Rows of operators, their credentials, roles and statements."""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from policies.roles import Role
from store import columns
from store.database import Transaction


class KeyUse(StrEnum):
    """SIGN makes statements; SEAL opens what is enveloped to the operator (HPKE)."""

    SIGN = "SIGN"
    SEAL = "SEAL"


class Operator(SQLModel, table=True):
    """A person who acts; the id is the name typed with ``--operator``."""

    __tablename__ = "operator"

    id: str = Field(sa_column=columns.key_column())
    full_name: str = Field(sa_type=sa.Text)


class Credential(SQLModel, table=True):
    """A P-256 public key (SubjectPublicKeyInfo DER), valid from and until trail positions."""

    __tablename__ = "credential"

    id: str = Field(sa_column=columns.key_column())
    operator_id: str = Field(sa_column=columns.key_column("operator.id", primary=False))
    use: KeyUse = Field(sa_column=columns.choice(KeyUse))
    public_key_der: bytes
    from_seq: int
    until_seq: int | None = None


class RoleGrant(SQLModel, table=True):
    """A role held from one trail position until another."""

    __tablename__ = "role_grant"

    operator_id: str = Field(sa_column=columns.key_column("operator.id"))
    role: Role = Field(
        sa_column=sa.Column(sa.Text, primary_key=True, nullable=False),
    )
    from_seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    until_seq: int | None = None
    statement_id: str = Field(sa_column=columns.key_column("statement.id", primary=False))


class Statement(SQLModel, table=True):
    """A signed decision: ``body`` is the RFC 8785 text, ``signature`` ECDSA P-256 in hex."""

    __tablename__ = "statement"

    id: str = Field(sa_column=columns.key_column())
    operator_id: str = Field(sa_column=columns.key_column("operator.id", primary=False))
    type: str = Field(sa_type=sa.Text)
    object_id: str = Field(sa_type=sa.Text, index=True)
    body: str = Field(sa_type=sa.Text)
    signature: str = Field(sa_type=sa.Text)
    seq: int


def by_id(tx: Transaction, operator_id: str) -> Operator | None:
    """Return the operator, or None."""
    return tx.get(Operator, operator_id)


def everyone(tx: Transaction) -> list[Operator]:
    """Return all operators by name."""
    return list(tx.exec(select(Operator).order_by(col(Operator.id))))


def credentials_of(tx: Transaction, operator_id: str, use: KeyUse) -> list[Credential]:
    """Return the operator's credentials for that use, oldest first."""
    query = (
        select(Credential)
        .where(Credential.operator_id == operator_id, Credential.use == use)
        .order_by(col(Credential.from_seq))
    )
    return list(tx.exec(query))


def grants_of(tx: Transaction, operator_id: str) -> list[RoleGrant]:
    """Return every grant to the operator, oldest first."""
    query = (
        select(RoleGrant)
        .where(RoleGrant.operator_id == operator_id)
        .order_by(col(RoleGrant.from_seq), col(RoleGrant.role))
    )
    return list(tx.exec(query))


def holders_of(tx: Transaction, role: Role) -> list[str]:
    """Return the operators who hold the role now, by name."""
    query = (
        select(RoleGrant.operator_id)
        .where(RoleGrant.role == role, col(RoleGrant.until_seq).is_(None))
        .order_by(col(RoleGrant.operator_id))
    )
    return list(tx.exec(query))
