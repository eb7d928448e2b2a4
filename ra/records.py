"""Rows of the registration authority. Names are stored as given, never normalised."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel, col, select

from audit.chain import KEEP
from pki.errors import Conflict, NotFound, Refused
from policies.moves import ApplicationState
from store import columns
from store.database import Transaction

_PIECE = 500

VERSION_FIELDS = (
    "kanji_name", "kana_name", "romaji_name", "former_surname", "postal_code", "address",
    "telephone", "email",
)  # fmt: skip
"""What an application says of its person: columns of ``PersonVersion``."""

APPLICATION_FIELDS = (
    "type", "channel", "received_on", "profession", "registration_number", "registration_date",
    "director_role", "institution_ja", "institution_en", "work_prefecture", "municipality",
    "member_id", "terms_version", "office", "association", "replaces",
)  # fmt: skip
"""What an application says beside its person: columns of ``Application`` that are decided on."""


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
    birth_date: date | None = Field(default=None, index=True)
    search_key: str = Field(sa_type=sa.Text, index=True)


class PersonVersion(SQLModel, table=True):
    """Name and address as an application brought them, from its receipt on.

    They count for letters once ``confirmed_on`` says when somebody decided on them.
    """

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
    confirmed_on: date | None = None


class Application(SQLModel, table=True):
    """An application; ``salt`` (hex) keys the digests by which statements name its fields.

    ``replaces`` is the application whose certificates it is about. ``due_on`` is the day by which
    the next step must be taken, in days of the centre's clock: it stood still for
    ``stopped_days``. ``attempt`` counts the orders made of it.
    Since ``erased_at`` the person's values are gone: empty, or zeros for digits.
    """

    __tablename__ = "application"

    ref: str = Field(sa_column=columns.key_column())
    person_id: str = Field(
        sa_column=sa.Column(sa.Text, sa.ForeignKey("person.id"), nullable=False, index=True)
    )
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
    approval_id: str | None = Field(default=None, sa_type=sa.Text)
    carrier: str = Field(default="CARD", sa_type=sa.Text)
    erased_at: datetime | None = None
    office: str | None = Field(default=None, sa_type=sa.Text)
    association: str | None = Field(default=None, sa_type=sa.Text)
    replaces: str | None = Field(default=None, sa_type=sa.Text, index=True)
    web_id: str | None = Field(default=None, sa_type=sa.Text, unique=True)
    state_since: datetime
    due_on: date | None = None
    stopped_days: int = 0
    attempt: int = 1

    __table_args__ = (
        sa.Index(
            "ix_application_work",
            *("state", "due_on", "ref", "type", "office", "work_prefecture", "profession"),
        ),
    )


class Document(SQLModel, table=True):
    """A paper of the application: the ``number``-th of its code.

    ``issued_on`` and ``valid_until`` stand on the paper. ``sha256`` and ``octets`` are those of the
    file in clear, which lies encrypted under ``file_name``; all four are None for paper alone. A
    copy with something blacked out names the number it replaces in ``redacts``, and the statement.
    """

    __tablename__ = "document"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    code: str = Field(sa_column=columns.key_column())
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    received_on: date
    issued_on: date | None = None
    valid_until: date | None = None
    media_type: str | None = Field(default=None, sa_type=sa.Text)
    octets: int | None = None
    sha256: str | None = Field(default=None, sa_column=columns.hexadecimal(64, nullable=True))
    file_name: str | None = Field(default=None, sa_type=sa.Text)
    wrapped_key: str | None = Field(default=None, sa_type=sa.Text)
    redacts: int | None = None
    statement_id: str | None = Field(default=None, sa_type=sa.Text)
    result: CheckResult | None = Field(
        default=None, sa_column=columns.choice(CheckResult, nullable=True)
    )
    note: str = Field(default="", sa_type=sa.Text)
    checked_by: str = Field(default="", sa_type=sa.Text)
    checked_at: datetime | None = None


class Check(SQLModel, table=True):
    """One check of the examination, its method and result."""

    __tablename__ = "examination_check"

    application_ref: str = Field(sa_column=columns.key_column("application.ref"))
    kind: str = Field(sa_column=columns.key_column())
    method: str = Field(sa_type=sa.Text)
    result: CheckResult = Field(sa_column=columns.choice(CheckResult))
    note: str = Field(default="", sa_type=sa.Text)
    examiner: str = Field(sa_type=sa.Text)
    at: datetime


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


def find_application(tx: Transaction, ref: str) -> Application:
    """Return the application, or raise ``NotFound``."""
    application = tx.get(Application, ref)
    if application is None:
        raise NotFound(
            "ra.application.unknown", f"there is no application {ref!r}", "See `hpki ra list`."
        )
    return application


def hold_application(tx: Transaction, ref: str) -> Application:
    """Return the application as it is now, for change: nobody else does until the end.

    It comes before the trail's head: whoever holds that must not wait for an application.
    Raises ``NotFound``.
    """
    hold_applications(tx, [ref])
    application = find_application(tx, ref)
    tx.refresh(application)
    return application


def hold_applications(tx: Transaction, refs: Collection[str]) -> None:
    """Have nobody else change the applications until the end; in one order, so that none waits."""
    query = select(Application.ref).order_by(col(Application.ref))
    list(_in_pieces(tx, query.with_for_update(key_share=True), col(Application.ref), refs))


def verify_state(application: Application, *states: ApplicationState) -> None:
    """Raise ``Conflict`` unless the application is in one of the states."""
    if application.state not in states:
        raise Conflict(
            "ra.state",
            f"{application.ref} is {application.state}, not {' or '.join(states)}",
            "See `hpki ra show` for where it stands.",
        )


def newest_version(tx: Transaction, person_id: str) -> PersonVersion:
    """Return the person's newest name and address."""
    query = (
        select(PersonVersion)
        .where(PersonVersion.person_id == person_id)
        .order_by(col(PersonVersion.valid_from).desc())
        .limit(1)
    )
    return tx.exec(query).one()


