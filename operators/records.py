"""Rows of operators and of what they signed."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from store import columns
from store.database import Transaction


def _receipt_column() -> sa.Column[str]:
    """Return a column that names a receipt."""
    return sa.Column(sa.CHAR(64), sa.ForeignKey("paper_receipt.paper_sha256"), nullable=False)


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
    """A signed decision: ``body`` is the RFC 8785 text, ``signature`` hexadecimal.

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


class Receipt(SQLModel, table=True):
    """A paper of another organisation, taken: what it was and who here signed for it.

    ``setup``: the sender's; ``head``: SEQ:HASH of the newest entry of the sender's trail that its
    signers saw; ``acts_sha256`` and ``known``: the sender's register as known after it, by the
    digest of its acts and the position of the newest; ``items``: JSON array of digests of what was
    taken from it; ``statement_ids``: JSON array of our statements over all of that.
    """

    __tablename__ = "paper_receipt"

    paper_sha256: str = Field(sa_column=sa.Column(sa.CHAR(64), primary_key=True, nullable=False))
    setup: str = Field(sa_column=columns.hexadecimal(64))
    kind: str = Field(sa_type=sa.Text)
    head: str = Field(sa_type=sa.Text)
    content_sha256: str = Field(sa_column=columns.hexadecimal(64))
    acts_sha256: str = Field(sa_column=columns.hexadecimal(64))
    known: int
    items: str = Field(sa_type=sa.Text)
    statement_ids: str = Field(sa_type=sa.Text)


class Peer(SQLModel, table=True):
    """Another organisation, accepted by two officers; the id begins its set-up's SHA-256.

    ``content`` is that of its newest register, ``acts`` the JSON array of all its acts known; each
    is proven by the receipt that is named beside it, the whole by that of its acceptance.
    """

    __tablename__ = "peer"

    id: str = Field(sa_column=sa.Column(sa.CHAR(16), primary_key=True, nullable=False))
    setup: str = Field(sa_column=columns.hexadecimal(64, unique=True))
    acceptance: str = Field(sa_column=_receipt_column())
    content: str = Field(sa_type=sa.Text)
    content_receipt: str = Field(sa_column=_receipt_column())
    acts: str = Field(sa_type=sa.Text)
    acts_receipt: str = Field(sa_column=_receipt_column())


class PeerStatement(SQLModel, table=True):
    """A statement of another organisation's operator with the entries that prove it.

    ``evidence`` is the canonical JSON of ``operators.exchange.evidence.Evidence``.
    """

    __tablename__ = "peer_statement"

    peer_id: str = Field(
        sa_column=sa.Column(sa.CHAR(16), sa.ForeignKey("peer.id"), primary_key=True)
    )
    id: str = Field(sa_column=columns.key_column())
    evidence: str = Field(sa_type=sa.Text)
    receipt: str = Field(sa_column=_receipt_column())


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


def peers(tx: Transaction) -> list[Peer]:
    """Return the organisations accepted, by id."""
    return list(tx.exec(select(Peer).order_by(col(Peer.id))))
