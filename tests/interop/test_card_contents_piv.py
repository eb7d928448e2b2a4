"""What is read of a PIV card that nobody here wrote, and that others may have filled."""

from __future__ import annotations

import gzip

import pytest

from card_personalization.contents import Application, Kind, Layouts, read_contents
from card_personalization.transport import EmbeddedTransport
from cli.card_contents import contents_tree
from tests.interop.foreign_cards import der, jpki_card
from tests.interop.jcecard_card import JceCard
from tests.unit.test_card_hpki import certificate_der

LAYOUTS = Layouts()
SIGN, AUTH, CARD = (certificate_der(name, 5) for name in ("sign", "auth", "card"))
GUID = bytes(range(1, 17))
CHUID, CERT_9A, CERT_9C, CERT_9E = (
    bytes.fromhex(name) for name in ("5FC102", "5FC105", "5FC10A", "5FC101")
)


def certificate(octets: bytes, info: int) -> bytes:
    return der(0x70, octets) + bytes([0x71, 1, info, 0xFE, 0])


@pytest.fixture
def card() -> JceCard:
    """A card with a GUID, and a packed certificate (Source: SP 800-73-4 part 1, appendix A)."""
    made = JceCard()
    objects = made.applet.data_objects
    objects.put_data_object(CHUID, der(0x34, GUID) + bytes.fromhex("3e00fe00"))
    objects.put_data_object(CERT_9A, certificate(gzip.compress(AUTH), 1))
    objects.put_data_object(CERT_9C, certificate(SIGN, 0))
    objects.put_data_object(CERT_9E, certificate(CARD, 0))
    return made


def only(card: JceCard) -> Application:
    (found,) = read_contents(EmbeddedTransport(card), LAYOUTS).applications
    return found


def test_every_certificate_is_read_and_no_try_is_spent(card: JceCard) -> None:
    card.applet.security.pin_retries_remaining = 2
    found = only(card)
    assert (found.kind, found.serial, found.state, found.faults) == (
        Kind.PIV, GUID.hex(), None, ()
    )  # fmt: skip
    assert [(key.role, key.certificate_der, key.tries_left) for key in found.keys] == [
        ("SIGN", SIGN, 2),
        ("AUTH", AUTH, 2),
        ("CARD_AUTHENTICATION", CARD, None),
    ]
    assert card.applet.security.pin_retries_remaining == 2
    assert all(len(apdu) == 4 for apdu in card.sent if apdu[1] == 0x20)


def test_an_empty_card_has_no_certificates() -> None:
    found = only(JceCard())
    assert [key.role for key in found.keys] == ["SIGN", "AUTH"]
    for key in found.keys:
        assert key.certificate_der == b""
        assert [fault.error.code for fault in key.faults] == ["card.no_certificate"]


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(AUTH)[:-9],
        gzip.compress(AUTH)[:10] + b"\xff" * 40,
        b"\x1f\x8b",
        b"no gzip",
        gzip.compress(bytes(10_000_000)),
    ],
    ids=["cut off", "bent", "head only", "not packed", "too long"],
)
def test_a_broken_object_hides_no_other(card: JceCard, packed: bytes) -> None:
    card.applet.data_objects.put_data_object(CERT_9A, certificate(packed, 1))
    card.applet.data_objects.put_data_object(CHUID, b"\x34\x10short")
    found = only(card)
    assert (found.serial, [fault.part for fault in found.faults]) == ("", ["CHUID"])
    sign, auth, _ = found.keys
    assert (sign.certificate_der, sign.faults) == (SIGN, ())
    assert [fault.error.code for fault in auth.faults] == ["card.answer"]
    tree = contents_tree("", read_contents(EmbeddedTransport(card), LAYOUTS))
    assert tree["applications"][0]["keys"][0]["subject"] == "CN=sign"


def test_piv_beside_a_my_number_application(card: JceCard) -> None:
    class Both(JceCard):
        """The application that was selected last answers."""

        def reset(self) -> None:
            super().reset()
            self.jpki = jpki_card(SIGN, AUTH, CARD)
            self.jpki.reset()
            self.in_jpki = False

        def transmit(self, apdu: bytes) -> bytes:
            if apdu[1:3] == b"\xa4\x04":
                self.in_jpki = apdu[5:7] == b"\xd3\x92"
            return self.jpki.transmit(apdu) if self.in_jpki else super().transmit(apdu)

    both = Both()
    both.applet.data_objects = card.applet.data_objects
    found = read_contents(EmbeddedTransport(both), LAYOUTS).applications
    assert [one.kind for one in found] == [Kind.PIV, Kind.JPKI]
    assert found[0].keys[0].certificate_der == SIGN
    assert found[1].keys[1].certificate_der == AUTH
