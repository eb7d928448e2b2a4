"""The program ends between two of its own steps; the next one goes on from what is stored."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from cryptography import x509

from audit.trail import Trail
from ca.records import Certificate, CertificateState
from card_personalization.hpki_card import HpkiCard
from card_personalization.hpki_issuing import TRANSPORT_KEY, issuer_keys
from card_personalization.layout import Role, default_layout
from card_personalization.station import Station
from keys.backend import KeyBackend, KeySpec, PrivateKey
from pki.errors import Conflict
from tests.faults.resuming import check_whole, resume
from tests.flows.conftest import CARD_SECRET, Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    batch_for,
    blank_card,
    certificates_on,
    entries,
    order_all,
    row,
)

SEED = 20261121


class Killed(BaseException):
    """The process ends here; nothing of the program may catch it."""


class DyingKeys:
    """The CA's keys; the ``at``-th time one is opened the process ends."""

    hardware = False

    def __init__(self, keys: KeyBackend, at: int) -> None:
        self._keys, self._left = keys, at

    def generate(self, label: str, spec: KeySpec) -> PrivateKey:
        return self._keys.generate(label, spec)

    def open(self, label: str) -> PrivateKey:
        self._left -= 1
        if self._left == 0:
            raise Killed
        return self._keys.open(label)

    def labels(self) -> tuple[str, ...]:
        return self._keys.labels()


class DyingClock:
    """The centre's clock; when it is read for the ``at``-th time the process ends."""

    def __init__(self, centre: Centre, at: int) -> None:
        self._centre, self._at = centre, at
        self.read = 0

    def __call__(self) -> datetime:
        self.read += 1
        if self.read == self._at:
            raise Killed
        return self._centre.now


def attempt(centre: Centre, station: Station, order_id: str, card: str) -> None:
    batch = batch_for(centre, order_id, batch_id=f"first-{order_id}")
    transport = centre.stock.insert_virtual(card)
    station.personalize(order_id, transport, batch, centre.signers["hakko"], lambda _: None)


def station_with(
    centre: Centre, *, keys: KeyBackend | None = None, issuing_clock: DyingClock | None = None
) -> Station:
    """The station whose issuance dies as told."""
    trail = centre.trail
    if issuing_clock is not None:
        trail = Trail(centre.store, issuing_clock, "test")
    issuance = replace(centre.issuance, keys=keys or centre.keys, trail=trail)
    return replace(centre.station, orders=replace(centre.orders, issuance=issuance))


def states(centre: Centre, card: str) -> list[str]:
    return sorted(row.state.value for row in certificates_on(centre, card))


def begun(centre: Centre) -> tuple[str, str]:
    (order,) = order_all(centre, row(1))
    return order.id, blank_card(centre)


@pytest.mark.parametrize(("at", "left"), [(1, ["RESERVED"]), (2, ["ISSUED", "RESERVED"])])
def test_killed_between_reservation_and_signature(centre: Centre, at: int, left: list[str]) -> None:
    """The stored bytes are signed the next day, not new ones: they may have been signed before."""
    order_id, card = begun(centre)
    station = station_with(centre, keys=DyingKeys(centre.keys, at))
    with pytest.raises(Killed):
        attempt(centre, station, order_id, card)
    assert states(centre, card) == left
    before = {one.usage: one for one in certificates_on(centre, card)}
    centre.pass_time(days=1)
    report = resume(centre, order_id, card)
    check_whole(centre, order_id, card, report)
    after = {one.usage: one for one in certificates_on(centre, card)}
    for usage, one in before.items():
        assert (after[usage].serial, after[usage].tbs_der) == (one.serial, one.tbs_der)
        made = x509.load_der_x509_certificate(after[usage].certificate_der or b"")
        assert made.not_valid_before_utc == one.not_before
    assert len(entries(centre, "CERT.POP_OK")) == len(entries(centre, "CERT.ISSUE")) == 5
    centre.trail.verify()


