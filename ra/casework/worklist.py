"""The work list: which open files wait for whom, the one due first before the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from operators.identity import Identity
from pki.validity import japan_date
from policies.applications import ApplicationType, application_types
from policies.moves import SYSTEM, ApplicationState, Guard, moves
from policies.parameters import Parameters
from policies.roles import Role
from ra.casework.records import NoticeKind, Pile, open_counts, open_files
from ra.casework.registrar import Registrar
from store.database import Store, Transaction

PAGE = 50


class Urgency(StrEnum):
    """How soon the next step is due; ``STANDS``: the file waits for somebody outside."""

    OVERDUE = "OVERDUE"
    URGENT = "URGENT"
    SOON = "SOON"
    LATER = "LATER"
    STANDS = "STANDS"


@dataclass(frozen=True)
class Wanted:
    """Which files: None is no limit.

    ``operator``: only what that person may do now, in ``role`` if given: of the own office where
    the role has one, no own file, and no decision about an examination of one's own.
    """

    operator: str | None = None
    role: Role | None = None
    state: ApplicationState | None = None
    office: str | None = None
    prefecture: str | None = None
    profession: str | None = None


@dataclass(frozen=True)
class Waiting:
    """An open file: since when it waits, for whom, and until when.

    ``age_days`` count from the change of state, ``days_left`` to the due day (negative: over).
    ``waits_for`` is empty while the register's answer is open. ``letters`` are due to be sent.
    """

    ref: str
    state: ApplicationState
    since: datetime
    age_days: int
    due_on: date
    days_left: int
    urgency: Urgency
    type: ApplicationType
    channel: str
    profession: str
    prefecture: str
    office: str | None
    kanji_name: str
    kana_name: str
    waits_for: tuple[Role, ...]
    letters: tuple[NoticeKind, ...]


@dataclass(frozen=True)
class Page:
    """Files by due day and reference; ``last`` is the key to go on after, None at the end."""

    rows: tuple[Waiting, ...]
    last: tuple[date, str] | None


@dataclass(frozen=True)
class Worklist:
    """Reads what waits."""

    store: Store
    registrar: Registrar

    def page(
        self, wanted: Wanted, limit: int = PAGE, after: tuple[date, str] | None = None
    ) -> Page:
        """Return up to ``limit`` files, those due first; an operator's own are left out."""
        with self.store.read() as tx:
            return self._page(tx, wanted, limit, after)

    def counts(self, wanted: Wanted) -> dict[ApplicationState, int]:
        """Return how many files wait in each state, in the order of a file's life."""
        with self.store.read() as tx:
            found = open_counts(tx, self._piles(tx, wanted))
        return {state: found[state] for state in moves().open_states() if found.get(state)}

    def next_file(self, wanted: Wanted, besides: Collection[str] = ()) -> Waiting | None:
        """Return the file due first that is none of ``besides``, or None."""
        after = None
        with self.store.read() as tx:
            while True:
                page = self._page(tx, wanted, PAGE, after)
                for row in page.rows:
                    if row.ref not in besides:
                        return row
                after = page.last
                if after is None:
                    return None

    def _page(
        self, tx: Transaction, wanted: Wanted, limit: int, after: tuple[date, str] | None
    ) -> Page:
        found = open_files(tx, self._piles(tx, wanted), limit, after)
        own = self._own(tx, wanted)
        rows = tuple(self._waiting(one) for one in found if own is None or not _is_own(own, one))
        last = found[-1] if len(found) == limit else None
        return Page(rows, (last.due_on, last.ref) if last is not None else None)

    def _own(self, tx: Transaction, wanted: Wanted) -> Identity | None:
        return self.registrar.directory.identity(tx, wanted.operator) if wanted.operator else None

    def _piles(self, tx: Transaction, wanted: Wanted) -> list[Pile]:
        columns = {
            "office": wanted.office,
            "work_prefecture": wanted.prefecture,
            "profession": wanted.profession,
        }
        only = {name: value for name, value in columns.items() if value is not None}
        worker = self._worker(tx, wanted)
        states = [wanted.state] if wanted.state else moves().open_states()
        return [replace(pile, only=only) for state in states for pile in worker.piles(state)]

    def _worker(self, tx: Transaction, wanted: Wanted) -> _Worker:
        directory, today = self.registrar.directory, self.registrar.today
        asked = frozenset(Role) if wanted.role is None else frozenset({wanted.role})
        if wanted.operator is None:
            return _Worker(asked, today)
        roles = asked & directory.roles_of(tx, wanted.operator)
        office = directory.register(tx).account(wanted.operator).office
        return _Worker(roles, today, wanted.operator, office)

    def _waiting(self, row: Any) -> Waiting:
        today, kind = self.registrar.today, ApplicationType(row.type)
        left = (row.due_on - today).days
        return Waiting(
            ref=row.ref,
            state=row.state,
            since=row.state_since,
            age_days=(today - japan_date(row.state_since)).days,
            due_on=row.due_on,
            days_left=left,
            urgency=urgency(row.state, left, self.registrar.parameters),
            type=kind,
            channel=row.channel,
            profession=row.profession,
            prefecture=row.work_prefecture,
            office=row.office,
            kanji_name=row.kanji_name or "",
            kana_name=row.kana_name or "",
            waits_for=_roles(row, kind, late=left < 0),
            letters=tuple(sorted(map(NoticeKind, (row.letters or "").split(","))))
            if row.letters
            else (),
        )


