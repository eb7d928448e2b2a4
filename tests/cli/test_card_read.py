"""At the terminal: cards read, without a site, of whoever issued them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.words import HEADINGS
from tests.cli.conftest import Story
from tests.cli.terminal import Terminal
from tests.interop.foreign_cards import foreign_hpki_card, jpki_card
from tests.interop.virtual_reader import SLOTS, VirtualReader
from tests.unit.test_card_hpki import certificate_der

NAMES = ("sign", "auth", "ca")
SIGN, AUTH, CA = (certificate_der(name, 6) for name in NAMES)


@pytest.fixture
def nowhere(tmp_path: Path) -> Terminal:
    """A terminal without a site."""
    return Terminal(tmp_path / "none")


@pytest.fixture
def made(story: Story) -> Path:
    """The card of the first applicant, a physician, as the station made it."""
    (row,) = (
        row
        for row in story.terminal.run("card", "list", "--json").json
        if row["order"] == "T2026-0001.1"
    )
    return next(story.terminal.site.rglob(f"*{row['card']}*.json"))


def test_a_card_of_ours_names_its_holder(nowhere: Terminal, made: Path) -> None:
    told = nowhere.run("card", "read", "--virtual", made, "--json").json
    (application,) = told["applications"]
    assert application["state"] == "ACTIVATED"
    assert made.name.startswith(application["card"])
    sign, auth = application["keys"]
    assert (sign["usage"], auth["usage"]) == ("SIGN", "AUTH")
    for key in (sign, auth):
        assert key["kanji_name"] == "前田　慎一郎"
        assert "CN=MAEDA SHINICHIRO" in key["subject"]
        assert key["qualification"] == [{"role": "Medical Doctor", "japanese": "医師"}]
        assert (key["key"], key["tries_left"], key["unreadable"]) == ("RSA 2048", 15, [])
        assert key["not_before"].endswith("T15:00:00Z")  # midnight in Japan
        assert set(key) <= set(HEADINGS)
    assert set(told) | set(application) <= {*HEADINGS, "applications"}


def lines(said: str) -> list[tuple[str, str]]:
    found = (line.partition("  ") for line in said.splitlines())
    return [(name, value.strip()) for name, _, value in found]


@pytest.mark.parametrize(
    ("lang", "qualification", "physician"),
    [("ja", "資格", "医師 (Medical Doctor)"), ("en", "qualification", "Medical Doctor (医師)")],
)
def test_people_read_it_in_their_language(
    nowhere: Terminal, made: Path, lang: str, qualification: str, physician: str
) -> None:
    said = nowhere.run("--lang", lang, "card", "read", "--virtual", made)
    assert said.err == ""
    assert lines(said.out).count((qualification, physician)) == 2
    assert ("", "") in lines(said.out)
    day = dict(lines(said.out))["開始" if lang == "ja" else "not before"]
    assert len(day) == len("2026-11-21")


def verifies(openssl: str, issuer: Path, holder: Path) -> bool:
    """Whether openssl says that the one certificate was signed by the other's key."""
    command: list[str | Path] = [openssl, "verify", "-no_check_time", "-partial_chain"]
    command += ["-CAfile", issuer, holder]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_certificates_are_written_as_pem(
    nowhere: Terminal, made: Path, tmp_path: Path, openssl: str
) -> None:
    folder = tmp_path / "pem"
    command = ("card", "read", "--virtual", made, "--pem", folder)
    nowhere.run(*command)
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        f"hpki-{role}{rest}.pem" for role in ("auth", "sign") for rest in ("-ca-1", "-ca-2", "")
    ]
    for role in ("auth", "sign"):
        holder = folder / f"hpki-{role}.pem"
        issuers = [folder / f"hpki-{role}-ca-{number}.pem" for number in (1, 2)]
        assert sorted(verifies(openssl, issuer, holder) for issuer in issuers) == [False, True]
    nowhere.refused("cli.file.exists", 5, *command)


def test_what_is_no_card_is_refused(nowhere: Terminal, tmp_path: Path) -> None:
    file, text = tmp_path / "card.json", tmp_path / "layout.toml"
    command = ("card", "read", "--virtual", file)
    nowhere.refused("card.virtual.missing", 4, *command)
    file.write_text("{}")
    nowhere.refused("card.virtual.damaged", 2, *command)
    nowhere.refused("cli.usage", 2, *command, "--reader", "x")
    text.write_bytes(b"\xff\xfe")
    nowhere.refused("card.layout", 2, *command, "--layout", text)
    text.write_text("[sign]\nnothing = 1")
    nowhere.refused("card.layout", 2, *command, "--layout", text)


# --- in readers ---


def read(shell: Terminal, *options: str) -> dict[str, Any]:
    told: dict[str, Any] = shell.run("card", "read", *options, "--json").json
    return told


@pytest.mark.xdist_group("pcsc")
def test_the_only_card_in_a_reader_is_read(virtual_reader: VirtualReader, tmp_path: Path) -> None:
    shell = Terminal(tmp_path / "none", virtual_reader.environment)
    shell.refused("card.no_card", 6, "card", "read")
    with virtual_reader.holding(jpki_card(SIGN, AUTH, CA, (5, 0)), 1):
        told = read(shell)
        assert told["reader"] == SLOTS[1]
        (application,) = told["applications"]
        assert application["kind"] == "JPKI"
        sign, auth = application["keys"]
        assert (sign["tries_left"], auth["tries_left"]) == (5, 0)
        assert [one["code"] for one in sign["unreadable"]] == ["card.security_not_satisfied"]
        assert auth["subject"] == "CN=auth"
        shell.refused("card.no_card", 6, "card", "read", "--reader", "00 00")
        with virtual_reader.holding(foreign_hpki_card(SIGN, CA, short=True), 0):
            shell.refused("card.reader", 2, "card", "read")
            (application,) = read(shell, "--reader", "00 00")["applications"]
            assert (application["kind"], application["card"]) == ("HPKI", "c0ffee")
            assert application["keys"][0]["subject"] == "CN=sign"


@pytest.mark.xdist_group("pcsc")
def test_a_card_of_another_kind_is_refused(virtual_reader: VirtualReader, tmp_path: Path) -> None:
    shell = Terminal(tmp_path / "none", virtual_reader.environment)
    other = foreign_hpki_card(SIGN, CA, short=True)
    other.applications.clear()
    with virtual_reader.holding(other):
        text = shell.refused("card.unknown", 6, "card", "read")
    assert other.atr.hex() in text
