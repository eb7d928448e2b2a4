"""Import of an application list, the pure half: bytes to one verdict per row, and back to rejects.

Nothing is normalised: names come out byte for byte as they went in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pki.errors import InvalidInput
from policies.applications import ApplicationType, Channel, application_types
from policies.documents import DocumentRules
from ra.dates import both_calendars
from ra.lists.columns import (
    COLUMNS,
    LABELS,
    LACKABLE,
    NO_WORKPLACE,
    check_cell,
    parse_day,
    parse_documents,
)
from ra.lists.faults import Fault, FaultCode, RoleNames, Rulebook
from ra.lists.table import Record, Table, read_table, strip_ascii, write_rejects
from ra.persons.names import is_latin_name
from ra.persons.romaji import romaji_suggestion

_COLUMNS = {column.name: column for column in COLUMNS}
_COMING_OF_AGE = 18


@dataclass(frozen=True)
class ApplicationRow:
    """One sound application. Optional fields that were left empty are None.

    ``registration_number``, ``member_id`` and ``work_prefecture`` keep their leading zeros;
    ``institution_ja`` is ``なし`` for someone without a workplace; ``documents`` are codes in the
    order of the file, ``document_dates`` the dates on those papers for which the file gives one.
    """

    application_ref: str
    type: ApplicationType
    channel: Channel
    received_on: date
    kanji_name: str
    kana_name: str
    romaji_name: str
    former_surname: str | None
    birth_date: date
    profession: str
    registration_number: str
    registration_date: date
    director_role: str | None
    institution_ja: str
    institution_en: str | None
    work_prefecture: str
    municipality: str | None
    postal_code: str
    address: str
    telephone: str
    email: str | None
    member_id: str | None
    documents: tuple[str, ...]
    terms_version: str
    office: str | None
    association: str | None
    replaces: str | None
    web_id: str | None
    document_dates: Mapping[str, date]


@dataclass(frozen=True)
class RowVerdict:
    """What became of one row: an application, or its faults; never both, never neither.

    ``line`` is where the row begins in the file (header: 1). ``application_ref`` is None if it is
    unsound. ``row_digest`` is the SHA-256 (hex) of the canonical row: RFC 8785 JSON of column to
    cell, outer ASCII white space taken off all fields but names; order of columns, encoding and
    quoting do not change it, nor does a column that a file may lack and that is empty.
    """

    line: int
    application_ref: str | None
    application: ApplicationRow | None
    faults: tuple[Fault, ...]
    row_digest: str


def read_applications(
    content: bytes,
    *,
    today: date,
    roles: RoleNames,
    documents: DocumentRules,
    encoding: str = "utf-8",
) -> tuple[RowVerdict, ...]:
    """Return one verdict per row of a list, CSV or XLSX, in the order of the file.

    ``today`` is the day in Japan; ``encoding`` (of CSV) is ``utf-8`` (with or without BOM) or
    ``cp932``.
    Raises ``InvalidInput`` (``ra.import...``) if the file as a whole cannot be read.
    """
    table = read_table(content, LABELS, encoding, LACKABLE)
    rulebook = Rulebook(today, roles, documents)
    first_lines: dict[tuple[str, str], int] = {}
    return tuple(_judge(table, record, rulebook, first_lines) for record in table.records)


def rejects_csv(
    verdicts: Sequence[RowVerdict], original: bytes, *, encoding: str = "utf-8"
) -> bytes:
    """Return the rejected rows of ``original`` as CSV with a last column ``faults``.

    UTF-8 with BOM, CRLF, to be corrected. It can be read again as it is: the cells come out as
    they were, and ``faults`` is passed over. Raises ``InvalidInput`` (``ra.import.other_file``) if
    ``original`` is not the file that the verdicts are about.
    """
    table = read_table(original, LABELS, encoding, LACKABLE)
    records = {record.line: record for record in table.records}
    rows = []
    for verdict in verdicts:
        record = records.get(verdict.line)
        if record is None or _digest(record, _fields(table, record)) != verdict.row_digest:
            raise InvalidInput(
                "ra.import.other_file",
                f"Line {verdict.line} is not the row that was judged.",
                "Give the very file that was read.",
            )
        if verdict.application is None:
            faults = " / ".join(f"{f.code}: {f.text} {f.hint}" for f in verdict.faults)
            rows.append((record.cells, faults))
    return write_rejects(table.columns, rows)


def _fields(table: Table, record: Record) -> dict[str, str] | None:
    """Return column to cell, names as given, the others without outer ASCII white space.

    None if the cells do not number as the columns.
    """
    if len(record.cells) != len(table.columns):
        return None
    return {
        name: cell if _COLUMNS[name].is_name else strip_ascii(cell)
        for name, cell in zip(table.columns, record.cells, strict=True)
    }


def _digest(record: Record, fields: Mapping[str, str] | None) -> str:
    value: object = record.cells
    if fields is not None:
        value = {name: cell for name, cell in fields.items() if cell or name not in LACKABLE}
    canonical = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def _judge(
    table: Table, record: Record, rulebook: Rulebook, first_lines: dict[tuple[str, str], int]
) -> RowVerdict:
    """Return the verdict of one row; ``first_lines`` gathers the line of what is unique."""
    given = _fields(table, record)
    digest = _digest(record, given)
    if given is None:
        fault = Fault(
            FaultCode.WIDTH,
            "",
            f"The row has {len(record.cells)} cells; the header has {len(table.columns)}.",
            'Put a cell that holds a comma in quotation marks ("), and keep empty cells.',
        )
        return RowVerdict(record.line, None, None, (fault,), digest)
    fields = dict.fromkeys(LACKABLE, "") | given
    faults = [fault for name in LABELS for fault in _field_faults(name, fields, rulebook)]
    unsound = {fault.field for fault in faults}
    faults += _row_faults(fields, unsound, rulebook)
    ref = None if "application_ref" in unsound else fields["application_ref"]
    for name in ("application_ref", "web_id"):
        if name not in unsound:
            faults += _repeated(name, fields[name], record.line, first_lines)
    application = None if faults else _application(fields)
    return RowVerdict(record.line, ref, application, tuple(faults), digest)


def _field_faults(name: str, fields: Mapping[str, str], rulebook: Rulebook) -> Iterator[Fault]:
    column, cell = _COLUMNS[name], fields[name]
    if cell:
        yield from check_cell(column, cell, rulebook)
    elif column.mandatory:
        yield column.fault(FaultCode.MISSING, "is missing", _hint_for_missing(name, fields))


def _hint_for_missing(name: str, fields: Mapping[str, str]) -> str:
    suggestion = romaji_suggestion(fields["kana_name"]) if name == "romaji_name" else ""
    if suggestion:
        return f"The passport spelling would be {suggestion}; ask the applicant before using it."
    if name == "institution_ja":
        return f"Write {NO_WORKPLACE} for an applicant without a workplace."
    if name == "terms_version":
        return "Without consent to a version of the terms nothing is issued; ask the applicant."
    return "Take it from the application form or ask the applicant."


def _row_faults(
    fields: Mapping[str, str], unsound: set[str], rulebook: Rulebook
) -> Iterator[Fault]:
    """Yield what is wrong between fields that are sound by themselves."""
    if "type" not in unsound:
        yield from _channel_and_previous(fields, unsound)
    if not unsound & {"kanji_name", "kana_name"}:
        yield from _kana_parts(fields)
    if not unsound & {"birth_date", "registration_date", "received_on"}:
        yield from _registration(fields)
    if fields["director_role"] and "director_role" not in unsound:
        yield from _institution(fields, unsound)


def _kana_parts(fields: Mapping[str, str]) -> Iterator[Fault]:
    if not is_latin_name(fields["kanji_name"]) and len(fields["kana_name"].split("\u3000")) != 2:
        yield _COLUMNS["kana_name"].fault(
            FaultCode.KANA_NAME,
            "is not family and given name as the kanji name is",
            "Write both with one full-width space between.",
        )


def _channel_and_previous(fields: Mapping[str, str], unsound: set[str]) -> Iterator[Fault]:
    """Yield how the row breaks the rule of its type (``policies/data/applications.toml``)."""
    rule = application_types()[ApplicationType(fields["type"])]
    if "channel" not in unsound and fields["channel"] not in rule.channels:
        yield _COLUMNS["channel"].fault(
            FaultCode.CHANNEL_OF_TYPE,
            f"{fields['channel']} is no way for {rule.code} ({rule.japanese})",
            f"Write one of {', '.join(rule.channels)}, or correct the type.",
        )
    replaces = fields["replaces"]
    names_another = replaces not in ("", fields["application_ref"])
    if "replaces" in unsound or (names_another if rule.needs_previous else not replaces):
        return
    rest, hint = f"is not used by {rule.code} ({rule.japanese})", "Leave it empty."
    if rule.needs_previous:
        rest = f"must name another application for {rule.code} ({rule.japanese})"
        hint = "Write the number of the application whose certificates this one is about."
    yield _COLUMNS["replaces"].fault(FaultCode.REPLACES, rest, hint)


def _registration(fields: Mapping[str, str]) -> Iterator[Fault]:
    column = _COLUMNS["registration_date"]
    born, registered, received = (
        parse_day(fields[name]) for name in ("birth_date", "registration_date", "received_on")
    )
    age_reached = (registered.year - _COMING_OF_AGE, registered.month, registered.day)
    if age_reached < (born.year, born.month, born.day):
        yield column.fault(
            FaultCode.REGISTERED_TOO_YOUNG,
            f"{both_calendars(registered)} lies before the applicant's {_COMING_OF_AGE}th birthday",
            "Compare both dates with the licence; a year of an era may be misread.",
        )
    if registered > received:
        yield column.fault(
            FaultCode.REGISTERED_AFTER_RECEIPT,
            f"{both_calendars(registered)} lies after the application was received, {received}",
            "Compare both dates with the licence and the reception stamp.",
        )


def _institution(fields: Mapping[str, str], unsound: set[str]) -> Iterator[Fault]:
    """Yield which name of the institution is missing; the certificate holds it.

    Source: HPKI CP 7.1.2, O and OU are mandatory with an administrator role.
    """
    for name in ("institution_ja", "institution_en"):
        if fields[name] in ("", NO_WORKPLACE) and name not in unsound:
            yield _COLUMNS[name].fault(
                FaultCode.INSTITUTION_MISSING,
                f"is missing, but {fields['director_role']} is applied for",
                "Write the institution in Japanese and in English, or remove the role.",
            )


def _repeated(
    name: str, value: str, line: int, first_lines: dict[tuple[str, str], int]
) -> Iterator[Fault]:
    first = first_lines.setdefault((name, value), line) if value else line
    if first != line:
        yield _COLUMNS[name].fault(
            FaultCode.DUPLICATE_REF,
            f"{value} is also on line {first}",
            "Remove one of the rows, or give each its own number as reception or the web form did.",
        )


def _application(fields: Mapping[str, str]) -> ApplicationRow:
    """Return the application of a row without faults."""
    documents = parse_documents(fields["documents"])
    return ApplicationRow(
        application_ref=fields["application_ref"],
        type=ApplicationType(fields["type"]),
        channel=Channel(fields["channel"]),
        received_on=parse_day(fields["received_on"]),
        kanji_name=fields["kanji_name"],
        kana_name=fields["kana_name"],
        romaji_name=fields["romaji_name"],
        former_surname=fields["former_surname"] or None,
        birth_date=parse_day(fields["birth_date"]),
        profession=fields["profession"],
        registration_number=fields["registration_number"],
        registration_date=parse_day(fields["registration_date"]),
        director_role=fields["director_role"] or None,
        institution_ja=fields["institution_ja"],
        institution_en=fields["institution_en"] or None,
        work_prefecture=fields["work_prefecture"],
        municipality=fields["municipality"] or None,
        postal_code=fields["postal_code"],
        address=fields["address"],
        telephone=fields["telephone"],
        email=fields["email"] or None,
        member_id=fields["member_id"] or None,
        documents=tuple(documents),
        terms_version=fields["terms_version"],
        office=fields["office"] or None,
        association=fields["association"] or None,
        replaces=fields["replaces"] or None,
        web_id=fields["web_id"] or None,
        document_dates={code: parse_day(day) for code, day in documents.items() if day},
    )
