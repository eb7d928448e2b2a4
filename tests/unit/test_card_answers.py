"""Answers that no sound card gives, and that a reader of cards must survive."""

import gzip

import pytest

from card_personalization import tlv
from card_personalization.hpki_reader import HpkiReader
from card_personalization.layout import Role, default_layout
from card_personalization.piv_layout import load_piv_layout
from card_personalization.piv_reader import PivReader
from card_personalization.transport import EmbeddedTransport
from pki.errors import InvalidInput, Unavailable

DONE = b"\x90\x00"


class Parrot:
    """A card that gives these answers in turn, and the last one for ever."""

    atr = b"\x3b\x00"

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.asked = 0

    def transmit(self, apdu: bytes) -> bytes:
        self.asked += 1
        assert self.asked < 1000, "asked for ever"
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def reset(self) -> None:
        pass


@pytest.mark.parametrize("place", range(10, 60, 7))
def test_a_damaged_packed_certificate(place: int) -> None:
    packed = bytearray(gzip.compress(bytes(range(256)), mtime=0))
    packed[place] ^= 0xFF
    content = tlv.encode(0x53, tlv.encode(0x70, bytes(packed[:-8])), tlv.encode(0x71, b"\1"))
    card = Parrot(DONE, content[:250] + b"\x61\xff", content[250:] + DONE)
    reader = PivReader(EmbeddedTransport(card), load_piv_layout())
    with pytest.raises(Unavailable, match=r"card\.answer"):
        reader.read_certificates(Role.SIGN)


def test_a_file_that_promises_more_than_it_gives() -> None:
    card = Parrot(bytes.fromhex("30821000") + DONE, DONE)
    reader = HpkiReader(EmbeddedTransport(card), default_layout())
    with pytest.raises(InvalidInput, match=r"card\.file"):
        reader._read(b"\x98", one_object=True)
    assert card.asked == 2
