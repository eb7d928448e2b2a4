"""The moment that a command line means, without a site."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from audit.chain import Head
from cli import compliance, reporting
from cli.main import app
from pki.errors import InvalidInput
from policies.controls import AuditKind
from reports.board.counts import Measure, Question
from reports.compliance.records import Engagement
from reports.moment import Moment
from reports.period import Period

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


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "2016-W35-3", "20160831", "2016-8-1"])
def test_a_day_that_cannot_be_one_is_refused(slept: list[float], text: str) -> None:
    for read in (reporting.read_day, reporting.read_moment):
        with pytest.raises(InvalidInput, match=text):
            read(text)
    with pytest.raises(InvalidInput):
        reporting.read_month(text[:-3])


def test_a_moment_is_one_that_utc_can_tell(slept: list[float]) -> None:
    with pytest.raises(InvalidInput, match="neither"):
        reporting.read_moment("0001-01-01T00:00:00+14:00")


def test_a_trend_ends_with_its_moment() -> None:
    later = reporting.trend_of(Question(Measure.CARDS), [date(2026, 11, 22)])
    given: Any = None
    with pytest.raises(InvalidInput, match="2026-11-22 is later than the last day, 2026-11-21"):
        later(given, given, Moment(datetime(2026, 11, 21, 15, tzinfo=UTC), Head(1, "")))


def test_an_audit_is_told_as_it_was_at_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not opened yet, open, signed."""
    hours = [NOW + timedelta(hours=number) for number in range(5)]
    period = Period(date(2026, 10, 1), date(2026, 10, 31))
    audit = Engagement(
        id="SIGN-2026-01",
        kind=AuditKind.SIGN,
        period_from=period.first,
        period_to=period.last,
        auditor="kansa",
        opened_at=hours[1],
        as_of=hours[3],
    )
    monkeypatch.setattr(compliance, "engagements", lambda tx: [audit])
    tx: Any = None
    found = [compliance.newest_of(tx, AuditKind.SIGN, period, at) for at in hours]
    assert found == [None, None, audit, audit, audit]
    moments = [compliance.moment_of(one, at) for one, at in zip(found, hours, strict=True)]
    assert moments == [*hours[:3], hours[3], hours[3]]


def test_each_report_of_the_list_is_a_command() -> None:
    root: Any = typer.main.get_command(app)
    named = {one.name for one in reporting.REPORTS}
    assert named == set(root.commands["report"].commands) - {"list", "monthly"}
