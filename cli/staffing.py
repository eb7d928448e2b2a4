"""Decisions about people: who signs them, and where the keys of a person lie."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import TypeAdapter, ValidationError

from cli.key_files import KeyFiles
from cli.operator_cards import NewCard
from cli.site import new_identity
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
from operators.statements import KeySigner, Signer
from pki.errors import HpkiError, InvalidInput
from policies.roles import Role
from policies.schema import S, validate
from store.database import Transaction

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_LONGEST_NAME = 100


def signers_of(services: Services, operator: str, co_operator: str | None) -> list[Signer]:
    """Unlock the keys of those who sign together."""
    names = [operator] if co_operator is None else [operator, co_operator]
    return [services.signer(name) for name in names]


def decide(services: Services, act: PersonAct | SiteAct, signers: Sequence[Signer]) -> int:
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


def appoint(
    services: Services,
    person: NewPerson,
    signers: Sequence[Signer],
    card: NewCard | None = None,
) -> None:
    """Make a person's keys, appoint and grant the roles: all of it or nothing.

    ``card``: where the signing key is to be on a card.
    """
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
    files = KeyFiles(services.site, name, card)
    with files.alone():
        files.refuse_existing()
        _enter_with_keys(services, files, enter)


def rekey(
    services: Services,
    name: str,
    operator: str,
    co_operator: str | None,
    card: NewCard | None = None,
) -> tuple[int, bool]:
    """Make a person's new keys and put the old ones aside: all of it or nothing.

    Return the position in the trail, and whether a change that broke off was undone before.
    """
    files = KeyFiles(services.site, name, card)
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
