"""What the trail costs of issuing: seconds inside ``Trail.append`` beside the whole.

Each certificate goes the honest way: examination and approval signed, order accepted, batch
signed, twin judged, intent stored, signed, compared, stored; a file store with synchronous FULL.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from audit.trail import Event, Trail
from ca.carriers import card_carrier
from policies.profiles import Purpose
from store.database import Store, Transaction
from tests.flows.conftest import Centre
from tests.flows.issuing import PURPOSES, accept, card_key, csr, dossier, open_batch

CARDS = 40
ROUNDS = 5
LIMIT = 0.15


class Stopwatch:
    """Adds up the time spent in ``Trail.append``."""

    def __init__(self) -> None:
        self.seconds, self.entries = 0.0, 0
        self._append = Trail.append

    def install(self) -> None:
        """Take the place of ``Trail.append``."""
        watch, append = self, self._append

        def timed(trail: Trail, tx: Transaction, event: Event) -> int:
            tx.flush()  # the caller's own writes are not the trail's cost
            begin = time.perf_counter()
            seq = append(trail, tx, event)
            watch.seconds += time.perf_counter() - begin
            watch.entries += 1
            return seq

        Trail.append = timed  # type: ignore[assignment,method-assign]


def issue(centre: Centre, number: int) -> None:
    """Issue both certificates of one card."""
    order = accept(centre, dossier(number))
    batch = open_batch(centre, order.id, batch_id=f"batch-{number}")
    carrier = card_carrier(f"{number:08d}", order.id)
    for purpose in PURPOSES:
        request = csr(card_key(2 * number + PURPOSES.index(Purpose(purpose))))
        prepared = centre.orders.prepare(order.id, purpose, request)
        centre.orders.issue(prepared, order.id, purpose, carrier, batch)


def main() -> None:
    """Print rate and share."""
    watch = Stopwatch()
    watch.install()
    shares, rates, entries = [], [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        centre = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
        centre.set_up()
        centre.hold_ceremony()
        for number in range(2 * (ROUNDS + 1) * CARDS):
            card_key(number)  # keys are the card's work, not the CA's
        for turn in range(ROUNDS + 1):
            watch.seconds, watch.entries = 0.0, 0
            begin = time.perf_counter()
            for number in range(turn * CARDS, (turn + 1) * CARDS):
                issue(centre, number)
            spent = time.perf_counter() - begin
            if turn:
                shares.append(watch.seconds / spent)
                rates.append(2 * CARDS / spent)
                entries = watch.entries
        centre.store.close()
    share = statistics.median(shares)
    verdict = "within" if share <= LIMIT else "OVER"
    rate = statistics.median(rates)
    print(f"issuing {rate:.0f} certificates/s, {entries / CARDS:.0f} entries a card")
    print(f"share of Trail.append {share:.1%} of issuing, limit {LIMIT:.0%}: {verdict}")


if __name__ == "__main__":
    main()
