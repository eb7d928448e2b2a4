"""One place where rows and trail do not agree, and how both are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json

from pki.findings import Severity
from store.database import Transaction

PAGE = 500
"""How many rows are fetched at a time."""


@dataclass(frozen=True)
class Difference:
    """One place where rows and trail do not agree; ``seq``: the entry, 0 if there is none."""

    code: str
    severity: Severity
    seq: int
    what: str


def difference(ledger: str, kind: str, seq: int, what: str) -> Difference:
    """Return a difference in rows of one kind, which is an error."""
    return Difference(f"{ledger}.{kind}", Severity.ERROR, seq, f"{ledger} {what}")


def stream(tx: Transaction, query: sa.Select[Any]) -> Iterable[Any]:
    """Return the rows in the order of their first column, fetched a page at a time."""
    first = query.selected_columns[0]
    ordered = query.order_by(first)
    return tx.connection().execute(ordered, execution_options={"yield_per": PAGE})


def read_body(text: object) -> dict[str, Any] | None:
    """Return the content of an entry, None for what is none."""
    try:
        body = from_json(str(text), allow_inf_nan=False)
        readable = isinstance(body["detail"], dict) and isinstance(body["object_id"], str)
        return body if readable and isinstance(body["code"], str) and "outcome" in body else None
    except (ValueError, KeyError, TypeError):
        return None
