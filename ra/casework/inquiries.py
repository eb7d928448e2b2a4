"""Inquiries to the ministry's register: lists out, answers in, each held against the file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from audit.trail import Event
from operators.statements import Signer
from pki.errors import HpkiError, InvalidInput, NotFound
from pki.serials import Entropy
from pki.validity import whole_seconds
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework import records as work
from ra.casework.guards import REGISTER_METHOD
from ra.casework.matches import FIELDS_ON, REGISTER, Matches, compare, given_fields
from ra.casework.records import Answer, AnswerFile, Inquiry, InquiryItem
from ra.documents.vault import Vault
from ra.dossiers import asked_about
from ra.lists.table import REMARK, Record, Table, read_table, write_table
from ra.persons.applicants import birth_date_of, verify_nobodys_own
from ra.persons.matching import Match, Verdict
from ra.persons.names import forbidden_character
from ra.records import (
    Application,
    Check,
    CheckResult,
    find_application,
    hold_application,
    hold_applications,
)
from store.database import Store, Transaction

ANSWER_COLUMNS = {
    "inquiry": "照会番号",
    "line": "行",
    "profession": "資格",
    "kana_name": "氏名(カナ)",
    "kanji_name": "氏名(漢字)",
    "birth_date": "生年月日",
    "registration_number": "登録番号",
    "registration_date": "登録年月日",
    "answer": "回答",
}
"""The columns of list and answers. How the ministry answers is UNKNOWN (operations 2.5)."""

_LACKABLE = frozenset({"profession", "kana_name"})
"""Columns that an answer need not repeat."""

_WORDS = {
    "登録あり": Answer.REGISTERED,
    "該当なし": Answer.NOT_FOUND,
    "抹消": Answer.STRUCK_OFF,
    "業務停止": Answer.SUSPENDED,
} | {answer.value: answer for answer in Answer}


class AnswerOutcome(StrEnum):
    """What became of one row of an answer."""

    CONFIRMED = "CONFIRMED"
    REFUTED = "REFUTED"
    ALREADY = "ALREADY"
    REJECTED = "REJECTED"


@dataclass(frozen=True)
class InquiryRow:
    """One person of the list that goes to the register."""

    inquiry_id: str
    line: int
    application_ref: str
    profession: str
    kanji_name: str
    kana_name: str
    birth_date: date
    registration_number: str
    registration_date: date | None


@dataclass(frozen=True)
class Made:
    """An inquiry: who is asked about, and which files could not be, with why."""

    inquiry_id: str
    rows: tuple[InquiryRow, ...]
    refused: tuple[tuple[str, HpkiError], ...]


@dataclass(frozen=True)
class AnswerRow:
    """One row of an answer: its line in the file, outcome, matches, and words where it failed."""

    line: int
    application_ref: str | None
    outcome: AnswerOutcome
    matches: tuple[Match, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class Inquiries:
    """Asks the register and reads its answers."""

    store: Store
    matches: Matches
    vault: Vault
    entropy: Entropy

    def make(self, refs: Sequence[str], examiner: Signer) -> Made:
        """Put files whose identity and data were checked on a new list.

        A file that cannot be asked about stays where it is. Raises ``InvalidInput`` if none can.
        """
        registrar = self.matches.registrar
        with self.store.begin() as tx:
            registrar.directory.verify_may_act(tx, examiner, Role.RA_EXAMINER)
            inquiry = Inquiry(
                id=f"Q{registrar.today:%Y%m%d}-{self.entropy(3).hex()}",
                at=whole_seconds(registrar.clock()),
                examiner=examiner.operator_id,
            )
            tx.add(inquiry)
            tx.flush()
            rows: list[InquiryRow] = []
            refused: list[tuple[str, HpkiError]] = []
            hold_applications(tx, refs)
            for ref in dict.fromkeys(refs):
                try:
                    rows.append(self._ask(tx, ref, inquiry, len(rows) + 1, examiner))
                except HpkiError as error:
                    refused.append((ref, error))
            if not rows:
                first = refused[0][1] if refused else None
                raise InvalidInput(
                    "ra.inquiry.none",
                    f"no file can be asked about{f'; {first}' if first else ''}",
                    "Check identity and data first: `hpki ra check`.",
                )
            return Made(inquiry.id, tuple(rows), tuple(refused))

    def _ask(
        self, tx: Transaction, ref: str, inquiry: Inquiry, line: int, examiner: Signer
    ) -> InquiryRow:
        application = find_application(tx, ref)
        about = asked_about(tx, application)
        detail = {"inquiry": inquiry.id, "line": line, "fields": about}
        self.matches.registrar.enter(
            tx, application, ApplicationState.QUAL_INQUIRY, examiner, detail=detail
        )
        tx.add(InquiryItem(inquiry_id=inquiry.id, line=line, application_ref=ref))
        tx.flush()
        return _row(tx, inquiry.id, line, application)

    def made(self) -> list[tuple[Inquiry, int, int]]:
        """Return every inquiry with how many were asked about and how many are answered."""
        with self.store.read() as tx:
            return work.inquiries_made(tx)

    def rows(self, inquiry_id: str) -> tuple[InquiryRow, ...]:
        """Return the list as it was made; raises ``NotFound``."""
        with self.store.read() as tx:
            if tx.get(Inquiry, inquiry_id) is None:
                raise NotFound(
                    "ra.inquiry.unknown",
                    f"there is no inquiry {inquiry_id!r}",
                    "See `hpki ra inquiry list`.",
                )
            return tuple(
                _row(tx, inquiry_id, one.line, find_application(tx, one.application_ref))
                for one in work.items_of(tx, inquiry_id)
            )

    def recall(self, ref: str, examiner: Signer, reason: str) -> Application:
        """Take a file out of its inquiry, back to its papers, as when the answer shows an error."""
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            self.matches.registrar.enter(
                tx, application, ApplicationState.EXAMINING, examiner, reason
            )
            return application

    def answer(
        self, octets: bytes, examiner: Signer, encoding: str = "utf-8"
    ) -> tuple[AnswerRow, ...]:
        """Read a file of answers and keep each with the file as its evidence, encrypted.

        A row must name inquiry and line. REGISTERED with every field the same confirms the
        qualification; anything else fails it, in words. A row read before changes nothing.
        """
        table = read_table(octets, ANSWER_COLUMNS, encoding, _LACKABLE)
        sha256 = hashlib.sha256(octets).hexdigest()
        with self.store.begin() as tx:
            self.matches.registrar.directory.verify_may_act(tx, examiner, Role.RA_EXAMINER)
            if tx.get(AnswerFile, sha256) is None:
                kept = self.vault.store(f"answer {sha256}", octets)
                tx.add(
                    AnswerFile(
                        sha256=sha256,
                        file_name=kept.name,
                        wrapped_key=kept.wrapped_key,
                        octets=kept.size,
                        at=whole_seconds(self.matches.registrar.clock()),
                        entered_by=examiner.operator_id,
                    )
                )
                tx.flush()
            asked = (item for one in _inquiries(table) for item in work.items_of(tx, one))
            hold_applications(tx, {item.application_ref for item in asked})
            return tuple(self._take(tx, table, one, sha256, examiner) for one in table.records)

    def _take(
        self, tx: Transaction, table: Table, record: Record, evidence: str, examiner: Signer
    ) -> AnswerRow:
        try:
            fields = dict(zip(table.columns, record.cells, strict=True))
        except ValueError:
            return _rejected(record, None, "the row has not as many cells as the header")
        if any(map(forbidden_character, record.cells)):
            return _rejected(record, None, "a cell holds a character that no field may hold")
        line = fields["line"].strip()
        known = (fields["inquiry"].strip(), int(line)) if _is_line(line) else ("", 0)
        item = tx.get(InquiryItem, known)
        if item is None:
            return _rejected(record, None, "no such inquiry and line")
        answer = _WORDS.get(fields["answer"].strip())
        if answer is None:
            return _rejected(record, item, f"the answer is none of {', '.join(_WORDS)}")
        if item.answer is not None:
            same = (item.answer, item.evidence) == (answer, evidence)
            words = "" if same else f"answered already on {item.answered_on}: {item.answer}"
            outcome = AnswerOutcome.ALREADY if same else AnswerOutcome.REJECTED
            return AnswerRow(record.line, item.application_ref, outcome, words=words)
        application = find_application(tx, item.application_ref)
        if application.state is not ApplicationState.QUAL_INQUIRY:
            return _rejected(record, item, f"the file is {application.state}")
        try:
            verify_nobodys_own(
                self.matches.registrar.directory, tx, application, [examiner.operator_id]
            )
            return self._keep(tx, application, item, answer, fields, record, evidence, examiner)
        except HpkiError as error:
            return _rejected(record, item, error.text)

    def _keep(
        self,
        tx: Transaction,
        application: Application,
        item: InquiryItem,
        answer: Answer,
        fields: dict[str, str],
        record: Record,
        evidence: str,
        examiner: Signer,
    ) -> AnswerRow:
        seen = {name: fields[name] for name in FIELDS_ON[REGISTER]}
        matches = (
            compare(given_fields(tx, application), seen) if answer is not Answer.NOT_FOUND else []
        )
        self.matches.keep(tx, application, REGISTER, matches, seen, examiner, {})
        item.answer, item.evidence = answer, evidence
        item.answered_on, item.entered_by = self.matches.registrar.today, examiner.operator_id
        words = "; ".join(_words(answer, matches))
        result = CheckResult.FAIL if words else CheckResult.OK
        tx.merge(
            Check(
                application_ref=application.ref,
                kind="QUALIFICATION",
                method=REGISTER_METHOD,
                result=result,
                note=words,
                examiner=examiner.operator_id,
                at=whole_seconds(self.matches.registrar.clock()),
            )
        )
        tx.flush()
        self.matches.registrar.trail.append(
            tx,
            Event(
                "QUAL.ANSWER",
                "application",
                application.ref,
                actor=examiner.operator_id,
                actor_role=Role.RA_EXAMINER,
                detail={
                    "inquiry": item.inquiry_id,
                    "line": item.line,
                    "answer": answer.value,
                    "evidence": evidence,
                    "check": "QUALIFICATION",
                    "method": REGISTER_METHOD,
                    "result": result.value,
                    "matches": {one.field: one.verdict.value for one in matches},
                },
            ),
        )
        outcome = AnswerOutcome.REFUTED if words else AnswerOutcome.CONFIRMED
        return AnswerRow(record.line, application.ref, outcome, tuple(matches), words)


def inquiry_csv(rows: Sequence[InquiryRow], answer: str = "") -> bytes:
    """Return the list for the register as CSV, to be answered in its last column.

    UTF-8 with BOM, CRLF, the labels in a remark under the header. ``Inquiries.answer`` reads it.
    """
    first, *labels = ANSWER_COLUMNS.values()
    cells = [
        (
            one.inquiry_id,
            str(one.line),
            one.profession,
            one.kana_name,
            one.kanji_name,
            str(one.birth_date),
            one.registration_number,
            str(one.registration_date or ""),
            answer,
        )
        for one in rows
    ]
    return write_table(tuple(ANSWER_COLUMNS), [(f"{REMARK} {first}", *labels), *cells])


def _inquiries(table: Table) -> set[str]:
    """Return the inquiries that the rows name."""
    place = table.columns.index("inquiry")
    named = {one.cells[place].strip() for one in table.records if len(one.cells) > place}
    return {one for one in named if not forbidden_character(one)}


def _words(answer: Answer, matches: Sequence[Match]) -> Iterator[str]:
    if answer is not Answer.REGISTERED:
        yield f"the register answered {answer}"
    for match in matches:
        if match.verdict is Verdict.DIFFERENT:
            yield f"{match.field}: {match.words_ja}"


def _rejected(record: Record, item: InquiryItem | None, words: str) -> AnswerRow:
    ref = item.application_ref if item else None
    return AnswerRow(record.line, ref, AnswerOutcome.REJECTED, words=words)


def _is_line(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _row(tx: Transaction, inquiry_id: str, line: int, application: Application) -> InquiryRow:
    version = records.applicant(tx, application)
    return InquiryRow(
        inquiry_id=inquiry_id,
        line=line,
        application_ref=application.ref,
        profession=application.profession,
        kanji_name=version.kanji_name,
        kana_name=version.kana_name,
        birth_date=birth_date_of(tx, application),
        registration_number=application.registration_number,
        registration_date=application.registration_date,
    )
