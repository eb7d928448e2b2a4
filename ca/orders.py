"""Orders: accepted from a registration authority, executed once, and for exactly their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from ca import records
from ca.building import IssuerFacts, Period, end_entity_twin, twin_of
from ca.dossier import Dossier, parse_dossier
from ca.issuance import Acting, Issuance, Prepared
from ca.records import (
    Carrier,
    CarrierKind,
    Certificate,
    CertificateState,
    Holder,
    HolderSubject,
    Order,
)
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.csr import proven_public_key
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.serials import serial_hex
from pki.signing import IssuerPublicKey
from pki.validity import Clock, end_after_years, japan_date, start_of_day
from policies.profiles import Purpose, certificate_profile
from policies.roles import Role
from store.database import Store, Transaction

_OLDEST_RESERVATION = timedelta(days=31)


def examination(ref: str, dossier_digest: str) -> Decision:
    """Return what the examiner of the file says."""
    return Decision(
        StatementType.EXAMINATION, "application", ref, dossier_digest, "EXAMINED", Role.RA_EXAMINER
    )


def approval(ref: str, dossier_digest: str) -> Decision:
    """Return what the approver of the file says."""
    return Decision(
        StatementType.APPROVAL, "application", ref, dossier_digest, "APPROVE", Role.RA_APPROVER
    )


@dataclass(frozen=True)
class Batch:
    """Orders that one IA operator had executed by one signature; ``digests`` are the orders'."""

    id: str
    statement_id: str
    executor: str
    digests: tuple[str, ...]

    def decision(self) -> Decision:
        """Return what the executor said."""
        listed = digest(canonical_json({"orders": list(self.digests)}))
        return Decision(
            StatementType.EXECUTION, "batch", self.id, listed, "ISSUE", Role.IA_OPERATOR
        )


