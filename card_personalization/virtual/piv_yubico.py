"""Yubico's commands of the virtual PIV card: what a plain PIV card answers with 6D00.

Source: docs.yubico.com, YubiKey technical manual and SDK, PIV commands.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from card_personalization import tlv
from card_personalization.virtual import piv_keys
from card_personalization.virtual.piv_memory import (
    ALGORITHMS,
    FACTORY_MANAGEMENT_KEY,
    FACTORY_PIN,
    FACTORY_PUK,
    MANAGEMENT,
    MANAGEMENT_ALGORITHMS,
    PIN,
    PUK,
    PivChip,
    PivSession,
    Secret,
    objects_in,
)
from card_personalization.virtual.session import DONE, Answer, Command, Status
from keys.backend import KeySpec, PrivateKey

_VERSION = bytes([5, 4, 3])
"""Firmware from which on software uses metadata and AES management keys, and not yet what came
with 5.7: longer RSA keys, Ed25519, moving keys, an AES management key from the factory."""

_MAX_TRIES = 15  # what 63Cx can tell
_RSA_PARTS = (0x01, 0x02, 0x03, 0x04, 0x05)  # p, q, dp, dq, 1/q
_EC_PART = 0x06
_EXPONENT = 65_537
_NO_POLICY = b"\x00\x01"  # no PIN policy, no touch


def get_version(session: PivSession, command: Command) -> Answer:
    """GET VERSION: three bytes."""
    _need(command, 0x00, 0x00)
    return _VERSION, 0x9000


def get_serial(session: PivSession, command: Command) -> Answer:
    """GET SERIAL: four bytes."""
    _need(command, 0x00, 0x00)
    return session.chip.serial, 0x9000


def get_metadata(session: PivSession, command: Command) -> Answer:
    """GET METADATA of the key reference in P2.

    01 algorithm, 02 policies of PIN and touch, 03 origin, 04 public key, 05 whether it is the
    factory's, 06 tries in a row and left.
    """
    _need(command, 0x00, command.p2)
    chip = session.chip
    if command.p2 == PIN:
        return _secret_metadata(chip.pin, FACTORY_PIN)
    if command.p2 == PUK:
        return _secret_metadata(chip.puk, FACTORY_PUK)
    if command.p2 == MANAGEMENT:
        factory = chip.management_key == FACTORY_MANAGEMENT_KEY
        algorithm = bytes([chip.management_algorithm])
        return _joined({0x01: algorithm, 0x02: _NO_POLICY, 0x05: bytes([factory])})
    key = chip.slot_key(command.p2)
    if key is None:
        raise Status(0x6A88)
    return _joined(
        {
            0x01: bytes([key.algorithm]),
            0x02: bytes([key.pin_policy, 0x01]),
            0x03: b"\x01" if key.generated else b"\x02",
            0x04: piv_keys.public_key_objects(piv_keys.load_key(key)),
        }
    )


def _secret_metadata(secret: Secret, factory_value: bytes) -> Answer:
    tries = bytes([secret.max_tries, secret.tries_left])
    return _joined({0x01: b"\xff", 0x05: bytes([secret.value == factory_value]), 0x06: tries})


def _joined(objects: dict[int, bytes]) -> Answer:
    return b"".join(tlv.encode(tag, value) for tag, value in objects.items()), 0x9000


def set_pin_retries(session: PivSession, command: Command) -> Answer:
    """SET PIN RETRIES: tries of the PIN in P1, of the PUK in P2; both get their factory values."""
    session.need_manager()
    if not session.pin_verified:
        raise Status(0x6982)
    if not (0 < command.p1 <= _MAX_TRIES and 0 < command.p2 <= _MAX_TRIES):
        raise Status(0x6A86)
    session.commit(
        replace(
            session.chip,
            pin=Secret(FACTORY_PIN, command.p1, command.p1),
            puk=Secret(FACTORY_PUK, command.p2, command.p2),
        )
    )
    session.set_pin_verified(False)
    return DONE


def reset(session: PivSession, command: Command) -> Answer:
    """RESET to the factory's state, only when PIN and PUK are blocked."""
    _need(command, 0x00, 0x00)
    chip = session.chip
    if chip.pin.tries_left or chip.puk.tries_left:
        raise Status(0x6985)
    session.commit(PivChip(chip.serial, chip.extensions))
    session.forget()
    return DONE


def set_management_key(session: PivSession, command: Command) -> Answer:
    """SET MANAGEMENT KEY: algorithm, 9B, length, key; no touch (P2 FF), the card has no button."""
    session.need_manager()
    _need(command, 0xFF, 0xFF)
    if not command.data:
        raise Status(0x6A80)
    algorithm, key = command.data[0], objects_in(command.data[1:]).get(MANAGEMENT, b"")
    if len(key) != MANAGEMENT_ALGORITHMS.get(algorithm):
        raise Status(0x6A80)
    session.commit(replace(session.chip, management_algorithm=algorithm, management_key=key))
    return DONE


def import_key(session: PivSession, command: Command) -> Answer:
    """IMPORT ASYMMETRIC KEY of the algorithm in P1 into the slot in P2, with its policies."""
    session.need_manager()
    piv_keys.check_slot(session, command.p2)
    if command.p1 not in ALGORITHMS:
        raise Status(0x6A86)
    spec, objects = ALGORITHMS[command.p1], objects_in(command.data)
    parts = _RSA_PARTS if spec.rsa_bits else (_EC_PART,)
    values = [int.from_bytes(objects.pop(tag, b""), "big") for tag in parts]
    policy = piv_keys.pin_policy(session, command.p2, objects)
    try:
        key = _rsa_key(spec.rsa_bits, *values) if spec.rsa_bits else _ec_key(spec, *values)
    except ValueError as error:
        raise Status(0x6A80) from error
    piv_keys.store_key(session, command.p2, command.p1, policy, key, generated=False)
    return DONE


def _rsa_key(bits: int, p: int, q: int, dp: int, dq: int, inverse: int) -> PrivateKey:
    """Key of two primes with exponent 65537; ValueError if the numbers do not belong together."""
    if (p * q).bit_length() != bits:
        raise ValueError("size of the modulus")
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, inverse, public).private_key()


def _ec_key(spec: KeySpec, value: int) -> PrivateKey:
    return ec.derive_private_key(value, spec.curve)


def _need(command: Command, p1: int, p2: int) -> None:
    if (command.p1, command.p2) != (p1, p2):
        raise Status(0x6A86)
