"""Rows of the issuing part: issuers, holders, orders, carriers, certificates, revocations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import Field, SQLModel, col, select

from pki.serials import serial_hex
from policies.profiles import ListScope, Purpose
from store import columns
from store.database import Transaction


class CertificateState(StrEnum):
    """RESERVED: to-be-signed bytes stored, possibly issued. ISSUED: the certificate is stored."""

    RESERVED = "RESERVED"
    ISSUED = "ISSUED"


class CarrierKind(StrEnum):
    """What holds the private key."""

    CARD = "CARD"
    FILE = "FILE"


class Ceremony(SQLModel, table=True):
    """A key ceremony; ``transcript`` is JSON with the fields the ceremony record needs.

    ``script`` is the ceremony file, whose SHA-256 the officiants signed.
    """

    __tablename__ = "ceremony"

    id: str = Field(sa_column=columns.key_column())
    title: str = Field(sa_type=sa.Text)
    script_sha256: str = Field(sa_column=columns.hexadecimal(64))
    script: str = Field(sa_type=sa.Text)
    started_at: datetime
    ended_at: datetime | None = None
    transcript: str = Field(sa_type=sa.Text)


class Issuer(SQLModel, table=True):
    """A CA that this site runs; ``certificate_der`` is its own certificate once it has one.

    ``issues``: JSON array of end-entity profile ids; ``japanese_names``: whether certificates of
    holders carry the Japanese name.
    """

    __tablename__ = "issuer"

    id: str = Field(sa_column=columns.key_column())
    ceremony_id: str = Field(sa_column=columns.key_column("ceremony.id", primary=False))
    parent_id: str | None = Field(default=None, sa_type=sa.Text, foreign_key="issuer.id")
    purpose: Purpose | None = Field(default=None, sa_column=columns.choice(Purpose, nullable=True))
    profile: str = Field(sa_type=sa.Text)
    crl_profile: str = Field(sa_type=sa.Text)
    subject_der: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False, unique=True))
    key_label: str = Field(sa_type=sa.Text, unique=True)
    cps_uri: str = Field(sa_type=sa.Text)
    crl_uri: str = Field(sa_type=sa.Text)
    own_list_uri: str | None = Field(default=None, sa_type=sa.Text)
    certificate_der: bytes | None = None
    issues: str = Field(sa_type=sa.Text)
    japanese_names: bool


class Holder(SQLModel, table=True):
    """A person or organisation certified; the opaque id stands in the DN's serialNumber."""

    __tablename__ = "holder"

    id: str = Field(sa_column=columns.key_column())


class HolderSubject(SQLModel, table=True):
    """A subject DER, which belongs to one holder for ever."""

    __tablename__ = "holder_subject"

    subject_sha256: str = Field(sa_column=sa.Column(sa.CHAR(64), primary_key=True, nullable=False))
    holder_id: str = Field(sa_column=columns.key_column("holder.id", primary=False))


def _peer_column() -> sa.Column[str]:
    """Return a column that names another organisation, or nothing."""
    return sa.Column(sa.CHAR(16), sa.ForeignKey("peer.id"), nullable=True)


class Order(SQLModel, table=True):
    """What the registration authority ordered: its canonical file and the signed statements.

    ``authority`` is the peer whose order it is, None for our own; its reference stands before the
    application's then, as PEER/REF. ``addressee`` is the peer whose CA is to issue, None for ours.
    """

    __tablename__ = "issue_order"
    __table_args__ = (sa.UniqueConstraint("application_ref", "attempt"),)

    id: str = Field(sa_column=columns.key_column())
    application_ref: str = Field(sa_type=sa.Text)
    attempt: int
    holder_id: str = Field(sa_column=columns.key_column("holder.id", primary=False))
    dossier: str = Field(sa_type=sa.Text)
    digest: str = Field(sa_column=columns.hexadecimal(64))
    statement_ids: str = Field(sa_type=sa.Text)
    accepted_seq: int
    authority: str | None = Field(default=None, sa_column=_peer_column())
    addressee: str | None = Field(default=None, sa_column=_peer_column())


