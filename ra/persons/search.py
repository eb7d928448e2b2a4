"""Finding an applicant by what a caller says."""

from __future__ import annotations

from ra import records
from ra.persons.names import search_key
from ra.records import Application
from store.database import Transaction


def matches(tx: Transaction, application: Application, wanted: str) -> bool:
    """Say whether ``wanted`` is the licence number or part of a name, in any spelling of it."""
    if wanted == application.registration_number:
        return True
    version = records.newest_version(tx, application.person_id)
    key = search_key(wanted)
    names = (version.kanji_name, version.kana_name, version.romaji_name, version.former_surname)
    return bool(key) and any(key in search_key(name) for name in names if name)
