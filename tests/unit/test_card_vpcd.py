"""The virtual card in vpcd's reader: a socket by hand in the reader's place."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Thread

import pytest

from card_personalization.virtual import vpcd
from pki.errors import Unavailable

ATR = bytes.fromhex("3b80800101")


@dataclass
class Card:
    """A card that answers with what it heard."""

    atr = ATR
    heard: list[bytes] = field(default_factory=list)
    resets: int = 0

    def transmit(self, apdu: bytes) -> bytes:
        self.heard.append(apdu)
        return apdu + b"\x90\x00"

    def reset(self) -> None:
        self.resets += 1


@dataclass(frozen=True)
class Reader:
    """The reader's end of the connection; ``served`` ends with the card's."""

    connection: socket.socket
    card: Card
    served: Thread

    def send(self, octets: bytes) -> None:
        self.connection.sendall(octets)

    def say(self, message: bytes) -> None:
        self.send(len(message).to_bytes(2, "big") + message)

    def hear(self) -> bytes:
        length = int.from_bytes(self._exactly(2), "big")
        return self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        octets = self.connection.recv(count, socket.MSG_WAITALL)
        assert len(octets) == count
        return octets

    def ended(self) -> bool:
        self.served.join(10)
        return not self.served.is_alive()


@pytest.fixture
def reader() -> Iterator[Reader]:
    card = Card()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialled = vpcd.dial(*listener.getsockname())
        connection, _ = listener.accept()
    served = Thread(target=vpcd.serve, args=(dialled, card), daemon=True)
    served.start()
    connection.settimeout(10)
    with connection, dialled:
        yield Reader(connection, card, served)


def test_the_answer_to_reset_is_told(reader: Reader) -> None:
    reader.say(b"\x04")
    assert reader.hear() == ATR
    assert reader.card.heard == []


@pytest.mark.parametrize("control", [b"\x00", b"\x01", b"\x02"])
def test_power_and_reset_make_the_card_forget_and_are_not_answered(
    reader: Reader, control: bytes
) -> None:
    reader.say(control)
    reader.say(b"\x04")
    assert reader.hear() == ATR
    assert reader.card.resets == 1


def test_commands_reach_the_card_whole_and_its_answers_the_reader(reader: Reader) -> None:
    for apdu in (b"\x00\xca\x00\x45\x00", bytes(256), bytes(65_000)):
        reader.say(apdu)
        assert reader.hear() == apdu + b"\x90\x00"
    assert [len(apdu) for apdu in reader.card.heard] == [5, 256, 65_000]


def test_a_command_in_pieces(reader: Reader) -> None:
    for octet in b"\x00\x05\x00\xca\x00\x45\x00":
        reader.send(bytes([octet]))
    assert reader.hear() == b"\x00\xca\x00\x45\x00\x90\x00"


@pytest.mark.parametrize("begun", [b"", b"\x00", b"\x00\x05\x00\xca"])
def test_a_reader_that_goes_ends_it_and_the_card_loses_power(reader: Reader, begun: bytes) -> None:
    reader.send(begun)
    reader.connection.close()
    assert reader.ended()
    assert (reader.card.heard, reader.card.resets) == ([], 1)


def test_length_and_answer_leave_in_one_write() -> None:
    """Apart they would wait 40 ms for each other (Nagle and the delayed acknowledgement)."""
    written: list[bytes] = []

    class Counted(socket.socket):
        def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
            written.append(data)

    with socket.create_server(("127.0.0.1", 0)) as listener, Counted() as counted:
        counted.connect(listener.getsockname())
        other, _ = listener.accept()
        with other:
            other.sendall(b"\x00\x01\x04")
            other.shutdown(socket.SHUT_WR)
            vpcd.serve(counted, Card())
    assert written == [len(ATR).to_bytes(2, "big") + ATR]


def test_nobody_waits_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable) as caught:
        vpcd.dial("127.0.0.1", port)
    assert caught.value.code == "card.vpcd"
    assert f"127.0.0.1:{port}" in caught.value.text
