"""What the virtual card knows between two resets, and how a command ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from card_personalization import scp03
from card_personalization.virtual.memory import Chip, File
from keys.backend import KeySpec, PrivateKey

MF = 0x3F00


class Status(Exception):  # noqa: N818 - it ends a command, it is no error of the program
    """Command ends with this status word and no data."""

    def __init__(self, sw: int) -> None:
        super().__init__(f"{sw:04X}")
        self.sw = sw


@dataclass(frozen=True)
class Command:
    """A decoded APDU; ``le`` counts expected bytes, None if nothing is expected.

    ``extended``: Lc came in three bytes, or would have without chaining.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None
    extended: bool = False


@dataclass
class Session:
    """What the card knows until reset, and its hands.

    ``opening`` lasts from INITIALIZE UPDATE to EXTERNAL AUTHENTICATE, ``secure`` from there on.
    """

    chip: Chip
    write: Callable[[Chip], None]
    entropy: Callable[[int], bytes]
    make_key: Callable[[KeySpec], PrivateKey]
    aid: bytes = b""
    fid: int | None = None
    key_fid: int | None = None
    pin_verified: bool = False
    opening: scp03.Session | None = None
    secure: scp03.Session | None = None

    def commit(self, chip: Chip) -> None:
        """Write the new memory; Status 6581 leaves the old one."""
        self.write(chip)
        self.chip = chip

    def save(self, file: File) -> None:
        """Commit one file of the current directory."""
        self.commit(self.chip.with_file(self.aid, file))

    @property
    def files(self) -> tuple[File, ...]:
        """Files of the current directory."""
        return self.chip.directory(self.aid).files

    def enter(self, aid: bytes) -> None:
        """Make a directory current; another one than before ends PIN and key selection."""
        if aid != self.aid:
            self.pin_verified, self.key_fid = False, None
        self.aid, self.fid = aid, None

    @property
    def issuer_authenticated(self) -> bool:
        """Whether the issuer's session is open, in which only secured commands come this far."""
        return self.secure is not None

    def need_issuer(self) -> None:
        """Refuse with 6982 without the issuer's session."""
        if not self.issuer_authenticated:
            raise Status(0x6982)


Answer = tuple[bytes, int]
DONE: Answer = (b"", 0x9000)
