"""Whether approved files were examined by the rules of identity, papers and qualification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from audit.canonical import canonical_json, digest
from crl.repository.records import DocumentKind, PublicDocument
from pki.validity import japan_date, start_of_day
from policies.applications import ApplicationType, Channel
from policies.documents import load_document_rules
from ra.casework.guards import REGISTER_METHOD
from ra.casework.records import Answer
from ra.persons.matching import Verdict
from reports.compliance.beside import Step
from reports.compliance.engine import Judge
from reports.compliance.files import PROVEN, File, of_approved
from reports.compliance.run import Run
from reports.tables import Text

_OK = "OK"
_RESIDENT = "RESIDENT_RECORD"


def _checked(file: File, approval: Step, kind: str) -> Iterator[Text]:
    """Yield what is wrong with a check that the approval rests on."""
    rule, found = file.wanted(kind), file.checks.get(kind)
    if rule is None:
        return
    if found is None or found.result != _OK:
        yield Text(f"{kind}の確認が済んでいない", f"the check {kind} is not OK")
        return
    if found.method not in rule.method[file.channel]:
        yield Text(
            f"{kind}の方法 {found.method} は {file.channel} に認められない",
            f"{kind} was checked by {found.method}, which {file.channel} does not allow",
        )
    if found.at > approval.at:
        yield Text(f"{kind}の確認が承認より後", f"{kind} was checked after the approval")
    if file.signed.get("checks", {}).get(kind) != f"{found.method}:{found.result}":
        yield Text(
            f"{kind}の確認が署名された記録と異なる", f"{kind} is not as the examiner signed it"
        )


def _one_check(kind: str) -> Any:
    def judge(file: File, approval: Step) -> Sequence[Text] | None:
        return tuple(_checked(file, approval, kind)) if file.wanted(kind) else None

    return of_approved(judge)


def _documents(file: File, _: Step) -> Sequence[Text] | None:
    wanted = [rule.document for rule in file.required()]
    return [
        Text(f"必要書類 {code} がないか、未確認", f"the document {code} is not there or not OK")
        for code in wanted
        if code not in file.papers or file.papers[code].result != _OK
    ]


def _received(run: Run, file: File) -> list[tuple[Any, Any]]:
    """Return the sound papers of the period with their kinds."""
    if file.is_erased:
        return []
    kinds = load_document_rules().document
    return [
        (one, kinds[one.code])
        for one in file.beside.documents.get(file.ref, ())
        if one.result == _OK and one.redacts is None and run.first <= one.received_on <= run.last
    ]


def _ages(run: Run) -> Judge[File]:
    def judge(file: File) -> Sequence[Text] | None:
        aged = [(one, kind.max_age) for one, kind in _received(run, file) if kind.max_age]
        facts = []
        for one, key in aged:
            most, name = run.number(key), f"{one.code}.{one.number}"
            if one.issued_on is None:
                facts.append(Text(f"{name} の発行日が不明", f"{name} has no day of issue"))
            elif (days := (one.received_on - one.issued_on).days) > most:
                facts.append(
                    Text(
                        f"{name} は受領時に発行から {days} 日 (上限 {most} 日)",
                        f"{name} was {days} days old on arrival, at most {most} are allowed",
                    )
                )
        return facts if aged else None

    return judge


def _validity(run: Run) -> Judge[File]:
    def judge(file: File) -> Sequence[Text] | None:
        bearing = [one for one, kind in _received(run, file) if kind.expires]
        return (
            [
                Text(
                    f"{one.code}.{one.number} は受領時に有効期限切れ",
                    f"{one.code}.{one.number} was over when it was received",
                )
                for one in bearing
                if one.valid_until is not None and one.valid_until < one.received_on
            ]
            if bearing
            else None
        )

    return judge


def _qualification(file: File, approval: Step) -> Sequence[Text] | None:
    if not file.rule.issues:
        return None
    facts = list(_checked(file, approval, "QUALIFICATION"))
    check = file.checks.get("QUALIFICATION")
    if check is not None and check.method == REGISTER_METHOD:
        facts += _answer(file, approval)
    return facts


def _answer(file: File, approval: Step) -> Iterator[Text]:
    asked = sorted(
        file.beside.inquiries.get(file.ref, ()), key=lambda one: (one.at, one.inquiry_id)
    )
    newest = asked[-1] if asked else None
    if newest is None or newest.answer != Answer.REGISTERED or newest.evidence is None:
        yield Text("登録ありの回答がない", "the register did not answer that they are registered")
        return
    if newest.answered_on is None or newest.answered_on > japan_date(approval.at):
        yield Text("回答が承認より後", "the register answered after the approval")
    questions = [one for one in file.steps if one.code == "QUAL.ASK" and one.seq < approval.seq]
    fields = digest(canonical_json(file.signed.get("fields", {})))
    if not questions or questions[-1].detail.get("fields") != fields:
        yield Text(
            "承認された内容と異なる内容で照会した",
            "the register was asked about other values than were approved",
        )


def _matches(file: File, approval: Step) -> Sequence[Text] | None:
    facts = list(_checked(file, approval, "DATA_MATCH"))
    facts += [
        Text(
            f"{one.source} の {one.field} の相違に説明がない",
            f"{one.field} differs in {one.source} and nobody explained it",
        )
        for one in file.beside.matches.get(file.ref, ())
        if one.verdict == Verdict.DIFFERENT and not one.explanation.strip()
    ]
    return facts


def _later_papers(run: Run) -> Judge[File]:
    """Judge issues after a disaster whose time for the papers is over at the run's moment."""
    days = timedelta(days=int(run.number("TEMP_DOC_DAYS")))

    def judge(file: File) -> Sequence[Text] | None:
        codes = _later(file.rule.code, file.channel)
        due = [one for one in file.beside.issued.get(file.ref, ()) if _over(one.at, days, run)]
        if not codes or not due:
            return None
        living = [one for one in due if one.lives(run.moment.head.seq, run.moment.at)]
        received = file.data["received_on"]
        last = japan_date(min(one.at for one in due)) + days
        proofs = file.beside.proofs.get(file.data["person_id"], ())
        there = {name.partition(" ")[0] for name, day in proofs if received <= day <= last}
        return [
            Text(
                f"期限後も {code} がなく、証明書が有効",
                f"{code} did not come in its time, and certificates still live",
            )
            for code in codes
            if living and code not in there
        ]

    return judge


