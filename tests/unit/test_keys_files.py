"""Private keys in files: encrypted, private to their owner, never overwritten."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from keys.backend import KeySpec
from keys.files import FileKeyBackend, make_private_key
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable

P256 = KeySpec("P-256")


def backend(folder: Path, passphrase: bytes = b"right") -> FileKeyBackend:
    return FileKeyBackend(folder / "keys", lambda label: passphrase and label.encode() + passphrase)


def test_a_key_comes_back_in_another_process(tmp_path: Path) -> None:
    made = backend(tmp_path).generate("sign", P256)
    opened = backend(tmp_path).open("sign")
    assert opened.private_numbers() == made.private_numbers()
    assert opened is not made
    assert backend(tmp_path).labels() == ("sign",)


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    backend(tmp_path).generate("sign", P256)
    assert stat.S_IMODE((tmp_path / "keys" / "sign.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_the_file_is_encrypted(tmp_path: Path) -> None:
    key = backend(tmp_path).generate("sign", P256)
    octets = (tmp_path / "keys" / "sign.pem").read_bytes()
    assert octets.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert not set(plain.splitlines()[1:-1]) & set(octets.splitlines())
    with pytest.raises(TypeError):
        serialization.load_pem_private_key(octets, None)


def test_openssl_opens_it_with_the_passphrase_alone(tmp_path: Path) -> None:
    backend(tmp_path).generate("sign", P256)
    command = ["openssl", "pkey", "-in", str(tmp_path / "keys" / "sign.pem"), "-noout", "-passin"]
    assert subprocess.run([*command, "pass:signright"], capture_output=True).returncode == 0
    assert subprocess.run([*command, "pass:wrong"], capture_output=True).returncode != 0


@pytest.mark.parametrize("passphrase", [b"wrong", b""])
def test_a_wrong_passphrase_is_refused(tmp_path: Path, passphrase: bytes) -> None:
    backend(tmp_path).generate("sign", P256)
    with pytest.raises(Refused) as refusal:
        backend(tmp_path, passphrase).open("sign")
    assert refusal.value.code == "keys.passphrase.wrong"


@pytest.mark.parametrize("octets", [b"", b"garbage", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"])
def test_a_damaged_file_is_refused(tmp_path: Path, octets: bytes) -> None:
    keys = backend(tmp_path)
    keys.generate("sign", P256)
    (tmp_path / "keys" / "sign.pem").write_bytes(octets)
    with pytest.raises(Refused):
        backend(tmp_path).open("sign")


def test_a_plain_key_put_in_its_place_is_refused(tmp_path: Path) -> None:
    backend(tmp_path).generate("sign", P256)
    plain = make_private_key(P256).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "keys" / "sign.pem").write_bytes(plain)
    with pytest.raises(Refused):
        backend(tmp_path).open("sign")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    octets = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"oddright"),
    )
    (tmp_path / "keys" / "odd.pem").write_bytes(octets)
    with pytest.raises(InvalidInput) as refusal:
        backend(tmp_path).open("odd")
    assert refusal.value.code == "keys.type"


def test_an_empty_passphrase_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refusal:
        backend(tmp_path, b"").generate("sign", P256)
    assert refusal.value.code == "keys.passphrase.empty"
    assert backend(tmp_path).labels() == ()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    backend(tmp_path).generate("sign", P256)
    before = (tmp_path / "keys" / "sign.pem").read_bytes()
    with pytest.raises(Conflict) as refusal:
        backend(tmp_path, b"other").generate("sign", P256)
    assert refusal.value.code == "keys.label.taken"
    assert (tmp_path / "keys" / "sign.pem").read_bytes() == before


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "sign.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        backend(tmp_path).generate("sign", P256)
    assert not (tmp_path / "elsewhere").exists()


def test_an_unknown_label(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as refusal:
        backend(tmp_path).open("sign")
    assert refusal.value.code == "keys.label.unknown"


@pytest.mark.parametrize("label", ["", "../x", "a/b", "Sign", "-x", ".x", "a\n", "x" * 64, "é"])
def test_labels_cannot_leave_the_folder(tmp_path: Path, label: str) -> None:
    with pytest.raises(InvalidInput) as opening:
        backend(tmp_path).open(label)
    with pytest.raises(InvalidInput) as making:
        backend(tmp_path).generate(label, P256)
    assert opening.value.code == making.value.code == "keys.label"


def test_a_file_in_the_folders_place_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not a folder")
    with pytest.raises(Unavailable):
        backend(tmp_path).open("sign")
    with pytest.raises(Unavailable):
        backend(tmp_path).generate("sign", P256)


@pytest.mark.parametrize(("name", "bits"), [("RSA-2048", 2048), ("P-256", 256), ("P-384", 384)])
def test_specifications(name: str, bits: int) -> None:
    key = make_private_key(KeySpec(name))
    assert key.key_size == bits
    if isinstance(key, rsa.RSAPrivateKey):
        assert key.public_key().public_numbers().e == 65537
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)


@pytest.mark.parametrize("name", ["", "RSA-1024", "RSA-512", "rsa-2048", "P-521", "RSA-"])
def test_no_other_specification(name: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        KeySpec(name)
    assert refusal.value.code == "keys.spec"
