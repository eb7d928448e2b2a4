"""Every certificate issued in a period, and who brought it about, proven from the signatures.

What nobody signs (receipt, work at the station) is told by the trail. Rows of tables lead to the
entries and statements; what counts is what those say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audit.records import content_of
from ca.orders import Batch, approval, examination
from ca.records import CarrierKind
from card_personalization.disclosure import APPROVERS
from operators.accounts import Moment as Position
from operators.directory import Directory
from operators.exchange.peers import Peers
from operators.statements import Decision, StatementType
from pki.errors import HpkiError, Refused
from policies.roles import Role
from reports.differences import PAGE
from reports.duties import Doer, Doers, Duty, Finding, broken, held_together, unproven
from reports.moment import Moment
from reports.period import Period
from reports.proving import Prover, Said, entries_about, signed_in
from reports.rows import CARRIER, CERTIFICATE, ENTRY, ORDER
from store.database import Transaction

Progress = Callable[[int, int], None]


_RECEIPT = ("APP.RECEIVE", "APP.COMPLETE")
_STATION = ("CARD.KEYGEN", "CARD.PERSONALISE")
_DISCLOSE = "PIN.DISCLOSE_APPROVE"
_SIGNED = 3
_MOST_BATCHES = 1000


@dataclass(frozen=True)
class Issued:
    """A certificate, ISSUER:SERIAL, by the entry of its issue.

    ``doers`` has the duties of which anything is told, ``findings`` the rules that are broken and
    what is not proven.
    """

    name: str
    at: datetime
    order_id: str
    application_ref: str
    foreign: bool
    carrier: CarrierKind | None
    doers: Doers
    findings: tuple[Finding, ...]


def certificates_issued(
    tx: Transaction,
    moment: Moment,
    period: Period,
    directory: Directory,
    peers: Peers,
    progress: Progress | None = None,
) -> Iterator[Issued]:
    """Yield holders' certificates issued in the period, in order; progress: done and all.

    Raises ``Refused`` where the register of operators was tampered with: nothing is proven then.
    """
    prover = Prover(tx, directory, directory.register(tx))
    work = _Work(tx, moment, directory, peers, prover)
    issues = (
        ENTRY.c.code == "CERT.ISSUE",
        ENTRY.c.outcome == "OK",
        ENTRY.c.seq <= moment.head.seq,
        period.holds(ENTRY.c.at),
    )
    total = tx.execute(sa.select(sa.func.count()).select_from(ENTRY).where(*issues)).scalar_one()
    query = sa.select(ENTRY.c.seq, ENTRY.c.at, ENTRY.c.object_id, ENTRY.c.body, ENTRY.c.hash)
    query = query.where(*issues).order_by(ENTRY.c.seq).limit(PAGE)
    done, last = 0, 0
    while page := tx.execute(query.where(ENTRY.c.seq > last)).all():
        last, done = page[-1].seq, done + len(page)
        yield from work.take(page)
        if progress is not None:
            progress(done, total)


@dataclass
class _Case:
    """One certificate while its duties are gathered; ``order`` and ``carrier`` are rows."""

    seq: int
    at: datetime
    name: str
    detail: Mapping[str, Any]
    actor: str
    order: Any
    carrier: Any
    doers: defaultdict[Duty, list[Doer]] = field(default_factory=lambda: defaultdict(list))
    findings: list[Finding] = field(default_factory=list)

    @property
    def order_id(self) -> str:
        return str(self.detail.get("order", ""))

    @property
    def statements(self) -> tuple[str, ...]:
        """The ids of examination, approval and execution, as many as are named."""
        named = self.detail.get("statements")
        return tuple(map(str, named)) if isinstance(named, list) else ()

    def add(self, duty: Duty, doer: Doer) -> None:
        if doer not in self.doers[duty]:
            self.doers[duty].append(doer)

    def fail(self, duty: Duty, code: str) -> None:
        found = unproven(duty, code)
        if found not in self.findings:
            self.findings.append(found)


@dataclass
class _Work:
    """What is known while pages are worked through.

    Batches serve many certificates, decisions the two of a card, and the same few people do them.
    """

    tx: Transaction
    moment: Moment
    directory: Directory
    peers: Peers
    prover: Prover
    batches: dict[str, tuple[Said, frozenset[str]]] = field(default_factory=dict)
    decided: dict[tuple[str, Decision], tuple[Doer, Position | None]] = field(default_factory=dict)
    held: dict[frozenset[Role], tuple[Role, Role] | None] = field(default_factory=dict)
    judged: dict[Hashable, tuple[Finding, ...]] = field(default_factory=dict)

    def take(self, page: Sequence[Any]) -> Iterator[Issued]:
        """Yield what the page's entries tell, certificates of CAs left out."""
        self.decided.clear()
        cases = self._cases(page)
        told = self._told(cases)
        disclosed = [one for bodies in told.values() for one in bodies if one["code"] == _DISCLOSE]
        named = {one for case in cases for one in case.statements}
        self.prover.load(named | {one for body in disclosed for one in signed_in(body)})
        accepted = self._accepted({case.order_id for case in cases} | self._of_new_batches(named))
        for case in cases:
            if case.order is None or case.carrier is None or len(case.statements) != _SIGNED:
                case.fail(Duty.EXECUTED, "reports.duties.rows")
            else:
                self._signed(case, accepted)
                self._unsigned(case, told)
            case.findings += self._broken(case.doers)
            yield _issued(case)

    def _cases(self, page: Sequence[Any]) -> list[_Case]:
        bodies = [(row, content_of(row.body, row.hash)) for row in page]
        orders = {str(body["detail"].get("order", "")) for _, body in bodies if body is not None}
        found = self.tx.execute(sa.select(ORDER).where(ORDER.c.id.in_(sorted(orders))))
        by_id = {row.id: row for row in found}
        carriers = self._carriers(orders)
        cases = []
        for row, body in bodies:
            detail = {"order": "?"} if body is None else body["detail"]
            if not detail.get("order"):
                continue
            actor = "" if body is None else body["actor_id"]
            order, carrier = by_id.get(detail["order"]), carriers.get(row.object_id)
            cases.append(_Case(row.seq, row.at, row.object_id, detail, actor, order, carrier))
        return cases

    def _carriers(self, orders: set[str]) -> dict[str, Any]:
        """Return the carriers by the names of the orders' certificates."""
        name = CERTIFICATE.c.issuer_id.concat(":").concat(CERTIFICATE.c.serial)
        query = (
            sa.select(name.label("name"), CARRIER.c.kind, CARRIER.c.chip_serial)
            .join_from(CERTIFICATE, CARRIER, CARRIER.c.id == CERTIFICATE.c.carrier_id)
            .where(CERTIFICATE.c.order_id.in_(sorted(orders)))
        )
        return {row.name: row for row in self.tx.execute(query)}

    def _of_new_batches(self, statement_ids: set[str]) -> set[str]:
        """Return the orders of the batches that were not proven yet."""
        if len(self.batches) > _MOST_BATCHES:
            self.batches.clear()
        found: set[str] = set()
        for one in statement_ids - self.batches.keys():
            with suppress(Refused):
                entry = self.prover.entry_of(one)
                found.update(_orders_of(entry) if entry["code"] == "PRIV.USE" else ())
        return found

    def _accepted(self, order_ids: set[str]) -> dict[str, str]:
        """Return the digest of the dossier with which the trail tells that each was accepted."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for body in entries_about(self.tx, ("ISSUE.ORDER",), order_ids, self.moment.head.seq):
            found[body["object_id"]].append(str(body["detail"].get("dossier")))
        return {order_id: told[0] for order_id, told in found.items() if len(told) == 1}

    def _told(self, cases: Sequence[_Case]) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return the entries about the page's applications and cards, by object."""
        refs = {case.order.application_ref for case in cases if case.order is not None}
        chips = {case.carrier.chip_serial for case in cases if case.carrier is not None} - {None}
        codes = (*_RECEIPT, *_STATION, _DISCLOSE)
        found: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for body in entries_about(self.tx, codes, refs | chips, self.moment.head.seq):
            found[body["object_type"], body["object_id"]].append(body)
        return found

    def _signed(self, case: _Case, accepted: Mapping[str, str]) -> None:
        """Take examiner, approver and executor from what they signed, in this order."""
        authority = case.order.authority
        ref = case.order.application_ref.removeprefix(f"{authority}/" if authority else "")
        digest = accepted.get(case.order_id, "")
        stood = [
            self._decided(case, Duty.EXAMINED, case.statements[0], examination(ref, digest)),
            self._decided(case, Duty.APPROVED, case.statements[1], approval(ref, digest)),
        ]
        executed = self._executed(case, accepted)
        own = [seq for seq in stood if seq]
        if sorted(own) != own or any(seq >= case.seq for seq in (*own, executed)):
            case.fail(Duty.APPROVED, "ca.statements.order")

    def _decided(self, case: _Case, duty: Duty, statement_id: str, decision: Decision) -> int:
        """Take who made the statement; return its position in our trail, 0 for none of ours."""
        try:
            doer, at = self._signer(case.order.authority, statement_id, decision)
        except HpkiError as error:
            case.fail(duty, error.code)
            return 0
        self._take(case, duty, doer, at)
        return at.seq if at is not None else 0

    def _signer(
        self, authority: str | None, statement_id: str, decision: Decision
    ) -> tuple[Doer, Position | None]:
        """Return who made a decision and where it stands in our trail; raises ``Refused``."""
        key = (statement_id, decision)
        if key not in self.decided:
            if authority is None:
                said = self.prover.verify(statement_id, decision)
                self.decided[key] = Doer(said.operator_id, said.role), said.at
            else:
                name = self.peers.people(authority).verify_kept(self.tx, statement_id, decision)
                self.decided[key] = Doer(name, decision.role), None
        return self.decided[key]

    def _executed(self, case: _Case, accepted: Mapping[str, str]) -> int:
        """Take who executed, compare the entry; return the statement's position, 0 for none."""
        try:
            said, orders = self._batch(case.statements[2], accepted)
        except HpkiError as error:
            case.fail(Duty.EXECUTED, error.code)
            return 0
        self._take(case, Duty.EXECUTED, Doer(said.operator_id, said.role), said.at)
        if case.order_id not in orders:
            case.fail(Duty.EXECUTED, "ca.batch.order")
        if case.actor != said.operator_id:
            case.fail(Duty.EXECUTED, "reports.duties.actor")
        return said.at.seq

    def _take(self, case: _Case, duty: Duty, doer: Doer, at: Position | None) -> None:
        """Note who signed, and roles that one of our people could not hold together then."""
        case.add(duty, doer)
        if at is None:
            return
        roles = self.prover.register.roles(doer.person, at)
        if roles not in self.held:
            self.held[roles] = self.directory.table.conflicting_pair(roles)
        pair = self.held[roles]
        if pair is not None:
            case.findings.append(held_together(doer.person, pair))

    def _broken(self, doers: Doers) -> tuple[Finding, ...]:
        key = tuple((duty, tuple(people)) for duty, people in doers.items())
        if key not in self.judged:
            self.judged[key] = tuple(broken(doers, self.directory.table))
        return self.judged[key]

    def _batch(self, statement_id: str, accepted: Mapping[str, str]) -> tuple[Said, frozenset[str]]:
        """Return who executed the batch, and its orders; raises ``Refused``."""
        if statement_id not in self.batches:
            entry = self.prover.entry_of(statement_id)
            orders = frozenset(_orders_of(entry))
            digests = tuple(sorted(accepted.get(one, "") for one in orders))
            batch = Batch(str(entry["object_id"]), statement_id, "", digests)
            self.batches[statement_id] = self.prover.verify(statement_id, batch.decision()), orders
        return self.batches[statement_id]

    def _unsigned(
        self, case: _Case, told: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
    ) -> None:
        """Take from the trail who received, made the card, and disclosed its PINs."""
        received = told.get(("application", case.order.application_ref), ())
        for body in received:
            case.add(Duty.RECEIVED, Doer(body["actor_id"], body["actor_role"]))
        if not received and case.order.authority is None:
            case.fail(Duty.RECEIVED, "reports.duties.none")
        for body in told.get(("card", case.carrier.chip_serial), ()):
            if body["code"] != _DISCLOSE:
                case.add(Duty.PERSONALISED, Doer(body["actor_id"], body["actor_role"]))
                continue
            try:
                self._disclosed(case, body)
            except HpkiError as error:
                case.fail(Duty.DISCLOSED, error.code)

    def _disclosed(self, case: _Case, body: Mapping[str, Any]) -> None:
        """Take the two who disclosed PINs from what they signed."""
        detail, made = body["detail"], []
        for statement_id in signed_in(body):
            role = self.prover.signed(statement_id).field("role")
            decision = Decision(
                StatementType.PIN_DISCLOSURE,
                "card",
                case.carrier.chip_serial,
                str(detail.get("envelopes")),
                "DISCLOSE",
                Role(role) if role in APPROVERS else Role.PIN_OPERATOR,
                str(detail.get("reason")),
            )
            made.append(self.prover.verify(statement_id, decision))
        for said in sorted(made, key=lambda one: one.operator_id != body["actor_id"]):
            self._take(case, Duty.DISCLOSED, Doer(said.operator_id, said.role), said.at)
        people = {said.operator_id for said in made}
        if people != {body["actor_id"], body["co_actor_id"]} or len(people) != 2:
            raise Refused("card.pins.people", "not two people disclosed, or others than entered")


def _orders_of(entry: Mapping[str, Any]) -> list[str]:
    orders = entry["detail"].get("orders")
    return [str(one) for one in orders] if isinstance(orders, list) else []


def _issued(case: _Case) -> Issued:
    order, carrier = case.order, case.carrier
    return Issued(
        case.name,
        case.at,
        case.order_id,
        "" if order is None else order.application_ref,
        order is not None and order.authority is not None,
        None if carrier is None else CarrierKind(carrier.kind),
        {duty: tuple(doers) for duty, doers in case.doers.items()},
        tuple(case.findings),
    )
