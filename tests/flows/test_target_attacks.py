"""What lies in wait where lists are served from and kept: in place of a file, lock or folder."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509

from crl import publishing
from crl.archive import locked
from crl.publishing import FolderPublisher
from crl.rhythm import Done
from tests.flows.conftest import Centre, Moulds
from tests.flows.test_list_attacks import codes, due, list_rows, listed, revoked, scope_of
from tests.flows.test_lists import octets_of, serials


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:
    """In a file: nothing here is the database's."""
    copy = moulds.copy(tmp_path, None)
    yield copy
    copy.store.close()


def in_time(act: Callable[[], Done], seconds: float) -> Done:
    """Call it in a thread, which must end in time."""
    found: list[Done] = []
    thread = threading.Thread(target=lambda: found.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"not done after {seconds} s"
    return found[0]


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def holes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 42)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.mkdir()


def foreign_link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("put", [pipe, endless, holes, loop, foreign_link])
def test_what_is_no_file_is_replaced(centre: Centre, put: Callable[[Path], None]) -> None:
    """A list, a certificate and a page, each at once and by a whole file of ours."""
    centre.due()
    centre.repository.publish()
    serial, public = revoked(centre, 1), centre.folder / "public"
    for name in ("sign.crl", "root.cer", "index.html"):
        (public / name).unlink()
        put(public / name)
    assert codes(in_time(lambda: due(centre), 30)) == []
    assert codes(in_time(lambda: Done([], centre.repository.publish()), 30)) == []
    assert listed(centre, serial)
    for name in ("sign.crl", "root.cer", "index.html"):
        status = (public / name).lstat()
        assert stat.S_ISREG(status.st_mode)
        assert status.st_size < 1 << 20


def test_a_folder_in_place_of_a_file_holds_up_no_other(centre: Centre) -> None:
    centre.due()
    centre.repository.publish()
    serial, public = revoked(centre, 1), centre.folder / "public"
    for name in ("auth.crl", "index.html"):
        (public / name).unlink()
        folder(public / name)
    assert codes(in_time(lambda: due(centre), 30)) == ["crl.publish.write"]
    assert [one.code for one in centre.repository.publish()] == ["crl.publish.write"]
    assert listed(centre, serial)


def hold_up(centre: Centre, put: Callable[[Path], None]) -> list[str]:
    """Put something in the lock's place; return what failed while the other target was served."""
    mirror = centre.folder / "mirror"
    centre.publish_to(centre.public, FolderPublisher("mirror", mirror))
    serial = revoked(centre, 1)
    lock = centre.folder / "public" / ".lock"
    lock.parent.mkdir()
    put(lock)
    found = in_time(lambda: due(centre), 30)
    parsed = x509.load_der_x509_crl((mirror / "sign.crl").read_bytes())
    assert serials(parsed) == [int(serial, 16)]
    return codes(found)


def archives_lock(path: Path) -> None:
    path.symlink_to(path.parent.parent / "lists" / ".lock")


def elsewhere(path: Path) -> None:
    path.symlink_to(path.parent.parent / "elsewhere")


@pytest.mark.parametrize("put", [archives_lock, elsewhere, folder, loop])
def test_a_lock_that_is_none_is_refused_at_once(
    centre: Centre, put: Callable[[Path], None]
) -> None:
    """The archive's own we hold ourselves and would wait for; no file is made elsewhere."""
    assert hold_up(centre, put) == ["crl.write"] * 4
    assert not (centre.folder / "elsewhere").exists()


def test_a_lock_that_another_holds_is_waited_for_in_vain(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert publishing._PATIENCE * 4 <= 20, "for each of our lists"
    monkeypatch.setattr(publishing, "_PATIENCE", 0.1)
    with ExitStack() as holding:
        held = hold_up(centre, lambda path: holding.enter_context(locked(path, 0)))
    assert held == ["crl.busy"] * 4


@pytest.mark.parametrize("place", ["public", "lists"])
def test_the_sweep_takes_what_is_ours(centre: Centre, place: str) -> None:
    """Not a folder of such a name, nor another's file, and neither stops it."""
    centre.due()
    within = centre.folder / place
    kept, foreign, ours = (within / f".{n}.0123456789abcdef" for n in ("a", "b", "c"))
    kept.mkdir()
    for path in (foreign, ours):
        path.write_text("left")
    if os.geteuid() == 0:
        os.chown(foreign, 12345, 12345)
    serial = revoked(centre, 1)
    assert codes(due(centre)) == []
    assert listed(centre, serial)
    assert kept.is_dir()
    assert foreign.exists() is (os.geteuid() == 0)
    assert not ours.exists()


def test_a_list_of_another_scope_that_is_served_is_replaced(centre: Centre) -> None:
    centre.due()
    public = centre.folder / "public"
    own = scope_of(public / "rarl.crl")
    (public / "rarl.crl").write_bytes((public / "sarl.crl").read_bytes())
    assert codes(due(centre)) == []
    assert scope_of(public / "rarl.crl") == own
    centre.pass_time(hours=49)
    (public / "rarl.crl").write_bytes((public / "sarl.crl").read_bytes())
    assert codes(due(centre)) == []
    assert scope_of(public / "rarl.crl") == own


def unreadable(path: Path, _: Path) -> None:
    path.chmod(0o600)


def linked(path: Path, archived: Path) -> None:
    path.unlink()
    path.symlink_to(archived)


@pytest.mark.parametrize("spoil", [unreadable, linked])
def test_what_nobody_can_fetch_is_mended(
    centre: Centre, spoil: Callable[[Path, Path], None]
) -> None:
    """Though it is octet for octet the list: the archive's folder is closed to the web server."""
    centre.due()
    path, (row,) = centre.folder / "public" / "sign.crl", list_rows(centre)
    spoil(path, centre.archive.list_path(row))
    assert codes(due(centre)) == []
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_bytes() == octets_of(centre, row)


def test_an_archive_open_to_all_is_closed(centre: Centre) -> None:
    centre.archive.folder.mkdir()
    centre.archive.folder.chmod(0o777)
    centre.due()
    assert stat.S_IMODE(centre.archive.folder.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in centre.archive.folder.iterdir()}
    assert modes == {0o600}
