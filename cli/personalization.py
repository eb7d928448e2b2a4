"""A batch at the station: orders in a row, cards in readers or virtual ones, several at once."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from queue import SimpleQueue
from threading import Event, Lock, Thread, current_thread
from time import monotonic
from typing import Any

from ca.orders import Batch
from ca.records import CarrierKind, order_of_application
from card_personalization import records as card_records
from card_personalization.card import CardIdentity, CardProfile, no_secret
from card_personalization.pcsc import PcscTransport, wait_for_card
from card_personalization.records import Card
from card_personalization.station import Report
from card_personalization.transport import ConnectionLost, NoCard, TraceTransport, Transport
from cli.wiring import Services
from operators.statements import Signer
from pki.errors import HpkiError
from policies.moves import ApplicationState
from ra import records
from store.database import Transaction

VIRTUAL = "virtual"
"""In place of a reader's name: a virtual card of the site's for each order."""

_LOOK_SECONDS = 0.5
_OF_THE_CARD = frozenset(
    f"card.{name}" for name in ("destroyed", "personalised", "reserved.other", "run.other", "used")
)
_LOSSES = 3  # of an order's card on the way, until it is given up for this batch

Result = Report | HpkiError


@dataclass(frozen=True)
class Setup:
    """Readers by full name or ``VIRTUAL``, one card at a time in each; the kind of card.

    ``wait_seconds``: how long a reader waits for its next card. ``tell`` gets words for who stands
    at the station, ``trace`` each APDU as a line with secrets masked.
    """

    readers: Sequence[str]
    profile: CardProfile
    wait_seconds: float
    tell: Callable[[str], None]
    trace: Callable[[str], None] | None = None


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
    setup: Setup,
) -> Iterator[Result]:
    """Open one batch and yield each order's report, or what stopped it, as they come.

    Ctrl-C lets the cards in work be finished, takes up no other, and is raised again at the end. A
    fault of this program in one of its threads is raised here.
    """
    for ask in (services.vault.card_master, services.vault.ca_keys):
        ask()  # here, and not in a thread
    batch = services.orders.open_batch(executor, orders, secrets.token_hex(8))
    work = _Work(services, card_operator, batch, setup, orders)
    threads = [
        Thread(target=work.at, args=(reader,), name=reader, daemon=True) for reader in setup.readers
    ]
    try:
        for thread in threads:
            thread.start()
        yield from work.until_ended(len(threads))
        yield from work.left_over()
    finally:
        work.stopped.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


class _Work:
    """Orders not yet done, shared by the readers."""

    def __init__(
        self,
        services: Services,
        card_operator: Signer,
        batch: Batch,
        setup: Setup,
        orders: Sequence[str],
    ) -> None:
        self.results: SimpleQueue[Any] = SimpleQueue()
        self.stopped = Event()
        self._services = services
        self._card_operator = card_operator
        self._batch = batch
        self._setup = setup
        self._station = replace(services.station, profile=setup.profile)
        self._orders = list(orders)
        self._single = len(orders) == 1
        self._losses: Counter[str] = Counter()
        self._lock = Lock()
        self._last: HpkiError | None = None

    def at(self, reader: str) -> None:
        """Work at one reader until nothing is left to do there; then a None among the results."""
        try:
            while self._orders and not self.stopped.is_set():
                if not (self._virtual() if reader == VIRTUAL else self._inserted(reader)):
                    break
        except HpkiError as error:
            self._last = error
        except Exception as error:  # a fault of this program
            self.results.put(error)
        finally:
            self.results.put(None)

    def until_ended(self, readers: int) -> Iterator[Result]:
        """Yield results until so many readers have ended."""
        while readers:
            try:
                result = self.results.get()
            except KeyboardInterrupt:
                if self.stopped.is_set():
                    raise
                self.stopped.set()
                self._setup.tell("stopping; cards in work are finished first")
                continue
            if result is None:
                readers -= 1
            elif isinstance(result, HpkiError | Report):
                yield result
            else:
                raise result
        if self.stopped.is_set():
            raise KeyboardInterrupt

    def left_over(self) -> Iterator[HpkiError]:
        """Yield why each order that no reader came to was not done."""
        for order_id in self._orders:
            reason = self._last or NoCard(f"no card was left for the order {order_id}")
            yield reason

    def _virtual(self) -> bool:
        order_id = self._take(None)
        if order_id is None:
            return False
        stock, name = self._services.stock, self._setup.profile.name
        try:
            card = stock.reserve(order_id, name)
            serial = (
                card.chip_serial
                if card is not None
                else stock.make_virtual(self._card_operator.operator_id, name, order_id)
            )
            with closing(stock.insert_virtual(serial)) as transport:
                self.results.put(self._personalize(order_id, transport))
        except HpkiError as error:
            self.results.put(error)
        return True

    def _inserted(self, reader: str) -> bool:
        """Do one order on the card in the reader; False if none comes."""
        if not self._waited(reader, present=True):
            if not self._orders or self.stopped.is_set():
                return False
            raise NoCard(f"there is no card in {reader}")
        order_id = None
        try:
            with closing(PcscTransport(reader)) as transport:
                order_id = self._take(self._identify(transport).chip_serial)
                if order_id is not None:
                    self.results.put(self._personalize(order_id, transport))
        except HpkiError as error:
            if order_id is None and self._single:
                raise
            self._failed(order_id, error, reader)
        if order_id is None and self._orders:
            self._setup.tell(f"{reader}: every order left has been begun on another card")
        if self._orders and not self.stopped.is_set():
            return self._waited(reader, present=False)
        return True

    def _waited(self, reader: str, *, present: bool) -> bool:
        """Wait for a card to come or go; whether it did in time, and nobody has stopped us."""
        asked, end = False, monotonic() + self._setup.wait_seconds
        while not wait_for_card(reader, present=present, seconds=0):
            if self.stopped.is_set() or not self._orders or monotonic() >= end:
                return False
            if not asked:
                self._setup.tell(f"{reader}: {'put a card in' if present else 'take the card out'}")
                asked = True
            wait_for_card(reader, present=present, seconds=_LOOK_SECONDS)
        return True

    def _failed(self, order_id: str | None, error: HpkiError, reader: str) -> None:
        """Put the order back if the card was at fault, or was lost and may come back."""
        if order_id is None:
            self._setup.tell(f"{reader}: {error.text}")
            return
        lost = isinstance(error, ConnectionLost)
        self._losses[order_id] += lost
        again = lost and self._losses[order_id] < _LOSSES or error.code in _OF_THE_CARD
        if again and not self._single:
            with self._lock:
                self._orders.append(order_id)
            self._setup.tell(f"{reader}: {order_id}: {error.text}; {error.hint or 'once more'}")
        else:
            self.results.put(error)

    def _take(self, chip_serial: str | None) -> str | None:
        """Return the order begun on the card, else the first begun on none; it is taken."""
        with self._lock, self._services.store.read() as tx:
            known = tx.get(Card, chip_serial) if chip_serial else None
            for order_id in self._orders:
                run = card_records.open_run(tx, order_id)
                fits = chip_serial is None or run is None or run.chip_serial == chip_serial
                if known is not None and known.order_id in self._orders:
                    fits = known.order_id == order_id
                if fits or self._single:
                    self._orders.remove(order_id)
                    return order_id
        return None

    def _identify(self, transport: Transport) -> CardIdentity:
        return self._setup.profile.card(self._traced(transport), no_secret).identify()

    def _personalize(self, order_id: str, transport: Transport) -> Report:
        return self._station.personalize(
            order_id,
            self._traced(transport),
            self._batch,
            self._card_operator,
            lambda _: None,
            partial(self._admit, order_id),
        )

    def _traced(self, transport: Transport) -> Transport:
        trace = self._setup.trace
        if trace is None:
            return transport
        place = f"{current_thread().name} " if len(self._setup.readers) > 1 else ""
        return TraceTransport(transport, lambda line: trace(place + line))

    def _admit(self, order_id: str, tx: Transaction, card: CardIdentity) -> None:
        actor, name = self._card_operator.operator_id, self._setup.profile.name
        self._services.stock.admit(tx, order_id, card, actor, name)
