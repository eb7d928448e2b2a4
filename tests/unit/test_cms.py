"""Signed messages: what OpenSSL makes is read, what was tampered with is refused as it refuses."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki import der
from pki.cms import MAX_OCTETS, read_signed
from pki.errors import HpkiError, InvalidInput, Refused
from pki.reading.tlv import SET
from tests import tiers

CONTENT = "application_ref,kanji_name\r\nT2026-0001,髙橋　一郎\r\n".encode()
SHA256, SHA512 = "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.3"
DATA, RSA, SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.1.1", "1.2.840.113549.1.7.2"
TYPE, DIGEST, TIME = (f"1.2.840.113549.1.9.{number}" for number in (3, 4, 5))
NAMED = "1.2.840.113549.1.9.16.2.47"
NULL = b"\x05\x00"


@dataclass(frozen=True)
class Desk:
    """A folder with keys and certificates of two people, and OpenSSL."""

    folder: Path
    program: str

    def openssl(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [self.program, *words]
        return subprocess.run(command, cwd=self.folder, input=stdin, capture_output=True)

    def sign(self, *options: str, who: str = "rsa", content: bytes = CONTENT) -> bytes:
        words = ["cms", "-sign", "-binary", "-outform", "DER", "-nodetach"]
        words += ["-signer", f"{who}.pem", "-inkey", f"{who}.key"]
        done = self.openssl(*words, *options, stdin=content)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def verified(self, octets: bytes) -> bytes | None:
        """What OpenSSL reads, None where it refuses. The certificate's path is not asked for."""
        words = ("cms", "-verify", "-binary", "-noverify", "-inform", "DER")
        done = self.openssl(*words, stdin=octets)
        return done.stdout if done.returncode == 0 else None

    def der_of(self, who: str) -> bytes:
        pem = (self.folder / f"{who}.pem").read_bytes()
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(tmp_path_factory.mktemp("cms"), tiers.require_tool("openssl", tier="interop"))
    curve = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    for who, kind in (("rsa", ("rsa:2048",)), ("other", ("rsa:2048",)), ("ec", curve)):
        files = ("-keyout", f"{who}.key", "-out", f"{who}.pem")
        made.openssl("req", "-x509", "-noenc", "-subj", f"/CN={who}", "-newkey", *kind, *files)
    return made


def told(code: str, octets: bytes) -> HpkiError:
    with pytest.raises((InvalidInput, Refused)) as error:
        read_signed(octets)
    assert error.value.code == code, error.value
    assert "\n" not in error.value.text
    return error.value


