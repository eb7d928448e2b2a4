"""At the terminal: operators whose keys are on cards in readers, one, two, and in turn."""

from __future__ import annotations

import os
import pty
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from card_personalization.pcsc import readers
from card_personalization.transport import ConnectionLost
from cli.config import load_site
from cli.key_files import KeyFiles
from cli.operator_cards import NewCard, OperatorCards, card_path, read_card_file
from cli.unlock import Vault, operator_backend, unlock_sealing
from pki.errors import InvalidInput, Unavailable
from pki.signing import verify_signature
from store.database import Store
from tests.cli.terminal import Result, Terminal, files_with, people_files, person
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.interop.jcecard_card import JceCard
from tests.interop.test_operator_cards import PIN, SIGN, SLOT_9A, Hand, hpki
from tests.interop.virtual_reader import SLOTS, VirtualReader, pull, until

pytestmark = pytest.mark.xdist_group("pcsc")

BOTH = ("--operator", "sakurai", "--co-operator", "tani")
REKEY = ("operator", "rekey", "fujita", *BOTH)
DUE = ("crl", "due", "--operator", "fujita")
CARD = ("--card", "piv")


@pytest.fixture
def shell(own: Terminal, virtual_reader: VirtualReader) -> Terminal:
    """A site at a terminal that finds the reader."""
    return Terminal(own.site, virtual_reader.environment)


def secret(shell: Terminal, name: str, text: str = PIN) -> Path:
    path = shell.site / "secrets" / "operators" / name
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def with_card(shell: Terminal, reader: VirtualReader, name: str, *officers: str) -> JceCard:
    """Give a person a key on a new PIV card, registered by the officers."""
    card = JceCard()
    secret(shell, f"{name}.new")
    with reader.holding(card):
        shell.run("operator", "rekey", name, *CARD, *officers)
    return card


