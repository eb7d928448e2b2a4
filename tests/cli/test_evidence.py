"""``hpki audit export``, ``verify --export``, ``review`` and ``report`` on the terminal."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal, error_line

SIGNED = ("--note", "nothing found", "--operator", "kiroku", "--yes")
MONTH = ("--since", "2026-01-01", "--until", "2026-12-31")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A new training site with one anchor, which no test changes."""
    shell = Terminal(tmp_path_factory.mktemp("evidence") / "site")
    shell.run("init", shell.site)
    shell.run("audit", "anchor")
    return shell


@pytest.fixture
def shell(made: Terminal, tmp_path: Path) -> Terminal:
    return Terminal(Path(shutil.copytree(made.site, tmp_path / "site")))


def month(shell: Terminal) -> str:
    """The month of the newest entry, in Japan."""
    (entry,) = shell.run("audit", "show", "--limit", "1", "--json").json
    return str(entry["time"])[:7]


def tamper(shell: Terminal, statement: str) -> None:
    connection = sqlite3.connect(shell.site / "store.sqlite")
    with connection:
        connection.execute(statement)
    connection.close()


def test_an_export_is_verified_without_a_site(shell: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "export"
    told = shell.run("audit", "export", "--out", out, "--sign", "--operator", "kansa", "--json")
    outsider = Terminal(tmp_path / "no-site")
    anchor = next((shell.site / "anchors").glob("*.json"))
    setup = told.json["setup"]
    given = ("--export", out, "--setup", setup, "--anchor", anchor)
    found = outsider.run("audit", "verify", *given, "--json")
    assert found.json["manifest_signed"] is True
    assert found.json["seq"] == told.json["last_seq"]
    assert "root of trust" not in found.err
    believed = outsider.run("audit", "verify", "--export", out)
    assert "root of trust was taken from the export itself" in believed.err
    assert setup in believed.err
    outsider.refused("operators.setup.pin", 3, "audit", "verify", *given[:2], "--setup", "a" * 64)
    outsider.refused("cli.audit.setup", 2, "audit", "verify", *given[:2], "--setup", "abc")
    outsider.refused("cli.audit.setup", 2, "audit", "verify", "--setup", setup)
    outsider.refused("cli.audit.export", 4, "audit", "verify", "--export", tmp_path / "none")
    error_line(
        shell.run("audit", "export", "--out", out, "--operator", "kansa", status=5).err,
        "operators.export.exists",
    )
    error_line(
        shell.run("audit", "export", "--out", tmp_path / "x", "--operator", "endo", status=3).err,
        "operators.role.missing",
    )
    trail = out / "trail.jsonl"
    trail.write_bytes(trail.read_bytes().replace(b'"outcome":"OK"', b'"outcome":"NO"', 1))
    outsider.refused("audit.trail.broken", 3, "audit", "verify", "--export", out)


def test_one_statement(shell: Terminal, tmp_path: Path) -> None:
    (entry,) = shell.run("audit", "show", "2", "--json").json
    name = min(entry["detail"]["signed"])
    out = tmp_path / "statement"
    shell.run("audit", "export", "--statement", name, "--out", out, "--operator", "kiroku")
    body = json.loads((out / "body.json").read_bytes())
    assert body["statement_id"] == name
    assert {one.name for one in out.iterdir()} == {
        "body.json", "signature.der", "key.pem", "act.json", "README.txt"
    }  # fmt: skip


def test_a_review_is_kept_with_its_note(shell: Terminal) -> None:
    period = month(shell)
    for number, name in ((1, f"review-{period}.json"), (2, f"review-{period}-2.json")):
        done = shell.run("audit", "review", "--month", period, *SIGNED, "--json")
        assert done.json["decision"] == "CLEAN", number
        path = shell.site / "reports" / name
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_bytes())["note"] == "nothing found"
    assert shell.run("audit", "verify", "--statements", "--json").json["statements"] == 4


def test_what_was_changed_is_found_and_signed_as_such(shell: Terminal) -> None:
    shell.run("audit", "review", "--month", month(shell), *SIGNED)
    tamper(shell, "UPDATE statement SET signature = '3006020101020101' WHERE type = 'LOG_REVIEW'")
    assert shell.run("audit", "verify").status == 0
    error_line(
        shell.run("audit", "verify", "--statements", status=3).err, "operators.statement.signature"
    )
    done = shell.run("audit", "review", "--month", month(shell), *SIGNED, "--json").json
    assert done["decision"] == "DIFFERENCES"
    assert done["found"] == {"operators.statement.signature": 1}


def test_reviews_that_are_not_made(shell: Terminal) -> None:
    asked = ("audit", "review", "--operator", "kiroku", "--yes")
    shell.refused("cli.audit.note", 2, *asked)
    shell.refused("cli.audit.note", 2, *asked, "--note", "a", "--note-file", "b")
    shell.refused("cli.audit.month", 2, *asked, "--note", "a", "--month", "2026-13")
    shell.refused("cli.audit.month", 2, *asked, "--note", "a", "--month", "2099-01")
    before = shell.head()
    done = shell.run("audit", "review", "--operator", "kiroku", "--note", "a", status=3)
    assert "error cli.confirm: " in done.err
    assert shell.head() == before


def test_the_report_is_written_in_three_forms(shell: Terminal, tmp_path: Path) -> None:
    for form in ("html", "json", "csv"):
        out = tmp_path / f"trail.{form}"
        done = shell.run("audit", "report", *MONTH, "--format", form, "--out", out)
        assert "the trail is whole" in done.err
        assert out.stat().st_size > 500
    tamper(shell, "UPDATE statement SET body = '{}'")
    out = tmp_path / "broken.json"
    shell.run("audit", "report", *MONTH, "--format", "json", "--out", out)
    assert json.loads(out.read_bytes())["whole"] is False