@dataclass(frozen=True)
class Orders:
    """Accepts orders and issues their certificates through ``issuance``."""

    store: Store
    trail: Trail
    directory: Directory
    issuance: Issuance
    clock: Clock

    def accept(self, tx: Transaction, dossier: Dossier, statement_ids: tuple[str, str]) -> Order:
        """Keep the order with the examination's and the approval's statement.

        Raises ``Refused`` unless both are by different people, in their roles, over this dossier;
        ``Conflict`` for a second order of one attempt or a subject that is another holder's.
        """
        self.trail.position(tx)  # one hand-over at a time
        approver = self._verify_statements(tx, dossier, statement_ids)
        content = dossier.content
        if tx.get(Holder, content.holder_id) is None:
            tx.add(Holder(id=content.holder_id))
            tx.flush()
        subject = hashlib.sha256(content.subject().public_bytes()).hexdigest()
        known = tx.get(HolderSubject, subject)
        if known is None:
            tx.add(HolderSubject(subject_sha256=subject, holder_id=content.holder_id))
        elif known.holder_id != content.holder_id:
            raise Conflict("ca.subject.taken", "the subject belongs to another holder")
        previous = records.order_of_application(tx, dossier.application_ref)
        if previous is not None and previous.attempt >= dossier.attempt:
            raise Conflict("ca.order.exists", f"{dossier.application_ref} was ordered already")
        if previous is not None and _lives(tx, previous):
            raise Conflict(
                "ca.order.lives",
                f"the order {previous.id} has certificates that are not revoked",
                "Revoke its carrier first: there are never two living cards for one application.",
            )
        order = Order(
            id=f"{dossier.application_ref}.{dossier.attempt}",
            application_ref=dossier.application_ref,
            attempt=dossier.attempt,
            holder_id=content.holder_id,
            dossier=dossier.octets().decode(),
            digest=dossier.digest(),
            statement_ids=json.dumps(statement_ids),
            accepted_seq=self.trail.position(tx) + 1,
        )
        tx.add(order)
        self.trail.append(
            tx,
            Event(
                "ISSUE.ORDER",
                "order",
                order.id,
                actor=approver,
                actor_role=Role.RA_APPROVER,
                detail={"dossier": order.digest, "statements": list(statement_ids)},
            ),
        )
        return order

    def open_batch(self, signer: Signer, order_ids: Sequence[str], batch_id: str) -> Batch:
        """Have an IA operator sign for the execution of these orders."""
        with self.store.begin() as tx:
            digests = tuple(sorted(find_order(tx, order_id).digest for order_id in order_ids))
            unsigned = Batch(batch_id, "", signer.operator_id, digests)
            statement = self.directory.state(tx, signer, unsigned.decision())
            self.trail.append(
                tx,
                Event(
                    "PRIV.USE",
                    "batch",
                    batch_id,
                    actor=signer.operator_id,
                    actor_role=Role.IA_OPERATOR,
                    detail={"orders": list(order_ids), "statement": statement.id},
                ),
            )
            return Batch(batch_id, statement.id, signer.operator_id, digests)

    def prepare(
        self, order_id: str, purpose: Purpose, request: x509.CertificateSigningRequest
    ) -> Prepared:
        """Return the judged twin for the order's content and the request's proven key."""
        public_key = proven_public_key(request)
        with self.store.read() as tx:
            dossier = parse_dossier(find_order(tx, order_id).dossier.encode())
            issuer = records.issuer_for(tx, purpose)
        if issuer is None:
            raise NotFound(
                "ca.issuer.none",
                f"no CA issues for {purpose}",
                "Hold the key ceremony first: `hpki ca ceremony FILE`.",
            )
        subject = dossier.content.subject()
        if list(request.subject) and request.subject != subject:
            raise Refused(
                "ca.csr.subject", "the request names another subject than the order certifies"
            )
        facts = self.issuance.facts(issuer)
        period = end_entity_period(self.clock(), dossier.content.validity_years)
        serial = self.issuance.new_serial()
        twin = self._twin(dossier, purpose, facts, public_key, serial, period)
        profile = certificate_profile(_profile_id(dossier, purpose))
        return self.issuance.judge(issuer.id, profile, twin, facts.certificate)

    def issue(
        self,
        prepared: Prepared,
        order_id: str,
        purpose: Purpose,
        carrier: Carrier,
        batch: Batch,
    ) -> x509.Certificate:
        """Issue the prepared certificate for the order on the carrier.

        Statements, roles at their time, different people, and the order's content are verified
        again here. A reservation of this carrier that a crash left is finished instead, if its key
        is the same one.
        """
        with self.store.begin() as tx:
            self.trail.position(tx)  # one issue at a time from here on: two would both find room
            dossier, acting = self.verify_for_issue(tx, order_id, batch)
            if dossier.content.carrier != carrier.kind:
                raise Refused(
                    "ca.order.carrier_kind",
                    f"the order {order_id} was approved for a {dossier.content.carrier}",
                    "Nothing else may hold its keys.",
                )
            acting = replace(acting, order_id=order_id, carrier_id=carrier.id, usage=purpose)
            row = _reserved(tx, carrier, purpose)
            if row is None:
                _place_carrier(tx, carrier, order_id)
                row = self.issuance.reserve(tx, prepared, acting)
            elif row.spki_sha256 != prepared.spki_sha256:
                raise Conflict(
                    "ca.issue.reserved",
                    f"serial {row.serial} was reserved for another key and may have been issued",
                    "Revoke the carrier; the holder then applies again.",
                )
            self._verify_content(tx, dossier, purpose, prepared, row)
        return self.issuance.finish(row, acting)

    def _verify_content(
        self,
        tx: Transaction,
        dossier: Dossier,
        purpose: Purpose,
        prepared: Prepared,
        row: Certificate,
    ) -> None:
        """Raise ``Refused`` unless the stored bytes are what the order makes of its content.

        They are made again from the order with the request's key, and the serial and period that
        stand in them and in the row, so neither another order's twin nor a row written past this
        program is ever signed.
        """
        issuer = records.issuer_for(tx, purpose)
        if issuer is None or issuer.id != row.issuer_id:
            raise Refused("ca.issue.differs", "the certificate is not of the purpose's CA")
        facts = self.issuance.facts(issuer)
        stored = twin_of(row.tbs_der, facts.public_key)
        period = Period(stored.not_valid_before_utc, stored.not_valid_after_utc)
        public_key: IssuerPublicKey = prepared.twin.public_key()  # type: ignore[assignment]
        again = self._twin(dossier, purpose, facts, public_key, stored.serial_number, period)
        wanted = end_entity_period(period.not_before, dossier.content.validity_years)
        age = self.clock() - period.not_before
        if (
            again.tbs_certificate_bytes != row.tbs_der
            or serial_hex(stored.serial_number) != row.serial
            or not wanted == period == Period(row.not_before, row.not_after)
            or not timedelta(0) <= age <= _OLDEST_RESERVATION
        ):
            raise Refused(
                "ca.issue.differs",
                f"what would be signed is not what the order {dossier.application_ref} says",
                "Nothing was signed; keep the store and call the auditor.",
            )

    def verify_for_issue(
        self, tx: Transaction, order_id: str, batch: Batch
    ) -> tuple[Dossier, Acting]:
        """Return the order's dossier and who acts, with every signature verified anew."""
        order = find_order(tx, order_id)
        dossier = parse_dossier(order.dossier.encode())
        if dossier.digest() != order.digest:
            raise Refused("ca.order.changed", f"the order {order_id} was changed after acceptance")
        statement_ids = _statement_pair(order)
        approver = self._verify_statements(tx, dossier, statement_ids)
        executor = self.directory.verify_kept(tx, batch.statement_id, batch.decision())
        if order.digest not in batch.digests:
            raise Refused("ca.batch.order", f"the order {order_id} is not in the batch")
        if executor == approver:
            raise Refused("ca.separation", f"{executor} approved this file and may not execute it")
        return dossier, Acting(
            actor=executor,
            actor_role=Role.IA_OPERATOR,
            co_actor=approver,
            statements=(*statement_ids, batch.statement_id),
        )

    def _verify_statements(
        self, tx: Transaction, dossier: Dossier, statement_ids: tuple[str, str]
    ) -> str:
        ref, seen = dossier.application_ref, dossier.digest()
        examiner = self.directory.verify_kept(tx, statement_ids[0], examination(ref, seen))
        approver = self.directory.verify_kept(tx, statement_ids[1], approval(ref, seen))
        if self.directory.position(tx, statement_ids[0]) > self.directory.position(
            tx, statement_ids[1]
        ):
            raise Refused("ca.statements.order", f"{ref} was approved before it was examined")
        if examiner == approver:
            raise Refused("ca.separation", f"{examiner} examined this file and may not approve it")
        return approver

    def _twin(
        self,
        dossier: Dossier,
        purpose: Purpose,
        issuer: IssuerFacts,
        public_key: IssuerPublicKey,
        serial: int,
        period: Period,
    ) -> x509.Certificate:
        return end_entity_twin(
            certificate_profile(_profile_id(dossier, purpose)),
            issuer,
            dossier.content,
            public_key,
            serial,
            period,
            self.issuance.kind,
        )


