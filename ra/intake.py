"""Intake: a list of applications becomes rows, each with its verdict, nobody twice."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any

from audit.trail import Event, Trail
from operators.directory import Directory
from operators.identity import Identity
from operators.statements import Signer
from pki.serials import Entropy
from pki.validity import Clock, japan_date, whole_seconds
from policies.applications import ApplicationType, Channel
from policies.documents import load_document_rules
from policies.hcroles import hc_role_table
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework.registrar import Registrar
from ra.dossiers import salted
from ra.lists.faults import Fault, FaultCode, RoleNames
from ra.lists.rows import ApplicationRow, RowVerdict, read_applications
from ra.persons.applicants import spellings
from ra.persons.names import search_key
from ra.records import (
    APPLICATION_FIELDS,
    VERSION_FIELDS,
    Application,
    Document,
    ImportRejection,
    ImportRun,
    Person,
    PersonVersion,
)
from store.database import Store, Transaction

TAKERS = (Role.RA_RECEPTION, Role.LRA_RECEPTION)
"""Who takes applications in."""


class Outcome(StrEnum):
    """What became of a row."""

    ACCEPTED = "ACCEPTED"
    ALREADY = "ALREADY"
    REJECTED = "REJECTED"


@dataclass(frozen=True)
class RowOutcome:
    """One row's line, reference if readable, outcome, faults, and documents it did not bring."""

    line: int
    application_ref: str | None
    outcome: Outcome
    faults: tuple[Fault, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportReport:
    """What an import did, row by row."""

    import_id: str
    rows: tuple[RowOutcome, ...]
    verdicts: tuple[RowVerdict, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many rows had the outcome."""
        return sum(row.outcome is outcome for row in self.rows)


@dataclass
class _Known:
    """What the store knows of the rows of one list, and what the list itself adds."""

    applications: dict[str, Application] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    web_ids: set[str] = field(default_factory=set)
    persons: dict[tuple[str, date], list[str]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    licences: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    births: dict[str, date | None] = field(default_factory=dict)


@dataclass
class _Batch:
    """Rows to be inserted, by table, and the entries of the trail."""

    persons: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    applications: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Intake:
    """Takes application lists in."""

    store: Store
    trail: Trail
    directory: Directory
    registrar: Registrar
    clock: Clock
    entropy: Entropy

    def import_list(
        self,
        octets: bytes,
        file_name: str,
        reception: Signer,
        encoding: str = "utf-8",
        *,
        drafts: bool = False,
    ) -> ImportReport:
        """Store every sound row as a RECEIVED application, and of a bad one only its rejection.

        ``drafts``: the rows were typed online and wait for their paper (DRAFT).
        One transaction: all of the file or none. A row stored before is ALREADY; the same
        reference with other content, a row that may be the reception's own, of another reception
        office, or about another person's application is rejected. Papers that are missing reject
        nothing: they are told, and asked for later.
        Raises ``InvalidInput`` for a file that cannot be read at all.
        """
        verdicts = self.judge(octets, encoding)
        with self.store.begin() as tx:
            return self.take(tx, verdicts, (octets, file_name), reception, drafts=drafts)

    def judge(self, octets: bytes, encoding: str = "utf-8") -> tuple[RowVerdict, ...]:
        """Return the verdict on each row of a list by itself; nothing is kept."""
        return read_applications(
            octets,
            today=japan_date(self.clock()),
            roles=role_names(),
            documents=load_document_rules(),
            encoding=encoding,
        )

    def take(
        self,
        tx: Transaction,
        verdicts: tuple[RowVerdict, ...],
        file: tuple[bytes, str],
        reception: Signer,
        *,
        drafts: bool = False,
    ) -> ImportReport:
        """Take the rows of a file, its octets and its name, in the caller's transaction."""
        role = self.directory.role_among(tx, reception.operator_id, TAKERS)
        self.directory.verify_may_act(tx, reception, role)
        self.trail.position(tx)  # one list at a time: two could both take a reference
        sha256 = hashlib.sha256(file[0]).hexdigest()
        taking = _Taking(
            self,
            run=self._run(tx, sha256, file[1], reception),
            reception=reception.operator_id,
            role=role,
            state=ApplicationState.DRAFT if drafts else ApplicationState.RECEIVED,
            own=self.directory.identity(tx, reception.operator_id),
            office=self.directory.register(tx).account(reception.operator_id).office,
            known=_known(tx, [one.application for one in verdicts if one.application]),
        )
        rows = tuple(taking.take(tx, verdict) for verdict in verdicts)
        report = ImportReport(sha256[:16], rows, verdicts)
        taking.write(tx, report, sha256)
        return report

    def _run(self, tx: Transaction, sha256: str, file_name: str, reception: Signer) -> str:
        if tx.get(ImportRun, sha256[:16]) is None:
            tx.add(
                ImportRun(
                    id=sha256[:16],
                    file_name=file_name,
                    sha256=sha256,
                    at=whole_seconds(self.clock()),
                    operator_id=reception.operator_id,
                )
            )
            tx.flush()
        return sha256[:16]


@dataclass(frozen=True)
class _Taking:
    """One list being taken in."""

    intake: Intake
    run: str
    reception: str
    role: Role
    state: ApplicationState
    own: Identity
    office: str | None
    known: _Known
    batch: _Batch = field(default_factory=_Batch)

    def take(self, tx: Transaction, verdict: RowVerdict) -> RowOutcome:
        row, faults = verdict.application, verdict.faults
        if row is not None:
            if self.known.taken.get(row.application_ref) == verdict.row_digest:
                return RowOutcome(verdict.line, row.application_ref, Outcome.ALREADY, ())
            faults = tuple(self._faults(row))
        if row is None or faults:
            _reject(tx, verdict, faults, self.run)
            ref = verdict.application_ref
            return RowOutcome(verdict.line, ref, Outcome.REJECTED, faults)
        self._store(row, verdict.row_digest)
        missing = missing_papers(row)
        return RowOutcome(verdict.line, row.application_ref, Outcome.ACCEPTED, (), missing)

    def write(self, tx: Transaction, report: ImportReport, sha256: str) -> None:
        """Insert what was taken, and enter it."""
        records.insert_rows(tx, Person, self.batch.persons)
        records.insert_rows(tx, PersonVersion, self.batch.versions)
        records.insert_rows(tx, Application, self.batch.applications)
        records.insert_rows(tx, Document, self.batch.documents)
        for event in self.batch.events:
            self.intake.trail.append(tx, event)
        counts = {str(outcome): report.count(outcome) for outcome in Outcome}
        detail = {"sha256": sha256, **counts}
        self.intake.trail.append(
            tx,
            Event(
                "DATA.CHANGE",
                "import",
                self.run,
                actor=self.reception,
                actor_role=self.role,
                detail=detail,
            ),
        )

    def _faults(self, row: ApplicationRow) -> Iterator[Fault]:
        names = spellings(
            row.kanji_name, row.kana_name, row.romaji_name, former_surname=row.former_surname
        )
        if self.own.maybe(names, row.birth_date):
            yield Fault(
                FaultCode.OWN_FILE,
                "kanji_name",
                "漢字氏名 (kanji_name): this may be your own, and nobody takes in an own file",
                "Let another person of the reception import the row.",
            )
        if self.role is Role.LRA_RECEPTION and row.office != self.office:
            yield Fault(
                FaultCode.OFFICE,
                "office",
                f"受付審査局 (office): you take in files of {self.office} only",
                "Write your own office, or let the centre import the row.",
            )
        if row.application_ref in self.known.taken:
            yield Fault(
                FaultCode.REF_TAKEN,
                "application_ref",
                f"申請番号 (application_ref) {row.application_ref} was taken with other content",
                "Give the application a reference of its own, or leave the row out.",
            )
        if row.web_id is not None and row.web_id in self.known.web_ids:
            yield Fault(
                FaultCode.WEB_ID_TAKEN,
                "web_id",
                "ウェブ申請ID (web_id): another application has this web id",
                "Compare the paper with the application typed online.",
            )
        yield from self._faults_of_previous(row)

    def _faults_of_previous(self, row: ApplicationRow) -> Iterator[Fault]:
        if row.replaces is None:
            return
        previous = self.known.applications.get(row.replaces)
        if previous is None or (
            previous.profession,
            previous.registration_number,
            self.known.births.get(previous.person_id),
        ) != (row.profession, row.registration_number, row.birth_date):
            yield Fault(
                FaultCode.REPLACES_OTHER,
                "replaces",
                "旧申請番号 (replaces): there is no application of that number for this licence and"
                " birth date",
                "Find the earlier application: `hpki ra list --search NUMBER`.",
            )
        elif row.received_on in self._days(previous.person_id, row):
            yield Fault(
                FaultCode.SAME_DAY,
                "received_on",
                "受付日 (received_on): another application of the person came that day with other"
                " names or address",
                "Ask the applicant which one holds, and take in one of them.",
            )

    def _days(self, person_id: str, row: ApplicationRow) -> set[date]:
        """Return the days for which the person is known under other values."""
        wanted = _version(person_id, row)
        return {
            one["valid_from"]
            for one in self.known.versions[person_id]
            if any(one[name] != wanted[name] for name in VERSION_FIELDS)
        }

    def _store(self, row: ApplicationRow, row_digest: str) -> None:
        intake, salt = self.intake, self.intake.entropy(32).hex()
        person_id = self._person(row)
        now = whole_seconds(intake.clock())
        values = {name: getattr(row, name) for name in _COPIED}
        self.batch.applications.append(
            {
                **values,
                "ref": row.application_ref,
                "person_id": person_id,
                "import_id": self.run,
                "row_digest": row_digest,
                "salt": salt,
                "state": self.state,
                "state_since": now,
                "due_on": intake.registrar.due_in(self.state, row.received_on),
            }
        )
        self.known.taken[row.application_ref] = row_digest
        if row.web_id is not None:
            self.known.web_ids.add(row.web_id)
        self.batch.documents += [
            {
                "application_ref": row.application_ref,
                "code": code,
                "number": 1,
                "received_on": row.received_on,
                "issued_on": row.document_dates.get(code),
            }
            for code in row.documents
        ]
        self.batch.events.append(
            Event(
                "APP.RECEIVE",
                "application",
                row.application_ref,
                actor=self.reception,
                actor_role=self.role,
                detail={
                    "row": salted("row", row_digest, salt),
                    "import": self.run,
                    "state": self.state.value,
                    "documents": list(row.documents),
                },
            )
        )

    def _person(self, row: ApplicationRow) -> str:
        """Return the applicant's id, with a version as of the receipt.

        It is the person of the application that is replaced, or one known under the very same
        names, birth date and address, without another licence of the same profession; anyone else
        is new, since a holder's id in certificates must never stand for two people.
        """
        known, key = self.known, search_key(row.kanji_name)
        person_id = ""
        if row.replaces is not None:
            person_id = known.applications[row.replaces].person_id
        else:
            for one in known.persons[key, row.birth_date]:
                if self._is_same(one, row):
                    person_id = one
                    break
        if not person_id:
            letters = b32encode(self.intake.entropy(10)).decode().rstrip("=")
            person_id = f"H{letters}"
            self.batch.persons.append(
                {"id": person_id, "birth_date": row.birth_date, "search_key": key}
            )
            known.persons[key, row.birth_date].append(person_id)
        if all(one["valid_from"] != row.received_on for one in known.versions[person_id]):
            version = _version(person_id, row)
            self.batch.versions.append(version)
            known.versions[person_id].append(version)
        known.licences[person_id].add((row.profession, row.registration_number))
        return person_id

    def _is_same(self, person_id: str, row: ApplicationRow) -> bool:
        versions = [
            one for one in self.known.versions[person_id] if one["valid_from"] <= row.received_on
        ]
        if not versions or row.received_on in self._days(person_id, row):
            return False
        newest = max(versions, key=lambda one: one["valid_from"])
        wanted = _version(person_id, row)
        same = all(newest[name] == wanted[name] for name in _SAME_PERSON)
        return same and not any(
            profession == row.profession and number != row.registration_number
            for profession, number in self.known.licences[person_id]
        )


_COPIED = (*APPLICATION_FIELDS, "web_id")
_SAME_PERSON = ("kanji_name", "kana_name", "postal_code", "address")


def _version(person_id: str, row: ApplicationRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in VERSION_FIELDS}
    return {
        **values,
        "person_id": person_id,
        "valid_from": row.received_on,
        "confirmed_on": None,
    }


def missing_papers(row: ApplicationRow) -> tuple[str, ...]:
    """Return the codes of papers that the row's type and channel ask for and that did not come."""
    filled = frozenset(name for name in ("director_role", "former_surname") if getattr(row, name))
    wanted = _wanted_papers(row.type, row.channel, filled)
    return tuple(code for code in wanted if code not in row.documents)


@cache
def _wanted_papers(
    kind: ApplicationType, channel: Channel, filled: frozenset[str]
) -> tuple[str, ...]:
    rules = load_document_rules().required(kind, channel, filled)
    return tuple(rule.document for rule in rules)


def _known(tx: Transaction, rows: Sequence[ApplicationRow]) -> _Known:
    """Return what the store knows of the rows, read in pieces."""
    known = _Known()
    refs = {row.application_ref for row in rows} | {row.replaces for row in rows if row.replaces}
    for one in records.applications_by_ref(tx, refs):
        known.applications[one.ref] = one
    known.taken = {ref: known.applications[ref].row_digest for ref in known.applications}
    known.web_ids = records.web_ids_taken(tx, {row.web_id for row in rows if row.web_id})
    persons = records.persons_by_key(tx, {search_key(row.kanji_name) for row in rows})
    ids = {one.id for one in persons} | {one.person_id for one in known.applications.values()}
    for person in persons:
        if person.birth_date is not None:
            known.persons[person.search_key, person.birth_date].append(person.id)
    known.births = records.births_of(tx, ids)
    for version in records.versions_by_person(tx, ids):
        known.versions[version.person_id].append(version.model_dump())
    for person_id, profession, number in records.licences_of(tx, ids):
        known.licences[person_id].add((profession, number))
    return known


def role_names() -> RoleNames:
    """Return the Japanese names an application may give for licence and administrator role."""
    table = hc_role_table()
    return RoleNames(
        professions=frozenset(entry.japanese for entry in table.qualification),
        director_roles=frozenset(entry.japanese for entry in table.administrator),
    )


def _reject(tx: Transaction, verdict: RowVerdict, faults: tuple[Fault, ...], run: str) -> None:
    for position, fault in enumerate(faults):
        if tx.get(ImportRejection, (run, verdict.line, position)) is None:
            tx.add(
                ImportRejection(
                    import_id=run,
                    line=verdict.line,
                    position=position,
                    code=str(fault.code),
                    field=fault.field,
                    text=fault.text,
                    hint=fault.hint,
                    row_digest=verdict.row_digest,
                )
            )
