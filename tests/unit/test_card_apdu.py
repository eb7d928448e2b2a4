import pytest

from card_personalization import apdu
from card_personalization.transport import CardRemoved, FaultTransport, TraceTransport
from pki.errors import Conflict, HpkiError, InvalidInput, NotFound, Refused, Unavailable


class Script:
    """A transport that expects these commands and gives these answers."""

    atr = bytes.fromhex("3B8A800180 73F401C0 5448504B49".replace(" ", "")) + b"\0"

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self.pairs = [(bytes.fromhex(sent), bytes.fromhex(answer)) for sent, answer in pairs]
        self.resets = 0

    def transmit(self, sent: bytes) -> bytes:
        expected, answer = self.pairs.pop(0)
        assert sent.hex() == expected.hex()
        return answer

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("data", "le", "extended", "expected"),
    [
        ("", None, False, "00A40400"),
        ("", 256, False, "00A4040000"),
        ("AABB", None, False, "00A4040002AABB"),
        ("AABB", 8, False, "00A4040002AABB08"),
        ("", 65_536, True, "00A40400000000"),
        ("AA", None, True, "00A40400000001AA"),
        ("AA", 780, True, "00A40400000001AA030C"),
    ],
)
def test_the_four_cases(data: str, le: int | None, extended: bool, expected: str) -> None:
    built = apdu.command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex(data), le, extended=extended)
    assert built.hex().upper() == expected


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput):
        apdu.command(0, 0xD6, 0, 0, bytes(256))
    with pytest.raises(InvalidInput):
        apdu.command(0, 0xB0, 0, 0, le=257)
    with pytest.raises(InvalidInput):
        apdu.command(0, 0xB0, 0, 0, le=0)


def test_long_data_is_chained_without_extended_length() -> None:
    data = bytes(range(256)) * 2
    card = Script(
        ("102A9E9AFF" + data[:255].hex(), "9000"),
        ("102A9E9AFF" + data[255:510].hex(), "9000"),
        ("002A9E9A02" + data[510:].hex() + "00", "AA9000"),
    )
    channel = apdu.CardChannel(card, extended=False)
    assert channel.send(0, 0x2A, 0x9E, 0x9A, data, le=256) == b"\xaa"
    assert not card.pairs


def test_a_refused_chain_ends_there() -> None:
    card = Script(("102A9E9AFF" + "00" * 255, "6884"))
    with pytest.raises(apdu.UnexpectedStatus):
        apdu.CardChannel(card, extended=False).send(0, 0x2A, 0x9E, 0x9A, bytes(300), le=256)


def test_get_response_carries_le() -> None:
    card = Script(("0047800000", "AA6102"), ("00C0000002", "BBCC6100"), ("00C0000000", "DD9000"))
    channel = apdu.CardChannel(card, extended=False)
    assert channel.send(0, 0x47, 0x80, 0, le=65_536).hex() == "aabbccdd"


def test_an_empty_endless_response_chain_is_given_up() -> None:
    card = Script(("0047800000", "6102"), ("00C0000002", "6102"))
    with pytest.raises(apdu.UnexpectedStatus):
        apdu.CardChannel(card, extended=False).send(0, 0x47, 0x80, 0, le=256)


def test_wrong_le_is_asked_again() -> None:
    card = Script(("00CA004500", "6C08"), ("00CA004508", "00010203040506079000"))
    channel = apdu.CardChannel(card)
    assert len(channel.send(0, 0xCA, 0, 0x45, le=256)) == 8


def test_extended_length_is_read_from_the_atr() -> None:
    assert apdu.supports_extended_length(Script.atr)
    assert apdu.CardChannel(Script()).extended
    plain = bytes.fromhex("3b88800148504b4953494d3175")
    assert not apdu.supports_extended_length(plain)
    yubikey = bytes.fromhex("3bfd1300008131fe158073c021c057597562694b657940")
    assert apdu.supports_extended_length(yubikey)
    for cut in range(len(yubikey)):
        apdu.supports_extended_length(yubikey[:cut])


