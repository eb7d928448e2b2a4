"""``hpki.toml`` of a site, with ``HPKI_…`` variables over it; unknown keys are errors."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from pki.errors import InvalidInput, NotFound, Unavailable
from policies.profiles import Profiles, load_profiles, shipped_profiles
from policies.role_tables import RoleTable, load_table, shipped_table
from policies.schema import Strict
from policies.site import SiteKind

FILE_NAME = "hpki.toml"
_MAX_OCTETS = 256 * 1024
_STORES = ("sqlite:///", "postgresql+psycopg://")


class SecretReference(Strict):
    """Where a secret is, never the secret: one of the five forms.

    ``file``: a file of mode 0600; ``folder``: a folder with one such file for each name;
    ``fd``: a file descriptor; ``prompt``: asked for; ``env``: a variable, in training only.
    """

    file: str | None = None
    folder: str | None = None
    fd: int | None = None
    prompt: bool = False
    env: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> SecretReference:
        if [bool(value is not None and value is not False) for value in self.forms()].count(
            True
        ) != 1:
            raise ValueError("a secret reference has exactly one of file, folder, fd, prompt, env")
        return self

    def forms(self) -> tuple[object, ...]:
        """Return the five values."""
        return (self.file, self.folder, self.fd, self.prompt, self.env)


class Centre(Strict):
    """Which centre this is; its kind is fixed for life and also stands in the store."""

    kind: SiteKind
    name: str


class StoreSection(Strict):
    """SQLAlchemy URL; a relative SQLite path is relative to the site folder."""

    url: str = "sqlite:///store.sqlite"

    @field_validator("url")
    @classmethod
    def _known_and_without_password(cls, url: str) -> str:
        if not url.startswith(_STORES) or url == _STORES[0]:
            raise ValueError("it is neither sqlite:///FILE nor postgresql+psycopg://…")
        parts = urlsplit(url)
        if ":" in parts.netloc.rpartition("@")[0] or "password" in dict(parse_qsl(parts.query)):
            raise ValueError("it holds a password: leave that to ~/.pgpass or PGPASSFILE")
        return url


class Secrets(Strict):
    """References to passphrases of CA, anchor and operators' keys, and to two keys in hexadecimal.

    ``cards``: the card master key; ``documents``: the data key of documents, 32 octets, which a
    site without files of documents does without.
    """

    ca_keys: SecretReference
    anchor: SecretReference
    cards: SecretReference
    operators: SecretReference
    documents: SecretReference | None = None


class Publication(Strict):
    """The folder that is served, and others that get the same, by name.

    Paths are relative to the site folder; a mirror is best a folder of another machine.
    """

    folder: str = "public"
    mirrors: Mapping[str, str] = {}

    @field_validator("mirrors")
    @classmethod
    def _other_names(cls, mirrors: Mapping[str, str]) -> Mapping[str, str]:
        if "public" in mirrors:
            raise ValueError("public is the name of publication.folder itself")
        return mirrors


class ProfilesSection(Strict):
    """The folder with the operator's own profiles, beside those that ship; none if not named."""

    folder: str | None = None


class AnchorsSection(Strict):
    """Folders kept elsewhere that get every anchor; a time-stamping authority and its roots (PEM).

    Paths are relative to the site folder. ``tsa``: http or https; ``tsa`` and ``tsa_roots`` come
    together or not at all.
    """

    folders: tuple[str, ...] = ()
    tsa: str | None = None
    tsa_roots: str | None = None

    @model_validator(mode="after")
    def _authority_with_roots(self) -> AnchorsSection:
        if (self.tsa is None) != (self.tsa_roots is None):
            raise ValueError("tsa and tsa_roots come together")
        if self.tsa is not None:
            parts = urlsplit(self.tsa)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("tsa is neither http://HOST/… nor https://HOST/…")
        return self


class DocumentsSection(Strict):
    """Programs that show documents, as words without a shell; not named, known ones are tried.

    They must open the path given last in the process started, and copy nothing.
    """

    image_viewer: tuple[str, ...] = ()
    pdf_viewer: tuple[str, ...] = ()
    signed_viewer: tuple[str, ...] = ()


class OperatorsSection(Strict):
    """The pinned first set-up (SHA-256), and the role table: one that ships, or a file's path."""

    setup: str
    role_table: str = "full"


class RaSection(Strict):
    """Whose CA issues what is approved here: the id of a peer, or our own if none is named."""

    ca: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None


