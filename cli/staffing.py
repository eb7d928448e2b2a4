"""Decisions about people: who signs them, and where the keys of a person lie."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import TypeAdapter, ValidationError

from cli.config import Site
from cli.site import make_keys, new_identity, write_secret
from cli.wiring import Services
from keys.backend import KeySpec
from keys.files import make_private_key
from operators.acts import (
    Appoint,
    Grant,
    Keys,
    Member,
    Name,
    PersonAct,
    Rekey,
    SiteAct,
    prove_keys,
)
from operators.identity import plain
from operators.statements import KeySigner
from pki.errors import Conflict, HpkiError, InvalidInput, Unavailable
from policies.roles import Role
from policies.schema import S, validate
from policies.site import SiteKind
from store.database import Transaction
from store.files import sync_folder

_DRAFT = "new"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_LONGEST_NAME = 100
_ASIDE_DIGITS = 16


def signers_of(services: Services, operator: str, co_operator: str | None) -> list[KeySigner]:
    """Unlock the keys of those who sign together."""
    names = [operator] if co_operator is None else [operator, co_operator]
    return [services.signer(name) for name in names]


def decide(services: Services, act: PersonAct | SiteAct, signers: Sequence[KeySigner]) -> int:
    """Enter an act of the register and return its position in the trail."""
    with services.store.begin() as tx:
        return services.staff.decide(tx, act, signers)


def make_act(model: type[S], what: str, **fields: object) -> S:
    """Return an act; raises ``InvalidInput`` (``operators.WHAT``) for a value that does not fit."""
    return validate(model, fields, f"the {what}", f"operators.{what}")


def known_name(text: str) -> str:
    """Return a name to act under; raises ``InvalidInput`` (``operators.name``) for any other."""
    try:
        return _NAME.validate_python(text)
    except ValidationError:
        raise InvalidInput(
            "operators.name",
            f"{ascii(text[:_LONGEST_NAME])} is no name to act under",
            "It has 2 to 32 of a-z, 0-9 and hyphen, and begins with a letter.",
        ) from None


def known_roles(texts: Sequence[str]) -> tuple[Role, ...]:
    """Return the roles named, each once; raises ``InvalidInput`` for an unknown one."""
    try:
        return tuple(sorted({Role(one.upper()) for one in texts}))
    except ValueError:
        raise InvalidInput(
            "cli.role", f"unknown role in {', '.join(texts)}", f"Known: {', '.join(Role)}."
        ) from None


def known_day(text: str) -> date:
    """Return a day of Japan's calendar; raises ``InvalidInput`` unless it is YYYY-MM-DD."""
    with contextlib.suppress(ValueError):
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    raise InvalidInput("cli.day", f"{text!r} is no day", "Write it as YYYY-MM-DD.")


def past_day(services: Services, text: str) -> date:
    """Return a day that is over or today; raises ``InvalidInput`` for one to come."""
    day = known_day(text)
    with services.store.read() as tx:
        today = services.directory.now(tx).day
    if day > today:
        raise InvalidInput("cli.day", f"{day} is still to come", f"Today is {today} in Japan.")
    return day


@dataclass(frozen=True)
class NewPerson:
    """Whom to appoint."""

    name: str
    full_name: str
    birth_date: date | None
    external: bool
    office: str | None
    roles: tuple[Role, ...]

    def __post_init__(self) -> None:
        known_name(self.name)
        unfit = [one for one in self.full_name if unicodedata.category(one).startswith("C")]
        if not plain(self.full_name) or unfit or len(self.full_name) > _LONGEST_NAME:
            raise InvalidInput(
                "operators.full_name",
                f"this is no person's name: {ascii(self.full_name[:_LONGEST_NAME])}",
                f"Give it with --full-name, at most {_LONGEST_NAME} characters.",
            )


def appoint(services: Services, person: NewPerson, signers: Sequence[KeySigner]) -> None:
    """Make a person's keys, appoint and grant the roles: all of it or nothing."""
    name = person.name
    identity = new_identity(person.full_name, person.birth_date)

    def act(keys: Keys) -> Appoint:
        member = make_act(
            Member,
            "appointment",
            operator=name,
            person=identity.digest(),
            external=person.external,
            office=person.office,
            keys=keys,
        )
        return Appoint(member=member)

    def enter(tx: Transaction, keys: Keys) -> int:
        position = services.staff.decide(tx, act(keys), signers, identity)
        if person.roles:
            grant = Grant(operator=name, roles=person.roles)
            position = services.staff.decide(tx, grant, signers)
        return position

    with services.store.read() as tx:
        services.directory.verify_roles(name, person.roles)
        services.staff.verify_may_decide(tx, act(_trial_keys(services, tx, name)), signers)
    files = KeyFiles(services.site, name)
    with files.alone():
        files.refuse_existing()
        _enter_with_keys(services, files, enter)


