"""A sound sample centre for the compliance audit, and an audit of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from policies.controls import AuditKind
from policies.exchange import Part
from reports.compliance.checks import PARTS
from reports.compliance.engine import audit
from reports.compliance.results import ControlResult
from reports.compliance.run import Run
from reports.moment import moment
from store.database import Store, Transaction
from tests.flows.conftest import Centre
from tests.flows.registration import make_cards, row
from tests.flows.test_desk import LETTER
from tests.flows.test_desk import revoke as revoke_card
from tests.flows.test_disclosure import disclose
from tests.flows.test_repository import add

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


def make_sound(centre: Centre) -> None:
    """Cards, one of them revoked, a PIN told, a CPS, and three days of lists, all in time."""
    centre.due()
    add(centre, effective_at=centre.now + timedelta(hours=2))
    assert centre.repository.publish() == []
    cards = make_cards(centre, row(1), row(2))
    disclose(centre, cards[0])
    centre.pass_time(hours=1)
    revoke_card(centre, cards[1], LETTER, "hakko")
    for _ in range(3):
        centre.due()
        centre.pass_time(hours=24)
    centre.due()
    centre.pass_time(minutes=1)


def _stopped() -> datetime:
    raise AssertionError("an audit asks no clock")


def run_of(centre: Centre, tx: Transaction) -> Run:
    """What an audit of November reads."""
    return Run(
        tx,
        moment(tx, centre.now, centre.now),
        FIRST,
        LAST,
        frozenset(Part),
        centre.kind,
        centre.parameters,
        centre.profiles,
        replace(centre.directory, trail=replace(centre.trail, clock=_stopped)),
        centre.archive,
    )


def results(centre: Centre) -> Mapping[AuditKind, Mapping[str, ControlResult]]:
    """The results by report and control."""
    with centre.store.read() as tx:
        found = audit(run_of(centre, tx), PARTS)
    return {kind: {one.control.id: one for one in every} for kind, every in found.items()}


def violations(centre: Centre) -> dict[str, list[str]]:
    """What breaks each control, by row and fact in English."""
    found: dict[str, list[str]] = {}
    for every in results(centre).values():
        for control_id, one in every.items():
            for fault in one.outcome.violations if one.outcome is not None else ():
                said = f"{fault.row} {fault.fact.en}"
                if said not in found.setdefault(control_id, []):
                    found[control_id].append(said)
    return found


def copy_of(centre: Centre, folder: Path) -> Centre:
    """A copy in a file, with the same archive."""
    centre.store.empty_log()
    shutil.copyfile(centre.store.engine.url.database or "", folder / "store.sqlite")
    for name in ("lists", "keys"):
        shutil.copytree(centre.folder / name, folder / name)
    store = Store(f"sqlite:///{folder / 'store.sqlite'}")
    return replace(centre, store=store, folder=folder, opened=centre.keys._opened)
