"""Variant characters of names: why two characters are one, and a form to compare and search by.

A name is never rewritten by this; what comes out is for comparing and for explaining.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from policies.schema import Firm, Strict, Words, load_toml, policy_data

SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Variation selectors, as the inside of a character class."""
_SELECTOR = re.compile(f"[{SELECTORS}]")
_COMPATIBILITY = re.compile("[\uf900-\ufaff\U0002f800-\U0002fa1f]")


class Kind(StrEnum):
    """How one character stands to another."""

    VARIANT = "VARIANT"
    OLD_FORM = "OLD_FORM"
    MIXED_UP = "MIXED_UP"
    COMPATIBILITY = "COMPATIBILITY"
    VARIATION = "VARIATION"


_WORDS = {
    Kind.VARIANT: ("a variant (異体字) of", "の異体字"),
    Kind.OLD_FORM: ("an old form (旧字体) of", "の旧字体"),
    Kind.MIXED_UP: ("a character of its own, often mixed up (混用) with", "と混用されやすい別字"),
    Kind.COMPATIBILITY: ("a compatibility ideograph (互換漢字) of", "の互換漢字"),
    Kind.VARIATION: ("a variation sequence (異体字セレクタ) of", "の異体字セレクタ付き"),
}


class VariantTable(Strict):
    """Groups of one kind; the first character of each is the form the others lead back to."""

    kind: Kind
    source: Words
    firm: Firm
    groups: tuple[Annotated[str, StringConstraints(min_length=2)], ...]


class _Tables(Strict):
    table: tuple[VariantTable, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        forms: dict[str, str] = {}
        for group in (group for table in self.table for group in table.groups):
            if unicodedata.normalize("NFKC", group) != group:
                raise ValueError(f"{group}: compatibility ideographs need no group")
            for variant in group[1:]:
                if variant in forms or variant == group[0]:
                    raise ValueError(f"{variant} stands twice")
                forms[variant] = group[0]
        for variant, form in forms.items():
            while form in forms:
                form = forms[form]
                if form == variant:
                    raise ValueError(f"{variant} leads back to itself")
        return self


@dataclass(frozen=True)
class _Link:
    """``character`` is ``kind`` of ``form``."""

    character: str
    kind: Kind
    form: str


@cache
def variant_tables() -> tuple[VariantTable, ...]:
    """Return the tables that ship."""
    name = "variants.toml"
    return load_toml(_Tables, policy_data(name), name, "policies.variants").table


def fold(text: str) -> str:
    """Return the text with every variant led back to one form, other characters unchanged.

    Compatibility ideographs become their unified ones and variation selectors go.
    """
    bare = _SELECTOR.sub("", text)
    unified = _COMPATIBILITY.sub(lambda found: unicodedata.normalize("NFKC", found[0]), bare)
    return unified.translate(_roots())


def explain(one: str, other: str) -> str | None:
    """Return in English why two characters are one, each with its variation selector if any.

    None for equal ones and for those that no table brings together.
    ``髙 (U+9AD9) is a variant (異体字) of 高 (U+9AD8)``.
    """
    texts = (
        f"{_named(link.character)} is {_WORDS[link.kind][0]} {_named(link.form)}"
        for link in _between(one, other)
    )
    return "; ".join(texts) or None


def explain_ja(one: str, other: str) -> str | None:
    """Return the same in Japanese: ``髙 (U+9AD9)は高 (U+9AD8)の異体字``."""
    texts = (
        f"{_named(link.character)}は{_named(link.form)}{_WORDS[link.kind][1]}"
        for link in _between(one, other)
    )
    return "、".join(texts) or None


def _between(one: str, other: str) -> tuple[_Link, ...]:
    """Return the links that lead the two to the first form they share."""
    if one == other or fold(one) != fold(other):
        return ()
    mine, theirs = tuple(_links(one)), tuple(_links(other))
    shared = set(mine) & set(theirs)
    return tuple(link for link in (*mine, *theirs) if link not in shared)


def _links(character: str) -> Iterator[_Link]:
    bare = _SELECTOR.sub("", character)
    if bare != character:
        yield _Link(character, Kind.VARIATION, bare)
    unified = unicodedata.normalize("NFKC", bare) if _COMPATIBILITY.fullmatch(bare) else bare
    if unified != bare:
        yield _Link(bare, Kind.COMPATIBILITY, unified)
    while unified in _parents():
        kind, form = _parents()[unified]
        yield _Link(unified, kind, form)
        unified = form


def _named(character: str) -> str:
    return f"{character} ({' '.join(f'U+{ord(c):04X}' for c in character)})"


@cache
def _parents() -> dict[str, tuple[Kind, str]]:
    return {
        variant: (table.kind, group[0])
        for table in variant_tables()
        for group in table.groups
        for variant in group[1:]
    }


@cache
def _roots() -> dict[int, str]:
    parents, roots = _parents(), {}
    for variant, (_, form) in parents.items():
        while form in parents:
            form = parents[form][1]
        roots[ord(variant)] = form
    return roots
