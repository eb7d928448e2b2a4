"""A batch at the station, with virtual cards or the card in a reader."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

from ca.records import CarrierKind, order_of_application
from card_personalization.card import CardIdentity
from card_personalization.pcsc import PcscTransport
from card_personalization.station import Report
from card_personalization.transport import TraceTransport, Transport
from cli.wiring import Services
from operators.statements import Signer
from pki.errors import HpkiError
from policies.moves import ApplicationState
from ra import records
from store.database import Transaction

VIRTUAL = "virtual"
"""In place of a reader's name: a virtual card of the site's for each order."""


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
    reader: str = VIRTUAL,
    trace: Callable[[str], None] | None = None,
) -> Iterator[Report | HpkiError]:
    """Open one batch and yield each order's report, or what stopped it.

    ``reader``: full name of a PC/SC reader, for a batch of one order, or ``VIRTUAL``. ``trace``
    takes each APDU as a line, with secrets masked.
    """
    batch = services.orders.open_batch(executor, orders, secrets.token_hex(8))
    for order_id in orders:
        admit = partial(_admit, services, order_id, card_operator)
        try:
            with closing(_connect(services, order_id, card_operator, reader)) as transport:
                card = transport if trace is None else TraceTransport(transport, trace)
                yield services.station.personalize(
                    order_id,
                    card,
                    batch,
                    card_operator,
                    lambda _: None,
                    None if reader == VIRTUAL else admit,
                )
        except HpkiError as error:
            yield error


def _connect(services: Services, order_id: str, card_operator: Signer, reader: str) -> Transport:
    """Return a connection to the card in the reader, or to the order's virtual card."""
    if reader != VIRTUAL:
        return PcscTransport(reader)
    card = services.stock.reserve(order_id)
    chip_serial = (
        card.chip_serial
        if card is not None
        else services.stock.make_virtual(card_operator.operator_id)
    )
    return services.stock.insert_virtual(chip_serial)


def _admit(
    services: Services, order_id: str, card_operator: Signer, tx: Transaction, card: CardIdentity
) -> None:
    services.stock.admit(tx, order_id, card, card_operator.operator_id)
