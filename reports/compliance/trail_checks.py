"""The trail itself: its entries, whether it is whole, and whether it was anchored and reviewed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlmodel import col

from audit.anchors import Anchors
from audit.chain import Head
from audit.records import TrailEntry
from audit.trail import Judged
from operators.accounts import Moment as Standing
from operators.kinds import REGISTER_CODES
from operators.register import Register
from pki.errors import HpkiError
from pki.signing import key_id
from pki.validity import japan_date
from policies.controls import AuditKind
from policies.events import known_codes
from policies.moves import SYSTEM
from policies.roles import Role
from reports.compliance.engine import Check, Judge, Ledger, spans
from reports.compliance.people import with_register
from reports.compliance.results import Outcome
from reports.compliance.run import Run, kinds_of
from reports.tables import Text
from reports.trail import review_times

_OUTCOMES = frozenset({"OK", "FAIL", "REFUSED"})
_FILLED = ("ts", "code", "outcome", "actor_id", "terminal", "object_type", "object_id")
_STRANGERS = frozenset({"LOGIN.FAIL"})
"""Codes of entries whose actor may be a name that nobody has."""
_UNJUDGED = REGISTER_CODES | _STRANGERS
_SPAN = 40_000
_DAMAGED = Text("本文が壊れている", "its content is damaged")


class EntryRow(NamedTuple):
    """One entry; ``in_period``: it was entered in it; ``acts``: what counts acts up to it."""

    judged: Judged
    in_period: bool
    acts: int

    @property
    def name(self) -> str:
        """``entry 12``."""
        return f"entry {self.judged.seq}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """The trail is one for both uses."""
        return kinds_of(None)


def count(run: Run) -> int:
    """Return how many entries there are up to the moment."""
    return run.moment.head.seq


def rows(run: Run, after: int | None = None, upto: int | None = None) -> Iterator[EntryRow]:
    """Yield the entries up to the moment in order, those before the period too."""
    head, acts = run.moment.head.seq, 0
    last = head if upto is None else min(upto, head)
    for one in run.directory.trail.judged(run.tx, after or 0, last):
        acts += one.code in REGISTER_CODES or one.fault is not None
        yield EntryRow(one, one.seq in run.positions, acts)


def _whole(row: EntryRow) -> Sequence[Text]:
    fault = row.judged.fault
    if fault is None:
        return ()
    return (Text(f"検証できない: {fault.text}", f"does not verify: {fault.text}"),)


def _complete(_: Run, register: Register) -> Judge[EntryRow]:
    def judge(row: EntryRow) -> Sequence[Text] | None:
        if not row.in_period:
            return None
        said = row.judged.content
        if said is None:
            return (_DAMAGED,)
        facts = [
            Text(f"{name} がない", f"it has no {name}") for name in _FILLED if not said.get(name)
        ]
        if said.get("code") not in known_codes():
            facts.append(Text("未知の事象コード", "its code is not in the catalogue"))
        if said.get("outcome") not in _OUTCOMES:
            facts.append(Text("未知の結果", "its outcome is none of OK, FAIL, REFUSED"))
        if not _is_known(said.get("actor_id"), row.judged.code, register):
            facts.append(Text("操作者が登録にない", "its actor has no account"))
        return facts

    return judge


def _is_known(name: object, code: str, register: Register) -> bool:
    return name == SYSTEM or name in register.accounts or code in _STRANGERS


def _in_role(run: Run, register: Register) -> Judge[EntryRow]:
    """Judge entries of people; those of acts are proven with the register itself."""
    steps = [head.seq for head in register.heads]

    @lru_cache(maxsize=4096)
    def held_from(name: str, day: date, seq: int) -> frozenset[Role]:
        known = name in register.accounts
        return register.roles(name, Standing(seq, day)) if known else frozenset()

    def roles(name: str, at: Standing) -> frozenset[Role]:
        """Return the roles; they change by acts and days only."""
        place = bisect_left(steps, at.seq)
        since = steps[place - 1] + 1 if place else 0
        return held_from(name, at.day, since)

    def judge(row: EntryRow) -> Sequence[Text] | None:
        one = row.judged
        people = {one.actor, one.co_actor} - _NOBODY
        if not people or one.code in _UNJUDGED or not row.in_period:
            return None
        if one.content is None:
            return (_DAMAGED,)
        at = Standing(one.seq, _day(one.content["ts"][:_HOUR]))
        role = one.content["actor_role"]
        facts = []
        for name in sorted(people):
            held = roles(name, at)
            if not held:
                facts.append(Text(f"{name} に役割がない", f"{name} held no role"))
            elif name == one.actor and role and role not in held:
                facts.append(Text(f"{name} は {role} を持たない", f"{name} did not hold {role}"))
        return facts

    return judge


def _likeness(row: EntryRow) -> Hashable:
    """Return all that the judges look at in a whole entry; roles change by acts and days only."""
    one, said = row.judged, row.judged.content
    if one.fault is not None or said is None:
        return None
    filled = bool(said["terminal"]), bool(said["object_type"]), bool(said["object_id"])
    role, hour, outcome = said["actor_role"], said["ts"][:_HOUR], said["outcome"]
    return one.code, one.actor, one.co_actor, role, hour, outcome, filled, row.in_period, row.acts


_NOBODY = frozenset({SYSTEM, ""})
_HOUR = len("2026-11-20T09")


@lru_cache(maxsize=64)
def _day(hour: str) -> date:
    """Return Japan's day of a time in UTC, given to the hour."""
    return japan_date(datetime.fromisoformat(f"{hour}:00:00Z"))


