"""Every ledger and every check there is: what an audit runs."""

from __future__ import annotations

from sqlmodel import col

from ca.records import Certificate
from reports.compliance import (
    audits,
    authorities,
    card_acts,
    cards,
    certificates,
    compared,
    contents,
    documents,
    issuing,
    keys,
    list_checks,
    my_numbers,
    people,
    revocation_requests,
    revocations,
    statements,
    trail_checks,
)
from reports.compliance.decisions import FILES
from reports.compliance.engine import Ledger, Part, spans

CERTIFICATES = Ledger(
    "certificates",
    certificates.rows,
    certificates.count,
    {**contents.CHECKS, **issuing.CHECKS, **keys.CHECKS},
    shared=frozenset({"HC-7.1-05"}),
    cut=spans(certificates.rows, col(Certificate.id), 4000),
)
PARTS: tuple[Part, ...] = (
    CERTIFICATES,
    FILES,
    trail_checks.ENTRIES,
    statements.LEDGER,
    compared.ROWS,
    compared.FILES,
    compared.LISTS,
    card_acts.CHECKS,
    cards.CHECKS,
    list_checks.LISTS,
    list_checks.SERIES,
    revocations.LEDGER,
    authorities.LEDGER,
    *audits.LEDGERS,
    revocation_requests.REQUESTS,
    documents.CHECKS,
    people.CHECKS,
    my_numbers.CHECKS,
    revocation_requests.CHECKS,
    trail_checks.CHECKS,
)
"""In the order in which a control's violations are told."""
