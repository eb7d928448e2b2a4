"""A key written to the virtual HPKI card: by the issuer, before activation, and whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

from card_personalization import tlv
from card_personalization.apdu import (
    CardError,
    ConditionsNotSatisfied,
    FileNotFound,
    SecurityNotSatisfied,
    UnexpectedStatus,
)
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import KeyOrigin, Role
from card_personalization.profiles import card_profile
from card_personalization.scp03 import StaticKeys
from card_personalization.transport import EmbeddedTransport, TraceTransport
from card_personalization.virtual_card import VirtualCard
from keys.backend import KeySpec
from keys.files import make_private_key
from pki.errors import InvalidInput, Refused
from tests.unit.test_card_hpki import (
    FACTORY_KEYS,
    LAYOUT,
    OWN_KEYS,
    PINS,
    new_card,
    personalize,
    rsa_key,
)

MADE = rsa_key(60)


@pytest.fixture
def chip(tmp_path: Path) -> VirtualCard:
    return new_card(tmp_path)


def prepared(chip: VirtualCard) -> HpkiCard:
    """A card in the issuer's session, with the files of the application for signing."""
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(FACTORY_KEYS)
    card.create_application(Role.SIGN)
    return card


def template(**changed: int) -> bytes:
    numbers = MADE.private_numbers()
    values = {"e": 65_537, "p": numbers.p, "q": numbers.q} | changed
    parts = (values[name].to_bytes(128, "big") for name in ("e", "p", "q"))
    return tlv.encode(0x7F48, *map(tlv.encode, (0x91, 0x92, 0x93), parts))


def put(
    card: HpkiCard,
    key: bytes,
    keys: StaticKeys = FACTORY_KEYS,
    reference: bytes = b"\x00\x17",
    p2: int = 0xFF,
) -> None:
    wrapped = aes_key_wrap_with_padding(keys.dek, key)
    data = tlv.encode(0xB6, tlv.encode(0x81, reference)) + tlv.encode(0x84, wrapped)
    card.channel.send(0x00, 0xDB, 0x3F, p2, data)


def test_the_key_is_on_the_card_and_the_directory_says_that_it_came_from_outside(
    chip: VirtualCard,
) -> None:
    card = prepared(chip)
    card.generate_key(Role.SIGN)
    assert card._directory(Role.SIGN).key.generated
    card.import_key(Role.SIGN, MADE)
    assert card.public_key(Role.SIGN) == MADE.public_key()
    assert not card._directory(Role.SIGN).key.generated
    reader = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    assert not reader._directory(Role.SIGN).key.generated
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(FACTORY_KEYS)
    card.generate_key(Role.SIGN)
    assert card.public_key(Role.SIGN) != MADE.public_key()
    assert card._directory(Role.SIGN).key.generated


def test_without_the_issuers_session_nothing_is_sent(chip: VirtualCard) -> None:
    prepared(chip)
    lines: list[str] = []
    card = HpkiCard(TraceTransport(EmbeddedTransport(chip), lines.append), LAYOUT)
    with pytest.raises(Refused) as refusal:
        card.import_key(Role.SIGN, MADE)
    assert (refusal.value.code, lines) == ("card.issuer_session", [])
    card._select(Role.SIGN)
    with pytest.raises(SecurityNotSatisfied):
        put(card, template())


def test_an_activated_card_takes_none_from_the_issuer_either(chip: VirtualCard) -> None:
    personalize(EmbeddedTransport(chip))
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(OWN_KEYS)
    before = chip._chip
    with pytest.raises(ConditionsNotSatisfied):
        card.import_key(Role.SIGN, MADE)
    assert chip._chip == before
    card.verify_pin(Role.SIGN, PINS[Role.SIGN])


REFUSED: Mapping[str, bytes] = {
    "nothing": b"\x00" * 16,
    "no-template": tlv.encode(0x04, bytes(16)),
    "no-exponent": template(e=0),
    "even-exponent": template(e=65_536),
    "a-prime-missing": template(q=0),
    "no-prime": template(p=MADE.private_numbers().p - 2),
    "twice-the-same": template(q=MADE.private_numbers().p),
    "shorter-than-the-file-says": template(q=65_539),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_key_that_is_none_is_refused(chip: VirtualCard, name: str) -> None:
    card = prepared(chip)
    put(card, template())
    before = chip._chip
    with pytest.raises(UnexpectedStatus) as refusal:
        put(card, REFUSED[name])
    assert (refusal.value.sw, chip._chip) == (0x6A80, before)


def test_a_whole_key_of_another_size_is_refused(chip: VirtualCard) -> None:
    card = prepared(chip)
    longer = make_private_key(KeySpec("RSA-3072"))
    with pytest.raises(UnexpectedStatus) as refusal:
        card.import_key(Role.SIGN, longer)  # type: ignore[arg-type]
    assert refusal.value.sw == 0x6A80
    with pytest.raises(FileNotFound):
        card.public_key(Role.SIGN)


def test_another_wrapping_key_file_or_parameter_is_refused(chip: VirtualCard) -> None:
    card = prepared(chip)
    for sw, arguments in (
        (0x6A80, {"keys": OWN_KEYS}),
        (0x6A88, {"reference": b"\x00\x18"}),
        (0x6A86, {"p2": 0x00}),
    ):
        with pytest.raises(CardError) as refusal:
            put(card, template(), **arguments)
        assert refusal.value.sw == sw
    put(card, template())


@pytest.mark.parametrize("profile", ["hpki", "piv"])
def test_the_layout_says_where_keys_are_made(profile: str) -> None:
    assert card_profile(profile).key_origin is KeyOrigin.CARD
    changed = card_profile(profile, '[card]\nkey_origin = "import"\n')
    assert changed.key_origin is KeyOrigin.IMPORT
    with pytest.raises(InvalidInput) as refusal:
        card_profile(profile, '[card]\nkey_origin = "imported"\n')
    assert refusal.value.code == "card.layout"