ENTRIES: Ledger[EntryRow] = Ledger(
    "trail entries",
    rows,
    count,
    {
        "HC-5.2-04": with_register(_in_role),
        "HC-5.4.1-03": with_register(_complete),
        "HC-5.4.4-01": lambda _: _whole,
        "HC-5.4.4-03": lambda _: _whole,
    },
    cut=spans(rows, col(TrailEntry.seq), _SPAN),
    likeness=_likeness,
)


def reviews(run: Run) -> Outcome:
    """Judge the times between reviews of the trail, and that each goes on where one ended."""
    outcome = Outcome()
    entry = sa.inspect(TrailEntry).columns
    query = sa.select(TrailEntry).where(
        entry.code == "LOG.REVIEW", entry.seq <= run.moment.head.seq
    )
    made = list(run.tx.execute(query.order_by(entry.seq)).scalars())
    times = [one for one in review_times(run.tx) if one <= run.moment.at]
    _judge_gaps(outcome, run, times, "LOG_REVIEW_DAYS", "LOG.REVIEW")
    covered = 0
    for one in made:
        detail = (one.content() or {}).get("detail")
        first, last = (detail or {}).get("first_seq", 0), (detail or {}).get("last_seq", 0)
        facts = []
        if detail is None:
            facts.append(_DAMAGED)
        elif first > covered + 1:
            facts.append(
                Text(
                    f"記録 {covered + 1} から {first - 1} が未確認",
                    f"entries {covered + 1} to {first - 1} were not reviewed",
                )
            )
        covered = max(covered, last)
        if one.seq in run.positions:
            outcome.judge(f"entry {one.seq}", facts)
    return outcome


def anchoring(run: Run) -> Outcome:
    """Judge the times between anchors, from the first entry to the moment."""
    outcome, entry = Outcome(), sa.inspect(TrailEntry).columns
    query = sa.select(entry.at).where(entry.code == "LOG.ANCHOR", entry.seq <= run.moment.head.seq)
    times = list(run.tx.execute(query.order_by(entry.seq)).scalars())
    _judge_gaps(outcome, run, times, "ANCHOR_DAYS", "LOG.ANCHOR")
    return outcome


def _judge_gaps(outcome: Outcome, run: Run, times: Sequence[datetime], key: str, code: str) -> None:
    """Judge each time without such an entry that touches the period."""
    limit = timedelta(days=float(run.number(key)))
    for since, until in run.gaps(times):
        days = (until - since) / timedelta(days=1)
        late = Text(f"{code} が {days:.1f} 日間ない", f"no {code} for {days:.1f} days")
        outcome.judge(f"{code} {since:%Y-%m-%d}", [late] if until - since > limit else [])


def gapless(run: Run) -> Outcome:
    """Judge that every position up to the moment has its entry."""
    outcome, seq = Outcome(), col(TrailEntry.seq)
    head = run.moment.head.seq
    there = run.tx.execute(sa.select(sa.func.count(seq)).where(seq <= head)).scalar() or 0
    outcome.population = head
    if there == head:
        return outcome
    before = 0
    query = sa.select(seq).where(seq <= head).order_by(seq)
    for found in run.tx.execute(query, execution_options={"yield_per": 1000}).scalars():
        if found != before + 1:
            missing = Text("記録が欠けている", "the entry is missing")
            outcome.blame(f"entries {before + 1} to {found - 1}", [missing])
        before = found
    if before != head:
        outcome.blame(f"entries {before + 1} to {head}", [Text("末尾がない", "the end is missing")])
    return outcome


def ended(run: Run) -> Outcome:
    """Judge that the newest entry is the one that the trail's head names."""
    outcome, entry = Outcome(), sa.inspect(TrailEntry).columns
    head = run.directory.trail.head(run.tx)
    newest = sa.select(entry.seq, entry.hash).order_by(entry.seq.desc()).limit(1)
    found = run.tx.execute(newest).first()
    if found is None or Head(*found) != head:
        outcome.blame("trail", [Text("末尾が切られた", "its tail was cut or its head changed")])
    return outcome


def anchored(run: Run) -> Outcome:
    """Verify the trail's end and the anchors, and that the anchors are those of the chain."""
    outcome = ended(run)
    entry = sa.inspect(TrailEntry).columns
    try:
        keys = {key_id(one): one for one in map(bytes.fromhex, run.register.anchor_keys)}
        heads = Anchors(run.directory.trail, []).verify_all(keys)
    except HpkiError as error:
        outcome.blame("anchors", [Text(f"検証できない: {error}", f"do not verify: {error}")])
        return outcome
    for head in heads:
        if head.seq > run.moment.head.seq:
            continue
        found = run.tx.execute(sa.select(entry.hash).where(entry.seq == head.seq)).scalar()
        wrong = Text("記録のハッシュ値と異なる", "it is not the entry's hash")
        outcome.judge(f"anchor {head.seq}", [wrong] if found != head.hash else [])
    return outcome


CHECKS: Mapping[str, Check] = {
    "HC-5.4.2-01": reviews,
    "HC-5.4.3-01": gapless,
    "HC-5.4.4-01": anchored,
    "HC-5.4.4-02": anchoring,
    "HC-5.4.4-03": ended,
}