PSS = ("-keyopt", "rsa_padding_mode:pss")
SOUND = {
    "RSA, SHA-256": ("rsa", ("-md", "sha256")),
    "RSA, SHA-384": ("rsa", ("-md", "sha384")),
    "RSA, SHA-512": ("rsa", ("-md", "sha512")),
    "PSS": ("rsa", ("-md", "sha256", *PSS, "-keyopt", "rsa_pss_saltlen:-1")),
    "P-256": ("ec", ("-md", "sha256")),
    "P-256, SHA-512": ("ec", ("-md", "sha512")),
    "CAdES-BES": ("rsa", ("-md", "sha256", "-cades")),
    "CAdES-BES, SHA-384": ("ec", ("-md", "sha384", "-cades")),
    "key identifier": ("rsa", ("-keyid",)),
    "more certificates": ("rsa", ("-certfile", "other.pem")),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_openssl_signs_is_read(desk: Desk, name: str) -> None:
    who, options = SOUND[name]
    octets = desk.sign(*options, who=who)
    signed = read_signed(octets)
    assert (signed.content, signed.certificate_der) == (CONTENT, desk.der_of(who))
    assert signed.signing_time is not None
    assert abs((datetime.now(UTC) - signed.signing_time).total_seconds()) < 600
    assert desk.verified(octets) == CONTENT


OTHERWISE = {
    "SHA-1": ("pki.cms.digest", ("-md", "sha1")),
    "no attributes": ("pki.cms.attributes", ("-noattr",)),
    "two signers": ("pki.cms.signers", ("-signer", "other.pem", "-inkey", "other.key")),
    "BER": ("pki.cms.der", ("-stream",)),
    "long salt": ("pki.cms.algorithm", PSS),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_is_signed_otherwise_is_refused_though_it_verifies(desk: Desk, name: str) -> None:
    code, options = OTHERWISE[name]
    octets = desk.sign(*options)
    assert told(code, octets).hint
    assert desk.verified(octets) == CONTENT


def test_a_streamed_message_is_read_once_it_is_converted(desk: Desk) -> None:
    streamed = desk.sign("-stream")
    done = desk.openssl("cms", "-cmsout", "-inform", "DER", "-outform", "DER", stdin=streamed)
    assert read_signed(done.stdout).content == CONTENT


def test_what_lacks_a_part_is_refused(desk: Desk) -> None:
    words = ("cms", "-sign", "-binary", "-outform", "DER")
    signer = ("-signer", "rsa.pem", "-inkey", "rsa.key")
    detached = desk.openssl(*words, *signer, stdin=CONTENT).stdout
    pem = desk.openssl(*words, "-nodetach", *signer, "-outform", "PEM", stdin=CONTENT).stdout
    assert "-nodetach" in told("pki.cms.detached", detached).hint
    assert "-inform PEM" in told("pki.cms.form", pem).hint
    told("pki.cms.certificate", desk.sign("-nocerts"))
    for octets in (detached, desk.sign("-nocerts")):
        assert desk.verified(octets) is None


def exchanged(octets: bytes, old: bytes, new: bytes) -> bytes:
    assert octets.count(old) == 1
    assert len(old) == len(new)
    return octets.replace(old, new)


def test_what_was_exchanged_is_refused(desk: Desk) -> None:
    octets = desk.sign("-md", "sha256")
    moment = octets[octets.index(b"\x17\x0d", octets.index(bytes.fromhex("2a864886f70d010905"))) :]
    other = CONTENT.replace(b"0001", b"0002")
    attacks = {
        "content": ("pki.cms.changed", exchanged(octets, CONTENT, other)),
        "digest": (
            "pki.cms.changed",
            exchanged(octets, hashlib.sha256(CONTENT).digest(), hashlib.sha256(other).digest()),
        ),
        "both": (
            "pki.cms.signature",
            exchanged(octets, CONTENT, other).replace(
                hashlib.sha256(CONTENT).digest(), hashlib.sha256(other).digest()
            ),
        ),
        "time": ("pki.cms.signature", exchanged(octets, moment[:15], b"\x17\x0d200101000000Z")),
        "signature": ("pki.cms.signature", octets[:-1] + bytes([octets[-1] ^ 1])),
    }
    for code, attacked in attacks.values():
        told(code, attacked)
        assert desk.verified(attacked) is None


def test_too_much_and_too_little(desk: Desk) -> None:
    octets = desk.sign()
    told("pki.cms.behind", octets + b"\x00")
    told("pki.cms.behind", octets + octets)
    told("pki.cms.size", desk.sign(content=bytes(2 * MAX_OCTETS)))
    told("pki.cms.form", b"")
    told("pki.cms.der", octets[:-1])
    nested = b""
    for _ in range(30):
        nested = der.sequence(nested)
    assert "deep" in told("pki.cms.der", nested).text
    assert "many" in told("pki.cms.der", der.sequence(der.integer(1) * 30_000)).text
    told("pki.cms.der", der.sequence(der.object_identifier(DATA), der.tlv(0xA0, NULL)))


# --- what no program of ours makes: messages put together by hand ---


def attribute(oid: str, *values: bytes) -> bytes:
    return der.sequence(der.object_identifier(oid), der.tlv(SET, b"".join(values)))


USUAL = (
    attribute(TYPE, der.object_identifier(DATA)),
    attribute(DIGEST, der.tlv(0x04, hashlib.sha256(CONTENT).digest())),
)


def algorithm(oid: str) -> bytes:
    return der.sequence(der.object_identifier(oid), NULL)


@dataclass(frozen=True)
class Hand:
    """Signs whatever attributes it is given, with the RSA key."""

    key: rsa.RSAPrivateKey
    certificate: bytes

    def __call__(
        self,
        attributes: Sequence[bytes] = USUAL,
        order: Callable[[Sequence[bytes]], Sequence[bytes]] = sorted,
        kind: str = DATA,
        certificates: bytes | None = None,
        digests: bytes = algorithm(SHA256),
        named: str = RSA,
    ) -> bytes:
        joined = b"".join(order(attributes))
        scheme = padding.PKCS1v15()
        signature = self.key.sign(der.tlv(SET, joined), scheme, hashes.SHA256())
        parsed = x509.load_der_x509_certificate(self.certificate)
        sid = der.sequence(parsed.issuer.public_bytes(), der.integer(parsed.serial_number))
        parts = (der.integer(1), sid, algorithm(SHA256), der.tlv(0xA0, joined))
        signer = der.sequence(*parts, algorithm(named), der.tlv(0x04, signature))
        inside = der.tlv(0xA0, der.tlv(0x04, CONTENT))
        held = self.certificate if certificates is None else certificates
        data = der.sequence(
            der.integer(1),
            der.tlv(SET, digests),
            der.sequence(der.object_identifier(kind), inside),
            der.tlv(0xA0, held),
            der.tlv(SET, signer),
        )
        return der.sequence(der.object_identifier(SIGNED_DATA), der.tlv(0xA0, data))


@pytest.fixture(scope="module")
def hand(desk: Desk) -> Hand:
    octets = (desk.folder / "rsa.key").read_bytes()
    key = serialization.load_pem_private_key(octets, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return Hand(key, desk.der_of("rsa"))


def names(certificate: bytes, *more: bytes) -> bytes:
    """The attribute that names the signing certificate by its SHA-256."""
    digest = der.tlv(0x04, hashlib.sha256(certificate).digest())
    return attribute(NAMED, der.sequence(der.sequence(der.sequence(digest, *more))))


def test_the_attributes_are_signed_as_a_set(desk: Desk, hand: Hand) -> None:
    assert read_signed(hand()).signing_time is None
    assert desk.verified(hand()) == CONTENT
    time = attribute(TIME, der.time(datetime(2026, 11, 21, 3, tzinfo=UTC)))
    found = read_signed(hand((*USUAL, time))).signing_time
    assert found == datetime(2026, 11, 21, 3, tzinfo=UTC)
    backwards = hand(order=lambda parts: sorted(parts, reverse=True))
    assert "order" in told("pki.cms.der", backwards).text


def test_attributes_that_say_otherwise_are_refused(desk: Desk, hand: Hand) -> None:
    kind, digest = USUAL
    content = "pki.cms.content"
    other = attribute(TYPE, der.object_identifier(SIGNED_DATA))
    wrong = attribute(DIGEST, der.tlv(0x04, bytes(32)))
    double = attribute(DIGEST, *(der.tlv(0x04, bytes([one]) * 32) for one in (1, 2)))
    for code, attributes in (
        ("pki.cms.attributes", ()),
        ("pki.cms.attributes", (kind,)),
        ("pki.cms.attributes", (digest,)),
        ("pki.cms.attributes", (kind, double)),
        ("pki.cms.attributes", (kind, digest, wrong)),
        (content, (other, digest)),
        ("pki.cms.changed", (kind, wrong)),
    ):
        octets = hand(attributes)
        told(code, octets)
        assert desk.verified(octets) == (CONTENT if code == content else None)  # it is laxer
    told(content, hand(kind=SIGNED_DATA))
    told("pki.cms.der", hand((*USUAL, attribute(TIME, der.tlv(0x17, b"2611210300Z")))))
    told("pki.cms.algorithm", hand(named="1.2.840.113549.1.1.5"))
    told("pki.cms.der", hand(digests=algorithm(SHA512)))


def test_the_signing_certificate_is_the_one_named(desk: Desk, hand: Hand) -> None:
    own, other = desk.der_of("rsa"), desk.der_of("other")
    parsed = x509.load_der_x509_certificate(own)
    issuer = der.sequence(der.tlv(0xA4, parsed.issuer.public_bytes()))
    serial = der.sequence(issuer, der.integer(parsed.serial_number))
    another = der.sequence(issuer, der.integer(parsed.serial_number + 1))
    for sound in (names(own), names(own, serial)):
        octets = hand((*USUAL, sound))
        assert read_signed(octets).certificate_der == own
        assert desk.verified(octets) == CONTENT
    for false in (names(other), names(own, another)):
        told("pki.cms.certificate", hand((*USUAL, false)))
    told("pki.cms.der", hand((*USUAL, attribute(NAMED, NULL))))


def test_a_certificate_that_is_not_the_signers_does_not_do(desk: Desk, hand: Hand) -> None:
    own, other = desk.der_of("rsa"), desk.der_of("other")
    for held in (other, b"", own[:-1] + bytes([own[-1] ^ 1]) + own, own * 9 + other * 9, NULL):
        told("pki.cms.certificate", hand(certificates=held))
    assert read_signed(hand(certificates=other + own)).certificate_der == own


def mutated(octets: bytes, dice: random.Random) -> bytes:
    """The octets with one to three changes: a bit, an octet, a piece gone, doubled or moved."""
    made = bytearray(octets)
    for _ in range(dice.randint(1, 3)):
        at, length = dice.randrange(len(made)), dice.randint(1, 12)
        piece = bytes(made[at : at + length])
        match dice.randrange(5):
            case 0:
                made[at] ^= 1 << dice.randrange(8)
            case 1:
                made[at] = dice.choice((0x00, 0x30, 0x31, 0x80, 0xA0, 0xFF, dice.randrange(256)))
            case 2:
                del made[at : at + length]
            case 3:
                made[at:at] = piece
            case _:
                to = dice.randrange(len(made))
                made[to : to + length] = piece
    return bytes(made)


def test_no_mutation_gets_through_or_breaks_the_reader(desk: Desk) -> None:
    """What still is read is what was signed, and OpenSSL reads it too."""
    dice, codes = random.Random(10), set()
    for who in ("rsa", "ec"):
        octets, own = desk.sign("-cades", "-md", "sha256", who=who), desk.der_of(who)
        for _ in range(1000):
            attacked = mutated(octets, dice)
            try:
                signed = read_signed(attacked)
            except (InvalidInput, Refused) as error:
                codes.add(error.code)
                continue
            assert (signed.content, signed.certificate_der) == (CONTENT, own)
            assert attacked == octets or desk.verified(attacked) == CONTENT
    assert codes > {"pki.cms.der", "pki.cms.changed", "pki.cms.signature", "pki.cms.certificate"}
