"""The role catalogue; pairs that exclude each other; tables of an installation's own."""

from __future__ import annotations

from itertools import combinations

import pytest

from pki.errors import InvalidInput, NotFound, Refused
from policies.role_tables import SHIPPED, RoleTable, load_table, shipped_table
from policies.roles import Role, appointed_by, japanese_name, role_entry, signatures

FULL, SMALL = (shipped_table(name) for name in ("full", "small-centre"))

STATUTORY = {
    *(("AUDITOR", role.value) for role in Role if role is not Role.AUDITOR),
    ("LOG_REVIEWER", "SYS_ADMIN"),
    ("LOG_REVIEWER", "IA_OPERATOR"),
    ("LOG_REVIEWER", "RA_EXAMINER"),
    ("LOG_REVIEWER", "RA_APPROVER"),
    ("LOG_REVIEWER", "REV_OFFICER"),
    ("LOG_REVIEWER", "KEY_CUSTODIAN"),
    ("LOG_REVIEWER", "CARD_OPERATOR"),
    ("LOG_REVIEWER", "PIN_OPERATOR"),
    ("RA_APPROVER", "LRA_RECEPTION"),
    ("SYS_ADMIN", "RA_APPROVER"),
    ("SYS_ADMIN", "KEY_CUSTODIAN"),
}
LOOSENED = {
    ("RA_EXAMINER", "RA_APPROVER"),
    ("RA_APPROVER", "IA_OPERATOR"),
    ("CARD_OPERATOR", "PIN_OPERATOR"),
    ("REV_OFFICER", "IA_OPERATOR"),
}
KEPT = {
    ("SYS_ADMIN", "REV_OFFICER"),
    ("KEY_CUSTODIAN", "ROOM_GUARD"),
    ("CA_MANAGER", "IA_OPERATOR"),
    ("CA_MANAGER", "SYS_ADMIN"),
    ("CA_MANAGER", "KEY_CUSTODIAN"),
}


DECIDING = {
    Role.CA_MANAGER,
    Role.IA_MANAGER,
    Role.RA_MANAGER,
    Role.KEY_CUSTODIAN,
    Role.IA_OPERATOR,
    Role.RA_APPROVER,
    Role.REV_OFFICER,
    Role.PIN_OPERATOR,
}
"""One manager alone makes nobody of these, nor gives one of them new keys."""


def pairs_of(table: RoleTable) -> set[frozenset[str]]:
    for one, other in combinations(Role, 2):
        found = table.conflicting_pair([one, other])
        assert found == table.conflicting_pair([other, one])
        assert found is None or set(found) == {one, other}
    return {
        frozenset(pair)
        for pair in combinations(Role, 2)
        if table.conflicting_pair(pair) is not None
    }


def as_sets(pairs: set[tuple[str, str]]) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in pairs}


def test_the_pairs_of_the_tables_that_ship() -> None:
    assert pairs_of(FULL) == as_sets(STATUTORY | LOOSENED | KEPT)
    assert pairs_of(SMALL) == as_sets(STATUTORY | KEPT)
    for table in (FULL, SMALL):
        assert as_sets(STATUTORY) == {
            frozenset((one, other))
            for one, other in combinations(Role, 2)
            if any(row.covers(other, one) for row in table.conflicts if row.statutory)
        }
    assert FULL.dropped == ()
    assert {frozenset((drop.role, drop.against)) for drop in SMALL.dropped} == as_sets(LOOSENED)
    assert (FULL.reference, SMALL.reference) == ("full@2026-11-22", "small-centre@2026-11-22")


def test_statutory_is_what_was_read_or_is_well_remembered() -> None:
    for table in (FULL, SMALL):
        for row in table.conflicts:
            assert row.statutory is (row.firm in ("SEEN", "RECALL-H")), row


def test_single_roles_and_larger_sets() -> None:
    for table in (FULL, SMALL):
        assert all(table.conflicting_pair([role, role]) is None for role in Role)
        assert table.conflicting_pair([]) is None
        assert set(table.conflicting_pair(Role) or ()) == {Role.AUDITOR, Role.CARD_OPERATOR}
    found = FULL.conflicting_pair([Role.HELPDESK, Role.RA_APPROVER, Role.RA_EXAMINER])
    assert set(found or ()) == {Role.RA_EXAMINER, Role.RA_APPROVER}


