"""The HPKI card at the station: what ``IssuingCard`` asks for, in terms of ``HpkiCard``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import cast

from cryptography.hazmat.primitives.asymmetric import rsa

from card_personalization import tlv
from card_personalization.apdu import IssuerKeyRefused, NotOffered
from card_personalization.card import (
    CardCertificates,
    CardIdentity,
    CardSecret,
    CardState,
    Check,
    Mismatch,
    Pin,
    import_not_offered,
    refused,
    steady,
)
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Layout, Role
from card_personalization.pins import random_pin
from card_personalization.scp03 import StaticKeys
from card_personalization.transport import Transport
from keys.backend import KeySpec, PrivateKey
from pki.errors import Unavailable
from pki.serials import Entropy
from pki.signing import IssuerPrivateKey, IssuerPublicKey, spki_der

TRANSPORT_KEY = "hpki card transport"
ISSUER_KEY = "hpki card issuer"

_KEY_OCTETS = 16
_SPARE_FILE = 0x0F0F  # an identifier no layout uses


def issuer_keys(secret: CardSecret, label: str, chip_serial: str) -> StaticKeys:
    """Return the three keys of one card for one use, each a secret under a label of its own."""
    return StaticKeys(
        *(secret(f"{label} {name}", chip_serial, _KEY_OCTETS) for name in ("ENC", "MAC", "DEK"))
    )


class HpkiIssuing:
    """An HPKI card; see ``IssuingCard``. ``secret`` gives transport and issuer keys."""

    def __init__(
        self,
        transport: Transport,
        layout: Layout,
        secret: CardSecret,
        entropy: Entropy = os.urandom,
    ) -> None:
        self.card = HpkiCard(transport, layout)
        self.not_offered: set[str] = set()
        self._secret = secret
        self._entropy = entropy
        self._request_pins: dict[Role, str] = {}
        self._serial = ""

    def reset(self) -> None:
        """Warm reset: PIN and issuer authentication are gone."""
        self.card.reset()

    def identify(self) -> CardIdentity:
        """Chip serial, life cycle and version of the issuer key.

        Raises ``Unavailable`` (card.unsteady) if the serial is another than before.
        """
        identity = self.card.identify()
        self._serial = steady(self._serial, identity.chip_serial)
        return identity

    @property
    def known_by_key(self) -> bool:
        """Unless the layout says that all blank cards have the same keys."""
        return self.card.layout.factory is None

    def mark(self, number: bytes) -> CardIdentity:
        """Refuse: the chip has its serial from the factory."""
        raise Unavailable("card.unknown", "the card does not tell its serial number")

    def open_issuer(self) -> bool:
        """Authenticate with the transport keys, or with the issuer keys that replaced them."""
        identity = self.identify()
        blank = identity.issuer_key_version == 1
        self.card.authenticate_issuer(self._keys(TRANSPORT_KEY if blank else ISSUER_KEY))
        return identity.state is CardState.ACTIVATED

    def prepare(self, specs: Mapping[Role, KeySpec]) -> None:
        """Create both applications, for RSA keys of that length."""
        for role, spec in specs.items():
            self.card.layout = self.card.layout.with_key_bits(role, spec.rsa_bits or 0)
        for role in specs:
            self.card.create_application(role)

    def generate_key(self, role: Role, spec: KeySpec) -> IssuerPublicKey:
        """Make the key that the application was prepared for."""
        return self.card.generate_key(role)

    def import_key(self, role: Role, key: PrivateKey) -> None:
        """Write an RSA key, and see that the card gives its public half."""
        try:
            self.card.import_key(role, cast(rsa.RSAPrivateKey, key))  # ``key_spec`` has no other
        except NotOffered:
            raise import_not_offered() from None
        if self.card.public_key(role) != key.public_key():
            raise Unavailable("card.public_key", "the card has another key than was written to it")

    def request_key(self, role: Role, public_key: IssuerPublicKey) -> IssuerPrivateKey:
        """Key behind a PIN of this process, which nobody learns."""
        if role not in self._request_pins:
            self._request_pins[role] = random_pin(self._entropy, self.card.layout.pin.max_length)
            self.card.set_initial_pin(role, self._request_pins[role])
        return self.card.private_key(role, self._request_pins[role])

    def read_certificates(self, role: Role) -> CardCertificates:
        """Holder's and CA certificates, found through the directory."""
        return self.card.read_certificates(role)

    def write_certificates(self, role: Role, certificates: CardCertificates) -> None:
        """Write holder and CA certificates and the directory that leads to them."""
        authorities = list(certificates.ca_certificates_der.items())
        self.card.write_certificates(role, certificates.holder_der, authorities)

    def draw_pins(self, entropy: Entropy) -> dict[str, str]:
        """PIN of each application."""
        return {role.value: random_pin(entropy, self.card.layout.pin.digits) for role in Role}

    def set_pins(self, pins: Mapping[str, str]) -> None:
        """Set both and try both; the issuer may do so again until the card is locked."""
        for role in Role:
            self.card.set_initial_pin(role, pins[role.value])
            self.card.verify_pin(role, pins[role.value])

    def lock(self) -> None:
        """Replace the transport keys by the card's own issuer keys, then activate the card."""
        if self.identify().issuer_key_version == 1:
            self.card.replace_issuer_key(self._keys(ISSUER_KEY))
        self.card.finalize()

    def verify_pin(self, role: Role, pin: Pin) -> None:
        """Open the PIN session of the application."""
        self.card.verify_pin(role, pin)

    def pin_tries_left(self, role: Role) -> int:
        """Wrong tries the application still allows."""
        return self.card.pin_tries_left(role)

    def sign(self, role: Role, public_key: IssuerPublicKey, payload: bytes) -> bytes:
        """PKCS#1 v1.5 signature over a DigestInfo."""
        return self.card.sign(role, payload)

    def pin_name(self, role: Role) -> str:
        """Each application has a PIN of its own."""
        return role.value

    def pin_always(self, role: Role) -> bool:
        """As the layout says of the application."""
        return self.card.layout.applications[role].user_consent

    def full_tries(self) -> int | None:
        """Give the tries that the layout wants."""
        return self.card.layout.pin.tries

    def checks(self, role: Role | None, pins: Mapping[str, str]) -> Iterator[Check]:
        """Have refused what only the issuer may do, and the transport key."""
        if role is not None:
            yield "public_key", lambda: self._same_key(role)
            yield "create_file_locked", lambda: refused(lambda: self._create(role))
            yield "generate_locked", lambda: refused(lambda: self.card.generate_key(role))
        else:
            yield "activated", self._activated
            yield "transport_keys", self._no_transport_keys

    def _same_key(self, role: Role) -> str:
        certificate_der = self.card.read_certificates(role).holder_der
        if spki_der(self.card.public_key(role)) not in certificate_der:
            raise Mismatch("the key on the card is not the certificate's")
        return "the certificate's"

    def _activated(self) -> str:
        identity = self.card.identify()
        if identity.state is not CardState.ACTIVATED:
            raise Mismatch(f"the card is {identity.state}")
        return f"chip {identity.chip_serial}"

    def _no_transport_keys(self) -> str:
        """Wrong keys show before the card counts a try."""
        try:
            self.card.authenticate_issuer(self._keys(TRANSPORT_KEY))
        except IssuerKeyRefused:
            return "refused"
        finally:
            self.card.reset()
        raise Mismatch("the card still has its transport keys")

    def _create(self, role: Role) -> None:
        self.card.pin_tries_left(role)  # selects the application and ends the PIN session
        parameters = (
            tlv.encode(0x80, b"\x00\x10"),
            tlv.encode(0x82, b"\x01"),
            tlv.encode(0x83, _SPARE_FILE.to_bytes(2, "big")),
            tlv.encode(0x88, b"\x08"),
        )
        self.card.channel.send(0x00, 0xE0, 0, 0, tlv.encode(0x62, *parameters))

    def _keys(self, label: str) -> StaticKeys:
        if label == TRANSPORT_KEY and self.card.layout.factory is not None:
            return self.card.layout.factory
        return issuer_keys(self._secret, label, self.identify().chip_serial)
