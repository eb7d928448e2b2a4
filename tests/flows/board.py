"""Applications and cards put into a store as rows, without the months of work behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlmodel import select

from audit.records import TrailEntry
from ca.records import (
    Carrier,
    CarrierKind,
    Certificate,
    CertificateState,
    Holder,
    Order,
    Revocation,
)
from pki.validity import end_after_years, start_of_day
from policies.moves import ApplicationState
from policies.profiles import Purpose
from ra.records import Application, ImportRun, Person, PersonVersion, insert_rows
from store.database import Transaction

_NAMELESS = dict.fromkeys(
    ("kanji_name", "kana_name", "romaji_name", "postal_code", "telephone"), ""
)
_start, _end = cache(start_of_day), cache(end_after_years)


@dataclass(frozen=True)
class Planted:
    """An application, and its card where one is issued; ``revoked``: the ground and the day.

    ``ref`` names person, order and card too, but for a ``person`` that has several. A contact
    change is carried out on the day it is ``decided``.
    """

    ref: str
    received: date
    issued: date | None = None
    decided: date | None = None
    revoked: tuple[str, date] | None = None
    person: str = ""
    prefecture: str = "13"
    profession: str = "医師"
    address: str = "東京都新宿区架空町1"
    municipality: str | None = None
    association: str | None = None
    kind: str = "NEW"
    replaces: str | None = None
    draft: bool = False

    @property
    def person_id(self) -> str:
        return f"H{self.person or self.ref}"

    @property
    def confirmed(self) -> date | None:
        return self.issued or self.decided

    def events(self) -> Iterator[tuple[date, int, str, str]]:
        """Yield day, order within it, code and reference of what the trail tells."""
        yield self.received, 0, "APP.RECEIVE", self.ref
        if self.decided:
            yield self.decided, 1, "APP.COMPLETED", self.ref
        if self.issued:
            yield self.issued, 2, "CERT.ISSUE", "all of the day"
        if self.revoked:
            yield self.revoked[1], 3, "REV.EXECUTE", self.ref


def plant(tx: Transaction, cards: Sequence[Planted]) -> None:
    """Insert the rows of the cards, and a trail entry for each of their events, in order of day."""
    first = tx.exec(select(sa.func.max(TrailEntry.seq))).one() or 0
    number = (tx.exec(select(sa.func.max(Certificate.id))).one() or 0) + 1
    events = sorted({event for card in cards for event in card.events()})
    seqs = {(code, ref): first + n for n, (_, _, code, ref) in enumerate(events, 1)}
    drafts = {card.ref for card in cards if card.draft}
    insert_rows(
        tx,
        TrailEntry,
        [
            _entry(first + n, day, code, ref, ref in drafts)
            for n, (day, _, code, ref) in enumerate(events, 1)
        ],
    )
    _plant_applications(tx, cards)
    made = {day: first + n for n, (day, _, code, _) in enumerate(events, 1) if code == "CERT.ISSUE"}
    issued = [(n, card) for n, card in enumerate(cards, number) if card.issued]
    known: set[str] = set(tx.exec(select(Holder.id)))
    holders = {card.person_id for _, card in issued} - known
    insert_rows(tx, Holder, [{"id": one} for one in sorted(holders)])
    insert_rows(tx, Order, [_order(card) for _, card in issued])
    kind = CarrierKind.CARD
    insert_rows(tx, Carrier, [{"id": c.ref, "order_id": c.ref, "kind": kind} for _, c in issued])
    rows = [_certificate(n, c, made[c.issued or c.received]) for n, c in issued]
    insert_rows(tx, Certificate, rows)
    insert_rows(
        tx,
        Revocation,
        [_revocation(n, c, seqs["REV.EXECUTE", c.ref]) for n, c in issued if c.revoked],
    )


def _plant_applications(tx: Transaction, cards: Sequence[Planted]) -> None:
    if tx.get(ImportRun, "planted") is None:
        run = {"id": "planted", "file_name": "", "sha256": "0" * 64, "operator_id": ""}
        insert_rows(tx, ImportRun, [run | {"at": start_of_day(cards[0].received)}])
    known: set[str] = set(tx.exec(select(Person.id)))
    persons = {card.person_id for card in cards} - known
    insert_rows(tx, Person, [{"id": one, "search_key": one} for one in sorted(persons)])
    insert_rows(tx, PersonVersion, [_version(card) for card in cards])
    insert_rows(tx, Application, [_application(card) for card in cards])


def _entry(seq: int, day: date, code: str, ref: str, draft: bool) -> Mapping[str, Any]:
    return {
        "seq": seq,
        "at": _start(day) + timedelta(hours=12),
        "code": code,
        "outcome": "OK",
        "actor": "",
        "co_actor": "",
        "object_type": "application",
        "object_id": ref,
        "body": f'{{"detail":{{"state":"{"DRAFT" if draft else "RECEIVED"}"}}}}',
        "hash": _hex("entry", str(seq)),
    }


def _version(card: Planted) -> Mapping[str, Any]:
    return {
        **_NAMELESS,
        "person_id": card.person_id,
        "valid_from": card.received,
        "address": card.address,
        "confirmed_on": card.confirmed,
    }


def _application(card: Planted) -> Mapping[str, Any]:
    return {
        "ref": card.ref,
        "person_id": card.person_id,
        "import_id": "planted",
        "row_digest": "0" * 64,
        "salt": "0" * 64,
        "type": card.kind,
        "channel": "POST",
        "state": ApplicationState.COMPLETED if card.decided else ApplicationState.RECEIVED,
        "received_on": card.received,
        "profession": card.profession,
        "registration_number": card.ref,
        "registration_date": None,
        "work_prefecture": card.prefecture,
        "municipality": card.municipality,
        "association": card.association,
        "replaces": card.replaces,
        "terms_version": "",
        "state_since": _start(card.received),
    }


def _order(card: Planted) -> Mapping[str, Any]:
    return {
        "id": card.ref,
        "application_ref": card.ref,
        "attempt": 1,
        "holder_id": card.person_id,
        "dossier": "",
        "digest": "0" * 64,
        "statement_ids": "[]",
        "accepted_seq": 1,
    }


def _certificate(number: int, card: Planted, seq: int) -> Mapping[str, Any]:
    assert card.issued is not None
    return {
        "id": number,
        "issuer_id": "sign",
        "serial": _hex("serial", card.ref)[:40],
        "order_id": card.ref,
        "carrier_id": card.ref,
        "usage": Purpose.SIGN,
        "profile": "ee-sign",
        "state": CertificateState.ISSUED,
        "subject": "",
        "not_before": _start(card.issued),
        "not_after": _end(card.issued, 5),
        "spki_sha256": _hex("key", card.ref),
        "tbs_der": b"",
        "certificate_der": b"",
        "sha256": _hex("certificate", card.ref),
        "reserved_seq": seq,
        "issued_seq": seq,
    }


def _revocation(number: int, card: Planted, seq: int) -> Mapping[str, Any]:
    assert card.revoked is not None
    ground, day = card.revoked
    return {
        "certificate_id": number,
        "ground": ground,
        "revoked_at": _start(day),
        "statement_id": "",
        "request_id": "",
        "seq": seq,
    }


def _hex(*parts: str) -> str:
    return sha256(" ".join(parts).encode()).hexdigest()
