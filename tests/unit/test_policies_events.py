"""The catalogue of events, and that our sources use no code outside it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pki.errors import InvalidInput
from policies.events import find_codes, known_codes
from policies.schema import policy_data
from tests.architecture import source_rules

ROOT = Path(__file__).resolve().parents[2]
OURS = {
    "ACCOUNT.ENABLE",
    "CARD.RESET",
    "CREDENTIAL.REGISTER",
    "CREDENTIAL.LOSS",
    "OFFICE.ASSIGN",
    "PEER.ACCEPT",
    "PEER.SEND",
    "PEER.RECEIVE",
}
GROUPS = {
    "Application": 27,
    "Certificate": 7,
    "Card and PIN": 13,
    "Revocation": 10,
    "CA key": 10,
    "People and access": 15,
    "Exchange": 3,
    "System": 16,
    "Data protection": 4,
    "Publication": 4,
    "Governance": 10,
    "Remote signing": 7,
}
_CODE = re.compile(r"[A-Z]+\.[A-Z_]+")


def test_the_whole_catalogue() -> None:
    events = known_codes()
    counts: dict[str, int] = {}
    for code, event in events.items():
        counts[event.group] = counts.get(event.group, 0) + 1
        assert event.code == code
        assert _CODE.fullmatch(code) or code in {"PATCH", "BACKUP", "RESTORE"}
    assert counts == GROUPS
    assert policy_data("events.toml").count(b"code = ") == len(events)
    assert {code for code, event in events.items() if event.source.startswith("ours")} == OURS
    assert all(events[code].firm == "PROPOSAL" for code in OURS)


def test_finding_codes() -> None:
    assert find_codes("APP.DECIDE") == ("APP.DECIDE",)
    assert find_codes("BACKUP") == ("BACKUP",)
    assert find_codes("CRL.") == ("CRL.ISSUE", "CRL.PUBLISH")
    assert len(find_codes("APP.")) == 15


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("APP.DECID", "APP.DECIDE"),
        ("app.decide", "APP.DECIDE"),
        ("APP", "APP."),
        ("CRLS.", "CRL."),
        ("CRL.ISS.", "CRL.ISSUE"),
        ("", "APP., DOC."),
        (".", "APP., DOC."),
        ("%", "APP., DOC."),
    ],
)
def test_an_unknown_code_has_near_ones_in_the_hint(pattern: str, near: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        find_codes(pattern)
    assert refusal.value.code == "policies.event.unknown"
    assert near in refusal.value.hint


def codes_in(source: str) -> Iterator[str]:
    """Yield the codes a source names: texts like one, and what an ``Event`` begins with."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and _CODE.fullmatch(str(node.value)):
            yield str(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Event":
            first = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "code")]
            for part in (part for given in first for part in _branches(given)):
                if isinstance(part, ast.Constant):
                    yield str(part.value)


def _branches(given: ast.expr) -> list[ast.expr]:
    if isinstance(given, ast.IfExp):
        return _branches(given.body) + _branches(given.orelse)
    return [given]


def test_the_search_for_codes_finds_them() -> None:
    source = """
a = Event("RESTART" if x == "NO" else "REV.CLOSE", "key")
b = trail.Event(code="PATCHED", object_type="BACKUP")
c = self._enter(tx, "CARD.EATEN")
d = f"KEY.{name}", "x KEY.LOST"
"""
    assert set(codes_in(source)) == {"RESTART", "REV.CLOSE", "PATCHED", "CARD.EATEN"}


def test_our_sources_name_no_code_outside_the_catalogue() -> None:
    used = {
        code: str(path.relative_to(ROOT))
        for path in source_rules.sources(ROOT)
        for code in codes_in(path.read_text())
    }
    assert len(used) >= 25
    assert {code: path for code, path in used.items() if code not in known_codes()} == {}
