"""Secrets resolved from their references, and operators' keys unlocked, once a process."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from dataclasses import dataclass, field
from getpass import getpass

from cryptography.hazmat.primitives.asymmetric import ec

from cli.config import SecretReference, Site
from cli.output import refuse_shared
from keys.files import FileKeyBackend
from operators.statements import KeySigner
from pki.errors import InvalidInput, NotFound, Refused, Unavailable
from policies.site import SiteKind

_PR_SET_DUMPABLE = 4
_MAX_OCTETS = 4096
_ASIDE_DIGITS = 16


def keep_memory_private() -> None:
    """Forbid core files and reading of this process's memory by others of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@dataclass
class Vault:
    """Resolves the secret references of one site and remembers what was typed."""

    site: Site
    _typed: dict[str, bytes] = field(default_factory=dict, repr=False)
    _descriptors: dict[int, str] = field(default_factory=dict, repr=False)

    def ca_keys(self) -> bytes:
        """Return the passphrase of the CA keys."""
        first = not any(self.site.path("keys").glob("*.pem"))
        return self._resolve(self.site.settings.secrets.ca_keys, "CA keys", first=first)

    def anchor(self) -> bytes:
        """Return the passphrase of the key that signs anchors."""
        first = not any(self.site.path("trail").glob("*.pem"))
        return self._resolve(self.site.settings.secrets.anchor, "anchor key", first=first)

    def card_master(self) -> bytes:
        """Return the card master key, written as hexadecimal digits."""
        return self._key(self.site.settings.secrets.cards, "card master key")

    def documents(self) -> bytes:
        """Return the data key of documents, written as hexadecimal digits."""
        reference = self.site.settings.secrets.documents
        if reference is None:
            raise Unavailable(
                "cli.secret.documents",
                "hpki.toml names no data key for documents",
                "Put 64 random hexadecimal digits into a file (0600), keep a copy elsewhere, and "
                'add to [secrets]: documents = { file = "secrets/documents" }.',
            )
        return self._key(reference, "data key of documents")

    def operator(self, name: str) -> bytes:
        """Return the passphrase of an operator's keys: ``NAME``, or ``NAME.VERSION`` of others.

        A version is ``new``, or the first digits of the credential of keys put aside. Where the
        signing key is on a card, ``NAME.seal`` and ``NAME.seal.VERSION`` are the passphrases of the
        encryption key.
        """
        person, _, rest = name.partition(".")
        label = name if f"{rest}.".startswith("seal.") else f"{person}.sign{name[len(person) :]}"
        first = not self.site.path(f"operators/{label}.pem").exists()
        return self._resolve(self.site.settings.secrets.operators, name, first=first)

    def pin(self, name: str, *, first: bool = False) -> str:
        """Return the PIN of an operator's card: ``NAME``, or ``NAME.VERSION``.

        ``first``: a new one. It is remembered until ``forget``.
        """
        reference = self.site.settings.secrets.operators
        try:
            return self._resolve(reference, name, first=first, kind="PIN").decode("ascii")
        except UnicodeDecodeError:
            self.forget(name)
            raise InvalidInput("card.pin_format", "a PIN is made of ASCII characters") from None

    def forget(self, name: str) -> None:
        """Forget what was typed or read under the name, since it is wrong."""
        self._typed.pop(name, None)

    def _key(self, reference: SecretReference, name: str) -> bytes:
        text = self._resolve(reference, name)
        try:
            return bytes.fromhex(text.decode())
        except ValueError:
            raise InvalidInput(
                "cli.secret.form", f"the {name} is not written in hexadecimal"
            ) from None

    def _resolve(
        self,
        reference: SecretReference,
        name: str,
        *,
        first: bool = False,
        kind: str = "passphrase",
    ) -> bytes:
        if name not in self._typed:
            self._typed[name] = self._fetch(reference, name, first=first, kind=kind)
        return self._typed[name]

    def _fetch(self, reference: SecretReference, name: str, *, first: bool, kind: str) -> bytes:
        if reference.file is not None:
            return self._read_file(reference.file)
        if reference.folder is not None:
            return self._read_file(f"{reference.folder}/{name}")
        if reference.fd is not None:
            return self._read_descriptor(reference.fd, name)
        if reference.env is not None:
            return self._read_variable(reference.env)
        if not sys.stdin.isatty():
            raise Unavailable(
                "cli.secret.prompt",
                f"the {kind} of {name} is to be typed, but there is no terminal",
                "Use a secret reference by file or fd in hpki.toml.",
            )
        who = name.removesuffix(".new")
        asked = f"new {kind}" if first else kind
        typed = getpass(f"{asked[0].upper()}{asked[1:]} of {who}: ")
        if first and getpass(f"The same again, of {who}: ") != typed:
            raise Refused("cli.secret.twice", f"the two {kind}s of {who} differ", "Try again.")
        return typed.encode()

    def _read_file(self, name: str) -> bytes:
        path = self.site.path(name)
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                refuse_shared(path, mode)
                return file.read(_MAX_OCTETS).rstrip(b"\r\n")
        except OSError as error:
            raise Unavailable(
                "cli.secret.file",
                f"the secret {path} cannot be read: {error.strerror}",
                "Check the secret reference in hpki.toml and the file.",
            ) from None

    def _read_descriptor(self, descriptor: int, name: str) -> bytes:
        first = self._descriptors.setdefault(descriptor, name)
        if first != name:
            raise Unavailable(
                "cli.secret.fd",
                f"descriptor {descriptor} gave the passphrase of {first}, not that of {name} too",
                "Where two sign, let hpki.toml name a folder of passphrases, or prompt.",
            )
        try:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                return file.read(_MAX_OCTETS).rstrip(b"\r\n")
        except OSError as error:
            raise Unavailable(
                "cli.secret.fd", f"descriptor {descriptor} cannot be read: {error.strerror}"
            ) from None

    def _read_variable(self, name: str) -> bytes:
        if self.site.settings.centre.kind is not SiteKind.TRAINING:
            raise Refused("cli.secret.env", "secrets in variables are for training sites only")
        value = os.environ.get(name)
        if value is None:
            raise Unavailable("cli.secret.env", f"the variable {name} is not set")
        return value.encode()


