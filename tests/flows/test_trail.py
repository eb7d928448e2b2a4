"""The trail on both databases: append-only, chained, and part of every change."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from audit.canonical import canonical_json
from audit.chain import Head, parse_anchor
from audit.trail import Criteria, Event, Trail
from ca.records import Holder
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from policies.site import SiteKind
from store import migrate
from store.database import Store
from tests import tiers
from tests.flows.conftest import Centre
from tests.flows.issuing import refused


def append(centre: Centre, code: str = "TEST.ENTRY") -> int:
    with centre.store.begin() as tx:
        return centre.trail.append(tx, Event(code, "thing", "t-1", actor="kanri"))


@pytest.fixture
def empty_centre(empty_centre: Centre) -> Centre:
    """With some entries more, to tamper with."""
    for _ in range(6):
        append(empty_centre)
    return empty_centre


def change(centre: Centre, *statements: str) -> None:
    """Change the tables as someone with the database's own rights would, past the triggers."""
    drop_triggers(centre)
    with centre.store.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def drop_triggers(centre: Centre) -> None:
    with centre.store.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for (name,) in found.all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            for table in ("trail_entry", "trail_head"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))


def rewrite(centre: Centre, first: int) -> None:
    """Chain every entry from ``first`` on anew, and the head, as a patient forger would."""
    drop_triggers(centre)
    with centre.store.engine.begin() as connection:
        last = "0" * 64
        query = text("SELECT seq, body, hash FROM trail_entry ORDER BY seq")
        for seq, body, old in connection.execute(query).all():
            last_hash, last = last, old
            if seq < first:
                continue
            tree = json.loads(body) | {"prev_hash": last_hash}
            if seq == first:
                tree["terminal"] = "nowhere"
            octets = canonical_json(tree)
            last = sha256(octets).hexdigest()
            connection.execute(
                text("UPDATE trail_entry SET body = :body, hash = :hash WHERE seq = :seq"),
                {"body": octets.decode(), "hash": last, "seq": seq},
            )
        connection.execute(text("UPDATE trail_head SET hash = :hash"), {"hash": last})


def test_entries_are_chained_and_verify(empty_centre: Centre) -> None:
    before = empty_centre.trail.verify()
    assert append(empty_centre) == before.seq + 1
    assert empty_centre.trail.verify().seq == before.seq + 1
    previous = "0" * 64
    page = empty_centre.trail.page(0, 1000)
    assert [entry.seq for entry in page] == list(range(1, before.seq + 2))
    for entry in page:
        body = json.loads(entry.body)
        assert entry.hash == sha256(entry.body.encode()).hexdigest()
        assert body["prev_hash"] == previous
        assert canonical_json(body) == entry.body.encode()
        previous = entry.hash
    first, newest = json.loads(page[0].body), json.loads(page[-1].body)
    assert (first["code"], first["object_id"], first["detail"]) == (
        "LOG.START",
        "test-site",
        {"kind": "training"},
    )
    assert newest == {
        "seq": before.seq + 1,
        "ts": "2026-11-21T03:00:00Z",
        "code": "TEST.ENTRY",
        "outcome": "OK",
        "actor_id": "kanri",
        "actor_role": "",
        "co_actor_id": "",
        "terminal": "test",
        "object_type": "thing",
        "object_id": "t-1",
        "detail": {},
        "prev_hash": page[-2].hash,
    }


def test_pages(empty_centre: Centre) -> None:
    total = empty_centre.trail.verify().seq
    assert [entry.seq for entry in empty_centre.trail.page(2, 3)] == [3, 4, 5]
    assert empty_centre.trail.page(total, 3) == []


