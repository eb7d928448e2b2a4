"""Commands of the virtual PIV card with keys: GENERAL AUTHENTICATE and GENERATE.

The private RSA operation is plain arithmetic on big numbers, so its time tells of the key. That is
accepted: the key lies in the clear in the card's file, and the card is for training and tests.
Source: NIST SP 800-73-4 part 2, 3.2.4 and 3.3.2; SP 800-78-4; Yubico's tags AA and AB.
"""

from __future__ import annotations

import hmac
from typing import cast

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from card_personalization import tlv
from card_personalization.virtual.piv_memory import (
    ALGORITHMS,
    ALWAYS,
    DEFAULT_POLICIES,
    MANAGEMENT,
    MANAGEMENT_ALGORITHMS,
    NEVER,
    ONCE,
    RETIRED_SLOTS,
    SLOTS,
    TRIPLE_DES,
    PivSession,
    SlotKey,
    objects_in,
)
from card_personalization.virtual.session import DONE, Answer, Command, Status
from keys.backend import PrivateKey

_WITNESS, _CHALLENGE, _RESPONSE = 0x80, 0x81, 0x82
_HASHES = {"P-256": hashes.SHA256(), "P-384": hashes.SHA384()}
_NO_TOUCH = 0x01


def general_authenticate(session: PivSession, command: Command) -> Answer:
    """GENERAL AUTHENTICATE: with the management key, or a signature with a slot's key.

    The algorithm in P1 is that of the key; 00 means 3DES.
    """
    template = objects_in(command.data).get(0x7C)
    if template is None:
        raise Status(0x6A80)
    objects = objects_in(template)
    if command.p2 == MANAGEMENT:
        return _authenticate(session, command.p1 or TRIPLE_DES, objects)
    check_slot(session, command.p2)
    return _sign(session, command, objects)


def _authenticate(session: PivSession, algorithm: int, objects: dict[int, bytes]) -> Answer:
    """Mutual (witness, then its plain text and a challenge) or single (challenge, then response).

    Each step uses up what the one before it gave.
    """
    witness, session.witness = session.witness, b""
    challenge, session.challenge = session.challenge, b""
    session.manager = False
    if algorithm not in MANAGEMENT_ALGORITHMS:
        raise Status(0x6A86)
    chip = session.chip
    if algorithm != chip.management_algorithm:
        raise Status(0x6A80)
    block = 8 if algorithm == TRIPLE_DES else 16
    cipher = Cipher(
        TripleDES(chip.management_key) if block == 8 else AES(chip.management_key),
        modes.ECB(),  # noqa: S305 - the standard's, on one random block
    )
    if objects.get(_WITNESS) == b"":
        session.witness = session.entropy(block)
        return _template(_WITNESS, cipher.encryptor().update(session.witness))
    if objects.get(_CHALLENGE) == b"":
        session.challenge = session.entropy(block)
        return _template(_CHALLENGE, session.challenge)
    if _RESPONSE in objects and challenge:
        _check_answer(cipher.encryptor().update(challenge), objects[_RESPONSE])
        session.manager = True
        return DONE
    if _WITNESS not in objects or len(objects.get(_CHALLENGE, b"")) != block:
        raise Status(0x6A80)
    if not witness:
        raise Status(0x6985)
    _check_answer(witness, objects[_WITNESS])
    session.manager = True
    return _template(_RESPONSE, cipher.encryptor().update(objects[_CHALLENGE]))


def _check_answer(expected: bytes, answer: bytes) -> None:
    if not hmac.compare_digest(expected, answer):
        raise Status(0x6982)


def _template(tag: int, value: bytes) -> Answer:
    return tlv.encode(0x7C, tlv.encode(tag, value)), 0x9000


def check_slot(session: PivSession, slot: int) -> None:
    """Refuse with 6A86 what is no slot for keys; the retired ones come with the extensions."""
    if slot not in SLOTS and not (session.chip.extensions and slot in RETIRED_SLOTS):
        raise Status(0x6A86)


