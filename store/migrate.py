"""Bringing a database to the newest schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError

from pki.errors import Conflict, Unavailable
from store.database import Store


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def upgrade(store: Store) -> None:
    """Run every script the database has not seen; raises ``Unavailable`` if it cannot be used."""
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
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    try:
        with store.engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
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
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))
