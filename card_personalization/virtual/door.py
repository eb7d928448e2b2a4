"""The door of a virtual card: APDU decoding, command and response chaining, loss of power.

Source: ISO/IEC 7816-3 12.1, 7816-4 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

from card_personalization.virtual.session import Answer, Command, Status

_MAX_COMMAND = 65_535

SessionT = TypeVar("SessionT")
Commands = Mapping[tuple[int, int], Callable[[SessionT, Command], Answer]]


class Door(Generic[SessionT]):
    """A card's ``commands`` by class and instruction, behind ``transmit``.

    ``start`` gives a session in which nothing volatile is known.
    """

    unasked: ClassVar[bool] = False
    """Whether an answer comes to a command without Le, as from many cards."""

    def __init__(self, commands: Commands[SessionT], start: Callable[[], SessionT]) -> None:
        self._commands = commands
        self._start = start
        self.reset()

    def reset(self) -> None:
        """Forget everything volatile, as at a reset or loss of power."""
        self._session = self._start()
        self._chain: tuple[bytes, bytes] | None = None
        self._rest: Answer = b"", 0x9000

    def transmit(self, apdu: bytes) -> bytes:
        """Response data and status word; any byte string gets one, no exception leaves."""
        try:
            return self._answer(apdu)
        except Status as status:
            self.stumble()
            return status.sw.to_bytes(2, "big")

    def stumble(self) -> None:
        """Do what befits an APDU that is no command; by default nothing."""

    def execute(self, command: Command) -> Answer:
        """Answer to a whole command; raises ``Status``."""
        known = self._commands.get((command.cla, command.ins))
        if known is None:
            anywhere = any(ins == command.ins for _, ins in self._commands)
            raise Status(0x6E00 if anywhere else 0x6D00)
        return known(self._session, command)

    def _answer(self, apdu: bytes) -> bytes:
        command = parse_command(apdu)
        rest, self._rest = self._rest, (b"", 0x9000)
        _check_class(command.cla)
        chained = self._gather(apdu[:4], command)
        if chained is None:
            return b"\x90\x00"
        command = chained
        if command.le is None and self.unasked:
            command = replace(command, le=256)
        if (command.cla, command.ins) == (0x00, 0xC0):
            return self._reply(*_get_response(command, rest), command.le)
        try:
            data, sw = self.execute(command)
        except Status as status:
            data, sw = b"", status.sw
        if command.le is None and (command.cla, command.ins) == (0x00, 0xA4):
            data = b""  # nobody asked for the FCI
        return self._reply(data, sw, command.le)

    def _gather(self, header: bytes, command: Command) -> Command | None:
        """Whole command once its last part is here, None before."""
        chain, self._chain = self._chain, None
        plain = bytes([header[0] & ~0x10]) + header[1:]
        if chain is not None and chain[0] != plain:
            raise Status(0x6883)
        data = (chain[1] if chain else b"") + command.data
        if len(data) > _MAX_COMMAND:
            raise Status(0x6700)
        if header[0] & 0x10:
            self._chain = (plain, data)
            return None
        extended = len(data) > 255 if chain else command.extended
        return replace(command, data=data, extended=extended)

    def _reply(self, data: bytes, sw: int, le: int | None) -> bytes:
        """As much as was asked for; 61xx tells how much waits for GET RESPONSE."""
        limit = le or 0
        rest = data[limit:]
        if not rest:
            return data + sw.to_bytes(2, "big")
        self._rest = rest, sw
        return data[:limit] + bytes([0x61, len(rest) if len(rest) < 256 else 0])


def _get_response(command: Command, rest: Answer) -> Answer:
    if command.p1 or command.p2:
        raise Status(0x6A86)
    if command.data or command.le is None:
        raise Status(0x6700)
    if not rest[0]:
        raise Status(0x6985)
    return rest


def _check_class(cla: int) -> None:
    """Refuse classes other than 00 and 80, chained or not, with GlobalPlatform's secure messaging.

    Source: ISO/IEC 7816-4 5.4.1; GlobalPlatform Card Specification 2.3, 11.1.4.
    """
    if cla & 0xEB in (0x00, 0x80):
        return
    if cla & 0x40 or cla & 0x03:
        raise Status(0x6881 if cla & 0x7F != 0x7F else 0x6E00)
    raise Status(0x6882 if cla & 0x0C else 0x6E00)


def parse_command(apdu: bytes) -> Command:
    """Fields of a short or extended APDU; Status 6700 if the lengths do not fit.

    Source: ISO/IEC 7816-3 12.1.3 (decoding of the cases).
    """
    if len(apdu) < 4:
        raise Status(0x6700)
    body = apdu[4:]
    head = Command(*apdu[:4])
    if not body:
        return head
    if len(body) == 1:
        return replace(head, le=body[0] or 256)
    if body[0]:
        lc, start, le_size = body[0], 1, 1
    elif len(body) == 3:
        return replace(head, le=int.from_bytes(body[1:], "big") or 65_536)
    else:
        lc, start, le_size = int.from_bytes(body[1:3], "big"), 3, 2
    data, le = body[start : start + lc], body[start + lc :]
    if lc == 0 or len(data) < lc or len(le) not in (0, le_size):
        raise Status(0x6700)
    expected = (int.from_bytes(le, "big") or 256**le_size) if le else None
    return replace(head, data=data, le=expected, extended=start == 3)
