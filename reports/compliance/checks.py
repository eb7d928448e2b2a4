"""Every ledger and every check there is: what an audit runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.compliance import (
    authorities,
    card_acts,
    cards,
    certificates,
    contents,
    documents,
    issuing,
    keys,
    list_checks,
    my_numbers,
    people,
    revocation_requests,
    revocations,
    trail_checks,
)
from reports.compliance.decisions import FILES
from reports.compliance.engine import Check, Ledger

CERTIFICATES = Ledger(
    "certificates",
    certificates.rows,
    certificates.count,
    {**contents.CHECKS, **issuing.CHECKS, **keys.CHECKS},
    shared=frozenset({"HC-7.1-05"}),
)
LEDGERS: tuple[Ledger[Any], ...] = (
    CERTIFICATES,
    revocations.LEDGER,
    list_checks.LISTS,
    list_checks.SERIES,
    authorities.LEDGER,
    FILES,
    revocation_requests.REQUESTS,
    trail_checks.ENTRIES,
)
CHECKS: tuple[Mapping[str, Check], ...] = (
    documents.CHECKS,
    cards.CHECKS,
    card_acts.CHECKS,
    people.CHECKS,
    my_numbers.CHECKS,
    revocation_requests.CHECKS,
    trail_checks.CHECKS,
)
