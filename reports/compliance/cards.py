"""Cards and their PINs: who made them, who saw the PINs, and when a card locks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from audit.records import TrailEntry, content_of
from card_personalization.layout import load_layout
from card_personalization.piv_layout import load_piv_layout
from card_personalization.profiles import HPKI, PIV, layout_text
from card_personalization.records import Card, PinEnvelope
from card_personalization.records import Run as MakingRun
from reports.compliance.results import Outcome
from reports.compliance.run import Run
from reports.differences import PAGE
from reports.tables import Text

_MADE = ("CARD.KEYGEN", "CARD.PERSONALISE")
_DISCLOSED = "PIN.DISCLOSE_APPROVE"
_OWN_LIMIT = "retry_limits"
"""What a card has not that keeps its own number of tries."""


_ABOUT = (TrailEntry.seq, TrailEntry.code, TrailEntry.object_id, TrailEntry.actor)


def _entries(
    run: Run, codes: Collection[str], *more: Any, all_time: bool = False
) -> Iterable[sa.Row[Any]]:
    """Return position, code, card, actor and more of entries, of the period or up to the moment."""
    first = 0 if all_time else run.positions.start
    last = run.moment.head.seq if all_time else run.positions.stop - 1
    columns: list[Any] = [*_ABOUT, *more]
    query = sa.select(*columns).where(
        col(TrailEntry.code).in_(codes),
        col(TrailEntry.outcome) == "OK",
        col(TrailEntry.seq).between(first, last),
    )
    ordered = query.order_by(col(TrailEntry.seq))
    return run.tx.execute(ordered, execution_options={"yield_per": PAGE})


def _makers(run: Run) -> dict[str, frozenset[str]]:
    """Return who worked on each card, by the runs and by the trail."""
    found: dict[str, frozenset[str]] = {}
    for chip, operator in run.tx.exec(select(MakingRun.chip_serial, MakingRun.operator_id)):
        found[chip] = _with(found.get(chip, frozenset()), operator)
    for entry in _entries(run, _MADE, all_time=True):
        found[entry.object_id] = _with(found.get(entry.object_id, frozenset()), entry.actor)
    return found


@lru_cache(maxsize=4096)
def _with(names: frozenset[str], name: str) -> frozenset[str]:
    """Return the names with one more, the same value for the same people."""
    return names | {name}


def _apart(run: Run) -> Outcome:
    """HC-6.4-02: of cards made and PINs disclosed in the period."""
    outcome, makers, register = Outcome(), _makers(run), run.register
    nobody: frozenset[str] = frozenset()
    sealed: dict[str, frozenset[str]] = {}
    owners = {keys.credential: name for name, one in register.accounts.items() for keys in one.keys}
    for chip, credential in run.tx.exec(select(PinEnvelope.chip_serial, PinEnvelope.credential_id)):
        sealed[chip] = _with(sealed.get(chip, frozenset()), owners.get(credential, ""))
    for entry in _entries(run, ("CARD.PERSONALISE", _DISCLOSED), TrailEntry.co_actor):
        card = entry.object_id
        if entry.code == _DISCLOSED:
            both = makers.get(card, nobody) & {entry.actor, entry.co_actor}
            row = f"entry {entry.seq}, card {card}"
        else:
            both, row = makers.get(card, nobody) & sealed.get(card, nobody), f"card {card}"
        outcome.judge(
            row,
            [
                Text(f"{one}はカードを作り暗証番号も扱った", f"{one} made it and may see its PINs")
                for one in sorted(both)
            ],
        )
    return outcome


def _locks(run: Run) -> Outcome:
    """HC-6.4-03: the tries that the shipped layout of its profile sets, and that the card took."""
    outcome, limit = Outcome(), int(run.number("PIN_RETRY"))
    tries = {HPKI: load_layout(layout_text(HPKI)).pin.tries, PIV: load_piv_layout().pin.tries}
    profiles = dict(run.tx.exec(select(Card.chip_serial, Card.profile)).all())
    for entry in _entries(run, ("CARD.PERSONALISE",), TrailEntry.body, TrailEntry.hash):
        facts = []
        content = content_of(entry.body, entry.hash)
        if content is None or _OWN_LIMIT in content["detail"].get("not_offered", [_OWN_LIMIT]):
            facts.append(Text("カードが回数を設定しない", "keeps a number of tries of its own"))
        if tries.get(profiles.get(entry.object_id, ""), limit + 1) > limit:
            facts.append(Text(f"{limit}回で閉塞しない", f"does not lock after {limit} tries"))
        outcome.judge(f"card {entry.object_id}", facts)
    return outcome


CHECKS = {"HC-6.4-02": _apart, "HC-6.4-03": _locks}
"""The checks of this module."""
