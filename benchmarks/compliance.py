"""What a compliance audit costs: 300,000 applications with 600,000 certificates.

One sound file of a flow test's centre is copied row by row, each copy under names of its own and of
the same length, in a whole chain of entries, all of one time. Signatures do not fit the copies:
checking them costs the same.
Goal: at most 180 s and 400 MB in each process. ``compliance.py SHARE`` makes 1/SHARE of the rows;
what an audit of none costs is taken off before the rest is multiplied.
"""

from __future__ import annotations

import hashlib
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel, col

from audit.records import TrailEntry
from pki.reading.certificate import read_certificate
from pki.validity import rfc3339
from reports.compliance.processes import share
from store.database import Store
from tests.flows.auditing import make_sound, run_of
from tests.flows.conftest import Centre
from tests.flows.test_trail import drop_triggers

APPLICATIONS, SECONDS, OCTETS = 300_000, 180.0, 400 << 20
REF = "T2026-0001"
_PAGE = 500
_POSITIONS = {"seq", "reserved_seq", "issued_seq", "accepted_seq"}

Template = dict[str, list[dict[str, Any]]]


def template(connection: sa.Connection) -> tuple[Template, set[str]]:
    """Return the rows of every table that belong to the file, and the names they go by."""
    tables = SQLModel.metadata.tables
    names, rows = {REF}, Template()
    for _ in range(6):  # each round finds what names something that the round before found
        for name, table in tables.items():
            keys = [one for one in table.columns if _is_name(one)]
            if not keys or name in ("operator", "peer", "import_run", "issuer", "ceremony"):
                continue
            query = sa.select(table).where(sa.or_(*(one.in_(names) for one in keys)))
            rows[name] = [dict(one._mapping) for one in connection.execute(query)]
            names |= set(_own_names(name, rows[name]))
    return {name: found for name, found in rows.items() if found}, names


def _is_name(column: sa.Column[Any]) -> bool:
    wanted = (
        "ref",
        "application_ref",
        "object_id",
        "person_id",
        "order_id",
        "chip_serial",
        "run_id",
    )
    holders = column.table.name in ("person", "holder", "person_version") and column.name == "id"
    return holders or column.name in (*wanted, "holder_id", "carrier_id", "chip_serial")


