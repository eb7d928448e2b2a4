"""An operator's signing key on a card: in a slot of a PIV card, or of an HPKI card's AUTH.

The card is known by the public key in its certificate; the holder's certificate of an HPKI card,
or any in the slot of a PIV card, a self-signed one too.
Source: NIST SP 800-73-4 part 1, 3.3 (9A: PIN once, 9C: before every use); JAHIS 24-002 B.4.5.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from card_personalization.apdu import CardError, PinBlocked, WrongPin
from card_personalization.card import CardCertificates, no_secret
from card_personalization.card_key import certified_key, signing_payload
from card_personalization.hpki_reader import HpkiReader
from card_personalization.layout import Role, default_layout
from card_personalization.pins import random_pin
from card_personalization.piv_card import PivCard
from card_personalization.piv_layout import load_piv_layout
from card_personalization.piv_reader import PivReader, padded
from card_personalization.profiles import HPKI, PIV
from card_personalization.transport import ConnectionLost, Transport
from keys.backend import KeySpec
from pki.errors import HpkiError, InvalidInput, Refused, Unavailable
from pki.serials import Entropy
from pki.signing import IssuerPublicKey, key_id, spki_der, verify_signature
from pki.validity import whole_seconds

KEY = KeySpec("P-256")
"""What is made on a PIV card."""

_NO_LAST_DAY = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280 4.1.2.5


@dataclass(frozen=True)
class KeyPlace:
    """Where the key lies: profile ``piv`` and slot ``9A`` or ``9C``; or ``hpki`` without a slot.

    Raises ``InvalidInput`` (card.operator.place) for any other.
    """

    profile: str
    slot: str = ""

    def __post_init__(self) -> None:
        if (self.profile, self.slot) not in ((PIV, "9A"), (PIV, "9C"), (HPKI, "")):
            raise InvalidInput(
                "card.operator.place",
                f"there is no key of operators in {self.profile!r} {self.slot!r}",
                "A key lies on a card piv, in slot 9A or 9C, or on a card hpki, without a slot.",
            )

    @property
    def role(self) -> Role:
        """The key's role on the card."""
        return Role.SIGN if self.slot == "9C" else Role.AUTH


class CardSigner:
    """A ``Signer`` whose private key is on a card.

    ``connect`` gives a new connection to the card, ``pin`` the PIN; ``wrong`` is told that the card
    did not take it. The connection is made at the first signature and kept; after an error the next
    signature makes a new one.
    """

    def __init__(
        self,
        operator_id: str,
        place: KeyPlace,
        public_key: IssuerPublicKey,
        connect: Callable[[], Transport],
        pin: Callable[[], str],
        wrong: Callable[[], None],
    ) -> None:
        self._operator_id = operator_id
        self._place = place
        self._public_key = public_key
        self._connect = connect
        self._pin = pin
        self._wrong = wrong
        self._transport: Transport | None = None
        self._card: PivReader | HpkiReader | None = None

    @property
    def operator_id(self) -> str:
        """The operator whose key it is."""
        return self._operator_id

    @property
    def connected(self) -> bool:
        """Whether the card is held."""
        return self._card is not None

    def public_key(self) -> IssuerPublicKey:
        """Return the registered public key."""
        return self._public_key

    def open(self) -> None:
        """Connect, unless that is done, and give the PIN.

        Raises ``Refused`` (card.operator.other) for another card, ``WrongPin`` with the tries left
        and ``PinBlocked``; ``ConnectionLost`` if the card goes away.
        """
        self._opened()

    def sign(self, octets: bytes) -> bytes:
        """Return the signature, verified with the public key; raises as ``open``."""
        fresh = self._card is None
        card = self._opened()
        try:
            if not fresh and card.pin_always(self._place.role):
                self._verify_pin(card)
            signature = self._signed(card, octets)
            verify_signature(self._public_key, signature, octets, "SHA-256")
        except HpkiError as error:
            self.close()
            raise self._named(error) from None
        return signature

    def close(self) -> None:
        """Let go of the card, which forgets the PIN."""
        if self._transport is not None:
            self._transport.close()
        self._transport = self._card = None

    def _opened(self) -> PivReader | HpkiReader:
        if self._card is not None:
            return self._card
        try:
            self._transport = self._connect()
            card = self._own(self._transport)
            self._verify_pin(card)
        except HpkiError as error:
            self.close()
            raise self._named(error) from None
        self._card = card
        return card

    def _own(self, transport: Transport) -> PivReader | HpkiReader:
        """Return the card; raises ``Refused`` unless its key is the registered one."""
        found = key_on(transport, self._place)
        if found is None or spki_der(found) != spki_der(self._public_key):
            raise other_card(self._operator_id)
        return _reader(transport, self._place)

    def _signed(self, card: PivReader | HpkiReader, octets: bytes) -> bytes:
        role = self._place.role
        payload = signing_payload(self._public_key, hashes.SHA256(), octets)
        if isinstance(card, PivReader):
            return card.sign(role, self._public_key, payload)
        return card.sign(role, payload)

    def _verify_pin(self, card: PivReader | HpkiReader) -> None:
        try:
            card.verify_pin(self._place.role, self._pin)
        except (WrongPin, PinBlocked):
            self._wrong()
            raise

    def _named(self, error: HpkiError) -> HpkiError:
        """Return the error with the name of whose card it is, where several may be in use."""
        if isinstance(error, ConnectionLost):
            text = f"the card of {self._operator_id}: {error.text}"
            return ConnectionLost(error.code, text, "Put it in again, and do it again.")
        if error.code == "pki.signature.invalid":
            return Refused(
                "card.operator.signature",
                f"the card of {self._operator_id} gave a signature that its key did not make",
                "Do not use the card; register another key.",
            )
        return error


