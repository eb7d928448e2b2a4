"""Operators who sign with cards: jcecard's PIV, which nobody here wrote, and our HPKI card."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ca.records import Carrier
from card_personalization import records
from card_personalization.apdu import PinBlocked, WrongPin
from card_personalization.layout import Role as CardRole
from card_personalization.operator_card import CardSigner, KeyPlace, key_on, make_key
from card_personalization.piv_card import PivCard
from card_personalization.piv_layout import load_piv_layout
from card_personalization.piv_reader import PivReader, padded
from card_personalization.transport import (
    CardRemoved,
    Chip,
    ConnectionLost,
    EmbeddedTransport,
    FaultTransport,
    Transport,
)
from card_personalization.virtual_card import VirtualCard
from keys.sealing import open_sealed
from operators.acts import Appoint, Grant, Keys, Member, Rekey, prove_keys
from operators.evidence.export import Exports
from operators.evidence.outsider import Trusted, verify_export
from operators.exchange.register import RegisterContent
from operators.exchange.sending import make_register
from operators.statements import KeySigner, Signer
from pki.errors import InvalidInput, Refused, Unavailable
from pki.signing import IssuerPublicKey, sign, verify_signature
from policies.exchange import Part
from policies.roles import Role
from store.database import Store
from tests.flows.conftest import EXPIRY, SITE_ID, Centre, identity, p256
from tests.flows.issuing import refused, revoke
from tests.flows.registration import blank_card, order_all, personalize, row
from tests.flows.test_evidence import anchors
from tests.interop.jcecard_card import JceCard
from tests.interop.test_statements import verdict

PIN, OTHER_PIN = "135790", "246801"
FACTORY_PIN, FACTORY_PUK = "123456", "12345678"
SLOT_9A, SLOT_9C, HPKI = KeyPlace("piv", "9A"), KeyPlace("piv", "9C"), KeyPlace("hpki")
VERIFY, SIGN = 0x20, 0x87

pytestmark = pytest.mark.xdist_group("operator_cards")  # one centre, in turn


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    folder = tmp_path_factory.mktemp("operator-cards")
    made = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
    made.set_up()
    made.hold_ceremony()
    yield made
    made.store.close()


class Counted:
    """A card of ours that tells what was sent to it, as ``JceCard`` does."""

    def __init__(self, card: VirtualCard) -> None:
        self.card, self.atr, self.sent = card, card.atr, list[bytes]()

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return self.card.transmit(apdu)

    def reset(self) -> None:
        self.card.reset()


@dataclass
class Hand:
    """A person with a card: what lies in the reader, what is typed, what was told to be wrong."""

    name: str
    place: KeyPlace
    card: Chip
    pin: str = PIN
    transport: Callable[[Transport], Transport] = lambda one: one
    connections: int = 0
    asked: int = 0
    wrong: int = 0
    typed: str | None = field(default=None, repr=False)

    def connect(self) -> Transport:
        self.connections += 1
        return self.transport(EmbeddedTransport(self.card))

    def ask(self) -> str:
        if self.typed is None:
            self.typed, self.asked = self.pin, self.asked + 1
        return self.typed

    def forget(self) -> None:
        self.typed, self.wrong = None, self.wrong + 1

    def signer(self, public_key: IssuerPublicKey | None = None) -> CardSigner:
        key = public_key or key_on(EmbeddedTransport(self.card), self.place)
        assert key is not None
        return CardSigner(self.name, self.place, key, self.connect, self.ask, self.forget)


def sent(card: Chip, ins: int) -> int:
    """How often the card was sent that, since the last time this was asked for."""
    assert isinstance(card, JceCard | Counted)
    found = sum(1 for one in card.sent if one[1] == ins)
    card.sent = [one for one in card.sent if one[1] != ins]
    return found


def piv(centre: Centre, name: str, place: KeyPlace = SLOT_9C) -> Hand:
    """A new PIV card with a key, made as the officers' station does."""
    hand = Hand(name, place, JceCard())
    make_key(
        EmbeddedTransport(hand.card), place, name, PIN, centre.now, lambda size: bytes(range(size))
    )
    return hand


