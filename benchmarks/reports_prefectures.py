"""The prefecture report beside the bare GROUP BY of the same join, in the same process.

A million certificates, signing and authentication, each of the size of a real one, of half a
million doctors; one card in twenty is revoked, one in a hundred scrapped. On an SQLite file as a
site has it, and on PostgreSQL with its own settings. Limits for the table of cards: 1.2 x the bare
GROUP BY, and 150 MB for the process that makes it. Beside it the tables of holders and of homes, to
their own bare statement, which takes everybody's one address. An argument gives another number of
certificates.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sqlalchemy import text  # noqa: E402

from audit.chain import Head  # noqa: E402
from reports.board.counts import Measure, Question  # noqa: E402
from reports.board.places import Place  # noqa: E402
from reports.board.prefectures import ranking  # noqa: E402
from reports.moment import Moment  # noqa: E402
from store.database import Store  # noqa: E402

ROUNDS = 5
CERTIFICATES = 1_000_000
TIME_LIMIT, MEMORY_LIMIT = 1.2, 150
SEQ = 1_000_000_000
OCTETS = 1200
MOMENT = Moment(datetime(2026, 11, 1, 15, 0, tzinfo=UTC), Head(SEQ, "0" * 64))

TABLES = {
    "cards by work": Question(Measure.CARDS, profession="医師"),
    "holders by work": Question(Measure.HOLDERS, profession="医師"),
    "cards by residence": Question(Measure.CARDS, Place.RESIDENCE, "医師"),
    "holders by residence": Question(Measure.HOLDERS, Place.RESIDENCE, "医師"),
}
BARE = f"""
SELECT {{place}}, {{count}}
FROM certificate c JOIN issue_order o ON o.id = c.order_id
JOIN application a ON a.ref = o.application_ref JOIN carrier k ON k.id = c.carrier_id
{{beside}} WHERE k.kind = 'CARD' AND c.usage = 'SIGN' AND c.issued_seq <= {SEQ}
AND a.profession = '医師' AND NOT EXISTS
(SELECT 1 FROM revocation r WHERE r.certificate_id = c.id {{wanted}}) {{valid}} GROUP BY 1
"""
PLACES = {
    Place.WORK: ("a.work_prefecture", ""),
    Place.RESIDENCE: (
        "substr(v.address, 1, 4)",
        "JOIN person_version v ON v.person_id = a.person_id",
    ),
}
NOW = f"'{MOMENT.at:%Y-%m-%d %H:%M:%S}'"
MEASURES = {
    Measure.CARDS: ("count(*)", "AND r.ground = 'C12_CARD_SCRAPPED'", ""),
    Measure.HOLDERS: (
        "count(DISTINCT a.person_id)",
        "",
        f"AND c.not_before <= {NOW} AND c.not_after >= {NOW}",
    ),
}


def bare_of(question: Question) -> str:
    """The GROUP BY of the same join, for this sample in which nobody has moved."""
    place, beside = PLACES[question.place]
    count, wanted, valid = MEASURES[question.measure]
    return BARE.format(place=place, beside=beside, count=count, wanted=wanted, valid=valid)


ZEROS = "0" * 64
FILL = (
    f"INSERT INTO import_run VALUES ('planted', '', '{ZEROS}', '2026-01-01 00:00:00.000000', '')",
    "{numbers} INSERT INTO person (id, search_key) SELECT 'H' || n, '' FROM s",
    "{numbers} INSERT INTO holder (id) SELECT 'H' || n FROM s",
    "{numbers} INSERT INTO person_version (person_id, valid_from, kanji_name, kana_name,"
    " romaji_name, postal_code, address, telephone, confirmed_on) SELECT 'H' || n, '2026-01-01',"
    " '', '', '', '', '東京都新宿区架空町1', '', '2026-02-01' FROM s",
    "{numbers} INSERT INTO application (ref, person_id, import_id, row_digest, salt, type, channel,"
    " state, received_on, profession, registration_number, work_prefecture, terms_version, carrier,"
    f" state_since, stopped_days, attempt) SELECT 'A' || n, 'H' || n, 'planted', '{ZEROS}',"
    f" '{ZEROS}', 'NEW', 'POST', 'ACTIVE', '2026-01-01', '医師', 'R' || n,"
    " CASE WHEN n % 47 < 9 THEN '0' || (n % 47 + 1) ELSE '' || (n % 47 + 1) END, '', 'CARD',"
    " '2026-02-01 00:00:00.000000', 0, 1 FROM s",
    "{numbers} INSERT INTO issue_order (id, application_ref, attempt, holder_id, dossier, digest,"
    f" statement_ids, accepted_seq) SELECT 'O' || n, 'A' || n, 1, 'H' || n, '{ZEROS * 20}',"
    f" '{ZEROS}', '[]', 1 FROM s",
    "{numbers} INSERT INTO carrier (id, order_id, kind) SELECT 'K' || n, 'O' || n, 'CARD' FROM s",
    "{numbers} INSERT INTO certificate (id, issuer_id, serial, order_id, carrier_id, usage, shard,"
    " profile, state, subject, not_before, not_after, spki_sha256, tbs_der, certificate_der,"
    f" sha256, reserved_seq, issued_seq) SELECT {{base}} + 2 * n + side, 'sign', '{ZEROS[10:40]}'"
    f" || (2 * n + side + {SEQ}), 'O' || n, 'K' || n,"
    " CASE WHEN side = 0 THEN 'AUTH' ELSE 'SIGN' END, 0, 'ee', 'ISSUED',"
    " '', '2026-02-01 00:00:00.000000', '2031-01-31 14:59:59.000000',"
    f" '{ZEROS[10:]}' || (2 * n + side + {SEQ}), substr(:octets, 1 + n % 60000, {OCTETS}),"
    f" substr(:octets, 1 + n % 60000, {OCTETS}), '{ZEROS[10:]}' || (2 * n + side + {SEQ}),"
    " 1000 + n, 1000 + n FROM s, (SELECT 0 AS side UNION ALL SELECT 1) sides",
    "{numbers} INSERT INTO revocation (certificate_id, ground, revoked_at, statement_id,"
    " request_id, seq) SELECT {base} + 2 * n + 1,"
    " CASE WHEN n % 100 = 0 THEN 'C12_CARD_SCRAPPED' ELSE 'S02_CARD_LOST' END,"
    " '2026-03-01 00:00:00.000000', '', '', 1000 + n FROM s WHERE n % 20 = 0",
)


def fill(url: str, folder: Path, certificates: int) -> None:
    """Make a centre with so many certificates, by the database's own hand."""
    from tests.flows.conftest import Centre

    centre = Centre(Store(url), folder)
    centre.set_up()
    centre.hold_ceremony()
    numbers = (
        "WITH RECURSIVE s(n) AS"
        f" (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {certificates // 2 - 1})"
    )
    octets = os.urandom(60_000 + OCTETS)
    for statement in FILL:
        with centre.store.begin() as tx:
            written = text(statement.format(numbers=numbers, base=1000))
            given = {"octets": octets} if ":octets" in statement else {}
            tx.connection().execute(written, given)
    if url.startswith("postgresql"):
        with centre.store.begin() as tx:
            tx.connection().execute(text("ANALYZE"))  # as its autovacuum does
    centre.store.close()


