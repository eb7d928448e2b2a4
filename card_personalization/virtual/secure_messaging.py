"""The virtual card's end of SCP03: opening of the issuer's session, and what passes through it.

In an open session every command must be a sound one of it; any other ends the session, and a new
INITIALIZE UPDATE does too. Source: GlobalPlatform Card Specification 2.3, Amendment D 1.1.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.constant_time import bytes_eq

from card_personalization import scp03
from card_personalization.virtual.memory import ISSUER_TRIES
from card_personalization.virtual.session import DONE, Answer, Command, Session, Status

_DIVERSIFICATION_SIZE = 10
_SCP03 = bytes([0x03, 0x60])  # i: random card challenge, R-MAC and R-ENCRYPTION


def initialize_update(session: Session, command: Command) -> Answer:
    """INITIALIZE UPDATE: serial number, key information, challenge and cryptogram. 7.1.1."""
    session.opening = session.secure = None
    chip = session.chip
    if command.p2:
        raise Status(0x6A86)
    if command.p1 not in (0, chip.issuer_key_version):
        raise Status(0x6A88)
    if len(command.data) != scp03.CHALLENGE_SIZE:
        raise Status(0x6700)
    if not chip.issuer_tries_left:
        raise Status(0x6983)
    challenge = session.entropy(scp03.CHALLENGE_SIZE)
    session.opening = scp03.Session(chip.issuer_keys, command.data, challenge)
    serial = chip.serial[-_DIVERSIFICATION_SIZE:].rjust(_DIVERSIFICATION_SIZE, b"\0")
    key_information = bytes([chip.issuer_key_version]) + _SCP03
    return serial + key_information + challenge + session.opening.card_cryptogram, 0x9000


def external_authenticate(session: Session, command: Command) -> Answer:
    """EXTERNAL AUTHENTICATE at security level 33; 10 wrong ones in a row block. 7.1.2."""
    opening, session.opening, session.secure = session.opening, None, None
    if (command.p1, command.p2) != (scp03.SECURITY_LEVEL, 0):
        raise Status(0x6A86)
    if opening is None:
        raise Status(0x6985)
    if len(command.data) != scp03.CHALLENGE_SIZE + scp03.MAC_SIZE:
        raise Status(0x6700)
    chip = session.chip
    if not (_verify(opening, command) and bytes_eq(command.data[:8], opening.host_cryptogram)):
        left = chip.issuer_tries_left - 1
        session.commit(replace(chip, issuer_tries_left=left))
        raise Status(0x63C0 | left)
    if chip.issuer_tries_left != ISSUER_TRIES:
        session.commit(replace(chip, issuer_tries_left=ISSUER_TRIES))
    session.secure = opening
    return DONE


HANDSHAKE = {(0x80, 0x50): initialize_update, (0x84, 0x82): external_authenticate}


def execute(session: Session, command: Command, plainly: Callable[[Command], Answer]) -> Answer:
    """Answer of ``plainly`` to a command, secured if the command was; raises ``Status``.

    6982 to a secured command without session and to a plain one in it, 6988 if it is not sound.
    """
    if (command.cla, command.ins) in HANDSHAKE:
        return plainly(command)
    secure, session.secure = session.secure, None
    if bool(command.cla & scp03.SECURED) != (secure is not None):
        raise Status(0x6982)
    if secure is None:
        return plainly(command)
    clear = _opened(secure, command)
    session.secure = secure
    try:
        data, sw = plainly(clear)
    except Status as status:
        if not scp03.has_r_mac(status.sw):
            raise
        data, sw = b"", status.sw
    data = secure.encrypt(data, answer=True)
    return data + secure.r_mac(data, sw), sw


def _opened(secure: scp03.Session, command: Command) -> Command:
    """Command in the clear; Status 6988 unless the session's host sent it, and just now."""
    secure.counter += 1
    if not _verify(secure, command):
        raise Status(0x6988)
    try:
        data = secure.decrypt(command.data[: -scp03.MAC_SIZE], answer=False)
    except ValueError as error:
        raise Status(0x6988) from error
    return replace(command, cla=command.cla & ~scp03.SECURED, data=data)


def _verify(session: scp03.Session, command: Command) -> bool:
    """Whether the end of the data is the MAC of the command."""
    data, mac = command.data[: -scp03.MAC_SIZE], command.data[-scp03.MAC_SIZE :]
    header = bytes([command.cla, command.ins, command.p1, command.p2])
    return bytes_eq(mac, session.c_mac(header, data, extended=command.extended))
