"""Progress bars on stderr for long work."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from cli.output import stderr


class Bars:
    """Progress bars on stderr; they stay silent where stderr is no terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def track(self, items: Iterable[Any], total: int, text: str) -> Iterator[Any]:
        """Yield the items and move a bar."""
        task = self._progress.add_task(text, total=total)
        for item in items:
            yield item
            self._progress.advance(task)

    def start(self, text: str, total: int) -> TaskID:
        """Open a bar."""
        return self._progress.add_task(text, total=total)

    def reach(self, task: TaskID, done: int, total: int) -> None:
        """Move a bar to ``done`` of ``total``."""
        self._progress.update(task, completed=done, total=total)

    def advance(self, task: TaskID) -> None:
        """Move a bar by one."""
        self._progress.advance(task)


@contextmanager
def bars() -> Iterator[Bars]:
    """Show progress bars while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr(), disable=not sys.stderr.isatty()) as progress:
        try:
            yield Bars(progress)
        finally:
            for task in progress.tasks:  # a bar that nothing moved says nothing
                progress.update(task.id, visible=bool(task.total))
