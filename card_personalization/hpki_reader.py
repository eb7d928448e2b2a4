"""Use of an HPKI card: who it is, certificates, PIN, signatures; no issuer's rights needed.

Everything is found through the card's own directory (EF.OD to PIN, key and certificates); of the
layout only the AIDs and the habits of the card (key reference tag, padding) count.
Source: ISO/IEC 7816-4, -8, -15; JAHIS 24-002 annexes A to C.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from card_personalization import iso7816_15 as cia
from card_personalization import tlv
from card_personalization.apdu import (
    CardChannel,
    CardError,
    FileNotFound,
    PinBlocked,
    UnexpectedStatus,
    WrongPin,
)
from card_personalization.card import CardCertificates, CardIdentity, CardState, Pin
from card_personalization.card_key import CardPrivateKey
from card_personalization.layout import MF, Layout, Role
from card_personalization.transparent_file import read_transparent
from card_personalization.transport import Transport
from pki.errors import InvalidInput, Unavailable

_LIFE_CYCLE = {1: CardState.BLANK, 3: CardState.PERSONALIZING, 5: CardState.ACTIVATED}


@dataclass(frozen=True)
class _Directory:
    """What EF.OD leads to; the PIN is the one that guards the key."""

    pin: cia.PasswordObject
    key: cia.PrivateKeyObject
    certificates: tuple[bytes, ...]


class HpkiReader:
    """One card behind one connection. CardError for status words; transport errors pass through.

    After CardRemoved or CardReset the object is spent: connect, identify and start a new one.
    """

    def __init__(self, transport: Transport, layout: Layout) -> None:
        self.channel = CardChannel(transport)
        self._transport = transport
        self.layout = layout
        self._role: Role | None = None
        self._pin_verified = False
        self._directories: dict[Role, _Directory] = {}

    def reset(self) -> None:
        """Warm reset: PIN and issuer authentication are gone."""
        self._transport.reset()
        self._role, self._pin_verified = None, False

    def identify(self) -> CardIdentity:
        """Chip serial, life cycle and version of the issuer key; needs no authentication."""
        try:
            serial, status, key_information = (
                self.channel.send(0x00, 0xCA, 0x00, tag, le=256) for tag in (0x45, 0x8A, 0xE0)
            )
        except CardError as error:
            raise Unavailable("card.unknown", f"not a card of ours: {error}") from error
        key = tlv.find(tlv.parse(key_information), 0xC0) or b""
        state = _LIFE_CYCLE.get(int.from_bytes(status, "big"))
        if state is None or not serial or len(key) < 2:
            raise Unavailable("card.unknown", "this is not a card of ours", "insert an HPKI card")
        return CardIdentity(serial.hex(), state, key[1])

    def public_key(self, role: Role) -> rsa.RSAPublicKey:
        """Public half of the key on the card; FileNotFound if none was made."""
        return self._key_pair(role, 0x81)

    def private_key(self, role: Role, pin: Pin) -> CardPrivateKey:
        """Key of the application; ``pin`` is asked for as often as the card wants it."""

        def sign_digest_info(encoded: bytes) -> bytes:
            self._select(role)
            if self._directory(role).key.user_consent or not self._pin_verified:
                self.verify_pin(role, pin)
            return self.sign(role, encoded)

        return CardPrivateKey(self.public_key(role), sign_digest_info)

    def read_certificates(self, role: Role) -> CardCertificates:
        """Holder's and CA certificates, found through EF.OD and EF.CD.

        The holder's is the one with the key's id. Unavailable (card.no_certificate) if missing.
        """
        directory = self._directory(role)
        holder, authorities = b"", {}
        for entry in self._certificates(directory.certificates):
            if entry.authority:
                authorities[entry.label] = self._read(entry.path, one_object=True)
            elif entry.key_id == directory.key.key_id:
                holder = self._read(entry.path, one_object=True)
        if not holder:
            raise Unavailable("card.no_certificate", f"no certificate of the holder for {role}")
        return CardCertificates(holder, authorities)

    def read_cia_info(self, role: Role) -> cia.CiaInfo:
        """Label and serial number in EF.CIAInfo."""
        self._select(role)
        return cia.decode_cia_info(self._read_file("cia_info"))

    def key_with_pin(self, role: Role) -> tuple[cia.PrivateKeyObject, cia.PasswordObject]:
        """Entries of the key and of the PIN that guards it."""
        directory = self._directory(role)
        return directory.key, directory.pin

    def certificate_objects(self, role: Role) -> tuple[cia.CertificateObject, ...]:
        """Entries of EF.CD, also where those of key and PIN cannot be read."""
        self._select(role)
        objects = cia.decode_object_directory(self._read_file("od"))
        return tuple(self._certificates(objects.certificates))

    def read_certificate(self, role: Role, entry: cia.CertificateObject) -> bytes:
        """Certificate that an entry of EF.CD leads to, DER."""
        self._select(role)
        return self._read(entry.path, one_object=True)

    def pin_tries_left(self, role: Role) -> int:
        """Wrong tries the card still allows, 0 if blocked; ends a PIN session.

        FileNotFound if no PIN was ever set on the card and it says so.
        """
        pin = self._directory(role).pin
        for _ in range(2):
            try:
                self.channel.send(0x00, 0x20, 0x00, pin.reference)
            except WrongPin as status:
                if status.tries_left is None:
                    break
                return status.tries_left
            except (PinBlocked, UnexpectedStatus) as status:
                if status.tries_left == 0:
                    return 0
                raise
            self.channel.send(0x00, 0x20, 0xFF, pin.reference)  # verified: the card does not tell
            self._pin_verified = False
        raise Unavailable("card.tries_untold", "the card does not tell how many tries are left")

    def verify_pin(self, role: Role, pin: Pin) -> None:
        """Open the PIN session; WrongPin with the tries left, PinBlocked."""
        reference = self._directory(role).pin.reference
        self._pin_verified = False
        self.channel.send(0x00, 0x20, 0x00, reference, self._pin_bytes(role, pin))
        self._pin_verified = True

    def set_pin(self, role: Role, old: Pin, new: Pin) -> None:
        """Change the PIN: VERIFY with the old, CHANGE REFERENCE DATA with the new one."""
        text = pin_text(new)
        self._pin_bytes(role, text)
        self.verify_pin(role, old)
        self._change_pin(role, text)

    def pin_always(self, role: Role) -> bool:
        """Whether the card's directory wants the PIN before every signature."""
        return bool(self._directory(role).key.user_consent)

    def sign(self, role: Role, digest_info: bytes) -> bytes:
        """PKCS#1 v1.5 signature over a DER DigestInfo; SecurityNotSatisfied without PIN."""
        key = self._directory(role).key
        block_size = key.modulus_bits // 8
        if not 0 < len(digest_info) <= block_size - 11:
            raise InvalidInput("card.digest_info", f"{len(digest_info)} bytes do not fit the key")
        block = digest_info
        if self.layout.host_pads:
            filler = b"\xff" * (block_size - 3 - len(digest_info))
            block = b"\x00\x01" + filler + b"\x00" + digest_info
        reference = tlv.encode(self.layout.key_reference_tag, self._key_reference(key))
        self.channel.send(0x00, 0x22, 0x41, 0xB6, reference)
        return self.channel.send(0x00, 0x2A, 0x9E, 0x9A, block, le=max(block_size, 256))

    def _select(self, role: Role) -> None:
        """Make the application current; another one than before ends the PIN session."""
        if self._role is role:
            return
        self._role, self._pin_verified = None, False
        aid = self.layout.applications[role].aid
        self.channel.send(0x00, 0xA4, 0x04, 0x00, aid, le=256)
        self._role = role

    def _select_mf(self) -> None:
        self._role, self._pin_verified = None, False
        self.channel.send(0x00, 0xA4, 0x00, 0x0C, MF.to_bytes(2, "big"))

    def _directory(self, role: Role) -> _Directory:
        """Directory of the application, which becomes current; read once per connection."""
        self._select(role)
        if role not in self._directories:
            self._directories[role] = self._read_directory(role)
        return self._directories[role]

    def _read_directory(self, role: Role) -> _Directory:
        objects = cia.decode_object_directory(self._read_file("od"))
        keys = [key for path in objects.private_keys for key in self._keys(path)]
        pins = [pin for path in objects.authentication for pin in self._pins(path)]
        for key in keys:
            for pin in pins:
                if pin.auth_id == key.auth_id:
                    return _Directory(pin, key, objects.certificates)
        raise Unavailable("card.directory", f"the directory for {role} has no key with its PIN")

    def _keys(self, path: bytes) -> tuple[cia.PrivateKeyObject, ...]:
        return cia.decode_private_keys(self._read(path))

    def _pins(self, path: bytes) -> tuple[cia.PasswordObject, ...]:
        return cia.decode_passwords(self._read(path))

    def _certificates(self, paths: tuple[bytes, ...]) -> Iterator[cia.CertificateObject]:
        for path in paths:
            yield from cia.decode_certificates(self._read(path))

    def _read_file(self, name: str) -> bytes:
        """EF at its standard identifier, or at its SFI where the card has no identifiers."""
        file = self.layout.files[name]
        try:
            return self._read(file.fid.to_bytes(2, "big"))
        except FileNotFound:
            return self._read(bytes([file.sfi << 3]))

    def _read(self, path: bytes, *, one_object: bool = False) -> bytes:
        """Content of the EF at a directory path; only its first TLV object if so asked."""
        short_id = 0
        if len(path) == 1:
            short_id = path[0] >> 3
        elif len(path) == 2:
            self.channel.send(0x00, 0xA4, 0x02, 0x0C, path)
        elif path.startswith(MF.to_bytes(2, "big")):
            self.channel.send(0x00, 0xA4, 0x08, 0x0C, path[2:])
        else:
            self.channel.send(0x00, 0xA4, 0x09, 0x0C, path)
        return read_transparent(self.channel, short_id, one_object=one_object)

    def _key_pair(self, role: Role, p1: int) -> rsa.RSAPublicKey:
        path = self._key_reference(self._directory(role).key)
        template = tlv.encode(0xB6, tlv.encode(0x81, path))
        answer = tlv.parse(self.channel.send(0x00, 0x47, p1, 0x00, template, le=65_536))
        modulus, exponent = tlv.find(answer, 0x7F49, 0x81), tlv.find(answer, 0x7F49, 0x82)
        if not modulus or not exponent:
            raise Unavailable("card.public_key", "the card gave no RSA public key")
        try:
            return rsa.RSAPublicNumbers(
                int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")
            ).public_key()
        except ValueError as error:
            raise Unavailable("card.public_key", f"no RSA public key: {error}") from error

    def _key_reference(self, key: cia.PrivateKeyObject) -> bytes:
        """Name of the key for MSE: its key reference (84), or its file, an SFI as 00xx (81)."""
        if self.layout.key_reference_tag == 0x84 and key.key_reference is not None:
            return bytes([key.key_reference & 0xFF])
        return bytes([0, key.path[0] >> 3]) if len(key.path) == 1 else key.path[-2:]

    def _change_pin(self, role: Role, pin: str) -> None:
        reference = self._directory(role).pin.reference
        self.channel.send(0x00, 0x24, 0x01, reference, self._pin_bytes(role, pin))
        self._pin_verified = False

    def _pin_bytes(self, role: Role, pin: Pin) -> bytes:
        """PIN as the card wants it; InvalidInput before the card could count a wrong try."""
        rule, text = self._directory(role).pin, pin_text(pin)
        if not rule.min_length <= len(text) <= rule.max_length:
            raise InvalidInput(
                "card.pin_format", f"a PIN has {rule.min_length} to {rule.max_length} characters"
            )
        encoded = text.encode("ascii")
        return encoded.ljust(rule.stored_length, rule.pad_char) if rule.pad_char else encoded


def pin_text(pin: Pin) -> str:
    """PIN itself; InvalidInput unless printable ASCII. Source: JAHIS 24-002 B.4.4."""
    text = pin if isinstance(pin, str) else pin()
    if not text.isascii() or not text.isprintable():
        raise InvalidInput("card.pin_format", "a PIN is made of printable ASCII characters")
    return text
