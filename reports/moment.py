"""The moment a report is made for, and the trail up to it: what comes later changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import col, select

from audit.chain import Head
from audit.records import TrailEntry
from pki.errors import InvalidInput
from pki.validity import japan_date
from reports.imprint import jst_text
from store.database import Transaction


@dataclass(frozen=True)
class Moment:
    """An aware time and the newest trail entry before it.

    A report tells what was so at ``head``: certificates with ``issued_seq``, revocations, orders
    and acts at or below ``head.seq``. So two runs for one moment give the same rows.
    """

    at: datetime
    head: Head

    @property
    def day(self) -> date:
        """Japan's day that the moment belongs to or ends: 00:00:00 ends the day before."""
        return japan_date(self.last_second)

    @property
    def last_second(self) -> datetime:
        """The last one that the report tells of: what ends with a day is valid in it."""
        return self.at - timedelta(seconds=1)


def moment(tx: Transaction, at: datetime, now: datetime) -> Moment:
    """Return the moment; raises ``InvalidInput`` for one to come, or before the site was made."""
    if at > now:
        raise InvalidInput(
            "reports.as_of",
            f"{jst_text(at)} is still to come",
            "A report is made for a moment that has passed.",
        )
    before = select(TrailEntry).where(col(TrailEntry.at) < at)
    entry = tx.exec(before.order_by(col(TrailEntry.seq).desc()).limit(1)).first()
    if entry is None:
        raise InvalidInput(
            "reports.as_of", f"the site did not exist yet at {jst_text(at)}", "Give a later one."
        )
    return Moment(at, Head(entry.seq, entry.hash))
