"""Cards after they were made: destruction, disclosure of PINs, and copies of keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from audit.records import TrailEntry
from ca.records import Carrier, Certificate, Order, Revocation
from card_personalization.disclosure import DisclosureReason
from card_personalization.layout import KeyOrigin
from card_personalization.records import Card, CardState, Step
from card_personalization.records import Run as CardRun
from operators.records import Statement
from operators.statements import StatementType
from pki.validity import japan_date
from ra.records import Application, CheckResult
from ra.records import Check as Examined
from reports.compliance.engine import Check
from reports.compliance.results import Outcome
from reports.compliance.run import Run
from reports.differences import PAGE
from reports.tables import Text

_DAMAGED = Text("本文が壊れている", "its content is damaged")


def _entries(run: Run, code: str) -> Iterator[tuple[TrailEntry, Mapping[str, Any] | None]]:
    """Yield the period's entries of a code with their detail, None for a damaged one."""
    entry = sa.inspect(TrailEntry).columns
    query = sa.select(TrailEntry).where(
        entry.code == code,
        entry.outcome == "OK",
        entry.seq.between(run.positions.start, run.positions.stop - 1),
    )
    found = run.tx.execute(query.order_by(entry.seq), execution_options={"yield_per": PAGE})
    for one in found.scalars():
        said = one.content()
        yield one, None if said is None else said["detail"]


def _signers(run: Run, entries: Iterable[TrailEntry], kind: StatementType) -> dict[int, set[str]]:
    """Return who signed a statement of the kind at each of the entries."""
    statement = sa.inspect(Statement).columns
    query = sa.select(statement.seq, statement.operator_id).where(
        statement.seq.in_([one.seq for one in entries]), statement.type == kind.value
    )
    signed = defaultdict[int, set[str]](set)
    for seq, operator in run.tx.execute(query):
        signed[seq].add(operator)
    return signed


def _by_two(entry: TrailEntry, signed: Collection[str]) -> list[Text]:
    if len(signed) < 2 or signed != {entry.actor, entry.co_actor}:
        return [Text("二人の署名がない", "two people did not sign it")]
    return []


def destroyed(run: Run) -> Outcome:
    """Judge the cards destroyed in the period, and those that are so and nobody entered."""
    outcome, chips = Outcome(), set[str]()
    certificate = sa.inspect(Certificate).columns
    query = (
        sa.select(certificate.serial)
        .join(Carrier, col(Carrier.id) == certificate.carrier_id)
        .outerjoin(Revocation, col(Revocation.certificate_id) == certificate.id)
    )
    for entry, _ in _entries(run, "CARD.DESTROY"):
        chips.add(entry.object_id)
        facts = _by_two(entry, _signers(run, [entry], StatementType.CARD_DESTRUCTION)[entry.seq])
        revoked = sa.func.coalesce(col(Revocation.seq), entry.seq) >= entry.seq
        living = query.where(
            col(Carrier.chip_serial) == entry.object_id,
            revoked,
            certificate.not_after > entry.at,
            certificate.reserved_seq < entry.seq,
        )
        facts += [
            Text(f"証明書 {serial} が失効していない", f"the certificate {serial} lived")
            for serial in run.tx.execute(living).scalars()
        ]
        state = run.tx.execute(
            sa.select(sa.type_coerce(col(Card.state), sa.Text)).where(
                col(Card.chip_serial) == entry.object_id
            )
        ).scalar()
        if state != CardState.DESTROYED.value:
            facts.append(Text("在庫では廃棄されていない", "in the stock it is not destroyed"))
        outcome.judge(f"card {entry.object_id}", facts)
    return outcome


def _never_told(run: Run) -> Iterator[str]:
    """Yield the cards that are destroyed without an entry of any time."""
    entry = sa.inspect(TrailEntry).columns
    told = sa.select(entry.object_id).where(entry.code == "CARD.DESTROY", entry.outcome == "OK")
    query = sa.select(col(Card.chip_serial)).where(
        col(Card.state) == CardState.DESTROYED, col(Card.chip_serial).not_in(told)
    )
    yield from run.tx.execute(query.order_by(col(Card.chip_serial))).scalars()