def hpki(centre: Centre, name: str, number: int) -> Hand:
    """An HPKI card as a doctor has one, with the PIN of its AUTH from the envelope."""
    (order,) = order_all(centre, row(number))
    serial = blank_card(centre)
    personalize(centre, order.id, serial)
    with centre.store.read() as tx:
        (envelope,) = records.envelopes_of(tx, serial)
    purpose = f"hpki pin {serial} {order.id}".encode()
    pins = json.loads(open_sealed(envelope.sealed, centre.sealing["ansho"], purpose))
    path = centre.folder / "virtual_cards" / f"{serial}.json"
    return Hand(name, HPKI, Counted(VirtualCard.load(path)), pins[CardRole.AUTH])


def proven(signer: Signer) -> Keys:
    return prove_keys(signer, p256().public_key(), SITE_ID, EXPIRY)


def appoint(centre: Centre, hand: Hand, *roles: Role) -> CardSigner:
    """Appoint the person with the key on the card."""
    signer, name = hand.signer(), hand.name
    member = Member(operator=name, person=identity(name).digest(), keys=proven(signer))
    officers = [centre.signers[one] for one in ("kanri", "tachiai")]
    with centre.store.begin() as tx:
        centre.staff.decide(tx, Appoint(member=member), officers, identity(name))
        centre.staff.decide(tx, Grant(operator=name, roles=roles), officers)
    return signer


def as_held(signer: Signer) -> KeySigner:
    """The signer, where tests keep those with keys in memory."""
    return cast(KeySigner, signer)


@pytest.fixture(scope="module")
def people(centre: Centre) -> dict[str, Hand]:
    """Four whose keys are on cards of each kind, in the places of those with files."""
    hands = {
        "uketsuke": piv(centre, "piv-examiner"),
        "shonin": hpki(centre, "hpki-approver", 90),
        "hakko": piv(centre, "piv-issuer", SLOT_9A),
        "shikko": hpki(centre, "hpki-revoker", 91),
    }
    for place, hand in hands.items():
        with centre.store.read() as tx:
            roles = sorted(centre.directory.roles_of(tx, place))
        centre.signers[place] = as_held(appoint(centre, hand, *roles))
    return hands


def test_a_whole_way_is_signed_by_cards_and_openssl_verifies_it(
    centre: Centre, people: dict[str, Hand], tmp_path: Path
) -> None:
    (order,) = order_all(centre, row(1))
    serial = blank_card(centre)
    personalize(centre, order.id, serial)
    with centre.store.read() as tx:
        carrier = tx.get_one(Carrier, f"card-{serial}")
    assert len(revoke(centre, carrier)) == 2
    assert all(hand.wrong == 0 for hand in people.values())
    assert all((hand.asked, hand.connections) == (1, 1) for hand in only_piv(people))
    exports = Exports(centre.directory, anchors(centre))
    folder = tmp_path / "export"
    exports.export(folder, centre.signers["kiroku"], centre.anchor_key)
    verified = verify_export(folder, Trusted(centre.root, (), ()))
    assert verified.manifest.setup == centre.root
    by_card: dict[str, int] = {}
    body, signature = tmp_path / "body", tmp_path / "signature"
    for line in (folder / "statements.jsonl").read_bytes().splitlines():
        tree = json.loads(line)
        said = json.loads(tree["body"])
        body.write_text(tree["body"], encoding="utf-8")
        signature.write_bytes(bytes.fromhex(tree["signature"]))
        assert verdict(folder / "keys" / f"{said['credential']}.pem", signature, body)[0]
        by_card[said["operator"]] = len(tree["signature"]) // 2
    assert by_card["hpki-approver"] == by_card["hpki-revoker"] == 256
    assert by_card["piv-examiner"] < 80 > by_card["piv-issuer"]


