"""What the register paper of an organisation says beside its acts: who it is, what it issues."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from pki.errors import InvalidInput
from policies.exchange import Part
from policies.profiles import Purpose
from policies.schema import Strict


def _printable(text: str) -> str:
    if any(unicodedata.category(one).startswith("C") for one in text) or not text.strip():
        raise ValueError("it is no line of text")
    return text


_Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_printable)]


class Offered(Strict):
    """What a person gets on a carrier: ``id@version`` for each purpose, and how long for."""

    carrier: _Line
    profiles: Mapping[Purpose, _Line]
    validity_years: int = Field(ge=1, le=100)


class Authority(Strict):
    """A CA and what every certificate under it says of it.

    ``certificate``: DER in base64; ``issues``: the ids of the end-entity profiles it issues by.
    """

    id: _Line
    certificate: Annotated[str, StringConstraints(max_length=64 * 1024)]
    issues: tuple[_Line, ...]
    cps_uri: _Line
    crl_uri: _Line
    japanese_names: bool
    hash: Literal["SHA-256", "SHA-384"]


class RegisterContent(Strict):
    """``offers`` and ``authorities`` are empty for a registration authority."""

    part: Part
    name: _Line
    offers: tuple[Offered, ...] = ()
    authorities: Annotated[tuple[Authority, ...], Field(max_length=100)] = ()


def to_base64(octets: bytes) -> str:
    """Return the base64 text of octets."""
    return base64.b64encode(octets).decode()


def from_base64(text: str, what: str) -> bytes:
    """Return the octets of base64 text; raises ``InvalidInput`` (``exchange.base64``)."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise InvalidInput("exchange.base64", f"{what} is not base64") from None
