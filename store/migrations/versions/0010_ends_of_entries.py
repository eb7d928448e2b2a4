"""Find the entries of a list whose certificates have ended without a look at each."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_list_entry_series_not_after", "list_entry", ["series", "not_after"])
