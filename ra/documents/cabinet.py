"""The documents of applications: added, looked at, checked, and redacted by two people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, InvalidInput, Refused
from pki.validity import Clock, japan_date, whole_seconds
from policies.documents import load_document_rules
from policies.media import SIGNED
from policies.moves import ApplicationState
from policies.parameters import Parameters
from policies.roles import Role
from policies.work import Slot, works
from ra import records
from ra.casework.records import answer_files
from ra.documents.dates import verify_dates, verify_in_time
from ra.documents.formats import Media, recognise
from ra.documents.papers import (
    copy_of,
    find_paper,
    identity_of,
    kept_file,
    name_of,
    next_number,
    salted_file,
)
from ra.documents.vault import Vault
from ra.dossiers import salted
from ra.persons.applicants import verify_nobodys_own, verify_office
from ra.records import (
    Application,
    CheckResult,
    Document,
    find_application,
    hold_application,
    verify_state,
)
from store.database import Store, Transaction

FORM = "APPLICATION_FORM"
"""The code of the application itself."""
_S = ApplicationState
_BEFORE_EXAMINED = (_S.DRAFT, _S.RECEIVED, _S.DEFICIENT, _S.EXAMINING, _S.QUAL_INQUIRY)
_UNDER_EXAMINATION = (_S.EXAMINING, _S.QUAL_INQUIRY)
_TAKERS = (Role.RA_RECEPTION, Role.LRA_RECEPTION, Role.RA_EXAMINER)
_VIEWERS = (*_TAKERS, Role.RA_APPROVER, Role.RA_MANAGER)


class RedactionReason(StrEnum):
    """Why part of a document may not be kept: a number of the person, others' values, or more."""

    MY_NUMBER = "MY_NUMBER"
    OTHER_PERSON = "OTHER_PERSON"
    NOT_NEEDED = "NOT_NEEDED"


