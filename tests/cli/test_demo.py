"""The demonstration as a newcomer runs it, with fewer applicants and smaller CA keys."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HPKI = Path(sys.executable).with_name("hpki")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8"}
    return subprocess.run(
        [HPKI, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def examples(tmp_path: Path, require_tool: Callable[..., str]) -> Path:
    """Five sound applicants, of whom one owes a fee and one lacks a paper, one with a fault.

    And a ceremony with quicker keys.
    """
    require_tool("openssl", tier="interop")
    folder = tmp_path / "examples"
    folder.mkdir()
    lines = (ROOT / "examples" / "applications.csv").read_text("utf-8-sig").splitlines(True)
    (folder / "applications.csv").write_text(
        "".join([*lines[:4], lines[7], lines[8], lines[11]]), "utf-8"
    )
    ceremony = (ROOT / "examples" / "ceremony.toml").read_text("utf-8")
    (folder / "ceremony.toml").write_text(ceremony.replace("RSA-4096", "RSA-2048"), "utf-8")
    return folder


def test_the_demonstration_ends_with_openssls_verdicts(examples: Path, tmp_path: Path) -> None:
    done = run("demo", "site", "--examples", str(examples), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "訓練 TRAINING" in done.stderr
    assert "ra.row.missing" in done.stdout
    counts = dict(re.findall(r"^(\S+) .*?  +(\d+)$", done.stdout, re.MULTILINE))
    assert (counts["不備照会"], counts["手数料納付"], counts["発行カード"]) == ("1", "1", "5")
    good, revoked = done.stderr.split("$ openssl verify")[1:]
    assert "good.pem: OK" in good
    assert "certificate revoked" in revoked
    assert revoked.strip().endswith("as it must be")
    for name in (
        *(f"public/crl-{one}.crl" for one in ("sign", "auth", "sarl", "rarl")),
        *(f"public/{one}.cer" for one in ("root", "sign", "auth")),
    ):
        assert f"site/{name}" in done.stdout
        assert (tmp_path / "site" / name).stat().st_size > 300
    (report,) = (tmp_path / "site" / "reports").glob("*/prefectures-*.json")
    assert str(report.relative_to(tmp_path).with_suffix(".html")) in done.stdout
    (table,) = json.loads(report.read_text("utf-8"))["tables"]
    assert table["total"]["values"]["cards"] == 3, "of five, the doctors"
    for kind in ("sign", "auth"):
        (audit,) = (tmp_path / "site" / "reports").glob(f"compliance-{kind}-*.json")
        tables = {one["key"]: one["rows"] for one in json.loads(audit.read_text("utf-8"))["tables"]}
        broken = {row["values"]["control"] for row in tables["violations"]}
        assert broken == {"HC-2.2-01"}, "the terms are older than the site"
    verified = run("--site", "site", "audit", "verify", cwd=tmp_path)
    assert verified.returncode == 0


def test_it_replaces_a_training_site_and_nothing_else(examples: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    done = run("demo", "mine", "--examples", str(examples), "--replace", cwd=tmp_path)
    assert done.returncode == 5
    assert "cli.demo.folder" in done.stderr
    assert (tmp_path / "mine" / "letter").read_text() == "dear"
    assert run("init", "site", cwd=tmp_path).returncode == 0
    settings = tmp_path / "site" / "hpki.toml"
    settings.write_text(settings.read_text("utf-8").replace('"training"', '"trial"'), "utf-8")
    done = run("demo", "site", "--examples", str(examples), "--replace", cwd=tmp_path)
    assert done.returncode == 5
    assert settings.exists()
    assert run("demo", "site", "--examples", str(examples), cwd=tmp_path).returncode == 5