class TestOne:
    def test_a_person_is_appointed_with_a_blank_card(
        self, shell: Terminal, virtual_reader: VirtualReader
    ) -> None:
        who = ("yamada", "--full-name", "山田 花子", "--role", "PIN_OPERATOR")
        add = ("operator", "add", *who, *CARD, "--reader", "pcd 00 00", *BOTH)
        before = people_files(shell.site)
        shell.refused("card.operator.missing", 6, *add)
        card = JceCard()
        with virtual_reader.holding(card):
            shell.refused("cli.secret.file", 6, *add)
            secret(shell, "yamada.new", "123456")
            shell.refused("card.operator.factory_pin", 3, *add)
            secret(shell, "yamada.new").rename(shell.site / "kept")
            assert people_files(shell.site) == before
            secret(shell, "yamada.new")
            shell.refused("card.reader", 4, *add, "--reader", "nothing")
            shell.refused("card.operator.place", 2, *add, "--slot", "9D")
            shell.run(*add)
            assert card.applet.security.pin == PIN.encode()
            shell.refused("operators.role.missing", 3, "crl", "due", "--operator", "yamada")
        new = {name: shell.site / name for name in people_files(shell.site) if "yamada" in name}
        assert set(new) == {
            "operators/yamada.card.toml",
            "operators/yamada.seal.pem",
            "secrets/operators/yamada",
            "secrets/operators/yamada.seal",
        }
        assert {path.stat().st_mode & 0o777 for path in new.values()} == {0o600}
        (shell.site / "kept").unlink()
        assert files_with(shell.site, [PIN.encode()]) == []
        site = load_site(shell.site)
        opened = unlock_sealing(operator_backend(site, Vault(site)), "yamada", "0" * 32)
        assert isinstance(opened, ec.EllipticCurvePrivateKey)

    def test_a_key_in_use_moves_to_a_card_and_back(
        self, shell: Terminal, virtual_reader: VirtualReader
    ) -> None:
        files, old = people_files(shell.site), person(shell, "fujita")["keys"][0]["credential"]
        secret(shell, "fujita.new")
        with virtual_reader.holding(JceCard(), slot=1):
            done = shell.run(*REKEY, *CARD, "--slot", "9a")
            assert f"operators/fujita.sign.{old[:16]}.pem" in done.err
            shell.run(*DUE)
            shell.run(*DUE)
            second = person(shell, "fujita")["keys"][1]["credential"]
            shell.run(*REKEY)
        shell.run(*DUE)
        aside = people_files(shell.site)
        for part in ("sign", "seal"):
            name = f"operators/fujita.{part}"
            assert aside[f"{name}.{old[:16]}.pem"] == files[f"{name}.pem"]
        assert set(aside) - set(files) == {
            *(f"operators/fujita.{one}.{old[:16]}.pem" for one in ("sign", "seal")),
            f"operators/fujita.card.{second[:16]}.toml",
            f"operators/fujita.seal.{second[:16]}.pem",
            *(f"secrets/operators/fujita{one}.{second[:16]}" for one in ("", ".seal")),
            f"secrets/operators/fujita.{old[:16]}",
        }
        site = load_site(shell.site)
        backend = operator_backend(site, Vault(site))
        opened = [
            unlock_sealing(backend, "fujita", one["credential"]).public_key().public_numbers()
            for one in person(shell, "fujita")["keys"]
        ]
        assert len(set(opened)) == 3  # each pair's own, so that what was sealed to it opens
        shell.run("audit", "verify")

    def test_a_wrong_pin_is_counted_once_and_entered(
        self, shell: Terminal, virtual_reader: VirtualReader
    ) -> None:
        card = with_card(shell, virtual_reader, "fujita", *BOTH)
        secret(shell, "fujita", "999999")
        with virtual_reader.holding(card):
            told = shell.refused("card.wrong_pin", 3, *DUE)
        assert "2 tries left" in told
        assert card.applet.security.pin_retries_remaining == 2
        entry = shell.run("audit", "search", "--code", "LOGIN.FAIL", "--json").json[-1]
        assert entry["object"] == "operator fujita"
        assert files_with(shell.site, [b"999999"]) == []

    def test_another_card_and_none(self, shell: Terminal, virtual_reader: VirtualReader) -> None:
        with_card(shell, virtual_reader, "fujita", *BOTH)
        head = shell.head()
        assert "fujita" in shell.refused("card.operator.missing", 6, *DUE)
        with virtual_reader.holding(JceCard()):
            assert "fujita" in shell.refused("card.operator.other", 3, *DUE)
        assert shell.head() == head

    def test_nobody_elses_card_is_taken_for_a_new_key(
        self, shell: Terminal, virtual_reader: VirtualReader
    ) -> None:
        card = with_card(shell, virtual_reader, "fujita", *BOTH)
        secret(shell, "aoki.new")
        aoki = ("operator", "rekey", "aoki", *CARD, *BOTH)
        with virtual_reader.holding(card):
            for more in ((), ("--fresh",)):
                shell.refused("card.operator.other", 3, *aoki, *more)
            with virtual_reader.holding(JceCard(), slot=1):
                shell.run(*aoki)
            shell.run(*DUE)
            shell.refused("operators.keys.taken", 5, *self.again(shell))
            shell.run(*DUE)
            beside = ("--operator", "sakurai", "--co-operator", "fujita")  # with the key to go
            rekey = ("operator", "rekey", "fujita", *CARD, "--fresh", *beside)
            shell.refused("card.operator.missing", 6, *rekey)
            shell.run(*DUE)
            shell.run(*self.again(shell), "--fresh")
            shell.run(*DUE)

    @staticmethod
    def again(shell: Terminal) -> tuple[str, ...]:
        secret(shell, "fujita.new")
        return (*REKEY, *CARD)

    def test_who_signs_alone_and_took_the_card_out_does_not_hang(
        self, shell: Terminal, virtual_reader: VirtualReader, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As at the desk, whose full screen cannot show that a card is waited for."""
        card = with_card(shell, virtual_reader, "fujita", *BOTH)
        site = load_site(shell.site)
        cards = OperatorCards(site, Vault(site))
        ours, theirs = pty.openpty()
        with os.fdopen(ours, "rb"), os.fdopen(theirs, "rb") as terminal:
            monkeypatch.setattr(sys, "stdin", terminal)
            with virtual_reader.holding(card) as connection:
                signer = cards.signer("fujita")
                assert signer is not None
                signer.sign(b"x")
                pull(connection)
                until(lambda: not readers()[SLOTS[0]])
                refused(ConnectionLost, "card.removed", lambda: signer.sign(b"x"))
                refused(Unavailable, "card.operator.missing", lambda: signer.sign(b"x"))
            with virtual_reader.holding(card):
                verify_signature(signer.public_key(), signer.sign(b"x"), b"x", "SHA-256")
                signer.close()

    def test_an_hpki_card(
        self, shell: Terminal, virtual_reader: VirtualReader, tmp_path: Path
    ) -> None:
        card = self.doctors_card(tmp_path)
        secret(shell, "fujita.new", card.pin)
        with virtual_reader.holding(card.card):
            shell.run(*REKEY, "--card", "hpki")
            shell.run(*DUE)
            secret(shell, "fujita.new", card.pin)
            shell.refused("card.operator.make", 2, *REKEY, "--card", "hpki", "--fresh")
            shell.run(*DUE)
        shell.run("audit", "verify")

    @staticmethod
    def doctors_card(folder: Path) -> Hand:
        store = Store(f"sqlite:///{folder / 'store.sqlite'}")
        centre = Centre(store, folder)
        centre.set_up()
        centre.hold_ceremony()
        made = hpki(centre, "fujita", 1)
        store.close()
        return made


class TestTwo:
    @pytest.fixture
    def cards(self, shell: Terminal, virtual_reader: VirtualReader) -> tuple[JceCard, JceCard]:
        """Cards of tani and mori."""
        mori = with_card(shell, virtual_reader, "mori", *BOTH)
        officers = ("--operator", "sakurai", "--co-operator", "mori")
        tani = JceCard()
        secret(shell, "tani.new")
        with virtual_reader.holding(mori), virtual_reader.holding(tani, slot=1):
            shell.run("operator", "rekey", "tani", *CARD, *officers)
        return tani, mori

    SUSPEND = ("operator", "suspend", "aoki", "--operator", "tani", "--co-operator", "mori")

    def test_in_two_readers(
        self, shell: Terminal, virtual_reader: VirtualReader, cards: tuple[JceCard, JceCard]
    ) -> None:
        tani, mori = cards
        with virtual_reader.holding(tani):
            assert "mori" in shell.refused("card.operator.missing", 6, *self.SUSPEND)
            with virtual_reader.holding(mori, slot=1):
                shell.run(*self.SUSPEND)
        assert person(shell, "aoki")["state"] == "SUSPENDED"
        shell.run("audit", "verify")

    def test_in_one_reader_in_turn(
        self, shell: Terminal, virtual_reader: VirtualReader, cards: tuple[JceCard, JceCard]
    ) -> None:
        tani, mori = cards
        ended: list[Result] = []
        thread = threading.Thread(target=lambda: ended.append(shell.typed(*self.SUSPEND)))
        tani.sent.clear()
        with virtual_reader.holding(tani) as connection:
            thread.start()
            until(lambda: any(one[1] == SIGN for one in tani.sent))
            time.sleep(1)  # till mori's is sought
            pull(connection)
        with virtual_reader.holding(mori):
            thread.join(60)
        (done,) = ended
        assert (done.status, done.out.count("put the card of mori into a reader")) == (0, 1)
        assert person(shell, "aoki")["state"] == "SUSPENDED"

    def test_pins_are_typed_once_each(
        self, shell: Terminal, virtual_reader: VirtualReader, cards: tuple[JceCard, JceCard]
    ) -> None:
        asked = [(f"PIN of {name}: ", f"{PIN}\n") for name in ("tani", "mori")]
        typed = {"HPKI_SECRETS__OPERATORS__PROMPT": "true"}
        with virtual_reader.holding(cards[0]), virtual_reader.holding(cards[1], slot=1):
            done = shell.typed(*self.SUSPEND, answers=asked, variables=typed)
        assert done.status == 0, done.out
        assert done.out.count("PIN of") == 2
        assert PIN not in done.out


class TestFiles:
    """A change of keys that broke off between a file and a card is undone."""

    OLD = "0123456789abcdef" * 2

    @pytest.mark.parametrize("to_card", [True, False])
    @pytest.mark.parametrize("moved", range(8))
    def test_it_is_put_back(self, own: Terminal, moved: int, to_card: bool) -> None:  # noqa: FBT001
        shutil.rmtree(own.site / "operators")
        (own.site / "operators").mkdir()
        secrets = own.site / "secrets" / "operators"
        files = KeyFiles(load_site(own.site), "fujita", NewCard(SLOT_9A) if to_card else None)
        of_file = [own.site / "operators" / f"fujita.{part}.pem" for part in ("sign", "seal")]
        of_card = [own.site / "operators" / one for one in ("fujita.card.toml", "fujita.seal.pem")]
        of_file.append(secrets / "fujita")
        of_card += [secrets / "fujita", secrets / "fujita.seal"]
        old, new = (of_file, of_card) if to_card else (of_card, of_file)
        for path in old:
            path.write_text("registered")
        drafts = {used: draft for used, draft in files._pairs("new") if used in new}
        for path in drafts.values():
            path.write_text("never registered")
        moves = [(used, aside) for used, aside in files._pairs(self.OLD[:16]) if used in old]
        moves += [(draft, used) for used, draft in drafts.items()]
        for one, other in moves[:moved]:
            one.rename(other)
        assert files.put_back(self.OLD) is bool(moved)
        assert {path for path in {*old, *new} if path.exists()} == set(old)
        assert {path.read_text() for path in old} == {"registered"}


def test_a_card_file_that_is_wrong_is_told(own: Terminal) -> None:
    path = card_path(load_site(own.site), "fujita")
    for text in ('profile = "piv"', 'profile = "piv"\nslot = "9C"\npublic_key = "00"', "x", ""):
        path.write_text(text)
        with pytest.raises(InvalidInput):
            read_card_file(path)
        own.run(*DUE, status=2)
