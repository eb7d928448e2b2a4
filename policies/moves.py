"""The states of an application and the moves between them: one table for code, docs and audit."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from policies.roles import Role
from policies.schema import Firm, Strict, Words, load_toml, policy_data

SYSTEM = "SYSTEM"
"""Who acts where a rule acts by itself."""


class ApplicationState(StrEnum):
    """Where an application stands. Source: operations 2.2 (PROPOSAL)."""

    DRAFT = "DRAFT"
    RECEIVED = "RECEIVED"
    DEFICIENT = "DEFICIENT"
    EXAMINING = "EXAMINING"
    QUAL_INQUIRY = "QUAL_INQUIRY"
    EXAMINED = "EXAMINED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    RETURNED = "RETURNED"
    PAYMENT_WAIT = "PAYMENT_WAIT"
    ISSUING = "ISSUING"
    ISSUED = "ISSUED"
    PERSONALISED = "PERSONALISED"
    AT_PICKUP = "AT_PICKUP"
    IN_DELIVERY = "IN_DELIVERY"
    LINK_WAIT = "LINK_WAIT"
    ACTIVE = "ACTIVE"
    UNDELIVERED = "UNDELIVERED"
    COMPLETED = "COMPLETED"
    CLOSED_REVOKED = "CLOSED_REVOKED"
    EXPIRED = "EXPIRED"


class Guard(StrEnum):
    """What must be true for a move; ``ra/guards.py`` says how each is told."""

    WEB_ID = "WEB_ID"
    PURGED = "PURGED"
    DOCUMENTS_PRESENT = "DOCUMENTS_PRESENT"
    ITEMS_LISTED = "ITEMS_LISTED"
    NOTICE_SENT = "NOTICE_SENT"
    PERIOD_OVER = "PERIOD_OVER"
    REASON = "REASON"
    IDENTITY_MATCHED = "IDENTITY_MATCHED"
    CHECKED = "CHECKED"
    ANSWERED = "ANSWERED"
    NO_INQUIRY = "NO_INQUIRY"
    CHECKS_OK = "CHECKS_OK"
    EXPLAINED = "EXPLAINED"
    ROMAJI_CONFIRMED = "ROMAJI_CONFIRMED"
    TERMS_AGREED = "TERMS_AGREED"
    DUPLICATES_CHOSEN = "DUPLICATES_CHOSEN"
    PREVIOUS = "PREVIOUS"
    ISSUES = "ISSUES"
    ISSUES_NOTHING = "ISSUES_NOTHING"
    FEE_DUE = "FEE_DUE"
    FEE_SETTLED = "FEE_SETTLED"
    NO_CERTIFICATE = "NO_CERTIFICATE"
    CARRIED_OUT = "CARRIED_OUT"


class StateEntry(Strict):
    """One state; ``clock`` says whether the centre's time runs there, stands, or is over.

    ``waits_for`` are the roles whose work the state is.
    """

    code: ApplicationState
    japanese: Words
    english: Words
    clock: Literal["runs", "stands", "over"]
    waits_for: tuple[Role, ...] = ()


class Move(Strict):
    """An allowed move: who may make it, what must be true, and the code of its trail entry.

    ``actors`` are role codes or SYSTEM; ``statement`` is the type of the statement that the actor
    signs, none where the move is no decision. ``later`` marks moves that no command makes yet.
    """

    origin: ApplicationState
    to: ApplicationState
    japanese: Words
    english: Words
    actors: tuple[Role | Literal["SYSTEM"], ...] = Field(min_length=1)
    guards: tuple[Guard, ...] = ()
    statement: str = ""
    code: Words
    later: bool = False
    source: Words
    firm: Firm


class Moves(Strict):
    """All states in the order of a file's life, and all moves."""

    state: tuple[StateEntry, ...]
    move: tuple[Move, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sorted(entry.code for entry in self.state) != sorted(ApplicationState):
            raise ValueError("each state stands in the table once")
        pairs = [(move.origin, move.to) for move in self.move]
        if len(set(pairs)) != len(pairs):
            raise ValueError("two moves between the same states")
        return self

    def find(self, origin: ApplicationState, to: ApplicationState) -> Move | None:
        """Return the move between the states, if it is allowed."""
        return _by_states().get((origin, to))

    def entry(self, state: ApplicationState) -> StateEntry:
        """Return the state's entry."""
        return _entries()[state]

    def open_states(self) -> tuple[ApplicationState, ...]:
        """Return the states in which somebody still has to do something before the order."""
        return tuple(entry.code for entry in self.state if entry.waits_for)


@cache
def moves() -> Moves:
    """Return the table that ships."""
    return load_toml(Moves, policy_data("moves.toml"), "moves.toml", "policies.moves")


@cache
def _by_states() -> dict[tuple[ApplicationState, ApplicationState], Move]:
    return {(move.origin, move.to): move for move in moves().move}


@cache
def _entries() -> dict[ApplicationState, StateEntry]:
    return {entry.code: entry for entry in moves().state}
