"""Rows of the registration authority. Names are stored as given, never normalised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from pki.errors import Refused
from store import columns
from store.database import Transaction


class ApplicationState(StrEnum):
    """States of an application; the moves between them stand in ``ra/states.py``."""

    RECEIVED = "RECEIVED"
    EXAMINED = "EXAMINED"
    REJECTED = "REJECTED"
    ISSUING = "ISSUING"
    ISSUED = "ISSUED"
    PERSONALISED = "PERSONALISED"
    CLOSED_REVOKED = "CLOSED_REVOKED"


class CheckResult(StrEnum):
    """The examiner's word on one check."""

    OK = "OK"
    FAIL = "FAIL"


class RequestState(StrEnum):
    """How a revocation request ended; whether it is on a list stands with the revocation."""

    EXECUTED = "EXECUTED"
    REFUSED = "REFUSED"


class Person(SQLModel, table=True):
    """An applicant; the opaque id becomes the holder's id and the DN's serialNumber.

    The birth date is None after the erasure.
    """

    __tablename__ = "person"

    id: str = Field(sa_column=columns.key_column())
    birth_date: date | None = None
    search_key: str = Field(sa_type=sa.Text, index=True)


class PersonVersion(SQLModel, table=True):
    """Name and address as they were from a date on."""

    __tablename__ = "person_version"

    person_id: str = Field(sa_column=columns.key_column("person.id"))
    valid_from: date = Field(primary_key=True)
    kanji_name: str = Field(sa_type=sa.Text)
    kana_name: str = Field(sa_type=sa.Text)
    romaji_name: str = Field(sa_type=sa.Text)
    former_surname: str | None = Field(default=None, sa_type=sa.Text)
    postal_code: str = Field(sa_type=sa.Text)
    address: str = Field(sa_type=sa.Text)
    telephone: str = Field(sa_type=sa.Text)
    email: str | None = Field(default=None, sa_type=sa.Text)


class Application(SQLModel, table=True):
    """An application; ``salt`` (hex) keys the digests by which statements name its fields.

    Since ``erased_at`` the person's values are gone: empty, or zeros for digits.
    """

    __tablename__ = "application"

    ref: str = Field(sa_column=columns.key_column())
    person_id: str = Field(sa_column=columns.key_column("person.id", primary=False))
    import_id: str = Field(sa_column=columns.key_column("import_run.id", primary=False))
    row_digest: str = Field(sa_column=columns.hexadecimal(64))
    salt: str = Field(sa_column=columns.hexadecimal(64))
    type: str = Field(sa_type=sa.Text)
    channel: str = Field(sa_type=sa.Text)
    state: ApplicationState = Field(sa_column=columns.choice(ApplicationState, index=True))
    received_on: date
    profession: str = Field(sa_type=sa.Text)
    registration_number: str = Field(sa_type=sa.Text, index=True)
    registration_date: date | None
    director_role: str | None = Field(default=None, sa_type=sa.Text)
    institution_ja: str | None = Field(default=None, sa_type=sa.Text)
    institution_en: str | None = Field(default=None, sa_type=sa.Text)
    work_prefecture: str = Field(sa_column=sa.Column(sa.CHAR(2), nullable=False, index=True))
    municipality: str | None = Field(default=None, sa_type=sa.Text)
    member_id: str | None = Field(default=None, sa_type=sa.Text)
    terms_version: str = Field(sa_type=sa.Text)
    reject_code: str | None = Field(default=None, sa_type=sa.Text)
    reject_reason: str | None = Field(default=None, sa_type=sa.Text)
    dossier: str | None = Field(default=None, sa_type=sa.Text)
    examination_id: str | None = Field(default=None, sa_type=sa.Text)
    carrier: str = Field(default="CARD", sa_type=sa.Text)
    erased_at: datetime | None = None


class Document(SQLModel, table=True):
    """A document that came with the application."""

    __tablename__ = "document"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    code: str = Field(sa_column=columns.key_column())


class Check(SQLModel, table=True):
    """One check of the examination, its method and result."""

    __tablename__ = "examination_check"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    kind: str = Field(sa_column=columns.key_column())
    method: str = Field(sa_type=sa.Text)
    result: CheckResult = Field(sa_column=columns.choice(CheckResult))
    note: str = Field(default="", sa_type=sa.Text)
    examiner: str = Field(sa_type=sa.Text)


class ImportRun(SQLModel, table=True):
    """One reading of an application list."""

    __tablename__ = "import_run"

    id: str = Field(sa_column=columns.key_column())
    file_name: str = Field(sa_type=sa.Text)
    sha256: str = Field(sa_column=columns.hexadecimal(64))
    at: datetime
    operator_id: str = Field(sa_type=sa.Text)


class ImportRejection(SQLModel, table=True):
    """All that is kept of a row that was not taken."""

    __tablename__ = "import_rejection"

    import_id: str = Field(sa_column=columns.key_column("import_run.id"))
    line: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    code: str = Field(sa_type=sa.Text)
    field: str = Field(sa_type=sa.Text)
    text: str = Field(sa_type=sa.Text)
    hint: str = Field(sa_type=sa.Text)
    row_digest: str = Field(sa_column=columns.hexadecimal(64))


