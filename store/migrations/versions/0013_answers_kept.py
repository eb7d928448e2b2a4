"""Earlier answers of auditors stay, so that a draft of then can be made again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_RESULTS = ("CONFORMS", "FAILS", "NOT_APPLICABLE", "NO_CASE", "UNCHECKED")


def upgrade() -> None:
    """Make the table again with its rows: SQLite changes no primary key."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT * FROM control_answer")).mappings().all()
    op.drop_table("control_answer")
    made = op.create_table(
        "control_answer",
        sa.Column("engagement_id", sa.Text, nullable=False),
        sa.Column("control_id", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column(
            "result",
            sa.Enum(
                *_RESULTS,
                native_enum=False,
                create_constraint=True,
                name="result_known",
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("evidence_name", sa.Text, nullable=False),
        sa.Column("evidence", sa.CHAR(64)),
        sa.Column("auditor", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["engagement.id"], name=op.f("fk_control_answer_engagement_id")
        ),
        sa.PrimaryKeyConstraint(
            "engagement_id", "control_id", "seq", name=op.f("pk_control_answer")
        ),
    )
    if rows:
        connection.execute(sa.insert(made), [dict(row) for row in rows])
