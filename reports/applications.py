"""Each application's state against the moves that the trail tells of it, both ways.

From its receipt on the entries with ``detail.move`` must form one path of ``policies.moves``: each
move allowed, under its code, by an actor of the table, signed where the table wants a statement;
and the path ends where the row says that the application stands.
Source: operations 5.4; the table: operations 2.3 (PROPOSAL).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from audit.records import TrailEntry
from operators.records import Statement
from policies.moves import SYSTEM, ApplicationState, Move, moves
from ra.records import Application
from reports.differences import PAGE, Difference, difference, read_body
from store.database import Transaction

_LEDGER, _RECEIVE, _PURGE, _FOLLOWS = "application", "APP.RECEIVE", "APP.PURGE", "APP.STATE"
_FIRST = {ApplicationState.DRAFT.value, ApplicationState.RECEIVED.value}


@dataclass(frozen=True)
class _Step:
    """An entry about an application that may tell of a move, and the types of its statements."""

    seq: int
    body: Mapping[str, Any]
    signed: frozenset[str]

    @property
    def detail(self) -> Mapping[str, Any]:
        return self.body["detail"]  # type: ignore[no-any-return]


@dataclass
class _Path:
    """Where the entries read so far have brought an application."""

    state: str | None = None
    seq: int = 0
    attempt: int = 1
    decision: str = ""
    erased: bool = False

    def take(self, step: _Step) -> str | None:
        """Follow one entry; return what is wrong with it, or None."""
        detail, code = step.detail, step.body["code"]
        self.erased = self.erased or code == _PURGE
        if "move" in detail:
            origin, _, to = str(detail["move"]).partition(">")
            wrong = self._wrong(origin, to, step)
            leaves_order = (origin, to) in _LEAVING
            self.attempt += 1 if leaves_order else 0
            self.state, self.seq = to, step.seq
            self.decision = str(detail.get("decision", ""))
            return wrong
        if code != _RECEIVE:
            return None
        wrong = None if self.state is None else "was received twice"
        self.state, self.seq = str(detail.get("state", "")), step.seq
        return wrong if self.state in _FIRST else "was received in no state of the table"

    def _wrong(self, origin: str, to: str, step: _Step) -> str | None:
        known = _TABLE.get((origin, to))
        name, body = f"{origin}>{to}", step.body
        if known is None:
            return f"has the move {name}, which is not allowed"
        if origin != self.state:
            return f"has the move {name} and was {self.state or 'nowhere'}"
        if body["code"] != known.code:
            return f"has the move {name} entered as {body['code']}"
        if not _may(known, body):
            return f"has the move {name} by {body.get('actor_role') or body.get('actor_id')}"
        if known.statement and known.statement not in step.signed:
            return f"has the move {name} that nobody signed"
        return None


_TABLE = {(move.origin.value, move.to.value): move for move in moves().move if not move.later}
_LEAVING = {("ISSUING", "EXAMINING"), ("ISSUING", "WITHDRAWN")}
_CODES = sorted({_RECEIVE, _PURGE, *(move.code for move in _TABLE.values())})


def _may(move: Move, body: Mapping[str, Any]) -> bool:
    """Whether the actor is one of the table's; what only follows another entry, SYSTEM enters."""
    if body.get("actor_id") == SYSTEM:
        return SYSTEM in move.actors or move.code == _FOLLOWS
    return body.get("actor_role") in move.actors


def check_applications(tx: Transaction) -> Iterator[Difference]:
    """Yield every difference between the applications and the moves in the trail."""
    row = sa.inspect(Application).columns
    query = sa.select(row.ref, row.state, row.attempt, row.reject_code, row.erased_at)
    after = ""
    while page := tx.execute(query.where(row.ref > after).order_by(row.ref).limit(PAGE)).all():
        after = page[-1].ref
        steps = _steps(tx, [one.ref for one in page])
        for one in page:
            yield from _check(one, steps[one.ref])
    yield from _check_entries(tx)


def _check(application: sa.Row[Any], steps: Sequence[_Step]) -> Iterator[Difference]:
    path, ref = _Path(), application.ref
    for step in steps:
        wrong = path.take(step)
        if wrong is not None:
            yield difference(_LEDGER, "move", step.seq, f"{ref} {wrong}")
    if path.erased != (application.erased_at is not None):
        yield difference(_LEDGER, "erased", 0, f"{ref}: erased, row and trail differ")
    if path.state is None:
        yield difference(_LEDGER, "no_entry", 0, f"{ref} has a row and was never received")
        return
    said: list[tuple[str, object, object]] = [
        ("state", application.state.value, path.state),
        ("attempt", application.attempt, path.attempt),
    ]
    if application.state is ApplicationState.REJECTED:
        said.append(("refusal", application.reject_code, path.decision))
    for name, row, trail in said:
        if row != trail:
            yield difference(
                _LEDGER, "differs", path.seq, f"{ref} has the {name} {row}, in the trail {trail}"
            )


def _steps(tx: Transaction, refs: Sequence[str]) -> defaultdict[str, list[_Step]]:
    """Return the entries that may tell of moves, oldest first, by application."""
    query = (
        select(TrailEntry.seq, TrailEntry.body)
        .where(
            col(TrailEntry.object_id).in_(refs),
            col(TrailEntry.code).in_(_CODES),
            TrailEntry.object_type == "application",
            TrailEntry.outcome == "OK",
        )
        .order_by(col(TrailEntry.seq))
    )
    signed = defaultdict(set)
    about = select(Statement.seq, Statement.type).where(col(Statement.object_id).in_(refs))
    for seq, kind in tx.exec(about):
        signed[seq].add(str(kind))
    found: defaultdict[str, list[_Step]] = defaultdict(list)
    for seq, text in tx.exec(query):
        body = read_body(text)
        if body is not None:
            found[body["object_id"]].append(_Step(seq, body, frozenset(signed[seq])))
    return found


def _check_entries(tx: Transaction) -> Iterator[Difference]:
    """Yield the applications of which the trail tells and that have no row."""
    query = (
        select(sa.func.min(col(TrailEntry.seq)), TrailEntry.object_id)
        .outerjoin(Application, col(Application.ref) == col(TrailEntry.object_id))
        .where(
            col(TrailEntry.code).in_(_CODES),
            TrailEntry.object_type == "application",
            TrailEntry.outcome == "OK",
            col(Application.ref).is_(None),
        )
        .group_by(col(TrailEntry.object_id))
        .order_by(col(TrailEntry.object_id))
    )
    for seq, ref in tx.exec(query):
        yield difference(_LEDGER, "no_row", seq, f"{ref} has entries and no row")
