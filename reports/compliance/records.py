"""Rows of audits: the engagement, what the auditor entered by hand, and the findings."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from policies.controls import AuditKind
from reports.compliance.conclusion import Conclusion, FindingClass
from reports.compliance.results import Result
from store import columns
from store.database import Transaction


class Engagement(SQLModel, table=True):
    """One audit of a period (Japan's days, both included) by one auditor.

    ``record``: the RFC 8785 text whose SHA-256 the auditor signed with the conclusion; it and
    ``as_of``, the moment of its run, are None until then.
    """

    __tablename__ = "engagement"

    id: str = Field(sa_column=columns.key_column())
    kind: AuditKind = Field(sa_column=columns.choice(AuditKind))
    period_from: date
    period_to: date
    auditor: str = Field(sa_type=sa.Text)
    opened_at: datetime
    as_of: datetime | None = None
    conclusion: Conclusion | None = Field(
        default=None, sa_column=columns.choice(Conclusion, nullable=True)
    )
    record: str | None = Field(default=None, sa_type=sa.Text)
    statement_id: str | None = Field(default=None, sa_type=sa.Text)


class Answer(SQLModel, table=True):
    """What an auditor entered for a control; ``evidence``: SHA-256 of a file kept by the auditor.

    ``seq``: the trail entry that names it; of several about a control the newest counts.
    """

    __tablename__ = "control_answer"

    engagement_id: str = Field(sa_column=columns.key_column("engagement.id"))
    control_id: str = Field(sa_column=columns.key_column())
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    result: Result = Field(sa_column=columns.choice(Result))
    note: str = Field(sa_type=sa.Text)
    evidence_name: str = Field(default="", sa_type=sa.Text)
    evidence: str | None = Field(default=None, sa_column=columns.hexadecimal(64, nullable=True))
    auditor: str = Field(sa_type=sa.Text)


class FindingRow(SQLModel, table=True):
    """A finding: ``due_on`` is the day of its plan, ``closed_on`` when it was verified."""

    __tablename__ = "finding"

    id: str = Field(sa_column=columns.key_column())
    engagement_id: str = Field(sa_column=columns.key_column("engagement.id", primary=False))
    control_id: str = Field(sa_type=sa.Text)
    grade: FindingClass = Field(sa_column=columns.choice(FindingClass))
    fact: str = Field(sa_type=sa.Text)
    action: str = Field(default="", sa_type=sa.Text)
    due_on: date | None = None
    raised_by: str = Field(sa_type=sa.Text)
    raised_seq: int
    closed_on: date | None = None
    verified_by: str | None = Field(default=None, sa_type=sa.Text)
    closed_seq: int | None = None


def engagements(tx: Transaction) -> list[Engagement]:
    """Return every engagement, newest first."""
    order = (col(Engagement.opened_at).desc(), col(Engagement.id))
    return list(tx.exec(select(Engagement).order_by(*order)))


def answers_of(tx: Transaction, engagement_id: str, upto: int) -> list[Answer]:
    """Return what stood entered by hand at a position of the trail, by control."""
    query = select(Answer).where(Answer.engagement_id == engagement_id, Answer.seq <= upto)
    newest = {one.control_id: one for one in tx.exec(query.order_by(col(Answer.seq)))}
    return sorted(newest.values(), key=lambda one: one.control_id)


def newest_entered(tx: Transaction, engagement_id: str) -> int:
    """Return the position of the newest answer or finding, 0 for none."""
    queries = (
        sa.select(sa.func.max(col(Answer.seq))).where(col(Answer.engagement_id) == engagement_id),
        sa.select(sa.func.max(col(FindingRow.raised_seq))).where(
            col(FindingRow.engagement_id) == engagement_id
        ),
    )
    return max(tx.execute(query).scalar() or 0 for query in queries)


def findings_of(tx: Transaction, engagement_id: str) -> list[FindingRow]:
    """Return the findings in the order they were raised."""
    query = select(FindingRow).where(FindingRow.engagement_id == engagement_id)
    return list(tx.exec(query.order_by(col(FindingRow.raised_seq))))
