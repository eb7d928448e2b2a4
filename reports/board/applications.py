"""申請数の推移: applications by month, and their running total."""

from __future__ import annotations

from datetime import date

from pki.errors import InvalidInput
from reports.board import words
from reports.board.counts import Measure, Question, count_by_month
from reports.moment import Moment
from reports.period import Period
from reports.tables import Chart, ChartKind, Column, Fact, Kind, Report, Row, Table, Text
from store.database import Transaction

_TITLE = Text("申請数の推移", "Applications by month")
_COLUMNS = (
    Column("month", Text("月", "Month"), Kind.MONTH),
    Column("applications", words.MEASURES[Measure.APPLICATIONS], Kind.NUMBER),
    Column("cumulative", Text("累計", "Running total"), Kind.NUMBER),
)


def applications_by_month(
    tx: Transaction, moment: Moment, profession: str | None = None, since: date | None = None
) -> Report:
    """Return the months from ``since``, or from the first with an application, to the moment's.

    The running total holds what came before ``since`` too. Raises ``InvalidInput`` for an unknown
    profession or a month to come.
    """
    question = Question(Measure.APPLICATIONS, profession=profession)
    counted = count_by_month(tx, moment, profession)
    last = moment.day.replace(day=1)
    first = min(counted, default=last) if since is None else since.replace(day=1)
    if first > last:
        raise InvalidInput("reports.since", f"{first:%Y-%m} is still to come", "Give a past month.")
    total, rows = sum(n for month, n in counted.items() if month < first), []
    months = Period(first, last).months
    for month in months:
        total += counted[month]
        rows.append(Row((month, counted[month], total)))
    table = Table(
        key="applications",
        title=_TITLE,
        definition=words.definition(question, by_place=False),
        columns=_COLUMNS,
        rows=tuple(rows),
        total=Row((words.TOTAL, sum(counted[month] for month in months), None)),
        notes=(Text("月は受付日による。", "By the day of receipt."),),
    )
    chart = Chart(
        ChartKind.LINE_AND_BARS, _TITLE, table.key, "month", ("applications", "cumulative")
    )
    who = Fact(Text("資格", "Profession"), words.profession_name(profession))
    return Report("applications", _TITLE, (who,), (table,), (chart,))
