"""A PIV card that nobody here wrote, from blank to finished at our station."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from card_personalization.station import Report
from card_personalization.transport import CardRemoved, EmbeddedTransport, FaultTransport
from pki.errors import Refused
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.piv import check_whole_piv, make_piv
from tests.flows.registration import order_all, row
from tests.interop.jcecard_card import JceCard

CEREMONY = (Path(__file__).parents[2] / "examples" / "ceremony-next-generation.toml").read_bytes()
P256 = '[card]\nalgorithms = ["P-256"]\n'
NO_PIN_PER_SIGNATURE = P256 + "[sign]\npin_always = false\n"


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A centre whose profiles certify keys on P-256 too."""
    folder = tmp_path_factory.mktemp("jcecard")
    store = Store(f"sqlite:///{folder / 'store.sqlite'}")
    made = Centre(store, folder)
    made.set_up()
    made.hold_ceremony(CEREMONY)
    yield made
    store.close()


def test_a_blank_card_becomes_the_orders(centre: Centre) -> None:
    (order,) = order_all(centre, row(1))
    card = EmbeddedTransport(JceCard())
    report = make_piv(centre, order.id, card, NO_PIN_PER_SIGNATURE)
    check_whole_piv(centre, order.id, card, report)
    assert report.not_offered == (
        "ca_certificates", "management_key", "pin_per_signature", "retry_limits", "separate_pins",
    )  # fmt: skip


def test_a_card_that_asks_no_pin_per_signature_is_refused(centre: Centre) -> None:
    """As the standard wants it of 9C, unless the layout says that this kind of card does not."""
    (order,) = order_all(centre, row(2))
    card = EmbeddedTransport(JceCard())
    refusal = refused(Refused, "card.verify", lambda: make_piv(centre, order.id, card, P256))
    assert "sign.pin_per_signature" in refusal.text


def finished_or_scrapped(centre: Centre, order_id: str, card: EmbeddedTransport) -> Report | None:
    """Put it in again; None where its PINs were set, and nothing proves any more who it is."""
    try:
        return make_piv(centre, order_id, card, NO_PIN_PER_SIGNATURE, "again")
    except Refused as refusal:
        if refusal.code not in ("card.unproven", "card.pins.unknown"):
            raise
        return None


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("every", [15, pytest.param(1, marks=pytest.mark.soak)])
def test_pulled_and_put_in_again(centre: Centre, every: int, after: bool) -> None:  # noqa: FBT001
    start = 20 + 150 * after
    (order,) = order_all(centre, row(start))
    probe = JceCard()
    make_piv(centre, order.id, EmbeddedTransport(probe), NO_PIN_PER_SIGNATURE)
    total = len(probe.sent)
    for fail_at in range(1 + after * (every // 2), total + 1, every):
        (order,) = order_all(centre, row(start + fail_at))
        card = JceCard()
        pulled = FaultTransport(EmbeddedTransport(card), fail_at, after=after)
        try:
            with pytest.raises(CardRemoved):
                make_piv(centre, order.id, pulled, NO_PIN_PER_SIGNATURE)
            again = EmbeddedTransport(card)
            report = finished_or_scrapped(centre, order.id, again)
            assert report is not None or fail_at > total // 3
            if report is not None:
                check_whole_piv(centre, order.id, again, report)
        except BaseException as failure:
            failure.add_note(f"pulled {'after' if after else 'before'} APDU {fail_at} of {total}")
            raise
    centre.trail.verify()
