"""The registration authority: import of 10,000 rows with verdicts, and the list of open work.

The import goes from the octets of a list to stored applications with their trail entries, on an
SQLite file as a site has it. The work list is read from 300,000 open applications, from the opening
of the session to rows, in the worst of several questions; beside it the same number of rows by bare
sqlite3. Limits: 10 s a list of 10,000 rows, CSV or XLSX; 0.3 s the work list.
"""

from __future__ import annotations

import io
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from openpyxl import Workbook  # noqa: E402

from policies.moves import ApplicationState, moves  # noqa: E402
from policies.roles import Role  # noqa: E402
from ra.casework.worklist import Wanted  # noqa: E402
from ra.intake import Outcome  # noqa: E402
from ra.records import Application, Person, PersonVersion, insert_rows  # noqa: E402
from store.database import Store  # noqa: E402
from tests.flows.conftest import Centre  # noqa: E402
from tests.flows.registration import Row, list_of, row, take_in  # noqa: E402

ROWS, OPEN = 10_000, 300_000
IMPORT_LIMIT, WORK_LIMIT = 10.0, 0.3
ROUNDS = 5
QUESTIONS = {
    "everything": Wanted(),
    "an examiner's": Wanted(operator="uketsuke"),
    "an approver's": Wanted(operator="shonin"),
    "a role's": Wanted(role=Role.RA_EXAMINER),
    "a prefecture's": Wanted(prefecture="47"),
    "a small office's": Wanted(office="OKINAWA-9"),
    "a profession's in one state": Wanted(
        profession="薬剤師", state=ApplicationState.EXAMINING, prefecture="01"
    ),
}


def person(number: int) -> Row:
    """A row of its own person."""
    one = row(number % 300)
    born = f"{1940 + number % 40}-{number // 40 % 12 + 1:02d}-{number // 480 % 28 + 1:02d}"
    return one | {
        "application_ref": f"B2026-{number:06d}",
        "birth_date": born,
        "registration_number": f"{number + 100_000}",
        "kanji_name": f"試験　{chr(0x4E00 + number % 5000)}{chr(0x5000 + number // 5000)}",
        "member_id": f"{number:010d}",
    }


def workbook(rows: list[Row]) -> bytes:
    """The list as XLSX, every cell a text that stands in its cell, which openpyxl reads slowest."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(rows[0]))
    for one in rows:
        sheet.append(list(one.values()))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def measure_import(folder: Path, name: str, octets: bytes) -> None:
    """Import the list into a new store and print seconds, rows a second and the ratio."""
    with opened(folder / name) as centre:
        start, cpu = time.perf_counter(), time.process_time()
        report = centre.intake.import_list(octets, name, centre.signers["uketsuke"])
        taken, cpu = time.perf_counter() - start, time.process_time() - cpu
        accepted = report.count(Outcome.ACCEPTED)
    if accepted != ROWS:
        raise RuntimeError(f"{ROWS - accepted} rows of {name} were not taken")
    print(
        f"  import {name:10}  {taken:6.2f} s ({cpu:.2f} s of CPU), {ROWS / taken:6.0f} rows/s, "
        f"{taken / IMPORT_LIMIT:.2f} of the limit  {verdict(taken, IMPORT_LIMIT)}"
    )


class opened:  # noqa: N801
    """A centre in a new folder, closed at the end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.centre = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
        self.centre.set_up()

    def __enter__(self) -> Centre:
        return self.centre

    def __exit__(self, *_: object) -> None:
        self.centre.store.close()


def fill(centre: Centre) -> None:
    """Multiply one imported application to ``OPEN`` open ones, of every state."""
    take_in(centre, row(1))
    with centre.store.read() as tx:
        application = tx.get_one(Application, "T2026-0001").model_dump()
        someone = tx.get_one(Person, application["person_id"]).model_dump()
        version = tx.get_one(
            PersonVersion, (someone["id"], application["received_on"])
        ).model_dump()
    states = moves().open_states()
    today = centre.registrar.today
    for first in range(0, OPEN, 10_000):
        numbers = range(first, min(first + 10_000, OPEN))
        with centre.store.begin() as tx:
            insert_rows(tx, Person, [someone | {"id": f"P{n}"} for n in numbers])
            insert_rows(tx, PersonVersion, [version | {"person_id": f"P{n}"} for n in numbers])
            insert_rows(
                tx,
                Application,
                [
                    application
                    | {
                        "ref": f"B2026-{n:06d}",
                        "person_id": f"P{n}",
                        "registration_number": f"{n}",
                        "state": states[n % len(states)],
                        "due_on": today + timedelta(days=n * 7919 % 120 - 20),
                        "work_prefecture": f"{n % 47 + 1:02d}",
                        "office": "OKINAWA-9" if n % 30_000 == 7 else None,
                        "profession": "薬剤師" if n % 5 == 0 else "医師",
                    }
                    for n in numbers
                ],
            )


def measure_worklist(folder: Path) -> None:
    """Print the median of each question, and the worst beside the limit."""
    with opened(folder / "open") as centre:
        fill(centre)
        worst = 0.0
        for name, wanted in QUESTIONS.items():
            taken = seconds(partial(centre.worklist.page, wanted))
            worst = max(worst, taken)
            rows = len(centre.worklist.page(wanted).rows)
            print(f"  work list, {name:28} {taken * 1000:7.1f} ms, {rows:3} rows")
        taken = seconds(lambda: centre.worklist.counts(Wanted()))
        print(f"  counts by state {taken * 1000:32.1f} ms")
        bare = seconds(lambda: read_bare(folder / "open" / "store.sqlite"))
        worst = max(worst, taken)
    print(f"  bare sqlite3, 50 rows in the same order {bare * 1000:8.1f} ms")
    print(
        f"  the worst of {OPEN:,}: {worst * 1000:.0f} ms, {worst / WORK_LIMIT:.2f} of the limit  "
        f"{verdict(worst, WORK_LIMIT)}"
    )


def read_bare(path: Path) -> int:
    """Read the fifty applications that are due first, of one state, by sqlite3 alone."""
    connection = sqlite3.connect(path)
    try:
        return len(
            connection.execute(
                "SELECT * FROM application WHERE state = 'EXAMINING' ORDER BY due_on, ref LIMIT 50"
            ).fetchall()
        )
    finally:
        connection.close()


def seconds(read: Callable[[], object]) -> float:
    """The median wall time of one call."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        read()
        taken.append(time.perf_counter() - start)
    return median(taken)


def verdict(taken: float, limit: float) -> str:
    return "PASS" if taken <= limit else "over the limit"


def main() -> int:
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as name:
        rows = [person(number) for number in range(1, ROWS + 1)]
        print(f"import of {ROWS:,} rows with verdicts (one run each)")
        measure_import(Path(name), "list.csv", list_of(*rows))
        measure_import(Path(name), "list.xlsx", workbook(rows))
        print(f"work list over {OPEN:,} open applications (median of {ROUNDS})")
        measure_worklist(Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
