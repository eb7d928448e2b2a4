"""Command APDUs, response chaining, and status words as typed errors.

Source: ISO/IEC 7816-4 5.1 (APDUs), 5.1.1.1 (command chaining), 5.1.3 (status words).
"""

# ruff: noqa: N818 - errors are named by what the card refused

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from card_personalization.transport import Transport
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused, Unavailable

OK = 0x9000
END_OF_FILE = 0x6282  # data follows, but fewer bytes than asked for
_CHAINED = 0x10  # bit of CLA: more of this command follows
_MAX_RESPONSE = 1 << 17


class CardError(HpkiError):
    """The card refused a command; ``sw`` is its status word, ``tries_left`` None if untold."""

    stable_code: ClassVar[str] = "card.status"
    meaning: ClassVar[str] = "the card answered with an unexpected status word"
    advice: ClassVar[str] = ""

    def __init__(self, sw: int, tries_left: int | None = None) -> None:
        tries = "" if tries_left is None else f", {tries_left} tries left"
        super().__init__(self.stable_code, f"{self.meaning} (SW {sw:04X}{tries})", self.advice)
        self.sw = sw
        self.tries_left = tries_left


class UnexpectedStatus(CardError, Unavailable):
    """A status word without a class of its own."""


class WrongPin(CardError, Refused):
    """The PIN is wrong; ``tries_left`` further tries."""

    stable_code = "card.wrong_pin"
    meaning = "the PIN is wrong"


class PinBlocked(CardError, Refused):
    """The PIN is blocked; ``tries_left`` is 0."""

    stable_code = "card.pin_blocked"
    meaning = "the PIN is blocked"
    advice = "a PIV card is freed with its PUK, an HPKI card must be replaced"


class IssuerKeyRefused(CardError, Refused):
    """Card and issuer do not have the same key; at 0 tries left the card takes none any more."""

    stable_code = "card.issuer_key_refused"
    meaning = "the issuer key is not the one of the card"
    advice = "compare the key version of the card with the key in use"


class SecurityNotSatisfied(CardError, Refused):
    """A PIN or the issuer's authentication is missing."""

    stable_code = "card.security_not_satisfied"
    meaning = "the card wants a PIN or the issuer's authentication first"


class ConditionsNotSatisfied(CardError, Refused):
    """The command does not fit the present state of the card."""

    stable_code = "card.conditions_not_satisfied"
    meaning = "the command does not fit the state of the card"


class NotOffered(CardError, Unavailable):
    """The card has no such command, parameter or function."""

    stable_code = "card.not_offered"
    meaning = "the card does not offer this"


class FileNotFound(CardError, NotFound):
    """There is no such file, application or key on the card."""

    stable_code = "card.file_not_found"
    meaning = "there is no such file, application or key on the card"


class FileExists(CardError, Conflict):
    """A file or application of that name is there already."""

    stable_code = "card.file_exists"
    meaning = "a file or application of that name exists on the card"


_BY_STATUS: dict[int, type[CardError]] = {
    0x6982: SecurityNotSatisfied,
    0x6985: ConditionsNotSatisfied,
    0x6A81: NotOffered,
    0x6A82: FileNotFound,
    0x6A88: FileNotFound,
    0x6A89: FileExists,
    0x6A8A: FileExists,
    0x6D00: NotOffered,
    0x6E00: NotOffered,
}
_HANDSHAKE_INS = (0x50, 0x82)  # INITIALIZE UPDATE, EXTERNAL AUTHENTICATE
_HANDSHAKE_REFUSALS = (0x6300, 0x6982, 0x6988, 0x6A88)
_PIN_INS = (0x20, 0x24, 0x2C)


def error_from_status(sw: int, ins: int) -> CardError:
    """Typed error a status word means after instruction ``ins``."""
    tries = sw & 0x0F if sw & 0xFFF0 == 0x63C0 else None
    if sw in (0x6983, 0x6984):
        tries = 0
    if ins in _HANDSHAKE_INS and (tries is not None or sw in _HANDSHAKE_REFUSALS):
        return IssuerKeyRefused(sw, tries)
    if ins in _PIN_INS and (tries is not None or sw == 0x6300):
        return PinBlocked(sw, 0) if tries == 0 else WrongPin(sw, tries)
    return _BY_STATUS.get(sw, UnexpectedStatus)(sw, tries)