def other_card(operator_id: str) -> Refused:
    """Return the error for a card with another key than the registered one."""
    return Refused(
        "card.operator.other",
        f"the card is not that of {operator_id}: it has not the key that is registered",
        f"Put in the card of {operator_id}, or have a manager register this one: "
        "`hpki operator rekey`.",
    )


def key_on(transport: Transport, place: KeyPlace) -> IssuerPublicKey | None:
    """Return the public key of the certificate there; None where there is no certificate.

    Raises ``Unavailable`` (card.operator.kind) for a card of another kind, or a certificate that
    cannot be read. Resets the card.
    """
    try:
        transport.reset()
        card = _reader(transport, place)
        return certified_key(card.read_certificates(place.role).holder_der)
    except ConnectionLost:
        raise
    except (CardError, Unavailable, InvalidInput) as error:
        if isinstance(error, Unavailable) and error.code == "card.no_certificate":
            return None
        raise Unavailable(
            "card.operator.kind", f"this is no {place.profile} card with a key of an operator"
        ) from None


def make_key(
    transport: Transport, place: KeyPlace, operator_id: str, pin: str, now: datetime, drawn: Entropy
) -> IssuerPublicKey:
    """Make a key on a PIV card, and a self-signed certificate to know it by; the public half.

    The card needs the factory's management key. A PUK of the factory becomes a random one that
    nobody knows and, where the card holds no certificate, a PIN of the factory ``pin``. Every step
    may be repeated. Raises ``Refused`` for the factory's PIN, ``IssuerKeyRefused``, ``WrongPin``.
    """
    if place.profile != PIV:
        raise InvalidInput(
            "card.operator.make",
            "the key of an HPKI card is made with the card",
            "Register the key that is there, or use a PIV card.",
        )
    transport.reset()
    card = PivCard(transport, load_piv_layout(), no_secret, drawn)
    refuse_factory_pin(place, pin)
    blank = not any(card.read_object(slot.certificate) for slot in card.layout.slots.values())
    card.open_factory()
    _leave_factory(card, pin if blank else None, drawn)
    card.verify_pin(place.role, pin)
    public_key = card.generate_key(place.role, KEY)
    private_key = card.private_key(place.role, public_key, pin)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, operator_id)])
    certificate = (
        x509.CertificateBuilder(name, name, public_key)
        .serial_number(int(key_id(spki_der(public_key)), 16) >> 1)
        .not_valid_before(whole_seconds(now) - timedelta(days=1))
        .not_valid_after(_NO_LAST_DAY)
        .sign(private_key, hashes.SHA256())
    )
    holder_der = certificate.public_bytes(Encoding.DER)
    card.write_certificates(place.role, CardCertificates(holder_der, {}))
    return public_key


def refuse_factory_pin(place: KeyPlace, pin: str) -> None:
    """Raise ``Refused`` for the PIN that every PIV card comes with."""
    if place.profile == PIV and pin == load_piv_layout().factory.pin:
        raise Refused(
            "card.operator.factory_pin", "everybody knows the factory's PIN", "Choose another."
        )


def _leave_factory(card: PivCard, pin: str | None, drawn: Entropy) -> None:
    """CHANGE REFERENCE DATA of PUK and PIN from the factory's, where these are still there.

    ``pin`` None leaves the PIN, which is the holder's on a card that is in use.
    """
    layout, puk = card.layout, random_pin(drawn, card.layout.puk.digits)
    changes = [(layout.puk.reference, layout.factory.puk, puk)]
    if pin is not None:
        changes.append((layout.pin.reference, layout.factory.pin, pin))
    for reference, old, new in changes:
        with suppress(WrongPin, PinBlocked):
            card.channel.send(0x00, 0x24, 0x00, reference, padded(old) + padded(new))


def _reader(transport: Transport, place: KeyPlace) -> PivReader | HpkiReader:
    if place.profile == PIV:
        return PivReader(transport, load_piv_layout())
    return HpkiReader(transport, default_layout())
