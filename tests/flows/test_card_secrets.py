"""Secrets of cards: looked for in whatever is told or written while cards are made and fail."""

from __future__ import annotations

import base64
import logging
import re
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from card_personalization import records, scp03
from card_personalization.card import CardIdentity, CardProfile
from card_personalization.hpki_issuing import ISSUER_KEY, TRANSPORT_KEY, issuer_keys
from card_personalization.pins import random_pin
from card_personalization.piv_card import MANAGEMENT_KEY
from card_personalization.piv_layout import CIPHERS
from card_personalization.profiles import HPKI, PIV, card_profile
from card_personalization.transport import (
    SECRET_INS,
    EmbeddedTransport,
    FaultTransport,
    TraceTransport,
    Transport,
)
from card_personalization.virtual.piv_memory import PivChip, Secret
from card_personalization.virtual_card import VirtualCard
from card_personalization.virtual_piv import VirtualPiv
from pki.errors import HpkiError
from pki.serials import Entropy
from store.database import Transaction
from tests.flows.conftest import CARD_MASTER, CARD_SECRET, Centre, Moulds
from tests.flows.registration import batch_for, order_all, pins_of, row

FACTORY = {
    "pin": "81726354",
    "puk": "90817263",
    "management_key": "7e" * 5 + "1dc0ffee" + "a5" * 15,
}
LAYOUTS = {
    HPKI: "[pin]\ndigits = 8\n",
    PIV: "[pin]\ndigits = 8\n[factory]\n"
    + "".join(f'{name} = "{value}"\n' for name, value in FACTORY.items()),
}
PASSPHRASE = b"ca passphrase"


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Centre]:
    """A centre in files, with the folder of temporary files among them."""
    made = moulds.copy(tmp_path, None)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    yield made
    made.store.close()


class Told:
    """What a run tells: steps, APDUs, refusals with their tracebacks."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.refusals = 0

    def refused(self, error: HpkiError) -> None:
        self.refusals += 1
        self.lines += [repr(error), error.text, error.hint]
        self.lines += traceback.format_exception(error)


def test_no_secret_of_a_card_is_told_or_written(
    centre: Centre, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    told = Told()
    needles: dict[str, bytes] = {"card master": CARD_MASTER, "passphrase": PASSPHRASE}
    watch(needles, monkeypatch)
    for number, name in enumerate((HPKI, PIV)):
        serial = make_with_faults(centre, name, 1 + 100 * number, told, needles)
        needles.update(keys_of(name, serial), **secret_pins(centre, serial))
    kinds = {name.split()[0] for name in needles}
    assert kinds == {"card", "passphrase", "session", "drawn", "static", "management", "factory",
                     "PIN", "PUK", "SIGN", "AUTH"}  # fmt: skip
    assert told.refusals >= 6
    told.lines += [record.getMessage() for record in caplog.records]
    rows = written_in(centre)
    centre.store.close()
    files = {path: path.read_bytes() for path in centre.folder.rglob("*") if path.is_file()}
    chips = [octets for path, octets in files.items() if path.parent == centre.stock.folder]
    assert found(needles, b"".join(chips)) >= {"PIN", "PUK", "SIGN", "AUTH"}  # else none would be
    others = {path: octets for path, octets in files.items() if path.parent != centre.stock.folder}
    assert centre.folder / "store.sqlite" in others
    assert found(needles, "\n".join(told.lines).encode()) == set()
    assert found(needles, rows.encode()) == set()
    assert {path.name: found(needles, octets) for path, octets in others.items()
            if found(needles, octets)} == {}  # fmt: skip


def watch(needles: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note every PIN that is drawn, for holders and for requests, and every session key."""
    derive = scp03._derive

    def drawn(entropy: Entropy, count: int) -> str:
        pin = random_pin(entropy, count)
        needles[f"drawn {len(needles)}"] = pin.encode()
        return pin

    def derived(key: bytes, constant: int, size: int, context: bytes) -> bytes:
        octets = derive(key, constant, size, context)
        if size > scp03.MAC_SIZE:  # cryptograms go over the line
            needles[f"session {len(needles)}"] = octets
        return octets

    for module in ("hpki_issuing", "piv_card"):
        monkeypatch.setattr(f"card_personalization.{module}.random_pin", drawn)
    monkeypatch.setattr(scp03, "_derive", derived)


