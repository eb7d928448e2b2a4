"""Which work people can do: six by the small-centre table, sixty, and against every assignment."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.plan import Plan, plan, stopped
from pki.errors import InvalidInput, NotFound
from policies.role_tables import shipped_table
from policies.roles import Role
from policies.schema import load_toml
from policies.work import Work, works

SMALL = shipped_table("small-centre")
PRESENT = SMALL.custodians.present

_DESK = {Role.RA_EXAMINER, Role.IA_OPERATOR, Role.CARD_OPERATOR, Role.PIN_OPERATOR}
_DECIDES = {Role.RA_APPROVER, Role.REV_OFFICER, Role.KEY_CUSTODIAN}
_MANAGES = {Role.CA_MANAGER, Role.LOG_REVIEWER, Role.ROOM_GUARD, Role.RA_RECEPTION, Role.HELPDESK}
SIX = {
    "sekinin": frozenset({*_MANAGES, Role.IA_MANAGER}),
    "dairi": frozenset({*_MANAGES, Role.RA_MANAGER}),
    "setsubi": frozenset(
        {*_DESK, Role.IA_MANAGER, Role.SYS_ADMIN, Role.RA_RECEPTION, Role.HELPDESK}
    ),
    "shinsa-a": frozenset({*_DESK, *_DECIDES, Role.RA_RECEPTION}),
    "shinsa-b": frozenset({*_DESK, *_DECIDES, Role.RA_RECEPTION}),
    "kansa": frozenset({Role.AUDITOR}),
}
OUTSIDE = {"bengoshi": frozenset({Role.KEY_CUSTODIAN})}
"""The third custodian, from outside the staff."""
ALL_WORK = tuple(work.code for work in works())


def test_six_people_may_hold_these_roles_and_do_all_the_work() -> None:
    for roles in SIX.values():
        assert SMALL.conflicting_pair(roles) is None
    assert plan(SIX, PRESENT).impossible == ()
    assert any(shipped_table("full").conflicting_pair(roles) for roles in SIX.values())


def test_what_stops_when_one_of_the_six_is_absent() -> None:
    people = SIX | OUTSIDE
    custodians = [name for name, roles in people.items() if Role.KEY_CUSTODIAN in roles]
    assert len(custodians) == SMALL.custodians.appointed
    assert plan(people, PRESENT) == Plan(
        impossible=(),
        stops={
            "sekinin": ("LOG_DELETION",),
            "dairi": ("LOG_DELETION",),
            "setsubi": ("SYSTEM_UPKEEP",),
            "shinsa-a": (),
            "shinsa-b": (),
            "kansa": ("AUDIT",),
            "bengoshi": (),
        },
    )


def test_without_the_outsider_a_ceremony_waits_for_both() -> None:
    stops = plan(SIX, PRESENT).stops
    assert stops["shinsa-a"] == stops["shinsa-b"] == ("KEY_CEREMONY",)


def test_a_dated_substitution_takes_up_what_an_absence_stops() -> None:
    single = SIX | OUTSIDE | {"dairi": SIX["dairi"] - {Role.CA_MANAGER}}
    before = plan(single, PRESENT)
    assert before.impossible == ()
    assert before.stops["sekinin"] == (
        "APPOINTMENT",
        "CONFIGURATION",
        "LOG_DELETION",
        "ARCHIVE_ACCESS",
    )
    assert stopped(SIX | OUTSIDE, ["sekinin"], PRESENT) == ("LOG_DELETION",)


def test_several_absent() -> None:
    people = SIX | OUTSIDE
    assert stopped(people, [], PRESENT) == ()
    assert stopped(people, ["shinsa-a", "shinsa-b"], PRESENT) == (
        "APPLICATION",
        "REVOCATION",
        "EMERGENCY_REVOCATION",
        "EMERGENCY_REVIEW",
        "KEY_CEREMONY",
    )
    assert stopped(people, list(people), PRESENT) == ALL_WORK
    with pytest.raises(NotFound) as refusal:
        stopped(people, ["nobody"], PRESENT)
    assert refusal.value.code == "operators.unknown"


def test_nobody_and_everybody() -> None:
    assert plan({}, PRESENT) == Plan(ALL_WORK, {})
    alone = plan({"solo": frozenset(Role)}, PRESENT)
    assert set(alone.impossible) == {
        "APPLICATION",
        "REVOCATION",
        "EMERGENCY_REVIEW",
        "KEY_CEREMONY",
        "APPOINTMENT",
        "CA_MANAGER_APPOINTMENT",
        "SUBSTITUTION",
        "CONFIGURATION",
        "CARD_DESTRUCTION",
        "REDACTION",
        "LOG_DELETION",
        "ARCHIVE_ACCESS",
    }
    assert set(alone.stops["solo"]) == set(ALL_WORK) - set(alone.impossible)


def test_the_number_of_custodians_present_counts() -> None:
    people = {name: frozenset({Role.KEY_CUSTODIAN}) for name in "abc"}
    people |= {"d": frozenset({Role.KEY_CUSTODIAN, Role.IA_MANAGER})}
    assert "KEY_CEREMONY" not in plan(people, 3).impossible
    assert "KEY_CEREMONY" in plan(people, 4).impossible
    assert plan(people, 3).stops["a"] == ("KEY_CEREMONY",)
    assert plan(people, 2).stops["a"] == ()


def test_every_role_has_work() -> None:
    assert {role for work in works() for slot in work.slot for role in slot.roles} == set(Role)
    assert len(set(ALL_WORK)) == len(ALL_WORK)


MANAGERS = "CA_MANAGER/IA_MANAGER/RA_MANAGER"
TABLE = {
    "APPLICATION": (
        "RA_RECEPTION/LRA_RECEPTION + RA_EXAMINER + RA_APPROVER + IA_OPERATOR + CARD_OPERATOR"
        " + PIN_OPERATOR; examiner != approver, approver != operator, card != pin"
    ),
    "REVOCATION": "REV_OFFICER + IA_OPERATOR; officer != operator",
    "EMERGENCY_REVOCATION": "REV_OFFICER; ",
    "EMERGENCY_REVIEW": "REV_OFFICER + REV_OFFICER/RA_MANAGER; officer != reviewer",
    "LOSS_CALL": "HELPDESK/REV_OFFICER; ",
    "LISTS": "IA_OPERATOR; ",
    "KEY_CEREMONY": "present KEY_CUSTODIAN + IA_MANAGER; custodians != witness",
    "APPOINTMENT": f"CA_MANAGER + {MANAGERS}; manager != second",
    "CA_MANAGER_APPOINTMENT": f"2 {MANAGERS}; ",
    "SUBSTITUTION": f"2 {MANAGERS}; ",
    "CONFIGURATION": "CA_MANAGER + IA_MANAGER/RA_MANAGER; manager != second",
    "PIN_LETTERS": "PIN_OPERATOR; ",
    "CARD_DESTRUCTION": "CARD_OPERATOR + IA_MANAGER/RA_MANAGER/CARD_OPERATOR; operator != second",
    "REDACTION": "RA_EXAMINER + RA_MANAGER/RA_APPROVER; first != second",
    "LOG_REVIEW": "LOG_REVIEWER; ",
    "LOG_DELETION": "LOG_REVIEWER + CA_MANAGER; reviewer != manager",
    "AUDIT": "AUDITOR; ",
    "ARCHIVE_ACCESS": "CA_MANAGER + LOG_REVIEWER/AUDITOR; manager != second",
    "SYSTEM_UPKEEP": "SYS_ADMIN; ",
    "ROOM_RIGHTS": "ROOM_GUARD; ",
}


def test_the_table_of_work() -> None:
    shown = {
        work.code: " + ".join(
            f"{slot.count} {'/'.join(slot.roles)}".removeprefix("1 ") for slot in work.slot
        )
        + "; "
        + ", ".join(" != ".join(group) for group in work.different)
        for work in works()
    }
    assert shown == TABLE


def test_one_approver_is_neither_the_examiner_nor_the_operator() -> None:
    people = {
        "c": frozenset({Role.CARD_OPERATOR, Role.RA_RECEPTION}),
        "d": frozenset({Role.PIN_OPERATOR}),
        "x": frozenset({Role.RA_EXAMINER, Role.RA_APPROVER}),
        "y": frozenset({Role.RA_APPROVER, Role.IA_OPERATOR}),
    }
    assert "APPLICATION" in plan(people, 2).impossible
    people["c"] |= {Role.RA_APPROVER}
    assert "APPLICATION" in plan(people, 2).stops["c"]


def test_sixty_people_are_quick() -> None:
    sparse = {f"p{n}": frozenset({role}) for n in range(4) for role in [*Role][n::4]}
    same = {f"q{n}": frozenset(Role) - {Role.IA_OPERATOR, Role.AUDITOR} for n in range(60)}
    nearly = {f"r{n}": frozenset({Role.KEY_CUSTODIAN, Role.RA_APPROVER}) for n in range(60)}
    nearly["r0"] |= {Role.IA_MANAGER, Role.RA_EXAMINER, Role.IA_OPERATOR}
    started = time.process_time()
    for people, present in ((sparse, 2), (same, 30), (same, 60), (nearly, 60), (nearly, 59)):
        assert set(plan(people, present).stops) == set(people)
    assert time.process_time() - started < 1


def by_trial(work: Work, people: Mapping[str, Collection[Role]], present: int) -> bool:
    """Return whether any assignment at all of people to the seats keeps the rules."""
    seats = [
        slot
        for slot in work.slot
        for _ in range(present if slot.count == "present" else slot.count)
    ]
    apart = [
        (one, other)
        for one, other in combinations(range(len(seats)), 2)
        if seats[one] is seats[other]
        or any({seats[one].name, seats[other].name} <= set(group) for group in work.different)
    ]
    able = [[name for name in people if set(people[name]) & set(slot.roles)] for slot in seats]
    return any(all(team[one] != team[other] for one, other in apart) for team in product(*able))


ROLES = st.frozensets(st.sampled_from(Role), max_size=len(Role))


@settings(max_examples=60, deadline=None)
@given(people=st.dictionaries(st.sampled_from("abcd"), ROLES), present=st.integers(1, 3))
def test_the_plan_agrees_with_trying_every_assignment(
    people: dict[str, frozenset[Role]], present: int
) -> None:
    def feasible(there: Mapping[str, Collection[Role]]) -> list[str]:
        return [work.code for work in works() if by_trial(work, there, present)]

    possible = feasible(people)
    found = plan(people, present)
    assert found.impossible == tuple(code for code in ALL_WORK if code not in possible)
    for name in people:
        left = feasible({one: roles for one, roles in people.items() if one != name})
        wanted = tuple(code for code in possible if code not in left)
        assert found.stops[name] == stopped(people, [name], present) == wanted


SLOTS = """
code = "X"
japanese = "x"
english = "x"
source = "x"
firm = "PROPOSAL"
slot = [
    { name = "a", roles = ["AUDITOR"], count = 1 },
    { name = "b", roles = ["AUDITOR"], count = 2 },
    { name = "c", roles = ["AUDITOR"], count = 1 },
    { name = "d", roles = ["AUDITOR"], count = 1 },
    { name = "e", roles = ["AUDITOR"], count = "present" },
]
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SLOTS + 'different = [["a", "z"]]', "a slot that is not there"),
        (SLOTS + 'different = [["a", "a"]]', "twice in a group"),
        (SLOTS + 'different = [["a", "b"], ["b", "c"]]', "in two groups"),
        (SLOTS + 'different = [["a", "e"], ["e", "c"]]', "in two groups"),
        (SLOTS + 'different = [["a", "c"], ["c", "d"], ["d", "a"]]', "in two groups"),
        (SLOTS.replace('"c"', '"a"'), "two slots of one name"),
        (SLOTS.replace("count = 2", "count = 0"), "greater than 0"),
        (SLOTS.replace('"present"', '"absent"'), "slot.4.count"),
        (SLOTS.replace('["AUDITOR"]', "[]"), "slot.0.roles"),
    ],
)
def test_faults_of_a_kind_of_work(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        load_toml(Work, text.encode(), "the work", "test.work")
    assert words in refusal.value.text


@settings(max_examples=60, deadline=None)
@given(held=st.lists(st.frozensets(st.sampled_from("abcd")), max_size=4))
def test_a_work_with_two_shared_slots(held: list[frozenset[str]]) -> None:
    roles = dict(zip("abcd", Role, strict=False))
    tree = {
        "slot": [
            {"name": name, "roles": [roles[name]], "count": 2 if name == "b" else 1}
            for name in "abcd"
        ],
        "different": [["a", "c"], ["c", "d"], ["d", "b"]],
        **dict.fromkeys(("code", "japanese", "english", "source"), "X"),
        "firm": "PROPOSAL",
    }
    work = Work.model_validate(tree)
    assert work.shared() == ("c", "d")
    people = {f"p{n}": frozenset(roles[name] for name in names) for n, names in enumerate(held)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("operators.plan.works", lambda: (work,))
        assert (plan(people, 2).impossible == ()) is by_trial(work, people, 2)
