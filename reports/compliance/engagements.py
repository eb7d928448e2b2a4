"""Engagements: an auditor opens one, enters results and findings, and signs the conclusion."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from audit.canonical import canonical_json, digest
from audit.trail import Event, Trail
from operators.directory import Directory
from operators.statements import Decision, Signer, StatementType, head_text
from pki.errors import Conflict, InvalidInput, NotFound, Refused
from pki.validity import Clock, japan_date, whole_seconds
from policies.controls import AuditKind, controls
from policies.roles import Role
from reports.compliance import records
from reports.compliance.conclusion import Conclusion, Finding, FindingClass, conclude
from reports.compliance.records import Answer, Engagement, FindingRow
from reports.compliance.results import ControlResult, Result
from reports.moment import Moment
from reports.tables import Text
from store.database import Transaction

_MOST_TEXT = 4000


@dataclass(frozen=True)
class Engagements:
    """The book of engagements. Only AUDITOR writes in it, a role that excludes every other.

    Each act is entered in the trail; free words stand there as digests only.
    """

    trail: Trail
    directory: Directory
    clock: Clock

    def open(
        self, tx: Transaction, auditor: Signer, kind: AuditKind, first: date, last: date
    ) -> Engagement:
        """Open the audit of a period; raises ``Conflict`` where one of it is open already."""
        if not first <= last <= japan_date(self.clock()):
            raise InvalidInput(
                "audit.period", f"{first} to {last} is no period that has begun", "From the past."
            )
        self.directory.verify_may_act(tx, auditor, Role.AUDITOR)
        known = records.engagements(tx)
        for one in known:
            same = (one.kind, one.period_from, one.period_to) == (kind, first, last)
            if same and one.conclusion is None:
                raise Conflict(
                    "audit.engagement.open", f"{one.id} of {one.auditor} is open for that period"
                )
        number = 1 + sum(one.kind is kind and one.period_to.year == last.year for one in known)
        engagement = Engagement(
            id=f"{kind}-{last.year}-{number:02}",
            kind=kind,
            period_from=first,
            period_to=last,
            auditor=auditor.operator_id,
            opened_at=whole_seconds(self.clock()),
        )
        tx.add(engagement)
        detail = {"kind": str(kind), "from": first.isoformat(), "to": last.isoformat()}
        self._enter(tx, "AUDIT.START", auditor, engagement.id, detail)
        return engagement

    def answer(
        self,
        tx: Transaction,
        engagement_id: str,
        auditor: Signer,
        control_id: str,
        result: Result,
        note: str,
        evidence: tuple[str, bytes] | None = None,
    ) -> Answer:
        """Enter a control's result; ``evidence``: name and content of a file, kept as its digest.

        A later answer takes the place of an earlier one. Raises ``InvalidInput`` for a control that
        is not part of the report, and for one without words.
        """
        engagement = self._open_one(tx, engagement_id, auditor)
        self._verify_control(engagement, control_id)
        if result is Result.UNCHECKED or not note.strip() or len(note) > _MOST_TEXT:
            raise InvalidInput(
                "audit.answer",
                "an answer is a result other than UNCHECKED, with words",
                f"Say in at most {_MOST_TEXT} characters what was seen.",
            )
        name, sha256 = (evidence[0], digest(evidence[1])) if evidence else ("", None)
        detail = {
            "control": control_id,
            "result": str(result),
            "note": digest(note.encode()),
            "evidence": sha256 or "",
        }
        seq = self._enter(tx, "AUDIT.RESULT", auditor, engagement_id, detail)
        answer = Answer(
            engagement_id=engagement_id,
            control_id=control_id,
            result=result,
            note=note,
            evidence_name=name,
            evidence=sha256,
            auditor=auditor.operator_id,
            seq=seq,
        )
        tx.add(answer)
        tx.flush()
        return answer

    def raise_finding(
        self,
        tx: Transaction,
        engagement_id: str,
        auditor: Signer,
        control_id: str,
        grade: FindingClass,
        fact: str,
        action: str = "",
        due_on: date | None = None,
    ) -> FindingRow:
        """Enter a finding; ``action`` and ``due_on``: the plan of those audited, if any."""
        engagement = self._open_one(tx, engagement_id, auditor)
        self._verify_control(engagement, control_id)
        if not fact.strip() or len(fact) + len(action) > _MOST_TEXT:
            raise InvalidInput("audit.finding", f"a finding has 1 to {_MOST_TEXT} characters")
        number = 1 + len(records.findings_of(tx, engagement_id))
        detail = {
            "control": control_id,
            "class": str(grade),
            "fact": digest(fact.encode()),
            "action": digest(action.encode()),
            "due": due_on.isoformat() if due_on else "",
        }
        finding_id = f"{engagement_id}-F{number:02}"
        seq = self._enter(tx, "FINDING.OPEN", auditor, engagement_id, {"id": finding_id, **detail})
        finding = FindingRow(
            id=finding_id,
            engagement_id=engagement_id,
            control_id=control_id,
            grade=grade,
            fact=fact,
            action=action,
            due_on=due_on,
            raised_by=auditor.operator_id,
            raised_seq=seq,
        )
        tx.add(finding)
        tx.flush()
        return finding

    def close_finding(self, tx: Transaction, finding_id: str, auditor: Signer) -> FindingRow:
        """Enter that the action was verified, also after the conclusion."""
        finding = tx.get(FindingRow, finding_id)
        if finding is None:
            raise NotFound("audit.finding.unknown", f"there is no finding {finding_id!r}")
        if finding.closed_on is not None:
            raise Conflict("audit.finding.closed", f"{finding_id} is closed already")
        self.directory.verify_may_act(tx, auditor, Role.AUDITOR)
        detail = {"id": finding_id, "control": finding.control_id}
        finding.closed_seq = self._enter(
            tx, "FINDING.CLOSE", auditor, finding.engagement_id, detail
        )
        finding.closed_on = japan_date(self.clock())
        finding.verified_by = auditor.operator_id
        return finding

    def conclude(
        self,
        tx: Transaction,
        engagement_id: str,
        auditor: Signer,
        moment: Moment,
        computed: Iterable[ControlResult],
    ) -> Engagement:
        """Sign the conclusion that follows from results and findings; nothing is entered after it.

        ``computed``: the automatic run's results as of the moment. Raises ``Refused`` for another
        auditor than the one who opened, ``Conflict`` where something was entered since the moment:
        a report as of it would not show what is signed.
        """
        engagement = self.verify_may_conclude(tx, engagement_id, auditor)
        answers = records.answers_of(tx, engagement_id, moment.head.seq)
        found = records.findings_of(tx, engagement_id)
        if records.newest_entered(tx, engagement_id) > moment.head.seq:
            raise Conflict(
                "audit.engagement.later",
                f"something was entered in {engagement_id} while its checks ran",
                "Look at it, and sign again.",
            )
        results = with_answers(computed, answers)
        raised = findings(found, moment.head.seq)
        conclusion = conclude(results, raised)
        record = self._record(tx, engagement, moment, results, conclusion)
        seen = digest(record)
        decision = Decision(
            StatementType.AUDIT_REPORT,
            "engagement",
            engagement_id,
            seen,
            str(conclusion),
            Role.AUDITOR,
        )
        detail = {"conclusion": str(conclusion), "record": seen, "head": head_text(moment.head)}
        event = self._event("AUDIT.RESULT", auditor, engagement_id, detail)
        (statement,) = self.directory.state(tx, event, (auditor, decision))
        engagement.as_of = moment.at
        engagement.conclusion = conclusion
        engagement.record = record.decode()
        engagement.statement_id = statement.id
        return engagement

    def verify(self, tx: Transaction, engagement: Engagement) -> None:
        """Raise ``Refused`` unless its auditor signed record and conclusion as they stand."""
        octets = (engagement.record or "").encode()
        decision = Decision(
            StatementType.AUDIT_REPORT,
            "engagement",
            engagement.id,
            digest(octets),
            str(engagement.conclusion),
            Role.AUDITOR,
        )
        signer = self.directory.verify_kept(tx, engagement.statement_id or "", decision)
        said = json.loads(octets)
        if (signer, engagement.conclusion) != (engagement.auditor, said["conclusion"]):
            raise Refused("audit.engagement.changed", f"{engagement.id} is not as it was signed")

    def _record(
        self,
        tx: Transaction,
        engagement: Engagement,
        moment: Moment,
        results: Sequence[ControlResult],
        conclusion: Conclusion,
    ) -> bytes:
        entered = records.answers_of(tx, engagement.id, moment.head.seq)
        answers = {one.control_id: one for one in entered}
        return canonical_json(
            {
                "format": "hpki-audit-1",
                "site_id": self.trail.site(tx)[0],
                "engagement": engagement.id,
                "kind": str(engagement.kind),
                "from": engagement.period_from.isoformat(),
                "to": engagement.period_to.isoformat(),
                "auditor": engagement.auditor,
                "as_of": moment.at.isoformat(),
                "head": head_text(moment.head),
                "controls": {one.control.id: _told(one, answers) for one in results},
                "findings": [
                    one.model_dump(mode="json", exclude={"engagement_id"})
                    for one in records.findings_of(tx, engagement.id)
                ],
                "conclusion": str(conclusion),
            }
        )

    def verify_may_conclude(
        self, tx: Transaction, engagement_id: str, auditor: Signer
    ) -> Engagement:
        """Return the engagement if it is open and its auditor's; raises as ``conclude`` does."""
        engagement = self._open_one(tx, engagement_id, auditor)
        if auditor.operator_id != engagement.auditor:
            raise Refused(
                "audit.auditor",
                f"{engagement.auditor} opened {engagement_id} and signs it",
                "Open an engagement of your own.",
            )
        return engagement

    def _open_one(self, tx: Transaction, engagement_id: str, auditor: Signer) -> Engagement:
        self.trail.position(tx)  # one at a time
        engagement = find_engagement(tx, engagement_id)
        if engagement.conclusion is not None:
            raise Conflict("audit.engagement.concluded", f"{engagement_id} is signed")
        self.directory.verify_may_act(tx, auditor, Role.AUDITOR)
        return engagement

    def _verify_control(self, engagement: Engagement, control_id: str) -> None:
        if engagement.kind not in controls().find(control_id).kinds:
            raise InvalidInput(
                "audit.control.kind", f"{control_id} is not part of the {engagement.kind} report"
            )

    def _enter(
        self, tx: Transaction, code: str, auditor: Signer, engagement_id: str, detail: Any
    ) -> int:
        return self.trail.append(tx, self._event(code, auditor, engagement_id, detail))

    def _event(self, code: str, auditor: Signer, engagement_id: str, detail: Any) -> Event:
        return Event(
            code,
            "engagement",
            engagement_id,
            actor=auditor.operator_id,
            actor_role=Role.AUDITOR,
            detail=detail,
        )


