"""What an administrator of database, archive or target tries, so that a revocation is not seen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import select

from ca.records import Certificate, ListEntry, revocation_of
from crl.checking import point_octets
from crl.publishing import FolderPublisher
from crl.records import RevocationList
from crl.release import Release
from crl.rhythm import Done
from pki.errors import Refused, Unavailable
from pki.reading.crl import read_list
from pki.reasons import Reason, entry_der
from policies.profiles import ListScope
from tests.flows.conftest import Centre, Moulds
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_lists import Full, coverage_of, publish, published, serials
from tests.flows.test_operators import run
from tests.flows.test_premade import made, take
from tests.flows.test_split_lists import SPLIT

SERIAL = "SELECT id FROM certificate WHERE serial = :x"


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:
    """In a file: what is proven reads the tables alike on both databases."""
    copy = moulds.copy(tmp_path, None)
    yield copy
    copy.store.close()


def revoked(centre: Centre, number: int, validity_years: int = 5) -> str:
    """The serial on the signing CA's list of a card revoked now."""
    rows = revoke(centre, issue(centre, number, validity_years=validity_years))
    return next(row.serial for row in rows if row.issuer_id == "sign")


def two_revoked(centre: Centre) -> tuple[str, str]:
    """One that is on the list, and one that the next list must bring."""
    old = revoked(centre, 1)
    centre.due()
    centre.pass_time(hours=1)
    return old, revoked(centre, 2)


def due(centre: Centre) -> Done:
    return centre.rhythm.due("SYSTEM")


def codes(done: Done) -> list[str]:
    return [one.code for one in done.failures]


def listed(centre: Centre, serial: str, name: str = "sign.crl") -> bool:
    return int(serial, 16) in serials(published(centre, name))


def in_force(centre: Centre) -> bool:
    parsed = published(centre, "sign.crl")
    ends = parsed.next_update_utc
    return ends is not None and parsed.last_update_utc <= centre.now < ends


def moment(at: datetime) -> str:
    """The time as SQLite keeps it."""
    return f"{at.replace(tzinfo=None)}.000000"


def element_of(centre: Centre, serial: str) -> bytes:
    with centre.store.read() as tx:
        return tx.exec(select(ListEntry).where(ListEntry.serial == serial)).one().entry_der


def list_rows(centre: Centre, issuer_id: str = "sign") -> list[RevocationList]:
    query = select(RevocationList).where(RevocationList.issuer_id == issuer_id)
    with centre.store.read() as tx:
        return sorted(tx.exec(query), key=lambda row: row.number)


def test_an_entry_in_a_neighbours_place_hides_nothing(centre: Centre) -> None:
    """The new row bears the element that stood on the list before: neither octets nor count."""
    old, new = two_revoked(centre)
    element = element_of(centre, old)
    run(centre, "DELETE FROM list_entry WHERE serial = :old", old=old)
    run(centre, "UPDATE list_entry SET entry_der = :d WHERE serial = :new", d=element, new=new)
    for _ in range(2):
        assert codes(due(centre)) == ["crl.entry.changed"]
        assert listed(centre, old)
        centre.pass_time(hours=25)


@pytest.mark.parametrize(
    "entry",
    [
        "DELETE FROM list_entry WHERE serial = :x",
        "UPDATE list_entry SET series = 'sign/FULL/1' WHERE serial = :x",
    ],
)
def test_a_shard_that_is_none_stops_the_ca_and_no_other(centre: Centre, entry: str) -> None:
    """Nor is it forgotten when the row comes back without its revocation."""
    _, new = two_revoked(centre)
    run(centre, "UPDATE certificate SET shard = 1 WHERE serial = :x", x=new)
    run(centre, entry, x=new)
    done = due(centre)
    assert codes(done) == ["ca.shard.changed"]
    assert {row.issuer_id for row in done.published} == {"auth"}
    run(centre, "UPDATE certificate SET shard = 0 WHERE serial = :x", x=new)
    run(centre, f"DELETE FROM revocation WHERE certificate_id = ({SERIAL})", x=new)  # noqa: S608
    assert codes(due(centre)) == ["crl.entry.vanished"]


@pytest.mark.parametrize("ceremony", [None, SPLIT])
def test_a_shard_of_any_size_costs_nothing(
    moulds: Moulds, tmp_path: Path, ceremony: bytes | None
) -> None:
    centre = moulds.copy(tmp_path, None, ceremony) if ceremony else moulds.copy(tmp_path, None)
    issue(centre, 1)
    run(centre, "UPDATE certificate SET shard = 100000 WHERE issuer_id = 'sign'")
    done = due(centre)
    assert codes(done) == ["ca.shard.changed"]
    assert {row.issuer_id for row in done.published} == {"root", "auth"}
    assert list_rows(centre) == []
    centre.store.close()


