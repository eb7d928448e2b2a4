"""PC/SC: what pyscard says becomes our errors, and a card that hangs holds nobody up."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace

import pytest

from card_personalization import pcsc
from card_personalization.pcsc import CardHangs, PcscTransport, find_reader, readers
from card_personalization.profiles import HPKI, card_profile
from card_personalization.transport import (
    CardInUse,
    CardRemoved,
    CardReset,
    ConnectionLost,
    NoCard,
    ReaderGone,
)
from card_personalization.verify import check_card
from pki.errors import InvalidInput, NotFound, Unavailable

ROOT = Path(__file__).parents[2]
ATR = bytes.fromhex("3b80800101")
OK = bytes.fromhex("9000")


class Scard(SimpleNamespace):
    """The functions and numbers of ``smartcard.scard`` that we use, as pyscard 2.3 has them."""

    SCARD_SCOPE_USER = 0
    SCARD_SHARE_EXCLUSIVE, SCARD_SHARE_SHARED = 1, 2
    SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
    SCARD_PCI_T0, SCARD_PCI_T1 = 11, 12
    SCARD_LEAVE_CARD, SCARD_RESET_CARD = 0, 1
    SCARD_STATE_UNAWARE, SCARD_STATE_PRESENT = 0, 0x20

    def __init__(self, *names: str, protocol: int = 2) -> None:
        super().__init__()
        self.names = list(names) or ["Reader A 00"]
        self.protocol = protocol
        self.said: list[tuple[object, ...]] = []
        self.codes: dict[str, int] = {}
        self.answer: Callable[[], list[int]] = lambda: [0x90, 0x00]

    def _say(self, name: str, *arguments: object) -> int:
        self.said.append((name, *arguments))
        return self.codes.get(name, 0)

    def SCardEstablishContext(self, scope: int) -> tuple[int, int]:  # noqa: N802
        return self._say("establish"), 71

    def SCardReleaseContext(self, context: int) -> int:  # noqa: N802
        return self._say("release", context)

    def SCardListReaders(self, context: int, groups: list[str]) -> tuple[int, list[str]]:  # noqa: N802
        return self._say("list"), self.names

    def SCardGetStatusChange(  # noqa: N802
        self, context: int, wait: int, states: list[tuple[str, int]]
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        code = self._say("states", wait)
        return code, [(name, 0x20 * (not n), list(ATR)) for n, (name, _) in enumerate(states)]

    def SCardConnect(  # noqa: N802
        self, context: int, reader: str, mode: int, protocols: int
    ) -> tuple[int, int, int]:
        return self._say("connect", reader, mode, protocols), 72, self.protocol

    def SCardStatus(self, card: int) -> tuple[int, str, int, int, list[int]]:  # noqa: N802
        return self._say("status"), self.names[0], 0, self.protocol, list(ATR)

    def SCardTransmit(self, card: int, pci: int, apdu: list[int]) -> tuple[int, list[int]]:  # noqa: N802
        return self._say("transmit", pci, apdu), self.answer()

    def SCardReconnect(  # noqa: N802
        self, card: int, mode: int, protocols: int, disposition: int
    ) -> tuple[int, int]:
        return self._say("reconnect", mode, disposition), self.protocol

    def SCardDisconnect(self, card: int, disposition: int) -> int:  # noqa: N802
        return self._say("disconnect", card, disposition)


@pytest.fixture
def scard(monkeypatch: pytest.MonkeyPatch) -> Scard:
    return put_in(monkeypatch, Scard())


def put_in(monkeypatch: pytest.MonkeyPatch, scard: Scard) -> Scard:
    package = ModuleType("smartcard")
    package.scard = scard  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "smartcard", package)
    return scard


def test_one_connection_for_us_alone_and_a_reset_at_its_end(scard: Scard) -> None:
    transport = PcscTransport("Reader A 00")
    assert transport.atr == ATR
    assert transport.transmit(b"\x00\xca\x00\x45\x00") == OK
    transport.reset()
    transport.close()
    transport.close()
    assert scard.said == [
        ("establish",),
        ("connect", "Reader A 00", scard.SCARD_SHARE_EXCLUSIVE, 3),
        ("status",),
        ("transmit", scard.SCARD_PCI_T1, [0x00, 0xCA, 0x00, 0x45, 0x00]),
        ("reconnect", scard.SCARD_SHARE_EXCLUSIVE, scard.SCARD_RESET_CARD),
        ("disconnect", 72, scard.SCARD_RESET_CARD),
        ("release", 71),
    ]
    with pytest.raises(NoCard, match="closed"):
        transport.transmit(OK)


def test_a_card_of_protocol_t0(monkeypatch: pytest.MonkeyPatch) -> None:
    scard = put_in(monkeypatch, Scard(protocol=1))
    transport = PcscTransport("Reader A 00")
    transport.transmit(OK)
    transport.close()
    assert ("transmit", scard.SCARD_PCI_T0, [0x90, 0x00]) in scard.said


CODES: list[tuple[int, type[ConnectionLost], str]] = [
    (0x8010000C, NoCard, "card.no_card"),
    (0x80100066, NoCard, "card.no_card"),
    (0x80100069, CardRemoved, "card.removed"),
    (0x80100016, CardRemoved, "card.removed"),
    (0x80100017, CardRemoved, "card.removed"),
    (0x80100068, CardReset, "card.reset"),
    (0x8010000B, CardInUse, "card.in_use"),
    (0x8010001D, ReaderGone, "card.reader.gone"),
    (0x8010001E, ReaderGone, "card.reader.gone"),
    (0x8010006A, ReaderGone, "card.reader.gone"),
    (0x80100009, ReaderGone, "card.reader.gone"),
    (0x80100001, ConnectionLost, "card.pcsc"),
]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("code", "kind", "stable"), CODES)
def test_each_return_code_is_one_error_with_a_hint(
    scard: Scard, code: int, kind: type[ConnectionLost], stable: str, signed: bool
) -> None:
    """pyscard gives the codes as C's long, which is negative on some systems."""
    given = code - (1 << 32) if signed else code
    transport = PcscTransport("Reader A 00")
    for name, act in (
        ("transmit", lambda: transport.transmit(OK)),
        ("reconnect", transport.reset),
        ("connect", lambda: PcscTransport("Reader A 00")),
    ):
        scard.codes = {name: given}
        with pytest.raises(kind) as caught:
            act()
        assert type(caught.value) is kind
        assert caught.value.code == stable
        assert caught.value.hint
    transport.close()


