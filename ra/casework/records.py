"""Rows of the work on a file: matches, duplicates, inquiries, deficiencies, notices, fees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from operators.records import Statement
from policies.moves import ApplicationState
from ra.records import Application, Person, PersonVersion
from store import columns
from store.database import Transaction


class Answer(StrEnum):
    """What the register says of a person."""

    REGISTERED = "REGISTERED"
    NOT_FOUND = "NOT_FOUND"
    STRUCK_OFF = "STRUCK_OFF"
    SUSPENDED = "SUSPENDED"


class Choice(StrEnum):
    """What the examiner says of a possible duplicate."""

    OTHER_PERSON = "OTHER_PERSON"
    REPLACES = "REPLACES"
    BOTH_WANTED = "BOTH_WANTED"
    DUPLICATE = "DUPLICATE"


class NoticeKind(StrEnum):
    """What an applicant is told in writing."""

    DEFICIENCY = "DEFICIENCY"
    RETURN = "RETURN"
    REJECTION = "REJECTION"
    FEE = "FEE"


class FeeState(StrEnum):
    """Whether a fee is still owed."""

    DUE = "DUE"
    PAID = "PAID"
    WAIVED = "WAIVED"


class FieldMatch(SQLModel, table=True):
    """One field of the application held against one source, a document's code or REGISTER.

    ``seen`` is what stands there if it differs; ``explanation`` is the examiner's word on it.
    """

    __tablename__ = "field_match"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    source: str = Field(sa_column=columns.key_column())
    field: str = Field(sa_column=columns.key_column())
    verdict: str = Field(sa_type=sa.Text)
    seen: str = Field(default="", sa_type=sa.Text)
    explanation: str = Field(default="", sa_type=sa.Text)
    examiner: str = Field(sa_type=sa.Text)
    at: datetime


class DuplicateChoice(SQLModel, table=True):
    """The examiner's choice about another application that may be the same."""

    __tablename__ = "duplicate_choice"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    other_ref: str = Field(sa_column=columns.key_column("application.ref"))
    choice: Choice = Field(sa_column=columns.choice(Choice))
    reason: str = Field(sa_type=sa.Text)
    examiner: str = Field(sa_type=sa.Text)
    at: datetime


class Inquiry(SQLModel, table=True):
    """A list sent to the ministry's register."""

    __tablename__ = "inquiry"

    id: str = Field(sa_column=columns.key_column())
    at: datetime
    examiner: str = Field(sa_type=sa.Text)


class InquiryItem(SQLModel, table=True):
    """One person of an inquiry; ``evidence`` is the SHA-256 of the answer's file."""

    __tablename__ = "inquiry_item"

    inquiry_id: str = Field(sa_column=columns.key_column("inquiry.id"))
    line: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    application_ref: str = Field(
        sa_column=sa.Column(sa.Text, sa.ForeignKey("application.ref"), nullable=False, index=True)
    )
    answer: Answer | None = Field(default=None, sa_column=columns.choice(Answer, nullable=True))
    answered_on: date | None = None
    evidence: str | None = Field(default=None, sa_column=columns.hexadecimal(64, nullable=True))
    entered_by: str = Field(default="", sa_type=sa.Text)


class AnswerFile(SQLModel, table=True):
    """A file of answers of the register, kept encrypted like a document.

    Name and key are empty once every application that it is about is erased.
    """

    __tablename__ = "answer_file"

    sha256: str = Field(sa_column=sa.Column(sa.CHAR(64), primary_key=True))
    file_name: str = Field(sa_type=sa.Text)
    wrapped_key: str = Field(sa_type=sa.Text)
    octets: int
    at: datetime
    entered_by: str = Field(sa_type=sa.Text)


class Deficiency(SQLModel, table=True):
    """What the applicant was asked for, the ``number``-th time; ``items`` are codes, by comma."""

    __tablename__ = "deficiency"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    items: str = Field(sa_type=sa.Text)
    note: str = Field(default="", sa_type=sa.Text)
    asked_by: str = Field(sa_type=sa.Text)
    asked_on: date
    supplied_on: date | None = None


class Notice(SQLModel, table=True):
    """A letter that is due, and when and how it was sent."""

    __tablename__ = "notice"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    kind: NoticeKind = Field(sa_column=columns.choice(NoticeKind, primary_key=True))
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    due_on: date
    sent_on: date | None = Field(default=None, index=True)
    way: str = Field(default="", sa_type=sa.Text)
    sent_by: str = Field(default="", sa_type=sa.Text)


