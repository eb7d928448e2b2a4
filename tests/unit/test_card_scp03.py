"""SCP03: our host by vectors of others, our host and our card against whoever stands between."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from card_personalization import scp03
from card_personalization.apdu import (
    CardChannel,
    CardError,
    IssuerKeyRefused,
    SecurityNotSatisfied,
    UnexpectedStatus,
    WrongPin,
)
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Role, default_layout
from card_personalization.scp03 import SecureChannel, SecureMessagingFailed, StaticKeys
from card_personalization.transport import CardRemoved, EmbeddedTransport, FaultTransport
from card_personalization.virtual_card import VirtualCard
from pki.errors import HpkiError, InvalidInput, Refused, Unavailable
from tests.unit.test_card_hpki import FACTORY_KEYS, OWN_KEYS, PINS, personalize, rsa_key

KEYS = FACTORY_KEYS
LAYOUT = default_layout()
FILE = LAYOUT.files["holder"]
SHORT_ATR = bytes.fromhex("3b88800148504b4953494d3175")


def new_card(path: Path, keys: StaticKeys = KEYS) -> VirtualCard:
    return VirtualCard.create(path, "0a1b2c3d4e5f6071", keys, make_key=lambda _: rsa_key(0))


@pytest.fixture
def chip(tmp_path: Path) -> VirtualCard:
    """A card with the files of one application, and no session."""
    card = HpkiCard(EmbeddedTransport(new_card(tmp_path / "card.json")), LAYOUT)
    card.authenticate_issuer(KEYS)
    card.create_application(Role.SIGN)
    card.set_initial_pin(Role.SIGN, PINS[Role.SIGN])
    return VirtualCard.load(tmp_path / "card.json", make_key=lambda _: rsa_key(0))


class Wire(EmbeddedTransport):
    """What passes, and who changes it: ``command`` and ``answer`` do, from when they are set."""

    def __init__(self, card: VirtualCard, *, short: bool = False) -> None:
        super().__init__(card)
        self.short = short
        self.passed: list[tuple[bytes, bytes]] = []
        self.command: Callable[[bytes], bytes] = bytes
        self.answer: Callable[[bytes], bytes] = bytes

    @property
    def atr(self) -> bytes:
        return SHORT_ATR if self.short else super().atr

    def transmit(self, apdu: bytes) -> bytes:
        answer = self.answer(super().transmit(self.command(apdu)))
        self.passed.append((apdu, answer))
        return answer


def opened(wire: Wire) -> HpkiCard:
    """Issuer's session, with the application selected."""
    card = HpkiCard(wire, LAYOUT)
    card.authenticate_issuer(KEYS)
    card.channel.send(0x00, 0xA4, 0x04, 0x00, LAYOUT.applications[Role.SIGN].aid)
    return card


def write(card: HpkiCard, data: bytes = b"a certificate") -> None:
    card.channel.send(0x00, 0xD6, 0x80 | FILE.sfi, 0x00, data)


def read(card: HpkiCard, size: int = 13) -> bytes:
    return card.channel.send(0x00, 0xB0, 0x80 | FILE.sfi, 0x00, le=size)


