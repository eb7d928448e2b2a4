"""Our card in a reader of real PC/SC: made by the station, used by OpenSC, pulled, disturbed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from card_personalization.card import CardState
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Role, default_layout
from card_personalization.pcsc import CardHangs, PcscTransport, find_reader, readers
from card_personalization.transport import CardInUse, CardRemoved, CardReset, NoCard
from card_personalization.virtual_card import VirtualCard
from pki.errors import Conflict
from store.database import Store
from tests.faults.resuming import check_whole
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    batch_for,
    blank_card,
    certificates_on,
    order_all,
    personalize,
    pins_of,
    row,
)
from tests.interop.virtual_reader import SLOTS, VirtualReader, pull, until
from tests.tiers import require_tool

pytestmark = pytest.mark.xdist_group("pcsc")

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations" / "readers.md"
SLOT = SLOTS[0]
IDENTIFY = bytes.fromhex("00CA004500")


@pytest.fixture(scope="module")
def reader(virtual_reader: VirtualReader) -> VirtualReader:
    return virtual_reader


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    folder = tmp_path_factory.mktemp("pcsc")
    store = Store(f"sqlite:///{folder / 'store.sqlite'}")
    made = Centre(store, folder)
    made.set_up()
    made.hold_ceremony()
    yield made
    store.close()


def chip(centre: Centre, card: str) -> VirtualCard:
    return VirtualCard.load(centre.folder / "virtual_cards" / f"{card}.json")


# --- the station ---


@pytest.fixture(scope="module")
def issued(centre: Centre, reader: VirtualReader) -> tuple[str, str]:
    """Chip serial and order of a card that the station made in the reader."""
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    with reader.holding(chip(centre, card)), closing(PcscTransport(SLOT)) as transport:
        report = personalize(centre, order.id, transport)
    assert report.chip_serial == card
    assert {check.step for check in report.checks} >= {
        "card.activated", "sign.certificates", "auth.challenge_signature", "sign.pin_per_signature"
    }  # fmt: skip
    check_whole(centre, order.id, card, report)
    return card, order.id


def test_the_station_makes_the_card_in_the_reader(centre: Centre, issued: tuple[str, str]) -> None:
    card, _ = issued
    assert len(certificates_on(centre, card)) == len(Role)


def test_a_reader_is_found_by_a_part_of_its_name(reader: VirtualReader) -> None:
    assert find_reader("pcd 00 01") == SLOTS[1]
    assert readers() == dict.fromkeys(SLOTS, b"")
    with pytest.raises(NoCard):
        PcscTransport(SLOT)


@pytest.mark.parametrize("at", [45, 125])
def test_a_pulled_card_is_put_in_again_and_finished(
    centre: Centre, reader: VirtualReader, at: int
) -> None:
    class Pulled:
        """A card whose ``at``-th command takes effect and is never answered."""

        atr = VirtualCard.atr
        connection: socket.socket
        sent = 0

        def transmit(self, apdu: bytes) -> bytes:
            answer = card.transmit(apdu)
            self.sent += 1
            if self.sent == at:
                pull(self.connection)
            return answer

        def reset(self) -> None:
            card.reset()

    (order,) = order_all(centre, row(100 + at))
    serial, other = blank_card(centre), blank_card(centre)
    card = chip(centre, serial)
    pulled = Pulled()
    with reader.holding(pulled) as pulled.connection, closing(PcscTransport(SLOT)) as transport:
        refused(CardRemoved, "card.removed", lambda: personalize(centre, order.id, transport))
        with pytest.raises(CardRemoved):
            transport.transmit(IDENTIFY)
    assert pulled.sent == at
    again = batch_for(centre, order.id, batch_id=f"again-{at}")
    with reader.holding(chip(centre, other)), closing(PcscTransport(SLOT)) as transport:
        refused(Conflict, "card.run.other", lambda: personalize(centre, order.id, transport, again))
    assert HpkiCard(centre.stock.insert_virtual(other), default_layout()).identify().state is (
        CardState.BLANK
    )
    with reader.holding(chip(centre, serial)), closing(PcscTransport(SLOT)) as transport:
        report = personalize(centre, order.id, transport, again)
    check_whole(centre, order.id, serial, report)


# --- other programs ---


def raw_connection(mode: str) -> tuple[int, object, object]:
    """What another program gets from SCardConnect: return code, card, context."""
    from smartcard import scard

    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    code, card, _ = scard.SCardConnect(
        context, SLOT, getattr(scard, f"SCARD_SHARE_{mode}"), scard.SCARD_PROTOCOL_T1
    )
    return code & 0xFFFF_FFFF, card, context


def test_nobody_else_gets_at_the_card_while_we_have_it(
    centre: Centre, reader: VirtualReader
) -> None:
    from smartcard import scard

    with reader.holding(chip(centre, blank_card(centre))):
        with closing(PcscTransport(SLOT)) as transport:
            for mode in ("SHARED", "EXCLUSIVE"):
                code, _, context = raw_connection(mode)
                assert code == 0x8010000B
                scard.SCardReleaseContext(context)
            assert transport.transmit(IDENTIFY)[-2:] == b"\x90\x00"
        code, card, context = raw_connection("SHARED")
        assert code == 0
        with pytest.raises(CardInUse):
            PcscTransport(SLOT)
        scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        scard.SCardReleaseContext(context)
        PcscTransport(SLOT).close()


def test_a_reset_by_another_program_is_told(
    centre: Centre, reader: VirtualReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exclusive connections rule it out, so ours is a shared one here."""
    from smartcard import scard

    monkeypatch.setattr(scard, "SCARD_SHARE_EXCLUSIVE", scard.SCARD_SHARE_SHARED)
    with (
        reader.holding(chip(centre, blank_card(centre))),
        closing(PcscTransport(SLOT)) as transport,
    ):
        code, card, context = raw_connection("SHARED")
        assert code == 0
        scard.SCardDisconnect(card, scard.SCARD_RESET_CARD)
        scard.SCardReleaseContext(context)
        for _ in range(2):
            with pytest.raises(CardReset):
                transport.transmit(IDENTIFY)


