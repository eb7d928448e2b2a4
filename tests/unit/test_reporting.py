"""The moment that a command line means, without a site."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from cli import reporting
from cli.main import app

NOW = datetime(2026, 11, 22, 3, 0, 5, 250_000, tzinfo=UTC)
SECOND = NOW.replace(microsecond=0)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only sleep moves; what was slept."""
    seconds: list[float] = []
    monkeypatch.setattr(reporting, "now", lambda: NOW + timedelta(seconds=sum(seconds)))
    monkeypatch.setattr("cli.reporting.time.sleep", seconds.append)
    return seconds


@pytest.mark.parametrize(
    ("newest", "moment", "waited"),
    [
        (SECOND - timedelta(seconds=1), SECOND, []),
        (SECOND + timedelta(milliseconds=100), SECOND + timedelta(seconds=1), [0.75]),
        (SECOND + timedelta(seconds=9), SECOND, []),
    ],
)
def test_a_report_of_now_waits_for_the_second_of_the_newest_entry_to_end(
    slept: list[float],
    monkeypatch: pytest.MonkeyPatch,
    newest: datetime,
    moment: datetime,
    waited: list[float],
) -> None:
    store = SimpleNamespace(read=nullcontext)
    monkeypatch.setattr("audit.records.head", lambda tx: SimpleNamespace(seq=7))
    monkeypatch.setattr("audit.records.time_of", lambda tx, seq: newest)
    services: Any = SimpleNamespace(store=store)
    assert reporting.present(services) == moment
    assert slept == waited


def test_a_day_is_its_end_in_japan_and_today_is_now(slept: list[float]) -> None:
    assert reporting.read_moment("2016-08-31") == datetime(2016, 8, 31, 15, tzinfo=UTC)
    assert reporting.read_moment("2026-11-22") is None
    wanted = datetime(2016, 8, 31, 6, tzinfo=UTC)
    assert reporting.read_moment("2016-08-31T15:00:00+09:00") == wanted
    assert reporting.read_month("2026-10") == date(2026, 10, 1)


def test_each_report_of_the_list_is_a_command() -> None:
    root: Any = typer.main.get_command(app)
    named = {one.name for one in reporting.REPORTS}
    assert named == set(root.commands["report"].commands) - {"list", "monthly"}
