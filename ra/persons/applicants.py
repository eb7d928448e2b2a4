"""Who an application is of: for showing, and so that nobody handles their own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from operators.directory import Directory
from pki.errors import Conflict
from ra import records
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

    @property
    def names(self) -> tuple[str, ...]:
        """Every spelling of the name."""
        return (self.kanji_name, self.kana_name, self.romaji_name)


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
