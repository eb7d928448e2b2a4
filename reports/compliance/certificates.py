"""Certificates as the audit reads them: from their DER, with what stands beside them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import from_json
from sqlmodel import col

from audit.records import TrailEntry, content_of
from ca.dossier import Dossier, read_dossier
from ca.records import Carrier, Certificate, CertificateState, HolderSubject, Order, issuers
from operators.records import Statement
from pki.errors import HpkiError, InvalidInput
from pki.reading import certificate as reading
from pki.serials import serial_hex
from pki.signing import twin
from policies.controls import AuditKind
from policies.profiles import CertificateProfile
from reports.compliance.engine import Judge
from reports.compliance.run import Run, kinds_of
from reports.compliance.signers import Signer, signers
from reports.tables import Text

DAMAGED = (HpkiError, ValueError)
"""What reading a certificate raises."""

_PAGE = 400
_ISSUED = CertificateState.ISSUED.value
_KEYGEN = "CARD.KEYGEN"
_SIGNED = ("APPROVAL", "EXECUTION")


Authorities = frozenset[tuple[bytes, bytes | None]]
"""Subject and key of every CA of the site; None for a key that cannot be read."""


class Entry(NamedTuple):
    """An entry of the trail; ``content`` is None where it is not the one that was entered."""

    seq: int
    at: datetime
    code: str
    outcome: str
    hash: str
    content: Mapping[str, Any] | None


@dataclass
class Beside:
    """What stands beside a page of certificates, fetched at once.

    ``entries`` by position; ``keygens``: what CARD.KEYGEN said of a card; ``statements`` by id;
    ``holders`` by SHA-256 of the subject; by their columns, the first row ever with a key, and the
    first with an issuer and serial number; ``partners``: of a carrier, the first one issued.
    """

    entries: Mapping[int, Entry]
    keygens: Mapping[str, Sequence[Mapping[str, Any]]]
    statements: Mapping[str, Any]
    holders: Mapping[str, str]
    keys: Mapping[str, int]
    serials: Mapping[tuple[str, str], int]
    partners: Mapping[str, CertificateRow]


@dataclass
class CertificateRow:
    """One certificate: its columns and those of its order, its CA and profile where known.

    ``in_period``: issued, or reserved, in it; ``authorities``: the CAs of the site.
    """

    data: Mapping[str, Any]
    signer: Signer | None
    profile: CertificateProfile | None
    in_period: bool
    authorities: Authorities
    beside: Beside | None = None

    @cached_property
    def name(self) -> str:
        """``certificate sign:00ab…``."""
        return f"certificate {self.data['issuer_id']}:{self.data['serial']}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """By what its profile is for; of a root or of an unknown one, both."""
        return kinds_of(self.profile.purpose if self.profile is not None else self.data["usage"])

    @cached_property
    def is_issued(self) -> bool:
        """Whether the certificate exists, and is not only reserved."""
        return bool(self.data["state"] == _ISSUED)

    @cached_property
    def is_of_holder(self) -> bool:
        """Whether it is a holder's, issued in the period."""
        return self.in_period and self.is_issued and not self.is_authority

    @property
    def partner(self) -> CertificateRow | None:
        """The certificate on the same carrier that was made before it."""
        found = self.beside and self.beside.partners.get(self.data["carrier_id"])
        return found if found and found.data["id"] < self.data["id"] else None

    @cached_property
    def is_authority(self) -> bool:
        """Whether subject and key are those of a CA of this site."""
        try:
            subject, key = self.read.subject.der, self.read.public_key.der
            return not self.authorities.isdisjoint({(subject, key), (subject, None)})
        except DAMAGED:
            return self.data["order_id"] is None

    @cached_property
    def read(self) -> reading.Certificate:
        """What is encoded; of one only reserved, what would be signed. Raises ``InvalidInput``."""
        if self.is_issued:
            return reading.read_certificate(self.data["certificate_der"] or b"")
        if self.signer is None:
            raise InvalidInput("reports.certificate", "its CA is unknown")
        key, hash_name = self.signer.public_key, self.signer.hash_name
        return reading.read_certificate(twin(self.data["tbs_der"], key, hash_name))

    @cached_property
    def spki_sha256(self) -> str:
        """SHA-256 of the key as it is encoded."""
        return hashlib.sha256(self.read.public_key.der).hexdigest()

    @cached_property
    def subject_sha256(self) -> str:
        """SHA-256 of the subject as it is encoded."""
        return hashlib.sha256(self.read.subject.der).hexdigest()

    @cached_property
    def dossier(self) -> Dossier | None:
        """The file that was ordered, None where it was erased; raises ``InvalidInput``."""
        return _dossier(self.data["dossier"]) if self.data["dossier"] else None

    @property
    def statement_ids(self) -> list[str]:
        """The order's statements, none where they cannot be read."""
        return _ids(self.data["statement_ids"])

    @property
    def issued_at(self) -> datetime | None:
        """When it was issued, by the trail."""
        found = self.beside.entries.get(self.data["issued_seq"]) if self.beside else None
        return None if found is None else found.at

    def said(self, column: str, code: str) -> Mapping[str, Any]:
        """Return the content of the entry at the position in the column, {} for no such entry."""
        found = self.beside.entries.get(self.data[column]) if self.beside is not None else None
        if found is None or (found.code, found.outcome) != (code, "OK"):
            return {}
        said = found.content or {}
        about = f"{self.data['issuer_id']}:{self.data['serial']}"
        return said if said.get("object_id") == about else {}


