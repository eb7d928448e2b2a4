"""A pcscd of the tests' own, with vpcd's reader in it, which no other program on the machine sees.

It sees a /run of its own (a mount namespace, so root is needed) and stands on ports of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

from card_personalization.pcsc import readers
from card_personalization.transport import Chip, ConnectionLost
from card_personalization.virtual.vpcd import dial, serve
from tests.tiers import require_tool, tier_missing

SLOTS = ("Virtual PCD 00 00", "Virtual PCD 00 01")
_SECONDS = 20


@dataclass(frozen=True)
class VirtualReader:
    """The reader's two slots; ``port`` is the first one's."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """What leads PC/SC programs here."""
        return {"PCSCLITE_CSOCK_NAME": str(self.folder / "run" / "pcscd" / "pcscd.comm")}

    @contextmanager
    def holding(self, card: Chip, slot: int = 0) -> Iterator[socket.socket]:
        """Put the card in and take it out at the end; ``pull`` takes it out before."""
        name = SLOTS[slot]
        before = changes(name)
        with dial("127.0.0.1", self.port + slot) as connection:
            thread = Thread(target=serve, args=(connection, card))
            thread.start()
            try:
                until(lambda: readers()[name] == card.atr)
                yield connection
            finally:
                pull(connection)
                thread.join(_SECONDS)
        until(lambda: changes(name) == before + 2)


def changes(name: str) -> int:
    """How many cards pcscd has seen come or go there; between two looks it sees nothing."""
    from smartcard import scard

    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    try:
        asked = [(name, scard.SCARD_STATE_UNAWARE)]
        _, ((_, state, _),) = scard.SCardGetStatusChange(context, 0, asked)
        return int(state) >> 16
    finally:
        scard.SCardReleaseContext(context)


def pull(connection: socket.socket) -> None:
    """Take the card out at once."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + _SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _two_free_ports() -> int:
    """The first of two neighbours, below those that the kernel gives to connections."""
    for port in range(14_000 + os.getpid() % 5_000, 32_000, 2):
        with (
            suppress(OSError),
            socket.create_server(("", port)),
            socket.create_server(("", port + 1)),
        ):
            return port
    raise AssertionError("no ports are free")


@contextmanager
def running() -> Iterator[VirtualReader]:
    """Start it and lead this process there; it ends with this process, however that ends."""
    pcscd = shutil.which("pcscd", path="/usr/sbin") or require_tool("pcscd", tier="cards")
    if find_spec("smartcard") is None:
        tier_missing("cards", "no pyscard (pip install hpki-ca[card])")
    drivers = [*Path("/usr/lib/pcsc/drivers/serial").glob("libifdvpcd.so")]
    if not drivers:
        tier_missing("cards", "no reader of vsmartcard-vpcd")
    if os.geteuid() != 0:
        tier_missing("cards", "only root can start a pcscd of its own")
    folder = Path(tempfile.mkdtemp(prefix="hpki-pcsc-", dir="/tmp"))  # short: 107 bytes a socket
    try:
        reader = VirtualReader(folder, _two_free_ports())
        (folder / "run" / "pcscd").mkdir(parents=True)
        (folder / "conf").mkdir()
        (folder / "conf" / "vpcd").write_text(
            'FRIENDLYNAME "Virtual PCD"\n'
            f"DEVICENAME /dev/null:0x{reader.port:04X}\n"
            f"LIBPATH {drivers[0]}\n"
            f"CHANNELID 0x{reader.port:04X}\n"
        )
        script = 'mount --bind "$1/run" /run && exec "$2" --foreground --config "$1/conf"'
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount",
                 "sh", "-c", script, "sh", str(folder), pcscd],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            os.environ.update(reader.environment)
            _await(process, folder / "log")
            yield reader
        finally:
            for name in reader.environment:
                del os.environ[name]
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder)


def _await(process: subprocess.Popen[bytes], log: Path) -> None:
    def ready() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        with suppress(ConnectionLost):
            return sorted(readers()) == list(SLOTS)
        return False

    until(ready)
