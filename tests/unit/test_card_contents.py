"""What is read of a card: ours, others', and cards that lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card_personalization.apdu import SecurityNotSatisfied
from card_personalization.card import CardState
from card_personalization.contents import (
    MAX_COMMANDS,
    Application,
    CardContents,
    Kind,
    Layouts,
    read_contents,
)
from card_personalization.layout import Role, load_layout
from card_personalization.sourced import shipped
from card_personalization.transport import CardRemoved, Chip, EmbeddedTransport, FaultTransport
from cli.card_contents import application_record, card_record, contents_tree, key_record
from pki.errors import HpkiError, Unavailable
from tests.interop.foreign_cards import (
    HPKI_SIGN,
    FileCard,
    der,
    foreign_hpki_card,
    jpki_card,
)
from tests.unit.test_card_hpki import (
    PINS,
    SERIAL,
    ca_certificates,
    certificate_der,
    expected_certificates,
    new_card,
    personalize,
)

LAYOUTS = Layouts()
BENDING = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories of characters that can bend a terminal."""

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "hpki_public"


def contents_of(chip: Chip, layouts: Layouts = LAYOUTS) -> CardContents:
    return read_contents(EmbeddedTransport(chip), layouts)


def only(chip: Chip) -> Application:
    (found,) = contents_of(chip).applications
    return found


def shown(contents: CardContents) -> dict[str, Any]:
    """All that people and programs are shown, which must be harmless whatever the card said."""
    tree = contents_tree("reader", contents)
    for lang in ("ja", "en"):
        texts = [*card_record(tree).values()]
        for application in tree["applications"]:
            texts += application_record(application, lang).values()
            for key in application["keys"]:
                texts += key_record(application["kind"], key, lang).values()
        for text in texts:
            assert not {category(one) for one in str(text).replace("\n", "")} & BENDING
    told: dict[str, Any] = json.loads(json.dumps(tree, default=str))
    assert len(str(told)) < 2_000_000
    return told


# --- our card ---


class Watched(EmbeddedTransport):
    """Lets nothing through that could cost a try or change the card."""

    def transmit(self, apdu: bytes) -> bytes:
        assert apdu[1] in (0xA4, 0xB0, 0xC0, 0xCA, 0xCB, 0x20)
        assert apdu[1] != 0x20 or len(apdu) == 4
        return super().transmit(apdu)


def test_our_card_tells_everything_and_loses_nothing(tmp_path: Path) -> None:
    chip = new_card(tmp_path)
    card = personalize(EmbeddedTransport(chip))
    expected = expected_certificates(card)
    before = (tmp_path / "card.json").read_bytes()
    contents = read_contents(Watched(chip), LAYOUTS)
    assert (tmp_path / "card.json").read_bytes() == before
    (found,) = contents.applications
    assert contents.atr == chip.atr
    assert (found.kind, found.serial, found.state) == (Kind.HPKI, SERIAL, CardState.ACTIVATED)
    for key, role in zip(found.keys, Role, strict=True):
        assert (key.role, key.tries_left, key.faults) == (role, 15, ())
        assert key.certificate_der == expected[role].holder_der
        assert key.ca_certificates_der == ca_certificates()
    key = shown(contents)["applications"][0]["keys"][0]
    assert (key["subject"], key["serial"], key["key"]) == ("CN=Dr SIGN", "7", "RSA 2048")
    assert (key["label"], key["key_id"], key["key_path"]) == ("HPKI Application", "17", "0017")
    assert (key["key_bits"], key["pin_reference"], key["qualification"]) == (2048, "96", [])
    assert key["certificate_paths"] == ["0018", "001b", "001a", "0019"]


def test_wrong_pins_show_and_a_blocked_pin_is_told(tmp_path: Path) -> None:
    chip = new_card(tmp_path)
    card = personalize(EmbeddedTransport(chip))
    for role, times in ((Role.SIGN, 2), (Role.AUTH, 15)):
        for _ in range(times):
            with pytest.raises(HpkiError):
                card.verify_pin(role, "9" + PINS[role][1:])
    contents = contents_of(chip)
    assert [key.tries_left for key in contents.applications[0].keys] == [13, 0]
    blocked = shown(contents)["applications"][0]["keys"][1]
    assert key_record("HPKI", blocked, "ja")["tries_left"] == "0（ロック中）"


