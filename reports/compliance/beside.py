"""What stands beside applications: entries, papers, checks, orders; fetched a page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlmodel import col

from audit.records import TrailEntry
from ca.records import Carrier, Certificate, Order, Revocation
from operators.records import Statement
from policies.applications import Channel
from policies.moves import moves
from ra.casework.records import Fee, FieldMatch, Inquiry, InquiryItem, Notice, NoticeKind
from ra.records import Application, Check, Document
from reports.compliance.run import Run

_PAGE = 400
_READ = sorted({one.code for one in moves().move} | {"APP.RECEIVE"})
"""Codes of entries whose content is read; of the others who and when is enough."""


@dataclass
class Step:
    """One entry about an application; ``move`` is where it brought it from and to.

    ``at`` and ``detail`` are read of entries that may tell of a move.
    """

    seq: int
    at: datetime
    code: str
    actor: str
    co_actor: str
    detail: Mapping[str, Any]

    @cached_property
    def move(self) -> tuple[str, str]:
        """The states before and after, empty where it tells of no move."""
        origin, _, to = str(self.detail.get("move", "")).partition(">")
        return origin, to


@dataclass(frozen=True)
class Issued:
    """A certificate, perhaps only reserved, of an order of an application of this site."""

    serial: str
    seq: int
    at: datetime
    not_after: datetime
    revoked_seq: int | None

    def lives(self, seq: int, at: datetime) -> bool:
        """Whether it counted at the position and moment."""
        revoked = self.revoked_seq is not None and self.revoked_seq <= seq
        return self.seq <= seq and not revoked and at <= self.not_after


@dataclass
class Beside:
    """What stands beside a page of applications, by reference; of people by their id."""

    steps: Mapping[str, list[Step]]
    checks: Mapping[str, list[Any]]
    documents: Mapping[str, list[Any]]
    matches: Mapping[str, list[Any]]
    inquiries: Mapping[str, list[Any]]
    fees: Mapping[str, list[Any]]
    rejections: Mapping[str, list[Any]]
    statements: Mapping[str, list[Any]]
    orders: Mapping[str, list[Any]]
    issued: Mapping[str, list[Issued]]
    proofs: Mapping[str, list[tuple[str, date]]]


def beside(run: Run, page: Sequence[Any]) -> Beside:
    """Return what stands beside a page of applications, up to the moment."""
    refs = [one.ref for one in page]
    head = run.moment.head.seq
    special = [one for one in page if not _is_plain(one)]
    about = {one.ref for one in special} | {one.replaces for one in special if one.replaces}
    rejection = col(Notice.kind) == NoticeKind.REJECTION
    orders = (Order.id, Order.accepted_seq, Order.attempt)
    own = (col(Order.authority).is_(None), col(Order.accepted_seq) <= head)
    return Beside(
        steps=_steps(run, refs),
        checks=_by(run, Check.application_ref, refs, _CHECK),
        documents=_by(run, Document.application_ref, refs, _PAPER),
        matches=_by(run, FieldMatch.application_ref, refs, _MATCH),
        inquiries=_by(
            run,
            InquiryItem.application_ref,
            refs,
            _ASKED,
            lambda query: query.join(Inquiry, col(Inquiry.id) == col(InquiryItem.inquiry_id)),
        ),
        fees=_by(run, Fee.application_ref, refs, (_plain(Fee.state), Fee.settled_on)),
        rejections=_by(
            run,
            Notice.application_ref,
            refs,
            (Notice.number, Notice.due_on, Notice.sent_on),
            lambda query: query.where(rejection),
        ),
        statements=_by(run, Statement.object_id, refs, _SIGNED),
        orders=_by(run, Order.application_ref, refs, orders, lambda query: query.where(*own)),
        issued=_issued(run, about),
        proofs=_proofs(run, {one.person_id for one in special}),
    )


_PLAIN = frozenset({"NEW", "CONTACT_CHANGE", "LOSS_REPORT", "STOP_USE", "PIN_UNLOCK"})
"""Types whose checks ask nothing of the person's other files, unless it was a disaster."""


def _is_plain(one: Any) -> bool:
    return one.type in _PLAIN and one.channel != Channel.DISASTER and one.erased_at is None


def _plain(column: Any) -> Any:
    """Return a column of words as its text, whatever stands there."""
    return sa.type_coerce(col(column), sa.Text).label(column.key)


