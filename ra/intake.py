"""Intake: a list of applications becomes rows, each with its verdict, nobody twice."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from audit.trail import Event, Trail
from operators.directory import Directory
from operators.identity import Identity
from operators.statements import Signer
from pki.serials import Entropy
from pki.validity import Clock, japan_date, whole_seconds
from policies.documents import load_document_rules
from policies.hcroles import hc_role_table
from policies.roles import Role
from ra import records
from ra.dossiers import salted
from ra.lists.faults import Fault, FaultCode, RoleNames
from ra.lists.rows import ApplicationRow, RowVerdict, read_applications
from ra.persons.names import search_key
from ra.records import (
    Application,
    ApplicationState,
    Document,
    ImportRejection,
    ImportRun,
    Person,
    PersonVersion,
)
from store.database import Store, Transaction


class Outcome(StrEnum):
    """What became of a row."""

    ACCEPTED = "ACCEPTED"
    ALREADY = "ALREADY"
    REJECTED = "REJECTED"


@dataclass(frozen=True)
class RowOutcome:
    """One row's line, reference if readable, outcome and faults."""

    line: int
    application_ref: str | None
    outcome: Outcome
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class ImportReport:
    """What an import did, row by row."""

    import_id: str
    rows: tuple[RowOutcome, ...]
    verdicts: tuple[RowVerdict, ...]

    def count(self, outcome: Outcome) -> int:
        """Return how many rows had the outcome."""
        return sum(row.outcome is outcome for row in self.rows)


@dataclass(frozen=True)
class Intake:
    """Takes application lists in."""

    store: Store
    trail: Trail
    directory: Directory
    clock: Clock
    entropy: Entropy

    def import_list(
        self, octets: bytes, file_name: str, reception: Signer, encoding: str = "utf-8"
    ) -> ImportReport:
        """Store every sound row as a RECEIVED application, and of a bad one only its rejection.

        One transaction: all of the file or none. A row stored before is ALREADY; the same
        reference with other content, a licence that has a living application, or a row that may be
        the reception's own is rejected.
        Raises ``InvalidInput`` for a file that cannot be read at all.
        """
        verdicts = read_applications(
            octets,
            today=japan_date(self.clock()),
            roles=role_names(),
            documents=load_document_rules(),
            encoding=encoding,
        )
        sha256 = hashlib.sha256(octets).hexdigest()
        with self.store.begin() as tx:
            self.directory.verify_may_act(tx, reception, Role.RA_RECEPTION)
            self.trail.position(tx)  # one list at a time: two could both find a licence free
            run = tx.get(ImportRun, sha256[:16])
            if run is None:
                run = ImportRun(
                    id=sha256[:16],
                    file_name=file_name,
                    sha256=sha256,
                    at=whole_seconds(self.clock()),
                    operator_id=reception.operator_id,
                )
                tx.add(run)
                tx.flush()
            own = self.directory.identity(tx, reception.operator_id)
            rows = tuple(self._take(tx, verdict, run, reception, own) for verdict in verdicts)
            report = ImportReport(run.id, rows, verdicts)
            self.trail.append(
                tx,
                Event(
                    "DATA.CHANGE",
                    "import",
                    run.id,
                    actor=reception.operator_id,
                    actor_role=Role.RA_RECEPTION,
                    detail={
                        "sha256": sha256,
                        **{str(outcome): report.count(outcome) for outcome in Outcome},
                    },
                ),
            )
        return report

    def _take(
        self,
        tx: Transaction,
        verdict: RowVerdict,
        run: ImportRun,
        reception: Signer,
        own: Identity,
    ) -> RowOutcome:
        row, faults = verdict.application, verdict.faults
        if row is not None:
            stored = tx.get(Application, row.application_ref)
            if stored is not None and stored.row_digest == verdict.row_digest:
                return RowOutcome(verdict.line, row.application_ref, Outcome.ALREADY, ())
            faults = tuple(_faults_of_store(tx, row, stored, own))
        if row is None or faults:
            _reject(tx, verdict, faults, run)
            ref = verdict.application_ref
            return RowOutcome(verdict.line, ref, Outcome.REJECTED, faults)
        self._store(tx, row, verdict.row_digest, run, reception)
        return RowOutcome(verdict.line, row.application_ref, Outcome.ACCEPTED, ())

    def _store(
        self,
        tx: Transaction,
        row: ApplicationRow,
        row_digest: str,
        run: ImportRun,
        reception: Signer,
    ) -> None:
        person, salt = self._person(tx, row), self.entropy(32).hex()
        tx.add(
            Application(
                ref=row.application_ref,
                person_id=person.id,
                import_id=run.id,
                row_digest=row_digest,
                salt=salt,
                type=row.type,
                channel=row.channel,
                state=ApplicationState.RECEIVED,
                received_on=row.received_on,
                profession=row.profession,
                registration_number=row.registration_number,
                registration_date=row.registration_date,
                director_role=row.director_role,
                institution_ja=row.institution_ja,
                institution_en=row.institution_en,
                work_prefecture=row.work_prefecture,
                municipality=row.municipality,
                member_id=row.member_id,
                terms_version=row.terms_version,
            )
        )
        tx.flush()
        for code in row.documents:
            tx.add(Document(application_ref=row.application_ref, code=code))
        self.trail.append(
            tx,
            Event(
                "APP.RECEIVE",
                "application",
                row.application_ref,
                actor=reception.operator_id,
                actor_role=Role.RA_RECEPTION,
                detail={
                    "row": salted("row", row_digest, salt),
                    "import": run.id,
                    "documents": list(row.documents),
                },
            ),
        )

    def _person(self, tx: Transaction, row: ApplicationRow) -> Person:
        """Return the applicant with a version as of the receipt.

        It is one known under the very same names, birth date and address, without another
        licence of the same profession; anyone else is new, since a holder's id in certificates
        must never stand for two people.
        """
        key = search_key(row.kanji_name)
        for known in records.person_like(tx, key, row.birth_date):
            version = records.version_of(tx, known.id, row.received_on)
            if version is None or not _same_person(version, row):
                continue
            if records.other_licence(tx, known.id, row.profession, row.registration_number):
                continue
            if version.valid_from == row.received_on:
                if version.model_dump() == _version(known.id, row).model_dump():
                    return known
                continue
            tx.add(_version(known.id, row))
            return known
        letters = b32encode(self.entropy(10)).decode().rstrip("=")
        person = Person(id=f"H{letters}", birth_date=row.birth_date, search_key=key)
        tx.add(person)
        tx.flush()
        tx.add(_version(person.id, row))
        return person