def flipped(octets: bytes, bit: int) -> bytes:
    return octets[: bit // 8] + bytes([octets[bit // 8] ^ 1 << bit % 8]) + octets[bit // 8 + 1 :]


# --- known answers ---

# By size of the keys, from pySim (osmocom), tests/unittests/test_globalplatform.py, security level
# 33: host challenge, answer to INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, STORE DATA and its answer,
# and the four cases of a command.
VECTORS = {
    16: (
        "fdf38259a1e0de44",
        "000000000000000000003003703b1aca81e821f219081cdc01c26b372d000003",
        "84823300108c36f96bcc00724a4e13ad591d7da3f0",
        "84e2910018267a85dfe4a98fca6fb0527e0dfecce4914e40401433c87f00",
        "f3ba2b1013aa6224f5e1c138d71805c569e5439b47576260b75fc021b25097cb2e68f8a0144975b9",
        "84f2200208ac6a59024bed84cc",
        "84ca006608409912ad8fb7aed000",
        "84f22002185f3dafc3ac14c381536a488bf44e06d056df9d74dbd21e5a",
        "84f280021865165105be3373347d0424d4400af2ac393f569ec779389e00",
    ),
    24: (
        "9b3f2eef0e8c9374",
        "00000000000000000000310370f6bb305a15bae1a68f79fb08212fbed7000002",
        "84823300109100bc22d58b45b86a26365ce39ff3cf",
        "84e29100188f7f946c84f70d17994bc6e8791251bb1bb1bf02cf8de58900",
        "c05176c1b6f72aae50c32cbee63b0e95998928fd4dfb2be9f27ffde8c8476f5909b4805cc4039599",
        "84f2200208d5d97754b6b3d2ba",
        "84ca006608516c82b8e30adbeb00",
        "84f2200218cc247f4761e6944277a4e0d6e32e44025b1e31537e2fc668",
        "84f2800218ba22b63d509bef5d093b43e5eaed03ed23144ab2d9cb51de00",
    ),
    32: (
        "97b2055fe58599fd",
        "00000000000000000000320370a8439a22cedf045fa9f1903b2834f26e000002",
        "8482330010508a0fd959d2e547c6b33154a6be2057",
        "84e29100187a5ef717eaf1e135ae92fe54429d0e465decda65f5fe5aea00",
        "ea90dbfa648a67c5eb6abc57f8530b97d0cd5647c5e8732016b55203b078dd2ace7f8bc5d1c1cd99",
        "84f2200208bcc5c17275545d93",
        "84ca00660804806aba9d543bb600",
        "84f2200218717222491556ec81a45f49ce48be33320024801a1c4cb0e0",
        "84f2800218561f105bccd3a1642904b251ccc1228beb80a82370a8637000",
    ),
}
CASES = (  # INS, P1, P2, data
    (0xF2, 0x20, 0x02, ""),
    (0xCA, 0x00, 0x66, ""),
    (0xF2, 0x20, 0x02, "4f0212345c054f9f70c5"),
    (0xF2, 0x80, 0x02, "4f00"),
)


def vector_keys(size: int) -> StaticKeys:
    return StaticKeys(
        *((bytes(range(start, start + 16)) * 2)[:size] for start in (0x00, 0x10, 0x20))
    )


class Script:
    """A card that expects these commands and gives these answers."""

    atr = SHORT_ATR

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = list(pairs)

    def transmit(self, apdu: bytes) -> bytes:
        expected, answer = self.pairs.pop(0)
        assert apdu.hex() == expected
        return bytes.fromhex(answer)

    def reset(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize("size", VECTORS)
def test_the_sessions_of_pysim(size: int) -> None:
    host, update, authenticate, store, answer, *cases = VECTORS[size]
    script = Script(
        (f"8050000008{host}00", update + "9000"),
        (authenticate, "9000"),
        (store, answer + "9000"),
        *((case.removesuffix("00") + "00", "6a80") for case in cases),
    )
    channel = scp03.open_channel(CardChannel(script), vector_keys(size), bytes.fromhex(host))
    eid = channel.send(0x80, 0xE2, 0x91, 0x00, bytes.fromhex("bf3e035c015a"), le=256)
    assert eid.hex() == "bf3e125a1089882119900000000000000000000005"
    for ins, p1, p2, data in CASES:
        with pytest.raises(UnexpectedStatus, match="6A80"):
            channel.send(0x80, ins, p1, p2, bytes.fromhex(data))
    assert not script.pairs


def test_the_key_check_values_of_pysim() -> None:
    keys = dataclasses.astuple(vector_keys(16))
    assert [scp03.key_check_value(key).hex() for key in keys] == ["c35280", "013808", "840de5"]


@pytest.mark.parametrize("size", [16, 24, 32])
def test_the_data_of_put_key(size: int) -> None:
    """Lengths of GlobalPlatform 11.8.2.3: a key of 24 bytes takes two blocks."""
    data = scp03.key_data(vector_keys(size), 0x31, bytes(16))
    blocks = 16 if size == 16 else 32
    assert len(data) == 1 + 3 * (3 + blocks + 4)
    assert data[:4] == bytes([0x31, 0x88, 1 + blocks, size])
    assert scp03.read_key_data(data, bytes(16)) == (vector_keys(size), 0x31)


@pytest.mark.parametrize("sizes", [(15, 15, 15), (0, 0, 0), (16, 16, 32), (24, 16, 16)])
def test_static_keys_are_three_of_one_length(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput, match=r"card\.issuer_key"):
        StaticKeys(*map(bytes, sizes))


def test_keys_do_not_show_themselves() -> None:
    assert repr(KEYS) == "StaticKeys()"


# --- opening ---


@pytest.mark.parametrize("size", [16, 24, 32])
def test_keys_of_any_length_open_and_are_replaced_by_any(tmp_path: Path, size: int) -> None:
    chip = new_card(tmp_path / "card.json", vector_keys(size))
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(vector_keys(size))
    for number, other in enumerate((16, 24, 32), start=2):
        card.replace_issuer_key(vector_keys(other))  # the session keeps the K-DEK it began with
        assert card.identify().issuer_key_version == number
    again = HpkiCard(EmbeddedTransport(VirtualCard.load(tmp_path / "card.json")), LAYOUT)
    again.authenticate_issuer(vector_keys(32))
    again.create_application(Role.SIGN)


def test_the_key_version_stays_within_seven_bits(tmp_path: Path) -> None:
    card = HpkiCard(EmbeddedTransport(new_card(tmp_path / "card.json")), LAYOUT)
    card.authenticate_issuer(KEYS)
    assert isinstance(card.channel, SecureChannel)
    card.channel.put_keys(KEYS, 0x7F, 1)
    card.replace_issuer_key(KEYS)
    assert card.identify().issuer_key_version == 1


@pytest.mark.parametrize("wrong", ["enc", "mac", "dek"])
def test_one_wrong_key_of_three(chip: VirtualCard, wrong: str) -> None:
    """K-MAC shows at once, before anything is proven to the card; the others where they serve."""
    wire = Wire(chip)
    card = HpkiCard(wire, LAYOUT)
    keys = dataclasses.replace(KEYS, **{wrong: bytes(16)})
    before = chip._chip
    if wrong == "mac":
        with pytest.raises(IssuerKeyRefused):
            card.authenticate_issuer(keys)
        assert [apdu[:2].hex() for apdu, _ in wire.passed] == ["8050"]
        assert not isinstance(card.channel, SecureChannel)
    else:
        card.authenticate_issuer(keys)
        with pytest.raises(HpkiError):
            card.replace_issuer_key(KEYS)
    assert chip._chip == before


def test_a_card_of_another_protocol_is_refused(chip: VirtualCard) -> None:
    for change in (
        lambda answer: answer[:11] + b"\x02" + answer[12:],
        lambda answer: answer[:-3] + b"\x90\x00",
        lambda answer: b"\x90\x00",
    ):
        wire = Wire(chip)
        wire.answer = change
        with pytest.raises(Unavailable, match=r"card\.scp"):
            HpkiCard(wire, LAYOUT).authenticate_issuer(KEYS)


@pytest.mark.parametrize("status", ["6300", "63C5", "6982", "6988"])
def test_a_card_that_refuses_the_host(chip: VirtualCard, status: str) -> None:
    wire = Wire(chip)
    card = HpkiCard(wire, LAYOUT)
    wire.answer = lambda answer: bytes.fromhex(status) if len(wire.passed) == 1 else answer
    with pytest.raises(IssuerKeyRefused):
        card.authenticate_issuer(KEYS)
    assert len(wire.passed) == 2
    with pytest.raises(Refused, match=r"card\.issuer_session"):
        card.replace_issuer_key(KEYS)


def test_bits_flipped_while_the_session_opens(chip: VirtualCard) -> None:
    """In the card's challenge and cryptogram, and anywhere in EXTERNAL AUTHENTICATE."""
    for bit in range(8 * 13, 8 * 29):
        wire = Wire(chip)
        wire.answer = lambda answer, bit=bit: flipped(answer, bit)  # type: ignore[misc]
        with pytest.raises(IssuerKeyRefused):
            HpkiCard(wire, LAYOUT).authenticate_issuer(KEYS)
        assert len(wire.passed) == 1
    for bit in range(8 * 21):
        wire = Wire(chip)
        wire.command = lambda apdu, bit=bit: (  # type: ignore[misc]
            flipped(apdu, bit) if apdu[1] == 0x82 else apdu
        )
        with pytest.raises(CardError):
            opened(wire)
        assert not chip._session.issuer_authenticated
        opened(Wire(chip))  # counts no wrong tries


def test_a_cryptogram_of_another_session_is_refused(chip: VirtualCard) -> None:
    """Even under the MAC of this one."""
    challenge = bytes(8)
    answer = chip.transmit(bytes.fromhex("8050000008") + challenge + b"\0")
    session = scp03.Session(KEYS, challenge, answer[13:21])
    header, other = bytes.fromhex("84823300"), bytes(8)
    mac = session.c_mac(header, other, extended=False)
    assert chip.transmit(header + b"\x10" + other + mac).hex() == "63c9"
    assert not chip._session.issuer_authenticated


# --- the session ---


def test_nothing_secret_passes_the_wire(tmp_path: Path) -> None:
    """A whole personalization without extended length, as one who listens sees it."""
    wire = Wire(new_card(tmp_path / "card.json"), short=True)
    personalize(wire)
    assert sum(apdu[0] & scp03.SECURED != 0 for apdu, _ in wire.passed) > 80
    heard = b"".join(apdu + answer for apdu, answer in wire.passed)
    keys = dataclasses.astuple(FACTORY_KEYS) + dataclasses.astuple(OWN_KEYS)
    for secret in (*(pin.encode() for pin in PINS.values()), *keys):
        assert secret not in heard
        assert secret.hex().encode() not in heard
    assert b"HPKI CA CERTIFICATE" not in heard


@pytest.mark.parametrize("short", [False, True])
def test_long_commands_and_answers(chip: VirtualCard, short: bool) -> None:
    card = opened(Wire(chip, short=short))
    content = bytes(range(1, 251)) * 4
    write(card, content)
    assert card._read(bytes([FILE.sfi << 3]), one_object=False)[: len(content)] == content
    assert read(card, 200) == content[:200]


def test_an_error_has_no_mac_and_a_warning_has_one(chip: VirtualCard) -> None:
    wire = Wire(chip)
    card = opened(wire)
    with pytest.raises(WrongPin) as wrong:
        card.channel.send(0x00, 0x20, 0x00, LAYOUT.pin.reference, b"wrong")
    assert (len(wire.passed[-1][1]), wrong.value.tries_left) == (8 + 2, 14)
    with pytest.raises(CardError, match="6A88"):
        card.channel.send(0x00, 0x20, 0x00, 0x55, b"wrong")
    assert wire.passed[-1][1].hex() == "6a88"
    write(card)
    assert read(card) == b"a certificate"


def test_every_flipped_bit_of_a_command_ends_the_session(chip: VirtualCard) -> None:
    """But for those of Le, which SCP03 leaves unprotected."""
    wire = Wire(chip)
    write(opened(wire))
    protected = len(wire.passed[-1][0]) - 1
    assert protected == 5 + 16 + 8
    before = chip._chip
    for bit in range(8 * protected):
        wire = Wire(chip)
        card = opened(wire)
        wire.command = lambda apdu, bit=bit: flipped(apdu, bit)  # type: ignore[misc]
        with pytest.raises((CardError, SecureMessagingFailed)):
            write(card, b"another thing")
        assert chip._chip == before, bit
        wire.command = bytes
        with pytest.raises((CardError, SecureMessagingFailed)):
            write(card)
        chip.transmit(bytes.fromhex("00CA004500"))  # ends a chain that a flipped bit began
        assert not chip._session.issuer_authenticated, bit
        assert chip._chip == before


def test_every_flipped_bit_of_an_answer_is_refused(chip: VirtualCard) -> None:
    """With data or MAC changed the host is done; a status word may become that of an error."""
    size = 16 + 8 + 2
    for bit in range(8 * size):
        wire = Wire(chip)
        card = opened(wire)
        wire.answer = lambda answer, bit=bit: flipped(answer, bit)  # type: ignore[misc]
        data_or_mac = bit < 8 * (size - 2)
        with pytest.raises(SecureMessagingFailed if data_or_mac else CardError):
            card.channel.send(0x00, 0xCA, 0x00, 0x45, le=256)
        assert len(wire.passed[-1][1]) == size
        if data_or_mac:
            sent = len(wire.passed)
            wire.answer = bytes
            for act in (lambda: read(card), lambda: write(card)):  # noqa: B023
                with pytest.raises(SecureMessagingFailed, match=r"card\.secure_messaging"):
                    act()
            assert len(wire.passed) == sent


@pytest.mark.parametrize("status", ["9000", "6282", "63CF", "AA9000"])
def test_an_answer_without_mac_is_refused(chip: VirtualCard, status: str) -> None:
    wire = Wire(chip)
    card = opened(wire)
    wire.answer = lambda _: bytes.fromhex(status)
    with pytest.raises(SecureMessagingFailed):
        write(card)


def test_what_stands_beside_an_error_is_not_believed(chip: VirtualCard) -> None:
    wire = Wire(chip)
    card = opened(wire)
    wire.answer = lambda _: bytes.fromhex("AABB6A82")
    assert card.channel.send(0x00, 0xB0, 0x00, 0x00, le=2, accept=[0x6A82]) == b""


def test_commands_and_answers_are_not_replayed(chip: VirtualCard) -> None:
    wire = Wire(chip)
    card = opened(wire)
    write(card)
    (command, answer), before = wire.passed[-1], chip._chip
    assert chip.transmit(command).hex() == "6988"
    assert chip._chip == before
    with pytest.raises(SecurityNotSatisfied):
        write(card)
    card = opened(wire)
    assert chip.transmit(command).hex() == "6988"
    card = opened(wire)
    write(card)
    wire.answer = lambda _: answer
    with pytest.raises(SecureMessagingFailed):
        write(card)


PLAIN = (
    "00CA004500", "00A4040005E828BD080F00", "00B0960010", "00D6980001AA", "0024019604313233340",
    "80D80181", "8008000000", "00440000023F00", "0000000000", "00", "0C00000000", "00C0000000",
)  # fmt: skip


@pytest.mark.parametrize("plain", PLAIN)
def test_a_plain_command_ends_the_session(chip: VirtualCard, plain: str) -> None:
    card, before = opened(Wire(chip)), chip._chip
    answer = chip.transmit(bytes.fromhex(plain[: len(plain) // 2 * 2]))
    assert len(answer) == 2
    assert answer[0] in (0x67, 0x68, 0x69)
    assert not chip._session.issuer_authenticated
    with pytest.raises(SecurityNotSatisfied):
        write(card)
    assert chip._chip == before


def test_a_second_session_takes_the_place_of_the_first(chip: VirtualCard) -> None:
    first, second = opened(Wire(chip)), HpkiCard(CardBeside(chip), LAYOUT)
    second.authenticate_issuer(KEYS)
    with pytest.raises(CardError):
        write(first)
    with pytest.raises(SecurityNotSatisfied):
        second.channel.send(0x00, 0xCA, 0x00, 0x45, le=256)


class CardBeside(EmbeddedTransport):
    """Another connection to the same card, which does not reset it."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card


def test_the_session_ends_with_logout_reset_and_loss(chip: VirtualCard) -> None:
    wire = Wire(chip)
    card = opened(wire)
    card.channel.send(0x80, 0x08, 0x00, 0x00)
    with pytest.raises(SecurityNotSatisfied):
        write(card)
    card = opened(wire)
    card.reset()
    with pytest.raises(Refused, match=r"card\.issuer_session"):
        card.replace_issuer_key(KEYS)
    assert card.identify().issuer_key_version == 1
    pulled = FaultTransport(EmbeddedTransport(chip), fail_at=3)
    card = HpkiCard(pulled, LAYOUT)
    card.authenticate_issuer(KEYS)
    with pytest.raises(CardRemoved):
        write(card)
    with pytest.raises(SecureMessagingFailed):
        card.set_initial_pin(Role.SIGN, PINS[Role.SIGN])
    assert pulled.sent == 3


def test_damaged_keys_are_not_taken(chip: VirtualCard) -> None:
    """The host's own mistakes; what others change does not get so far."""
    data = scp03.key_data(vector_keys(24), 2, KEYS.dek)
    broken = [flipped(data, bit) for bit in range(16, 8 * len(data))]
    broken += [data[:length] for length in range(len(data))]
    broken += [data + b"\0", b"\0" + data[1:], b"\x80" + data[1:]]
    before = chip._chip
    card = opened(Wire(chip))
    for one in broken:
        with pytest.raises(UnexpectedStatus, match="6A80"):
            card.channel.send(0x80, 0xD8, 1, 0x81, one)
    for p1, p2, status in ((2, 0x81, "6A88"), (0, 0x81, "6A88"), (1, 0x01, "6A86")):
        with pytest.raises(CardError, match=status):
            card.channel.send(0x80, 0xD8, p1, p2, data)
    assert chip._chip == before
    answer = card.channel.send(0x80, 0xD8, 1, 0x81, data)
    check_values = map(scp03.key_check_value, dataclasses.astuple(vector_keys(24)))
    assert answer == b"\x02" + b"".join(check_values)
