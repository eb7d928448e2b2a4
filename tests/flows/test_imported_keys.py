"""Keys that the CA makes and imports: on the card, in the trail, and nowhere else."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from card_personalization import records
from card_personalization.layout import Role
from card_personalization.profiles import HPKI, PIV, card_profile
from card_personalization.records import RunState
from card_personalization.station import Report
from card_personalization.transport import (
    CardRemoved,
    EmbeddedTransport,
    FaultTransport,
    TraceTransport,
    Transport,
)
from card_personalization.virtual import security_commands
from card_personalization.virtual.door import Commands
from card_personalization.virtual.session import DONE, Answer, Command, Session
from card_personalization.virtual_card import COMMANDS, VirtualCard
from card_personalization.virtual_piv import VirtualPiv
from keys.backend import KeySpec, PrivateKey
from keys.files import make_private_key
from pki.errors import Unavailable
from pki.signing import spki_der
from tests.faults.resuming import check_whole
from tests.flows.conftest import Centre, Moulds, made_card_key
from tests.flows.issuing import refused
from tests.flows.piv import check_whole_piv, make_piv
from tests.flows.registration import (
    batch_for,
    blank_card,
    certificates_on,
    entries,
    make_cards,
    order_all,
    row,
)

PUT_DATA = (0x00, 0xDB)
IMPORT = '[card]\nkey_origin = "import"\n'


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:
    """A centre on SQLite: what is looked for here lies in no other place on PostgreSQL."""
    made = moulds.copy(tmp_path, None)
    yield made
    made.store.close()


@dataclass
class Maker:
    """Makes the CA's keys and keeps each, as the station may not; ``fresh`` ones or quick ones."""

    centre: Centre
    fresh: bool = False
    keys: list[PrivateKey] = field(default_factory=list)

    def __call__(self, spec: KeySpec) -> PrivateKey:
        if self.fresh:
            self.keys.append(make_private_key(spec))
        else:
            self.keys.append(made_card_key(spec, next(self.centre.card_key_numbers)))
        return self.keys[-1]

    def fingerprints(self) -> set[str]:
        return {sha256(spki_der(key.public_key())).hexdigest() for key in self.keys}


def importing(centre: Centre, *, fresh: bool = False) -> Maker:
    """Let the station import keys to HPKI cards."""
    maker = Maker(centre, fresh)
    profile = card_profile(HPKI, IMPORT)
    centre.station = replace(centre.station, profile=profile, make_key=maker)
    return maker


def personalize(
    centre: Centre,
    order_id: str,
    transport: Transport,
    progress: list[str] | None = None,
    attempt: str = "first",
) -> Report:
    batch = batch_for(centre, order_id, batch_id=f"{attempt}-{order_id}")
    tell = (progress if progress is not None else []).append
    hakko = centre.signers["hakko"]
    return centre.station.personalize(order_id, transport, batch, hakko, tell)


def made_keys(centre: Centre) -> list[Mapping[str, Any]]:
    """What the trail says of the making of keys."""
    return [json.loads(entry.body) for entry in entries(centre, "CARD.KEYGEN")]


def fingerprints(centre: Centre, card: str) -> dict[str, str]:
    return {str(one.usage): one.spki_sha256 for one in certificates_on(centre, card)}


# --- the whole way ---


def test_an_hpki_card_gets_the_keys_that_were_made_here(centre: Centre) -> None:
    maker = importing(centre)
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    report = personalize(centre, order.id, centre.stock.insert_virtual(card))
    check_whole(centre, order.id, card, report)
    assert maker.fingerprints() == set(fingerprints(centre, card).values())
    assert len(maker.keys) == len(report.certificates) == len(Role)
    (entry,) = made_keys(centre)
    assert (entry["object_id"], entry["actor_id"], entry["outcome"]) == (card, "hakko", "OK")
    detail = dict(entry["detail"])
    assert (detail.pop("order"), detail.pop("run")) != (None, None)
    assert detail == {
        "origin": "import",
        "spki": fingerprints(centre, card),
        "written": True,
        "kept": False,
    }
    codes = [one.code for one in entries(centre)]
    assert codes[codes.index("CARD.KEYGEN") + 1] == "CERT.POP_OK"
    centre.trail.verify()