def _own_names(table: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    wanted = {
        "issue_order": ("id", "holder_id"),
        "carrier": ("id", "chip_serial"),
        "application": ("person_id",),
        "personalization_run": ("id",),
    }
    for row in rows:
        yield from (str(row[name]) for name in wanted.get(table, ()) if row[name])
        if table == "certificate":
            yield f"{row['issuer_id']}:{row['serial']}"


class Copier:
    """Makes the rows of one more file: other names, serial numbers, keys and positions."""

    def __init__(
        self, rows: Template, names: set[str], last: int, newest: str, at: datetime
    ) -> None:
        self.rows = rows
        self.tokens = {name for name in names if ":" not in name}
        self.tokens |= {str(one["id"]) for found in rows.values() for one in found if "id" in one}
        self.certificates = rows["certificate"]
        self.last, self.step, self.hash = last, len(rows["trail_entry"]), newest
        self.at = at
        rows["trail_entry"].sort(key=itemgetter("seq"))
        old = sorted(one["seq"] for one in rows["trail_entry"])
        self.place = {seq: index for index, seq in enumerate(old)}

    def copy(self, number: int) -> Template:
        """Return the ``number``-th copy."""
        mark = f"{number:07d}"
        words = {one: one[: -len(mark)] + mark for one in self.tokens if len(one) > len(mark)}
        octets: dict[bytes, bytes] = {}
        for one in self.certificates:
            serial = one["serial"][:-8] + f"{number:08x}"
            words[one["serial"]] = serial
            octets[bytes.fromhex(one["serial"]).lstrip(b"\0")] = bytes.fromhex(serial).lstrip(b"\0")
            key = one["tbs_der"].index(b"\x02\x03\x01\x00\x01") - 8
            octets[one["tbs_der"][key - 16 : key]] = one["tbs_der"][
                key - 16 : key - 8
            ] + number.to_bytes(8, "big")
        octets |= {old.encode(): new.encode() for old, new in words.items() if len(old) < 20}
        return self._made(words, octets)

    def _made(self, words: dict[str, str], octets: dict[bytes, bytes]) -> Template:
        made: dict[bytes, bytes] = {}
        for one in self.certificates:
            for name in ("tbs_der", "certificate_der"):
                made[one[name]] = _replaced(one[name], octets)
            new = made[one["certificate_der"]]
            words |= dict(zip(_digests(one["certificate_der"]), _digests(new), strict=True))
        copied = {
            table: [self._row(row, words, made, octets) for row in rows]
            for table, rows in self.rows.items()
        }
        statements = zip(copied["statement"], self.rows["statement"], strict=True)
        self.bodies = {new["id"]: old["body"] for new, old in statements}
        self._chain(copied)
        return copied

    def _row(
        self,
        row: dict[str, Any],
        words: dict[str, str],
        made: dict[bytes, bytes],
        octets: dict[bytes, bytes],
    ) -> dict[str, Any]:
        new: dict[str, Any] = {}
        for name, value in row.items():
            if isinstance(value, str):
                for old, other in words.items():
                    if old in value:
                        value = value.replace(old, other)
            elif isinstance(value, bytes):
                value = made.get(value, value)
            elif name in _POSITIONS and value in self.place:
                value = self.last + 1 + self.place[value]
            elif name == "line":
                value += self.last
            elif name == "id" and isinstance(value, int):
                continue
            new[name] = value
        return new

    def _chain(self, made: Template) -> None:
        """Let entries name their predecessors, and statements the entry before theirs."""
        signed: dict[int, list[dict[str, Any]]] = {}
        for one in made.get("statement", ()):
            signed.setdefault(one["seq"], []).append(one)
        for entry in made["trail_entry"]:
            body = entry["body"]
            for one in signed.get(entry["seq"], ()):
                old = _sha256(self.bodies[one["id"]])
                one["body"] = _AFTER.sub(f'"after":"{entry["seq"] - 1}:{self.hash}"', one["body"])
                body = body.replace(old, _sha256(one["body"]))
            link = f'"prev_hash":"{self.hash}","seq":{entry["seq"]}'
            body = _TIME.sub(f'"ts":"{rfc3339(self.at)}"', _LINK.sub(link, body))
            self.hash = _sha256(body)
            entry |= {"body": body, "hash": self.hash, "at": self.at}


_AFTER = re.compile('"after":"[0-9]+:[0-9a-f]{64}"')
_LINK = re.compile('"prev_hash":"[0-9a-f]{64}","seq":[0-9]+')
_TIME = re.compile('"ts":"[^"]+"')


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _replaced(der: bytes, octets: dict[bytes, bytes]) -> bytes:
    for old, new in octets.items():
        der = der.replace(old, new)
    return der


def _digests(der: bytes) -> list[str]:
    read = read_certificate(der)
    parts = (der, read.tbs_der, read.public_key.der, read.subject.der)
    return [hashlib.sha256(part).hexdigest() for part in parts]


def fill(centre: Centre, count: int) -> None:
    """Copy the file so many times."""
    drop_triggers(centre)
    with centre.store.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        rows, names = template(connection)
        head = connection.execute(sa.text("SELECT seq, hash FROM trail_head")).one()
        at = connection.execute(sa.select(sa.func.max(col(TrailEntry.at)))).scalar_one()
        copier = Copier(rows, names, head.seq, head.hash, at)
        tables = SQLModel.metadata.tables
        for begin in range(0, count, _PAGE):
            page: Template = {name: [] for name in rows}
            for number in range(begin, min(begin + _PAGE, count)):
                for name, found in copier.copy(number + 1).items():
                    page[name] += found
                copier.last += copier.step
            for name, found in page.items():
                connection.execute(sa.insert(tables[name]), found)
            print(f"\rmade {begin + _PAGE:,} of {count:,}", end="", file=sys.stderr)
        connection.exec_driver_sql(
            "UPDATE trail_head SET seq = (SELECT max(seq) FROM trail_entry), "
            "hash = (SELECT hash FROM trail_entry ORDER BY seq DESC LIMIT 1)"
        )
    print(file=sys.stderr)


def main() -> None:
    """Print seconds and memory of one audit."""
    part = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    count = APPLICATIONS // part
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        centre = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), folder)
        centre.set_up()
        centre.hold_ceremony()
        make_sound(centre)
        fixed, idle = measured(centre)
        fill(centre, count)
        spent, cpu = measured(centre)
        centre.store.close()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
    whole = fixed + (spent - fixed) * part
    print(
        f"\n{count:,} applications, {2 * count:,} certificates: {spent:.1f} s "
        f"(processor {cpu:.1f} s), for none {fixed:.1f} s (processor {idle:.1f} s), "
        f"{memory >> 20} MB in a process; "
        f"of all {whole:.0f} s (processor {idle + (cpu - idle) * part:.0f} s), "
        f"{whole / SECONDS:.1f} of the limit of {SECONDS:.0f} s: "
        f"{'within' if whole <= SECONDS else 'OVER'}, "
        f"{'within' if memory <= OCTETS else 'OVER'} {OCTETS >> 20} MB"
    )


def measured(centre: Centre) -> tuple[float, float]:
    """Return the seconds of an audit and of all its processes."""
    begin, busy = time.perf_counter(), os.times()
    with centre.store.read() as tx:
        share(run_of(centre, tx), os.cpu_count() or 1, _shown)
    now = os.times()
    return time.perf_counter() - begin, sum(now[:4]) - sum(busy[:4])


def _shown(ledger: str, done: int, total: int) -> None:
    print(f"\r{ledger} {done:,} of {total:,} ", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
