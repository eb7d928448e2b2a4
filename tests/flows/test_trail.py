"""The trail on both databases: append-only, chained, and part of every change."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import text

from audit.canonical import canonical_json
from audit.trail import Event, Head, parse_anchor
from ca.records import Holder
from operators.records import Operator
from pki.errors import Conflict, NotFound, Refused
from policies.site import SiteKind
from store.database import Store
from tests.flows.conftest import Centre
from tests.flows.issuing import refused


def append(centre: Centre, code: str = "TEST.ENTRY") -> int:
    with centre.store.begin() as tx:
        return centre.trail.append(tx, Event(code, "thing", "t-1", actor="kanri"))


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
                tree["actor_id"] = "nobody"
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
    ("UPDATE trail_entry SET at = '2026-11-21 03:00:01' WHERE seq = 3", "3: its columns"),
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
    changed = entry.body.replace('"outcome":"OK"', '"outcome":"NO"')
    assert changed != entry.body
    for body, said in (
        (changed, "4: its predecessor"),
        ("[]", "3: its content is not an entry"),
        ("nothing", "3: its content is not an entry"),
        ("{}", "3: its content is not an entry"),
        ('{"seq": 3}', "3: its content is not an entry"),
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
    newest = empty_centre.trail.verify(anchor)
    assert newest.seq == anchor.seq + 1
    rewrite(empty_centre, 3)
    empty_centre.trail.verify()
    refusal = refused(Refused, "audit.anchor.differs", lambda: empty_centre.trail.verify(anchor))
    assert f"entry {anchor.seq}" in refusal.text


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
    refused(Refused, "audit.trail.broken", lambda: empty_centre.trail.verify(anchor))


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
    "INSERT OR REPLACE INTO trail_entry SELECT seq, at, 'X', object_type, object_id, body, hash "
    "FROM trail_entry WHERE seq = 3",
    "INSERT OR REPLACE INTO trail_entry SELECT seq + 100, at, 'X', object_type, object_id, body, "
    "hash FROM trail_entry WHERE seq = 3",
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
    Centre(store, tmp_path).set_up()
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
            tx.add(Operator(id="new", full_name="New"))
            empty_centre.trail.append(tx, Event("TEST.ENTRY", "operator", "new"))

    with pytest.raises(Exception, match="trail_entry"):
        act()
    with empty_centre.store.read() as tx:
        assert tx.get(Operator, "new") is None


def test_nothing_can_be_entered_before_there_is_a_site(empty_centre: Centre) -> None:
    change(empty_centre, "DELETE FROM trail_head")
    refused(NotFound, "audit.site.none", lambda: append(empty_centre))
    refused(NotFound, "audit.site.none", empty_centre.trail.verify)
