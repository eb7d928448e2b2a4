"""Whether and since which list a serial is revoked: the archive decides, whatever rows say."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from ca.records import Carrier, Certificate, ListEntry, Revocation
from crl.building import frame, write_list
from crl.coverage import make_statement
from crl.proving import Place, Proving, Standing, find_serial
from crl.records import RevocationList
from pki.errors import NotFound
from pki.reading.crl import open_list, read_list
from pki.reasons import Reason, entry_der
from pki.signing import dummy_signature
from pki.validity import rfc3339
from policies.profiles import ListScope
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_lists import Full, coverage_of
from tests.flows.test_premade import made, take
from tests.golden.test_certificates import sub_ca
from tests.golden.test_lists import facts
from tests.golden.vectors import NOW


def prove(centre: Centre, serial: int, ca: str | None = None) -> list[Standing]:
    clock = centre.trail.clock
    return Proving(centre.store, centre.trail, centre.authorities, centre.lists, clock).prove(
        serial, ca
    )


def proven(centre: Centre, serial: int, ca: str | None = None) -> Standing:
    (one,) = prove(centre, serial, ca)
    return one


def numbers(one: Standing) -> tuple[int | None, ...]:
    """Numbers of the lists: newest, before the first, first, first again without it."""
    lists = (one.newest, one.absent, one.first, one.left)
    return tuple(None if listed is None else listed.number for listed in lists)


def revoked_card(centre: Centre, number: int, *, validity_years: int = 5) -> int:
    """The serial of a card's signing certificate, which is revoked now."""
    rows = revoke(centre, issue(centre, number, validity_years=validity_years))
    return next(int(row.serial, 16) for row in rows if row.issuer_id == "sign")


def lists_of(centre: Centre, ca: str) -> list[RevocationList]:
    with centre.store.read() as tx:
        return [row for row in tx.exec(select(RevocationList)) if row.issuer_id == ca]


def days(centre: Centre, count: int) -> None:
    for _ in range(count):
        centre.pass_time(days=1)
        centre.due()


def test_a_revoked_serial_and_the_list_on_which_it_stood_first(centre: Centre) -> None:
    centre.due()
    days(centre, 2)
    centre.pass_time(minutes=5)
    serial = revoked_card(centre, 1)
    revoked_at = centre.now
    assert numbers(proven(centre, serial)) == (3, None, None, None), "decided, on no list yet"
    centre.pass_time(minutes=1)
    centre.due()
    first_at = centre.now
    days(centre, 3)
    one = proven(centre, serial)
    assert one.faults == []
    assert numbers(one) == (7, 3, 4, None)
    assert one.first is not None
    assert (one.first.this_update, one.first.published_at) == (first_at, rfc3339(first_at))
    assert one.place is not None
    assert one.place.entry is not None
    assert one.place.entry.revoked_at.moment == revoked_at
    assert one.place.entry.reason == Reason.CESSATION_OF_OPERATION
    assert one.revocation is not None
    assert (one.revocation.ground, one.revocation.revoked_at) == ("S02_CARD_LOST", revoked_at)
    assert one.series.issuer_id == "sign"
    assert prove(centre, serial, "auth")[0].certificate is None


def test_an_absent_serial_is_shown_between_its_neighbours(centre: Centre) -> None:
    serials = sorted(revoked_card(centre, number) for number in (1, 2, 3))
    row = next(one for one in certificates_of(centre, issue(centre, 4)) if one.issuer_id == "sign")
    centre.due()
    wanted = int(row.serial, 16)
    one = proven(centre, wanted)
    assert one.certificate is not None
    assert one.revocation is None
    assert numbers(one) == (1, None, None, None)
    below = [serial for serial in serials if serial < wanted]
    above = [serial for serial in serials if serial > wanted]
    assert one.place == Place(None, max(below, default=None), min(above, default=None))
    unknown = prove(centre, serials[0] + 1)
    assert [str(standing.series) for standing in unknown] == [
        "root RARL", "root SARL", "auth FULL", "sign FULL"
    ]  # fmt: skip
    by_series = {str(standing.series): standing.place for standing in unknown}
    assert by_series["sign FULL"] == Place(None, serials[0], serials[1])
    assert by_series["root RARL"] == Place(None)


def certificates_of(centre: Centre, carrier: Carrier) -> list[Certificate]:
    """The carrier's certificates, none of them revoked."""
    with centre.store.read() as tx:
        return [one for one in tx.exec(select(Certificate)) if one.carrier_id == carrier.id]


def test_an_expired_serial_and_the_list_that_left_it_out(centre: Centre) -> None:
    centre.due()
    serial = revoked_card(centre, 1, validity_years=1)
    centre.due()
    centre.now = datetime(2027, 11, 19, 3, 0, tzinfo=centre.now.tzinfo)
    for _ in range(5):
        centre.due()
        centre.pass_time(days=1)
    one = proven(centre, serial)
    assert one.faults == []
    assert one.place == Place(None)
    newest, absent, first, left = numbers(one)
    assert (absent, first) == (1, 2)
    on = [len(list(read_list(path.read_bytes()).entries())) for path in archived(centre)]
    assert on == [0, 1, 1, 1, 1, 0, 0]
    assert (left, newest) == (6, 7)


def archived(centre: Centre) -> list[Path]:
    return [centre.archive.list_path(row) for row in lists_of(centre, "sign")]


