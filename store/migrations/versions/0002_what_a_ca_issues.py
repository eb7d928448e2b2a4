"""What each CA issues by, and whether its certificates carry Japanese names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("issuer", sa.Column("issues", sa.Text(), nullable=False, server_default="[]"))
    op.add_column(
        "issuer",
        sa.Column("japanese_names", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    op.execute("""UPDATE issuer SET issues = '["ee-sign"]' WHERE purpose = 'SIGN'""")
    op.execute("""UPDATE issuer SET issues = '["ee-auth"]' WHERE purpose = 'AUTH'""")
