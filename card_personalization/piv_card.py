"""Making of a PIV card, from blank to locked, with the standard's commands and those of Yubico.

The standard has no commands for retry limits (FA) and for another management key (FF); a card
without them is made all the same, and ``not_offered`` names them. PIN and PUK stay those of the
factory until the certificates are written, so that a broken run can be taken up again.
Source: NIST SP 800-73-4 part 2; Yubico, PIV extensions.
"""

from __future__ import annotations

import gzip
import hmac
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from uuid import UUID

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from card_personalization import tlv
from card_personalization.apdu import (
    CardError,
    ConditionsNotSatisfied,
    IssuerKeyRefused,
    NotOffered,
    PinBlocked,
    SecurityNotSatisfied,
    UnexpectedStatus,
    WrongPin,
)
from card_personalization.card import (
    CA_LABEL,
    ROOT_LABEL,
    SCRAP,
    CardCertificates,
    CardIdentity,
    CardSecret,
    Check,
    Mismatch,
    import_not_offered,
    refused,
    steady,
)
from card_personalization.layout import Role
from card_personalization.pins import random_pin
from card_personalization.piv_keys import private_key_objects, public_key_in
from card_personalization.piv_layout import ALGORITHMS, CIPHERS, PivLayout
from card_personalization.piv_reader import PivReader, algorithm_of, padded
from card_personalization.transport import Transport
from keys.backend import KeySpec, PrivateKey
from pki.errors import Refused, Unavailable
from pki.serials import Entropy
from pki.signing import IssuerPrivateKey, IssuerPublicKey

MANAGEMENT_KEY = "piv management"
"""Label under which a card's management key is derived, with the algorithm behind it."""

_WRONG_PARAMETER = (0x6A80, 0x6A86, 0x6700, 0x6A88)
_NO_SPACE = 0x6A84
_MOST_TRIES = 256
_SPARE_SLOT = 0x9D  # key management, mandatory and unused


