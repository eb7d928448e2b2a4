"""The virtual PIV card by SP 800-73-4 and Yubico's documents: bytes, states, bounds, the file."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from functools import cache, reduce
from operator import xor
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from hypothesis import given, settings
from hypothesis import strategies as st

from card_personalization import tlv
from card_personalization.scp03 import StaticKeys
from card_personalization.virtual_card import VirtualCard
from card_personalization.virtual_piv import VirtualPiv
from keys.backend import KeySpec, PrivateKey
from keys.files import make_private_key
from pki.errors import Conflict, InvalidInput, NotFound, Unavailable

SELECT = "00A4040005A000000308"
FACTORY_KEY = bytes.fromhex("010203040506070801020304050607080102030405060708")
PIN, PUK, OTHER = (text.ljust(8, b"\xff").hex() for text in (b"123456", b"12345678", b"654321"))
VERIFY = "0020008008"
RSA, P256, P384 = "07", "11", "14"
DIGEST = hashlib.sha256(b"prescription").digest()


@cache
def key_for(spec: KeySpec) -> PrivateKey:
    """A key made once for all tests."""
    return make_private_key(spec)


def new_card(path: Path, *, extensions: bool = True) -> VirtualPiv:
    card = VirtualPiv.create(path, extensions=extensions, make_key=key_for)
    assert send(card, SELECT)[1] == "9000"
    return card


@pytest.fixture
def card(tmp_path: Path) -> VirtualPiv:
    return new_card(tmp_path / "piv.json")


@pytest.fixture
def plain(tmp_path: Path) -> VirtualPiv:
    return new_card(tmp_path / "plain.json", extensions=False)


def send(card: VirtualPiv, apdu: str) -> tuple[bytes, str]:
    """Whole answer, fetched with GET RESPONSE, and the last status word."""
    answer = card.transmit(bytes.fromhex(apdu))
    data = answer[:-2]
    while answer[-2] == 0x61:
        answer = card.transmit(bytes.fromhex("00C00000") + answer[-1:])
        data += answer[:-2]
    return data, answer[-2:].hex().upper()


def sw(card: VirtualPiv, apdu: str) -> str:
    data, word = send(card, apdu)
    assert data == b"" or word == "9000"
    return word


def command(header: str, data: bytes) -> str:
    """Extended-length command."""
    return header + "00" + len(data).to_bytes(2, "big").hex() + data.hex() + "0000"


def chained(card: VirtualPiv, header: str, data: bytes) -> tuple[bytes, str]:
    """The same in short commands."""
    while len(data) > 255:
        assert sw(card, "10" + header[2:] + "FF" + data[:255].hex()) == "9000"
        data = data[255:]
    return send(card, header + f"{len(data):02X}" + data.hex() + "00")


def block_cipher(key: bytes, algorithm: int) -> Cipher[modes.ECB]:
    return Cipher(TripleDES(key) if algorithm == 3 else AES(key), modes.ECB())


def authenticate(card: VirtualPiv, key: bytes = FACTORY_KEY, algorithm: int = 3) -> str:
    """Mutual authentication; the card's answer to our challenge is checked."""
    header, cipher = f"0087{algorithm:02X}9B", block_cipher(key, algorithm)
    answer, word = send(card, header + "047C02800000")
    if word != "9000":
        return word
    witness = tlv.find(tlv.parse(answer), 0x7C, 0x80)
    assert witness is not None
    challenge = os.urandom(len(witness))
    opened = cipher.decryptor().update(witness)
    body = tlv.encode(0x7C, tlv.encode(0x80, opened), tlv.encode(0x81, challenge))
    answer, word = send(card, command(header, body))
    if word == "9000":
        assert answer == tlv.encode(0x7C, tlv.encode(0x82, cipher.encryptor().update(challenge)))
    return word


def generate(card: VirtualPiv, slot: str, algorithm: str, policies: str = "") -> bytes:
    """Generate as manager; the template with the public key."""
    assert authenticate(card) == "9000"
    body = bytes.fromhex("8001" + algorithm + policies)
    answer, word = send(card, command("004700" + slot, tlv.encode(0xAC, body)))
    assert word == "9000"
    return answer


def sign(card: VirtualPiv, slot: str, algorithm: str, data: bytes) -> tuple[bytes, str]:
    body = tlv.encode(0x7C, b"\x82\x00", tlv.encode(0x81, data))
    answer, word = send(card, command(f"0087{algorithm}{slot}", body))
    return tlv.find(tlv.parse(answer), 0x7C, 0x82) or b"", word


def rsa_block(digest: bytes = DIGEST) -> bytes:
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    return b"\0\1" + b"\xff" * (253 - len(info)) + b"\0" + info


# --- the application ---


def test_the_answer_to_reset_has_its_check_byte() -> None:
    atr = VirtualPiv.atr
    assert atr[0] == 0x3B
    assert reduce(xor, atr[1:]) == 0
    assert len(atr) == 5 + (atr[1] & 0x0F)
    assert atr != VirtualCard.atr


