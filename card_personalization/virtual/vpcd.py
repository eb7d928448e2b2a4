"""A virtual card in the reader of vsmartcard's vpcd, which pcscd shows to every program.

The card dials the reader. Either side sends two bytes of length, big-endian, and that many bytes:
an APDU and its answer, or one byte of control. Source: vsmartcard, vpcd.h and vpicc.py.
"""

from __future__ import annotations

import socket

from card_personalization.transport import Chip
from pki.errors import Unavailable

HOST, PORT = "127.0.0.1", 35963
"""Where Debian's vpcd waits for the card of its first slot; the second slot is one port higher."""

_CONNECT_SECONDS = 10
_OFF, _ON, _RESET, _SEND_ATR = b"\x00", b"\x01", b"\x02", b"\x04"


def dial(host: str, port: int) -> socket.socket:
    """Return a connection to the reader's empty slot; Unavailable (card.vpcd) if nobody waits."""
    try:
        connection = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    except OSError as error:
        raise Unavailable(
            "card.vpcd",
            f"no virtual reader waits at {host}:{port}: {error}",
            "Start pcscd with vpcd; docs/operations/readers.md says how.",
        ) from error
    connection.settimeout(None)
    return connection


def serve(connection: socket.socket, card: Chip) -> None:
    """Be the card in the reader, until the reader goes or the connection is shut down."""
    while (message := _receive(connection)) is not None:
        if message == _SEND_ATR:
            answer = card.atr
        elif message in (_OFF, _ON, _RESET):
            card.reset()
            continue
        else:
            answer = card.transmit(message)
        try:
            connection.sendall(len(answer).to_bytes(2, "big") + answer)
        except OSError:
            break
    card.reset()


def _receive(connection: socket.socket) -> bytes | None:
    """One message, None once the reader is gone."""
    length = _exactly(connection, 2)
    return length and _exactly(connection, int.from_bytes(length, "big"))


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    octets = b""
    while len(octets) < count:
        try:
            # vpcd sends length and data apart: an acknowledgement that waits costs 40 ms
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            part = connection.recv(count - len(octets))
        except OSError:
            return None
        if not part:
            return None
        octets += part
    return octets
