"""What would hinder a step if it were taken now, told before anything is signed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from policies.applications import Channel
from policies.moves import ApplicationState, Guard
from ra.casework.guards import current_documents, missing_documents
from ra.documents.dates import verify_in_time
from ra.examination import Examination
from ra.online import verify_signatures, verify_signed
from ra.records import find_application, verify_state
from store.database import Store

_EXAMINED_IN = (ApplicationState.EXAMINING, ApplicationState.QUAL_INQUIRY)


@dataclass(frozen=True)
class Hindrances:
    """Each method raises what the step itself would raise, and changes nothing.

    Keys and roles are left to the step.
    """

    store: Store
    examination: Examination

    def of_completion(self, ref: str, operator_id: str) -> None:
        """Raise why the file cannot be passed on to the examination."""
        self._of_move(ref, operator_id, ApplicationState.EXAMINING)

    def of_return(self, ref: str, operator_id: str) -> None:
        """Raise why the file cannot be sent back to its applicant."""
        self._of_move(ref, operator_id, ApplicationState.RETURNED)

    def of_inquiry(self, ref: str, operator_id: str) -> None:
        """Raise why the register cannot be asked about the file."""
        self._of_move(ref, operator_id, ApplicationState.QUAL_INQUIRY)

    def of_examination(
        self, ref: str, operator_id: str, failures: Collection[str] = (), *, rest_ok: bool = False
    ) -> None:
        """Raise why the file cannot be signed as examined.

        With ``rest_ok`` what nobody judged hinders nothing, papers too old and absent ones apart.
        """
        with self.store.read() as tx:
            application = find_application(tx, ref)
            verify_state(application, *_EXAMINED_IN)
            verify_signatures(tx, application)
            if rest_ok and application.channel == Channel.ONLINE:
                verify_signed(tx, application)
            missing = missing_documents(tx, application)
            for paper in current_documents(tx, ref) if rest_ok and not missing else ():
                if paper.result is None:
                    verify_in_time(paper, self.examination.registrar.parameters)
            left = {Guard.CHECKED} if (rest_ok or failures) and not missing else set()
            self.examination.registrar.verify_move(
                tx, application, ApplicationState.EXAMINED, operator_id, left
            )

    def of_approval(self, ref: str, operator_id: str) -> None:
        """Raise why the file cannot be approved."""
        with self.store.read() as tx:
            application = find_application(tx, ref)
            verify_state(application, ApplicationState.EXAMINED)
            verify_signatures(tx, application)
            self.examination.verify_unchanged(tx, application)
            self.examination.registrar.verify_move(
                tx, application, ApplicationState.APPROVED, operator_id
            )

    def _of_move(self, ref: str, operator_id: str, to: ApplicationState) -> None:
        with self.store.read() as tx:
            application = find_application(tx, ref)
            self.examination.registrar.verify_move(tx, application, to, operator_id)
