"""What the rows say against what the trail says, both ways, for the monthly review.

The trail is taken as it stands; whether it is whole is judged elsewhere. Rows and entries are
walked together in the order of the trail, a page at a time.
Source: operations 5.4: differences between log and database are explained every month.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from pydantic_core import from_json
from sqlmodel import col, select

from audit.canonical import digest
from audit.records import TrailEntry
from ca.records import Certificate, CertificateState, ListEntry, Order, Revocation
from crl.archive import Archive
from crl.lists import list_event
from crl.records import ListState, RevocationList
from operators.records import Statement
from pki.findings import Severity
from pki.serials import serial_hex
from pki.validity import rfc3339
from policies.profiles import ListScope
from reports.applications import check_applications
from reports.differences import Difference, difference, read_body, stream
from store.database import Transaction


@dataclass(frozen=True)
class _Fact:
    """What a row wants its entry to say; ``faults``: columns that differ from the row's own DER."""

    seq: int
    object_id: str | None
    detail: Mapping[str, object]
    faults: tuple[str, ...] = ()


@dataclass
class _Ledger:
    """Rows of one kind, in the order of the entries that tell of them."""

    name: str
    facts: Iterator[_Fact]
    _next: _Fact | None = field(init=False)

    def __post_init__(self) -> None:
        self._next = next(self.facts, None)

    def take(self, seq: int, body: Mapping[str, Any]) -> Iterator[Difference]:
        """Compare an entry that tells of such a row."""
        yield from self._before(seq)
        fact = self._next
        if fact is None or fact.seq != seq:
            yield difference(
                self.name, "no_row", seq, f"{body['object_id']} has an entry and no row"
            )
            return
        self._next = next(self.facts, None)
        changed = [name for name, value in fact.detail.items() if body["detail"].get(name) != value]
        if fact.object_id not in (None, body["object_id"]):
            changed.insert(0, "id")
        if changed or fact.faults:
            names = ", ".join(dict.fromkeys((*changed, *fact.faults)))
            yield difference(self.name, "differs", seq, f"{body['object_id']} has another {names}")

    def finish(self) -> Iterator[Difference]:
        """Yield the rows that no entry told of."""
        yield from self._before(None)

    def _before(self, seq: int | None) -> Iterator[Difference]:
        while self._next is not None and (seq is None or self._next.seq < seq):
            fact = self._next
            what = fact.object_id or ", ".join(map(str, fact.detail.values()))
            yield difference(self.name, "no_entry", fact.seq, f"{what} has a row and no entry")
            self._next = next(self.facts, None)


def check_rows(tx: Transaction, archive: Archive) -> Iterator[Difference]:
    """Yield every difference between rows, the archive's lists and the trail."""
    yield from check_ledgers(tx)
    yield from check_lists(tx, archive)
    yield from check_applications(tx)


def check_ledgers(tx: Transaction) -> Iterator[Difference]:
    """Yield every difference of certificates, revocations, orders and statements to the trail."""
    ledgers = {
        "CERT.POP_OK": _Ledger("reservation", _reservations(tx)),
        "CERT.ISSUE": _Ledger("certificate", _certificates(tx)),
        "REV.EXECUTE": _Ledger("revocation", _revocations(tx)),
        "ISSUE.ORDER": _Ledger("order", _orders(tx)),
    }
    signed = _Ledger("statement", _statements(tx))
    withdrawn: set[str] = set()
    body_text = _col(TrailEntry.body)
    told = _col(TrailEntry.code).in_([*ledgers, "ISSUE.WITHDRAW"])
    told |= body_text.contains('"signed":') | body_text.not_like(_ENTRY)
    for seq, text in stream(tx, sa.select(_col(TrailEntry.seq), body_text).where(told)):
        body = read_body(text)
        if body is None:
            yield Difference("trail.entry", Severity.ERROR, seq, "the entry cannot be read")
            continue
        code = body["code"]
        if code in ledgers and body["outcome"] == "OK":
            yield from ledgers[code].take(seq, body)
        if body["detail"].get("signed"):
            yield from signed.take(seq, body)
        if code == "ISSUE.WITHDRAW":
            withdrawn.add(body["object_id"])
        elif code == "CERT.ISSUE" and body["detail"].get("order") in withdrawn:
            what = f"{body['detail']['order']} was withdrawn, and {body['object_id']} issued on it"
            yield difference("order", "withdrawn", seq, what)
    for ledger in (*ledgers.values(), signed):
        yield from ledger.finish()


