"""Examination and decision: two people, each signing the digest of the whole file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from audit.trail import Event, Trail
from ca import orders as ca_orders
from ca.dossier import Dossier, changed_parts, parse_dossier
from ca.orders import Orders
from ca.records import CarrierKind, Order, order_of_application
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType
from pki.errors import Conflict, InvalidInput, Refused
from pki.validity import Clock, whole_seconds
from policies.applications import Channel
from policies.checks import CheckRule, refusal_code
from policies.moves import ApplicationState
from policies.roles import Role
from policies.site import SiteKind
from ra import records
from ra.casework.fees import ask_fee
from ra.casework.guards import (
    REGISTER_METHOD,
    current_documents,
    rule_of,
    verify_checks_entered,
    wanted_checks,
)
from ra.casework.letters import owe_notice
from ra.casework.records import Answer, NoticeKind, inquiries_of
from ra.casework.registrar import Registrar, confirm_version
from ra.documents.dates import verify_in_time
from ra.dossiers import compute_dossier, examined_offer, salted
from ra.online import SIGNATURE_METHOD, verify_signatures, verify_signed
from ra.persons.applicants import verify_nobodys_own
from ra.records import (
    Application,
    Check,
    CheckResult,
    find_application,
    hold_application,
    verify_state,
)
from store.database import Store, Transaction

_UNDER_EXAMINATION = (ApplicationState.EXAMINING, ApplicationState.QUAL_INQUIRY)
_ORDERED = (ApplicationState.APPROVED, ApplicationState.PAYMENT_WAIT, ApplicationState.ISSUING)


@dataclass(frozen=True)
class Examination:
    """Examines, approves, rejects, sends back and withdraws applications."""

    store: Store
    trail: Trail
    directory: Directory
    orders: Orders
    registrar: Registrar
    kind: SiteKind
    clock: Clock

    def check(
        self,
        ref: str,
        kind: str,
        examiner: Signer,
        *,
        ok: bool,
        note: str = "",
        method: str | None = None,
    ) -> None:
        """Record one check; a later word on it replaces it. A failure wants a note."""
        with self.store.begin() as tx:
            application = self._to_examine(tx, ref, examiner)
            self._check(tx, application, examiner, kind, ok=ok, note=note, method=method)

    def examine(
        self,
        ref: str,
        examiner: Signer,
        failures: Mapping[str, str] | None = None,
        carrier: CarrierKind | None = None,
        *,
        rest_ok: bool = False,
        seen: str | None = None,
    ) -> Application:
        """Sign the file as seen, with every check and document judged.

        ``failures`` maps kinds of checks to notes. ``rest_ok``: the examiner says with this
        signature that every check and document not judged singly is OK by the usual method.
        ``carrier`` is what will hold the keys, as the type has it if None; it is part of what is
        approved. ``seen`` is the digest of the file as it was shown: raises ``Conflict`` if it
        changed meanwhile.
        """
        with self.store.begin() as tx:
            application = self._to_examine(tx, ref, examiner)
            if seen is not None and self.seen(tx, application) != seen:
                raise Conflict(
                    "ra.file.changed",
                    f"{ref} was changed by somebody else while it lay open",
                    "Open it anew and look at what changed.",
                )
            verify_checks_entered(tx, application)
            for kind, note in (failures or {}).items():
                self._check(tx, application, examiner, kind, ok=False, note=note, method=None)
            if rest_ok:
                self._rest_ok(tx, application, examiner)
            tx.flush()
            verify_signatures(tx, application)
            rule = rule_of(application)
            held = carrier or (CarrierKind(rule.carrier) if rule.carrier else CarrierKind.CARD)
            application.carrier = held.value
            offer = self.orders.offer(tx, held) if rule.issues else examined_offer(application)
            dossier = compute_dossier(tx, application, self.kind, offer)
            application.dossier = dossier.octets().decode()
            decision = ca_orders.examination(ref, dossier.digest())
            application.examination_id = self.registrar.decide(
                tx, application, ApplicationState.EXAMINED, (examiner, decision)
            )
            return application

    def seen(self, tx: Transaction, application: Application) -> str:
        """Return the digest (hex) of the file as it is now, for whoever looks at it."""
        return compute_dossier(tx, application, self.kind, examined_offer(application)).digest()

    def approve(self, ref: str, approver: Signer, *, seen: str | None = None) -> Order | None:
        """Decide to issue; hand the self-contained order over unless a fee is due.

        Raises ``Refused`` for a failed check, the examiner's own approval, or a file changed since
        the examination, whose changed parts are named.
        """
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            verify_state(application, ApplicationState.EXAMINED)
            verify_signatures(tx, application)
            dossier = self._unchanged(tx, application, _seen(application))
            entered = self.registrar.entered(tx, application)
            if seen is not None and dossier.digest() != seen:
                raise Conflict("ra.file.changed", f"{ref} is not the file that was shown")
            decision = ca_orders.approval(ref, dossier.digest())
            statement_id = self.registrar.decide(
                tx, application, ApplicationState.APPROVED, (approver, decision)
            )
            application.approval_id = statement_id
            pair = (application.examination_id or "", statement_id)
            self.orders.verify_statements(tx, dossier, pair)
            entered.verify([ApplicationState.EXAMINED], dossier.digest())
            confirm_version(tx, application, self.registrar.today)
            if ask_fee(tx, application, self.registrar.today):
                self.registrar.follow(tx, application, ApplicationState.PAYMENT_WAIT)
                owe_notice(tx, application, NoticeKind.FEE, self.registrar)
                return None
            return self.order(tx, application)

    def verify_unchanged(self, tx: Transaction, application: Application) -> None:
        """Raise ``Refused`` naming what changed in the file since its examination."""
        self._unchanged(tx, application, _seen(application))

    def order(self, tx: Transaction, application: Application) -> Order:
        """Hand the order of an approved application over, nothing being owed."""
        dossier = self._unchanged(tx, application, _seen(application))
        self.registrar.entered(tx, application).verify([application.state], dossier.digest())
        pair = (application.examination_id or "", application.approval_id or "")
        self.registrar.follow(tx, application, ApplicationState.ISSUING)
        return self.orders.accept(tx, dossier, pair)

    def reject(self, ref: str, approver: Signer, code: str, reason: str = "") -> Application:
        """Decide not to issue, with a refusal code; R99 wants a reason in words."""
        entry = refusal_code(code)
        if entry.code == "R99" and not reason.strip():
            raise InvalidInput("ra.reject.reason", "the refusal R99 wants a reason in words")
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
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
            self.registrar.decide(
                tx, application, ApplicationState.REJECTED, (approver, decision), entry.japanese
            )
            application.reject_code, application.reject_reason = code, reason or None
            owe_notice(tx, application, NoticeKind.REJECTION, self.registrar)
            return application

    def send_back(self, ref: str, approver: Signer, reason: str) -> Application:
        """Give the file back to the examiner; an approval is taken back, its order withdrawn.

        What was checked stays to be looked at again. Raises ``Refused`` once a certificate lives.
        """
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            if application.state in _ORDERED:
                self._take_back(tx, application, approver, ApplicationState.EXAMINING, reason)
            else:
                self.registrar.enter(tx, application, ApplicationState.EXAMINING, approver, reason)
            application.dossier = application.examination_id = application.approval_id = None
            return application

    def withdraw(self, ref: str, operator: Signer, reason: str) -> Application:
        """End a file for its applicant, who withdrew in writing, died or lost the licence.

        Before the approval by the reception, afterwards signed by an approver.
        """
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            if application.state in _ORDERED:
                self._take_back(tx, application, operator, ApplicationState.WITHDRAWN, reason)
            else:
                self.registrar.enter(tx, application, ApplicationState.WITHDRAWN, operator, reason)
            return application

    def _take_back(
        self,
        tx: Transaction,
        application: Application,
        approver: Signer,
        to: ApplicationState,
        reason: str,
    ) -> None:
        dossier = compute_dossier(tx, application, self.kind, examined_offer(application))
        decision = Decision(
            StatementType.WITHDRAWAL,
            "application",
            application.ref,
            dossier.digest(),
            "WITHDRAW" if to is ApplicationState.WITHDRAWN else "SEND_BACK",
            Role.RA_APPROVER,
            reason=salted("said", reason, application.salt),
        )
        ordered = application.state is ApplicationState.ISSUING
        statement_id = self.registrar.decide(tx, application, to, (approver, decision), reason)
        if ordered:
            order = order_of_application(tx, application.ref)
            assert order is not None  # noqa: S101 - what is ISSUING was ordered
            self.orders.withdraw(tx, order, statement_id, approver.operator_id)
            application.attempt += 1

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
        dossier = self._unchanged(tx, application, parse_dossier(order.dossier.encode()))
        self.registrar.entered(tx, application).verify(states, dossier.digest())

    def verify_order_now(self, order_id: str, operators: Collection[str]) -> None:
        """Verify an order in a transaction of its own, before it is issued without a card."""
        states = (ApplicationState.ISSUING, ApplicationState.ISSUED)
        with self.store.read() as tx:
            self.verify_order(tx, ca_orders.find_order(tx, order_id), operators, states)

    def mark_issued(self, order_id: str) -> None:
        """Note that an order without a card has a certificate."""
        with self.store.begin() as tx:
            self.follow_issue(tx, order_id)

    def follow_issue(self, tx: Transaction, order_id: str) -> None:
        """Let the order's application be ISSUED, here or by another organisation's CA."""
        order = ca_orders.find_order(tx, order_id)
        application = hold_application(tx, order.application_ref)
        if application.state is not ApplicationState.ISSUED:
            self.registrar.follow(tx, application, ApplicationState.ISSUED)

    def mark_personalised(self, tx: Transaction, ref: str) -> None:
        """Note that the card of the application is finished."""
        application = hold_application(tx, ref)
        self.registrar.follow(tx, application, ApplicationState.ISSUED)
        self.registrar.follow(tx, application, ApplicationState.PERSONALISED)

    def _to_examine(self, tx: Transaction, ref: str, examiner: Signer) -> Application:
        application = hold_application(tx, ref)
        verify_nobodys_own(self.directory, tx, application, [examiner.operator_id])
        self.directory.verify_may_act(tx, examiner, Role.RA_EXAMINER)
        verify_state(application, *_UNDER_EXAMINATION)
        return application

    def _check(
        self,
        tx: Transaction,
        application: Application,
        examiner: Signer,
        kind: str,
        *,
        ok: bool,
        note: str,
        method: str | None,
    ) -> None:
        rule = _rule(application, kind)
        allowed = rule.method[Channel(application.channel)]
        used = method or allowed[0]
        if used not in allowed:
            raise InvalidInput(
                "ra.check.method",
                f"{kind} is not checked by {used} for {application.channel}",
                f"Allowed: {', '.join(allowed)}.",
            )
        if not ok and not note.strip():
            raise InvalidInput(
                "ra.check.note", f"a failed {kind} wants a note", "Say what was not in order."
            )
        if ok and used == REGISTER_METHOD:
            _verify_registered(tx, application)
        if ok and used == SIGNATURE_METHOD:
            verify_signed(tx, application)
        result = CheckResult.OK if ok else CheckResult.FAIL
        tx.merge(
            Check(
                application_ref=application.ref,
                kind=kind,
                method=used,
                result=result,
                note=note,
                examiner=examiner.operator_id,
                at=whole_seconds(self.clock()),
            )
        )
        tx.flush()
        code = {"IDENTITY": "ID.CHECK", "ORG": "ORG.CHECK"}.get(kind, "DOC.CHECK")
        self.trail.append(
            tx,
            Event(
                code,
                "application",
                application.ref,
                actor=examiner.operator_id,
                actor_role=Role.RA_EXAMINER,
                detail={"check": kind, "method": used, "result": result.value},
            ),
        )

    def _rest_ok(self, tx: Transaction, application: Application, examiner: Signer) -> None:
        done = {one.kind for one in records.checks_of(tx, application.ref)}
        for rule in wanted_checks(application):
            if rule.kind not in done:
                self._check(tx, application, examiner, rule.kind, ok=True, note="", method=None)
        for paper in current_documents(tx, application.ref):
            if paper.result is None:
                verify_in_time(paper, self.registrar.parameters)
                paper.result, paper.checked_by = CheckResult.OK, examiner.operator_id
                paper.checked_at = whole_seconds(self.clock())

    def _unchanged(self, tx: Transaction, application: Application, seen: Dossier) -> Dossier:
        computed = compute_dossier(tx, application, self.kind, seen.content.offer)
        changed = changed_parts(seen, replace(computed, attempt=seen.attempt))
        if changed:
            raise Refused(
                "ra.dossier.changed",
                f"{application.ref} has changed since it was signed: {', '.join(changed)}",
                "Nothing is issued on it; find out who changed it, and reject it.",
            )
        return seen


def unchecked(tx: Transaction, application: Application) -> Sequence[CheckRule]:
    """Return the checks that nobody has made yet."""
    done = {one.kind for one in records.checks_of(tx, application.ref)}
    return [rule for rule in wanted_checks(application) if rule.kind not in done]


def _rule(application: Application, kind: str) -> CheckRule:
    for rule in wanted_checks(application):
        if rule.kind == kind:
            return rule
    known = ", ".join(rule.kind for rule in wanted_checks(application))
    raise InvalidInput(
        "ra.check.unknown", f"{application.ref} has no check {kind}", f"It has: {known}."
    )


def _verify_registered(tx: Transaction, application: Application) -> None:
    """Raise ``Refused`` unless the register has answered that the person stands in it."""
    asked = inquiries_of(tx, application.ref)
    answer = asked[-1].answer if asked else None
    if answer is not Answer.REGISTERED:
        raise Refused(
            "ra.check.register",
            f"the register has {f'answered {answer}' if answer else 'not answered'} "
            f"for {application.ref}",
            "Ask with `hpki ra inquiry make`, read the answer with `hpki ra inquiry answer`.",
        )


def _seen(application: Application) -> Dossier:
    """Return the dossier as the examiner signed it."""
    if application.dossier is None:
        raise Conflict("ra.dossier.none", f"{application.ref} was not examined")
    return parse_dossier(application.dossier.encode())
