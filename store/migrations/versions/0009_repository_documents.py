"""Documents for relying parties, and which files each target serves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "public_document",
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "CP",
                "CPS",
                "TERMS",
                "NOTICE",
                native_enum=False,
                create_constraint=True,
                name="documentkind_known",
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("title_ja", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("octets", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.CHAR(64), nullable=False),
        sa.Column("effective_at", UTCDateTime(), nullable=False),
        sa.Column("statements", sa.Text(), nullable=False),
        sa.Column("approved_at", UTCDateTime(), nullable=False),
        sa.Column("superseded_at", UTCDateTime(), nullable=True),
        sa.Column("published_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("file_name", name=op.f("pk_public_document")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_public_document_name_version")),
    )
    op.create_table(
        "served_file",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.CHAR(64), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("target", "file_name", name=op.f("pk_served_file")),
    )
