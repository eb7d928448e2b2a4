"""The table of states and moves: whole, told in the docs, and every word of it known elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.statements import StatementType
from pki.errors import InvalidInput
from policies.events import known_codes
from policies.moves import SYSTEM, ApplicationState, Guard, Moves, moves
from policies.roles import Role
from policies.schema import load_toml
from ra.casework.guards import GUARDS
from reports.states import states_markdown

DOC = Path(__file__).parents[2] / "docs" / "states.md"
ENDS = {"REJECTED", "WITHDRAWN", "RETURNED", "COMPLETED", "CLOSED_REVOKED", "EXPIRED"}


def test_the_document_is_what_the_table_says() -> None:
    assert DOC.read_text() == states_markdown()


def test_every_word_of_a_move_is_known() -> None:
    codes = set(known_codes())
    for move in moves().move:
        assert move.code in codes, move
        assert not move.statement or move.statement in StatementType.__members__, move
        assert all(one == SYSTEM or one in Role.__members__ for one in move.actors)
        assert set(move.guards) <= set(GUARDS)
    assert set(GUARDS) == set(Guard)
    assert {guard for move in moves().move for guard in move.guards} == set(Guard)


def test_decisions_are_signed_and_by_one_role() -> None:
    signed = {(move.origin, move.to): move for move in moves().move if move.statement}
    for (origin, to), move in signed.items():
        assert len(move.actors) == 1, (origin, to)
    made_by = {
        move.statement: move.actors[0] for move in signed.values() if move.statement != "RETURN"
    }
    assert made_by == {
        "EXAMINATION": "RA_EXAMINER",
        "APPROVAL": "RA_APPROVER",
        "REJECTION": "RA_APPROVER",
        "WITHDRAWAL": "RA_APPROVER",
    }


def test_every_state_is_reached_and_every_open_one_left() -> None:
    table = moves()
    reached = {move.to for move in table.move} | {ApplicationState.DRAFT}
    assert reached == set(ApplicationState)
    left = {move.origin for move in table.move}
    assert set(ApplicationState) - left == ENDS
    for entry in table.state:
        assert entry.waits_for or entry.clock in ("stands", "over") or entry.code == "APPROVED"


def test_no_way_leads_to_issuing_past_examination_and_approval() -> None:
    """Without the states of the two decisions nothing after them is reached."""

    def reachable(without: str) -> set[str]:
        found, todo = set(), ["DRAFT", "RECEIVED"]
        while todo:
            state = todo.pop()
            if state in found or state == without:
                continue
            found.add(state)
            todo += [move.to for move in moves().move if move.origin == state]
        return found

    assert "ISSUING" in reachable("")
    issued = {"PAYMENT_WAIT", "ISSUING", "ISSUED", "PERSONALISED", "ACTIVE"}
    assert not reachable("EXAMINED") & {*issued, "APPROVED", "COMPLETED"}
    assert not reachable("APPROVED") & issued


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('clock = "stands"', 'clock = "sometimes"'),
        ('code = "DRAFT"', 'code = "RECEIVED"'),
        ('guards = ["WEB_ID"]', 'guards = ["NICE"]'),
        ('to = "RECEIVED"', 'to = "EXAMINED"\nextra = 1'),
    ],
)
def test_a_faulty_table_is_refused(old: str, new: str) -> None:
    text = (Path(__file__).parents[2] / "policies" / "data" / "moves.toml").read_text()
    assert old in text
    with pytest.raises(InvalidInput):
        load_toml(Moves, text.replace(old, new, 1).encode(), "moves.toml", "policies.moves")
