"""Use of a PIV card: who it is, certificates, PIN, signatures; no issuer's rights needed.

Nothing relies on a version, a serial number or commands beyond the standard.
Source: NIST SP 800-73-4 part 1 (data model), part 2 (commands).
"""

from __future__ import annotations

import gzip
import io
import zlib

from cryptography.hazmat.primitives.asymmetric import rsa

from card_personalization import tlv
from card_personalization.apdu import (
    CardChannel,
    CardError,
    FileNotFound,
    NotOffered,
    PinBlocked,
    WrongPin,
)
from card_personalization.card import (
    CA_LABEL,
    ROOT_LABEL,
    CardCertificates,
    CardIdentity,
    CardState,
    Pin,
)
from card_personalization.card_key import card_private_key
from card_personalization.layout import Role
from card_personalization.piv_layout import ALGORITHMS, PivLayout
from card_personalization.transport import Transport
from pki.errors import InvalidInput, Unavailable
from pki.signing import IssuerPrivateKey, IssuerPublicKey

_GUID_OCTETS = 16
_MAX_CERTIFICATE = 16_384  # bytes, unpacked


class PivReader:
    """One card behind one connection. CardError for status words; transport errors pass through.

    After ``ConnectionLost`` the object is spent: connect, identify and start a new one.
    """

    def __init__(self, transport: Transport, layout: PivLayout) -> None:
        self.channel = CardChannel(transport, extended=False)
        self._transport = transport
        self.layout = layout
        self._selected = False

    def reset(self) -> None:
        """Warm reset: PIN and issuer authentication are gone."""
        self._transport.reset()
        self._selected = False

    def identify(self) -> CardIdentity:
        """GUID of the CHUID as chip serial, empty without one; BLANK where no slot of ours is used.

        Raises ``Unavailable`` (card.unknown) for a card without the PIV application.
        """
        try:
            self.select()
        except CardError as error:
            raise Unavailable("card.unknown", f"this is no PIV card: {error}") from error
        certificates = [self.read_object(slot.certificate) for slot in self.layout.slots.values()]
        state = CardState.PERSONALIZING if any(certificates) else CardState.BLANK
        return CardIdentity(self.guid().hex(), state)

    def select(self) -> None:
        """Select the PIV application, once until the next reset."""
        if not self._selected:
            self.channel.send(0x00, 0xA4, 0x04, 0x00, self.layout.aid, le=256)
            self._selected = True

    def read_object(self, object_id: bytes) -> bytes:
        """Content of a data object, empty where it is absent or was never written."""
        self.select()
        try:
            answer = self.channel.send(0x00, 0xCB, 0x3F, 0xFF, tlv.encode(0x5C, object_id), le=256)
        except FileNotFound:
            return b""
        return tlv.find(tlv.parse_flat(answer), 0x53) or b""

    def guid(self) -> bytes:
        """GUID of the CHUID, empty without one. Source: part 1, 3.1.2."""
        guid = tlv.find(tlv.parse_flat(self.read_object(self.layout.chuid)), 0x34) or b""
        return guid if len(guid) == _GUID_OCTETS and any(guid) else b""

    def certificate(self, object_id: bytes) -> bytes:
        """DER in a certificate object, unpacked; empty if absent. Source: part 1, appendix A."""
        content = tlv.parse_flat(self.read_object(object_id))
        octets = tlv.find(content, 0x70) or b""
        if (tlv.find(content, 0x71) or b"\0")[0] & 0x01:
            return _unpacked(octets)
        return octets

    def read_certificates(self, role: Role) -> CardCertificates:
        """Holder's certificate, and CA certificates where the layout has places for them.

        Raises ``Unavailable`` (card.no_certificate).
        """
        slot = self.layout.slots[role]
        holder = self.certificate(slot.certificate)
        if not holder:
            raise Unavailable("card.no_certificate", f"no certificate of the holder for {role}")
        places = {ROOT_LABEL: self.layout.root, CA_LABEL: slot.issuing}
        found = {label: self.certificate(place) for label, place in places.items() if place}
        return CardCertificates(holder, {label: der for label, der in found.items() if der})

    def verify_pin(self, role: Role, pin: Pin) -> None:
        """Open the PIN session of all keys; WrongPin with the tries left, PinBlocked."""
        self.select()
        self.channel.send(0x00, 0x20, 0x00, self.layout.pin.reference, padded(pin))

    def pin_tries_left(self, role: Role) -> int:
        """Wrong tries the card still allows, 0 if blocked; ends a PIN session."""
        for _ in range(2):
            self.select()
            try:
                self.channel.send(0x00, 0x20, 0x00, self.layout.pin.reference)
            except WrongPin as status:
                if status.tries_left is not None:
                    return status.tries_left
                break
            except PinBlocked:
                return 0
            self.reset()  # verified: the card does not tell
        raise Unavailable("card.tries_untold", "the card does not tell how many tries are left")

    def pin_always(self, role: Role) -> bool:
        """Whether the key wants the PIN before every signature, as the layout says of the slot."""
        return self.layout.slots[role].pin_always

    def sign(self, role: Role, public_key: IssuerPublicKey, payload: bytes) -> bytes:
        """PKCS#1 v1.5 signature over a DigestInfo, or DER ECDSA signature over a hash."""
        self.select()
        block = payload
        if isinstance(public_key, rsa.RSAPublicKey):
            size = public_key.key_size // 8
            if not 0 < len(payload) <= size - 11:
                raise InvalidInput("card.digest_info", f"{len(payload)} bytes do not fit the key")
            block = b"\x00\x01" + b"\xff" * (size - 3 - len(payload)) + b"\x00" + payload
        template = tlv.encode(0x7C, tlv.encode(0x82), tlv.encode(0x81, block))
        answer = self.channel.send(
            0x00, 0x87, algorithm_of(public_key), self.layout.slots[role].reference, template,
            le=256,
        )  # fmt: skip
        signature = tlv.find(tlv.parse(answer, max_depth=2), 0x7C, 0x82)
        if not signature:
            raise Unavailable("card.answer", "the answer of the card holds no signature")
        return signature

    def private_key(self, role: Role, public_key: IssuerPublicKey, pin: Pin) -> IssuerPrivateKey:
        """Key of the slot, whose public half is known; ``pin`` is given before every use."""

        def sign_payload(payload: bytes) -> bytes:
            self.verify_pin(role, pin)
            return self.sign(role, public_key, payload)

        return card_private_key(public_key, sign_payload)


def padded(pin: Pin) -> bytes:
    """PIN or PUK, 6 to 8 characters, with FF to 8 octets; InvalidInput before the card counts."""
    text = pin if isinstance(pin, str) else pin()
    if not text.isascii() or not text.isprintable() or not 6 <= len(text) <= 8:
        raise InvalidInput("card.pin_format", "a PIN or PUK of a PIV card has 6 to 8 digits")
    return text.encode("ascii").ljust(8, b"\xff")


def algorithm_of(public_key: IssuerPublicKey) -> int:
    """Algorithm identifier of the key; NotOffered if PIV has none for it."""
    if isinstance(public_key, rsa.RSAPublicKey):
        name = f"RSA-{public_key.key_size}"
    else:
        name = f"P-{public_key.key_size}"
    if name not in ALGORITHMS:
        raise NotOffered(0x6A86)
    return ALGORITHMS[name]


def _unpacked(octets: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(octets)) as packed:
            found = packed.read(_MAX_CERTIFICATE + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise Unavailable("card.answer", "a packed certificate cannot be unpacked") from error
    if len(found) > _MAX_CERTIFICATE:
        raise Unavailable("card.answer", "a packed certificate is too long")
    return found
