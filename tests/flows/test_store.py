"""The store on both databases: transactions whole or not at all, and its schema."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel

from audit.trail import Event
from ca.issuers import issued_profiles
from ca.records import Holder, issuers
from pki.errors import Conflict, Unavailable
from store import migrate
from store.database import Store
from store.migrate import differences, upgrade, verify_schema
from tests.flows.conftest import Centre
from tests.flows.issuing import refused


def holders(centre: Centre) -> set[str]:
    with centre.store.read() as tx:
        return {row[0] for row in tx.execute(text("SELECT id FROM holder"))}


def test_a_transaction_is_whole_or_nothing(empty_centre: Centre) -> None:
    store = empty_centre.store
    with store.begin() as tx:
        tx.add(Holder(id="H-1"))

    def broken(error: BaseException | None) -> None:
        with store.begin() as tx:
            tx.add(Holder(id="H-2"))
            tx.flush()
            if error is not None:
                raise error
            tx.add(Holder(id="H-1"))

    with pytest.raises(ZeroDivisionError):
        broken(ZeroDivisionError())
    refused(Conflict, "store.constraint", lambda: broken(None))
    assert holders(empty_centre) == {"H-1"}


def test_postgresql_compiles_no_query(empty_centre: Centre) -> None:
    """It would take seconds of the board's tables; a rollback does not bring it back."""
    if empty_centre.store.engine.dialect.name == "postgresql":
        for _ in range(2):
            with empty_centre.store.read() as tx:
                assert tx.connection().exec_driver_sql("SHOW jit").scalar() == "off"


def test_a_reader_cannot_write(empty_centre: Centre) -> None:
    def act() -> None:
        with empty_centre.store.read() as tx:
            tx.add(Holder(id="H-3"))
            tx.flush()

    if empty_centre.store.engine.dialect.name == "postgresql":
        with pytest.raises(Exception, match="read-only"):
            act()
    else:
        act()
    assert holders(empty_centre) == set()


def test_a_reader_sees_one_moment(empty_centre: Centre) -> None:
    store = empty_centre.store
    with store.read() as tx:
        count = text("SELECT count(*) FROM holder")
        assert tx.execute(count).scalar_one() == 0
        with store.begin() as writer:
            writer.add(Holder(id="H-1"))
        assert tx.execute(count).scalar_one() == 0
    assert holders(empty_centre) == {"H-1"}


def test_writers_of_the_trail_wait_for_each_other(empty_centre: Centre) -> None:
    """Entries from many threads: no gap, no fork, none lost."""
    before = empty_centre.trail.verify().seq
    faults: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(5):
                with empty_centre.store.begin() as tx:
                    tx.add(Holder(id=f"{name}-{number}"))
                    empty_centre.trail.append(tx, Event("TEST.ENTRY", "holder", name))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(f"T{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert empty_centre.trail.verify().seq == before + 20
    assert len(holders(empty_centre)) == 20


def test_foreign_keys_hold(empty_centre: Centre) -> None:
    def act() -> None:
        with empty_centre.store.begin() as tx:
            tx.execute(
                text("INSERT INTO holder_subject VALUES (:digest, 'nobody')"), {"digest": "0" * 64}
            )

    refused(Conflict, "store.constraint", act)


def test_the_schema_is_the_records(empty_centre: Centre) -> None:
    verify_schema(empty_centre.store)
    upgrade(empty_centre.store)
    assert differences(empty_centre.store, SQLModel.metadata) == []
    with empty_centre.store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    refusal = refused(Conflict, "store.schema", lambda: verify_schema(empty_centre.store))
    assert "9999" in refusal.text


ISSUER_0001 = (
    "INSERT INTO issuer (id, ceremony_id, purpose, profile, crl_profile, subject_der, key_label,"
    " cps_uri, crl_uri) VALUES (:id, 'c', :purpose, :profile, 'crl', :subject, :id, 'cps', 'crl')"
)


def test_a_store_of_the_first_schema_is_brought_forward(store_url: str) -> None:
    """What its CAs issue by follows from their purpose, and their names stay as they were."""
    store = Store(store_url)
    config = migrate._config()
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with store.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO ceremony (id, title, script_sha256, started_at, transcript)"
                " VALUES ('c', 't', 's', '2026-11-21 00:00:00', '{}')"
            )
        )
        for name, purpose in (("root", None), ("sign", "SIGN"), ("auth", "AUTH")):
            values = {"id": name, "purpose": purpose, "profile": name, "subject": name.encode()}
            connection.execute(text(ISSUER_0001), values)
    refusal = refused(Conflict, "store.schema", lambda: verify_schema(store))
    assert "0001" in refusal.text
    upgrade(store)
    verify_schema(store)
    assert differences(store, SQLModel.metadata) == []
    with store.read() as tx:
        found = {one.id: (issued_profiles(one), one.japanese_names) for one in issuers(tx)}
    assert found == {
        "root": ((), True),
        "sign": (("ee-sign",), True),
        "auth": (("ee-auth",), True),
    }
    store.close()


def test_the_newest_script_is_alembics_head() -> None:
    scripts = ScriptDirectory.from_config(migrate._config())
    assert migrate.newest_revision() == scripts.get_current_head()


def test_an_empty_database_has_no_schema(store_url: str) -> None:
    store = Store(store_url)
    refusal = refused(Conflict, "store.schema", lambda: verify_schema(store))
    assert "none" in refusal.text
    store.close()


def test_a_database_out_of_reach_is_unavailable(tmp_path: Path) -> None:
    for url in (
        f"sqlite:///{tmp_path}/no/such/folder/store.sqlite",
        f"postgresql+psycopg://nobody@/none?host={tmp_path}",
    ):
        store = Store(url)
        for act in (
            lambda: upgrade(store),  # noqa: B023
            lambda: verify_schema(store),  # noqa: B023
            lambda: _read(store),  # noqa: B023
        ):
            refused(Unavailable, "store.unavailable", act)
        store.close()


def _read(store: Store) -> None:
    with store.read() as tx:
        tx.execute(text("SELECT 1"))


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"this is not a database " * 100)
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    refused(Unavailable, "store.unavailable", lambda: _read(store))
    refused(Unavailable, "store.unavailable", lambda: upgrade(store))
    store.close()