def test_custodians_of_the_tables_that_ship() -> None:
    full, small = FULL.custodians, SMALL.custodians
    assert (full.present, full.appointed, full.outside) == (3, 5, False)
    assert (small.present, small.appointed, small.outside) == (2, 3, True)
    assert small.reason


def test_an_unknown_table() -> None:
    with pytest.raises(NotFound) as refusal:
        shipped_table("../roles")
    assert refusal.value.code == "policies.role_table.unknown"
    assert all(name in refusal.value.hint for name in SHIPPED)


HEAD = 'name = "ours"\nversion = "1"\nbased_on = "{}"\n'
ON_FULL = HEAD.format(FULL.reference)
ON_SMALL = HEAD.format(SMALL.reference)
WHY = 'reason = "few people"\nsource = "our CPS 5.2"\n'
OURS = 'source = "our CPS 5.2"\nfirm = "SEEN"\n'


def load(text: str) -> RoleTable:
    return load_table(text.encode())


def dropping(one: str, other: str, why: str = WHY) -> str:
    return f'[[drop]]\nrole = "{one}"\nwith = "{other}"\n{why}'


def custodians(present: int, appointed: int, outside: str = "false", more: str = OURS) -> str:
    numbers = f"present = {present}\nappointed = {appointed}\noutside = {outside}\n"
    return f"[custodians]\n{numbers}{more}"


def test_a_table_of_ones_own_that_changes_nothing() -> None:
    own = load(ON_SMALL)
    assert own.reference == "ours@1"
    assert pairs_of(own) == pairs_of(SMALL)
    assert (own.custodians, own.dropped) == (SMALL.custodians, SMALL.dropped)


def test_pairs_added() -> None:
    own = load(ON_FULL + '[[conflict]]\nrole = "HELPDESK"\nwith = ["RA_MANAGER"]\n' + OURS)
    assert pairs_of(own) == pairs_of(FULL) | {frozenset(("HELPDESK", "RA_MANAGER"))}
    assert not own.conflicts[-1].statutory


