"""Keys on a card longer than RSA 2048: commands and answers no longer fit one short APDU."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from card_personalization.card import CardCertificates
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Layout, Role, default_layout
from card_personalization.profiles import HpkiProfile
from card_personalization.scp03 import StaticKeys
from card_personalization.transport import EmbeddedTransport
from card_personalization.verify import check_card
from card_personalization.virtual_card import VirtualCard
from keys.backend import KeySpec
from pki.errors import InvalidInput, Refused

BITS = {Role.SIGN: 3072, Role.AUTH: 4096}
PINS = {Role.SIGN: "12345678", Role.AUTH: "23456789"}
ISSUER_KEYS = StaticKeys(bytes(range(16)), bytes(16), bytes(16))
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dr Demo")])


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """A key made once for all tests, since long ones take their time."""
    return rsa.generate_private_key(65_537, bits)


def key_for(spec: KeySpec) -> rsa.RSAPrivateKey:
    return rsa_key(spec.rsa_bits or 0)


class ShortCard(EmbeddedTransport):
    """A reader or card without extended length."""

    atr = bytes.fromhex("3b88800148504b4953494d3175")

    def transmit(self, apdu: bytes) -> bytes:
        assert len(apdu) <= 261
        answer = super().transmit(apdu)
        assert len(answer) <= 258
        return answer


def layout_for(bits: dict[Role, int]) -> Layout:
    layout = default_layout()
    for role, size in bits.items():
        layout = layout.with_key_bits(role, size)
    return layout


def new_card(path: Path) -> VirtualCard:
    return VirtualCard.create(path, "0a1b2c3d", ISSUER_KEYS, make_key=key_for)


def certificate(request: x509.CertificateSigningRequest) -> bytes:
    start = datetime(2026, 11, 22, tzinfo=UTC)
    builder = x509.CertificateBuilder(NAME, NAME, request.public_key(), 7)
    builder = builder.not_valid_before(start).not_valid_after(start.replace(year=2031))
    return builder.sign(rsa_key(4096), hashes.SHA384()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("transport", [EmbeddedTransport, ShortCard])
def test_a_card_with_long_keys(tmp_path: Path, transport: type[EmbeddedTransport]) -> None:
    """Each application has the size asked for, whatever the other has, and the card says so."""
    chip, layout = new_card(tmp_path / "card.json"), layout_for(BITS)
    card = HpkiCard(transport(chip), layout)
    assert card.channel.extended is (transport is EmbeddedTransport)
    card.authenticate_issuer(ISSUER_KEYS)
    expected = {}
    for role, bits in BITS.items():
        card.create_application(role)
        card.set_initial_pin(role, PINS[role])
        assert card.generate_key(role).key_size == bits
        key = card.private_key(role, PINS[role])
        builder = x509.CertificateSigningRequestBuilder().subject_name(NAME)
        request = builder.sign(key, hashes.SHA256())
        assert request.is_signature_valid
        holder = certificate(request)
        card.write_certificates(role, holder, [("HPKI CA CERTIFICATE", holder)])
        expected[role] = CardCertificates(holder, {"HPKI CA CERTIFICATE": holder})
    card.finalize()
    station = HpkiProfile(layout).card(transport(chip), lambda *_: bytes(range(16)))
    pins = {role.value: pin for role, pin in PINS.items()}
    results = check_card(station, expected, pins, os.urandom(32))
    assert [one for one in results if not one.ok] == []
    reader = HpkiCard(transport(chip), default_layout())  # who reads needs no layout for the size
    for role, bits in BITS.items():
        reader.verify_pin(role, PINS[role])
        assert len(reader.sign(role, b"digest")) == bits // 8


def test_sizes_are_those_of_the_layout() -> None:
    layout = default_layout()
    assert layout.key_sizes == (2048, 3072, 4096)
    assert {one.key_bits for one in layout.applications.values()} == {2048}
    longer = layout.with_key_bits(Role.AUTH, 3072)
    assert (longer.applications[Role.SIGN].key_bits, longer.applications[Role.AUTH].key_bits) == (
        2048,
        3072,
    )
    assert {one.key_bits for one in layout.applications.values()} == {2048}
    for bits in (1024, 8192, 0):
        with pytest.raises(Refused) as refusal:
            layout.with_key_bits(Role.SIGN, bits)
        assert refusal.value.code == "card.key_size"
        assert "3072" in refusal.value.hint


def test_a_certificate_too_long_for_the_card_is_refused(tmp_path: Path) -> None:
    layout = default_layout()
    card = HpkiCard(EmbeddedTransport(new_card(tmp_path / "card.json")), layout)
    card.authenticate_issuer(ISSUER_KEYS)
    card.create_application(Role.SIGN)
    with pytest.raises(InvalidInput) as refusal:
        card.write_certificates(Role.SIGN, bytes(layout.certificate_capacity + 1), [])
    assert refusal.value.code == "card.certificate_size"
