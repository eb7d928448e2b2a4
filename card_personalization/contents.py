"""What anyone may read of a card: HPKI, PIV and My Number cards, of any issuer.

No PIN is sent, nobody authenticates, no try is spent. What a card says is not to be trusted: it is
bounded in commands, and what cannot be read is told beside what can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import TypeVar

from card_personalization import iso7816_15 as cia
from card_personalization.apdu import CardChannel
from card_personalization.card import CardState
from card_personalization.hpki_reader import HpkiReader
from card_personalization.jpki_reader import JpkiLayout, JpkiReader, load_jpki_layout
from card_personalization.layout import Layout, Role, default_layout
from card_personalization.piv_layout import PivLayout, load_piv_layout
from card_personalization.piv_reader import PivReader
from card_personalization.transport import ConnectionLost, Transport
from pki.errors import HpkiError, InvalidInput, Unavailable

MAX_COMMANDS, MAX_SECONDS = 2000, 60
"""What one application may cost; a full HPKI application takes less than 200 commands."""

CERTIFICATE = "certificate"
"""The part of a key's contents that is the holder's certificate."""

_MAX_CERTIFICATES = 32  # of one key
_Read = TypeVar("_Read")
_Other = TypeVar("_Other")


class Kind(StrEnum):
    """Kinds of applications. Source: JAHIS 24-002; NIST SP 800-73-4; ``data/jpki_layout.toml``."""

    HPKI = "HPKI"
    PIV = "PIV"
    JPKI = "JPKI"


@dataclass(frozen=True)
class Fault:
    """A part of the card that could not be read, and why."""

    part: str
    error: HpkiError


@dataclass(frozen=True)
class DirectoryFacts:
    """What the directory of an HPKI application says; None or empty where it cannot be read."""

    info: cia.CiaInfo | None
    key: cia.PrivateKeyObject | None
    pin: cia.PasswordObject | None
    certificates: tuple[cia.CertificateObject, ...]


@dataclass(frozen=True)
class KeyContents:
    """One key. ``role`` is SIGN, AUTH, or the name PIV has for it.

    Certificates are in DER as the card gave them, unchecked, empty or missing where ``faults``
    says why; CA certificates come with the card's label. ``tries_left`` of the PIN is None if the
    card does not tell, or has no PIN for this key.
    """

    role: str
    certificate_der: bytes
    ca_certificates_der: tuple[tuple[str, bytes], ...] = ()
    tries_left: int | None = None
    directory: DirectoryFacts | None = None
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Application:
    """One kind of application on the card; ``serial`` in hexadecimal, empty if it does not tell.

    ``serial``: chip serial of our HPKI cards, serial number in EF.CIAInfo of other ones, GUID of
    PIV cards. ``state``: of our cards only.
    """

    kind: Kind
    serial: str
    state: CardState | None
    keys: tuple[KeyContents, ...]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class CardContents:
    """Answer to reset, and the applications in the order of ``Kind``."""

    atr: bytes
    applications: tuple[Application, ...]


@dataclass(frozen=True)
class Layouts:
    """Where each kind of application lies; of the HPKI's only the AIDs and EF.OD count."""

    hpki: Layout = field(default_factory=default_layout)
    piv: PivLayout = field(default_factory=load_piv_layout)
    jpki: JpkiLayout = field(default_factory=load_jpki_layout)


def read_contents(transport: Transport, layouts: Layouts) -> CardContents:
    """Public contents; Unavailable (card.unknown) without such an application, ConnectionLost."""
    found = (
        _hpki(transport, layouts.hpki),
        _piv(transport, layouts.piv),
        _jpki(transport, layouts.jpki),
    )
    applications = tuple(one for one in found if one is not None)
    if not applications:
        raise Unavailable(
            "card.unknown",
            f"this is neither an HPKI nor a PIV nor a My Number card (ATR {transport.atr.hex()})",
            "Put in another card; AIDs of another issuer can be given with --layout.",
        )
    return CardContents(transport.atr, applications)


