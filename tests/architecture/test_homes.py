"""One home for each outside library, for the clock, the environment and the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import source_rules
from tests.architecture.source_rules import Homes, breaches

ROOT = Path(__file__).resolve().parents[2]
MODULE_LINES = 400
FOLDER_MODULES = 12


def _listed(homes: Homes, within: str = "") -> str:
    return "\n".join(str(breach) for breach in breaches(ROOT, homes, within))


def test_libraries_stay_at_home() -> None:
    assert _listed(source_rules.LIBRARY_HOMES) == ""


def test_only_the_terminal_reads_the_clock() -> None:
    assert _listed(source_rules.CLOCK_HOMES) == ""


def test_only_the_terminal_reads_the_environment() -> None:
    assert _listed(source_rules.ENVIRONMENT_HOMES) == ""


def test_only_the_terminal_prints_and_exits() -> None:
    assert _listed(source_rules.TERMINAL_HOMES) == ""


def test_migration_scripts_import_nothing_of_ours() -> None:
    assert _listed(source_rules.NOTHING_OF_OURS, "store/migrations/versions") == ""


def test_the_list_of_packages_is_whole() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == set(source_rules.PACKAGES)


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes one file into an otherwise empty repository and gives its root."""

    def write(path: str, text: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("homes", "path", "text", "name"),
    [
        (source_rules.LIBRARY_HOMES, "ca/issuance.py", "import sqlalchemy as sa", "sqlalchemy"),
        (source_rules.LIBRARY_HOMES, "ra/x.py", "from sqlmodel import Field", "sqlmodel"),
        (source_rules.LIBRARY_HOMES, "ra/sub/rows.py", "import sqlmodel", "sqlmodel"),
        (source_rules.LIBRARY_HOMES, "ca/x.py", "def f():\n    import rich.table", "rich"),
        (source_rules.LIBRARY_HOMES, "keys/files.py", "import pkcs11.util.rsa", "pkcs11"),
        (source_rules.LIBRARY_HOMES, "reports/x.py", "import alembic.op", "alembic"),
        (
            source_rules.LIBRARY_HOMES,
            "card_personalization/station.py",
            "from importlib import import_module\nx = import_module('smartcard.System')",
            "smartcard",
        ),
        (
            source_rules.CLOCK_HOMES,
            "ca/x.py",
            "from datetime import datetime as D\nnow = lambda: D.now(None)",
            "datetime.datetime.now",
        ),
        (
            source_rules.CLOCK_HOMES,
            "pki/x.py",
            "import datetime as dt\nclock = dt.datetime.utcnow",
            "datetime.datetime.utcnow",
        ),
        (source_rules.CLOCK_HOMES, "ra/x.py", "from time import time\ntime()", "time.time"),
        (source_rules.CLOCK_HOMES, "ra/x.py", "import datetime\ndatetime.date.today()", None),
        (source_rules.ENVIRONMENT_HOMES, "store/x.py", "import os\nos.environ['A']", "os.environ"),
        (source_rules.ENVIRONMENT_HOMES, "store/x.py", "from os import getenv", "os.getenv"),
        (source_rules.TERMINAL_HOMES, "crl/x.py", "def f():\n    print('x')", "print"),
        (source_rules.TERMINAL_HOMES, "crl/x.py", "import sys\nsys.exit(1)", "sys.exit"),
        (source_rules.TERMINAL_HOMES, "crl/x.py", "raise SystemExit", "SystemExit"),
    ],
)
def test_the_rules_bite(
    tree: Callable[[str, str], Path], homes: Homes, path: str, text: str, name: str | None
) -> None:
    found = breaches(tree(path, text), homes)
    assert {str(breach.path) for breach in found} == {path}
    assert name is None or {breach.name for breach in found} == {name}


@pytest.mark.parametrize(
    ("homes", "path", "text"),
    [
        (source_rules.LIBRARY_HOMES, "ca/records.py", "import sqlmodel, sqlalchemy.orm"),
        (source_rules.LIBRARY_HOMES, "store/migrations/env.py", "import alembic"),
        (source_rules.LIBRARY_HOMES, "card_personalization/pcsc.py", "import smartcard"),
        (source_rules.LIBRARY_HOMES, "ca/x.py", "from . import rich, sqlalchemy"),
        (source_rules.CLOCK_HOMES, "cli/wiring.py", "import time\ntime.time()"),
        (source_rules.CLOCK_HOMES, "ca/x.py", "import time\ntime.monotonic()"),
        (source_rules.CLOCK_HOMES, "ca/x.py", "def f(clock):\n    return clock.time.time()"),
        (source_rules.TERMINAL_HOMES, "ca/x.py", "def f(card):\n    card.print()"),
    ],
)
def test_the_rules_let_pass(
    tree: Callable[[str, str], Path], homes: Homes, path: str, text: str
) -> None:
    assert breaches(tree(path, text), homes) == []


def test_the_rule_for_migrations_bites(tree: Callable[[str, str], Path]) -> None:
    path = "store/migrations/versions/0001_trail.py"
    root = tree(path, "import audit.records")
    within = "store/migrations/versions"
    found = breaches(root, source_rules.NOTHING_OF_OURS, within)
    assert [str(breach) for breach in found] == [f"{path}:1: audit"]


def test_sizes_are_reported(record_property: Callable[[str, object], None]) -> None:
    """Long modules and full folders stand in the closing summary; they fail nothing."""
    paths = source_rules.sources(ROOT)
    for path in paths:
        source = path.read_bytes()
        lines = source.count(b"\n")
        if lines > MODULE_LINES:
            record_property("smell", f"{path.relative_to(ROOT)}: {lines} lines ({MODULE_LINES})")
    for folder in sorted({path.parent for path in paths} - {ROOT / "store/migrations/versions"}):
        modules = sum(path.parent == folder and path.name != "__init__.py" for path in paths)
        if modules > FOLDER_MODULES:
            record_property(
                "smell", f"{folder.relative_to(ROOT)}/: {modules} modules ({FOLDER_MODULES})"
            )
