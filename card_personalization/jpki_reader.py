"""The public contents of a My Number card's JPKI application; no PIN is ever sent.

Source: ``data/jpki_layout.toml``; commands of ISO/IEC 7816-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from card_personalization.apdu import CardChannel, PinBlocked, WrongPin
from card_personalization.layout import Role
from card_personalization.sourced import read_sourced, shipped
from card_personalization.transparent_file import read_transparent
from card_personalization.transport import Transport
from pki.errors import Unavailable


@dataclass(frozen=True)
class JpkiKey:
    """Identifiers (two octets) of the files of one key."""

    certificate: bytes
    ca: bytes
    pin: bytes


@dataclass(frozen=True)
class JpkiLayout:
    """Where the application's files lie; ``pin_reference`` is P2 of VERIFY."""

    aid: bytes
    pin_reference: int
    keys: Mapping[Role, JpkiKey]


def load_jpki_layout() -> JpkiLayout:
    """Layout of ``data/jpki_layout.toml``."""
    values: dict[str, Any] = read_sourced(shipped("jpki_layout.toml"))
    files = {role: values[role.lower()] for role in Role}
    return JpkiLayout(
        aid=bytes.fromhex(values["card"]["aid"]),
        pin_reference=int(values["card"]["pin_reference"], 16),
        keys={
            role: JpkiKey(**{name: bytes.fromhex(fid) for name, fid in entry.items()})
            for role, entry in files.items()
        },
    )


class JpkiReader:
    """One card behind one connection. CardError for status words; transport errors pass through."""

    def __init__(self, transport: Transport, layout: JpkiLayout) -> None:
        self.channel = CardChannel(transport, extended=False)
        self.layout = layout
        self._selected = False

    def read_certificate(self, role: Role) -> bytes:
        """Holder's certificate, DER; SecurityNotSatisfied where the card wants the PIN first."""
        return self._read(self.layout.keys[role].certificate)

    def read_ca_certificate(self, role: Role) -> bytes:
        """Certificate of the CA that issued the holder's, DER."""
        return self._read(self.layout.keys[role].ca)

    def pin_tries_left(self, role: Role) -> int:
        """Wrong tries the card still allows, 0 if blocked; Unavailable if it does not tell."""
        self._select(self.layout.keys[role].pin)
        try:
            self.channel.send(0x00, 0x20, 0x00, self.layout.pin_reference)
        except WrongPin as status:
            if status.tries_left is not None:
                return status.tries_left
        except PinBlocked:
            return 0
        raise Unavailable("card.tries_untold", "the card does not tell how many tries are left")

    def _read(self, file: bytes) -> bytes:
        self._select(file)
        return read_transparent(self.channel, one_object=True)

    def _select(self, file: bytes) -> None:
        if not self._selected:
            self.channel.send(0x00, 0xA4, 0x04, 0x0C, self.layout.aid)
            self._selected = True
        self.channel.send(0x00, 0xA4, 0x02, 0x0C, file)
