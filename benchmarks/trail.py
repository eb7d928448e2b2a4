"""The trail: how quickly entries are appended and verified, beside what the machine can do.

Appends go to an SQLite file as a site has it (WAL, synchronous FULL), in groups of 1, 10 and 100 a
transaction; beside them the same octets in the same groups through bare sqlite3, into one table.
Verification reads 1,000,000 entries in a process of its own; beside it the bare reading of rows
with their SHA-256. Limits: 5,000 entries/s in groups of 100; 15 s and 100 MB.
"""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

ROUNDS = 5
GROUPS = (1, 10, 100)
APPENDED = {1: 200, 10: 1000, 100: 5000}
ENTRIES = 1_000_000
APPEND_LIMIT, SECONDS_LIMIT, MEMORY_LIMIT = 5000, 15, 100

BARE = (
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, body TEXT NOT NULL, hash TEXT NOT NULL);"
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
)


def open_trail(path: Path):  # type: ignore[no-untyped-def]
    from audit.trail import Trail
    from policies.site import SiteKind
    from store.database import Store
    from store.migrate import upgrade

    store = Store(f"sqlite:///{path}")
    trail = Trail(store, lambda: datetime.now(UTC), "bench")
    if not path.exists():
        upgrade(store)
        with store.begin() as tx:
            trail.open_site(tx, "bench", SiteKind.TRAINING)
    return trail


def event(number: int):  # type: ignore[no-untyped-def]
    from audit.trail import Event

    return Event(
        "CERT.ISSUE",
        "certificate",
        f"{number:040x}",
        actor="hakko",
        actor_role="IA_OPERATOR",
        detail={"issuer": "sign", "spki_sha256": "a" * 64, "certificate_sha256": "b" * 64},
    )


def append(path: Path, group: int, total: int) -> float:
    """Entries a second."""
    trail = open_trail(path)
    start = time.perf_counter()
    for first in range(0, total, group):
        with trail.store.begin() as tx:
            for number in range(first, first + group):
                trail.append(tx, event(number))
    taken = time.perf_counter() - start
    trail.store.close()
    return total / taken


def insert_bare(path: Path, group: int, rows: list[tuple[int, str, str]]) -> float:
    """Rows a second through sqlite3 alone."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(BARE)
    start = time.perf_counter()
    for first in range(0, len(rows), group):
        connection.execute("BEGIN IMMEDIATE")
        for row in rows[first : first + group]:
            connection.execute("INSERT INTO entry VALUES (?, ?, ?)", row)
        connection.execute("COMMIT")
    taken = time.perf_counter() - start
    connection.close()
    return len(rows) / taken


def rows_of(path: Path) -> list[tuple[int, str, str]]:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT seq, body, hash FROM trail_entry ORDER BY seq").fetchall()
    connection.close()
    return rows[1:]


def measure_appends(folder: Path) -> None:
    print(f"append, entries/s (median of {ROUNDS}; the last column is ours by bare sqlite3)")
    for group in GROUPS:
        ours, bare = [], []
        for number in range(ROUNDS):
            path = folder / f"append-{group}-{number}.sqlite"
            ours.append(append(path, group, APPENDED[group]))
            bare.append(insert_bare(folder / f"bare-{group}-{number}.sqlite", group, rows_of(path)))
        rate, limit = median(ours), median(bare)
        said = verdict(rate >= APPEND_LIMIT) if group == 100 else ""
        print(
            f"  groups of {group:3}  {rate:8.0f}   bare {limit:8.0f}   {rate / limit:.2f}  {said}"
        )


def fill(path: Path) -> None:
    """Bring the trail to 1,000,000 entries, in large groups."""
    trail = open_trail(path)
    for first in range(1, ENTRIES, 10_000):
        with trail.store.begin() as tx:
            for number in range(first, min(first + 10_000, ENTRIES)):
                trail.append(tx, event(number))
    trail.store.close()


def verify_here(path: Path) -> None:
    trail = open_trail(path)
    seq = trail.verify().seq
    trail.store.close()
    print(seq)


def read_here(path: Path) -> None:
    connection = sqlite3.connect(path)
    count = 0
    for body, claimed in connection.execute("SELECT body, hash FROM trail_entry ORDER BY seq"):
        count += hashlib.sha256(body.encode()).hexdigest() == claimed
    connection.close()
    print(count)


CHILDREN: dict[str, Callable[[Path], None]] = {"verify": verify_here, "read": read_here}


def child(what: str, path: Path) -> tuple[float, float, int]:
    """Seconds, peak memory in MB and number of entries of one of ``CHILDREN`` by itself."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, what, str(path)], check=True, capture_output=True, text=True
    )
    taken = time.perf_counter() - start
    count, peak = done.stdout.split()
    return taken, int(peak) / 1024, int(count)


def measure_verification(folder: Path) -> None:
    path = folder / "million.sqlite"
    fill(path)
    print(f"verify {ENTRIES:,} entries, a process of its own with its start (one run)")
    seconds, memory, count = child("verify", path)
    bare_seconds, bare_memory, _ = child("read", path)
    whole = count == ENTRIES
    print(f"  verify        {seconds:6.1f} s  {verdict(whole and seconds <= SECONDS_LIMIT)}")
    print(f"  peak memory   {memory:6.0f} MB {verdict(memory <= MEMORY_LIMIT)}")
    print(f"  bare reading  {bare_seconds:6.1f} s, {bare_memory:.0f} MB")
    print(f"  ratio         {seconds / bare_seconds:6.1f}")


def peak_memory() -> int:
    """Peak of this program's own memory in kB; ru_maxrss would count the parent's before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def verdict(kept: bool) -> str:
    return "PASS" if kept else "over the limit"


def main() -> int:
    if len(sys.argv) == 3:
        CHILDREN[sys.argv[1]](Path(sys.argv[2]))
        print(peak_memory())
        return 0
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as name:
        try:
            measure_appends(Path(name))
            measure_verification(Path(name))
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"unavailable: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
