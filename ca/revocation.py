"""Revocation: final, on signed decisions: every certificate of a carrier, or a CA's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cryptography import x509

from audit.canonical import canonical_json, digest
from audit.chain import KEEP
from audit.records import Criteria, search
from audit.trail import Event, Trail
from ca import records
from ca.issuers import (
    find_issuer,
    issuer_certificate,
    own_certificate,
    own_serial,
    verify_shard,
)
from ca.records import Carrier, Certificate, Issuer, ListEntry, Revocation, Series
from operators.directory import Directory, kept_statement
from operators.records import Statement
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.reading.certificate import serial_in
from pki.reading.tlv import DerError
from pki.reasons import Reason, entry_der
from pki.serials import serial_hex
from pki.validity import Clock, whole_seconds
from policies.grounds import Ground, ca_ground, ground, reason_on_list
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
class CaGround:
    """Why two managers revoke a CA's certificate, and what shows it."""

    ground: Ground
    evidence: str

    def content(self) -> dict[str, object]:
        """Return it as the trail holds it."""
        return {"ground": self.ground.code, "evidence": self.evidence}

    def decisions(self, row: Certificate) -> tuple[Decision, Decision]:
        """Return what a CA manager and an IA manager say of the certificate."""
        certificate = hashlib.sha256(row.certificate_der or b"").hexdigest()
        seen = digest(canonical_json({"certificate": certificate, "evidence": self.evidence}))
        manager, second = (
            Decision(
                StatementType.CA_REVOCATION,
                "certificate",
                f"{row.issuer_id}:{row.serial}",
                seen,
                "REVOKE",
                role,
                reason=self.ground.code,
            )
            for role in (Role.CA_MANAGER, Role.IA_MANAGER)
        )
        return manager, second