def command(
    cla: int,
    ins: int,
    p1: int,
    p2: int,
    data: bytes = b"",
    le: int | None = None,
    *,
    extended: bool = False,
) -> bytes:
    """One command APDU; ``le`` counts expected bytes (256 or 65536 = all), None = no Le field.

    InvalidInput if data or ``le`` do not fit the short or extended form.
    """
    data_limit, le_limit = (65_535, 65_536) if extended else (255, 256)
    if len(data) > data_limit or (le is not None and not 1 <= le <= le_limit):
        raise InvalidInput("card.apdu", f"{len(data)} data bytes and Le {le} fit no APDU")
    header = bytes([cla, ins, p1, p2])
    if not extended:
        lc = bytes([len(data)]) if data else b""
        return header + lc + data + (b"" if le is None else bytes([le % 256]))
    lc = b"\x00" + len(data).to_bytes(2, "big") if data else b""
    mark = b"" if data or le is None else b"\x00"
    return header + lc + data + mark + (b"" if le is None else (le % 65_536).to_bytes(2, "big"))


def supports_extended_length(atr: bytes) -> bool:
    """Whether the historical bytes promise extended Lc and Le; False if they say nothing.

    Source: ISO/IEC 7816-3 8.2, 7816-4 8.1.1 (compact-TLV object 73, third byte, bit 7).
    """
    if len(atr) < 2:
        return False
    offset, indicator = 2, atr[1]
    while indicator & 0xF0:
        offset += (indicator >> 4).bit_count()
        if not indicator & 0x80:
            break
        if offset > len(atr):
            return False
        indicator = atr[offset - 1]
    historical = atr[offset : offset + (atr[1] & 0x0F)]
    if historical[:1] == b"\x00":
        historical = historical[:-3]
    elif historical[:1] != b"\x80":
        return False
    position = 1
    while position < len(historical):
        tag, length = historical[position] >> 4, historical[position] & 0x0F
        value = historical[position + 1 : position + 1 + length]
        if tag == 7 and len(value) == 3:
            return bool(value[2] & 0x40)
        position += 1 + length
    return False


class CardChannel:
    """Commands to a card: chains what is too long, fetches what is too long, types what failed."""

    def __init__(self, transport: Transport, *, extended: bool | None = None) -> None:
        self.transport = transport
        self.extended = supports_extended_length(transport.atr) if extended is None else extended

    def send(
        self,
        cla: int,
        ins: int,
        p1: int,
        p2: int,
        data: bytes = b"",
        le: int | None = None,
        *,
        accept: Collection[int] = (),
    ) -> bytes:
        """Response data if the status word is 9000 or one of ``accept``; else a CardError.

        ``le``: expected bytes, at most 65536; without extended length at most 256 are asked for at
        once. Transport errors pass through.
        """
        answer, sw = self.transceive(cla, ins, p1, p2, data, le)
        if sw >> 8 == 0x6C:
            answer, sw = self.transceive(cla, ins, p1, p2, data, sw & 0xFF or 256)
        if sw != OK and sw not in accept:
            raise error_from_status(sw, ins)
        return answer

    def transceive(
        self, cla: int, ins: int, p1: int, p2: int, data: bytes, le: int | None
    ) -> tuple[bytes, int]:
        """Whole answer and status word of one command, chained both ways where it must be."""
        wide = self.is_extended(len(data), le)
        if not wide:
            le = None if le is None else min(le, 256)
            while len(data) > 255:
                part, data = data[:255], data[255:]
                answer, sw = self._exchange(command(cla | _CHAINED, ins, p1, p2, part))
                if sw != OK:
                    return answer, sw
        apdu = command(cla, ins, p1, p2, data, le, extended=wide)
        return self._remainder(*self._exchange(apdu))

    def is_extended(self, length: int, le: int | None) -> bool:
        """Whether a command of so many data bytes goes in extended length."""
        return self.extended and (length > 255 or (le or 0) > 256)

    def _remainder(self, answer: bytes, sw: int) -> tuple[bytes, int]:
        """Whole answer after GET RESPONSE, always with Le (cards hang on it otherwise)."""
        while sw >> 8 == 0x61:
            more, sw = self._exchange(command(0x00, 0xC0, 0, 0, le=sw & 0xFF or 256))
            if not more or len(answer) > _MAX_RESPONSE:
                raise UnexpectedStatus(sw)
            answer += more
        return answer, sw

    def _exchange(self, apdu: bytes) -> tuple[bytes, int]:
        answer = self.transport.transmit(apdu)
        if len(answer) < 2:
            raise Unavailable("card.answer", "the answer of the card has no status word")
        return answer[:-2], int.from_bytes(answer[-2:], "big")
