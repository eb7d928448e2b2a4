"""Lists while disks are full, folders locked, targets down, clocks wrong, and others at work."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from crl.archive import Archive
from crl.publishing import FolderPublisher
from crl.records import Delivery, RevocationList, lists
from crl.rhythm import Done
from pki.errors import HpkiError, Unavailable
from tests import tiers
from tests.conftest import postgres_server
from tests.faults.test_lists_killed import FILES, Runs, Witness, runs, witness
from tests.flows.conftest import Centre
from tests.flows.issuing import issue, refused

__all__ = ["postgres_server", "runs", "witness"]

SIGN, AUTH = "sign.crl", "auth.crl"
TINY = (4, 8, 12, 16, 20, 24)
"""Sizes of a file system, KiB: it is full at another step with each."""
BUSY = {"crl.publish.older", "crl.publish.view", "crl.entry.vanished", "crl.archive.missing"}
"""What a host is told when another host's newer list overtook its own."""


@contextmanager
def tiny_disk(folder: Path, size: int = 4) -> Iterator[None]:
    """A file system of so many KiB in place of the folder."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        tiers.tier_missing("full disk", f"no tmpfs can be mounted: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, *options: str) -> None:
    command = ["mount", "-o", ",".join(("remount", *options)), str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def done(centre: Centre) -> Done:
    return centre.rhythm.due("SYSTEM")


def codes(failures: list[HpkiError]) -> set[str]:
    return {one.code for one in failures}


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def made(centre: Centre) -> list[RevocationList]:
    with centre.store.read() as tx:
        return lists(tx)


def test_the_archives_disk_is_full(witness: Witness) -> None:
    """At every size there is a whole list or the one before, and later nothing is missing."""
    centre = witness.centre
    centre.due()
    stood = files(witness.targets[0])
    witness.revoke(issue(centre, 1))
    outcomes = []
    for size in TINY:
        centre.pass_time(minutes=1)
        centre.archive = Archive(centre.folder / f"lists-{size}")
        centre.publish_to(*centre.publication.targets)
        with tiny_disk(centre.archive.folder, size):
            failures = done(centre).failures
            outcomes.append(codes(failures))
            assert all("No space left" in one.text and one.hint for one in failures)
            witness.look()
            if codes(failures):
                assert any(files(folder)[SIGN] == stood[SIGN] for folder in witness.targets)
            assert [one for one in centre.archive.folder.glob(".*") if one.name != ".lock"] == []
    assert outcomes[0] == {"crl.write"}
    assert outcomes[-1] == set()
    centre.archive = Archive(centre.folder / "lists")
    centre.publish_to(*centre.publication.targets)
    centre.pass_time(hours=1)
    centre.lists.issue("sign", "SYSTEM")
    centre.lists.issue("auth", "SYSTEM")
    centre.due()
    witness.look_when_done(thorough=False)  # the lists of the disks that are gone are missing


def test_a_targets_disk_is_full(witness: Witness) -> None:
    """The other target has the list at once, and this one when there is room."""
    centre, (public, mirror) = witness.centre, witness.targets
    with tiny_disk(public, 4 * len(FILES)):
        centre.due()
        witness.look_when_done()
        stood = files(public)
        witness.revoke(issue(centre, 1))
        centre.pass_time(minutes=1)
        assert codes(done(centre).failures) == {"crl.publish.write"}
        assert files(public) == stood
        assert files(mirror)[SIGN] != stood[SIGN]
        witness.look()
        remount(public, "size=64k")
        assert codes(done(centre).failures) == {"crl.publish.waiting"}, "left alone for a minute"
        assert files(public) == stood
        centre.pass_time(minutes=1)
        centre.due()
        witness.look_when_done()


def test_a_folder_cannot_be_written(witness: Witness) -> None:
    """First a target's, then the archive's: read-only file systems, which bind root too."""
    centre, (public, mirror) = witness.centre, witness.targets
    archive = centre.archive.folder
    with tiny_disk(public, 256), tiny_disk(archive, 256):
        centre.due()
        stood = files(public)
        witness.revoke(issue(centre, 1))
        centre.pass_time(minutes=1)
        remount(public, "ro")
        (one, other) = done(centre).failures
        assert "Read-only" in one.text
        assert one.code == other.code == "crl.write"
        assert files(public) == stood
        assert files(mirror)[SIGN] != stood[SIGN]
        remount(public, "rw")
        remount(archive, "ro")
        centre.pass_time(minutes=1)
        assert "Read-only" in refused(Unavailable, "crl.write", centre.due).text
        witness.look()
        remount(archive, "rw")
        centre.due()
        witness.look_when_done()


def test_the_archive_is_gone_before_a_list_was_delivered(witness: Witness) -> None:
    centre = witness.centre
    centre.due()
    witness.revoke(issue(centre, 1))
    down = FolderPublisher("mirror", block(centre.folder / "blocked"))
    centre.publish_to(centre.publication.targets[0], down)
    done(centre)
    shutil.rmtree(centre.archive.folder)
    centre.archive.folder.write_text("a file")
    refused(Unavailable, "crl.write", centre.due)
    centre.archive.folder.unlink()
    centre.publish_to(*(FolderPublisher(one.name, one) for one in witness.targets))
    centre.pass_time(minutes=1)
    centre.due()
    assert done(centre).failures == []
    witness.look_when_done(thorough=False)  # the lists that were lost are missing


def block(path: Path) -> Path:
    """A folder that cannot be made, as its parent is a file."""
    path.write_text("a file")
    return path / "mirror"


def test_a_target_is_down_for_hours(witness: Witness) -> None:
    """It is tried after 1, 2, 4… 60 minutes; the other is served at once."""
    centre, (public, mirror) = witness.centre, witness.targets
    centre.due()
    stood = files(mirror)
    witness.revoke(issue(centre, 1))
    aside = mirror.rename(mirror.with_name("aside"))
    mirror.write_text("a file")
    assert codes(done(centre).failures) == {"crl.write"}
    served = files(public)
    assert served[SIGN] != stood[SIGN]
    for attempts, minutes in enumerate((1, 2, 4, 8, 16, 32, 60, 60), start=1):
        centre.pass_time(minutes=minutes, seconds=-1)
        assert codes(done(centre).failures) == {"crl.publish.waiting"}
        assert attempts_at(centre, "mirror") == attempts
        centre.pass_time(seconds=1)
        assert codes(done(centre).failures) == {"crl.write"}
    witness.revoke(issue(centre, 2))
    assert codes(done(centre).failures) == {"crl.write", "crl.publish.waiting"}
    assert attempts_at(centre, "mirror") == 1, "a newer list is tried at once"
    assert files(public)[SIGN] != served[SIGN]
    mirror.unlink()
    aside.rename(mirror)
    assert files(mirror) == stood
    centre.pass_time(minutes=1)
    assert {row.number for row in centre.due()} == {3}
    witness.look_when_done()


def attempts_at(centre: Centre, target: str) -> int:
    """How often the newest list of the signature CA failed there."""
    newest = next(row for row in made(centre) if row.issuer_id == "sign")
    with centre.store.read() as tx:
        return tx.get_one(Delivery, (newest.id, target)).attempts


def test_what_somebody_put_in_a_lists_place_is_replaced(witness: Witness) -> None:
    centre, (public, _) = witness.centre, witness.targets
    centre.due()
    older = files(public)
    witness.revoke(issue(centre, 1))
    centre.pass_time(minutes=1)
    centre.due()
    newest = files(public)
    assert older[SIGN] != newest[SIGN]
    for wrong in (b"", b"garbage", newest[SIGN][:-1], older[SIGN], newest[AUTH], None):
        (public / SIGN).unlink()
        if wrong is not None:
            (public / SIGN).write_bytes(wrong)
        centre.pass_time(minutes=1)
        assert centre.rhythm.due("SYSTEM").failures == []
        assert files(public) == newest
    (public / SIGN).unlink()
    (public / SIGN).mkdir()
    assert codes(done(centre).failures) == {"crl.publish.write"}
    (public / SIGN).rmdir()
    centre.pass_time(minutes=1)
    centre.due()
    witness.look_when_done()
    assert files(public) == newest


def test_a_clock_that_lags_a_little_makes_a_list_all_the_same(witness: Witness) -> None:
    """As another machine's may: the list bears the time of the one before."""
    centre = witness.centre
    for number in (1, 2):
        centre.due()
        witness.revoke(issue(centre, number))
        at = centre.now
        centre.now = at - timedelta(seconds=30)
        assert len(centre.due()) == 2
        assert centre.due() == [], "one list, not one at each turn"
        assert made(centre)[0].this_update == at
        centre.now = at
        witness.look_when_done()
        assert centre.due() == []
        centre.pass_time(hours=25 if number == 1 else 0)


