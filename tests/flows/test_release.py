"""A store that was set back: no number comes again, and nothing is dropped unless two say so."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from sqlmodel import select

from crl.archive import Archive
from crl.records import RevocationList, latest
from crl.release import Release
from operators.records import Statement
from pki.errors import HpkiError, Refused
from store.database import Store
from tests.flows.conftest import Centre, Moulds
from tests.flows.issuing import issue, refused, revoke
from tests.flows.test_lists import (
    SIGN,
    coverage_of,
    numbers,
    octets_of,
    publish,
    published,
    serials,
)

REASON = "store lost on 21 November; the register of requests was compared"
FILES = ("rarl.crl", "sarl.crl", "auth.crl", "sign.crl")


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:
    """In a file, which a test copies away and back."""
    made = moulds.copy(tmp_path, None)
    yield made
    made.store.close()


def keep_copy(centre: Centre) -> Path:
    """A copy of the store as it is now."""
    assert centre.store.empty_log()
    return shutil.copyfile(centre.folder / "store.sqlite", centre.folder / "older.sqlite")


def set_back(centre: Centre, copy: Path) -> Centre:
    """The centre on the older store; archive and targets are as they were."""
    centre.store.close()
    for left in centre.folder.glob("store.sqlite*"):
        left.unlink()
    path = shutil.copyfile(copy, centre.folder / "store.sqlite")
    return replace(centre, store=Store(f"sqlite:///{path}"))


def failures(centre: Centre) -> set[str]:
    return {one.code for one in centre.rhythm.due("SYSTEM").failures}


def standing(centre: Centre) -> dict[str, bytes]:
    return {name: (centre.folder / "public" / name).read_bytes() for name in FILES}


def forgetful(centre: Centre) -> Centre:
    """The centre whose store forgot a card that was revoked, as the lists served still say."""
    card = issue(centre, 1)
    centre.due()
    copy = keep_copy(centre)
    revoke(centre, card)
    centre.due()
    assert len(published(centre, "sign.crl")) == 1
    back = set_back(centre, copy)
    back.pass_time(minutes=1)
    return back


def newest(centre: Centre) -> RevocationList:
    with centre.store.read() as tx:
        found = latest(tx, SIGN)
    assert found is not None
    return found


def release(centre: Centre, manager: str = "tachiai", second: str = "kanri") -> Release:
    return Release(centre.signers[manager], centre.signers[second], REASON)


def test_a_store_set_back_counts_on_above_what_is_served(centre: Centre) -> None:
    """What the older store still knows is on the new lists; each number stands for one list."""
    card, later = issue(centre, 1), issue(centre, 2)
    centre.due()
    revoke(centre, card)
    copy = keep_copy(centre)
    centre.due()
    centre.lists.issue("sign", "SYSTEM")  # known to the archive alone
    served = standing(centre)
    back = set_back(centre, copy)
    back.pass_time(minutes=1)
    assert numbers(back.due()) == [("auth", "FULL", 3), ("sign", "FULL", 4)]
    assert serials(published(back, "sign.crl")) == serials(
        x509.load_der_x509_crl(served["sign.crl"])
    )
    revoke(back, later)
    assert len(back.due()) == 2
    assert len(published(back, "sign.crl")) == 2
    back.trail.verify()


@pytest.mark.parametrize("archive_kept", [True, False])
def test_lists_that_share_a_counter_never_share_a_number(
    centre: Centre, archive_kept: bool
) -> None:
    """The root's two lists: the other one's served number is above the one's own."""
    centre.due()
    copy = keep_copy(centre)
    centre.pass_time(hours=49)
    centre.due()
    if not archive_kept:
        shutil.rmtree(centre.archive.folder)
    back = set_back(centre, copy)
    assert numbers(back.due())[:2] == [("root", "RARL", 5), ("root", "SARL", 6)]
    assert back.due() == []


def test_numbers_in_the_archive_do_not_come_again_while_targets_are_away(centre: Centre) -> None:
    centre.due()
    copy = keep_copy(centre)
    revoke(centre, issue(centre, 1))
    made = {row.number: octets_of(centre, row) for row in centre.due() if row.issuer_id == "sign"}
    back = set_back(centre, copy)
    os.rename(back.folder / "public", back.folder / "away")
    (again,) = back.lists.issue("sign", "SYSTEM")
    assert made.keys() == {2}
    assert again.number == 3
    assert (back.archive.folder / "sign-2.crl").read_bytes() == made[2]


