"""The whole chain, one command at a time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pki.validity import JST
from tests.cli.conftest import CEREMONY, PEOPLE, Story, application_rows, bring_to_examination
from tests.cli.terminal import Terminal, files_with, secret_values

BANNER = "訓練 TRAINING"

TYPED = {"HPKI_SECRETS__CA_KEYS__PROMPT": "true"}


def test_every_screen_of_a_training_site_says_so_and_stdout_stays_clean(story: Story) -> None:
    for name, result in story.said.items():
        assert BANNER in result.err, name
        assert BANNER not in result.out, name


def test_the_plan_of_a_ceremony_changes_nothing(story: Story) -> None:
    assert story.heads["ceremony plan"] == story.heads["init"]
    plan = story.said["ceremony plan"].json
    assert [row["id"] for row in plan] == ["root", "sign", "auth"]
    assert set(plan[0]) == {"id", "issuer", "profile", "key", "issues", "subject"}
    assert [row["issues"] for row in plan] == [[], ["ee-sign"], ["ee-auth"]]


def test_the_ceremony_lists_its_cas_and_names_its_transcript(story: Story) -> None:
    lines = story.said["ceremony"].out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "root", "auth", "sign"]
    paths = [Path(line.split()[1]) for line in story.said["ceremony"].err.splitlines()[1:]]
    assert [path.suffix for path in paths] == [".json", ".html"]
    assert "訓練" in paths[1].read_text("utf-8")


def test_a_ceremony_is_held_once(centre: Terminal) -> None:
    centre.refused("ca.ceremony.done", 5, "ca", "ceremony", CEREMONY, *PEOPLE, "--yes")


def test_an_import_says_what_became_of_each_row(story: Story) -> None:
    first, again = story.said["import"], story.said["import again"]
    assert "5 accepted, 0 already, 1 rejected" in first.err
    assert "T2026-0006" in first.out or first.out.splitlines()[1].startswith("7 ")
    outcomes = [row["outcome"] for row in {row["line"]: row for row in again.json}.values()]
    assert outcomes == ["ALREADY"] * 5 + ["REJECTED"]
    columns = {"line", "application", "outcome", "code", "field", "text", "hint", "missing"}
    assert set(again.json[0]) == columns


def test_the_rejects_file_holds_the_bad_row_alone_with_its_faults(story: Story) -> None:
    path = story.folder / "rejects.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    assert len(rows) == 1
    assert rows[0]["faults"].startswith("ra.row.")
    assert path.stat().st_mode & 0o777 == 0o600


def test_examination_and_approval_name_what_they_made(story: Story) -> None:
    states = {row["state"] for row in story.said["examine"].json}
    assert states == {"EXAMINED"}
    assert [row["order"] for row in story.said["approve"].json][:2] == [
        "T2026-0001.1",
        "T2026-0002.1",
    ]
    assert "T2026-0005: 却下 REJECTED — 資格確認不可 R02" in story.said["reject"].err


def test_cards_are_listed_by_order(story: Story, centre: Terminal) -> None:
    made = story.said["personalize"].json
    assert [row["order"] for row in made] == ["T2026-0001.1", "T2026-0002.1", "T2026-0004.1"]
    listed = centre.run("card", "list", "--json").json
    assert {row["card"] for row in listed} == {row["card"] for row in made}
    assert {row["state"] for row in listed} == {"PERSONALISED"}
    shown = centre.run("card", "show", made[0]["card"].upper(), "--json").json
    assert shown["order"] == "T2026-0001.1"
    assert all(step.endswith(" done") for step in shown["steps"])
    assert len(shown["certificates"]) == 2


def test_openssl_reads_the_certificate_of_its_own_request(
    story: Story, centre: Terminal, openssl: str, tmp_path: Path
) -> None:
    serial = story.said["issue"].json["serial"]
    exported = tmp_path / "out.der"
    centre.run("cert", "export", serial, "--der", "--out", exported)
    command = [openssl, "x509", "-inform", "DER", "-in", str(exported), "-noout"]
    answer = subprocess.run(
        [*command, "-serial", "-subject"], check=True, capture_output=True, text=True
    ).stdout
    assert answer.splitlines()[0].lower().lstrip("serial=").lstrip("0") == serial
    assert "CN = YAMADA SHOTA" in answer or "CN=YAMADA SHOTA" in answer
    assert "serialNumber" in answer
    der = subprocess.run(
        [openssl, "x509", "-in", str(story.folder / "holder.pem"), "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    assert der == exported.read_bytes()


def test_a_good_certificate_is_valid_on_its_whole_path(story: Story, centre: Terminal) -> None:
    shown = centre.run("cert", "show", story.said["issue"].json["serial"], "--json").json
    assert shown["path"] == "valid"
    assert shown["status"] == "ISSUED"
    assert shown["holder"] == "YAMADA SHOTA"
    assert "serialNumber=" in shown["subject"]
    assert shown["revoked"] is None


def test_certificates_of_one_ca(centre: Terminal) -> None:
    rows = centre.run("cert", "list", "--ca", "sign", "--json").json
    assert {row["issuer"] for row in rows} == {"sign"}
    assert len(rows) == 4
    assert centre.run("cert", "list", "--reserved", "--json").json == []


def test_lists_are_issued_and_then_published(story: Story, centre: Terminal) -> None:
    issued, published = story.said["crl issue"].json, story.said["crl publish"].json
    assert {row["state"] for row in issued} == {"STORED"}
    assert {row["state"] for row in published} == {"PUBLISHED"}
    assert [row["scope"] for row in published] == ["RARL", "SARL", "FULL", "FULL"]
    public = centre.site / "public"
    names = {path.name for path in public.iterdir()}
    assert names - {".lock"} == {
        "root.cer", "sign.cer", "auth.cer", "root.p7c", "sign.p7c", "auth.p7c", "rarl.crl",
        "sarl.crl", "sign.crl", "auth.crl", "fingerprints.txt", "index.html",
    }  # fmt: skip
    by_file = centre.run("crl", "show", public / "sign.crl", "--json").json
    assert by_file == centre.run("crl", "show", "sign", "--json").json
    assert by_file["entries"] == 0
    assert len(centre.run("crl", "show", "--json").json) == 4


def test_the_report_counts_the_cards(centre: Terminal, tmp_path: Path) -> None:
    asked = ("report", "prefectures", "--profession", "all", "--out", tmp_path)
    result = centre.run(*asked, "--json")
    assert sum(row["cards"] for row in result.json) == 3
    paths = {path.suffix: path for path in tmp_path.iterdir()}
    assert sorted(paths) == [".csv", ".html", ".json", ".xlsx"]
    told = json.loads(paths[".json"].read_bytes())
    assert (told["trail"]["seq"], told["trail"]["hash"]) == centre.head()
    first = {path.name: path.read_bytes() for path in paths.values()}
    centre.run(*asked, "--as-of", told["as_of"])
    assert {path.name: path.read_bytes() for path in paths.values()} == first
    assert "訓練" in paths[".html"].read_text("utf-8")


def test_the_monthly_folder_has_an_index_with_every_digest(
    centre: Terminal, tmp_path: Path
) -> None:
    listed = centre.run("report", "list", "--json").json
    month = f"{datetime.now(JST):%Y-%m}"
    asked = ("--month", month, "--out", tmp_path, "--format", "csv,json", "--lang", "en")
    said = centre.run("report", "monthly", *asked)
    index = (tmp_path / "index.html").read_text("utf-8")
    files = sorted(tmp_path.glob("*[nv]"))
    assert str(tmp_path / "index.html") in said.err
    assert {one["name"] for one in listed if one["monthly"]} <= {
        file.name.partition("-20")[0] for file in files
    }
    for file in files:
        assert f'href="{file.name}"' in index
        assert hashlib.sha256(file.read_bytes()).hexdigest() in index


def test_an_anchor_is_held_against_the_trail(centre: Terminal) -> None:
    head = centre.run("audit", "verify", "--json").json
    assert (head["seq"], head["head"].partition(":")[2]) == centre.head()
    assert centre.run("audit", "verify", "--anchor", head["head"], "--json").json == head
    wrong = f"{head['seq']}:{'0' * 64}"
    centre.refused("audit.anchor.differs", 3, "audit", "verify", "--anchor", wrong)
    beyond = f"{head['seq'] + 1}:{'0' * 64}"
    centre.refused("audit.trail.broken", 3, "audit", "verify", "--anchor", beyond)
    centre.refused("audit.anchor.form", 2, "audit", "verify", "--anchor", "yesterday")


def test_the_trail_is_shown_by_code(centre: Terminal) -> None:
    rows = centre.run("audit", "show", "--code", "APP.DECIDE", "--json").json
    assert [row["object"].split()[1] for row in rows] == [
        f"T2026-000{number}" for number in range(1, 6)
    ]
    assert {row["actor"] for row in rows} == {"endo"}
    assert len(centre.run("audit", "show", "--after", "3", "--limit", "2", "--json").json) == 2


def test_operators_are_listed(centre: Terminal) -> None:
    rows = {row["operator"]: row for row in centre.run("operator", "list", "--json").json}
    assert rows["yamada"] == {
        "operator": "yamada",
        "full_name": "山田 花子",
        "roles": ["RA_EXAMINER"],
        "state": "ACTIVE",
        "key_expires": rows["yamada"]["key_expires"],
        "office": None,
    }
    soon = (datetime.now(UTC) + timedelta(days=1000)).date()
    assert date.fromisoformat(rows["yamada"]["key_expires"]) > soon


def test_settings_show_where_they_came_from(centre: Terminal) -> None:
    rows = centre.run("config", "show", "--json", variables={"HPKI_CENTRE__NAME": "別名"}).json
    found = {row["setting"]: (row["value"], row["from"]) for row in rows}
    assert found["centre.name"] == ("別名", "environment")
    assert found["centre.kind"] == ("training", "hpki.toml")
    assert found["secrets.ca_keys.file"] == ("secrets/ca-keys", "hpki.toml")


def test_a_default_is_called_so(own_centre: Terminal) -> None:
    file = own_centre.site / "hpki.toml"
    file.write_text(file.read_text("utf-8").partition("[publication]")[0], "utf-8")
    rows = own_centre.run("config", "show", "--json").json
    assert {"setting": "publication.folder", "value": "public", "from": "default"} in rows


def test_a_variable_replaces_a_secret_reference_whole(centre: Terminal, tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret"
    elsewhere.write_text("x\n")
    given = {"HPKI_SECRETS__CA_KEYS__FILE": str(elsewhere)}
    rows = centre.run("config", "show", "--json", variables=given).json
    found = {row["setting"]: row["value"] for row in rows}
    assert found["secrets.ca_keys.file"] == str(elsewhere)
    rows = centre.run("config", "show", "--json", variables=TYPED).json
    assert "secrets.ca_keys.file" not in {row["setting"] for row in rows}


def test_no_secret_stands_in_an_output_or_a_file(story: Story, centre: Terminal) -> None:
    secrets = secret_values(centre.site)
    assert len(secrets) == 21  # CA, anchor, cards, documents, sixteen people and the new one
    assert files_with(centre.site, secrets) == []
    everything = json.dumps([(said.out, said.err) for said in story.said.values()])
    everything += centre.run("config", "show").out + centre.run("audit", "show").out
    assert not [secret for secret in secrets if secret.decode() in everything]
    assert "PRIVATE KEY" not in everything


def test_files_of_a_site_are_for_its_owner_except_what_is_served(story: Story) -> None:
    site = story.terminal.site
    served = site / "public"
    for path in [site, *site.rglob("*")]:
        mode = path.stat().st_mode & 0o777
        if path == served:
            assert mode == 0o755
        elif path.is_relative_to(served):
            assert mode == (0o600 if path.name == ".lock" else 0o644), path
        else:
            assert mode == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_headings_have_two_languages(centre: Terminal, lang: str) -> None:
    heading = centre.run("--lang", lang, "ra", "list").out.splitlines()[0].split()
    expected = {
        "ja": ["申請番号", "状態", "期限", "資格", "都道府県", "経路"],
        "en": ["application", "state", "due", "profession", "prefecture", "channel"],
    }
    assert heading == expected[lang]


def test_the_locale_chooses_the_language(centre: Terminal) -> None:
    assert "役割" in centre.started("operator", "list", variables={"LANG": "ja_JP.UTF-8"}).out


@pytest.mark.parametrize(
    "variables",
    [{"LANG": "C"}, {"LC_ALL": "POSIX"}, {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}],
)
def test_output_is_utf8_whatever_the_locale(
    own_centre: Terminal, variables: dict[str, str]
) -> None:
    words = ("ra", "list", "--operator", "aoki", *(["--json"] if "LANG" in variables else []))
    assert "𠮷田　健" in own_centre.started(*words, variables=variables).out


def test_no_data_is_an_empty_list_and_exit_status_0(centre: Terminal) -> None:
    assert centre.run("ra", "list", "--state", "received", "--json").json == []
    done = centre.run("card", "personalize", "--all", "--operator", "fujita", "--json")
    assert done.json == []


def test_the_chain_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    shell = Terminal(tmp_path / "site")
    shell.run("init", shell.site, "--store-url", postgres_url)
    assert not (shell.site / "store.sqlite").exists()
    shell.run("ca", "ceremony", CEREMONY, *PEOPLE, "--yes")
    people = tmp_path / "one.csv"
    people.write_text(application_rows(1), "utf-8")
    shell.run("ra", "import", people, "--operator", "aoki")
    bring_to_examination(shell, tmp_path, lambda _, *said: shell.run(*said), "T2026-0001")
    shell.run("ra", "examine", "T2026-0001", "--rest-ok", "--operator", "aoki")
    shell.run("ra", "approve", "T2026-0001", "--operator", "endo")
    shell.run("card", "personalize", "T2026-0001.1", "--operator", "fujita")
    shell.run("crl", "due")
    rows: list[dict[str, Any]] = shell.run("cert", "list", "--ca", "sign", "--json").json
    assert shell.run("cert", "show", rows[0]["serial"], "--json").json["path"] == "valid"
    shell.run("audit", "verify")
    twin = tmp_path / "twin"
    shell.refused("audit.site.exists", 5, "init", twin, "--store-url", postgres_url)
    assert not twin.exists()


def test_the_trace_of_the_cards_shows_no_secret(story: Story) -> None:
    """Every exchange with three cards; what VERIFY, PIN changes and new keys carry is masked."""
    lines = (story.folder / "apdus.txt").read_text().splitlines()
    assert len(lines) > 300
    carrying = [line for line in lines if line[:2] == "> " and line[4:6] in ("20", "24", "D8")]
    assert sum("bytes]" in line for line in carrying) >= 3 * 2
    for line in carrying:
        assert re.fullmatch(r"> [0-9A-F]{8}(?:\[\d+ bytes\])?", line), line


def test_a_caller_is_found_by_any_spelling(own_centre: Terminal) -> None:
    find = ("ra", "list", "--operator", "nomura", "--json", "--search")
    for said in ("吉田", "𠮷田", "ヨシダ", "yoshida", "903738"):
        found = own_centre.run(*find, said).json
        assert [row["application"] for row in found] == ["T2026-0004"], said
    assert own_centre.run(*find, "誰もいない").json == []
