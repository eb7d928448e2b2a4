"""Documents under keys of their own: wrapped with AES-KW, encrypted with AES-256-GCM."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from keys.documents import OVERHEAD_OCTETS, decrypt_document, encrypt_document, rewrap
from pki.errors import HpkiError, InvalidInput, Refused
from pki.serials import Entropy

DATA_KEY = bytes(range(32))
OTHER = bytes(range(1, 33))
CONTENT = "個人番号 1234 5678 9018".encode()
WHO = b"T2026-0001/RESIDENT_RECORD.1"


def counted() -> Entropy:
    """Octets 0, 1, 2 … and on."""
    endless: Iterator[int] = iter(range(256))
    return lambda count: bytes(next(endless) for _ in range(count))


def code_of(error: pytest.ExceptionInfo[HpkiError]) -> str:
    return error.value.code


def test_a_key_wrapped_as_in_rfc_3394() -> None:
    """Section 4.6: 256 bits of key data under a 256-bit key."""
    data = bytes.fromhex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f")
    draws = iter([data, bytes(12)])
    wrapped, _ = encrypt_document(CONTENT, WHO, DATA_KEY, lambda _: next(draws))
    assert wrapped.hex().upper() == (
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    )


def test_equal_contents_differ_encrypted() -> None:
    one = encrypt_document(CONTENT, WHO, DATA_KEY, os.urandom)
    two = encrypt_document(CONTENT, WHO, DATA_KEY, os.urandom)
    assert one[0] != two[0]
    assert not {one[1][i : i + 8] for i in range(20)} & {two[1][i : i + 8] for i in range(20)}
    assert len(one[1]) == len(CONTENT) + OVERHEAD_OCTETS
    assert decrypt_document(one[1], WHO, one[0], DATA_KEY) == CONTENT


def test_every_flipped_bit_is_refused() -> None:
    wrapped, ciphertext = encrypt_document(CONTENT, WHO, DATA_KEY, counted())
    for place in range(len(ciphertext) * 8):
        changed = bytearray(ciphertext)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Refused) as refused:
            decrypt_document(bytes(changed), WHO, wrapped, DATA_KEY)
        assert code_of(refused) == "keys.document.changed"


def test_what_belongs_to_another_document_is_refused() -> None:
    entropy = counted()
    one = encrypt_document(CONTENT, WHO, DATA_KEY, entropy)
    two = encrypt_document(CONTENT, b"T2026-0002/PHOTO.1", DATA_KEY, entropy)
    for ciphertext, identity, wrapped in (
        (two[1], WHO, one[0]),
        (one[1], WHO, two[0]),
        (one[1], b"T2026-0002/PHOTO.1", one[0]),
        (one[1][:20], WHO, one[0]),
        (b"", WHO, one[0]),
    ):
        with pytest.raises(Refused, match="changed, or it is another"):
            decrypt_document(ciphertext, identity, wrapped, DATA_KEY)


@pytest.mark.parametrize("wrapped", [b"", b"short", bytes(40), bytes(41)])
def test_a_wrapped_key_that_is_none_is_refused(wrapped: bytes) -> None:
    with pytest.raises(Refused) as refused:
        decrypt_document(bytes(40), WHO, wrapped, DATA_KEY)
    assert code_of(refused) == "keys.document.key"


def test_a_new_data_key_takes_over_and_the_old_one_opens_no_more() -> None:
    wrapped, ciphertext = encrypt_document(CONTENT, WHO, DATA_KEY, os.urandom)
    turned = rewrap(wrapped, DATA_KEY, OTHER)
    assert decrypt_document(ciphertext, WHO, turned, OTHER) == CONTENT
    with pytest.raises(Refused, match="does not open with the site's data key"):
        decrypt_document(ciphertext, WHO, turned, DATA_KEY)
    with pytest.raises(Refused):
        rewrap(turned, DATA_KEY, OTHER)


@pytest.mark.parametrize("data_key", [b"", bytes(16), bytes(31), bytes(33)])
def test_a_data_key_of_another_size_is_refused(data_key: bytes) -> None:
    with pytest.raises(InvalidInput):
        encrypt_document(CONTENT, WHO, data_key, os.urandom)
    wrapped, _ = encrypt_document(CONTENT, WHO, DATA_KEY, os.urandom)
    with pytest.raises(InvalidInput):
        rewrap(wrapped, DATA_KEY, data_key)
