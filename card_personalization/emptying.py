"""Emptying of a PIV card, on explicit order only, and never of one that is in the books."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from audit.trail import Event, Trail
from ca.records import key_is_certified
from card_personalization.card_key import certified_key
from card_personalization.layout import Role as CardRole
from card_personalization.piv_card import PivCard
from card_personalization.records import Card, CardState
from operators.directory import Directory
from operators.statements import Signer
from pki.errors import Conflict, HpkiError, Unavailable
from pki.signing import IssuerPublicKey, key_id, spki_der
from policies.roles import Role
from store.database import Store, Transaction


@dataclass(frozen=True)
class Emptying:
    """Brings PIV cards back to how they left the factory."""

    store: Store
    trail: Trail
    directory: Directory

    def empty(self, card: PivCard, operator: Signer) -> str:
        """Reset the card and return the serial it had, empty for none.

        It is entered before, since a card cannot be brought back, and again if it fails.

        Raises ``Conflict`` for a card in stock, reserved or finished, ``Refused`` without the role
        CARD_OPERATOR, ``NotOffered`` if the card has no such command.
        """
        chip_serial, keys = card.identify().chip_serial, _keys_on(card)
        with self.store.begin() as tx:
            self.directory.verify_may_act(tx, operator, Role.CARD_OPERATOR)
            _verify_gone(tx, chip_serial)
            self._verify_nobodys(tx, chip_serial, keys)
            self.trail.append(tx, _event(chip_serial, operator, "OK"))
        try:
            card.factory_reset()
        except HpkiError:
            with self.store.begin() as tx:
                self.trail.append(tx, _event(chip_serial, operator, "FAIL"))
            raise
        return chip_serial

    def _verify_nobodys(
        self, tx: Transaction, chip_serial: str, keys: Collection[IssuerPublicKey]
    ) -> None:
        """Refuse a card with an operator's key, or with certified keys of a card not destroyed."""
        register = self.directory.register(tx)
        known = tx.get(Card, chip_serial) if chip_serial else None
        for key in keys:
            spki = spki_der(key)
            certified = key_is_certified(tx, hashlib.sha256(spki).hexdigest()) and known is None
            if certified or key_id(spki) in register.credentials:
                raise Conflict(
                    "card.reset.known",
                    "the card holds a key that this site has certified or registered",
                    "Revoke it, or register another key, and destroy the card.",
                )


def _keys_on(card: PivCard) -> list[IssuerPublicKey]:
    found = []
    for role in CardRole:
        try:
            found.append(certified_key(card.read_certificates(role).holder_der))
        except Unavailable as error:
            if error.code not in ("card.no_certificate", "card.certificate"):
                raise
    return found


def _event(chip_serial: str, operator: Signer, outcome: str) -> Event:
    return Event(
        "CARD.RESET",
        "card",
        chip_serial or "none",
        actor=operator.operator_id,
        actor_role=Role.CARD_OPERATOR,
        outcome=outcome,
    )


def _verify_gone(tx: Transaction, chip_serial: str) -> None:
    known = tx.get(Card, chip_serial) if chip_serial else None
    if known is not None and known.state is not CardState.DESTROYED:
        raise Conflict(
            "card.reset.known",
            f"the card {chip_serial} is {known.state} at this site",
            "Enter first that it is destroyed: `hpki card destroy`; once empty it is another card.",
        )
