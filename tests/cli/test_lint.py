"""``hpki lint`` as people and machines use it: files, folders, stdin; text, JSON, SARIF."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pki.reading.objects import objects_in
from policies.lint.catalogue import catalogue, catalogue_markdown
from tests.cli.terminal import HPKI, Terminal
from tests.golden.lint.case import octets_of

GOLDEN = Path(__file__).parents[1] / "golden" / "lint" / "files"
CHECKS = Path(__file__).parents[2] / "docs" / "checks.md"
SOUND = GOLDEN / "sound-ee-sign.pem"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A terminal without a site: the judge needs none."""
    return Terminal(tmp_path / "none")


def golden(code: str) -> Path:
    return sorted(GOLDEN.glob(f"{code}-*.pem"))[0]


def test_a_sound_chain(terminal: Terminal) -> None:
    done = terminal.run("lint", SOUND)
    lines = done.out.splitlines()
    assert [line.partition("  ")[0] for line in lines if not line.startswith("  ")] == [
        f"{SOUND}",
        f"{SOUND}#2",
        f"{SOUND}#3",
    ]
    assert "[ee-sign]" in lines[0]
    assert lines[1].split()[:2] == ["INFO", "H053"]
    assert "3 judged: 0 ERROR, 0 WARNING, 1 INFO" in done.err


def test_a_finding_is_shown_and_sets_the_status(terminal: Terminal) -> None:
    done = terminal.run("lint", golden("H041"), status=3)
    assert "ERROR   H041" in done.out
    assert "error lint.findings: 1 of 3" in done.err
    assert "--explain H041" in done.err


@pytest.mark.parametrize(
    ("threshold", "status"), [("info", 3), ("warning", 0), ("error", 0), ("never", 0)]
)
def test_the_threshold_sets_the_status(terminal: Terminal, threshold: str, status: int) -> None:
    terminal.run("lint", SOUND, "--fail-on", threshold, status=status)


def test_what_is_shown_has_a_threshold_too(terminal: Terminal) -> None:
    done = terminal.run("lint", SOUND, "--show", "warning")
    assert "H053" not in done.out
    assert "1 INFO" in done.err


def test_json(terminal: Terminal) -> None:
    found = terminal.run("lint", golden("H041"), "--json", status=3).json
    assert [one["profile"] for one in found] == ["ee-sign", "sub-ca-sign", "root"]
    codes = {finding["code"]: finding["severity"] for finding in found[0]["findings"]}
    assert codes["H041"] == "ERROR"
    assert set(found[0]) == {"source", "what", "profile", "findings", "issuer"}
    assert set(found[0]["findings"][0]) == {"code", "severity", "message", "source"}


