"""Fees: due after the approval, paid or waived before anything is ordered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from audit.chain import KEEP
from audit.records import entries_about
from audit.trail import Event
from operators.statements import Signer
from pki.errors import Conflict, InvalidInput, Refused
from policies.applications import Channel
from policies.moves import ApplicationState, moves
from policies.roles import Role
from ra.casework import records as work
from ra.casework.guards import rule_of
from ra.casework.records import Fee, FeeState
from ra.casework.registrar import Registrar
from ra.dossiers import salted
from ra.persons.applicants import verify_nobodys_own
from ra.records import Application, hold_application
from store.database import Store, Transaction

_WAIVERS = (Role.RA_MANAGER, Role.RA_APPROVER)


def ask_fee(tx: Transaction, application: Application, today: date) -> bool:
    """Return whether a fee is owed; it is asked for now unless it was settled or is nothing."""
    fee = tx.get(Fee, application.ref)
    if fee is None:
        yen = fee_of(application)
        if yen == 0:
            return False
        fee = Fee(application_ref=application.ref, yen=yen, state=FeeState.DUE, asked_on=today)
        tx.add(fee)
        tx.flush()
    elif fee.state is not FeeState.DUE:
        _verify_settled(tx, fee)
    return fee.state is FeeState.DUE


def _verify_settled(tx: Transaction, fee: Fee) -> None:
    """Raise ``Refused`` where the trail does not say that the fee was paid or waived."""
    code = f"FEE.{fee.state}"
    if not entries_about(tx, "application", fee.application_ref, [code]):
        raise Refused(
            "ra.fee.changed",
            f"the fee of {fee.application_ref} is {fee.state}, and nobody entered that",
            KEEP,
        )


def fee_of(application: Application) -> int:
    """Return what the table of types asks of the application, in yen."""
    member = application.member_id is not None
    return rule_of(application).fee(Channel(application.channel), member=member)


@dataclass(frozen=True)
class Fees:
    """Keeps payments; the last one lets a waiting file go on.

    ``order`` hands the order of an approved file over.
    """

    store: Store
    registrar: Registrar
    order: Callable[[Transaction, Application], object]

    def asked(self, *, settled: bool) -> list[Fee]:
        """Return the fees that are due, or with ``settled`` all, by the day of asking."""
        with self.store.read() as tx:
            return work.fees(tx, tuple(FeeState) if settled else (FeeState.DUE,))

    def pay(self, ref: str, yen: int, reference: str, reception: Signer) -> Fee:
        """Keep that the fee was paid; ``reference`` says where it stands in the accounts.

        Raises ``InvalidInput`` for another sum or no reference.
        """
        if not reference.strip():
            raise InvalidInput(
                "ra.fee.reference", "a payment wants a reference", "Give --reference."
            )
        with self.store.begin() as tx:
            application, fee = self._owed(tx, ref)
            if yen != fee.yen:
                raise InvalidInput(
                    "ra.fee.sum",
                    f"{ref} owes {fee.yen:,} yen, not {yen:,}",
                    "Clear it up with the payer; a waiver is `hpki ra fee waive`.",
                )
            fee.state, fee.reference = FeeState.PAID, reference
            self._settle(tx, application, fee, reception, Role.RA_RECEPTION, "FEE.PAID")
            return fee

    def waive(self, ref: str, reason: str, signer: Signer) -> Fee:
        """Keep that nothing is owed, and why; by an approver or the RA manager."""
        if not reason.strip():
            raise InvalidInput("ra.fee.reason", "a waiver wants a reason", "Give --reason.")
        with self.store.begin() as tx:
            application, fee = self._owed(tx, ref)
            fee.state, fee.note = FeeState.WAIVED, reason
            role = self.registrar.directory.role_among(tx, signer.operator_id, _WAIVERS)
            self._settle(tx, application, fee, signer, role, "FEE.WAIVED")
            return fee

    def _owed(self, tx: Transaction, ref: str) -> tuple[Application, Fee]:
        application = hold_application(tx, ref)
        if moves().entry(application.state).clock == "over":
            raise Conflict("ra.fee.over", f"{ref} is {application.state}; nothing is owed")
        ask_fee(tx, application, self.registrar.today)
        fee = tx.get(Fee, ref)
        if fee is None or fee.state is not FeeState.DUE:
            word = fee.state.lower() if fee else "nothing"
            raise Conflict("ra.fee.none", f"{ref} owes no fee: {word}")
        return application, fee

    def _settle(
        self,
        tx: Transaction,
        application: Application,
        fee: Fee,
        signer: Signer,
        role: Role,
        code: str,
    ) -> None:
        registrar, ref = self.registrar, application.ref
        registrar.directory.verify_may_act(tx, signer, role)
        verify_nobodys_own(registrar.directory, tx, application, [signer.operator_id])
        fee.settled_on, fee.settled_by = registrar.today, signer.operator_id
        said = salted("fee", fee.reference or fee.note, application.salt)
        registrar.trail.append(
            tx,
            Event(
                code,
                "application",
                ref,
                actor=signer.operator_id,
                actor_role=role,
                detail={"yen": fee.yen, "said": said},
            ),
        )
        if application.state is ApplicationState.PAYMENT_WAIT:
            self.order(tx, application)
