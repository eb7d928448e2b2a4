"""The words of an application list: the faults of a row, and what it is held against.

Texts quote codes and dates, never names, addresses, numbers or e-mail; hints may suggest a name
in romaji or kana. Both go to the rejects file and the screen, not to log or trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from policies.documents import DocumentRules


class FaultCode(StrEnum):
    """Every fault a row can have."""

    WIDTH = "ra.row.width"
    MISSING = "ra.row.missing"
    CHARACTER = "ra.row.character"
    PRIVATE_USE = "ra.row.private_use"
    APPLICATION_REF = "ra.row.application_ref"
    DUPLICATE_REF = "ra.row.duplicate_ref"
    TYPE = "ra.row.type"
    CHANNEL = "ra.row.channel"
    CHANNEL_OF_TYPE = "ra.row.channel_of_type"
    DATE = "ra.row.date"
    FUTURE = "ra.row.future"
    KANJI_NAME = "ra.row.kanji_name"
    KANA_NAME = "ra.row.kana_name"
    ROMAJI_NAME = "ra.row.romaji_name"
    ROMAJI_LENGTH = "ra.row.romaji_length"
    FORMER_SURNAME = "ra.row.former_surname"
    PROFESSION = "ra.row.profession"
    REGISTRATION_NUMBER = "ra.row.registration_number"
    REGISTERED_TOO_YOUNG = "ra.row.registered_too_young"
    REGISTERED_AFTER_RECEIPT = "ra.row.registered_after_receipt"
    DIRECTOR_ROLE = "ra.row.director_role"
    INSTITUTION_MISSING = "ra.row.institution_missing"
    INSTITUTION_EN = "ra.row.institution_en"
    WORK_PREFECTURE = "ra.row.work_prefecture"
    POSTAL_CODE = "ra.row.postal_code"
    TELEPHONE = "ra.row.telephone"
    EMAIL = "ra.row.email"
    MEMBER_ID = "ra.row.member_id"
    DOCUMENT_UNKNOWN = "ra.row.document_unknown"
    DOCUMENT_TWICE = "ra.row.document_twice"
    OFFICE = "ra.row.office"
    REPLACES = "ra.row.replaces"
    WEB_ID = "ra.row.web_id"
    REF_TAKEN = "ra.row.ref_taken"
    OWN_FILE = "ra.row.own_file"
    SAME_DAY = "ra.row.same_day"
    REPLACES_OTHER = "ra.row.replaces_other"
    WEB_ID_TAKEN = "ra.row.web_id_taken"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one row; ``field`` is the column, empty for the row as a whole."""

    code: FaultCode
    field: str
    text: str
    hint: str


@dataclass(frozen=True)
class RoleNames:
    """Japanese names of the qualifications and administrator roles that may be applied for."""

    professions: frozenset[str]
    director_roles: frozenset[str]


@dataclass(frozen=True)
class Rulebook:
    """What a row is judged against; ``today`` is the day in Japan."""

    today: date
    roles: RoleNames
    documents: DocumentRules
