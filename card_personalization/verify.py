"""Verification of a finished card: read back, sign a challenge, try what must be refused.

Steps do not stop at the first failure; a report with every result goes with the card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

from card_personalization.card import CardCertificates, Check, IssuingCard, Mismatch, refused
from card_personalization.card_key import certified_key, signing_payload
from card_personalization.layout import Role
from card_personalization.transport import ConnectionLost
from pki.errors import HpkiError, Refused
from pki.signing import verify_signature

CHALLENGE_OCTETS = 32


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one step; ``step`` is stable (``sign.certificates``), ``detail`` for people."""

    step: str
    ok: bool
    detail: str = ""


def check_card(
    card: IssuingCard,
    expected: Mapping[Role, CardCertificates],
    pins: Mapping[str, str],
    challenge: bytes,
) -> tuple[CheckResult, ...]:
    """Every step, failed ones included; begins and ends with a reset.

    ``pins`` by name; without them what needs them is left out. ``challenge`` is fresh random
    bytes. Transport errors pass through, everything else becomes a result.
    """
    steps: list[Check] = []
    for role, certificates in expected.items():
        found = [*_role_steps(card, role, certificates, pins, challenge), *card.checks(role, pins)]
        steps += [(f"{role.lower()}.{name}", step) for name, step in found]
    steps += [(f"card.{name}", step) for name, step in card.checks(None, pins)]
    judged = bool(pins)  # without them a check that broke off may have left a try spent
    steps += [(f"{role.lower()}.pin_tries", _tries_step(card, role, judged)) for role in expected]
    card.reset()
    results = [_run(step) for step in steps]
    card.reset()
    return tuple(results)


def _run(check: Check) -> CheckResult:
    name, step = check
    try:
        return CheckResult(name, True, step())
    except ConnectionLost:
        raise
    except (Mismatch, HpkiError) as error:
        return CheckResult(name, False, str(error))


def _role_steps(
    card: IssuingCard,
    role: Role,
    expected: CardCertificates,
    pins: Mapping[str, str],
    challenge: bytes,
) -> Iterator[Check]:
    """Give the steps of one key in order: PIN sessions are opened and used up on the way."""
    key = _Key(card, role, expected.holder_der, challenge)
    pin = pins.get(card.pin_name(role))
    yield "certificates", lambda: _compare(card, role, expected)
    yield "sign_without_pin", lambda: refused(key.sign_afresh)
    if pin is None:
        return
    yield "challenge_signature", lambda: key.prove(pin)
    if card.pin_always(role):
        yield "pin_per_signature", lambda: refused(key.sign)
    else:
        yield "pin_per_session", lambda: key.prove(None)


@dataclass(frozen=True)
class _Key:
    """A key on the card, its certificate, and what it is to sign."""

    card: IssuingCard
    role: Role
    certificate_der: bytes
    challenge: bytes

    def sign(self) -> bytes:
        public_key = certified_key(self.certificate_der)
        payload = signing_payload(public_key, hashes.SHA256(), self.challenge)
        return self.card.sign(self.role, public_key, payload)

    def sign_afresh(self) -> bytes:
        """Sign where no PIN was given since the reset, as one PIN may open both keys."""
        self.card.reset()
        return self.sign()

    def prove(self, pin: str | None) -> str:
        """Signature over the challenge, valid under the certificate; without ``pin`` no VERIFY."""
        if pin is not None:
            self.card.verify_pin(self.role, pin)
        signature, public_key = self.sign(), certified_key(self.certificate_der)
        try:
            verify_signature(public_key, signature, self.challenge, "SHA-256")
        except Refused as error:
            raise Mismatch("the key on the card is not the certificate's") from error
        return f"{public_key.key_size} bits"


def _compare(card: IssuingCard, role: Role, expected: CardCertificates) -> str:
    found = card.read_certificates(role)
    if found.holder_der != expected.holder_der:
        raise Mismatch("the holder's certificate differs")
    wanted, present = dict(expected.ca_certificates_der), dict(found.ca_certificates_der)
    if "ca_certificates" in card.not_offered:
        wanted = {label: der for label, der in wanted.items() if label in present}
    wrong = sorted(
        label for label in wanted.keys() | present.keys() if wanted.get(label) != present.get(label)
    )
    if wrong:
        raise Mismatch("CA certificates differ: " + ", ".join(wrong))
    return f"{1 + len(wanted)} certificates"


def _tries_step(card: IssuingCard, role: Role, judged: bool) -> Callable[[], str]:
    def tries() -> str:
        left, full = card.pin_tries_left(role), card.full_tries()
        if left != full and full is not None:
            if judged or not left:
                raise Mismatch(f"{left} tries left of {full}")
            return f"{left} tries left of {full}"
        return f"{left} tries"

    return tries
