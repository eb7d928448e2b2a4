"""PIN disclosure: approved by two people in the trail before an envelope is opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import ec

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from ca.orders import find_order
from card_personalization import records
from card_personalization.pins import pin_envelope_purpose
from card_personalization.records import Card, CardState, PinEnvelope, Run
from keys.sealing import open_sealed
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, NotFound, Refused
from policies.roles import Role
from ra.persons.applicants import verify_nobodys_own
from ra.records import find_application
from store.database import Store, Transaction

APPROVERS = (Role.RA_MANAGER, Role.CA_MANAGER)
"""Who may let a PIN be disclosed."""


class DisclosureReason(StrEnum):
    """Why a holder gets another PIN letter; none is ever read out by telephone."""

    FORGOTTEN = "FORGOTTEN"
    LETTER_LOST = "LETTER_LOST"
    LETTER_UNREADABLE = "LETTER_UNREADABLE"
    FIRST_LETTER = "FIRST_LETTER"


@dataclass(frozen=True)
class Pins:
    """A card's PINs by application, for the letter only."""

    chip_serial: str
    order_id: str
    by_application: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Disclosure:
    """Opens PIN envelopes."""

    store: Store
    trail: Trail
    directory: Directory

    def disclose(
        self,
        chip_serial: str,
        reason: DisclosureReason,
        operator: Signer,
        approver: Signer,
        sealing_key: Callable[[str], ec.EllipticCurvePrivateKey],
    ) -> Pins:
        """Have both sign, commit that, and only then open the operator's envelope.

        ``sealing_key`` gives the operator's key by the credential id of the pair it belongs to; it
        is unlocked before anything is entered. Raises ``Refused`` unless they are two people who
        neither made nor hold the card, ``NotFound`` where the operator has no envelope of it.
        """
        if operator.operator_id == approver.operator_id:
            raise Refused(
                "card.pins.people",
                "a PIN is disclosed by one person and approved by another",
                "Name another person with --approver.",
            )
        with self.store.read() as tx:
            key = sealing_key(self._envelope(tx, chip_serial, operator).credential_id)
        with self.store.begin() as tx:
            run = self._verify(tx, chip_serial, operator, approver)
            envelope = self._envelope(tx, chip_serial, operator)
            seen = envelopes_digest(run, records.envelopes_of(tx, chip_serial))
            role = self.directory.role_among(tx, approver.operator_id, APPROVERS)
            self.directory.state(
                tx,
                _event(run, operator, approver, reason, seen),
                (operator, disclosure(run, seen, Role.PIN_OPERATOR, reason)),
                (approver, disclosure(run, seen, role, reason)),
            )
        return _opened(run, envelope, key)

    def _envelope(self, tx: Transaction, chip_serial: str, operator: Signer) -> PinEnvelope:
        """Return the newest envelope to a pair of keys of the operator, held now or before."""
        held = self.directory.register(tx).account(operator.operator_id).keys
        envelopes = {one.credential_id: one for one in records.envelopes_of(tx, chip_serial)}
        for pair in reversed(held):
            if pair.credential in envelopes:
                return envelopes[pair.credential]
        raise NotFound(
            "card.pins.envelope",
            f"{operator.operator_id} has no PIN envelope of the card {chip_serial!r}",
            "Another PIN operator may have one: `hpki card show CARD`.",
        )

    def _verify(self, tx: Transaction, chip_serial: str, operator: Signer, approver: Signer) -> Run:
        """Return the run that made the card."""
        card, runs = tx.get_one(Card, chip_serial), records.runs_of(tx, chip_serial)
        made = next((one for one in runs if one.order_id == card.order_id), None)
        if card.state is not CardState.PERSONALISED or made is None:
            raise Conflict("card.pins.state", f"the card {chip_serial} is {card.state}")
        people = (operator.operator_id, approver.operator_id)
        for name in people:
            if name in {one.operator_id for one in runs}:
                raise Refused(
                    "card.pins.made",
                    f"{name} worked on the card {chip_serial} and may not see its PINs",
                    "Let others do it: who makes cards never learns their PINs.",
                )
        application = find_application(tx, find_order(tx, made.order_id).application_ref)
        verify_nobodys_own(self.directory, tx, application, people)
        return made


def envelopes_digest(run: Run, envelopes: list[PinEnvelope]) -> str:
    """Return the SHA-256 of card, order and envelopes, which both people sign."""
    sealed = {one.credential_id: digest(one.sealed) for one in envelopes}
    seen = {"card": run.chip_serial, "order": run.order_id, "envelopes": sealed}
    return digest(canonical_json(seen))


def disclosure(run: Run, seen: str, role: Role, reason: DisclosureReason) -> Decision:
    """Return what each of the two says."""
    return Decision(
        StatementType.PIN_DISCLOSURE,
        "card",
        run.chip_serial,
        seen,
        "DISCLOSE",
        role,
        reason.value,
    )


def _event(
    run: Run, operator: Signer, approver: Signer, reason: DisclosureReason, seen: str
) -> Event:
    return Event(
        "PIN.DISCLOSE_APPROVE",
        "card",
        run.chip_serial,
        actor=operator.operator_id,
        actor_role=Role.PIN_OPERATOR,
        co_actor=approver.operator_id,
        detail={"order": run.order_id, "reason": reason.value, "envelopes": seen},
    )


def _opened(run: Run, envelope: PinEnvelope, key: ec.EllipticCurvePrivateKey) -> Pins:
    octets = open_sealed(envelope.sealed, key, pin_envelope_purpose(run))
    try:
        content = json.loads(octets)
        chip_serial = content.pop("chip")
        pins = {str(name): str(pin) for name, pin in content.items()}
    except (ValueError, KeyError, AttributeError):
        raise _foreign(run) from None
    if chip_serial != run.chip_serial:
        raise _foreign(run)
    return Pins(run.chip_serial, run.order_id, pins)


def _foreign(run: Run) -> Refused:
    return Refused("card.pins.content", f"the envelope of {run.chip_serial} holds no PINs of it")