def rekey(
    services: Services, name: str, operator: str, co_operator: str | None
) -> tuple[int, bool]:
    """Make a person's new keys and put the old ones aside: all of it or nothing.

    Return the position in the trail, and whether a change that broke off was undone before.
    """
    files = KeyFiles(services.site, name)
    with files.alone():
        undone = files.put_back(newest_credential(services, name))
        signers = signers_of(services, operator, co_operator)

        def enter(tx: Transaction, keys: Keys) -> int:
            return services.staff.decide(tx, Rekey(operator=name, keys=keys), signers)

        with services.store.read() as tx:
            trial = Rekey(operator=name, keys=_trial_keys(services, tx, name))
            services.staff.verify_may_decide(tx, trial, signers)
        return _enter_with_keys(services, files, enter), undone


def newest_credential(services: Services, name: str) -> str:
    """Return the id of the signing key registered last; raises ``NotFound`` for nobody."""
    with services.store.read() as tx:
        return services.directory.register(tx).account(name).keys[-1].credential


@dataclass(frozen=True)
class KeyFiles:
    """The files of a person's keys and, where a folder holds these, of their passphrases.

    ``NAME.sign.pem`` is in use, ``NAME.sign.new.pem`` in the making and never registered,
    ``NAME.sign.CREDENTIAL.pem`` (first 16 digits) put aside by a change of keys.
    """

    site: Site
    name: str

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
        """Make new keys, in a training site with a random passphrase."""
        self.drop_draft()
        passphrase = self._pairs(_DRAFT)[2:]
        if services.kind is SiteKind.TRAINING and passphrase:
            write_secret(passphrase[0][1], secrets.token_urlsafe(24))
        return make_keys(services, self.name, site_id, f".{_DRAFT}")

    def drop_draft(self) -> None:
        """Remove keys in the making; they were never registered."""
        training = self.site.settings.centre.kind is SiteKind.TRAINING
        for _, draft in self._pairs(_DRAFT)[: None if training else 2]:
            draft.unlink(missing_ok=True)

    def put_in_place(self, replaced: str | None) -> None:
        """Put the keys of a credential aside and those in the making into use, on the disk."""
        try:
            if replaced is not None:
                for used, aside in self._pairs(replaced[:_ASIDE_DIGITS]):
                    if used.exists():
                        used.rename(aside)
            pairs = self._pairs(_DRAFT)
            for used, draft in pairs:
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
        self.take_out([used for used, _ in aside])
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
        """Return each file in use with its name in a version."""
        keys = self.site.path("operators")
        pairs = [
            (keys / f"{self.name}.{part}.pem", keys / f"{self.name}.{part}.{version}.pem")
            for part in ("sign", "seal")
        ]
        if self.site.settings.secrets.operators.folder is not None:
            folder = self.site.path(self.site.settings.secrets.operators.folder)
            pairs.append((folder / self.name, folder / f"{self.name}.{version}"))
        return pairs


def _enter_with_keys(
    services: Services, files: KeyFiles, enter: Callable[[Transaction, Keys], int]
) -> int:
    """Make keys, enter them, and put their files in place just before that is final."""
    with services.store.read() as tx:
        site_id = services.trail.site(tx)[0]
        account = services.directory.register(tx).accounts.get(files.name)
        replaced = account.keys[-1].credential if account is not None else None
    try:
        keys = files.make_draft(services, site_id)
        with services.store.begin() as tx:
            position = enter(tx, keys)
            files.put_in_place(replaced)
    except BaseException:
        with contextlib.suppress(HpkiError, OSError):
            _undo(services, files)
        raise
    return position


def _undo(services: Services, files: KeyFiles) -> None:
    """Leave the files of those keys that the register says, whatever became of the change."""
    with services.store.read() as tx:
        account = services.directory.register(tx).accounts.get(files.name)
    if account is None:
        files.take_out()
    else:
        files.put_back(account.keys[-1].credential)
    files.drop_draft()


def _trial_keys(services: Services, tx: Transaction, name: str) -> Keys:
    """Return keys of nobody, in memory, to see whether a decision about keys would be refused."""
    signing, sealing = (make_private_key(KeySpec("P-256")) for _ in range(2))
    if not isinstance(signing, ec.EllipticCurvePrivateKey) or not isinstance(
        sealing, ec.EllipticCurvePrivateKey
    ):
        raise InvalidInput("cli.operator.key", "these keys are P-256")
    site_id, today = services.trail.site(tx)[0], services.directory.now(tx).day
    return prove_keys(KeySigner(name, signing), sealing.public_key(), site_id, today)
