"""The controls of the compliance audit and the sections they stand in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from pki.errors import InvalidInput, NotFound
from policies.controls import AuditKind, Controls, controls
from policies.schema import load_toml, policy_data

MANUAL = """
1.1 1.6 2.3 4.11 7.3 9.1 9.2 9.3 9.5 9.6 9.7 9.8 9.9 9.10 9.11 9.13 9.14 9.15 9.16 9.17
"""
TWICE = {
    "HC-4.6-01": ["4.6", "4.7"],
    "HC-4.12-01": ["4.12", "6.1"],
    "HC-5.5.5-01": ["5.5", "6.8"],
    "HC-8.2-01": ["8.2", "8.3"],
}
_JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def test_the_whole_list() -> None:
    found = controls().control
    assert len({one.id for one in found}) == len(found) == 132
    assert Counter(one.mode for one in found) == {"A": 104, "H": 17, "M": 11}
    assert len(controls().section) == 69
    for one in found:
        assert re.fullmatch(r"HC-[0-9R.]+-\d\d", one.id)
        assert controls().find(one.id) is one


def test_sections_and_controls_cover_each_other() -> None:
    places: dict[str, list[str]] = {one.id: [] for one in controls().control}
    for section in controls().section:
        for one in controls().of_section(section.number):
            places[one.id].append(section.number)
    assert all(places.values())
    assert {key: numbers for key, numbers in places.items() if len(numbers) > 1} == TWICE
    empty = [one.number for one in controls().section if not controls().of_section(one.number)]
    assert empty == MANUAL.split()


def test_a_section_does_not_take_the_controls_of_one_that_begins_alike() -> None:
    assert [one.id for one in controls().of_section("4.1")] == ["HC-4.1-01", "HC-4.1-02"]
    assert len(controls().of_section("3.2")) == 11
    assert len(controls().of_section("4.9")) == 15


def test_the_annex_alone_is_about_remote_signing() -> None:
    annex = controls().of_section("RS")
    assert len(annex) == 8
    for one in controls().control:
        kinds = (AuditKind.REMOTE,) if one in annex else (AuditKind.SIGN, AuditKind.AUTH)
        assert one.kinds == kinds


def test_both_languages() -> None:
    for one in controls().control:
        assert _JAPANESE.search(one.requirement_ja)
        assert one.requirement_ja.endswith(("こと。", "。）。"))
        assert not _JAPANESE.search(one.requirement_en)
        assert one.requirement_en.endswith(".")
        assert bool(one.evidence_ja) == bool(one.evidence_en)
        assert one.mode == "A" or one.evidence_ja
    for section in controls().section:
        assert _JAPANESE.search(section.title_ja)
        assert section.title_en
        assert bool(section.point_ja) == bool(section.point_en)


def test_an_unknown_control() -> None:
    with pytest.raises(NotFound) as refusal:
        controls().find("HC-0.0-00")
    assert refusal.value.code == "policies.control.unknown"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("evidence_ja =", "proof =", 1), "unknown key control.1.proof"),
        (lambda text: text.replace('mode = "A"', 'mode = "B"', 1), "control.0.mode"),
        (lambda text: text.replace('sections = ["1.2"]', "sections = []", 1), "control.0.sections"),
        (lambda text: text.replace('["1.2"]', '["1.22"]', 1), "HC-1.2-01 is in no section"),
        (lambda text: text.replace("HC-1.3-01", "HC-1.2-01", 1), "two controls of one id"),
        (lambda text: text.replace('"1.1"', '"1.2"', 1), "two sections of one number"),
        (lambda text: text.replace('["SWEEP_DAYS"]', '["SWEEP"]', 1), "an unknown parameter"),
    ],
)
def test_a_damaged_file_is_refused(change: Callable[[str], str], words: str) -> None:
    sound = policy_data("controls.toml").decode()
    damaged = change(sound)
    assert damaged != sound
    with pytest.raises(InvalidInput) as refusal:
        load_toml(Controls, damaged.encode(), "controls.toml", "policies.controls")
    assert refusal.value.code == "policies.controls"
    assert words in refusal.value.text
