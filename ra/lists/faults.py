"""The words of an application list: kinds, channels, the faults of a row, what it is held against.

Texts quote codes and dates, never names, addresses, numbers or e-mail; hints may suggest a name
in romaji or kana. Both go to the rejects file and the screen, not to log or trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from policies.documents import DocumentRules


class ApplicationType(StrEnum):
    """Kinds of applications. Source: forms of JMA and MEDIS; disaster: JMA, 2016."""

    NEW = "NEW"
    RENEW = "RENEW"
    REISSUE_LOST = "REISSUE_LOST"
    REISSUE_DAMAGED = "REISSUE_DAMAGED"
    REISSUE_NAME = "REISSUE_NAME"
    REISSUE_MEMBER = "REISSUE_MEMBER"
    CONTACT_CHANGE = "CONTACT_CHANGE"
    LOSS_REPORT = "LOSS_REPORT"
    STOP_USE = "STOP_USE"
    PIN_DISCLOSE = "PIN_DISCLOSE"
    PIN_UNLOCK = "PIN_UNLOCK"
    TEMP_DISASTER = "TEMP_DISASTER"
    REMOTE_NEW = "REMOTE_NEW"


class Channel(StrEnum):
    """How an application of this import arrived: mail, regional office, Mynaportal."""

    POST = "POST"
    LRA = "LRA"
    MYNA = "MYNA"


class FaultCode(StrEnum):
    """Every fault a row can have."""

    WIDTH = "ra.row.width"
    MISSING = "ra.row.missing"
    CHARACTER = "ra.row.character"
    PRIVATE_USE = "ra.row.private_use"
    APPLICATION_REF = "ra.row.application_ref"
    DUPLICATE_REF = "ra.row.duplicate_ref"
    TYPE = "ra.row.type"
    TYPE_ELSEWHERE = "ra.row.type_elsewhere"
    CHANNEL = "ra.row.channel"
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
    DOCUMENT_MISSING = "ra.row.document_missing"
    REF_TAKEN = "ra.row.ref_taken"
    LICENCE_TAKEN = "ra.row.licence_taken"
    OWN_FILE = "ra.row.own_file"


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
