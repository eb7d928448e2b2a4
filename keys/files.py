"""Private keys as encrypted PKCS#8 files, mode 0600."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from keys.backend import KeySpec, PrivateKey
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable

_LABEL = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}\Z")
_MAX_OCTETS = 64 * 1024


class FileKeyBackend:
    """Keys in ``folder`` as ``LABEL.pem``, encrypted under the passphrase of ``secret(label)``.

    Each key opened stays open for the life of the object, since checking it costs 26 ms and more.
    """

    hardware = False

    def __init__(self, folder: Path, secret: Callable[[str], bytes]) -> None:
        self._folder = folder
        self._secret = secret
        self._opened: dict[str, PrivateKey] = {}

    def generate(self, label: str, spec: KeySpec) -> PrivateKey:
        """Make a key and write it before it is given out."""
        path = self._path(label)
        if path.exists():
            raise Conflict("keys.label.taken", f"there is a key {label!r} already")
        passphrase = self._secret(label)
        if not passphrase:
            raise InvalidInput("keys.passphrase.empty", f"the passphrase of {label!r} is empty")
        key = make_private_key(spec)
        octets = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        )
        _write_new(path, octets)
        self._opened[label] = key
        return key

    def open(self, label: str) -> PrivateKey:
        """Return the key of the label."""
        if label in self._opened:
            return self._opened[label]
        path = self._path(label)
        try:
            octets = path.read_bytes()[:_MAX_OCTETS]
        except FileNotFoundError:
            raise NotFound("keys.label.unknown", f"there is no key {label!r}") from None
        except OSError as error:
            raise Unavailable("keys.file", f"{path} cannot be read: {error.strerror}") from None
        try:
            key = serialization.load_pem_private_key(octets, self._secret(label))
        except (ValueError, TypeError):
            raise Refused(
                "keys.passphrase.wrong",
                f"the passphrase does not open the key {label!r}",
                "Check the secret reference in hpki.toml, or type the passphrase again.",
            ) from None
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise InvalidInput("keys.type", f"the key {label!r} is neither RSA nor EC")
        self._opened[label] = key
        return key

    def labels(self) -> tuple[str, ...]:
        """Return the labels of the files in the folder."""
        return tuple(sorted(path.name.removesuffix(".pem") for path in self._folder.glob("*.pem")))

    def _path(self, label: str) -> Path:
        if not _LABEL.match(label):
            raise InvalidInput(
                "keys.label", f"{label!r} is not a key label", "Use a-z, 0-9, dot and hyphen."
            )
        return self._folder / f"{label}.pem"


def make_private_key(spec: KeySpec) -> PrivateKey:
    """Return a new private key, with exponent 65537 for RSA."""
    if spec.rsa_bits is not None:
        return rsa.generate_private_key(public_exponent=65537, key_size=spec.rsa_bits)
    return ec.generate_private_key(spec.curve)


def _write_new(path: Path, octets: bytes) -> None:
    try:
        _make_folder(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.parent)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise Conflict("keys.label.taken", f"there is a key {path.stem!r} already") from None
    except OSError as error:
        raise Unavailable("keys.file", f"{path} cannot be written: {error.strerror}") from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
