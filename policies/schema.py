"""Strict reading of TOML into typed values: an unknown key is an error with its place."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib.resources import files
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from pki.errors import InvalidInput

_MAX_OCTETS = 1024 * 1024

Firm = Literal["SEEN", "RECALL-H", "RECALL-M", "RECALL-L", "INFERRED", "PROPOSAL", "UNKNOWN"]
"""How far a row of data can be trusted: the labels of operations 0.1."""
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A text that says something."""


class Strict(BaseModel):
    """A frozen value whose unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Strict)


def policy_data(name: str) -> bytes:
    """Return the octets of a file of ``policies/data/``."""
    return files("policies").joinpath("data", name).read_bytes()


def load_toml(model: type[S], octets: bytes, what: str, code: str) -> S:
    """Return ``model`` read from UTF-8 TOML.

    Raises ``InvalidInput`` with ``code`` and the first fault: encoding, syntax with its line, the
    unknown or missing key, or the value that does not fit.
    """
    return validate(model, parse_toml(octets, what, code), what, code)


def parse_toml(octets: bytes, what: str, code: str) -> dict[str, Any]:
    """Return the tree of UTF-8 TOML, decimals as ``Decimal``.

    Raises ``InvalidInput`` for encoding, size and syntax.
    """
    if len(octets) > _MAX_OCTETS:
        raise InvalidInput(code, f"{what} is larger than {_MAX_OCTETS} octets")
    try:
        return tomllib.loads(octets.decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise InvalidInput(code, f"{what} is not UTF-8 at octet {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(code, f"{what} is not TOML: {error}") from None
    except RecursionError:
        raise InvalidInput(code, f"{what} is nested too deeply") from None


def validate(model: type[S], tree: object, what: str, code: str) -> S:
    """Return ``model`` made of ``tree``; raises ``InvalidInput`` naming the first fault."""
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "(top)"
        if first["type"] == "extra_forbidden":
            raise InvalidInput(
                code, f"{what}: unknown key {place}", "Remove it, or correct its spelling."
            ) from None
        raise InvalidInput(code, f"{what}: {place}: {first['msg']}") from None
