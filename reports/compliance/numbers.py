"""The numbers of the period: report item 9, as far as it is recorded."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from audit.records import TrailEntry
from ca.records import Carrier, Certificate
from crl.records import RevocationList
from policies.controls import AuditKind
from ra.records import Application
from reports.compliance import lists, revocations
from reports.compliance.run import Run
from reports.differences import read_body, stream
from reports.tables import Column, Kind, Row, Table, Text

_DONE = {
    "": Text("受付", "received"),
    "APPROVED": Text("承認", "approved"),
    "REJECTED": Text("却下", "refused"),
    "WITHDRAWN": Text("取下げ", "withdrawn"),
}
_CODES = ("APP.RECEIVE", "APP.DECIDE", "APP.WITHDRAW", "ISSUE.WITHDRAW")
_COUNTS = (
    Column("what", Text("項目", "What"), Kind.WORDS),
    Column("of", Text("区分", "Of"), Kind.TEXT),
    Column("count", Text("件数", "Number"), Kind.NUMBER),
)
_HOURS = (
    Column("what", Text("項目", "What"), Kind.WORDS),
    Column("of", Text("区分", "Of"), Kind.TEXT),
    Column("median", Text("中央値(時間)", "Median, hours"), Kind.HOURS),
    Column("most", Text("最大(時間)", "Most, hours"), Kind.HOURS),
)


def counts(run: Run, kind: AuditKind) -> Table:
    """Return how many applications, certificates, revocations and lists the period has."""
    rows = [*_applications(run), *_issued(run, kind), *_revoked(run, kind), *_lists(run, kind)]
    return Table(
        "numbers",
        Text("期間の件数", "Numbers of the period"),
        Text(
            "証跡の位置で期間に属するもの。申請は署名・認証の区別なく種別と受付経路で数える。",
            "What the trail's positions place in the period; applications by type and channel.",
        ),
        _COUNTS,
        tuple(rows),
    )


def _applications(run: Run) -> Iterator[Row]:
    columns: list[Any] = [TrailEntry.seq, TrailEntry.body, Application.type, Application.channel]
    query = sa.select(*columns).join(Application, col(Application.ref) == col(TrailEntry.object_id))
    query = query.where(
        col(TrailEntry.seq).between(run.positions.start, run.positions.stop - 1),
        col(TrailEntry.code).in_(_CODES),
        col(TrailEntry.object_type) == "application",
        col(TrailEntry.outcome) == "OK",
    )
    found: Counter[tuple[str, str]] = Counter()
    for _, text, type_, channel in stream(run.tx, query):
        body = read_body(text)
        if body is None:
            continue
        to = str(body["detail"].get("move", "")).partition(">")[2]
        done = "" if body["code"] == "APP.RECEIVE" else to
        found[done, f"{type_} {channel}"] += done in _DONE
    for (done, of), count in sorted(found.items()):
        if count:
            yield Row((_DONE[done], of, count))


def _issued(run: Run, kind: AuditKind) -> Iterator[Row]:
    query = (
        sa.select(sa.type_coerce(col(Carrier.kind), sa.Text), sa.func.count())
        .join(Certificate, col(Certificate.carrier_id) == col(Carrier.id))
        .where(
            col(Certificate.issued_seq).between(run.positions.start, run.positions.stop - 1),
            sa.type_coerce(col(Certificate.usage), sa.Text) == kind.value,
        )
        .group_by(sa.type_coerce(col(Carrier.kind), sa.Text))
    )
    for carrier, count in sorted(tuple(one) for one in run.tx.execute(query)):
        yield Row((Text("証明書発行", "certificates issued"), carrier, count))


def _revoked(run: Run, kind: AuditKind) -> Iterator[Row]:
    found = Counter(one.data["ground"] for one in revocations.rows(run) if kind in one.kinds)
    for ground, count in sorted(found.items()):
        yield Row((Text("証明書失効", "certificates revoked"), ground, count))


def _lists(run: Run, kind: AuditKind) -> Iterator[Row]:
    made = Counter(str(one.row.series) for one in lists.rows(run) if kind in one.kinds)
    for series, count in sorted(made.items()):
        yield Row((Text("CRL作成", "lists made"), series, count))


def hours(run: Run, kind: AuditKind) -> Table:
    """Return median and maximum from request to list, and the gaps between lists."""
    spent: defaultdict[str, list[timedelta]] = defaultdict(list)
    for one in revocations.rows(run):
        if kind in one.kinds and one.asked_at is not None and one.published_at is not None:
            spent[str(one.data["ground"])].append(one.published_at - one.asked_at)
    gaps: defaultdict[str, list[timedelta]] = defaultdict(list)
    before: dict[str, datetime] = {}
    for at, row in _updates(run, kind):
        series = str(row.series)
        if series in before:
            gaps[series].append(at - before[series])
        before[series] = at
    to_list = Text("請求からCRL公開まで", "from request to published list")
    between = Text("CRLの間隔", "between lists")
    rows = [_spread(to_list, of, found) for of, found in sorted(spent.items())]
    rows += [_spread(between, of, found) for of, found in sorted(gaps.items())]
    target, limit = run.number("CRL_TARGET_H"), run.number("CRL_INTERVAL_H")
    return Table(
        "hours",
        Text("期間の所要時間", "Hours of the period"),
        Text(
            f"CRLの間隔は目標{target}時間、上限{limit}時間。",
            f"Between lists: the target is {target} h, the limit {limit} h.",
        ),
        _HOURS,
        tuple(rows),
    )


def _updates(run: Run, kind: AuditKind) -> Iterator[tuple[datetime, RevocationList]]:
    for one in lists.rows(run):
        if kind in one.kinds and one.row.this_update is not None:
            yield one.row.this_update, one.row


def _spread(what: Text, of: str, found: list[timedelta]) -> Row:
    in_hours = sorted(Decimal(one // timedelta(seconds=1)) / 3600 for one in found)
    return Row((what, of, round(median(in_hours), 1), round(in_hours[-1], 1)))
