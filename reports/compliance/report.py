"""The report of a compliance audit, from the results of its controls: one for each policy.

Source: the items of operations 8.4. What an engagement adds (auditor, papers, worksheet,
signature) is not here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives import hashes

from policies.controls import AuditKind, controls
from policies.exchange import Part
from policies.parameters import parameter
from policies.site import SiteKind
from reports.compliance.conclusion import Conclusion, Finding, conclude
from reports.compliance.numbers import counts, hours
from reports.compliance.results import ControlResult, Result, Violation
from reports.compliance.run import Run
from reports.compliance.signers import signers
from reports.tables import Column, Fact, Kind, Report, Row, Table, Text

_TITLES = {
    AuditKind.SIGN: Text("準拠性監査報告書（署名用）", "Compliance audit report: signing"),
    AuditKind.AUTH: Text("準拠性監査報告書（認証用）", "Compliance audit report: authentication"),
    AuditKind.REMOTE: Text(
        "準拠性監査報告書（リモート署名）", "Compliance audit report: remote signing"
    ),
}
_SITES = {
    SiteKind.PRODUCTION: Text("本番", "production"),
    SiteKind.TRIAL: Text("試験", "trial"),
    SiteKind.TRAINING: Text("訓練", "training"),
}
_PARTS = {
    frozenset({Part.CA}): Text("認証局", "CA"),
    frozenset({Part.RA}): Text("登録局", "RA"),
    frozenset(Part): Text("認証局と登録局", "CA and RA"),
}
CONCLUSION = Text("総合判定", "Conclusion")
_CONTROL = Column("control", Text("統制", "Control"), Kind.TEXT)
_REMARK = Column("remark", Text("備考", "Remark"), Kind.WORDS)
_RESULT = Column("result", Text("結果", "Result"), Kind.WORDS)


def report(
    run: Run, kind: AuditKind, results: Sequence[ControlResult], findings: Sequence[Finding] = ()
) -> Report:
    """Return the report of one policy; ``results`` are those of that kind, in order."""
    return Report(
        f"compliance-{kind.value.lower()}",
        _TITLES[kind],
        _facts(run, conclude(results, findings), results),
        (
            _sections(results),
            _authorities(run, kind),
            _controls(results),
            _findings(findings),
            counts(run, kind),
            hours(run, kind),
            _parameters(run, results),
            _rows(
                "violations",
                Text("附属書: 違反の行", "Annex: rows that break a control"),
                ((one, one.outcome.violations) for one in results if one.outcome is not None),
            ),
            _rows(
                "observations",
                Text("附属書: 観察した行", "Annex: rows to be looked at"),
                ((one, one.outcome.observations) for one in results if one.outcome is not None),
            ),
        ),
    )


def _facts(run: Run, conclusion: Conclusion, results: Sequence[ControlResult]) -> tuple[Fact, ...]:
    found = Counter(one.result for one in results)
    by_result = Text(
        "、".join(f"{one.text.ja} {found[one]}" for one in Result),
        ", ".join(f"{one.text.en} {found[one]}" for one in Result),
    )
    return (
        Fact(CONCLUSION, conclusion.text),
        Fact(Text("統制の結果", "Results of controls"), by_result),
        Fact(Text("期間の初日", "First day"), run.first),
        Fact(Text("期間の末日", "Last day"), run.last),
        Fact(Text("拠点の種類", "Kind of site"), _SITES[run.site]),
        Fact(Text("業務", "Parts"), _PARTS[run.parts]),
        Fact(Text("役割表", "Role table"), run.directory.table.reference),
    )


def _authorities(run: Run, kind: AuditKind) -> Table:
    """Return the CAs in scope: report item 6."""
    rows = [
        Row(
            (
                one.row.id,
                one.read.subject.text,
                one.certificate.fingerprint(hashes.SHA256()).hex(),
                one.read.not_before.moment,
                one.read.not_after.moment,
            )
        )
        for one in signers(run).values()
        if kind in one.kinds
    ]
    columns = (
        Column("ca", Text("認証局", "CA"), Kind.TEXT),
        Column("subject", Text("主体者名", "Subject"), Kind.TEXT),
        Column("sha256", Text("SHA-256", "SHA-256"), Kind.TEXT),
        Column("not_before", Text("有効期間の開始", "Valid from"), Kind.MOMENT),
        Column("not_after", Text("有効期間の終了", "Valid to"), Kind.MOMENT),
    )
    definition = Text("この報告書が対象とする認証局の証明書。", "The CA certificates in scope.")
    return Table("scope", Text("監査範囲", "Scope"), definition, columns, tuple(rows))


def _parameters(run: Run, results: Iterable[ControlResult]) -> Table:
    """Return the numbers that the controls ask for, as in force: report item 5."""
    keys = sorted({key for one in results for key in one.control.parameters})
    rows = []
    for key in keys:
        shipped = parameter(key)
        rows.append(Row((key, str(run.number(key)), shipped.unit, shipped.firm, shipped.source)))
    columns = (
        Column("parameter", Text("項目", "Parameter"), Kind.TEXT),
        Column("value", Text("値", "Value"), Kind.TEXT),
        Column("unit", Text("単位", "Unit"), Kind.TEXT),
        Column("firm", Text("確度", "Label"), Kind.TEXT),
        Column("source", Text("出典", "Source"), Kind.TEXT),
    )
    definition = Text(
        "確度は出荷時の値に付けたもの。", "The label is of the number that ships with the program."
    )
    return Table("parameters", Text("基準値", "Parameters"), definition, columns, tuple(rows))


_WORST = (Result.FAILS, Result.UNCHECKED, Result.CONFORMS, Result.NO_CASE, Result.NOT_APPLICABLE)


def _sections(results: Sequence[ControlResult]) -> Table:
    """Return a result for each section of the CP; one that has no control is the auditor's."""
    rows = []
    for section in controls().section:
        ids = {one.id for one in controls().of_section(section.number)}
        found = {one.result for one in results if one.control.id in ids}
        result = next((one for one in _WORST if one in found), Result.UNCHECKED)
        if ids and not found:
            continue
        title = Text(section.title_ja, section.title_en)
        failed = sum(one.result is Result.FAILS for one in results if one.control.id in ids)
        point = Text(section.point_ja, section.point_en) if section.point_ja else None
        rows.append(Row((section.number, title, point, len(ids), failed, result.text)))
    columns = (
        Column("section", Text("CP", "CP"), Kind.TEXT),
        Column("title", Text("章節", "Title"), Kind.WORDS),
        Column("point", Text("HPKIでの要点", "In the HPKI"), Kind.WORDS),
        Column("controls", Text("統制数", "Controls"), Kind.NUMBER),
        Column("failed", Text("不適合", "Failed"), Kind.NUMBER),
        _RESULT,
    )
    definition = Text(
        "節の結果は最も悪い統制の結果。統制のない節は監査人が記入するまで未確認。",
        "A section is as its worst control; one without controls stays unchecked until entered.",
    )
    return Table("sections", Text("CP章節別の結果", "Sections"), definition, columns, tuple(rows))