@pytest.mark.parametrize(
    "aid", ["A000000308", "A00000030800", "A000000308000010", "A000000308000010000100"]
)
@pytest.mark.parametrize("le", ["", "00"])
def test_the_application_is_selected_by_the_beginning_of_its_name(
    card: VirtualPiv, aid: str, le: str
) -> None:
    card.reset()
    answer = card.transmit(bytes.fromhex(f"00A40400{len(aid) // 2:02X}{aid}{le}"))
    assert answer.hex().upper() == "61114F0600001000010079074F05A000000308" + "9000"


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        ("00A4040005A000000309", "6A82"),
        ("00A4040004A0000003", "6A82"),
        ("00A404000CA00000030800001000010000", "6A82"),
        ("00A40400", "6A82"),
        ("00A4000005A000000308", "6A86"),
        ("00A4040205A000000308", "6A86"),
        ("80A4040005A000000308", "6E00"),
        ("0CA4040005A000000308", "6882"),
    ],
)
def test_what_selects_nothing(card: VirtualPiv, apdu: str, word: str) -> None:
    assert sw(card, VERIFY + PIN) == "9000"
    assert sw(card, apdu) == word
    assert sw(card, "00200080") == "9000"  # the application stays as it was


def test_without_select_there_is_no_application(card: VirtualPiv) -> None:
    card.reset()
    for apdu in ("00CB3FFF035C017E00", VERIFY + PIN, "00FD000000", "0087039B047C02800000"):
        assert sw(card, apdu) == "6D00"


@pytest.mark.parametrize("again", [lambda card: card.reset(), lambda card: None])
def test_reset_and_select_end_what_was_verified(
    card: VirtualPiv, again: Callable[[VirtualPiv], None]
) -> None:
    assert authenticate(card) == "9000"
    assert sw(card, VERIFY + PIN) == "9000"
    again(card)
    assert sw(card, SELECT) == "9000"
    assert sw(card, "00200080") == "63C3"
    assert sw(card, "00DB3FFF085C035FC102530101") == "6982"


def test_an_answer_comes_without_le_and_in_parts(card: VirtualPiv) -> None:
    assert authenticate(card) == "9000"
    content = os.urandom(300)
    body = bytes.fromhex("5C035FC102") + tlv.encode(0x53, content)
    assert send(card, command("00DB3FFF", body))[1] == "9000"
    first = card.transmit(bytes.fromhex("00CB3FFF055C035FC102"))
    assert (len(first), first[-2:].hex()) == (258, "6130")
    rest = card.transmit(bytes.fromhex("00C00000"))
    assert first[:-2] + rest == tlv.encode(0x53, content) + b"\x90\x00"


# --- data objects ---


def put(card: VirtualPiv, identifier: int, content: bytes) -> str:
    body = tlv.encode(0x5C, identifier.to_bytes(3, "big")) + tlv.encode(0x53, content)
    return chained(card, "00DB3FFF", body)[1]


def get(card: VirtualPiv, identifier: int) -> tuple[bytes, str]:
    return send(card, f"00CB3FFF055C03{identifier:06X}00")


def test_the_discovery_object(plain: VirtualPiv) -> None:
    answer = send(plain, "00CB3FFF035C017E00")
    assert answer == (
        bytes.fromhex("7E124F0BA0000003080000100001005F2F024000"), "9000"
    )  # fmt: skip


@pytest.mark.parametrize("identifier", [0x5FC102, 0x5FC105, 0x5FC107, 0x5FC10C, 0x5FFF00])
def test_the_manager_writes_and_everybody_reads(plain: VirtualPiv, identifier: int) -> None:
    assert get(plain, identifier)[1] == "6A82"
    assert put(plain, identifier, b"one") == "6982"
    assert authenticate(plain) == "9000"
    for content in (b"one", os.urandom(3072)):
        assert put(plain, identifier, content) == "9000"
        assert get(plain, identifier) == (tlv.encode(0x53, content), "9000")
    plain.reset()
    sw(plain, SELECT)
    assert get(plain, identifier)[1] == "9000"
    assert authenticate(plain) == "9000"
    assert put(plain, identifier, b"") == "9000"
    assert get(plain, identifier)[1] == "6A82"


@pytest.mark.parametrize("identifier", [0x5FC103, 0x5FC108, 0x5FC109, 0x5FC121])
def test_the_body_and_the_print_are_shown_after_the_pin(card: VirtualPiv, identifier: int) -> None:
    assert authenticate(card) == "9000"
    assert put(card, identifier, b"picture") == "9000"
    assert get(card, identifier)[1] == "6982"
    assert sw(card, VERIFY + PIN) == "9000"
    assert get(card, identifier) == (tlv.encode(0x53, b"picture"), "9000")


