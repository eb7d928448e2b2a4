"""Rows of revocation lists. The number is committed before anything is signed with it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, func, select

from ca.records import Series
from policies.profiles import ListScope
from store import columns
from store.database import Transaction


class ListState(StrEnum):
    """NUMBERED: the number is taken. STORED: signed and kept. PUBLISHED: it stands everywhere."""

    NUMBERED = "NUMBERED"
    STORED = "STORED"
    PUBLISHED = "PUBLISHED"


class RevocationList(SQLModel, table=True):
    """One list, whose octets lie in the archive.

    ``high_water_seq`` is the trail position up to which revocations are on it; ``coverage_sha256``
    of the statement beside it. ``override``: JSON array of the statements by which two people let
    it be shorter than the list before, else None.
    """

    __tablename__ = "revocation_list"
    __table_args__ = (
        sa.UniqueConstraint("issuer_id", "number"),
        sa.Index(None, "issuer_id", "scope", "shard", "number"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(sa_column=columns.key_column("issuer.id", primary=False))
    scope: ListScope = Field(sa_column=columns.choice(ListScope))
    shard: int = 0
    number: int
    state: ListState = Field(sa_column=columns.choice(ListState))
    this_update: datetime | None = None
    next_update: datetime | None = None
    entries: int | None = None
    octets: int | None = None
    high_water_seq: int | None = None
    sha256: str | None = Field(
        default=None, sa_column=columns.hexadecimal(64, nullable=True, unique=True)
    )
    coverage_sha256: str | None = Field(
        default=None, sa_column=columns.hexadecimal(64, nullable=True)
    )
    override: str | None = Field(default=None, sa_type=sa.Text)
    published_at: datetime | None = None

    @property
    def series(self) -> Series:
        """The lists that it stands among."""
        return Series(self.issuer_id, self.scope, self.shard)


class Delivery(SQLModel, table=True):
    """A list on its way to one target; ``done_at`` is None until it stands there.

    ``next_try_at``: not before, after ``attempts`` that failed, the last one with ``error``.
    """

    __tablename__ = "list_delivery"

    list_id: int = Field(
        sa_column=sa.Column(
            sa.Integer, sa.ForeignKey("revocation_list.id"), primary_key=True, autoincrement=False
        )
    )
    target: str = Field(sa_column=columns.key_column())
    attempts: int = 0
    next_try_at: datetime | None = None
    error: str | None = Field(default=None, sa_type=sa.Text)
    done_at: datetime | None = None


def highest_number(tx: Transaction, issuer_id: str) -> int:
    """Return the highest number ever taken by the issuer, 0 for none."""
    found = tx.exec(
        select(func.max(RevocationList.number)).where(RevocationList.issuer_id == issuer_id)
    ).one()
    return found or 0


def signed_lists(
    tx: Transaction,
    series: Series,
    *,
    published: bool = False,
    by: datetime | None = None,
    limit: int | None = None,
) -> list[RevocationList]:
    """Return the series' lists that were signed, or published if asked, newest first.

    ``by``: without lists whose thisUpdate is later.
    """
    wanted = [ListState.PUBLISHED] if published else [ListState.STORED, ListState.PUBLISHED]
    query = (
        select(RevocationList)
        .where(
            RevocationList.issuer_id == series.issuer_id,
            RevocationList.scope == series.scope,
            RevocationList.shard == series.shard,
            col(RevocationList.state).in_(wanted),
        )
        .order_by(col(RevocationList.number).desc())
        .limit(limit)
    )
    if by is not None:
        query = query.where(col(RevocationList.this_update) <= by)
    return list(tx.exec(query))


def latest(
    tx: Transaction, series: Series, *, published: bool = False, by: datetime | None = None
) -> RevocationList | None:
    """Return the first of ``signed_lists``, or None."""
    found = signed_lists(tx, series, published=published, by=by, limit=1)
    return found[0] if found else None


def list_by_sha256(tx: Transaction, sha256: str) -> RevocationList | None:
    """Return the list of which these are the octets, or None."""
    return tx.exec(select(RevocationList).where(RevocationList.sha256 == sha256)).one_or_none()


def shards_used(tx: Transaction, issuer_id: str) -> int:
    """Return one more than the highest shard that a list of the issuer was made for, or 0."""
    query = select(func.max(RevocationList.shard)).where(RevocationList.issuer_id == issuer_id)
    found = tx.exec(query).one()
    return 0 if found is None else found + 1


def lists(tx: Transaction) -> list[RevocationList]:
    """Return every list, newest first."""
    return list(tx.exec(select(RevocationList).order_by(col(RevocationList.id).desc())))


def deliveries(tx: Transaction, list_id: int) -> dict[str, Delivery]:
    """Return the list's deliveries by target."""
    query = select(Delivery).where(Delivery.list_id == list_id)
    return {one.target: one for one in tx.exec(query)}
