"""A whole file as an operator sees it: values, papers, checks, doubts, letters and its history."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from cli.terms import (
    channel_term,
    check_term,
    document_term,
    event_term,
    refusal_term,
    state_term,
    term,
    type_term,
)

if TYPE_CHECKING:
    from audit.records import TrailEntry
    from cli.wiring import Services
    from operators.statements import Signer
    from ra.records import Application
    from store.database import Transaction

_MOST_ENTRIES = 1000


def open_file(services: Services, ref: str, operator: Signer) -> dict[str, Any]:
    """Return the file as data, after entering that the operator looks at it."""
    from ra.casework.views import Use

    services.views.enter(Use.VIEW, [ref], operator.operator_id, "file")
    return read_file(services, ref)


def read_file(services: Services, ref: str) -> dict[str, Any]:
    """Return the file as data: codes and dates, lists of objects; nothing is entered."""
    from ra.records import find_application

    with services.store.read() as tx:
        row = find_application(tx, ref)
        found = _person(tx, row) | _papers(tx, row) | _work(tx, row)
        found |= _certified(services, tx, row)
    return found | {"history": _history(services, ref)}


def worded(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the file for reading: official terms first, both calendars, a line for each thing.

    What is empty is left out.
    """
    return {name: _LINES.get(name, _plain)(value) for name, value in found.items() if value}


def _person(tx: Transaction, row: Application) -> dict[str, Any]:
    from ra import records
    from ra.records import Person

    version, person = records.applicant(tx, row), tx.get_one(Person, row.person_id)
    return {
        "application": row.ref,
        "state": row.state.value,
        "state_since": row.state_since,
        "due_on": row.due_on,
        "type": row.type,
        "channel": row.channel,
        "received_on": row.received_on,
        "web_id": row.web_id,
        "office": row.office,
        "replaces": row.replaces,
        "kanji_name": version.kanji_name,
        "kana_name": version.kana_name,
        "romaji_name": version.romaji_name,
        "former_surname": version.former_surname,
        "birth_date": person.birth_date or "",
        "profession": row.profession,
        "registration_number": row.registration_number,
        "registration_date": row.registration_date or "",
        "director_role": row.director_role,
        "institution_ja": row.institution_ja,
        "institution_en": row.institution_en,
        "prefecture": row.work_prefecture,
        "municipality": row.municipality,
        "association": row.association,
        "member_id": row.member_id,
        "postal_code": version.postal_code,
        "address": version.address,
        "telephone": version.telephone,
        "email": version.email,
        "reject_code": row.reject_code,
        "reject_reason": row.reject_reason,
        "erased_at": row.erased_at,
    }


def _papers(tx: Transaction, row: Application) -> dict[str, Any]:
    from ra import records
    from ra.casework.guards import missing_documents
    from ra.casework.records import matches_of
    from ra.examination import unchecked

    erased = row.erased_at is not None
    return {
        "documents": [
            {
                "document": f"{one.code}.{one.number}",
                "received_on": one.received_on,
                "issued_on": one.issued_on,
                "valid_until": one.valid_until,
                "result": one.result.value if one.result else None,
                "note": one.note,
                "filed": one.file_name is not None,
            }
            for one in records.documents_of(tx, row.ref)
        ],
        "missing": [] if erased else list(missing_documents(tx, row)),
        "checks": [
            {"check": one.kind, "method": one.method, "result": one.result.value, "note": one.note}
            for one in records.checks_of(tx, row.ref)
        ],
        "unchecked": [] if erased else [rule.kind for rule in unchecked(tx, row)],
        "matches": [
            {
                "source": one.source,
                "field": one.field,
                "verdict": one.verdict,
                "seen": one.seen,
                "explanation": one.explanation,
            }
            for one in matches_of(tx, row.ref)
        ],
    }


def _work(tx: Transaction, row: Application) -> dict[str, Any]:
    from ra.casework import records as work
    from ra.casework.records import Fee, NoticeKind

    fee = tx.get(Fee, row.ref)
    return {
        "duplicates": duplicates_of(tx, row),
        "inquiries": [
            {
                "inquiry": one.inquiry_id,
                "line": one.line,
                "answer": one.answer.value if one.answer else None,
                "answered_on": one.answered_on,
            }
            for one in work.inquiries_of(tx, row.ref)
        ],
        "deficiencies": [
            {
                "number": one.number,
                "items": one.items.split(","),
                "note": one.note,
                "asked_on": one.asked_on,
                "supplied_on": one.supplied_on,
            }
            for one in work.deficiencies_of(tx, row.ref)
        ],
        "fee": fee
        and {
            "yen": fee.yen,
            "state": fee.state.value,
            "asked_on": fee.asked_on,
            "settled_on": fee.settled_on,
        },
        "notices": [
            {"notice": one.kind.value, "due_on": one.due_on, "sent_on": one.sent_on}
            for kind in NoticeKind
            for one in work.notices_of(tx, row.ref, kind)
        ],
    }