def operator_backend(site: Site, vault: Vault) -> FileKeyBackend:
    """Return the folder of operators' keys: ``NAME.sign`` and ``NAME.seal``, with a version or not.

    ``NAME.sign.new`` are keys in the making, ``NAME.sign.CREDENTIAL`` those that were replaced.
    Both have the secret ``NAME``; beside ``NAME.card.toml``, whose PIN that is, the encryption key
    has ``NAME.seal``.
    """

    def secret(label: str) -> bytes:
        person, _, rest = label.partition(".")
        part, dot, version = rest.partition(".")
        if part == "seal" and site.path(f"operators/{person}.card{dot}{version}.toml").exists():
            return vault.operator(label)
        return vault.operator(f"{person}{dot}{version}")

    return FileKeyBackend(site.path("operators"), secret)


def unlock(backend: FileKeyBackend, name: str) -> KeySigner:
    """Return the operator's signer; raises ``Refused`` for a wrong passphrase."""
    if f"{name}.sign" not in backend.labels():
        raise NotFound(
            "operators.unknown", f"there is no operator {name!r}", "See `hpki operator list`."
        )
    key = backend.open(f"{name}.sign")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidInput("cli.operator.key", f"the signing key of {name} is not P-256")
    return KeySigner(name, key)


def unlock_sealing(
    backend: FileKeyBackend, name: str, credential_id: str
) -> ec.EllipticCurvePrivateKey:
    """Return the encryption key that belongs to the signing key of that credential id.

    It lies under ``NAME.seal``, and once replaced under ``NAME.seal.CREDENTIAL`` (16 digits).
    """
    replaced = f"{name}.seal.{credential_id[:_ASIDE_DIGITS]}"
    key = backend.open(replaced if replaced in backend.labels() else f"{name}.seal")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidInput("cli.operator.key", f"the encryption key of {name} is not P-256")
    return key