def test_sarif(terminal: Terminal, tmp_path: Path) -> None:
    junk = tmp_path / "not a certificate.cer"
    junk.write_bytes(b"\x30\x03abc")
    log = json.loads(terminal.run("lint", golden("H041"), junk, "--sarif", status=2).out)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [check.code for check in catalogue()]
    result = next(one for one in run["results"] if one["ruleId"] == "H041")
    assert rules[result["ruleIndex"]]["id"] == "H041"
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == golden("H041").as_uri()
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (told,) = invocation["toolExecutionNotifications"]
    assert told["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == junk.as_uri()


def test_stdin_der_and_pem(terminal: Terminal) -> None:
    der = octets_of(next(iter(objects_in(SOUND.read_bytes()))))
    for octets, count in ((der, 1), (SOUND.read_bytes(), 3)):
        done = subprocess.run(
            [HPKI, "lint", "-", "--json"],
            input=octets,
            env=terminal.environment(),
            capture_output=True,
            check=True,
        )
        found = json.loads(done.stdout)
        assert len(found) == count
        assert found[0]["source"] == "stdin"


def test_a_chain_in_files_of_its_own(terminal: Terminal, tmp_path: Path) -> None:
    """The issuer is found among the files, whatever their order."""
    for number, one in enumerate(objects_in(golden("H082").read_bytes())):
        tmp_path.joinpath(f"{number}.cer").write_bytes(octets_of(one))
    alone = terminal.run("lint", tmp_path / "0.cer", "--json").json
    assert "H082" not in [finding["code"] for finding in alone[0]["findings"]]
    done = terminal.run("lint", tmp_path / "0.cer", tmp_path / "1.cer", "--json", status=3)
    assert "H082" in [finding["code"] for finding in done.json[0]["findings"]]


def test_a_folder(terminal: Terminal, tmp_path: Path) -> None:
    below = tmp_path / "certificates" / "2026"
    below.mkdir(parents=True)
    (below / "one.pem").write_bytes(SOUND.read_bytes())
    (below / "two.CER").write_bytes(octets_of(next(iter(objects_in(SOUND.read_bytes())))))
    (below / "README.txt").write_text("not looked at")
    found = terminal.run("lint", tmp_path / "certificates", "--json").json
    assert len(found) == 4


def test_a_pair_of_lists(terminal: Terminal) -> None:
    done = terminal.run("lint", golden("H097"), "--json", status=3)
    assert "H097" in [found["code"] for one in done.json for found in one["findings"]]


def test_a_profile_by_name(terminal: Terminal) -> None:
    found = terminal.run("lint", SOUND, "--profile", "ee-auth", "--json", status=3).json
    assert {one["profile"] for one in found} == {"ee-auth"}
    terminal.refused("policies.profile.unknown", 4, "lint", SOUND, "--profile", "ee-nobody")


def test_profiles_of_ones_own(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'id = "ee-own"\nversion = "1"\nbased_on = "ee-sign@2026-11-22"\n'
        '[key_usage]\ncritical = true\nbits = ["digitalSignature", "nonRepudiation"]\n'
        'source = "our CP 7.1"\nfirm = "PROPOSAL"\n'
    )
    own = ("--profiles", tmp_path, "--profile", "ee-own")
    both = next(path for path in GOLDEN.glob("H041-*.pem") if "beside" in path.stem)
    found = terminal.run("lint", both, *own, "--json", "--fail-on", "never").json
    assert "H041" not in [finding["code"] for finding in found[0]["findings"]]
    (tmp_path / "own.toml").write_text(
        'id = "ee-own"\nversion = "1"\nbased_on = "ee-sign@2026-11-22"\n'
        '[subject_key_identifier]\ncritical = true\nsource = "x"\nfirm = "PROPOSAL"\n'
    )
    told = terminal.refused("policies.profile.rfc5280", 2, "lint", SOUND, *own)
    assert "4.2.1.2" in told


def test_the_profiles_of_the_site(own_centre: Terminal) -> None:
    folder = own_centre.site / "profiles"
    folder.mkdir()
    (folder / "own.toml").write_text(
        'id = "ee-own"\nversion = "1"\nbased_on = "ee-sign@2026-11-22"\n'
    )
    wanted = ("lint", SOUND, "--profile", "ee-own", "--fail-on", "never")
    own_centre.refused("policies.profile.unknown", 4, *wanted)
    with (own_centre.site / "hpki.toml").open("a") as settings:
        settings.write('\n[profiles]\nfolder = "profiles"\n')
    assert "[ee-own]" in own_centre.run(*wanted).out


def test_the_policy_that_is_wanted(terminal: Terminal) -> None:
    terminal.run("lint", SOUND, "--policy", "test")
    done = terminal.run("lint", SOUND, "--policy", "production", status=3)
    assert "H052" in done.out


@pytest.mark.parametrize("code", [check.code for check in catalogue()])
def test_every_check_is_explained(code: str) -> None:
    from policies.lint.catalogue import explain, facts

    known = facts(explain(code.lower()))
    assert known["code"] == code
    assert len(known["rule"]) > 15
    assert known["rule"].endswith(".")
    assert all(known.values())


def test_explain(terminal: Terminal) -> None:
    told = terminal.run("lint", "--explain", "h041").out
    assert "nonRepudiation" in told
    assert "OBS" in told
    terminal.refused("lint.code.unknown", 4, "lint", "--explain", "H999")


def test_the_document_is_what_the_program_prints(terminal: Terminal) -> None:
    assert terminal.run("lint", "--catalogue").out == CHECKS.read_text("utf-8")
    assert catalogue_markdown() == CHECKS.read_text("utf-8")
    listed = terminal.run("lint", "--catalogue", "--json").json
    assert [one["code"] for one in listed] == [check.code for check in catalogue()]


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "lint.empty"),
        (b"hello", "pki.certificate.unreadable"),
        (b"\x30\x80\x00\x00", "pki.certificate.unreadable"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA", "pki.pem.cut"),
        (b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "pki.pem.base64"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "pki.pem.label"),
    ],
)
def test_what_cannot_be_read(terminal: Terminal, tmp_path: Path, octets: bytes, code: str) -> None:
    path = tmp_path / "bad.pem"
    path.write_bytes(octets)
    told = terminal.refused(code, 2, "lint", path)
    assert str(path) in told


def test_one_bad_file_does_not_hide_the_others(terminal: Terminal, tmp_path: Path) -> None:
    bad = tmp_path / "bad.cer"
    bad.write_bytes(b"\x30\x00")
    done = terminal.run("lint", bad, SOUND, status=2)
    assert "H053" in done.out
    assert f"  {bad}: pki.certificate.unreadable: " in done.err


def test_bad_use(terminal: Terminal, tmp_path: Path) -> None:
    terminal.refused("cli.usage", 2, "lint")
    terminal.refused("cli.file.none", 4, "lint", tmp_path / "nobody.cer")
    (tmp_path / "empty").mkdir()
    terminal.refused("lint.folder", 2, "lint", tmp_path / "empty")


def test_control_characters_do_not_reach_the_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """A foreign name cannot steer the reader's screen."""
    der = octets_of(next(iter(objects_in(SOUND.read_bytes()))))
    bent = der.replace(b"Hanako Demo", b"H\x1b[2J\r\nDemo", 1)
    assert bent != der
    (tmp_path / "bent.cer").write_bytes(bent)
    done = terminal.run("lint", tmp_path / "bent.cer", "--fail-on", "never")
    assert "\x1b" not in done.out
    assert "\\x1b[2J\\r\\n" in done.out


def test_on_a_terminal(terminal: Terminal) -> None:
    seen = terminal.typed("lint", golden("H041"))
    assert seen.status == 3
    assert "H041" in seen.out
