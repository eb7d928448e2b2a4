"""People and roles come from signed acts: the tables that were believed go.

A store with operators cannot be carried over: its statements are not bound to the trail.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CARD = ("STOCK", "RESERVED", "PERSONALISED")
_RUN = ("OPEN", "DONE")


def upgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT 1 FROM operator LIMIT 1")).first() is not None:
        raise RuntimeError("this store has operators of an earlier version: make the site anew")
    with op.batch_alter_table("pin_envelope") as batch:
        batch.drop_constraint("fk_pin_envelope_credential_id", type_="foreignkey")
    op.drop_table("role_grant")
    op.drop_table("credential")
    op.add_column("operator", sa.Column("birth_date", sa.Date(), nullable=True))
    op.add_column(
        "operator", sa.Column("salt", sa.CHAR(length=64), nullable=False, server_default="")
    )
    op.add_column("statement", sa.Column("content", sa.Text(), nullable=True))
    op.create_index(op.f("ix_statement_seq"), "statement", ["seq"], unique=False)
    _widen("card", "cardstate_known", _CARD, "DESTROYED")
    _widen("personalization_run", "runstate_known", _RUN, "ABANDONED")
    op.add_column("ceremony", sa.Column("script", sa.Text(), nullable=False, server_default=""))
    for column in (
        sa.Column("statement_id", sa.Text(), nullable=True),
        sa.Column("review", sa.Text(), nullable=True),
        sa.Column("review_note", sa.Text(), nullable=True),
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.Column("reviewed_at", UTCDateTime(), nullable=True),
    ):
        op.add_column("revocation_request", column)
    op.add_column("application", sa.Column("reject_reason", sa.Text(), nullable=True))


def _widen(table: str, constraint: str, known: tuple[str, ...], new: str) -> None:
    """Let the column ``state`` hold one value more; batch mode leaves SQLite's old check behind."""
    words = ", ".join(f"'{word}'" for word in (*known, new))
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(constraint, table, type_="check")
    with op.batch_alter_table(table) as batch:
        batch.create_check_constraint(constraint, f"state IN ({words})")
