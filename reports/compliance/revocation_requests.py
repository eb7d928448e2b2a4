"""Requests of revocation: who asked, who decided and executed, and what came of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from audit.chain import Head
from audit.records import TrailEntry
from ca.records import Carrier, Certificate, Order, Revocation
from ca.revocation import RevocationOrder
from operators.records import Statement
from operators.statements import StatementType, verify_says
from pki.errors import HpkiError
from pki.validity import japan_date
from policies.controls import AuditKind
from policies.grounds import ground
from ra.casework.records import Answer, InquiryItem
from ra.records import Application, RequestState, RevocationRequest
from ra.revocation import request_digest
from reports.compliance.engine import Check, Judge, Ledger
from reports.compliance.results import Outcome
from reports.compliance.run import Run, kinds_of
from reports.compliance.statements import verify
from reports.tables import Text

_PAGE = 400
_CODES = ("REV.REQUEST", "REV.AUTH", "REV.DECIDE", "REV.REVIEW")
_REPORT = "LOSS_REPORT"


@dataclass
class RequestRow:
    """One request; ``entries`` tell of it and of its execution, ``signed``: statements, by type.

    ``reports``: days on which forms about the loss came for the same file.
    """

    data: Mapping[str, Any]
    run: Run = field(repr=False)
    entries: Sequence[TrailEntry] = ()
    signed: Mapping[str, Any] = field(default_factory=dict)
    reports: Sequence[date] = ()

    @property
    def name(self) -> str:
        """``revocation request R-…``."""
        return f"revocation request {self.data['id']}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """Both: a carrier holds the keys of both uses."""
        return kinds_of(None)

    @cached_property
    def is_executed(self) -> bool:
        """Whether it was carried out, as it is at once, in the period; the trail says when."""
        asked, run = self.find("REV.REQUEST"), self.run
        if asked is not None:
            in_period = asked.seq in run.positions
        else:
            in_period = run.since <= self.data["requested_at"] < run.until
        return in_period and self.data["state"] == RequestState.EXECUTED.value

    @property
    def is_later(self) -> bool:
        """Whether it came after the moment."""
        late: bool = self.data["requested_at"] > self.run.moment.at
        return late and self.find("REV.REQUEST") is None

    def find(self, code: str) -> TrailEntry | None:
        """Return its entry of the code, of any outcome."""
        return next((one for one in self.entries if one.code == code), None)


def count(run: Run) -> int:
    """Return how many requests there are."""
    return run.tx.execute(sa.select(sa.func.count(col(RevocationRequest.id)))).scalar() or 0


def rows(run: Run) -> Iterator[RequestRow]:
    """Yield the requests up to the moment by their id."""
    table, application = sa.inspect(RevocationRequest).columns, sa.inspect(Application).columns
    columns = [
        sa.type_coerce(one, sa.Text).label(one.key) if one.key == "state" else one for one in table
    ]
    query = (
        sa.select(*columns, application.erased_at, application.director_role)
        .outerjoin(Application, application.ref == table.application_ref)
        .order_by(table.id)
        .limit(_PAGE)
    )
    after = ""
    while page := run.tx.execute(query.where(table.id > after)).all():
        after = page[-1].id
        entries, signed, reports = _beside(run, page)
        for one in page:
            row = RequestRow(
                dict(one._mapping),
                run,
                [*entries[one.id], *_executions(entries[one.carrier_id], one.requested_at)],
                signed[one.id],
                reports[one.application_ref],
            )
            if not row.is_later:
                yield row


def _executions(entries: Sequence[TrailEntry], since: Any) -> list[TrailEntry]:
    return [one for one in entries if one.at >= since]


def _beside(run: Run, page: Sequence[Any]) -> tuple[Any, Any, Any]:
    ids = [one.id for one in page]
    entries: defaultdict[str, list[TrailEntry]] = defaultdict(list)
    entry = sa.inspect(TrailEntry).columns
    query = (
        sa.select(TrailEntry)
        .where(
            entry.object_id.in_([*ids, *(one.carrier_id for one in page)]),
            entry.code.in_([*_CODES, "REV.EXECUTE"]),
            entry.seq <= run.moment.head.seq,
        )
        .order_by(entry.seq)
    )
    for one in run.tx.execute(query).scalars():
        entries[one.object_id].append(one)
    signed: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    statement = sa.inspect(Statement).columns
    decided = {one.statement_id: one.id for one in page if one.statement_id}
    named = statement.object_id.in_(ids) | statement.id.in_(decided)
    for one in run.tx.execute(sa.select(*statement).where(named)):
        signed[decided.get(one.id, one.object_id)][one.type] = one
    reports: defaultdict[str, list[date]] = defaultdict(list)
    application = sa.inspect(Application).columns
    refs = {one.application_ref for one in page}
    forms = sa.select(application.replaces, application.received_on).where(
        application.replaces.in_(refs), application.type == _REPORT
    )
    for ref, day in run.tx.execute(forms):
        reports[ref].append(day)
    return entries, signed, reports


def _authenticated(row: RequestRow) -> Sequence[Text]:
    facts = []
    auth, executed = row.find("REV.AUTH"), row.find("REV.EXECUTE")
    if auth is None or auth.outcome != "OK" or (executed and executed.seq < auth.seq):
        facts.append(
            Text("実行前に請求者を確認していない", "the requester was not authenticated before")
        )
    if not row.data["evidence"].strip() and row.data["erased_at"] is None:
        facts.append(Text("証拠の記載がない", "no evidence is named"))
    return facts


def _entitled(row: RequestRow) -> Sequence[Text] | None:
    why = ground(row.data["ground"])
    if row.data["erased_at"] is not None:
        return None
    facts = []
    if not row.data["requester"].strip():
        facts.append(Text("請求者の記載がない", "it does not say who asked"))
    if "organisation" in why.asked_by and row.data["director_role"] is None:
        facts.append(
            Text(
                f"{why.code} は管理者の証明書に限る",
                f"{why.code} is for certificates with an administrator role",
            )
        )
    return facts


def _separated(row: RequestRow) -> Sequence[Text]:
    facts = []
    data, executed = row.data, row.find("REV.EXECUTE")
    decision = row.signed.get(StatementType.REVOCATION.value)
    if decision is None or decision.operator_id != data["officer"]:
        facts.append(Text("失効の決定の署名がない", "its officer did not sign the decision"))
    else:
        facts += _decided(row, decision)
    if executed is None:
        facts.append(Text("実行の記録がない", "no entry tells of its execution"))
    elif data["emergency"]:
        facts += _reviewed(row)
    elif executed.actor == data["officer"] or executed.actor != data["executor"]:
        facts.append(Text("決定と実行が別人でない", "no other person executed it"))
    return facts


def _decided(row: RequestRow, decision: Any) -> Iterator[Text]:
    """Yield what is wrong with a decision; whether it and its entry are there, others say."""
    data, asked, entry = row.data, row.find("REV.REQUEST"), row.find("REV.DECIDE")
    said, content = (one.content() if one is not None else None for one in (asked, entry))
    if said is None or content is None or entry is None:
        return
    seen, why = said["detail"]["request"], ground(data["ground"])
    order = RevocationOrder(data["id"], data["carrier_id"], why, seen, bool(data["emergency"]))
    try:
        signed = verify(row.run.register, decision, content, Head(entry.seq, entry.hash))
        verify_says(signed, order.decision())
    except HpkiError as error:
        yield Text(f"決定を検証できない: {error.code}", f"its decision is unsound: {error.code}")


def _reviewed(row: RequestRow) -> Iterator[Text]:
    review = row.find("REV.REVIEW")
    if review is None or row.signed.get(StatementType.EMERGENCY_REVIEW.value) is None:
        yield Text("緊急失効の事後確認がない", "nobody has reviewed the emergency")
    elif review.actor == row.data["officer"]:
        yield Text("決定した本人が事後確認した", "its officer reviewed it")


def _followed(run: Run) -> Judge[RequestRow]:
    """Judge emergencies of the period, and those whose time for the form ended in it.

    Only where that time is over at the moment.
    """
    days = timedelta(days=int(run.number("EMERG_FORM_DAYS")))

    def judge(row: RequestRow) -> Sequence[Text] | None:
        called = japan_date(row.data["requested_at"])
        last = called + days
        if row.data["state"] != RequestState.EXECUTED.value or not row.data["emergency"]:
            return None
        if run.moment.day <= last or not (row.is_executed or run.first <= last <= run.last):
            return None
        if any(called <= one <= last for one in row.reports):
            return ()
        return (Text("期限までに届出書がない", "the written form did not come in its time"),)

    return judge


def _kept(row: RequestRow) -> Sequence[Text]:
    codes = ("REV.REQUEST", "REV.DECIDE")
    facts = [
        Text(f"記録 {code} がない", f"there is no entry {code}")
        for code in codes
        if row.find(code) is None
    ]
    if StatementType.REVOCATION.value not in row.signed:
        facts.append(Text("失効の決定の署名がない", "no signed decision is kept"))
    asked = row.find("REV.REQUEST")
    if asked is not None and row.data["erased_at"] is None:
        request = RevocationRequest(**{name: row.data[name] for name in _REQUESTED})
        detail = (asked.content() or {}).get("detail", {})
        if detail.get("request") != request_digest(row.run.tx, request):
            facts.append(Text("請求が記録と異なる", "the request is not as it was entered"))
    return facts


_REQUESTED = (
    *("id", "application_ref", "carrier_id", "ground", "channel", "requester", "evidence"),
    *("emergency", "requested_at"),
)


def _prompt(run: Run) -> Judge[RequestRow]:
    """Judge the grounds that a CA itself learns of and that have the shortest limit."""
    most = int(run.number("REVOKE_LIMIT_H"))

    def judge(row: RequestRow) -> Sequence[Text] | None:
        why = ground(row.data["ground"])
        if not row.is_executed or "CA" not in why.asked_by or why.limit_hours > most:
            return None
        executed = row.find("REV.EXECUTE")
        end = executed.at if executed else run.moment.at
        hours = (end - row.data["requested_at"]) / timedelta(hours=1)
        if hours <= why.limit_hours:
            return ()
        return (Text(f"失効まで {hours:.1f} 時間", f"revoked after {hours:.1f} hours"),)

    return judge


def _of_executed(judge: Any) -> Any:
    def judged(row: RequestRow) -> Sequence[Text] | None:
        found: Sequence[Text] | None = judge(row) if row.is_executed else None
        return found

    return lambda _: judged


REQUESTS: Ledger[RequestRow] = Ledger(
    "revocation requests",
    rows,
    count,
    {
        "HC-3.4-01": _of_executed(_authenticated),
        "HC-4.9.1-01": _prompt,
        "HC-4.9.2-01": _of_executed(_entitled),
        "HC-4.9.3-01": _of_executed(_separated),
        "HC-4.9.3-02": _followed,
        "HC-5.5.1-01": _of_executed(_kept),
    },
)


def struck_off(run: Run) -> Outcome:
    """Judge holders of whom the register said that they are struck off, for HC-4.9.1-01.

    A day is added for the answer, which bears no hour.
    """
    outcome = Outcome()
    item, most = sa.inspect(InquiryItem).columns, int(run.number("REVOKE_LIMIT_H"))
    query = (
        sa.select(col(Application.person_id), sa.func.min(item.answered_on))
        .join(Application, col(Application.ref) == item.application_ref)
        .where(item.answer == Answer.STRUCK_OFF, item.answered_on <= run.moment.day)
        .group_by(col(Application.person_id))
    )
    for person, day in run.tx.execute(query).all():
        outcome.judge(f"person {person}", _living(run, person, day, most))
    return outcome


def _living(run: Run, person: str, day: date, hours: int) -> list[Text]:
    """Return a fact where a certificate of the person lives, or was revoked in the period, late."""
    certificate = sa.inspect(Certificate).columns
    revoked = col(Revocation.seq)
    query = (
        sa.select(certificate.serial, certificate.not_after, revoked, col(TrailEntry.at))
        .select_from(Order)
        .join(Carrier, col(Carrier.order_id) == col(Order.id))
        .join(Certificate, certificate.carrier_id == col(Carrier.id))
        .outerjoin(Revocation, col(Revocation.certificate_id) == certificate.id)
        .outerjoin(TrailEntry, col(TrailEntry.seq) == revoked)
        .where(col(Order.holder_id) == person, certificate.reserved_seq <= run.moment.head.seq)
    )
    limit = timedelta(hours=hours)
    return [
        Text(
            f"抹消の回答の後も証明書 {serial} が有効",
            f"the certificate {serial} lives though the register struck its holder off",
        )
        if seq is None or seq > run.moment.head.seq
        else Text(
            f"証明書 {serial} は抹消の回答の後、遅れて失効した",
            f"the certificate {serial} was revoked late after the register struck its holder off",
        )
        for serial, not_after, seq, at in run.tx.execute(query)
        if _is_late(run, not_after, seq, at, day, limit)
    ]


def _is_late(
    run: Run,
    not_after: datetime,
    seq: int | None,
    at: datetime | None,
    day: date,
    limit: timedelta,
) -> bool:
    if seq is None or seq > run.moment.head.seq:
        return not_after > run.moment.at and japan_date(run.moment.at - limit) > day
    end = min(at or run.moment.at, not_after)
    return seq in run.positions and japan_date(end - limit) > day


CHECKS: Mapping[str, Check] = {"HC-4.9.1-01": struck_off}
