"""The operations of a period as one report: stock, revocations, work of the RA, lists."""

from __future__ import annotations

from policies.parameters import Parameters
from reports.inventory import carriers_table, forecast_table, inventory_table
from reports.list_history import lists_made, lists_table, rhythm, series_table
from reports.moment import Moment
from reports.open_files import open_files_table
from reports.period import Period
from reports.revocation_times import revocations_table
from reports.tables import Chart, ChartKind, Fact, Report, Text
from reports.throughput import months_table, throughput_table
from store.database import Transaction

NAME = "operations"


def operations_report(
    tx: Transaction, moment: Moment, period: Period, parameters: Parameters
) -> Report:
    """Return the report: what is so at the moment, and what happened in the period until then."""
    made, allowed = list(lists_made(tx, moment)), rhythm(parameters)
    tables = (
        inventory_table(tx, moment),
        carriers_table(tx, moment),
        forecast_table(tx, moment),
        revocations_table(tx, moment, period),
        months_table(tx, moment, period),
        throughput_table(tx, moment, period),
        open_files_table(tx, moment, parameters),
        series_table(made, moment, period, allowed),
        lists_table(made, period, allowed),
    )
    return Report(NAME, Text("運用報告", "Operations"), period_facts(period), tables, _CHARTS)


def period_facts(period: Period) -> tuple[Fact, Fact]:
    """Return the first and the last day."""
    return (
        Fact(Text("期間の初日", "First day"), period.first),
        Fact(Text("期間の末日", "Last day"), period.last),
    )


_CHARTS = (
    Chart(
        ChartKind.BARS,
        Text("満了見込(媒体)", "Carriers to expire"),
        "forecast",
        "month",
        ("carriers",),
    ),
    Chart(
        ChartKind.LINE_AND_BARS,
        Text("月別受付・承認", "Received and approved by month"),
        "months",
        "month",
        ("received", "approved"),
    ),
)
