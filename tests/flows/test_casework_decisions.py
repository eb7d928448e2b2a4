"""Decisions: by two people, at one moment, taken back, with keys lost and files changed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlmodel import select

from ca.records import Order
from operators.acts import Loss, Rekey
from pki.errors import Conflict, HpkiError, Refused
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework.guards import lives
from ra.dossiers import compute_dossier, examined_offer
from ra.records import find_application
from reports.reconciliation import check_rows
from tests.flows.conftest import Centre
from tests.flows.issuing import refused
from tests.flows.registration import (
    batch_for,
    blank_card,
    bring_to_examination,
    entries,
    order_all,
    personalize,
    row,
    take_in,
)
from tests.flows.test_casework import (
    REF,
    approve,
    ask_and_answer,
    examined,
    issue_on,
    made_moves,
    outcome,
    put,
    ref_of,
    sound,
    state_of,
)

_S = ApplicationState


# --- two people at the same moment ---


def at_once(*acts: Callable[[], object]) -> list[str]:
    """What becomes of acts that begin at one moment."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> str:
        barrier.wait()
        return outcome(act)

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(run, acts))


def test_of_two_who_decide_at_the_same_moment_one_wins(centre: Centre) -> None:
    """The other is told; nothing is half-written; whatever the two want to do."""
    centre.appoint("shonin-ni", Role.RA_APPROVER)
    examiner, first, second = (centre.signers[one] for one in ("uketsuke", "shonin", "shonin-ni"))
    made = centre.examination
    pairs: list[tuple[Callable[[str], object], Callable[[str], object]]] = [
        (lambda ref: made.approve(ref, first), lambda ref: made.approve(ref, second)),
        (lambda ref: made.approve(ref, first), lambda ref: made.reject(ref, second, "R02")),
        (lambda ref: made.reject(ref, first, "R02"), lambda ref: made.reject(ref, second, "R03")),
        (lambda ref: made.approve(ref, first), lambda ref: made.withdraw(ref, examiner, "取下書")),
        (lambda ref: made.approve(ref, first), lambda ref: made.send_back(ref, second, "住所")),
    ]
    rows = [row(number) for number in range(1, len(pairs) + 1)]
    examined(centre, *rows)
    for (one, other), given in zip(pairs, rows, strict=True):
        ref = given["application_ref"]
        told = at_once(lambda: one(ref), lambda: other(ref))  # noqa: B023
        late = "operators.role.missing"  # the reception withdraws nothing that is approved
        assert told in (["made", "ra.state"], ["made", "made"], ["made", late]), ref
        if told == ["made", "made"]:  # the approval first, then taken back by the other
            assert state_of(centre, ref) in (_S.WITHDRAWN, _S.EXAMINING)
    assert sound(centre)


def test_two_signatures_and_a_check_at_the_same_moment(centre: Centre) -> None:
    """Either the check comes first and is part of what is signed, or it is refused."""
    centre.appoint("shinsa", Role.RA_EXAMINER)
    one, other = centre.signers["uketsuke"], centre.signers["shinsa"]
    take_in(centre, row(1), row(2))
    bring_to_examination(centre, REF, ref_of(2))
    for ref in (REF, ref_of(2)):
        at_once(
            lambda: centre.examination.examine(ref, one, rest_ok=True),  # noqa: B023
            lambda: centre.examination.check(ref, "INTENT", other, ok=False, note="押印なし"),  # noqa: B023
        )
        told = outcome(lambda: approve(centre, ref))  # noqa: B023
        assert told in ("made", "ra.guard.checks_ok")
    assert sound(centre)


# --- after the approval ---


def test_death_before_the_issue_ends_the_file_for_good(centre: Centre) -> None:
    """Nothing is issued afterwards, even where the row's state is put back."""
    (order,) = order_all(centre, row(1))
    batch = batch_for(centre, order.id)
    centre.examination.withdraw(REF, centre.signers["shonin"], "死亡届")
    assert made_moves(centre)[-1] == ("ISSUING>WITHDRAWN", "APP.WITHDRAW")
    assert [one.object_id for one in entries(centre, "ISSUE.WITHDRAW")] == [order.id]
    card = blank_card(centre)
    for state in (_S.WITHDRAWN, _S.ISSUING):
        put(centre, state)
        refused(Refused, "ca.order.withdrawn", lambda: personalize(centre, order.id, card, batch))
    refused(Refused, "ca.order.withdrawn", lambda: issue_on(centre, order, 1))
    approver = centre.signers["shonin"]
    put(centre, _S.EXAMINED)
    with pytest.raises(HpkiError):
        centre.examination.approve(REF, approver)
    with centre.store.read() as tx:
        assert lives(tx, REF) is False
        assert len(list(tx.exec(select(Order)))) == 1
        assert {one.code for one in check_rows(tx, centre.archive)} == {"application.differs"}


