"""What the trail is searched by, and its signed anchors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = ("outcome", "actor", "co_actor")


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    for name in COLUMNS:
        op.add_column("trail_entry", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    _fill_postgres() if postgres else _fill_sqlite()
    op.drop_index(op.f("ix_trail_entry_code"), "trail_entry")
    op.create_index(op.f("ix_trail_entry_at"), "trail_entry", ["at"])
    for name in ("code", "actor", "co_actor"):
        op.create_index(op.f(f"ix_trail_entry_{name}_seq"), "trail_entry", [name, "seq"])
    op.create_table(
        "anchor",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("time_stamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_anchor")),
    )
    _guard_anchors_postgres() if postgres else _guard_anchors_sqlite()


def _fill_postgres() -> None:
    op.execute("DROP TRIGGER trail_entry_kept ON trail_entry")
    op.execute(
        "UPDATE trail_entry SET outcome = body::json ->> 'outcome', "
        "actor = body::json ->> 'actor_id', co_actor = body::json ->> 'co_actor_id'"
    )
    op.execute(
        "CREATE TRIGGER trail_entry_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON trail_entry "
        "FOR EACH STATEMENT EXECUTE FUNCTION trail_is_append_only()"
    )


def _fill_sqlite() -> None:
    op.execute("DROP TRIGGER trail_entry_unchanged")
    op.execute(
        "UPDATE trail_entry SET outcome = json_extract(body, '$.outcome'), "
        "actor = json_extract(body, '$.actor_id'), co_actor = json_extract(body, '$.co_actor_id')"
    )
    op.execute(
        "CREATE TRIGGER trail_entry_unchanged BEFORE UPDATE ON trail_entry "
        "BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
    )


def _guard_anchors_postgres() -> None:
    op.execute(
        "CREATE FUNCTION anchors_are_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'anchors are append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER anchor_kept BEFORE DELETE OR TRUNCATE ON anchor "
        "FOR EACH STATEMENT EXECUTE FUNCTION anchors_are_append_only()"
    )
    op.execute(
        f"CREATE TRIGGER anchor_unchanged BEFORE UPDATE ON anchor FOR EACH ROW WHEN ({CHANGED}) "
        "EXECUTE FUNCTION anchors_are_append_only()"
    )


def _guard_anchors_sqlite() -> None:
    refuse = "BEGIN SELECT RAISE(ABORT, 'anchors are append-only'); END"
    op.execute(f"CREATE TRIGGER anchor_kept BEFORE DELETE ON anchor {refuse}")
    op.execute(f"CREATE TRIGGER anchor_unchanged BEFORE UPDATE ON anchor WHEN {CHANGED} {refuse}")
    # SQLite's INSERT OR REPLACE removes the old row without asking the triggers on DELETE.
    op.execute(
        "CREATE TRIGGER anchor_once BEFORE INSERT ON anchor WHEN EXISTS "
        "(SELECT 1 FROM anchor WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'anchors are append-only'); END"
    )


CHANGED = (
    "OLD.time_stamp IS NOT NULL OR NEW.time_stamp IS NULL OR OLD.seq <> NEW.seq "
    "OR OLD.body <> NEW.body OR OLD.signature <> NEW.signature "
    "OR OLD.public_key <> NEW.public_key"
)
"""Anything but a time stamp set where there was none."""
