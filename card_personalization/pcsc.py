"""Cards in PC/SC readers: the only module that knows pyscard, and imports it when first needed.

It calls the plain functions of ``smartcard.scard``. The connection objects of pyscard end
themselves when Python drops them; they then reset cards, and write to stderr if pcscd is gone.
Source: PC/SC Workgroup specification part 5; return codes: pcsclite.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Any, TypeVar

from card_personalization.transport import (
    CardInUse,
    CardRemoved,
    CardReset,
    ConnectionLost,
    NoCard,
    ReaderGone,
)
from pki.errors import InvalidInput, NotFound, Unavailable

LIMIT_SECONDS = 120.0
"""Longest wait for one answer; a chip takes tens of seconds to make an RSA key."""

_LOOK_SECONDS = 0.2  # pcscd itself looks no oftener
_NO_READERS = 0x8010002E
_ERRORS: dict[int, Callable[[], ConnectionLost]] = {
    0x80100009: ReaderGone,  # SCARD_E_UNKNOWN_READER
    0x8010000B: CardInUse,  # SCARD_E_SHARING_VIOLATION
    0x8010000C: NoCard,  # SCARD_E_NO_SMARTCARD
    0x80100016: CardRemoved,  # SCARD_E_NOT_TRANSACTED: pcscd has not noticed yet
    0x80100017: CardRemoved,  # SCARD_E_READER_UNAVAILABLE
    0x8010001D: ReaderGone,  # SCARD_E_NO_SERVICE
    0x8010001E: ReaderGone,  # SCARD_E_SERVICE_STOPPED
    0x80100066: lambda: NoCard("the card in the reader does not answer"),  # UNRESPONSIVE
    0x80100068: CardReset,  # SCARD_W_RESET_CARD
    0x80100069: CardRemoved,  # SCARD_W_REMOVED_CARD
    # SCARD_W_SECURITY_VIOLATION: what pcsclite makes of a connection that pcscd closed
    0x8010006A: lambda: ReaderGone("pcscd ended, or does not let this user at readers"),
}

_Result = TypeVar("_Result")


class CardHangs(ConnectionLost):
    """No answer within the limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "card.hangs",
            f"the card gave no answer for {seconds:g} seconds",
            "take the card out, put it in again and resume",
        )


def readers(limit_seconds: float = LIMIT_SECONDS) -> dict[str, bytes]:
    """Return the ATR of the card in each reader by the reader's name, empty where none is in.

    Raises ``Unavailable`` without pyscard, ``ReaderGone`` without pcscd, ``CardHangs``.
    """
    scard = _library()
    watch = _Watch(limit_seconds)
    try:
        return watch.call(lambda: _readers(scard))
    finally:
        watch.end(lambda: None)


def find_reader(name: str) -> str:
    """Return the reader with this name, or the only one whose name contains it in any case.

    Without a name it is the only one that has a card in it, or the only one.

    Raises ``NotFound``, ``InvalidInput`` if it fits several, and what ``readers`` raises.
    """
    present = readers()
    if name in present:
        return name
    fitting = [one for one in present if name.casefold() in one.casefold()]
    if not name:
        fitting = [one for one, atr in present.items() if atr] or fitting
    if not fitting:
        raise NotFound(
            "card.reader", f"there is no reader {name!r}", "See `hpki card readers`, or: virtual."
        )
    if len(fitting) > 1:
        listed = ", ".join(fitting)
        raise InvalidInput("card.reader", f"{name!r} fits {listed}", "Give more of the name.")
    return fitting[0]


def wait_for_card(reader: str, *, present: bool, seconds: float) -> bool:
    """Wait until a card is in the reader, or until none is; whether it came to that in time.

    ``reader`` is its full name. Raises what ``readers`` raises.
    """
    end = monotonic() + seconds
    while True:
        if bool(readers().get(reader)) is present:
            return True
        if monotonic() >= end:
            return False
        sleep(_LOOK_SECONDS)


