"""Commands of the virtual card on files: select, read, update, create, activate, get data.

A command gets the session and the command, commits a new chip if it changes the memory, and gives
response data and a status word or raises ``Status``. Source: ISO/IEC 7816-4, 7816-9.
"""

from __future__ import annotations

from dataclasses import replace

from card_personalization import tlv
from card_personalization.virtual.memory import (
    ALWAYS,
    ISSUER,
    MAX_APPLICATIONS,
    MAX_FILE_SIZE,
    MAX_FILES,
    PIN_SIZE,
    Directory,
    File,
    KeyFile,
    PinFile,
    WorkingFile,
)
from card_personalization.virtual.session import DONE, MF, Answer, Command, Session, Status
from pki.errors import InvalidInput


def select(session: Session, command: Command) -> Answer:
    """SELECT by DF name (also partial, next), identifier or path; FCI. ISO/IEC 7816-4 11.2.2."""
    if command.p2 & 0xF0 or command.p2 & 0x0C == 0x08:
        raise Status(0x6A86)
    if command.p1 == 0x04:
        _select_name(session, command)
    elif command.p2 & 0x03:
        raise Status(0x6A86)
    elif command.p1 in (0x00, 0x02, 0x03, 0x08, 0x09):
        _select_path(session, command)
    else:
        raise Status(0x6A86)
    if command.p2 & 0x0C == 0x0C:
        return DONE
    template = 0x62 if command.p2 & 0x0C else 0x6F
    return tlv.encode(template, *_control_parameters(session)), 0x9000


def _select_name(session: Session, command: Command) -> None:
    if command.p2 & 0x03 not in (0, 2):
        raise Status(0x6A86)
    if not 1 <= len(command.data) <= 16:
        raise Status(0x6700)
    names = [df.aid for df in session.chip.directories]
    if command.p2 & 0x03 == 2:
        names = names[names.index(session.aid) + 1 :]
    match = next((aid for aid in names if aid and aid.startswith(command.data)), None)
    if match is None:
        raise Status(0x6A82)
    session.enter(match)


def _select_path(session: Session, command: Command) -> None:
    """Follow identifiers; applications have none, so a path names the MF and one EF at most."""
    path = command.data
    if command.p1 == 0x03 or (command.p1 == 0x00 and path in (b"", MF.to_bytes(2, "big"))):
        session.enter(b"")
        return
    if command.p1 == 0x08:
        if path.startswith(MF.to_bytes(2, "big")):
            path = path[2:]
        start = b""
    else:
        start = session.aid
    if len(path) % 2 or (command.p1 in (0x00, 0x02, 0x09) and not path):
        raise Status(0x6A80)
    fid = int.from_bytes(path[:2], "big") if path else None
    known = [file.fid for file in session.chip.directory(start).files]
    if len(path) > 2 or (fid is not None and fid not in known):
        raise Status(0x6A82)
    session.enter(start)
    session.fid = fid


def _control_parameters(session: Session) -> list[bytes]:
    """FCP objects of what is selected. Source: ISO/IEC 7816-4 table 10."""
    file = next((file for file in session.files if file.fid == session.fid), None)
    if file is None:
        if session.aid:
            return [tlv.encode(0x84, session.aid)]
        return [tlv.encode(0x82, b"\x38"), tlv.encode(0x83, MF.to_bytes(2, "big"))]
    size = file.size if isinstance(file, WorkingFile) else 0
    parts = [
        tlv.encode(0x80, size.to_bytes(2, "big")),
        tlv.encode(0x82, b"\x01" if isinstance(file, WorkingFile) else b"\x09"),
        tlv.encode(0x83, file.fid.to_bytes(2, "big")),
        tlv.encode(0x88, bytes([file.sfi << 3])),
        tlv.encode(0x8A, b"\x05" if session.chip.activated else b"\x03"),
    ]
    if isinstance(file, WorkingFile):
        parts.append(tlv.encode(0x8C, bytes([0x03, file.update, file.read])))
    return parts


def _addressed(session: Session, command: Command) -> tuple[WorkingFile, int]:
    """EF and offset that P1 and P2 of READ or UPDATE BINARY mean; the EF becomes current."""
    if command.p1 & 0x80:
        if command.p1 & 0x60 or not 1 <= command.p1 & 0x1F <= 30:
            raise Status(0x6A86)
        file = next((f for f in session.files if f.sfi == command.p1 & 0x1F), None)
        if file is None:
            raise Status(0x6A82)
        session.fid, offset = file.fid, command.p2
    else:
        file = next((f for f in session.files if f.fid == session.fid), None)
        if file is None:
            raise Status(0x6986)
        offset = command.p1 << 8 | command.p2
    if not isinstance(file, WorkingFile):
        raise Status(0x6981)
    return file, offset


def _check_condition(session: Session, condition: int) -> None:
    """Refuse with 6982 unless one alternative of a security condition byte is fulfilled."""
    allowed = (
        condition == ALWAYS
        or (condition & ISSUER and session.issuer_authenticated)
        or (condition & 0x10 and session.pin_verified)
    )
    if condition == 0xFF or not allowed:
        raise Status(0x6982)


def read_binary(session: Session, command: Command) -> Answer:
    """READ BINARY by SFI or 15-bit offset; 6282 if fewer bytes than asked for."""
    if command.data or command.le is None:
        raise Status(0x6700)
    file, offset = _addressed(session, command)
    _check_condition(session, file.read)
    if offset >= file.size:
        raise Status(0x6B00)
    data = file.content.ljust(file.size, b"\0")[offset : offset + command.le]
    everything = command.le in (256, 65_536)
    return data, 0x9000 if everything or len(data) == command.le else 0x6282