def end_entity_period(now: datetime, years: int) -> Period:
    """Return today's 00:00:00 JST to the last second of the day before the anniversary."""
    today = japan_date(now)
    return Period(start_of_day(today), end_after_years(today, years))


def find_order(tx: Transaction, order_id: str) -> Order:
    """Return the order, or raise ``NotFound``."""
    order = tx.get(Order, order_id)
    if order is None:
        raise NotFound("ca.order.unknown", f"there is no order {order_id!r}")
    return order


def card_carrier(chip_serial: str, order_id: str) -> Carrier:
    """Return a carrier for a card, not yet stored."""
    return Carrier(
        id=f"card-{chip_serial}",
        order_id=order_id,
        kind=CarrierKind.CARD,
        chip_serial=chip_serial,
    )


def file_carrier(order_id: str) -> Carrier:
    """Return a carrier for keys in a file, not yet stored."""
    return Carrier(id=f"file-{order_id}", order_id=order_id, kind=CarrierKind.FILE)


def _profile_id(dossier: Dossier, purpose: Purpose) -> str:
    """Return the profile's id while its version is still the approved one."""
    wanted = dossier.content.profiles.get(purpose)
    if wanted is None:
        raise Refused("ca.order.purpose", f"the order does not ask for a {purpose} certificate")
    profile_id, _, version = wanted.partition("@")
    if certificate_profile(profile_id).version != version:
        raise Refused(
            "ca.order.profile",
            f"the profile {profile_id} has changed since the approval",
            "Let the file be examined and approved again.",
        )
    return profile_id


def _lives(tx: Transaction, order: Order) -> bool:
    return any(
        records.revocation_of(tx, row.id or 0) is None
        for carrier in records.carriers_of_order(tx, order.id)
        for row in records.certificates_of_carrier(tx, carrier.id)
    )


def _statement_pair(order: Order) -> tuple[str, str]:
    found = json.loads(order.statement_ids)
    if not (isinstance(found, list) and len(found) == 2):
        raise InvalidInput("ca.order.form", f"the order {order.id} has not two statements")
    return str(found[0]), str(found[1])


def _reserved(tx: Transaction, carrier: Carrier, purpose: Purpose) -> Certificate | None:
    for row in records.certificates_of_carrier(tx, carrier.id):
        if row.usage is purpose:
            if row.state is CertificateState.ISSUED:
                raise Conflict(
                    "ca.issue.twice", f"{carrier.id} has its {purpose} certificate already"
                )
            if row.id is not None and records.revocation_of(tx, row.id) is not None:
                raise Conflict(
                    "ca.issue.revoked",
                    f"serial {row.serial} was revoked before it was issued",
                    "Revocation is final: the holder applies again.",
                )
            return row
    return None


def _place_carrier(tx: Transaction, carrier: Carrier, order_id: str) -> None:
    """Store the carrier; an order has one living carrier."""
    others = [one for one in records.carriers_of_order(tx, order_id) if one.id != carrier.id]
    if others:
        raise Conflict(
            "ca.order.carrier",
            f"the order {order_id} already has the carrier {others[0].id}",
            "Revoke that carrier; the holder then applies again.",
        )
    if tx.get(Carrier, carrier.id) is None:
        tx.add(
            Carrier(
                id=carrier.id,
                order_id=order_id,
                kind=carrier.kind,
                chip_serial=carrier.chip_serial,
            )
        )
        tx.flush()
    elif not records.carriers_of_order(tx, order_id):
        raise Conflict("ca.carrier.taken", f"the carrier {carrier.id} belongs to another order")
