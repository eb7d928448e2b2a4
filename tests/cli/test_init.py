"""A new site: all of it or nothing, and nobody else may read it."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, files_with, secret_values

STAFF = """
[[operator]]
name = "ichi"
full_name = "試 一"
roles = ["CA_MANAGER"]
[[operator]]
name = "futa"
full_name = "試 二"
roles = ["RA_MANAGER"]
"""


@pytest.fixture
def shell(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "site")


@pytest.fixture
def staff(tmp_path: Path) -> Path:
    path = tmp_path / "staff.toml"
    path.write_text(STAFF, "utf-8")
    return path


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "staff.toml")


def test_faults_leave_nothing_behind(shell: Terminal, staff: Path) -> None:
    new = ("init", shell.site)
    folder = shell.site.parent
    missing = folder / "none" / "store.sqlite"
    password = "postgresql+psycopg://hpki:swordfish@localhost/hpki"
    production = shell.refused("cli.init.production", 3, *new, "--kind", "production")
    assert "refuses CA keys in software" in production
    shell.refused("cli.init.kind", 2, *new, "--kind", "toy")
    shell.refused("store.unavailable", 6, *new, "--store-url", f"sqlite:///{missing}")
    shell.refused("cli.config", 2, *new, "--store-url", "nonsense")
    said = shell.refused("cli.config", 2, *new, "--store-url", password)
    assert "password" in said
    assert "swordfish" not in said
    shell.refused("cli.init.staff", 2, *new, "--kind", "trial")
    shell.refused("cli.secret.prompt", 6, *new, "--kind", "trial", "--staff", staff)
    shell.refused("cli.init.parent", 4, "init", missing)
    staff.write_text(STAFF + "colour = 1\n", "utf-8")
    assert "unknown key" in shell.refused("cli.init.staff", 2, *new, "--staff", staff)
    staff.write_text(STAFF.replace('"ichi"', '"Ichi!"'), "utf-8")
    assert shell.run(*new, "--staff", staff, status=2).out == ""
    assert left_in(folder) == []


def test_a_folder_that_holds_something_stays_as_it_is(shell: Terminal) -> None:
    shell.site.mkdir()
    (shell.site / "mine").write_text("kept")
    shell.refused("cli.init.exists", 5, "init", shell.site)
    assert [path.name for path in shell.site.iterdir()] == ["mine"]
    shell.refused("cli.init.exists", 5, "init", shell.site / "mine")


def test_rights_do_not_hang_on_the_umask(shell: Terminal) -> None:
    shell.site.mkdir()  # an empty folder is taken
    before = os.umask(0)
    try:
        shell.run("init", shell.site)
    finally:
        os.umask(before)
    public = shell.site / "public"
    for path in [shell.site, *shell.site.rglob("*")]:
        expected = 0o755 if path == public else 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert files_with(shell.site, secret_values(shell.site)) == []
    settings = tomllib.loads((shell.site / "hpki.toml").read_text("utf-8"))
    assert settings["secrets"]["ca_keys"] == {"file": "secrets/ca-keys"}
    assert settings["centre"]["kind"] == "training"


def test_a_trial_site_asks_its_people_for_passphrases(shell: Terminal, staff: Path) -> None:
    words = {"ichi": "correct horse 1", "futa": "correct horse 2"}
    answers = [
        (prompt.format(name), f"{word}\n")
        for name, word in words.items()
        for prompt in ("New passphrase of {}: ", "The same again, of {}: ")
    ]
    anchor = [
        ("New passphrase of anchor key: ", "correct horse 3\n"),
        ("The same again, of anchor key: ", "correct horse 3\n"),
    ]
    new = ("init", shell.site, "--kind", "trial", "--staff", staff, "--name", "DEMO 試験局")
    differing = [*anchor, answers[0], (answers[1][0], "another\n")]
    refused = shell.typed(*new, answers=differing)
    assert (refused.status, "cli.secret.twice" in refused.out) == (3, True)
    assert left_in(shell.site.parent) == []
    done = shell.typed(*new, answers=[*anchor, *answers])
    assert done.status == 0, done.out
    assert "試験 TRIAL" in done.out
    assert "horse" not in done.out
    assert not (shell.site / "secrets" / "operators").exists()
    assert files_with(shell.site, [word.encode() for word in words.values()]) == []
    listed = shell.run("operator", "list", "--json")
    assert {row["operator"] for row in listed.json} == set(words)
    assert "試験 TRIAL" in listed.err
    add = ("operator", "add", "san", "--full-name", "試 三", "--role", "AUDITOR", "--operator")
    with_passphrase = [("Passphrase of ichi: ", f"{words['ichi']}\n")]
    with_passphrase += [(f"{ask} san: ", "third\n") for ask in ("New passphrase of", "again, of")]
    assert shell.typed(*add, "ichi", answers=with_passphrase).status == 0
    wrong = shell.typed(*add, "futa", answers=[("Passphrase of futa: ", "guess\n")])
    assert (wrong.status, "keys.passphrase.wrong" in wrong.out) == (3, True)
    variables = {"HPKI_SECRETS__OPERATORS__ENV": "WORD", "WORD": words["ichi"]}
    told = shell.run(*add[:2], "yon", *add[3:], "ichi", status=3, variables=variables)
    assert "error cli.secret.env" in told.err
