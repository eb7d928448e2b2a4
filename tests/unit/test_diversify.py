"""Card keys: against the definition written out, and apart from each other."""

from __future__ import annotations

from functools import partial

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from card_personalization.hpki_issuing import ISSUER_KEY, TRANSPORT_KEY, issuer_keys
from keys.diversify import card_key
from pki.errors import InvalidInput

MASTER = bytes(range(32))
SERIAL = "0a1b2c3d4e5f6071"


def by_definition(master: bytes, label: str, chip_serial: str) -> bytes:
    """SP 800-108r1 4.1 with one round: i=1 (32 bits), label, 00, context, L=128 (32 bits)."""
    mac = CMAC(AES(master))
    mac.update(b"\x00\x00\x00\x01" + label.encode() + b"\x00" + bytes.fromhex(chip_serial))
    mac.update(b"\x00\x00\x00\x80")
    return mac.finalize()


def test_a_known_answer() -> None:
    """Frozen: another derivation would lock out every card made before."""
    assert card_key(MASTER, ISSUER_KEY, SERIAL).hex() == "e096fa156cd073e2a35bfae148c75dee"
    assert card_key(MASTER, TRANSPORT_KEY, SERIAL).hex() == "9423cf98062320f7b3b8d090b71a4d96"
    assert card_key(MASTER[:16], ISSUER_KEY, SERIAL).hex() == "0c43640ed38ab338db2bd8fee6e3ca2e"


def test_the_three_keys_of_a_card() -> None:
    """Frozen, as above."""
    found = issuer_keys(partial(card_key, MASTER), ISSUER_KEY, SERIAL)
    assert (found.enc.hex(), found.mac.hex(), found.dek.hex()) == (
        "7a203bf42aadb5309cf5d85b8954e15c",
        "3db8296da9dbf6308f664aa32819b3b3",
        "50144a4f7f27aa4daa0385954948de4f",
    )
    for key, name in ((found.enc, "ENC"), (found.mac, "MAC"), (found.dek, "DEK")):
        assert key == by_definition(MASTER, f"hpki card issuer {name}", SERIAL)


@given(
    st.binary(min_size=32, max_size=32) | st.binary(min_size=16, max_size=16),
    st.sampled_from((ISSUER_KEY, TRANSPORT_KEY, "")),
    st.binary(min_size=1, max_size=16),
)
def test_it_is_sp_800_108_in_counter_mode(master: bytes, label: str, serial: bytes) -> None:
    key = card_key(master, label, serial.hex())
    assert len(key) == 16
    assert key == by_definition(master, label, serial.hex())
    assert key == card_key(master, label, serial.hex().upper())


def test_every_input_makes_another_key() -> None:
    other_serial, other_master = SERIAL[:-2] + "72", MASTER[:-1] + b"\x00"
    keys = {
        card_key(master, label, serial)
        for master in (MASTER, other_master, MASTER[:16])
        for label in (ISSUER_KEY, TRANSPORT_KEY)
        for serial in (SERIAL, other_serial, SERIAL + "00", "00" + SERIAL)
    }
    assert len(keys) == 24


@pytest.mark.parametrize("octets", [0, 1, 15, 17, 24, 31, 33, 64])
def test_a_master_of_another_length_is_refused(octets: int) -> None:
    with pytest.raises(InvalidInput) as refusal:
        card_key(bytes(octets), ISSUER_KEY, SERIAL)
    assert refusal.value.code == "keys.card_master"


@pytest.mark.parametrize("serial", ["", "0", "zz", "0a1b2c3d4e5f607", "カード", "0a 1b"])
def test_a_serial_that_is_not_hexadecimal_is_refused(serial: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        card_key(MASTER, ISSUER_KEY, serial)
    assert refusal.value.code == "keys.chip_serial"