def _version(person_id: str, row: ApplicationRow) -> PersonVersion:
    return PersonVersion(
        person_id=person_id,
        valid_from=row.received_on,
        kanji_name=row.kanji_name,
        kana_name=row.kana_name,
        romaji_name=row.romaji_name,
        former_surname=row.former_surname,
        postal_code=row.postal_code,
        address=row.address,
        telephone=row.telephone,
        email=row.email,
    )


def _same_person(version: PersonVersion, row: ApplicationRow) -> bool:
    return (version.kanji_name, version.kana_name, version.postal_code, version.address) == (
        row.kanji_name,
        row.kana_name,
        row.postal_code,
        row.address,
    )


def role_names() -> RoleNames:
    """Return the Japanese names an application may give for licence and administrator role."""
    table = hc_role_table()
    return RoleNames(
        professions=frozenset(entry.japanese for entry in table.qualification),
        director_roles=frozenset(entry.japanese for entry in table.administrator),
    )


def _faults_of_store(
    tx: Transaction, row: ApplicationRow, stored: Application | None, own: Identity
) -> Iterator[Fault]:
    if own.maybe((row.kanji_name, row.kana_name, row.romaji_name), row.birth_date):
        yield Fault(
            FaultCode.OWN_FILE,
            "kanji_name",
            "漢字氏名 (kanji_name): this may be your own, and nobody takes in an own file",
            "Let another person of the reception import the row.",
        )
    if stored is not None:
        yield Fault(
            FaultCode.REF_TAKEN,
            "application_ref",
            f"申請番号 (application_ref) {row.application_ref} was taken with other content",
            "Give the application a reference of its own, or leave the row out.",
        )
    elif records.living_by_licence(tx, row.profession, row.registration_number):
        yield Fault(
            FaultCode.LICENCE_TAKEN,
            "registration_number",
            "登録番号 (registration_number): this licence has an application or a valid card",
            "Apply for a reissue, or find out who applied before.",
        )


def _reject(
    tx: Transaction, verdict: RowVerdict, faults: tuple[Fault, ...], run: ImportRun
) -> None:
    for position, fault in enumerate(faults):
        if tx.get(ImportRejection, (run.id, verdict.line, position)) is None:
            tx.add(
                ImportRejection(
                    import_id=run.id,
                    line=verdict.line,
                    position=position,
                    code=str(fault.code),
                    field=fault.field,
                    text=fault.text,
                    hint=fault.hint,
                    row_digest=verdict.row_digest,
                )
            )