def revoked_ca(centre: Centre) -> str:
    """The signing CA's serial, which a list made where the root's key is has revoked."""
    centre.due()
    with centre.store.read() as tx:
        row = next(one for one in tx.exec(select(Certificate)) if "DEMO_Sign" in one.subject)
    centre.pass_time(hours=1)
    element = entry_der(int(row.serial, 16), centre.now, Reason.SUPERSEDED)
    take(centre, made(centre, ListScope.SARL, 3, centre.now, element))
    centre.due()
    assert listed(centre, row.serial, "sarl.crl")
    return row.serial


@pytest.mark.parametrize("served", [True, False])
def test_a_ca_once_revoked_is_on_every_later_list(centre: Centre, served: bool) -> None:
    """Though its entry is gone, the list is renumbered, and an older one bears its SHA-256."""
    serial = revoked_ca(centre)
    older, newer = (row for row in list_rows(centre, "root") if row.scope is ListScope.SARL)
    run(centre, "UPDATE revocation_list SET sha256 = NULL, number = 5000 WHERE id = :i", i=newer.id)
    run(
        centre,
        "UPDATE revocation_list SET sha256 = :s WHERE id = :i",
        s=newer.sha256,
        i=older.id,
    )
    run(centre, "DELETE FROM list_entry")
    if not served:
        (centre.folder / "public" / "sarl.crl").unlink()
    for _ in range(2):
        assert codes(due(centre)) == ["crl.archive.missing", "crl.entry.vanished"]
        assert (centre.folder / "public" / "sarl.crl").exists() is served
        centre.pass_time(hours=49)
    assert not served or listed(centre, serial, "sarl.crl")


def test_the_roots_entries_are_forgotten_by_no_row(centre: Centre) -> None:
    serial = revoked_ca(centre)
    run(centre, "DELETE FROM list_entry")
    centre.pass_time(hours=49)
    assert codes(due(centre)) == ["crl.entry.vanished"]
    assert listed(centre, serial, "sarl.crl")


def test_a_list_of_the_future_lets_nothing_expire_early(centre: Centre) -> None:
    """Lists made ahead are of times behind the certificate's end; the row says that it ended."""
    serial = revoked(centre, 1, validity_years=1)
    centre.due()
    centre.now = datetime(2027, 11, 20, 4, tzinfo=centre.now.tzinfo)
    centre.due()
    centre.lists.issue("sign", "SYSTEM", ahead=3)
    run(centre, "UPDATE list_entry SET not_after = '2020-01-01 00:00:00.000000'")
    refused(Refused, "crl.entry.vanished", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert listed(centre, serial)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("UPDATE revocation_list SET high_water_seq = 1000000", "", []),
        ("", "UPDATE list_entry SET seq = 0", []),
        ("", "UPDATE list_entry SET seq = 1000000", []),
        ("", "DELETE FROM list_entry", ["crl.entry.vanished"] * 2),
        ("", "DELETE FROM list_entry WHERE serial = :x", ["crl.entry.vanished"]),
        ("", "UPDATE revocation SET seq = 0", ["ca.revoke.unsigned"] * 2),
    ],
)
def test_no_column_lets_a_revocation_wait(
    centre: Centre, before: str, after: str, found: list[str]
) -> None:
    """What is due the trail tells: the list is made at once, or refused aloud."""
    revoked(centre, 1)
    centre.due()
    centre.pass_time(hours=1)
    if before:
        run(centre, before)
    serial = revoked(centre, 2)
    if after:
        run(centre, after, **({"x": serial} if ":x" in after else {}))
    assert codes(due(centre)) == found
    assert listed(centre, serial) is not bool(found)


def test_times_that_stand_still_stop_no_list(centre: Centre) -> None:
    centre.due()
    serial = revoked(centre, 1)
    for _ in range(5):
        run(
            centre,
            "UPDATE revocation_list SET this_update = :t, high_water_seq = 1000000,"
            " next_update = '2099-01-01 00:00:00.000000'",
            t=moment(centre.now),
        )
        assert codes(due(centre)) == []
        assert listed(centre, serial)
        centre.pass_time(hours=23)
    assert in_force(centre)


def mark_of(centre: Centre, serial: str) -> int | None:
    with centre.store.read() as tx:
        (row,) = tx.exec(select(Certificate).where(Certificate.serial == serial))
        found = revocation_of(tx, row.id or 0)
    return None if found is None else found.crl_number


def test_a_forged_position_marks_what_is_on_the_list_and_no_more(centre: Centre) -> None:
    """Of the list before, and of the one to publish."""
    forge = "UPDATE revocation_list SET high_water_seq = 1000000"
    centre.due()
    run(centre, forge)
    serial = revoked(centre, 1)
    (row,) = centre.lists.issue("sign", "SYSTEM")
    late = revoked(centre, 2)
    run(centre, forge)
    publish(centre, row)
    assert (mark_of(centre, serial), mark_of(centre, late)) == (row.number, None)
    centre.due()
    assert mark_of(centre, late) == row.number + 1


