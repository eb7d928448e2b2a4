"""A batch at the station, with virtual cards in place of a reader."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence

from ca.records import CarrierKind, order_of_application
from card_personalization.station import Report
from card_personalization.transport import TraceTransport
from cli.wiring import Services
from operators.statements import Signer
from pki.errors import HpkiError
from policies.moves import ApplicationState
from ra import records


def waiting_orders(services: Services) -> list[str]:
    """Return the orders whose application waits for its card."""
    with services.store.read() as tx:
        found = [
            order_of_application(tx, row.ref)
            for row in records.applications(tx, [ApplicationState.ISSUING])
            if row.carrier == CarrierKind.CARD
        ]
    return [order.id for order in found if order is not None]


def personalize_all(
    services: Services,
    executor: Signer,
    card_operator: Signer,
    orders: Sequence[str],
    trace: Callable[[str], None] | None = None,
) -> Iterator[Report | HpkiError]:
    """Open one batch and yield each order's report, or what stopped it.

    ``trace`` takes each APDU as a line, with secrets masked.
    """
    batch = services.orders.open_batch(executor, orders, secrets.token_hex(8))
    for order_id in orders:
        try:
            card = services.stock.reserve(order_id)
            chip_serial = (
                card.chip_serial
                if card is not None
                else services.stock.make_virtual(card_operator.operator_id)
            )
            transport = services.stock.insert_virtual(chip_serial)
            if trace is not None:
                transport = TraceTransport(transport, trace)
            try:
                yield services.station.personalize(
                    order_id, transport, batch, card_operator, lambda _: None
                )
            finally:
                transport.close()
        except HpkiError as error:
            yield error