class Settings(BaseSettings):
    """All settings of a site."""

    model_config = SettingsConfigDict(
        env_prefix="HPKI_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    centre: Centre
    store: StoreSection = StoreSection()
    secrets: Secrets
    publication: Publication = Publication()
    profiles: ProfilesSection = ProfilesSection()
    operators: OperatorsSection
    parameters: Mapping[str, str | int | float] = {}
    anchors: AnchorsSection = AnchorsSection()
    documents: DocumentsSection = DocumentsSection()
    ra: RaSection = RaSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let variables win over the file."""
        return env_settings, init_settings


@dataclass(frozen=True)
class Site:
    """A site folder and its settings."""

    folder: Path
    settings: Settings

    def path(self, name: str) -> Path:
        """Return a path inside the site folder; an absolute one stays as it is."""
        return self.folder / name

    @property
    def store_url(self) -> str:
        """The store's URL with an absolute path."""
        url = self.settings.store.url
        prefix = "sqlite:///"
        if url.startswith(prefix):
            return f"{prefix}{(self.folder / url.removeprefix(prefix)).resolve()}"
        return url


def load_site(folder: Path) -> Site:
    """Return the site in the folder.

    Raises ``NotFound`` where there is none, ``InvalidInput`` for a fault in the file or a variable.
    """
    tree = _read(folder / FILE_NAME)
    variables = _variables()
    try:
        return Site(folder.resolve(), Settings(**_without_overridden_secrets(tree, variables)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = tuple(str(part) for part in first["loc"])
        unknown = first["type"] == "extra_forbidden"
        what = "unknown key" if unknown else first["msg"].removeprefix("Value error, ")
        source = FILE_NAME if not _holds(variables, place) else "a variable HPKI_…"
        raise InvalidInput(
            "cli.config",
            f"{source}: {'.'.join(place)}: {what}",
            "Correct the file or the variable; `hpki config show` of a sound site shows all keys.",
        ) from None


def site_profiles(site: Site) -> Profiles:
    """Return the profiles that ship and the site's own; raises for a fault in one of these."""
    folder = site.settings.profiles.folder
    return shipped_profiles() if folder is None else load_profiles(site.path(folder))


def site_role_table(site: Site) -> RoleTable:
    """Return the role table in force; raises ``NotFound``, or for a fault in the site's own."""
    name = site.settings.operators.role_table
    if not name.endswith(".toml"):
        return shipped_table(name)
    path = site.path(name)
    try:
        return load_table(path.read_bytes())
    except OSError as error:
        raise Unavailable(
            "cli.role_table", f"the role table {path} cannot be read: {error.strerror}"
        ) from None


def origins(site: Site) -> Iterator[tuple[str, str, str]]:
    """Yield key, value (secrets as their reference) and where it came from, for every setting."""
    from_file = InitSettingsSource(Settings, _read(site.folder / FILE_NAME))()
    from_environment = _variables()
    for key, value in _leaves(site.settings.model_dump(mode="json")):
        if value is None or value is False:
            continue
        origin = "default"
        if _holds(from_environment, key):
            origin = "environment"
        elif _holds(from_file, key):
            origin = FILE_NAME
        yield ".".join(key), str(value), origin


def _variables() -> dict[str, Any]:
    """Return what ``HPKI_SECTION__KEY`` variables set; an unknown section is an error."""
    for name in os.environ:
        section, nested, _ = name.removeprefix("HPKI_").lower().partition("__")
        if name.startswith("HPKI_") and nested and section not in Settings.model_fields:
            raise InvalidInput(
                "cli.config",
                f"the variable {name} sets nothing: there is no section {section}",
                f"Known: {', '.join(Settings.model_fields)}.",
            )
    try:
        return EnvSettingsSource(Settings, env_prefix="HPKI_", env_nested_delimiter="__")()
    except SettingsError as error:
        raise InvalidInput(
            "cli.config", f"a variable cannot be read: {error}", "Write it as HPKI_SECTION__KEY."
        ) from None


def _without_overridden_secrets(
    tree: Mapping[str, Any], variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the file's tree less the references that variables replace whole."""
    secrets, given = tree.get("secrets"), variables.get("secrets")
    if not isinstance(secrets, Mapping) or not isinstance(given, Mapping):
        return dict(tree)
    return {**tree, "secrets": {key: secrets[key] for key in secrets if key not in given}}


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            octets = file.read(_MAX_OCTETS + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            "cli.site.none",
            f"{path.parent} is not a site folder: it has no {FILE_NAME}",
            "Name one with --site or HPKI_SITE, or make one with `hpki init`.",
        ) from None
    except OSError as error:
        raise Unavailable("cli.site.read", f"{path} cannot be read: {error.strerror}") from None
    if len(octets) > _MAX_OCTETS:
        raise InvalidInput("cli.config", f"{FILE_NAME} is larger than {_MAX_OCTETS} octets")
    try:
        return tomllib.loads(octets.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput("cli.config", f"{FILE_NAME} is not TOML: {error}") from None


def _leaves(tree: Mapping[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, *above, key)
        else:
            yield (*above, key), value


def _holds(tree: Any, key: tuple[str, ...]) -> bool:
    for part in key:
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True
