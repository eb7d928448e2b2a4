"""At the terminal: a virtual card put into a reader, and an order personalized on it there."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from card_personalization.pcsc import PcscTransport
from tests.cli.conftest import CEREMONY, PEOPLE, application_rows, bring_to_examination
from tests.cli.terminal import HPKI, Terminal
from tests.interop.virtual_reader import SLOTS, VirtualReader, until

pytestmark = pytest.mark.xdist_group("pcsc")

REFS = ("T2026-0001", "T2026-0002")
STATION = ("card", "personalize", "--operator", "fujita", "--reader", "pcd 00 00")


@pytest.fixture
def shell(virtual_reader: VirtualReader, tmp_path: Path) -> Terminal:
    """A site with two orders that wait for their cards, at a terminal that finds the reader."""
    shell = Terminal(tmp_path / "site", virtual_reader.environment)
    shell.run("init", shell.site)
    shell.run("ca", "ceremony", CEREMONY, *PEOPLE, "--yes")
    people = tmp_path / "people.csv"
    people.write_text(application_rows(2), "utf-8")
    shell.run("ra", "import", people, "--operator", "aoki")
    bring_to_examination(shell, tmp_path, lambda _, *said: shell.run(*said), *REFS)
    shell.run("ra", "examine", "--all", "--rest-ok", "--yes", "--operator", "aoki")
    shell.run("ra", "approve", *REFS, "--yes", "--operator", "endo")
    return shell


def in_readers(shell: Terminal) -> list[bool]:
    """Whether there is a card in each slot."""
    found = shell.run("card", "readers", "--json").json
    assert [row["reader"] for row in found] == list(SLOTS)
    return [bool(row["atr"]) for row in found]


@contextmanager
def card_put_in(shell: Terminal, port: int, *options: object) -> Iterator[None]:
    """``hpki card virtual``, ended as a service is ended."""
    where = ("--vpcd", f"127.0.0.1:{port}")
    process = subprocess.Popen(
        [HPKI, "card", "virtual", *map(str, options), *where],
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: in_readers(shell) == [True, False])
        yield
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0, said
        assert said.splitlines()[-2:] == [
            f"the card is in the reader at 127.0.0.1:{port}",
            "the card is out",
        ]
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    until(lambda: in_readers(shell) == [False, False])


def stock(shell: Terminal) -> list[tuple[str, str, str | None]]:
    rows: list[dict[str, Any]] = shell.run("card", "list", "--json").json
    return [(row["card"], row["state"], row["order"]) for row in rows]


def test_an_order_is_made_on_the_card_in_a_reader(
    shell: Terminal, virtual_reader: VirtualReader, tmp_path: Path
) -> None:
    order, second = (f"{ref}.1" for ref in REFS)
    file = tmp_path / "card.json"
    shell.refused("card.no_card", 6, *STATION, order)
    shell.refused("card.reader", 2, *STATION[:-1], "PCD", order)
    waited = shell.run(*STATION, order, "--wait", "0.5", status=6).err
    assert "Virtual PCD 00 00: put a card in\nerror card.no_card" in waited
    shell.refused("cli.reader", 2, *STATION, "--reader", "pcd 00 00", order)
    shell.refused("card.profile", 2, *STATION, "--profile", "gp", order)
    assert stock(shell) == []
    trace = tmp_path / "trace"
    with card_put_in(shell, virtual_reader.port, file, "--new", "--chip-delay", "0.1"):
        shell.refused("operators.role.missing", 3, *STATION, order, "--card-operator", "aoki")
        assert stock(shell) == []
        (made,) = shell.run(*STATION, order, "--json", "--trace", trace).json
        assert made["order"] == order
        shell.refused("card.reserved.other", 5, *STATION, second)
    serial = json.loads(file.read_text())["serial"]
    assert stock(shell) == [(serial, "PERSONALISED", order)]
    assert made["card"] == serial
    steps = shell.run("card", "show", serial, "--json").json["steps"]
    assert steps[-1] == "VERIFY done"
    assert trace.read_text().startswith("> 00CA004500\n")  # the card is asked who it is, first
    entries = shell.run("audit", "search", "--object", serial, "--json").json
    codes = [entry["code"] for entry in entries]
    assert codes[:2] == ["STOCK.IN", "STOCK.OUT"]


def test_a_card_file_that_is_there_is_not_made_again(
    virtual_reader: VirtualReader, tmp_path: Path
) -> None:
    shell = Terminal(tmp_path / "none", virtual_reader.environment)
    where = ("--vpcd", f"127.0.0.1:{virtual_reader.port}")
    file = tmp_path / "card.json"
    shell.refused("card.virtual.missing", 4, "card", "virtual", file, *where)
    file.write_text("{}")
    shell.refused("card.virtual.damaged", 2, "card", "virtual", file, *where)


def test_a_piv_card_is_put_in_and_known_by_its_file(
    virtual_reader: VirtualReader, tmp_path: Path
) -> None:
    shell = Terminal(tmp_path / "site", virtual_reader.environment)
    shell.run("init", shell.site)
    file = tmp_path / "piv.json"
    for wrong in (("--application", "piv"), ("--new", "--plain")):
        shell.refused("cli.card.application", 2, "card", "virtual", file, *wrong)
    for options in (("--new", "--application", "piv", "--plain"), ()):
        with (
            card_put_in(shell, virtual_reader.port, file, *options),
            closing(PcscTransport(SLOTS[0])) as transport,
        ):
            selected = transport.transmit(bytes.fromhex("00A4040005A00000030800"))
            assert selected[-2:] == b"\x90\x00"
            assert transport.transmit(bytes.fromhex("00FD000000")) == b"\x6d\x00"
