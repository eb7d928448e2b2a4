"""Revocations: their grounds and reasons, and how soon they stood on a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from audit.records import TrailEntry
from ca.records import Certificate, ListEntry, Revocation
from crl.records import RevocationList
from pki.errors import InvalidInput
from pki.reading.entries import plain_block
from policies.controls import AuditKind
from policies.grounds import Ground, ca_grounds, grounds, reason_on_list
from policies.profiles import ListScope
from ra.records import RevocationRequest
from reports.compliance.engine import Judge, Ledger
from reports.compliance.run import Run, kinds_of
from reports.compliance.signers import Signer, signers
from reports.differences import read_body
from reports.tables import Text

NO_SUSPENSION = frozenset({6, 8})
"""certificateHold and removeFromCRL. Source: RFC 5280 section 5.3.1; operations HC-4.9.13-01."""

_GROUNDS = {one.code: one for one in (*grounds(), *ca_grounds())}


@dataclass(frozen=True)
class RevocationRow:
    """A revocation with its certificate, entry, request and what the trail says of it.

    ``listed_at``: when the list that it names was published; ``asked_at``: when it was requested
    or, of a CA's, decided.
    """

    data: Mapping[str, Any]
    said: Mapping[str, Any]
    signer: Signer | None
    asked_at: datetime | None
    published_at: datetime | None

    @property
    def name(self) -> str:
        """``revocation sign:00ab…``."""
        return f"revocation {self.data['issuer_id']}:{self.data['serial']}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """By what the CA's keys are for."""
        return kinds_of(self.data["usage"]) if self.signer is None else self.signer.kinds

    @property
    def ground(self) -> Ground | None:
        """The ground, None for one that is not in the table."""
        return _GROUNDS.get(self.data["ground"])

    @property
    def listed_reason(self) -> int | None:
        """The reasonCode of its entry; raises ``InvalidInput`` for an entry that is none."""
        return reason_of(self.data["entry_der"] or b"")


def reason_of(entry_der: bytes) -> int | None:
    """Return the reasonCode of an element of revokedCertificates; raises ``InvalidInput``."""
    block = plain_block(entry_der)
    if block is None or len(block.octets) != len(entry_der):
        raise InvalidInput("reports.entry", "the entry is not as this program writes it")
    return next(block.entries()).reason


def _series() -> list[sa.ColumnElement[str]]:
    shard, issuer = sa.cast(col(Certificate.shard), sa.Text), col(Certificate.issuer_id)
    return [issuer.concat(f"/{scope.value}/").concat(shard) for scope in ListScope]


_ENTRY = sa.and_(
    col(ListEntry.series).in_(_series()), col(ListEntry.serial) == col(Certificate.serial)
)
_QUERY = (
    sa.select(
        col(Revocation.seq),
        col(Revocation.ground),
        col(Revocation.reason),
        col(Revocation.revoked_at),
        col(Revocation.request_id),
        col(Revocation.crl_number),
        col(Revocation.published_at),
        col(Certificate.issuer_id),
        col(Certificate.serial),
        sa.type_coerce(col(Certificate.usage), sa.Text).label("usage"),
        col(ListEntry.entry_der),
        col(RevocationRequest.requested_at),
        col(RevocationList.published_at).label("list_published_at"),
        col(RevocationList.high_water_seq),
        col(TrailEntry.body),
        col(TrailEntry.code),
    )
    .join(Certificate, col(Certificate.id) == col(Revocation.certificate_id))
    .outerjoin(ListEntry, _ENTRY)
    .outerjoin(RevocationRequest, col(RevocationRequest.id) == col(Revocation.request_id))
    .outerjoin(
        RevocationList,
        sa.and_(
            col(RevocationList.issuer_id) == col(Certificate.issuer_id),
            col(RevocationList.number) == col(Revocation.crl_number),
        ),
    )
    .outerjoin(TrailEntry, col(TrailEntry.seq) == col(Revocation.seq))
    .order_by(col(Revocation.seq), col(Certificate.id))
)


