"""Erasure: after its time a person's values go; digests, statements and the trail stay.

What stays: references, dates of receipt, profession and prefecture (the reports of past years),
codes of documents, checks and refusal, and the certificates, which are records kept by law.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from ca import records as ca_records
from ca.dossier import parse_dossier
from ca.records import Certificate, Order
from operators.directory import Directory
from operators.records import statements_about
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, Refused
from pki.validity import JST, Clock, end_after_years, japan_date, whole_seconds
from policies.parameters import Parameters
from policies.roles import Role
from ra import records
from ra.examination import find_application
from ra.persons.applicants import Applicant, applicant_of, verify_nobodys_own
from ra.records import Application, ApplicationState, Person, PersonVersion
from store.database import Store, Transaction

_WITNESSES = (Role.CA_MANAGER, Role.IA_MANAGER, Role.RA_MANAGER, Role.LOG_REVIEWER)
_NOTHING = "0" * 64

_VERSION_FIELDS = (
    "kanji_name", "kana_name", "romaji_name", "former_surname", "postal_code", "address",
    "telephone", "email",
)  # fmt: skip
_APPLICATION_FIELDS = (
    "row_digest", "salt", "registration_number", "registration_date", "director_role",
    "institution_ja", "institution_en", "municipality", "member_id", "reject_reason", "dossier",
)  # fmt: skip
_REQUEST_FIELDS = ("requester", "evidence", "review_note")
_PERSON_FIELDS = ("birth_date", "search_key")


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
        names = (*_APPLICATION_FIELDS, *_VERSION_FIELDS, *_REQUEST_FIELDS, *of_person)
        return (*names, "check.note", "order.dossier")


@dataclass(frozen=True)
class Erasure:
    """Erases the files of applications whose time is over."""

    store: Store
    trail: Trail
    directory: Directory
    parameters: Parameters
    clock: Clock

    def find(self, ref: str) -> Erasable:
        """Return what an erasure would hit; raises as ``erase`` where it is too early."""
        with self.store.read() as tx:
            return self._find(tx, find_application(tx, ref))

    def erase(self, ref: str, operator: Signer, witness: Signer, reason: ErasureReason) -> Erasable:
        """Erase the person's values from the file, signed by two people.

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
            self.trail.position(tx)  # one at a time: two could both leave the person's values
            application = find_application(tx, ref)
            found = self._find(tx, application)
            people = (operator.operator_id, witness.operator_id)
            verify_nobodys_own(self.directory, tx, application, people)
            seconder = self.directory.role_among(tx, witness.operator_id, _WITNESSES)
            signed = (
                (operator, erasure(found, Role.RA_MANAGER, reason)),
                (witness, erasure(found, seconder, reason)),
            )
            detail = {"file": found.sha256, "reason": reason.value}
            purge = _event("APP.PURGE", "application", ref, people, detail)
            self.directory.state(tx, purge, *signed)
            fields = {"application": ref, "fields": sorted(found.fields)}
            self.trail.append(
                tx, _event("PII.DELETE", "person", application.person_id, people, fields)
            )
            _erase(tx, application, found, whole_seconds(self.clock()))
            return found

    def _find(self, tx: Transaction, application: Application) -> Erasable:
        applicant = applicant_of(tx, application)
        orders = ca_records.orders_of_application(tx, application.ref)
        kept_until = self._kept_until(tx, application, orders)
        if self.clock() <= kept_until:
            raise Refused(
                "ra.erase.early",
                f"the file of {application.ref} is kept until "
                f"{kept_until.astimezone(JST):%Y-%m-%d} (JST)",
                f"Source of the {self._years} years: RETAIN_YEARS, `hpki config show`.",
            )
        others = records.other_applications(tx, application)
        return Erasable(
            applicant=applicant,
            state=application.state,
            kept_until=kept_until,
            person=all(one.erased_at is not None for one in others),
            sha256=_seen(application, orders),
        )

    @property
    def _years(self) -> int:
        return int(self.parameters.value("RETAIN_YEARS"))

    def _kept_until(
        self, tx: Transaction, application: Application, orders: Sequence[Order]
    ) -> datetime:
        """Return the last second of the years after the day of expiry, or of the rejection.

        Source: e-Signature Act rules from memory; JPKI: ten years from the day after the expiry.
        """
        certificates = [
            row
            for order in orders
            for carrier in ca_records.carriers_of_order(tx, order.id)
            for row in ca_records.certificates_of_carrier(tx, carrier.id)
        ]
        ends = [row.not_after for row in certificates]
        if application.state is ApplicationState.REJECTED:
            ends.append(self._rejected_at(tx, application))
        if not ends or any(self._lives(tx, row) for row in certificates):
            raise Conflict(
                "ra.erase.open",
                f"the file of {application.ref} is {application.state} and not ended",
                "Only a rejected file, or one whose certificates are over, is erased.",
            )
        first_day = japan_date(max(ends)) + timedelta(days=1)
        return end_after_years(first_day, self._years)

    def _lives(self, tx: Transaction, row: Certificate) -> bool:
        revoked = ca_records.revocation_of(tx, row.id or 0) is not None
        return not revoked and self.clock() <= row.not_after

    def _rejected_at(self, tx: Transaction, application: Application) -> datetime:
        """Return when the trail says that the rejection was entered."""
        for row in statements_about(tx, application.ref, StatementType.REJECTION):
            entry = self.trail.entry(tx, row.seq)
            if entry is not None:
                return entry.at
        raise Refused(
            "ra.erase.decision",
            f"nobody signed the rejection of {application.ref}",
            "Keep the store and call the auditor.",
        )


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


def _erase(tx: Transaction, application: Application, found: Erasable, now: datetime) -> None:
    version = records.applicant(tx, application)
    _erase_hints(tx, found.applicant)
    for row, names in (
        (application, _APPLICATION_FIELDS),
        *((one, _REQUEST_FIELDS) for one in records.requests_of(tx, application.ref)),
        *((one, ("note",)) for one in records.checks_of(tx, application.ref)),
        *((one, ("dossier",)) for one in ca_records.orders_of_application(tx, application.ref)),
    ):
        _blank(row, names)
    application.erased_at = now
    if found.person:
        for one in records.versions_of(tx, application.person_id):
            _blank(one, _VERSION_FIELDS)
        _blank(tx.get_one(Person, application.person_id), _PERSON_FIELDS)
    elif not _needed(tx, application, version):
        _blank(version, _VERSION_FIELDS)


def _needed(tx: Transaction, application: Application, version: PersonVersion) -> bool:
    """Return whether another file of the person, not erased, stands on the same version."""
    return any(
        one.erased_at is None and one.received_on == version.valid_from
        for one in records.other_applications(tx, application)
    )


def _blank(row: object, names: Sequence[str]) -> None:
    """Put nothing into the fields: None where the column may hold it, else empty, else zeros."""
    for name in names:
        column = type(row).__table__.columns[name]  # type: ignore[attr-defined]
        empty = _NOTHING if name in ("salt", "row_digest") else ""
        setattr(row, name, None if column.nullable else empty)


def _erase_hints(tx: Transaction, applicant: Applicant) -> None:
    """Blank what the import said of earlier rows, where it suggested the person's name."""
    for one in records.rejections_naming(tx, (applicant.kana_name, applicant.romaji_name)):
        one.hint = ""