def test_objects_are_bounded_in_size_and_number(card: VirtualPiv) -> None:
    assert authenticate(card) == "9000"
    assert put(card, 0x5FC105, bytes(3073)) == "6A84"
    assert get(card, 0x5FC105)[1] == "6A82"
    for number in range(48):
        assert put(card, 0x5FFF00 + number, b"x") == "9000"
    assert put(card, 0x5FC105, b"x") == "6A84"
    assert put(card, 0x5FFF00, b"y") == "9000"
    assert put(card, 0x5FFF01, b"") == "9000"
    assert put(card, 0x5FC105, b"x") == "9000"


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        ("00CB3FFE055C035FC10200", "6A86"),
        ("00CB3FFF", "6A80"),
        ("00CB3FFF025C0000", "6A80"),
        ("00CB3FFF065C045FC1020100", "6A80"),
        ("00CB3FFF055C045FC10200", "6A80"),
        ("00CB3FFF065C017E5C017E00", "6A80"),
        ("00DB3FFE085C035FC102530101", "6A86"),
        ("00DB3FFF055C035FC102", "6A80"),
        ("00DB3FFF03530101", "6A80"),
        ("00DB3FFF065C017E530101", "6A80"),
    ],
)
def test_broken_requests_for_objects(card: VirtualPiv, apdu: str, word: str) -> None:
    assert authenticate(card) == "9000"
    assert sw(card, apdu) == word


# --- PIN and PUK ---


def test_three_wrong_pins_block_it_for_good(card: VirtualPiv, tmp_path: Path) -> None:
    for left in ("2", "1", "0"):
        assert sw(card, "00200080") == f"63C{int(left) + 1}"
        assert sw(card, VERIFY + OTHER) == f"63C{left}"
        card = VirtualPiv.load(tmp_path / "piv.json")
        sw(card, SELECT)
    for apdu in (VERIFY + PIN, "00200080", "0024008010" + PIN + OTHER):
        assert sw(card, apdu) == "6983"


def test_a_right_pin_gives_all_tries_back_and_is_forgotten_on_demand(plain: VirtualPiv) -> None:
    assert sw(plain, VERIFY + OTHER) == "63C2"
    assert sw(plain, VERIFY + PIN) == "9000"
    assert sw(plain, "00200080") == "9000"
    assert sw(plain, "0020FF80") == "9000"
    assert sw(plain, "00200080") == "63C3"
    assert sw(plain, VERIFY + PIN) == "9000"
    assert sw(plain, VERIFY + OTHER) == "63C2"
    assert sw(plain, "00200080") == "63C2"


@pytest.mark.parametrize(
    "value",
    [
        "ffffffffffffffff",
        "3132333435ffffff",
        "313233ff343536ff",
        "31323334353641ff",
        "3132333435360000",
        "31323334353637",
        "313233343536373839",
    ],
)
def test_what_can_be_no_pin(card: VirtualPiv, plain: VirtualPiv, value: str) -> None:
    """The standard lets a card answer 6A80 without a change, or count it as a wrong try."""
    verify = f"00200080{len(value) // 2:02X}{value}"
    assert sw(plain, verify) == "6A80"
    assert sw(plain, "00200080") == "63C3"
    assert sw(card, verify) == ("63C2" if len(value) == 16 else "6A80")
    for tested in (card, plain):
        assert sw(tested, VERIFY + PIN) == "9000"
        if len(value) == 16:
            assert sw(tested, "0024008010" + PIN + value) == "6A80"
            assert sw(tested, "002C008010" + PUK + value) == "6A80"
        assert sw(tested, VERIFY + PIN) == "9000"


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        ("0020000008" + PIN, "6A88"),
        ("0020008108" + PUK, "6A88"),
        ("0020018008" + PIN, "6A86"),
        ("0020FF8008" + PIN, "6A86"),
        ("0024008210" + PIN + PIN, "6A88"),
        ("0024018010" + PIN + PIN, "6A86"),
        ("0024008008" + PIN, "6A80"),
        ("002C008110" + PUK + PIN, "6A88"),
        ("002C018010" + PUK + PIN, "6A86"),
        ("002C0080", "6A80"),
    ],
)
def test_wrong_parameters_for_secrets_cost_no_try(card: VirtualPiv, apdu: str, word: str) -> None:
    assert sw(card, apdu) == word
    assert sw(card, "00200080") == "63C3"
    assert sw(card, "002C008010" + OTHER + PIN) == "63C2"


def test_pin_and_puk_are_changed_with_the_old_ones(plain: VirtualPiv) -> None:
    assert sw(plain, "0024008010" + OTHER + PIN) == "63C2"
    assert sw(plain, "0024008010" + PIN + OTHER) == "9000"
    assert sw(plain, "00200080") == "9000"
    assert sw(plain, VERIFY + PIN) == "63C2"
    assert sw(plain, VERIFY + OTHER) == "9000"
    assert sw(plain, "0024008110" + OTHER + PUK) == "63C2"
    assert sw(plain, "0024008110" + PUK + "8182838485868788") == "9000"
    assert sw(plain, "002C008010" + PUK + PIN) == "63C2"
    assert sw(plain, VERIFY + PIN) == "63C2"
    assert sw(plain, "002C008010" + "8182838485868788" + PIN) == "9000"
    assert sw(plain, VERIFY + PIN) == "9000"