def confirmed_version(tx: Transaction, application: Application) -> PersonVersion:
    """Return the person's newest name and address that somebody decided on.

    Those of the application where none is: whoever writes in with others is not believed yet.
    """
    query = (
        select(PersonVersion)
        .where(
            PersonVersion.person_id == application.person_id,
            col(PersonVersion.confirmed_on).is_not(None),
        )
        .order_by(col(PersonVersion.valid_from).desc())
        .limit(1)
    )
    return tx.exec(query).one_or_none() or applicant(tx, application)


def applicant(tx: Transaction, application: Application) -> PersonVersion:
    """Return name and address as the application brought them.

    Raises ``Refused`` when there are none of its day of receipt, which can only have been changed.
    """
    found = tx.get(PersonVersion, (application.person_id, application.received_on))
    if found is None:
        raise Refused(
            "ra.dossier.changed",
            f"{application.ref} has changed since it was signed: received_on",
            KEEP,
        )
    return found


def documents_of(tx: Transaction, application_ref: str) -> list[Document]:
    """Return the application's documents by code and number, redacted copies included."""
    query = select(Document).where(Document.application_ref == application_ref)
    return sorted(tx.exec(query), key=lambda one: (one.code, one.number))


def document_files(tx: Transaction) -> set[str]:
    """Return the names of all files that documents have."""
    return {name for name in tx.exec(select(Document.file_name)) if name}


def checks_of(tx: Transaction, application_ref: str) -> list[Check]:
    """Return the application's checks by kind."""
    query = select(Check).where(Check.application_ref == application_ref)
    return sorted(tx.exec(query), key=lambda check: check.kind)


def born_on(tx: Transaction, day: date | None) -> list[Person]:
    """Return the persons born that day."""
    if day is None:
        return []
    return list(tx.exec(select(Person).where(Person.birth_date == day).order_by(col(Person.id))))


def applications_of(tx: Transaction, person_ids: Sequence[str]) -> list[Application]:
    """Return every application of the persons, by reference."""
    query = select(Application).where(col(Application.person_id).in_(person_ids))
    return list(tx.exec(query.order_by(col(Application.ref))))


def insert_rows(tx: Transaction, table: type[SQLModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows at once; a column that a row does not give has the model's default."""
    fields = table.model_fields.items()
    defaults = {name: field.get_default() for name, field in fields if not field.is_required()}
    if rows:
        tx.flush()
        core = SQLModel.metadata.tables[str(table.__tablename__)]
        tx.connection().execute(sa.insert(core), [{**defaults, **row} for row in rows])


def _in_pieces(tx: Transaction, query: Any, column: Any, values: Collection[str]) -> Iterator[Any]:
    """Yield what a query finds where the column is one of many values."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _PIECE):
        yield from tx.exec(query.where(column.in_(ordered[start : start + _PIECE])))


def applications_by_ref(tx: Transaction, refs: Collection[str]) -> list[Application]:
    """Return the applications of those references."""
    return list(_in_pieces(tx, select(Application), col(Application.ref), refs))


def web_ids_taken(tx: Transaction, web_ids: Collection[str]) -> set[str]:
    """Return those of the web ids that an application has."""
    return set(_in_pieces(tx, select(Application.web_id), col(Application.web_id), web_ids))


def persons_by_key(tx: Transaction, keys: Collection[str]) -> list[Person]:
    """Return the persons with one of the search keys."""
    return list(_in_pieces(tx, select(Person), col(Person.search_key), keys))


def births_of(tx: Transaction, person_ids: Collection[str]) -> dict[str, date | None]:
    """Return the birth date of each person; None after the erasure."""
    persons = _in_pieces(tx, select(Person), col(Person.id), person_ids)
    return {one.id: one.birth_date for one in persons}


def versions_by_person(tx: Transaction, person_ids: Collection[str]) -> list[PersonVersion]:
    """Return every name and address of the persons."""
    return list(_in_pieces(tx, select(PersonVersion), col(PersonVersion.person_id), person_ids))


def licences_of(tx: Transaction, person_ids: Collection[str]) -> list[tuple[str, str, str]]:
    """Return person, profession and registration number of each of their applications."""
    query = select(Application.person_id, Application.profession, Application.registration_number)
    return list(_in_pieces(tx, query, col(Application.person_id), person_ids))


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