class PcscTransport:
    """The card in one reader, for us alone; it is reset as we leave, and forgets PIN and issuer.

    ``reader`` is its full name. What takes longer than ``limit_seconds`` raises ``CardHangs``: the
    call is left behind in a thread that keeps no process alive.
    """

    def __init__(self, reader: str, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._scard = _library()
        self._context: Any = None
        self._card: Any = None
        self._pci: Any = None
        self._atr = b""
        self._lost: ConnectionLost | None = None
        self._watch = _Watch(limit_seconds)
        try:
            self._call(lambda: self._connect(reader))
        except BaseException:
            self.close()
            raise

    @property
    def atr(self) -> bytes:
        """Answer to reset, as it was when the card was connected."""
        return self._atr

    def transmit(self, apdu: bytes) -> bytes:
        """Response data and status word; raises ``ConnectionLost``, and then always again."""
        answer = self._call(
            lambda: _done(self._scard.SCardTransmit(self._card, self._pci, list(apdu)))
        )
        if len(answer) < 2:  # it was pulled while it worked
            self._lost = CardRemoved()
            raise self._lost
        return bytes(octet & 0xFF for octet in answer)

    def reset(self) -> None:
        """Warm reset."""
        scard = self._scard
        self._call(
            lambda: _done(
                scard.SCardReconnect(
                    self._card,
                    scard.SCARD_SHARE_EXCLUSIVE,
                    _protocols(scard),
                    scard.SCARD_RESET_CARD,
                )
            )
        )

    def close(self) -> None:
        """Reset the card and leave it to others; waits for no call that hangs."""
        self._lost = NoCard("the connection to the card is closed")
        self._watch.end(self._release)

    def _call(self, function: Callable[[], _Result]) -> _Result:
        if self._lost is not None:
            raise self._lost
        try:
            return self._watch.call(function)
        except ConnectionLost as error:
            self._lost = error
            raise

    def _connect(self, reader: str) -> None:
        scard = self._scard
        self._context = _done(scard.SCardEstablishContext(scard.SCARD_SCOPE_USER))
        code, card, protocol = scard.SCardConnect(
            self._context, reader, scard.SCARD_SHARE_EXCLUSIVE, _protocols(scard)
        )
        _verify(code)
        self._card = card
        t1 = protocol == scard.SCARD_PROTOCOL_T1
        self._pci = scard.SCARD_PCI_T1 if t1 else scard.SCARD_PCI_T0
        code, *_, atr = scard.SCardStatus(card)
        _verify(code)
        self._atr = bytes(atr)

    def _release(self) -> None:
        if self._card is not None:
            self._scard.SCardDisconnect(self._card, self._scard.SCARD_RESET_CARD)
        if self._context is not None:
            self._scard.SCardReleaseContext(self._context)
        self._card = self._context = None


class _Watch:
    """A thread for calls that may never return; a call that does not is left to it."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit = limit_seconds
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._last: Future[Any] | None = None
        Thread(target=self._work, name="pcsc", daemon=True).start()

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Return what the function returns; raises what it raises, or ``CardHangs``."""
        self._last = future = Future[_Result]()
        self._calls.put((future, function))
        try:
            return future.result(self._limit)
        except TimeoutError:
            raise CardHangs(self._limit) from None

    def end(self, function: Callable[[], None]) -> None:
        """Have the function called last; waits for it unless a call before it hangs."""
        if self._last is None:
            return
        hangs = not self._last.done()
        self._last, future = None, Future[None]()
        self._calls.put((future, function))
        self._calls.put(None)
        if not hangs:
            wait([future], self._limit)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, function = item
            try:
                future.set_result(function())
            except Exception as error:
                future.set_exception(error)


def _library() -> Any:
    try:
        from smartcard import scard
    except ImportError as error:
        raise Unavailable(
            "card.pcsc.library", "readers need pyscard, which is not here", "Install hpki-ca[card]."
        ) from error
    return scard


def _verify(code: int) -> None:
    """Raise what a PC/SC return code means, other than success."""
    code &= 0xFFFF_FFFF
    if not code:
        return
    known = _ERRORS.get(code)
    raise (
        known()
        if known
        else ConnectionLost(
            "card.pcsc", f"PC/SC failed with {code:08X}", "put the card in again and resume"
        )
    )


def _done(result: tuple[int, Any]) -> Any:
    """Return what came with the return code of success."""
    code, value = result
    _verify(code)
    return value


def _protocols(scard: Any) -> int:
    protocols: int = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
    return protocols


@contextmanager
def _context(scard: Any) -> Iterator[Any]:
    context = _done(scard.SCardEstablishContext(scard.SCARD_SCOPE_USER))
    try:
        yield context
    finally:
        scard.SCardReleaseContext(context)


def _readers(scard: Any) -> dict[str, bytes]:
    with _context(scard) as context:
        code, names = scard.SCardListReaders(context, [])
        if code & 0xFFFF_FFFF == _NO_READERS or not code and not names:
            return {}
        _verify(code)
        unaware = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        states = _done(scard.SCardGetStatusChange(context, 0, unaware))
        return {
            name: bytes(atr) if state & scard.SCARD_STATE_PRESENT else b""
            for name, state, atr in states
        }
