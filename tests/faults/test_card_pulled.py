"""The card is pulled at any moment, put in again, and becomes the one card of its order."""

from __future__ import annotations

import random

import pytest

from card_personalization.transport import CardRemoved, FaultTransport
from tests.faults.resuming import check_whole, resume
from tests.flows.conftest import Centre
from tests.flows.registration import batch_for, blank_card, order_all, personalize, row

SEED = 20261121
SAMPLES = {"sqlite": 12, "postgresql": 4}


def run_with_fault(centre: Centre, order_id: str, card: str, fail_at: int, *, after: bool) -> int:
    """Personalize with the card pulled at that APDU; how many were sent."""
    transport = FaultTransport(centre.stock.insert_virtual(card), fail_at, after=after)
    if fail_at == 0:
        personalize(centre, order_id, transport)
    else:
        with pytest.raises(CardRemoved):
            personalize(centre, order_id, transport)
    return transport.sent


def pull_and_resume(centre: Centre, number: int, fail_at: int, *, after: bool) -> None:
    (order,) = order_all(centre, row(number))
    card = blank_card(centre)
    assert run_with_fault(centre, order.id, card, fail_at, after=after) == fail_at
    check_whole(centre, order.id, card, resume(centre, order.id, card))


def apdus(centre: Centre) -> int:
    """How many APDUs a whole run takes."""
    (order,) = order_all(centre, row(1))
    return run_with_fault(centre, order.id, blank_card(centre), 0, after=False)


def test_pulled_at_sampled_commands(centre: Centre) -> None:
    """One command in each stretch of the run, before it reaches the card and after it did."""
    total = apdus(centre)
    assert total > 100
    count = SAMPLES[centre.store.engine.dialect.name]
    choice = random.Random(SEED)
    for number in range(count):
        fail_at = choice.randint(1 + total * number // count, total * (number + 1) // count)
        after = bool(number % 2)
        try:
            pull_and_resume(centre, number + 2, fail_at, after=after)
        except AssertionError as failure:
            failure.add_note(f"pulled {'after' if after else 'before'} APDU {fail_at} of {total}")
            raise
    centre.trail.verify()


def test_pulled_again_and_again(file_centre: Centre) -> None:
    """A run that breaks five times on its way still ends with one certificate of each kind."""
    centre = file_centre
    total = apdus(centre)
    (order,) = order_all(centre, row(2))
    card = blank_card(centre)
    # later runs leave out the steps that came to their end
    for attempt, fail_at in enumerate((total * 2 // 7, total * 3 // 7, total * 3 // 7, 22, 30)):
        run_with_fault_again(centre, order.id, card, fail_at, attempt)
    check_whole(centre, order.id, card, resume(centre, order.id, card))
    centre.trail.verify()


def run_with_fault_again(
    centre: Centre, order_id: str, card: str, fail_at: int, attempt: int
) -> None:
    transport = FaultTransport(centre.stock.insert_virtual(card), fail_at, after=attempt % 2 == 0)
    batch = batch_for(centre, order_id, batch_id=f"attempt-{attempt}")
    with pytest.raises(CardRemoved):
        personalize(centre, order_id, transport, batch)


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True])
def test_pulled_at_every_command(centre: Centre, after: bool) -> None:  # noqa: FBT001
    total = apdus(centre)
    for fail_at in range(1, total + 1):
        try:
            pull_and_resume(centre, fail_at + 1, fail_at, after=after)
        except AssertionError as failure:
            failure.add_note(f"pulled {'after' if after else 'before'} APDU {fail_at} of {total}")
            raise
    centre.trail.verify()
