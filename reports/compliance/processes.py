"""An audit by several processes, each of which takes whole parts of it, one after another.

Each reads on a snapshot of its own; what it tells is bounded by the moment, as between two runs.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import fields
from multiprocessing import get_context
from multiprocessing.queues import Queue
from typing import Any

from policies.controls import AuditKind
from reports.compliance.checks import PARTS
from reports.compliance.engine import Found, Progress, audit, find, results
from reports.compliance.results import ControlResult
from reports.compliance.run import Run

_FEW = 100_000
"""Entries of the trail up to which starting processes costs more than it saves."""
_SHOWN = 0.2
"""Seconds between looks at the progress."""

_open = ExitStack()
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
    shown: Queue[tuple[str, int, int]] = context.Queue()
    with ProcessPoolExecutor(processes, context, _begin, (asked, shown)) as pool:
        made = [pool.submit(_find, place) for place in range(len(PARTS))]
        waiting = set(made)
        try:
            while waiting:
                done, waiting = wait(waiting, _SHOWN, FIRST_COMPLETED)
                for one in done:
                    one.result()
                while not shown.empty():
                    said = shown.get()
                    if progress is not None:
                        progress(*said)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results(run, (one.result() for one in made))


def _begin(asked: Mapping[str, Any], shown: Queue[tuple[str, int, int]]) -> None:
    shown.cancel_join_thread()
    tx = _open.enter_context(asked["directory"].trail.store.read())
    gc.freeze()  # what was imported is never garbage, and looked through no more
    _mine.update(run=Run(tx=tx, **asked), shown=shown)


def _find(place: int) -> Found:
    return find(_mine["run"], PARTS[place], lambda *said: _mine["shown"].put(said))
