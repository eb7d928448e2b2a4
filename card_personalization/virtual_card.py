"""A virtual HPKI card: APDUs in, answers with a status word out, memory in one file.

What the commands do is in ``virtual/``, what the card remembers in ``virtual/memory.py``.
The card file holds private keys and PINs in the clear: it **is** the chip.
Source: ISO/IEC 7816-4, 7816-8, 7816-9; JAHIS 24-002 annexes B and C (commands in use); the issuing
commands, in a session of SCP03, are a free choice from these standards, since no public
specification of a real card exists.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from card_personalization.scp03 import StaticKeys
from card_personalization.virtual import file_commands, secure_messaging, security_commands
from card_personalization.virtual.chip_file import creating
from card_personalization.virtual.door import Commands, Door
from card_personalization.virtual.memory import Chip, read_chip, write_chip
from card_personalization.virtual.session import Answer, Command, Session, Status
from keys.backend import KeySpec, PrivateKey
from keys.files import make_private_key
from pki.errors import InvalidInput

Entropy = Callable[[int], bytes]
KeyMaker = Callable[[KeySpec], PrivateKey]

# T=1, historical bytes: compact-TLV 73 (selection by name, partial name, path, FID, SFI; command
# chaining and extended length), 5x "HPKI"
_HISTORICAL = bytes.fromhex("80 73 F4 01 C0 54") + b"HPKI"

COMMANDS: Commands[Session] = {
    (0x00, 0xA4): file_commands.select,
    (0x00, 0xB0): file_commands.read_binary,
    (0x00, 0xD6): file_commands.update_binary,
    (0x00, 0xE0): file_commands.create_file,
    (0x00, 0x44): file_commands.activate,
    (0x00, 0xCA): file_commands.get_data,
    **secure_messaging.HANDSHAKE,
    (0x80, 0xD8): security_commands.put_key,
    (0x00, 0xDB): security_commands.put_private_key,
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


class VirtualCard(Door[Session]):
    """One card; every change is on disk before the answer leaves, or did not happen (SW 6581).

    ``entropy(n)`` gives n random bytes (challenges), ``make_key(spec)`` makes the card's keys.
    Not for two processes at a time, as a chip is not.
    """

    atr = _make_atr()

    def __init__(
        self,
        path: Path,
        chip: Chip,
        entropy: Entropy = os.urandom,
        make_key: KeyMaker = make_private_key,
    ) -> None:
        self._path = path
        self._entropy = entropy
        self._make_key = make_key
        self._chip = chip
        super().__init__(COMMANDS, self._power_up)

    @classmethod
    def create(
        cls,
        path: Path,
        chip_serial: str,
        issuer_keys: StaticKeys,
        *,
        entropy: Entropy = os.urandom,
        make_key: KeyMaker = make_private_key,
    ) -> VirtualCard:
        """Blank card in a new file; ``chip_serial`` hexadecimal, of 4 to 16 bytes.

        Conflict if the file exists, InvalidInput, Unavailable if it cannot be written.
        """
        try:
            serial = bytes.fromhex(chip_serial)
        except ValueError as error:
            raise InvalidInput("card.virtual.serial", "the chip serial is not hex") from error
        if not 4 <= len(serial) <= 16:
            raise InvalidInput("card.virtual.new", "a chip serial has 4 to 16 bytes")
        chip = Chip(serial, issuer_keys.enc, issuer_keys.mac, issuer_keys.dek)
        with creating(path):
            write_chip(path, chip)
        return cls(path, chip, entropy, make_key)

    @classmethod
    def load(
        cls, path: Path, *, entropy: Entropy = os.urandom, make_key: KeyMaker = make_private_key
    ) -> VirtualCard:
        """Card in a file; NotFound, Unavailable, or InvalidInput if the file is damaged."""
        return cls(path, read_chip(path), entropy, make_key)

    def execute(self, command: Command) -> Answer:
        """Answer to a whole command, secured if the command was; raises ``Status``."""
        return secure_messaging.execute(self._session, command, super().execute)

    def stumble(self) -> None:
        """End the issuer's session, as any command does that is not a sound one of it."""
        self._session.secure = None

    def _power_up(self) -> Session:
        return Session(
            chip=self._chip, write=self._write, entropy=self._entropy, make_key=self._make_key
        )

    def _write(self, chip: Chip) -> None:
        try:
            write_chip(self._path, chip)
        except OSError as error:
            raise Status(0x6581) from error
        self._chip = chip
