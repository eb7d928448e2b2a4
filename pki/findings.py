"""A finding: what a check has to say about one object."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave: ERROR breaks a MUST and stops the issue, WARNING a SHOULD, INFO is a note."""

    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"


@dataclass(frozen=True)
class Finding:
    """One breach of one rule; ``source`` names the clause the rule comes from."""

    code: str
    severity: Severity
    message: str
    source: str
