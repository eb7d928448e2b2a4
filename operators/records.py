"""Rows of operators and of what they signed."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from store import columns
from store.database import Transaction


class Operator(SQLModel, table=True):
    """Who a person is; the id is the name typed with ``--operator``.

    The register knows the salted digest of name and birth date only, so these may be erased.
    """

    __tablename__ = "operator"

    id: str = Field(sa_column=columns.key_column())
    full_name: str = Field(sa_type=sa.Text)
    birth_date: date | None = None
    salt: str = Field(sa_column=columns.hexadecimal(64))


class Statement(SQLModel, table=True):
    """A signed decision: ``body`` is the RFC 8785 text, ``signature`` ECDSA P-256 in hex.

    ``seq`` is the trail entry that names it. ``content`` is the act of the register that it is
    about, None for every other statement.
    """

    __tablename__ = "statement"

    id: str = Field(sa_column=columns.key_column())
    operator_id: str = Field(sa_column=columns.key_column("operator.id", primary=False))
    type: str = Field(sa_type=sa.Text)
    object_id: str = Field(sa_type=sa.Text, index=True)
    body: str = Field(sa_type=sa.Text)
    signature: str = Field(sa_type=sa.Text)
    seq: int = Field(index=True)
    content: str | None = Field(default=None, sa_type=sa.Text)


def everyone(tx: Transaction) -> list[Operator]:
    """Return all operators by name."""
    return list(tx.exec(select(Operator).order_by(col(Operator.id))))


def statements_about(tx: Transaction, object_id: str, kind: str) -> list[Statement]:
    """Return the statements of that type about the object, newest first."""
    query = select(Statement).where(Statement.object_id == object_id, Statement.type == kind)
    return list(tx.exec(query.order_by(col(Statement.seq).desc())))


def newest_statement(tx: Transaction) -> Statement | None:
    """Return the statement that stands last."""
    return tx.exec(select(Statement).order_by(col(Statement.seq).desc()).limit(1)).first()


def acts_after(tx: Transaction, seq: int) -> list[Statement]:
    """Return the statements about acts of the register after a position, in order."""
    query = (
        select(Statement)
        .where(Statement.seq > seq, col(Statement.content).is_not(None))
        .order_by(col(Statement.seq), col(Statement.id))
    )
    return list(tx.exec(query))


def statements_after(tx: Transaction, seq: int, limit: int) -> list[Statement]:
    """Return statements after a position in order; those of one entry are never divided."""
    cut = tx.exec(
        select(Statement.seq)
        .where(Statement.seq > seq)
        .order_by(col(Statement.seq))
        .offset(limit - 1)
        .limit(1)
    ).first()
    query = select(Statement).where(Statement.seq > seq)
    if cut is not None:
        query = query.where(Statement.seq <= cut)
    return list(tx.exec(query.order_by(col(Statement.seq), col(Statement.id))))
