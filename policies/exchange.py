"""What organisations send each other: who signs it, who takes it, and why an order is refused."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from pydantic import Field

from pki.errors import InvalidInput
from policies.roles import Role
from policies.schema import Firm, Strict, Words, load_toml, policy_data


class Part(StrEnum):
    """What an organisation is to the other one."""

    RA = "RA"
    CA = "CA"


class PaperKind(StrEnum):
    """What a signed file of the exchange is."""

    REGISTER = "REGISTER"
    ORDERS = "ORDERS"
    RESULTS = "RESULTS"


class PaperRule(Strict):
    """Who signs a file where it is made, one of them in ``must``, and who accepts or takes it."""

    kind: PaperKind
    part: Part
    japanese: Words
    english: Words
    count: int = Field(ge=1, le=2)
    roles: tuple[Role, ...] = Field(min_length=1)
    must: tuple[Role, ...]
    accepted_by: tuple[Role, ...]
    taken_by: tuple[Role, ...] = Field(min_length=1)
    source: Words
    firm: Firm


class OrderRefusal(Strict):
    """Why a CA refuses an order of another organisation."""

    code: Words
    japanese: Words
    english: Words
    source: Words
    firm: Firm


class _Table(Strict):
    paper: tuple[PaperRule, ...]
    refusal: tuple[OrderRefusal, ...]


@cache
def _table() -> _Table:
    return load_toml(_Table, policy_data("exchange.toml"), "exchange.toml", "policies.exchange")


def paper_rule(kind: PaperKind, part: Part) -> PaperRule:
    """Return the rule for a file that an organisation of that part makes, or ``InvalidInput``."""
    for one in _table().paper:
        if (one.kind, one.part) == (kind, part):
            return one
    raise InvalidInput("policies.exchange.part", f"{part} makes no file of the kind {kind}")


def order_refusal(code: str) -> OrderRefusal:
    """Return the refusal of that code; raises ``InvalidInput`` with the known ones as a hint."""
    for one in _table().refusal:
        if one.code == code:
            return one
    known = ", ".join(f"{one.code} {one.english}" for one in _table().refusal)
    raise InvalidInput(
        "policies.exchange.refusal", f"there is no refusal {code!r} of an order", f"Known: {known}."
    )