@pytest.mark.parametrize("hours", [2, 24, 24 * 400])
@pytest.mark.parametrize("lists_before", [1, 2])
@pytest.mark.parametrize("revoked", [True, False])
def test_a_clock_set_back_makes_nothing(
    witness: Witness, hours: int, lists_before: int, revoked: bool
) -> None:
    centre = witness.centre
    for _ in range(lists_before):
        centre.pass_time(hours=49)
        centre.due()
    at, stood, rows = centre.now, files(witness.targets[0]), made(centre)
    if revoked:
        witness.revoke(issue(centre, 1))
    centre.now = at - timedelta(hours=hours)
    for _ in range(2):
        failures = done(centre).failures
        assert codes(failures) == {"crl.clock"}
        assert len({one.hint for one in failures}) == 1
        assert isinstance(failures[0], Unavailable)
        refused(Unavailable, "crl.clock", lambda: centre.lists.issue("sign", "SYSTEM"))
    assert made(centre) == rows, "no number is taken for nothing"
    assert files(witness.targets[0]) == stood
    witness.look()
    centre.now = at + timedelta(minutes=1)
    assert len(centre.due()) == (2 if revoked else 0)
    witness.look_when_done()


@pytest.mark.parametrize("days", [1, 400])
def test_a_clock_that_ran_ahead_and_was_set_right(witness: Witness, days: int) -> None:
    """Once two managers said so the list of the future is followed by one of now, with all on it.

    An entry whose certificate had expired on the list of the future is on the next one again.
    """
    centre = witness.centre
    witness.revoke(issue(centre, 1, validity_years=1))
    centre.due()
    at = centre.now
    centre.pass_time(days=days)
    centre.due()
    centre.pass_time(hours=49)
    centre.due()
    served = files(witness.targets[0])
    centre.now = at + timedelta(minutes=1)
    for _ in range(2):
        assert codes(done(centre).failures) == {"crl.clock"}
    assert files(witness.targets[0]) == served
    with centre.store.begin() as tx:
        centre.staff.step_clock(tx, [centre.signers[name] for name in ("kanri", "tachiai")])
    witness.revoke(issue(centre, 2))
    assert len(centre.due()) == len(FILES)
    witness.look_when_done()
    assert centre.due() == []


