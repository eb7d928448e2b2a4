"""A person's values may be erased from a file that stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATES = (
    "RECEIVED", "EXAMINED", "REJECTED", "ISSUING", "ISSUED", "PERSONALISED", "CLOSED_REVOKED",
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table("person") as batch:
        batch.alter_column("birth_date", existing_type=sa.Date(), nullable=True)
    with op.batch_alter_table("application") as batch:
        batch.alter_column("registration_date", existing_type=sa.Date(), nullable=True)
        batch.add_column(sa.Column("erased_at", UTCDateTime(), nullable=True))
        if op.get_bind().dialect.name == "sqlite":  # batch mode leaves the old check behind
            words = ", ".join(f"'{word}'" for word in _STATES)
            batch.create_check_constraint("applicationstate_known", f"state IN ({words})")