def _controls(results: Iterable[ControlResult]) -> Table:
    rows = []
    for one in results:
        outcome = one.outcome
        numbers = (None, None) if outcome is None else (outcome.population, outcome.count)
        words = Text(one.control.requirement_ja, one.control.requirement_en)
        remark = _joined(one.remarks)
        rows.append(
            Row((one.control.id, words, one.control.mode, *numbers, one.result.text, remark))
        )
    columns = (
        _CONTROL,
        Column("requirement", Text("要求事項", "Requirement"), Kind.WORDS),
        Column("mode", Text("方法", "Mode"), Kind.TEXT),
        Column("population", Text("対象", "Population"), Kind.NUMBER),
        Column("violations", Text("違反", "Violations"), Kind.NUMBER),
        _RESULT,
        _REMARK,
    )
    definition = Text(
        "方法 A: 計算で判定、H: 計算し監査人が確認、M: 監査人が記入。対象0件は対象なしとする。",
        "Mode A: computed; H: computed and confirmed by the auditor; M: entered by the auditor. "
        "A population of 0 is no case, never conformity.",
    )
    return Table("controls", Text("統制別の結果", "Controls"), definition, columns, tuple(rows))


def _joined(remarks: Sequence[Text]) -> Text | None:
    if not remarks:
        return None
    return Text("".join(one.ja for one in remarks), " ".join(one.en for one in remarks))


def _findings(findings: Iterable[Finding]) -> Table:
    rows = [
        Row((one.id, one.control, one.grade.text, one.fact, one.due, one.closed))
        for one in findings
    ]
    columns = (
        Column("finding", Text("番号", "No."), Kind.TEXT),
        _CONTROL,
        Column("class", Text("区分", "Class"), Kind.WORDS),
        Column("fact", Text("事実", "Fact"), Kind.WORDS),
        Column("due", Text("期限", "Due"), Kind.DAY),
        Column("closed", Text("完了", "Closed"), Kind.DAY),
    )
    definition = Text("監査人の指摘。", "What the auditor found.")
    return Table("findings", Text("指摘事項", "Findings"), definition, columns, tuple(rows))


def _rows(
    key: str, title: Text, found: Iterable[tuple[ControlResult, Sequence[Violation]]]
) -> Table:
    """Return the annex: identifiers and facts, no name of a holder or applicant."""
    rows = [Row((one.control.id, _named(it.row), it.fact)) for one, every in found for it in every]
    columns = (
        _CONTROL,
        Column("row", Text("行", "Row"), Kind.WORDS),
        Column("fact", Text("事実", "Fact"), Kind.WORDS),
    )
    definition = Text(
        "行は番号で示し、氏名などの個人情報を載せない。",
        "Rows are named by numbers; names of people are left out.",
    )
    return Table(key, title, definition, columns, tuple(rows))


_KINDS = {
    "account": "操作者",
    "anchor": "アンカー",
    "anchors": "アンカー",
    "application": "申請",
    "audit": "監査",
    "audits": "監査",
    "CA": "認証局",
    "card": "カード",
    "ceremony": "鍵生成式",
    "certificate": "証明書",
    "document": "文書",
    "entries": "記録",
    "entry": "記録",
    "fee": "手数料",
    "finding": "指摘事項",
    "list": "失効リスト",
    "lists": "失効リスト",
    "order": "発行指示",
    "person": "人",
    "register": "操作者登録簿",
    "reservation": "証明書の予約",
    "revocation": "失効",
    "revocation request": "失効申請",
    "statement": "署名",
    "trail": "監査ログ",
}
_KIND = re.compile(rf"(^|, )({'|'.join(sorted(_KINDS, reverse=True))})(?= |$)")


def _named(row: str) -> Text:
    """Return the row's name with its kind in both languages."""
    return Text(_KIND.sub(lambda found: found[1] + _KINDS[found[2]], row), row)