_ENTRY = '{"actor_id":"%Z"}'
"""How every entry begins and ends; what is none must be told."""


def _reservations(tx: Transaction) -> Iterator[_Fact]:
    query = sa.select(
        _col(Certificate.reserved_seq),
        _col(Certificate.issuer_id),
        _col(Certificate.serial),
        _col(Certificate.tbs_der),
        _col(Certificate.spki_sha256),
    )
    for seq, issuer, serial, tbs_der, spki in stream(tx, query):
        yield _Fact(seq, f"{issuer}:{serial}", {"tbs": digest(tbs_der), "spki": spki})


def _certificates(tx: Transaction) -> Iterator[_Fact]:
    issued = (col(Certificate.issued_seq).is_not(None)) | (
        col(Certificate.state) == CertificateState.ISSUED
    )
    query = sa.select(
        sa.func.coalesce(col(Certificate.issued_seq), 0).label("seq"),
        *sa.inspect(Certificate).columns,
    ).where(issued)
    for row in stream(tx, query):
        one = row._mapping
        der = one["certificate_der"] or b""
        detail = {
            "certificate": digest(der),
            "spki": one["spki_sha256"],
            "profile": one["profile"],
            "order": one["order_id"] or "",
        }
        name = f"{one['issuer_id']}:{one['serial']}"
        yield _Fact(one["seq"], name, detail, tuple(_certificate_faults(one, der)))


