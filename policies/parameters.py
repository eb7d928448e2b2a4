"""Every number of the rules, each with its unit and how firm it is; a site may set its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from functools import cache
from typing import Literal

from pydantic import StrictInt

from pki.errors import InvalidInput
from policies.schema import Firm, Strict, Words, load_toml, policy_data

Number = int | Decimal
_CODE = "policies.parameter"
_MOST = 1_000_000
_DECIMALS = 6


class Parameter(Strict):
    """One number: ``value`` in ``unit`` (y and d are calendar years and days), where it is from."""

    key: str
    value: StrictInt | Decimal
    unit: Literal["y", "y after expiry", "d", "h", "min", "ms", "tries", "%"]
    source: Words
    firm: Firm


class _Table(Strict):
    parameter: tuple[Parameter, ...]


@cache
def _shipped() -> dict[str, Parameter]:
    table = load_toml(_Table, policy_data("parameters.toml"), "parameters.toml", _CODE)
    return {entry.key: entry for entry in table.parameter}


def parameters() -> tuple[Parameter, ...]:
    """Return every parameter that ships, in the table's order."""
    return tuple(_shipped().values())


def parameter(key: str) -> Parameter:
    """Return the parameter that ships; raises ``InvalidInput`` (``policies.parameter``) if none."""
    found = _shipped().get(key)
    if found is None:
        near = get_close_matches(key.upper(), _shipped(), n=3)
        raise InvalidInput(
            _CODE, f"there is no parameter {key!r}", f"Near it: {', '.join(near)}." if near else ""
        )
    return found


@dataclass(frozen=True)
class Parameters:
    """The numbers that ship under a site's own, which are its ``overrides``.

    An override is a whole number, or any number (a decimal's digits in a string, too) where the one
    that ships has a decimal point; more than 0, at most 1,000,000 (100 for %), to six decimals.
    Anything else and an unknown key raise ``InvalidInput`` (``policies.parameter``).
    """

    overrides: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.overrides:
            self.value(key)

    def value(self, key: str) -> Number:
        """Return the number in force; raises ``InvalidInput`` for an unknown key."""
        shipped = parameter(key)
        if key not in self.overrides:
            return shipped.value
        return _number(shipped, self.overrides[key])


def _number(shipped: Parameter, given: object) -> Number:
    """Return what a site gave, of the type of the number that ships."""
    decimal = _decimal(given)
    whole = isinstance(shipped.value, int)
    fault = None
    if decimal is None or not decimal.is_finite():
        fault = "is no number"
    elif decimal <= 0:
        fault = "is not more than 0"
    elif decimal > (100 if shipped.unit == "%" else _MOST):
        fault = "is too large"
    elif whole and decimal != decimal.to_integral_value():
        fault = "is no whole number"
    elif decimal != round(decimal, _DECIMALS):
        fault = "has too many decimals"
    if decimal is None or fault is not None:
        raise InvalidInput(
            _CODE,
            f"{shipped.key} {fault}",
            f"It ships as {shipped.value} ({shipped.unit}).",
        )
    return int(decimal) if whole else Decimal(f"{decimal.normalize():f}")


def _decimal(given: object) -> Decimal | None:
    """Return the number given, a float as it was written, or None."""
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal | str):
        return None
    try:
        return Decimal(str(given) if isinstance(given, float) else given)
    except InvalidOperation:
        return None
