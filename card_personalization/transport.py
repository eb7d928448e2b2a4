"""The edge to a card: APDUs in, answers out; embedded, traced and faulty transports.

A card in a reader is reached by ``pcsc.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pki.errors import Unavailable


class ConnectionLost(Unavailable):  # noqa: N818 - named by what is the matter
    """The connection is of no more use; whether the last command took effect is unknown."""


class NoCard(ConnectionLost):
    """There is no card to talk to."""

    def __init__(self, text: str = "no card in the reader") -> None:
        super().__init__("card.no_card", text, "insert the card and start again")


class CardRemoved(ConnectionLost):
    """The card went away in the middle; whether the last command took effect is unknown."""

    def __init__(self, text: str = "the card was removed") -> None:
        super().__init__("card.removed", text, "insert the same card and resume")


class CardReset(ConnectionLost):
    """Another program reset the card; PIN and issuer authentication are lost."""

    def __init__(self, text: str = "the card was reset by another program") -> None:
        super().__init__("card.reset", text, "close other card programs and resume")


class CardInUse(ConnectionLost):
    """Another program holds the card."""

    def __init__(self, text: str = "another program holds the card") -> None:
        super().__init__("card.in_use", text, "close other card programs and start again")


class ReaderGone(ConnectionLost):
    """The reader, or the service that all readers are reached by, is not there."""

    def __init__(self, text: str = "the reader or its service is gone") -> None:
        super().__init__(
            "card.reader.gone", text, "plug the reader in, see that pcscd runs, and start again"
        )


class Transport(Protocol):
    """One live connection to one card; dead for ever after ConnectionLost."""

    @property
    def atr(self) -> bytes:
        """Answer to reset. Source: ISO/IEC 7816-3 8.2."""

    def transmit(self, apdu: bytes) -> bytes:
        """Response data followed by two status bytes; raises ConnectionLost."""

    def reset(self) -> None:
        """Warm reset: the card forgets selection, PIN and issuer authentication."""

    def close(self) -> None:
        """End of the connection; may be called twice."""


class Chip(Protocol):
    """What an embedded card must offer; the virtual card does."""

    @property
    def atr(self) -> bytes:
        """Answer to reset."""

    def transmit(self, apdu: bytes) -> bytes:
        """Response data and status word; never raises."""

    def reset(self) -> None:
        """Loss of all volatile state."""


class EmbeddedTransport:
    """A virtual card in this process, no reader in between."""

    def __init__(self, card: Chip) -> None:
        self._card: Chip | None = card
        card.reset()

    @property
    def atr(self) -> bytes:
        """Answer to reset of the virtual card."""
        return self._open().atr

    def transmit(self, apdu: bytes) -> bytes:
        """Answer of the virtual card; raises NoCard after ``close``."""
        return self._open().transmit(apdu)

    def reset(self) -> None:
        """Warm reset."""
        self._open().reset()

    def close(self) -> None:
        """Power off: the card forgets its session."""
        if self._card is not None:
            self._card.reset()
        self._card = None

    def _open(self) -> Chip:
        if self._card is None:
            raise NoCard("the connection to the card is closed")
        return self._card


# VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, EXTERNAL and GENERAL AUTHENTICATE, PUT KEY
# and their BER-TLV forms; PUT DATA (PIV keys) and Yubico's import key and set management key.
SECRET_INS = frozenset(
    {0x20, 0x21, 0x24, 0x25, 0x2C, 0x2D, 0x82, 0x83, 0x86, 0x87, 0xD8, 0xD9, 0xDA, 0xDB, 0xFE, 0xFF}
)


class TraceTransport:
    """A transport that tells every APDU to ``sink``, one line each; secrets as a byte count only.

    Lines are ``> HEX`` and ``< HEX``. Of an instruction that may carry a PIN, a key or a
    cryptogram only header and status word are shown.
    """

    def __init__(self, inner: Transport, sink: Callable[[str], None]) -> None:
        self._inner = inner
        self._sink = sink

    @property
    def atr(self) -> bytes:
        """Answer to reset of the inner transport."""
        return self._inner.atr

    def transmit(self, apdu: bytes) -> bytes:
        """Answer of the inner transport, told to the sink on both ways."""
        secret = len(apdu) > 1 and apdu[1] in SECRET_INS
        self._sink("> " + _shown(apdu[:4], apdu[4:], secret))
        try:
            answer = self._inner.transmit(apdu)
        except Unavailable as error:
            self._sink(f"! {error.code}")
            raise
        self._sink("< " + _shown(b"", answer[:-2], secret) + answer[-2:].hex().upper())
        return answer

    def reset(self) -> None:
        """Warm reset, told to the sink."""
        self._sink("reset")
        self._inner.reset()

    def close(self) -> None:
        """End of the inner connection."""
        self._inner.close()


def _shown(head: bytes, body: bytes, secret: bool) -> str:
    masked = f"[{len(body)} bytes]" if body and secret else body.hex().upper()
    return head.hex().upper() + masked


class FaultTransport:
    """A card with a fault at the ``fail_at``-th APDU (counted from 1), for tests.

    Without ``spoil`` it is pulled: it loses power, and this transport stays dead. Else ``spoil``
    makes an answer in place of its own, which it gets, empty where the command did not reach the
    card. ``after`` True: the command is still executed. ``sent`` counts APDUs, so a fault-free run
    tells the range.
    """

    def __init__(
        self,
        inner: Transport,
        fail_at: int,
        *,
        after: bool = False,
        spoil: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self._inner = inner
        self._fail_at = fail_at
        self._after = after
        self._spoil = spoil
        self._dead = False
        self.sent = 0

    @property
    def atr(self) -> bytes:
        """Answer to reset of the inner transport."""
        return self._inner.atr

    def transmit(self, apdu: bytes) -> bytes:
        """Answer of the inner transport or another one, or CardRemoved from the chosen APDU on."""
        if self._dead:
            raise CardRemoved
        self.sent += 1
        if self.sent != self._fail_at:
            return self._inner.transmit(apdu)
        answer = self._inner.transmit(apdu) if self._after else b""
        if self._spoil is not None:
            return self._spoil(answer)
        self._dead = True
        self._inner.reset()
        raise CardRemoved

    def reset(self) -> None:
        """Warm reset; CardRemoved once the card is gone."""
        if self._dead:
            raise CardRemoved
        self._inner.reset()

    def close(self) -> None:
        """End of the inner connection."""
        self._inner.close()
