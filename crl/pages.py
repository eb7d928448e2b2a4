"""A series' entries as the store has them, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

from ca.records import Series, entries_page, has_ended
from crl.entries import last_serial
from pki.errors import Refused
from pki.serials import serial_hex
from store.database import Transaction

_PAGE = 25_000


def entry_pages(tx: Transaction, series: Series, kept_since: datetime | None) -> Iterator[bytes]:
    """Yield the series' entries, DER joined, in order of serial.

    An expired certificate's stays for one published list more; raises ``Refused`` where what a row
    holds is not of its serial number. Source: RFC 5280 section 3.3.
    """
    if kept_since is not None and not has_ended(tx, series, kept_since):
        kept_since = None  # nothing to leave out, and no need to ask each entry
    after = ""
    while joined := entries_page(tx, series, kept_since, after, _PAGE):
        last = serial_hex(last_serial(joined))
        if last <= after:
            raise Refused("crl.entry.changed", f"the entry of {last} stands behind {after}")
        yield joined
        after = last


@contextmanager
def read_ahead(pages: Iterator[bytes]) -> Iterator[Iterator[bytes]]:
    """Give the pages while another thread reads the next one; inside, the reader is its alone."""
    with ThreadPoolExecutor(1) as worker:
        yield _taken(worker, worker.submit(next, pages, b""), pages)


def _taken(worker: Executor, coming: Future[bytes], pages: Iterator[bytes]) -> Iterator[bytes]:
    while page := coming.result():
        coming = worker.submit(next, pages, b"")
        yield page