def test_unless_the_layout_says_so_keys_are_made_on_the_card(centre: Centre) -> None:
    maker = Maker(centre)
    centre.station = replace(centre.station, make_key=maker)
    (card,) = make_cards(centre, row(1))
    assert maker.keys == []
    (entry,) = made_keys(centre)
    detail = entry["detail"]
    assert set(detail) == {"order", "run", "origin", "spki"}
    assert (detail["origin"], detail["spki"]) == ("card", fingerprints(centre, card))


def virtual_piv(centre: Centre, *, extensions: bool) -> VirtualPiv:
    return VirtualPiv.create(centre.folder / "piv.json", extensions=extensions)


def test_a_piv_card_gets_the_keys_that_were_made_here(centre: Centre) -> None:
    maker = importing(centre)
    (order,) = order_all(centre, row(1))
    card = EmbeddedTransport(virtual_piv(centre, extensions=True))
    report = make_piv(centre, order.id, card, IMPORT)
    check_whole_piv(centre, order.id, card, report)
    assert maker.fingerprints() == set(fingerprints(centre, report.chip_serial).values())
    (entry,) = made_keys(centre)
    assert entry["detail"]["origin"] == "import"
    assert entry["detail"]["spki"] == fingerprints(centre, report.chip_serial)


def test_a_card_that_takes_no_keys_is_refused_and_made_no_other_way(centre: Centre) -> None:
    maker = importing(centre)
    (order,) = order_all(centre, row(1))
    chip = virtual_piv(centre, extensions=False)
    refused(
        Unavailable,
        "card.import.not_offered",
        lambda: make_piv(centre, order.id, EmbeddedTransport(chip), IMPORT),
    )
    assert len(maker.keys) == 1
    assert (chip._chip.keys, made_keys(centre)) == ((), [])
    with centre.store.read() as tx:
        (stocked,) = records.cards(tx)
        (run,) = records.runs_of(tx, stocked.chip_serial)
        assert records.envelopes_of(tx, stocked.chip_serial) == []
    assert run.state is RunState.OPEN
    assert certificates_on(centre, stocked.chip_serial) == []
    # the same card may then make its keys itself, where that was decided
    card = EmbeddedTransport(chip)
    report = make_piv(centre, order.id, card, attempt="again")
    check_whole_piv(centre, order.id, card, report)
    assert [one["detail"]["origin"] for one in made_keys(centre)] == ["card"]


def chip_that(centre: Centre, card: str, changed: Commands[Session]) -> Transport:
    """The virtual card with other commands for PUT DATA."""
    chip = VirtualCard.load(centre.folder / "virtual_cards" / f"{card}.json")
    rest = {name: command for name, command in COMMANDS.items() if name != PUT_DATA}
    chip._commands = rest | dict(changed)
    return EmbeddedTransport(chip)


def keep_another(session: Session, command: Command) -> Answer:
    """Say yes, and make a key instead."""
    security_commands.generate_key_pair(session, replace(command, p1=0x80, p2=0x00))
    return DONE


@pytest.mark.parametrize(
    ("changed", "code"),
    [({}, "card.import.not_offered"), ({PUT_DATA: keep_another}, "card.public_key")],
)
def test_an_hpki_card_that_does_not_take_the_key_gets_no_certificate(
    centre: Centre, changed: Commands[Session], code: str
) -> None:
    importing(centre)
    (order,) = order_all(centre, row(1))
    card = blank_card(centre)
    transport = chip_that(centre, card, changed)
    refused(Unavailable, code, lambda: personalize(centre, order.id, transport))
    assert (certificates_on(centre, card), made_keys(centre)) == ([], [])


# --- no copy stays ---


def needles(key: PrivateKey) -> set[bytes]:
    """Every way in which the private numbers might have been written down, in part too."""
    numbers = key.private_numbers()
    assert isinstance(numbers, rsa.RSAPrivateNumbers)
    found = set()
    for number in (numbers.p, numbers.q, numbers.d, numbers.dmp1, numbers.dmq1, numbers.iqmp):
        octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
        middle = octets[32:64]
        text = middle.hex()
        found |= {middle, middle[::-1], text.encode(), text.upper().encode()}
        found |= {str(number)[:60].encode(), repr(middle)[2:-1].encode()}
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for start in range(3):
        found.add(base64.b64encode(der[300 + start : 360 + start]))
    return found