class _Made(NamedTuple):
    """A certificate's revocation on its way into the store."""

    row: Certificate
    revocation: Revocation
    entry: ListEntry
    series: Series

    @property
    def name(self) -> str:
        return f"{self.row.issuer_id}:{self.row.serial}"


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
            raise _twice(f"every certificate of {order.carrier_id}")
        made = [self._made(tx, row, order.ground, statement_id, order.request_id) for row in rows]
        for one in made:
            if _is_authority(one.row, one.series):
                raise _changed(one.row, "it is a CA's, and no card holds its key")
        event = Event(
            "REV.EXECUTE",
            "carrier",
            order.carrier_id,
            actor=second.operator_id if second else officer,
            actor_role=Role.IA_OPERATOR if second else Role.REV_OFFICER,
            co_actor=officer if second else "",
            detail={**_detail(made), "emergency": order.emergency},
        )
        if second is None:
            self.trail.append(tx, event)
        else:
            self.directory.state(tx, event, (second, order.execution()))
        self._keep(tx, made)
        return rows

    def execute_ca(
        self, tx: Transaction, issuer: Issuer, why: CaGround, manager: Signer, second: Signer
    ) -> Certificate:
        """Revoke a proven CA's own certificate, which its issuer's next list holds; return its row.

        ``manager`` acts as CA manager, ``second`` as IA manager. Raises ``InvalidInput`` without
        evidence, ``Conflict`` for a CA without certificate or revoked already, ``Refused`` where
        the two are one person or may not, and for rows that say what nobody signed.
        """
        if not why.evidence.strip():
            raise InvalidInput("ca.revoke.evidence", "nothing is said that shows it", "Name it.")
        row = self._own_row(tx, issuer)
        if manager.operator_id == second.operator_id:
            raise Refused("ca.separation", "a CA is revoked by two people, and this is one")
        first, other = why.decisions(row)
        about = ("certificate", f"{row.issuer_id}:{row.serial}", manager.operator_id)
        people = (Role.CA_MANAGER, second.operator_id)
        decided = Event("REV.DECIDE", *about, *people, detail=why.content())
        kept = self.directory.state(tx, decided, (manager, first), (second, other))
        made = [self._made(tx, row, why.ground, kept[0].id, "")]
        detail = {**_detail(made), "second": kept[1].id, **why.content()}
        self.trail.append(tx, Event("REV.EXECUTE", *about, *people, detail=detail))
        self._keep(tx, made)
        return row

    def _own_row(self, tx: Transaction, issuer: Issuer) -> Certificate:
        """Return the row of the CA's own certificate; raises as ``execute_ca``."""
        row = own_certificate(tx, issuer)
        if row is None:
            raise Refused("ca.row.changed", f"the certificate of {issuer.id} has no row", KEEP)
        above = tx.get_one(Issuer, row.issuer_id)
        series = series_of(row, above, self.profiles.crl(above.crl_profile))
        if row.order_id is not None or row.certificate_der != issuer.certificate_der:
            raise _changed(row, f"it is not the certificate of {issuer.id}")
        if records.revocation_of(tx, row.id or 0) is not None:
            verify_decided(self.directory, tx, row, series)
            raise _twice(f"the certificate of {issuer.id}")
        if records.list_entry(tx, series, row.serial) is not None:
            raise _twice(f"by a list that was made elsewhere, {issuer.id}")
        return row

    def _made(
        self, tx: Transaction, row: Certificate, why: Ground, statement_id: str, request_id: str
    ) -> _Made:
        issuer = tx.get_one(Issuer, row.issuer_id)
        issuer_certificate(issuer)
        _verify_serial(row)
        profile = self.profiles.crl(issuer.crl_profile)
        reason = reason_on_list(why, profile.reasons.table)
        if reason is not None and reason not in profile.reasons.allowed:
            raise Refused(
                "ca.revoke.reason",
                f"{why.code} gives the reason {reason.name}, which no list of {issuer.id} may have",
                f"Use another ground, or mend the profile {issuer.crl_profile}.",
            )
        assert row.id is not None  # noqa: S101 - stored rows have one
        revocation = Revocation(
            certificate_id=row.id,
            ground=why.code,
            reason=reason,
            revoked_at=whole_seconds(self.clock()),
            statement_id=statement_id,
            request_id=request_id,
            seq=0,
        )
        series = series_of(row, issuer, profile)
        entry = ListEntry(
            series=series.key,
            serial=row.serial,
            not_after=row.not_after if row.certificate_der is not None else None,
            seq=0,
            entry_der=entry_of(row, revocation),
        )
        return _Made(row, revocation, entry, series)

    def _keep(self, tx: Transaction, made: Sequence[_Made]) -> None:
        """Store what the trail's newest entry tells of."""
        seq = self.trail.position(tx)
        for one in made:
            one.revocation.seq = one.entry.seq = seq
            tx.add_all([one.revocation, one.entry])
        tx.flush()


def _detail(made: Sequence[_Made]) -> dict[str, object]:
    """Return what the trail says of revocations on one decision."""
    revocation = made[0].revocation
    return {
        "certificates": [one.name for one in made],
        "entries": {one.name: digest(one.entry.entry_der) for one in made},
        "shards": {one.name: one.row.shard for one in made if one.row.shard},
        "scopes": {
            one.name: one.series.scope.value
            for one in made
            if one.series.scope is not ListScope.FULL
        },
        "ground": revocation.ground,
        "request": revocation.request_id,
        "statement": revocation.statement_id,
    }


def series_of(row: Certificate, issuer: Issuer, profile: CrlProfile) -> Series:
    """Return the lists on which the certificate would stand: RARL holds the root itself.

    Raises ``Refused`` where the certificate names another part of a split list than its row.
    """
    if ListScope.FULL in profile.scopes:
        verify_shard(issuer, profile, row)
        return Series(issuer.id, ListScope.FULL, row.shard)
    own = row.serial == own_serial(issuer)
    return Series(issuer.id, ListScope.RARL if own else ListScope.SARL)


def entry_of(row: Certificate, revocation: Revocation) -> bytes:
    """Return the element of the list that the rows make, DER."""
    reason = Reason(revocation.reason) if revocation.reason is not None else None
    return entry_der(int(row.serial, 16), revocation.revoked_at, reason)


