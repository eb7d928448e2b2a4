from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_personalization import iso7816_15 as cia
from card_personalization.layout import PathForm, Role, default_layout, load_layout
from pki.errors import InvalidInput

PIN = cia.PasswordObject("HPKI PIN", b"\x16", 0x96, 4, 16, 16, None)
KEY = cia.PrivateKeyObject(
    "Private key of HPKI", b"\x17", b"\x16", ("non_repudiation",), True, 2048, b"\x00\x17"
)
LAYOUT_FILE = Path(__file__).parents[2] / "card_personalization" / "data" / "hpki_layout.toml"


@given(st.text(max_size=40), st.booleans(), st.sampled_from([b"\x98", b"\x00\x18"]))
def test_certificates_round_trip(label: str, authority: bool, path: bytes) -> None:
    entry = cia.CertificateObject(label, b"\x1a", path, authority)
    encoded = cia.encode_certificate(entry)
    assert cia.decode_certificates(encoded * 2 + bytes(30)) == (entry, entry)


@given(st.sampled_from([None, b"\x00", b"\xff"]), st.integers(1, 255))
def test_passwords_round_trip(pad_char: bytes | None, reference: int) -> None:
    entry = cia.PasswordObject("P", b"\x16", reference, 4, 16, 16, pad_char)
    assert cia.decode_passwords(cia.encode_password(entry)) == (entry,)


@given(st.booleans(), st.sampled_from([None, 0x0C]), st.sampled_from([2048, 4096]))
def test_private_keys_round_trip(consent: bool, reference: int | None, bits: int) -> None:
    usage = ("non_repudiation", "sign")
    entry = cia.PrivateKeyObject("K", b"\x17", b"\x16", usage, consent, bits, b"\xb8", reference)
    assert cia.decode_private_keys(cia.encode_private_key(entry)) == (entry,)


def test_bytes_of_annex_b() -> None:
    """Written out by hand from ISO/IEC 7816-15 annex A and the example of JAHIS 24-002 annex B."""
    od = cia.ObjectDirectory((b"\x98",), (b"\xa0",), (b"\xa8",))
    assert cia.encode_object_directory(od).hex() == (
        "a8053003040198" "a00530030401a0" "a40530030401a8"
    )  # fmt: skip
    assert cia.encode_password(PIN).hex() == (
        "302d" "300e" "0c0848504b492050494e" "030206c0" "3003040116"
        "a1163014" "030203c8" "0a0102" "020104" "020110" "020110" "80020096"
    )  # fmt: skip
    assert cia.encode_private_key(KEY).hex() == (
        "303d" "301f" "0c1350726976617465206b6579206f662048504b49" "03020780" "040116" "020101"
        "300c" "040117" "0303060040" "030203b8" "a10c300a" "300404020017" "02020800"
    )  # fmt: skip
    assert cia.encode_cia_info("HPKI Application").hex() == (
        "3019" "020101" "801048504b49204170706c69636174696f6e" "03020560"
    )  # fmt: skip


def test_entries_of_other_kinds_are_passed_over() -> None:
    ec_key = bytes.fromhex("A003020101")
    objects_in_place = bytes.fromhex("A002A000")
    assert cia.decode_private_keys(ec_key + cia.encode_private_key(KEY)) == (KEY,)
    od = cia.ObjectDirectory((b"\x98",), (b"\xa0",), (b"\xa8",))
    data = objects_in_place + cia.encode_object_directory(od)
    assert cia.decode_object_directory(data) == od


@given(st.binary(max_size=80))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    for decode in (
        cia.decode_cia_info,
        cia.decode_object_directory,
        cia.decode_passwords,
        cia.decode_private_keys,
        cia.decode_certificates,
        cia.decode_directory_aids,
    ):
        try:
            decode(data)
        except InvalidInput as error:
            assert error.code in ("card.tlv", "card.directory")  # noqa: PT017


@given(st.data())
def test_damaged_entries_decode_or_are_refused(data: st.DataObject) -> None:
    for encoded, decode in (
        (cia.encode_password(PIN), cia.decode_passwords),
        (cia.encode_private_key(KEY), cia.decode_private_keys),
    ):
        changed = bytearray(encoded)
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            decode(bytes(changed))
        except InvalidInput as error:
            assert error.code in ("card.tlv", "card.directory")  # noqa: PT017


def test_the_default_layout() -> None:
    layout = default_layout()
    assert layout.applications[Role.SIGN].aid.hex() == "e828bd080fa000000391000000000001"
    assert layout.applications[Role.AUTH].aid.hex() == "e828bd080fa000000391000000000002"
    assert layout.applications[Role.SIGN].user_consent
    assert not layout.applications[Role.AUTH].user_consent
    assert (layout.pin.reference, layout.pin.tries) == (0x96, 15)
    assert layout.files["aod"].path(PathForm.ANNEX_B) == b"\x98"
    assert layout.files["key"].path(PathForm.FID) == b"\x00\x17"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('firmness = "guideline"', 'firmness = "surely"'),
        ('"[J] table 3", firmness = "guideline"', '"[J] table 3"'),
        ('value = "fid"', 'value = "both"'),
        ("[pin]", "[pim]"),
        ("tries =", "retries ="),
        ("[card]", "[card"),
    ],
)
def test_a_layout_item_without_basis_is_refused(old: str, new: str) -> None:
    text = LAYOUT_FILE.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(InvalidInput):
        load_layout(text.replace(old, new, 1))


@pytest.mark.parametrize("length", [-1, 16_385, 1 << 40])
def test_impossible_sizes_are_refused(length: int) -> None:
    """A PIN padded to such a length, or a block for such a key, would fill the memory."""
    with pytest.raises(InvalidInput, match=r"card\.directory"):
        cia.decode_passwords(cia.encode_password(replace(PIN, stored_length=length)))
    with pytest.raises(InvalidInput, match=r"card\.directory"):
        cia.decode_private_keys(cia.encode_private_key(replace(KEY, modulus_bits=length)))
