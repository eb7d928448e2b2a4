"""Cards and their PINs: who made them, who saw the PINs, and when a card locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlmodel import col, select

from audit.records import TrailEntry
from card_personalization.layout import load_layout
from card_personalization.piv_layout import load_piv_layout
from card_personalization.profiles import HPKI, PIV, layout_text
from card_personalization.records import Card, PinEnvelope
from card_personalization.records import Run as MakingRun
from reports.compliance.results import Outcome
from reports.compliance.run import Run
from reports.tables import Text

_MADE = ("CARD.KEYGEN", "CARD.PERSONALISE")
_DISCLOSED = "PIN.DISCLOSE_APPROVE"
_OWN_LIMIT = "retry_limits"
"""What a card has not that keeps its own number of tries."""


def _entries(run: Run, codes: Collection[str], *, all_time: bool = False) -> Iterable[TrailEntry]:
    """Return the entries about cards, of the period or up to the moment, in order."""
    first = 0 if all_time else run.positions.start
    last = run.moment.head.seq if all_time else run.positions.stop - 1
    query = select(TrailEntry).where(
        col(TrailEntry.code).in_(codes),
        TrailEntry.outcome == "OK",
        col(TrailEntry.seq).between(first, last),
    )
    return run.tx.exec(query.order_by(col(TrailEntry.seq)))


def _makers(run: Run) -> dict[str, set[str]]:
    """Return who worked on each card, by the runs and by the trail."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for chip, operator in run.tx.exec(select(MakingRun.chip_serial, MakingRun.operator_id)):
        found[chip].add(operator)
    for entry in _entries(run, _MADE, all_time=True):
        found[entry.object_id].add(entry.actor)
    return found


def _apart(run: Run) -> Outcome:
    """HC-6.4-02: of cards made and PINs disclosed in the period."""
    outcome, makers, register = Outcome(), _makers(run), run.register
    sealed: defaultdict[str, set[str]] = defaultdict(set)
    for chip, credential in run.tx.exec(select(PinEnvelope.chip_serial, PinEnvelope.credential_id)):
        held = register.credentials.get(credential)
        if held is not None:
            sealed[chip] |= {name for name, one in register.accounts.items() if one is held[0]}
    for entry in _entries(run, ("CARD.PERSONALISE", _DISCLOSED)):
        card = entry.object_id
        if entry.code == _DISCLOSED:
            both = makers[card] & {entry.actor, entry.co_actor}
            row = f"entry {entry.seq}, card {card}"
        else:
            both, row = makers[card] & sealed[card], f"card {card}"
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
    for entry in _entries(run, ("CARD.PERSONALISE",)):
        facts = []
        content = entry.content()
        if content is None or _OWN_LIMIT in content["detail"].get("not_offered", [_OWN_LIMIT]):
            facts.append(Text("カードが回数を設定しない", "keeps a number of tries of its own"))
        if tries.get(profiles.get(entry.object_id, ""), limit + 1) > limit:
            facts.append(Text(f"{limit}回で閉塞しない", f"does not lock after {limit} tries"))
        outcome.judge(f"card {entry.object_id}", facts)
    return outcome


CHECKS = {"HC-6.4-02": _apart, "HC-6.4-03": _locks}
"""The checks of this module."""
