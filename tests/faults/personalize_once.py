"""Personalize one card in a process of its own, to be killed: ``FOLDER ORDER CARD BATCH``.

``BATCH`` is JSON. Every step is told on stdout when it begins.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ca.orders import Batch
from store.database import Store
from tests.flows.conftest import Centre


def main(folder: str, order_id: str, card: str, batch: str) -> None:
    """Run it on the store in the folder."""
    centre = Centre(Store(f"sqlite:///{folder}/store.sqlite"), Path(folder))
    fields = json.loads(batch)
    signed = Batch(**{**fields, "digests": tuple(fields["digests"])})
    transport = centre.stock.insert_virtual(card)
    centre.station.personalize(order_id, transport, signed, lambda step: print(step, flush=True))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