def test_a_connection_that_was_lost_stays_lost(scard: Scard) -> None:
    transport = PcscTransport("Reader A 00")
    scard.codes = {"transmit": 0x80100068}
    with pytest.raises(CardReset):
        transport.transmit(OK)
    scard.codes = {}
    for act in (lambda: transport.transmit(OK), transport.reset):
        with pytest.raises(CardReset):
            act()
    transport.close()
    assert [said[0] for said in scard.said].count("transmit") == 1


def test_an_answer_without_status_word_is_a_card_that_was_pulled(scard: Scard) -> None:
    transport = PcscTransport("Reader A 00")
    scard.answer = list
    for _ in range(2):
        with pytest.raises(CardRemoved):
            transport.transmit(OK)
    transport.close()
    assert [said[0] for said in scard.said].count("transmit") == 1


def test_a_failed_connect_gives_everything_back(scard: Scard) -> None:
    scard.codes = {"connect": 0x8010000B}
    with pytest.raises(CardInUse):
        PcscTransport("Reader A 00")
    assert scard.said[-1] == ("release", 71)


def test_a_card_that_hangs_is_left_behind(scard: Scard) -> None:
    answered = Event()
    scard.answer = lambda: [answered.wait(60)] and [0x90, 0x00]
    transport = PcscTransport("Reader A 00", limit_seconds=0.5)
    with pytest.raises(CardHangs) as caught:
        transport.transmit(OK)
    assert (caught.value.code, caught.value.exit_status) == ("card.hangs", 6)
    started = time.monotonic()
    with pytest.raises(CardHangs):
        transport.transmit(OK)
    transport.close()
    assert time.monotonic() - started < 0.4
    assert ("disconnect", 72, scard.SCARD_RESET_CARD) not in scard.said
    answered.set()
    until = time.monotonic() + 10
    while scard.said[-1] != ("release", 71):
        assert time.monotonic() < until
        time.sleep(0.001)
    assert ("disconnect", 72, scard.SCARD_RESET_CARD) in scard.said


def test_a_card_that_hangs_does_not_keep_the_process() -> None:
    script = """
import sys, threading
from tests.unit.test_card_pcsc import Scard
from types import ModuleType
package = sys.modules["smartcard"] = ModuleType("smartcard")
package.scard = Scard()
package.scard.answer = lambda: threading.Event().wait()
from card_personalization.pcsc import PcscTransport
transport = PcscTransport("Reader A 00", 0.05)
try:
    transport.transmit(b"")
finally:
    transport.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1].startswith("card_personalization.pcsc.CardHangs")


def test_readers_and_the_cards_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    scard = put_in(monkeypatch, Scard("Reader A 00", "Reader B 00"))
    assert readers() == {"Reader A 00": ATR, "Reader B 00": b""}
    assert scard.said[-1] == ("release", 71)


@pytest.mark.parametrize("code", [0x8010002E, 0])
def test_no_reader(scard: Scard, code: int) -> None:
    scard.codes, scard.names = {"list": code}, []
    assert readers() == {}


def test_no_service_of_readers(scard: Scard) -> None:
    scard.codes = {"establish": 0x8010001D}
    with pytest.raises(ReaderGone):
        readers()


def test_a_reader_by_its_name_or_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    put_in(monkeypatch, Scard("Reader A", "Reader A 01", "Other 01"))
    assert find_reader("Reader A") == "Reader A"
    assert find_reader("other") == "Other 01"
    assert find_reader("a 01") == "Reader A 01"
    with pytest.raises(NotFound, match="'usb'"):
        find_reader("usb")
    with pytest.raises(InvalidInput, match="Reader A, Reader A 01"):
        find_reader("reader")


def test_without_pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    for act in (readers, lambda: PcscTransport("Reader A 00")):
        with pytest.raises(Unavailable) as caught:
            act()
        assert (caught.value.code, caught.value.hint) == (
            "card.pcsc.library",
            "Install hpki-ca[card].",
        )


def test_pyscard_is_imported_only_when_needed() -> None:
    script = "import sys, cli.personalization; assert 'smartcard' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("error", [NoCard, CardRemoved, CardInUse, ReaderGone])
def test_a_lost_connection_is_no_failed_check(error: type[ConnectionLost]) -> None:
    """A card that fails a check is scrapped; a reader that was unplugged is no such thing."""

    class Lost:
        atr = ATR

        def transmit(self, apdu: bytes) -> bytes:
            raise error

        def reset(self) -> None: ...

        def close(self) -> None: ...

    with pytest.raises(error):
        check_card(card_profile(HPKI).card(Lost(), lambda *_: bytes(16)), {}, {}, bytes(32))


def test_the_limit_is_longer_than_a_chip_takes_for_a_key() -> None:
    assert pcsc.LIMIT_SECONDS >= 60