@pytest.mark.parametrize(("one", "other"), sorted(LOOSENED | KEPT))
def test_a_pair_dropped_is_shown_and_nothing_else_goes(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        own = load(ON_FULL + dropping(first, second))
        assert pairs_of(own) == pairs_of(FULL) - {frozenset((one, other))}
        assert [(drop.role, drop.against, drop.reason) for drop in own.dropped] == [
            (first, second, "few people")
        ]


def test_what_the_base_dropped_stays_shown_unless_it_is_added_again() -> None:
    own = load(ON_SMALL + dropping("ROOM_GUARD", "KEY_CUSTODIAN"))
    assert len(own.dropped) == len(SMALL.dropped) + 1
    again = '[[conflict]]\nrole = "PIN_OPERATOR"\nwith = ["CARD_OPERATOR"]\n' + OURS
    stricter = load(ON_SMALL + again)
    assert {drop.role for drop in SMALL.dropped} - {drop.role for drop in stricter.dropped} == {
        Role.CARD_OPERATOR
    }


@pytest.mark.parametrize(("one", "other"), sorted(STATUTORY))
def test_a_statutory_pair_cannot_be_dropped(one: str, other: str) -> None:
    for base in (ON_FULL, ON_SMALL):
        for first, second in ((one, other), (other, one)):
            with pytest.raises(Refused) as refusal:
                load(base + dropping(first, second))
            assert refusal.value.code == "policies.role_table.statutory"
            assert one in refusal.value.text


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (ON_FULL + 'custodian = "x"', "", "unknown key custodian"),
        (ON_FULL + dropping("REV_OFFICER", "IA_OPERATOR", 'source = "x"'), "", "reason"),
        (ON_FULL + dropping("REV_OFFICER", "IA_OPERATOR", 'reason = "x"'), "", "source"),
        (
            ON_FULL + dropping("REV_OFFICER", "IA_OPERATOR", 'reason = " "\nsource = "x"'),
            "",
            "reason",
        ),
        (ON_FULL + dropping("REV_OFFICER", "*"), "", "drop.0.with"),
        (ON_FULL + dropping("REV_OFFICER", "HELPDESK"), ".drop", "no such pair"),
        (ON_FULL + dropping("REV_OFFICER", "REV_OFFICER"), ".drop", "no such pair"),
        (ON_FULL + dropping("REV_OFFICER", "IA_OPERATOR") * 2, ".drop", "no such pair"),
        (ON_SMALL + dropping("REV_OFFICER", "IA_OPERATOR"), ".drop", "no such pair"),
        (
            ON_FULL
            + dropping("REV_OFFICER", "IA_OPERATOR")
            + f'[[conflict]]\nrole = "IA_OPERATOR"\nwith = ["*"]\n{OURS}',
            ".drop",
            "both drops and adds",
        ),
        (ON_FULL + f'[[conflict]]\nrole = "HELPDESK"\nwith = ["X"]\n{OURS}', "", "conflict.0.with"),
        (ON_FULL + f'[[conflict]]\nrole = "HELPDESK"\nwith = []\n{OURS}', "", "conflict.0.with"),
        (
            ON_FULL + f'[[conflict]]\nrole = "HELPDESK"\nwith = ["HELPDESK"]\n{OURS}',
            "",
            "does not conflict with itself",
        ),
        (
            ON_FULL
            + f'[[conflict]]\nrole = "HELPDESK"\nwith = ["RA_MANAGER"]\nstatutory = true\n{OURS}',
            "",
            "unknown key conflict.0.statutory",
        ),
        (
            ON_FULL + '[[conflict]]\nrole = "HELPDESK"\nwith = ["RA_MANAGER"]\nfirm = "SEEN"',
            "",
            "conflict.0.source",
        ),
        (HEAD.format("full@2020-01-01"), ".base", "full@2020-01-01"),
        (HEAD.format("full"), ".base", "'full'"),
        (HEAD.format("../x@1"), ".base", "../x@1"),
        ('name = "ours"\nversion = "1"', "", "based_on"),
        (ON_FULL.replace("ours", "full"), ".taken", "full"),
        (ON_FULL.replace("ours", "Ours"), "", "name"),
        (ON_FULL.replace('"1"', '"1@2"'), "", "version"),
        (ON_FULL + custodians(4, 3), ".custodians", "4 custodians"),
        (ON_FULL + custodians(2, 5), ".reason", "looser"),
        (ON_FULL + custodians(3, 6), ".reason", "looser"),
        (ON_FULL + custodians(3, 5, "true"), ".reason", "looser"),
        (ON_FULL + custodians(3, 5, more='firm = "SEEN"'), "", "custodians.source"),
    ],
)
def test_faults_of_a_table(text: str, code: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        load(text)
    assert refusal.value.code == f"policies.role_table{code}"
    assert words in refusal.value.text


def test_stricter_custodians_need_no_reason_and_others_do() -> None:
    for base, present, appointed, outside in (
        (ON_FULL, 4, 5, "false"),
        (ON_FULL, 3, 3, "false"),
        (ON_SMALL, 2, 3, "false"),
        (ON_SMALL, 3, 3, "true"),
    ):
        own = load(base + custodians(present, appointed, outside)).custodians
        assert (own.present, own.appointed, own.reason) == (present, appointed, None)
    own = load(ON_FULL + custodians(2, 7, "true", OURS + 'reason = "two sites"')).custodians
    assert (own.present, own.appointed, own.outside, own.reason) == (2, 7, True, "two sites")


@pytest.mark.parametrize(("present", "appointed"), [(1, 3), (0, 5), (-1, 5), (2, 2), (1, 1)])
def test_no_reason_is_good_enough_for_fewer_custodians(present: int, appointed: int) -> None:
    with pytest.raises(Refused) as refusal:
        load(ON_SMALL + custodians(present, appointed, "true", OURS + 'reason = "x"'))
    assert refusal.value.code == "policies.role_table.statutory"


def test_who_signs_a_grant() -> None:
    managers = (Role.CA_MANAGER, Role.IA_MANAGER, Role.RA_MANAGER)
    more = {
        Role.CA_MANAGER: managers,
        Role.CARD_OPERATOR: (Role.CA_MANAGER, Role.IA_MANAGER),
        Role.IA_OPERATOR: (Role.CA_MANAGER, Role.IA_MANAGER),
        Role.RA_RECEPTION: (Role.CA_MANAGER, Role.RA_MANAGER),
        Role.RA_EXAMINER: (Role.CA_MANAGER, Role.RA_MANAGER),
        Role.LRA_RECEPTION: (Role.CA_MANAGER, Role.RA_MANAGER),
        Role.HELPDESK: (Role.CA_MANAGER, Role.RA_MANAGER),
    }
    for role in Role:
        assert appointed_by(role) == more.get(role, (Role.CA_MANAGER,))
        assert signatures(role) == (2 if role in DECIDING else 1)
        assert japanese_name(role)
        assert role_entry(role).may.english != role_entry(role).may.japanese