class RevocationRequest(SQLModel, table=True):
    """A request to revoke everything on one carrier."""

    __tablename__ = "revocation_request"

    id: str = Field(sa_column=columns.key_column())
    application_ref: str = Field(sa_column=columns.key_column("application.ref", primary=False))
    carrier_id: str = Field(sa_type=sa.Text, index=True)
    ground: str = Field(sa_type=sa.Text)
    channel: str = Field(sa_type=sa.Text)
    requester: str = Field(sa_type=sa.Text)
    evidence: str = Field(sa_type=sa.Text)
    emergency: bool
    state: RequestState = Field(sa_column=columns.choice(RequestState, index=True))
    requested_at: datetime
    officer: str = Field(sa_type=sa.Text)
    executor: str = Field(default="", sa_type=sa.Text)
    refusal: str | None = Field(default=None, sa_type=sa.Text)
    statement_id: str | None = Field(default=None, sa_type=sa.Text)
    review: str | None = Field(default=None, sa_type=sa.Text)
    review_note: str | None = Field(default=None, sa_type=sa.Text)
    reviewer: str | None = Field(default=None, sa_type=sa.Text)
    reviewed_at: datetime | None = None


def applications(tx: Transaction, states: Sequence[ApplicationState] = ()) -> list[Application]:
    """Return the applications in the states given, or all, by reference."""
    query = select(Application).order_by(col(Application.ref))
    if states:
        query = query.where(col(Application.state).in_(states))
    return list(tx.exec(query))


def version_of(tx: Transaction, person_id: str, as_of: date) -> PersonVersion | None:
    """Return the person's name and address as of a date, or None before the first."""
    query = (
        select(PersonVersion)
        .where(PersonVersion.person_id == person_id, PersonVersion.valid_from <= as_of)
        .order_by(col(PersonVersion.valid_from).desc())
    )
    return tx.exec(query).first()


def newest_version(tx: Transaction, person_id: str) -> PersonVersion:
    """Return the person's newest name and address."""
    query = (
        select(PersonVersion)
        .where(PersonVersion.person_id == person_id)
        .order_by(col(PersonVersion.valid_from).desc())
        .limit(1)
    )
    return tx.exec(query).one()


def applicant(tx: Transaction, application: Application) -> PersonVersion:
    """Return name and address as the application brought them.

    Raises ``Refused`` when there are none of its day of receipt, which can only have been changed.
    """
    found = tx.get(PersonVersion, (application.person_id, application.received_on))
    if found is None:
        raise Refused(
            "ra.dossier.changed",
            f"{application.ref} has changed since it was signed: received_on",
            "Keep the store as it is and call the auditor.",
        )
    return found


def documents_of(tx: Transaction, application_ref: str) -> list[str]:
    """Return the codes of the application's documents, sorted."""
    query = select(Document.code).where(Document.application_ref == application_ref)
    return sorted(tx.exec(query))


def checks_of(tx: Transaction, application_ref: str) -> list[Check]:
    """Return the application's checks by kind."""
    query = select(Check).where(Check.application_ref == application_ref)
    return sorted(tx.exec(query), key=lambda check: check.kind)


def living_by_licence(
    tx: Transaction, profession: str, registration_number: str
) -> list[Application]:
    """Return applications for the licence that were neither rejected nor revoked."""
    ended = (ApplicationState.REJECTED, ApplicationState.CLOSED_REVOKED)
    query = select(Application).where(
        Application.profession == profession,
        Application.registration_number == registration_number,
        col(Application.state).not_in(ended),
    )
    return list(tx.exec(query))


def person_like(tx: Transaction, search_key: str, birth_date: date) -> list[Person]:
    """Return persons whose search key and birth date are these."""
    query = select(Person).where(Person.search_key == search_key, Person.birth_date == birth_date)
    return list(tx.exec(query))


def other_licence(
    tx: Transaction, person_id: str, profession: str, registration_number: str
) -> bool:
    """Return whether the person applied for the profession under another number."""
    query = select(Application.ref).where(
        Application.person_id == person_id,
        Application.profession == profession,
        Application.registration_number != registration_number,
    )
    return tx.exec(query).first() is not None


def revocation_requests(tx: Transaction, *, unreviewed: bool) -> list[RevocationRequest]:
    """Return requests by time: all, or the emergencies carried out that nobody has reviewed."""
    query = select(RevocationRequest).order_by(
        col(RevocationRequest.requested_at), col(RevocationRequest.id)
    )
    if unreviewed:
        query = query.where(
            col(RevocationRequest.emergency).is_(True),
            RevocationRequest.state == RequestState.EXECUTED,
            col(RevocationRequest.review).is_(None),
        )
    return list(tx.exec(query))


def requests_of(tx: Transaction, application_ref: str) -> list[RevocationRequest]:
    """Return the application's revocation requests."""
    query = select(RevocationRequest).where(RevocationRequest.application_ref == application_ref)
    return list(tx.exec(query))


def other_applications(tx: Transaction, application: Application) -> list[Application]:
    """Return the other applications of the same person."""
    query = select(Application).where(
        Application.person_id == application.person_id, Application.ref != application.ref
    )
    return list(tx.exec(query))


def versions_of(tx: Transaction, person_id: str) -> list[PersonVersion]:
    """Return every name and address of the person."""
    return list(tx.exec(select(PersonVersion).where(PersonVersion.person_id == person_id)))


def rejections_naming(tx: Transaction, names: Sequence[str]) -> list[ImportRejection]:
    """Return what the import said of rows, where a hint holds one of the names."""
    hints = [col(ImportRejection.hint).contains(name, autoescape=True) for name in names if name]
    return list(tx.exec(select(ImportRejection).where(sa.or_(sa.false(), *hints))))


def by_licence(tx: Transaction, registration_number: str) -> list[Application]:
    """Return every application with that registration number, by reference."""
    query = select(Application).where(Application.registration_number == registration_number)
    return list(tx.exec(query.order_by(col(Application.ref))))