def test_a_ca_without_its_certificate_is_a_failure(centre: Centre) -> None:
    centre.due()
    run(centre, "UPDATE issuer SET certificate_der = NULL WHERE id = 'sign'")
    centre.pass_time(hours=25)
    done = due(centre)
    assert codes(done) == ["ca.issuer.unfinished"]
    assert {row.issuer_id for row in done.published} == {"auth"}


def test_an_empty_target_gets_no_list_of_another_time(centre: Centre) -> None:
    """An expired one and one made ahead, both in force as their rows say."""
    (old,) = centre.lists.issue("sign", "SYSTEM")
    centre.pass_time(hours=97)
    forge = (
        "UPDATE revocation_list SET this_update = :t, next_update = '2099-01-01 00:00:00.000000'"
    )
    run(centre, forge, t=moment(centre.now))
    refused(Refused, "crl.publish.time", lambda: publish(centre, old))
    *_, early = centre.lists.issue("sign", "SYSTEM", ahead=2)
    run(centre, forge, t=moment(centre.now))
    refused(Refused, "crl.publish.time", lambda: publish(centre, early))
    assert not (centre.folder / "public" / "sign.crl").exists()
    assert codes(due(centre)) == [], "the trail knows its time: a sound one is made"
    assert in_force(centre)


def scope_of(path: Path) -> bytes | None:
    return point_octets(read_list(path.read_bytes()))


def test_an_empty_target_gets_no_list_of_another_scope(centre: Centre) -> None:
    centre.due()
    public, mirror = centre.folder / "public", centre.folder / "mirror"
    run(
        centre,
        "UPDATE revocation_list SET scope ="
        " CASE scope WHEN 'RARL' THEN 'SARL' ELSE 'RARL' END WHERE issuer_id = 'root'",
    )
    rarl, sarl = list_rows(centre, "root")
    centre.publish_to(FolderPublisher("mirror", mirror))
    for row in (rarl, sarl):
        refused(Refused, "crl.scope", lambda row=row: publish(centre, row))  # type: ignore[misc]
    assert codes(due(centre)) == ["crl.row.changed"] * 2
    for name in ("rarl.crl", "sarl.crl"):
        assert not (mirror / name).exists()
        assert scope_of(public / name) is not None


def test_a_release_counts_however_few_are_named(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the two statements a shorter list is refused, though its statement names nobody."""
    monkeypatch.setattr("crl.coverage.MOST_NAMED", 0)
    serial = revoked(centre, 1)
    centre.due()
    run(centre, "DELETE FROM list_entry WHERE series = 'sign/FULL/0'")
    two = Release(centre.signers["tachiai"], centre.signers["kanri"], "x")
    (row,) = centre.lists.issue("sign", "SYSTEM", release=two)
    assert coverage_of(centre, row)["removed"] == {"count": 1, "why": {"OVERRIDE": 1}, "named": []}
    forged = row.model_copy(update={"override": None})
    refused(Refused, "crl.entry.vanished", lambda: publish(centre, forged))
    assert listed(centre, serial)
    publish(centre, row)
    assert not listed(centre, serial)


@pytest.mark.parametrize("forged", [False, True])
def test_a_target_in_its_pause_is_a_failure(centre: Centre, forged: bool) -> None:
    """Also where a row has put the next try far off; a person's turn does not wait."""
    centre.due()
    serial = revoked(centre, 1)
    centre.publish_to(Full(centre.public))
    assert codes(due(centre)) == ["crl.publish.write"] * 2
    if forged:
        run(centre, "UPDATE list_delivery SET next_try_at = '2099-01-01 00:00:00.000000'")
    centre.publish_to(centre.public)
    assert codes(due(centre)) == ["crl.publish.waiting"] * 2
    assert not listed(centre, serial)
    assert centre.rhythm.due("SYSTEM", at_once=True).failures == []
    assert listed(centre, serial)


def test_without_the_statement_key_no_number_is_taken(centre: Centre) -> None:
    centre.due()
    centre.pass_time(hours=25)

    def away() -> ec.EllipticCurvePrivateKey:
        raise Unavailable("keys.gone", "the key is away")

    before = sorted(os.listdir(centre.archive.folder)), len(list_rows(centre))
    rhythm = replace(centre.rhythm, lists=replace(centre.lists, statement_key=away))
    for _ in range(2):
        assert codes(rhythm.due("SYSTEM")) == ["keys.gone"] * 2
    assert (sorted(os.listdir(centre.archive.folder)), len(list_rows(centre))) == before
    assert codes(due(centre)) == []
