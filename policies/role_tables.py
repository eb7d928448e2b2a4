"""Tables of roles: the pairs one person never holds together, and how many custodians there are.

Two ship. An installation's own file is based on one of them: it may add pairs, drop those that are
not statutory, and set other numbers of custodians, with its reasons.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import permutations
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pki.errors import InvalidInput, NotFound, Refused
from policies.roles import Role
from policies.schema import Firm, Strict, Words, parse_toml, policy_data, validate

SHIPPED = ("full", "small-centre")
_CODE = "policies.role_table"
FEWEST_PRESENT = 2
"""Custodians at any ceremony. Source: e-Signature Act art. 6, recalled; ETSI EN 319 411-1, 6.5."""
_FEWEST_APPOINTED = 3

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
_Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$")]


class _Pairs(Strict):
    role: Role
    against: tuple[Role | Literal["*"], ...] = Field(alias="with", min_length=1)
    source: Words
    firm: Firm

    @model_validator(mode="after")
    def _of_two(self) -> Self:
        if self.role in self.against:
            raise ValueError(f"{self.role} does not conflict with itself")
        return self


class Conflict(_Pairs):
    """``role`` is not held with any of ``against`` ("*": any other), nor they with it."""

    statutory: bool

    def covers(self, one: Role, other: Role) -> bool:
        """Return whether the row forbids the two together, whichever is named first."""
        return any(
            first is self.role and first is not second and self._names(second)
            for first, second in permutations((one, other))
        )

    def without(self, one: Role, other: Role) -> tuple[Conflict, ...]:
        """Return the row less one pair: itself if it does not cover it, none if nothing is left."""
        if not self.covers(one, other):
            return (self,)
        gone = {one, other, self.role}
        left = tuple(role for role in Role if role not in gone and self._names(role))
        return (self.model_copy(update={"against": left}),) if left else ()

    def _names(self, role: Role) -> bool:
        return role in self.against or "*" in self.against


class Dropped(Strict):
    """A pair that a table lets one person hold, against the table it is based on."""

    role: Role
    against: Role = Field(alias="with")
    reason: Words
    source: Words


class Custodians(Strict):
    """``present`` of ``appointed`` custodians open the CA keys; ``outside``: not all are staff."""

    present: int
    appointed: int
    outside: bool
    reason: Words | None = None
    source: Words
    firm: Firm


class RoleTable(Strict):
    """A table in force; ``dropped`` is what it loosened, to be shown wherever the table is."""

    name: _Name
    version: _Version
    conflicts: tuple[Conflict, ...] = Field(alias="conflict")
    custodians: Custodians
    dropped: tuple[Dropped, ...] = ()

    @property
    def reference(self) -> str:
        """``name@version``, as the register and the reports name it."""
        return f"{self.name}@{self.version}"

    def conflicting_pair(self, roles: Iterable[Role]) -> tuple[Role, Role] | None:
        """Return a pair among ``roles`` that one person may not hold, or None."""
        held = sorted(set(roles))
        for conflict in self.conflicts:
            for other in held:
                if conflict.role in held and conflict.covers(conflict.role, other):
                    return conflict.role, other
        return None


class _Derived(Strict):
    name: _Name
    version: _Version
    based_on: str
    conflict: tuple[_Pairs, ...] = ()
    drop: tuple[Dropped, ...] = ()
    custodians: Custodians | None = None


@cache
def shipped_table(name: str) -> RoleTable:
    """Return a table that ships; raises ``NotFound`` with those that do."""
    if name not in SHIPPED:
        raise NotFound(
            f"{_CODE}.unknown", f"there is no role table {name!r}", f"Known: {', '.join(SHIPPED)}."
        )
    file = f"{name}.toml"
    tree = parse_toml(policy_data(f"role_tables/{file}"), file, _CODE)
    if "based_on" in tree:
        return _derive(validate(_Derived, tree, file, _CODE))
    return validate(RoleTable, tree, file, _CODE)


def load_table(octets: bytes) -> RoleTable:
    """Return an installation's own table from its UTF-8 TOML.

    Raises ``Refused`` (``policies.role_table.statutory``) for a statutory pair dropped, fewer than
    two custodians present or three appointed; ``InvalidInput`` for any other fault.
    """
    what = "the role table"
    own = validate(_Derived, parse_toml(octets, what, _CODE), what, _CODE)
    if own.name in SHIPPED:
        raise InvalidInput(
            f"{_CODE}.taken", f"{what}: there is a table {own.name} already", "Name it otherwise."
        )
    return _derive(own)


def _derive(own: _Derived) -> RoleTable:
    base = _base(own.based_on)
    conflicts = base.conflicts
    for drop in own.drop:
        conflicts = _less(conflicts, drop)
    added = tuple(
        Conflict.model_validate({**row.model_dump(by_alias=True), "statutory": False})
        for row in own.conflict
    )
    for drop in own.drop:
        if any(row.covers(drop.role, drop.against) for row in added):
            raise InvalidInput(
                f"{_CODE}.drop", f"{own.name} both drops and adds {drop.role} and {drop.against}"
            )
    kept = (
        drop
        for drop in base.dropped
        if not any(row.covers(drop.role, drop.against) for row in added)
    )
    return RoleTable(
        name=own.name,
        version=own.version,
        conflict=(*conflicts, *added),
        custodians=_custodians(own, base),
        dropped=(*kept, *own.drop),
    )


def _base(reference: str) -> RoleTable:
    name = reference.partition("@")[0]
    base = shipped_table(name) if name in SHIPPED else None
    if base is None or base.reference != reference:
        raise InvalidInput(
            f"{_CODE}.base",
            f"there is no role table {reference!r} that ships",
            f"Known: {', '.join(shipped_table(one).reference for one in SHIPPED)}.",
        )
    return base


def _less(conflicts: tuple[Conflict, ...], drop: Dropped) -> tuple[Conflict, ...]:
    """Return the rows less the pair dropped, which one of them must hold and none by statute."""
    pair = f"{drop.role} and {drop.against}"
    covering = [row for row in conflicts if row.covers(drop.role, drop.against)]
    if not covering:
        raise InvalidInput(
            f"{_CODE}.drop",
            f"{pair} may be held together already: there is no such pair to drop",
        )
    for row in covering:
        if row.statutory:
            raise Refused(
                f"{_CODE}.statutory",
                f"{pair} stay apart by statute ({row.source})",
                "Appoint another person, or one from outside the staff, to one of them.",
            )
    return tuple(left for row in conflicts for left in row.without(drop.role, drop.against))


def _custodians(own: _Derived, base: RoleTable) -> Custodians:
    """Return the custodians; other numbers than stricter ones need a reason."""
    given, before = own.custodians, base.custodians
    if given is None:
        return before
    if given.present < FEWEST_PRESENT or given.appointed < _FEWEST_APPOINTED:
        raise Refused(
            f"{_CODE}.statutory",
            f"CA keys are held by {_FEWEST_APPOINTED} custodians or more, "
            f"{FEWEST_PRESENT} or more of them present",
        )
    if given.present > given.appointed:
        raise InvalidInput(
            f"{_CODE}.custodians",
            f"{given.present} custodians cannot be present where {given.appointed} are appointed",
        )
    looser = (
        given.present < before.present
        or given.appointed > before.appointed
        or (given.outside and not before.outside)
    )
    if looser and given.reason is None:
        raise InvalidInput(
            f"{_CODE}.reason",
            f"{own.name}: custodians are looser than those of {base.reference}",
            "Give the reason; stricter ones (more present, fewer appointed) need none.",
        )
    return given