class _Bounded:
    """A transport that a card cannot keep busy for ever."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._left, self._end = MAX_COMMANDS, monotonic() + MAX_SECONDS

    @property
    def atr(self) -> bytes:
        return self._inner.atr

    def transmit(self, apdu: bytes) -> bytes:
        if not self._left or monotonic() > self._end:
            raise Unavailable(
                "card.endless",
                f"nothing more is read after {MAX_COMMANDS} commands or {MAX_SECONDS} seconds",
            )
        self._left -= 1
        return self._inner.transmit(apdu)

    def reset(self) -> None:
        self._inner.reset()

    def close(self) -> None:
        self._inner.close()


@dataclass
class _Reading:
    """What went wrong so far."""

    faults: list[Fault] = field(default_factory=list)

    def attempt(self, part: str, read: Callable[[], _Read], otherwise: _Other) -> _Read | _Other:
        """Return what was read, or ``otherwise`` and a fault; ConnectionLost passes through."""
        try:
            return read()
        except ConnectionLost:
            raise
        except HpkiError as error:
            self.faults.append(Fault(part, error))
            return otherwise


def _has(transport: Transport, aid: bytes) -> bool:
    """Whether the card selects the application."""
    channel, reading = CardChannel(_Bounded(transport), extended=False), _Reading()
    reading.attempt("select", lambda: channel.send(0x00, 0xA4, 0x04, 0x00, aid, le=256), b"")
    return not reading.faults


def _hpki(transport: Transport, layout: Layout) -> Application | None:
    present = [role for role in Role if _has(transport, layout.applications[role].aid)]
    identity = _Reading().attempt("serial", HpkiReader(_Bounded(transport), layout).identify, None)
    if not present and identity is None:
        return None
    keys = tuple(_hpki_key(HpkiReader(_Bounded(transport), layout), role) for role in present)
    if identity is None:
        told = (key.directory.info for key in keys if key.directory and key.directory.info)
        serial = next((info.serial_number.hex() for info in told), "")
        return Application(Kind.HPKI, serial, None, keys)
    return Application(Kind.HPKI, identity.chip_serial, identity.state, keys)


def _hpki_key(reader: HpkiReader, role: Role) -> KeyContents:
    reading = _Reading()
    info = reading.attempt("EF.CIAInfo", lambda: reader.read_cia_info(role), None)
    key, pin = reading.attempt("key", lambda: reader.key_with_pin(role), (None, None))
    tries = None if pin is None else _tries(reading, reader, role)
    entries = reading.attempt("certificate directory", lambda: _entries(reader, role), ())
    read = [(entry, _certificate(reading, reader, role, entry)) for entry in entries]
    own = [(entry, der) for entry, der in read if not entry.authority]
    own.sort(key=lambda one: key is None or one[0].key_id != key.key_id)
    if entries and not own:
        reading.faults.append(Fault(CERTIFICATE, _no_certificate(role)))
    return KeyContents(
        role,
        own[0][1] if own else b"",
        tuple((entry.label, der) for entry, der in read if entry.authority and der),
        tries,
        DirectoryFacts(info, key, pin, entries),
        tuple(reading.faults),
    )


def _entries(reader: HpkiReader, role: Role) -> tuple[cia.CertificateObject, ...]:
    entries = reader.certificate_objects(role)
    if not entries:
        raise _no_certificate(role)
    if len(entries) > _MAX_CERTIFICATES:
        raise InvalidInput("card.directory", f"EF.CD lists {len(entries)} certificates")
    return entries


def _certificate(
    reading: _Reading, reader: HpkiReader, role: Role, entry: cia.CertificateObject
) -> bytes:
    part = f"CA certificate {entry.label}" if entry.authority else CERTIFICATE
    return reading.attempt(part, lambda: reader.read_certificate(role, entry), b"")


def _tries(
    reading: _Reading, reader: HpkiReader | PivReader | JpkiReader, role: Role
) -> int | None:
    return reading.attempt("PIN", lambda: reader.pin_tries_left(role), None)


def _no_certificate(role: Role) -> HpkiError:
    return Unavailable("card.no_certificate", f"no certificate of the holder for {role}")


def _piv(transport: Transport, layout: PivLayout) -> Application | None:
    if not _has(transport, layout.aid):
        return None
    reader, reading = PivReader(_Bounded(transport), layout), _Reading()
    guid = reading.attempt("CHUID", reader.guid, b"")
    keys = [_piv_key(reader, role) for role in Role]
    for name, place in layout.others.items():
        der = reading.attempt(name, partial(reader.certificate, place), b"")
        if der:
            keys.append(KeyContents(name.upper(), der))
    tries = _tries(reading, reader, Role.AUTH)
    keys[: len(Role)] = [replace(key, tries_left=tries) for key in keys[: len(Role)]]
    return Application(Kind.PIV, guid.hex(), None, tuple(keys), tuple(reading.faults))


def _piv_key(reader: PivReader, role: Role) -> KeyContents:
    reading = _Reading()
    found = reading.attempt(CERTIFICATE, lambda: reader.read_certificates(role), None)
    faults = tuple(reading.faults)
    if found is None:
        return KeyContents(role, b"", faults=faults)
    return KeyContents(role, found.holder_der, tuple(found.ca_certificates_der.items()))


def _jpki(transport: Transport, layout: JpkiLayout) -> Application | None:
    if not _has(transport, layout.aid):
        return None
    keys = tuple(_jpki_key(JpkiReader(_Bounded(transport), layout), role) for role in Role)
    return Application(Kind.JPKI, "", None, keys)


def _jpki_key(reader: JpkiReader, role: Role) -> KeyContents:
    reading = _Reading()
    holder = reading.attempt(CERTIFICATE, lambda: reader.read_certificate(role), b"")
    authority = reading.attempt("CA certificate", lambda: reader.read_ca_certificate(role), b"")
    tries = _tries(reading, reader, role)
    authorities = (("JPKI CA", authority),) if authority else ()
    return KeyContents(role, holder, authorities, tries, None, tuple(reading.faults))