def test_a_blank_card_of_ours_is_known(tmp_path: Path) -> None:
    found = only(new_card(tmp_path))
    assert found == Application(Kind.HPKI, SERIAL, CardState.BLANK, ())


def test_a_card_pulled_at_any_command_is_told_as_pulled(tmp_path: Path) -> None:
    chip = new_card(tmp_path)
    personalize(EmbeddedTransport(chip))
    probe = FaultTransport(EmbeddedTransport(chip), 0)
    read_contents(probe, LAYOUTS)
    assert 20 < probe.sent < 200
    for fail_at in range(1, probe.sent + 1, 7):
        with pytest.raises(CardRemoved):
            read_contents(FaultTransport(EmbeddedTransport(chip), fail_at), LAYOUTS)


# --- other issuers' HPKI cards ---

HOLDER, OTHER_CA = certificate_der("Dr JMA", 3), certificate_der("JMA root", 93)


@pytest.mark.parametrize("short", [True, False])
def test_another_issuers_card_is_read_by_its_own_directory(short: bool) -> None:
    contents = contents_of(foreign_hpki_card(HOLDER, OTHER_CA, short=short))
    (found,) = contents.applications
    assert (found.kind, found.serial, found.state) == (Kind.HPKI, "c0ffee", None)
    (key,) = found.keys
    assert (key.role, key.certificate_der, key.faults) == (Role.SIGN, HOLDER, ())
    assert key.ca_certificates_der == (("JMA root", OTHER_CA),)
    assert key.tries_left == 12
    told = shown(contents)["applications"][0]["keys"][0]
    assert (told["key_id"], told["pin_reference"], told["label"]) == ("5b", "88", "JMA HPKI")
    assert told["certificate_paths"] == (["b8", "b0"] if short else ["0017", "0016"])


def test_other_aids_are_given(tmp_path: Path) -> None:
    card = foreign_hpki_card(HOLDER, OTHER_CA, short=False)
    aid = bytes.fromhex("E828BD080FA0000003911234")
    card.applications[aid] = card.applications.pop(HPKI_SIGN)
    with pytest.raises(Unavailable) as refused:
        contents_of(card)
    assert refused.value.code == "card.unknown"
    changes = f'[sign]\naid = "{aid.hex()}"'
    layouts = replace(LAYOUTS, hpki=load_layout(shipped("hpki_layout.toml"), changes))
    assert contents_of(card, layouts).applications[0].keys[0].certificate_der == HOLDER


def without(card: FileCard, *names: bytes) -> FileCard:
    for name in names:
        del card.applications[HPKI_SIGN].files[name]
    return card


def test_a_broken_part_hides_no_other() -> None:
    broken = without(foreign_hpki_card(HOLDER, OTHER_CA, short=False), b"\x00\x03", b"\x00\x17")
    (key,) = only(broken).keys
    assert (key.certificate_der, key.ca_certificates_der, key.tries_left) == (HOLDER, (), None)
    assert [fault.part for fault in key.faults] == ["key", "CA certificate JMA root"]
    broken = without(foreign_hpki_card(HOLDER, OTHER_CA, short=False), b"\x00\x05", b"\x50\x32")
    (key,) = only(broken).keys
    assert (key.certificate_der, key.tries_left) == (b"", 12)
    assert [fault.part for fault in key.faults] == ["EF.CIAInfo", "certificate directory"]


def test_the_holders_certificate_is_the_one_with_the_keys_id() -> None:
    card = foreign_hpki_card(HOLDER, OTHER_CA, short=False)
    files = card.applications[HPKI_SIGN].files
    authority, nothing = bytes.fromhex("0101ff"), bytes.fromhex("010100")
    files[b"\x00\x05"] = files[b"\x00\x05"].replace(authority, nothing)
    (key,) = only(card).keys
    assert (key.certificate_der, key.ca_certificates_der) == (HOLDER, ())


def test_a_directory_without_measure_is_told() -> None:
    card = foreign_hpki_card(HOLDER, OTHER_CA, short=False)
    card.applications[HPKI_SIGN].files[b"\x50\x31"] *= 20
    (key,) = only(card).keys
    assert [(fault.part, fault.error.code) for fault in key.faults] == [
        ("certificate directory", "card.directory")
    ]


