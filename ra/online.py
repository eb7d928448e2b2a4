"""Applications signed online with the certificate that still counts. Source: operations 2.5."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from audit.records import entries_about
from ca.records import Certificate, Order, certificate_by_serial, revocation_of
from operators.statements import Signer
from pki.cms import Signed, read_signed
from pki.errors import Conflict, InvalidInput, Refused
from pki.reading.certificate import read_certificate
from pki.serials import parse_serial
from policies.applications import Channel
from policies.grounds import ground
from policies.media import SIGNED
from policies.profiles import Purpose
from ra import records
from ra.casework.guards import rule_of
from ra.documents.cabinet import FORM, Cabinet
from ra.documents.papers import name_of, salted_file
from ra.intake import TAKERS, Intake, Outcome
from ra.lists.faults import Fault
from ra.lists.rows import ApplicationRow, RowVerdict
from ra.lists.workbook import is_workbook
from ra.records import Application, CheckResult, Document, find_application
from store.database import Store, Transaction

SIGNATURE_METHOD = "HPKI_SIGNATURE"
"""The method of a check that wants the application signed with the holder's certificate."""


@dataclass(frozen=True)
class Online:
    """Takes signed applications in."""

    store: Store
    intake: Intake
    cabinet: Cabinet

    def receive(self, octets: bytes, reception: Signer) -> Application:
        """Take in the one application that a signed message holds; the message is its form.

        Signed with a certificate of this site for signing, on a carrier of the application that the
        row replaces, which runs and is not revoked. The row is judged as every other. One
        transaction: all or nothing; the same message again changes nothing. A row that came
        unsigned before gets its message. Raises ``InvalidInput``, ``Refused`` or ``Conflict``.
        """
        signed, sha256 = read_signed(octets), hashlib.sha256(octets).hexdigest()
        verdict, row = self._row(signed)
        ref, directory = row.application_ref, self.intake.directory
        with self.store.begin() as tx:
            role = directory.role_among(tx, reception.operator_id, TAKERS)
            directory.verify_may_act(tx, reception, role)
            records.hold_applications(tx, [ref])
            self.intake.trail.position(tx)  # nobody revokes the certificate meanwhile
            form = _signed_form(tx, ref)
            if form is not None and form.sha256 == sha256:
                return find_application(tx, ref)
            certificate = _verify_certificate(tx, signed, row.replaces, self.intake.clock())
            report = self.intake.take(tx, (verdict,), (octets, f"{ref}.p7m"), reception)
            (taken,) = report.rows
            if taken.outcome is Outcome.REJECTED:
                raise _rejected(taken.faults)
            if form is not None:
                raise Conflict(
                    "ra.online.signed_twice",
                    f"{ref} came before under another signature",
                    "What came first counts; a new application has a reference of its own.",
                )
            application = find_application(tx, ref)
            detail = {"serial": certificate.serial, "issuer": certificate.issuer_id}
            self.cabinet.keep_signed(tx, application, octets, reception, detail)
            return application

    def _row(self, signed: Signed) -> tuple[RowVerdict, ApplicationRow]:
        """Return the one row of the list that was signed, if it is one that comes so."""
        if is_workbook(signed.content):
            raise InvalidInput(
                "ra.online.form", "a workbook was signed", "Sign the list as CSV in UTF-8."
            )
        verdicts = self.intake.judge(signed.content)
        if len(verdicts) != 1:
            raise InvalidInput(
                "ra.online.rows",
                f"the list signed has {len(verdicts)} applications, not one",
                "Each applicant signs the own one alone.",
            )
        row = verdicts[0].application
        if row is None:
            raise _rejected(verdicts[0].faults)
        if row.channel is not Channel.ONLINE:
            raise InvalidInput(
                "ra.online.channel",
                f"{row.application_ref} says it comes by {row.channel}",
                "Sign it with ONLINE in channel (受付経路).",
            )
        if set(row.documents) - {FORM}:
            raise InvalidInput(
                "ra.online.documents",
                f"{row.application_ref} names papers, but the message holds the form alone",
                f"Leave documents (提出書類) empty or at {FORM}; the reception adds what came"
                " beside it with `hpki ra document add`.",
            )
        return verdicts[0], row


