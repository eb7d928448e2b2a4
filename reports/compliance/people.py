"""Roles, appointments and training, as the register that is folded from signed acts tells."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from audit.records import TrailEntry, time_of
from ca.records import Ceremony
from operators.accounts import Account, HeldRole, Span
from operators.records import Statement
from operators.register import Register
from operators.statements import StatementType
from pki.errors import HpkiError, Refused
from pki.validity import japan_date
from policies.roles import Role, role_entry
from reports.compliance.engine import Check, Judge
from reports.compliance.results import Outcome
from reports.compliance.run import Run
from reports.tables import Text


def with_register(make: Callable[[Run, Register], Judge[Any]]) -> Callable[[Run], Judge[Any]]:
    """Return a maker whose judge blames every row where the register cannot be proven."""

    def made(run: Run) -> Judge[Any]:
        try:
            register = run.register
        except HpkiError as error:
            code, text = error.code, error.text

            def refuse(_: Any) -> Sequence[Text] | None:
                raise Refused(code, text)

            return refuse
        return make(run, register)

    return made


def _accounts(run: Run) -> Iterator[tuple[Account, list[HeldRole]]]:
    """Yield who had an account by the moment, with the roles held in the period."""
    head = run.moment.head.seq
    for name in sorted(run.register.accounts):
        account = run.register.accounts[name]
        if account.since_seq <= head:
            yield account, [one for one in account.roles if _touches(one, run.positions)]


def _touches(span: Span, positions: range) -> bool:
    return span.from_seq < positions.stop and (
        span.until_seq is None or span.until_seq >= positions.start
    )


def _together(one: HeldRole, other: HeldRole) -> bool:
    """Whether two roles are held at one moment."""
    first, last = max(one.from_seq, other.from_seq), _earlier(one.until_seq, other.until_seq)
    day = max(one.first_day or date.min, other.first_day or date.min)
    until = min(one.last_day or date.max, other.last_day or date.max)
    return (last is None or first < last) and day <= until


def _earlier(one: int | None, other: int | None) -> int | None:
    known = [value for value in (one, other) if value is not None]
    return min(known, default=None)


def conflicts(run: Run) -> Outcome:
    """Judge by the role table in force who holds what together."""
    outcome, table = Outcome(), run.directory.table
    for account, roles in _accounts(run):
        if not roles:
            continue
        facts = {
            pair: Text(f"{pair[0]} と {pair[1]} を兼務", f"holds {pair[0]} and {pair[1]} together")
            for one, other in combinations(roles, 2)
            if _together(one, other)
            and (pair := table.conflicting_pair({one.role, other.role})) is not None
        }
        outcome.judge(f"account {account.operator_id}", facts.values())
    outcome.notes.append(
        Text(f"役割表 {table.reference} による。", f"By the role table {table.reference}.")
    )
    return outcome


def key_operations(run: Run) -> Outcome:
    """Judge the entries about CA keys, and who consented to each ceremony."""
    outcome, head = Outcome(), run.moment.head.seq
    entry = sa.inspect(TrailEntry).columns
    query = sa.select(TrailEntry).where(
        entry.code.in_(["KEY.GENERATE", "KEY.ACTIVATE"]),
        entry.outcome == "OK",
        entry.seq.between(run.positions.start, run.positions.stop - 1),
    )
    for one in run.tx.execute(query.order_by(entry.seq)).scalars():
        alone = not one.actor or not one.co_actor or one.actor == one.co_actor
        facts = [Text("二人で行われていない", "two people did not do it")] if alone else []
        if one.object_type == "ceremony":
            facts += _consents(run, one.seq)
        outcome.judge(f"entry {one.seq}", facts)
    made = sa.select(col(Ceremony.id)).where(col(Ceremony.started_at).between(run.since, run.until))
    told = sa.select(entry.object_id).where(entry.code == "KEY.ACTIVATE", entry.seq <= head)
    for name in run.tx.execute(made.where(col(Ceremony.id).not_in(told))).scalars():
        outcome.judge(f"ceremony {name}", [Text("記録がない", "no entry tells of it")])
    return outcome


def _consents(run: Run, seq: int) -> list[Text]:
    """Return a fact where fewer people consented to a ceremony than the role table wants."""
    statement = sa.inspect(Statement).columns
    query = sa.select(statement.operator_id, statement.body).where(
        statement.seq == seq, statement.type == StatementType.CEREMONY.value
    )
    people: defaultdict[str, set[str]] = defaultdict(set)
    for operator, body in run.tx.execute(query):
        people[json.loads(body).get("role", "")].add(operator)
    custodians = people[Role.KEY_CUSTODIAN]
    wanted = run.directory.table.custodians.present
    if len(custodians) < wanted or not people[Role.IA_MANAGER] - custodians:
        return [
            Text(
                f"鍵管理者 {wanted} 人と立会人の同意がない",
                f"{wanted} custodians and a witness did not consent",
            )
        ]
    return []


def appointments(run: Run) -> Outcome:
    """Judge who signed each grant of a role, the first set-up too."""
    outcome = Outcome()
    try:
        _ = run.register
    except HpkiError as error:
        outcome.judge("register", [Text(f"証明できない: {error}", f"cannot be proven: {error}")])
        return outcome
    statement = sa.inspect(Statement).columns
    types = (StatementType.ROLE_GRANT, StatementType.SUBSTITUTION, StatementType.SETUP)
    query = sa.select(statement.seq, statement.operator_id, statement.content).where(
        statement.type.in_([one.value for one in types]),
        statement.seq.between(run.positions.start, run.positions.stop - 1),
    )
    signed: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for seq, operator, content in run.tx.execute(query):
        signed[seq][operator] = content or "{}"
    for seq, people in sorted(signed.items()):
        act = json.loads(next(iter(people.values())))
        outcome.judge(f"entry {seq}", _grant_faults(act, set(people)))
    return outcome


def _grant_faults(act: Mapping[str, Any], signers: set[str]) -> Iterator[Text]:
    roles = act.get("roles") or [act["role"]] if "operator" in act else [Role.CA_MANAGER]
    if act.get("operator") in signers:
        yield Text("本人が署名した", "who was appointed signed it")
    wanted = max(role_entry(Role(one)).signatures for one in roles)
    if len(signers) < wanted:
        yield Text(f"署名が {wanted} 人に満たない", f"fewer than {wanted} people signed it")


def trainings(run: Run) -> Outcome:
    """Judge everyone who holds a role at the moment.

    Who was appointed by the first set-up could not be trained here before.
    """
    outcome, most = Outcome(), timedelta(days=int(run.number("TRAINING_DAYS")))
    first, head = run.register.heads[0].seq, run.moment.head.seq
    for account, _ in _accounts(run):
        held = [
            one
            for one in account.roles
            if one.from_seq <= head
            and (one.until_seq is None or one.until_seq > head)
            and (one.last_day is None or one.last_day >= run.moment.day)
        ]
        if not held or account.suspended(head):
            continue
        days = sorted(day for _, day in account.trainings if day <= run.moment.day)
        facts = []
        if not days or run.moment.day - days[-1] > most:
            facts.append(
                Text(f"{most.days} 日以内の教育がない", f"not trained within {most.days} days")
            )
        facts += [
            Text(f"{one.role} の開始前に教育がない", f"not trained before {one.role} began")
            for one in held
            if one.from_seq > first and not any(day <= _began(run, one) for day in days)
        ]
        outcome.judge(f"account {account.operator_id}", facts)
    return outcome


def _began(run: Run, role: HeldRole) -> date:
    at = time_of(run.tx, role.from_seq)
    return role.first_day or (japan_date(at) if at is not None else date.min)


def leavers(run: Run) -> Outcome:
    """Judge who left in the period: roles and keys ended, nothing was done afterwards."""
    outcome = Outcome()
    entry = sa.inspect(TrailEntry).columns
    for account, _ in _accounts(run):
        left = account.left_seq
        if left is None or left not in run.positions:
            continue
        spans: Iterable[Span] = (*account.roles, *account.keys)
        facts = []
        if any(one.until_seq is None or one.until_seq > left for one in spans):
            facts.append(Text("役割か鍵が残っている", "a role or key outlived the departure"))
        later = sa.select(sa.func.min(entry.seq)).where(
            entry.seq > left, entry.seq <= run.moment.head.seq
        )
        for column in (entry.actor, entry.co_actor):
            seq = run.tx.execute(later.where(column == account.operator_id)).scalar()
            if seq is not None:
                facts.append(Text(f"退任後の操作 (記録 {seq})", f"acted afterwards (entry {seq})"))
        outcome.judge(f"account {account.operator_id}", facts)
    return outcome


def auditors(run: Run) -> Outcome:
    """Judge who held the role of the auditor in the period: no other role at any time of it.

    Source: operations 1.2: no operating role, now or in the audited period.
    """
    outcome = Outcome()
    for account, roles in _accounts(run):
        held = {one.role for one in roles}
        if Role.AUDITOR in held:
            facts = [
                Text(f"対象期間に {one} を持つ", f"held {one} in the period")
                for one in sorted(held - {Role.AUDITOR})
            ]
            outcome.judge(f"account {account.operator_id}", facts)
    return outcome


CHECKS: Mapping[str, Check] = {
    "HC-5.2-01": conflicts,
    "HC-5.2-02": key_operations,
    "HC-5.2-03": appointments,
    "HC-5.3-02": trainings,
    "HC-5.3-03": leavers,
    "HC-8.2-01": auditors,
}