# issuance reads the time once in each of its transactions: reserve, store, reserve, store
@pytest.mark.parametrize(
    ("at", "left"),
    [(1, []), (2, ["RESERVED"]), (3, ["ISSUED"]), (4, ["ISSUED", "RESERVED"])],
)
def test_killed_within_a_transaction_of_issuance(centre: Centre, at: int, left: list[str]) -> None:
    order_id, card = begun(centre)
    head = centre.trail.verify()
    with pytest.raises(Killed):
        attempt(centre, station_with(centre, issuing_clock=DyingClock(centre, at)), order_id, card)
    assert states(centre, card) == left
    # batch, stock, keys, and what was kept
    assert centre.trail.verify().seq == head.seq + 3 + at - 1
    before: dict[object, Certificate] = {one.usage: one for one in certificates_on(centre, card)}
    check_whole(centre, order_id, card, resume(centre, order_id, card))
    for one in certificates_on(centre, card):
        if one.usage in before:
            assert one.tbs_der == before[one.usage].tbs_der
    centre.trail.verify()


def test_a_reservation_for_another_key_is_not_signed(file_centre: Centre) -> None:
    """What was reserved for the key that the card had may be signed; no other key gets it."""
    centre = file_centre
    order_id, card = begun(centre)
    with pytest.raises(Killed):
        attempt(centre, station_with(centre, keys=DyingKeys(centre.keys, 1)), order_id, card)
    (reserved,) = certificates_on(centre, card)
    chip = HpkiCard(centre.stock.insert_virtual(card), default_layout())
    chip.authenticate_issuer(issuer_keys(CARD_SECRET, TRANSPORT_KEY, card))
    chip.generate_key(Role(str(reserved.usage)))
    refused(Conflict, "ca.issue.reserved", lambda: resume(centre, order_id, card))
    assert [row.state for row in certificates_on(centre, card)] == [CertificateState.RESERVED]


def journal_reads(centre: Centre) -> int:
    """How often the station reads the time in a whole run: at every write of its journal."""
    (order,) = order_all(centre, row(1))
    clock = DyingClock(centre, 0)
    attempt(centre, replace(centre.station, clock=clock), order.id, blank_card(centre))
    return clock.read


def kill_and_resume(centre: Centre, number: int, at: int) -> None:
    (order,) = order_all(centre, row(number))
    card = blank_card(centre)
    station = replace(centre.station, clock=DyingClock(centre, at))
    with pytest.raises(Killed):
        attempt(centre, station, order.id, card)
    check_whole(centre, order.id, card, resume(centre, order.id, card))


def all_moments(total: int) -> list[int]:
    return list(range(1, total + 1))


def sampled_moments(total: int) -> list[int]:
    """The first and last write, and four between."""
    between = random.Random(SEED).sample(range(2, total), 4)
    return [1, *sorted(between), total]


@pytest.mark.parametrize(
    "moments",
    [sampled_moments, pytest.param(all_moments, marks=pytest.mark.soak)],
)
def test_killed_at_a_write_of_the_journal(
    file_centre: Centre, moments: Callable[[int], list[int]]
) -> None:
    total = journal_reads(file_centre)
    assert total >= 18  # eight steps, each begun and ended; the run; the envelopes
    for number, at in enumerate(moments(total), start=2):
        kill_and_resume(file_centre, number, at)
    file_centre.trail.verify()


def test_killed_before_the_run_is_closed(file_centre: Centre) -> None:
    """The card is finished, the store does not know: the next attempt only compares and closes."""
    centre = file_centre
    order_id, card = begun(centre)
    clock = DyingClock(centre, 3)  # the station's own entries: out of stock, keys made, finished
    station = replace(centre.station, trail=Trail(centre.store, clock, "test"))
    with pytest.raises(Killed):
        attempt(centre, station, order_id, card)
    report = resume(centre, order_id, card)
    assert "sign.public_key" in {check.step for check in report.checks}
    assert "sign.challenge_signature" not in {check.step for check in report.checks}
    check_whole(centre, order_id, card, report)
