"""People and roles at the terminal: what is decided, and what is refused in one line."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from cli.words import HEADINGS
from pki.validity import japan_date
from tests.cli.terminal import (
    Terminal,
    files_with,
    people_files,
    person,
    secret_values,
)

SAKURAI = ("--operator", "sakurai")
BOTH = (*SAKURAI, "--co-operator", "tani")
AUTHOR = ("operator", "add", "yamada", "--full-name", "山田 花子")
TODAY = japan_date(datetime.now(UTC))
FROM, UNTIL = str(TODAY), str(TODAY + timedelta(days=4))
ENDO = ("operator", "substitute", "nomura", "--for", "endo", "--role", "RA_APPROVER")
DAYS = ("--from", FROM, "--until", UNTIL)


class TestAppointment:
    def test_a_person_with_all_that_is_known(self, own: Terminal) -> None:
        done = own.run(*AUTHOR, "--birth-date", "1990-04-01", "--office", "OSAKA-01", "--role",
                       "lra_reception", "--role", "HELPDESK", *SAKURAI)  # fmt: skip
        assert "yamada is appointed: HELPDESK, LRA_RECEPTION" in done.err
        row = person(own, "yamada")
        assert set(row) <= set(HEADINGS)
        assert (row["full_name"], row["birth_date"]) == ("山田 花子", "1990-04-01")
        assert (row["state"], row["office"], row["external"]) == ("ACTIVE", "OSAKA-01", False)
        assert row["roles"] == ["HELPDESK", "LRA_RECEPTION"]
        (key,) = row["keys"]
        assert key["expires"] == row["key_expires"] > str(TODAY)
        assert (key["from"], key["until"], key["lost"]) == (row["since"], None, None)
        assert {one["role"]: one["until"] for one in row["held"]} == dict.fromkeys(row["roles"])
        names = {name for name in people_files(own.site) if "yamada" in name}
        assert names == {
            "operators/yamada.sign.pem",
            "operators/yamada.seal.pem",
            "secrets/operators/yamada",
        }
        assert files_with(own.site, secret_values(own.site)) == []
        own.run("audit", "verify")
        text = own.run("--lang", "ja", "operator", "show", "yamada").out
        assert "山田 花子" in text
        assert "LRA_RECEPTION" in text

    def test_the_list(self, office: Terminal) -> None:
        rows = {row["operator"]: row for row in office.run("operator", "list", "--json").json}
        assert rows["aoki"]["roles"] == ["RA_EXAMINER", "RA_RECEPTION"]
        assert {row["state"] for row in rows.values()} == {"ACTIVE"}
        assert "RA_EXAMINER, RA_RECEPTION" in office.run("--lang", "en", "operator", "list").out
        assert "認証局責任者" in office.run("--lang", "ja", "operator", "list").out

    def test_from_outside_and_without_a_role(self, own: Terminal) -> None:
        assert "no role yet" in own.run(*AUTHOR, "--external", *SAKURAI).err
        assert person(own, "yamada")["external"] is True
        grant = ("operator", "grant", "yamada", "--role")
        own.refused("operators.role.outside", 3, *grant, "HELPDESK", *SAKURAI)
        own.refused("operators.role.outside", 3, *grant, "KEY_CUSTODIAN", *BOTH)
        own.run(*grant, "AUDITOR", *SAKURAI)

    def test_one_person_has_one_account(self, own: Terminal) -> None:
        own.run(*AUTHOR, "--birth-date", "1990-04-01", *SAKURAI)
        before = people_files(own.site)
        again = ("operator", "add", "hanako", "--full-name", "山田　花子", *SAKURAI)
        own.refused("operators.person.exists", 5, *again, "--birth-date", "1990-04-01")
        assert people_files(own.site) == before
        own.run(*again, "--birth-date", "1971-12-24")

    def test_a_name_changed_in_the_store_is_seen(self, own: Terminal) -> None:
        with contextlib.closing(sqlite3.connect(own.site / "store.sqlite")) as connection:
            connection.execute("UPDATE operator SET full_name = '別 人' WHERE id = 'endo'")
            connection.commit()
        own.refused("operators.identity.changed", 3, "operator", "show", "endo")
        own.run("operator", "show", "aoki")

    @pytest.mark.parametrize(
        ("code", "status", "given"),
        [
            ("operators.name", 2, ("Yamada", "--full-name", "x", *SAKURAI)),
            ("operators.name", 2, ("../keys/root", "--full-name", "x", *SAKURAI)),
            ("operators.name", 2, ("x", "--full-name", "x", *SAKURAI)),
            ("operators.name", 2, ("a.new", "--full-name", "x", *SAKURAI)),
            ("operators.full_name", 2, ("yamada", "--full-name", " 　", *SAKURAI)),
            ("operators.full_name", 2, ("yamada", "--full-name", "a\x1b[2Jb", *SAKURAI)),
            ("operators.full_name", 2, ("yamada", "--full-name", "x" * 101, *SAKURAI)),
            ("operators.appointment", 2, (*AUTHOR[2:], "--office", "osaka", *SAKURAI)),
            ("cli.day", 2, (*AUTHOR[2:], "--birth-date", "19900401", *SAKURAI)),
            ("cli.day", 2, (*AUTHOR[2:], "--birth-date", "1990-02-30", *SAKURAI)),
            ("cli.day", 2, (*AUTHOR[2:], "--birth-date", "2990-01-01", *SAKURAI)),
            ("cli.role", 2, (*AUTHOR[2:], "--role", "KING", *SAKURAI)),
            ("operators.role.conflict", 3, (*AUTHOR[2:], "--role", "AUDITOR", "--role", "HELPDESK",
                                            *SAKURAI)),
            ("operators.exists", 5, ("aoki", "--full-name", "x", *SAKURAI)),
            ("operators.signatures", 3, (*AUTHOR[2:], "--operator", "aoki")),
            ("operators.separation", 3, (*AUTHOR[2:], *SAKURAI, "--co-operator", "sakurai")),
            ("operators.unknown", 4, (*AUTHOR[2:], "--operator", "nobody")),
            ("operators.signatures", 3, (*AUTHOR[2:], "--role", "CA_MANAGER", *SAKURAI)),
            ("operators.role.office", 3, (*AUTHOR[2:], "--role", "LRA_RECEPTION", *SAKURAI)),
            ("operators.signatures", 3, (*AUTHOR[2:], "--role", "RA_APPROVER", "--operator",
                                         "tani")),
        ],
    )  # fmt: skip
    def test_refusals_leave_no_key(
        self, office: Terminal, code: str, status: int, given: tuple[str, ...]
    ) -> None:
        office.refused(code, status, "operator", "add", *given)

    def test_what_was_refused_can_be_done_again(self, own: Terminal) -> None:
        grant = (*AUTHOR, "--role", "CA_MANAGER", *SAKURAI)
        assert "two" not in own.refused("operators.signatures", 3, *grant)
        own.run(*grant, "--co-operator", "tani")
        assert person(own, "yamada")["roles"] == ["CA_MANAGER"]

    def test_keys_of_somebody_whom_nobody_appointed_are_never_written_over(
        self, own: Terminal
    ) -> None:
        left = own.site / "operators" / "yamada.seal.pem"
        left.write_text("a key from a backup")
        told = own.refused("operators.keys.left", 5, *AUTHOR, *SAKURAI)
        assert str(left) in told
        assert left.read_text() == "a key from a backup"
        left.unlink()
        for name in ("yamada.sign.new.pem", "yamada.seal.new.pem"):
            (own.site / "operators" / name).write_text("broken off")
        (own.site / "secrets" / "operators" / "yamada.new").write_text("broken off")
        own.run(*AUTHOR, *SAKURAI)
        assert not [name for name in people_files(own.site) if ".new" in name]

    def test_two_do_not_make_keys_at_once(self, office: Terminal) -> None:
        folder = os.open(office.site / "operators", os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            office.refused("cli.operator.busy", 5, *AUTHOR, *SAKURAI)
        finally:
            os.close(folder)


class TestRoles:
    def test_given_and_taken_back(self, own: Terminal) -> None:
        own.run("operator", "grant", "endo", "--role", "HELPDESK", *SAKURAI)
        assert person(own, "endo")["roles"] == ["HELPDESK", "RA_APPROVER"]
        done = own.run("operator", "end", "endo", "--role", "RA_APPROVER", *BOTH)
        assert "endo: no longer RA_APPROVER" in done.err
        row = person(own, "endo")
        assert row["roles"] == ["HELPDESK"]
        assert next(one for one in row["held"] if one["role"] == "RA_APPROVER")["until"] > 0
        own.run("operator", "grant", "endo", "--role", "CA_MANAGER", *BOTH)
        own.run("audit", "verify")

    @pytest.mark.parametrize(
        ("code", "status", "given"),
        [
            ("operators.role.conflict", 3, ("grant", "aoki", "--role", "RA_APPROVER", *BOTH)),
            ("operators.signatures", 3, ("grant", "endo", "--role", "IA_OPERATOR", *SAKURAI)),
            ("operators.grant.self", 3, ("grant", "sakurai", "--role", "HELPDESK", *SAKURAI)),
            ("operators.grant.self", 3, ("suspend", "sakurai", *SAKURAI)),
            ("operators.signatures", 3, ("grant", "mori", "--role", "CA_MANAGER", *SAKURAI)),
            ("operators.signatures", 3, ("grant", "aoki", "--role", "REV_OFFICER", "--operator",
                                         "tani")),
            ("operators.signatures", 3, ("grant", "aoki", "--role", "HELPDESK", "--operator",
                                         "endo")),
            ("operators.unknown", 4, ("grant", "nobody", "--role", "HELPDESK", *SAKURAI)),
            ("operators.name", 2, ("grant", "../x", "--role", "HELPDESK", *SAKURAI)),
            ("cli.role", 2, ("grant", "aoki", "--role", "KING", *SAKURAI)),
            ("operators.role.held", 5, ("grant", "aoki", "--role", "RA_EXAMINER", *SAKURAI)),
            ("operators.role.none", 5, ("end", "aoki", "--role", "HELPDESK", *SAKURAI)),
            ("operators.suspended", 5, ("resume", "aoki", *SAKURAI)),
            ("operators.unknown", 4, ("show", "nobody")),
            ("operators.unknown", 4, ("leave", "nobody", *SAKURAI)),
            ("operators.unknown", 4, ("rekey", "nobody", *SAKURAI)),
            ("operators.unknown", 4, ("lost", "nobody", *SAKURAI)),
            ("operators.name", 2, ("suspend", "Aoki", *SAKURAI)),
            ("cli.usage", 2, ("grant", "aoki", *SAKURAI)),
        ],
    )  # fmt: skip
    def test_refusals(
        self, office: Terminal, code: str, status: int, given: tuple[str, ...]
    ) -> None:
        office.refused(code, status, "operator", *given)

    def test_a_suspended_person_does_not_act(self, own: Terminal) -> None:
        own.run("operator", "suspend", "fujita", *SAKURAI)
        assert (person(own, "fujita")["state"], person(own, "fujita")["roles"]) == ("SUSPENDED", [])
        own.refused("operators.suspended", 3, "crl", "due", "--operator", "fujita")
        own.refused("operators.suspended", 5, "operator", "suspend", "fujita", *SAKURAI)
        assert "acting again" in own.run("operator", "resume", "fujita", *BOTH).err
        own.run("crl", "due", "--operator", "fujita")
        (span,) = person(own, "fujita")["suspensions"]
        assert span["from"] < span["until"]

    def test_who_has_left_does_not_act_and_stays_known(self, own: Terminal) -> None:
        gone = ("operator", "leave", "fujita", *BOTH)
        before, files = own.head(), people_files(own.site)
        asked = own.run(*gone, status=3)
        assert "cli.confirm" in asked.err
        for word in ("CARD_OPERATOR, IA_OPERATOR", "what stops without fujita: application"):
            assert word in asked.err
        assert own.head() == before
        done = own.run(*gone, "--yes")
        assert f"from entry {before[0] + 1} on" in done.err
        assert people_files(own.site) == files
        row = person(own, "fujita")
        assert (row["state"], row["roles"], row["left"]) == ("LEFT", [], before[0] + 1)
        assert row["key_expires"] is None
        assert "fujita" not in own.run("operator", "plan", "--json").json["stops"]
        own.refused("operators.credential.unknown", 3, "crl", "due", "--operator", "fujita")
        own.refused("operators.left", 5, *gone, "--yes")
        own.refused("operators.left", 5, "operator", "rekey", "fujita", *BOTH)
        again = ("operator", "add", "fujita", "--full-name", "藤田 発", *SAKURAI)
        own.refused("operators.exists", 5, *again)

    def test_a_no_keeps_a_person(self, own: Terminal) -> None:
        before = own.head()
        gone = ("operator", "leave", "fujita", *BOTH)
        assert "cli.confirm" in own.typed(*gone, answers=[("[y/N]", "n\n")]).out
        assert own.head() == before
        assert own.typed(*gone, answers=[("[y/N]", "y\n")]).status == 0


class TestSubstitution:
    def test_for_days_and_signed_by_two(self, own: Terminal) -> None:
        done = own.run(*ENDO, *DAYS, *BOTH)
        assert f"nomura: RA_APPROVER for endo from {FROM} until {UNTIL}" in done.err
        row = person(own, "nomura")
        assert row["roles"] == ["HELPDESK", "RA_APPROVER"]
        held = next(one for one in row["held"] if one["role"] == "RA_APPROVER")
        assert (held["for"], held["first_day"], held["last_day"]) == ("endo", FROM, UNTIL)
        assert f"for endo, from {FROM}, until {UNTIL}" in own.run("operator", "show", "nomura").out
        stops = own.run("operator", "plan", "--json").json["stops"]
        assert stops["endo"] == []
        later = ("--from", "2999-01-01", "--until", "2999-01-02")
        own.refused("operators.role.held", 5, *ENDO, *later, *BOTH)

    @pytest.mark.parametrize(
        ("code", "status", "given"),
        [
            ("operators.signatures", 3, (*ENDO, *DAYS, *SAKURAI)),
            ("operators.grant.self", 3, (*ENDO[:2], "tani", *ENDO[3:], *DAYS, *BOTH)),
            ("operators.role.conflict", 3, (*ENDO[:2], "aoki", *ENDO[3:], *DAYS, *BOTH)),
            ("operators.role.none", 5, (*ENDO[:-1], "REV_OFFICER", *DAYS, *BOTH)),
            ("operators.unknown", 4, (*ENDO[:4], "nobody", *ENDO[5:], *DAYS, *BOTH)),
            ("operators.name", 2, (*ENDO[:4], "NOBODY", *ENDO[5:], *DAYS, *BOTH)),
            ("cli.day", 2, (*ENDO, "--from", "tomorrow", "--until", UNTIL, *BOTH)),
            ("operators.substitution.days", 2, (*ENDO, "--from", UNTIL, "--until", FROM, *BOTH)),
            ("operators.substitution.days", 2, (*ENDO, "--from", "2020-01-01", "--until",
                                                "2020-01-02", *BOTH)),
            ("operators.substitution.days", 2, (*ENDO, "--from", FROM, "--until",
                                                str(TODAY + timedelta(days=31)), *BOTH)),
        ],
    )  # fmt: skip
    def test_refusals(
        self, office: Terminal, code: str, status: int, given: tuple[str, ...]
    ) -> None:
        office.refused(code, status, *given)


class TestTrainingAndOffice:
    def test_they_stand_in_the_account(self, own: Terminal) -> None:
        train = ("operator", "train", "aoki", "--course", "RA-2026 basic", "--operator", "tani")
        own.run(*train, "--on", "2026-04-01")
        own.run("operator", "assign", "aoki", "--office", "OSAKA-01", "--operator", "tani")
        row = person(own, "aoki")
        assert row["trainings"] == [{"course": "RA-2026 basic", "on": "2026-04-01"}]
        assert row["office"] == "OSAKA-01"
        own.run("operator", "grant", "aoki", "--role", "LRA_RECEPTION", "--operator", "tani")
        own.run("operator", "assign", "aoki", "--none", "--operator", "tani")
        assert person(own, "aoki")["office"] is None

    @pytest.mark.parametrize(
        ("code", "given"),
        [
            ("operators.course", ("train", "aoki", "--course", "訓練", "--on", FROM)),
            ("operators.course", ("train", "aoki", "--course", "", "--on", FROM)),
            ("cli.day", ("train", "aoki", "--course", "RA", "--on", "2999-01-01")),
            ("cli.day", ("train", "aoki", "--course", "RA", "--on", "2026-13-01")),
            ("operators.office", ("assign", "aoki", "--office", "osaka")),
            ("cli.office", ("assign", "aoki")),
            ("cli.office", ("assign", "aoki", "--none", "--office", "OSAKA-01")),
        ],
    )
    def test_refusals(self, office: Terminal, code: str, given: tuple[str, ...]) -> None:
        office.refused(code, 2, "operator", *given, "--operator", "tani")