def make_with_faults(
    centre: Centre, name: str, number: int, told: Told, needles: dict[str, bytes]
) -> str:
    """Make a card, and others that answer nonsense to one command with a secret; its serial."""
    profile = card_profile(name, LAYOUTS[name])
    (order,) = order_all(centre, row(number))
    probe = Secretive(blank(centre, name, number))
    make(centre, profile, order.id, probe, told)
    with centre.store.read() as tx:
        (serial,) = [one.chip_serial for one in records.cards(tx) if one.order_id == order.id]
    places = probe.secrets[2 :: len(probe.secrets) // 4]
    for fail_at in places:
        number += 1
        (order,) = order_all(centre, row(number))
        card = blank(centre, name, number)
        spoilt = FaultTransport(card, fail_at, after=True, spoil=lambda _: b"\x6f\x00")
        try:
            make(centre, profile, order.id, spoilt, told)
        except HpkiError as error:
            told.refused(error)
    return serial


class Secretive(TraceTransport):
    """Counts APDUs, and notes at which of them a secret goes to the card."""

    def __init__(self, inner: Transport) -> None:
        self.secrets: list[int] = []
        self._count = 0
        super().__init__(inner, self._note)

    def _note(self, line: str) -> None:
        self._count += line.startswith("> ")
        if line.startswith("> ") and int(line[4:6], 16) in SECRET_INS:
            self.secrets.append(self._count)


def blank(centre: Centre, name: str, number: int) -> Transport:
    """A card as from its factory, which the stock does not know."""
    stock = centre.stock
    stock.folder.mkdir(exist_ok=True)
    path = stock.folder / f"{number:016x}.json"
    if name == HPKI:
        keys = issuer_keys(CARD_SECRET, TRANSPORT_KEY, path.stem)
        return EmbeddedTransport(VirtualCard.create(path, path.stem, keys, make_key=stock.make_key))
    chip = PivChip(
        b"\0\0\0\1",
        extensions=True,
        pin=Secret(FACTORY["pin"].encode()),
        puk=Secret(FACTORY["puk"].encode()),
        management_key=bytes.fromhex(FACTORY["management_key"]),
    )
    return EmbeddedTransport(VirtualPiv(path, chip, make_key=stock.make_key))


def make(
    centre: Centre, profile: CardProfile, order_id: str, transport: Transport, told: Told
) -> None:
    def admit(tx: Transaction, card: CardIdentity) -> None:
        centre.stock.admit(tx, order_id, card, "hakko", profile.name)

    station = replace(centre.station, profile=profile)
    batch = batch_for(centre, order_id, batch_id=f"first-{order_id}")
    traced = TraceTransport(transport, told.lines.append)
    hakko = centre.signers["hakko"]
    station.personalize(order_id, traced, batch, hakko, told.lines.append, admit)


def keys_of(name: str, serial: str) -> dict[str, bytes]:
    """Keys that the card had from its factory, and has now."""
    if name == HPKI:
        return {
            f"static {label} {number}": key
            for label in (TRANSPORT_KEY, ISSUER_KEY)
            for number, key in enumerate(astuple(issuer_keys(CARD_SECRET, label, serial)))
        }
    found = {
        f"management {label}": CARD_SECRET(f"{MANAGEMENT_KEY} {label}", serial, size)
        for label, (_, size) in CIPHERS.items()
    }
    return {
        **found,
        "factory management key": bytes.fromhex(FACTORY["management_key"]),
        "factory PIN": FACTORY["pin"].encode(),
        "factory PUK": FACTORY["puk"].encode(),
    }


def secret_pins(centre: Centre, serial: str) -> dict[str, bytes]:
    """The PINs in the envelope."""
    with centre.store.read() as tx:
        (run,) = records.runs_of(tx, serial)
    read = pins_of(centre, serial, run.order_id)
    return {name: value.encode() for name, value in read.items() if name != "chip"}


def written_in(centre: Centre) -> str:
    """Every value of every row."""
    with centre.store.engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        rows = [
            row
            for (name,) in names.all()
            for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"').all()
        ]
    assert len(rows) > 100
    return "\n".join(str(value) for row in rows for value in row)


def found(needles: Mapping[str, bytes], octets: bytes) -> set[str]:
    """Names of the secrets that stand there as they are, in hexadecimal or in base64."""
    return {name for name, secret in needles.items() if _pattern(secret).search(octets)}


def _pattern(secret: bytes) -> re.Pattern[bytes]:
    digits = secret.hex().encode()
    forms = [digits, digits.upper(), repr(secret)[1:].encode()]
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        whole = encoded[(0, 2, 3)[shift] : -4 if (shift + len(secret)) % 3 else None]
        forms += [whole, whole.translate(bytes.maketrans(b"+/", b"-_"))]
    # a PIN of 8 digits stands in longer hexadecimal numbers now and then, and betrays nothing
    bare = b"(?<![0-9A-Fa-f])" + re.escape(secret) + b"(?![0-9A-Fa-f])"
    raw = bare if secret.isdigit() else re.escape(secret)
    return re.compile(b"|".join([raw, *map(re.escape, forms)]), re.DOTALL)