def test_what_an_older_store_forgot_is_noticed(centre: Centre) -> None:
    """And again at each turn, and by a target, if it was out of sight when the list was made."""
    back = forgetful(centre)
    served = standing(back)
    for _ in range(2):
        assert failures(back) == {"crl.entry.vanished"}
    refused(Refused, "crl.entry.vanished", lambda: back.lists.issue("sign", "SYSTEM"))
    os.rename(back.folder / "public", back.folder / "away")
    (blind,) = back.lists.issue("sign", "SYSTEM")
    os.rename(back.folder / "away", back.folder / "public")
    assert blind.entries == 0
    refused(Refused, "crl.entry.vanished", lambda: publish(back, blind))
    assert standing(back) == served


def test_two_people_let_it_go(centre: Centre) -> None:
    back = forgetful(centre)
    (serial,) = serials(published(back, "sign.crl"))
    for issuer_id in ("sign", "auth"):
        (row,) = back.lists.issue(issuer_id, "tachiai", release=release(back))
        assert row.number == 3
        publish(back, row)
    assert len(published(back, "sign.crl")) == 0
    removed = coverage_of(back, newest(back))["removed"]
    assert [(one["serial"], one["why"]) for one in removed["named"]] == [
        (f"{serial:040x}", "OVERRIDE")
    ]
    with back.store.read() as tx:
        kept = [tx.get_one(Statement, one) for one in json.loads(newest(back).override or "")]
    assert {one.operator_id for one in kept} == {"kanri", "tachiai"}
    assert failures(back) == set()
    back.trail.verify()


@pytest.mark.parametrize(
    ("manager", "second"), [("kanri", "kanri"), ("tachiai", "tachiai"), ("kanri", "tachiai")]
)
def test_one_person_cannot_nor_two_in_each_others_place(
    centre: Centre, manager: str, second: str
) -> None:
    back = forgetful(centre)
    served = standing(back)
    with pytest.raises(HpkiError) as refusal:
        back.lists.issue("sign", manager, release=release(back, manager, second))
    assert isinstance(refusal.value, Refused)
    assert back.archive.highest_number("sign") == 2, "nothing was signed"
    assert failures(back) == {"crl.entry.vanished"}
    assert standing(back) == served


def test_one_who_signs_for_two_is_noticed(centre: Centre) -> None:
    """Though both roles are hers, or another has put her name to it."""
    back = forgetful(centre)
    hers = replace(back.signers["kanri"], operator_id="tachiai")
    both = Release(hers, back.signers["kanri"], REASON)
    with pytest.raises(Refused):
        back.lists.issue("sign", "kanri", release=both)


def test_an_override_written_past_the_program_does_not_help(centre: Centre) -> None:
    """Neither made-up statements nor two people's for another list."""
    back = forgetful(centre)
    served = standing(back)
    (auth,) = back.lists.issue("auth", "tachiai", release=release(back))
    (sound,) = back.lists.issue("sign", "tachiai", release=release(back))
    os.rename(back.folder / "public", back.folder / "away")
    back.archive = Archive(back.folder / "other-lists")
    back.publish_to(back.public)
    (blind,) = back.lists.issue("sign", "SYSTEM")
    os.rename(back.folder / "away", back.folder / "public")
    with back.store.read() as tx:
        others = list(tx.exec(select(Statement.id)))[:2]
    ours = json.loads(sound.override or "")
    for forged in (
        json.dumps(ours),
        auth.override,
        json.dumps(others),
        json.dumps([ours[0], ours[0]]),
        json.dumps(ours[:1]),
        json.dumps(["a", "b"]),
        "[]",
    ):
        with back.store.begin() as tx:
            tx.get_one(RevocationList, blind.id).override = forged
        with back.store.read() as tx:
            row = tx.get_one(RevocationList, blind.id)
        with pytest.raises(Refused) as refusal:
            publish(back, row)
        assert refusal.value.code in ("crl.entry.vanished", "operators.statement.differs")
        assert standing(back) == served
