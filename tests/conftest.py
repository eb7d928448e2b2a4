"""Fixtures for all tests: the two databases, the rule of the tiers, and the closing summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from tests import tiers

if TYPE_CHECKING:
    from tests.interop.virtual_reader import VirtualReader
    from tests.postgres import Server

SMELL = "smell"
ALWAYS_ON_BOTH = (
    "attack",
    "trail",
    "anchor",
    "store",
    "migrat",
    "decisions",
    "at_once",
    "two_",
    "race",
    "beside",
    "online",
    "worklist",
)
"""Words in the names of tests that run on PostgreSQL every time."""


@pytest.fixture
def require_tool() -> Callable[..., str]:
    """``require_tool("certtool", tier="interop")``: its path, or the tier's rule."""
    return tiers.require_tool


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for each test process, started when the first test asks for it."""
    try:
        from tests import postgres
    except ImportError as error:
        tiers.tier_missing("postgres", str(error))
    binary_folder = postgres.binaries()
    if binary_folder is None:
        tiers.tier_missing("postgres", "no server binaries (apt-get install postgresql)")
    with postgres.running_server(binary_folder) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """SQLAlchemy URL of an empty PostgreSQL database of this test's own."""
    name = postgres_server.create_database()
    try:
        yield postgres_server.url(name)
    finally:
        postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def virtual_reader() -> Iterator[VirtualReader]:
    """One pcscd with a virtual reader for each test process, which asks for its socket once."""
    from tests.interop import virtual_reader

    with virtual_reader.running() as reader:
        yield reader


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """SQLAlchemy URL of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'store.sqlite'}"


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database: the test runs twice, on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


class _Sampling:
    """Of the tests that run on both databases ``make soak`` runs all on PostgreSQL too.

    ``make test`` runs there whatever is about attacks, the trail, the store and races, and of the
    others every eighth, chosen by the CRC of its name: the same ones each time.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the others before marks are looked at."""
        for item in items:
            params = getattr(getattr(item, "callspec", None), "params", {})
            name = item.nodeid.partition("[")[0]
            if (
                "postgres" in params.values()
                and not any(word in name for word in ALWAYS_ON_BOTH)
                and crc32(name.encode()) % 8
            ):
                item.add_marker(pytest.mark.soak)


def pytest_configure(config: pytest.Config) -> None:
    """Register the sampling."""
    config.pluginmanager.register(_Sampling(), "sampling-of-databases")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name the group of a test in its id, by which xdist keeps a group in one worker.

    xdist 3.8 does so itself, but in a way that pytest 9.2 no longer sees.
    """
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        for mark in item.iter_markers("xdist_group"):
            if "@" not in item.nodeid:
                item._id = item._id.parse(f"{item.nodeid}@{mark.args[0]}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly which tiers did not run, and mildly which modules grow too long."""
    missing = tiers.missing_in(terminalreporter.stats.get("skipped", []))
    if missing:
        terminalreporter.section("TIERS THAT DID NOT RUN", red=True, bold=True)
        for part, count in sorted(missing.items()):
            terminalreporter.write_line(f"{part} ({count} tests)", red=True)
        terminalreporter.write_line("CI fails on these; HPKI_REQUIRE_ALL_TIERS=1 does so here.")
    smells = [
        text
        for report in terminalreporter.stats.get("passed", [])
        for name, text in getattr(report, "user_properties", [])
        if name == SMELL
    ]
    if smells:
        terminalreporter.section("sizes (a smell, not a failure)")
        for text in smells:
            terminalreporter.write_line(str(text))
