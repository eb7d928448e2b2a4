"""Reception: complete or not, what is missing, what came late, files sent back or let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operators.statements import Decision, Signer, StatementType
from pki.errors import InvalidInput
from policies.documents import load_document_rules
from policies.moves import ApplicationState
from policies.roles import Role
from policies.site import SiteKind
from ra.casework import records as work
from ra.casework.guards import missing_documents
from ra.casework.letters import owe_notice
from ra.casework.records import Deficiency, NoticeKind
from ra.casework.registrar import Registrar, confirm_version
from ra.dossiers import compute_dossier, examined_offer, salted
from ra.records import Application, hold_application
from store.database import Store, Transaction


@dataclass(frozen=True)
class Reception:
    """Moves files between receipt and examination, and ends those that stay incomplete."""

    store: Store
    registrar: Registrar
    kind: SiteKind

    def receive(self, ref: str, web_id: str, reception: Signer) -> Application:
        """Take the paper of a draft in; its web id must be that of the draft."""
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            self.registrar.enter(tx, application, ApplicationState.RECEIVED, reception, web_id)
            return application

    def complete(self, ref: str, reception: Signer) -> Application:
        """Pass a file with every required document on to the examination.

        Raises ``Refused`` (``ra.guard.documents_present``) that names what is missing.
        """
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            self.registrar.enter(tx, application, ApplicationState.EXAMINING, reception)
            for one in work.deficiencies_of(tx, ref):
                one.supplied_on = one.supplied_on or self.registrar.today
            return application

    def ask(self, ref: str, items: Sequence[str], note: str, operator: Signer) -> Deficiency:
        """Keep what the applicant must supply (不備), and that a letter is due.

        ``items`` are codes of documents, or FORM for the form itself; empty: what is missing by
        the rules. From reception or out of the examination, there with a ``note``.
        """
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            named = tuple(items) or missing_documents(tx, application)
            _verify_items(ref, named)
            asked = Deficiency(
                application_ref=ref,
                number=len(work.deficiencies_of(tx, ref)) + 1,
                items=",".join(named),
                note=note,
                asked_by=operator.operator_id,
                asked_on=self.registrar.today,
            )
            tx.add(asked)
            tx.flush()
            detail = {"items": list(named), "number": asked.number}
            self.registrar.enter(
                tx, application, ApplicationState.DEFICIENT, operator, note, detail
            )
            owe_notice(tx, application, NoticeKind.DEFICIENCY, self.registrar)
            return asked

    def return_file(self, ref: str, signer: Signer, reason: str) -> Application:
        """Send a file back whose applicant did not answer or pay in time; signed.

        Raises ``Refused`` before the period is over and where the notice was not sent.
        """
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            waits = application.state is ApplicationState.PAYMENT_WAIT
            dossier = compute_dossier(tx, application, self.kind, examined_offer(application))
            decision = Decision(
                StatementType.RETURN,
                "application",
                ref,
                dossier.digest(),
                "RETURN",
                Role.RA_APPROVER if waits else Role.RA_EXAMINER,
                reason=salted("said", reason, application.salt) if reason else "",
            )
            self.registrar.decide(
                tx, application, ApplicationState.RETURNED, (signer, decision), reason
            )
            owe_notice(tx, application, NoticeKind.RETURN, self.registrar)
            return application

    def carry_out(self, ref: str, examiner: Signer, done: str = "") -> Application:
        """End a file that issues nothing; a changed contact counts from now on.

        ``done`` says in words what was done, where no row shows it.
        """
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            if application.type == "CONTACT_CHANGE":
                confirm_version(tx, application, self.registrar.today)
            self.registrar.enter(tx, application, ApplicationState.COMPLETED, examiner, done)
            return application

    def late(self) -> list[Application]:
        """Return the files whose applicants let their period pass."""
        with self.store.read() as tx:
            return _late(tx, self.registrar)


def _late(tx: Transaction, registrar: Registrar) -> list[Application]:
    from ra.records import applications

    states = (ApplicationState.DEFICIENT, ApplicationState.PAYMENT_WAIT)
    today = registrar.today
    return [one for one in applications(tx, states) if one.due_on and one.due_on < today]


def _verify_items(ref: str, items: Sequence[str]) -> None:
    known = {*load_document_rules().document, "FORM", "FIELDS"}
    unknown = [item for item in items if item not in known]
    if unknown:
        raise InvalidInput(
            "ra.deficiency.item",
            f"there is no document {', '.join(unknown)}",
            f"Known: {', '.join(sorted(known))}.",
        )
    if not items:
        raise InvalidInput(
            "ra.deficiency.none",
            f"nothing is missing by the rules in {ref}",
            "Name what is wanted with --item, or complete the file.",
        )
