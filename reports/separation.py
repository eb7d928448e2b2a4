"""Separation of duties (職務分掌) over a period: who did what for every certificate issued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ca.records import CarrierKind
from operators.directory import Directory
from operators.exchange.peers import Peers
from policies.controls import controls
from reports.duties import FILE_RULES, PROOF_RULE, ROLES_RULE, WORDS, Duty
from reports.issued import Issued, Progress, certificates_issued
from reports.moment import Moment
from reports.operations import period_facts
from reports.period import Period
from reports.tables import Column, Fact, Kind, Mark, Report, Row, Table, Text, Value
from store.database import Transaction

NAME = "separation"

_UNRECORDED = Text("未記録", "not recorded")
_NOT_APPLICABLE = Text("該当なし", "not applicable")
_NOT_YET = Text("未了", "not done yet")


@dataclass
class Tally:
    """Certificates by what was found, while they pass."""

    issued: int = 0
    flagged: int = 0
    judged: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    received_too: int = 0

    def take(self, certificates: Iterable[Issued]) -> Iterator[Issued]:
        """Count what passes."""
        for one in certificates:
            self.issued += 1
            self.flagged += bool(one.findings)
            self.judged.update((PROOF_RULE, ROLES_RULE))
            self.judged.update(
                rule for pair, rule in FILE_RULES.items() if all(map(one.doers.get, pair))
            )
            self.broken.update({finding.rule for finding in one.findings})
            decided = _people(one, Duty.EXAMINED) | _people(one, Duty.APPROVED)
            self.received_too += not decided.isdisjoint(_people(one, Duty.RECEIVED))
            yield one


def separation_report(
    tx: Transaction,
    moment: Moment,
    period: Period,
    directory: Directory,
    peers: Peers,
    progress: Progress | None = None,
) -> Report:
    """Return the report, one row for each certificate; raises as ``certificates_issued``."""
    tally = Tally()
    found = certificates_issued(tx, moment, period, directory, peers, progress)
    rows = tuple(_row(one) for one in tally.take(found))
    facts = (
        *period_facts(period),
        Fact(Text("役割表", "Role table"), directory.table.reference),
        Fact(Text("発行証明書", "Certificates issued"), tally.issued),
        Fact(Text("所見のある証明書", "Certificates with findings"), tally.flagged),
    )
    tables = (_rules(tally), _people_table(rows))
    return Report(NAME, Text("職務分掌報告", "Separation of duties"), facts, tables)


def _rules(tally: Tally) -> Table:
    """Say of each rule how many certificates were judged by it and broke it."""
    rows = []
    for rule in (*FILE_RULES.values(), ROLES_RULE, PROOF_RULE):
        count = tally.broken[rule]
        words = _PROOF if rule == PROOF_RULE else _requirement(rule)
        mark = Mark.FLAG if count else None
        rows.append(Row((rule, words, tally.judged[rule], count), mark))
    return Table(
        "rules",
        Text("分掌の規則", "Rules of separation"),
        Text(
            "判定数は、規則の両方の業務に記録のある証明書の数。",
            "Judged: certificates with records of both duties of the rule.",
        ),
        (
            Column("rule", Text("規則", "Rule"), Kind.TEXT),
            Column("requirement", Text("要求", "Requirement"), Kind.WORDS),
            Column("judged", Text("判定数", "Judged"), Kind.NUMBER),
            Column("broken", Text("違反", "Broken"), Kind.NUMBER),
        ),
        tuple(rows),
        notes=(
            Text(
                f"受付者が審査又は承認も行った証明書は{tally.received_too}枚。三者分離は提案であり、違反としない。",
                f"For {tally.received_too} certificates a receiver examined or approved, too: to "
                "keep three apart is a proposal, and no violation.",
            ),
            Text(
                "人は利用者名で比べる。役割表は報告時のもの。"
                "証跡の連鎖そのものは`hpki audit verify`で確かめる。",
                "People are compared by their accounts; the role table is the one in force when "
                "the report is made. `hpki audit verify` says whether the trail is whole.",
            ),
        ),
    )


def _requirement(rule: str) -> Text:
    control = controls().find(rule)
    return Text(control.requirement_ja, control.requirement_en)


def _people_table(rows: tuple[Row, ...]) -> Table:
    duties = (Column(duty.value, WORDS[duty], Kind.TEXT) for duty in Duty)
    return Table(
        "certificates",
        Text("証明書別の担当者", "Who did what, by certificate"),
        Text(
            "期間内に発行された加入者証明書。審査・承認・実行・PIN開示は署名を改めて検証して得た者、"
            "受付・カード作成は証跡の記録による者。",
            "Certificates of holders issued in the period. Who examined, approved, executed and "
            "disclosed PINs is taken from signatures that were verified again; who received and "
            "personalised, from the trail.",
        ),
        (
            Column("certificate", Text("証明書", "Certificate"), Kind.TEXT),
            Column("issued_at", Text("発行", "Issued"), Kind.MOMENT),
            Column("application", Text("申請", "Application"), Kind.TEXT),
            *duties,
            Column("handed_over", Text("交付", "Handed over"), Kind.WORDS),
            Column("findings", Text("所見", "Findings"), Kind.WORDS),
        ),
        rows,
    )


def _row(one: Issued) -> Row:
    return Row(
        (
            one.name,
            one.at,
            one.application_ref or None,
            *(_cell(one, duty) for duty in Duty),
            _UNRECORDED if one.carrier is CarrierKind.CARD else _NOT_APPLICABLE,
            _findings(one),
        ),
        Mark.FLAG if one.findings else None,
    )


def _cell(one: Issued, duty: Duty) -> Value | Text:
    people = [doer.person for doer in one.doers.get(duty, ())]
    if people:
        return ", ".join(dict.fromkeys(people))
    if duty is Duty.RECEIVED:
        return _UNRECORDED
    if duty in (Duty.PERSONALISED, Duty.DISCLOSED):
        return _NOT_YET if one.carrier is CarrierKind.CARD else _NOT_APPLICABLE
    return None


def _findings(one: Issued) -> Text | None:
    words = [finding.words for finding in one.findings]
    if not words:
        return None
    return Text("; ".join(each.ja for each in words), "; ".join(each.en for each in words))


def _people(one: Issued, duty: Duty) -> set[str]:
    return {doer.person for doer in one.doers.get(duty, ())}


_PROOF = Text(
    "担当者は署名、署名時の役割、証跡の記録により証明される。",
    "Who did a duty is proven by signature, role at its time, and the entries of the trail.",
)
