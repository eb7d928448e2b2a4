"""Rows of the trail and its anchors. The database itself refuses to change or remove one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Row
from sqlmodel import Field, SQLModel, col, select

from audit.canonical import digest
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
    __table_args__ = (
        sa.Index(None, "code", "seq"),
        sa.Index(None, "actor", "seq"),
        sa.Index(None, "co_actor", "seq"),
    )

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = Field(index=True)
    code: str = Field(sa_type=sa.Text)
    outcome: str = Field(sa_type=sa.Text)
    actor: str = Field(sa_type=sa.Text)
    co_actor: str = Field(sa_type=sa.Text)
    object_type: str = Field(sa_type=sa.Text)
    object_id: str = Field(sa_type=sa.Text, index=True)
    body: str = Field(sa_type=sa.Text)
    hash: str = Field(sa_column=columns.hexadecimal(64, unique=True))

    def content(self) -> dict[str, Any] | None:
        """Return what the body says, None where it is none or not the one that was entered."""
        return content_of(self.body, self.hash)


def content_of(body: str, entered: str) -> dict[str, Any] | None:
    """Return what an entry's body says, as ``TrailEntry.content``; ``entered``: its hash."""
    try:
        said = from_json(body, allow_inf_nan=False)
    except (ValueError, TypeError):
        return None
    sound = isinstance(said, dict) and isinstance(said.get("detail"), dict)
    return said if sound and digest(body.encode()) == entered else None


class AnchorRecord(SQLModel, table=True):
    """A signed anchor of the entry ``seq``; a missing ``time_stamp`` may be added, once.

    ``body``: RFC 8785 text; ``signature``: DER in hexadecimal; ``public_key``:
    SubjectPublicKeyInfo DER; ``time_stamp``: RFC 3161 token DER over the body's octets.
    """

    __tablename__ = "anchor"

    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    body: str = Field(sa_type=sa.Text)
    signature: str = Field(sa_type=sa.Text)
    public_key: bytes
    time_stamp: bytes | None = None


@dataclass(frozen=True)
class Criteria:
    """What entries are searched for; what is None is not asked for.

    ``person``: as actor, second actor, or the operator acted on; ``code``: one code, or with a dot
    at its end all that begin so; ``since`` (included) and ``until`` (not): aware moments.
    """

    person: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    code: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


_HEAD = SQLModel.metadata.tables["trail_head"]
_ENTRY = SQLModel.metadata.tables["trail_entry"]
_ANCHOR = SQLModel.metadata.tables["anchor"]
_INSERT = sa.insert(_ENTRY)
_MOVE = (
    sa.update(_HEAD)
    .where(_HEAD.c.seq == sa.bindparam("before"))
    .values(seq=sa.bindparam("next_seq"), hash=sa.bindparam("next_hash"))
)
_CONTENT = sa.select(
    _ENTRY.c.seq,
    _ENTRY.c.body,
    _ENTRY.c.hash,
    sa.type_coerce(_ENTRY.c.at, sa.Text),
    _ENTRY.c.code,
    _ENTRY.c.outcome,
    _ENTRY.c.actor,
    _ENTRY.c.co_actor,
    _ENTRY.c.object_type,
    _ENTRY.c.object_id,
).order_by(_ENTRY.c.seq)


def add_head(tx: Transaction, site_id: str, kind: SiteKind, first: str) -> None:
    """Make the one row of the head, before any entry; ``first``: what the first entry names."""
    values = {"id": 1, "site_id": site_id, "site_kind": kind, "seq": 0, "hash": first}
    tx.connection().execute(sa.insert(_HEAD), values)


def head(tx: Transaction, *, lock: bool = False) -> Row[Any] | None:
    """Return site_id, site_kind, seq and hash of the head, locked for this transaction if asked.

    None before the site is made.
    """
    columns_of_head = (_HEAD.c.site_id, _HEAD.c.site_kind, _HEAD.c.seq, _HEAD.c.hash)
    query: sa.Select[Any] = sa.select(*columns_of_head)
    return tx.connection().execute(query.with_for_update() if lock else query).one_or_none()


def add_entry(tx: Transaction, values: Mapping[str, object], before: int) -> bool:
    """Write one entry and let the head name it; False where the head does not stand at ``before``.

    ``values``: every column by its name. The statements go to the driver as they were compiled
    once, which halves the time of an entry.
    """
    connection = tx.connection()
    insert, move = _compiled(connection.dialect)
    connection.exec_driver_sql(insert.sql, insert.parameters(values))
    moved = {"before": before, "next_seq": values["seq"], "next_hash": values["hash"]}
    return connection.exec_driver_sql(move.sql, move.parameters(moved)).rowcount == 1


@dataclass(frozen=True)
class _Compiled:
    """A statement as a driver takes it: with ``names`` by position, else by name."""

    sql: str
    names: Sequence[str]
    conversions: Mapping[str, Callable[[Any], Any]]

    def parameters(self, values: Mapping[str, object]) -> Any:
        converted = {name: convert(values[name]) for name, convert in self.conversions.items()}
        given = {**values, **converted}
        return tuple([given[name] for name in self.names]) if self.names else given


