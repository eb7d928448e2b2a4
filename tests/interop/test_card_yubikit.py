"""The issuer's channel judged by Yubico's SCP03 host, which makes a card of ours.

yubikit has keys of 16 bytes only; those of 24 and 32 are in tests/unit/test_card_scp03.py.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from yubikit.core import TRANSPORT, BadResponseError, Version
from yubikit.core.smartcard import ApduError, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid
from yubikit.core.smartcard.scp import StaticKeys as YubikitKeys
from yubikit.securitydomain import SecurityDomainSession

from card_personalization import scp03, tlv
from card_personalization.apdu import CardChannel
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Role, default_layout
from card_personalization.scp03 import StaticKeys
from card_personalization.transport import EmbeddedTransport
from card_personalization.virtual.door import parse_command
from card_personalization.virtual_card import VirtualCard
from tests.unit.test_card_hpki import rsa_key

KEYS = StaticKeys(bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))
NEW_KEYS = StaticKeys(bytes(range(64, 80)), bytes(range(80, 96)), bytes(range(96, 112)))
AID = default_layout().applications[Role.SIGN].aid
PIN = b"Sign-4567"
CONTENT = bytes(range(255, -1, -1)) * 4

Step = tuple[int, int, int, int, bytes]


def file(fid: int, *more: tuple[int, bytes]) -> bytes:
    parts = [(0x83, fid.to_bytes(2, "big")), (0x88, bytes([(fid & 0x1F) << 3])), *more]
    return tlv.encode(0x62, *(tlv.encode(tag, value) for tag, value in parts))


PIN_RULE = tlv.encode(0x83, b"\x96") + tlv.encode(0x9A, b"\x0f") + tlv.encode(0x9B, b"\x04\x10")
KEY_RULE = tlv.encode(0x80, b"\x08\x00") + tlv.encode(0x9C, b"\x01")
REFERENCE = tlv.encode(0xB6, tlv.encode(0x81, b"\x00\x17"))
APPLICATION = tlv.encode(0x62, tlv.encode(0x82, b"\x38"), tlv.encode(0x84, AID))
STEPS: tuple[Step, ...] = (
    (0x00, 0xE0, 0, 0, APPLICATION),
    (0x00, 0xE0, 0, 0, file(0x0018, (0x82, b"\x01"), (0x80, b"\x08\x00"))),
    (0x00, 0xE0, 0, 0, file(0x0016, (0x82, b"\x09"), (0xA5, PIN_RULE))),
    (0x00, 0xE0, 0, 0, file(0x0017, (0x82, b"\x09"), (0xA5, KEY_RULE))),
    (0x00, 0xD6, 0x98, 0, CONTENT),
    (0x00, 0x47, 0x80, 0, REFERENCE),
    (0x00, 0x24, 0x01, 0x96, PIN),
    (0x00, 0x20, 0x00, 0x96, PIN),
    (0x00, 0xA4, 0x02, 0x00, b"\x00\x18"),
)


class Connection(SmartCardConnection):
    """Our card as yubikit sees it; every APDU is written down."""

    def __init__(self, card: VirtualCard) -> None:
        card.reset()
        self._card = card
        self.sent: list[bytes] = []

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def close(self) -> None: ...

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        if apdu == bytes.fromhex("00C00000"):
            apdu += b"\x00"  # yubikit leaves Le out of an extended GET RESPONSE
        self.sent.append(apdu)
        answer = self._card.transmit(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")


def new_card(path: Path) -> VirtualCard:
    return VirtualCard.create(
        path, "0a1b2c3d", KEYS, entropy=lambda size: b"\x5a" * size, make_key=lambda _: rsa_key(0)
    )


def yubikit_host(
    connection: Connection, keys: StaticKeys = KEYS, *, short: bool
) -> SmartCardProtocol:
    protocol = SmartCardProtocol(connection)
    protocol.configure(Version(5, 7, 0), force_short=short)
    params = YubikitKeys(*dataclasses.astuple(keys))
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, 0), params))
    return protocol


def answers_of(host: SmartCardProtocol | CardChannel) -> list[bytes]:
    send = host.send if isinstance(host, CardChannel) else host.send_apdu
    return [send(*step) for step in STEPS]


@pytest.mark.parametrize("short", [True, False])
def test_yubikits_host_makes_a_card(tmp_path: Path, short: bool) -> None:
    chip = new_card(tmp_path / "card.json")
    connection = Connection(chip)
    host = yubikit_host(connection, short=short)
    answers = answers_of(host)
    public_key = tlv.find(tlv.parse(answers[5]), 0x7F49, 0x81)
    assert public_key == rsa_key(0).public_key().public_numbers().n.to_bytes(256, "big")
    for offset in range(0, len(CONTENT), 128):
        assert host.send_apdu(0, 0xB0, *divmod(offset, 256), le=128) == CONTENT[offset:][:128]
    with pytest.raises(ApduError) as wrong:
        host.send_apdu(0, 0x20, 0x00, 0x96, b"wrong")
    assert wrong.value.sw == 0x63CE
    assert host.send_apdu(0, 0xCA, 0, 0x45) == bytes.fromhex("0a1b2c3d")
    assert max(map(len, connection.sent)) <= 261 or not short
    assert any(apdu[0] == 0x14 for apdu in connection.sent) is short
    assert PIN not in b"".join(connection.sent)


def test_our_host_sends_what_yubikits_sends(tmp_path: Path) -> None:
    """The same challenges, and the same octets; Le apart, which ours always sends.

    Without extended length: with it yubikit sends, and puts under the MAC, even short data so.
    """

    class Recorder(EmbeddedTransport):
        atr = b"\x3b\x00"

        def transmit(self, apdu: bytes) -> bytes:
            sent.append(apdu)
            return super().transmit(apdu)

    sent: list[bytes] = []
    connection = Connection(new_card(tmp_path / "theirs.json"))
    theirs = answers_of(yubikit_host(connection, short=True))
    challenge = parse_command(connection.sent[0]).data
    channel = CardChannel(Recorder(new_card(tmp_path / "ours.json")))
    assert answers_of(scp03.open_channel(channel, KEYS, challenge)) == theirs
    assert without_le(sent) == without_le(connection.sent)
    assert len(without_le(sent)) > len(STEPS)


def without_le(apdus: list[bytes]) -> list[tuple[bytes, bytes]]:
    commands = [parse_command(apdu) for apdu in apdus if apdu[1] != 0xC0]
    return [(bytes([one.cla, one.ins, one.p1, one.p2]), one.data) for one in commands]


@pytest.mark.parametrize("wrong", ["enc", "mac", "dek"])
def test_yubikits_host_with_a_wrong_key(tmp_path: Path, wrong: str) -> None:
    chip = new_card(tmp_path / "card.json")
    keys = dataclasses.replace(KEYS, **{wrong: bytes(16)})
    if wrong == "mac":
        with pytest.raises(ValueError, match="Incorrect SCP parameters"):
            yubikit_host(Connection(chip), keys, short=True)
    else:
        host = yubikit_host(Connection(chip), keys, short=True)
        with pytest.raises((ApduError, BadResponseError)):
            put_key(host, NEW_KEYS)
    assert chip._chip.issuer_keys == KEYS


def put_key(host: SmartCardProtocol, keys: StaticKeys) -> None:
    """PUT KEY as yubikit's security domain does; it checks the check values in the answer."""
    domain = SecurityDomainSession.__new__(SecurityDomainSession)
    domain.protocol = host
    domain.put_key(KeyRef(ScpKid.SCP03, 2), YubikitKeys(*dataclasses.astuple(keys)), 1)


