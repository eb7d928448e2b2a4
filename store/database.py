"""The database: transactions for writers, snapshots for readers."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session

from pki.errors import Conflict, Unavailable

_LATELY = 64

_TRY_AGAIN = ("40001", "40P01")
"""SQLSTATE of a failed serialization and of a deadlock. Source: PostgreSQL, appendix A."""


class Transaction(Session):
    """The unit of work that repositories are called with; they never commit.

    The rows it loaded last stay in its memory: proofs get the same few again and again.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, autoflush=True, expire_on_commit=False)
        self.loaded: deque[object] = deque(maxlen=_LATELY)


@event.listens_for(Transaction, "loaded_as_persistent")
def _keep_loaded(tx: Transaction, row: object) -> None:
    tx.loaded.append(row)


class Store:
    """One database at a SQLAlchemy URL: ``sqlite:///PATH`` or ``postgresql+psycopg://…``."""

    def __init__(self, url: str) -> None:
        try:
            self.engine = _engine(url)
        except ImportError:
            raise Unavailable(
                "store.driver",
                "the PostgreSQL driver is not installed",
                "Install hpki-ca[postgres].",
            ) from None

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        """Another process opens the database for itself."""
        return Store, (self.engine.url.render_as_string(hide_password=False),)

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """Give one writing transaction, committed at the end and rolled back on any error."""
        with self._session("BEGIN IMMEDIATE") as session:
            yield session
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Give one snapshot to read from; what is changed in it is rolled back."""
        with self._session("BEGIN DEFERRED") as session:
            if self.engine.dialect.name == "postgresql":
                session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield session

    def empty_log(self) -> bool:
        """Bring SQLite's write-ahead log into its file, so that no overwritten page lies on there.

        Return False where another process still reads from the log; PostgreSQL has no such file.
        """
        if self.engine.dialect.name != "sqlite":
            return True
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            busy: int = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            return not busy
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _session(self, begin: str) -> Iterator[Transaction]:
        with Transaction(self.engine) as session:
            try:
                session.connection(execution_options={"begin_statement": begin})
                yield session
            except IntegrityError as error:
                raise Conflict("store.constraint", f"the store refuses it: {error.orig}") from error
            except DatabaseError as error:
                if type(error) not in (OperationalError, DatabaseError):
                    raise  # a fault of this program; DatabaseError itself is a damaged file
                if getattr(error.orig, "sqlstate", "") in _TRY_AGAIN:
                    raise Conflict(
                        "store.busy",
                        "somebody else changed the same things at this moment; nothing was done",
                        "Do it again.",
                    ) from error
                raise Unavailable("store.unavailable", _reason(error)) from error
            finally:
                session.expunge_all()


def _reason(error: DBAPIError) -> str:
    return f"the store cannot be used: {str(error.orig).splitlines()[0]}"


def _engine(url: str) -> Engine:
    engine = create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_postgresql(connection: Any, _: Any) -> None:
    """Let nothing be compiled: that takes seconds of a query that takes as many without."""
    connection.execute("SET jit = off")
    connection.commit()


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=10000",
        "trusted_schema=OFF",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    statement = connection.get_execution_options().get("begin_statement", "BEGIN IMMEDIATE")
    connection.exec_driver_sql(statement)