def test_a_card_that_comes_back_is_not_taken_for_the_same(
    centre: Centre, reader: VirtualReader
) -> None:
    card = blank_card(centre)
    with reader.holding(chip(centre, card)) as connection:
        transport = PcscTransport(SLOT)
        pull(connection)
        until(lambda: not readers()[SLOT])
        with pytest.raises(CardRemoved):
            transport.transmit(IDENTIFY)
    with reader.holding(chip(centre, card)):
        with pytest.raises(CardRemoved):
            transport.transmit(IDENTIFY)
        transport.close()
        with closing(PcscTransport(SLOT)) as fresh:
            assert fresh.transmit(IDENTIFY) == bytes.fromhex(card) + b"\x90\x00"


def test_a_card_that_hangs_holds_nobody_up(reader: VirtualReader) -> None:
    """The binding lets other threads run while it waits, else no limit would help."""

    class Hanging:
        atr = VirtualCard.atr
        answered = Event()

        def transmit(self, apdu: bytes) -> bytes:
            self.answered.wait(60)
            return b"\x90\x00"

        def reset(self) -> None: ...

    card = Hanging()
    with reader.holding(card):
        started = time.monotonic()
        with closing(PcscTransport(SLOT, limit_seconds=0.3)) as transport, pytest.raises(CardHangs):
            transport.transmit(IDENTIFY)
        assert time.monotonic() - started < 5
        card.answered.set()