def test_what_is_no_certificate_is_told() -> None:
    contents = contents_of(foreign_hpki_card(der(0x30, b"\x05\x00"), OTHER_CA, short=True))
    key = shown(contents)["applications"][0]["keys"][0]
    assert "subject" not in key
    assert [(one["part"], one["code"]) for one in key["unreadable"]] == [
        ("certificate", "pki.certificate.unreadable")
    ]


# --- My Number cards ---


def test_a_my_number_card_keeps_the_signing_certificate_behind_its_pin() -> None:
    sign, auth, ca = (certificate_der(name, 4) for name in ("sign", "auth", "JPKI"))
    card = jpki_card(sign, auth, ca, (0, 3))
    contents = contents_of(card)
    (found,) = contents.applications
    assert (found.kind, found.serial, found.state) == (Kind.JPKI, "", None)
    signing, authentication = found.keys
    assert (signing.role, signing.certificate_der, signing.tries_left) == (Role.SIGN, b"", 0)
    (fault,) = signing.faults
    assert isinstance(fault.error, SecurityNotSatisfied)
    assert (authentication.certificate_der, authentication.tries_left) == (auth, 3)
    assert signing.ca_certificates_der == authentication.ca_certificates_der == (("JPKI CA", ca),)
    key = shown(contents)["applications"][0]["keys"][0]
    assert key_record("JPKI", key, "en")["unreadable"] == (
        "certificate: needs the PIN, which is not asked for here"
    )
    assert all(len(apdu) == 4 for apdu in card.sent if apdu[1] == 0x20)


def test_a_card_of_two_kinds_shows_both() -> None:
    card = foreign_hpki_card(HOLDER, OTHER_CA, short=False)
    card.applications |= jpki_card(HOLDER, HOLDER, OTHER_CA).applications
    assert [one.kind for one in contents_of(card).applications] == [Kind.HPKI, Kind.JPKI]
    for application in card.applications[HPKI_SIGN].files:
        card.applications[HPKI_SIGN].files[application] = b"\xff" * 40
    broken, whole = contents_of(card).applications
    assert broken.keys[0].faults
    assert whole.keys[1].certificate_der == HOLDER


# --- cards that lie ---


class Babbler:
    """Says what it likes, for ever."""

    def __init__(self, answers: Sequence[bytes], atr: bytes) -> None:
        self.atr = atr
        self.count = 0
        self._answers = cycle(answers)

    def reset(self) -> None:
        pass

    def transmit(self, apdu: bytes) -> bytes:
        self.count += 1
        return next(self._answers)


def assert_bearable(chip: Chip) -> None:
    """It is shown, or refused with an error of ours, in bounded time."""
    try:
        contents = contents_of(chip)
    except HpkiError:
        return
    shown(contents)


STATUS = st.sampled_from(
    [bytes.fromhex(sw) for sw in (
        "9000", "9000", "9000", "6282", "6105", "6100", "6C10", "6A82", "6982", "63C3", "6984",
        "6B00", "6D00", "6F00",
    )]
)  # fmt: skip
DATA = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([HOLDER, bytes(300), b"\xff" * 256, b"\x30\x83\xff\xff\xff"]),
    st.builds(der, st.sampled_from([0x30, 0x53, 0x70, 0xA8, 0xA0, 0xA4]), st.binary(max_size=60)),
)


@given(
    st.lists(st.one_of(st.binary(max_size=4), st.builds(bytes.__add__, DATA, STATUS)), min_size=1),
    st.binary(max_size=33),
)
def test_any_answers_are_borne(answers: list[bytes], atr: bytes) -> None:
    chip = Babbler(answers, atr)
    assert_bearable(chip)
    assert chip.count < 12 * MAX_COMMANDS


@given(st.data(), st.booleans())
def test_any_files_are_borne(data: st.DataObject, short: bool) -> None:
    card = foreign_hpki_card(HOLDER, OTHER_CA, short=short)
    files = card.applications[HPKI_SIGN].files
    for name in data.draw(st.lists(st.sampled_from(sorted(files)), min_size=1, max_size=3)):
        content = files[name]
        begin = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(begin, min(len(content), begin + 4)))
        files[name] = content[:begin] + data.draw(st.binary(max_size=6)) + content[end:]
    assert_bearable(card)