def _is_authority(row: Certificate, series: Series) -> bool:
    """Say whether two managers revoke the certificate: the lists of CAs hold no other."""
    return series.scope is not ListScope.FULL or row.order_id is None


def _verify_serial(row: Certificate) -> None:
    """Raise ``Refused`` unless the row's serial number is its certificate's."""
    try:
        tbs_der = row.tbs_der
        if row.certificate_der is not None:
            tbs_der = x509.load_der_x509_certificate(row.certificate_der).tbs_certificate_bytes
        if serial_hex(serial_in(tbs_der)) == row.serial:
            return
    except (DerError, ValueError):
        pass
    raise _changed(row, "that is not the serial number of its certificate")


def verify_decided(directory: Directory, tx: Transaction, row: Certificate, series: Series) -> None:
    """Raise ``Refused`` unless people signed the revocation of the certificate.

    An officer that of its carrier, two managers that of a CA. The entry of its execution must name
    this certificate, this element of the list and the statement: so neither a row put in nor one
    that points to another carrier will do.
    """
    revocation = records.revocation_of(tx, row.id or 0)
    detail = _executed(directory.trail, tx, row, revocation) if revocation is not None else None
    if revocation is None or detail is None:
        raise _unsigned(row)
    _verify_serial(row)
    if _is_authority(row, series):
        evidence, second = (str(detail.get(name, "")) for name in ("evidence", "second"))
        why = CaGround(ca_ground(revocation.ground), evidence)
        ids = (revocation.statement_id, second)
        pairs = zip(ids, why.decisions(row), strict=True)
        if len({directory.verify_kept(tx, *pair) for pair in pairs}) < len(ids):
            raise _unsigned(row)
        return
    statement = tx.get(Statement, revocation.statement_id)
    if statement is None:
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


def verify_not_revoked(tx: Transaction, trail: Trail, issuer: Issuer) -> None:
    """Raise ``Refused`` if a proven CA, or one above it, is revoked.

    The trail, a row or an element of a list is enough to say so.
    """
    while True:
        above, serial = issuer.parent_id or issuer.id, own_serial(issuer)
        told = Criteria(
            object_type="certificate", object_id=f"{above}:{serial}", code="REV.EXECUTE"
        )
        row = own_certificate(tx, issuer)
        if (
            search(tx, told, 0, 1)
            or (row is not None and records.revocation_of(tx, row.id or 0) is not None)
            or records.is_listed(tx, above, serial, row.shard if row is not None else 0)
        ):
            raise Refused(
                "ca.issuer.revoked",
                f"the CA {issuer.id} is revoked and issues nothing more",
                "Hold a key ceremony for a new one: `hpki ca ceremony FILE`.",
            )
        if issuer.parent_id is None:
            return
        issuer = find_issuer(tx, issuer.parent_id)


def _unsigned(row: Certificate) -> Refused:
    name = f"{row.issuer_id}:{row.serial}"
    return Refused("ca.revoke.unsigned", f"nobody signed the revocation of {name}", KEEP)


def _changed(row: Certificate, why: str) -> Refused:
    return Refused("ca.row.changed", f"{row.issuer_id}:{row.serial}: {why}", KEEP)


def _twice(what: str) -> Conflict:
    return Conflict(
        "ca.revoke.twice",
        f"{what} is revoked already",
        "Revocation is final; nothing more is to be done.",
    )


def _executed(
    trail: Trail, tx: Transaction, row: Certificate, revocation: Revocation
) -> dict[str, object] | None:
    """Return what the trail says where the revocation claims to stand, None for another one."""
    entry = trail.entry(tx, revocation.seq)
    said = entry.content() if entry is not None else None
    if said is None:
        return None
    name, detail = f"{row.issuer_id}:{row.serial}", said["detail"]
    elements = detail.get("entries")
    found = (said.get("code"), said.get("object_id"), detail.get("statement"))
    wanted = ("REV.EXECUTE", row.carrier_id or name, revocation.statement_id)
    if found != wanted or not isinstance(elements, dict):
        return None
    return detail if elements.get(name) == digest(entry_of(row, revocation)) else None


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
