"""The vault of documents: what stands on the disk, and what is refused of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pki.errors import InvalidInput, Refused, Unavailable
from policies.media import most_octets
from ra.documents.vault import Kept, Vault

PLANTED = "個人番号123456789018 住民票".encode()
WHO = "T2026-0001/RESIDENT_RECORD.1"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "documents", lambda: bytes(range(32)), os.urandom)


def test_a_file_is_kept_encrypted_and_private(vault: Vault, tmp_path: Path) -> None:
    one, two = vault.store(WHO, PLANTED), vault.store(WHO, PLANTED)
    files = [vault.folder / kept.name for kept in (one, two)]
    assert sorted(vault.folder.iterdir()) == sorted(files)
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert vault.folder.stat().st_mode & 0o777 == 0o700
    assert files[0].read_bytes()[:8] == files[1].read_bytes()[:8] == b"HPKIDOC1"
    assert files[0].read_bytes()[8:] != files[1].read_bytes()[8:]
    assert not any(PLANTED[:8] in file.read_bytes() for file in tmp_path.rglob("*.*"))
    assert vault.read(WHO, one) == vault.read(WHO, two) == PLANTED
    assert (one.size, one.sha256) == (len(PLANTED), two.sha256)


def test_the_row_and_the_file_must_fit(vault: Vault) -> None:
    one, two = vault.store(WHO, PLANTED), vault.store(WHO, PLANTED[::-1])
    swapped = [
        replace(one, name=two.name),
        replace(one, wrapped_key=two.wrapped_key),
        replace(one, sha256=two.sha256),
        replace(one, size=one.size - 1),
        replace(one, size=one.size + 1),
        replace(one, name="../hpki.toml"),
        replace(one, name=""),
    ]
    for kept in swapped:
        with pytest.raises(Refused):
            vault.read(WHO, kept)
    with pytest.raises(Refused):
        vault.read("T2026-0002/RESIDENT_RECORD.1", one)
    (vault.folder / one.name).write_bytes((vault.folder / two.name).read_bytes())
    with pytest.raises(Refused):
        vault.read(WHO, one)


@pytest.mark.parametrize("place", [0, 7, 8, 19, 20, -17, -16, -1])
def test_a_flipped_bit_anywhere_is_refused(vault: Vault, place: int) -> None:
    kept = vault.store(WHO, PLANTED)
    file = vault.folder / kept.name
    octets = bytearray(file.read_bytes())
    octets[place] ^= 0x40
    file.write_bytes(octets)
    with pytest.raises(Refused):
        vault.read(WHO, kept)


def test_what_is_destroyed_is_gone_and_strays_are_found(vault: Vault) -> None:
    assert vault.strays([]) == ()
    vault.destroy("0" * 32 + ".bin")
    one, two = vault.store(WHO, PLANTED), vault.store(WHO, PLANTED)
    (vault.folder / ".left-by-a-crash").write_bytes(b"")
    assert vault.strays([one.name]) == tuple(sorted((two.name, ".left-by-a-crash")))
    vault.destroy(one.name)
    vault.destroy(one.name)
    with pytest.raises(Unavailable, match="cannot be read: No such file"):
        vault.read(WHO, one)
    with pytest.raises(Refused):
        vault.destroy("../store.sqlite")


def test_too_little_and_too_much_is_not_kept(vault: Vault) -> None:
    for octets in (b"", bytes(most_octets() + 1)):
        with pytest.raises(InvalidInput, match="a document has 1 to"):
            vault.store(WHO, octets)
    assert not vault.folder.exists()


def test_a_disk_that_fails_is_told(vault: Vault) -> None:
    vault.folder.write_bytes(b"")
    with pytest.raises(Unavailable, match="cannot be written"):
        vault.store(WHO, PLANTED)
    with pytest.raises(Unavailable, match="cannot be read"):
        vault.read(WHO, Kept("0" * 32 + ".bin", "", "", 1))
