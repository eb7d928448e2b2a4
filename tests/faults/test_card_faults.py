"""A card that is pulled or answers wrong at any APDU: finished in the end, or cleanly scrapped."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from sqlmodel import select

from ca.records import Certificate, Order, revocation_of
from card_personalization import records
from card_personalization.card import CardIdentity
from card_personalization.profiles import HPKI, PIV, card_profile
from card_personalization.records import CardState
from card_personalization.station import Report
from card_personalization.stock import load_virtual
from card_personalization.transport import (
    EmbeddedTransport,
    FaultTransport,
    TraceTransport,
    Transport,
)
from pki.errors import HpkiError
from store.database import Transaction
from tests.faults.resuming import check_whole
from tests.flows.conftest import Centre, Moulds
from tests.flows.piv import check_whole_piv
from tests.flows.registration import batch_for, order_all, row
from tests.flows.test_destruction import destroy, revoke

SEED = 20261121
PLAIN = "piv-plain"
CARDS = (HPKI, PIV, PLAIN)
STATUSES = bytes.fromhex(
    "6110 6282 6300 63C0 63C2 6400 6581 6700 6881 6882 6982 6983 6984 6985 "
    "6988 6999 6A80 6A81 6A82 6A84 6A86 6A88 6A89 6B00 6C10 6D00 6E00 6F00 9000"
)

ORDERS = 16
"""In one centre, so that the next one uses the same keys again; making them takes long."""

Connect = Callable[[], Transport]
Centres = Callable[[], Centre]
SCRAPPED = {"card.verify", "card.unproven", "card.pins.unknown"}
"""What a second run says of a card that nobody can be sure of any more."""


@dataclass(frozen=True)
class Fault:
    """What happens at the APDU of that number, before the card has it or after."""

    kind: str
    fail_at: int
    after: bool

    def on(self, inner: Transport) -> FaultTransport:
        choice = random.Random(f"{SEED} {self}")
        spoil = {
            "cut": None,
            "status": lambda _: status(choice),
            "garbage": lambda answer: garbled(choice, answer),
        }[self.kind]
        return FaultTransport(inner, self.fail_at, after=self.after, spoil=spoil)


KINDS = ("cut", "status", "garbage")


def status(choice: random.Random) -> bytes:
    start = 2 * choice.randrange(len(STATUSES) // 2)
    return STATUSES[start : start + 2]


def garbled(choice: random.Random, answer: bytes) -> bytes:
    """Nothing, noise with or without a good status word, or the answer damaged or cut short."""
    noise = choice.randbytes(choice.choice((1, 2, 3, 7, 16, 22, 40, 256, 258, 2000, 70_000)))
    good = b"\x90\x00"
    damaged = bytearray(answer or noise)
    for _ in range(choice.randint(1, 4)):
        damaged[choice.randrange(len(damaged))] = choice.randrange(256)
    return choice.choice(
        (
            b"",
            noise[:1],
            noise,
            noise + good,
            answer[:-2] + noise + good,
            answer[: choice.randint(0, len(answer))] + good,
            bytes(damaged),
            bytes(damaged[:-2]) + good,
        )
    )


def blank(centre: Centre, kind: str, number: int) -> Connect:
    """A card that the stock does not know, which is put in as often as one likes."""
    stock = centre.stock
    stock.folder.mkdir(exist_ok=True)
    if kind == HPKI:
        serial = f"{number:016x}"
        path = stock.folder / f"{serial}.json"
        stock.write_virtual(path, serial)
    else:
        path = stock.folder / f"{number}.piv.json"
        stock.write_virtual_piv(path, extensions=kind == PIV)
    return lambda: EmbeddedTransport(load_virtual(path, stock.make_key))


def make(
    centre: Centre, kind: str, order_id: str, transport: Transport, attempt: str
) -> Report | HpkiError:
    """Personalize the card as a reader does that takes what comes."""
    profile = card_profile(HPKI if kind == HPKI else PIV)

    def admit(tx: Transaction, card: CardIdentity) -> None:
        centre.stock.admit(tx, order_id, card, "hakko", profile.name)

    station = replace(centre.station, profile=profile)
    batch = batch_for(centre, order_id, batch_id=f"{attempt}-{order_id}")
    hakko = centre.signers["hakko"]
    try:
        return station.personalize(order_id, transport, batch, hakko, lambda _: None, admit)
    except HpkiError as error:
        return error


def check(
    centre: Centre, kind: str, order_id: str, connect: Connect, report: Report | HpkiError
) -> None:
    """The finished card and all that is written of it agree, and no other card of it lives."""
    assert isinstance(report, Report), report
    if kind == HPKI:
        check_whole(centre, order_id, report.chip_serial, report)
    else:
        check_whole_piv(centre, order_id, connect(), report)
    with centre.store.read() as tx:
        orders = [one for one in tx.exec(select(Order)) if one.id.startswith(order_id[:-1])]
        living = {
            one.carrier_id
            for order in orders
            for one in tx.exec(select(Certificate).where(Certificate.order_id == order.id))
            if revocation_of(tx, one.id or 0) is None
        }
        begun = [
            one.state
            for one in records.cards(tx)
            if one.order_id in {order.id for order in orders}
            and one.state is not CardState.DESTROYED
        ]
    assert living == {f"card-{report.chip_serial}"}
    assert begun == [CardState.PERSONALISED]


def scrap(centre: Centre, order_id: str) -> str:
    """Revoke what was issued, destroy the cards, and have the order made anew; the order to do."""
    people, ref = centre.signers, order_id.partition(".")[0]
    with centre.store.read() as tx:
        cards = [one.chip_serial for one in records.cards(tx) if one.order_id == order_id]
        rows = tx.exec(select(Certificate).where(Certificate.order_id == order_id)).all()
    if rows:
        (carrier,) = {one.carrier_id for one in rows}
        revoke(centre, str(carrier).removeprefix("card-"))
    for card in cards:
        destroy(centre, card)
    if not rows:
        return order_id
    centre.examination.send_back(ref, people["shonin"], "カード不良")
    centre.examination.examine(ref, people["uketsuke"], None, None, rest_ok=True)
    order = centre.examination.approve(ref, people["shonin"])
    assert order is not None
    return order.id


def fail_and_go_on(centre: Centre, kind: str, number: int, fault: Fault) -> str:
    """Make a card with the fault, then without, then another; what became of the first."""
    (order,) = order_all(centre, row(number))
    connect = blank(centre, kind, number)
    transport = fault.on(connect())
    first = make(centre, kind, order.id, transport, "first")
    assert transport.sent >= fault.fail_at
    if isinstance(first, Report):
        check(centre, kind, order.id, connect, first)
        return "finished"
    second = make(centre, kind, order.id, connect(), "second")
    if isinstance(second, Report):
        check(centre, kind, order.id, connect, second)
        return "resumed"
    assert second.code in SCRAPPED, second
    assert second.hint, second
    again = scrap(centre, order.id)
    connect = blank(centre, kind, 1000 + number)
    check(centre, kind, again, connect, make(centre, kind, again, connect(), "third"))
    return "scrapped"


def fail_at_each(centres: Centres, kind: str, faults: Iterable[Fault]) -> list[str]:
    """What became of the card of each fault."""
    fates = []
    for number, fault in enumerate(faults):
        if number % ORDERS == 0:
            centre = centres()
        try:
            fates.append(fail_and_go_on(centre, kind, number % ORDERS + 1, fault))
            if number % ORDERS == ORDERS - 1:
                centre.trail.verify()
        except BaseException as failure:
            failure.add_note(f"{kind}: {fault}")
            raise
    centre.trail.verify()
    return fates


def apdus(centre: Centre, kind: str) -> int:
    """How many APDUs a whole run takes."""
    (order,) = order_all(centre, row(1))
    connect = blank(centre, kind, 1)
    probe = FaultTransport(connect(), 0)
    check(centre, kind, order.id, connect, make(centre, kind, order.id, probe, "first"))
    return probe.sent


@pytest.fixture
def centres(moulds: Moulds, tmp_path: Path) -> Iterator[Centres]:
    """Gives new centres in files, each with its key ceremony held."""
    made: list[Centre] = []
    numbers = count()

    def new() -> Centre:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        made.append(moulds.copy(folder, None))
        return made[-1]

    yield new
    for one in made:
        one.store.close()


@pytest.mark.parametrize("kind", CARDS)
def test_faults_at_sampled_commands(centres: Centres, kind: str) -> None:
    """Each fault once, at its own stretch of the run."""
    total, choice = apdus(centres(), kind), random.Random(f"{SEED} {kind}")
    assert total > 80
    kinds = KINDS[1:] if kind == HPKI else KINDS  # test_card_pulled.py cuts there
    wanted = [(fault, after) for fault in kinds for after in (False, True)]
    choice.shuffle(wanted)
    size = total / len(wanted)
    faults = [
        Fault(fault, choice.randint(1 + int(number * size), int((number + 1) * size)), after)
        for number, (fault, after) in enumerate(wanted)
    ]
    fates = fail_at_each(centres, kind, faults)
    assert {"resumed", "scrapped"} <= set(fates)


def test_a_card_that_says_it_obeyed_and_did_not(centres: Centres) -> None:
    """It is not believed, though pulled before the last checks: kept no number, PIN or PUK."""
    centre, lines = centres(), list[str]()
    first, *orders = order_all(centre, *(row(number) for number in range(1, 5)))
    connect = blank(centre, PIV, 1)
    report = make(centre, PIV, first.id, TraceTransport(connect(), lines.append), "first")
    check(centre, PIV, first.id, connect, report)
    sent = [line[2:10] for line in lines if line.startswith("> ")]
    puk = sent.index("00240081")
    pin = max(at for at in range(puk) if sent[at] == "002C0080")
    lies = ((sent.index("00DB3FFF"), "00FFFFFF"), (pin, "00240081"), (puk, "00FFFFFF"))
    for number, (lie, last) in enumerate(lies, start=2):
        order, connect = orders[number - 2], blank(centre, PIV, number)
        pulled = FaultTransport(connect(), sent.index(last), after=True)
        lying = FaultTransport(pulled, lie + 1, spoil=lambda _: b"\x90\x00")
        assert isinstance(make(centre, PIV, order.id, lying, "first"), HpkiError)
        check(centre, PIV, order.id, connect, make(centre, PIV, order.id, connect(), "second"))


def test_a_card_that_gives_a_number_not_its_own_is_not_taken_in(centres: Centres) -> None:
    centre = centres()
    (order,) = order_all(centre, row(1))
    connect = blank(centre, HPKI, 1)
    strange = FaultTransport(connect(), 1, after=True, spoil=lambda _: b"\xee" * 8 + b"\x90\x00")
    refusal = make(centre, HPKI, order.id, strange, "first")
    assert isinstance(refusal, HpkiError)
    assert refusal.code == "card.unsteady"
    with centre.store.read() as tx:
        assert records.cards(tx) == []
    check(centre, HPKI, order.id, connect, make(centre, HPKI, order.id, connect(), "second"))


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fault", KINDS)
@pytest.mark.parametrize("kind", CARDS)
def test_faults_at_every_command(
    centres: Centres,
    kind: str,
    fault: str,
    after: bool,  # noqa: FBT001
) -> None:
    total = apdus(centres(), kind)
    faults = (Fault(fault, fail_at, after) for fail_at in range(1, total + 1))
    fates = fail_at_each(centres, kind, faults)
    assert fates.count("resumed") > total // 4
    # an HPKI card proves in each session who it is, so that one pulled is always finished
    assert ("scrapped" in fates) == ((kind, fault) != (HPKI, "cut"))
