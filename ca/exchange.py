"""What registration authority and CA of two organisations send each other: orders and results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints

from operators.acts import Digest
from operators.exchange.evidence import Evidence
from policies.profiles import Purpose
from policies.schema import Strict

MOST_ORDERS = 1000
"""Orders in one file."""


class OrderLine(Strict):
    """One order: the dossier's canonical text, and what proves examination and approval."""

    dossier: Annotated[str, StringConstraints(max_length=256 * 1024)]
    examination: Evidence
    approval: Evidence


class OrdersContent(Strict):
    """Orders of one registration authority."""

    orders: Annotated[tuple[OrderLine, ...], Field(min_length=1, max_length=MOST_ORDERS)]


class ResultLine(Strict):
    """What became of an order, named as its sender does, with its dossier's SHA-256.

    ``certificates``: DER in base64 for each purpose; none where ``refusal`` says why not.
    """

    order: Annotated[str, StringConstraints(max_length=64)]
    digest: Digest
    certificates: Mapping[Purpose, Annotated[str, StringConstraints(max_length=64 * 1024)]]
    refusal: Annotated[str, StringConstraints(max_length=64)] | None = None


class ResultsContent(Strict):
    """Results for one registration authority."""

    results: Annotated[tuple[ResultLine, ...], Field(min_length=1, max_length=MOST_ORDERS)]
