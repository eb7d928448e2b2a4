"""Revocation requests: who is hit, whether the caller is who they say, and the decision."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from ca import records as ca_records
from ca.records import Carrier, Certificate
from ca.revocation import RevocationOrder, Revocations, living_certificates
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.serials import Entropy
from pki.validity import Clock, rfc3339, whole_seconds
from policies.grounds import ground
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework.registrar import Registrar
from ra.dossiers import salted
from ra.persons.applicants import birth_date_of, verify_nobodys_own
from ra.records import (
    Application,
    RequestState,
    RevocationRequest,
    find_application,
    hold_application,
)
from store.database import Store, Transaction


@dataclass(frozen=True)
class Affected:
    """Whom a revocation hits, as an operator must see it before typing the confirmation."""

    carrier_id: str
    card_number: str | None
    application_ref: str
    kanji_name: str
    kana_name: str
    birth_date: date
    telephone: str
    profession: str
    registration_number: str
    certificates: tuple[Certificate, ...]

    @property
    def confirmation(self) -> str:
        """The digits to type: the licence's last four, else the card number's."""
        return (self.registration_number or self.card_number or self.carrier_id)[-4:]


@dataclass(frozen=True)
class CallerCheck:
    """What a caller said, after being called back at the number on file."""

    called_back: bool
    registration_number: str
    birth_date: date


@dataclass(frozen=True)
class Request:
    """A request as it came in; ``caller`` is given for an emergency by telephone."""

    ground: str
    requester: str
    channel: str
    evidence: str
    caller: CallerCheck | None = None

    @property
    def emergency(self) -> bool:
        """Whether one person acts at once, to be reviewed by another."""
        return self.caller is not None


class Verdict(StrEnum):
    """What another person says of an emergency; the revocation stands either way."""

    CONFIRMED = "CONFIRMED"
    DISPUTED = "DISPUTED"


_REVIEWERS = (Role.REV_OFFICER, Role.RA_MANAGER)


@dataclass(frozen=True)
class RevocationDesk:
    """Takes requests, authenticates, has the decision signed and executed."""

    store: Store
    trail: Trail
    directory: Directory
    revocations: Revocations
    registrar: Registrar
    clock: Clock
    entropy: Entropy

    def find(self, target: str) -> Affected:
        """Return whom it hits: by card number, application reference or registration number."""
        with self.store.read() as tx:
            carrier = _find_carrier(tx, target)
            return _affected(tx, carrier, living_certificates(tx, carrier.id))

    def revoke(
        self, affected: Affected, request: Request, officer: Signer, executor: Signer | None
    ) -> list[Certificate]:
        """Revoke every certificate of the carrier and return them.

        It closes the application, but not that of a card scrapped at the station: an approver sends
        its file back, and examination and approval make an order of another attempt.

        Raises ``Refused`` for a caller who does not know the two facts or was not called back; the
        refused request is kept. An emergency skips the second person, never the caller's check.
        """
        entry = ground(request.ground)
        if not request.evidence.strip():
            raise InvalidInput(
                "ra.revoke.evidence",
                "a revocation needs its evidence",
                f"Expected: {entry.evidence}.",
            )
        if request.emergency and not entry.emergency:
            raise Refused(
                "ra.revoke.ground",
                f"{entry.code} is no emergency",
                "Let an IA operator execute it: --executor NAME instead of --emergency.",
            )
        if not re.fullmatch("[A-Z][A-Z_]{0,15}", request.channel):
            raise InvalidInput(
                "ra.revoke.channel",
                "the channel is one word in capitals: it enters the trail, which keeps no values",
                "Give TELEPHONE, FORM or NOTICE; numbers and names belong into the evidence.",
            )
        row = self._request(affected, request, officer)
        with self.store.read() as tx:
            seen = request_digest(tx, row)
        order = RevocationOrder(row.id, affected.carrier_id, entry, seen, request.emergency)
        if request.caller is not None:
            self._verify_caller(affected, request.caller, row, officer, seen)
        with self.store.begin() as tx:
            application = hold_application(tx, affected.application_ref)
            people = {one.operator_id for one in (officer, executor) if one is not None}
            verify_nobodys_own(self.directory, tx, application, people)
            row.executor = executor.operator_id if executor and not row.emergency else ""
            tx.add(row)
            self.trail.append(tx, _event("REV.REQUEST", row, seen))
            self.trail.append(tx, _event("REV.AUTH", row, seen))
            event = _event("REV.DECIDE", row, seen)
            (statement,) = self.directory.state(tx, event, (officer, order.decision()))
            row.statement_id = statement.id
            revoked = self.revocations.execute(tx, order, statement.id, executor)
            if not (entry.new_attempt and application.state is ApplicationState.ISSUING):
                self.registrar.follow(tx, application, ApplicationState.CLOSED_REVOKED)
            return revoked

    def requests(self, *, unreviewed: bool = False) -> list[RevocationRequest]:
        """Return the requests by time; only emergencies that nobody has reviewed, if asked."""
        with self.store.read() as tx:
            return records.revocation_requests(tx, unreviewed=unreviewed)

    def review(
        self, request_id: str, reviewer: Signer, verdict: Verdict, note: str
    ) -> RevocationRequest:
        """Keep another person's signed word on an emergency; the revocation itself is final.

        Raises ``Refused`` for the officer's own, or the holder's, review, and where the request is
        not as the officer signed it; ``Conflict`` for a second one, or what was no emergency.
        """
        if not note.strip():
            raise InvalidInput("ra.review.note", "a review says what was looked at", "Give --note.")
        with self.store.begin() as tx:
            row = _emergency(tx, request_id)
            application = find_application(tx, row.application_ref)
            if reviewer.operator_id == row.officer:
                raise Refused(
                    "ra.review.self",
                    f"{row.officer} revoked and may not review it",
                    "Another revocation officer or an RA manager does.",
                )
            verify_nobodys_own(self.directory, tx, application, [reviewer.operator_id])
            seen = self._verify_decided(tx, row)
            role = self.directory.role_among(tx, reviewer.operator_id, _REVIEWERS)
            said = salted("review_note", note, application.salt)
            decision = review_decision(row, seen, verdict, role, said)
            event = Event(
                "REV.REVIEW",
                "revocation",
                row.id,
                actor=reviewer.operator_id,
                actor_role=role,
                detail={"carrier": row.carrier_id, "request": seen, "review": verdict.value},
            )
            self.directory.state(tx, event, (reviewer, decision))
            row.review, row.review_note = verdict.value, note
            row.reviewer, row.reviewed_at = reviewer.operator_id, whole_seconds(self.clock())
            return row

    def _verify_decided(self, tx: Transaction, row: RevocationRequest) -> str:
        """Return the digest of the request as its officer signed it, verified anew."""
        seen = request_digest(tx, row)
        order = RevocationOrder(row.id, row.carrier_id, ground(row.ground), seen, emergency=True)
        officer = self.directory.verify_kept(tx, row.statement_id or "", order.decision())
        if officer != row.officer:
            raise Refused("ra.review.officer", f"{row.id} was not decided by {row.officer}")
        return seen

    def _request(self, affected: Affected, request: Request, officer: Signer) -> RevocationRequest:
        return RevocationRequest(
            id=f"R-{self.entropy(8).hex()}",
            application_ref=affected.application_ref,
            carrier_id=affected.carrier_id,
            ground=request.ground,
            channel=request.channel,
            requester=request.requester,
            evidence=request.evidence,
            emergency=request.emergency,
            state=RequestState.EXECUTED,
            requested_at=whole_seconds(self.clock()),
            officer=officer.operator_id,
        )

    def _verify_caller(
        self,
        affected: Affected,
        caller: CallerCheck,
        row: RevocationRequest,
        officer: Signer,
        seen: str,
    ) -> None:
        known = hmac.compare_digest(
            f"{affected.registration_number}/{affected.birth_date}".encode(),
            f"{caller.registration_number}/{caller.birth_date}".encode(),
        )
        if known and caller.called_back:
            return
        row.state, row.refusal = RequestState.REFUSED, "V01"
        with self.store.begin() as tx:
            self.directory.verify_may_act(tx, officer, Role.REV_OFFICER)
            tx.add(row)
            self.trail.append(tx, _event("REV.REQUEST", row, seen))
            self.trail.append(tx, _event("REV.AUTH", row, seen, outcome="REFUSED"))
        raise Refused(
            "ra.revoke.caller",
            "the caller is not authenticated; nothing was revoked",
            "Call back the number on file and ask for registration number and birth date.",
        )


def review_decision(
    row: RevocationRequest, seen: str, verdict: Verdict, role: Role, note: str
) -> Decision:
    """Return what the reviewer says of the request and of the officer's statement.

    ``seen``: the request's digest; ``note``: the salted digest of the note.
    """
    bound = digest(canonical_json({"request": seen, "statement": row.statement_id}))
    return Decision(
        StatementType.EMERGENCY_REVIEW, "revocation", row.id, bound, verdict.value, role, note
    )


def _emergency(tx: Transaction, request_id: str) -> RevocationRequest:
    row = tx.get(RevocationRequest, request_id)
    if row is None:
        raise NotFound(
            "ra.request.unknown",
            f"there is no request {request_id!r}",
            "See `hpki ra revocations`.",
        )
    if not row.emergency or row.state is not RequestState.EXECUTED:
        raise Conflict("ra.review.none", f"{row.id} was no emergency that was carried out")
    if row.review is not None:
        raise Conflict("ra.review.twice", f"{row.id} was reviewed by {row.reviewer}")
    return row


def _event(code: str, row: RevocationRequest, seen: str, *, outcome: str = "OK") -> Event:
    return Event(
        code,
        "revocation",
        row.id,
        actor=row.officer,
        actor_role=Role.REV_OFFICER,
        outcome=outcome,
        detail={
            "carrier": row.carrier_id,
            "ground": row.ground,
            "channel": row.channel,
            "emergency": row.emergency,
            "request": seen,
        },
    )


def _find_carrier(tx: Transaction, target: str) -> Carrier:
    carrier = ca_records.carrier_by_chip(tx, target.lower()) or tx.get(Carrier, target)
    if carrier is not None:
        return carrier
    application = tx.get(Application, target)
    found = [application] if application is not None else records.by_licence(tx, target)
    carriers = [
        carrier
        for one in found
        for order in [ca_records.order_of_application(tx, one.ref)]
        if order is not None
        for carrier in ca_records.carriers_of_order(tx, order.id)
    ]
    if not carriers:
        raise NotFound(
            "ra.revoke.target",
            f"no card is known for {target!r}",
            "Give a card number, an application reference or a registration number.",
        )
    if len(carriers) > 1:
        raise InvalidInput(
            "ra.revoke.ambiguous",
            f"{target!r} names {len(carriers)} cards",
            f"Give one card number: {', '.join(one.chip_serial or one.id for one in carriers)}.",
        )
    return carriers[0]


def _affected(tx: Transaction, carrier: Carrier, certificates: list[Certificate]) -> Affected:
    order = tx.get_one(ca_records.Order, carrier.order_id)
    application = find_application(tx, order.application_ref)
    version = records.confirmed_version(tx, application)
    return Affected(
        carrier_id=carrier.id,
        card_number=carrier.chip_serial,
        application_ref=application.ref,
        kanji_name=version.kanji_name,
        kana_name=version.kana_name,
        birth_date=birth_date_of(tx, application),
        telephone=version.telephone,
        profession=application.profession,
        registration_number=application.registration_number,
        certificates=tuple(certificates),
    )


def request_digest(tx: Transaction, row: RevocationRequest) -> str:
    """Return the SHA-256 of the request as the officer saw it, its words by salted digests."""
    salt = find_application(tx, row.application_ref).salt
    seen = canonical_json(
        {
            "id": row.id,
            "carrier": row.carrier_id,
            "ground": row.ground,
            "channel": row.channel,
            "requester": salted("requester", row.requester, salt),
            "evidence": salted("evidence", row.evidence, salt),
            "emergency": row.emergency,
            "requested_at": rfc3339(row.requested_at),
        }
    )
    return digest(seen)