def test_rows_that_were_changed_change_nothing(centre: Centre) -> None:
    centre.due()
    serial = revoked_card(centre, 1)
    days(centre, 2)
    with centre.store.begin() as tx:
        for row in (*tx.exec(select(ListEntry)), *tx.exec(select(Revocation))):
            tx.delete(row)
        tx.execute(text("UPDATE revocation_list SET published_at = NULL, this_update = NULL"
                        " WHERE issuer_id = 'sign' AND number = 1"))  # fmt: skip
    one = proven(centre, serial)
    assert one.revocation is None
    assert numbers(one) == (3, 1, 2, None)
    assert one.faults == []


def test_what_is_not_proven_is_a_fault(centre: Centre) -> None:
    centre.due()
    serial = revoked_card(centre, 1)
    days(centre, 3)
    first, second, *_ = (row for row in lists_of(centre, "sign") if row.number >= 2)

    def fault(
        row: RevocationList, octets: bytes | None = None, statement: bytes | None = None
    ) -> str:
        paths = centre.archive.list_path(row), centre.archive.statement_path(row)
        kept = [path.read_bytes() for path in paths]
        for path, changed in zip(paths, (octets, statement), strict=True):
            if changed is not None:
                path.write_bytes(changed)
        (found,) = proven(centre, serial).faults
        for path, before in zip(paths, kept, strict=True):
            path.write_bytes(before)
        return found.code

    octets = centre.archive.list_path(first).read_bytes()
    flipped = octets[:-1] + bytes((octets[-1] ^ 1,))
    assert fault(first, flipped) == "crl.signature"
    assert fault(first, centre.archive.list_path(second).read_bytes()) == "crl.prove.differs"
    assert fault(first, None, b"{}") == "crl.coverage.form"
    other = centre.archive.statement(second)
    assert fault(first, None, other) == "crl.prove.differs"
    made_anew = make_statement({**coverage_of(centre, first), "entries": 9}, centre.anchor_key)
    assert fault(first, None, made_anew) == "crl.prove.differs"
    newest = lists_of(centre, "sign")[-1]
    assert fault(newest, b"") == "pki.crl.unreadable"
    centre.archive.list_path(lists_of(centre, "sign")[0]).unlink()
    assert [one.code for one in proven(centre, serial).faults] == ["crl.prove.gap"]
    # an older list whose entry is in the trail and whose file is another's
    with centre.store.begin() as tx:
        tx.execute(text("DELETE FROM list_delivery"))
        tx.execute(text("DELETE FROM revocation_list"))
    refused(NotFound, "crl.none", lambda: raise_fault(centre, serial))


def raise_fault(centre: Centre, serial: int) -> None:
    raise prove(centre, serial, "sign")[0].faults[0]


def test_a_list_that_is_not_public_yet_is_no_list_in_force(centre: Centre) -> None:
    centre.due()
    serial = revoked_card(centre, 1)
    centre.publish_to(Full(centre.public))
    centre.rhythm.due("SYSTEM")
    one = proven(centre, serial)
    assert numbers(one) == (1, 1, 2, None)
    assert one.place == Place(None)
    assert one.first is not None
    assert one.first.published_at is None


def test_a_subordinate_ca_on_the_roots_list(centre: Centre) -> None:
    with centre.store.read() as tx:
        row = next(one for one in tx.exec(select(Certificate)) if "DEMO_Sign" in one.subject)
    centre.due()
    centre.pass_time(hours=1)
    entry = entry_der(int(row.serial, 16), centre.now, Reason.SUPERSEDED)
    take(centre, made(centre, ListScope.SARL, 3, centre.now, entry))
    centre.due()
    one = proven(centre, int(row.serial, 16))
    assert (str(one.series), numbers(one)) == ("root SARL", (3, 2, 3, None))


def long_list(path: Path, serials: list[int]) -> None:
    made = facts(sub_ca(), ListScope.FULL, 7)
    head = entry_der(1 << 120, NOW, Reason.CESSATION_OF_OPERATION)
    with (path.with_suffix(".entries")).open("w+b") as entries, path.open("w+b") as file:
        for serial in serials:
            entries.write(head[:4] + serial.to_bytes(16, "big") + head[20:])
        write_list(
            file, made, frame(made, entries.tell()), entries, dummy_signature(made.public_key)
        )


@pytest.mark.parametrize("count", [0, 1, 2, 20_000])
def test_every_place_of_a_long_list_is_found(tmp_path: Path, count: int) -> None:
    chance = random.Random(count)
    serials = sorted(chance.getrandbits(119) | 1 << 119 for _ in range(count))
    long_list(tmp_path / "long.crl", serials)
    with (tmp_path / "long.crl").open("rb") as file:
        parsed = open_list(file)
        for at in {
            *range(min(count, 3)),
            *range(count)[-3:],
            *chance.sample(range(count), count // 2000),
        }:
            place = find_serial(parsed, file, serials[at])
            assert place.entry is not None
            assert place.entry.serial == serials[at]
            gap = find_serial(parsed, file, serials[at] + 1)
            assert gap == Place(None, serials[at], serials[at + 1] if at + 1 < count else None)
        assert find_serial(parsed, file, 1) == Place(None, None, serials[0] if serials else None)


def test_a_list_in_no_order_is_searched_whole(tmp_path: Path) -> None:
    serials = [1 << 119 | number for number in (9, 3, 7, 1, 5)]
    long_list(tmp_path / "mixed.crl", serials)
    with (tmp_path / "mixed.crl").open("rb") as file:
        parsed = open_list(file)
        for serial in serials:
            place = find_serial(parsed, file, serial)
            assert place.entry is not None
            assert place.entry.serial == serial
        assert find_serial(parsed, file, 1 << 119 | 4) == Place(None)