class Fee(SQLModel, table=True):
    """The fee of an application, in yen with tax."""

    __tablename__ = "fee"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    yen: int
    state: FeeState = Field(sa_column=columns.choice(FeeState))
    asked_on: date
    settled_on: date | None = None
    reference: str = Field(default="", sa_type=sa.Text)
    note: str = Field(default="", sa_type=sa.Text)
    settled_by: str = Field(default="", sa_type=sa.Text)


def matches_of(tx: Transaction, application_ref: str) -> list[FieldMatch]:
    """Return the application's matches by source and field."""
    query = select(FieldMatch).where(FieldMatch.application_ref == application_ref)
    return sorted(tx.exec(query), key=lambda one: (one.source, one.field))


def choices_of(tx: Transaction, application_ref: str) -> list[DuplicateChoice]:
    """Return the choices made for the application, by the other reference."""
    query = select(DuplicateChoice).where(DuplicateChoice.application_ref == application_ref)
    return sorted(tx.exec(query), key=lambda one: one.other_ref)


def inquiries_of(tx: Transaction, application_ref: str) -> list[InquiryItem]:
    """Return the application's places in inquiries, the newest last."""
    query = (
        select(InquiryItem)
        .join(Inquiry, col(Inquiry.id) == col(InquiryItem.inquiry_id))
        .where(InquiryItem.application_ref == application_ref)
        .order_by(col(Inquiry.at), col(Inquiry.id))
    )
    return list(tx.exec(query))


def inquiries_made(tx: Transaction) -> list[tuple[Inquiry, int, int]]:
    """Return every inquiry by time, with how many were asked about and how many are answered."""
    items = col(InquiryItem.inquiry_id)
    query = (
        select(Inquiry, sa.func.count(items), sa.func.count(col(InquiryItem.answer)))
        .join(InquiryItem, items == col(Inquiry.id))
        .group_by(col(Inquiry.id))
        .order_by(col(Inquiry.at), col(Inquiry.id))
    )
    return [(made, asked, answered) for made, asked, answered in tx.exec(query)]


def fees(tx: Transaction, states: Sequence[FeeState]) -> list[Fee]:
    """Return the fees in the states, by the day they were asked for."""
    query = select(Fee).where(col(Fee.state).in_(states))
    return list(tx.exec(query.order_by(col(Fee.asked_on), col(Fee.application_ref))))


def items_of(tx: Transaction, inquiry_id: str) -> list[InquiryItem]:
    """Return the inquiry's persons by line."""
    query = select(InquiryItem).where(InquiryItem.inquiry_id == inquiry_id)
    return list(tx.exec(query.order_by(col(InquiryItem.line))))


def deficiencies_of(tx: Transaction, application_ref: str) -> list[Deficiency]:
    """Return what the applicant was asked for, the newest last."""
    query = select(Deficiency).where(Deficiency.application_ref == application_ref)
    return list(tx.exec(query.order_by(col(Deficiency.number))))


def notices_of(tx: Transaction, application_ref: str, kind: NoticeKind) -> list[Notice]:
    """Return the application's notices of a kind, the newest last."""
    query = select(Notice).where(Notice.application_ref == application_ref, Notice.kind == kind)
    return list(tx.exec(query.order_by(col(Notice.number))))


def notices_due(tx: Transaction, kinds: Sequence[NoticeKind] = tuple(NoticeKind)) -> list[Notice]:
    """Return the notices that were not sent yet, by the day they are due."""
    query = select(Notice).where(col(Notice.sent_on).is_(None), col(Notice.kind).in_(kinds))
    return list(tx.exec(query.order_by(col(Notice.due_on), col(Notice.application_ref))))


def answer_files(tx: Transaction) -> set[str]:
    """Return the names of all files that answers of the register have."""
    return {name for name in tx.exec(select(AnswerFile.file_name)) if name}


@dataclass(frozen=True)
class Pile:
    """Open files of one state: of some types (empty: all), over before a day, of one office.

    ``not_by``: not examined by that operator. ``answered``: not those whose newest question to the
    register is open. ``only`` holds further columns of the application and what they must be.
    """

    state: ApplicationState
    types: tuple[str, ...] = ()
    before: date | None = None
    office: str | None = None
    not_by: str = ""
    answered: bool = False
    only: Mapping[str, str] = field(default_factory=dict)


