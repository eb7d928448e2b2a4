"""Reports and audits at the terminal, on the shared site."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cli.words import HEADINGS
from pki.validity import japan_date
from tests.cli.terminal import Terminal

TODAY = japan_date(datetime.now().astimezone())
PERIOD = ("--from", str(TODAY - timedelta(days=1)), "--to", str(TODAY))
KANSA = ("--operator", "kansa")


@pytest.mark.parametrize("name", ["dashboard", "trend", "applications", "operations", "separation"])
def test_a_report_is_written_in_every_form_it_is_asked_for(
    centre: Terminal, tmp_path: Path, name: str
) -> None:
    period = PERIOD if name in ("operations", "separation") else ()
    written = ("--format", "html,csv,json", "--lang", "en", "--out", tmp_path)
    said = centre.run("report", name, *period, *written)
    paths = [Path(line) for line in said.err.splitlines() if line.startswith("/")]
    assert {path.suffix for path in paths} == {".html", ".csv", ".json"}
    assert set(paths) == set(tmp_path.iterdir())
    assert said.out.count("\n") > 1


def test_the_terminal_shows_the_titles_of_the_report(centre: Terminal, tmp_path: Path) -> None:
    said = centre.run(
        "--lang", "ja", "report", "dashboard", "--format", "csv", "--out", tmp_path
    ).out
    assert said.splitlines()[0].split() == ["項目", "当月", "前月", "増減"]


def test_the_month_has_every_monthly_report_and_an_index(centre: Terminal, tmp_path: Path) -> None:
    listed = centre.run("report", "list", "--json").json
    assert listed[-1]["name"] == "compliance"
    centre.run(
        "report", "monthly", "--month", f"{TODAY:%Y-%m}", "--format", "html", "--out", tmp_path
    )
    index = (tmp_path / "index.html").read_text("utf-8")
    for one in listed:
        assert (f"{one['name']}-{TODAY}.html" in index) is one["monthly"]


def test_an_audit_is_opened_answered_signed_and_reported(
    own_centre: Terminal, tmp_path: Path
) -> None:
    run, proof = own_centre.run, tmp_path / "receipt.txt"
    proof.write_text("sent")
    opened = run("engagement", "open", *PERIOD, "--kind", "SIGN", *KANSA, "--json").json
    number = opened["engagement"]
    assert number == f"SIGN-{TODAY.year}-01"
    entered = ("--result", "CONFORMS", "--note", "seen", "--evidence", proof)
    answered = run("engagement", "answer", number, "HC-8.6-01", *entered, *KANSA, "--json").json
    assert answered["result"] == "CONFORMS"
    fact = ("--class", "MINOR", "--fact", "one thing", "--action", "another", "--due", "2099-01-31")
    found = run("engagement", "finding", number, "HC-4.2-01", *fact, *KANSA, "--json").json
    signed = run("engagement", "sign", number, "--yes", *KANSA, "--json").json
    (listed,) = run("engagement", "list", "--json").json
    assert listed["conclusion"] == signed["conclusion"]
    closed = run("engagement", "close", found["finding"], *KANSA, "--json").json
    out = ("--kind", "SIGN", "--format", "html", "--out", tmp_path / "audit", "--json")
    (told,) = run("report", "compliance", *PERIOD, *out).json
    assert told["report"] == "compliance-sign"
    assert told["conforms"] > told["fails"]
    page = (tmp_path / "audit" / f"compliance-sign-{TODAY}.html").read_text("utf-8")
    assert number in page
    assert signed["statement"] in page
    shown = (opened, answered, found, signed, listed, closed, told)
    assert {name for one in shown for name in one} <= set(HEADINGS)


def test_an_audit_is_for_auditors_alone(centre: Terminal) -> None:
    centre.refused("operators.role.missing", 3, "engagement", "open", *PERIOD, "--operator", "aoki")


def test_an_audit_that_nobody_opened_is_not_signed(centre: Terminal) -> None:
    nobody = ("engagement", "sign", "SIGN-1999-01", "--yes", *KANSA)
    centre.refused("audit.engagement.unknown", 4, *nobody)
