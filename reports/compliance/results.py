"""What a check finds, and the result of a control. Source: operations 8.3 (PROPOSAL)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from policies.controls import Control
from reports.tables import Text

MOST_NAMED = 1000
"""Violating rows of one control that are named one by one; of more only the count is kept."""


class Result(StrEnum):
    """The result of one control."""

    CONFORMS = "CONFORMS"
    FAILS = "FAILS"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    NO_CASE = "NO_CASE"
    UNCHECKED = "UNCHECKED"

    @property
    def text(self) -> Text:
        """The word of the report."""
        return _WORDS[self]


_WORDS = {
    Result.CONFORMS: Text("適合", "conforms"),
    Result.FAILS: Text("不適合", "does not conform"),
    Result.NOT_APPLICABLE: Text("該当なし", "not applicable"),
    Result.NO_CASE: Text("対象なし", "no case"),
    Result.UNCHECKED: Text("未確認", "not checked"),
}


@dataclass(frozen=True)
class Violation:
    """A row that breaks a control, as ``certificate sign:00ab…`` or ``list sign FULL 12``.

    ``fact`` says how, without personal data.
    """

    row: str
    fact: Text


@dataclass
class Outcome:
    """How many rows a check judged, and which of them break the control.

    ``count`` is of all violations, of which ``violations`` holds the first. ``observations`` break
    nothing and are to be looked at. ``notes`` say what these numbers leave open.
    """

    population: int = 0
    count: int = 0
    violations: list[Violation] = field(default_factory=list)
    observations: list[Violation] = field(default_factory=list)
    notes: list[Text] = field(default_factory=list)

    def judge(self, row: str, facts: Iterable[Text] = ()) -> None:
        """Count a row of the population, and name it once for each fact that breaks the control."""
        self.population += 1
        if facts:
            self.blame(row, facts)

    def blame(self, row: str, facts: Iterable[Text]) -> None:
        """Name a row that is not of the population, such as one that should be there."""
        for fact in facts:
            self.count += 1
            if len(self.violations) < MOST_NAMED:
                self.violations.append(Violation(row, fact))

    def add(self, other: Outcome) -> None:
        """Take over what another check of the same control found."""
        self.population += other.population
        self.count += other.count
        self.violations += other.violations[: MOST_NAMED - len(self.violations)]
        self.observations += other.observations
        self.notes += other.notes


@dataclass(frozen=True)
class ControlResult:
    """The result of one control; ``outcome`` is None where nothing was computed.

    ``broken``: its check broke off, and no word of an auditor is conformity.
    """

    control: Control
    result: Result
    outcome: Outcome | None
    remarks: tuple[Text, ...] = ()
    broken: bool = False