_Key = tuple[date, str]


def open_files(tx: Transaction, piles: Sequence[Pile], limit: int, after: _Key | None) -> list[Any]:
    """Return up to ``limit`` files of the piles by due day and reference, in one query.

    Each pile is read along the index from ``after`` on, so that many files cost no more than few.
    """
    if not piles:
        return []
    found = sa.union_all(*(sa.select(_keys(pile, after, limit)) for pile in piles)).subquery()
    keys = sa.select(found.c.ref).order_by(found.c.due_on, found.c.ref).limit(limit).subquery()
    waiting = (
        sa.select(sa.func.count())
        .where(_of(InquiryItem.application_ref), col(InquiryItem.answer).is_(None))
        .scalar_subquery()
    )
    letters = (
        sa.select(sa.func.aggregate_strings(sa.cast(col(Notice.kind), sa.Text), ","))
        .where(_of(Notice.application_ref), col(Notice.sent_on).is_(None))
        .scalar_subquery()
    )
    one, name = Application, PersonVersion
    query = (
        sa.select(
            *map(col, (one.ref, one.state, one.state_since, one.due_on, one.profession)),
            *map(col, (one.work_prefecture, one.office, one.type, one.channel)),
            *map(col, (name.kanji_name, name.kana_name, name.romaji_name)),
            col(Person.birth_date),
            waiting.label("unanswered"),
            letters.label("letters"),
        )
        .join_from(keys, one, keys.c.ref == col(one.ref))
        .join(Person, col(Person.id) == col(one.person_id))
        .outerjoin(
            name,
            (col(name.person_id) == col(one.person_id))
            & (col(name.valid_from) == col(one.received_on)),
        )
        .order_by(col(one.due_on), col(one.ref))
    )
    return list(tx.execute(query))


def open_counts(tx: Transaction, piles: Sequence[Pile]) -> dict[ApplicationState, int]:
    """Return how many files of each state the piles hold."""
    found: dict[ApplicationState, int] = {}
    for pile in piles:
        query = sa.select(sa.func.count()).select_from(Application).where(*_within(pile))
        found[pile.state] = found.get(pile.state, 0) + tx.execute(query).scalar_one()
    return found


def _keys(pile: Pile, after: _Key | None, limit: int) -> Any:
    """Return the keys of the pile's first files after one, read along the index."""
    due, ref = col(Application.due_on), col(Application.ref)
    query = sa.select(ref, due).where(*_within(pile)).order_by(due, ref).limit(limit)
    if after is not None:
        query = query.where(sa.tuple_(due, ref) > sa.tuple_(*after))
    return query.subquery()


def _within(pile: Pile) -> list[Any]:
    """Return the conditions of a pile."""
    found: list[Any] = [col(Application.state) == pile.state]
    if pile.types:
        found.append(col(Application.type).in_(pile.types))
    if pile.before is not None:
        found.append(col(Application.due_on) < pile.before)
    if pile.office is not None:
        found.append(col(Application.office) == pile.office)
    found += [getattr(Application, name) == value for name, value in pile.only.items()]
    if pile.not_by:
        found.append(
            ~sa.exists().where(
                col(Statement.id) == col(Application.examination_id),
                col(Statement.operator_id) == pile.not_by,
            )
        )
    if pile.answered:
        found.append(
            ~sa.exists().where(_of(InquiryItem.application_ref), col(InquiryItem.answer).is_(None))
        )
    return found


def _of(reference: Any) -> Any:
    return col(reference) == col(Application.ref)


def answers_only_about_erased(tx: Transaction, application_ref: str) -> list[AnswerFile]:
    """Return the files of answers about the application, all whose other applications are erased.

    Those erased before have no name any more.
    """
    mine = select(InquiryItem.evidence).where(InquiryItem.application_ref == application_ref)
    kept = (
        select(InquiryItem.evidence)
        .join(Application, col(Application.ref) == col(InquiryItem.application_ref))
        .where(col(Application.erased_at).is_(None), col(InquiryItem.evidence).is_not(None))
    )
    query = select(AnswerFile).where(
        col(AnswerFile.sha256).in_(mine),
        col(AnswerFile.sha256).not_in(kept),
        AnswerFile.file_name != "",
    )
    return list(tx.exec(query))