TAMPERING = [
    (
        "UPDATE trail_entry SET body = replace(body, 'LOG.START', 'LOG.STOPS') WHERE seq = 1",
        "1: its content",
    ),
    ("UPDATE trail_entry SET body = body || ' ' WHERE seq = 3", "3: its content"),
    ("UPDATE trail_entry SET hash = '" + "a" * 64 + "' WHERE seq = 3", "3: its content"),
    ("UPDATE trail_entry SET code = 'X.Y' WHERE seq = 3", "3: its columns"),
    ("UPDATE trail_entry SET object_type = 'x' WHERE seq = 3", "3: its columns"),
    ("UPDATE trail_entry SET object_id = 'x' WHERE seq = 3", "3: its columns"),
    ("UPDATE trail_entry SET outcome = 'FAIL' WHERE seq = 3", "3: its columns"),
    ("UPDATE trail_entry SET actor = 'x' WHERE seq = 3", "3: its columns"),
    ("UPDATE trail_entry SET co_actor = 'x' WHERE seq = 3", "3: its columns"),
    ("UPDATE trail_entry SET at = '2026-11-21 03:00:01' WHERE seq = 3", "3: its columns"),
    ("UPDATE trail_entry SET at = '2026-11-21 03:00:00.5' WHERE seq = 3", "3: its columns"),
    ("DELETE FROM trail_entry WHERE seq = 1", "1: it is missing"),
    ("DELETE FROM trail_entry WHERE seq = 3", "3: it is missing"),
    ("UPDATE trail_entry SET seq = 9999 WHERE seq = 3", "3: it is missing"),
    ("UPDATE trail_head SET hash = '" + "a" * 64 + "'", "the tail was cut"),
    ("UPDATE trail_head SET seq = seq - 1", "the tail was cut"),
    ("UPDATE trail_head SET seq = seq + 1", "the tail was cut"),
    ("DELETE FROM trail_entry WHERE seq > 5", "6: the tail was cut"),
]


