"""An audit by several processes, each of which takes parts of it, or spans, one after another.

Each reads on a snapshot of its own; what it tells is bounded by the moment, as between two runs.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import Queue
from typing import Any

from policies.controls import AuditKind
from reports.compliance.checks import PARTS
from reports.compliance.engine import (
    Found,
    Ledger,
    Progress,
    Rows,
    Shown,
    audit,
    find,
    pieces,
    results,
)
from reports.compliance.results import ControlResult
from reports.compliance.run import Run

_FEW = 100_000
"""Entries of the trail up to which starting processes costs more than it saves."""
_SHOWN = 0.2
"""Seconds between looks at the progress."""

_mine: dict[str, Any] = {}


def audit_all(
    run: Run, processes: int, progress: Progress | None = None
) -> Mapping[AuditKind, tuple[ControlResult, ...]]:
    """Return what ``audit`` returns of every part, by so many processes where it is worth it."""
    if processes < 2 or run.moment.head.seq < _FEW:
        return audit(run, PARTS, progress)
    return share(run, processes, progress)


def share(
    run: Run, processes: int, progress: Progress | None = None
) -> Mapping[AuditKind, tuple[ControlResult, ...]]:
    """Return what ``audit`` returns of every part, each found by one of the processes.

    They are new ones: a process that was forked must not use its parent's connections.
    """
    asked = {one.name: getattr(run, one.name) for one in fields(run) if one.name != "tx"}
    context = get_context("spawn")
    queue: Queue[tuple[str, int]] = context.Queue()
    shown = Shown(run, PARTS, progress)
    found = pieces(run, PARTS)
    longest_first = sorted(found, key=lambda piece: piece[1] is not None)
    with ProcessPoolExecutor(processes, context, _begin, (asked, queue)) as pool:
        made = {piece: pool.submit(_find, *piece) for piece in longest_first}
        waiting = set(made.values())
        try:
            while waiting:
                done, waiting = wait(waiting, _SHOWN, FIRST_COMPLETED)
                for one in done:
                    one.result()
                while not queue.empty():
                    name, rows = queue.get()
                    shown.add(name, rows)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    shown.end()
    return results(run, (made[piece].result() for piece in found))


def _begin(asked: Mapping[str, Any], queue: Queue[tuple[str, int]]) -> None:
    queue.cancel_join_thread()
    opened = ExitStack()
    tx = opened.enter_context(asked["directory"].trail.store.read())
    atexit.register(opened.close)  # later the driver's modules are gone
    gc.freeze()  # what was imported is never garbage, and looked through no more
    _mine.update(run=Run(tx=tx, **asked), queue=queue)


def _find(place: int, rows: Rows[Any] | None) -> Found:
    part = PARTS[place]
    advance = partial(_advance, part.name) if isinstance(part, Ledger) else None
    return find(_mine["run"], part, rows, advance)


def _advance(name: str, rows: int) -> None:
    _mine["queue"].put((name, rows))
