"""Verification of a finished card: it is read back, signs, and refuses what it must refuse.

Chain, profile and hcRole of the certificates are judged elsewhere; here the card is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from card_personalization import tlv
from card_personalization.apdu import CardError, SecurityNotSatisfied, WrongPin
from card_personalization.card_key import digest_info
from card_personalization.hpki_card import CardCertificates, CardState, HpkiCard
from card_personalization.layout import Layout, Role
from card_personalization.transport import ConnectionLost, Transport
from pki.errors import HpkiError

ExpectedCertificates = CardCertificates
_SPARE_FILE = 0x0F0F  # an identifier no layout uses


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one step; ``step`` is stable (``sign.certificates``), ``detail`` for people."""

    step: str
    ok: bool
    detail: str = ""


class _Mismatch(Exception):  # noqa: N818 - a finding about the card, no error of the program
    """What the card holds or does is not what was expected."""


def check_card(  # the order matters: PIN sessions are opened and used up on the way
    transport: Transport,
    layout: Layout,
    expected: Mapping[Role, ExpectedCertificates],
    pins: Mapping[Role, str],
    challenge: bytes,
    *,
    transport_pins: Mapping[Role, str] | None = None,
) -> tuple[CheckResult, ...]:
    """Every step for the applications in ``expected``, failed ones included; ends with a reset.

    ``challenge`` is fresh random bytes; ``transport_pins`` must be refused (costs one try, won
    back by the right PIN). Transport errors pass through, everything else becomes a result.
    Any other ``HpkiCard`` on this transport is spent: the card was reset under it.
    """
    card = HpkiCard(transport, layout)
    steps: list[tuple[str, Callable[[], str]]] = [("card.activated", lambda: _activated(card))]
    for role, certificates in expected.items():
        unwanted = (transport_pins or {}).get(role)
        role_steps = _role_steps(
            card, role, certificates, pins[role], challenge, unwanted, layout.pin.tries
        )
        steps += [(f"{role.lower()}.{name}", step) for name, step in role_steps]
    card.reset()
    results = [_run(name, step) for name, step in steps]
    card.reset()
    return tuple(results)


def _run(name: str, step: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(name, True, step())
    except ConnectionLost:
        raise
    except (_Mismatch, HpkiError) as error:
        return CheckResult(name, False, str(error))


def _role_steps(
    card: HpkiCard,
    role: Role,
    expected: ExpectedCertificates,
    pin: str,
    challenge: bytes,
    unwanted_pin: str | None,
    full_tries: int,
) -> Iterator[tuple[str, Callable[[], str]]]:
    """Give the steps of one application in order."""
    certificate = expected.holder_der
    yield "certificates", lambda: _compare(card.read_certificates(role), expected)
    yield "sign_without_pin", lambda: _refused(lambda: _sign(card, role, challenge))
    if unwanted_pin is not None:
        yield "transport_pin", lambda: _pin_refused(card, role, unwanted_pin)
    yield "challenge_signature", lambda: _prove(card, role, certificate, challenge, pin)
    if role is Role.SIGN:
        yield "pin_per_signature", lambda: _refused(lambda: _sign(card, role, challenge))
    else:
        yield "pin_per_session", lambda: _prove(card, role, certificate, challenge, None)
    yield "pin_tries", lambda: _tries(card, role, full_tries)
    yield "create_file_locked", lambda: _refused(lambda: _create(card, role))
    yield "generate_locked", lambda: _refused(lambda: card.generate_key(role))


def _activated(card: HpkiCard) -> str:
    identity = card.identify()
    if identity.state is not CardState.ACTIVATED:
        raise _Mismatch(f"the card is {identity.state}")
    return f"chip {identity.chip_serial}"


def _compare(found: CardCertificates, expected: CardCertificates) -> str:
    if found.holder_der != expected.holder_der:
        raise _Mismatch("the holder's certificate differs")
    wanted, present = dict(expected.ca_certificates_der), dict(found.ca_certificates_der)
    wrong = sorted(
        label for label in wanted.keys() | present.keys() if wanted.get(label) != present.get(label)
    )
    if wrong:
        raise _Mismatch("CA certificates differ: " + ", ".join(wrong))
    return f"{1 + len(wanted)} certificates"


def _sign(card: HpkiCard, role: Role, challenge: bytes) -> bytes:
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(challenge)
    return card.sign(role, digest_info(hashes.SHA256(), hasher.finalize()))


def _prove(
    card: HpkiCard, role: Role, certificate_der: bytes, challenge: bytes, pin: str | None
) -> str:
    """Signature over the challenge, valid under the certificate; ``pin`` None: without VERIFY."""
    if pin is not None:
        card.verify_pin(role, pin)
    signature = _sign(card, role, challenge)
    try:
        public_key = x509.load_der_x509_certificate(certificate_der).public_key()
    except ValueError as error:
        raise _Mismatch(f"the expected certificate cannot be read: {error}") from error
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise _Mismatch("the certificate holds no RSA key")
    try:
        public_key.verify(signature, challenge, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise _Mismatch("the key on the card is not the certificate's") from error
    return f"{public_key.key_size} bits"


def _refused(act: Callable[[], object]) -> str:
    """Card answers 6982, and with nothing else."""
    try:
        act()
    except SecurityNotSatisfied as error:
        return f"SW {error.sw:04X}"
    except CardError as error:
        raise _Mismatch(f"SW {error.sw:04X} instead of 6982") from error
    raise _Mismatch("the card allowed it")


def _pin_refused(card: HpkiCard, role: Role, pin: str) -> str:
    try:
        card.verify_pin(role, pin)
    except WrongPin:
        return "refused"
    raise _Mismatch("the card still has its transport PIN")


def _tries(card: HpkiCard, role: Role, full: int) -> str:
    left = card.pin_tries_left(role)
    if left != full:
        raise _Mismatch(f"{left} tries left of {full}")
    return f"{left} tries"


def _create(card: HpkiCard, role: Role) -> None:
    card.pin_tries_left(role)  # selects the application and ends the PIN session
    parameters = (
        tlv.encode(0x80, b"\x00\x10"),
        tlv.encode(0x82, b"\x01"),
        tlv.encode(0x83, _SPARE_FILE.to_bytes(2, "big")),
        tlv.encode(0x88, b"\x08"),
    )
    card.channel.send(0x00, 0xE0, 0, 0, tlv.encode(0x62, *parameters))
