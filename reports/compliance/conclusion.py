"""The conclusion of a report. Source: operations 8.3 (PROPOSAL)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from reports.compliance.results import ControlResult, Result
from reports.tables import Text


class FindingClass(StrEnum):
    """How grave a finding is."""

    MAJOR = "MAJOR"
    MINOR = "MINOR"
    OBS = "OBS"

    @property
    def text(self) -> Text:
        """The word of the report."""
        return _CLASSES[self]


_CLASSES = {
    FindingClass.MAJOR: Text("重大な不適合", "major non-conformity"),
    FindingClass.MINOR: Text("軽微な不適合", "minor non-conformity"),
    FindingClass.OBS: Text("観察事項", "observation"),
}


@dataclass(frozen=True)
class Finding:
    """One finding of an auditor; ``due``: the day of its plan, ``closed``: when it was verified."""

    id: str
    control: str
    grade: FindingClass
    fact: Text
    due: date | None = None
    closed: date | None = None


class Conclusion(StrEnum):
    """The result of a whole audit."""

    CONFORMS = "CONFORMS"
    CONDITIONAL = "CONDITIONAL"
    FAILS = "FAILS"

    @property
    def text(self) -> Text:
        """The word of the report."""
        return _CONCLUSIONS[self]


_CONCLUSIONS = {
    Conclusion.CONFORMS: Text("適合", "conforms"),
    Conclusion.CONDITIONAL: Text("条件付適合", "conforms with conditions"),
    Conclusion.FAILS: Text("不適合", "does not conform"),
}


def conclude(results: Iterable[ControlResult], findings: Iterable[Finding]) -> Conclusion:
    """Return the conclusion of results and findings.

    適合: no MAJOR is open, no control is 未確認, every open MINOR has a dated plan, and whatever
    does not conform has a finding. 条件付適合: the same but for plans. 不適合: otherwise; so a run
    without an auditor's results and findings never concludes more.
    """
    known = list(findings)
    still = [one for one in known if one.closed is None]
    graded = {one.control for one in known if one.grade is not FindingClass.OBS}
    for one in results:
        failed = one.result is Result.FAILS and one.control.id not in graded
        if failed or one.result is Result.UNCHECKED:
            return Conclusion.FAILS
    if any(one.grade is FindingClass.MAJOR for one in still):
        return Conclusion.FAILS
    minor = [one for one in still if one.grade is FindingClass.MINOR]
    if all(one.due is not None for one in minor):
        return Conclusion.CONFORMS
    return Conclusion.CONDITIONAL
