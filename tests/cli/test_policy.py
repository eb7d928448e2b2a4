"""What a site issues by, who can do the work, and a small centre."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

from policies.role_tables import shipped_table
from tests.cli.conftest import LICENCE, ROOT, application_rows, bring_to_examination
from tests.cli.terminal import (
    Terminal,
    error_line,
    person,
)

SAKURAI = ("--operator", "sakurai")
BOTH = (*SAKURAI, "--co-operator", "tani")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


class TestPlan:
    def test_who_is_needed_for_what(self, office: Terminal) -> None:
        plan = office.run("operator", "plan", "--json").json
        assert plan["role_table"] == shipped_table("full").reference
        assert plan["dropped"] == []
        assert plan["custodians"] == {"appointed": 5, "wanted": 5, "present": 3}
        assert plan["impossible"] == ["SYSTEM_UPKEEP", "ROOM_RIGHTS"]
        assert plan["stops"]["ishii"][0] == "REVOCATION"
        assert plan["stops"]["kagi-ichi"] == []
        assert (plan["absent"], plan["stopped"]) == ([], [])
        text = office.run("--lang", "ja", "operator", "plan").out
        assert "システムの保守" in text
        assert "任命5名（定数5名）、操作には3名の出席が必要" in text

    def test_several_away_at_once(self, office: Terminal) -> None:
        away = ("--absent", "kagi-ichi", "--absent", "kagi-futa", "--absent", "kagi-mitsu")
        plan = office.run("operator", "plan", *away, "--json").json
        assert plan["stopped"] == ["KEY_CEREMONY"]
        assert "key ceremony" in office.run("--lang", "en", "operator", "plan", *away).out
        office.refused("operators.unknown", 4, "operator", "plan", "--absent", "nobody")


class TestPolicy:
    approve = ("config", "approve", *BOTH)

    @staticmethod
    def change(shell: Terminal) -> None:
        settings = shell.site / "hpki.toml"
        settings.write_text(
            f"{settings.read_text('utf-8')}\n[parameters]\nCRL_TARGET_H = 12\n", "utf-8"
        )

    def test_parameters_in_force(self, own: Terminal) -> None:
        self.change(own)
        rows = own.run("config", "parameters", "--json").json
        row = next(one for one in rows if one["parameter"] == "CRL_TARGET_H")
        assert (row["value"], row["shipped"], row["unit"]) == ("12", "24", "h")
        assert row["firm"] == "SEEN"
        assert row["source"]
        assert "CRL_TARGET_H" in own.run("config", "parameters").out
        settings = {row["setting"]: row for row in own.run("config", "show", "--json").json}
        assert settings["parameters.CRL_TARGET_H"]["value"] == "12"
        assert {"operators.setup", "operators.role_table"} <= set(settings)

    def test_two_managers_approve_what_differs(self, own: Terminal) -> None:
        self.change(own)
        before = own.head()
        dry = own.run(*self.approve, "--dry-run", "--json").json
        assert dry == [{"changed": "parameter CRL_TARGET_H", "approved": "24", "value": "12"}]
        error_line(own.run(*self.approve, status=3).err, "cli.confirm")
        alone = ("config", "approve", "--operator", "tani", "--co-operator", "mori", "--yes")
        error_line(own.run(*alone, status=3).err, "operators.signatures")
        once = ("config", "approve", *SAKURAI, "--co-operator", "sakurai", "--yes")
        error_line(own.run(*once, status=3).err, "operators.separation")
        assert own.head() == before
        done = own.run(*self.approve, "--yes")
        assert f"in force after entry {before[0] + 1}" in done.err
        again = own.run(*self.approve, "--json")
        assert (again.json, "everything is approved" in again.err) == ([], True)

    def test_a_profile_and_a_role_table_are_approved_by_what_they_hold(self, own: Terminal) -> None:
        edit(own.site / "hpki.toml", 'role_table = "full"', 'role_table = "small-centre"')
        profiles = own.site / "profiles"
        profiles.mkdir()
        (profiles / "two.toml").write_text(
            'id = "ee-sign-two"\nversion = "1"\nbased_on = "ee-sign@2026-11-22"\n\n[validity]\n'
            'max_years = 2\nwhole_days = true\nsource = "our CPS"\nfirm = "PROPOSAL"\n'
        )
        settings = own.site / "hpki.toml"
        settings.write_text(
            f'{settings.read_text("utf-8")}\n[profiles]\nfolder = "profiles"\n', "utf-8"
        )
        rows = own.run(*self.approve, "--dry-run", "--json").json
        table, profile = rows[1], rows[0]
        assert (profile["changed"], profile["approved"]) == ("profile ee-sign-two", None)
        assert len(profile["value"]) == 64
        assert table["changed"] == f"role table {shipped_table('small-centre').reference}"
        assert table["approved"].startswith(shipped_table("full").reference)
        own.run(*self.approve, "--yes")
        assert own.run(*self.approve, "--json").json == []

    def test_nothing_is_issued_by_what_nobody_approved_but_revocation_goes_on(
        self, own_centre: Terminal, tmp_path: Path
    ) -> None:
        header, *rows = application_rows(6).splitlines()
        waiting = tmp_path / "waiting.csv"
        waiting.write_text(f"{header}\n{rows[5]}\n", "utf-8")
        own_centre.run("ra", "import", waiting, "--operator", "aoki")
        bring_to_examination(
            own_centre, tmp_path, lambda _, *said: own_centre.run(*said), "T2026-0006"
        )
        own_centre.run("ra", "examine", "T2026-0006", "--rest-ok", "--operator", "aoki")
        self.change(own_centre)
        decide = ("ra", "approve", "T2026-0006", "--operator", "endo")
        own_centre.refused("operators.policy.unapproved", 3, *decide)
        card = ("card", "personalize", "T2026-0003.1", "--operator", "fujita")
        unapproved = own_centre.refused("operators.policy.unapproved", 3, *card)
        assert "parameter CRL_TARGET_H" in unapproved
        revoke = ("revoke", "T2026-0001", "--ground", "R01_DEATH", "--requester", "heir",
                  "--evidence", "notice", "--operator", "ishii", "--executor", "fujita",
                  "--confirm", LICENCE)  # fmt: skip
        assert "2 certificates revoked" in own_centre.run(*revoke).err
        own_centre.run(*self.approve, "--yes")
        own_centre.run(*decide)
        told = own_centre.run(*card, status=5)
        assert "operators.policy" not in told.err


class TestSmallCentre:
    STAFF = ROOT / "examples" / "staff-small-centre.toml"
    NEW = ("--role-table", "small-centre", "--staff", STAFF)

    def test_six_and_an_outsider_do_all_the_work(self, tmp_path: Path) -> None:
        shell = Terminal(tmp_path / "site")
        shell.run("init", shell.site, *self.NEW)
        plan = shell.run("operator", "plan", "--json").json
        assert plan["impossible"] == []
        assert plan["custodians"] == {"appointed": 3, "wanted": 3, "present": 2}
        assert [one["roles"] for one in plan["dropped"]][0] == ["RA_EXAMINER", "RA_APPROVER"]
        assert all(one["reason"] for one in plan["dropped"])
        assert "RA_EXAMINER + RA_APPROVER" in shell.run("operator", "plan").out
        rows = shell.run("operator", "list", "--json").json
        people = tomllib.loads(self.STAFF.read_text("utf-8"))["operator"]
        assert {row["operator"] for row in rows} == {one["name"] for one in people}
        assert len([one for one in people if not one.get("external")]) == 6
        assert person(shell, "bengoshi")["external"] is True
        assert date.fromisoformat(person(shell, "dairi")["birth_date"])

    def test_a_table_of_ones_own_is_copied(self, tmp_path: Path) -> None:
        table = tmp_path / "ours.toml"
        table.write_text(
            'name = "ours"\nversion = "1"\n'
            f'based_on = "{shipped_table("full").reference}"\n\n[[conflict]]\n'
            'role = "HELPDESK"\nwith = ["RA_APPROVER"]\nsource = "our CPS"\nfirm = "PROPOSAL"\n'
        )
        shell = Terminal(tmp_path / "site")
        shell.run("init", shell.site, "--role-table", table)
        assert (shell.site / "role-table.toml").read_bytes() == table.read_bytes()
        settings = tomllib.loads((shell.site / "hpki.toml").read_text("utf-8"))
        assert settings["operators"]["role_table"] == "role-table.toml"
        assert shell.run("operator", "plan", "--json").json["role_table"] == "ours@1"
        grant = ("operator", "grant", "endo", "--role", "HELPDESK", *SAKURAI)
        shell.refused("operators.role.conflict", 3, *grant)

    def test_faults_of_a_table_leave_nothing(self, tmp_path: Path) -> None:
        shell = Terminal(tmp_path / "site")
        new, table = ("init", shell.site, "--role-table"), tmp_path / "ours.toml"
        shell.refused("policies.role_table.unknown", 4, *new, "tiny")
        shell.refused("cli.file.none", 4, *new, table)
        table.write_text(
            'name = "ours"\nversion = "1"\n'
            f'based_on = "{shipped_table("full").reference}"\n\n[[drop]]\nrole = "AUDITOR"\n'
            'with = "HELPDESK"\nreason = "few people"\nsource = "ours"\n'
        )
        shell.refused("policies.role_table.statutory", 3, *new, table)
        conflict = ("--staff", self.STAFF)
        shell.refused("operators.role.conflict", 3, *new, "full", *conflict)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["ours.toml"]
