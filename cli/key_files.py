"""The files of people's keys: made beside those in use, put in place, put back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.config import Site
from cli.operator_cards import NewCard
from cli.site import make_keys, write_secret
from cli.wiring import Services, now
from operators.acts import Keys, signing_key
from pki.errors import Conflict, Unavailable
from policies.site import SiteKind
from store.files import sync_folder

_DRAFT = "new"
_ASIDE_DIGITS = 16


@dataclass(frozen=True)
class KeyFiles:
    """The files of a person's keys and, where a folder holds these, of their secrets.

    ``NAME.sign.pem`` is in use, ``NAME.sign.new.pem`` in the making and never registered,
    ``NAME.sign.CREDENTIAL.pem`` (first 16 digits) put aside by a change of keys; ``NAME.card.toml``
    stands in its place where the key is on a card. ``card``: where new keys are to be on one.
    """

    site: Site
    name: str
    card: NewCard | None = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Change key files as the only one who does; raises ``Conflict`` where another does."""
        folder = self.site.path("operators")
        with contextlib.ExitStack() as stack:
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(
                    "cli.operator.busy",
                    "somebody else is making keys of an operator now",
                    "Wait until that has ended.",
                ) from None
            except OSError as error:
                raise Unavailable(
                    "cli.operator.files", f"{folder} cannot be used: {error.strerror}"
                ) from None
            yield

    def refuse_existing(self) -> None:
        """Raise ``Conflict`` if files of somebody whom nobody appointed are there."""
        found = [str(used) for used, _ in self._pairs(_DRAFT) if used.exists()]
        if found:
            raise Conflict(
                "operators.keys.left",
                f"nobody appointed {self.name}, but there is {' and '.join(found)}",
                "An appointment broke off, or the store is older than the keys: move them away.",
            )

    def make_draft(self, services: Services, site_id: str) -> Keys:
        """Make new keys, in a training site with a random passphrase; a PIN is always given."""
        self.drop_draft()
        for path in self._made_secrets():
            write_secret(path, secrets.token_urlsafe(24))
        signer = None
        if self.card is not None:
            with services.store.read() as tx:
                accounts = services.directory.register(tx).accounts
            others = [
                signing_key(held.keys.signing_key)
                for name, account in accounts.items()
                for held in account.keys
                if name != self.name
            ]
            signer = services.operator_cards.take_key(self.name, self.card, others, now())
        return make_keys(services, self.name, site_id, f".{_DRAFT}", signer)

    def drop_draft(self) -> None:
        """Remove keys in the making; they were never registered."""
        for path in (*self._keys(_DRAFT), *self._made_secrets()):
            path.unlink(missing_ok=True)

    def put_in_place(self, replaced: str | None) -> None:
        """Put the keys of a credential aside and those in the making into use, on the disk."""
        try:
            if replaced is not None:
                for used, aside in self._pairs(replaced[:_ASIDE_DIGITS]):
                    if used.exists():
                        used.rename(aside)
            pairs = self._pairs(_DRAFT)
            other = self._of_files() if self.card is not None else self._of_cards()
            for used, draft in pairs:
                if used not in other:
                    draft.rename(used)
            for folder in {used.parent for used, _ in pairs}:
                sync_folder(folder)
        except OSError as error:
            raise Unavailable(
                "cli.operator.files",
                f"the keys of {self.name} cannot be put in place: {error.strerror}",
            ) from None

    def put_back(self, registered: str) -> bool:
        """Put registered keys back where a change of keys broke off; return if one did."""
        aside = self.put_aside(registered)
        new = {used for used, _ in aside}
        for one, other in (
            (self._of_files(), self._of_cards()),
            (self._of_cards(), self._of_files()),
        ):
            if one & new:  # it was of this kind, so what is of the other alone is new
                new |= other
                break
        self.take_out(new)
        for used, kept in aside:
            kept.replace(used)
        return bool(aside)

    def take_out(self, paths: Collection[Path] | None = None) -> None:
        """Make files in use, which were never registered, a draft again; None: all of them."""
        for used, draft in self._pairs(_DRAFT):
            if used.exists() and (paths is None or used in paths):
                used.replace(draft)

    def put_aside(self, credential: str) -> list[tuple[Path, Path]]:
        """Return where the files of a credential were and are, those put aside only."""
        pairs = self._pairs(credential[:_ASIDE_DIGITS])
        return [(used, aside) for used, aside in pairs if aside.is_file()]

    def _pairs(self, version: str) -> list[tuple[Path, Path]]:
        """Return each file in use with its name in a version; not all of them are ever there."""
        used = (*self._keys(), *self._secrets())
        return list(zip(used, (*self._keys(version), *self._secrets(version)), strict=True))

    def _keys(self, version: str = "") -> tuple[Path, Path, Path]:
        """Return the files of the signing key, in a file or on a card, and the encryption key."""
        folder, end = self.site.path("operators"), f".{version}" if version else ""
        sign, card, seal = (f"{self.name}.{part}{end}" for part in ("sign", "card", "seal"))
        return folder / f"{sign}.pem", folder / f"{card}.toml", folder / f"{seal}.pem"

    def _secrets(self, version: str = "") -> tuple[Path, ...]:
        """Return the files of passphrase or PIN, and of a card holder's other passphrase."""
        name, end = self.site.settings.secrets.operators.folder, f".{version}" if version else ""
        if name is None:
            return ()
        folder = self.site.path(name)
        return folder / f"{self.name}{end}", folder / f"{self.name}.seal{end}"

    def _made_secrets(self) -> tuple[Path, ...]:
        """Return the files of secrets in the making that we make: passphrases for training."""
        if self.site.settings.centre.kind is not SiteKind.TRAINING:
            return ()
        return self._secrets(_DRAFT)[1:] if self.card is not None else self._secrets(_DRAFT)[:1]

    def _of_files(self) -> set[Path]:
        """Return the files in use that are there only for a signing key in a file."""
        return {self._keys()[0]}

    def _of_cards(self) -> set[Path]:
        """Return the files in use that are there only for a signing key on a card."""
        return {self._keys()[1], *self._secrets()[1:]}