def urgency(state: ApplicationState, days_left: int, parameters: Parameters) -> Urgency:
    """Return how soon the next step is due.

    A clock that stands hurries nobody until the applicant's time is over: then the file goes back.
    """
    if days_left < 0:
        return Urgency.OVERDUE
    if moves().entry(state).clock == "stands":
        return Urgency.STANDS
    if days_left <= parameters.value("URGENT_DAYS"):
        return Urgency.URGENT
    return Urgency.SOON if days_left <= parameters.value("SOON_DAYS") else Urgency.LATER


def waits_for(state: ApplicationState, *, issues: bool, late: bool) -> tuple[Role, ...]:
    """Return whose work a file is, by the table of moves.

    What issues nothing is carried out where others are decided on; a file whose period is over
    (``late``) is also the work of those who may send it back.
    """
    roles = moves().entry(state).waits_for
    if not issues:
        roles = tuple(_actors(state, Guard.ISSUES_NOTHING)) or roles
    return tuple(dict.fromkeys((*roles, *_actors(state, Guard.PERIOD_OVER)))) if late else roles


def _roles(row: Any, kind: ApplicationType, *, late: bool) -> tuple[Role, ...]:
    """Return whose work a row is: a reception office's only where the file is of one."""
    if row.state is ApplicationState.QUAL_INQUIRY and row.unanswered:
        return ()
    roles = waits_for(row.state, issues=application_types()[kind].issues, late=late)
    return tuple(role for role in roles if row.office or role is not Role.LRA_RECEPTION)


def _actors(state: ApplicationState, guard: Guard) -> Iterator[Role]:
    for move in moves().move:
        if move.origin is state and guard in move.guards:
            yield from (Role(one) for one in move.actors if one != SYSTEM)


@dataclass(frozen=True)
class _Worker:
    """Who may do it: roles, and of one person the name and the reception office."""

    roles: frozenset[Role]
    today: date
    name: str = ""
    office: str | None = None

    def piles(self, state: ApplicationState) -> Iterator[Pile]:
        """Yield the piles of one state that are theirs."""
        issuing, quiet = (self._pile(state, issues=issues) for issues in (True, False))
        if issuing == quiet:
            yield from (issuing,) if issuing else ()
            return
        for issues, pile in ((True, issuing), (False, quiet)):
            if pile is not None:
                rules = application_types().items()
                yield replace(
                    pile, types=tuple(one for one, rule in rules if rule.issues is issues)
                )

    def _pile(self, state: ApplicationState, *, issues: bool) -> Pile | None:
        always = self.roles.intersection(waits_for(state, issues=issues, late=False))
        late = self.roles.intersection(waits_for(state, issues=issues, late=True))
        if not late:
            return None
        pile = Pile(state, before=None if always else self.today)
        if not self.name:
            return pile
        return replace(
            pile,
            office=(self.office or "") if late == {Role.LRA_RECEPTION} else None,
            not_by=self.name if late == {Role.RA_APPROVER} else "",
            answered=state is ApplicationState.QUAL_INQUIRY,
        )


def _is_own(own: Identity, row: Any) -> bool:
    names = [name for name in (row.kanji_name, row.kana_name, row.romaji_name) if name]
    return own.maybe(names, row.birth_date)
