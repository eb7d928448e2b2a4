"""Carriers: what holds the keys of one order, and what was issued or reserved on it."""

from __future__ import annotations

from ca import records
from ca.records import Carrier, CarrierKind, Certificate, CertificateState, Order
from pki.errors import Conflict
from policies.profiles import Purpose
from store.database import Transaction


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


def is_alive(tx: Transaction, order: Order) -> bool:
    """Say whether a certificate of the order is not revoked."""
    return any(
        records.revocation_of(tx, row.id or 0) is None
        for carrier in records.carriers_of_order(tx, order.id)
        for row in records.certificates_of_carrier(tx, carrier.id)
    )


def reserved_on(tx: Transaction, carrier: Carrier, purpose: Purpose) -> Certificate | None:
    """Return the reservation that a crash left, or None.

    Raises ``Conflict`` where the certificate was issued, or revoked before it was.
    """
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


def place_carrier(tx: Transaction, carrier: Carrier, order_id: str) -> None:
    """Store the carrier; raises ``Conflict``: an order has one carrier, a carrier one order."""
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
