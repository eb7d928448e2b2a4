"""The data match: each field of the application held against what a paper shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from audit.trail import Event
from operators.statements import Signer
from pki.errors import InvalidInput, NotFound
from pki.validity import whole_seconds
from policies.documents import load_document_rules
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework.records import FieldMatch
from ra.casework.registrar import Registrar
from ra.dossiers import salted
from ra.persons.applicants import birth_date_of, verify_nobodys_own
from ra.persons.matching import Match, Verdict, match_field
from ra.records import Application, hold_application, verify_state
from store.database import Store, Transaction

REGISTER = "REGISTER"
"""The source of a match against the ministry's register."""

FIELDS_ON: Mapping[str, tuple[str, ...]] = {
    "RESIDENT_RECORD": ("kanji_name", "birth_date", "address"),
    "LICENCE_COPY": ("kanji_name", "birth_date", "registration_number", "registration_date"),
    "PHOTO_ID": ("kanji_name", "birth_date", "address"),
    "FORMER_NAME_DOC": ("former_surname",),
    REGISTER: ("kanji_name", "birth_date", "registration_number", "registration_date"),
}
"""What each source shows. Source: operations 2.5, fields compared; by paper is ours."""


def given_fields(tx: Transaction, application: Application) -> dict[str, str]:
    """Return what the application says, dates as YYYY-MM-DD, empty where it says nothing."""
    version = records.applicant(tx, application)
    return {
        "kanji_name": version.kanji_name,
        "kana_name": version.kana_name,
        "romaji_name": version.romaji_name,
        "former_surname": version.former_surname or "",
        "birth_date": str(birth_date_of(tx, application)),
        "registration_number": application.registration_number,
        "registration_date": str(application.registration_date or ""),
        "address": version.address,
    }


@dataclass(frozen=True)
class Matches:
    """Keeps data matches."""

    store: Store
    registrar: Registrar

    def enter(
        self,
        ref: str,
        source: str,
        seen: Mapping[str, str],
        examiner: Signer,
        explanations: Mapping[str, str] | None = None,
    ) -> list[Match]:
        """Keep what a paper shows, field by field; a later word replaces an earlier one.

        ``source`` is a document's code. A field that is DIFFERENT wants an explanation, or the data
        match cannot be OK.
        """
        if source not in load_document_rules().document:
            raise NotFound("ra.match.source", f"there is no document {source}")
        with self.store.begin() as tx:
            application = self._to_match(tx, ref, examiner)
            given = given_fields(tx, application)
            matches = compare(given, seen)
            self.keep(tx, application, source, matches, seen, examiner, explanations or {})
            verdicts = {one.field: one.verdict.value for one in matches}
            self._enter(tx, ref, {"source": source, "matches": verdicts}, examiner)
            return matches

    def explain(self, ref: str, source: str, field: str, words: str, examiner: Signer) -> None:
        """Keep the examiner's word on a field that differs; raises ``NotFound`` without match."""
        if not words.strip():
            raise InvalidInput("ra.match.explanation", "an explanation wants words")
        with self.store.begin() as tx:
            application = self._to_match(tx, ref, examiner)
            match = tx.get(FieldMatch, (ref, source, field))
            if match is None:
                raise NotFound("ra.match.none", f"{field} was not compared with {source} for {ref}")
            match.explanation, match.examiner = words, examiner.operator_id
            said = salted("explanation", words, application.salt)
            detail = {"source": source, "explained": field, "words": said}
            self._enter(tx, ref, detail, examiner)

    def _to_match(self, tx: Transaction, ref: str, examiner: Signer) -> Application:
        application = hold_application(tx, ref)
        directory = self.registrar.directory
        directory.verify_may_act(tx, examiner, Role.RA_EXAMINER)
        verify_nobodys_own(directory, tx, application, [examiner.operator_id])
        verify_state(application, ApplicationState.EXAMINING, ApplicationState.QUAL_INQUIRY)
        return application

    def _enter(
        self, tx: Transaction, ref: str, detail: Mapping[str, object], examiner: Signer
    ) -> None:
        event = Event(
            "DOC.CHECK",
            "application",
            ref,
            actor=examiner.operator_id,
            actor_role=Role.RA_EXAMINER,
            detail=detail,
        )
        self.registrar.trail.append(tx, event)

    def keep(
        self,
        tx: Transaction,
        application: Application,
        source: str,
        matches: list[Match],
        seen: Mapping[str, str],
        examiner: Signer,
        explanations: Mapping[str, str],
    ) -> None:
        """Store the matches; what equals the application is not stored twice."""
        _verify_compared(explanations, seen)
        for match in matches:
            equal = match.verdict is Verdict.EQUAL
            tx.merge(
                FieldMatch(
                    application_ref=application.ref,
                    source=source,
                    field=match.field,
                    verdict=match.verdict.value,
                    seen="" if equal else seen[match.field],
                    explanation=explanations.get(match.field, ""),
                    examiner=examiner.operator_id,
                    at=whole_seconds(self.registrar.clock()),
                )
            )
        tx.flush()


def _verify_compared(explanations: Mapping[str, str], fields: Collection[str]) -> None:
    unknown = set(explanations) - set(fields)
    if unknown:
        raise InvalidInput(
            "ra.match.explanation", f"nothing was compared for {', '.join(sorted(unknown))}"
        )


def compare(given: Mapping[str, str], seen: Mapping[str, str]) -> list[Match]:
    """Return the verdict on each field that was seen, in its order."""
    unknown = set(seen) - set(given)
    if unknown:
        raise InvalidInput(
            "ra.match.field",
            f"there is no field {', '.join(sorted(unknown))} to compare",
            f"Known: {', '.join(given)}.",
        )
    return [match_field(field, given[field], text) for field, text in seen.items()]
