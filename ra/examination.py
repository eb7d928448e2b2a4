"""Examination and decision: two people, each signing the digest of the whole file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from audit.trail import Event, Trail
from ca import orders as ca_orders
from ca.dossier import Dossier, changed_parts, parse_dossier
from ca.orders import Orders
from ca.records import CarrierKind, Order
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from policies.checks import checks_for, refusal_code
from policies.roles import Role
from policies.site import SiteKind
from ra import records
from ra.dossiers import compute_dossier, examined_offer, salted
from ra.persons.applicants import verify_nobodys_own
from ra.records import Application, ApplicationState, Check, CheckResult
from ra.states import move
from store.database import Store, Transaction


@dataclass(frozen=True)
class Examination:
    """Examines, approves and rejects applications."""

    store: Store
    trail: Trail
    directory: Directory
    orders: Orders
    kind: SiteKind

    def examine(
        self,
        ref: str,
        examiner: Signer,
        failures: Mapping[str, str] | None = None,
        carrier: CarrierKind = CarrierKind.CARD,
    ) -> Application:
        """Record every check with its result and sign the file as seen.

        ``carrier`` is what will hold the keys; it is part of what is approved.

        ``failures`` maps the kind of each failed check to a note; the others are OK by the
        channel's usual method.
        """
        failures = dict(failures or {})
        with self.store.begin() as tx:
            application = find_application(tx, ref)
            verify_nobodys_own(self.directory, tx, application, [examiner.operator_id])
            move(application, ApplicationState.EXAMINED)
            application.carrier = carrier.value
            for rule in checks_for(administrator=application.director_role is not None):
                note = failures.pop(rule.kind, None)
                tx.add(
                    Check(
                        application_ref=ref,
                        kind=rule.kind,
                        method=rule.method[application.channel],
                        result=CheckResult.OK if note is None else CheckResult.FAIL,
                        note=note or "",
                        examiner=examiner.operator_id,
                    )
                )
            if failures:
                raise InvalidInput(
                    "ra.check.unknown", f"{ref} has no check {', '.join(sorted(failures))}"
                )
            tx.flush()
            offer = self.orders.offer(tx, carrier)
            dossier = compute_dossier(tx, application, self.kind, offer)
            application.dossier = dossier.octets().decode()
            decision = ca_orders.examination(ref, dossier.digest())
            application.examination_id = self._state(tx, "APP.EXAMINED", examiner, decision)
            return application

    def approve(self, ref: str, approver: Signer) -> Order:
        """Decide to issue, and hand the self-contained order over.

        Raises ``Refused`` for a failed check, the examiner's own approval, or a file changed since
        the examination, whose changed parts are named.
        """
        with self.store.begin() as tx:
            application = find_application(tx, ref)
            verify_nobodys_own(self.directory, tx, application, [approver.operator_id])
            move(application, ApplicationState.ISSUING)
            failed = [
                check.kind
                for check in records.checks_of(tx, ref)
                if check.result is not CheckResult.OK
            ]
            if failed:
                raise Refused(
                    "ra.check.failed",
                    f"{ref} failed {', '.join(failed)}",
                    "Reject it: `hpki ra reject`.",
                )
            dossier = self._unchanged(tx, application, _seen(application))
            decision = ca_orders.approval(ref, dossier.digest())
            statement_id = self._state(tx, "APP.DECIDE", approver, decision)
            return self.orders.accept(tx, dossier, (application.examination_id or "", statement_id))

    def reject(self, ref: str, approver: Signer, code: str, reason: str = "") -> Application:
        """Decide not to issue, with a refusal code; R99 wants a reason in words."""
        entry = refusal_code(code)
        if entry.code == "R99" and not reason.strip():
            raise InvalidInput("ra.reject.reason", "the refusal R99 wants a reason in words")
        with self.store.begin() as tx:
            application = find_application(tx, ref)
            verify_nobodys_own(self.directory, tx, application, [approver.operator_id])
            move(application, ApplicationState.REJECTED)
            dossier = compute_dossier(tx, application, self.kind, examined_offer(application))
            decision = Decision(
                StatementType.REJECTION,
                "application",
                ref,
                dossier.digest(),
                code,
                Role.RA_APPROVER,
                reason=salted("reject_reason", reason, application.salt) if reason else "",
            )
            application.reject_code, application.reject_reason = code, reason or None
            self._state(tx, "APP.DECIDE", approver, decision)
            return application

    def verify_order(
        self,
        tx: Transaction,
        order: Order,
        operators: Collection[str],
        states: Collection[ApplicationState] = (ApplicationState.ISSUING,),
    ) -> None:
        """Raise ``Refused`` naming what changed in the file since the order was approved.

        ``operators`` carry it out: it may be none of theirs. Raises ``Conflict`` for an application
        in another state, as after its revocation.
        """
        application = find_application(tx, order.application_ref)
        verify_nobodys_own(self.directory, tx, application, operators)
        if application.state not in states:
            raise Conflict(
                "ra.state",
                f"{application.ref} is {application.state}; nothing more is issued for it",
                "See `hpki ra show` for where it stands.",
            )
        self._unchanged(tx, application, parse_dossier(order.dossier.encode()))

    def verify_order_now(self, order_id: str, operators: Collection[str]) -> None:
        """Verify an order in a transaction of its own, before it is issued without a card."""
        states = (ApplicationState.ISSUING, ApplicationState.ISSUED)
        with self.store.read() as tx:
            self.verify_order(tx, ca_orders.find_order(tx, order_id), operators, states)

    def mark_issued(self, order_id: str) -> None:
        """Note that an order without a card has a certificate."""
        with self.store.begin() as tx:
            order = ca_orders.find_order(tx, order_id)
            application = find_application(tx, order.application_ref)
            if application.state is not ApplicationState.ISSUED:
                move(application, ApplicationState.ISSUED)

    def mark_personalised(self, tx: Transaction, ref: str) -> None:
        """Note that the card of the application is finished."""
        move(find_application(tx, ref), ApplicationState.PERSONALISED)

    def _unchanged(self, tx: Transaction, application: Application, seen: Dossier) -> Dossier:
        computed = compute_dossier(tx, application, self.kind, seen.content.offer)
        now = replace(computed, attempt=seen.attempt)
        changed = changed_parts(seen, now)
        if changed:
            raise Refused(
                "ra.dossier.changed",
                f"{application.ref} has changed since it was signed: {', '.join(changed)}",
                "Nothing is issued on it; find out who changed it, and reject it.",
            )
        return seen

    def _state(self, tx: Transaction, code: str, signer: Signer, decision: Decision) -> str:
        """Sign the decision, enter it, and return the statement's id."""
        event = Event(
            code,
            decision.object_type,
            decision.object_id,
            actor=signer.operator_id,
            actor_role=decision.role,
            detail={"dossier": decision.digest, "decision": decision.decision},
        )
        return self.directory.state(tx, event, (signer, decision))[0].id


def _seen(application: Application) -> Dossier:
    """Return the dossier as the examiner signed it."""
    if application.dossier is None:
        raise Conflict("ra.dossier.none", f"{application.ref} was not examined")
    return parse_dossier(application.dossier.encode())


def find_application(tx: Transaction, ref: str) -> Application:
    """Return the application, or raise ``NotFound``."""
    application = tx.get(Application, ref)
    if application is None:
        raise NotFound(
            "ra.application.unknown", f"there is no application {ref!r}", "See `hpki ra list`."
        )
    return application
