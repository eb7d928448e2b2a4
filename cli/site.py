"""Making a site folder: all of it or nothing."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from cli.config import FILE_NAME, Site, load_site
from cli.output import read_input, write_output
from cli.unlock import keep_memory_private
from cli.wiring import ANCHOR_LABEL, Services, now
from keys.backend import KeySpec
from keys.files import FileKeyBackend
from operators.acts import FirstMember, Keys, Name, Office, SetUp, act_digest, prove_keys
from operators.identity import Identity
from operators.statements import KeySigner, Signer
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from pki.signing import spki_der
from pki.validity import end_after_years, japan_date
from policies.role_tables import load_table, shipped_table
from policies.roles import Role
from policies.schema import Strict, load_toml
from policies.site import SiteKind
from store.migrate import upgrade

_FOLDERS = ("keys", "trail", "operators", "anchors", "ceremonies", "reports", "documents")
_ROLE_TABLE = "role-table.toml"
_MAX_STAFF_OCTETS = 256 * 1024


class _Person(Strict):
    name: Name
    full_name: str
    birth_date: date | None = None
    external: bool = False
    office: Office | None = None
    roles: tuple[Role, ...]


class StaffFile(Strict):
    """The first operators; the first two sign the first set-up."""

    operator: tuple[_Person, ...]


def make_site(
    folder: Path,
    kind_text: str,
    name: str,
    staff_file: Path | None,
    store_url: str,
    role_table: str = "full",
) -> Site:
    """Make the site beside its place and move it there when it is whole.

    ``role_table``: one that ships, or a TOML file, which is copied. Raises ``Conflict`` where
    something is already, ``Refused`` for a production site.
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
    table, octets = _load_role_table(role_table)
    target = folder.absolute()
    draft = target.with_name(f".{target.name}.init-{secrets.token_hex(4)}")
    if not target.parent.is_dir():
        raise NotFound(
            "cli.init.parent", f"there is no folder {target.parent}", "Make it, or name another."
        )
    try:
        draft.mkdir(mode=0o700)
        if octets is not None:
            write_output(draft / table, octets)
        _fill(draft, kind, name, staff, store_url, table)
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


def make_keys(
    services: Services,
    name: str,
    site_id: str,
    version: str = "",
    signer: Signer | None = None,
) -> Keys:
    """Make the two keys of a person and return the public ones, with proof of possession.

    ``version``: the end of the files' names, such as ``.new``; ``signer``: a signing key that is
    made already.
    """
    if signer is None:
        signer = KeySigner(name, _p256(services.operator_keys, f"{name}.sign{version}"))
    sealing = _p256(services.operator_keys, f"{name}.seal{version}")
    years = int(services.parameters.value("CREDENTIAL_YEARS"))
    expires_on = japan_date(end_after_years(japan_date(now()), years))
    return prove_keys(signer, sealing.public_key(), site_id, expires_on)


def new_identity(full_name: str, birth_date: date | None) -> Identity:
    """Return a person's identity with a fresh salt."""
    return Identity(full_name, birth_date, secrets.token_hex(32))


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


def _load_staff(kind: SiteKind, staff_file: Path | None) -> StaffFile:
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
    staff = load_toml(StaffFile, octets, "the staff file", "cli.init.staff")
    if len(staff.operator) < 2:
        raise InvalidInput("cli.init.staff", "the first set-up is signed by two operators")
    return staff


def _load_role_table(text: str) -> tuple[str, bytes | None]:
    """Return what hpki.toml says, and the octets of a file of the site's own."""
    if not text.endswith(".toml"):
        shipped_table(text)
        return text, None
    octets = read_input(Path(text), _MAX_STAFF_OCTETS, "cli.init.role_table")
    load_table(octets)
    return _ROLE_TABLE, octets


def _fill(
    draft: Path, kind: SiteKind, name: str, staff: StaffFile, store_url: str, role_table: str
) -> None:
    for folder in _FOLDERS:
        (draft / folder).mkdir(mode=0o700)
    public = draft / "public"
    public.mkdir()
    public.chmod(0o755)
    settings = draft / FILE_NAME
    settings.write_text(_settings(kind, name, store_url, role_table, "0" * 64), encoding="utf-8")
    for secret in ("cards", "documents"):
        write_secret(draft / "secrets" / secret, secrets.token_hex(32))
    if kind is SiteKind.TRAINING:
        for secret in ("ca-keys", "anchor"):
            write_secret(draft / "secrets" / secret, secrets.token_urlsafe(24))
        for person in staff.operator:
            make_passphrase(draft, person.name)
    services = Services(load_site(draft))
    upgrade(services.store)
    act, identities = _first_act(services, kind, staff)
    pinned = replace(services.directory, root=act_digest(act))
    officers = [services.signer(one.name) for one in staff.operator[:2]]
    with services.store.begin() as tx:
        services.trail.open_site(tx, act.site_id, kind)
        replace(services.staff, directory=pinned).set_up(tx, act, identities, officers)
    services.store.close()
    text = _settings(kind, name, store_url, role_table, pinned.root)
    settings.write_text(text, encoding="utf-8")


def _first_act(
    services: Services, kind: SiteKind, staff: StaffFile
) -> tuple[SetUp, dict[str, Identity]]:
    """Make the anchor key and everybody's keys; return what the officers sign, and who is who."""
    site_id = secrets.token_hex(8)
    anchor_key = _p256(services.anchor_keys, ANCHOR_LABEL)
    identities = {one.name: new_identity(one.full_name, one.birth_date) for one in staff.operator}
    members = tuple(
        FirstMember(
            operator=one.name,
            person=identities[one.name].digest(),
            external=one.external,
            office=one.office,
            keys=make_keys(services, one.name, site_id),
            roles=tuple(sorted(one.roles)),
        )
        for one in staff.operator
    )
    act = SetUp(
        site_id=site_id,
        kind=kind,
        anchor_key=spki_der(anchor_key.public_key()).hex(),
        policy=services.directory.policy,
        members=members,
    )
    return act, identities


def _p256(keys: FileKeyBackend, label: str) -> ec.EllipticCurvePrivateKey:
    key = keys.generate(label, KeySpec("P-256"))
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidInput("cli.operator.key", "these keys are P-256")
    return key


def _settings(kind: SiteKind, name: str, store_url: str, role_table: str, pinned: str) -> str:
    typed = "{ prompt = true }"
    training = kind is SiteKind.TRAINING
    ca_keys = '{ file = "secrets/ca-keys" }' if training else typed
    anchor = '{ file = "secrets/anchor" }' if training else typed
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
anchor = {anchor}
cards = {{ file = "secrets/cards" }}
operators = {operators}
documents = {{ file = "secrets/documents" }}

# The first set-up: every appointment is proven back to it. Compare it with the signed page.
[operators]
setup = "{pinned}"
role_table = {json.dumps(role_table)}

[publication]
folder = "public"
"""
