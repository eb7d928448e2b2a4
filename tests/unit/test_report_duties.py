"""The rules on which duties stay apart, without a centre."""

from __future__ import annotations

import pytest

from policies.role_tables import shipped_table
from reports.duties import Doer, Duty, broken

SOUND = {
    Duty.RECEIVED: (Doer("a", "RA_RECEPTION"),),
    Duty.EXAMINED: (Doer("a", "RA_EXAMINER"),),
    Duty.APPROVED: (Doer("b", "RA_APPROVER"),),
    Duty.EXECUTED: (Doer("c", "IA_OPERATOR"),),
    Duty.PERSONALISED: (Doer("c", "CARD_OPERATOR"),),
    Duty.DISCLOSED: (Doer("d", "PIN_OPERATOR"), Doer("e", "RA_MANAGER")),
}


@pytest.mark.parametrize("table", ["full", "small-centre"])
@pytest.mark.parametrize(
    ("duty", "doer", "rule"),
    [
        (Duty.APPROVED, Doer("a", "RA_APPROVER"), "HC-4.2-01"),
        (Duty.EXECUTED, Doer("b", "IA_OPERATOR"), "HC-4.3-02"),
        (Duty.PERSONALISED, Doer("e", "CARD_OPERATOR"), "HC-6.4-02"),
        (Duty.RECEIVED, Doer("b", "LRA_RECEPTION"), "HC-5.2-01"),
    ],
)
def test_each_rule_is_broken_by_one_pair(table: str, duty: Duty, doer: Doer, rule: str) -> None:
    """Rules of one file hold under every table, the pair of a local office by statute."""
    assert list(broken(SOUND, shipped_table(table))) == []
    (found,) = broken({**SOUND, duty: (doer,)}, shipped_table(table))
    assert found.rule == rule
    assert doer.person in found.words.en


def test_peers_people_are_others() -> None:
    doers = {**SOUND, Duty.EXECUTED: (Doer("0123456789abcdef/b", "IA_OPERATOR"),)}
    assert list(broken(doers, shipped_table("full"))) == []
