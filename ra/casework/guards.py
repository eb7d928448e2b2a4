"""What must be true for a move of an application: one function for each guard of the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from audit.records import entries_about
from ca.carriers import is_alive
from ca.records import orders_of_application
from pki.errors import Refused
from policies.applications import ApplicationType, Channel, Effect, TypeRule, application_types
from policies.checks import CheckRule, checks_for
from policies.documents import load_document_rules
from policies.moves import ApplicationState, Guard
from ra import records
from ra.casework import records as work
from ra.casework.duplicates import candidates
from ra.casework.records import Answer, Choice, FeeState, FieldMatch, NoticeKind
from ra.dossiers import asked_about
from ra.persons.matching import Verdict
from ra.persons.romaji import romaji_suggestion
from ra.records import Application, CheckResult, Document
from store.database import Transaction

REGISTER_METHOD = "MHLW_REGISTER"
"""The method of the qualification check that wants an answer of the ministry's register."""


ROMAJI = ("APPLICATION_FORM", "romaji_name")
"""Source and field of the match by which the examiner confirms the romaji."""


@dataclass(frozen=True)
class Case:
    """An application about to move; ``said`` are the actor's words or the web id on the paper."""

    tx: Transaction
    application: Application
    today: date
    said: str = ""


def rule_of(application: Application) -> TypeRule:
    """Return the rule of the application's type."""
    return application_types()[ApplicationType(application.type)]


def wanted_checks(application: Application) -> tuple[CheckRule, ...]:
    """Return the checks its examination consists of."""
    return checks_for(
        issues=rule_of(application).issues, administrator=application.director_role is not None
    )


def missing_documents(tx: Transaction, application: Application) -> tuple[str, ...]:
    """Return the codes of documents that are required and not there."""
    present = {one.code for one in records.documents_of(tx, application.ref)}
    return tuple(code for code in _required_codes(tx, application) if code not in present)


def _required_codes(tx: Transaction, application: Application) -> tuple[str, ...]:
    version = records.applicant(tx, application)
    filled = {
        name
        for name, value in (
            ("director_role", application.director_role),
            ("former_surname", version.former_surname),
            ("address", _moved(tx, application)),
        )
        if value
    }
    rules = load_document_rules().required(
        ApplicationType(application.type), Channel(application.channel), filled
    )
    return tuple(rule.document for rule in rules)


def _moved(tx: Transaction, application: Application) -> bool:
    """Whether the address differs from the one known when the earlier application came."""
    earlier = tx.get(Application, application.replaces) if application.replaces else None
    if earlier is None:
        return False
    old, new = records.applicant(tx, earlier), records.applicant(tx, application)
    return (old.postal_code, old.address) != (new.postal_code, new.address)


def current_documents(tx: Transaction, application_ref: str) -> list[Document]:
    """Return the newest document of each code, redacted copies aside."""
    newest = {
        one.code: one for one in records.documents_of(tx, application_ref) if one.redacts is None
    }
    return list(newest.values())


def _web_id(case: Case) -> str | None:
    if case.application.web_id is None or case.said != case.application.web_id:
        return "the web id on the paper is not that of the draft"
    return None


def _purged(case: Case) -> str | None:
    return None if case.application.erased_at else "the personal data are still there"


def _documents_present(case: Case) -> str | None:
    missing = missing_documents(case.tx, case.application)
    return f"missing (不足書類): {', '.join(missing)}" if missing else None


def _items_listed(case: Case) -> str | None:
    asked = work.deficiencies_of(case.tx, case.application.ref)
    if not asked or asked[-1].supplied_on is not None:
        return "no list of what is missing is kept"
    return None


def _notice_sent(case: Case) -> str | None:
    waiting = case.application.state is ApplicationState.PAYMENT_WAIT
    kind = NoticeKind.FEE if waiting else NoticeKind.DEFICIENCY
    notices = work.notices_of(case.tx, case.application.ref, kind)
    return None if notices and notices[-1].sent_on else "the notice was not sent yet"


def _period_over(case: Case) -> str | None:
    due = case.application.due_on
    if due is None or case.today <= due:
        return f"the period runs until {due}"
    return None


def _reason(case: Case) -> str | None:
    return None if case.said.strip() else "a reason in words is wanted"


def _identity_matched(case: Case) -> str | None:
    done = {one.kind for one in records.checks_of(case.tx, case.application.ref)}
    missing = [kind for kind in ("IDENTITY", "DATA_MATCH") if kind not in done]
    return f"not checked yet: {', '.join(missing)}" if missing else None


def _checked(case: Case) -> str | None:
    done = {one.kind for one in records.checks_of(case.tx, case.application.ref)}
    open_kinds = [rule.kind for rule in wanted_checks(case.application) if rule.kind not in done]
    papers = {one.code: one for one in current_documents(case.tx, case.application.ref)}
    open_papers = [
        code
        for code in _required_codes(case.tx, case.application)
        if code not in papers or papers[code].result is None
    ]
    if open_kinds or open_papers:
        return f"not checked yet: {', '.join([*open_kinds, *open_papers])}"
    return None


