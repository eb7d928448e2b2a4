import copy
import dataclasses
import datetime
import itertools
import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from card_personalization import tlv
from card_personalization.apdu import (
    CardChannel,
    ConditionsNotSatisfied,
    FileNotFound,
    IssuerKeyRefused,
    PinBlocked,
    SecurityNotSatisfied,
    UnexpectedStatus,
    WrongPin,
)
from card_personalization.card import CardCertificates, CardState, IssuingCard
from card_personalization.card_key import digest_info
from card_personalization.hpki_card import HpkiCard
from card_personalization.layout import Layout, PathForm, Role, default_layout
from card_personalization.profiles import HpkiProfile
from card_personalization.scp03 import StaticKeys
from card_personalization.transport import (
    CardRemoved,
    EmbeddedTransport,
    FaultTransport,
    NoCard,
    TraceTransport,
    Transport,
)
from card_personalization.verify import CheckResult, check_card
from card_personalization.virtual_card import Entropy, KeyMaker, VirtualCard
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable

SERIAL = "0a1b2c3d4e5f6071"
FACTORY_KEYS = StaticKeys(bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))
OWN_KEYS = StaticKeys(bytes(range(64, 96)), bytes(range(96, 128)), bytes(range(128, 160)))
PINS = {Role.SIGN: "Sign-4567", Role.AUTH: "82736455"}
NAMED_PINS = {role.value: pin for role, pin in PINS.items()}
LAYOUT = default_layout()
DIGEST_INFO = digest_info(hashes.SHA256(), bytes(32))


@cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def key_maker() -> KeyMaker:
    """Keys made once for all tests; a card never gets the same one twice."""
    numbers = itertools.count()
    return lambda _: rsa_key(next(numbers))