def _period(run: Run) -> sa.ColumnElement[bool]:
    first, last = run.positions.start, run.positions.stop - 1
    return col(Revocation.seq).between(first, last)


def count(run: Run) -> int:
    """Return how many revocations the period has."""
    query = sa.select(sa.func.count(col(Revocation.seq))).where(_period(run))
    return run.tx.execute(query).scalar() or 0


def rows(run: Run) -> Iterator[RevocationRow]:
    """Yield the revocations executed in the period, in their order."""
    known = signers(run)
    found = run.tx.execute(_QUERY.where(_period(run)), execution_options={"yield_per": 500})
    for one in found:
        data = dict(one._mapping)
        body = read_body(data["body"]) or {}
        said = body.get("detail", {}) if data["code"] == "REV.EXECUTE" else {}
        published = data["list_published_at"]
        early = (data["high_water_seq"] or 0) < data["seq"]  # the list cannot have held it
        if published is not None and (early or published >= run.moment.at):
            published = None
        signer = known.get(data["issuer_id"])
        asked = data["requested_at"] if data["request_id"] else _decided_at(run, data)
        yield RevocationRow(data, said, signer, asked, published)


def _decided_at(run: Run, data: Mapping[str, Any]) -> datetime | None:
    """Return when the revocation of a CA was decided."""
    query = sa.select(sa.func.max(col(TrailEntry.at))).where(
        col(TrailEntry.code) == "REV.DECIDE",
        col(TrailEntry.object_id) == f"{data['issuer_id']}:{data['serial']}",
        col(TrailEntry.seq) < data["seq"],
    )
    found: datetime | None = run.tx.execute(query).scalar()
    return found


def _grounded(one: RevocationRow) -> Sequence[Text]:
    """HC-4.9.1-02: a ground of the table, and the reason that the CA's list profile maps it to."""
    if one.ground is None:
        code = one.data["ground"]
        return (Text(f"表にない事由 {code!r}", f"has no known ground: {code!r}"),)
    facts = []
    if one.said.get("ground") != one.data["ground"]:
        facts.append(Text("証跡の事由と異なる", "has another ground than its entry of the trail"))
    if one.signer is None:
        return [*facts, Text("認証局がない", "is of a CA that is not here")]
    wanted = reason_on_list(one.ground, one.signer.lists.reasons.table)
    for name, ja, reason in (
        ("row", "行", one.data["reason"]),
        ("list entry", "CRLの要素", one.listed_reason),
    ):
        if reason != wanted:
            facts.append(Text(f"{ja}の理由が{reason}", f"has {reason} as reason in its {name}"))
    return facts


def _in_time(run: Run) -> Judge[RevocationRow]:
    """HC-4.9.5-01: from the request to the list's publication; one not yet on a list, to now."""

    def judge(one: RevocationRow) -> Sequence[Text]:
        if one.ground is None or one.asked_at is None:
            return (Text("請求の時刻か事由が不明", "has no known request or ground"),)
        limit = one.ground.limit_hours
        spent = (one.published_at or run.moment.at) - one.asked_at
        if spent <= timedelta(hours=limit):
            return ()
        hours = f"{spent / timedelta(hours=1):.1f}"
        return (Text(f"公開まで{hours}時間(期限{limit}時間)", f"took {hours} h of {limit} h"),)

    return judge


def _final(one: RevocationRow) -> Sequence[Text]:
    """HC-4.9.13-01: by the row and by the octets of its entry."""
    found = {one.data["reason"], one.listed_reason} & NO_SUSPENSION
    return [Text(f"理由{code}は一時停止", f"is a hold: reason {code}") for code in found]


LEDGER = Ledger(
    "revocations",
    rows,
    count,
    {
        "HC-4.9.1-02": lambda _: _grounded,
        "HC-4.9.5-01": _in_time,
        "HC-4.9.13-01": lambda _: _final,
    },
)
