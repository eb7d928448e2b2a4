"""Who signs and takes what passes between organisations, and why an order is refused."""

from __future__ import annotations

import pytest

from pki.errors import InvalidInput
from policies.exchange import PaperKind, Part, order_refusal, paper_rule


def test_each_side_makes_its_papers_and_no_others() -> None:
    made = {
        (PaperKind.REGISTER, Part.RA): 2,
        (PaperKind.REGISTER, Part.CA): 2,
        (PaperKind.ORDERS, Part.RA): 1,
        (PaperKind.RESULTS, Part.CA): 1,
    }
    for key, count in made.items():
        rule = paper_rule(*key)
        assert rule.count == count
        assert set(rule.must) <= set(rule.roles)
        assert bool(rule.accepted_by) == (rule.kind is PaperKind.REGISTER)
    for kind, part in ((PaperKind.ORDERS, Part.CA), (PaperKind.RESULTS, Part.RA)):
        with pytest.raises(InvalidInput, match=f"{part} makes no file of the kind {kind}"):
            paper_rule(kind, part)


def test_an_unknown_refusal_names_the_known_ones() -> None:
    assert order_refusal("REQUEST").firm == "PROPOSAL"
    with pytest.raises(InvalidInput) as caught:
        order_refusal("R01")
    assert "SUSPENDED issuing is suspended" in caught.value.hint