class PivCard(PivReader):
    """A PIV card at the station; see ``IssuingCard``. ``secret`` gives its own management key."""

    def __init__(
        self,
        transport: Transport,
        layout: PivLayout,
        secret: CardSecret,
        entropy: Entropy = os.urandom,
    ) -> None:
        super().__init__(transport, layout)
        self._secret = secret
        self._entropy = entropy
        self.not_offered: set[str] = set()
        self._pin: str | None = None
        self._serial = ""

    @property
    def known_by_key(self) -> bool:
        """Never: everybody knows the factory's key."""
        return False

    def mark(self, number: bytes) -> CardIdentity:
        """Write a CHUID whose GUID is the number, as a version 4 UUID, with the factory's key.

        A GUID that shows at a second look stays. Unavailable (card.unmarked) if none shows then.
        """
        if not self.guid():
            self.open_factory()
            self.write_chuid(UUID(bytes=number, version=4).bytes)
        identity = self.identify()
        if not identity.chip_serial:
            raise Unavailable(
                "card.unmarked",
                "the card has not kept the number it was given",
                "Put the card in again, and take another one if it stays so.",
            )
        return identity

    def identify(self) -> CardIdentity:
        """GUID and state; ``Unavailable`` (card.unsteady) if the GUID is another than before."""
        identity = super().identify()
        self._serial = steady(self._serial, identity.chip_serial)
        return identity

    def write_chuid(self, guid: bytes) -> None:
        """Write the CHUID: FASC-N, GUID of 16 octets, expiry, no signature. Part 1, 3.1.2."""
        self._put(
            self.layout.chuid,
            tlv.encode(0x30, self.layout.fasc_n)
            + tlv.encode(0x34, guid)
            + tlv.encode(0x35, self.layout.expiry.encode())
            + tlv.encode(0x3E)
            + tlv.encode(0xFE),
        )

    def open_issuer(self) -> bool:
        """Authenticate with the factory's management key, or with the card's own."""
        try:
            self.open_factory()
        except IssuerKeyRefused:
            self.open_own()
            return True
        return False

    def open_factory(self) -> None:
        """Authenticate with the factory's management key; raises ``IssuerKeyRefused``."""
        self._authenticate_with(self.layout.factory.management_key)

    def open_own(self) -> None:
        """Authenticate with the card's own management key."""
        self._authenticate(self._own_keys())

    def prepare(self, specs: Mapping[Role, KeySpec]) -> None:
        """Set retry limits, which resets PIN and PUK; try the PUK; write a CCC if there is none."""
        self.not_offered.add("separate_pins")
        if not self.pin_always(Role.SIGN):
            self.not_offered.add("pin_per_signature")
        self.verify_pin(Role.SIGN, self._factory_pin())
        limits = self.layout.pin.tries, self.layout.puk.tries
        if self._offered("retry_limits", lambda: self.channel.send(0x00, 0xFA, *limits)):
            self._pin = None
        if self._factory_puk(padded(self._factory_pin())) is None:  # before anything is issued
            raise WrongPin(0x63C0)
        if not self.read_object(self.layout.ccc):
            self._put(self.layout.ccc, self._capabilities())

    def generate_key(self, role: Role, spec: KeySpec) -> IssuerPublicKey:
        """GENERATE ASYMMETRIC KEY PAIR. Source: part 2, 3.3.2."""
        self.select()
        template = tlv.encode(0xAC, tlv.encode(0x80, bytes([ALGORITHMS[spec.name]])))
        answer = self.channel.send(
            0x00, 0x47, 0x00, self.layout.slots[role].reference, template, le=256
        )
        return public_key_in(tlv.parse(answer), spec)

    def import_key(self, role: Role, key: PrivateKey) -> None:
        """Yubico's IMPORT ASYMMETRIC KEY; PIN and touch as the slot has them by default."""
        self.select()
        algorithm, slot = algorithm_of(key.public_key()), self.layout.slots[role].reference
        body = private_key_objects(key)
        if not self._offered("", lambda: self.channel.send(0x00, 0xFE, algorithm, slot, body)):
            raise import_not_offered()

    def request_key(self, role: Role, public_key: IssuerPublicKey) -> IssuerPrivateKey:
        """Key of the slot, used with the factory's PIN."""
        return self.private_key(role, public_key, self._factory_pin)

    def write_certificates(self, role: Role, certificates: CardCertificates) -> None:
        """PUT DATA of the holder's certificate, and of CA certificates the layout has places for.

        Packed by gzip if the card has no room for it as it is. Source: part 1, appendix A.
        """
        slot = self.layout.slots[role]
        self._put_certificate(slot.certificate, certificates.holder_der)
        places = {ROOT_LABEL: self.layout.root, CA_LABEL: slot.issuing}
        for label, certificate_der in certificates.ca_certificates_der.items():
            if place := places.get(label):
                self._put_certificate(place, certificate_der)
            else:
                self.not_offered.add("ca_certificates")

    def draw_pins(self, entropy: Entropy) -> dict[str, str]:
        """PIN for both keys, and PUK; never those of the factory."""
        known = {self.layout.factory.pin, self.layout.factory.puk, *self.layout.reset_pins}
        found = {}
        for name, wanted in (("PIN", self.layout.pin), ("PUK", self.layout.puk)):
            while (digits := random_pin(entropy, wanted.digits)) in known:
                pass
            found[name] = digits
        return found

    def set_pins(self, pins: Mapping[str, str]) -> None:
        """PIN by RESET RETRY COUNTER with the factory's PUK, then the PUK itself; both are tried.

        Raises ``Refused`` (card.pins.unknown) once the PUK is not the factory's: which PIN the card
        then has nobody knows for sure, and nobody can set it anew.
        """
        pin, puk = padded(pins["PIN"]), padded(pins["PUK"])
        factory = self._factory_puk(pin)
        if factory is None:
            raise Refused(
                "card.pins.unknown",
                "the card does not take the factory's PUK, so its PINs cannot be set",
                SCRAP,
            )
        self._pin = pins["PIN"]
        self.verify_pin(Role.SIGN, self._pin)
        self.channel.send(0x00, 0x24, 0x00, self.layout.puk.reference, padded(factory) + puk)
        self._set_pin(puk, pin)

    def lock(self) -> None:
        """SET MANAGEMENT KEY with the first algorithm the card takes."""
        self.select()
        for label, key in self._own_keys():
            body = bytes([CIPHERS[label][0], self.layout.management_reference, len(key)]) + key
            if self._offered("", lambda body=body: self.channel.send(0, 0xFF, 0xFF, 0xFF, body)):  # type: ignore[misc]
                return
        self.not_offered.add("management_key")

    def factory_reset(self) -> None:
        """RESET, for which PIN and PUK are blocked: keys, certificates, identity are gone.

        Raises ``NotOffered``, before anything is done, if the card has no such command.
        """
        self.select()
        with suppress(ConditionsNotSatisfied, SecurityNotSatisfied):
            self.channel.send(0x00, 0xFB, 0x00, 0x00)
            return self.reset()
        pin = self.layout.pin.reference
        for ins in (0x20, 0x2C):
            for _ in range(_MOST_TRIES):
                secrets = [random_pin(self._entropy, 8) for _ in range(2 if ins == 0x2C else 1)]
                try:
                    self.channel.send(0x00, ins, 0x00, pin, b"".join(map(padded, secrets)))
                except PinBlocked:
                    break
                except WrongPin:
                    continue
        self.channel.send(0x00, 0xFB, 0x00, 0x00)
        self.reset()

    def pin_name(self, role: Role) -> str:
        """One PIN opens both keys."""
        return "PIN"

    def full_tries(self) -> int | None:
        """Give the tries as set; None where they are the card's own affair."""
        return None if "retry_limits" in self.not_offered else self.layout.pin.tries

    def checks(self, role: Role | None, pins: Mapping[str, str]) -> Iterator[Check]:
        """Have refused what only the issuer may do, and the factory's secrets."""
        if role is not None:
            place = self.layout.slots[role].certificate
            yield (
                "put_data_locked",
                lambda: refused(lambda: self._put(place, self.read_object(place))),
            )
            return
        yield "generate_locked", lambda: refused(self._generate_elsewhere)
        yield "factory_management_key", self._no_factory_key
        if "PUK" in pins:
            yield "factory_pin", self._no_factory_pin
            yield "factory_puk", lambda: self._no_factory_puk(pins)

    def _generate_elsewhere(self) -> None:
        """Make a key where none of ours lies, so that a card that lets us loses nothing."""
        self.select()
        self.channel.send(0x00, 0x47, 0x00, _SPARE_SLOT, bytes.fromhex("AC03800111"), le=256)

    def _no_factory_key(self) -> str:
        self.reset()
        try:
            self.open_factory()
        except IssuerKeyRefused:
            return "refused"
        finally:
            self.reset()
        if "management_key" in self.not_offered:
            return "not offered: the card keeps the factory's management key"
        raise Mismatch("the card still has the factory's management key")

    def _no_factory_pin(self) -> str:
        for pin in {self.layout.factory.pin, self.layout.reset_pins[0]}:
            with suppress(WrongPin):
                self.verify_pin(Role.SIGN, pin)
                raise Mismatch("the card still has a PIN of the factory")
        return "refused"

    def _no_factory_puk(self, pins: Mapping[str, str]) -> str:
        """Try the factory's PUKs, then win the tries back with the right one."""
        wanted = padded(pins["PIN"])
        if self._factory_puk(wanted) is not None:
            raise Mismatch("the card still has a PUK of the factory")
        self._set_pin(padded(pins["PUK"]), wanted)
        return "refused"

    def _factory_pin(self) -> str:
        """PIN the card has while it is made: its own from the factory, or what FA left."""
        if self._pin is None:
            self._pin = self._first_accepted(
                (self.layout.factory.pin, self.layout.reset_pins[0]),
                lambda pin: self.verify_pin(Role.SIGN, pin),
            )
        if self._pin is None:
            raise WrongPin(0x63C0)
        return self._pin

    def _factory_puk(self, pin: bytes) -> str | None:
        """PUK of the factory that has set this PIN; None if the card accepts none."""
        self.select()
        return self._first_accepted(
            (self.layout.factory.puk, self.layout.reset_pins[1]),
            lambda puk: self._set_pin(padded(puk), pin),
        )

    def _set_pin(self, puk: bytes, pin: bytes) -> None:
        """RESET RETRY COUNTER, which wins the tries of PIN and PUK back. Part 2, 3.2.3."""
        self.channel.send(0x00, 0x2C, 0x00, self.layout.pin.reference, puk + pin)

    def _first_accepted(
        self, secrets: Iterable[str], present: Callable[[str], object]
    ) -> str | None:
        for one in dict.fromkeys(secrets):
            with suppress(WrongPin, PinBlocked):
                present(one)
                return one
        return None

    def _offered(self, name: str, act: Callable[[], object]) -> bool:
        """Whether the card has the command; its name is noted if not."""
        try:
            act()
        except CardError as error:
            if isinstance(error, NotOffered) or error.sw in _WRONG_PARAMETER:
                if name:
                    self.not_offered.add(name)
                return False
            raise
        return True

    def _own_keys(self) -> Iterator[tuple[str, bytes]]:
        """Keys of the card that this was from the first: it is asked again, and gets no other's."""
        serial = self.identify().chip_serial
        for name in self.layout.management_algorithms:
            yield name, self._secret(f"{MANAGEMENT_KEY} {name}", serial, CIPHERS[name][1])

    def _authenticate_with(self, key: bytes) -> None:
        self._authenticate((name, key) for name, (_, size) in CIPHERS.items() if size == len(key))

    def _authenticate(self, keys: Iterator[tuple[str, bytes]]) -> None:
        """Mutual authentication with the first key of an algorithm the card has. Part 2, A.1."""
        self.select()
        status = 0x6982
        for name, key in keys:
            try:
                return self._prove(CIPHERS[name][0], name, key)
            except IssuerKeyRefused as error:
                status = error.sw
            except CardError as error:
                if not isinstance(error, NotOffered) and error.sw not in _WRONG_PARAMETER:
                    raise
                status = error.sw
        raise IssuerKeyRefused(status)

    def _prove(self, algorithm: int, name: str, key: bytes) -> None:
        """Decrypt the card's witness, and have our challenge encrypted by it."""
        cipher = Cipher(TripleDES(key) if name == "3DES" else AES(key), modes.ECB())  # noqa: S305
        size = 8 if name == "3DES" else 16
        reference = self.layout.management_reference
        asked = tlv.encode(0x7C, tlv.encode(0x80))
        answer = self.channel.send(0x00, 0x87, algorithm, reference, asked, le=256)
        witness = tlv.find(tlv.parse(answer, max_depth=2), 0x7C, 0x80) or b""
        if len(witness) != size:
            raise NotOffered(0x9000)  # its key is of another algorithm
        challenge = self._entropy(size)
        proof = tlv.encode(
            0x7C, tlv.encode(0x80, cipher.decryptor().update(witness)), tlv.encode(0x81, challenge)
        )
        try:
            answer = self.channel.send(0x00, 0x87, algorithm, reference, proof, le=256)
        except (SecurityNotSatisfied, ConditionsNotSatisfied, UnexpectedStatus) as error:
            raise IssuerKeyRefused(error.sw, error.tries_left) from None
        response = tlv.find(tlv.parse(answer, max_depth=2), 0x7C, 0x82) or b""
        if not hmac.compare_digest(response, cipher.encryptor().update(challenge)):
            raise IssuerKeyRefused(0x9000)

    def _capabilities(self) -> bytes:
        """Card capability container. Source: part 1, 3.1.1 and table 8."""
        identifier = self.layout.ccc_start + self._entropy(14)
        values = {0xF0: identifier, 0xF1: b"\x21", 0xF2: b"\x21", 0xF4: b"\x00", 0xF5: b"\x10"}
        tags = (*range(0xF0, 0xF8), *range(0xFA, 0xFF))
        return b"".join(tlv.encode(tag, values.get(tag, b"")) for tag in tags)

    def _put_certificate(self, object_id: bytes, certificate_der: bytes) -> None:
        end = tlv.encode(0xFE)
        try:
            self._put(object_id, tlv.encode(0x70, certificate_der) + tlv.encode(0x71, b"\0") + end)
        except UnexpectedStatus as error:
            if error.sw not in (_NO_SPACE, 0x6700):
                raise
            packed = gzip.compress(certificate_der, mtime=0)
            self._put(object_id, tlv.encode(0x70, packed) + tlv.encode(0x71, b"\1") + end)

    def _put(self, object_id: bytes, content: bytes) -> None:
        """PUT DATA. Source: part 2, 3.3.1."""
        self.select()
        body = tlv.encode(0x5C, object_id) + tlv.encode(0x53, content)
        self.channel.send(0x00, 0xDB, 0x3F, 0xFF, body)
