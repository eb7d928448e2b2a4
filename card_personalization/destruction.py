"""Destruction of cards: two people, and never while something on the card lives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from ca import records as ca_records
from ca.carriers import card_carrier
from ca.orders import find_order
from ca.records import Certificate
from card_personalization import records
from card_personalization.records import Card, CardState, PinEnvelope, Run, RunState
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, NotFound, Refused
from pki.validity import Clock, whole_seconds
from policies.roles import Role
from ra.persons.applicants import Applicant, applicant_of, verify_nobodys_own
from ra.records import find_application
from store.database import Store, Transaction

_WITNESSES = (Role.IA_MANAGER, Role.RA_MANAGER, Role.CARD_OPERATOR)


class DestructionReason(StrEnum):
    """Why a card is destroyed."""

    FAULTY = "FAULTY"
    SPOILED = "SPOILED"
    RETURNED = "RETURNED"
    UNDELIVERED = "UNDELIVERED"
    SURPLUS = "SURPLUS"


@dataclass(frozen=True)
class Doomed:
    """A card as it must be seen before it is destroyed; ``applicant`` of its order, if any is.

    ``living``: certificates on it that are neither revoked nor expired.
    """

    card: Card
    applicant: Applicant | None
    certificates: tuple[Certificate, ...]
    living: tuple[Certificate, ...]
    runs: tuple[Run, ...]
    envelopes: tuple[PinEnvelope, ...]

    @property
    def confirmation(self) -> str:
        """The digits to type: the licence's last four, else the card number's."""
        licence = self.applicant.registration_number if self.applicant else ""
        return (licence or self.card.chip_serial)[-4:]

    def digest(self) -> str:
        """Return the SHA-256 of what both people see."""
        seen = {
            "card": self.card.chip_serial,
            "state": self.card.state.value,
            "order": self.card.order_id,
            "certificates": [f"{one.issuer_id}:{one.serial}" for one in self.certificates],
            "runs": [f"{one.id}:{one.state}" for one in self.runs],
            "envelopes": [digest(one.sealed) for one in self.envelopes],
        }
        return digest(canonical_json(seen))


@dataclass(frozen=True)
class Destruction:
    """Destroys cards with their PIN envelopes."""

    store: Store
    trail: Trail
    directory: Directory
    clock: Clock

    def find(self, chip_serial: str) -> Doomed:
        """Return the card and whose it is, or raise ``NotFound``."""
        with self.store.read() as tx:
            return self._find(tx, chip_serial)

    def destroy(
        self, chip_serial: str, operator: Signer, witness: Signer, reason: DestructionReason
    ) -> Doomed:
        """Enter that two people destroyed the card; an open run on it ends here.

        Raises ``Refused`` unless they are two, neither the holder, in their roles, and while a
        certificate on the card lives; ``Conflict`` for a second time.
        """
        if operator.operator_id == witness.operator_id:
            raise Refused(
                "card.destroy.people",
                "a card is destroyed by one person before the eyes of another",
                "Name another person with --witness.",
            )
        with self.store.begin() as tx:
            self.trail.position(tx)  # one at a time: a station may be at work on the card
            doomed = self._find(tx, chip_serial)
            _verify_dead(doomed)
            self._verify_not_own(tx, doomed, operator, witness)
            seconder = self.directory.role_among(tx, witness.operator_id, _WITNESSES)
            self.directory.state(
                tx,
                _event(doomed, operator, witness, reason),
                (operator, destruction(doomed, Role.CARD_OPERATOR, reason)),
                (witness, destruction(doomed, seconder, reason)),
            )
            doomed.card.state = CardState.DESTROYED
            for run in doomed.runs:
                if run.state is RunState.OPEN:
                    run.state, run.ended_at = RunState.ABANDONED, whole_seconds(self.clock())
            for envelope in doomed.envelopes:
                tx.delete(envelope)
            return doomed

    def _find(self, tx: Transaction, chip_serial: str) -> Doomed:
        card = tx.get(Card, chip_serial)
        if card is None:
            raise NotFound("card.unknown", f"there is no card {chip_serial!r}", "`hpki card list`.")
        found = ca_records.certificates_of_carrier(tx, card_carrier(chip_serial, "").id)
        return Doomed(
            card=card,
            applicant=_applicant(tx, card),
            certificates=tuple(found),
            living=tuple(one for one in found if self._lives(tx, one)),
            runs=tuple(records.runs_of(tx, chip_serial)),
            envelopes=tuple(records.envelopes_of(tx, chip_serial)),
        )

    def _lives(self, tx: Transaction, row: Certificate) -> bool:
        """Return whether it may be used: one only reserved may have been issued."""
        revoked = ca_records.revocation_of(tx, row.id or 0) is not None
        return not revoked and self.clock() <= row.not_after

    def _verify_not_own(
        self, tx: Transaction, doomed: Doomed, operator: Signer, witness: Signer
    ) -> None:
        if doomed.applicant is not None:
            application = find_application(tx, doomed.applicant.application_ref)
            people = (operator.operator_id, witness.operator_id)
            verify_nobodys_own(self.directory, tx, application, people)


def destruction(doomed: Doomed, role: Role, reason: DestructionReason) -> Decision:
    """Return what each of the two says of the card as it was seen."""
    return Decision(
        StatementType.CARD_DESTRUCTION,
        "card",
        doomed.card.chip_serial,
        doomed.digest(),
        "DESTROY",
        role,
        reason.value,
    )


def _event(doomed: Doomed, operator: Signer, witness: Signer, reason: DestructionReason) -> Event:
    return Event(
        "CARD.DESTROY",
        "card",
        doomed.card.chip_serial,
        actor=operator.operator_id,
        actor_role=Role.CARD_OPERATOR,
        co_actor=witness.operator_id,
        detail={
            "card": doomed.digest(),
            "state": doomed.card.state.value,
            "order": doomed.card.order_id or "",
            "reason": reason.value,
            "abandoned": [one.id for one in doomed.runs if one.state is RunState.OPEN],
            "envelopes": len(doomed.envelopes),
        },
    )


def _verify_dead(doomed: Doomed) -> None:
    if doomed.card.state is CardState.DESTROYED:
        raise Conflict("card.destroyed", f"the card {doomed.card.chip_serial} was destroyed before")
    if doomed.living:
        raise Refused(
            "card.destroy.lives",
            f"{len(doomed.living)} certificates of the card {doomed.card.chip_serial} are "
            "not revoked",
            "Revoke them first, with ground C12_CARD_SCRAPPED for a card that failed.",
        )


def _applicant(tx: Transaction, card: Card) -> Applicant | None:
    """Return whose card it is; None for one in stock, or whose holder's values were erased."""
    if card.order_id is None:
        return None
    application = find_application(tx, find_order(tx, card.order_id).application_ref)
    return None if application.erased_at is not None else applicant_of(tx, application)
