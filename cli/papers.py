"""Papers of the registration authority, filled from the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.output import write_output
from cli.transcripts import imprint
from cli.wiring import Services
from pki.errors import InvalidInput, NotFound
from policies.applications import ApplicationType, Channel, application_types, channels
from policies.checks import refusal_code
from policies.documents import load_document_rules
from policies.moves import moves
from ra import records
from ra.casework import records as work
from ra.casework.duplicates import candidates
from ra.casework.guards import current_documents, wanted_checks
from ra.casework.matches import FIELDS_ON, given_fields
from ra.casework.records import NoticeKind
from ra.casework.views import Use
from ra.dates import both_calendars, era_text
from ra.lists.columns import LABELS
from ra.persons.applicants import birth_date_of
from ra.records import Application, find_application
from reports.papers import (
    Fact,
    InquiryPaper,
    Label,
    Letter,
    Part,
    Sheet,
    inquiry_html,
    labels_html,
    letter_html,
    sheet_html,
)
from reports.pdf import pdf_of
from store.database import Transaction


def write_page(path: Path, html: bytes) -> None:
    """Write the page as its ending says, .html or .pdf; an existing file stays."""
    ending = path.suffix.lower()
    if ending not in (".html", ".pdf"):
        raise InvalidInput("cli.papers.ending", f"{path} ends neither in .html nor .pdf")
    write_output(path, pdf_of(html) if ending == ".pdf" else html)


def sheets_page(services: Services, refs: Sequence[str], operator: str) -> bytes:
    """Return the check sheets (審査チェックシート) of the files; entered as printed."""
    services.views.enter(Use.PRINT, refs, operator, "sheet")
    with services.store.read() as tx:
        made = [_sheet(tx, find_application(tx, ref)) for ref in refs]
    return sheet_html(made, imprint(services))


def labels_page(services: Services, refs: Sequence[str]) -> bytes:
    """Return labels with the receipt numbers as QR codes; nothing personal stands on them."""
    with services.store.read() as tx:
        made = [_label(find_application(tx, ref)) for ref in refs]
    return labels_html(made, imprint(services))


def letters_page(services: Services, refs: Sequence[str], kind: NoticeKind, operator: str) -> bytes:
    """Return the letters of the kind that the files are owed; entered as printed."""
    services.views.enter(Use.PRINT, refs, operator, f"letter {kind}")
    day = era_text(services.registrar.today)
    with services.store.read() as tx:
        made = [_letter(tx, find_application(tx, ref), kind, day) for ref in refs]
    return letter_html(made, imprint(services))


def inquiry_page(services: Services, inquiry_id: str, operator: str) -> bytes:
    """Return the list for the register (登録照会一覧); entered as exported."""
    rows = services.inquiries.rows(inquiry_id)
    refs = [row.application_ref for row in rows]
    services.views.enter(Use.EXPORT, refs, operator, f"inquiry {inquiry_id}")
    names = ("profession", "kanji_name", "kana_name", "birth_date", "registration_number")
    columns = (("行", "Line"), *((LABELS[name], name) for name in (*names, "registration_date")))
    texts = tuple(
        (
            str(row.line),
            row.profession,
            row.kanji_name,
            row.kana_name,
            both_calendars(row.birth_date),
            row.registration_number,
            both_calendars(row.registration_date) if row.registration_date else "",
        )
        for row in rows
    )
    paper = InquiryPaper(inquiry_id, era_text(services.registrar.today), columns, texts)
    return inquiry_html(paper, imprint(services))


def _sheet(tx: Transaction, application: Application) -> Sheet:
    entry = moves().entry(application.state)
    facts = tuple(_facts(tx, application))
    parts = (
        _documents(tx, application),
        _matches(tx, application),
        _checks(tx, application),
        _duplicates(tx, application),
        _inquiries(tx, application),
    )
    return Sheet(application.ref, f"{entry.japanese} {entry.code}", facts, parts)


def _facts(tx: Transaction, application: Application) -> Iterator[Fact]:
    version = records.applicant(tx, application)
    kind = application_types()[ApplicationType(application.type)]
    channel = channels()[Channel(application.channel)]
    yield Fact("申請種別", "Type", f"{kind.japanese} {kind.code}")
    yield Fact("受付", "Received", f"{both_calendars(application.received_on)} {channel.japanese}")
    for name in ("kanji_name", "kana_name", "romaji_name", "former_surname"):
        yield Fact(LABELS[name], name, getattr(version, name) or "")
    born = birth_date_of(tx, application)
    yield Fact(LABELS["birth_date"], "birth_date", both_calendars(born))
    yield Fact(LABELS["address"], "address", f"〒{version.postal_code} {version.address}")
    yield Fact(LABELS["profession"], "profession", application.profession)
    number = LABELS["registration_number"]
    yield Fact(number, "registration_number", application.registration_number)
    day = application.registration_date
    yield Fact(LABELS["registration_date"], "registration_date", both_calendars(day) if day else "")
    for name in ("director_role", "institution_ja", "association", "office", "replaces"):
        value = getattr(application, name)
        if value:
            yield Fact(LABELS[name], name, value)


def _documents(tx: Transaction, application: Application) -> Part:
    rules = load_document_rules()
    required = rules.rules(ApplicationType(application.type), Channel(application.channel))
    held = {one.code: one for one in current_documents(tx, application.ref)}
    needs = {"required": "必要", "optional": "任意", "later": "後日", "unused": "不要"}
    rows = []
    for code in {**{rule.document: None for rule in required}, **held}:
        paper = held.get(code)
        need = next((needs[rule.need] for rule in required if rule.document == code), "")
        dates = f"{paper.issued_on or ''} / {paper.valid_until or ''}" if paper else ""
        result = "" if paper is None or paper.result is None else paper.result.value
        rows.append((rules.names[code], need, "有" if paper else "無", dates, result))
    columns = (
        ("書類", "Document"),
        ("要否", "Needed"),
        ("提出", "There"),
        ("発行日・期限", "Dated, valid until"),
        ("結果", "Result"),
    )
    return Part("提出書類", "Documents", columns, tuple(rows))


def _matches(tx: Transaction, application: Application) -> Part:
    given = given_fields(tx, application)
    known = {(one.source, one.field): one for one in work.matches_of(tx, application.ref)}
    present = {one.code for one in current_documents(tx, application.ref)}
    names = load_document_rules().names
    rows = []
    for source, fields in FIELDS_ON.items():
        if source not in present and not any(one[0] == source for one in known):
            continue
        for field in fields:
            one = known.get((source, field))
            words = "" if one is None else " ".join((one.verdict, one.seen, one.explanation))
            rows.append((names.get(source, "登録照会"), LABELS[field], given[field], words.strip()))
    columns = (
        ("書類", "Source"),
        ("項目", "Field"),
        ("申請の記載", "As applied"),
        ("照合", "Match"),
    )
    return Part("記載事項照合", "Data match", columns, tuple(rows))


def _checks(tx: Transaction, application: Application) -> Part:
    done = {one.kind: one for one in records.checks_of(tx, application.ref)}
    rows = []
    for rule in wanted_checks(application):
        one = done.get(rule.kind)
        method = one.method if one else rule.method[Channel(application.channel)][0]
        rows.append(
            (rule.japanese, method, one.result.value if one else "", one.note if one else "")
        )
    columns = (("審査項目", "Check"), ("方法", "Method"), ("結果", "Result"), ("備考", "Note"))
    return Part("審査項目", "Checks", columns, tuple(rows))


def _duplicates(tx: Transaction, application: Application) -> Part:
    choices = {one.other_ref: one for one in work.choices_of(tx, application.ref)}
    rows = []
    for one in candidates(tx, application):
        choice = choices.get(one.other.ref)
        said = f"{choice.choice} {choice.reason}" if choice else ""
        rows.append((one.other.ref, ", ".join(one.likenesses), said))
    columns = (("申請番号", "File"), ("理由", "Why"), ("判断", "Choice"))
    return Part("重複の疑い", "Possible duplicates", columns, tuple(rows))


def _inquiries(tx: Transaction, application: Application) -> Part:
    rows = tuple(
        (one.inquiry_id, str(one.line), str(one.answer or ""), str(one.answered_on or ""))
        for one in work.inquiries_of(tx, application.ref)
    )
    columns = (("照会番号", "Inquiry"), ("行", "Line"), ("回答", "Answer"), ("回答日", "On"))
    return Part("登録照会", "Inquiries", columns, rows)


def _label(application: Application) -> Label:
    kind = application_types()[ApplicationType(application.type)].japanese
    return Label(application.ref, both_calendars(application.received_on), kind)


def _letter(tx: Transaction, application: Application, kind: NoticeKind, day: str) -> Letter:
    if not work.notices_of(tx, application.ref, kind):
        raise NotFound(
            "ra.notice.none",
            f"no letter {kind} is due for {application.ref}",
            "See `hpki ra notice list`.",
        )
    version = records.applicant(tx, application)
    subject, paragraphs, items = _words(tx, application, kind)
    return Letter(
        application_ref=application.ref,
        postal_code=version.postal_code,
        address=version.address,
        name=version.kanji_name,
        day=day,
        subject=subject,
        paragraphs=paragraphs,
        items=items,
    )


def _words(
    tx: Transaction, application: Application, kind: NoticeKind
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return subject, paragraphs and items of a letter; the texts are ours (PROPOSAL)."""
    greeting = "このたびは電子証明書の発行をお申し込みいただき、ありがとうございます。"
    due = era_text(application.due_on) if application.due_on else ""
    if kind is NoticeKind.DEFICIENCY:
        asked = work.deficiencies_of(tx, application.ref)[-1]
        names = load_document_rules().names | {"FORM": "申請書の記入", "FIELDS": "記載内容の訂正"}
        items = tuple(names[code] for code in asked.items.split(","))
        until = f"{due}までに届かない場合は、申請書類をお返しします。" if due else ""
        text = "お送りいただいた書類に不足または不備がありましたので、次のものをお送りください。"
        return "申請書類の不備について", (greeting, text, until), items
    if kind is NoticeKind.FEE:
        fee = tx.get(work.Fee, application.ref)
        text = f"手数料 {fee.yen:,} 円を、{due}までにお支払いください。" if fee else ""
        return "発行手数料のお支払いについて", (greeting, text), ()
    if kind is NoticeKind.REJECTION:
        code = refusal_code(application.reject_code or "R99")
        reason = application.reject_reason or code.japanese
        text = "審査の結果、次の理由により、電子証明書を発行しないこととなりました。"
        return "審査結果について(却下)", (greeting, text), (f"{code.japanese}({code.code})", reason)
    text = "期限までに必要な書類またはお支払いを確認できませんでしたので、申請書類をお返しします。"
    return "申請書類の返却について", (text, "あらためてのお申し込みをお待ちしております。"), ()
