"""Days on a document, judged on the day of its receipt."""

from __future__ import annotations

from datetime import date

from pki.errors import InvalidInput, Refused
from policies.documents import load_document_rules
from policies.parameters import Parameters
from ra.records import Document


def verify_dates(received_on: date, issued_on: date | None, today: date) -> None:
    """Raise ``InvalidInput`` for a receipt in the future, or a paper made after its receipt."""
    if received_on > today:
        raise InvalidInput(
            "ra.document.future", f"the day of receipt, {received_on}, is in the future"
        )
    if issued_on is not None and issued_on > received_on:
        raise InvalidInput(
            "ra.document.future",
            f"it bears the date {issued_on} and was received before, on {received_on}",
            "Look at both dates again.",
        )


def verify_in_time(row: Document, parameters: Parameters) -> None:
    """Raise ``Refused`` for a document that was too old, or over, when it was received."""
    name = f"{row.code}.{row.number}"
    if row.valid_until is not None and row.valid_until < row.received_on:
        raise Refused(
            "ra.document.expired",
            f"{name} was valid until {row.valid_until} and received on {row.received_on}",
            "It cannot be OK (有効期限切れ): let it fail, and ask for a valid one.",
        )
    key = load_document_rules().document[row.code].max_age
    if key is None:
        return
    if row.issued_on is None:
        raise Refused(
            "ra.document.undated",
            f"{name} must not be too old, and the date on it is not known",
            "Give the date that stands on it: --issued-on.",
        )
    days, most = (row.received_on - row.issued_on).days, int(parameters.value(key))
    if days > most:
        raise Refused(
            "ra.document.old",
            f"{name} was {days} days old when it was received, at most {most} are allowed ({key})",
            "It cannot be OK (発行日が古い): let it fail, and ask for a newer one.",
        )
