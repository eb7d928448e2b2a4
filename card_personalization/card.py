"""What all kinds of cards have in common: who one is, what it holds, how it is made and used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from card_personalization.apdu import CardError, SecurityNotSatisfied
from card_personalization.layout import KeyOrigin, Role
from card_personalization.transport import Transport
from keys.backend import KeySpec, PrivateKey
from pki.errors import Unavailable
from pki.serials import Entropy
from pki.signing import IssuerPrivateKey, IssuerPublicKey

CardSecret = Callable[[str, str, int], bytes]
"""The issuer's secret of one card: of a use (label), a chip serial, so many octets."""

Pin = str | Callable[[], str]
Check = tuple[str, Callable[[], str]]
"""A check's name, and the check: what was seen, or an exception if it was not as it should be."""


ROOT_LABEL = "HPKI ROOT CA CERTIFICATE"
CA_LABEL = "HPKI CA CERTIFICATE"
"""Labels of CA certificates. Source: JAHIS 24-002 B.4.6."""


SCRAP = (
    "Do not hand it over: revoke it with ground C12_CARD_SCRAPPED and destroy it; an approver "
    "sends the file back for another attempt."
)


def no_secret(*_: object) -> bytes:
    """Stand for ``CardSecret`` where no own secret of a card is needed."""
    raise AssertionError("a secret of the card was asked for")


class CardState(StrEnum):
    """Life cycle, as far as the card tells it. Source: ISO/IEC 7816-4 table 13."""

    BLANK = "BLANK"
    PERSONALIZING = "PERSONALIZING"
    ACTIVATED = "ACTIVATED"


@dataclass(frozen=True)
class CardIdentity:
    """Which card this is; ``chip_serial`` in hexadecimal, lower case, empty if it has none yet.

    ``issuer_key_version``: 0 if the card does not tell.
    """

    chip_serial: str
    state: CardState
    issuer_key_version: int = 0


@dataclass(frozen=True)
class CardCertificates:
    """Certificates of one key, DER; CA certificates by label."""

    holder_der: bytes
    ca_certificates_der: Mapping[str, bytes]


class Mismatch(Exception):  # noqa: N818 - a finding about the card, no error of the program
    """What the card holds or does is not what was expected."""


def refused(act: Callable[[], object]) -> str:
    """Return the status word if it is 6982; raises ``Mismatch`` for any other answer."""
    try:
        act()
    except SecurityNotSatisfied as error:
        return f"SW {error.sw:04X}"
    except CardError as error:
        raise Mismatch(f"SW {error.sw:04X} instead of 6982") from error
    raise Mismatch("the card allowed it")


def import_not_offered() -> Unavailable:
    """Return the refusal that a card takes no key made elsewhere."""
    return Unavailable(
        "card.import.not_offered",
        "the card takes no key that was made elsewhere",
        'Take another kind of card, or let cards make their keys: key_origin = "card".',
    )


def steady(known: str, told: str) -> str:
    """Return the serial a card tells; ``Unavailable`` if it told another one before."""
    if known and told != known:
        raise unsteady()
    return told


def unsteady() -> Unavailable:
    """Return the refusal of a card that is not the same at a second look."""
    return Unavailable(
        "card.unsteady",
        "the card gave two different answers to who it is",
        "Put it in again, and take another one if it stays so.",
    )


class UsableCard(Protocol):
    """A card in use, of whatever kind; CardError for status words, transport errors pass through.

    After ``ConnectionLost`` the object is spent: connect, identify and start a new one.
    """

    def reset(self) -> None:
        """Warm reset: PIN and issuer authentication are gone."""

    def identify(self) -> CardIdentity:
        """Which card this is; raises ``Unavailable`` (card.unknown) for one of another kind."""

    def read_certificates(self, role: Role) -> CardCertificates:
        """Return the certificates; raises ``Unavailable`` (card.no_certificate)."""

    def verify_pin(self, role: Role, pin: Pin) -> None:
        """Open the PIN session of the role's key."""

    def pin_tries_left(self, role: Role) -> int:
        """Wrong tries the card still allows, 0 if blocked; ends a PIN session."""

    def sign(self, role: Role, public_key: IssuerPublicKey, payload: bytes) -> bytes:
        """Signature: PKCS#1 v1.5 over a DER DigestInfo, or ECDSA over a hash; in X.509's form."""


class IssuingCard(UsableCard, Protocol):
    """A card at the station. Every step may be repeated after a broken run."""

    @property
    def known_by_key(self) -> bool:
        """Whether its factory key is its own, so that who opens the session knows the card."""

    not_offered: set[str]
    """What was asked for and this card has not, by name."""

    def mark(self, number: bytes) -> CardIdentity:
        """Give a blank card without an identity this one: 16 random octets."""

    def open_issuer(self) -> bool:
        """Open the issuer's session; whether the card has its own issuer key and is locked.

        Raises ``IssuerKeyRefused`` if neither the factory's key fits nor ours.
        """

    def prepare(self, specs: Mapping[Role, KeySpec]) -> None:
        """Set retry limits, make applications and files, before the keys of ``specs`` are made."""

    def generate_key(self, role: Role, spec: KeySpec) -> IssuerPublicKey:
        """Make the key on the card, in place of an earlier one; its public half."""

    def import_key(self, role: Role, key: PrivateKey) -> None:
        """Write a key made elsewhere, in place of an earlier one.

        Raises ``Unavailable`` (card.import.not_offered).
        """

    def request_key(self, role: Role, public_key: IssuerPublicKey) -> IssuerPrivateKey:
        """Return the key of the card, to sign requests while the card has no PINs of a holder."""

    def write_certificates(self, role: Role, certificates: CardCertificates) -> None:
        """Write the certificates of the key."""

    def draw_pins(self, entropy: Entropy) -> dict[str, str]:
        """Random PINs by name, as many and as long as the card's profile wants them."""

    def set_pins(self, pins: Mapping[str, str]) -> None:
        """Set the PINs and see that the card has them; ``Refused`` if they can be set no more."""

    def lock(self) -> None:
        """Put the card's own issuer key in place of the factory's, and end the making."""

    def pin_name(self, role: Role) -> str:
        """Name of the PIN, among those drawn, that opens the role's key."""

    def pin_always(self, role: Role) -> bool:
        """Whether the key wants the PIN before every signature."""

    def full_tries(self) -> int | None:
        """Return the tries of a PIN never mistaken; None if the card did not let us set them."""

    def checks(self, role: Role | None, pins: Mapping[str, str]) -> Iterator[Check]:
        """Give the checks of a key, or of the card itself, beyond those of every kind, in order."""


class CardProfile(Protocol):
    """A kind of card, with the numbers of its layout."""

    @property
    def name(self) -> str:
        """``hpki`` or ``piv``."""

    @property
    def key_origin(self) -> KeyOrigin:
        """Where the keys of its cards are made."""

    def card(self, transport: Transport, secret: CardSecret) -> IssuingCard:
        """Return the card behind the connection."""

    def key_spec(self, rsa_bits: Collection[int], curves: Collection[str]) -> KeySpec | None:
        """Return what the card makes of RSA moduli and named curves; None if none of them."""
