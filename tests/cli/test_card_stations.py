"""At the terminal: PIV cards that the site has never seen, several readers, lost cards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from card_personalization.transport import Chip
from card_personalization.virtual_piv import VirtualPiv
from tests.cli.conftest import CEREMONY, PEOPLE, application_rows, bring_to_examination
from tests.cli.terminal import HPKI, Terminal, as_a_shell_starts_it
from tests.interop.virtual_reader import SLOTS, VirtualReader, pull, until
from tests.tiers import require_tool

pytestmark = pytest.mark.xdist_group("pcsc")

STATION = ("card", "personalize", "--operator", "fujita", "--profile", "piv", "--json", "--yes")
GIVEN: list[str] = []
FACTORY_KEY = "010203040506070801020304050607080102030405060708"


@pytest.fixture(scope="module")
def shell(virtual_reader: VirtualReader, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A site with orders that wait for their cards, at a terminal that finds the reader."""
    folder = tmp_path_factory.mktemp("stations")
    shell = Terminal(folder / "site", virtual_reader.environment)
    shell.run("init", shell.site)
    shell.run("ca", "ceremony", CEREMONY, *PEOPLE, "--yes")
    people = folder / "people.csv"
    people.write_text(application_rows(15), "utf-8")
    shell.run("ra", "import", people, "--operator", "aoki")
    refs = [f"T2026-{number:04}" for number in range(1, 16) if number not in (8, 11, 13)]
    bring_to_examination(shell, folder, lambda _, *said: shell.run(*said), *refs)
    shell.run("ra", "examine", "--all", "--rest-ok", "--yes", "--operator", "aoki")
    shell.run("ra", "approve", *refs, "--yes", "--operator", "endo")
    shell.run("crl", "due")
    return shell


def order(shell: Terminal) -> str:
    """The next order that waits for its card and was not given to a test yet."""
    rows = shell.run("ra", "list", "--json").json
    waiting = sorted(row["application"] for row in rows if row["state"] == "ISSUING")
    GIVEN.append(next(f"{ref}.1" for ref in waiting if f"{ref}.1" not in GIVEN))
    return GIVEN[-1]


def reader_of(slot: int) -> tuple[str, str]:
    return ("--reader", SLOTS[slot])


def disclosed(shell: Terminal, card: str, folder: Path) -> Path:
    """The card's PINs as the PIN operator gets them."""
    out = folder / f"pins-{card}"
    people = ("--operator", "hara", "--approver", "tani")
    shell.run("card", "disclose-pins", card, "--reason", "FIRST_LETTER", *people, "--out", out)
    return out


def pins_in(file: Path) -> dict[str, str]:
    return dict(line.split() for line in file.read_text().splitlines())


