"""Engagements of auditors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(
        *values, native_enum=False, create_constraint=True, name=f"{name}_known", length=32
    )


def upgrade() -> None:
    op.create_table(
        "engagement",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", _choice("auditkind", "SIGN", "AUTH", "REMOTE"), nullable=False),
        sa.Column("period_from", sa.Date, nullable=False),
        sa.Column("period_to", sa.Date, nullable=False),
        sa.Column("auditor", sa.Text, nullable=False),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("as_of", UTCDateTime()),
        sa.Column("conclusion", _choice("conclusion", "CONFORMS", "CONDITIONAL", "FAILS")),
        sa.Column("record", sa.Text),
        sa.Column("statement_id", sa.Text),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engagement")),
    )
    op.create_table(
        "control_answer",
        sa.Column("engagement_id", sa.Text, nullable=False),
        sa.Column("control_id", sa.Text, nullable=False),
        sa.Column(
            "result",
            _choice("result", "CONFORMS", "FAILS", "NOT_APPLICABLE", "NO_CASE", "UNCHECKED"),
            nullable=False,
        ),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("evidence_name", sa.Text, nullable=False),
        sa.Column("evidence", sa.CHAR(64)),
        sa.Column("auditor", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["engagement.id"], name=op.f("fk_control_answer_engagement_id")
        ),
        sa.PrimaryKeyConstraint("engagement_id", "control_id", name=op.f("pk_control_answer")),
    )
    op.create_table(
        "finding",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("engagement_id", sa.Text, nullable=False),
        sa.Column("control_id", sa.Text, nullable=False),
        sa.Column("grade", _choice("findingclass", "MAJOR", "MINOR", "OBS"), nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("due_on", sa.Date),
        sa.Column("raised_by", sa.Text, nullable=False),
        sa.Column("raised_seq", sa.Integer, nullable=False),
        sa.Column("closed_on", sa.Date),
        sa.Column("verified_by", sa.Text),
        sa.Column("closed_seq", sa.Integer),
        sa.ForeignKeyConstraint(
            ["engagement_id"], ["engagement.id"], name=op.f("fk_finding_engagement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
