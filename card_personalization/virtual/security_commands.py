"""Commands of the virtual card on the issuer's keys, the PIN and the private key.

Source: ISO/IEC 7816-4 11.5, 7816-8 11; JAHIS 24-002 annex C (commands in use).
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from card_personalization import scp03, tlv
from card_personalization.virtual.memory import PIN_SIZE, KeyFile, PinFile
from card_personalization.virtual.session import DONE, Answer, Command, Session, Status
from keys.backend import KeySpec
from pki.errors import InvalidInput


def put_key(session: Session, command: Command) -> Answer:
    """PUT KEY: other issuer keys in place of those of version P1, under the session's K-DEK.

    Answer: new version and check values. GlobalPlatform 11.8, Amendment D 7.2.
    """
    if session.secure is None:
        raise Status(0x6982)
    if command.p2 != 0x81:
        raise Status(0x6A86)
    if command.p1 != session.chip.issuer_key_version:
        raise Status(0x6A88)
    try:
        keys, version = scp03.read_key_data(command.data, session.secure.dek)
    except (ValueError, InvalidInput) as error:
        raise Status(0x6A80) from error
    session.commit(
        replace(
            session.chip,
            key_enc=keys.enc,
            key_mac=keys.mac,
            key_dek=keys.dek,
            issuer_key_version=version,
        )
    )
    check_values = map(scp03.key_check_value, (keys.enc, keys.mac, keys.dek))
    return bytes([version]) + b"".join(check_values), 0x9000


def _pin_file(session: Session, reference: int) -> PinFile:
    for file in session.files:
        if isinstance(file, PinFile) and file.reference == reference:
            return file
    raise Status(0x6A88)


def _padded(file: PinFile, pin: bytes) -> bytes:
    """PIN of allowed length and characters, zeros to 16 bytes; Status 6700 or 6A80."""
    bare = pin.rstrip(b"\0")
    if len(pin) > PIN_SIZE or not file.min_length <= len(bare) <= file.max_length:
        raise Status(0x6700)
    if not all(0x20 <= byte < 0x7F for byte in bare):
        raise Status(0x6A80)
    return bare.ljust(PIN_SIZE, b"\0")


def _compare_pin(session: Session, file: PinFile, pin: bytes) -> None:
    """End with 63Cx or 6984 unless ``pin`` (padded) is right; the counter is written first."""
    session.pin_verified = False
    if not file.pin:
        raise Status(0x6A88)
    if not file.tries_left:
        raise Status(0x6984)
    if not hmac.compare_digest(file.pin, pin):
        left = file.tries_left - 1
        session.save(replace(file, tries_left=left))
        raise Status(0x63C0 | left)
    if file.tries_left != file.max_tries:
        session.save(replace(file, tries_left=file.max_tries))


def verify(session: Session, command: Command) -> Answer:
    """VERIFY; without data: tries left (9000 if verified); P1 FF: no longer verified."""
    file = _pin_file(session, command.p2)
    if command.p1 == 0xFF and not command.data:
        session.pin_verified = False
        return DONE
    if command.p1:
        raise Status(0x6A86)
    if command.data:
        _compare_pin(session, file, _padded(file, command.data))
        session.pin_verified = True
    elif not session.pin_verified:
        raise Status(0x63C0 | file.tries_left if file.tries_left else 0x6984)
    return DONE


def change_reference_data(session: Session, command: Command) -> Answer:
    """CHANGE REFERENCE DATA; P1 00: old and new, each padded to 16 bytes; P1 01: new only.

    New only: after VERIFY, or for the issuer as long as the card is not activated.
    """
    file = _pin_file(session, command.p2)
    if command.p1 == 0x00:
        if len(command.data) != 2 * PIN_SIZE:
            raise Status(0x6700)
        old, new = command.data[:PIN_SIZE], _padded(file, command.data[PIN_SIZE:])
        _compare_pin(session, file, old)
    elif command.p1 == 0x01:
        by_issuer = session.issuer_authenticated and not session.chip.activated
        if not session.pin_verified and not by_issuer:
            raise Status(0x6982)
        new = _padded(file, command.data)
    else:
        raise Status(0x6A86)
    session.save(replace(file, pin=new, tries_left=file.max_tries))
    session.pin_verified = False
    return DONE


def log_out(session: Session, command: Command) -> Answer:
    """End PIN and issuer's session (the command OpenSC sends at logout)."""
    session.pin_verified, session.secure = False, None
    return DONE


def _key_file(session: Session, reference: bytes | None) -> KeyFile:
    """Key of the current application that a file or key reference means."""
    if reference is None or not 1 <= len(reference) <= 2:
        raise Status(0x6A80)
    for file in session.files:
        if isinstance(file, KeyFile) and file.fid == int.from_bytes(reference, "big"):
            return file
    raise Status(0x6A88)


