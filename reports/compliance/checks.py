"""Every ledger and every check there is: what an audit runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.compliance import (
    authorities,
    cards,
    certificates,
    contents,
    documents,
    issuing,
    keys,
    list_checks,
    revocations,
)
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
)
CHECKS: tuple[Mapping[str, Check], ...] = (documents.CHECKS, cards.CHECKS)