@pytest.mark.parametrize("name", ["shonin", "uketsuke"])
def test_a_key_lost_after_the_approval(centre: Centre, name: str) -> None:
    """The station refuses; an approver takes it back; examined and approved anew it is issued."""
    (order,) = order_all(centre, row(1))
    lose_key(centre, name)
    card = blank_card(centre)
    refused(Refused, "operators.statement.key_lost", lambda: personalize(centre, order.id, card))
    centre.examination.send_back(REF, centre.signers["shonin"], "鍵の紛失")
    assert state_of(centre) is _S.EXAMINING
    centre.pass_time(minutes=1)
    ask_and_answer(centre, REF)
    centre.examination.examine(REF, centre.signers["uketsuke"], rest_ok=True)
    again = approve(centre)
    assert again is not None
    assert (again.id, again.attempt) == (f"{REF}.2", 2)
    batch = batch_for(centre, order.id, batch_id="old")
    refused(Refused, "ca.order.withdrawn", lambda: personalize(centre, order.id, card, batch))
    personalize(centre, again.id, card)
    assert state_of(centre) is _S.PERSONALISED
    assert sound(centre)


def lose_key(centre: Centre, name: str) -> None:
    """Report the keys lost, and register new ones."""
    with centre.store.read() as tx:
        keys = centre.directory.register(tx).account(name).keys
    centre.decide(Loss(operator=name, credential=keys[-1].credential), "kanri")
    keys_now = centre.make_keys(name)
    centre.decide(Rekey(operator=name, keys=keys_now), "kanri", "tachiai")


def test_an_older_order_is_dead_once_there_is_a_newer(centre: Centre) -> None:
    """Even where it was never withdrawn: somebody put state and attempt back in the store."""
    (order,) = order_all(centre, row(1))
    put(centre, _S.EXAMINING, attempt=2)
    centre.pass_time(minutes=1)
    ask_and_answer(centre, REF)
    centre.examination.examine(REF, centre.signers["uketsuke"], rest_ok=True)
    newer = approve(centre)
    assert newer is not None
    refused(Refused, "ca.order.superseded", lambda: issue_on(centre, order, 1))
    issue_on(centre, newer, 2)
    assert not sound(centre)


def test_a_fee_does_not_let_one_person_decide_alone(centre: Centre) -> None:
    """The two statements are verified at the approval, not first when the fee is there."""
    examined(centre, row(1, member_id=""))
    centre.become_small()
    centre.grant("uketsuke", Role.RA_APPROVER)
    refused(Refused, "ca.separation", lambda: approve(centre, by="uketsuke"))
    assert state_of(centre) is _S.EXAMINED
    with centre.store.begin() as tx:
        version = records.applicant(tx, find_application(tx, REF))
        version.address = "東京都架空区1-1"
        application = find_application(tx, REF)
        forged = compute_dossier(tx, application, centre.kind, examined_offer(application))
        application.dossier = forged.octets().decode()
    refused(Refused, "operators.statement.differs", lambda: approve(centre))
    assert state_of(centre) is _S.EXAMINED


def test_a_file_changed_while_it_lay_open_is_not_signed(centre: Centre) -> None:
    examiner, approver = centre.signers["uketsuke"], centre.signers["shonin"]
    take_in(centre, row(1))
    bring_to_examination(centre, REF)

    def digest() -> str:
        with centre.store.read() as tx:
            return centre.examination.seen(tx, find_application(tx, REF))

    shown = digest()
    centre.examination.check(REF, "INTENT", examiner, ok=False, note="署名なし")
    act = centre.examination.examine
    refused(Conflict, "ra.file.changed", lambda: act(REF, examiner, rest_ok=True, seen=shown))
    assert state_of(centre) is _S.QUAL_INQUIRY
    centre.examination.check(REF, "INTENT", examiner, ok=True)
    act(REF, examiner, rest_ok=True, seen=digest())
    refused(
        Conflict,
        "ra.file.changed",
        lambda: centre.examination.approve(REF, approver, seen="0" * 64),
    )
    assert centre.examination.approve(REF, approver, seen=digest()) is not None
