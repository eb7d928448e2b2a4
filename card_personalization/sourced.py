"""Card layouts as data: TOML whose every item names its source and how firm it is.

Firmness: ``guideline``, ``example``, ``field``, ``choice``; what they mean stands in the files.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

from pki.errors import InvalidInput

_FIRMNESS = ("guideline", "example", "field", "choice")


def shipped(name: str) -> str:
    """Text of the layout file that comes with the program."""
    data = resources.files("card_personalization") / "data" / name
    return data.read_text(encoding="utf-8")


def read_sourced(text: str, changes: str = "") -> dict[str, Any]:
    """Values of the items, with the plain values that ``changes`` (TOML) puts in their place.

    InvalidInput (card.layout) if an item lacks its source or firmness, or ``changes`` names an
    item that is not there or gives it another type.
    """
    try:
        values = _values(tomllib.loads(text), "")
        _change(values, tomllib.loads(changes), "")
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise InvalidInput("card.layout", f"the card layout cannot be read: {error}") from error
    found: dict[str, Any] = values
    return found


def _values(item: Any, where: str) -> Any:
    if "value" not in item:
        return {name: _values(inner, f"{where}{name}.") for name, inner in item.items()}
    if set(item) != {"value", "source", "firmness"} or item["firmness"] not in _FIRMNESS:
        raise ValueError(f"{where[:-1]} needs value, source and firmness")
    return item["value"]


def _change(values: dict[str, Any], changes: Mapping[str, Any], where: str) -> None:
    for name, new in changes.items():
        if name not in values:
            raise ValueError(f"there is no {where}{name}")
        old = values[name]
        if isinstance(old, dict) and isinstance(new, dict):
            _change(old, new, f"{where}{name}.")
        elif type(new) is not type(old):
            raise ValueError(f"{where}{name} is to be a {type(old).__name__}")
        else:
            values[name] = new