def update_binary(session: Session, command: Command) -> Answer:
    """UPDATE BINARY by SFI or 15-bit offset."""
    file, offset = _addressed(session, command)
    _check_condition(session, file.update)
    if not command.data:
        raise Status(0x6700)
    end = offset + len(command.data)
    if end > file.size:
        raise Status(0x6B00 if offset >= file.size else 0x6A84)
    old = file.content.ljust(file.size, b"\0")
    new = old[:offset] + command.data + old[end:]
    session.save(replace(file, content=new.rstrip(b"\0")))
    return DONE


def create_file(session: Session, command: Command) -> Answer:
    """CREATE FILE: an application (82 38, 84 AID) or an EF in the current one. 7816-9 9.2.2.

    Internal EFs (82 09) carry A5: a PIN {83 reference, 9A tries, 9B min max}, a key {80 bits,
    9C user consent}. Only for the issuer.
    """
    session.need_issuer()
    if command.p1 or command.p2:
        raise Status(0x6A86)
    try:
        objects = tlv.parse(command.data)
    except InvalidInput as error:
        raise Status(0x6A80) from error
    descriptor = tlv.find(objects, 0x62, 0x82)
    if descriptor == b"\x38":
        _create_application(session, tlv.find(objects, 0x62, 0x84) or b"")
        return DONE
    file = _new_file(objects, descriptor)
    if any(old.fid == file.fid or old.sfi == file.sfi for old in session.files):
        raise Status(0x6A89)
    alone = isinstance(file, WorkingFile) or all(
        type(old) is not type(file) for old in session.files
    )
    if not alone or (not session.aid and not isinstance(file, WorkingFile)):
        raise Status(0x6A80)
    if len(session.files) >= MAX_FILES:
        raise Status(0x6A84)
    session.save(file)
    session.fid = file.fid
    return DONE


def _create_application(session: Session, aid: bytes) -> None:
    if not 5 <= len(aid) <= 16:
        raise Status(0x6A80)
    if any(df.aid == aid for df in session.chip.directories):
        raise Status(0x6A8A)
    if len(session.chip.directories) > MAX_APPLICATIONS:
        raise Status(0x6A84)
    chip = session.chip
    session.commit(replace(chip, directories=(*chip.directories, Directory(aid))))
    session.enter(aid)


def _new_file(objects: tuple[tlv.Tlv, ...], descriptor: bytes | None) -> File:
    """File that control parameters describe; Status 6A80 if they do not."""

    def number(*tags: int, low: int, high: int) -> int:
        value = tlv.find(objects, 0x62, *tags)
        if value is None or not low <= int.from_bytes(value, "big") <= high:
            raise Status(0x6A80)
        return int.from_bytes(value, "big")

    fid = number(0x83, low=1, high=0xFFFE)
    sfi = number(0x88, low=0x08, high=0xF0)
    if fid in (MF, 0x3FFF) or sfi & 0x07:
        raise Status(0x6A80)
    sfi >>= 3
    if descriptor == b"\x01":
        rules = tlv.find(objects, 0x62, 0x8C) or bytes([0x03, ISSUER, ALWAYS])
        if len(rules) != 3 or rules[0] != 0x03:
            raise Status(0x6A80)
        size = number(0x80, low=1, high=MAX_FILE_SIZE)
        return WorkingFile(fid, sfi, size, read=rules[2], update=rules[1])
    if descriptor == b"\x09" and tlv.find(objects, 0x62, 0xA5, 0x83) is not None:
        tries = number(0xA5, 0x9A, low=1, high=15)
        lengths = number(0xA5, 0x9B, low=0x0101, high=0x1010)
        low, high = divmod(lengths, 256)
        if not low <= high <= PIN_SIZE:
            raise Status(0x6A80)
        return PinFile(fid, sfi, number(0xA5, 0x83, low=1, high=0xFF), tries, low, high, tries)
    if descriptor == b"\x09":
        bits, consent = number(0xA5, 0x80, low=2048, high=4096), number(0xA5, 0x9C, low=0, high=1)
        if bits % 1024:
            raise Status(0x6A80)
        return KeyFile(fid, sfi, bits, bool(consent))
    raise Status(0x6A80)


def activate(session: Session, command: Command) -> Answer:
    """ACTIVATE FILE on the MF: the card is done, the issuer's session ends. 7816-9 9.2.7.

    6985 unless every application has its PIN and its key.
    """
    session.need_issuer()
    if command.p1 or command.p2 or command.data != MF.to_bytes(2, "big"):
        raise Status(0x6A86)
    applications = [df for df in session.chip.directories if df.aid]
    for df in applications:
        pins = [f for f in df.files if isinstance(f, PinFile) and f.pin]
        keys = [f for f in df.files if isinstance(f, KeyFile) and f.private_key_der]
        if not pins or not keys:
            raise Status(0x6985)
    if not applications:
        raise Status(0x6985)
    session.commit(replace(session.chip, activated=True))
    session.secure = None
    return DONE


def get_data(session: Session, command: Command) -> Answer:
    """GET DATA: 45 chip serial, 8A life cycle status, E0 key information."""
    chip = session.chip
    status = 0x05 if chip.activated else 0x01 if chip.blank else 0x03
    keys = b"".join(
        tlv.encode(0xC0, bytes([number, chip.issuer_key_version, 0x88, len(chip.key_enc)]))
        for number in (1, 2, 3)
    )
    known = {0x45: chip.serial, 0x8A: bytes([status]), 0xE0: keys}
    if command.p1 or command.p2 not in known:
        raise Status(0x6A88)
    return known[command.p2], 0x9000
