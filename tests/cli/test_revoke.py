"""Revocation: whom it hits is shown first, and only the right digits let it happen."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import LICENCE, Story
from tests.cli.terminal import Terminal, error_line

DEATH = ("--ground", "R01_DEATH", "--requester", "heir", "--evidence", "notice")
OFFICERS = ("--operator", "ishii", "--executor", "fujita")
ONE = ("revoke", "T2026-0001", *DEATH, *OFFICERS)
TWO = ("revoke", "T2026-0001", "T2026-0004", *DEATH, *OFFICERS)


def test_a_dry_run_shows_whom_it_hits_and_changes_nothing(story: Story, centre: Terminal) -> None:
    (row,) = centre.run(*ONE, "--dry-run", "--json").json
    assert row["kanji_name"] == "前田　慎一郎"
    assert row["kana_name"] == "マエダ　シンイチロウ"
    assert row["birth_date"] == "1981-02-10"
    assert row["licence"] == "医師 903146"
    assert row["card"] == story.said["personalize"].json[0]["card"]
    assert len(row["certificates"]) == 2
    shown = centre.run(*ONE, "--dry-run").out
    for key in ("kanji_name", "kana_name", "birth_date", "licence", "card"):
        assert row[key] in shown


@pytest.mark.parametrize(
    "given", [(), ("--confirm", "3147"), ("--confirm", ""), ("--confirm", "1")]
)
def test_without_the_right_digits_nothing_happens(centre: Terminal, given: tuple[str, ...]) -> None:
    done = centre.run(*ONE, *given, status=3)
    error_line(done.err, "cli.confirm.digits")
    assert "前田" in done.out


def test_yes_does_not_answer(centre: Terminal) -> None:
    centre.refused("cli.usage", 2, *ONE, "--yes")


@pytest.mark.parametrize("given", [LICENCE, "1", "3"])
def test_several_cards_want_their_count(centre: Terminal, given: str) -> None:
    error_line(centre.run(*TWO, "--confirm", given, status=3).err, "cli.confirm.digits")


def test_one_person_alone_is_refused(centre: Terminal) -> None:
    done = centre.run("revoke", "T2026-0001", *DEATH, "--operator", "ishii", "--confirm", LICENCE,
                      status=3)  # fmt: skip
    error_line(done.err, "ca.separation")
    done = centre.run(*ONE[:-1], "ishii", "--confirm", LICENCE, status=3)
    error_line(done.err, "ca.separation")
    done = centre.run(*ONE[:-4], "--operator", "endo", "--executor", "fujita", "--confirm",
                      LICENCE, status=3)  # fmt: skip
    error_line(done.err, "operators.role.missing")


def test_the_right_digits_revoke_and_publish_at_once(
    story: Story, own_centre: Terminal, openssl: str
) -> None:
    done = own_centre.run(*ONE, "--confirm", LICENCE)
    assert "2 certificates revoked" in done.err
    assert "list sign FULL number 2 published" in done.err
    rows = own_centre.run("cert", "list", "--json").json
    revoked = [row for row in rows if row["status"] == "REVOKED"]
    assert {row["usage"] for row in revoked} == {"SIGN", "AUTH"}
    shown = own_centre.run("cert", "show", revoked[0]["serial"], "--json").json
    assert "revoked" in shown["path"].lower()
    assert shown["ground"] == "R01_DEATH"
    assert shown["crl_number"] == 2
    command = [openssl, "crl", "-inform", "DER", "-in", str(own_centre.site / "public/sign.crl")]
    text = subprocess.run(
        [*command, "-noout", "-text"], check=True, capture_output=True, text=True
    ).stdout
    assert any(row["serial"].upper() in text for row in revoked)
    before = own_centre.head()
    again = own_centre.run(*ONE, "--confirm", LICENCE, status=5)
    assert own_centre.head() == before, again
    own_centre.run("audit", "verify")


def test_several_cards_at_once(own_centre: Terminal) -> None:
    done = own_centre.run(*TWO, "--confirm", "2", "--json")
    assert len(done.json) == 2
    assert done.err.count("2 certificates revoked") == 2


def test_one_of_several_that_is_refused_is_told(own_centre: Terminal) -> None:
    own_centre.run(*ONE, "--confirm", LICENCE)
    done = own_centre.run(*TWO, "--confirm", "2", status=3)
    errors = [line.split()[1] for line in done.err.splitlines() if line.startswith("error ")]
    assert errors[-1] == "cli.revoke.some:"
    assert len(errors) == 2
    assert done.err.count("2 certificates revoked") == 1


def test_an_emergency_asks_what_only_the_holder_knows(story: Story, own_centre: Terminal) -> None:
    card = story.said["personalize"].json[0]["card"]
    call = ("revoke", card, "--ground", "S02_CARD_LOST", "--requester", "subscriber",
            "--evidence", "call-back 03:10", "--channel", "TELEPHONE", "--operator", "ishii",
            "--emergency", "--confirm", LICENCE, "--registration-number", "903146")  # fmt: skip
    wrong = own_centre.run(*call, "--called-back", "--birth-date", "1981-02-11", status=3)
    error_line(wrong.err, "ra.revoke.caller")
    uncalled = own_centre.run(*call, "--birth-date", "1981-02-10", status=3)
    error_line(uncalled.err, "ra.revoke.caller")
    done = own_centre.run(*call, "--called-back", "--birth-date", "1981-02-10")
    assert "2 certificates revoked" in done.err
    outcomes = own_centre.run("audit", "show", "--code", "REV.AUTH", "--json").json
    assert [row["outcome"] for row in outcomes] == ["REFUSED", "REFUSED", "OK"]


def test_a_file_carrier_is_revoked_by_its_licence(own_centre: Terminal) -> None:
    done = own_centre.run("revoke", "T2026-0003", *DEATH, *OFFICERS, "--confirm", "2887")
    assert "1 certificates revoked" in done.err


class TestOnATerminal:
    def test_the_digits_are_asked_for_after_the_person_is_shown(self, own_centre: Terminal) -> None:
        done = own_centre.typed(*ONE, answers=[("digits of the licence", f"{LICENCE}\n")])
        assert done.status == 0
        assert done.out.index("前田") < done.out.index("digits of the licence")
        assert "2 certificates revoked" in done.out

    def test_wrong_digits_change_nothing(self, centre: Terminal) -> None:
        done = centre.typed(*ONE, answers=[("digits of the licence", "0000\n")])
        assert done.status == 3
        assert "error cli.confirm.digits" in done.out

    def test_an_end_of_input_changes_nothing(self, centre: Terminal) -> None:
        done = centre.typed(*ONE, answers=[("digits of the licence", "\x04")])
        assert done.status == 3

    def test_ctrl_c_changes_nothing(self, centre: Terminal) -> None:
        done = centre.typed(*ONE, answers=[("digits of the licence", "\x03")])
        assert done.status == 130
        assert "interrupted" in done.out
        assert "Traceback" not in done.out

    def test_a_passphrase_is_typed_unseen(self, own_centre: Terminal) -> None:
        word = (own_centre.site / "secrets" / "ca-keys").read_text().strip()
        typed = {"HPKI_SECRETS__CA_KEYS__PROMPT": "true"}
        issue = ("crl", "issue", "sign")
        done = own_centre.typed(*issue, answers=[("CA keys: ", f"{word}\n")], variables=typed)
        assert done.status == 0, done
        assert word not in done.out
        wrong = own_centre.typed(*issue, answers=[("CA keys: ", "x\n")], variables=typed)
        assert wrong.status == 3
        assert "error keys.passphrase.wrong" in wrong.out
        stopped = own_centre.typed(*issue, answers=[("CA keys: ", "\x04")], variables=typed)
        assert (stopped.status, "cli.prompt.end" in stopped.out) == (3, True)


def test_tables_fit_a_small_terminal_and_lose_nothing(story: Story, centre: Terminal) -> None:
    serial = story.said["issue"].json["serial"]
    for rows, columns in ((24, 80), (50, 200)):
        shown = centre.typed("cert", "list", size=(rows, columns)).out
        assert serial in shown
        assert max(len(line) for line in shown.splitlines()) <= columns
    wide = centre.typed("cert", "list", size=(50, 200)).out
    assert "HPKI-01-DEMO_Auth-forAuthentication-forIndividual" in wide
    assert "T2026-0004" in centre.typed("ra", "list", size=(24, 80)).out
    assert Path(centre.site).exists()
