"""What making a card costs us, and what a second reader gives.

Virtual cards without a reader, each order approved before. Its own cost: the seconds of a batch of
200, the cards' keys made beforehand. The rate: a chip that takes 2 s for each key, as real ones do.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

from card_personalization.profiles import HPKI, PIV, card_profile
from card_personalization.station import Report
from card_personalization.virtual_card import KeyMaker
from cli.personalization import VIRTUAL, Setup, personalize_all
from cli.wiring import Services
from keys.backend import KeySpec, PrivateKey
from keys.files import make_private_key
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.registration import order_all, row

CARDS = {HPKI: 200, PIV: 50}
CHIP_SECONDS = 2.0
SLOW_CARDS = 8
LIMIT = 0.3
GOAL = 1.8


class Keyring:
    """Keys made beforehand; handed out once in each centre."""

    def __init__(self, count: int) -> None:
        self._keys = [make_private_key(KeySpec("RSA-2048")) for _ in range(count)]

    def maker(self, seconds: float = 0) -> KeyMaker:
        """Return what gives the keys in turn, each after so many seconds."""
        keys = iter(self._keys)

        def make(spec: KeySpec) -> PrivateKey:
            assert spec.rsa_bits == 2048
            time.sleep(seconds)
            return next(keys)

        return make


class _Vault:
    """The secrets of a flow test's centre lie open."""

    def card_master(self) -> bytes:
        return b""

    def ca_keys(self) -> bytes:
        return b""


class _Services:
    """What a batch asks of the terminal's services."""

    def __init__(self, centre: Centre, make_key: KeyMaker) -> None:
        self.store, self.orders, self.station = centre.store, centre.orders, centre.station
        self.stock = replace(centre.stock, make_key=make_key)
        self.vault = _Vault()


@contextmanager
def centre_with(orders: int) -> Iterator[tuple[Centre, list[str]]]:
    """Set up a centre in a file, with approved orders."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        centre = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
        centre.set_up()
        centre.hold_ceremony()
        made = order_all(centre, *(row(number) for number in range(1, orders + 1)))
        yield centre, [order.id for order in made]
        centre.store.close()


def seconds(
    centre: Centre, orders: Sequence[str], make_key: KeyMaker, readers: int = 1, profile: str = HPKI
) -> tuple[float, float]:
    """Wall and processor time of one batch, all of whose cards are finished."""
    services = cast(Services, _Services(centre, make_key))
    setup = Setup([VIRTUAL] * readers, card_profile(profile), 0, print)
    hakko = centre.signers["hakko"]
    begin, busy = time.perf_counter(), time.process_time()
    results = list(personalize_all(services, hakko, hakko, orders, setup))
    spent = time.perf_counter() - begin, time.process_time() - busy
    failed = [one for one in results if not isinstance(one, Report)]
    assert not failed, failed
    assert len(results) == len(orders)
    return spent


def main() -> None:
    """Print seconds per card, and the rates of one and two readers."""
    keys = Keyring(2 * max(*CARDS.values(), SLOW_CARDS))
    for profile, count in CARDS.items():
        with centre_with(count) as (centre, orders):
            spent, busy = seconds(centre, orders, keys.maker(), profile=profile)
        verdict = "within" if spent / count <= LIMIT else "OVER"
        print(
            f"{profile:4} {count:4} cards in a batch: {spent / count:.3f} s of ours a card "
            f"(processor {busy / count:.3f} s), limit {LIMIT} s: {verdict}"
        )
    rates = []
    for readers in (1, 2):
        with centre_with(SLOW_CARDS) as (centre, orders):
            spent, _ = seconds(centre, orders, keys.maker(CHIP_SECONDS), readers)
        rates.append(SLOW_CARDS / spent)
        print(f"{CHIP_SECONDS:.0f} s a key, {readers} reader(s): {rates[-1] * 60:.1f} cards/min")
    ratio = rates[1] / rates[0]
    print(f"two readers give {ratio:.2f} times the rate, goal {GOAL}: ", end="")
    print("met" if ratio >= GOAL else "MISSED")


if __name__ == "__main__":
    main()