def everything_kept(centre: Centre) -> dict[str, bytes]:
    """Each file of the site but the chip, and each row of the database."""
    cards = centre.folder / "virtual_cards"
    kept = {
        str(path): path.read_bytes()
        for path in centre.folder.rglob("*")
        if path.is_file() and cards not in path.parents
    }
    metadata = sa.MetaData()
    metadata.reflect(centre.store.engine)
    with centre.store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            kept[table.name] = repr(connection.execute(sa.select(table)).all()).encode()
    return kept


def found_in(kept: Mapping[str, bytes], keys: list[PrivateKey]) -> list[str]:
    sought = set[bytes]().union(*map(needles, keys))
    return [where for where, octets in kept.items() if any(one in octets for one in sought)]


@pytest.mark.parametrize("profile", [HPKI, PIV])
def test_the_private_numbers_are_on_the_chip_and_nowhere_else(
    centre: Centre, profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    maker = importing(centre)
    (order,) = order_all(centre, row(1))
    lines: list[str] = []
    told: list[str] = []
    if profile == HPKI:
        card = blank_card(centre)
        chip = centre.folder / "virtual_cards" / f"{card}.json"
        traced = TraceTransport(centre.stock.insert_virtual(card), lines.append)
        personalize(centre, order.id, traced, told)
    else:
        (centre.folder / "virtual_cards").mkdir()
        chip = centre.folder / "virtual_cards" / "piv.json"
        piv = VirtualPiv.create(chip, extensions=True)
        make_piv(centre, order.id, TraceTransport(EmbeddedTransport(piv), lines.append), IMPORT)
    keys = maker.keys
    assert len(keys) == len(Role)
    kept = everything_kept(centre)
    assert {"trail_entry", "certificate", "personalization_step"} <= set(kept)
    assert any(where.endswith("store.sqlite") for where in kept)
    kept["trace"] = "\n".join(lines).encode()
    assert b"[" in kept["trace"]
    kept["log"] = repr([*told, *(one.getMessage() for one in caplog.records)]).encode()
    assert found_in(kept, keys) == []
    assert found_in({"chip": chip.read_bytes()}, keys) == ["chip"]


def test_the_station_forgets_the_keys(centre: Centre) -> None:
    maker = importing(centre, fresh=True)
    (order,) = order_all(centre, row(1))
    personalize(centre, order.id, centre.stock.insert_virtual(blank_card(centre)))
    assert len(maker.keys) == len(Role)
    alone = [object()]
    references = [sys.getrefcount(maker.keys[number]) for number in range(len(Role))]
    assert references == [sys.getrefcount(alone[0])] * len(Role)


# --- pulled while the keys are made ---


def commands_of_keys(centre: Centre) -> range:
    """Which commands of a whole run belong to the step."""
    (order,) = order_all(centre, row(1))
    transport = FaultTransport(centre.stock.insert_virtual(blank_card(centre)), fail_at=0)
    begun: dict[str, int] = {}

    class Steps(list[str]):
        def append(self, name: str) -> None:
            begun[name] = transport.sent

    personalize(centre, order.id, transport, Steps())
    return range(begun["KEYS"] + 1, begun["ISSUE"] + 1)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_pulled_while_keys_are_made_and_put_in_again(
    centre: Centre,
    every: int,
    after: bool,  # noqa: FBT001
) -> None:
    maker = importing(centre)
    commands = commands_of_keys(centre)
    assert len(commands) > 10
    for fail_at in commands[after * (every // 2) :: every]:
        (order,) = order_all(centre, row(fail_at))
        card = blank_card(centre)
        maker.keys.clear()
        before = len(made_keys(centre))
        pulled = FaultTransport(centre.stock.insert_virtual(card), fail_at, after=after)
        with pytest.raises(CardRemoved):
            personalize(centre, order.id, pulled)
        assert len(made_keys(centre)) == before
        lost = maker.fingerprints()
        maker.keys.clear()
        report = personalize(centre, order.id, centre.stock.insert_virtual(card), attempt="again")
        check_whole(centre, order.id, card, report)
        made = maker.fingerprints()
        assert made == set(fingerprints(centre, card).values())
        assert lost.isdisjoint(made)
        assert made_keys(centre)[before:][0]["detail"]["spki"] == fingerprints(centre, card)
        assert len(made_keys(centre)) == before + 1
    centre.trail.verify()
