"""Column forms that SQLite and PostgreSQL share, and the naming of constraints."""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def choice(
    enumeration: type[StrEnum],
    *,
    nullable: bool = False,
    index: bool = False,
    primary_key: bool = False,
) -> sa.Column[StrEnum]:
    """Return a text column that holds only the enumeration's values."""
    return sa.Column(
        sa.Enum(
            enumeration,
            native_enum=False,
            create_constraint=True,
            name=f"{enumeration.__name__.lower()}_known",
            length=32,
            values_callable=lambda members: [member.value for member in members],
        ),
        nullable=nullable,
        index=index,
        primary_key=primary_key,
    )


def hexadecimal(digits: int, *, nullable: bool = False, unique: bool = False) -> sa.Column[str]:
    """Return a column of exactly that many lower-case hexadecimal digits."""
    return sa.Column(sa.CHAR(digits), nullable=nullable, unique=unique)


def key_column(target: str | None = None, *, primary: bool = True) -> sa.Column[str]:
    """Return a text primary key or, with ``target``, a foreign key."""
    constraints = [sa.ForeignKey(target)] if target else []
    return sa.Column(sa.Text, *constraints, primary_key=primary, nullable=False)
