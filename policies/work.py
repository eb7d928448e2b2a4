"""The kinds of work of a centre and the persons each needs, as data."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from policies.roles import Role
from policies.schema import Firm, Strict, Words, load_toml, policy_data

_MOST_SHARED = 2


class Slot(Strict):
    """``count`` different persons, each holding one of ``roles``.

    "present": as many as the role table asks of custodians.
    """

    name: Words
    roles: tuple[Role, ...] = Field(min_length=1)
    count: PositiveInt | Literal["present"]


class Work(Strict):
    """One kind of work. Persons in slots of one group of ``different`` are different persons."""

    code: Words
    japanese: Words
    english: Words
    slot: tuple[Slot, ...] = Field(min_length=1)
    different: tuple[tuple[str, ...], ...] = ()
    source: Words
    firm: Firm

    @model_validator(mode="after")
    def _plain(self) -> Self:
        """Refuse groups of unknown slots, and so many shared slots that a plan would take long."""
        single = {slot.name for slot in self.slot if slot.count == 1}
        if len({slot.name for slot in self.slot}) != len(self.slot):
            raise ValueError(f"{self.code}: two slots of one name")
        if any(not set(group) <= {slot.name for slot in self.slot} for group in self.different):
            raise ValueError(f"{self.code}: different names a slot that is not there")
        if any(len(set(group)) != len(group) for group in self.different):
            raise ValueError(f"{self.code}: different names a slot twice in a group")
        shared = self.shared()
        if len(shared) > _MOST_SHARED or not set(shared) <= single:
            raise ValueError(f"{self.code}: more than two slots, or one of several, in two groups")
        return self

    def shared(self) -> tuple[str, ...]:
        """Return the slots that stand in more than one group of ``different``."""
        return tuple(slot.name for slot in self.slot if self._groups()[slot.name] > 1)

    def ungrouped(self) -> tuple[str, ...]:
        """Return the slots that stand in no group: anyone who fits, whoever else is there."""
        return tuple(slot.name for slot in self.slot if slot.name not in self._groups())

    def _groups(self) -> Counter[str]:
        return Counter(name for group in self.different for name in group)


class _Table(Strict):
    work: tuple[Work, ...]


@cache
def works() -> tuple[Work, ...]:
    """Return every kind of work, in the table's order."""
    return load_toml(_Table, policy_data("work.toml"), "work.toml", "policies.work").work