def only_piv(people: dict[str, Hand]) -> list[Hand]:
    return [hand for hand in people.values() if hand.place is not HPKI]


def test_the_exchange_takes_what_an_rsa_card_signed(centre: Centre, tmp_path: Path) -> None:
    """As a manager's; the other side proves it from the file alone."""
    hand = hpki(centre, "rsa-manager", 92)
    signer = appoint(centre, hand, Role.RA_MANAGER)
    content = RegisterContent(part=Part.RA, name="架空薬剤師会 登録局")
    with centre.store.begin() as tx:
        octets = make_register(centre.directory, tx, content, [signer, centre.signers["kanri"]])
    other = Centre(Store(f"sqlite:///{tmp_path / 'store.sqlite'}"), tmp_path)
    other.set_up()
    with other.store.read() as tx:
        opened = other.peers.open_register(tx, octets)
    other.store.close()
    sizes = {len(one.signature) // 2 for one in opened.paper.statements}
    assert 256 in sizes


@pytest.mark.parametrize(
    ("place", "each"), [(SLOT_9A, 0), (SLOT_9C, 1)], ids=["9A once", "9C each time"]
)
def test_how_often_the_pin_is_given(centre: Centre, place: KeyPlace, each: int) -> None:
    hand = piv(centre, "x", place)
    signer = hand.signer()
    sent(hand.card, VERIFY)
    signer.open()
    assert (sent(hand.card, VERIFY), hand.asked) == (1, 1)
    for text in (b"one", b"two", b"three"):
        verify_signature(signer.public_key(), signer.sign(text), text, "SHA-256")
        assert sent(hand.card, VERIFY) == each
    assert (hand.asked, hand.connections) == (1, 1)


def test_an_hpki_card_gets_its_pin_once(centre: Centre, people: dict[str, Hand]) -> None:
    hand = people["shonin"]
    signer = hand.signer()
    sent(hand.card, VERIFY)
    for text in (b"one", b"two"):
        verify_signature(signer.public_key(), signer.sign(text), text, "SHA-256")
    assert sent(hand.card, VERIFY) == 1


def test_another_card_is_refused_before_its_pin(centre: Centre, people: dict[str, Hand]) -> None:
    for place, other in ((SLOT_9C, piv(centre, "x")), (HPKI, people["shikko"])):
        key = key_on(EmbeddedTransport(people["shonin"].card), HPKI)
        hand = Hand("y", place, other.card, other.pin)
        sent(hand.card, VERIFY)
        signer = hand.signer(key)
        error = refused(Refused, "card.operator.other", partial(signer.sign, b"x"))
        assert "Put in the card of y" in error.hint
        assert (sent(hand.card, VERIFY), hand.asked) == (0, 0)
    wrong_kind = Hand("y", HPKI, piv(centre, "x").card)
    refused(Unavailable, "card.operator.kind", lambda: wrong_kind.signer(key).sign(b"x"))
    empty = Hand("y", SLOT_9A, piv(centre, "x", SLOT_9C).card)
    refused(Refused, "card.operator.other", lambda: empty.signer(key).sign(b"x"))


@pytest.mark.parametrize("kind", ["piv", "hpki"])
def test_a_wrong_pin_is_counted_once_and_forgotten(
    centre: Centre, people: dict[str, Hand], kind: str
) -> None:
    source = piv(centre, "x") if kind == "piv" else people["shonin"]
    hand = Hand("x", source.place, source.card, "999999")
    signer = hand.signer()
    sent(hand.card, VERIFY)
    with pytest.raises(WrongPin) as refusal:
        signer.sign(b"x")
    full = 3 if kind == "piv" else 15
    assert refusal.value.tries_left == full - 1
    assert (sent(hand.card, VERIFY), hand.wrong, hand.typed) == (1, 1, None)
    assert "999999" not in f"{refusal.value}{refusal.value.hint}{signer!r}"
    hand.pin = source.pin
    signer.sign(b"x")
    assert (hand.asked, hand.connections) == (2, 2)


def test_a_pin_changed_between_two_signatures_is_wrong_once(centre: Centre) -> None:
    """9C is asked for every time, and nothing tries again by itself."""
    hand = piv(centre, "x")
    signer = hand.signer()
    signer.sign(b"one")
    assert isinstance(hand.card, JceCard)
    hand.card.applet.security.pin = OTHER_PIN.encode()
    sent(hand.card, VERIFY)
    with pytest.raises(WrongPin):
        signer.sign(b"two")
    assert (sent(hand.card, VERIFY), hand.wrong) == (1, 1)


def test_a_blocked_pin_is_told(centre: Centre) -> None:
    hand = piv(centre, "x")
    hand.pin = "999999"
    signer = hand.signer()
    for error in (WrongPin, WrongPin, PinBlocked, PinBlocked):
        with pytest.raises(error):
            signer.sign(b"x")
    hand.pin = PIN
    with pytest.raises(PinBlocked) as refusal:
        signer.sign(b"x")
    assert refusal.value.code == "card.pin_blocked"


def test_a_pulled_card_is_told_with_its_holder_and_connected_anew(centre: Centre) -> None:
    hand = piv(centre, "x")
    probe = hand.signer()
    assert isinstance(hand.card, JceCard)
    hand.card.sent.clear()
    probe.sign(b"x")
    total = len(hand.card.sent)
    for fail_at in range(1, total + 1):
        for after in (False, True):
            hand.transport = partial(FaultTransport, fail_at=fail_at, after=after)
            signer = hand.signer(probe.public_key())
            with pytest.raises(ConnectionLost) as lost:
                signer.sign(b"x")
            assert (lost.value.code, lost.value.exit_status) == (CardRemoved().code, 6)
            assert "the card of x" in lost.value.text
            hand.transport = lambda one: one
            verify_signature(signer.public_key(), signer.sign(b"y"), b"y", "SHA-256")
    assert hand.wrong == 0


def test_a_signature_of_another_key_is_not_given_out(centre: Centre) -> None:
    class Faulty(JceCard):
        def transmit(self, apdu: bytes) -> bytes:
            answer = super().transmit(apdu)
            signed = apdu[1:4] == bytes.fromhex("87119C") and answer.endswith(b"\x90\x00")
            return answer[:-3] + bytes([answer[-3] ^ 1]) + answer[-2:] if signed else answer

    hand = piv(centre, "x")
    assert isinstance(hand.card, JceCard)
    faulty = Faulty()
    faulty.applet = hand.card.applet
    bad = Hand("x", SLOT_9C, faulty)
    refused(Refused, "card.operator.signature", lambda: bad.signer().sign(b"x"))


class TestRegistration:
    def test_what_is_refused(self, centre: Centre) -> None:
        @dataclass(frozen=True)
        class Weak:
            key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
            operator_id: str = "shinjin"

            def public_key(self) -> IssuerPublicKey:
                return self.key.public_key()

            def sign(self, octets: bytes) -> bytes:
                return sign(self.key, octets, "SHA-256")

        for key in (
            rsa.generate_private_key(65537, 1024),
            rsa.generate_private_key(3, 2048),
            ec.generate_private_key(ec.SECP384R1()),
        ):
            for act in (self.appointment, self.rekey):
                refused(InvalidInput, "operators.keys.type", partial(act, centre, Weak(key)))
        self.appointment(centre, Weak(rsa.generate_private_key(65537, 2048)))

    @staticmethod
    def appointment(centre: Centre, signer: Signer) -> None:
        name = signer.operator_id
        member = Member(operator=name, person=identity(name).digest(), keys=proven(signer))
        with centre.store.begin() as tx:
            officers = [centre.signers["kanri"]]
            centre.staff.decide(tx, Appoint(member=member), officers, identity(name))

    @staticmethod
    def rekey(centre: Centre, signer: Signer) -> None:
        act = Rekey(operator="kiroku", keys=proven(signer))
        centre.decide(act, "kanri", "tachiai")

    def test_a_key_that_nobody_registered_signs_nothing(
        self, centre: Centre, people: dict[str, Hand]
    ) -> None:
        stranger = Hand("piv-examiner", SLOT_9C, piv(centre, "piv-examiner").card)
        refused(
            Refused,
            "operators.credential.unknown",
            lambda: centre.examination.check("T2026-0001", "IDENTITY", stranger.signer(), ok=True),
        )
        assert stranger.asked == 0


class TestMaking:
    def make(self, card: Chip, pin: str = PIN, place: KeyPlace = SLOT_9C) -> IssuerPublicKey:
        transport = EmbeddedTransport(card)
        return make_key(
            transport, place, "yamada", pin, Centre.now, lambda size: bytes(range(size))
        )

    def test_pin_and_puk_of_the_factory_are_gone(self) -> None:
        card = JceCard()
        made = self.make(card)
        assert key_on(EmbeddedTransport(card), SLOT_9C) == made
        assert key_on(EmbeddedTransport(card), SLOT_9A) is None
        used = PivReader(EmbeddedTransport(card), load_piv_layout())
        with pytest.raises(WrongPin):
            used.verify_pin(CardRole.SIGN, FACTORY_PIN)
        with pytest.raises(WrongPin):
            used.channel.send(0, 0x2C, 0, 0x80, padded(FACTORY_PUK) + padded("654321"))
        used.verify_pin(CardRole.SIGN, PIN)

    def test_a_second_key_wants_the_pin_that_the_card_has(self) -> None:
        card = JceCard()
        first = self.make(card)
        with pytest.raises(WrongPin) as refusal:
            self.make(card, OTHER_PIN, SLOT_9A)
        assert refusal.value.tries_left == 2
        second = self.make(card, PIN, SLOT_9A)
        assert [key_on(EmbeddedTransport(card), one) for one in (SLOT_9C, SLOT_9A)] == [
            first,
            second,
        ]
        assert self.make(card, PIN, SLOT_9C) not in (first, second)

    def test_what_is_refused(self) -> None:
        card = JceCard()
        refused(Refused, "card.operator.factory_pin", lambda: self.make(card, FACTORY_PIN))
        refused(InvalidInput, "card.pin_format", lambda: self.make(JceCard(), "12"))
        refused(InvalidInput, "card.operator.make", lambda: self.make(card, PIN, HPKI))
        card.applet.security.mgmt_key = bytes(range(24))
        refused(Refused, "card.issuer_key_refused", lambda: self.make(card))
        for profile, slot in (("piv", "9D"), ("piv", ""), ("hpki", "9C"), ("jpki", "")):
            refused(InvalidInput, "card.operator.place", partial(KeyPlace, profile, slot))

    def test_it_is_made_whole_after_it_was_pulled_anywhere(self) -> None:
        probe = JceCard()
        self.make(probe)
        for fail_at in range(1, len(probe.sent) + 1):
            card = JceCard()
            pulled = FaultTransport(EmbeddedTransport(card), fail_at)
            with pytest.raises(CardRemoved):
                make_key(pulled, SLOT_9C, "yamada", PIN, Centre.now, lambda size: bytes(size))
            made = self.make(card)
            hand = Hand("yamada", SLOT_9C, card)
            verify_signature(made, hand.signer(made).sign(b"x"), b"x", "SHA-256")
            with pytest.raises(WrongPin):
                PivCard(EmbeddedTransport(card), load_piv_layout(), lambda *_: b"").verify_pin(
                    CardRole.SIGN, FACTORY_PIN
                )
