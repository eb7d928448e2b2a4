"""Revocation lists as the audit reads them: from the archive, each with the one before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import BinaryIO

import sqlalchemy as sa
from sqlmodel import col, select

from audit.records import TrailEntry
from ca import records as ca_records
from ca.records import Series
from crl import records
from crl.checking import open_verified
from crl.records import ListState, RevocationList
from pki.errors import InvalidInput, NotFound, Unavailable
from pki.reading import crl as reading
from policies.controls import AuditKind
from reports.compliance.run import Run, kinds_of
from reports.compliance.signers import Signer, signers


@dataclass
class ListRow:
    """One signed list, the one before it in its series, and who signed.

    ``file`` is open while the row is judged, None where the archive has none. ``made_at``: when the
    trail says that it was made; ``is_newest`` of its series, in the period.
    """

    row: RevocationList
    signer: Signer | None
    file: BinaryIO | None
    before: ListRow | None
    made: tuple[int, datetime] | None
    is_newest: bool

    @property
    def name(self) -> str:
        """``list sign FULL 12``."""
        return f"list {self.row.series} {self.row.number}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """By what the CA's keys are for."""
        return kinds_of(None) if self.signer is None else self.signer.kinds

    @cached_property
    def parsed(self) -> reading.RevocationList:
        """What is encoded, whoever signed it; raises ``InvalidInput``."""
        if self.file is None:
            raise InvalidInput("reports.list", "it is not in the archive")
        return reading.open_list(self.file)

    def verify(self) -> None:
        """Raise ``InvalidInput`` or ``Refused`` unless the octets are a list that the CA signed."""
        if self.file is None or self.signer is None:
            raise InvalidInput("reports.list", "it is not in the archive, or its CA is unknown")
        open_verified(self.file, self.signer.certificate, self.signer.hash_name)


@dataclass(frozen=True)
class SeriesRow:
    """The lists that a CA should make one after the other; ``newest`` as of the run's moment."""

    series: Series
    signer: Signer
    newest: RevocationList | None

    @property
    def name(self) -> str:
        """``lists sign FULL``."""
        return f"lists {self.series}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """By what the CA's keys are for."""
        return self.signer.kinds


def _told(run: Run) -> Mapping[str, tuple[int, datetime]]:
    """Return when each list was made, by the trail up to the moment: position and time."""
    query = sa.select(col(TrailEntry.object_id), col(TrailEntry.seq), col(TrailEntry.at)).where(
        col(TrailEntry.code) == "CRL.ISSUE",
        col(TrailEntry.outcome) == "OK",
        col(TrailEntry.seq) <= run.moment.head.seq,
    )
    return {name: (seq, at) for name, seq, at in run.tx.execute(query)}


def _signed(run: Run) -> list[RevocationList]:
    """Return the lists that were signed and whose time had come, each series by number."""
    row = RevocationList
    query = select(row).where(
        col(row.state) != ListState.NUMBERED, col(row.this_update) <= run.moment.at
    )
    ordered = query.order_by(col(row.issuer_id), col(row.scope), col(row.shard), col(row.number))
    return list(run.tx.exec(ordered))


def count(run: Run) -> int:
    """Return how many lists there are."""
    return len(_signed(run))


def rows(run: Run) -> Iterator[ListRow]:
    """Yield the lists whose thisUpdate lies in the period; two files are open at a time."""
    known, told = signers(run), _told(run)
    signed = _signed(run)
    newest = {
        one.series.key: one.number
        for one in signed
        if one.this_update is not None and one.this_update < run.until
    }
    before: ListRow | None = None
    open_before = ExitStack()
    for row in signed:
        same = before is not None and before.row.series == row.series
        with ExitStack() as opened:
            made = ListRow(
                row,
                known.get(row.issuer_id),
                _open(run, row, opened),
                before if same else None,
                told.get(f"{row.issuer_id}:{row.number}"),
                newest.get(row.series.key) == row.number,
            )
            if row.this_update is not None and run.since <= row.this_update < run.until:
                yield made
            open_before.close()
            open_before = opened.pop_all()
        made.before, before = None, made
    open_before.close()


def _open(run: Run, row: RevocationList, opened: ExitStack) -> BinaryIO | None:
    try:
        return opened.enter_context(run.archive.open(row))
    except (NotFound, Unavailable):
        return None


def count_series(run: Run) -> int:
    """Return how many series there are."""
    return len(list(series_rows(run)))


def series_rows(run: Run) -> Iterator[SeriesRow]:
    """Yield every series that a CA with a certificate should have, and those it once had."""
    for signer in signers(run).values():
        shards = 1 if signer.lists.shards is None else signer.lists.shards.count
        used = records.shards_used(run.tx, signer.row.id)
        shards = max(shards, used, ca_records.shards_used(run.tx, signer.row.id))
        for scope in signer.lists.scopes:
            for shard in range(shards):
                one = Series(signer.row.id, scope, shard)
                yield SeriesRow(one, signer, records.latest(run.tx, one, by=run.moment.at))
