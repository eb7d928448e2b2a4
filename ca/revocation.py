"""Revocation: final, for every certificate of a carrier, on a signed decision."""

from __future__ import annotations

import json
from dataclasses import dataclass

from audit.canonical import digest
from audit.trail import Event, Trail
from ca import records
from ca.issuers import issuer_certificate, verify_shard
from ca.records import Carrier, Certificate, Issuer, ListEntry, Revocation, Series
from operators.directory import Directory, kept_statement
from operators.records import Statement
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, NotFound, Refused
from pki.reasons import Reason, entry_der
from pki.validity import Clock, whole_seconds
from policies.grounds import Ground, ground, reason_on_list
from policies.profiles import CrlProfile, ListScope, Profiles
from policies.roles import Role
from store.database import Transaction


@dataclass(frozen=True)
class RevocationOrder:
    """A decided request: which carrier, why, and the digest of the request as seen."""

    request_id: str
    carrier_id: str
    ground: Ground
    request_digest: str
    emergency: bool

    def decision(self) -> Decision:
        """Return what the revocation officer says."""
        word = "REVOKE_AT_ONCE" if self.emergency else "REVOKE"
        return Decision(
            StatementType.REVOCATION,
            "carrier",
            self.carrier_id,
            self.request_digest,
            word,
            Role.REV_OFFICER,
            reason=self.ground.code,
        )

    def execution(self) -> Decision:
        """Return what the executing IA operator says."""
        return Decision(
            StatementType.EXECUTION,
            "carrier",
            self.carrier_id,
            self.request_digest,
            "REVOKE",
            Role.IA_OPERATOR,
            reason=self.ground.code,
        )


@dataclass(frozen=True)
class Revocations:
    """Executes decided revocations."""

    trail: Trail
    directory: Directory
    profiles: Profiles
    clock: Clock

    def execute(
        self, tx: Transaction, order: RevocationOrder, statement_id: str, executor: Signer | None
    ) -> list[Certificate]:
        """Revoke every certificate of the carrier and return them.

        Two people: the officer whose statement decides and ``executor``; in an emergency the
        officer alone. Certificates only reserved count as possibly issued. Raises ``Conflict``
        when all are revoked already.
        """
        officer = self.directory.verify_kept(tx, statement_id, order.decision())
        second = None if order.emergency else _second_person(officer, executor)
        rows = living_certificates(tx, order.carrier_id)
        if not rows:
            raise Conflict(
                "ca.revoke.twice",
                f"every certificate of {order.carrier_id} is revoked already",
                "Revocation is final; nothing more is to be done.",
            )
        made = [self._revocation(tx, row, order, statement_id) for row in rows]
        entries = [self._entry(tx, *pair) for pair in zip(rows, made, strict=True)]
        event = Event(
            "REV.EXECUTE",
            "carrier",
            order.carrier_id,
            actor=second.operator_id if second else officer,
            actor_role=Role.IA_OPERATOR if second else Role.REV_OFFICER,
            co_actor=officer if second else "",
            detail={
                "certificates": [f"{row.issuer_id}:{row.serial}" for row in rows],
                "entries": {
                    f"{row.issuer_id}:{row.serial}": digest(entry.entry_der)
                    for row, entry in zip(rows, entries, strict=True)
                },
                "shards": {f"{row.issuer_id}:{row.serial}": row.shard for row in rows if row.shard},
                "ground": order.ground.code,
                "request": order.request_id,
                "emergency": order.emergency,
                "statement": statement_id,
            },
        )
        if second is None:
            self.trail.append(tx, event)
        else:
            self.directory.state(tx, event, (second, order.execution()))
        seq = self.trail.position(tx)
        for one in (*made, *entries):
            one.seq = seq
        tx.add_all([*made, *entries])
        tx.flush()
        return rows

    def _revocation(
        self, tx: Transaction, row: Certificate, order: RevocationOrder, statement_id: str
    ) -> Revocation:
        issuer = tx.get_one(Issuer, row.issuer_id)
        issuer_certificate(issuer)
        table = self.profiles.crl(issuer.crl_profile).reasons.table
        assert row.id is not None  # noqa: S101 - stored rows have one
        return Revocation(
            certificate_id=row.id,
            ground=order.ground.code,
            reason=reason_on_list(order.ground, table),
            revoked_at=whole_seconds(self.clock()),
            statement_id=statement_id,
            request_id=order.request_id,
            seq=self.trail.position(tx) + 1,
        )

    def _entry(self, tx: Transaction, row: Certificate, revocation: Revocation) -> ListEntry:
        issuer = tx.get_one(Issuer, row.issuer_id)
        series = series_of(row, issuer, self.profiles.crl(issuer.crl_profile))
        return ListEntry(
            series=series.key,
            serial=row.serial,
            not_after=row.not_after if row.certificate_der is not None else None,
            seq=revocation.seq,
            entry_der=entry_of(row, revocation),
        )