def measure_here(url: str) -> None:
    """Print as JSON the seconds of each round, bare and reported by table; and the peak in MB."""
    store = Store(url)

    def bare(question: Question) -> int:
        connection = store.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(bare_of(question))
            return sum(row[1] for row in cursor.fetchall())
        finally:
            connection.close()

    def report(question: Question) -> int:
        with store.read() as tx:
            (table,) = ranking(tx, MOMENT, question).tables
        total = table.total
        return total.values[table.place(question.measure.value)] if total else 0  # type: ignore[return-value]

    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in TABLES}
    for _ in range(ROUNDS):
        for name, question in TABLES.items():
            start = time.perf_counter()
            counted = bare(question)
            between = time.perf_counter()
            if report(question) != counted:
                raise RuntimeError(f"{name}: the report does not count as the bare statement")
            taken[name].append((between - start, time.perf_counter() - between))
    print(json.dumps({"taken": taken, "peak": peak_memory()}))


def peak_memory() -> float:
    """Peak of this program's own memory in MB; ru_maxrss would count the parent's before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1024


def measure(name: str, url: str, folder: Path, certificates: int) -> bool:
    """Fill and measure one database; whether it kept the limits."""
    start = time.perf_counter()
    fill(url, folder, certificates)
    print(f"{name}: {certificates:,} certificates, filled in {time.perf_counter() - start:.0f} s")
    command = [sys.executable, __file__, "measure", url]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    kept = bool(told["peak"] <= MEMORY_LIMIT)
    for table in TABLES:
        bare, ours = (median(seconds) for seconds in zip(*told["taken"][table], strict=True))
        said = ""
        if table == "cards by work":
            kept = kept and ours <= TIME_LIMIT * bare
            said = verdict(ours <= TIME_LIMIT * bare)
        print(f"  {table:22} {ours:7.3f} s, {ours / bare:5.2f} of the bare {bare:7.3f} s  {said}")
    print(f"  {'peak memory':22} {told['peak']:7.0f} MB {verdict(told['peak'] <= MEMORY_LIMIT)}")
    return kept


def verdict(kept: bool) -> str:
    return "PASS" if kept else "over the limit"


def main() -> int:
    if sys.argv[1:2] == ["measure"]:
        measure_here(sys.argv[2])
        return 0
    from tests.postgres import binaries, running_server

    certificates = int(sys.argv[1]) if len(sys.argv) > 1 else CERTIFICATES
    kept = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for database in ("sqlite", "postgresql"):
            folder.joinpath(database).mkdir()
        url = f"sqlite:///{folder / 'sqlite' / 'store.sqlite'}"
        kept.append(measure("SQLite", url, folder / "sqlite", certificates))
        found = binaries()
        if found is None:
            print("PostgreSQL is not installed")
            return 1
        with running_server(found, {}) as server:
            url = server.url(server.create_database())
            kept.append(measure("PostgreSQL", url, folder / "postgresql", certificates))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    raise SystemExit(main())
