"""Making a site folder: all of it or nothing."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from cli.config import FILE_NAME, Site, load_site
from cli.output import read_input
from cli.unlock import keep_memory_private
from cli.wiring import Services
from keys.backend import KeySpec
from operators.directory import Appointment
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from policies.roles import Role
from policies.schema import Strict, load_toml
from policies.site import SiteKind
from store.migrate import upgrade

_FOLDERS = ("keys", "operators", "ceremonies", "reports")
_MAX_STAFF_OCTETS = 256 * 1024


class _Person(Strict):
    name: str
    full_name: str
    roles: tuple[Role, ...]


class Staff(Strict):
    """The first operators; the first two sign the first set-up."""

    operator: tuple[_Person, ...]


@dataclass(frozen=True)
class NewOperator:
    """A person whose keys are to be made."""

    name: str
    full_name: str
    roles: tuple[Role, ...]


def make_site(
    folder: Path, kind_text: str, name: str, staff_file: Path | None, store_url: str
) -> Site:
    """Make the site beside its place and move it there when it is whole.

    Raises ``Conflict`` where something is already, ``Refused`` for a production site.
    """
    keep_memory_private()
    kind = _kind(kind_text)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(
            "cli.init.exists", f"{folder} exists and is not empty", "Name a folder that is new."
        )
    if kind is SiteKind.PRODUCTION:
        raise Refused(
            "cli.init.production",
            "a production site refuses CA keys in software, and this version has no HSM yet",
            "Make a trial or training site.",
        )
    staff = _load_staff(kind, staff_file)
    target = folder.absolute()
    draft = target.with_name(f".{target.name}.init-{secrets.token_hex(4)}")
    if not target.parent.is_dir():
        raise NotFound(
            "cli.init.parent", f"there is no folder {target.parent}", "Make it, or name another."
        )
    try:
        draft.mkdir(mode=0o700)
        _fill(draft, kind, name, staff, store_url)
        if target.exists():
            target.rmdir()
        draft.rename(target)
    except OSError as error:
        raise Unavailable(
            "cli.init.write", f"{folder} cannot be made: {error.strerror}", "Nothing was left."
        ) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load_site(target)


def appointment(services: Services, person: NewOperator) -> Appointment:
    """Make the person's two keys and return the appointment for signature."""
    keys = services.operator_keys
    signing = keys.generate(f"{person.name}.sign", KeySpec("P-256"))
    sealing = keys.generate(f"{person.name}.seal", KeySpec("P-256"))
    if not isinstance(signing, ec.EllipticCurvePrivateKey) or not isinstance(
        sealing, ec.EllipticCurvePrivateKey
    ):
        raise InvalidInput("cli.operator.key", "operators' keys are P-256")
    return Appointment(
        person.name, person.full_name, signing.public_key(), sealing.public_key(), person.roles
    )


def make_passphrase(folder: Path, name: str) -> None:
    """Write a random passphrase to a new file, 0600."""
    path = folder / "secrets" / "operators" / name
    write_secret(path, secrets.token_urlsafe(24))


def write_secret(path: Path, text: str) -> None:
    """Write a secret to a new file of mode 0600."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(
            "cli.secret.exists",
            f"there is a secret {path} already",
            "If an appointment broke off, remove it together with the operator's key files.",
        ) from None
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{text}\n")


def _kind(text: str) -> SiteKind:
    try:
        return SiteKind(text)
    except ValueError:
        raise InvalidInput(
            "cli.init.kind", f"there is no kind {text!r}", "Known: production, trial, training."
        ) from None


def _load_staff(kind: SiteKind, staff_file: Path | None) -> Staff:
    if staff_file is not None:
        octets = read_input(staff_file, _MAX_STAFF_OCTETS, "cli.init.staff")
    elif kind is SiteKind.TRAINING:
        octets = files("cli").joinpath("data", "training_staff.toml").read_bytes()
    else:
        raise InvalidInput(
            "cli.init.staff",
            f"a {kind} site needs its first operators",
            "Give them with --staff FILE; cli/data/training_staff.toml shows the form.",
        )
    staff = load_toml(Staff, octets, "the staff file", "cli.init.staff")
    if len(staff.operator) < 2:
        raise InvalidInput("cli.init.staff", "the first set-up is signed by two operators")
    return staff


def _fill(draft: Path, kind: SiteKind, name: str, staff: Staff, store_url: str) -> None:
    for folder in _FOLDERS:
        (draft / folder).mkdir(mode=0o700)
    public = draft / "public"
    public.mkdir()
    public.chmod(0o755)
    (draft / FILE_NAME).write_text(_settings(kind, name, store_url), encoding="utf-8")
    write_secret(draft / "secrets" / "cards", secrets.token_hex(32))
    if kind is SiteKind.TRAINING:
        write_secret(draft / "secrets" / "ca-keys", secrets.token_urlsafe(24))
        for person in staff.operator:
            make_passphrase(draft, person.name)
    services = Services(load_site(draft))
    upgrade(services.store)
    people = [
        appointment(services, NewOperator(one.name, one.full_name, one.roles))
        for one in staff.operator
    ]
    officers = [services.signer(one.name) for one in staff.operator[:2]]
    with services.store.begin() as tx:
        services.trail.open_site(tx, secrets.token_hex(8), kind)
        services.directory.set_up(tx, people, officers)
    services.store.close()


def _settings(kind: SiteKind, name: str, store_url: str) -> str:
    typed = "{ prompt = true }"
    training = kind is SiteKind.TRAINING
    ca_keys = '{ file = "secrets/ca-keys" }' if training else typed
    operators = '{ folder = "secrets/operators" }' if training else typed
    return f"""# Settings of this site; `hpki config show` says what is in force and why.

[centre]
kind = "{kind}"
name = {json.dumps(name, ensure_ascii=False)}

[store]
url = {json.dumps(store_url)}

# References to secrets, never secrets: file, folder, fd, prompt (env in training only).
[secrets]
ca_keys = {ca_keys}
cards = {{ file = "secrets/cards" }}
operators = {operators}

[publication]
folder = "public"
"""
