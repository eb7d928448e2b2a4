"""``hpki.toml`` of a site, with ``HPKI_…`` variables over it; unknown keys are errors."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from pki.errors import InvalidInput, NotFound, Unavailable
from policies.schema import Strict
from policies.site import SiteKind

FILE_NAME = "hpki.toml"
_MAX_OCTETS = 256 * 1024


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


class Secrets(Strict):
    """References to the passphrases of CA keys and operators' keys and to the card master key."""

    ca_keys: SecretReference
    cards: SecretReference
    operators: SecretReference


class Publication(Strict):
    """The folder that is served."""

    folder: str = "public"


class Settings(BaseSettings):
    """All settings of a site."""

    model_config = SettingsConfigDict(
        env_prefix="HPKI_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    centre: Centre
    store: StoreSection = StoreSection()
    secrets: Secrets
    publication: Publication = Publication()

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
    try:
        return Site(folder.resolve(), Settings(**tree))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        raise InvalidInput(
            "cli.config", f"{FILE_NAME}: {place}: {what}", "Correct the file or the variable."
        ) from None
    except SettingsError as error:
        raise InvalidInput("cli.config", f"a HPKI_ variable cannot be read: {error}") from None


def origins(site: Site) -> Iterator[tuple[str, str, str]]:
    """Yield key, value (secrets as their reference) and where it came from, for every setting."""
    from_file = InitSettingsSource(Settings, _read(site.folder / FILE_NAME))()
    from_environment = EnvSettingsSource(Settings, env_prefix="HPKI_", env_nested_delimiter="__")()
    for key, value in _leaves(site.settings.model_dump(mode="json")):
        if value is None or value is False:
            continue
        origin = "default"
        if _holds(from_environment, key):
            origin = "environment"
        elif _holds(from_file, key):
            origin = FILE_NAME
        yield ".".join(key), str(value), origin


def _read(path: Path) -> dict[str, Any]:
    try:
        octets = path.read_bytes()[: _MAX_OCTETS + 1]
    except FileNotFoundError:
        raise NotFound(
            "cli.site.none",
            f"{path.parent} is not a site folder: it has no {FILE_NAME}",
            "Name one with --site or HPKI_SITE, or make one with `hpki init`.",
        ) from None
    except OSError as error:
        raise Unavailable("cli.site.read", f"{path} cannot be read: {error.strerror}") from None
    try:
        return tomllib.loads(octets.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
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
