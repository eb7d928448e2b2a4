"""Which work the people there are can do, and which would stop in whose absence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from pki.errors import NotFound
from policies.roles import Role
from policies.work import Slot, Work, works

People = Mapping[str, frozenset[Role]]
"""Names to the roles held now."""
Seats = Sequence[Sequence[str]]
"""For each person needed, who may be it."""


@dataclass(frozen=True)
class Plan:
    """``impossible``: codes of work that cannot be done now.

    ``stops``: for every person, the further work that stops in their absence.
    """

    impossible: tuple[str, ...]
    stops: Mapping[str, tuple[str, ...]]


def plan(people: People, custodians_present: int) -> Plan:
    """Return the plan for these people; ``custodians_present`` is the role table's."""
    impossible: list[str] = []
    stops: dict[str, list[str]] = {name: [] for name in sorted(people)}
    for work in works():
        team = _team(work, people, custodians_present)
        if team is None:
            impossible.append(work.code)
            continue
        for name in sorted(team):
            if _team(work, _without(people, {name}), custodians_present) is None:
                stops[name].append(work.code)
    return Plan(tuple(impossible), {name: tuple(codes) for name, codes in stops.items()})


def stopped(people: People, absent: Collection[str], custodians_present: int) -> tuple[str, ...]:
    """Return the work that everyone together can do, and those present without ``absent`` cannot.

    Raises ``NotFound`` for an absent name that is none of the people's.
    """
    for name in sorted(absent):
        if name not in people:
            raise NotFound(
                "operators.unknown",
                f"there is no operator {name!r}",
                "See `hpki operator list`.",
            )
    there = _without(people, absent)
    return tuple(
        work.code
        for work in works()
        if _team(work, there, custodians_present) is None
        and _team(work, people, custodians_present) is not None
    )


def _without(people: People, absent: Collection[str]) -> People:
    return {name: roles for name, roles in people.items() if name not in absent}


def _team(work: Work, people: People, custodians_present: int) -> frozenset[str] | None:
    """Return people who can do the work together, or None where none can.

    Slots of several groups are filled by trial; what is left is one exact matching for each group.
    """
    seats = {slot.name: _seats(slot, people, custodians_present) for slot in work.slot}
    shared = work.shared()
    groups = [*work.different, *((name,) for name in work.ungrouped())]
    for chosen in product(*(seats[name][0] for name in shared)):
        fixed = {name: [[person]] for name, person in zip(shared, chosen, strict=True)}
        team = [
            _matched([seat for name in group for seat in (seats | fixed)[name]]) for group in groups
        ]
        if None not in team:
            return frozenset(person for part in team if part is not None for person in part)
    return None


def _seats(slot: Slot, people: People, custodians_present: int) -> Seats:
    able = [name for name in sorted(people) if not people[name].isdisjoint(slot.roles)]
    return [able] * (custodians_present if slot.count == "present" else slot.count)


def _matched(seats: Seats) -> Collection[str] | None:
    """Return one person for each seat, all different, or None (augmenting paths: exact)."""
    taken: dict[str, int] = {}

    def seated(seat: int, tried: set[str]) -> bool:
        for person in seats[seat]:
            if person not in tried:
                tried.add(person)
                if person not in taken or seated(taken[person], tried):
                    taken[person] = seat
                    return True
        return False

    if all(seated(seat, set()) for seat in range(len(seats))):
        return taken.keys()
    return None
