"""The work on a file: states, clocks, documents with files, matches, inquiries, fees, notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATES = (
    "DRAFT", "RECEIVED", "DEFICIENT", "EXAMINING", "QUAL_INQUIRY", "EXAMINED", "APPROVED",
    "REJECTED", "WITHDRAWN", "RETURNED", "PAYMENT_WAIT", "ISSUING", "ISSUED", "PERSONALISED",
    "AT_PICKUP", "IN_DELIVERY", "LINK_WAIT", "ACTIVE", "UNDELIVERED", "COMPLETED",
    "CLOSED_REVOKED", "EXPIRED",
)  # fmt: skip
_RESULTS = ("OK", "FAIL")
_ANSWERS = ("REGISTERED", "NOT_FOUND", "STRUCK_OFF", "SUSPENDED")
_CHOICES = ("OTHER_PERSON", "REPLACES", "BOTH_WANTED", "DUPLICATE")
_NOTICES = ("DEFICIENCY", "RETURN", "REJECTION", "FEE")
_FEES = ("DUE", "PAID", "WAIVED")


def upgrade() -> None:
    if op.get_bind().execute(sa.text("SELECT 1 FROM application LIMIT 1")).first() is not None:
        raise RuntimeError("this store has applications of an earlier version: make the site anew")
    op.add_column("person_version", sa.Column("confirmed_on", sa.Date(), nullable=True))
    _widen_application()
    op.drop_table("document")
    _make_document()
    _make_checks()
    _make_inquiries()
    _make_letters()


def _widen_application() -> None:
    words = ", ".join(f"'{word}'" for word in _STATES)
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("applicationstate_known", "application", type_="check")
    with op.batch_alter_table("application") as batch:
        for name in ("office", "association", "replaces", "web_id", "approval_id"):
            batch.add_column(sa.Column(name, sa.Text(), nullable=True))
        batch.add_column(sa.Column("state_since", UTCDateTime(), nullable=False))
        batch.add_column(sa.Column("due_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("stopped_days", sa.Integer(), nullable=False))
        batch.add_column(sa.Column("attempt", sa.Integer(), nullable=False))
        batch.create_check_constraint("applicationstate_known", f"state IN ({words})")
        batch.create_unique_constraint("uq_application_web_id", ["web_id"])
    op.create_index("ix_person_birth_date", "person", ["birth_date"])
    op.create_index("ix_application_person_id", "application", ["person_id"])
    op.create_index("ix_application_replaces", "application", ["replaces"])
    work = ["state", "due_on", "ref", "type", "office", "work_prefecture", "profession"]
    op.create_index("ix_application_work", "application", work)


def _known(name: str, words: tuple[str, ...]) -> sa.Enum:
    return sa.Enum(*words, native_enum=False, create_constraint=True, name=name, length=32)


def _of_application(*, primary: bool = True) -> sa.Column[str]:
    return sa.Column(
        "application_ref",
        sa.Text(),
        sa.ForeignKey("application.ref"),
        primary_key=primary,
        nullable=False,
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _make_document() -> None:
    op.create_table(
        "document",
        _of_application(),
        sa.Column("code", sa.Text(), primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        _text("media_type", nullable=True),
        sa.Column("octets", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.CHAR(64), nullable=True),
        _text("file_name", nullable=True),
        _text("wrapped_key", nullable=True),
        sa.Column("redacts", sa.Integer(), nullable=True),
        _text("statement_id", nullable=True),
        sa.Column("result", _known("checkresult_known", _RESULTS), nullable=True),
        _text("note"),
        _text("checked_by"),
        sa.Column("checked_at", UTCDateTime(), nullable=True),
    )


def _make_checks() -> None:
    op.add_column("examination_check", sa.Column("at", UTCDateTime(), nullable=False))
    op.create_table(
        "field_match",
        _of_application(),
        sa.Column("source", sa.Text(), primary_key=True, nullable=False),
        sa.Column("field", sa.Text(), primary_key=True, nullable=False),
        _text("verdict"),
        _text("seen"),
        _text("explanation"),
        _text("examiner"),
        sa.Column("at", UTCDateTime(), nullable=False),
    )
    op.create_table(
        "duplicate_choice",
        _of_application(),
        sa.Column(
            "other_ref",
            sa.Text(),
            sa.ForeignKey("application.ref"),
            primary_key=True,
            nullable=False,
        ),
        sa.Column("choice", _known("choice_known", _CHOICES), nullable=False),
        _text("reason"),
        _text("examiner"),
        sa.Column("at", UTCDateTime(), nullable=False),
    )


def _make_inquiries() -> None:
    op.create_table(
        "inquiry",
        sa.Column("id", sa.Text(), primary_key=True, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        _text("examiner"),
    )
    op.create_table(
        "answer_file",
        sa.Column("sha256", sa.CHAR(64), primary_key=True, nullable=False),
        _text("file_name"),
        _text("wrapped_key"),
        sa.Column("octets", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        _text("entered_by"),
    )
    op.create_table(
        "inquiry_item",
        sa.Column(
            "inquiry_id",
            sa.Text(),
            sa.ForeignKey("inquiry.id"),
            primary_key=True,
            nullable=False,
        ),
        sa.Column("line", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        _of_application(primary=False),
        sa.Column("answer", _known("answer_known", _ANSWERS), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("evidence", sa.CHAR(64), nullable=True),
        _text("entered_by"),
    )
    op.create_index(op.f("ix_inquiry_item_application_ref"), "inquiry_item", ["application_ref"])


def _make_letters() -> None:
    op.create_table(
        "deficiency",
        _of_application(),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        _text("items"),
        _text("note"),
        _text("asked_by"),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("supplied_on", sa.Date(), nullable=True),
    )
    op.create_table(
        "notice",
        _of_application(),
        sa.Column("kind", _known("noticekind_known", _NOTICES), primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("sent_on", sa.Date(), nullable=True),
        _text("way"),
        _text("sent_by"),
    )
    op.create_index(op.f("ix_notice_sent_on"), "notice", ["sent_on"])
    op.create_table(
        "fee",
        _of_application(),
        sa.Column("yen", sa.Integer(), nullable=False),
        sa.Column("state", _known("feestate_known", _FEES), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=False),
        sa.Column("settled_on", sa.Date(), nullable=True),
        _text("reference"),
        _text("note"),
        _text("settled_by"),
    )
