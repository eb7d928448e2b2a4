"""Bringing a database to the newest schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, inspect, text
from sqlalchemy.exc import DBAPIError

from pki.errors import Conflict, Unavailable
from store.database import Store

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = Path(__file__).with_name("migrations")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config


def newest_revision() -> str:
    """Return the newest script's revision, with which its file's name begins.

    Alembic knows it too, but takes longer to load than most commands to run.
    """
    return max(path.name for path in (_SCRIPTS / "versions").glob("[0-9]*.py")).partition("_")[0]


def upgrade(store: Store) -> None:
    """Run every script the database has not seen; raises ``Unavailable`` if it cannot be used."""
    from alembic import command

    config = _config()
    try:
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        raise Unavailable("store.unavailable", f"the store cannot be used: {reason}") from error


def verify_schema(store: Store) -> None:
    """Raise ``Conflict`` unless the database has exactly the schema of this program."""
    newest = newest_revision()
    try:
        with store.engine.connect() as connection:
            versioned = inspect(connection).has_table("alembic_version")
            query = text("SELECT version_num FROM alembic_version")
            found = connection.execute(query).scalar() if versioned else None
    except DBAPIError as error:
        reason = str(error.orig).splitlines()[0]
        raise Unavailable("store.unavailable", f"the store cannot be used: {reason}") from error
    if found != newest:
        raise Conflict(
            "store.schema",
            f"the store has schema {found or 'none'}, this program needs {newest}",
            "Run `hpki init` for a new site, or this program's own version for an old one.",
        )


def differences(store: Store, metadata: MetaData) -> list[Any]:
    """Return what the migrated database lacks or has beyond the records' metadata."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))
