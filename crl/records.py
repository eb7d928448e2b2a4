"""Rows of revocation lists. The number is committed before anything is signed with it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, func, select

from store import columns
from store.database import Transaction


class ListState(StrEnum):
    """NUMBERED: the number is taken. STORED: signed and kept. PUBLISHED: it stands in public/."""

    NUMBERED = "NUMBERED"
    STORED = "STORED"
    PUBLISHED = "PUBLISHED"


class Scope(StrEnum):
    """FULL list of a sub CA; the root's RARL (root itself) and SARL (subordinate CAs)."""

    FULL = "FULL"
    RARL = "RARL"
    SARL = "SARL"


class RevocationList(SQLModel, table=True):
    """One list; ``high_water_seq`` is the trail position up to which revocations are on it."""

    __tablename__ = "revocation_list"
    __table_args__ = (sa.UniqueConstraint("issuer_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(sa_column=columns.key_column("issuer.id", primary=False))
    scope: Scope = Field(sa_column=columns.choice(Scope))
    number: int
    state: ListState = Field(sa_column=columns.choice(ListState))
    this_update: datetime | None = None
    next_update: datetime | None = None
    entries: int | None = None
    high_water_seq: int | None = None
    list_der: bytes | None = None
    sha256: str | None = Field(
        default=None, sa_column=columns.hexadecimal(64, nullable=True, unique=True)
    )
    coverage: str | None = Field(default=None, sa_type=sa.Text)
    published_at: datetime | None = None


def highest_number(tx: Transaction, issuer_id: str) -> int:
    """Return the highest number ever taken by the issuer, 0 for none."""
    found = tx.exec(
        select(func.max(RevocationList.number)).where(RevocationList.issuer_id == issuer_id)
    ).one()
    return found or 0


def latest(
    tx: Transaction, issuer_id: str, scope: Scope, *, published: bool = False
) -> RevocationList | None:
    """Return the newest list of the scope that was signed, or published if asked, or None."""
    wanted = [ListState.PUBLISHED] if published else [ListState.STORED, ListState.PUBLISHED]
    query = (
        select(RevocationList)
        .where(
            RevocationList.issuer_id == issuer_id,
            RevocationList.scope == scope,
            col(RevocationList.state).in_(wanted),
        )
        .order_by(col(RevocationList.number).desc())
    )
    return tx.exec(query).first()


def lists(tx: Transaction) -> list[RevocationList]:
    """Return every list, newest first."""
    return list(tx.exec(select(RevocationList).order_by(col(RevocationList.id).desc())))