def verify_signatures(tx: Transaction, application: Application) -> None:
    """Raise ``Refused`` where a check was OK by a signature that does not count any more."""
    for check in records.checks_of(tx, application.ref):
        if check.method == SIGNATURE_METHOD and check.result is CheckResult.OK:
            verify_signed(tx, application)


def verify_signed(tx: Transaction, application: Application) -> None:
    """Raise ``Refused`` unless the application came signed and its certificate still counts.

    The entry of its receipt names the certificate. Revoked since, it does not count, but for a
    type whose certificates are to be revoked, where the ground casts no doubt on who signed.
    """
    certificate = _certificate_of_receipt(tx, application)
    if certificate is None:
        raise Refused(
            "ra.check.unsigned",
            f"{application.ref} has no form that is signed with the holder's certificate",
            "Take the signed file in: `hpki ra receive-signed FILE`.",
        )
    revoked = revocation_of(tx, certificate.id or 0)
    to_be_revoked = rule_of(application).previous == "revoked"
    if revoked is not None and not (to_be_revoked and not ground(revoked.ground).emergency):
        raise Refused(
            "ra.check.revoked",
            f"the certificate that signed {application.ref} was revoked after the receipt",
            "Reject it, and have the holder apply by another way.",
        )


def _signed_form(tx: Transaction, ref: str) -> Document | None:
    """Return the form that is a signed message, its file still there, or None."""
    for one in records.documents_of(tx, ref):
        if one.code == FORM and one.media_type == SIGNED and one.file_name is not None:
            return one
    return None


def _certificate_of_receipt(tx: Transaction, application: Application) -> Certificate | None:
    """Return the certificate with which the receipt's entry says the form was signed."""
    form = _signed_form(tx, application.ref)
    if form is None:
        return None
    known = {"document": name_of(form), "file": salted_file(form, application)}
    for entry in entries_about(tx, "application", application.ref, ("DOC.ADD",)):
        detail = json.loads(entry.body)["detail"]
        if "serial" in detail and known.items() <= detail.items():
            serial, issuer_id = parse_serial(detail["serial"]), detail["issuer"]
            for one in certificate_by_serial(tx, serial, issuer_id):
                if _belongs_to(tx, one, application.replaces):
                    return one
    return None


def _verify_certificate(
    tx: Transaction, signed: Signed, replaces: str | None, now: datetime
) -> Certificate:
    """Return the row of the certificate, which may sign for the application that is replaced."""
    certificate = read_certificate(signed.certificate_der)
    begin, end = certificate.not_before.moment, certificate.not_after.moment
    rows = certificate_by_serial(tx, certificate.serial, None)
    row = next((one for one in rows if one.certificate_der == certificate.der), None)
    if row is None or begin is None or end is None:
        raise _refused("foreign", "is not one that this site issued")
    if row.usage is not Purpose.SIGN:
        raise _refused("purpose", "is not for signing")
    if not begin <= now <= end:
        raise _refused("expired", "does not run now")
    if revocation_of(tx, row.id or 0) is not None:
        raise _refused("revoked", "is revoked")
    if not _belongs_to(tx, row, replaces):
        raise _refused("holder", f"is not of {replaces}, which the application replaces")
    return row


def _belongs_to(tx: Transaction, certificate: Certificate, ref: str | None) -> bool:
    """Whether the certificate was issued for the application."""
    order = tx.get(Order, certificate.order_id) if certificate.order_id else None
    return order is not None and order.application_ref == ref


def _refused(code: str, why: str) -> Refused:
    return Refused(
        f"ra.online.{code}",
        f"the certificate that signed {why}",
        "Have the applicant sign with the card of the application named in replaces (旧申請番号),"
        " or apply by another way.",
    )


def _rejected(faults: tuple[Fault, ...]) -> InvalidInput:
    texts = " / ".join(f"{fault.code}: {fault.text}" for fault in faults)
    return InvalidInput("ra.online.row", texts, faults[0].hint)
