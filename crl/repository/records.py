"""Rows of the documents that relying parties read, and of what each target serves."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from store import columns
from store.database import Transaction


class DocumentKind(StrEnum):
    """CP: certificate policy. CPS: practice statement. TERMS: terms of use. NOTICE: news."""

    CP = "CP"
    CPS = "CPS"
    TERMS = "TERMS"
    NOTICE = "NOTICE"


class PublicDocument(SQLModel, table=True):
    """One version of a document, for ever; ``file_name`` on targets and in the site's folder.

    Versions of one ``name`` follow each other: ``superseded_at`` is when the next one takes effect,
    always None for a NOTICE. ``statements``: JSON array of the two by which it was released, at
    ``approved_at``. ``published_at``: since when every target has it.
    """

    __tablename__ = "public_document"
    __table_args__ = (sa.UniqueConstraint("name", "version"),)

    file_name: str = Field(sa_column=columns.key_column())
    kind: DocumentKind = Field(sa_column=columns.choice(DocumentKind))
    name: str = Field(sa_type=sa.Text)
    version: str = Field(sa_type=sa.Text)
    title_ja: str = Field(sa_type=sa.Text)
    title_en: str = Field(sa_type=sa.Text)
    octets: int
    sha256: str = Field(sa_column=columns.hexadecimal(64))
    effective_at: datetime
    statements: str = Field(sa_type=sa.Text)
    approved_at: datetime
    superseded_at: datetime | None = None
    published_at: datetime | None = None


class ServedFile(SQLModel, table=True):
    """A file other than a list or the page, as it came to stand on a target.

    ``since``: when these octets were first seen there.
    """

    __tablename__ = "served_file"

    target: str = Field(sa_column=columns.key_column())
    file_name: str = Field(sa_column=columns.key_column())
    sha256: str = Field(sa_column=columns.hexadecimal(64))
    since: datetime


def documents(tx: Transaction) -> list[PublicDocument]:
    """Return every document, by kind and name, newest effective first."""
    found = tx.exec(select(PublicDocument).order_by(col(PublicDocument.effective_at).desc()))
    kinds = list(DocumentKind)
    return sorted(found, key=lambda one: (kinds.index(one.kind), one.name))


def versions(tx: Transaction, name: str) -> list[PublicDocument]:
    """Return the versions of one document, newest effective first."""
    return [one for one in documents(tx) if one.name == name]


def served_files(tx: Transaction) -> list[ServedFile]:
    """Return what every target serves, by target and name."""
    query = select(ServedFile).order_by(col(ServedFile.target), col(ServedFile.file_name))
    return list(tx.exec(query))
