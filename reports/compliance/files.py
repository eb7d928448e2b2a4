"""Applications as the audit reads them, a page at a time with all that stands beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.orm import aliased
from sqlmodel import col

from audit.records import TrailEntry
from policies.applications import ApplicationType, Channel, TypeRule, application_types
from policies.checks import CheckRule, checks_for
from policies.controls import AuditKind
from policies.documents import DocumentRule, load_document_rules
from ra.records import Application, Person, PersonVersion
from reports.compliance.beside import Beside, Step
from reports.compliance.beside import beside as standing
from reports.compliance.engine import Judge
from reports.compliance.run import Run, kinds_of
from reports.tables import Text

_PAGE = 400
PROVEN = "JPKI_SIGNATURE"
"""The method of identification that is as good as a fresh resident record."""


@dataclass
class File:
    """One application; ``data``: its columns, its person's as it brought them, and ``old_…``.

    The latter are postal code and address of the application that it replaces.
    """

    data: Mapping[str, Any]
    beside: Beside
    run: Run = field(repr=False)

    @property
    def name(self) -> str:
        """``application T2026-0001``."""
        return f"application {self.data['ref']}"

    @property
    def kinds(self) -> frozenset[AuditKind]:
        """A file leads to certificates for both uses."""
        return kinds_of(None)

    @property
    def ref(self) -> str:
        """Its reference."""
        return str(self.data["ref"])

    @property
    def is_erased(self) -> bool:
        """Whether its values are gone, by rule."""
        return self.data["erased_at"] is not None

    @cached_property
    def rule(self) -> TypeRule:
        """The rule of its type; raises ``ValueError`` for an unknown one."""
        return application_types()[ApplicationType(self.data["type"])]

    @cached_property
    def channel(self) -> Channel:
        """How it came; raises ``ValueError`` for an unknown one."""
        return Channel(self.data["channel"])

    @property
    def steps(self) -> Sequence[Step]:
        """What the trail tells of it, oldest first."""
        return self.beside.steps.get(self.ref, ())

    @cached_property
    def moves(self) -> Sequence[Step]:
        """The steps that brought it to another state."""
        return [one for one in self.steps if one.move[1]]

    @property
    def state(self) -> str:
        """Where the trail says it stands."""
        if self.moves:
            return self.moves[-1].move[1]
        received = next((one for one in self.steps if one.code == "APP.RECEIVE"), None)
        return str(received.detail.get("state", "")) if received else ""

    @cached_property
    def decisions(self) -> Sequence[Step]:
        """The approvals and refusals of the period."""
        return [
            one for one in self.moves if one.code == "APP.DECIDE" and one.seq in self.run.positions
        ]

    @cached_property
    def approval(self) -> Step | None:
        """The approval of the period that still stands: it was not sent back since."""
        for one in reversed(self.moves):
            if one.move[1] == "EXAMINING":
                return None
            if one.move[1] == "APPROVED":
                return one if one.seq in self.run.positions else None
        return None

    @cached_property
    def checks(self) -> Mapping[str, Any]:
        """The checks of its examination by kind."""
        return {one.kind: one for one in self.beside.checks.get(self.ref, ())}

    @cached_property
    def papers(self) -> Mapping[str, Any]:
        """The newest document of each code, redacted copies aside."""
        found = self.beside.documents.get(self.ref, ())
        ordered = sorted(found, key=lambda one: (one.code, one.number))
        return {one.code: one for one in ordered if one.redacts is None}

    @cached_property
    def signed(self) -> Mapping[str, Any]:
        """What was signed at the examination, {} for nothing; raises ``ValueError``."""
        found: Mapping[str, Any] = from_json(self.data["dossier"] or "{}")
        return found

    @property
    def signed_digest(self) -> object:
        """The digest of what was signed last, by the trail."""
        found = (one.detail.get("dossier") for one in reversed(self.moves))
        return next((one for one in found if one), None)

    def wanted(self, kind: str) -> CheckRule | None:
        """Return the rule of a check that its examination must have."""
        return _wanted(self.rule.issues, self.data["director_role"] is not None).get(kind)

    def required(self) -> tuple[DocumentRule, ...]:
        """Return the rules that want a document now."""
        data = self.data
        moved = data["old_address"] is not None and (
            (data["old_postal_code"], data["old_address"]) != (data["postal_code"], data["address"])
        )
        values = {
            "director_role": data["director_role"],
            "former_surname": data["former_surname"],
            "address": moved,
        }
        filled = frozenset(name for name, value in values.items() if value)
        return _required(self.rule.code, self.channel, filled)

    def signers(self, *types: str) -> Mapping[int, str]:
        """Return who signed statements of the types about it, by position."""
        found = self.beside.statements.get(self.ref, ())
        return {one.seq: one.operator_id for one in found if one.type in types}


@cache
def _wanted(issues: bool, administrator: bool) -> Mapping[str, CheckRule]:
    return {one.kind: one for one in checks_for(issues=issues, administrator=administrator)}


@cache
def _required(
    kind: ApplicationType, channel: Channel, filled: frozenset[str]
) -> tuple[DocumentRule, ...]:
    return load_document_rules().required(kind, channel, filled)


_NUMBERED = (Application, PersonVersion, Person)
_OLD, _OLD_VERSION = aliased(Application), aliased(PersonVersion)
_HIDDEN = {"import_id", "row_digest", "web_id", "person_id", "id", "search_key"}
_COLUMNS: list[sa.ColumnElement[Any]] = [
    *(
        sa.type_coerce(one, sa.Text).label(one.key) if one.key == "state" else one
        for table in _NUMBERED
        for one in sa.inspect(table).columns
        if one.key not in _HIDDEN
    ),
    sa.inspect(Application).columns.person_id,
    col(_OLD_VERSION.postal_code).label("old_postal_code"),
    col(_OLD_VERSION.address).label("old_address"),
]
_QUERY = (
    sa.select(*_COLUMNS)
    .select_from(Application)
    .outerjoin(Person, col(Person.id) == col(Application.person_id))
    .outerjoin(
        PersonVersion,
        (col(PersonVersion.person_id) == col(Application.person_id))
        & (col(PersonVersion.valid_from) == col(Application.received_on)),
    )
    .outerjoin(_OLD, col(_OLD.ref) == col(Application.replaces))
    .outerjoin(
        _OLD_VERSION,
        (col(_OLD_VERSION.person_id) == col(_OLD.person_id))
        & (col(_OLD_VERSION.valid_from) == col(_OLD.received_on)),
    )
    .order_by(col(Application.ref))
    .limit(_PAGE)
)


def count(run: Run) -> int:
    """Return how many applications there are."""
    return run.tx.execute(sa.select(sa.func.count(col(Application.ref)))).scalar() or 0


def rows(run: Run, after: str | None = None, upto: str | None = None) -> Iterator[File]:
    """Yield every application up to the moment, by reference, those before the period too.

    One that no entry tells of is yielded, too: nobody knows since when it is there.
    """
    ref, after = col(Application.ref), after or ""
    query = _QUERY.where(ref <= upto) if upto is not None else _QUERY
    while page := run.tx.connection().execute(query.where(ref > after)).all():
        after = page[-1].ref
        beside = standing(run, page)
        for one in page:
            file = File(dict(one._mapping), beside, run)
            if file.steps or _is_untold(run, file):
                yield file


def _is_untold(run: Run, file: File) -> bool:
    """Whether no entry tells of the file at all, before or after the moment."""
    seq = col(TrailEntry.seq)
    later = sa.select(seq).where(col(TrailEntry.object_id) == file.ref, seq > run.moment.head.seq)
    return run.tx.execute(later.limit(1)).first() is None


def of_approved(
    judge: Callable[[File, Step], Sequence[Text] | None],
) -> Callable[[Run], Judge[File]]:
    """Return a maker of the judge for files approved in the period, not erased since."""

    def judged(file: File) -> Sequence[Text] | None:
        approval = file.approval
        return None if approval is None or file.is_erased else judge(file, approval)

    return lambda _: judged