def verify_checks_entered(tx: Transaction, application: Application) -> None:
    """Raise ``Refused`` unless method and result of checks and papers are as the trail tells."""
    ref, found = application.ref, dict[str, tuple[str | None, str | None]]()
    for check in records.checks_of(tx, ref):
        found[check.kind] = (check.method, check.result)
    for paper in records.documents_of(tx, ref):
        found[f"{paper.code}.{paper.number}"] = (None, paper.result)
    entered = {}
    for entry in entries_about(tx, "application", ref, _CHECKS):
        detail = json.loads(entry.body)["detail"]
        if "result" in detail:
            name = detail.get("check") or detail["document"]
            entered[name] = (detail.get("method"), detail["result"])
    changed = [name for name, said in entered.items() if found.get(name) != said]
    if changed:
        raise Refused(
            "ra.check.changed",
            f"{ref}: not as they were entered: {', '.join(sorted(changed))}",
            "The store was tampered with: keep it and call the auditor.",
        )


_CHECKS = frozenset({"ID.CHECK", "DOC.CHECK", "ORG.CHECK", "QUAL.ANSWER"})


def _unanswered(case: Case) -> str | None:
    if not _asks_register(case):
        return None
    asked = work.inquiries_of(case.tx, case.application.ref)
    if not asked or asked[-1].answer is None:
        return "the register's answer is not kept yet"
    return None


def _answered(case: Case) -> str | None:
    """Answered, and about the values that stand here now."""
    unsaid = _unanswered(case)
    if unsaid is not None or not _asks_register(case):
        return unsaid
    asked = entries_about(case.tx, "application", case.application.ref, {"QUAL.ASK"})
    about = json.loads(asked[-1].body)["detail"].get("fields") if asked else None
    if about != asked_about(case.tx, case.application):
        return "the register was asked about other values than stand here now"
    return None


def _asks_register(case: Case) -> bool:
    methods = {one.kind: one.method for one in records.checks_of(case.tx, case.application.ref)}
    wanted = {rule.kind for rule in wanted_checks(case.application)}
    return (
        "QUALIFICATION" in wanted
        and methods.get("QUALIFICATION", REGISTER_METHOD) == REGISTER_METHOD
    )


def _no_inquiry(case: Case) -> str | None:
    """Nothing is asked any more: it need not be, or the answer is there, as after a send-back."""
    return _answered(case) and "the register must be asked"


def failed_checks(tx: Transaction, application: Application) -> tuple[str, ...]:
    """Return the kinds of checks and the codes of documents that failed, sorted."""
    failed = {
        one.kind
        for one in records.checks_of(tx, application.ref)
        if one.result is not CheckResult.OK
    }
    required = _required_codes(tx, application)
    failed |= {
        one.code
        for one in current_documents(tx, application.ref)
        if one.result is CheckResult.FAIL or (one.result is None and one.code in required)
    }
    return tuple(sorted(failed))


def _checks_ok(case: Case) -> str | None:
    failed = failed_checks(case.tx, case.application)
    if failed:
        return f"failed {', '.join(failed)}"
    unsaid = _checked(case) or _unanswered(case)
    if unsaid is None and _asks_register(case):
        answer = work.inquiries_of(case.tx, case.application.ref)[-1].answer
        if answer is not Answer.REGISTERED:
            return f"the register answered {answer}"
    return unsaid


def _explained(case: Case) -> str | None:
    left = unexplained(work.matches_of(case.tx, case.application.ref))
    fields = ", ".join(f"{one.source}.{one.field}" for one in left)
    return f"differences that nobody explained: {fields}" if left else None


def unexplained(rows: Sequence[FieldMatch]) -> list[FieldMatch]:
    """Return the fields that differ and that nobody explained."""
    return [row for row in rows if row.verdict == Verdict.DIFFERENT and not row.explanation.strip()]


def _romaji_confirmed(case: Case) -> str | None:
    """Tell whether an unusual name in romaji was confirmed by itself.

    It goes into the certificate. What was confirmed is a match with the form.
    """
    confirmed = case.tx.get(FieldMatch, (case.application.ref, *ROMAJI))
    if confirmed is not None or not has_unusual_romaji(case.tx, case.application):
        return None
    usual = romaji_suggestion(records.applicant(case.tx, case.application).kana_name)
    return f"the romaji is not the passport spelling ({usual or 'none is known'}): confirm it"


def has_unusual_romaji(tx: Transaction, application: Application) -> bool:
    """Return whether what would be certified is not the passport spelling of the kana."""
    version = records.applicant(tx, application)
    usual = romaji_suggestion(version.kana_name)
    return rule_of(application).issues and version.romaji_name.upper() != usual


def _terms_agreed(case: Case) -> str | None:
    return None if case.application.terms_version else "the terms were not agreed to"


def _duplicates_chosen(case: Case) -> str | None:
    choices = {one.other_ref: one.choice for one in work.choices_of(case.tx, case.application.ref)}
    found = [one.other.ref for one in candidates(case.tx, case.application)]
    unsaid = [ref for ref in found if ref not in choices]
    if unsaid:
        return f"possible duplicates (重複) without a choice: {', '.join(unsaid)}"
    twice = [ref for ref in found if choices[ref] is Choice.DUPLICATE]
    if twice and case.application.state is ApplicationState.EXAMINED:
        return f"it doubles {', '.join(twice)}"
    return None


