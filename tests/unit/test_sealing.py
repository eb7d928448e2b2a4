"""Envelopes: opened by one key, for one purpose, unchanged, or not at all."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.sealing import open_sealed, seal
from pki.errors import Refused

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
PURPOSE = b"hpki pin 0a1b2c3d T2026-0001.1"
CONTENT = b'{"SIGN": "12345678"}'
ENCAPSULATED = 65  # uncompressed point, RFC 9180 7.1
TAG = 16


def refused(sealed: bytes, key: ec.EllipticCurvePrivateKey = KEY, purpose: bytes = PURPOSE) -> None:
    with pytest.raises(Refused) as refusal:
        open_sealed(sealed, key, purpose)
    assert refusal.value.code == "keys.sealed"


@settings(max_examples=30)
@given(st.binary(max_size=2000), st.binary(max_size=100))
def test_what_was_sealed_opens_with_key_and_purpose(content: bytes, purpose: bytes) -> None:
    sealed = seal(content, KEY.public_key(), purpose)
    assert open_sealed(sealed, KEY, purpose) == content
    assert len(sealed) == ENCAPSULATED + len(content) + TAG


def test_the_suite_is_the_one_of_the_format() -> None:
    """Frozen: P-256, HKDF-SHA256, AES-128-GCM, so that old envelopes stay readable."""
    suite = hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
    assert suite.decrypt(seal(CONTENT, KEY.public_key(), PURPOSE), KEY, info=PURPOSE) == CONTENT
    foreign = suite.encrypt(CONTENT, KEY.public_key(), info=PURPOSE)
    assert open_sealed(foreign, KEY, PURPOSE) == CONTENT


def test_the_content_does_not_show_and_no_two_envelopes_are_alike() -> None:
    one, other = (seal(CONTENT, KEY.public_key(), PURPOSE) for _ in range(2))
    assert b"1234" not in one
    assert one[:ENCAPSULATED] != other[:ENCAPSULATED]
    assert one[ENCAPSULATED:] != other[ENCAPSULATED:]


@pytest.mark.parametrize("purpose", [b"", PURPOSE + b" ", PURPOSE[:-1], PURPOSE[:-1] + b"2"])
def test_another_purpose_does_not_open_it(purpose: bytes) -> None:
    refused(seal(CONTENT, KEY.public_key(), PURPOSE), purpose=purpose)


def test_another_key_does_not_open_it() -> None:
    refused(seal(CONTENT, KEY.public_key(), PURPOSE), OTHER)


def test_a_changed_octet_anywhere_does_not_open() -> None:
    sealed = seal(CONTENT, KEY.public_key(), PURPOSE)
    for position in range(len(sealed)):
        refused(sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :])


def test_a_cut_or_lengthened_envelope_does_not_open() -> None:
    sealed = seal(CONTENT, KEY.public_key(), PURPOSE)
    for length in range(len(sealed)):
        refused(sealed[:length])
    refused(sealed + b"\x00")
    refused(b"\x00" + sealed)


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_octets_that_were_never_an_envelope_do_not_open(octets: bytes) -> None:
    refused(octets)
