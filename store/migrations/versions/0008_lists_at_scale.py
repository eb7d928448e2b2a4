"""Entries of lists in their order, lists in files, and their way to several targets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("revocation", "revocation_list", "certificate"):
        if op.get_bind().execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1")).first():  # noqa: S608
            raise RuntimeError("this store has lists of an earlier version: make the site anew")
    with op.batch_alter_table("certificate") as batch:
        batch.add_column(sa.Column("shard", sa.Integer(), nullable=False))
    op.create_index("ix_certificate_issuer_id_shard", "certificate", ["issuer_id", "shard"])
    with op.batch_alter_table("revocation") as batch:
        batch.drop_column("entry_der")
    _make_entries()
    with op.batch_alter_table("revocation_list") as batch:
        batch.add_column(sa.Column("shard", sa.Integer(), nullable=False))
        batch.add_column(sa.Column("octets", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("coverage_sha256", sa.CHAR(64), nullable=True))
        batch.add_column(sa.Column("override", sa.Text(), nullable=True))
        batch.drop_column("list_der")
        batch.drop_column("coverage")
    op.create_index(
        "ix_revocation_list_issuer_id_scope_shard_number",
        "revocation_list",
        ["issuer_id", "scope", "shard", "number"],
    )
    op.create_table(
        "list_delivery",
        sa.Column("list_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UTCDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["list_id"], ["revocation_list.id"], name=op.f("fk_list_delivery_list_id")
        ),
        sa.PrimaryKeyConstraint("list_id", "target", name=op.f("pk_list_delivery")),
    )


def _make_entries() -> None:
    op.create_table(
        "list_entry",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("serial", sa.CHAR(40), nullable=False),
        sa.Column("entry_der", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("not_after", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("series", "serial", name=op.f("pk_list_entry")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_list_entry_series_seq", "list_entry", ["series", "seq"])