@dataclass(frozen=True)
class Cabinet:
    """Keeps the documents of applications, their files in the vault."""

    store: Store
    trail: Trail
    directory: Directory
    parameters: Parameters
    vault: Vault
    clock: Clock

    def add(
        self,
        ref: str,
        code: str,
        received_on: date,
        operator: Signer,
        octets: bytes | None = None,
        issued_on: date | None = None,
        valid_until: date | None = None,
    ) -> tuple[Document, Media | None]:
        """Add a document under the next number of its code; without octets it is paper alone.

        Raises ``InvalidInput`` for an unknown code, a date that cannot be and a file that is not
        what it should be, ``Conflict`` once the application is examined.
        """
        _verify_code(code)
        verify_dates(received_on, issued_on, japan_date(self.clock()))
        media = recognise(octets, code) if octets is not None else None
        with self.store.begin() as tx, self._stored() as stored:
            application = hold_application(tx, ref)  # one at a time: two could both take a number
            self.trail.position(tx)
            role = self._may(tx, application, operator, _TAKERS)
            verify_state(application, *_BEFORE_EXAMINED)
            row = Document(
                application_ref=ref,
                code=code,
                number=next_number(tx, ref, code),
                received_on=received_on,
                issued_on=issued_on,
                valid_until=valid_until,
            )
            if octets is not None and media is not None:
                stored.append(self._keep(row, octets, media))
            tx.add(row)
            tx.flush()
            detail = {"octets": row.octets, "file": salted_file(row, application)}
            self._enter(tx, "DOC.ADD", row, operator, role, detail)
            return row, media

    def keep_signed(
        self,
        tx: Transaction,
        application: Application,
        octets: bytes,
        operator: Signer,
        detail: Mapping[str, object],
    ) -> None:
        """Keep the message that is the application as its form, in the caller's transaction.

        The last step of that: were another to fail, the file would stay as a stray. Raises
        ``Conflict`` once the application is examined.
        """
        role = self._may(tx, application, operator, _TAKERS)
        verify_state(application, *_BEFORE_EXAMINED)
        row = tx.get(Document, (application.ref, FORM, 1))
        if row is None or row.sha256 is not None or row.result is not None:
            row = Document(
                application_ref=application.ref,
                code=FORM,
                number=next_number(tx, application.ref, FORM),
                received_on=japan_date(self.clock()),
            )
        with self._stored() as stored:
            stored.append(self._keep(row, octets, Media(SIGNED, len(octets))))
            tx.add(row)
            tx.flush()
            said = {"octets": row.octets, "file": salted_file(row, application), **detail}
            self._enter(tx, "DOC.ADD", row, operator, role, said)

    def check(
        self,
        ref: str,
        code: str,
        number: int,
        examiner: Signer,
        ok: bool,
        note: str = "",
        issued_on: date | None = None,
        valid_until: date | None = None,
    ) -> Document:
        """Keep the examiner's word on a document; dates seen on it replace those known.

        Raises ``Refused`` for an OK against the rules: too old, or over, on the day of receipt;
        ``InvalidInput`` for a failure without a note (不備の内容).
        """
        if not ok and not note.strip():
            raise InvalidInput(
                "ra.document.note", "a document that fails wants a note", "Give --note."
            )
        with self.store.begin() as tx:
            application = hold_application(tx, ref)  # nobody signs the file meanwhile
            role = self._may(tx, application, examiner, (Role.RA_EXAMINER,))
            verify_state(application, *_UNDER_EXAMINATION)
            row = find_paper(tx, ref, code, number)
            if row.redacts is not None:
                raise Conflict(
                    "ra.document.copy",
                    f"{name_of(row)} is a redacted copy; the original's check stands",
                    f"Check {code}.{row.redacts}.",
                )
            row.issued_on = issued_on or row.issued_on
            row.valid_until = valid_until or row.valid_until
            verify_dates(row.received_on, row.issued_on, japan_date(self.clock()))
            if ok:
                verify_in_time(row, self.parameters)
            row.result = CheckResult.OK if ok else CheckResult.FAIL
            row.note = note
            row.checked_by, row.checked_at = examiner.operator_id, whole_seconds(self.clock())
            detail = {"result": row.result.value, "note": salted("note", note, application.salt)}
            self._enter(tx, "DOC.CHECK", row, examiner, role, detail)
            return row

    def open(self, ref: str, code: str, number: int, operator: Signer) -> tuple[bytes, str]:
        """Return the file and its media type; that it was viewed is entered before.

        Raises ``NotFound`` for paper alone, ``Conflict`` for an original that was redacted.
        """
        with self.store.begin() as tx:
            application = find_application(tx, ref)
            role = self._may(tx, application, operator, _VIEWERS)
            row = find_paper(tx, ref, code, number)
            kept = kept_file(tx, row)
            self._enter(tx, "PII.VIEW", row, operator, role, {})
        return self.vault.read(identity_of(row), kept), row.media_type or ""

    def documents(self, ref: str) -> list[Document]:
        """Return the application's documents by code and number."""
        with self.store.read() as tx:
            find_application(tx, ref)
            return records.documents_of(tx, ref)

    def redact(
        self,
        ref: str,
        code: str,
        number: int,
        octets: bytes,
        first: Signer,
        second: Signer,
        reason: RedactionReason,
    ) -> Document:
        """Put a redacted copy in the place of a document's file, signed by two people.

        The original's row keeps the digest that earlier statements are about; its key is blanked
        and its file destroyed. Allowed in every state.
        """
        if first.operator_id == second.operator_id:
            raise Refused(
                "ra.redact.people",
                "a document is redacted by one person before the eyes of another",
                "Name another person with --witness.",
            )
        media = recognise(octets, code)
        with self.store.begin() as tx, self._stored() as stored:
            application = hold_application(tx, ref)
            self.trail.position(tx)
            original = find_paper(tx, ref, code, number)
            file_name = kept_file(tx, original).name
            copy = copy_of(tx, original)
            stored.append(self._keep(copy, octets, media))
            if copy.sha256 == original.sha256:
                raise InvalidInput(
                    "ra.redact.same",
                    "the copy is the document itself, octet by octet",
                    "Black out what may not be kept, and give that file.",
                )
            self._state(tx, application, original, copy, (first, second), reason)
            original.file_name = original.wrapped_key = None
            tx.add(copy)
            tx.flush()
        self.vault.destroy(file_name)
        return copy

    def strays(self) -> tuple[str, ...]:
        """Return the files that belong to nothing; none is being added meanwhile.

        None is removed here: after the return of an older store, files are strays that are needed.
        """
        with self.store.begin() as tx:
            self.trail.position(tx)
            return self.vault.strays(records.document_files(tx) | answer_files(tx))

    def _state(
        self,
        tx: Transaction,
        application: Application,
        original: Document,
        copy: Document,
        people: tuple[Signer, Signer],
        reason: RedactionReason,
    ) -> None:
        """Have both sign what takes the place of what, and enter it."""
        first, second = people
        slots = redaction_slots()
        names = (first.operator_id, second.operator_id)
        verify_nobodys_own(self.directory, tx, application, names)
        seen = redaction_digest(application, original, copy)
        signed = [
            (signer, redaction(application.ref, seen, role, reason))
            for signer, slot in zip(people, slots, strict=True)
            for role in [self.directory.role_among(tx, signer.operator_id, slot.roles)]
        ]
        event = Event(
            "DOC.REDACT",
            "application",
            application.ref,
            actor=names[0],
            actor_role=signed[0][1].role,
            co_actor=names[1],
            detail={
                "document": name_of(original),
                "copy": name_of(copy),
                "files": seen,
                "reason": reason.value,
            },
        )
        copy.statement_id = self.directory.state(tx, event, *signed)[0].id

    def _may(
        self, tx: Transaction, application: Application, operator: Signer, roles: Sequence[Role]
    ) -> Role:
        """Return the role in which the operator acts on the file, which is not their own."""
        role = self.directory.role_among(tx, operator.operator_id, roles)
        self.directory.verify_may_act(tx, operator, role)
        if role is Role.LRA_RECEPTION:
            verify_office(self.directory, tx, operator.operator_id, application.office)
        verify_nobodys_own(self.directory, tx, application, [operator.operator_id])
        return role

    def _keep(self, row: Document, octets: bytes, media: Media) -> str:
        """Write the file, note it in the row, and return its name."""
        kept = self.vault.store(identity_of(row), octets)
        row.media_type, row.octets, row.sha256 = media.type, kept.size, kept.sha256
        row.file_name, row.wrapped_key = kept.name, kept.wrapped_key
        return kept.name

    @contextmanager
    def _stored(self) -> Iterator[list[str]]:
        """Collect names of files, which are destroyed if what follows fails.

        Inside a transaction: where only its commit fails, nobody knows whether it stands, and the
        file stays, as a stray at worst.
        """
        names: list[str] = []
        try:
            yield names
        except BaseException:
            for name in names:
                self.vault.destroy(name)
            raise

    def _enter(
        self,
        tx: Transaction,
        code: str,
        row: Document,
        operator: Signer,
        role: Role,
        detail: Mapping[str, object],
    ) -> None:
        event = Event(
            code,
            "application",
            row.application_ref,
            actor=operator.operator_id,
            actor_role=role,
            detail={"document": name_of(row), **detail},
        )
        self.trail.append(tx, event)


def redaction(ref: str, seen: str, role: Role, reason: RedactionReason) -> Decision:
    """Return what each of the two says; ``seen`` is the digest of original and copy."""
    return Decision(StatementType.REDACTION, "application", ref, seen, "REDACT", role, reason.value)


def redaction_digest(application: Application, original: Document, copy: Document) -> str:
    """Return the SHA-256 of which file takes the place of which, both salted."""
    tree = {
        "application": application.ref,
        "document": name_of(original),
        "copy": name_of(copy),
        "old": salted_file(original, application),
        "new": salted_file(copy, application),
    }
    return digest(canonical_json(tree))


def redaction_slots() -> tuple[Slot, Slot]:
    """Return who redacts and who watches, as the kinds of work say."""
    (work,) = (one for one in works() if one.code == "REDACTION")
    first, second = work.slot
    return first, second


def _verify_code(code: str) -> None:
    known = load_document_rules().document
    if code not in known:
        raise InvalidInput(
            "ra.document.code", f"there is no document {code!r}", f"Known: {', '.join(known)}."
        )