def manage_security_environment(session: Session, command: Command) -> Answer:
    """MSE SET of the signature key by file reference (81) or key reference (84)."""
    if (command.p1, command.p2) != (0x41, 0xB6):
        raise Status(0x6A86)
    try:
        objects = tlv.parse(command.data)
    except InvalidInput as error:
        raise Status(0x6A80) from error
    reference = tlv.find(objects, 0x81) or tlv.find(objects, 0x84)
    session.key_fid = _key_file(session, reference).fid
    return DONE


def generate_key_pair(session: Session, command: Command) -> Answer:
    """GENERATE ASYMMETRIC KEY PAIR (P1 80, for the issuer) or read the public key (P1 81).

    Data: B6{81 file reference}; answer 7F49{81 modulus, 82 exponent}. ISO/IEC 7816-8 11.1.
    """
    if command.p1 not in (0x80, 0x81) or command.p2:
        raise Status(0x6A86)
    if command.p1 == 0x80:
        session.need_issuer()
    try:
        objects = tlv.parse(command.data)
    except InvalidInput as error:
        raise Status(0x6A80) from error
    file = _key_file(session, tlv.find(objects, 0xB6, 0x81))
    if command.p1 == 0x80:
        key = cast(rsa.RSAPrivateKey, session.make_key(KeySpec(f"RSA-{file.key_bits}")))
        _store_key(session, file, key)
    else:
        key = _private_key(file)
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes(key.key_size // 8, "big")
    exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
    return tlv.encode(0x7F49, tlv.encode(0x81, modulus), tlv.encode(0x82, exponent)), 0x9000


def put_private_key(session: Session, command: Command) -> Answer:
    """PUT DATA of a key made elsewhere, for the issuer as long as the card is not activated.

    Data: B6{81 file reference}, 84{7F48{91 exponent, 92 and 93 primes} under the session's K-DEK}.
    """
    if session.secure is None:
        raise Status(0x6982)
    if session.chip.activated:
        raise Status(0x6985)
    if (command.p1, command.p2) != (0x3F, 0xFF):
        raise Status(0x6A86)
    try:
        objects = tlv.parse(command.data)
        file = _key_file(session, tlv.find(objects, 0xB6, 0x81))
        wrapped = tlv.find(objects, 0x84) or b""
        template = tlv.parse(aes_key_unwrap_with_padding(session.secure.dek, wrapped))
        key = _rsa_key(
            *(
                int.from_bytes(tlv.find(template, 0x7F48, tag) or b"", "big")
                for tag in (0x91, 0x92, 0x93)
            )
        )
    except (ValueError, InvalidInput, InvalidUnwrap) as error:
        raise Status(0x6A80) from error
    if key.key_size != file.key_bits:
        raise Status(0x6A80)
    _store_key(session, file, key)
    return DONE


def _rsa_key(exponent: int, p: int, q: int) -> rsa.RSAPrivateKey:
    """Key of these; ValueError if they are none."""
    d = rsa.rsa_recover_private_exponent(exponent, p, q)
    return rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(exponent, p * q),
    ).private_key()


def _store_key(session: Session, file: KeyFile, key: rsa.RSAPrivateKey) -> None:
    private_key_der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    session.save(replace(file, private_key_der=private_key_der))


def _private_key(file: KeyFile) -> rsa.RSAPrivateKey:
    if not file.private_key_der:
        raise Status(0x6A88)
    key = serialization.load_der_private_key(
        file.private_key_der, None, unsafe_skip_rsa_key_validation=True
    )
    return cast(rsa.RSAPrivateKey, key)


def compute_signature(session: Session, command: Command) -> Answer:
    """PSO COMPUTE DIGITAL SIGNATURE over a whole PKCS#1 block or a DigestInfo it pads itself.

    With user consent the PIN counts for this signature only. ISO/IEC 7816-8 11.3.
    """
    if (command.p1, command.p2) != (0x9E, 0x9A):
        raise Status(0x6A86)
    if session.key_fid is None:
        raise Status(0x6985)
    file = _key_file(session, session.key_fid.to_bytes(2, "big"))
    if not session.pin_verified:
        raise Status(0x6982)
    digest_info = _without_padding(command.data, file.key_bits // 8)
    key = _private_key(file)
    if file.user_consent:
        session.pin_verified = False
    return key.sign(digest_info, padding.PKCS1v15(), utils.NoDigestInfo()), 0x9000


def _without_padding(data: bytes, block_size: int) -> bytes:
    """Strip PKCS#1 v1.5 type 1 padding from a whole block; shorter data as it is. RFC 8017 9.2."""
    if not data or block_size - 11 < len(data) != block_size:
        raise Status(0x6700)
    if len(data) < block_size:
        return data
    filler, separator, content = data[2:].partition(b"\0")
    if data[:2] != b"\0\x01" or not separator or len(filler) < 8 or filler.strip(b"\xff"):
        raise Status(0x6A80)
    if not content:
        raise Status(0x6A80)
    return content
