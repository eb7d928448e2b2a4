"""Erasure: after its time a person's values go; digests, statements and the trail stay.

What stays: references, dates of receipt, profession and prefecture (the reports of past years),
codes of documents, checks and refusal, and the certificates, which are records kept by law.
A file of the register's answers goes with the last application that it is about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from audit.canonical import canonical_json, digest
from audit.records import Criteria, search
from audit.trail import Event
from ca import records as ca_records
from ca.dossier import parse_dossier
from ca.records import Certificate, Order
from operators.records import statements_about
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, Refused
from pki.validity import JST, end_after_years, japan_date, whole_seconds
from policies.moves import ApplicationState, moves
from policies.roles import Role
from ra import records
from ra.casework import records as work
from ra.casework.registrar import Registrar
from ra.documents.vault import Vault
from ra.persons.applicants import Applicant, applicant_of, verify_nobodys_own
from ra.records import (
    VERSION_FIELDS,
    Application,
    Person,
    PersonVersion,
    find_application,
    hold_application,
    verify_state,
)
from store.database import Store, Transaction

_WITNESSES = (Role.CA_MANAGER, Role.IA_MANAGER, Role.RA_MANAGER, Role.LOG_REVIEWER)
_ENDED = (
    ApplicationState.REJECTED,
    ApplicationState.WITHDRAWN,
    ApplicationState.RETURNED,
    ApplicationState.COMPLETED,
)
_NOTHING = "0" * 64
_MOST_ENTRIES = 1000

_APPLICATION_FIELDS = (
    "row_digest", "salt", "registration_number", "registration_date", "director_role",
    "institution_ja", "institution_en", "municipality", "association", "member_id", "web_id",
    "reject_reason", "dossier",
)  # fmt: skip
_REQUEST_FIELDS = ("requester", "evidence", "review_note")
_DOCUMENT_FIELDS = ("issued_on", "valid_until", "sha256", "file_name", "wrapped_key", "note")
_PERSON_FIELDS = ("birth_date", "search_key")
_WORK_FIELDS: Mapping[str, Sequence[str]] = {
    "examination_check": ("note",),
    "document": _DOCUMENT_FIELDS,
    "field_match": ("seen", "explanation"),
    "duplicate_choice": ("reason",),
    "deficiency": ("note",),
    "fee": ("reference", "note"),
    "issue_order": ("dossier",),
}
"""Columns with personal values in the rows of the work on a file, by table."""


class ErasureReason(StrEnum):
    """Why a file is erased; its time must be over in any case."""

    RETENTION_OVER = "RETENTION_OVER"
    APPLICANT_ASKS = "APPLICANT_ASKS"


@dataclass(frozen=True)
class Erasable:
    """A file as it must be seen before it is erased; ``person``: nothing else is kept of them."""

    applicant: Applicant
    state: ApplicationState
    kept_until: datetime
    person: bool
    sha256: str

    @property
    def confirmation(self) -> str:
        """The digits to type: the licence's last four."""
        return self.applicant.registration_number[-4:]

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of what is erased."""
        of_person = _PERSON_FIELDS if self.person else ()
        names = (*_APPLICATION_FIELDS, *VERSION_FIELDS, *_REQUEST_FIELDS, *of_person)
        of_work = (f"{table}.{name}" for table, some in _WORK_FIELDS.items() for name in some)
        return (*names, *of_work)


@dataclass(frozen=True)
class Erasure:
    """Erases the files of applications whose time is over."""

    store: Store
    registrar: Registrar
    vault: Vault

    def find(self, ref: str) -> Erasable:
        """Return what an erasure would hit; raises as ``erase`` where it is too early."""
        with self.store.read() as tx:
            return self._find(tx, find_application(tx, ref))

    def erase(self, ref: str, operator: Signer, witness: Signer, reason: ErasureReason) -> Erasable:
        """Erase the person's values and the documents' files, signed by two people.

        Raises ``Refused`` unless they are two, neither the applicant, and while the file must be
        kept; ``Conflict`` for one that is open or was erased before.
        """
        if operator.operator_id == witness.operator_id:
            raise Refused(
                "ra.erase.people",
                "records are erased by one person before the eyes of another",
                "Name another person with --witness.",
            )
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            self.registrar.trail.position(tx)  # one at a time: two could leave the person's values
            found = self._find(tx, application)
            people = (operator.operator_id, witness.operator_id)
            verify_nobodys_own(self.registrar.directory, tx, application, people)
            seconder = self.registrar.directory.role_among(tx, witness.operator_id, _WITNESSES)
            signed = (
                (operator, erasure(found, Role.RA_MANAGER, reason)),
                (witness, erasure(found, seconder, reason)),
            )
            detail = {"file": found.sha256, "reason": reason.value}
            purge = _event("APP.PURGE", "application", ref, people, detail)
            self.registrar.directory.state(tx, purge, *signed)
            fields = {"application": ref, "fields": sorted(found.fields)}
            self.registrar.trail.append(
                tx, _event("PII.DELETE", "person", application.person_id, people, fields)
            )
            files = self._erase(tx, application, found.applicant, person=found.person)
        for name in files:
            self.vault.destroy(name)
        return found

    def purge(self) -> tuple[str, ...]:
        """Erase the drafts whose paper did not come in their period; return their references.

        A rule does it and nobody signs: nothing was received yet.
        """
        with self.store.read() as tx:
            drafts = records.applications(tx, [ApplicationState.DRAFT])
            late = [one.ref for one in drafts if one.due_on and one.due_on < self.registrar.today]
        for ref in late:
            with self.store.begin() as tx:
                application = hold_application(tx, ref)
                self.registrar.trail.position(tx)  # as above
                verify_state(application, ApplicationState.DRAFT)
                applicant, person = applicant_of(tx, application), _is_last(tx, application)
                files = self._erase(tx, application, applicant, person=person)
                self.registrar.follow(tx, application, ApplicationState.RETURNED)
            for name in files:
                self.vault.destroy(name)
        return tuple(late)

    def _find(self, tx: Transaction, application: Application) -> Erasable:
        applicant = applicant_of(tx, application)
        orders = ca_records.orders_of_application(tx, application.ref)
        kept_until = self._kept_until(tx, application, orders)
        if self.registrar.clock() <= kept_until:
            raise Refused(
                "ra.erase.early",
                f"the file of {application.ref} is kept until "
                f"{kept_until.astimezone(JST):%Y-%m-%d} (JST)",
                f"Source of the {self._years} years: RETAIN_YEARS, `hpki config show`.",
            )
        return Erasable(
            applicant=applicant,
            state=application.state,
            kept_until=kept_until,
            person=_is_last(tx, application),
            sha256=_seen(application, orders),
        )

    @property
    def _years(self) -> int:
        return int(self.registrar.parameters.value("RETAIN_YEARS"))

    def _kept_until(
        self, tx: Transaction, application: Application, orders: Sequence[Order]
    ) -> datetime:
        """Return the last second of the years after the day of expiry, or of the file's end.

        Source: e-Signature Act rules from memory; JPKI: ten years from the day after the expiry.
        """
        certificates = [
            row
            for order in orders
            for carrier in ca_records.carriers_of_order(tx, order.id)
            for row in ca_records.certificates_of_carrier(tx, carrier.id)
        ]
        ends = [row.not_after for row in certificates]
        if application.state in _ENDED:
            ends.append(self._ended_at(tx, application))
        if not ends or any(self._lives(tx, row) for row in certificates):
            raise Conflict(
                "ra.erase.open",
                f"the file of {application.ref} is {application.state} and not ended",
                "Only a file that was ended, or whose certificates are over, is erased.",
            )
        first_day = japan_date(max(ends)) + timedelta(days=1)
        return end_after_years(first_day, self._years)

    def _lives(self, tx: Transaction, row: Certificate) -> bool:
        revoked = ca_records.revocation_of(tx, row.id or 0) is not None
        return not revoked and self.registrar.clock() <= row.not_after

    def _ended_at(self, tx: Transaction, application: Application) -> datetime:
        """Return when the trail says that the file came into its state, signed where it must be."""
        to = application.state
        for move in moves().move:
            wanted = Criteria(
                object_type="application", object_id=application.ref, code=move.code, outcome="OK"
            )
            for entry in search(tx, wanted, 0, _MOST_ENTRIES) if move.to is to else ():
                said = statements_about(tx, application.ref, move.statement)
                signed = not move.statement or any(one.seq == entry.seq for one in said)
                if _move_of(entry.body) == f"{move.origin}>{to}" and signed:
                    return entry.at
        raise Refused(
            "ra.erase.decision",
            f"the trail does not say that {application.ref} was {to}",
            "Keep the store and call the auditor.",
        )

    def _erase(
        self, tx: Transaction, application: Application, applicant: Applicant, *, person: bool
    ) -> list[str]:
        """Blank the values, and return the names of the files to be destroyed with them."""
        ref, version = application.ref, records.applicant(tx, application)
        files = [one.file_name for one in records.documents_of(tx, ref) if one.file_name]
        _erase_hints(tx, applicant)
        _blank(application, _APPLICATION_FIELDS)
        for request in records.requests_of(tx, ref):
            _blank(request, _REQUEST_FIELDS)
        for row in _rows_of_work(tx, ref):
            _blank(row, _WORK_FIELDS[_table_of(row).name])
        application.erased_at = whole_seconds(self.registrar.clock())
        tx.flush()
        if person:
            for one in records.versions_of(tx, application.person_id):
                _blank(one, VERSION_FIELDS)
            _blank(tx.get_one(Person, application.person_id), _PERSON_FIELDS)
        elif not _needed(tx, application, version):
            _blank(version, VERSION_FIELDS)
        for answers in work.answers_only_about_erased(tx, ref):
            files.append(answers.file_name)
            _blank(answers, ("file_name", "wrapped_key"))
        return files


def erasure(found: Erasable, role: Role, reason: ErasureReason) -> Decision:
    """Return what each of the two says of the file as it was seen."""
    return Decision(
        StatementType.ERASURE,
        "application",
        found.applicant.application_ref,
        found.sha256,
        "ERASE",
        role,
        reason.value,
    )


def _event(
    code: str, kind: str, object_id: str, people: tuple[str, str], detail: Mapping[str, object]
) -> Event:
    return Event(
        code,
        kind,
        object_id,
        actor=people[0],
        actor_role=Role.RA_MANAGER,
        co_actor=people[1],
        detail=detail,
    )


def _seen(application: Application, orders: Sequence[Order]) -> str:
    """Return the SHA-256 of which file it is: its dossier's digest and its orders'."""
    dossier = application.dossier
    tree = {
        "application": application.ref,
        "state": application.state.value,
        "dossier": parse_dossier(dossier.encode()).digest() if dossier else "",
        "orders": {one.id: one.digest for one in orders},
    }
    return digest(canonical_json(tree))


def _move_of(body: str) -> str:
    try:
        return str(json.loads(body)["detail"].get("move"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _is_last(tx: Transaction, application: Application) -> bool:
    """Whether nothing else of the person is kept."""
    others = records.other_applications(tx, application)
    return all(one.erased_at is not None for one in others)


def _rows_of_work(tx: Transaction, ref: str) -> Iterator[object]:
    """Yield the rows of the work on a file that hold personal values."""
    yield from records.checks_of(tx, ref)
    yield from records.documents_of(tx, ref)
    yield from work.matches_of(tx, ref)
    yield from work.choices_of(tx, ref)
    yield from work.deficiencies_of(tx, ref)
    yield from ca_records.orders_of_application(tx, ref)
    fee = tx.get(work.Fee, ref)
    if fee is not None:
        yield fee


def _needed(tx: Transaction, application: Application, version: PersonVersion) -> bool:
    """Return whether another file of the person, not erased, stands on the same version."""
    return any(
        one.erased_at is None and one.received_on == version.valid_from
        for one in records.other_applications(tx, application)
    )


def _blank(row: object, names: Sequence[str]) -> None:
    """Put nothing into the fields: None where the column may hold it, else empty, else zeros."""
    for name in names:
        column = _table_of(row).columns[name]
        empty = _NOTHING if name in ("salt", "row_digest") else ""
        setattr(row, name, None if column.nullable else empty)


def _table_of(row: object) -> Any:
    return type(row).__table__  # type: ignore[attr-defined]


def _erase_hints(tx: Transaction, applicant: Applicant) -> None:
    """Blank what the import said of earlier rows, where it suggested the person's name."""
    for one in records.rejections_naming(tx, (applicant.kana_name, applicant.romaji_name)):
        one.hint = ""