@lru_cache(maxsize=64)
def _dossier(text: str) -> Dossier:
    """Return the file of an order, whose certificates follow each other."""
    return read_dossier(text.encode())


_PLAIN = {"usage", "state"}
_ROW = sa.inspect(Certificate).columns
_COLUMNS: list[Any] = [
    *(sa.type_coerce(one, sa.Text).label(one.key) if one.key in _PLAIN else one for one in _ROW),
    sa.type_coerce(col(Carrier.kind), sa.Text).label("carrier_kind"),
    col(Carrier.chip_serial),
    col(Order.application_ref),
    col(Order.dossier),
    col(Order.digest),
    col(Order.statement_ids),
    col(Order.authority),
    col(Order.holder_id),
]
_QUERY = (
    sa.select(*_COLUMNS)
    .outerjoin(Order, col(Order.id) == col(Certificate.order_id))
    .outerjoin(Carrier, col(Carrier.id) == col(Certificate.carrier_id))
    .order_by(col(Certificate.id))
)


def count(run: Run) -> int:
    """Return how many certificates there are."""
    return run.tx.execute(sa.select(sa.func.count(col(Certificate.id)))).scalar() or 0


def rows(run: Run, after: int | None = None, upto: int | None = None) -> Iterator[CertificateRow]:
    """Yield every certificate up to the moment, those before the period too, in their order."""
    known = signers(run)
    authorities = _authorities(run, known)
    within = [_ROW.id <= upto] if upto is not None else []
    after = after or 0
    while page := _page(run, _ROW.id > after, *within):
        after = page[-1]["id"]
        made = [_row(run, one, known, authorities) for one in page]
        entered = [one for one in made if one.data["reserved_seq"] <= run.moment.head.seq]
        partners = _partners(run, entered, known, authorities)
        beside = _beside(run, [one for one in entered if one.in_period], partners)
        for one in entered:
            one.beside = beside
            yield one


def _authorities(run: Run, known: Mapping[str, Signer]) -> Authorities:
    found: set[tuple[bytes, bytes | None]] = set()
    for one in issuers(run.tx):
        key = None
        with suppress(*DAMAGED):
            key = known[one.id].read.public_key.der if one.id in known else None
        found.add((one.subject_der, key))
    return frozenset(found)


def _page(run: Run, *wanted: sa.ColumnElement[bool]) -> list[Mapping[str, Any]]:
    """Return a page of rows; one that holds no values of its columns comes with its name alone."""
    query = _QUERY.where(*wanted).limit(_PAGE)
    try:
        return [dict(one._mapping) for one in run.tx.connection().execute(query).all()]
    except (ValueError, TypeError):
        ids = sa.select(_ROW.id).where(*wanted).order_by(_ROW.id).limit(_PAGE)
        return [_single(run, one) for one in run.tx.execute(ids).scalars()]


def _single(run: Run, row_id: int) -> Mapping[str, Any]:
    query = _QUERY.where(col(Certificate.id) == row_id)
    try:
        return dict(run.tx.execute(query).one()._mapping)
    except (ValueError, TypeError):
        names = (_ROW.id, _ROW.issuer_id, _ROW.serial, _ROW.reserved_seq, _ROW.issued_seq)
        found = run.tx.execute(sa.select(*names).where(_ROW.id == row_id)).one()._mapping
        empty = dict.fromkeys(one.key for one in _COLUMNS)
        return {**empty, **found, "state": _ISSUED, "profile": ""}


def _row(
    run: Run,
    data: Mapping[str, Any],
    known: Mapping[str, Signer],
    authorities: Authorities,
) -> CertificateRow:
    profile = run.profiles.certificates.get(data["profile"].partition("@")[0])
    seq = data["issued_seq"] or data["reserved_seq"]
    in_period = seq in run.positions
    return CertificateRow(data, known.get(data["issuer_id"]), profile, in_period, authorities)


