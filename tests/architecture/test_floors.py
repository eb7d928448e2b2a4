"""Imports go down only: the import-linter contracts of pyproject.toml hold, and they bite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_rules import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "pyproject.toml"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with our contracts on the packages under ``root``."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--config", str(CONFIG), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_imports_go_down_only() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """An empty house: every package, no modules."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def test_an_empty_house_passes(house: Path) -> None:
    result = lint_imports(house)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        ("ca", "ra", "import ra.x"),
        ("pki", "keys", "def f() -> None:\n    import keys.x"),
        ("ra", "crl", "from crl import x"),
        (
            "policies",
            "store",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import store.x",
        ),
    ],
    ids=["upwards", "late", "sibling", "typing"],
)
def test_the_contract_bites(house: Path, lower: str, upper: str, text: str) -> None:
    (house / lower / "y.py").write_text(text)
    (house / upper / "x.py").touch()
    result = lint_imports(house)
    assert result.returncode == 1
    assert f"{lower} is not allowed to import {upper}" in result.stdout
