"""Possible duplicates: other files that may be the same licence or the same person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from audit.trail import Event, Trail
from ca.carriers import is_alive
from ca.records import orders_of_application
from operators.directory import Directory
from operators.statements import Signer
from pki.errors import InvalidInput, NotFound
from pki.validity import Clock, whole_seconds
from policies.moves import ApplicationState, moves
from policies.roles import Role
from ra import records
from ra.casework.records import Choice, DuplicateChoice
from ra.dossiers import salted
from ra.persons.applicants import verify_nobodys_own
from ra.persons.names import search_key
from ra.records import Application, Person, hold_application, verify_state
from store.database import Store, Transaction


class Likeness(StrEnum):
    """Why another file may be the same."""

    SAME_LICENCE = "SAME_LICENCE"
    SAME_PERSON = "SAME_PERSON"
    VALID_CERTIFICATE = "VALID_CERTIFICATE"


@dataclass(frozen=True)
class Candidate:
    """Another file, and why it may be the same."""

    other: Application
    likenesses: tuple[Likeness, ...]


def candidates(tx: Transaction, application: Application) -> list[Candidate]:
    """Return the files that may be the same and are open or have living certificates.

    The file that the application says it replaces is none of them.
    """
    if application.erased_at is not None:
        return []
    found: dict[str, tuple[Application, list[Likeness]]] = {}
    for one in records.by_licence(tx, application.registration_number):
        if one.profession == application.profession:
            found.setdefault(one.ref, (one, []))[1].append(Likeness.SAME_LICENCE)
    for one in _of_like_persons(tx, application):
        found.setdefault(one.ref, (one, []))[1].append(Likeness.SAME_PERSON)
    result = []
    for ref, (other, likenesses) in sorted(found.items()):
        if ref in (application.ref, application.replaces):
            continue
        living = any(is_alive(tx, order) for order in orders_of_application(tx, ref))
        if living:
            likenesses.append(Likeness.VALID_CERTIFICATE)
        if living or other.state in _OPEN:
            result.append(Candidate(other, tuple(likenesses)))
    return result


_OPEN = frozenset({ApplicationState.APPROVED, *moves().open_states()})


def _of_like_persons(tx: Transaction, application: Application) -> list[Application]:
    """Return files of persons born the same day whose kanji or kana name has the same key."""
    person = tx.get_one(Person, application.person_id)
    kana = search_key(records.applicant(tx, application).kana_name)
    alike = [
        other.id
        for other in records.born_on(tx, person.birth_date)
        if other.search_key == person.search_key
        or any(search_key(one.kana_name) == kana for one in records.versions_of(tx, other.id))
    ]
    return records.applications_of(tx, alike)


@dataclass(frozen=True)
class Duplicates:
    """Keeps the examiner's choices."""

    store: Store
    trail: Trail
    directory: Directory
    clock: Clock

    def choose(
        self, ref: str, other_ref: str, choice: Choice, reason: str, examiner: Signer
    ) -> None:
        """Keep what the examiner says of a possible duplicate; a later choice replaces it.

        Raises ``NotFound`` where the other file is no candidate, ``InvalidInput`` without a reason.
        """
        if not reason.strip():
            raise InvalidInput(
                "ra.duplicate.reason", "a choice about a duplicate wants a reason", "Give --reason."
            )
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            self.directory.verify_may_act(tx, examiner, Role.RA_EXAMINER)
            verify_nobodys_own(self.directory, tx, application, [examiner.operator_id])
            verify_state(application, ApplicationState.EXAMINING, ApplicationState.QUAL_INQUIRY)
            if other_ref not in {one.other.ref for one in candidates(tx, application)}:
                raise NotFound(
                    "ra.duplicate.unknown",
                    f"{other_ref} is no possible duplicate of {ref}",
                    f"See `hpki ra duplicates {ref}`.",
                )
            tx.merge(
                DuplicateChoice(
                    application_ref=ref,
                    other_ref=other_ref,
                    choice=choice,
                    reason=reason,
                    examiner=examiner.operator_id,
                    at=whole_seconds(self.clock()),
                )
            )
            detail = {
                "other": other_ref,
                "choice": choice.value,
                "reason": salted("duplicate_reason", reason, application.salt),
            }
            self.trail.append(
                tx,
                Event(
                    "APP.DUPLICATE",
                    "application",
                    ref,
                    actor=examiner.operator_id,
                    actor_role=Role.RA_EXAMINER,
                    detail=detail,
                ),
            )