def duplicates_of(tx: Transaction, row: Application) -> list[dict[str, Any]]:
    """Return the files that may be the same, why, and what the examiner chose about them."""
    from ra import records
    from ra.casework.duplicates import candidates
    from ra.casework.records import choices_of

    choices = {one.other_ref: one.choice.value for one in choices_of(tx, row.ref)}
    return [
        {
            "application": one.other.ref,
            "state": one.other.state.value,
            "kanji_name": records.applicant(tx, one.other).kanji_name,
            "profession": one.other.profession,
            "registration_number": one.other.registration_number,
            "likenesses": [likeness.value for likeness in one.likenesses],
            "choice": choices.get(one.other.ref),
        }
        for one in candidates(tx, row)
    ]


def _certified(services: Services, tx: Transaction, row: Application) -> dict[str, Any]:
    from pki.names import text
    from ra import records
    from ra.casework.guards import rule_of
    from ra.dossiers import content, examined_offer

    if row.erased_at is not None or not rule_of(row).issues:
        return {}
    offer = examined_offer(row)
    wanted = content(row, records.applicant(tx, row), services.kind, offer)
    return {
        "subject": text(wanted.subject()),
        "hc_roles": list(wanted.roles),
        "profiles": list(offer.profiles.values()),
        "received_certificates": _received(tx, row),
    }


def _received(tx: Transaction, row: Application) -> list[str]:
    """Return purpose and SHA-256 of what another organisation's CA issued for the file."""
    from hashlib import sha256

    from ca.records import orders_of_application
    from ra.handover.records import certificates_of_order

    return [
        f"{one.usage} {sha256(one.certificate_der).hexdigest()}"
        for order in orders_of_application(tx, row.ref)
        for one in certificates_of_order(tx, order.id)
    ]


def _history(services: Services, ref: str) -> list[dict[str, Any]]:
    from audit.trail import Criteria

    wanted = Criteria(object_type="application", object_id=ref)
    found = services.trail.search(wanted, limit=_MOST_ENTRIES)
    return [_entry(one) for one in found if one.code != "PII.VIEW"]


def _entry(entry: TrailEntry) -> dict[str, Any]:
    detail = json.loads(entry.body)["detail"]
    origin, _, to = str(detail.get("move", "")).partition(">")
    return {
        "time": entry.at,
        "code": entry.code,
        "actor": entry.actor,
        "from": origin or None,
        "state": to or detail.get("state"),
    }


def _plain(value: object) -> str:
    from cli.output import jst
    from ra.dates import both_calendars

    if isinstance(value, list):
        return "\n".join(str(one) for one in value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return both_calendars(value)
    return jst(value) if isinstance(value, datetime) else str(value)


def _day(label: str, day: date | None) -> str:
    return f" {label} {_plain(day)}" if day else ""


def _document(one: Mapping[str, Any]) -> str:
    said = f" {term(one['result'])}" if one["result"] else " 未確認"
    file = "" if one["filed"] else " 紙のみ"
    days = _day("書類の日付", one["issued_on"]) + _day("有効期限", one["valid_until"])
    return f"{document_term(one['document'])}{said}{file}{days} {one['note']}".rstrip()


def _match(one: Mapping[str, Any]) -> str:
    seen = f" 「{one['seen']}」" if one["seen"] else ""
    why = f" 説明: {one['explanation']}" if one["explanation"] else ""
    return f"{document_term(one['source'])} {one['field']} {term(one['verdict'])}{seen}{why}"


def _duplicate(one: Mapping[str, Any]) -> str:
    why = "・".join(term(likeness) for likeness in one["likenesses"])
    choice = term(one["choice"]) if one["choice"] else "未判断"
    return f"{one['application']} {state_term(one['state'])} {why} → {choice}"


def _inquiry(one: Mapping[str, Any]) -> str:
    answer = term(one["answer"]) if one["answer"] else "回答待ち"
    return f"{one['inquiry']} 行{one['line']} {answer}{_day('回答', one['answered_on'])}"


def _deficiency(one: Mapping[str, Any]) -> str:
    items = "・".join(document_term(item) for item in one["items"])
    supplied = _day("補完", one["supplied_on"]) or " 補完待ち"
    return f"{items}{_day('照会', one['asked_on'])}{supplied} {one['note']}".rstrip()


def _fee(one: Mapping[str, Any]) -> str:
    return f"{one['yen']:,}円 {term(one['state'])}{_day('', one['settled_on'])}"


def _notice(one: Mapping[str, Any]) -> str:
    sent = _day("発送", one["sent_on"]) or _day("期限", one["due_on"])
    return f"{term(one['notice'])}{sent}"


def _past(one: Mapping[str, Any]) -> str:
    state = f" → {state_term(one['state'])}" if one["state"] else ""
    return f"{_plain(one['time'])} {event_term(one['code'])} {one['actor']}{state}"


def _check(one: Mapping[str, Any]) -> str:
    return (
        f"{check_term(one['check'])} {term(one['result'])} {one['method']} {one['note']}".rstrip()
    )


def _each(line: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "\n".join(line(one) for one in value)


_LINES: Mapping[str, Callable[[Any], str]] = {
    "state": state_term,
    "type": type_term,
    "channel": channel_term,
    "reject_code": refusal_term,
    "documents": _each(_document),
    "missing": _each(document_term),
    "checks": _each(_check),
    "unchecked": _each(check_term),
    "matches": _each(_match),
    "duplicates": _each(_duplicate),
    "inquiries": _each(_inquiry),
    "deficiencies": _each(_deficiency),
    "fee": _fee,
    "notices": _each(_notice),
    "history": _each(_past),
}