@cache
def _later(kind: ApplicationType, channel: Channel) -> Sequence[str]:
    """Return the documents that come after the issue."""
    rules = load_document_rules().rules(kind, channel)
    return [one.document for one in rules if one.need == "later" and one.when == "always"]


def _over(at: datetime, days: timedelta, run: Run) -> bool:
    return japan_date(at) + days < run.moment.day


def _reuse(run: Run) -> Judge[File]:
    """Judge renewals without fresh papers where an earlier file of the person is known."""
    years = int(run.number("ID_REUSE_YEARS"))

    def judge(file: File, _: Step) -> Sequence[Text] | None:
        if file.data["type"] != "RENEW" or file.data["replaces"] is None:
            return None
        fresh = {f"{code} {file.ref}" for code in (_RESIDENT, PROVEN)}
        proofs = file.beside.proofs.get(file.data["person_id"], ())
        received = file.data["received_on"]
        if any(
            name in fresh or _within(day, received, years)
            for name, day in proofs
            if name.partition(" ")[0] in (_RESIDENT, PROVEN)
        ):
            return ()
        return (
            Text(
                f"新しい本人確認書類がなく、{years} 年以内の審査もない",
                f"no fresh proof of identity, and none received within {years} years before",
            ),
        )

    return of_approved(judge)(run)


def _within(day: date, received: date, years: int) -> bool:
    """Whether a proof of the day may still be used at the receipt."""
    last = day.replace(day=28) if (day.month, day.day) == (2, 29) else day
    return day <= received <= last.replace(year=last.year + years)


def _reissue(file: File, approval: Step) -> Sequence[Text] | None:
    if file.rule.previous == "none" or not file.data["type"].startswith("REISSUE_"):
        return None
    kinds = ("IDENTITY", "QUALIFICATION")
    return [fact for kind in kinds for fact in _checked(file, approval, kind)]


def _terms(run: Run) -> Judge[File]:
    document = sa.inspect(PublicDocument).columns
    query = sa.select(document.version, document.effective_at, document.superseded_at)
    versions: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for version, since, until in run.tx.execute(query.where(document.kind == DocumentKind.TERMS)):
        versions.setdefault(version, []).append((since, until))

    def judge(file: File, approval: Step) -> Sequence[Text] | None:
        facts = list(_checked(file, approval, "INTENT"))
        received = start_of_day(file.data["received_on"])
        end, version = received + timedelta(days=1), file.data["terms_version"]
        if not any(
            since < end and (until is None or until > received)
            for since, until in versions.get(version, ())
        ):
            facts.append(
                Text(
                    "同意した規約は受領日に有効な版でない",
                    "the terms agreed to were not in force on the day of receipt",
                )
            )
        return facts

    return of_approved(judge)(run)


CHECKS: Mapping[str, Any] = {
    "HC-3.2.2-01": _one_check("ORG"),
    "HC-3.2.3-01": _one_check("IDENTITY"),
    "HC-3.2.3-02": of_approved(_documents),
    "HC-3.2.3-03": _ages,
    "HC-3.2.3-04": _validity,
    "HC-3.2.3-05": of_approved(_qualification),
    "HC-3.2.3-06": of_approved(_matches),
    "HC-3.2.3-09": _later_papers,
    "HC-3.3-01": _reuse,
    "HC-3.3-02": of_approved(_reissue),
    "HC-4.1-01": _terms,
}