def restored(centre: Centre, act: Callable[[], None]) -> None:
    """Call ``act`` and put both tables of the trail back as they were."""
    drop_triggers(centre)
    with centre.store.engine.begin() as connection:
        for table in ("trail_entry", "trail_head"):
            connection.execute(text(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}"))
    try:
        act()
    finally:
        with centre.store.engine.begin() as connection:
            for table in ("trail_entry", "trail_head"):
                connection.execute(text(f"DELETE FROM {table}"))
                connection.execute(text(f"INSERT INTO {table} SELECT * FROM kept_{table}"))
                connection.execute(text(f"DROP TABLE kept_{table}"))


def run(centre: Centre, statement: str, **values: object) -> None:
    with centre.store.engine.begin() as connection:
        connection.execute(text(statement), values)


def test_tampering_is_found(empty_centre: Centre) -> None:
    for statement, said in TAMPERING:

        def tamper(statement: str = statement, said: str = said) -> None:
            run(empty_centre, statement)
            refusal = refused(Refused, "audit.trail.broken", empty_centre.trail.verify)
            assert said in refusal.text, statement

        restored(empty_centre, tamper)
        empty_centre.trail.verify()


SET_BODY = "UPDATE trail_entry SET hash = :hash, body = :body WHERE seq = 3"


def test_an_entry_with_its_own_new_hash_is_found(empty_centre: Centre) -> None:
    entry = empty_centre.trail.page(2, 1)[0]
    changed = entry.body.replace('"terminal":"test"', '"terminal":"tset"')
    assert changed != entry.body
    for body, said in (
        (changed, "4: its predecessor"),
        ("[]", "3: its content is not an entry"),
        ("nothing", "3: its content is not an entry"),
        ("{}", "3: its content is not an entry"),
        ('{"seq": 3}', "3: its content is not an entry"),
        (entry.body + " ", "3: its content is not an entry"),
        (" " + entry.body, "3: its content is not an entry"),
        (entry.body.replace('"seq":3', '"seq":true'), "3: its content is not an entry"),
        (entry.body.replace("03:00:00Z", "03:00:00"), "3: its content is not an entry"),
        (entry.body.replace('"detail"', '"details"'), "3: its content is not an entry"),
        (entry.body.replace('"seq":3', '"seq":4'), "3: its columns"),
        ("[" * 40_000 + "]" * 20_000, "3: its content is not an entry"),
        (entry.body.replace('"test"', '"' + "x" * 70_000 + '"'), "3: it is longer"),
    ):

        def forge(body: str = body, said: str = said) -> None:
            run(empty_centre, SET_BODY, hash=sha256(body.encode()).hexdigest(), body=body)
            refusal = refused(Refused, "audit.trail.broken", empty_centre.trail.verify)
            assert said in refusal.text

        restored(empty_centre, forge)


def test_an_anchor_finds_what_the_chain_alone_cannot(empty_centre: Centre) -> None:
    anchor = empty_centre.trail.verify()
    assert parse_anchor(f"{anchor.seq}:{anchor.hash}") == anchor
    append(empty_centre)
    seen: list[tuple[int, int]] = []
    newest = empty_centre.trail.verify([anchor, anchor], lambda *at: seen.append(at))
    assert newest.seq == anchor.seq + 1
    assert seen[-1] == (newest.seq, newest.seq)
    torn = [anchor, Head(anchor.seq, "0" * 64)]
    refused(Refused, "audit.anchor.differs", lambda: empty_centre.trail.verify(torn))
    rewrite(empty_centre, 3)
    empty_centre.trail.verify()
    refusal = refused(Refused, "audit.anchor.differs", lambda: empty_centre.trail.verify([anchor]))
    assert f"entry {anchor.seq}" in refusal.text


def set_time(centre: Centre, seq: int, ts: str) -> None:
    """Give an entry another time and chain what follows anew."""
    with centre.store.engine.begin() as connection:
        query = text("SELECT body FROM trail_entry WHERE seq = :seq")
        tree = json.loads(connection.execute(query, {"seq": seq}).scalar_one())
        octets = canonical_json(tree | {"ts": ts})
        connection.execute(
            text("UPDATE trail_entry SET body = :body, at = :at, hash = :hash WHERE seq = :seq"),
            {
                "body": octets.decode(),
                "at": ts.replace("T", " ").replace("Z", ".000000"),
                "hash": sha256(octets).hexdigest(),
                "seq": seq,
            },
        )
        connection.execute(
            text("UPDATE trail_head SET hash = :h"), {"h": sha256(octets).hexdigest()}
        )


def test_a_time_that_runs_back_is_found(empty_centre: Centre) -> None:
    seq = append(empty_centre)
    drop_triggers(empty_centre)
    set_time(empty_centre, seq, "2026-11-21T02:59:59Z")
    refusal = refused(Refused, "audit.trail.broken", empty_centre.trail.verify)
    assert f"entry {seq}: its time runs back" in refusal.text


@pytest.mark.parametrize("behind", [60, 1])
def test_a_clock_a_little_behind_takes_the_newest_time(empty_centre: Centre, behind: int) -> None:
    start = empty_centre.now
    empty_centre.pass_time(seconds=-behind)
    seq = append(empty_centre)
    assert empty_centre.trail.page(seq - 1, 1)[0].at == start
    assert empty_centre.trail.verify().seq == seq


def test_a_clock_set_back_stops_everything_until_it_is_stepped(empty_centre: Centre) -> None:
    before = empty_centre.trail.verify()
    for parts in ({"seconds": -61}, {"days": -1}):
        empty_centre.pass_time(**parts)
        refusal = refused(Unavailable, "audit.clock", lambda: append(empty_centre))
        assert "2026-11-21T03:00:00Z" in refusal.text
        assert "clock-step" in refusal.hint
        assert empty_centre.trail.verify() == before
    with empty_centre.store.begin() as tx:
        empty_centre.trail.append(tx, Event("CLOCK.STEP", "site", "test-site"))
        seq = empty_centre.trail.append(tx, Event("TEST.ENTRY", "thing", "t-2"))
    step, entry = empty_centre.trail.page(before.seq, 2)
    assert step.at == entry.at == empty_centre.now
    empty_centre.pass_time(days=1)
    assert append(empty_centre) == seq + 1
    assert empty_centre.trail.verify().seq == seq + 1


def test_the_head_as_a_transaction_sees_it(empty_centre: Centre) -> None:
    trail, before = empty_centre.trail, empty_centre.trail.verify()
    with empty_centre.store.begin() as tx:
        assert trail.head(tx) == before
        assert trail.head(tx, lock=True) == before
        assert trail.entry(tx, before.seq + 1) is None
        seq = trail.append(tx, Event("TEST.ENTRY", "thing", "t-1"))
        entry = trail.entry(tx, seq)
        assert entry is not None
        assert trail.head(tx) == Head(seq, entry.hash)
        assert trail.position(tx) == trail.position(tx, lock=False) == seq
    with empty_centre.store.read() as tx:
        assert trail.head(tx) == Head(seq, entry.hash)


def test_the_newest_entry_of_some_codes(empty_centre: Centre) -> None:
    first, second = append(empty_centre, "TEST.A"), append(empty_centre, "TEST.B")
    append(empty_centre, "TEST.C")
    with empty_centre.store.read() as tx:
        assert empty_centre.trail.newest(tx, ["TEST.A", "TEST.B"]) == second
        assert empty_centre.trail.newest(tx, {"TEST.A"}) == first
        assert empty_centre.trail.newest(tx, ["TEST.NONE"]) == 0
        assert empty_centre.trail.newest(tx, []) == 0


def test_an_entry_that_no_line_holds_is_refused(empty_centre: Centre) -> None:
    before = empty_centre.trail.verify()

    def act() -> None:
        with empty_centre.store.begin() as tx:
            event = Event("TEST.ENTRY", "thing", "t-1", detail={"x": "x" * 65_536})
            empty_centre.trail.append(tx, event)

    refused(InvalidInput, "audit.entry.size", act)
    assert empty_centre.trail.verify() == before


def test_search(empty_centre: Centre) -> None:
    trail, start = empty_centre.trail, empty_centre.now
    after = trail.verify().seq

    def enter(code: str, **fields: Any) -> int:
        empty_centre.pass_time(hours=1)
        with empty_centre.store.begin() as tx:
            return trail.append(
                tx, Event(code, fields.pop("type", "thing"), fields.pop("id", "t-1"), **fields)
            )

    a = enter("APP.DECIDE", actor="shonin", outcome="REFUSED")
    b = enter("APP.DECIDED", actor="kanri", co_actor="shonin", id="t-2")
    c = enter("APPX.A", type="operator", id="shonin")
    d = enter("REV.AUTH", actor="x", type="thing", id="shonin")

    def found(**wanted: Any) -> list[int]:
        return [entry.seq for entry in trail.search(Criteria(**wanted), after)]

    assert found() == [a, b, c, d]
    assert found(person="shonin") == [a, b, c]
    assert found(code="APP.") == [a, b]
    assert found(code="APP.DECIDE") == [a]
    assert found(code="APP_") == []
    assert found(code="%.") == []
    assert found(object_id="shonin") == [c, d]
    assert found(object_type="thing", object_id="shonin") == [d]
    assert found(outcome="REFUSED") == [a]
    two = start + timedelta(hours=2)
    assert found(since=two) == [b, c, d]
    assert found(until=two) == [a]
    assert found(since=two, until=start + timedelta(hours=3)) == [b]
    assert found(person="shonin", code="APP.", outcome="OK") == [b]
    assert [one.seq for one in trail.search(Criteria(), after, 2)] == [a, b]
    assert [one.seq for one in trail.search(Criteria(), b, 2)] == [c, d]


WRITERS, TRANSACTIONS = 8, 30

WRITERS_PROGRAM = """
import os, sys
from datetime import UTC, datetime
from audit.trail import Event, Trail
from store.database import Store
def write(name):
    store = Store(sys.argv[1])
    trail = Trail(store, lambda: datetime(2026, 11, 21, 3, tzinfo=UTC), name)
    for number in range(int(sys.argv[3])):
        with store.begin() as tx:
            for _ in range(number % 3 + 1):
                trail.append(tx, Event("TEST.ENTRY", "thing", name))
writers = []
for number in range(int(sys.argv[2])):
    writers.append(os.fork())
    if not writers[-1]:
        write(f"w{number}")
        os._exit(0)
sys.exit(any([os.waitpid(writer, 0)[1] for writer in writers]))
"""


def test_eight_writers_at_once_keep_the_chain_whole(empty_centre: Centre) -> None:
    before = empty_centre.trail.verify().seq
    url = empty_centre.store.engine.url.render_as_string(hide_password=False)
    subprocess.run(
        [sys.executable, "-c", WRITERS_PROGRAM, url, str(WRITERS), str(TRANSACTIONS)],
        cwd=Path(__file__).parents[2],
        timeout=120,
        check=True,
    )
    each = sum(number % 3 + 1 for number in range(TRANSACTIONS))
    assert empty_centre.trail.verify().seq == before + WRITERS * each
    for number in range(WRITERS):
        entries = empty_centre.trail.search(Criteria(object_id=f"w{number}"), limit=1000)
        assert len(entries) == each


def test_a_second_writer_waits_for_the_lock(empty_centre: Centre) -> None:
    """Who holds the head decides on it: nobody appends in between."""
    entered = threading.Event()

    def other() -> None:
        append(empty_centre, "TEST.OTHER")
        entered.set()

    writer = threading.Thread(target=other)
    with empty_centre.store.begin() as tx:
        head = empty_centre.trail.head(tx, lock=True)
        writer.start()
        assert not entered.wait(0.5)
        assert empty_centre.trail.append(tx, Event("TEST.MINE", "thing", "t")) == head.seq + 1
    writer.join()
    assert [one.code for one in empty_centre.trail.page(head.seq, 9)] == ["TEST.MINE", "TEST.OTHER"]
    empty_centre.trail.verify()


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Centre]:
    """A centre whose store fills its disk."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "hpki-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        tiers.tier_missing("tmpfs", "mounting is not permitted")
    try:
        centre = Centre(Store(f"sqlite:///{folder / 'store.sqlite'}"), tmp_path)
        centre.set_up()
        with (folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"\0" * 512):
                pass
        yield centre
        centre.store.close()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_lets_nothing_happen(full_disk: Centre) -> None:
    before = full_disk.trail.verify()
    done = 0

    def act() -> None:
        nonlocal done
        for number in range(2000):
            with full_disk.store.begin() as tx:
                tx.add(Holder(id=f"H-{number}"))
                detail = {"x": "x" * 4000}
                full_disk.trail.append(tx, Event("TEST.ENTRY", "t", "t", detail=detail))
            done += 1

    refused(Unavailable, "store.unavailable", act)
    assert full_disk.trail.verify().seq == before.seq + done
    with full_disk.store.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM holder")).scalar_one() == done


OLD_ENTRY = (
    "INSERT INTO trail_entry (seq, at, code, object_type, object_id, body, hash) "
    "VALUES (:seq, '2026-11-21 03:00:00.000000', :code, 't', 't', :body, :hash)"
)


def test_entries_of_an_older_schema_get_their_columns(store_url: str) -> None:
    store = Store(store_url)
    config = migrate._config()

    def to(revision: str) -> None:
        with store.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    to("0002")
    head = Head(0, "0" * 64)
    with store.engine.begin() as connection:
        for seq, person in ((1, "SYSTEM"), (2, "kanri名")):
            octets = canonical_json(
                {
                    "seq": seq,
                    "ts": "2026-11-21T03:00:00Z",
                    "code": "TEST.ENTRY",
                    "outcome": "FAIL",
                    "actor_id": person,
                    "actor_role": "",
                    "co_actor_id": f"co-{seq}",
                    "terminal": "",
                    "object_type": "t",
                    "object_id": "t",
                    "detail": {},
                    "prev_hash": head.hash,
                }
            )
            head = Head(seq, sha256(octets).hexdigest())
            values = {"seq": seq, "code": "TEST.ENTRY", "body": octets.decode(), "hash": head.hash}
            connection.execute(text(OLD_ENTRY), values)
        values = {"seq": head.seq, "hash": head.hash}
        connection.execute(
            text("INSERT INTO trail_head VALUES (1, 'old', 'training', :seq, :hash)"), values
        )
    to("0003")
    trail = Trail(store, lambda: datetime(2026, 11, 21, 3, tzinfo=UTC), "test")
    assert trail.verify() == head
    (found,) = trail.search(Criteria(person="kanri名", outcome="FAIL"))
    assert (found.seq, found.co_actor) == (2, "co-2")
    for statement in FORBIDDEN[:5]:
        with pytest.raises(Exception, match="append-only"), store.engine.begin() as connection:
            connection.execute(text(statement))
    with store.begin() as tx:
        assert trail.append(tx, Event("TEST.ENTRY", "t", "t")) == 3
    assert trail.verify().seq == 3
    store.close()


def test_an_anchor_finds_a_tail_cut_with_its_head(empty_centre: Centre) -> None:
    append(empty_centre)
    anchor = empty_centre.trail.verify()
    kept = empty_centre.trail.page(anchor.seq - 2, 1)[0]
    change(
        empty_centre,
        f"DELETE FROM trail_entry WHERE seq > {kept.seq}",
        f"UPDATE trail_head SET seq = {kept.seq}, hash = '{kept.hash}'",
    )
    assert empty_centre.trail.verify() == Head(kept.seq, kept.hash)
    refused(Refused, "audit.trail.broken", lambda: empty_centre.trail.verify([anchor]))


FORBIDDEN = [
    "UPDATE trail_entry SET code = 'X'",
    "UPDATE trail_entry SET code = code WHERE seq = 1",
    "DELETE FROM trail_entry WHERE seq = 1",
    "DELETE FROM trail_entry",
    "DELETE FROM trail_head",
    "UPDATE trail_head SET site_kind = 'production'",
    "UPDATE trail_head SET site_id = 'other'",
    "UPDATE trail_head SET id = 2",
]
REPLACING = [
    "INSERT OR REPLACE INTO trail_entry SELECT seq, at, 'X', object_type, object_id, body, hash, "
    "outcome, actor, co_actor FROM trail_entry WHERE seq = 3",
    "INSERT OR REPLACE INTO trail_entry SELECT seq + 100, at, 'X', object_type, object_id, body, "
    "hash, outcome, actor, co_actor FROM trail_entry WHERE seq = 3",
    "INSERT OR REPLACE INTO trail_head (id, site_id, site_kind, seq, hash) "
    "SELECT id, site_id, 'production', seq, hash FROM trail_head",
]


def test_the_database_itself_refuses(empty_centre: Centre) -> None:
    engine = empty_centre.store.engine
    before = empty_centre.trail.verify()
    statements = list(FORBIDDEN)
    if engine.dialect.name == "sqlite":
        statements += REPLACING
    else:
        statements += ["TRUNCATE trail_entry", "TRUNCATE trail_head"]
    for statement in statements:
        with (
            pytest.raises(Exception, match="append-only|violates check|CHECK constraint"),
            engine.begin() as connection,
        ):
            connection.execute(text(statement))
        assert empty_centre.trail.verify() == before, statement


def test_another_program_is_refused_too(sqlite_url: str, tmp_path: Path) -> None:
    """The triggers stand in the file, not in our connection."""
    store = Store(sqlite_url)
    made = Centre(store, tmp_path)
    made.set_up()
    for _ in range(3):
        append(made)
    store.close()
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    try:
        for statement in [*FORBIDDEN, *REPLACING]:
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(statement)
            connection.rollback()
    finally:
        connection.close()


def test_a_site_is_opened_once_and_its_kind_stays(empty_centre: Centre) -> None:
    def again() -> None:
        with empty_centre.store.begin() as tx:
            empty_centre.trail.open_site(tx, "other", SiteKind.PRODUCTION)

    refused(Conflict, "audit.site.exists", again)
    with empty_centre.store.read() as tx:
        assert empty_centre.trail.site(tx) == ("test-site", SiteKind.TRAINING)


def test_a_rollback_leaves_neither_change_nor_entry(empty_centre: Centre) -> None:
    before = empty_centre.trail.verify()

    def broken() -> None:
        with empty_centre.store.begin() as tx:
            tx.add(Holder(id="H-1"))
            empty_centre.trail.append(tx, Event("TEST.ENTRY", "holder", "H-1"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert empty_centre.trail.verify() == before
    with empty_centre.store.read() as tx:
        assert tx.get(Holder, "H-1") is None


def cannot_write(centre: Centre) -> None:
    """Make the trail unwritable as a full or broken table would be."""
    with centre.store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE trail_entry RENAME TO trail_entry_away"))


def test_no_change_where_the_trail_cannot_be_written(empty_centre: Centre) -> None:
    cannot_write(empty_centre)

    def act() -> None:
        with empty_centre.store.begin() as tx:
            tx.add(Holder(id="new"))
            empty_centre.trail.append(tx, Event("TEST.ENTRY", "holder", "new"))

    with pytest.raises(Exception, match="trail_entry"):
        act()
    with empty_centre.store.read() as tx:
        assert tx.get(Holder, "new") is None


def test_nothing_can_be_entered_before_there_is_a_site(empty_centre: Centre) -> None:
    change(empty_centre, "DELETE FROM trail_head")
    refused(NotFound, "audit.site.none", lambda: append(empty_centre))
    refused(NotFound, "audit.site.none", empty_centre.trail.verify)
