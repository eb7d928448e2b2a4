"""The virtual PIV card used by software of others: yubico-piv-tool, OpenSC, yubikit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from yubikit.core import TRANSPORT, InvalidPinError
from yubikit.core.smartcard import SW, ApduError, SmartCardConnection
from yubikit.piv import (
    DEFAULT_MANAGEMENT_KEY,
    KEY_TYPE,
    MANAGEMENT_KEY_TYPE,
    OBJECT_ID,
    PIN_POLICY,
    SLOT,
    PivSession,
)

from card_personalization.pcsc import PcscTransport
from card_personalization.transport import EmbeddedTransport, Transport
from card_personalization.virtual_piv import VirtualPiv
from keys.backend import KeySpec
from keys.files import make_private_key
from tests.interop.virtual_reader import SLOTS, VirtualReader
from tests.tiers import require_tool, tier_missing

pytestmark = pytest.mark.xdist_group("pcsc")

READER = SLOTS[0]  # the other slot is yubikit's
PIN, PUK, NEW_PIN, NEW_PUK = "123456", "12345678", "65432100", "87654321"
TEXT = b"prescription\n" * 1000
PUBLIC_KEYS = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def certificate_for(public_key: PUBLIC_KEYS) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dr Demo")])
    start = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, public_key, 7)
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=365))
    return builder.sign(make_private_key(KeySpec("P-256")), hashes.SHA256())


@dataclass(frozen=True)
class Desk:
    """A card in the reader, and a folder for what programs write."""

    card: VirtualPiv
    folder: Path

    def run(self, tool: str, *arguments: str, ends: int = 0) -> str:
        done = subprocess.run(
            [require_tool(tool, tier="cards"), *arguments],
            cwd=self.folder,
            env={**os.environ, "OPENSC_CONF": "/dev/null"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == ends, done.stdout + done.stderr
        return done.stdout + done.stderr

    def yubico(self, *arguments: str, ends: int = 0) -> str:
        return self.run("yubico-piv-tool", "--reader", READER, *arguments, ends=ends)

    def verified(self, slot: str, signature: str, *options: str) -> None:
        """Let openssl judge a signature over ``text`` by the public key that the card gave."""
        said = self.run(
            "openssl", "dgst", "-sha256", *options,
            "-verify", f"{slot}.pub", "-signature", signature, "text",
        )  # fmt: skip
        assert said == "Verified OK\n"


@pytest.fixture(scope="module", params=[True, False], ids=["extensions", "plain"])
def desk(
    request: pytest.FixtureRequest,
    virtual_reader: VirtualReader,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Desk]:
    """A card with CHUID, CCC, keys and certificates in 9A and 9C, all by yubico-piv-tool."""
    folder = tmp_path_factory.mktemp("piv")
    card = VirtualPiv.create(folder / "card.json", extensions=request.param)
    (folder / "text").write_bytes(TEXT)
    with virtual_reader.holding(card):
        desk = Desk(card, folder)
        desk.yubico("-a", "set-chuid", "-a", "set-ccc")
        policies = ("--pin-policy=always", "--touch-policy=never") if request.param else ()
        desk.yubico("-a", "generate", "-s", "9c", "-A", "RSA2048", "-o", "9c.pub", *policies)
        desk.yubico("-a", "generate", "-s", "9a", "-A", "ECCP256", "-o", "9a.pub")
        for slot in ("9a", "9c"):
            key = serialization.load_pem_public_key((folder / f"{slot}.pub").read_bytes())
            assert isinstance(key, PUBLIC_KEYS)
            certificate = certificate_for(key).public_bytes(Encoding.PEM)
            (folder / f"{slot}.crt").write_bytes(certificate)
            desk.yubico("-a", "import-certificate", "-s", slot, "-i", f"{slot}.crt")
        yield desk


# --- yubico-piv-tool ---


@pytest.mark.parametrize("slot", ["9a", "9c"])
def test_yubicos_tool_reads_and_signs(desk: Desk, slot: str) -> None:
    desk.yubico("-a", "read-certificate", "-s", slot, "-o", "read")
    assert (desk.folder / "read").read_bytes() == (desk.folder / f"{slot}.crt").read_bytes()
    sign = ("-a", "test-signature", "-s", slot, "-i", f"{slot}.crt")
    assert "verification." in desk.yubico("-a", "verify-pin", "-P", PIN, *sign)
    desk.yubico(*sign, ends=1)


def test_yubicos_tool_changes_and_frees_the_pin(desk: Desk) -> None:
    desk.yubico("-a", "change-pin", "-P", PIN, "-N", NEW_PIN)
    assert "2 tries left" in desk.yubico("-a", "verify-pin", "-P", PIN, ends=1)
    desk.yubico("-a", "verify-pin", "-P", NEW_PIN)
    desk.yubico("-a", "change-puk", "-P", PUK, "-N", NEW_PUK)
    for _ in range(3):
        desk.yubico("-a", "verify-pin", "-P", PIN, ends=1)
    desk.yubico("-a", "verify-pin", "-P", NEW_PIN, ends=1)
    desk.yubico("-a", "unblock-pin", "-P", PUK, "-N", PIN, ends=1)
    desk.yubico("-a", "unblock-pin", "-P", NEW_PUK, "-N", PIN)
    desk.yubico("-a", "verify-pin", "-P", PIN)
    desk.yubico("-a", "change-puk", "-P", NEW_PUK, "-N", PUK)


def test_yubicos_extensions_by_its_tool(desk: Desk) -> None:
    extensions = desk.card._chip.extensions
    ends = 0 if extensions else 1
    key = bytes(range(24)).hex()
    retries = ("-a", "pin-retries", "--pin-retries", "5", "--puk-retries", "6")
    desk.yubico("-a", "verify-pin", "-P", PIN, *retries, ends=ends)
    desk.yubico("-a", "set-mgm-key", "-n", key, ends=ends)
    if extensions:
        assert "PIN tries left:\t5" in desk.yubico("-a", "status")
        assert "5.4.3" in desk.yubico("-a", "version")
        desk.yubico("-a", "set-chuid", ends=1)
        desk.yubico(f"--key={key}", "-a", "set-chuid", "-a", "set-mgm-key",
                    "-n", DEFAULT_MANAGEMENT_KEY.hex())  # fmt: skip


# --- OpenSC ---


def opensc_module() -> str:
    found = [*Path("/usr/lib").glob("*/opensc-pkcs11.so")]
    return str(found[0]) if found else tier_missing("cards", "no opensc-pkcs11.so")


def test_opensc_reads_the_certificates(desk: Desk) -> None:
    listed = desk.run("pkcs15-tool", "--list-certificates", "--list-keys", "--list-pins")
    for label in ("Certificate for PIV Authentication", "Certificate for Digital Signature"):
        assert label in listed
    for number, slot in (("01", "9a"), ("02", "9c")):
        read = desk.run("pkcs15-tool", "--read-certificate", number)
        assert (desk.folder / f"{slot}.crt").read_text() in read


@pytest.mark.parametrize(
    ("mechanism", "options"),
    [
        ("SHA256-RSA-PKCS", ()),
        ("SHA256-RSA-PKCS-PSS", ("-sigopt", "rsa_padding_mode:pss")),
    ],
)
def test_opensc_signs_with_rsa(desk: Desk, mechanism: str, options: tuple[str, ...]) -> None:
    desk.run(
        "pkcs11-tool", "--module", opensc_module(), "--login", "--pin", PIN, "--sign",
        "--id", "02", "--mechanism", mechanism, "--input-file", "text", "--output-file", mechanism,
    )  # fmt: skip
    desk.verified("9c", mechanism, *options)


def test_opensc_signs_with_a_curve(desk: Desk) -> None:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(TEXT)
    (desk.folder / "digest").write_bytes(digest.finalize())
    desk.run(
        "pkcs11-tool", "--module", opensc_module(), "--login", "--pin", PIN, "--sign",
        "--id", "01", "--mechanism", "ECDSA", "--signature-format", "openssl",
        "--input-file", "digest", "--output-file", "ecdsa",
    )  # fmt: skip
    desk.verified("9a", "ecdsa")


# --- yubikit ---


class Connection(SmartCardConnection):
    """yubikit's end of a transport: over USB it sends extended commands, over NFC short ones."""

    def __init__(self, through: Transport, kind: TRANSPORT) -> None:
        self.through = through
        self.kind = kind

    @property
    def transport(self) -> TRANSPORT:
        return self.kind

    def close(self) -> None:
        self.through.close()

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        answer = self.through.transmit(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")


@pytest.fixture(params=[TRANSPORT.USB, TRANSPORT.NFC])
def session(
    request: pytest.FixtureRequest, virtual_reader: VirtualReader, tmp_path: Path
) -> Iterator[PivSession]:
    """A session with a card from the factory: in the reader, or in this process."""
    card = VirtualPiv.create(tmp_path / "card.json", extensions=True)
    if request.param == TRANSPORT.NFC:
        yield PivSession(Connection(EmbeddedTransport(card), request.param))
        return
    with virtual_reader.holding(card, 1), closing(PcscTransport(SLOTS[1])) as transport:
        yield PivSession(Connection(transport, request.param))


def verify(key: PUBLIC_KEYS, signature: bytes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())
    else:
        key.verify(signature, TEXT, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("kind", [KEY_TYPE.RSA2048, KEY_TYPE.ECCP256, KEY_TYPE.ECCP384])
def test_yubikit_makes_a_card_and_signs(session: PivSession, kind: KEY_TYPE) -> None:
    with pytest.raises(ApduError) as refused:
        session.generate_key(SLOT.SIGNATURE, kind)
    assert refused.value.sw == SW.SECURITY_CONDITION_NOT_SATISFIED
    with pytest.raises(ApduError):
        session.authenticate(bytes(24))
    session.authenticate(DEFAULT_MANAGEMENT_KEY)
    key = session.generate_key(SLOT.SIGNATURE, kind, PIN_POLICY.ALWAYS)
    assert isinstance(key, PUBLIC_KEYS)
    certificate = certificate_for(key)
    session.put_certificate(SLOT.SIGNATURE, certificate)
    assert session.get_certificate(SLOT.SIGNATURE) == certificate
    session.verify_pin(PIN)
    arguments = (SLOT.SIGNATURE, kind, TEXT, hashes.SHA256(), padding.PKCS1v15())
    verify(key, session.sign(*arguments))
    with pytest.raises(ApduError) as refused:
        session.sign(*arguments)
    assert refused.value.sw == SW.SECURITY_CONDITION_NOT_SATISFIED
    metadata = session.get_slot_metadata(SLOT.SIGNATURE)
    assert (metadata.key_type, metadata.pin_policy) == (kind, PIN_POLICY.ALWAYS)
    assert metadata.generated
    assert metadata.public_key.public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ) == key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("name", ["RSA-2048", "P-256", "P-384"])
def test_yubikit_brings_a_key(session: PivSession, name: str) -> None:
    key = make_private_key(KeySpec(name))
    session.authenticate(DEFAULT_MANAGEMENT_KEY)
    kind = session.put_key(SLOT.RETIRED1, key, PIN_POLICY.NEVER)
    assert not session.get_slot_metadata(SLOT.RETIRED1).generated
    signature = session.sign(SLOT.RETIRED1, kind, TEXT, hashes.SHA256(), padding.PKCS1v15())
    verify(key.public_key(), signature)


@pytest.mark.parametrize("kind", list(MANAGEMENT_KEY_TYPE))
def test_yubikit_changes_the_management_key(session: PivSession, kind: MANAGEMENT_KEY_TYPE) -> None:
    assert session.get_management_key_metadata().default_value
    own = os.urandom(kind.key_len)
    session.authenticate(DEFAULT_MANAGEMENT_KEY)
    session.set_management_key(kind, own)
    again = PivSession(session.protocol.connection)
    assert again.management_key_type == kind
    assert not again.get_management_key_metadata().default_value
    again.authenticate(own)
    again.put_object(OBJECT_ID.PRINTED, b"data")


def test_yubikit_sets_the_secrets_and_resets_the_card(session: PivSession) -> None:
    session.authenticate(DEFAULT_MANAGEMENT_KEY)
    session.verify_pin(PIN)
    session.set_pin_attempts(5, 4)
    session.change_pin(PIN, NEW_PIN)
    session.change_puk(PUK, NEW_PUK)
    with pytest.raises(InvalidPinError) as wrong:
        session.verify_pin(PIN)
    assert wrong.value.attempts_remaining == 4
    session.unblock_pin(NEW_PUK, PIN)
    pin, puk = session.get_pin_metadata(), session.get_puk_metadata()
    assert (pin.default_value, pin.total_attempts, pin.attempts_remaining) == (True, 5, 5)
    assert (puk.default_value, puk.total_attempts, puk.attempts_remaining) == (False, 4, 4)
    session.generate_key(SLOT.AUTHENTICATION, KEY_TYPE.ECCP256)
    serial = session.get_serial()
    session.reset()
    assert session.get_pin_metadata().total_attempts == 3
    with pytest.raises(ApduError) as empty:
        session.get_slot_metadata(SLOT.AUTHENTICATION)
    assert empty.value.sw == SW.REFERENCE_DATA_NOT_FOUND
    assert session.get_serial() == serial
