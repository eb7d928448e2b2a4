"""Reviews, PIN letters, destroyed cards, erased files: what two people do, at the terminal."""

from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import LICENCE, Story
from tests.cli.terminal import Terminal, error_line, files_with, secret_values

DESTROY = ("--reason", "FAULTY", "--operator", "fujita", "--witness", "mori")
DISCLOSE = ("--reason", "LETTER_LOST", "--operator", "hara", "--approver", "tani")
ERASE = ("--reason", "RETENTION_OVER", "--operator", "tani", "--witness", "sakurai")
SCRAPPED = ("--ground", "C12_CARD_SCRAPPED", "--requester", "CA", "--evidence", "journal")
OFFICERS = ("--operator", "ishii", "--executor", "fujita")
REVIEW = ("--verdict", "confirmed", "--note", "call record heard", "--operator", "tani")
SHOW = ("--operator", "aoki", "--json")
PIN = re.compile(r"\b\d{8}\b")


def cards(terminal: Terminal) -> dict[str, str]:
    """Card numbers by order."""
    rows: list[dict[str, Any]] = terminal.run("card", "list", "--json").json
    return {row["order"]: row["card"] for row in rows}


def known(terminal: Terminal) -> tuple[str, str]:
    """Registration number and birth date of T2026-0001."""
    person = terminal.run("ra", "show", "T2026-0001", *SHOW).json
    return person["registration_number"], person["birth_date"]


def lose(terminal: Terminal) -> str:
    """T2026-0001's card revoked in an emergency: the request's id."""
    number, born = known(terminal)
    call = ("--requester", "subscriber", "--channel", "TELEPHONE", "--evidence", "called back")
    facts = ("--called-back", "--registration-number", number, "--birth-date", born)
    terminal.run("revoke", "T2026-0001", "--emergency", "--ground", "S02_CARD_LOST", *call, *facts,
                 "--operator", "ishii", "--confirm", LICENCE)  # fmt: skip
    (row,) = terminal.run("ra", "revocations", "--unreviewed", "--json").json
    assert (row["application"], row["emergency"], row["review"]) == ("T2026-0001", True, None)
    return str(row["request"])