def returned(run: Run) -> Outcome:
    """Judge destructions as ``destroyed`` does, and cards that only the stock says are gone."""
    outcome = destroyed(run)
    for chip in _never_told(run):
        outcome.judge(f"card {chip}", [Text("廃棄の記録がない", "nobody entered it")])
    return outcome


def disclosed(run: Run) -> Outcome:
    """Judge the PINs told again: two people, and a request that was examined before."""
    outcome = Outcome()
    entries = _entries(run, "PIN.DISCLOSE_APPROVE")
    while page := list(islice(entries, PAGE)):
        signed = _signers(run, [entry for entry, _ in page], StatementType.PIN_DISCLOSURE)
        asked = _asked(run, {_order(detail) for _, detail in page})
        for entry, detail in page:
            if detail is not None and detail.get("reason") == DisclosureReason.FIRST_LETTER.value:
                continue
            facts = _by_two(entry, signed[entry.seq])
            day = japan_date(entry.at)
            if detail is None:
                facts.append(_DAMAGED)
            elif not any(on <= day and at <= entry.at for on, at in asked[_order(detail)]):
                facts.append(
                    Text("本人確認済みの開示申請がない", "no request of a person identified before")
                )
            outcome.judge(f"entry {entry.seq}", facts)
    return outcome


def _order(detail: Mapping[str, Any] | None) -> str:
    return str((detail or {}).get("order"))


def _asked(run: Run, orders: Collection[str]) -> dict[str, list[tuple[date, datetime]]]:
    """Return when requests of each order's holder came, and when their identity was found OK."""
    query = (
        sa.select(col(Order.id), col(Application.received_on), col(Examined.at))
        .join(Application, col(Order.application_ref) == col(Application.replaces))
        .join(Examined, col(Examined.application_ref) == col(Application.ref))
        .where(
            col(Order.id).in_(orders),
            col(Application.type) == "PIN_DISCLOSE",
            col(Examined.kind) == "IDENTITY",
            col(Examined.result) == CheckResult.OK,
        )
    )
    found = defaultdict[str, list[tuple[date, datetime]]](list)
    for order, on, at in run.tx.execute(query):
        found[order].append((on, at))
    return found


def copies(run: Run) -> Outcome:
    """Judge the keys put on cards: none kept, and a copy gone within its minutes."""
    outcome, most = Outcome(), timedelta(minutes=int(run.number("KEYCOPY_MIN")))
    for entry, detail in _entries(run, "CARD.KEYGEN"):
        facts = []
        if detail is None:
            facts.append(_DAMAGED)
        elif detail.get("origin") != KeyOrigin.CARD:
            if detail.get("kept") is not False:
                facts.append(Text("鍵の写しの消去の記録がない", "no word that its copy is gone"))
            step = _step(run, entry)
            if step is None or step.ended_at is None or step.ended_at - step.begun_at > most:
                facts.append(
                    Text(
                        f"鍵の写しが {most} 以内に消去されていない",
                        f"its copy was not gone within {most}",
                    )
                )
        outcome.judge(f"card {entry.object_id}", facts)
    return outcome


def _step(run: Run, entry: TrailEntry) -> Any:
    """Return when the newest making of keys on the card by the entry's time began and ended."""
    query = (
        sa.select(col(Step.begun_at), col(Step.ended_at))
        .join(CardRun, col(CardRun.id) == col(Step.run_id))
        .where(
            col(CardRun.chip_serial) == entry.object_id,
            col(Step.name) == "KEYS",
            col(Step.begun_at) <= entry.at,
        )
        .order_by(col(Step.begun_at).desc())
    )
    return run.tx.execute(query.limit(1)).first()


CHECKS: Mapping[str, Check] = {
    "HC-4.4-04": returned,
    "HC-4.12-01": copies,
    "HC-6.4-04": disclosed,
}
