"""Who an application is of: for showing, and so that nobody handles their own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from operators.directory import Directory
from pki.errors import Conflict, Refused
from ra import records
from ra.persons.names import IDEOGRAPHIC_SPACE
from ra.records import Application, Person
from store.database import Transaction


@dataclass(frozen=True)
class Applicant:
    """The person as the application brought them, and the licence."""

    application_ref: str
    kanji_name: str
    kana_name: str
    romaji_name: str
    birth_date: date
    profession: str
    registration_number: str
    former_surname: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every spelling of the name, the former one too."""
        return spellings(
            self.kanji_name, self.kana_name, self.romaji_name, former_surname=self.former_surname
        )


def spellings(
    kanji_name: str, kana_name: str, romaji_name: str, *, former_surname: str | None
) -> tuple[str, ...]:
    """Return every name the person goes by; the former one with the given name of now."""
    names = (kanji_name, kana_name, romaji_name)
    if not former_surname:
        return names
    return (*names, f"{former_surname}{IDEOGRAPHIC_SPACE}{kanji_name.split(IDEOGRAPHIC_SPACE)[-1]}")


def applicant_of(tx: Transaction, application: Application) -> Applicant:
    """Return the application's person; raises ``Conflict`` after the erasure."""
    version = records.applicant(tx, application)
    return Applicant(
        application_ref=application.ref,
        kanji_name=version.kanji_name,
        kana_name=version.kana_name,
        romaji_name=version.romaji_name,
        birth_date=birth_date_of(tx, application),
        profession=application.profession,
        registration_number=application.registration_number,
        former_surname=version.former_surname,
    )


def birth_date_of(tx: Transaction, application: Application) -> date:
    """Return the applicant's birth date; raises ``Conflict`` after the erasure."""
    born = tx.get_one(Person, application.person_id).birth_date
    if application.erased_at is not None or born is None:
        raise Conflict(
            "ra.erased",
            f"the values of {application.ref} were erased",
            "What is left stands in the trail: `hpki audit search --object REFERENCE`.",
        )
    return born


def verify_nobodys_own(
    directory: Directory, tx: Transaction, application: Application, operators: Collection[str]
) -> None:
    """Raise ``Refused`` if the application may be that of one of the operators."""
    person = applicant_of(tx, application)
    for operator_id in operators:
        directory.verify_not_own(tx, operator_id, person.names, person.birth_date)


def verify_office(
    directory: Directory, tx: Transaction, operator_id: str, office: str | None
) -> None:
    """Raise ``Refused`` unless a reception office's file is handled by one of its members."""
    own = directory.register(tx).account(operator_id).office
    if office is None or own != office:
        raise Refused(
            "ra.office",
            f"{operator_id} belongs to {own}, the file to {office or 'the centre'}",
            "Somebody of that office, or of the centre's reception, does it.",
        )