def test_keys_put_by_yubikit_open_our_session_and_ours_open_yubikits(tmp_path: Path) -> None:
    chip = new_card(tmp_path / "card.json")
    put_key(yubikit_host(Connection(chip), short=False), NEW_KEYS)
    card = HpkiCard(EmbeddedTransport(chip), default_layout())
    card.authenticate_issuer(NEW_KEYS)
    assert card.identify().issuer_key_version == 2
    card.replace_issuer_key(KEYS)
    host = yubikit_host(Connection(chip), short=False)
    host.send_apdu(0, 0xE0, 0, 0, APPLICATION)


@pytest.mark.parametrize("short", [True, False])
def test_a_changed_octet_is_refused_by_card_and_by_yubikit(tmp_path: Path, short: bool) -> None:
    class Changed(Connection):
        command = answer = False

        def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
            if self.command:
                apdu = apdu[:-1] + bytes([apdu[-1] ^ 1])
            data, sw = super().send_and_receive(apdu)
            return (bytes([data[0] ^ 1]) + data[1:] if self.answer and data else data), sw

    chip = new_card(tmp_path / "card.json")
    connection = Changed(chip)
    host = yubikit_host(connection, short=short)
    connection.command, before = True, chip._chip
    with pytest.raises(ApduError) as refused:
        host.send_apdu(*STEPS[0])
    assert (refused.value.sw, chip._chip) == (0x6988, before)
    connection.command = False
    host = yubikit_host(connection, short=short)
    connection.answer = True
    with pytest.raises(BadResponseError):
        host.send_apdu(0, 0xCA, 0, 0x45)
