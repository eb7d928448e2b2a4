"""A virtual HPKI card: APDUs in, answers with a status word out, memory in one file.

The door of the card: APDU decoding, command and response chaining, loss of power. What the
commands do is in ``virtual/``, what the card remembers in ``virtual/memory.py``.
The card file holds private keys and PINs in the clear: it **is** the chip.
Source: ISO/IEC 7816-4, 7816-8, 7816-9; JAHIS 24-002 annexes B and C (commands in use); the issuing
commands are a free choice from these standards, no public specification of a real card exists.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from card_personalization.virtual import file_commands, security_commands
from card_personalization.virtual.memory import Chip, read_chip, write_chip
from card_personalization.virtual.session import Answer, Command, Session, Status
from pki.errors import Conflict, InvalidInput, Unavailable

Entropy = Callable[[int], bytes]
KeyMaker = Callable[[int], rsa.RSAPrivateKey]

# T=1, historical bytes: compact-TLV 73 (selection by name, partial name, path, FID, SFI; command
# chaining and extended length), 5x "HPKI"
_HISTORICAL = bytes.fromhex("80 73 F4 01 C0 54") + b"HPKI"
_MAX_COMMAND = 65_535

COMMANDS: dict[tuple[int, int], Callable[[Session, Command], Answer]] = {
    (0x00, 0xA4): file_commands.select,
    (0x00, 0xB0): file_commands.read_binary,
    (0x00, 0xD6): file_commands.update_binary,
    (0x00, 0xE0): file_commands.create_file,
    (0x00, 0x44): file_commands.activate,
    (0x00, 0xCA): file_commands.get_data,
    (0x00, 0x84): security_commands.get_challenge,
    (0x00, 0x82): security_commands.external_authenticate,
    (0x80, 0xD8): security_commands.put_key,
    (0x00, 0x20): security_commands.verify,
    (0x00, 0x24): security_commands.change_reference_data,
    (0x80, 0x08): security_commands.log_out,
    (0x00, 0x22): security_commands.manage_security_environment,
    (0x00, 0x47): security_commands.generate_key_pair,
    (0x00, 0x2A): security_commands.compute_signature,
}


def _make_atr() -> bytes:
    body = bytes([0x80 | len(_HISTORICAL), 0x80, 0x01]) + _HISTORICAL
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes([check])


def make_rsa_key(key_bits: int) -> rsa.RSAPrivateKey:
    """Fresh RSA key with exponent 65537 from OpenSSL's own randomness."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=key_bits)


class VirtualCard:
    """One card; every change is on disk before the answer leaves, or did not happen (SW 6581).

    ``entropy(n)`` gives n random bytes (challenges), ``make_key(bits)`` makes the card's keys.
    Not for two processes at a time, as a chip is not.
    """

    atr = _make_atr()

    def __init__(
        self,
        path: Path,
        chip: Chip,
        entropy: Entropy = os.urandom,
        make_key: KeyMaker = make_rsa_key,
    ) -> None:
        self._path = path
        self._entropy = entropy
        self._make_key = make_key
        self._chip = chip
        self.reset()

    @classmethod
    def create(
        cls,
        path: Path,
        chip_serial: str,
        issuer_key: bytes,
        *,
        entropy: Entropy = os.urandom,
        make_key: KeyMaker = make_rsa_key,
    ) -> VirtualCard:
        """Blank card in a new file; ``chip_serial`` hexadecimal, ``issuer_key`` 16 or 32 bytes.

        Conflict if the file exists, InvalidInput, Unavailable if it cannot be written.
        """
        try:
            serial = bytes.fromhex(chip_serial)
        except ValueError as error:
            raise InvalidInput("card.virtual.serial", "the chip serial is not hex") from error
        if not 4 <= len(serial) <= 16 or len(issuer_key) not in (16, 32):
            raise InvalidInput(
                "card.virtual.new", "a chip serial has 4 to 16 bytes, an issuer key 16 or 32"
            )
        if path.exists():
            raise Conflict("card.virtual.exists", f"the card file {path} exists")
        chip = Chip(serial, issuer_key)
        try:
            write_chip(path, chip)
        except OSError as error:
            raise Unavailable("card.virtual.unwritable", f"{path}: {error}") from error
        return cls(path, chip, entropy, make_key)

    @classmethod
    def load(
        cls, path: Path, *, entropy: Entropy = os.urandom, make_key: KeyMaker = make_rsa_key
    ) -> VirtualCard:
        """Card in a file; NotFound, Unavailable, or InvalidInput if the file is damaged."""
        return cls(path, read_chip(path), entropy, make_key)

    def reset(self) -> None:
        """Forget everything volatile, as at a reset or loss of power."""
        self._session = Session(
            chip=self._chip, write=self._write, entropy=self._entropy, make_key=self._make_key
        )
        self._chain: tuple[bytes, bytes] | None = None
        self._rest = b""

    def transmit(self, apdu: bytes) -> bytes:
        """Response data and status word; any byte string gets one, no exception leaves."""
        try:
            return self._answer(apdu)
        except Status as status:
            return status.sw.to_bytes(2, "big")

    def _answer(self, apdu: bytes) -> bytes:
        command = parse_command(apdu)
        rest, self._rest = self._rest, b""
        _check_class(command.cla)
        chained = self._gather(apdu[:4], command)
        if chained is None:
            return b"\x90\x00"
        command = chained
        if (command.cla, command.ins) == (0x00, 0xC0):
            return self._reply(_get_response(command, rest), command.le)
        known = COMMANDS.get((command.cla, command.ins))
        if known is None:
            anywhere = any(ins == command.ins for _, ins in COMMANDS)
            raise Status(0x6E00 if anywhere else 0x6D00)
        data, sw = known(self._session, command)
        if sw != 0x9000:
            return data + sw.to_bytes(2, "big")
        if command.le is None and command.ins == 0xA4:
            data = b""  # SELECT without Le: nobody asked for the FCI
        return self._reply(data, command.le)

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
        return Command(plain[0], command.ins, command.p1, command.p2, data, command.le)

    def _reply(self, data: bytes, le: int | None) -> bytes:
        """As much as was asked for; 61xx tells how much waits for GET RESPONSE."""
        limit = le or 0
        self._rest = data[limit:]
        if not self._rest:
            return data + b"\x90\x00"
        waiting = len(self._rest) if len(self._rest) < 256 else 0
        return data[:limit] + bytes([0x61, waiting])

    def _write(self, chip: Chip) -> None:
        try:
            write_chip(self._path, chip)
        except OSError as error:
            raise Status(0x6581) from error
        self._chip = chip


def _get_response(command: Command, rest: bytes) -> bytes:
    if command.p1 or command.p2:
        raise Status(0x6A86)
    if command.data or command.le is None:
        raise Status(0x6700)
    if not rest:
        raise Status(0x6985)
    return rest


def _check_class(cla: int) -> None:
    """Refuse classes other than 00 and 80, chained or not."""
    if cla & 0xEF in (0x00, 0x80):
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
    return replace(head, data=data, le=expected)