def test_the_puk_frees_the_pin_until_it_is_blocked_itself(plain: VirtualPiv) -> None:
    for left in (2, 1, 0):
        assert sw(plain, VERIFY + OTHER) == f"63C{left}"
    assert sw(plain, "002C008010" + OTHER + PIN) == "63C2"
    assert sw(plain, VERIFY + PIN) == "6983"
    assert sw(plain, "002C008010" + PUK + OTHER) == "9000"
    assert sw(plain, "00200080") == "63C3"
    assert sw(plain, VERIFY + OTHER) == "9000"
    for left in (2, 1, 0):
        assert sw(plain, "002C008010" + OTHER + PIN) == f"63C{left}"
    assert sw(plain, "002C008010" + PUK + PIN) == "6983"
    assert sw(plain, "0024008110" + PUK + PUK) == "6983"
    assert sw(plain, "00200080") == "9000"  # the PIN has nothing to do with it


# --- the management key ---


KEYS = {3: bytes(range(24)), 8: bytes(range(16)), 0x0A: bytes(range(24)), 0x0C: bytes(range(32))}


def set_management_key(card: VirtualPiv, algorithm: int, key: bytes) -> str:
    body = bytes([algorithm]) + tlv.encode(0x9B, key)
    return sw(card, f"00FFFFFF{len(body):02X}{body.hex()}")


@pytest.mark.parametrize("algorithm", KEYS)
def test_the_management_key_of_each_kind(card: VirtualPiv, algorithm: int) -> None:
    assert set_management_key(card, algorithm, KEYS[algorithm]) == "6982"
    assert authenticate(card) == "9000"
    assert set_management_key(card, algorithm, KEYS[algorithm]) == "9000"
    sw(card, SELECT)
    assert put(card, 0x5FC102, b"x") == "6982"
    assert authenticate(card, FACTORY_KEY) == ("6982" if algorithm == 3 else "6A80")
    assert put(card, 0x5FC102, b"x") == "6982"
    assert authenticate(card, KEYS[algorithm], algorithm) == "9000"
    assert put(card, 0x5FC102, b"x") == "9000"
    assert authenticate(card, KEYS[algorithm][::-1], algorithm) == "6982"
    assert put(card, 0x5FC102, b"x") == "6982"


def test_a_witness_serves_once(tmp_path: Path) -> None:
    card = VirtualPiv.create(tmp_path / "piv.json", extensions=False, entropy=bytes)
    sw(card, SELECT)
    answer = "0087039B16" + "7C14" + "8008" + "00" * 8 + "8108" + "11" * 8
    assert sw(card, "0087039B047C02800000") == "9000"
    assert sw(card, answer) == "9000"
    assert put(card, 0x5FC102, b"x") == "9000"
    assert sw(card, answer) == "6985"
    assert put(card, 0x5FC102, b"x") == "6982"


@pytest.mark.parametrize("algorithm", KEYS)
def test_single_authentication(card: VirtualPiv, algorithm: int) -> None:
    assert authenticate(card) == "9000"
    assert set_management_key(card, algorithm, KEYS[algorithm]) == "9000"
    header = f"0087{algorithm:02X}9B"
    answers = []
    for _ in range(2):
        answer, word = send(card, header + "047C02810000")
        assert word == "9000"
        challenge = tlv.find(tlv.parse(answer), 0x7C, 0x81) or b""
        response = block_cipher(KEYS[algorithm], algorithm).encryptor().update(challenge)
        answers.append(tlv.encode(0x7C, tlv.encode(0x82, response)))
    assert sw(card, command(header, answers[0])) == "6982"  # the first challenge is used up
    assert sw(card, command(header, answers[1])) == "6A80"  # and so is the second
    assert put(card, 0x5FC102, b"x") == "6982"
    answer, _ = send(card, header + "047C02810000")
    challenge = tlv.find(tlv.parse(answer), 0x7C, 0x81) or b""
    response = block_cipher(KEYS[algorithm], algorithm).encryptor().update(challenge)
    assert sw(card, command(header, tlv.encode(0x7C, tlv.encode(0x82, response)))) == "9000"
    assert put(card, 0x5FC102, b"x") == "9000"


def test_known_answers_of_the_management_key(tmp_path: Path) -> None:
    """NIST SP 800-20 appendix A table A.1: DES of 8000000000000000 under 0101010101010101."""
    entropy = iter([b"\x01\x02\x03\x04", bytes.fromhex("8000000000000000")])
    card = VirtualPiv.create(
        tmp_path / "piv.json", extensions=True, entropy=lambda _: next(entropy)
    )
    record = json.loads((tmp_path / "piv.json").read_text())
    record["management_key"] = "01" * 24
    (tmp_path / "piv.json").write_text(json.dumps(record))
    card = VirtualPiv.load(tmp_path / "piv.json", entropy=lambda _: next(entropy))
    sw(card, SELECT)
    assert send(card, "0087009B047C02800000") == (
        bytes.fromhex("7C0A8008" + "95F8A5E5DD31D900"), "9000"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        ("0087039B00", "6A80"),
        ("0087039B027C0000", "6A80"),
        ("0087039B027D0000", "6A80"),
        ("0087039B047C02820000", "6A80"),
        ("0087049B047C02800000", "6A86"),
        ("0087089B047C02800000", "6A80"),
        ("0087039B167C148008" + "00" * 8 + "8108" + "00" * 8, "6985"),
        ("0087039B157C138008" + "00" * 8 + "8107" + "00" * 7, "6A80"),
        ("0087039B0C7C0A8208" + "00" * 8, "6A80"),
    ],
)
def test_broken_authentications(card: VirtualPiv, apdu: str, word: str) -> None:
    assert sw(card, apdu) == word
    assert put(card, 0x5FC102, b"x") == "6982"