def _sign(session: PivSession, command: Command, objects: dict[int, bytes]) -> Answer:
    """Signature over a whole padded block (RSA) or a hash (ECDSA); any use ends a fresh PIN."""
    key = session.chip.slot_key(command.p2)
    if key is None:
        raise Status(0x6A88)
    if command.p1 != key.algorithm:
        raise Status(0x6A86)
    if key.pin_policy != NEVER and not session.pin_verified:
        raise Status(0x6982)
    if key.pin_policy == ALWAYS and not session.pin_fresh:
        raise Status(0x6982)
    data = objects.get(_CHALLENGE)
    if data is None or objects.get(_RESPONSE) != b"":
        raise Status(0x6A80)
    private_key = load_key(key)
    if isinstance(private_key, rsa.RSAPrivateKey):
        signature = _rsa(private_key, data)
    else:
        signature = _ecdsa(private_key, ALGORITHMS[key.algorithm].name, data)
    session.pin_fresh = False
    return _template(_RESPONSE, signature)


def _rsa(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """``block`` to the private exponent, by the Chinese remainder theorem. RFC 8017 5.1.2."""
    numbers = key.private_numbers()
    modulus, size = numbers.public_numbers.n, key.key_size // 8
    number = int.from_bytes(block, "big")
    if len(block) != size or number >= modulus:
        raise Status(0x6A80)
    one = pow(number, numbers.dmp1, numbers.p)
    two = pow(number, numbers.dmq1, numbers.q)
    step = (one - two) * numbers.iqmp % numbers.p
    return (two + step * numbers.q).to_bytes(size, "big")


def _ecdsa(key: ec.EllipticCurvePrivateKey, name: str, digest: bytes) -> bytes:
    """DER signature over a hash that is no longer than the curve; a shorter one is a number."""
    algorithm = _HASHES[name]
    if not 0 < len(digest) <= algorithm.digest_size:
        raise Status(0x6A80)
    padded = digest.rjust(algorithm.digest_size, b"\0")
    return key.sign(padded, ec.ECDSA(utils.Prehashed(algorithm)))


def load_key(key: SlotKey) -> PrivateKey:
    """Private key in a slot."""
    return cast(
        PrivateKey,
        serialization.load_der_private_key(
            key.private_key_der, None, unsafe_skip_rsa_key_validation=True
        ),
    )


def generate_key_pair(session: PivSession, command: Command) -> Answer:
    """GENERATE ASYMMETRIC KEY PAIR, AC{80 algorithm}; answer 7F49{81, 82} or 7F49{86 point}."""
    session.need_manager()
    if command.p1:
        raise Status(0x6A86)
    check_slot(session, command.p2)
    template = objects_in(command.data).get(0xAC)
    objects = objects_in(template or b"")
    algorithm = int.from_bytes(objects.pop(0x80, b""), "big")
    if algorithm not in ALGORITHMS:
        raise Status(0x6A80)
    policy = pin_policy(session, command.p2, objects)
    key = session.make_key(ALGORITHMS[algorithm])
    store_key(session, command.p2, algorithm, policy, key, generated=True)
    return tlv.encode(0x7F49, public_key_objects(key)), 0x9000


def pin_policy(session: PivSession, slot: int, objects: dict[int, bytes]) -> int:
    """Policy that AA asks for, else the slot's; nothing but AA and AB may be in ``objects``.

    AB may only say that no touch is needed: the card has no button. Status 6A80.
    """
    allowed = (0xAA, 0xAB) if session.chip.extensions else ()
    if any(tag not in allowed for tag in objects):
        raise Status(0x6A80)
    if objects.get(0xAB, b"\0") not in (b"\0", bytes([_NO_TOUCH])):
        raise Status(0x6A80)
    wanted = objects.get(0xAA, b"\0")
    if wanted == b"\0":
        return DEFAULT_POLICIES.get(slot, ONCE)
    if wanted not in (bytes([NEVER]), bytes([ONCE]), bytes([ALWAYS])):
        raise Status(0x6A80)
    return wanted[0]


def store_key(
    session: PivSession,
    slot: int,
    algorithm: int,
    policy: int,
    key: PrivateKey,
    *,
    generated: bool,
) -> None:
    """Commit a key into its slot."""
    private_key_der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    slot_key = SlotKey(slot, algorithm, policy, generated, private_key_der)
    session.commit(session.chip.with_key(slot_key))


def public_key_objects(key: PrivateKey) -> bytes:
    """81 modulus and 82 exponent, or 86 uncompressed point."""
    public_key = key.public_key()
    if isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        modulus = numbers.n.to_bytes(public_key.key_size // 8, "big")
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        return tlv.encode(0x81, modulus) + tlv.encode(0x82, exponent)
    point = public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return tlv.encode(0x86, point)