@pytest.fixture
def crowd(witness: Witness) -> Iterator[list[Runs]]:
    yield from crowd_of(witness, [None] * 4)


def crowd_of(witness: Witness, archives: list[Path | None]) -> Iterator[list[Runs]]:
    """Processes that make and publish lists at once, each with that archive."""
    every = [Runs(witness.centre, witness.targets, archive=one) for one in archives]
    yield every
    for one in every:
        one.close()


def at_once(crowd: list[Runs], cards: list[str] | None = None) -> set[str]:
    """Let all run at once, each after it revoked its card; the codes of what failed."""
    for number, one in enumerate(crowd):
        one.begin(card=cards[number] if cards else "")
    every = [one.end() for one in crowd]
    assert {one.status for one in every} <= {0, 1}
    return {one.what for one in every if one.status}


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_four_processes_at_once_make_one_list(
    witness: Witness, crowd: list[Runs], rounds: int
) -> None:
    centre = witness.centre
    assert at_once(crowd) == set()
    for number in range(1, rounds + 1):
        centre.pass_time(minutes=1)
        witness.revoke(issue(centre, number))
        before = len(made(centre))
        assert at_once(crowd) == set()
        assert len(made(centre)) == before + 2, "one for each CA"
        witness.look_when_done(thorough=number == rounds)
    assert {row.state for row in made(centre)} == {"PUBLISHED"}


@pytest.mark.parametrize("turns", [1, pytest.param(8, marks=pytest.mark.soak)])
def test_a_burst_of_revocations_ends_on_few_lists(
    witness: Witness, crowd: list[Runs], turns: int
) -> None:
    """Every process revokes a card and makes what is due, all at once, again and again."""
    check_burst(witness, crowd, turns)
    witness.look_when_done()


def check_burst(
    witness: Witness, crowd: list[Runs], turns: int, busy: Collection[str] = ()
) -> None:
    centre = witness.centre
    centre.due()
    cards = [issue(centre, number) for number in range(1, turns * len(crowd) + 1)]
    for turn in range(turns):
        centre.pass_time(minutes=1)
        mine = cards[turn * len(crowd) : (turn + 1) * len(crowd)]
        before = len(made(centre))
        assert at_once(crowd, [one.id for one in mine]) <= {*busy}
        for one in mine:
            witness.note(one)
        assert len(made(centre)) <= before + 2 * len(crowd)
        witness.look()
    centre.pass_time(hours=2)
    centre.due()
    witness.look_when_done(thorough=False)


@pytest.mark.parametrize("turns", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_two_hosts_race_for_one_target(centre: Centre, turns: int) -> None:
    """Each has a store's connection and an archive of its own; nothing on the target goes back."""
    targets = (centre.folder / "public", centre.folder / "mirror")
    centre.publish_to(*(FolderPublisher(one.name, one) for one in targets))
    witness = Witness(centre, targets)
    archives = [centre.folder / f"lists-{number}" for number in range(3)]
    for crowd in crowd_of(witness, [*archives]):
        check_burst(witness, crowd, turns, BUSY)
    with centre.store.read() as tx:
        assert tx.exec(select(RevocationList)).first() is not None
    centre.trail.verify()