def find_engagement(tx: Transaction, engagement_id: str) -> Engagement:
    """Return the engagement, or raise ``NotFound``."""
    engagement = tx.get(Engagement, engagement_id)
    if engagement is None:
        raise NotFound(
            "audit.engagement.unknown",
            f"there is no engagement {engagement_id!r}",
            "See `hpki engagement list`.",
        )
    return engagement


def with_answers(
    computed: Iterable[ControlResult], answers: Iterable[Answer]
) -> tuple[ControlResult, ...]:
    """Return the results with what the auditor entered.

    An answer fills in 未確認 and can say 不適合 of anything; a computed 不適合 stands whatever the
    answer, because the row says it. Where a check broke off, only 不適合 is taken.
    """
    entered = {one.control_id: one for one in answers}
    found = []
    for one in computed:
        answer = entered.get(one.control.id)
        if answer is None:
            found.append(one)
            continue
        open_to = one.result is Result.UNCHECKED and not one.broken
        fills = open_to or answer.result is Result.FAILS
        result = answer.result if fills else one.result
        remark = Text(f"監査人: {answer.note}", f"Auditor: {answer.note}")
        found.append(replace(one, result=result, remarks=(*one.remarks, remark)))
    return tuple(found)


def findings(rows: Iterable[FindingRow], seq: int) -> list[Finding]:
    """Return the findings as they were at a position of the trail."""
    return [
        Finding(
            one.id,
            one.control_id,
            one.grade,
            Text(one.fact, one.fact),
            one.due_on,
            one.closed_on if one.closed_seq is not None and one.closed_seq <= seq else None,
        )
        for one in rows
        if one.raised_seq <= seq
    ]


def _told(one: ControlResult, answers: dict[str, Answer]) -> dict[str, object]:
    said: dict[str, object] = {"result": str(one.result)}
    if one.outcome is not None:
        rows = [violation.row for violation in one.outcome.violations]
        said |= {
            "population": one.outcome.population,
            "violations": one.outcome.count,
            "rows": digest(canonical_json({"rows": rows})),
        }
    answer = answers.get(one.control.id)
    if answer is not None:
        said |= {"answer": str(answer.result), "note": answer.note, "seq": answer.seq}
        if answer.evidence is not None:
            said |= {"evidence": answer.evidence, "evidence_name": answer.evidence_name}
    return said
