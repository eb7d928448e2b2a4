"""Revocation requests: who is hit, whether the caller is who they say, and the decision."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from ca import records as ca_records
from ca.records import Carrier, Certificate
from ca.revocation import RevocationOrder, Revocations, living_certificates
from operators.directory import Directory
from operators.statements import Signer
from pki.errors import InvalidInput, NotFound, Refused
from pki.serials import Entropy
from pki.validity import Clock, rfc3339, whole_seconds
from policies.grounds import ground
from policies.roles import Role
from ra import records
from ra.examination import find_application
from ra.records import Application, ApplicationState, Person, RequestState, RevocationRequest
from ra.states import move
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


@dataclass(frozen=True)
class RevocationDesk:
    """Takes requests, authenticates, has the decision signed and executed."""

    store: Store
    trail: Trail
    directory: Directory
    revocations: Revocations
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
        row = self._request(affected, request, officer)
        order = RevocationOrder(row.id, affected.carrier_id, entry, _digest(row), request.emergency)
        if request.caller is not None:
            self._verify_caller(affected, request.caller, row, officer)
        with self.store.begin() as tx:
            statement = self.directory.state(tx, officer, order.decision())
            row.executor = executor.operator_id if executor and not row.emergency else ""
            tx.add(row)
            self._enter(tx, "REV.REQUEST", row)
            self._enter(tx, "REV.AUTH", row)
            self._enter(tx, "REV.DECIDE", row, statement=statement.id)
            revoked = self.revocations.execute(tx, order, statement.id, executor)
            application = find_application(tx, affected.application_ref)
            move(application, ApplicationState.CLOSED_REVOKED)
            return revoked

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
        self, affected: Affected, caller: CallerCheck, row: RevocationRequest, officer: Signer
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
            self._enter(tx, "REV.REQUEST", row)
            self._enter(tx, "REV.AUTH", row, outcome="REFUSED")
        raise Refused(
            "ra.revoke.caller",
            "the caller is not authenticated; nothing was revoked",
            "Call back the number on file and ask for registration number and birth date.",
        )

    def _enter(
        self,
        tx: Transaction,
        code: str,
        row: RevocationRequest,
        *,
        outcome: str = "OK",
        statement: str = "",
    ) -> None:
        self.trail.append(
            tx,
            Event(
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
                    "request": _digest(row),
                    "statement": statement,
                },
            ),
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
    person = tx.get_one(Person, application.person_id)
    version = records.newest_version(tx, person.id)
    return Affected(
        carrier_id=carrier.id,
        card_number=carrier.chip_serial,
        application_ref=application.ref,
        kanji_name=version.kanji_name,
        kana_name=version.kana_name,
        birth_date=person.birth_date,
        telephone=version.telephone,
        profession=application.profession,
        registration_number=application.registration_number,
        certificates=tuple(certificates),
    )


def _digest(row: RevocationRequest) -> str:
    """Return the SHA-256 of the request as the officer saw it."""
    seen = canonical_json(
        {
            "id": row.id,
            "carrier": row.carrier_id,
            "ground": row.ground,
            "channel": row.channel,
            "requester": row.requester,
            "evidence": row.evidence,
            "emergency": row.emergency,
            "requested_at": rfc3339(row.requested_at),
        }
    )
    return digest(seen)