def test_a_service_that_dies_is_told_and_leaves_stderr_clean() -> None:
    """In a process of its own, for a service of its own."""
    script = """
import os, signal
from card_personalization.pcsc import PcscTransport, readers
from card_personalization.transport import ReaderGone
from card_personalization.virtual_card import VirtualCard
from tests.interop.virtual_reader import SLOTS, running

class Card:
    atr = VirtualCard.atr
    transmit = staticmethod(lambda apdu: bytes.fromhex("9000"))
    reset = staticmethod(lambda: None)

with running() as reader:
    try:
        with reader.holding(Card()):
            transport = PcscTransport(SLOTS[0])
            pid = (reader.folder / "run" / "pcscd" / "pcscd.pid").read_text()
            os.kill(int(pid.strip("\\0\\n")), signal.SIGKILL)
            for act in (lambda: transport.transmit(bytes(4)), readers):
                try:
                    act()
                except ReaderGone as error:
                    print(error.code)
            transport.close()
            transport.close()
            raise KeyboardInterrupt  # past the wait for the reader to be empty
    except KeyboardInterrupt:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=RUNBOOK.parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("card.reader.gone\n" * 2, "")


def test_as_we_leave_the_card_forgets_what_was_opened(
    centre: Centre, reader: VirtualReader, issued: tuple[str, str]
) -> None:
    card, order_id = issued
    pin = pins_of(centre, card, order_id)[Role.AUTH]
    with reader.holding(chip(centre, card)):
        with closing(PcscTransport(SLOT)) as transport:
            used = HpkiCard(transport, default_layout())
            used.verify_pin(Role.AUTH, pin)
            assert transport.transmit(bytes.fromhex("00200096")) == b"\x90\x00"
        with closing(PcscTransport(SLOT)) as transport:
            HpkiCard(transport, default_layout()).read_certificates(Role.AUTH)
            assert transport.transmit(bytes.fromhex("00200096")) == b"\x63\xcf"


# --- OpenSC ---


class OpenSC:
    """Debian's OpenSC, configured as the runbook says."""

    def __init__(self, folder: Path) -> None:
        self.configuration = folder / "opensc.conf"
        blocks = re.findall(r"^```opensc\n(.*?)^```$", RUNBOOK.read_text("utf-8"), re.M | re.S)
        self.configuration.write_text("".join(blocks))

    def run(self, tool: str, *arguments: str) -> str:
        """What a tool says; its reader is the one with our card."""
        done = subprocess.run(
            [require_tool(tool, tier="cards"), *arguments],
            env={**os.environ, "OPENSC_CONF": str(self.configuration)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_stock_opensc_reads_the_card_and_signs_with_it(
    centre: Centre, reader: VirtualReader, issued: tuple[str, str], tmp_path: Path
) -> None:
    card, order_id = issued
    opensc, layout = OpenSC(tmp_path), default_layout()
    openssl = shutil.which("openssl") or require_tool("openssl", tier="interop")
    pins = pins_of(centre, card, order_id)
    stored = {Role(str(one.usage)): one.certificate_der for one in certificates_on(centre, card)}
    text, signature, key = (tmp_path / name for name in ("text", "signature", "key.pem"))
    text.write_bytes(b"prescription\n" * 1000)
    with reader.holding(chip(centre, card)):
        listed = opensc.run("pkcs15-tool", "--list-applications")
        for slot, role in enumerate(Role):
            application = layout.applications[role]
            assert application.aid.hex().upper() in listed
            assert application.directory_label in listed
            aid = ("--aid", application.aid.hex())
            pem = opensc.run("pkcs15-tool", *aid, "--read-certificate", layout.key_id.hex())
            certificate = x509.load_pem_x509_certificate(pem.encode())
            assert certificate.public_bytes(Encoding.DER) == stored[role]
            opensc.run(
                "pkcs11-tool", "--slot-index", str(slot), "--login", "--pin", pins[role],
                "--sign", "--id", layout.key_id.hex(), "--mechanism", "SHA256-RSA-PKCS",
                "--input-file", str(text), "--output-file", str(signature),
            )  # fmt: skip
            key.write_bytes(
                certificate.public_key().public_bytes(
                    Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
                )
            )
            verify = [
                openssl,
                "dgst",
                "-sha256",
                "-verify",
                *map(str, (key, "-signature", signature, text)),
            ]
            said = subprocess.run(verify, capture_output=True, text=True, check=False).stdout
            assert said == "Verified OK\n"
            signature.unlink()
