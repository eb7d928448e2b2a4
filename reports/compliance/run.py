"""One run of the audit: what it reads, for which period, and by which numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel, col

from audit.records import TrailEntry
from ca.records import Issuer
from crl.archive import Archive
from operators.directory import Directory
from operators.register import Register
from pki.validity import start_of_day
from policies.controls import AuditKind
from policies.exchange import Part
from policies.parameters import Number, Parameters
from policies.profiles import Profiles, Purpose
from policies.site import SiteKind
from ra.records import Application
from reports.moment import Moment
from store.database import Transaction

_KINDS: dict[str, AuditKind] = {Purpose.SIGN: AuditKind.SIGN, Purpose.AUTH: AuditKind.AUTH}


@dataclass(frozen=True)
class Run:
    """What checks may ask for, on one snapshot of the store.

    The period are Japan's days ``first`` to ``last``, both included. What was done in it is told
    by ``positions`` of the trail; what is so, as of ``moment``. ``parts``: what this site is.
    """

    tx: Transaction
    moment: Moment
    first: date
    last: date
    parts: frozenset[Part]
    site: SiteKind
    parameters: Parameters
    profiles: Profiles
    directory: Directory
    archive: Archive

    @property
    def since(self) -> datetime:
        """The first moment of the period."""
        return start_of_day(self.first)

    @property
    def until(self) -> datetime:
        """The moment that ends the period, or the run's if that comes earlier."""
        return min(start_of_day(self.last + timedelta(days=1)), self.moment.at)

    @cached_property
    def positions(self) -> range:
        """The trail positions of the period; trail times never run back."""
        seq, at = col(TrailEntry.seq), col(TrailEntry.at)
        before = [
            self.tx.execute(sa.select(sa.func.max(seq)).where(at < end)).scalar() or 0
            for end in (self.since, self.until)
        ]
        return range(before[0] + 1, min(before[1], self.moment.head.seq) + 1)

    @cached_property
    def register(self) -> Register:
        """The register of people; raises ``Refused`` where it was tampered with."""
        return self.directory.register(self.tx)

    def number(self, key: str) -> Number:
        """Return the parameter in force."""
        return self.parameters.value(key)

    def cut(self, key: Any, size: int) -> list[tuple[Any, Any]]:
        """Return bounds of spans of so many rows of a table, by its key.

        A span's rows lie above the first and not above the second; None stands at the ends.
        """
        query = sa.select(key).order_by(key).offset(size - 1).limit(1)
        ends: list[Any] = [self.tx.execute(query).scalar()]
        while ends[-1] is not None:
            ends.append(self.tx.execute(query.where(key > ends[-1])).scalar())
        return list(pairwise([None, *ends]))

    def gaps(self, times: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
        """Return from when to when there was nothing between the times, where the period has part.

        From the site's first entry to the moment.
        """
        start = self.tx.execute(sa.select(sa.func.min(col(TrailEntry.at)))).scalar()
        found = pairwise([start or self.moment.at, *times, self.moment.at])
        return [(one, end) for one, end in found if one < self.until and end >= self.since]


@cache
def kinds_of(purpose: str | None) -> frozenset[AuditKind]:
    """Return the reports that a key of the purpose belongs to; a root's, or an unknown, to both."""
    found = _KINDS.get(purpose or "")
    return frozenset(_KINDS.values()) if found is None else frozenset({found})


def parts_of(tx: Transaction) -> frozenset[Part]:
    """Return what the site is: the parts of which it has rows, both for a new one."""
    tables: dict[Part, type[SQLModel]] = {Part.CA: Issuer, Part.RA: Application}
    found = {
        part for part, table in tables.items() if tx.execute(sa.select(table).limit(1)).first()
    }
    return frozenset(found or Part)