# --- keys ---


@pytest.mark.parametrize("slot", ["9A", "9C", "9D", "9E"])
def test_rsa_signs_the_whole_block_that_the_host_padded(plain: VirtualPiv, slot: str) -> None:
    made = tlv.parse(generate(plain, slot, RSA))
    modulus, exponent = (tlv.find(made, 0x7F49, tag) or b"" for tag in (0x81, 0x82))
    assert (len(modulus), exponent.hex()) == (256, "010001")
    public = rsa.RSAPublicNumbers(65_537, int.from_bytes(modulus, "big")).public_key()
    sw(plain, VERIFY + PIN)
    signature, word = sign(plain, slot, RSA, rsa_block())
    assert word == "9000"
    public.verify(signature, DIGEST, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    sw(plain, VERIFY + PIN)
    block = b"\0" + os.urandom(255)  # any block will do, so one of PSS too
    signature, word = sign(plain, slot, RSA, block)
    assert word == "9000"
    assert pow(int.from_bytes(signature, "big"), 65_537, public.public_numbers().n) == (
        int.from_bytes(block, "big")
    )


@pytest.mark.parametrize(
    ("algorithm", "curve", "algorithms"),
    [
        (P256, ec.SECP256R1(), [hashes.SHA1(), hashes.SHA256()]),
        (P384, ec.SECP384R1(), [hashes.SHA256(), hashes.SHA384()]),
    ],
)
def test_curves_sign_a_hash(
    plain: VirtualPiv,
    algorithm: str,
    curve: ec.EllipticCurve,
    algorithms: list[hashes.HashAlgorithm],
) -> None:
    made = tlv.parse(generate(plain, "9E", algorithm))
    public = ec.EllipticCurvePublicKey.from_encoded_point(
        curve, tlv.find(made, 0x7F49, 0x86) or b""
    )
    for one in algorithms:
        digest = os.urandom(one.digest_size)
        signature, word = sign(plain, "9E", algorithm, digest)
        assert word == "9000"
        public.verify(signature, digest, ec.ECDSA(utils.Prehashed(one)))
    too_long = os.urandom(algorithms[-1].digest_size + 1)
    assert sign(plain, "9E", algorithm, too_long)[1] == "6A80"
    assert sign(plain, "9E", algorithm, b"")[1] == "6A80"


def test_the_signing_key_wants_the_pin_each_time_and_the_others_once(plain: VirtualPiv) -> None:
    for slot in ("9A", "9C", "9D", "9E"):
        generate(plain, slot, P256)

    def words(*slots: str) -> list[str]:
        return [sign(plain, slot, P256, DIGEST)[1] for slot in slots]

    assert words("9A", "9C", "9D", "9E") == ["6982", "6982", "6982", "9000"]
    assert sw(plain, VERIFY + PIN) == "9000"
    assert words("9C", "9C", "9A", "9D", "9A") == ["9000", "6982", "9000", "9000", "9000"]
    assert sw(plain, VERIFY + PIN) == "9000"
    assert words("9A", "9C") == ["9000", "6982"]  # the PIN must come right before
    assert sw(plain, VERIFY + OTHER) == "63C2"
    assert words("9A", "9C", "9E") == ["6982", "6982", "9000"]


@pytest.mark.parametrize(
    ("slot", "algorithm", "data", "word"),
    [
        ("9A", RSA, bytes(256), "6A88"),
        ("9E", P256, bytes(32), "6A86"),
        ("9E", RSA, bytes(255), "6A80"),
        ("9E", RSA, bytes(257), "6A80"),
        ("9E", RSA, b"\xff" * 256, "6A80"),
        ("82", RSA, bytes(256), "6A86"),
        ("80", RSA, bytes(256), "6A86"),
        ("F9", RSA, bytes(256), "6A86"),
    ],
)
def test_what_is_not_signed(
    plain: VirtualPiv, slot: str, algorithm: str, data: bytes, word: str
) -> None:
    generate(plain, "9E", RSA)
    assert sign(plain, slot, algorithm, data)[1] == word
    assert send(plain, command("0087079E", tlv.encode(0x7C, b"\x82\x00")))[1] == "6A80"
    no_request = tlv.encode(0x7C, tlv.encode(0x81, rsa_block()))
    assert send(plain, command("0087079E", no_request))[1] == "6A80"


def test_only_the_manager_generates(plain: VirtualPiv) -> None:
    apdu = "0047009A05AC0380011100"
    assert sw(plain, apdu) == "6982"
    assert sw(plain, VERIFY + PIN) == "9000"
    assert sw(plain, apdu) == "6982"
    assert authenticate(plain) == "9000"
    for wrong, word in {
        "0047019A05AC0380011100": "6A86",
        "0047009B05AC0380011100": "6A86",
        "0047008205AC0380011100": "6A86",
        "0047009A05AC0380010600": "6A80",
        "0047009A02AC0000": "6A80",
        "0047009A": "6A80",
        "0047009A08AC06800111AA010200": "6A80",
        "0047009A08AC06800111AB010100": "6A80",
    }.items():
        assert sw(plain, wrong) == word, wrong
    assert sign(plain, "9A", P256, DIGEST)[1] == "6A88"
    assert sw(plain, apdu) == "9000"


# --- Yubico's extensions ---


EXTENSIONS = ("F7000000", "F8000000", "FA050500", "FB000000", "FD000000", "FE119A00", "FFFFFF00")


def test_a_plain_card_has_no_extensions(plain: VirtualPiv, card: VirtualPiv) -> None:
    for apdu in EXTENSIONS:
        assert authenticate(plain) == "9000"
        assert sw(plain, "00" + apdu) == "6D00"
        assert authenticate(card) == "9000"
        assert sw(card, "00" + apdu) != "6D00"
    for tested in (plain, card):
        assert sw(tested, "00F99A0000") == "6D00"


def test_version_and_serial(card: VirtualPiv) -> None:
    assert send(card, "00FD0000") == (b"\x05\x04\x03", "9000")
    serial, word = send(card, "00F80000")
    assert (len(serial), serial[0] & 0x80, word) == (4, 0, "9000")
    assert send(card, "00F80000")[0] == serial


def test_policies_stand_against_those_of_the_slot(card: VirtualPiv) -> None:
    for slot, policies in {"9A": "AA0103", "9C": "AA0102AB0101", "9D": "AA0101", "82": ""}.items():
        generate(card, slot, P256, policies)
    sw(card, VERIFY + PIN)
    signed = [sign(card, slot, P256, DIGEST)[1] for slot in ("9A", "9A", "9C", "9C", "82")]
    assert signed == ["9000", "6982", "9000", "9000", "9000"]
    sw(card, "0020FF80")
    assert [sign(card, slot, P256, DIGEST)[1] for slot in ("9D", "9C", "82")] == [
        "9000", "6982", "6982"
    ]  # fmt: skip
    for policies in ("AA0104", "AA020202", "AB0102", "AC0101", "AA00"):
        body = tlv.encode(0xAC, bytes.fromhex("800111" + policies))
        assert sw(card, command("0047009A", body)) == "6A80", policies


def test_metadata(card: VirtualPiv) -> None:
    def metadata(reference: str) -> str:
        return send(card, f"00F700{reference}00")[0].hex().upper()

    assert metadata("80") == metadata("81") == "0101FF" + "050101" + "06020303"
    assert metadata("9B") == "010103" + "02020001" + "050101"
    assert sw(card, VERIFY + OTHER) == "63C2"
    assert sw(card, "0024008110" + PUK + OTHER) == "9000"
    assert metadata("80").endswith("06020302")
    assert metadata("81") == "0101FF" + "050100" + "06020303"
    for slot in ("9A", "96", "00"):
        assert sw(card, f"00F700{slot}00") == "6A88"
    point = generate(card, "9C", P256)[3:]
    assert metadata("9C") == "010111" + "02020301" + "030101" + (
        tlv.encode(0x04, point).hex().upper()
    )
    assert set_management_key(card, 8, KEYS[8]) == "9000"
    assert metadata("9B") == "010108" + "02020001" + "050100"


def test_tries_are_set_by_manager_and_holder_and_give_factory_secrets(card: VirtualPiv) -> None:
    assert sw(card, "0024008010" + PIN + OTHER) == "9000"
    assert sw(card, "00FA0502") == "6982"
    sw(card, "0020FF80")
    assert authenticate(card) == "9000"
    assert sw(card, "00FA0502") == "6982"
    assert sw(card, VERIFY + OTHER) == "9000"
    for wrong in ("00FA0005", "00FA0500", "00FA1005", "00FA0510"):
        assert sw(card, wrong) == "6A86"
    assert sw(card, "00FA0502") == "9000"
    assert sw(card, "00200080") == "63C5"
    assert sw(card, VERIFY + OTHER) == "63C4"
    assert sw(card, VERIFY + PIN) == "9000"
    assert sw(card, "002C008010" + OTHER + PIN) == "63C1"
    assert sw(card, "002C008010" + PUK + PIN) == "9000"
    assert sw(card, "002C008010" + OTHER + PIN) == "63C1"


def test_a_card_is_reset_when_pin_and_puk_are_blocked(card: VirtualPiv, tmp_path: Path) -> None:
    fresh = json.loads((tmp_path / "piv.json").read_text())
    generate(card, "9A", P256)
    assert put(card, 0x5FC105, b"x") == "9000"
    assert set_management_key(card, 8, KEYS[8]) == "9000"
    empty = "ff" * 8
    for _ in range(3):
        assert sw(card, "00FB0000") == "6985"
        sw(card, VERIFY + empty)
    for _ in range(3):
        assert sw(card, "00FB0000") == "6985"
        sw(card, "002C008010" + empty + empty)
    assert sw(card, "00FB0000") == "9000"
    assert json.loads((tmp_path / "piv.json").read_text()) == fresh
    assert put(card, 0x5FC105, b"x") == "6982"


def rsa_parts(key: rsa.RSAPrivateKey) -> list[bytes]:
    numbers = key.private_numbers()
    return [
        number.to_bytes(key.key_size // 16, "big")
        for number in (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
    ]


def joined(parts: list[bytes]) -> bytes:
    return b"".join(tlv.encode(tag, part) for tag, part in enumerate(parts, 1))


def test_keys_are_imported(card: VirtualPiv) -> None:
    key = key_for(KeySpec("RSA-2048"))
    assert isinstance(key, rsa.RSAPrivateKey)
    body = joined(rsa_parts(key)) + bytes.fromhex("AA0101AB0101")
    assert chained(card, "00FE079A", body)[1] == "6982"
    assert authenticate(card) == "9000"
    assert chained(card, "00FE079A", body)[1] == "9000"
    signature, word = sign(card, "9A", RSA, rsa_block())
    assert word == "9000"
    assert signature == key.sign(DIGEST, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))
    assert "030102" in send(card, "00F7009A00")[0].hex()  # imported
    for name, algorithm in (("P-256", P256), ("P-384", P384)):
        curve_key = key_for(KeySpec(name))
        assert isinstance(curve_key, ec.EllipticCurvePrivateKey)
        value = curve_key.private_numbers().private_value
        size = curve_key.key_size // 8
        body = tlv.encode(0x06, value.to_bytes(size, "big"))
        assert chained(card, f"00FE{algorithm}9E", body)[1] == "9000"
        signature, word = sign(card, "9E", algorithm, DIGEST)
        assert word == "9000"
        curve_key.public_key().verify(signature, DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def test_numbers_that_are_no_key_are_not_imported(card: VirtualPiv) -> None:
    key = key_for(KeySpec("RSA-2048"))
    assert isinstance(key, rsa.RSAPrivateKey)
    parts = rsa_parts(key)
    assert authenticate(card) == "9000"
    wrong = [parts[:number] + [b"\1" * 128] + parts[number + 1 :] for number in range(5)]
    wrong += [parts[:4], [parts[0], parts[0], *parts[2:]], [bytes(128)] * 5, [b"\1", b"\1"] * 2]
    wrong += [[b"\1", b"\x80" + bytes(255), *parts[2:]], [b"\2", b"\x40" + bytes(255), *parts[2:]]]
    wrong += [[*parts[:2], b"\xff" * 20_000, *parts[3:]], [*parts[:4], b"\xff" * 128]]
    wrong += [rsa_parts(rsa.generate_private_key(65_537, 1024))]
    for one in wrong:
        assert chained(card, "00FE079A", joined(one))[1] == "6A80"
    assert chained(card, "00FE079A", joined(parts) + b"\x06\x01\x01")[1] == "6A80"
    order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"
    for value in ("00", order, "FF" * 33):
        body = tlv.encode(0x06, bytes.fromhex(value))
        assert chained(card, "00FE119A", body)[1] == "6A80"
    assert sw(card, "00FE069A") == "6A86"
    assert sw(card, "00FE119B") == "6A86"
    assert sw(card, "00F7009A00") == "6A88"


@pytest.mark.parametrize(
    ("apdu", "word"),
    [
        ("00FFFFFE1B039B18" + "01" * 24, "6A86"),
        ("00FFFFFF1A039B17" + "01" * 23, "6A80"),
        ("00FFFFFF1B049B18" + "01" * 24, "6A80"),
        ("00FFFFFF13089A10" + "01" * 16, "6A80"),
        ("00FFFFFF", "6A80"),
    ],
)
def test_broken_management_keys(card: VirtualPiv, apdu: str, word: str) -> None:
    assert authenticate(card) == "9000"
    assert sw(card, apdu) == word
    assert authenticate(card) == "9000"


# --- the card file ---


def test_the_card_file_keeps_everything(card: VirtualPiv, tmp_path: Path) -> None:
    path = tmp_path / "piv.json"
    generate(card, "9A", P256)
    generate(card, "9E", RSA)
    assert put(card, 0x5FC105, b"certificate") == "9000"
    assert set_management_key(card, 8, KEYS[8]) == "9000"
    assert sw(card, "0024008010" + PIN + OTHER) == "9000"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["piv.json"]
    loaded = VirtualPiv.load(path)
    assert loaded._chip == card._chip
    sw(loaded, SELECT)
    assert authenticate(loaded, KEYS[8], 8) == "9000"
    assert get(loaded, 0x5FC105)[0] == tlv.encode(0x53, b"certificate")
    assert sw(loaded, VERIFY + OTHER) == "9000"
    assert sign(loaded, "9A", P256, DIGEST)[1] == "9000"
    assert sign(loaded, "9E", RSA, rsa_block())[1] == "9000"
    with pytest.raises(Conflict):
        new_card(path)
    with pytest.raises(NotFound):
        VirtualPiv.load(tmp_path / "none.json")
    with pytest.raises(Unavailable):
        new_card(tmp_path / "none" / "piv.json")


def test_the_kinds_of_cards_are_not_taken_for_each_other(card: VirtualPiv, tmp_path: Path) -> None:
    VirtualCard.create(tmp_path / "hpki.json", "0a1b2c3d", StaticKeys(*[bytes(16)] * 3))
    for kind, other in ((VirtualPiv, "hpki"), (VirtualCard, "piv")):
        with pytest.raises(InvalidInput) as refused:
            kind.load(tmp_path / f"{other}.json")
        assert refused.value.code == "card.virtual.kind"
        assert "hpki-virtual-piv" in refused.value.text
        assert "hpki-virtual-card" in refused.value.text


def test_a_damaged_card_file_is_refused(card: VirtualPiv, tmp_path: Path) -> None:
    generate(card, "9A", P256)
    record = json.loads((tmp_path / "piv.json").read_text())
    damaged = tmp_path / "damaged.json"
    key = record["keys"][0]
    for changed in (
        {"version": 2},
        {"serial": "xy"},
        {"extensions": 1},
        {"more": 1},
        {"pin": ""},
        {"puk": record["puk"] | {"tries_left": True}},
        {"keys": [key | {"algorithm": 6}]},
        {"keys": [1]},
        {"objects": [{"identifier": 1}]},
        {"management_algorithm": 8},
        {"management_algorithm": 9},
    ):
        damaged.write_text(json.dumps(record | changed))
        with pytest.raises(InvalidInput):
            VirtualPiv.load(damaged)
    damaged.write_text("[" * 100_000)
    with pytest.raises(InvalidInput):
        VirtualPiv.load(damaged)


@pytest.mark.parametrize(
    "apdu",
    [VERIFY + OTHER, "0024008010" + PIN + OTHER, "002C008010" + PUK + OTHER, "0047009A05AC03800111"]
    + ["00DB3FFF085C035FC102530101", "00FA0505", "00FFFFFF1B039B18" + "01" * 24],
)
def test_a_change_that_cannot_be_written_did_not_happen(
    card: VirtualPiv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apdu: str
) -> None:
    assert authenticate(card) == "9000"
    assert sw(card, VERIFY + PIN) == "9000"
    before, chip = (tmp_path / "piv.json").read_bytes(), card._chip

    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        assert sw(card, apdu) == "6581"
    assert (tmp_path / "piv.json").read_bytes() == before
    assert os.listdir(tmp_path) == ["piv.json"]
    assert card._chip == chip
    assert sw(card, VERIFY + PIN) == "9000"


# --- anything at all ---


TAGS = [0x06, 0x53, 0x5C, 0x7C, 0x7E, 0x80, 0x81, 0x82, 0x9B, 0xAA, 0xAB, 0xAC, 0x7F49]
VALUES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\x11", b"\x14", b"\x03", bytes(8), b"\x7e", b"\x5f\xc1\x05"]),
)
OBJECTS = st.builds(tlv.encode, st.sampled_from(TAGS), VALUES)
NESTED = st.builds(lambda tag, parts: tlv.encode(tag, *parts),
                   st.sampled_from([0x7C, 0xAC, 0x53]), st.lists(OBJECTS, max_size=3))  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=40),
    st.lists(OBJECTS | NESTED, max_size=3).map(b"".join),
    st.lists(st.sampled_from([PIN, PUK, OTHER, "ff" * 8]), min_size=1, max_size=2).map(
        lambda parts: bytes.fromhex("".join(parts))
    ),
)
HEADERS = st.tuples(
    st.sampled_from([0x00, 0x00, 0x00, 0x10, 0x80, 0x0C, 0xFF]),
    st.sampled_from(
        [0xA4, 0xCB, 0xDB, 0x20, 0x24, 0x2C, 0x87, 0x47, 0xF7, 0xF8, 0xFA, 0xFB, 0xFD, 0xFE, 0xFF]
        + [0xC0, 0xF9]
    ),
    st.sampled_from([0x00, 0x03, 0x04, 0x08, 0x11, 0x14, 0x3F, 0xFF]),
    st.sampled_from([0x00, 0x05, 0x80, 0x81, 0x82, 0x9A, 0x9B, 0x9C, 0x9E, 0xFF]),
).map(bytes)
COMMANDS = st.builds(
    lambda header, body, le: header + (bytes([len(body)]) if body else b"") + body + le,
    HEADERS,
    BODIES,
    st.sampled_from([b"", b"\0"]),
)


@given(
    apdus=st.lists(st.one_of(st.binary(max_size=30), COMMANDS), max_size=15),
    extensions=st.booleans(),
    opened=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_any_byte_string_gets_a_status_word(
    tmp_path_factory: pytest.TempPathFactory, apdus: list[bytes], extensions: bool, opened: bool
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "piv.json"
    card = new_card(path, extensions=extensions)
    if opened:
        generate(card, "9A", P256)
        sw(card, VERIFY + PIN)
    for apdu in apdus:
        answer = card.transmit(apdu)
        assert len(answer) >= 2
        assert answer[-2] in (0x90, 0x61, 0x62, 0x63, *range(0x65, 0x6F)), answer.hex()
    assert VirtualPiv.load(path)._chip == card._chip