class Carrier(SQLModel, table=True):
    """A card or file that holds the keys of one order."""

    __tablename__ = "carrier"

    id: str = Field(sa_column=columns.key_column())
    order_id: str = Field(sa_type=sa.Text, foreign_key="issue_order.id", index=True)
    kind: CarrierKind = Field(sa_column=columns.choice(CarrierKind))
    chip_serial: str | None = Field(default=None, sa_type=sa.Text, unique=True)


class Certificate(SQLModel, table=True):
    """A certificate from the moment its to-be-signed bytes are fixed.

    ``shard`` is the part of the issuer's list on which it would stand, 0 where that is one piece.
    """

    __tablename__ = "certificate"
    __table_args__ = (
        sa.UniqueConstraint("issuer_id", "serial"),
        sa.UniqueConstraint("carrier_id", "usage"),
        sa.Index(None, "issuer_id", "shard"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer_id: str = Field(sa_column=columns.key_column("issuer.id", primary=False))
    serial: str = Field(sa_column=columns.hexadecimal(40))
    order_id: str | None = Field(
        default=None, sa_type=sa.Text, foreign_key="issue_order.id", index=True
    )
    carrier_id: str | None = Field(default=None, sa_type=sa.Text, foreign_key="carrier.id")
    usage: Purpose | None = Field(default=None, sa_column=columns.choice(Purpose, nullable=True))
    shard: int = 0
    profile: str = Field(sa_type=sa.Text)
    state: CertificateState = Field(sa_column=columns.choice(CertificateState, index=True))
    subject: str = Field(sa_type=sa.Text)
    not_before: datetime
    not_after: datetime
    spki_sha256: str = Field(sa_column=columns.hexadecimal(64, unique=True))
    tbs_der: bytes
    certificate_der: bytes | None = None
    sha256: str | None = Field(
        default=None, sa_column=columns.hexadecimal(64, nullable=True, unique=True)
    )
    reserved_seq: int
    issued_seq: int | None = None


class Revocation(SQLModel, table=True):
    """A final revocation; ``crl_number`` and ``published_at`` are of the first list it was on."""

    __tablename__ = "revocation"

    certificate_id: int = Field(
        sa_column=sa.Column(
            sa.Integer, sa.ForeignKey("certificate.id"), primary_key=True, autoincrement=False
        )
    )
    ground: str = Field(sa_type=sa.Text)
    reason: int | None = None
    revoked_at: datetime
    statement_id: str = Field(sa_type=sa.Text)
    request_id: str = Field(sa_type=sa.Text)
    seq: int = Field(index=True)
    crl_number: int | None = None
    published_at: datetime | None = None


class ListEntry(SQLModel, table=True):
    """One element of revokedCertificates, made when its certificate was revoked.

    Rows lie in the order of their lists; ``series`` is ``Series.key``. ``not_after`` is the
    certificate's, None for one only reserved; ``seq`` the trail position of the revocation.
    """

    __tablename__ = "list_entry"
    __table_args__ = (
        sa.Index(None, "series", "seq"),
        sa.Index(None, "series", "not_after"),
        {"sqlite_with_rowid": False},
    )

    series: str = Field(sa_column=columns.key_column())
    serial: str = Field(sa_column=sa.Column(sa.CHAR(40), primary_key=True, nullable=False))
    entry_der: bytes
    seq: int
    not_after: datetime | None = None


@dataclass(frozen=True)
class Series:
    """Lists that follow one another: a CA's of one scope, and of one shard where that is split."""

    issuer_id: str
    scope: ListScope
    shard: int = 0

    @property
    def key(self) -> str:
        """``sign/FULL/0``, as entries name their series."""
        return f"{self.issuer_id}/{self.scope}/{self.shard}"

    def __str__(self) -> str:
        return f"{self.issuer_id} {self.scope}" + (f" {self.shard}" if self.shard else "")


_ENTRY = SQLModel.metadata.tables["list_entry"]


def issuers(tx: Transaction) -> list[Issuer]:
    """Return all issuers, roots first, then by id."""
    found = tx.exec(select(Issuer).order_by(col(Issuer.id)))
    return sorted(found, key=lambda issuer: (issuer.parent_id is not None, issuer.id))


def newest_issuers(tx: Transaction) -> list[Issuer]:
    """Return all issuers, the last one certified first, those without a certificate at the end."""
    own = sa.and_(
        col(Certificate.order_id).is_(None),
        col(Certificate.certificate_der) == col(Issuer.certificate_der),
    )
    query = (
        select(Issuer)
        .outerjoin(Certificate, own)
        .order_by(sa.func.coalesce(Certificate.issued_seq, 0).desc(), col(Issuer.id))
    )
    return list(tx.exec(query))


def order_of_application(tx: Transaction, application_ref: str) -> Order | None:
    """Return the newest attempt's order, or None."""
    query = (
        select(Order)
        .where(Order.application_ref == application_ref)
        .order_by(col(Order.attempt).desc())
    )
    return tx.exec(query).first()


def orders_of_application(tx: Transaction, application_ref: str) -> list[Order]:
    """Return the orders of every attempt, oldest first."""
    query = select(Order).where(Order.application_ref == application_ref)
    return list(tx.exec(query.order_by(col(Order.attempt))))


def authorities_of_holder(tx: Transaction, holder_id: str) -> set[str | None]:
    """Return whose orders certified the holder, None for our own."""
    return set(tx.exec(select(Order.authority).where(Order.holder_id == holder_id)))


def carrier_by_chip(tx: Transaction, chip_serial: str) -> Carrier | None:
    """Return the carrier that is this card, or None."""
    return tx.exec(select(Carrier).where(Carrier.chip_serial == chip_serial)).one_or_none()


def carriers_of_order(tx: Transaction, order_id: str) -> list[Carrier]:
    """Return the order's carriers."""
    return list(tx.exec(select(Carrier).where(Carrier.order_id == order_id)))


def certificates_of_carrier(tx: Transaction, carrier_id: str) -> list[Certificate]:
    """Return the carrier's certificates, signing before authentication."""
    query = (
        select(Certificate)
        .where(Certificate.carrier_id == carrier_id)
        .order_by(col(Certificate.usage).desc())
    )
    return list(tx.exec(query))


def key_is_certified(tx: Transaction, spki_sha256: str) -> bool:
    """Return whether any certificate of this site, issued or reserved, holds the key."""
    query = select(Certificate.id).where(Certificate.spki_sha256 == spki_sha256)
    return tx.exec(query).first() is not None


def certificate_by_serial(tx: Transaction, serial: int, issuer_id: str | None) -> list[Certificate]:
    """Return the certificates of that serial, of one issuer or of any."""
    query = select(Certificate).where(Certificate.serial == serial_hex(serial))
    if issuer_id is not None:
        query = query.where(Certificate.issuer_id == issuer_id)
    return list(tx.exec(query))


def certificates(
    tx: Transaction, *, states: Sequence[CertificateState], after: int = 0, limit: int = 1000
) -> list[Certificate]:
    """Return a page of certificates with ``id`` above ``after``, in order of issue."""
    query = (
        select(Certificate)
        .where(col(Certificate.state).in_(states), col(Certificate.id) > after)
        .order_by(col(Certificate.id))
        .limit(limit)
    )
    return list(tx.exec(query))


def shards_used(tx: Transaction, issuer_id: str) -> int:
    """Return one more than the highest shard of the issuer's certificates, or 0."""
    query = select(sa.func.max(Certificate.shard)).where(Certificate.issuer_id == issuer_id)
    found = tx.exec(query).one()
    return 0 if found is None else int(found) + 1


def revocation_of(tx: Transaction, certificate_id: int) -> Revocation | None:
    """Return the certificate's revocation, or None."""
    return tx.get(Revocation, certificate_id)


def entries_page(
    tx: Transaction, series: Series, kept_since: datetime | None, after: str, limit: int
) -> bytes:
    """Return a page of the series' entries with serial above ``after``, in order of serial.

    DER as on the list, one behind the other, nothing behind the last page; without those of
    certificates that had expired before ``kept_since``. The database joins them: a million values
    of their own would cost a second.
    """
    page = (
        sa.select(_ENTRY.c.entry_der, _ENTRY.c.serial)
        .where(_ENTRY.c.series == series.key, _ENTRY.c.serial > after)
        .order_by(_ENTRY.c.serial)
        .limit(limit)
    )
    if kept_since is not None:
        page = page.where(sa.or_(_ENTRY.c.not_after.is_(None), _ENTRY.c.not_after >= kept_since))
    found = page.subquery()
    joined: sa.ColumnElement[bytes]
    if tx.connection().dialect.name == "postgresql":
        ordered: Any = aggregate_order_by(sa.literal_column("''::bytea"), found.c.serial)
        joined = sa.func.string_agg(found.c.entry_der, ordered)
    else:
        joined = sa.cast(sa.func.group_concat(found.c.entry_der, ""), sa.LargeBinary)
    return tx.connection().execute(sa.select(joined)).scalar() or b""


def newest_entry(tx: Transaction, series: Series) -> int:
    """Return the trail position of the series' newest revocation, 0 for none."""
    query = sa.select(sa.func.max(_ENTRY.c.seq)).where(_ENTRY.c.series == series.key)
    return tx.connection().execute(query).scalar() or 0


def has_ended(tx: Transaction, series: Series, before: datetime) -> bool:
    """Say whether the certificate of any of the series' entries expired before that."""
    query = sa.select(_ENTRY.c.serial).where(
        _ENTRY.c.series == series.key, _ENTRY.c.not_after < before
    )
    return tx.connection().execute(query.limit(1)).first() is not None


def ended_entries(tx: Transaction, series: Series, since: datetime, before: datetime) -> int:
    """Return how many of the series' entries are of certificates that ended in that time."""
    ended = _ENTRY.c.not_after >= since, _ENTRY.c.not_after < before
    query = (
        sa.select(sa.func.count()).select_from(_ENTRY).where(_ENTRY.c.series == series.key, *ended)
    )
    return tx.connection().execute(query).scalar() or 0


def list_entry(tx: Transaction, series: Series, serial: str) -> ListEntry | None:
    """Return the entry of that serial (40 hexadecimal digits), or None."""
    return tx.get(ListEntry, (series.key, serial))


def is_listed(tx: Transaction, issuer_id: str, serial: str, shard: int) -> bool:
    """Say whether the serial is an entry of any of the CA's series for that shard."""
    series = [Series(issuer_id, scope, one).key for scope in ListScope for one in {0, shard}]
    query = sa.select(_ENTRY.c.serial).where(_ENTRY.c.series.in_(series), _ENTRY.c.serial == serial)
    return tx.connection().execute(query.limit(1)).first() is not None


def mark_published(
    tx: Transaction, series: Series, after: int, up_to: int, number: int, at: datetime
) -> None:
    """Write list number and time of publication on revocations of the series that had none.

    Those executed behind the trail position ``after`` and not behind ``up_to``.
    """
    listed = sa.exists().where(
        _ENTRY.c.series == series.key,
        _ENTRY.c.serial == col(Certificate.serial),
        col(Certificate.issuer_id) == series.issuer_id,
        col(Certificate.id) == col(Revocation.certificate_id),
    )
    tx.execute(
        sa.update(Revocation)
        .where(
            col(Revocation.crl_number).is_(None),
            col(Revocation.seq) > after,
            col(Revocation.seq) <= up_to,
            listed,
        )
        .values(crl_number=number, published_at=at),
        execution_options={"synchronize_session": False},
    )


def ceremonies(tx: Transaction) -> list[Ceremony]:
    """Return the ceremonies held, oldest first."""
    return list(tx.exec(select(Ceremony).order_by(col(Ceremony.started_at))))