def _certificate_faults(row: Mapping[str, Any], der: bytes) -> Iterator[str]:
    """Yield the columns that say other than the certificate itself."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError:
        yield "certificate"
        return
    for name, value in (
        ("serial", serial_hex(certificate.serial_number)),
        ("not_before", certificate.not_valid_before_utc),
        ("not_after", certificate.not_valid_after_utc),
        ("tbs_der", certificate.tbs_certificate_bytes),
        ("sha256", digest(der)),
        ("state", CertificateState.ISSUED),
    ):
        if row[name] != value:
            yield name


def _series_keys() -> list[sa.ColumnElement[str]]:
    """Return the keys of the lists of every scope on which a certificate could stand."""
    shard = sa.cast(col(Certificate.shard), sa.Text)
    issuer = col(Certificate.issuer_id)
    return [issuer.concat(f"/{scope.value}/").concat(shard) for scope in ListScope]


def _revocations(tx: Transaction) -> Iterator[_Fact]:
    query = sa.select(
        _col(Revocation.seq),
        _col(Certificate.carrier_id),
        _col(Certificate.issuer_id),
        _col(Certificate.serial),
        _col(ListEntry.entry_der),
        _col(Revocation.ground),
        _col(Revocation.request_id),
        _col(Revocation.statement_id),
    ).join(Certificate, col(Certificate.id) == col(Revocation.certificate_id))
    query = query.outerjoin(
        ListEntry,
        sa.and_(
            col(ListEntry.series).in_(_series_keys()),
            col(ListEntry.serial) == col(Certificate.serial),
        ),
    )
    for seq, group in groupby(stream(tx, query), key=lambda row: row[0]):
        rows = list(group)
        detail: dict[str, object] = {
            "entries": {
                f"{issuer}:{serial}": digest(entry or b"")
                for _, _, issuer, serial, entry, *_ in rows
            }
        }
        _, carrier, _, _, _, ground, request, statement = rows[0]
        detail |= {"ground": ground, "request": request, "statement": statement}
        names = {(issuer, serial) for _, _, issuer, serial, *_ in rows}
        yield _Fact(seq, carrier, detail, () if len(names) == len(rows) else ("entries",))


def _orders(tx: Transaction) -> Iterator[_Fact]:
    """Yield the orders; of one that was erased after its time the digest stands for the dossier."""
    query = sa.select(
        _col(Order.accepted_seq),
        _col(Order.id),
        _col(Order.application_ref),
        _col(Order.dossier),
        _col(Order.digest),
        _col(Order.statement_ids),
    )
    for seq, order_id, ref, dossier, noted, statement_ids in stream(tx, query):
        erased = not dossier and ref in _purged(tx, [ref])
        seen = noted if erased else digest(dossier.encode())
        faults = () if noted == seen else ("digest",)
        yield _Fact(seq, order_id, {"dossier": seen, "statements": _list(statement_ids)}, faults)


def _purged(tx: Transaction, refs: list[str]) -> set[str]:
    """Return which of the applications the trail says were erased."""
    query = select(TrailEntry.object_id).where(
        TrailEntry.code == "APP.PURGE",
        TrailEntry.object_type == "application",
        TrailEntry.outcome == "OK",
        col(TrailEntry.object_id).in_(refs),
    )
    return set(tx.exec(query))


def _statements(tx: Transaction) -> Iterator[_Fact]:
    query = sa.select(
        _col(Statement.seq),
        _col(Statement.id),
        _col(Statement.body),
        _col(Statement.operator_id),
        _col(Statement.type),
        _col(Statement.object_id),
    )
    for seq, group in groupby(stream(tx, query), key=lambda row: row[0]):
        rows = list(group)
        named = {one.id: digest(one.body.encode()) for one in rows}
        faults = tuple(name for one in rows for name in _statement_faults(one))
        yield _Fact(seq, None, {"signed": named}, faults)


def _statement_faults(row: Any) -> Iterator[str]:
    """Yield the columns that say other than what was signed."""
    try:
        said = from_json(row.body, allow_inf_nan=False)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        yield "body"
        return
    for name, column in (
        ("statement_id", row.id),
        ("operator", row.operator_id),
        ("type", row.type),
        ("object_id", row.object_id),
    ):
        if said.get(name) != column:
            yield name


def check_lists(tx: Transaction, archive: Archive) -> Iterator[Difference]:
    """Yield every difference between the site's lists and the trail."""
    issued: dict[str, Mapping[str, Any]] = {}
    published: dict[str, Mapping[str, Any]] = {}
    told = _col(TrailEntry.code).in_(["CRL.ISSUE", "CRL.PUBLISH"])
    entries = sa.select(_col(TrailEntry.seq), _col(TrailEntry.body)).where(told)
    for seq, text in stream(tx, entries):
        body = read_body(text)
        if body is not None and body["code"] == "CRL.ISSUE":
            issued[body["object_id"]] = {**body["detail"], "seq": seq}
        elif body is not None and body["code"] == "CRL.PUBLISH":
            published[body["object_id"]] = body["detail"]
    query = select(RevocationList).where(RevocationList.state != ListState.NUMBERED)
    for row in tx.exec(query):
        name = f"{row.issuer_id}:{row.number}"
        entry = issued.pop(name, None)
        if entry is None:
            yield difference("list", "no_entry", 0, f"{name} has a row and no entry")
        elif changed := list(_list_faults(row, entry, published.get(name))):
            said = f"{name} has another {', '.join(changed)}"
            yield difference("list", "differs", entry["seq"], said)
        elif not archive.holds(row):
            yield difference("list", "file", entry["seq"], f"{name} lies changed in the archive")
        if (row.state is ListState.PUBLISHED) != (name in published):
            said = f"{name} is {row.state}; the trail says otherwise"
            yield difference("list", "published", 0, said)
    for name, entry in issued.items():
        yield difference("list", "no_row", entry["seq"], f"{name} has an entry and no row")


def _list_faults(
    row: RevocationList, issued: Mapping[str, Any], published: Mapping[str, Any] | None
) -> Iterator[str]:
    """Yield the columns that say other than the entries of its making and publication."""
    said = list_event("CRL.PUBLISH", row, "").detail
    made = {**said, "at": rfc3339(row.this_update) if row.this_update is not None else ""}
    yield from (name for name, value in made.items() if issued.get(name) != value)
    if published is not None and published.get("at") != said["at"]:
        yield "published_at"


def _col(attribute: Any) -> Any:
    return col(attribute)


def _list(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
