"""A virtual PIV card: APDUs in, answers with a status word out, memory in one file.

What the commands do is in ``virtual/piv_*.py``, what the card remembers in
``virtual/piv_memory.py``. The card file holds private keys and PINs in the clear: it **is** the
chip. Source: NIST SP 800-73-4, SP 800-78-4; with extensions Yubico's commands too, but no
attestation.
"""

from __future__ import annotations

import os
from pathlib import Path

from card_personalization.virtual import piv_commands, piv_keys, piv_yubico
from card_personalization.virtual.chip_file import creating
from card_personalization.virtual.door import Commands, Door
from card_personalization.virtual.piv_memory import PivChip, PivSession, read_chip, write_chip
from card_personalization.virtual.session import Answer, Command, Status
from card_personalization.virtual_card import Entropy, KeyMaker
from keys.files import make_private_key

_SELECT = 0xA4

COMMANDS: Commands[PivSession] = {
    (0x00, _SELECT): piv_commands.select,
    (0x00, 0xCB): piv_commands.get_data,
    (0x00, 0xDB): piv_commands.put_data,
    (0x00, 0x20): piv_commands.verify,
    (0x00, 0x24): piv_commands.change_reference_data,
    (0x00, 0x2C): piv_commands.reset_retry_counter,
    (0x00, 0x87): piv_keys.general_authenticate,
    (0x00, 0x47): piv_keys.generate_key_pair,
}
EXTENSIONS: Commands[PivSession] = {
    (0x00, 0xF7): piv_yubico.get_metadata,
    (0x00, 0xF8): piv_yubico.get_serial,
    (0x00, 0xFA): piv_yubico.set_pin_retries,
    (0x00, 0xFB): piv_yubico.reset,
    (0x00, 0xFD): piv_yubico.get_version,
    (0x00, 0xFE): piv_yubico.import_key,
    (0x00, 0xFF): piv_yubico.set_management_key,
}


class VirtualPiv(Door[PivSession]):
    """One card; every change is on disk before the answer leaves, or did not happen (SW 6581).

    ``entropy(n)`` gives n random bytes (challenges), ``make_key(spec)`` makes the card's keys.
    Until SELECT there is no application (6D00). Not for two processes at a time.
    """

    # T=1, historical bytes: compact-TLV 73 (selection by name and partial name; command chaining
    # and extended length), 3x "PIV"
    atr = bytes.fromhex("3B 89 80 01 80 73 C0 01 C0 53 50 49 56 E6")
    unasked = True

    def __init__(
        self,
        path: Path,
        chip: PivChip,
        entropy: Entropy = os.urandom,
        make_key: KeyMaker = make_private_key,
    ) -> None:
        self._path = path
        self._entropy = entropy
        self._make_key = make_key
        self._chip = chip
        super().__init__(
            {**COMMANDS, **EXTENSIONS} if chip.extensions else COMMANDS, self._power_up
        )

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        extensions: bool,
        entropy: Entropy = os.urandom,
        make_key: KeyMaker = make_private_key,
    ) -> VirtualPiv:
        """Card as from the factory, with a random serial of four bytes, in a new file.

        Without ``extensions`` it knows the standard's commands only. Conflict if the file exists,
        Unavailable if it cannot be written.
        """
        serial = int.from_bytes(entropy(4), "big") >> 1  # software takes it for a signed number
        chip = PivChip(serial.to_bytes(4, "big"), extensions)
        with creating(path):
            write_chip(path, chip)
        return cls(path, chip, entropy, make_key)

    @classmethod
    def load(
        cls, path: Path, *, entropy: Entropy = os.urandom, make_key: KeyMaker = make_private_key
    ) -> VirtualPiv:
        """Card in a file; NotFound, Unavailable, InvalidInput if damaged or of another kind."""
        return cls(path, read_chip(path), entropy, make_key)

    def execute(self, command: Command) -> Answer:
        """Answer to a whole command; raises ``Status``."""
        if not self._session.selected and command.ins != _SELECT:
            raise Status(0x6D00)
        return super().execute(command)

    def _power_up(self) -> PivSession:
        return PivSession(
            chip=self._chip, write=self._write, entropy=self._entropy, make_key=self._make_key
        )

    def _write(self, chip: PivChip) -> None:
        try:
            write_chip(self._path, chip)
        except OSError as error:
            raise Status(0x6581) from error
        self._chip = chip