@pytest.mark.parametrize(
    "answer", ["9000", "009000", "309000", "6101", "006101", "6C01", "308400ffffff9000"]
)
def test_a_card_that_never_comes_to_an_end(answer: str) -> None:
    chip = Babbler([bytes.fromhex(answer)], b"\x3b\x00")
    assert_bearable(chip)
    assert chip.count < 12 * MAX_COMMANDS


@pytest.mark.parametrize("beyond", [bytes(256), b""])
@pytest.mark.parametrize("head", ["3083ffffff", "30821000"])
def test_a_file_that_has_no_end_is_refused(head: str, beyond: bytes) -> None:
    class Endless(FileCard):
        def transmit(self, apdu: bytes) -> bytes:
            answer = super().transmit(apdu)
            if apdu[1] == 0xB0 and answer in (b"\x6b\x00", b"\x62\x82"):
                return beyond + b"\x90\x00"
            return answer

    holder = bytes.fromhex(head) + bytes(600)
    whole = foreign_hpki_card(holder, OTHER_CA, short=False)
    (key,) = only(Endless(whole.applications)).keys
    if beyond and head.startswith("3082"):
        assert key.certificate_der == holder + bytes(4 + 0x1000 - len(holder))
        return
    assert [fault.error.code for fault in key.faults] == ["card.file"]


def test_a_file_that_ends_before_its_certificate_is_told() -> None:
    (key,) = only(foreign_hpki_card(HOLDER[:-1], OTHER_CA, short=False)).keys
    assert [(fault.part, fault.error.code) for fault in key.faults] == [
        ("certificate", "card.file")
    ]


def test_what_bends_a_terminal_is_shown_escaped() -> None:
    evil = "\x1b]0;owned\x07\n資格  医師\u202e"
    card = foreign_hpki_card(HOLDER, OTHER_CA, short=False)
    files = card.applications[HPKI_SIGN].files
    label, flags = der(0x80, evil.encode()), bytes.fromhex("03020560")
    files[b"\x50\x32"] = der(0x30, bytes.fromhex("020101"), label, flags)
    key = shown(contents_of(card))["applications"][0]["keys"][0]
    assert key["label"] == "\\x1b]0;owned\\x07\\n資格  医師\\u202e"


def test_a_number_without_measure_makes_its_file_unreadable() -> None:
    card = foreign_hpki_card(HOLDER, OTHER_CA, short=False)
    common = der(0x30, der(4, b"\x21"))
    key_class = der(0x30, der(4, b"\x5b"), bytes.fromhex("03020640"))
    place = der(0x30, der(0x30, der(4, b"\x00\x0c")), der(2, b"\x7f" * 10_000))
    files = card.applications[HPKI_SIGN].files
    files[b"\x00\x04"] = der(0x30, common, key_class, der(0xA1, place))
    key = shown(contents_of(card))["applications"][0]["keys"][0]
    assert "key_bits" not in key
    assert [(one["part"], one["code"]) for one in key["unreadable"]] == [("key", "card.directory")]


# --- a real certificate ---


@pytest.mark.skipif(
    not REAL.is_dir(), reason=f"REAL HPKI ARTEFACTS ARE ABSENT: {REAL} (not part of the project)"
)
def test_the_qualification_of_a_real_test_card() -> None:
    holder = (REAL / "medis_sign_test_card_2017.cer").read_bytes()
    ca = (REAL / "medis_sign_ca.cer").read_bytes()
    contents = contents_of(foreign_hpki_card(holder, ca, short=True))
    key = shown(contents)["applications"][0]["keys"][0]
    assert key["qualification"] == [{"role": "Medical Doctor", "japanese": "医師"}]
    assert key["kanji_name"] == "推進　六十二"
    assert "CN=rokujuni suishin" in key["subject"]
    assert "MedisSignCA2" in key["issuer"]
    assert key_record("HPKI", key, "ja")["qualification"] == "医師 (Medical Doctor)"
    assert "MEDIS HPKI CA" in key["ca_certificates"][0]["subject"]