_CHECK = (Check.kind, Check.method, _plain(Check.result), Check.at)
_ASKED = (
    InquiryItem.inquiry_id,
    _plain(InquiryItem.answer),
    InquiryItem.answered_on,
    InquiryItem.evidence,
    Inquiry.at,
)
_PAPER = (
    Document.code,
    Document.number,
    Document.received_on,
    Document.issued_on,
    Document.valid_until,
    Document.redacts,
    _plain(Document.result),
)
_MATCH = (FieldMatch.source, FieldMatch.field, FieldMatch.verdict, FieldMatch.explanation)
_SIGNED = (Statement.type, Statement.operator_id, Statement.seq)


def _by(
    run: Run,
    key: Any,
    values: Collection[str],
    names: Iterable[Any],
    more: Callable[[Any], Any] = lambda query: query,
) -> Mapping[str, list[Any]]:
    """Return rows by the key; they are fetched a page at a time."""
    found: defaultdict[str, list[Any]] = defaultdict(list)
    query = more(sa.select(col(key).label("of"), *names))
    ordered = sorted(values)
    for at in range(0, len(ordered), _PAGE):
        page = query.where(col(key).in_(ordered[at : at + _PAGE]))
        for one in run.tx.connection().execute(page).all():
            found[one[0]].append(one)
    return found


def _steps(run: Run, refs: Sequence[str]) -> Mapping[str, list[Step]]:
    entry = sa.inspect(TrailEntry).columns
    read = entry.code.in_(_READ)
    at, body = (sa.case((read, one), else_=None) for one in (entry.at, entry.body))
    query = (
        sa.select(entry.object_id, entry.seq, at, entry.code, entry.actor, entry.co_actor, body)
        .where(
            entry.object_id.in_(refs),
            entry.object_type == "application",
            entry.outcome == "OK",
            entry.seq <= run.moment.head.seq,
        )
        .order_by(entry.seq)
    )
    found: defaultdict[str, list[Step]] = defaultdict(list)
    for ref, seq, at, code, actor, co_actor, text in run.tx.connection().execute(query).all():
        found[ref].append(Step(seq, at, code, actor, co_actor, _detail(text)))
    return found


def _detail(text: str | None) -> Mapping[str, Any]:
    """Return the detail of an entry's body, {} for what is none: that is judged of the trail."""
    try:
        detail = from_json(text or "{}", allow_inf_nan=False).get("detail")
    except (ValueError, AttributeError):
        return {}
    return detail if isinstance(detail, dict) else {}


def _issued(run: Run, refs: Collection[str]) -> Mapping[str, list[Issued]]:
    certificate, head = sa.inspect(Certificate).columns, run.moment.head.seq
    seq = sa.func.coalesce(certificate.issued_seq, certificate.reserved_seq)
    found = _by(
        run,
        Order.application_ref,
        refs,
        (
            certificate.serial,
            seq.label("seq"),
            col(TrailEntry.at).label("at"),
            certificate.not_after,
            col(Revocation.seq).label("revoked_seq"),
        ),
        lambda query: (
            query.select_from(Order)
            .join(Carrier, col(Carrier.order_id) == col(Order.id))
            .join(Certificate, certificate.carrier_id == col(Carrier.id))
            .join(TrailEntry, col(TrailEntry.seq) == seq)
            .outerjoin(Revocation, col(Revocation.certificate_id) == certificate.id)
            .where(col(Order.authority).is_(None), seq <= head)
        ),
    )
    return {
        ref: [Issued(one.serial, one.seq, one.at, one.not_after, one.revoked_seq) for one in some]
        for ref, some in found.items()
    }


def _proofs(run: Run, persons: Collection[str]) -> Mapping[str, list[tuple[str, date]]]:
    """Return the sound papers and checks of each person's files, all that are kept.

    As ``CODE REFERENCE``, or the method of the check for the code, with the day of receipt.
    """
    found: defaultdict[str, list[tuple[str, date]]] = defaultdict(list)
    for table, code, sound in (
        (Document, Document.code, sa.type_coerce(col(Document.result), sa.Text) == "OK"),
        (Check, Check.method, sa.type_coerce(col(Check.result), sa.Text) == "OK"),
    ):
        day = Document.received_on if table is Document else Application.received_on
        joined = col(table.application_ref) == col(Application.ref)
        for person, some in _by(
            run,
            Application.person_id,
            persons,
            (col(code).label("code"), col(Application.ref), col(day).label("day")),
            lambda query, table=table, joined=joined, sound=sound: (  # type: ignore[misc]
                query.select_from(Application).join(table, joined).where(sound)
            ),
        ).items():
            found[person] += [(f"{one.code} {one.ref}", one.day) for one in some]
    return found
