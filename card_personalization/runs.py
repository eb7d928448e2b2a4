"""Which run may go on at the station, and what a failed card gets told."""

from __future__ import annotations

from ca import records as ca_records
from card_personalization import records
from card_personalization.card import SCRAP
from card_personalization.inspection import certificates_on
from card_personalization.records import Card, CardState, Run
from pki.errors import Conflict, Refused
from store.database import Transaction


def run_on(tx: Transaction, order_id: str, chip_serial: str) -> Run | None:
    """Return the order's open run on the card, None where none was begun.

    Raises ``Conflict`` for another card than the order's, or one that is finished.
    """
    stocked = tx.get(Card, chip_serial)
    if stocked is None or stocked.order_id not in (None, order_id):
        raise Conflict(
            "card.reserved.other",
            f"the card {chip_serial} is not in stock for the order {order_id}",
            "Insert the card that was reserved for it.",
        )
    if stocked.state is CardState.DESTROYED:
        raise Conflict("card.destroyed", f"the card {chip_serial} was destroyed")
    if stocked.state is CardState.PERSONALISED:
        raise Conflict("card.personalised", f"the card {chip_serial} is finished already")
    verify_living(tx, chip_serial)
    run = records.open_run(tx, order_id)
    if run is not None and run.chip_serial != chip_serial:
        raise Conflict(
            "card.run.other",
            f"the order {order_id} was begun on the card {run.chip_serial}",
            "Insert that card; it is taken up where it stopped.",
        )
    carriers = [one.chip_serial for one in ca_records.carriers_of_order(tx, order_id)]
    if any(one != chip_serial for one in carriers):
        raise Conflict(
            "card.order.spent",
            f"something was issued for the order {order_id} on the card {carriers[0]}",
            "If that card is scrapped, an approver sends the file back for another attempt: "
            "`hpki ra send-back`.",
        )
    return run


def verify_living(tx: Transaction, chip_serial: str) -> None:
    """Raise ``Conflict`` where something that was issued on the card is revoked."""
    if any(ca_records.revocation_of(tx, one.id or 0) for one in certificates_on(tx, chip_serial)):
        raise Conflict(
            "card.scrapped",
            f"what was issued on the card {chip_serial} is revoked",
            "Destroy it; an approver sends the file back for another attempt: `hpki ra send-back`.",
        )


def verify_known(run: Run, *, proven: bool) -> None:
    """Raise ``Refused`` unless the card of a run that has set its PINs has proven itself.

    Before, the check of the finished card has its PINs; afterwards only its key tells it from one
    with the same number and the same certificates.
    """
    if not proven:
        raise Refused(
            "card.unproven",
            f"the run on the card {run.chip_serial} broke off after its PINs were set, and nothing "
            "proves that this is the same card",
            SCRAP,
        )


def failed_card(run: Run, checks: str) -> Refused:
    """Return the refusal of a card that failed checks."""
    return Refused("card.verify", f"the card {run.chip_serial} failed {checks}", SCRAP)