class Yubico:
    """yubico-piv-tool on the first slot."""

    def __init__(self, shell: Terminal, folder: Path) -> None:
        self.program = require_tool("yubico-piv-tool", tier="cards")
        self.environment = {**os.environ, **shell.variables}
        self.folder = folder

    def run(self, *arguments: str, ends: int = 0) -> str:
        done = subprocess.run(
            [self.program, "--reader", SLOTS[0], *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == ends, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr


@pytest.mark.parametrize("extensions", [True, False], ids=["extensions", "plain"])
def test_a_strange_piv_card_is_made_and_judged_by_debians_tool(
    shell: Terminal, virtual_reader: VirtualReader, tmp_path: Path, extensions: bool
) -> None:
    card = VirtualPiv.create(tmp_path / "card.json", extensions=extensions)
    which = order(shell)
    with virtual_reader.holding(card):
        (made,) = shell.run(*STATION, which, *reader_of(0)).json
        missing = "ca_certificates, separate_pins" if extensions else (
            "ca_certificates, management_key, retry_limits, separate_pins"
        )  # fmt: skip
        assert made == {"order": which, "card": made["card"], "not_offered": missing}
        file = disclosed(shell, made["card"], tmp_path)
        pins = pins_in(file)
        yubico = Yubico(shell, tmp_path)
        stored = certificates_of(shell, made["card"], tmp_path)
        for slot in ("9c", "9a"):
            yubico.run("-a", "read-certificate", "-s", slot, "-o", f"{slot}.crt")
            read = x509.load_pem_x509_certificate((tmp_path / f"{slot}.crt").read_bytes())
            assert read.public_bytes(Encoding.DER) in stored
            sign = ("-a", "test-signature", "-s", slot, "-i", f"{slot}.crt")
            yubico.run(*sign, ends=1)
            said = yubico.run("-a", "verify-pin", "-P", pins["PIN"], *sign)
            assert "Successful RSA verification." in said
        yubico.run("-a", "verify-pin", "-P", "123456", ends=1)
        yubico.run("-a", "unblock-pin", "-P", "12345678", "-N", "999999", ends=1)
        chuid = ("-a", "set-ccc", f"--key={FACTORY_KEY}")
        yubico.run(*chuid, ends=1 if extensions else 0)
        yubico.run("-a", "verify-pin", "-P", pins["PIN"])
        # ours judges the same card, without its PINs and with them
        verify = ("card", "verify", "--profile", "piv", *reader_of(0), "--json")
        few = shell.run(*verify).json
        many = shell.run(*verify, "--pins", file).json
        assert {one["ok"] for one in [*few, *many]} == {True}
        names = {one["check"] for one in many} - {one["check"] for one in few}
        assert names == {
            "sign.challenge_signature", "sign.pin_per_signature", "auth.challenge_signature",
            "auth.pin_per_session", "card.factory_pin", "card.factory_puk",
        }  # fmt: skip
        assert {"sign.path", "auth.path"} <= {one["check"] for one in few}
        yubico.run("-a", "unblock-pin", "-P", pins["PUK"], "-N", "246810")
        yubico.run("-a", "verify-pin", "-P", "246810")


def certificates_of(shell: Terminal, card: str, folder: Path) -> list[bytes]:
    """DER of the card's certificates in the store."""
    found = []
    for number, row in enumerate(shell.run("card", "show", card, "--json").json["certificates"]):
        serial = row.split()[1]
        out = folder / f"stored-{number}.pem"
        shell.run("cert", "export", serial, "--out", out)
        pem = x509.load_pem_x509_certificate(out.read_bytes())
        found.append(pem.public_bytes(Encoding.DER))
    return found


class Pulled:
    """A card whose ``at``-th command takes effect and is never answered."""

    def __init__(self, card: Chip, at: int) -> None:
        self.card, self.at, self.sent = card, at, 0
        self.atr = card.atr
        self.pulled: list[Any] = []

    def transmit(self, apdu: bytes) -> bytes:
        answer = self.card.transmit(apdu)
        self.sent += 1
        if self.sent == self.at:
            pull(self.pulled[0])
        return answer

    def reset(self) -> None:
        self.card.reset()


@pytest.mark.parametrize("at", [14, 40])
def test_a_pulled_piv_card_is_put_in_again(
    shell: Terminal, virtual_reader: VirtualReader, tmp_path: Path, at: int
) -> None:
    which = order(shell)
    file = tmp_path / "card.json"
    pulled = Pulled(VirtualPiv.create(file, extensions=False), at)
    with virtual_reader.holding(pulled) as connection:
        pulled.pulled.append(connection)
        shell.refused("card.removed", 6, *STATION, which, *reader_of(0))
    with virtual_reader.holding(VirtualPiv.load(file)):
        (made,) = shell.run(*STATION, which, *reader_of(0)).json
        pins = disclosed(shell, made["card"], tmp_path)
        verify = ("card", "verify", "--profile", "piv", *reader_of(0), "--json")
        assert {one["ok"] for one in shell.run(*verify, "--pins", pins).json} == {True}


def test_a_piv_card_pulled_after_its_pins_is_scrapped(
    shell: Terminal, virtual_reader: VirtualReader, tmp_path: Path
) -> None:
    """Its factory's key opens it still, as it would any other with the same number."""
    which, file = order(shell), tmp_path / "card.json"
    pulled = Pulled(VirtualPiv.create(file, extensions=False), 60)
    with virtual_reader.holding(pulled) as connection:
        pulled.pulled.append(connection)
        shell.refused("card.removed", 6, *STATION, which, *reader_of(0))
    with virtual_reader.holding(VirtualPiv.load(file)):
        told = shell.run(*STATION, which, *reader_of(0), status=3).err
        assert "error card.unproven" in told
        assert "hint Do not hand it over: revoke it with ground C12_CARD_SCRAPPED" in told


@contextmanager
def fed(reader: VirtualReader, slot: int, cards: list[Chip], seen: list[int]) -> Iterator[None]:
    """Somebody who puts one card after the other in, each taken out when it is finished."""

    def feed() -> None:
        for card in cards:
            with reader.holding(card, slot):
                until(lambda: finished(card))  # noqa: B023
                time.sleep(0.3)
            seen.append(slot)

    thread = Thread(target=feed)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()


def finished(card: Chip) -> bool:
    """Whether the card's last command was long ago, after many."""
    assert isinstance(card, Watched)
    return card.sent > 80 and time.monotonic() - card.last > 1.5


class Watched:
    """A card that knows when it was last spoken to."""

    def __init__(self, card: Chip) -> None:
        self.card, self.sent, self.last = card, 0, 0.0
        self.atr = card.atr

    def transmit(self, apdu: bytes) -> bytes:
        self.sent, self.last = self.sent + 1, time.monotonic()
        return self.card.transmit(apdu)

    def reset(self) -> None:
        self.card.reset()


def test_two_readers_are_fed_from_one_batch(
    shell: Terminal, virtual_reader: VirtualReader, tmp_path: Path
) -> None:
    cards = [
        Watched(VirtualPiv.create(tmp_path / f"{number}.json", extensions=True))
        for number in range(4)
    ]
    wanted = [order(shell) for _ in range(4)]
    seen: list[int] = []
    with (
        fed(virtual_reader, 0, [*cards[:2]], seen),
        fed(virtual_reader, 1, [*cards[2:]], seen),
    ):
        readers_ = (*reader_of(0), *reader_of(1), "--wait", "60")
        result = shell.run(*STATION, *wanted, *readers_)
    assert sorted(seen) == [0, 0, 1, 1]
    assert sorted(row["order"] for row in result.json) == wanted
    assert len({row["card"] for row in result.json}) == 4
    assert f"{SLOTS[0]}: take the card out" in result.err
    assert f"{SLOTS[1]}: put a card in" in result.err
    assert "cards: 4 of 4 made and checked" in result.err


def test_ctrl_c_ends_the_wait(shell: Terminal, tmp_path: Path) -> None:
    with subprocess.Popen(
        [HPKI, *STATION, order(shell), *reader_of(0), "--wait", "60"],
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_a_shell_starts_it,
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "put a card in" in line:
                    break
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, "[]\n")
    assert "Traceback" not in err
    assert "interrupted; what was begun can be taken up again" in err
