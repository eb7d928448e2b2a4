"""Other organisations: their registers, their orders, and ours to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_peers()
    with op.batch_alter_table("issue_order") as batch:
        for name in ("authority", "addressee"):
            batch.add_column(sa.Column(name, sa.CHAR(16), nullable=True))
            batch.create_foreign_key(op.f(f"fk_issue_order_{name}"), "peer", [name], ["id"])
    op.create_table(
        "order_answer",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("paper_sha256", sa.CHAR(64), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["issue_order.id"], name=op.f("fk_order_answer_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["paper_sha256"],
            ["paper_receipt.paper_sha256"],
            name=op.f("fk_order_answer_paper_sha256"),
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_answer")),
    )
    op.create_table(
        "received_certificate",
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["order_answer.order_id"],
            name=op.f("fk_received_certificate_order_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", "usage", name=op.f("pk_received_certificate")),
    )


def _create_peers() -> None:
    op.create_table(
        "paper_receipt",
        sa.Column("paper_sha256", sa.CHAR(64), nullable=False),
        sa.Column("setup", sa.CHAR(64), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.CHAR(64), nullable=False),
        sa.Column("acts_sha256", sa.CHAR(64), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("statement_ids", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("paper_sha256", name=op.f("pk_paper_receipt")),
    )
    op.create_table(
        "peer",
        sa.Column("id", sa.CHAR(16), nullable=False),
        sa.Column("setup", sa.CHAR(64), nullable=False),
        sa.Column("acceptance", sa.CHAR(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_receipt", sa.CHAR(64), nullable=False),
        sa.Column("acts", sa.Text(), nullable=False),
        sa.Column("acts_receipt", sa.CHAR(64), nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [name], ["paper_receipt.paper_sha256"], name=op.f(f"fk_peer_{name}")
            )
            for name in ("acceptance", "content_receipt", "acts_receipt")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_peer")),
        sa.UniqueConstraint("setup", name=op.f("uq_peer_setup")),
    )
    op.create_table(
        "peer_statement",
        sa.Column("peer_id", sa.CHAR(16), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("receipt", sa.CHAR(64), nullable=False),
        sa.ForeignKeyConstraint(["peer_id"], ["peer.id"], name=op.f("fk_peer_statement_peer_id")),
        sa.ForeignKeyConstraint(
            ["receipt"],
            ["paper_receipt.paper_sha256"],
            name=op.f("fk_peer_statement_receipt"),
        ),
        sa.PrimaryKeyConstraint("peer_id", "id", name=op.f("pk_peer_statement")),
    )
