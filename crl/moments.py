"""The time that a list bears, and by which it is in force."""

from __future__ import annotations

from datetime import datetime, timedelta

from audit.trail import Trail
from ca.records import Series
from crl import records
from pki.errors import Unavailable
from pki.validity import rfc3339, whole_seconds
from store.database import Transaction

DRIFT = timedelta(seconds=60)
"""How far two clocks may lie apart."""


def list_time(tx: Transaction, trail: Trail, series: Series) -> datetime:
    """Return thisUpdate of a list made now: never before that of the one published.

    A clock may lag by a minute, as another machine's does. Raises ``Unavailable`` where it was set
    back further, unless the trail says (CLOCK.STEP) that it ran ahead before.
    """
    now = whole_seconds(trail.clock())
    before = records.latest(tx, series, published=True)
    if before is None or before.this_update is None or before.this_update <= now:
        return now
    if before.this_update - now <= DRIFT:
        return before.this_update
    newest = trail.entry(tx, trail.position(tx, lock=False))
    if newest is not None and newest.at - now <= DRIFT:
        return now
    raise Unavailable(
        "crl.clock",
        f"the clock says {rfc3339(now)}, but list {before.number} is of "
        f"{rfc3339(before.this_update)}",
        "Set the clock right, then run `hpki crl due`. If the list's time is the wrong one, two "
        "operators enter that with `hpki audit clock-step`.",
    )
