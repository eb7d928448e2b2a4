"""One person's account: keys, roles, suspensions, each from one trail position until another."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from operators.acts import Keys
from policies.roles import Role


@dataclass(frozen=True)
class Moment:
    """A position of the trail and the day (JST) of its entry."""

    seq: int
    day: date


@dataclass
class Span:
    """From after one position until another, included."""

    from_seq: int
    until_seq: int | None = field(default=None, kw_only=True)

    def covers(self, seq: int) -> bool:
        """Return whether the position lies within."""
        return self.from_seq < seq and (self.until_seq is None or seq <= self.until_seq)

    def end(self, seq: int) -> None:
        """Let it end at the position, unless it has ended."""
        if self.until_seq is None:
            self.until_seq = seq


@dataclass
class HeldRole(Span):
    """A role; a substitution (代行) also has its days and whom it stands for."""

    role: Role
    first_day: date | None = None
    last_day: date | None = None
    absent: str = ""

    def held(self, at: Moment) -> bool:
        """Return whether it is held then."""
        return (
            self.covers(at.seq)
            and (self.first_day is None or self.first_day <= at.day)
            and (self.last_day is None or at.day <= self.last_day)
        )


@dataclass
class HeldKeys(Span):
    """A pair of keys; ``lost_seq`` is the position of a report of their loss."""

    keys: Keys
    lost_seq: int | None = None

    @property
    def credential(self) -> str:
        """The id of the signing key."""
        return self.keys.credential


@dataclass
class Account:
    """What one person holds and held; ``person`` is the salted digest of name and birth date."""

    operator_id: str
    person: str
    external: bool
    office: str | None
    since_seq: int
    keys: list[HeldKeys] = field(default_factory=list)
    roles: list[HeldRole] = field(default_factory=list)
    suspensions: list[Span] = field(default_factory=list)
    trainings: list[tuple[str, date]] = field(default_factory=list)
    left_seq: int | None = None

    def suspended(self, seq: int) -> bool:
        """Return whether the person may not act at the position."""
        return any(span.covers(seq) for span in self.suspensions)

    def curtailed_after(self, seq: int, until: int | None = None) -> bool:
        """Return whether keys, a role or leave to act were taken away at or after the position.

        With ``until`` only what stands up to that position counts.
        """
        ends: list[int | None] = [one.until_seq for one in (*self.keys, *self.roles)]
        ends += [one.from_seq for one in self.suspensions]
        return any(
            one is not None and seq <= one and (until is None or one <= until) for one in ends
        )

    def roles_at(self, at: Moment) -> frozenset[Role]:
        """Return the roles held then, suspended or not."""
        return frozenset(one.role for one in self.roles if one.held(at))

    def unended(self, day: date) -> frozenset[Role]:
        """Return the roles that no act has ended, substitutions still to come among them."""
        return frozenset(
            one.role
            for one in self.roles
            if one.until_seq is None and (one.last_day is None or day <= one.last_day)
        )

    def keys_at(self, seq: int) -> HeldKeys | None:
        """Return the pair of keys that counts at the position, or None."""
        return next((one for one in self.keys if one.covers(seq)), None)
