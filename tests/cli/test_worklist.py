"""``hpki ra worklist``, ``next`` and ``desk`` as people and scripts use them."""

from __future__ import annotations

import shutil
import stat

import pytest

from tests.cli.conftest import application_rows
from tests.cli.terminal import Terminal

AOKI = ("--operator", "aoki")


@pytest.fixture(scope="module")
def site(new_site: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A site with five files, of which two are under examination."""
    folder = tmp_path_factory.mktemp("worklist")
    shutil.copytree(new_site.site, folder / "site")
    terminal = Terminal(folder / "site")
    (folder / "list.csv").write_text(application_rows(5), "utf-8")
    terminal.run("ra", "import", folder / "list.csv", *AOKI)
    terminal.run("ra", "complete", "T2026-0001", "T2026-0002", "--yes", *AOKI)
    return terminal


def test_what_waits_is_listed_with_words_and_as_json(site: Terminal) -> None:
    rows = site.run("ra", "worklist", "--json").json
    assert [row["application"] for row in rows] == [f"T2026-000{n}" for n in range(1, 6)]
    first = rows[0]
    assert (first["state"], first["waits_for"]) == ("EXAMINING", ["RA_EXAMINER"])
    assert first["days_left"] < 90
    said = site.run("ra", "worklist", "--role", "ra_examiner")
    assert said.out.count("審査中") == 2
    assert "審査担当者" in said.out
    assert "審査中 EXAMINING 2" in said.err
    nothing = site.run("ra", "worklist", "--operator", "endo")
    assert (nothing.out, "待ちなし" in nothing.err) == ("", True)


def test_it_fits_eighty_columns(site: Terminal) -> None:
    said = site.typed("--lang", "ja", "ra", "worklist")
    lines = [line for line in said.out.splitlines() if "T2026-" in line]
    assert len(lines) == 5
    assert all("審査担当者" in line or "受付担当者" in line for line in lines)


def test_pages_follow_one_another(site: Terminal) -> None:
    page = site.run("ra", "worklist", "--limit", "2")
    key = page.err.rpartition("--after ")[2].strip()
    assert key.endswith(",T2026-0002")
    rows = site.run("ra", "worklist", "--limit", "2", "--after", key, "--json").json
    assert [row["application"] for row in rows] == ["T2026-0003", "T2026-0004"]


@pytest.mark.parametrize(
    ("code", "status", "arguments"),
    [
        ("cli.role", 2, ("--role", "EXAMINER")),
        ("cli.state", 2, ("--state", "審査中")),
        ("cli.prefecture", 2, ("--prefecture", "48")),
        ("cli.worklist.after", 2, ("--after", "T2026-0001")),
        ("ra.date", 2, ("--after", "2026-02-30,T2026-0001")),
        ("cli.usage", 2, ("--limit", "0")),
        ("operators.unknown", 4, ("--operator", "nobody")),
    ],
)
def test_bad_values_are_one_line(
    site: Terminal, code: str, status: int, arguments: tuple[str, ...]
) -> None:
    site.refused(code, status, "ra", "worklist", *arguments)


def test_the_next_file_is_shown_with_its_command(site: Terminal) -> None:
    shown = site.run("ra", "next", *AOKI)
    assert "T2026-0001" in shown.out
    assert "hpki ra check T2026-0001 IDENTITY --ok --operator aoki" in shown.err
    assert site.run("audit", "search", "--code", "PII.VIEW", "--json").json
    site.refused("ra.worklist.empty", 4, "ra", "next", "--operator", "endo")


def test_the_desk_wants_a_terminal(site: Terminal) -> None:
    site.refused("cli.desk.terminal", 6, "ra", "desk", *AOKI)


def test_the_desk_prints_and_ends(site: Terminal) -> None:
    answers = [("T2026-0001", "\r"), ("MAEDA", "p"), ("check sheet:", "q")]
    plain = {"LANG": "C", "LC_ALL": "C"}
    done = site.typed("ra", "desk", *AOKI, answers=answers, variables=plain)
    assert done.status == 0, done
    assert "Traceback" not in done.out
    (sheet,) = (site.site / "reports").glob("sheet-T2026-0001-*.pdf")
    assert sheet.read_bytes().startswith(b"%PDF")
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600


def test_ctrl_c_ends_the_desk_cleanly(site: Terminal) -> None:
    japanese = {"LANG": "ja_JP.UTF-8"}
    answers = [("待ち 5 件", "\x03")]
    done = site.typed("ra", "desk", *AOKI, answers=answers, variables=japanese)
    assert done.status == 0, done
    assert "Traceback" not in done.out
