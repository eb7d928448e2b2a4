"""Personalize one card in a process of its own, to be killed: ``FOLDER ROOT ORDER CARD BATCH``.

``ROOT`` is the pinned set-up, ``BATCH`` is JSON; the card operator's test key comes on standard
input (PEM). Every step is told on standard output when it begins.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ca.orders import Batch
from operators.statements import KeySigner
from store.database import Store
from tests.flows.conftest import Centre


def main(folder: str, root: str, order_id: str, card: str, batch: str) -> None:
    """Run it on the store in the folder."""
    centre = Centre(Store(f"sqlite:///{folder}/store.sqlite"), Path(folder), root=root)
    fields = json.loads(batch)
    signed = Batch(**{**fields, "digests": tuple(fields["digests"])})
    private_key = load_pem_private_key(sys.stdin.buffer.read(), None)
    assert isinstance(private_key, ec.EllipticCurvePrivateKey)
    signer = KeySigner(signed.executor, private_key)
    transport = centre.stock.insert_virtual(card)
    centre.station.personalize(order_id, transport, signed, signer, tell)


def tell(step: str) -> None:
    """Say that the step begins."""
    sys.stdout.write(f"{step}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