def series_of(row: Certificate, issuer: Issuer, profile: CrlProfile) -> Series:
    """Return the lists on which the certificate would stand: RARL holds the root itself.

    Raises ``Refused`` where the certificate names another part of a split list than its row.
    """
    if ListScope.FULL in profile.scopes:
        verify_shard(issuer, profile, row)
        return Series(issuer.id, ListScope.FULL, row.shard)
    own = row.certificate_der is not None and row.certificate_der == issuer.certificate_der
    return Series(issuer.id, ListScope.RARL if own else ListScope.SARL)


def entry_of(row: Certificate, revocation: Revocation) -> bytes:
    """Return the element of the list that the rows make, DER."""
    reason = Reason(revocation.reason) if revocation.reason is not None else None
    return entry_der(int(row.serial, 16), revocation.revoked_at, reason)


def verify_decided(directory: Directory, tx: Transaction, row: Certificate) -> None:
    """Raise ``Refused`` unless an officer signed the revocation of the certificate's carrier.

    The entry of its execution must name this certificate, this element of the list and the
    statement: so neither a row put in nor one that points to another carrier will do.
    """
    revocation = records.revocation_of(tx, row.id or 0)
    statement = tx.get(Statement, revocation.statement_id) if revocation else None
    if (
        revocation is None
        or statement is None
        or not _executed(directory.trail, tx, row, revocation)
    ):
        raise _unsigned(row)
    signed = kept_statement(statement).signed
    emergency = signed.field("decision") == "REVOKE_AT_ONCE"
    order = RevocationOrder(
        revocation.request_id,
        row.carrier_id or "",
        ground(revocation.ground),
        signed.field("digest"),
        emergency,
    )
    directory.verify_kept(tx, statement.id, order.decision())


def _unsigned(row: Certificate) -> Refused:
    return Refused(
        "ca.revoke.unsigned",
        f"nobody signed the revocation of {row.issuer_id}:{row.serial}",
        "Keep the store as it is and call the auditor.",
    )


def _executed(trail: Trail, tx: Transaction, row: Certificate, revocation: Revocation) -> bool:
    """Whether the trail says, where the revocation claims to stand, that it was executed so."""
    entry = trail.entry(tx, revocation.seq)
    if entry is None or digest(entry.body.encode()) != entry.hash:
        return False
    try:
        body = json.loads(entry.body)
        detail = body["detail"]
        said = (body["code"], body["object_id"], detail["statement"])
        element = detail["entries"].get(f"{row.issuer_id}:{row.serial}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    wanted = ("REV.EXECUTE", row.carrier_id, revocation.statement_id)
    return said == wanted and element == digest(entry_of(row, revocation))


def _second_person(officer: str, executor: Signer | None) -> Signer:
    if executor is None or executor.operator_id == officer:
        raise Refused(
            "ca.separation",
            "a revocation is decided by one person and executed by another",
            "Name an IA operator with --executor; --emergency is for a card lost by telephone.",
        )
    return executor


def living_certificates(tx: Transaction, carrier_id: str) -> list[Certificate]:
    """Return the carrier's certificates that are not revoked; raises ``NotFound``."""
    if tx.get(Carrier, carrier_id) is None:
        raise NotFound("ca.carrier.unknown", f"nothing was issued on {carrier_id}")
    return [
        row
        for row in records.certificates_of_carrier(tx, carrier_id)
        if row.id is not None and records.revocation_of(tx, row.id) is None
    ]