@pytest.mark.parametrize(
    ("sw", "ins", "kind", "family", "tries"),
    [
        (0x63C2, 0x20, apdu.WrongPin, Refused, 2),
        (0x63CF, 0x20, apdu.WrongPin, Refused, 15),
        (0x6300, 0x20, apdu.WrongPin, Refused, None),
        (0x63C0, 0x20, apdu.PinBlocked, Refused, 0),
        (0x6983, 0x20, apdu.PinBlocked, Refused, 0),
        (0x6984, 0x24, apdu.PinBlocked, Refused, 0),
        (0x63C9, 0x82, apdu.IssuerKeyRefused, Refused, 9),
        (0x6983, 0x82, apdu.IssuerKeyRefused, Refused, 0),
        (0x6982, 0x2A, apdu.SecurityNotSatisfied, Refused, None),
        (0x6985, 0x44, apdu.ConditionsNotSatisfied, Refused, None),
        (0x6A82, 0xA4, apdu.FileNotFound, NotFound, None),
        (0x6A89, 0xE0, apdu.FileExists, Conflict, None),
        (0x6F00, 0xA4, apdu.UnexpectedStatus, Unavailable, None),
    ],
)
def test_status_words_are_typed(
    sw: int, ins: int, kind: type[apdu.CardError], family: type[HpkiError], tries: int | None
) -> None:
    error = apdu.error_from_status(sw, ins)
    assert type(error) is kind
    assert isinstance(error, family)
    assert (error.sw, error.tries_left) == (sw, tries)
    assert error.exit_status == family.exit_status
    assert f"{sw:04X}" in str(error)


def test_an_answer_without_status_word() -> None:
    with pytest.raises(Unavailable, match=r"card\.answer"):
        apdu.CardChannel(Script(("00CA0045", "90"))).send(0, 0xCA, 0, 0x45)


@pytest.mark.parametrize("ins", ["20", "24", "2C", "82", "87", "D8", "DB", "FF"])
def test_the_trace_masks_secrets(ins: str) -> None:
    lines: list[str] = []
    secret = b"hunter2pin".hex().upper()
    inner = Script((f"00{ins}00960A{secret}", secret + "9000"))
    TraceTransport(inner, lines.append).transmit(bytes.fromhex(f"00{ins}00960A{secret}"))
    assert lines == [f"> 00{ins}0096[11 bytes]", "< [10 bytes]9000"]


def test_the_trace_shows_the_rest_and_faults() -> None:
    lines: list[str] = []
    trace = TraceTransport(FaultTransport(Script(("00A40400", "6A82")), 2), lines.append)
    trace.transmit(bytes.fromhex("00A40400"))
    with pytest.raises(CardRemoved):
        trace.transmit(bytes.fromhex("00B00000"))
    assert lines == ["> 00A40400", "< 6A82", "> 00B00000", "! card.removed"]


def test_a_pulled_card_stays_away() -> None:
    inner = Script(("00A40400", "9000"), ("00A40401", "9000"))
    transport = FaultTransport(inner, 2, after=True)
    transport.transmit(bytes.fromhex("00A40400"))
    for _ in range(2):
        with pytest.raises(CardRemoved):
            transport.transmit(bytes.fromhex("00A40401"))
    with pytest.raises(CardRemoved):
        transport.reset()
    assert (transport.sent, inner.resets, inner.pairs) == (2, 1, [])


@pytest.mark.parametrize("after", [False, True])
def test_a_spoilt_answer_comes_in_place_of_the_cards_own(after: bool) -> None:
    """The card goes on, and knows of the command only if it got it."""
    inner = Script(*[("00A40400", "6A82")] * after, ("00A40401", "9000"))
    transport = FaultTransport(inner, 1, after=after, spoil=lambda own: own[::-1] + b"\x6f\x00")
    expected = "826a6f00" if after else "6f00"
    assert transport.transmit(bytes.fromhex("00A40400")).hex() == expected
    assert transport.transmit(bytes.fromhex("00A40401")).hex() == "9000"
    transport.reset()
    assert (transport.sent, inner.resets, inner.pairs) == (2, 1, [])