def trail(terminal: Terminal, code: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal.run("audit", "show", "--code", code, "--json").json
    return found


def test_an_emergency_is_reviewed(story: Story, own_centre: Terminal) -> None:
    request = lose(own_centre)
    text = own_centre.run("ra", "revocations").out
    assert request in text
    assert "S02_CARD_LOST" in text
    own = (*REVIEW[:-1], "ishii")
    own_centre.refused("ra.review.self", 3, "ra", "review-revocation", request, *own)
    wrong = ("--verdict", "maybe", *REVIEW[2:])
    own_centre.refused("cli.reason", 2, "ra", "review-revocation", request, *wrong)
    said = own_centre.run("ra", "review-revocation", request, *REVIEW)
    assert (said.out, f"{request} is reviewed: CONFIRMED" in said.err) == ("", True)
    own_centre.refused("ra.review.twice", 5, "ra", "review-revocation", request, *REVIEW)
    own_centre.refused("ra.request.unknown", 4, "ra", "review-revocation", "R-0", *REVIEW)
    assert own_centre.run("ra", "revocations", "--unreviewed", "--json").json == []
    (row,) = own_centre.run("ra", "revocations", "--json").json
    assert (row["review"], row["reviewer"]) == ("CONFIRMED", "tani")
    assert "note" not in row
    assert len(trail(own_centre, "REV.REVIEW")) == 1


def test_pins_go_to_a_terminal_or_a_new_file(own_centre: Terminal, tmp_path: Path) -> None:
    card = cards(own_centre)["T2026-0001.1"]
    head = own_centre.head()
    own_centre.refused("cli.pins.terminal", 3, "card", "disclose-pins", card, *DISCLOSE)
    out = tmp_path / "pins.txt"
    out.write_text("kept")
    own_centre.refused("cli.file.exists", 5, "card", "disclose-pins", card, *DISCLOSE, "--out", out)
    assert (out.read_text(), own_centre.head()) == ("kept", head)
    out.unlink()
    said = own_centre.run("card", "disclose-pins", card, *DISCLOSE, "--out", out)
    assert said.out == ""
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    pins = PIN.findall(out.read_text())
    assert len(pins) == 2
    assert not [pin for pin in pins if pin in said.err]
    shown = own_centre.typed("card", "disclose-pins", card, *DISCLOSE)
    assert shown.status == 0
    assert set(PIN.findall(shown.out)) >= set(pins)
    assert files_with(own_centre.site, [pin.encode() for pin in pins]) == []
    assert len(trail(own_centre, "PIN.DISCLOSE_APPROVE")) == 2


def test_a_file_that_cannot_be_written_is_said_and_holds_no_pin(
    own_centre: Terminal, tmp_path: Path
) -> None:
    card = cards(own_centre)["T2026-0001.1"]
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "pins.txt"
    said = own_centre.run("card", "disclose-pins", card, *DISCLOSE, "--out", out, status=6)
    assert not PIN.search(said.out + said.err)


def test_pins_want_two_others(own_centre: Terminal, tmp_path: Path) -> None:
    card, out = cards(own_centre)["T2026-0001.1"], tmp_path / "pins.txt"
    for approver, code in (("hara", "card.pins.people"), ("fujita", "card.pins.made")):
        words = (*DISCLOSE[:-1], approver, "--out", out)
        own_centre.refused(code, 3, "card", "disclose-pins", card, *words)
    wrong = ("--reason", "CURIOUS", *DISCLOSE[2:], "--out", out)
    own_centre.refused("cli.reason", 2, "card", "disclose-pins", card, *wrong)
    assert not out.exists()


def test_a_card_is_shown_before_it_is_destroyed(own_centre: Terminal) -> None:
    card = cards(own_centre)["T2026-0001.1"]
    head = own_centre.head()
    shown = own_centre.run("card", "destroy", card, *DESTROY, "--dry-run", "--json").json
    assert (shown["card"], shown["state"], shown["living"]) == (card, "PERSONALISED", 2)
    assert shown["licence"].endswith(LICENCE)
    assert own_centre.head() == head
    for confirm, code in (((), "cli.confirm.digits"), (("--confirm", "0000"), "cli.confirm.digits"),
                          (("--confirm", LICENCE), "card.destroy.lives")):  # fmt: skip
        result = own_centre.run("card", "destroy", card, *DESTROY, *confirm, status=3)
        error_line(result.err, code)
        assert card in result.out
    assert own_centre.head() == head


def test_a_revoked_card_is_destroyed(own_centre: Terminal) -> None:
    card = cards(own_centre)["T2026-0001.1"]
    own_centre.run("revoke", card, *SCRAPPED, *OFFICERS, "--confirm", LICENCE)
    said = own_centre.run("card", "destroy", card, *DESTROY, "--confirm", LICENCE)
    assert f"{card} is destroyed" in said.err
    shown = own_centre.run("card", "show", card, "--json").json
    assert (shown["state"], shown["pin_envelopes"]) == ("DESTROYED", [])
    assert len(trail(own_centre, "CARD.DESTROY")) == 1
    again = own_centre.run("card", "destroy", card, *DESTROY, "--confirm", LICENCE, status=5)
    error_line(again.err, "card.destroyed")
    own_centre.run("audit", "verify")


def test_a_file_that_must_be_kept_is_not_erased(own_centre: Terminal) -> None:
    head = own_centre.head()
    for words in (("--dry-run",), ("--confirm", LICENCE)):
        own_centre.refused("ra.erase.open", 5, "ra", "erase", "T2026-0001", *ERASE, *words)
        own_centre.refused("ra.erase.early", 3, "ra", "erase", "T2026-0005", *ERASE, *words)
    assert own_centre.head() == head


@pytest.fixture
def aged_centre(own_centre: Terminal) -> Terminal:
    """The site as it were if the rejection had been entered eleven years ago.

    Only the column says so: the entry's content, which is chained, is left alone.
    """
    store = own_centre.site / "store.sqlite"
    with closing(sqlite3.connect(store)) as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='trail_entry'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(
            "UPDATE trail_entry SET at = '2014-01-01 00:00:00' WHERE code = 'APP.DECIDE'"
        )
        connection.commit()
    return own_centre


def test_an_old_file_is_erased(aged_centre: Terminal) -> None:
    """T2026-0005 was rejected; the search finds them before, and nothing after."""
    person = aged_centre.run("ra", "show", "T2026-0005", *SHOW).json
    digits = person["registration_number"][-4:]
    shown = aged_centre.run("ra", "erase", "T2026-0005", *ERASE, "--dry-run", "--json").json
    assert shown["kanji_name"] == person["kanji_name"]
    assert "birth_date" in shown["fields"]
    wrong = aged_centre.run("ra", "erase", "T2026-0005", *ERASE, "--confirm", "0000", status=3)
    error_line(wrong.err, "cli.confirm.digits")
    said = aged_centre.run("ra", "erase", "T2026-0005", *ERASE, "--confirm", digits)
    assert "T2026-0005 is erased" in said.err
    after = aged_centre.run("ra", "show", "T2026-0005", *SHOW).json
    gone = ("kanji_name", "kana_name", "romaji_name", "birth_date", "telephone")
    assert {after[name] for name in gone} == {""}
    assert after["state"] == "REJECTED"
    values = [person[name].encode() for name in ("kanji_name", "kana_name", "telephone")]
    site = [one for one in files_with(aged_centre.site, values) if one.suffix != ".csv"]
    assert site == []
    assert aged_centre.run("ra", "list", "--json").status == 0
    assert [one["code"] for one in trail(aged_centre, "PII.DELETE")] == ["PII.DELETE"]


def test_a_wrong_passphrase_is_entered(own_centre: Terminal) -> None:
    secret = own_centre.site / "secrets" / "operators" / "tani"
    right = secret.read_bytes()
    secret.write_bytes(b"wrong planted passphrase")
    command = ("ra", "review-revocation", "R-0", *REVIEW)
    own_centre.refused("keys.passphrase.wrong", 3, *command)
    (entry,) = trail(own_centre, "LOGIN.FAIL")
    assert (entry["actor"], entry["object"], entry["outcome"]) == (
        "SYSTEM",
        "operator tani",
        "FAIL",
    )
    assert files_with(own_centre.site, [b"wrong planted passphrase"]) == []
    secret.write_bytes(right)
    own_centre.refused("ra.request.unknown", 4, *command)
    assert len(trail(own_centre, "LOGIN.FAIL")) == 1
    assert files_with(own_centre.site, secret_values(own_centre.site)) == []
