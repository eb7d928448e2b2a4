"""Letters to applicants: when one is due, and that it was sent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from audit.trail import Event
from operators.statements import Signer
from pki.errors import Conflict, InvalidInput
from policies.roles import Role
from ra.business_days import add_business_days
from ra.casework import records as work
from ra.casework.records import Notice, NoticeKind
from ra.casework.registrar import Registrar
from ra.persons.applicants import verify_nobodys_own, verify_office
from ra.records import Application, hold_application
from store.database import Store, Transaction

_SENDERS = (Role.RA_RECEPTION, Role.LRA_RECEPTION, Role.RA_EXAMINER)
_CODES = {NoticeKind.REJECTION: "APP.REJECT_NOTICE"}


def owe_notice(
    tx: Transaction, application: Application, kind: NoticeKind, registrar: Registrar
) -> Notice:
    """Keep that a letter is due within NOTICE_DAYS business days."""
    days = int(registrar.parameters.value("NOTICE_DAYS"))
    notice = Notice(
        application_ref=application.ref,
        kind=kind,
        number=len(work.notices_of(tx, application.ref, kind)) + 1,
        due_on=add_business_days(registrar.today, days),
    )
    tx.add(notice)
    tx.flush()
    return notice


@dataclass(frozen=True)
class Letters:
    """Keeps which letters were sent."""

    store: Store
    registrar: Registrar

    def due(self) -> list[Notice]:
        """Return the letters not sent yet, by the day they are due."""
        with self.store.read() as tx:
            return work.notices_due(tx)

    def send(self, ref: str, kind: NoticeKind, way: str, sender: Signer) -> Notice:
        """Enter that the newest letter of the kind was sent; ``way`` is a word in capitals.

        Raises ``Conflict`` where none is due.
        """
        if not re.fullmatch("[A-Z][A-Z_]{0,15}", way):
            raise InvalidInput(
                "ra.notice.way", f"{way!r} is not one word in capitals", "Give MAIL, EMAIL or FAX."
            )
        with self.store.begin() as tx:
            application = hold_application(tx, ref)
            role = self.registrar.directory.role_among(tx, sender.operator_id, _SENDERS)
            self.registrar.directory.verify_may_act(tx, sender, role)
            if role is Role.LRA_RECEPTION:
                verify_office(self.registrar.directory, tx, sender.operator_id, application.office)
            verify_nobodys_own(self.registrar.directory, tx, application, [sender.operator_id])
            notices = work.notices_of(tx, ref, kind)
            if not notices or notices[-1].sent_on is not None:
                raise Conflict(
                    "ra.notice.none",
                    f"no letter {kind} is due for {ref}",
                    "See `hpki ra notice list`.",
                )
            notice = notices[-1]
            notice.sent_on, notice.way = self.registrar.today, way
            notice.sent_by = sender.operator_id
            self.registrar.trail.append(
                tx,
                Event(
                    _CODES.get(kind, "APP.RETURN_NOTICE"),
                    "application",
                    ref,
                    actor=sender.operator_id,
                    actor_role=role,
                    detail={"notice": kind.value, "number": notice.number, "way": way},
                ),
            )
            return notice