@lru_cache(maxsize=8)
def _compiled(dialect: sa.Dialect) -> tuple[_Compiled, _Compiled]:
    """Return how an entry is inserted and how the head is moved."""
    return _compile(_INSERT, dialect), _compile(_MOVE, dialect)


def _compile(statement: sa.Insert | sa.Update, dialect: sa.Dialect) -> _Compiled:
    compiled = statement.compile(dialect=dialect)
    found = (
        (name, bind.type.dialect_impl(dialect).bind_processor(dialect))
        for name, bind in compiled.binds.items()
    )
    conversions = {name: processor for name, processor in found if processor is not None}
    return _Compiled(str(compiled), tuple(compiled.positiontup or ()), conversions)


def time_of(tx: Transaction, seq: int) -> datetime | None:
    """Return the time of the entry, None where there is none."""
    found: datetime | None = (
        tx.connection().execute(sa.select(_ENTRY.c.at).where(_ENTRY.c.seq == seq)).scalar()
    )
    return found


def entry(tx: Transaction, seq: int) -> TrailEntry | None:
    """Return the entry at a position."""
    return tx.get(TrailEntry, seq)


def contents(tx: Transaction, after: int, limit: int) -> Sequence[Sequence[Any]]:
    """Return columns of entries above ``after``, in order, as the database holds them.

    seq, body, hash, at (text on SQLite, a moment on PostgreSQL), code, outcome, actor, co_actor,
    object_type, object_id.
    """
    query = _CONTENT.where(_ENTRY.c.seq > after).limit(limit)
    return tx.connection().execute(query).all()


def newest_of(tx: Transaction, codes: Collection[str], after: int = 0) -> int:
    """Return the position of the newest entry above ``after`` with one of the codes, or 0."""
    newest = sa.select(sa.func.max(_ENTRY.c.seq))
    if after:  # few entries: the codes of each cost more than all of them
        queries = [newest.where(_ENTRY.c.seq > after, _ENTRY.c.code.in_(sorted(codes)))]
    else:
        queries = [newest.where(_ENTRY.c.code == code) for code in codes]
    return max((tx.connection().execute(query).scalar() or 0 for query in queries), default=0)


def search(tx: Transaction, wanted: Criteria, after: int, limit: int) -> list[TrailEntry]:
    """Return up to ``limit`` entries that fit, with ``seq`` above ``after``, in order."""
    query = select(TrailEntry).where(TrailEntry.seq > after, *_conditions(wanted))
    return list(tx.exec(query.order_by(col(TrailEntry.seq)).limit(limit)))


def entries_about(
    tx: Transaction, object_type: str, object_id: str, codes: Collection[str]
) -> list[TrailEntry]:
    """Return the entries about an object with one of the codes, in order."""
    about = (_ENTRY.c.object_type == object_type, _ENTRY.c.object_id == object_id)
    query = select(TrailEntry).where(*about, _ENTRY.c.code.in_(sorted(codes)))
    return list(tx.exec(query.order_by(col(TrailEntry.seq))))


def _conditions(wanted: Criteria) -> list[sa.ColumnElement[bool]]:
    column = _ENTRY.c
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.person is not None:
        acted_on = (column.object_type == "operator") & (column.object_id == wanted.person)
        conditions.append(
            (column.actor == wanted.person) | (column.co_actor == wanted.person) | acted_on
        )
    if wanted.code is not None and wanted.code.endswith("."):
        conditions.append(column.code.startswith(wanted.code, autoescape=True))
    elif wanted.code is not None:
        conditions.append(column.code == wanted.code)
    for name in ("object_type", "object_id", "outcome"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(column[name] == value)
    if wanted.since is not None:
        conditions.append(column.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(column.at < wanted.until)
    return conditions


def anchor(tx: Transaction, seq: int) -> AnchorRecord | None:
    """Return the anchor of the entry at a position."""
    return tx.exec(select(AnchorRecord).where(AnchorRecord.seq == seq)).one_or_none()


def newest_anchor(tx: Transaction) -> AnchorRecord | None:
    """Return the anchor of the latest entry, None before the first."""
    query = select(AnchorRecord).order_by(col(AnchorRecord.seq).desc()).limit(1)
    return tx.exec(query).one_or_none()


def anchors(tx: Transaction) -> list[AnchorRecord]:
    """Return all anchors in order."""
    return list(tx.exec(select(AnchorRecord).order_by(col(AnchorRecord.seq))))


def add_time_stamp(tx: Transaction, seq: int, token: bytes) -> bool:
    """Keep the token of an anchor; False where it has one already."""
    done = tx.connection().execute(
        sa.update(_ANCHOR)
        .where(_ANCHOR.c.seq == seq, _ANCHOR.c.time_stamp.is_(None))
        .values(time_stamp=token)
    )
    return done.rowcount == 1
