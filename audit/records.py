"""Rows of the trail. The database itself refuses to change or remove an entry."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, select

from policies.site import SiteKind
from store import columns
from store.database import Transaction


class TrailHead(SQLModel, table=True):
    """The newest entry's position and hash, and the site whose trail it is; one row, id 1."""

    __tablename__ = "trail_head"
    __table_args__ = (sa.CheckConstraint("id = 1", name="single"),)

    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    site_id: str = Field(sa_type=sa.Text)
    site_kind: SiteKind = Field(sa_column=columns.choice(SiteKind))
    seq: int
    hash: str = Field(sa_column=columns.hexadecimal(64))


class TrailEntry(SQLModel, table=True):
    """One entry; ``body`` is the RFC 8785 text whose SHA-256 is ``hash``.

    The other columns repeat what the body says, for queries; verification reads both.
    """

    __tablename__ = "trail_entry"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime
    code: str = Field(sa_type=sa.Text, index=True)
    object_type: str = Field(sa_type=sa.Text)
    object_id: str = Field(sa_type=sa.Text, index=True)
    body: str = Field(sa_type=sa.Text)
    hash: str = Field(sa_column=columns.hexadecimal(64, unique=True))


def head(tx: Transaction, *, lock: bool = False) -> TrailHead | None:
    """Return the head, locked for this transaction if asked; None before the site is made."""
    query = select(TrailHead).where(TrailHead.id == 1)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return tx.exec(query).one_or_none()


def entries(tx: Transaction, after: int, limit: int, code: str | None = None) -> list[TrailEntry]:
    """Return up to ``limit`` entries with ``seq`` above ``after``, in order."""
    query = select(TrailEntry).where(TrailEntry.seq > after).order_by(sa.asc("seq")).limit(limit)
    if code is not None:
        query = query.where(TrailEntry.code == code)
    return list(tx.exec(query))
