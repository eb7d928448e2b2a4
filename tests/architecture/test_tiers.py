"""The databases answer, and a missing part fails where it must."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from tests import postgres, tiers

BOGUS = "hpki-no-such-program"


def test_both_databases_answer(store_url: str) -> None:
    engine = create_engine(store_url)
    try:
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1
    finally:
        engine.dispose()


def test_postgres_is_utf8_private_and_in_byte_order(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    try:
        with engine.connect() as connection:
            show = {
                name: connection.execute(text(f"SHOW {name}")).scalar_one()
                for name in ("server_encoding", "lc_collate", "listen_addresses")
            }
    finally:
        engine.dispose()
    assert show == {"server_encoding": "UTF8", "lc_collate": "C", "listen_addresses": ""}


@pytest.mark.xdist_group("tiers")
def test_groups_reach_the_scheduler(request: pytest.FixtureRequest) -> None:
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@tiers")


def test_databases_are_dropped(postgres_server: postgres.Server) -> None:
    name = postgres_server.create_database()
    left_open = postgres_server.connect(name)
    postgres_server.drop_database(name)
    left_open.close()
    with postgres_server.connect() as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname = %s"
        assert connection.execute(query, (name,)).fetchone() == (0,)


@pytest.mark.parametrize("variable", ["CI", "HPKI_REQUIRE_ALL_TIERS"])
@pytest.mark.parametrize("value", ["1", "true"])
def test_a_missing_tool_fails_where_all_tiers_are_required(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("HPKI_REQUIRE_ALL_TIERS", raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(pytest.fail.Exception, match=BOGUS):
        tiers.require_tool(BOGUS, tier="interop")


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_a_missing_tool_is_skipped_elsewhere(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CI", value)
    monkeypatch.delenv("HPKI_REQUIRE_ALL_TIERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="tier missing: interop: .*" + BOGUS):
        tiers.require_tool(BOGUS, tier="interop")


def test_a_tool_that_is_there_is_returned(require_tool: Callable[..., str]) -> None:
    assert require_tool("openssl", tier="interop").endswith("/openssl")


def test_skipped_tiers_are_counted() -> None:
    class Report:
        def __init__(self, reason: str) -> None:
            self.longrepr = ("tests/x.py", 1, f"Skipped: {reason}")

    reports = [Report("tier missing: hsm: no softhsm2"), Report("tier missing: hsm: no softhsm2")]
    counted = tiers.missing_in([*reports, Report("another reason")])
    assert counted == {"hsm: no softhsm2": 2}