def _previous(case: Case) -> str | None:
    rule = rule_of(case.application)
    if rule.previous == "none" or case.application.replaces is None:
        return None
    living = lives(case.tx, case.application.replaces)
    if rule.previous == "revoked" and living:
        return f"the certificates of {case.application.replaces} are not revoked yet"
    if rule.previous == "valid" and not living:
        return f"no certificate of {case.application.replaces} lives"
    return None


def lives(tx: Transaction, ref: str) -> bool:
    """Return whether a certificate of the application is not revoked."""
    return any(is_alive(tx, order) for order in orders_of_application(tx, ref))


def _issues(case: Case) -> str | None:
    return None if rule_of(case.application).issues else f"{case.application.type} issues nothing"


def _issues_nothing(case: Case) -> str | None:
    return f"{case.application.type} issues" if rule_of(case.application).issues else None


def _fee_due(case: Case) -> str | None:
    fee = case.tx.get(work.Fee, case.application.ref)
    return None if fee is not None and fee.state is FeeState.DUE else "no fee is due"


def _fee_settled(case: Case) -> str | None:
    return "the fee is due" if _fee_due(case) is None else None


def _no_certificate(case: Case) -> str | None:
    if lives(case.tx, case.application.ref):
        return "it has certificates, or serials reserved for them: revoke its carrier instead"
    return None


def _carried_out(case: Case) -> str | None:
    """Of a contact the new version counts; of a revocation nothing lives; else words say it."""
    effect, ref = rule_of(case.application).effect, case.application.replaces
    if effect is Effect.CONTACT:
        counts = records.applicant(case.tx, case.application).confirmed_on is not None
        return None if counts else "the new contact does not count yet"
    if effect is Effect.REVOCATION:
        return (
            f"the certificates of {ref} are not revoked yet"
            if ref and lives(case.tx, ref)
            else None
        )
    return _reason(case)


GUARDS: Mapping[Guard, Callable[[Case], str | None]] = {
    Guard.WEB_ID: _web_id,
    Guard.PURGED: _purged,
    Guard.DOCUMENTS_PRESENT: _documents_present,
    Guard.ITEMS_LISTED: _items_listed,
    Guard.NOTICE_SENT: _notice_sent,
    Guard.PERIOD_OVER: _period_over,
    Guard.REASON: _reason,
    Guard.IDENTITY_MATCHED: _identity_matched,
    Guard.CHECKED: _checked,
    Guard.ANSWERED: _answered,
    Guard.NO_INQUIRY: _no_inquiry,
    Guard.CHECKS_OK: _checks_ok,
    Guard.EXPLAINED: _explained,
    Guard.ROMAJI_CONFIRMED: _romaji_confirmed,
    Guard.TERMS_AGREED: _terms_agreed,
    Guard.DUPLICATES_CHOSEN: _duplicates_chosen,
    Guard.PREVIOUS: _previous,
    Guard.ISSUES: _issues,
    Guard.ISSUES_NOTHING: _issues_nothing,
    Guard.FEE_DUE: _fee_due,
    Guard.FEE_SETTLED: _fee_settled,
    Guard.NO_CERTIFICATE: _no_certificate,
    Guard.CARRIED_OUT: _carried_out,
}
"""Each returns why the move is refused, or None."""

_HINTS: Mapping[Guard, str] = {
    Guard.DOCUMENTS_PRESENT: "Register them with `hpki ra document add`, or ask the applicant.",
    Guard.IDENTITY_MATCHED: "Record them: `hpki ra check REF IDENTITY DATA_MATCH --ok`.",
    Guard.CHECKED: "Record each with `hpki ra check` and `hpki ra document check`.",
    Guard.ROMAJI_CONFIRMED: (
        "Ask the applicant or the passport: `hpki ra match REF APPLICATION_FORM romaji_name=NAME`."
    ),
    Guard.ANSWERED: "Read the answers in: `hpki ra inquiry answer FILE`.",
    Guard.NO_INQUIRY: "Ask first: `hpki ra inquiry make`.",
    Guard.CHECKS_OK: "Reject it: `hpki ra reject`, or send it back: `hpki ra send-back`.",
    Guard.DUPLICATES_CHOSEN: "See `hpki ra duplicates REF`, and choose.",
    Guard.PREVIOUS: "Revoke first: `hpki revoke`; then approve.",
    Guard.NOTICE_SENT: "Record the letter: `hpki ra notice sent`.",
    Guard.NO_CERTIFICATE: "See `hpki revoke --help`.",
}


def verify_guard(guard: Guard, case: Case) -> None:
    """Raise ``Refused`` (``ra.guard.…``) with the reason unless the guard holds."""
    why = GUARDS[guard](case)
    if why is not None:
        raise Refused(
            f"ra.guard.{guard.lower()}",
            f"{case.application.ref}: {why}",
            _HINTS.get(guard, "See `hpki ra show` for where it stands."),
        )