@cache
def certificate_der(name: str, number: int) -> bytes:
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "HPKI DEMO CA")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2026, 4, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(issuer, subject, rsa_key(number).public_key(), 7 + number)
    builder = builder.not_valid_before(start).not_valid_after(start.replace(year=2031))
    return builder.sign(rsa_key(99), hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def certificate_for(public_key: CertificatePublicKeyTypes, role: Role) -> bytes:
    number = next(n for n in range(50) if rsa_key(n).public_key() == public_key)
    return certificate_der(f"Dr {role}", number)


@cache
def ca_certificates() -> tuple[tuple[str, bytes], ...]:
    labels = ("HPKI CA CERTIFICATE", "HPKI ROOT CA CERTIFICATE", "Another CA")
    return tuple((label, certificate_der(label, 90 + n)) for n, label in enumerate(labels))


def new_card(
    tmp_path: Path, name: str = "card.json", *, entropy: Entropy = os.urandom
) -> VirtualCard:
    return VirtualCard.create(
        tmp_path / name, SERIAL, FACTORY_KEYS, entropy=entropy, make_key=key_maker()
    )


def personalize(
    transport: Transport,
    layout: Layout = LAYOUT,
    *,
    keys: Sequence[StaticKeys] = (FACTORY_KEYS, OWN_KEYS),
) -> HpkiCard:
    """The whole life in the factory; on a card that is already activated nothing more to do."""
    card = HpkiCard(transport, layout)
    identity = card.identify()
    expected: dict[Role, bytes] = {}
    if identity.state is CardState.ACTIVATED:
        return card
    card.authenticate_issuer(keys[identity.issuer_key_version - 1])
    for role in Role:
        card.create_application(role)
        card.set_initial_pin(role, PINS[role])
        card.generate_key(role)
        key = card.private_key(role, partial(PINS.__getitem__, role))
        csr = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
        assert csr.is_signature_valid
        expected[role] = certificate_for(csr.public_key(), role)
        card.write_certificates(role, expected[role], ca_certificates())
    if identity.issuer_key_version == 1:
        card.replace_issuer_key(OWN_KEYS)
    card.finalize()
    return card


def expected_certificates(card: HpkiCard) -> dict[Role, CardCertificates]:
    return {
        role: CardCertificates(
            certificate_for(card.public_key(role), role), dict(ca_certificates())
        )
        for role in Role
    }


@pytest.fixture
def chip(tmp_path: Path) -> VirtualCard:
    return new_card(tmp_path)


@pytest.fixture
def card(chip: VirtualCard) -> HpkiCard:
    """A finished card, connected anew."""
    personalize(EmbeddedTransport(chip))
    return HpkiCard(EmbeddedTransport(chip), LAYOUT)


def checked(
    chip: VirtualCard,
    expected: Mapping[Role, CardCertificates],
    layout: Layout = LAYOUT,
    transport: Callable[[VirtualCard], Transport] = EmbeddedTransport,
) -> tuple[CheckResult, ...]:
    return check_card(at_station(transport(chip), layout), expected, NAMED_PINS, os.urandom(32))


def at_station(transport: Transport, layout: Layout = LAYOUT) -> IssuingCard:
    return HpkiProfile(layout).card(transport, lambda *_: bytes(16))


# --- the whole way ---


@pytest.mark.parametrize("path_form", PathForm)
@pytest.mark.parametrize("ef_dir", [True, False])
@pytest.mark.parametrize("host_pads", [True, False])
def test_a_card_is_made_and_verified(
    chip: VirtualCard, path_form: PathForm, ef_dir: bool, host_pads: bool
) -> None:
    layout = dataclasses.replace(LAYOUT, path_form=path_form, ef_dir=ef_dir, host_pads=host_pads)
    card = personalize(EmbeddedTransport(chip), layout)
    expected = expected_certificates(card)
    results = checked(chip, expected, layout)
    assert [result for result in results if not result.ok] == []
    assert len(results) == 18
    assert card.identify().chip_serial == SERIAL


def test_a_card_is_made_without_extended_length(chip: VirtualCard) -> None:
    class ShortCard(EmbeddedTransport):
        atr = bytes.fromhex("3b88800148504b4953494d3175")

        def transmit(self, apdu: bytes) -> bytes:
            assert len(apdu) <= 261
            answer = super().transmit(apdu)
            assert len(answer) <= 258
            return answer

    card = personalize(ShortCard(chip))
    assert not card.channel.extended
    results = checked(chip, expected_certificates(card), transport=ShortCard)
    assert all(result.ok for result in results), results


def test_reading_follows_the_directory_not_the_layout(card: HpkiCard, chip: VirtualCard) -> None:
    files = {name: dataclasses.replace(file, fid=file.fid + 0x4000, sfi=file.sfi)
             for name, file in LAYOUT.files.items()}  # fmt: skip
    strange = dataclasses.replace(LAYOUT, files=files, key_id=b"\x55", ca_slots=())
    reader = HpkiCard(EmbeddedTransport(chip), strange)
    found = reader.read_certificates(Role.SIGN)
    assert found == card.read_certificates(Role.SIGN)
    assert list(found.ca_certificates_der) == [label for label, _ in ca_certificates()]
    reader.verify_pin(Role.SIGN, PINS[Role.SIGN])
    assert len(reader.sign(Role.SIGN, DIGEST_INFO)) == 256


def test_a_card_that_gives_little_at_a_time_and_no_file_by_identifier(
    card: HpkiCard, chip: VirtualCard
) -> None:
    class Stingy(EmbeddedTransport):
        def transmit(self, apdu: bytes) -> bytes:
            if apdu[1] == 0xB0:
                return super().transmit(apdu[:4] + b"\x64")  # at most 100 bytes, ever
            if apdu[1] == 0xA4 and apdu.endswith(bytes.fromhex("5031")):
                return bytes.fromhex("6A82")
            return super().transmit(apdu)

    whole = card.read_certificates(Role.AUTH)
    assert HpkiCard(Stingy(chip), LAYOUT).read_certificates(Role.AUTH) == whole


def test_ca_certificates_go_to_the_place_of_their_label(card: HpkiCard) -> None:
    reader = CardChannel(card._transport)
    card.read_certificates(Role.SIGN)
    for fid, (_, certificate) in zip(("001B", "001A", "0019"), ca_certificates(), strict=True):
        reader.send(0, 0xA4, 2, 0x0C, bytes.fromhex(fid))
        assert reader.send(0, 0xB0, 0, 0, le=4096, accept=[0x6282]).startswith(certificate)


def test_a_second_writing_leaves_nothing_of_the_first(chip: VirtualCard) -> None:
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(FACTORY_KEYS)
    card.create_application(Role.SIGN)
    long, short = certificate_der("n" * 60, 1), certificate_der("n", 2)
    card.write_certificates(Role.SIGN, long, ca_certificates())
    card.write_certificates(Role.SIGN, short, ca_certificates()[:1])
    found = card.read_certificates(Role.SIGN)
    assert found == CardCertificates(short, dict(ca_certificates()[:1]))


@pytest.mark.parametrize(
    "certificates",
    [
        [(f"CA {n}", b"0") for n in range(4)],
        [("same", b"0"), ("same", b"1")],
        [("big", bytes(4000))],
        [("n" * 400, b"0"), ("m" * 400, b"0")],
    ],
)
def test_certificates_that_do_not_fit_are_refused(
    card: HpkiCard, certificates: list[tuple[str, bytes]]
) -> None:
    with pytest.raises(InvalidInput):
        card.write_certificates(Role.SIGN, b"0", certificates)
    assert card.read_certificates(Role.SIGN).holder_der != b"0"


def test_openssl_verifies_a_signature_of_the_card(card: HpkiCard, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(os.urandom(100))
    key = card.private_key(Role.SIGN, PINS[Role.SIGN])
    message = (tmp_path / "message").read_bytes()
    (tmp_path / "signature").write_bytes(key.sign(message, padding.PKCS1v15(), hashes.SHA256()))
    (tmp_path / "holder.der").write_bytes(card.read_certificates(Role.SIGN).holder_der)
    for command in (
        "openssl x509 -inform der -in holder.der -pubkey -noout -out public.pem",
        "openssl dgst -sha256 -verify public.pem -signature signature message",
    ):
        done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == b"Verified OK\n"


# --- the key on the card ---


def test_the_card_key_signs_as_cryptography_wants(card: HpkiCard) -> None:
    key = card.private_key(Role.AUTH, PINS[Role.AUTH])
    public, pkcs1 = key.public_key(), padding.PKCS1v15()
    for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        public.verify(key.sign(b"text", pkcs1, algorithm), b"text", pkcs1, algorithm)
    digest = bytes(32)
    prehashed = utils.Prehashed(hashes.SHA256())
    public.verify(key.sign(digest, pkcs1, prehashed), digest, pkcs1, prehashed)
    signature = key.sign(DIGEST_INFO, pkcs1, utils.NoDigestInfo())
    public.verify(signature, digest, pkcs1, prehashed)
    assert key.key_size == 2048
    assert copy.copy(key) is key
    assert copy.deepcopy(key) is key


def test_what_the_card_key_does_not_offer_is_refused(card: HpkiCard) -> None:
    key = card.private_key(Role.AUTH, PINS[Role.AUTH])
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    acts: tuple[Callable[[], object], ...] = (
        key.private_numbers,
        lambda: key.private_bytes(encoding, form, serialization.NoEncryption()),
        lambda: key.decrypt(b"", padding.PKCS1v15()),
        lambda: key.sign(b"", pss, hashes.SHA256()),
        lambda: key.sign(b"", padding.PKCS1v15(), hashes.SHA1()),  # noqa: S303
        lambda: key.sign(b"", padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())),
    )
    for act in acts:
        with pytest.raises(Refused, match=r"card\.unsupported"):
            act()


@pytest.mark.parametrize(("role", "asked"), [(Role.SIGN, 3), (Role.AUTH, 1)])
def test_how_often_the_pin_is_asked_for(card: HpkiCard, role: Role, asked: int) -> None:
    calls: list[Role] = []

    def pin() -> str:
        calls.append(role)
        return PINS[role]

    key = card.private_key(role, pin)
    for _ in range(3):
        key.sign(b"text", padding.PKCS1v15(), hashes.SHA256())
    assert len(calls) == asked


# --- PIN and user consent ---


def test_pin_counts_for_one_signature_in_sign_and_for_the_session_in_auth(card: HpkiCard) -> None:
    for role in Role:
        with pytest.raises(SecurityNotSatisfied):
            card.sign(role, DIGEST_INFO)
        card.verify_pin(role, PINS[role])
        card.sign(role, DIGEST_INFO)
    card.sign(Role.AUTH, DIGEST_INFO)
    card.verify_pin(Role.SIGN, PINS[Role.SIGN])
    card.sign(Role.SIGN, DIGEST_INFO)
    with pytest.raises(SecurityNotSatisfied):
        card.sign(Role.SIGN, DIGEST_INFO)


def test_the_pin_session_ends_with_reset_other_application_logout_and_wrong_pin(
    card: HpkiCard,
) -> None:
    def select_other_and_back() -> None:
        card.read_certificates(Role.SIGN)
        with pytest.raises(SecurityNotSatisfied):
            card.sign(Role.SIGN, DIGEST_INFO)

    def wrong_pin() -> None:
        with pytest.raises(WrongPin):
            card.verify_pin(Role.AUTH, "wrong")

    def log_out() -> None:
        card.channel.send(0x80, 0x08, 0, 0)

    for end in (card.reset, select_other_and_back, wrong_pin, log_out):
        card.verify_pin(Role.AUTH, PINS[Role.AUTH])
        card.sign(Role.AUTH, DIGEST_INFO)
        end()
        with pytest.raises(SecurityNotSatisfied):
            card.sign(Role.AUTH, DIGEST_INFO)


def test_pins_are_separate_and_blocked_after_fifteen_wrong_tries(
    card: HpkiCard, chip: VirtualCard, tmp_path: Path
) -> None:
    for left in range(14, 0, -1):
        with pytest.raises(WrongPin) as wrong:
            card.verify_pin(Role.SIGN, PINS[Role.AUTH])
        assert wrong.value.tries_left == left
    assert card.pin_tries_left(Role.SIGN) == 1
    card.verify_pin(Role.SIGN, PINS[Role.SIGN])
    assert card.pin_tries_left(Role.SIGN) == 15
    for _ in range(14):
        with pytest.raises(WrongPin):
            card.verify_pin(Role.SIGN, "wrong")
    with pytest.raises(PinBlocked) as blocked:
        card.verify_pin(Role.SIGN, "wrong")
    assert blocked.value.sw == 0x63C0
    card = HpkiCard(EmbeddedTransport(VirtualCard.load(tmp_path / "card.json")), LAYOUT)
    with pytest.raises(PinBlocked) as blocked:
        card.verify_pin(Role.SIGN, PINS[Role.SIGN])
    assert (blocked.value.sw, blocked.value.tries_left) == (0x6984, 0)
    assert card.pin_tries_left(Role.SIGN) == 0
    assert card.pin_tries_left(Role.AUTH) == 15


def test_the_holder_changes_the_pin(card: HpkiCard) -> None:
    card.set_pin(Role.AUTH, PINS[Role.AUTH], "New PIN with 16!")
    with pytest.raises(WrongPin):
        card.verify_pin(Role.AUTH, PINS[Role.AUTH])
    card.verify_pin(Role.AUTH, "New PIN with 16!")
    with pytest.raises(WrongPin):
        card.set_pin(Role.AUTH, "wrong", "5678")


@pytest.mark.parametrize("pin", ["123", "1" * 17, "１２３４", "12\n34", ""])
def test_impossible_pins_cost_no_try(card: HpkiCard, pin: str) -> None:
    with pytest.raises(InvalidInput):
        card.verify_pin(Role.SIGN, pin)
    with pytest.raises(InvalidInput):
        card.set_pin(Role.SIGN, PINS[Role.SIGN], pin)
    assert card.pin_tries_left(Role.SIGN) == 15


def test_the_pin_is_case_sensitive_and_padding_is_no_part_of_it(card: HpkiCard) -> None:
    reference, right = LAYOUT.pin.reference, PINS[Role.SIGN].encode()
    card.pin_tries_left(Role.SIGN)
    card.channel.send(0, 0x20, 0, reference, right.ljust(16, b"\0"))
    with pytest.raises(WrongPin):
        card.verify_pin(Role.SIGN, PINS[Role.SIGN].upper())
    new = b"other one"
    data = right.ljust(16, b"\0") + new.ljust(16, b"\0")
    card.channel.send(0, 0x24, 0, reference, data)
    card.verify_pin(Role.SIGN, new.decode())
    with pytest.raises(WrongPin):
        card.channel.send(0, 0x24, 0, reference, data)


# --- the issuer ---


def test_only_the_issuer_makes_a_card(chip: VirtualCard) -> None:
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    assert card.identify().state is CardState.BLANK
    with pytest.raises(SecurityNotSatisfied):
        card.create_application(Role.SIGN)
    with pytest.raises(IssuerKeyRefused):
        card.authenticate_issuer(OWN_KEYS)
    card.authenticate_issuer(FACTORY_KEYS)
    card.create_application(Role.SIGN)
    assert card.identify().state is CardState.PERSONALIZING
    card.set_initial_pin(Role.SIGN, "1234")
    card.reset()
    with pytest.raises(Refused, match=r"card\.issuer_session"):
        card.set_initial_pin(Role.SIGN, "1234")
    with pytest.raises(SecurityNotSatisfied):
        card.generate_key(Role.SIGN)
    with pytest.raises(SecurityNotSatisfied):
        card.write_certificates(Role.SIGN, b"0", [])
    with pytest.raises(SecurityNotSatisfied):
        card.finalize()
    with pytest.raises(Refused, match=r"card\.issuer_session"):
        card.replace_issuer_key(OWN_KEYS)


def test_an_activated_card_wants_the_issuer_again_and_keeps_the_pin_from_him(
    chip: VirtualCard,
) -> None:
    card = personalize(EmbeddedTransport(chip))
    key = card.public_key(Role.SIGN)
    for act in (
        lambda: card.generate_key(Role.SIGN),
        lambda: card.write_certificates(Role.SIGN, b"0", []),
        lambda: card.create_application(Role.SIGN),
    ):
        with pytest.raises(SecurityNotSatisfied):
            act()
    with pytest.raises(IssuerKeyRefused):
        card.authenticate_issuer(FACTORY_KEYS)
    card.authenticate_issuer(OWN_KEYS)
    with pytest.raises(SecurityNotSatisfied):
        card.set_initial_pin(Role.SIGN, "1234")
    card.create_application(Role.SIGN)
    assert card.public_key(Role.SIGN) == key
    assert card.generate_key(Role.SIGN) != key
    assert card.identify().state is CardState.ACTIVATED


def test_an_unfinished_card_is_not_activated(chip: VirtualCard) -> None:
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(FACTORY_KEYS)
    with pytest.raises(ConditionsNotSatisfied):
        card.finalize()
    card.create_application(Role.SIGN)
    with pytest.raises(FileNotFound):
        card.public_key(Role.SIGN)
    card.set_initial_pin(Role.SIGN, "1234")
    with pytest.raises(ConditionsNotSatisfied):
        card.finalize()


def test_the_issuer_keys_are_blocked_after_ten_wrong_tries(
    chip: VirtualCard, tmp_path: Path
) -> None:
    def try_wrong(left: int) -> None:
        assert transmit(chip, "8050000008" + "00" * 9).endswith("9000")
        assert transmit(chip, "8482330010" + "00" * 16) == f"63C{left:X}"

    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    for left in range(9, 0, -1):
        try_wrong(left)
    card.authenticate_issuer(FACTORY_KEYS)
    for left in range(9, -1, -1):
        try_wrong(left)
    card = HpkiCard(EmbeddedTransport(VirtualCard.load(tmp_path / "card.json")), LAYOUT)
    with pytest.raises(IssuerKeyRefused) as blocked:
        card.authenticate_issuer(FACTORY_KEYS)
    assert (blocked.value.sw, blocked.value.tries_left) == (0x6983, 0)


def test_a_cryptogram_serves_once(chip: VirtualCard) -> None:
    sent: list[bytes] = []

    class Recorder(EmbeddedTransport):
        def transmit(self, apdu: bytes) -> bytes:
            sent.append(apdu)
            return super().transmit(apdu)

    HpkiCard(Recorder(chip), LAYOUT).authenticate_issuer(FACTORY_KEYS)
    assert chip.transmit(sent[-1]).hex() == "6985"
    chip.transmit(sent[-2])
    assert chip.transmit(sent[-1]).hex().startswith("63c")


def test_a_file_of_another_size_is_a_conflict(chip: VirtualCard) -> None:
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(FACTORY_KEYS)
    card.create_application(Role.SIGN)
    card.create_application(Role.SIGN)
    other = HpkiCard(EmbeddedTransport(chip), dataclasses.replace(LAYOUT, cd_capacity=800))
    other.authenticate_issuer(FACTORY_KEYS)
    with pytest.raises(Conflict, match=r"card\.layout_conflict"):
        other.create_application(Role.SIGN)


# --- the card file ---


def test_the_card_file_keeps_everything(chip: VirtualCard, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    expected = expected_certificates(personalize(EmbeddedTransport(chip)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["card.json"]
    loaded = VirtualCard.load(path)
    results = checked(loaded, expected)
    assert all(result.ok for result in results), results
    with pytest.raises(Conflict):
        new_card(tmp_path)
    with pytest.raises(NotFound):
        VirtualCard.load(tmp_path / "none.json")


def test_a_damaged_card_file_is_refused(card: HpkiCard, tmp_path: Path) -> None:
    record = json.loads((tmp_path / "card.json").read_text())
    damaged = tmp_path / "damaged.json"
    for text in (
        "",
        "[]",
        "{}",
        "\x80",
        json.dumps(record | {"version": 1}),
        json.dumps(record | {"serial": "xy"}),
        json.dumps(record | {"activated": 1}),
        json.dumps(record | {"more": 1}),
        json.dumps(record | {"directories": []}),
        json.dumps(record | {"directories": [{"aid": "", "files": [{"kind": "odd"}]}]}),
    ):
        damaged.write_text(text, encoding="latin-1")
        with pytest.raises(InvalidInput):
            VirtualCard.load(damaged)


def test_a_change_that_cannot_be_written_did_not_happen(
    card: HpkiCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (tmp_path / "card.json").read_bytes()

    def full(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        with pytest.raises(UnexpectedStatus) as failed:
            card.verify_pin(Role.SIGN, "wrong")
    assert failed.value.sw == 0x6581
    assert (tmp_path / "card.json").read_bytes() == before
    assert os.listdir(tmp_path) == ["card.json"]
    assert card.pin_tries_left(Role.SIGN) == 15


@pytest.mark.parametrize("serial", ["xyz", "0a", "00" * 17])
def test_a_card_needs_a_serial(tmp_path: Path, serial: str) -> None:
    with pytest.raises(InvalidInput):
        VirtualCard.create(tmp_path / "new.json", serial, FACTORY_KEYS)


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("after", [False, True])
def test_a_card_pulled_at_any_apdu_is_finished_by_a_second_run(
    tmp_path: Path,
    after: bool,  # noqa: FBT001
    every: int,
) -> None:
    probe = FaultTransport(EmbeddedTransport(new_card(tmp_path, "whole.json")), 0)
    personalize(probe)
    assert probe.sent > 80
    for fail_at in range(1 + after * (every // 2), probe.sent + 1, every):
        name = f"{fail_at}.json"
        chip = new_card(tmp_path, name)
        with pytest.raises(CardRemoved):
            personalize(FaultTransport(EmbeddedTransport(chip), fail_at, after=after))
        again = VirtualCard.load(tmp_path / name, make_key=chip._make_key)
        card = personalize(EmbeddedTransport(again))
        results = checked(again, expected_certificates(card))
        assert all(result.ok for result in results), (fail_at, results)


# --- what the check sees ---


def failed_steps(results: Sequence[CheckResult]) -> list[str]:
    return [result.step for result in results if not result.ok]


def test_the_check_finds_what_is_wrong(card: HpkiCard, chip: VirtualCard) -> None:
    right = expected_certificates(card)
    card.set_pin(Role.SIGN, PINS[Role.SIGN], PINS[Role.SIGN])
    swapped = {Role.SIGN: right[Role.AUTH]}
    assert (
        failed_steps(checked(chip, swapped))
        == [
            "sign.certificates",
            "sign.challenge_signature",
            "sign.pin_per_signature",
        ][:2]
    )
    fewer = {Role.AUTH: CardCertificates(right[Role.AUTH].holder_der, {})}
    assert failed_steps(checked(chip, fewer)) == ["auth.certificates"]
    layout = dataclasses.replace(LAYOUT, pin=dataclasses.replace(LAYOUT.pin, tries=10))
    assert failed_steps(checked(chip, right, layout)) == ["sign.pin_tries", "auth.pin_tries"]
    unreadable = {Role.AUTH: CardCertificates(b"0", right[Role.AUTH].ca_certificates_der)}
    assert "auth.challenge_signature" in failed_steps(checked(chip, unreadable))


def test_the_check_finds_a_card_without_user_consent(tmp_path: Path) -> None:
    applications = {
        role: dataclasses.replace(entry, user_consent=role is Role.AUTH)
        for role, entry in LAYOUT.applications.items()
    }
    chip = new_card(tmp_path)
    card = personalize(
        EmbeddedTransport(chip), dataclasses.replace(LAYOUT, applications=applications)
    )
    results = checked(chip, expected_certificates(card))
    assert failed_steps(results) == ["sign.pin_per_signature", "auth.pin_per_session"]


def test_the_check_finds_an_unactivated_card(chip: VirtualCard) -> None:
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    card.authenticate_issuer(FACTORY_KEYS)
    card.create_application(Role.SIGN)
    results = checked(chip, {Role.SIGN: CardCertificates(b"0", {})})
    assert {"card.activated", "sign.certificates"} <= set(failed_steps(results))


def test_a_card_pulled_in_the_check_is_no_finding(card: HpkiCard, chip: VirtualCard) -> None:
    right = expected_certificates(card)
    transport = FaultTransport(EmbeddedTransport(chip), 20)
    with pytest.raises(CardRemoved):
        check_card(at_station(transport), right, NAMED_PINS, b"challenge")


# --- the card as such ---


def transmit(chip: VirtualCard, apdu: str) -> str:
    return chip.transmit(bytes.fromhex(apdu)).hex().upper()


def test_selection_by_partial_name_and_next_occurrence(card: HpkiCard, chip: VirtualCard) -> None:
    aid = "E828BD080FA00000039100000000000"
    card.reset()
    assert transmit(chip, "00A4040005E828BD080F00") == f"6F128410{aid}19000"
    assert transmit(chip, "00A4040205E828BD080F00") == f"6F128410{aid}29000"
    assert transmit(chip, "00A4040205E828BD080F00") == "6A82"
    assert transmit(chip, "00A4040005E828BD080F") == "9000"
    assert transmit(chip, "00A4040005A00000030800") == "6A82"
    assert transmit(chip, "00A40000023F0000").startswith("6F07820138")
    directory = transmit(chip, "00A40000022F00")
    assert directory == "9000"
    assert transmit(chip, "00B0000000").startswith(f"61204F10{aid}1500C48504B49205369676E696E67")


def test_the_commands_of_annex_a(card: HpkiCard, chip: VirtualCard) -> None:
    """SELECT, READ BINARY by SFI, VERIFY, MSE, PSO as in JAHIS 24-002 A.3, byte by byte."""
    expected = card.read_certificates(Role.SIGN).holder_der
    card.reset()
    assert transmit(chip, "00A4040010E828BD080FA00000039100000000000100").endswith("9000")
    assert transmit(chip, "00B0910000").startswith("A8063004")
    first = chip.transmit(bytes.fromhex("00B0980000"))
    second = chip.transmit(bytes.fromhex("00B0010000"))
    assert (first[:-2] + second[:-2])[:512] == expected[:512]
    pin = PINS[Role.SIGN].encode()
    assert transmit(chip, "00200096") == "63CF"
    assert transmit(chip, f"00200096{len(pin):02X}{pin.hex()}") == "9000"
    assert transmit(chip, "002241B60481020017") == "9000"
    block = b"\0\1" + b"\xff" * (253 - len(DIGEST_INFO)) + b"\0" + DIGEST_INFO
    assert transmit(chip, "102A9E9A80" + block[:128].hex()) == "9000"
    signature = chip.transmit(bytes.fromhex("002A9E9A80" + block[128:].hex() + "00"))
    assert signature[-2:] == b"\x90\x00"
    public = x509.load_der_x509_certificate(expected).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature[:-2], bytes(32), padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))


def test_wrong_things_get_their_status_words(card: HpkiCard, chip: VirtualCard) -> None:
    card.reset()
    chip.transmit(bytes.fromhex("00A4040010E828BD080FA000000391000000000001"))
    for apdu, sw in {
        "": "6700",
        "00A404": "6700",
        "00A4040010AA": "6700",
        "00A40400000000AA": "6700",
        "0CA4040000": "6882",
        "01A4040000": "6881",
        "A0A4040000": "6E00",
        "00DD000000": "6D00",
        "80A4040000": "6E00",
        "00A4040800": "6A86",
        "00A4020C020099": "6A82",
        "00B0000000": "6986",
        "00B0960000": "6981",
        "00B0970000": "6981",
        "00B09D0000": "6A82",
        "00C0000000": "6985",
        "00D6920001AA": "6982",
        "00E00000026200": "6982",
        "00440000023F00": "6982",
        "80D80100021234": "6982",
        "00200095": "6A88",
        "0020009603313233": "6700",
        "0024019604313233FF": "6982",
        "00240096083132333435363738": "6700",
        "002241B60481020018": "6A88",
        "0022F3B600": "6A86",
        "00478000 06 B60481020017 00": "6982",
        "8482330010" + "00" * 16: "6985",
        "8482010010" + "00" * 16: "6A86",
        "8050000007" + "00" * 7: "6700",
        "8050050008" + "00" * 8: "6A88",
        "8050000108" + "00" * 8: "6A86",
        "04A4040008" + "00" * 8: "6982",
        "00CA007700": "6A88",
        "002A9E9A0030": "6700",
    }.items():
        assert (apdu, transmit(chip, apdu)) == (apdu, sw)
    assert transmit(chip, "00B0920000").startswith("3019")
    assert transmit(chip, "00B000F000") == "6B00"
    assert transmit(chip, "00B0001A01") == "609000"
    assert transmit(chip, "00B0001A02") == "606282"


def test_a_key_is_never_read_and_a_broken_block_never_signed(
    card: HpkiCard, chip: VirtualCard
) -> None:
    card.verify_pin(Role.SIGN, PINS[Role.SIGN])
    assert transmit(chip, "002241B60481020017") == "9000"
    bad_blocks = (
        b"\0\2" + b"\xff" * 202 + b"\0" + DIGEST_INFO,
        b"\0\1" + b"\xff" * 201 + b"\xfe\0" + DIGEST_INFO,
        b"\0\1" + b"\xff" * 254,
        b"\0\1" + b"\xff" * 253 + b"\0",
    )
    for block in bad_blocks:
        answer = chip.transmit(bytes.fromhex("002A9E9A000100") + block + b"\0\0")
        assert answer.hex() == "6a80"
    assert chip.transmit(bytes.fromhex("002A9E9AF6") + bytes(246) + b"\0").hex() == "6700"
    secrets = [rsa_key(n).private_numbers() for n in range(2)]
    seen = b"".join(chip.transmit(bytes([0, 0xB0, p1, 0, 0])) for p1 in [0, *range(0x81, 0x9F)])
    for numbers in secrets:
        assert numbers.d.to_bytes(256, "big") not in seen
        assert numbers.p.to_bytes(128, "big") not in seen


def test_the_trace_of_a_whole_life_holds_no_secret(chip: VirtualCard) -> None:
    lines: list[str] = []
    personalize(TraceTransport(EmbeddedTransport(chip), lines.append))
    text = "\n".join(lines)
    keys = dataclasses.astuple(FACTORY_KEYS) + dataclasses.astuple(OWN_KEYS)
    for secret in (*(pin.encode() for pin in PINS.values()), *keys):
        assert secret.hex().upper() not in text
        assert secret.decode("latin-1") not in text
    for head in ("> 04200096[", "> 04240196[", "> 84823300[17 bytes]", "> 84D80181["):
        assert head in text


def test_challenges_come_from_the_injected_entropy(tmp_path: Path) -> None:
    chip = new_card(tmp_path, entropy=lambda size: bytes([0x5A]) * size)
    answer = transmit(chip, "8050000008" + "00" * 9)
    assert answer.startswith("0000" + SERIAL.upper() + "010360" + "5A" * 8)
    assert len(answer) == 2 * (29 + 2)


def test_a_closed_connection_has_no_card(chip: VirtualCard) -> None:
    transport = EmbeddedTransport(chip)
    transport.close()
    transport.close()
    with pytest.raises(NoCard):
        transport.transmit(b"\0\xa4\4\0")


def test_a_foreign_card_is_not_identified() -> None:
    class Foreign:
        atr = b"\x3b\x00"

        def transmit(self, apdu: bytes) -> bytes:
            return b"\x6d\x00"

        def reset(self) -> None:
            pass

    with pytest.raises(Unavailable, match=r"card\.unknown"):
        HpkiCard(EmbeddedTransport(Foreign()), LAYOUT).identify()


HEADERS = st.tuples(
    st.sampled_from([0x00, 0x04, 0x10, 0x80, 0x84, 0x90, 0x0C, 0xFF]),
    st.sampled_from(
        [0xA4, 0xB0, 0xD6, 0xE0, 0x44, 0xCA, 0x50, 0x82, 0xD8, 0x20, 0x24, 0x08, 0x22, 0x47, 0x2A]
        + [0xC0, 0x00]
    ),
    st.sampled_from([0x00, 0x01, 0x02, 0x04, 0x08, 0x09, 0x41, 0x80, 0x81, 0x93, 0x9E, 0xFF]),
    st.sampled_from([0x00, 0x02, 0x0C, 0x45, 0x96, 0x9A, 0xB6, 0xE0, 0xFF]),
).map(bytes)
FCPS = st.lists(
    st.tuples(
        st.sampled_from([0x80, 0x82, 0x83, 0x84, 0x88, 0x8C, 0xA5, 0x9A, 0x9B, 0x9C]),
        st.sampled_from([b"", b"\x01", b"\x09", b"\x38", b"\x00\x20", b"\x08\x00", b"\x04\x10"]),
    ).map(lambda pair: tlv.encode(*pair)),
    max_size=7,
).map(lambda parts: tlv.encode(0x62, *parts))
BODIES = st.one_of(
    st.binary(max_size=40),
    st.tuples(FCPS | st.binary(max_size=40)).map(lambda one: bytes([len(one[0])]) + one[0]),
    st.sampled_from([bytes.fromhex("023F00"), bytes.fromhex("0481020017"), b"\x00"]),
)


@given(
    apdus=st.lists(st.one_of(st.binary(max_size=30), st.builds(bytes.__add__, HEADERS, BODIES))),
    as_issuer=st.booleans(),
    finished=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_any_byte_string_gets_a_status_word(
    tmp_path_factory: pytest.TempPathFactory, apdus: list[bytes], as_issuer: bool, finished: bool
) -> None:
    path = tmp_path_factory.mktemp("fuzz")
    chip = new_card(path)
    if finished:
        personalize(EmbeddedTransport(chip))
    keys = OWN_KEYS if finished else FACTORY_KEYS
    card = HpkiCard(EmbeddedTransport(chip), LAYOUT)
    if as_issuer:
        card.authenticate_issuer(keys)
    for apdu in apdus:
        answer = chip.transmit(apdu)
        assert len(answer) >= 2
        assert answer[-2] in (0x90, 0x61, 0x62, 0x63, *range(0x65, 0x6F)), answer.hex()
    reloaded = VirtualCard.load(path / "card.json")
    assert reloaded._chip == chip._chip


def test_pin_check_is_fast(card: HpkiCard) -> None:
    card.verify_pin(Role.AUTH, PINS[Role.AUTH])
    start = time.process_time()
    for _ in range(50):
        card.verify_pin(Role.AUTH, PINS[Role.AUTH])
    assert (time.process_time() - start) / 50 < 0.005
