"""What a file of a document may be: types and limits as data, each with source and firmness."""

from __future__ import annotations

from functools import cache
from typing import Final, Literal, Self

from pydantic import PositiveInt, model_validator

from policies.schema import Firm, Strict, Words, load_toml, policy_data

MediaType = Literal["image/jpeg", "image/png", "application/pdf", "application/pkcs7-mime"]

SIGNED: Final = "application/pkcs7-mime"
"""A signed application (RFC 8551 section 3.2): only `hpki ra receive-signed` keeps one."""


class _Rule(Strict):
    source: Words
    firm: Firm


class Types(_Rule):
    """The media types taken."""

    value: tuple[MediaType, ...]


class Limit(_Rule):
    """One number."""

    value: PositiveInt


class Ratio(_Rule):
    """The shape of a picture, in any unit."""

    width: PositiveInt
    height: PositiveInt


class MediaRules(Strict):
    """The rules of one document; pixels are width times height, of pictures only.

    ``ratio`` and its tolerance come together: a picture whose shape is fixed.
    """

    types: Types
    max_octets: Limit
    max_pixels: Limit
    min_pixels: Limit
    max_pages: Limit
    ratio: Ratio | None = None
    ratio_tolerance_percent: Limit | None = None

    @model_validator(mode="after")
    def _ratio_with_tolerance(self) -> Self:
        if (self.ratio is None) != (self.ratio_tolerance_percent is None):
            raise ValueError("ratio and ratio_tolerance_percent come together")
        return self


class _Table(Strict):
    otherwise: MediaRules
    code: dict[str, MediaRules]


@cache
def _table() -> _Table:
    return load_toml(_Table, policy_data("media.toml"), "media.toml", "policies.media")


def media_rules(code: str) -> MediaRules:
    """Return the rules for a document of that code."""
    return _table().code.get(code, _table().otherwise)


def most_octets() -> int:
    """Return the size of the largest file that any document may have."""
    table = _table()
    return max(rules.max_octets.value for rules in (table.otherwise, *table.code.values()))
