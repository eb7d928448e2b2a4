"""Checks an examination consists of, and the codes of a refusal, as data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from pki.errors import InvalidInput
from policies.applications import Channel
from policies.schema import Strict, Words, load_toml, policy_data


class CheckRule(Strict):
    """One check and its methods by channel, the usual one first."""

    kind: Words
    japanese: Words
    english: Words
    method: Mapping[Channel, tuple[Words, ...]]
    wanted_for: Literal["all", "issue", "administrator"]


class RefusalCode(Strict):
    """Why an application is refused."""

    code: str
    english: str
    japanese: str


class _Table(Strict):
    check: tuple[CheckRule, ...]
    refusal: tuple[RefusalCode, ...]


@cache
def _table() -> _Table:
    return load_toml(_Table, policy_data("checks.toml"), "checks.toml", "policies.checks")


def checks_for(*, issues: bool, administrator: bool) -> tuple[CheckRule, ...]:
    """Return the checks an application needs."""
    wanted = {"all": True, "issue": issues, "administrator": issues and administrator}
    return tuple(rule for rule in _table().check if wanted[rule.wanted_for])


def refusal_codes() -> tuple[RefusalCode, ...]:
    """Return why an application may be refused."""
    return _table().refusal


def refusal_code(code: str) -> RefusalCode:
    """Return the refusal of that code; raises ``InvalidInput`` with the known ones as a hint."""
    for entry in _table().refusal:
        if entry.code == code:
            return entry
    known = ", ".join(f"{entry.code} {entry.english}" for entry in _table().refusal)
    raise InvalidInput(
        "policies.refusal.unknown", f"there is no refusal code {code!r}", f"Known: {known}."
    )