def _beside(
    run: Run, page: Sequence[CertificateRow], partners: Mapping[str, CertificateRow]
) -> Beside:
    data = [one.data for one in page]
    positions = {one[name] for one in data for name in ("reserved_seq", "issued_seq")} - {None}
    subjects, statements, spkis, serials = set(), set(), set(), set()
    for one in page:
        with suppress(*DAMAGED):
            subjects.add(one.subject_sha256)
            spkis.add(one.spki_sha256)
            serials.add(serial_hex(one.read.serial))
        statements |= set(one.statement_ids)
    entries = _entries(run, col(TrailEntry.seq), positions)
    cards = {one["chip_serial"] for one in data} - {None}
    keygens: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    about = (col(TrailEntry.code) == _KEYGEN, col(TrailEntry.seq) <= run.moment.head.seq)
    for entry in _entries(run, col(TrailEntry.object_id), cards, *about):
        if entry.content is not None and entry.outcome == "OK":
            keygens[str(entry.content["object_id"])].append(entry.content["detail"])
    for entry in entries:
        found = entry.content["detail"].get("statements") if entry.content is not None else None
        statements |= set(map(str, found)) if isinstance(found, list) else set()
    made = _all(run, [Statement], col(Statement.id), statements, col(Statement.type).in_(_SIGNED))
    signed = {one.seq for one in made} - {one.seq for one in entries}
    entries += _entries(run, col(TrailEntry.seq), signed)
    columns = [HolderSubject.subject_sha256, HolderSubject.holder_id]
    holders = _all(run, columns, col(HolderSubject.subject_sha256), subjects)
    return Beside(
        {one.seq: one for one in entries},
        keygens,
        {one.id: one for one in made},
        {subject: holder for subject, holder in holders},
        _first_keys(run, spkis),
        _first_serials(run, {one["issuer_id"] for one in data}, serials),
        partners,
    )


def _first_keys(run: Run, spkis: Iterable[str]) -> Mapping[str, int]:
    found = _all(run, [_ROW.spki_sha256, _ROW.id], _ROW.spki_sha256, spkis)
    return {spki: row_id for spki, row_id in sorted(found, reverse=True)}


def _first_serials(
    run: Run, names: Iterable[str], serials: Iterable[str]
) -> Mapping[tuple[str, str], int]:
    columns = [_ROW.issuer_id, _ROW.serial, _ROW.id]
    found = _all(run, columns, _ROW.serial, serials, _ROW.issuer_id.in_(names))
    return {(name, serial): row_id for name, serial, row_id in sorted(found, reverse=True)}


def _partners(
    run: Run,
    page: Sequence[CertificateRow],
    known: Mapping[str, Signer],
    authorities: Authorities,
) -> Mapping[str, CertificateRow]:
    """Return the first certificate issued on each carrier of the page."""
    carriers = {one.data["carrier_id"] for one in page} - {None}
    before = page[0].data["id"] if page else 0
    ids = [one.id for one in _all(run, [_ROW.id], _ROW.carrier_id, carriers, _ROW.id < before)]
    earlier = [_row(run, _single(run, one), known, authorities) for one in sorted(ids)]
    found: dict[str, CertificateRow] = {}
    for one in (*earlier, *page):
        if one.is_issued and one.data["carrier_id"] is not None:
            found.setdefault(one.data["carrier_id"], one)
    return found


_ENTRY = [
    *(TrailEntry.seq, TrailEntry.at, TrailEntry.code),
    *(TrailEntry.outcome, TrailEntry.hash, TrailEntry.body),
]


def _entries(run: Run, column: Any, values: Iterable[Any], *more: Any) -> list[Entry]:
    found = _all(run, _ENTRY, column, values, *more)
    return [
        Entry(one.seq, one.at, one.code, one.outcome, one.hash, content_of(one.body, one.hash))
        for one in found
    ]


def _all(run: Run, what: list[Any], column: Any, values: Iterable[Any], *more: Any) -> list[Any]:
    """Return the rows whose column holds one of the values."""
    found = sorted(values)
    rows: list[Any] = []
    for at in range(0, len(found), _PAGE):
        query = sa.select(*what).where(column.in_(found[at : at + _PAGE]), *more)
        rows += run.tx.connection().execute(query).all()
    return rows


def _ids(text: str | None) -> list[str]:
    try:
        found = from_json(text or "[]")
    except ValueError:
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


def of_holders(
    judge: Callable[[CertificateRow], Sequence[Text]],
) -> Callable[[Run], Judge[CertificateRow]]:
    """Return a maker of the judge for holders' certificates that were issued in the period."""

    def judged(one: CertificateRow) -> Sequence[Text] | None:
        return judge(one) if one.is_of_holder else None

    return lambda _: judged
