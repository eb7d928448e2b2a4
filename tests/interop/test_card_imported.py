"""Imported keys judged by others: yubikit, openssl and OpenSC; and a card that takes none."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yubikit.core import TRANSPORT
from yubikit.piv import KEY_TYPE, PIN_POLICY, SLOT, PivSession

from card_personalization import tlv
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Role, default_layout
from card_personalization.profiles import HPKI, card_profile
from card_personalization.transport import EmbeddedTransport
from card_personalization.virtual.security_commands import put_private_key
from card_personalization.virtual.session import Answer, Command, Session
from card_personalization.virtual_card import COMMANDS
from card_personalization.virtual_piv import VirtualPiv
from pki.errors import Unavailable
from store.database import Store
from tests.faults.resuming import check_whole
from tests.flows.conftest import CEREMONY, Centre
from tests.flows.issuing import refused
from tests.flows.piv import make_piv
from tests.flows.registration import (
    blank_card,
    entries,
    order_all,
    personalize,
    pins_of,
    row,
)
from tests.interop.jcecard_card import JceCard
from tests.interop.test_card_pcsc import OpenSC, chip
from tests.interop.test_card_piv_virtual import PUBLIC_KEYS, TEXT, verify
from tests.interop.test_card_piv_virtual import Connection as PivConnection
from tests.interop.test_card_yubikit import KEYS, STEPS, Connection, new_card, yubikit_host
from tests.interop.virtual_reader import VirtualReader
from tests.tiers import require_tool
from tests.unit.test_card_hpki import rsa_key

pytestmark = pytest.mark.xdist_group("pcsc")

NEXT_GENERATION = (
    Path(__file__).parents[2] / "examples" / "ceremony-next-generation.toml"
).read_bytes()
IMPORT = '[card]\nkey_origin = "import"\n'
SLOTS = {Role.SIGN: SLOT.SIGNATURE, Role.AUTH: SLOT.AUTHENTICATION}
POLICIES = {Role.SIGN: PIN_POLICY.ALWAYS, Role.AUTH: PIN_POLICY.ONCE}


@pytest.fixture(scope="module")
def centres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Centre]]:
    """Centres by the kind of key that they certify on PIV cards."""
    made = {}
    for name, ceremony in (("RSA-2048", CEREMONY), ("P-256", NEXT_GENERATION)):
        folder = tmp_path_factory.mktemp("imported")
        made[name] = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
        made[name].set_up()
        made[name].hold_ceremony(ceremony)
    yield made
    for one in made.values():
        one.store.close()


# --- PIV ---


@pytest.mark.parametrize(
    ("name", "kind"), [("RSA-2048", KEY_TYPE.RSA2048), ("P-256", KEY_TYPE.ECCP256)]
)
@pytest.mark.parametrize(("number", "origin"), [(1, "import"), (2, "card")])
def test_yubikit_sees_where_a_key_was_made_and_signs_with_it(
    centres: dict[str, Centre], name: str, kind: KEY_TYPE, number: int, origin: str
) -> None:
    centre = centres[name]
    (order,) = order_all(centre, row(number))
    piv = VirtualPiv.create(centre.folder / f"{name}-{origin}.json", extensions=True)
    changes = f'[card]\nalgorithms = ["{name}"]\nkey_origin = "{origin}"\n'
    report = make_piv(centre, order.id, EmbeddedTransport(piv), changes)
    pin = pins_of(centre, report.chip_serial, order.id)["PIN"]
    session = PivSession(PivConnection(EmbeddedTransport(piv), TRANSPORT.NFC))
    for role, certificate in report.certificates.items():
        assert session.get_certificate(SLOTS[role]) == certificate
        metadata = session.get_slot_metadata(SLOTS[role])
        assert (metadata.key_type, metadata.pin_policy) == (kind, POLICIES[role])
        assert metadata.generated is (origin == "card")
        assert metadata.public_key.public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        ) == certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        session.verify_pin(pin)
        arguments = (SLOTS[role], kind, TEXT, hashes.SHA256(), padding.PKCS1v15())
        key = certificate.public_key()
        assert isinstance(key, PUBLIC_KEYS)
        assert isinstance(key, ec.EllipticCurvePublicKey) is (name == "P-256")
        verify(key, session.sign(*arguments))


def test_a_card_nobody_here_wrote_takes_none_and_is_refused(centres: dict[str, Centre]) -> None:
    centre = centres["P-256"]
    (order,) = order_all(centre, row(21))
    card = JceCard()
    before = len(entries(centre, "CARD.KEYGEN", "CERT.ISSUE"))
    changes = '[card]\nalgorithms = ["P-256"]\nkey_origin = "import"\n[sign]\npin_always = false\n'
    refused(
        Unavailable,
        "card.import.not_offered",
        lambda: make_piv(centre, order.id, EmbeddedTransport(card), changes),
    )
    assert len(entries(centre, "CARD.KEYGEN", "CERT.ISSUE")) == before
    assert [apdu[1] for apdu in card.sent[-1:]] == [0xFE]


# --- HPKI ---


def openssl(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    program = shutil.which("openssl") or require_tool("openssl", tier="interop")
    return subprocess.run(
        [program, *arguments], cwd=folder, input=given, capture_output=True, check=True
    ).stdout


WRAP = ("-id-aes128-wrap-pad", "-K", KEYS.dek.hex(), "-iv", "A65959A6")


def test_a_key_wrapped_by_openssl_and_sent_by_yubikit_is_the_cards(tmp_path: Path) -> None:
    numbers = rsa_key(61).private_numbers()
    parts = {0x91: b"\x01\x00\x01", 0x92: numbers.p.to_bytes(128), 0x93: numbers.q.to_bytes(128)}
    template = tlv.encode(0x7F48, *(tlv.encode(tag, value) for tag, value in parts.items()))
    wrapped = openssl(tmp_path, "enc", *WRAP, given=template)
    host = yubikit_host(Connection(new_card(tmp_path / "card.json")), short=True)
    for step in STEPS[:4]:
        host.send_apdu(*step)
    reference = tlv.encode(0xB6, tlv.encode(0x81, b"\x00\x17"))
    host.send_apdu(0x00, 0xDB, 0x3F, 0xFF, reference + tlv.encode(0x84, wrapped))
    answer = host.send_apdu(0x00, 0x47, 0x81, 0x00, reference)
    modulus = tlv.find(tlv.parse(answer), 0x7F49, 0x81)
    assert modulus == numbers.public_numbers.n.to_bytes(256)


def test_openssl_opens_what_our_host_wraps(tmp_path: Path) -> None:
    """As it comes to the card inside the session, of which the wire shows nothing."""

    def noted(session: Session, command: Command) -> Answer:
        wrapped.append(tlv.find(tlv.parse(command.data), 0x84) or b"")
        return put_private_key(session, command)

    class Wire(EmbeddedTransport):
        def transmit(self, apdu: bytes) -> bytes:
            sent.append(apdu)
            return super().transmit(apdu)

    wrapped: list[bytes] = []
    sent: list[bytes] = []
    key, numbers = rsa_key(61), rsa_key(61).private_numbers()
    chip = new_card(tmp_path / "card.json")
    chip._commands = {**COMMANDS, (0x00, 0xDB): noted}
    card = HpkiCard(Wire(chip), default_layout())
    card.authenticate_issuer(KEYS)
    card.create_application(Role.SIGN)
    card.import_key(Role.SIGN, key)
    (tmp_path / "wrapped").write_bytes(wrapped[0])
    template = tlv.parse(openssl(tmp_path, "enc", "-d", *WRAP, "-in", "wrapped"))
    found = [tlv.find(template, 0x7F48, tag) for tag in (0x91, 0x92, 0x93)]
    assert found == [b"\x01\x00\x01", numbers.p.to_bytes(128), numbers.q.to_bytes(128)]
    assert [apdu for apdu in sent if wrapped[0][:32] in apdu] == []


def test_opensc_sees_that_the_key_was_not_made_on_the_card_and_signs_with_it(
    centres: dict[str, Centre], virtual_reader: VirtualReader, tmp_path: Path
) -> None:
    centre = centres["RSA-2048"]
    (order,) = order_all(centre, row(31))
    imported, card = blank_card(centre), blank_card(centre)
    with pytest.MonkeyPatch.context() as patch:
        station = replace(centre.station, profile=card_profile(HPKI, IMPORT))
        patch.setattr(centre, "station", station)
        report = personalize(centre, order.id, imported)
    check_whole(centre, order.id, imported, report)
    (other,) = order_all(centre, row(32))
    personalize(centre, other.id, card)
    opensc, layout = OpenSC(tmp_path), default_layout()
    pins = pins_of(centre, imported, order.id)
    (tmp_path / "text").write_bytes(TEXT)
    said = {}
    for serial in (card, imported):
        with virtual_reader.holding(chip(centre, serial)):
            for slot, role in enumerate(Role):
                aid = layout.applications[role].aid.hex()
                listed = opensc.run("pkcs15-tool", "--aid", aid, "--list-keys")
                (said[serial, role],) = [
                    line.partition(": ")[2]
                    for line in listed.splitlines()
                    if "Access Flags" in line
                ]
                if serial == imported:
                    opensc.run(
                        "pkcs11-tool", "--slot-index", str(slot), "--login", "--pin", pins[role],
                        "--sign", "--id", layout.key_id.hex(), "--mechanism", "SHA256-RSA-PKCS",
                        "--input-file", str(tmp_path / "text"),
                        "--output-file", str(tmp_path / role),
                    )  # fmt: skip
    for role, certificate in report.certificates.items():
        assert "local" in said[card, role]
        assert said[imported, role] == "[0x01], sensitive"
        key = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / "key.pem").write_bytes(key)
        verified = openssl(
            tmp_path, "dgst", "-sha256", "-verify", "key.pem", "-signature", role, "text"
        )
        assert verified == b"Verified OK\n"
