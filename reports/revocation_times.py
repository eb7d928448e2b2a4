"""Revocations by ground: how many, and the hours from the request until they stood on a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import sqlalchemy as sa

from policies.grounds import ca_grounds, grounds
from reports.moment import Moment
from reports.period import Period
from reports.rows import CERTIFICATE, ENTRY, REQUEST, REVOCATION
from reports.tables import Column, Kind, Mark, Row, Table, Text
from store.database import Transaction

_TENTH = Decimal("0.1")


@dataclass
class Times:
    """Revocations on one ground; ``waits`` are of those listed, each in its certificate's CA."""

    certificates: int = 0
    carriers: set[int] = field(default_factory=set)
    waits: list[timedelta] = field(default_factory=list)
    unlisted: list[timedelta] = field(default_factory=list)

    def add(self, other: Times) -> None:
        """Count the other's, too."""
        self.certificates += other.certificates
        self.carriers |= other.carriers
        self.waits += other.waits
        self.unlisted += other.unlisted

    def beyond(self, limit: timedelta) -> int:
        """Return how many came later than that, or have not come in that time."""
        return sum(one > limit for one in (*self.waits, *self.unlisted))


def hours(span: timedelta | None) -> Decimal | None:
    """Return a span in hours to one decimal, rounded half to even."""
    return None if span is None else (Decimal(int(span.total_seconds())) / 3600).quantize(_TENTH)


def middle(spans: Sequence[timedelta]) -> timedelta | None:
    """Return the median, the mean of the two in the middle of an even number; None of none."""
    seconds = [one.total_seconds() for one in spans]
    return timedelta(seconds=median(seconds)) if seconds else None


def times_by_ground(tx: Transaction, moment: Moment, period: Period) -> dict[str, Times]:
    """Collect the revocations that the trail tells of in the period, by code of the ground."""
    found: defaultdict[str, Times] = defaultdict(Times)
    for seq, ground, executed, requested, listed in tx.execute(_query(moment, period)):
        since: datetime = requested or executed
        times = found[ground]
        times.certificates += 1
        times.carriers.add(seq)
        if listed is None:
            times.unlisted.append(moment.at - since)
        else:
            times.waits.append(listed - since)
    return dict(found)


def _query(moment: Moment, period: Period) -> sa.Select[Any]:
    """Select position, ground, and the times of execution, request and publication."""
    executed, listed = ENTRY.alias("executed"), ENTRY.alias("listed")
    number = sa.cast(REVOCATION.c.crl_number, sa.Text)
    on_list = sa.and_(
        listed.c.object_id == CERTIFICATE.c.issuer_id.concat(":").concat(number),
        listed.c.code == "CRL.PUBLISH",
        listed.c.object_type == "crl",
        listed.c.outcome == "OK",
        listed.c.seq <= moment.head.seq,
    )
    source = (
        REVOCATION.join(CERTIFICATE, CERTIFICATE.c.id == REVOCATION.c.certificate_id)
        .join(executed, executed.c.seq == REVOCATION.c.seq)
        .outerjoin(REQUEST, REQUEST.c.id == REVOCATION.c.request_id)
        .outerjoin(listed, on_list)
    )
    return (
        sa.select(
            REVOCATION.c.seq,
            REVOCATION.c.ground,
            executed.c.at,
            REQUEST.c.requested_at,
            listed.c.at,
        )
        .select_from(source)
        .where(REVOCATION.c.seq <= moment.head.seq, period.holds(executed.c.at))
        .order_by(REVOCATION.c.seq, REVOCATION.c.certificate_id)
    )


def revocations_table(tx: Transaction, moment: Moment, period: Period) -> Table:
    """Say of each ground how many, and how long it took; beyond the ground's limit is marked."""
    found = times_by_ground(tx, moment, period)
    every, over = Times(), 0
    rows = []
    for ground in (*grounds(), *ca_grounds()):
        times = found.get(ground.code)
        if times is None:
            continue
        every.add(times)
        beyond = times.beyond(timedelta(hours=ground.limit_hours))
        over += beyond
        name = (ground.code, Text(ground.japanese, ground.english))
        mark = Mark.FLAG if beyond else None
        rows.append(Row((*name, *_figures(times), ground.limit_hours, beyond), mark))
    return Table(
        "revocations",
        Text("事由別失効", "Revocations by ground"),
        Text(
            "期間内に執行された失効。時間は失効請求の受付から、その証明書が載った最初の失効リストの公開まで。"
            "未掲載のものは基準時点までの時間で期限と比べる。",
            "Revocations executed in the period. Hours run from the request to the publication of "
            "the first list that holds the certificate; what is on none yet is compared with the "
            "limit by the hours up to the moment.",
        ),
        _COLUMNS,
        tuple(rows),
        Row((Text("計", "Total"), None, *_figures(every), None, over)),
        (
            Text(
                "請求の記録がない失効(認証局自身の証明書、他機関の加入者)は決定の時刻から数える。",
                "Without a request on record (a CA's own certificate) hours run from the decision.",
            ),
        ),
    )


def _figures(times: Times) -> tuple[int | Decimal | None, ...]:
    longest = max(times.waits, default=None)
    return (
        times.certificates,
        len(times.carriers),
        len(times.unlisted),
        hours(middle(times.waits)),
        hours(longest),
    )


_COLUMNS = (
    Column("ground", Text("事由", "Ground"), Kind.TEXT),
    Column("meaning", Text("内容", "Meaning"), Kind.WORDS),
    Column("certificates", Text("証明書", "Certificates"), Kind.NUMBER),
    Column("carriers", Text("件数", "Revocations"), Kind.NUMBER),
    Column("unlisted", Text("未掲載", "On no list yet"), Kind.NUMBER),
    Column("median_hours", Text("中央値(時間)", "Median hours"), Kind.HOURS),
    Column("max_hours", Text("最大(時間)", "Longest hours"), Kind.HOURS),
    Column("limit_hours", Text("期限(時間)", "Limit, hours"), Kind.NUMBER),
    Column("beyond", Text("期限超過", "Beyond the limit"), Kind.NUMBER),
)
