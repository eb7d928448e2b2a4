"""The registrar makes moves: allowed ones only, by who may, when their guards hold, and entered."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from audit.records import entries_about
from audit.trail import Event, Trail
from operators.directory import Directory
from operators.statements import Decision, Signer
from pki.errors import Conflict, Refused
from pki.validity import Clock, japan_date, whole_seconds
from policies.moves import SYSTEM, ApplicationState, Guard, Move, moves
from policies.parameters import Parameters
from policies.roles import Role
from ra import records
from ra.casework.guards import Case, verify_guard
from ra.dossiers import salted
from ra.persons.applicants import verify_nobodys_own, verify_office
from ra.records import Application
from store.database import Transaction


@dataclass(frozen=True)
class Entered:
    """Where the trail says a file stands, and the digest examined or decided on last."""

    ref: str
    state: str
    signed: str

    def verify(self, states: Collection[ApplicationState], signed: str) -> None:
        """Raise ``Refused`` unless that is one of the states, and this digest."""
        if self.state not in states or self.signed != signed:
            raise Refused(
                "ra.state.changed",
                f"{self.ref} is {self.state} in the trail, or another examination was the last",
                "The store was tampered with: keep it and call the auditor.",
            )


@dataclass(frozen=True)
class Registrar:
    """Moves applications by the table of ``policies.moves``."""

    trail: Trail
    directory: Directory
    parameters: Parameters
    clock: Clock

    @property
    def today(self) -> date:
        """The day in Japan."""
        return japan_date(self.clock())

    def enter(
        self,
        tx: Transaction,
        application: Application,
        to: ApplicationState,
        signer: Signer,
        said: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> Move:
        """Make a move that is no decision and enter it.

        Raises ``Conflict`` for a move that is not allowed, ``Refused`` for the wrong role, an own
        file, and a guard that does not hold.
        """
        move = self._move(application, to)
        if move.statement:
            raise Refused("ra.move.unsigned", f"{move.origin}>{to} is a decision: it is signed")
        role = self._actor(tx, move, signer)
        self._verify_office(tx, application, signer, role)
        verify_nobodys_own(self.directory, tx, application, [signer.operator_id])
        event = self._event(move, application, signer.operator_id, role, said, detail)
        self._take(tx, application, move, said)
        self.trail.append(tx, event)
        return move

    def decide(
        self,
        tx: Transaction,
        application: Application,
        to: ApplicationState,
        decision: tuple[Signer, Decision],
        said: str = "",
    ) -> str:
        """Make a move that is a decision: signed, entered; return the statement's id."""
        signer, made = decision
        move = self._move(application, to)
        verify_nobodys_own(self.directory, tx, application, [signer.operator_id])
        detail = {"dossier": made.digest, "decision": made.decision}
        event = self._event(move, application, signer.operator_id, made.role, said, detail)
        self._take(tx, application, move, said)
        return self.directory.state(tx, event, decision)[0].id

    def follow(self, tx: Transaction, application: Application, to: ApplicationState) -> None:
        """Make a move that follows from something entered elsewhere, or from a rule."""
        move = self._move(application, to)
        event = self._event(move, application, SYSTEM, "", "", None)
        self._take(tx, application, move, "")
        self.trail.append(tx, event)

    def verify_move(
        self,
        tx: Transaction,
        application: Application,
        to: ApplicationState,
        operator_id: str,
        leaving_out: Collection[Guard] = (),
    ) -> None:
        """Raise what would hinder the operator's move if it were made now, their role aside."""
        move = self._move(application, to)
        verify_nobodys_own(self.directory, tx, application, [operator_id])
        for guard in move.guards:
            if guard not in leaving_out:
                verify_guard(guard, Case(tx, application, self.today))

    def entered(self, tx: Transaction, application: Application) -> Entered:
        """Return what the trail tells of the file."""
        moved = _newest_detail(tx, application.ref, {one.code for one in moves().move})
        told = moved.get("move") or moved.get("state") or application.state  # none: older entries
        signed = _newest_detail(tx, application.ref, _SIGNED).get("dossier")
        return Entered(application.ref, str(told).rpartition(">")[2], str(signed))

    def _move(self, application: Application, to: ApplicationState) -> Move:
        move = moves().find(application.state, to)
        if move is None or move.later:
            raise Conflict(
                "ra.state",
                f"{application.ref} is {application.state} and cannot become {to}",
                "See `hpki ra show` for where it stands.",
            )
        return move

    def _actor(self, tx: Transaction, move: Move, signer: Signer) -> Role:
        roles = [Role(one) for one in move.actors if one != SYSTEM]
        role = self.directory.role_among(tx, signer.operator_id, roles)
        self.directory.verify_may_act(tx, signer, role)
        return role

    def _verify_office(
        self, tx: Transaction, application: Application, signer: Signer, role: Role
    ) -> None:
        if role is Role.LRA_RECEPTION:
            verify_office(self.directory, tx, signer.operator_id, application.office)

    def _event(
        self,
        move: Move,
        application: Application,
        actor: str,
        role: str,
        said: str,
        detail: Mapping[str, object] | None,
    ) -> Event:
        words = {"said": salted("said", said, application.salt)} if said else {}
        return Event(
            move.code,
            "application",
            application.ref,
            actor=actor,
            actor_role=role,
            detail={"move": f"{move.origin}>{move.to}", **words, **(detail or {})},
        )

    def _take(self, tx: Transaction, application: Application, move: Move, said: str) -> None:
        """Verify the guards, then change state and clock."""
        tx.flush()
        for guard in move.guards:
            verify_guard(guard, Case(tx, application, self.today, said))
        if moves().entry(move.origin).clock == "stands":
            since = japan_date(application.state_since)
            application.stopped_days += max((self.today - since).days, 0)
        application.state = move.to
        application.state_since = whole_seconds(self.clock())
        application.due_on = self.due_on(application)
        tx.flush()

    def due_on(self, application: Application) -> date | None:
        """Return the last day for the next step in the application's state; None: none is due."""
        return self.due_in(application.state, application.received_on, application.stopped_days)

    def due_in(
        self, state: ApplicationState, received_on: date, stopped_days: int = 0
    ) -> date | None:
        """Return the last day for the next step of a file that comes into the state today."""
        clock = moves().entry(state).clock
        if clock == "over":
            return None
        if clock == "runs":
            return received_on + timedelta(days=self._days("OPEN_FILE_DAYS") + stopped_days)
        waiting = state is ApplicationState.PAYMENT_WAIT
        return self.today + timedelta(
            days=self._days("PAYMENT_DAYS" if waiting else "DEFICIENCY_DAYS")
        )

    def _days(self, key: str) -> int:
        return int(self.parameters.value(key))


_SIGNED = frozenset({"APP.EXAMINED", "APP.DECIDE"})


def _newest_detail(tx: Transaction, ref: str, codes: Collection[str]) -> Mapping[str, object]:
    found = entries_about(tx, "application", ref, codes)
    detail: Mapping[str, object] = json.loads(found[-1].body)["detail"] if found else {}
    return detail


def confirm_version(tx: Transaction, application: Application, today: date) -> None:
    """Let the name and address that the application brought count from now on, or from before."""
    version = records.applicant(tx, application)
    version.confirmed_on = version.confirmed_on or today
    tx.flush()
