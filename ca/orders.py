"""Orders: accepted from a registration authority, executed once, and for exactly their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography import x509

from audit.canonical import canonical_json, digest
from audit.records import Criteria, entries_about, search
from audit.trail import Event, Trail
from ca import records
from ca.building import Period, end_entity_period, twin_of, wanted_of
from ca.carriers import is_alive, place_carrier, reserved_on
from ca.dossier import Content, Dossier, Offer, parse_dossier
from ca.issuance import Acting, Issuance, Prepared
from ca.issuers import (
    find_issuer,
    issued_profiles,
    issuer_for,
    offer_of_peer,
    offer_to_persons,
)
from ca.records import (
    Carrier,
    CarrierKind,
    Certificate,
    Holder,
    HolderSubject,
    Order,
)
from operators.directory import Directory
from operators.exchange.peers import PeerPeople, Peers
from operators.statements import Decision, Signer, StatementType
from pki.csr import proven_public_key
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.serials import serial_hex
from pki.signing import IssuerPublicKey
from pki.validity import Clock
from policies.exchange import Part
from policies.profiles import CertificateProfile, Purpose
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
    """Accepts orders and issues their certificates through ``issuance``.

    With ``ca_id`` our own orders are for the CA of that peer, and not issued here.
    """

    store: Store
    trail: Trail
    directory: Directory
    issuance: Issuance
    clock: Clock
    peers: Peers
    ca_id: str | None = None

    def offer(self, tx: Transaction, carrier: CarrierKind) -> Offer:
        """Return what a person gets on the carrier; raises ``NotFound`` if no CA issues there."""
        if self.ca_id is not None:
            return offer_of_peer(self.peers.find(tx, self.ca_id, Part.CA), carrier)
        return offer_to_persons(tx, self.issuance.profiles, carrier)

    def profile(self, content: Content, purpose: Purpose) -> CertificateProfile:
        """Return the profile that was ordered for the purpose.

        Raises ``Refused`` if none was, or if it is no longer the approved one or not for the
        purpose or carrier; ``NotFound`` if it is gone.
        """
        wanted = content.profiles.get(purpose)
        if wanted is None:
            raise Refused("ca.order.purpose", f"the order does not ask for a {purpose} certificate")
        found = self.issuance.profiles.certificate(wanted.partition("@")[0])
        if found.reference != wanted:
            raise Refused(
                "ca.order.profile",
                f"the profile {found.id} has changed since the approval",
                "Let the file be examined and approved again.",
            )
        if found.purpose is not purpose or content.carrier not in found.carriers:
            raise Refused(
                "ca.order.profile",
                f"the profile {found.id} is not for {purpose} keys on a {content.carrier}",
            )
        return found

    def accept(
        self,
        tx: Transaction,
        dossier: Dossier,
        statement_ids: tuple[str, str],
        authority: str | None = None,
    ) -> Order:
        """Keep the order with the examination's and the approval's statement.

        ``authority`` is the peer whose people made them, None for ours. Raises ``Refused`` unless
        both are by different people, in their roles, over this dossier; ``Conflict`` for a second
        order of one attempt, or a subject or holder that is another's.
        """
        self.trail.position(tx)  # one hand-over at a time
        self.directory.verify_policy(tx)
        approver = self.verify_statements(tx, dossier, statement_ids, authority)
        content = dossier.content
        ref = f"{authority}/{dossier.application_ref}" if authority else dossier.application_ref
        if records.authorities_of_holder(tx, content.holder_id) - {authority}:
            raise Conflict("ca.holder.taken", "the holder is another registration authority's")
        if tx.get(Holder, content.holder_id) is None:
            tx.add(Holder(id=content.holder_id))
            tx.flush()
        subject = hashlib.sha256(content.subject().public_bytes()).hexdigest()
        known = tx.get(HolderSubject, subject)
        if known is None:
            tx.add(HolderSubject(subject_sha256=subject, holder_id=content.holder_id))
        elif known.holder_id != content.holder_id:
            raise Conflict("ca.subject.taken", "the subject belongs to another holder")
        previous = records.order_of_application(tx, ref)
        if previous is not None and previous.attempt >= dossier.attempt:
            raise Conflict("ca.order.exists", f"{ref} was ordered already")
        if previous is not None and is_alive(tx, previous):
            raise Conflict(
                "ca.order.lives",
                f"the order {previous.id} has certificates that are not revoked",
                "Revoke its carrier first: there are never two living cards for one application.",
            )
        order = Order(
            id=f"{ref}.{dossier.attempt}",
            application_ref=ref,
            attempt=dossier.attempt,
            holder_id=content.holder_id,
            dossier=dossier.octets().decode(),
            digest=dossier.digest(),
            statement_ids=json.dumps(statement_ids),
            accepted_seq=self.trail.position(tx) + 1,
            authority=authority,
            addressee=self.ca_id if authority is None else None,
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
            self.directory.verify_policy(tx)
            event = Event(
                "PRIV.USE",
                "batch",
                batch_id,
                actor=signer.operator_id,
                actor_role=Role.IA_OPERATOR,
                detail={"orders": list(order_ids)},
            )
            (statement,) = self.directory.state(tx, event, (signer, unsigned.decision()))
            return Batch(batch_id, statement.id, signer.operator_id, digests)

    def prepare(
        self, order_id: str, purpose: Purpose, request: x509.CertificateSigningRequest
    ) -> Prepared:
        """Return the judged twin for the order's content and the request's proven key."""
        public_key = proven_public_key(request)
        with self.store.read() as tx:
            dossier = parse_dossier(find_order(tx, order_id).dossier.encode())
            profile = self.profile(dossier.content, purpose)
            issuer = issuer_for(tx, profile.id)
            self.issuance.authorities.verify(tx, issuer)
        subject = dossier.content.subject()
        if list(request.subject) and request.subject != subject:
            raise Refused(
                "ca.csr.subject", "the request names another subject than the order certifies"
            )
        period = end_entity_period(self.clock(), dossier.content.validity_years)
        serial = self.issuance.new_serial()
        names = issuer.japanese_names
        wanted = wanted_of(dossier.content, public_key, serial, period, japanese_names=names)
        return self.issuance.prepare(issuer, profile, wanted, order_id)

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
            row = reserved_on(tx, carrier, purpose)
            if row is None:
                place_carrier(tx, carrier, order_id)
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
        profile = self.profile(dossier.content, purpose)
        issuer = find_issuer(tx, row.issuer_id)
        if profile.id not in issued_profiles(issuer) or row.profile != profile.reference:
            raise Refused("ca.issue.differs", f"{issuer.id} does not issue what was ordered")
        self.issuance.authorities.verify(tx, issuer)
        facts = self.issuance.facts(issuer)
        stored = twin_of(row.tbs_der, facts.public_key, facts.hash_name)
        period = Period(stored.not_valid_before_utc, stored.not_valid_after_utc)
        public_key: IssuerPublicKey = prepared.twin.public_key()  # type: ignore[assignment]
        names, serial = issuer.japanese_names, stored.serial_number
        wanted = wanted_of(dossier.content, public_key, serial, period, japanese_names=names)
        again = self.issuance.twin(issuer, profile, wanted, row.shard)
        whole = end_entity_period(period.not_before, dossier.content.validity_years)
        age = self.clock() - period.not_before
        if (
            again.tbs_certificate_bytes != row.tbs_der
            or serial_hex(stored.serial_number) != row.serial
            or not whole == period == Period(row.not_before, row.not_after)
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
        self.directory.verify_policy(tx)
        order = find_order(tx, order_id)
        dossier = accepted_dossier(order)
        if self.is_withdrawn(tx, order_id):
            raise Refused(
                "ca.order.withdrawn",
                f"the order {order_id} was withdrawn",
                "Nothing more is issued on it.",
            )
        newest = records.order_of_application(tx, order.application_ref)
        if newest is not None and newest.attempt > order.attempt:
            raise Refused(
                "ca.order.superseded",
                f"the application of {order_id} was ordered anew as {newest.id}",
                "Nothing more is issued on the older order.",
            )
        if order.addressee is not None:
            raise Refused(
                "ca.order.elsewhere",
                f"the order {order_id} is for the CA of {order.addressee}",
                "Send it there: `hpki exchange orders`.",
            )
        statement_ids = statement_pair(order)
        approver = self.verify_statements(tx, dossier, statement_ids, order.authority)
        accepted = entries_about(tx, "order", order_id, {"ISSUE.ORDER"})
        if [json.loads(one.body)["detail"]["dossier"] for one in accepted] != [order.digest]:
            raise Refused("ca.order.changed", f"the order {order_id} was never accepted")
        if order.authority is None:  # a statement under a peer's lost key is refused already
            for statement_id in statement_ids:
                self.directory.verify_key_safe(tx, statement_id)
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

    def withdraw(self, tx: Transaction, order: Order, statement_id: str, approver: str) -> None:
        """Enter that nothing more is issued on the order; its application may get another.

        Raises ``Conflict`` while a certificate of it lives or may have been issued.
        """
        if is_alive(tx, order):
            raise Conflict(
                "ca.order.lives",
                f"the order {order.id} has certificates that are not revoked",
                "Revoke its carrier: `hpki revoke`.",
            )
        self.trail.append(
            tx,
            Event(
                "ISSUE.WITHDRAW",
                "order",
                order.id,
                actor=approver,
                actor_role=Role.RA_APPROVER,
                detail={"dossier": order.digest, "statement": statement_id},
            ),
        )

    def is_withdrawn(self, tx: Transaction, order_id: str) -> bool:
        """Whether the trail says that nothing more is issued on the order."""
        wanted = Criteria(object_type="order", object_id=order_id, code="ISSUE.WITHDRAW")
        return bool(search(tx, wanted, 0, 1))

    def verify_statements(
        self,
        tx: Transaction,
        dossier: Dossier,
        statement_ids: tuple[str, str],
        authority: str | None = None,
    ) -> str:
        """Return who approved; raises ``Refused`` unless another person examined this dossier.

        Their organisation is ours or the peer ``authority``, whose people are named PEER/OPERATOR.
        """
        people: Directory | PeerPeople = self.directory
        if authority is not None:
            people = self.peers.people(authority)
        ref, seen = dossier.application_ref, dossier.digest()
        examiner = people.verify_kept(tx, statement_ids[0], examination(ref, seen))
        approver = people.verify_kept(tx, statement_ids[1], approval(ref, seen))
        if people.position(tx, statement_ids[0]) > people.position(tx, statement_ids[1]):
            raise Refused("ca.statements.order", f"{ref} was approved before it was examined")
        if examiner == approver:
            raise Refused("ca.separation", f"{examiner} examined this file and may not approve it")
        return approver


def find_order(tx: Transaction, order_id: str) -> Order:
    """Return the order, or raise ``NotFound``."""
    order = tx.get(Order, order_id)
    if order is None:
        raise NotFound("ca.order.unknown", f"there is no order {order_id!r}")
    return order


def accepted_dossier(order: Order) -> Dossier:
    """Return the order's dossier; raises ``Refused`` unless the row says what its acceptance said.

    Its id too: another row with an older dossier is no new order.
    """
    dossier = parse_dossier(order.dossier.encode())
    ref, attempt = dossier.application_ref, dossier.attempt
    ref = ref if order.authority is None else f"{order.authority}/{ref}"
    said = (f"{ref}.{attempt}", ref, attempt, dossier.content.holder_id, dossier.digest())
    if said != (order.id, order.application_ref, order.attempt, order.holder_id, order.digest):
        raise Refused("ca.order.changed", f"the order {order.id} was changed after acceptance")
    return dossier


def statement_pair(order: Order) -> tuple[str, str]:
    """Return the ids of the examination's and the approval's statement."""
    try:
        found = json.loads(order.statement_ids)
    except (ValueError, RecursionError):
        found = None
    if not (isinstance(found, list) and len(found) == 2):
        raise InvalidInput("ca.order.form", f"the order {order.id} has not two statements")
    return str(found[0]), str(found[1])
