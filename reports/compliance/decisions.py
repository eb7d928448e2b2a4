"""Who decided on files, in what time, on what payment, and what of their records is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import col, select

from audit.canonical import digest
from audit.records import TrailEntry
from operators.accounts import Moment as Standing
from operators.identity import Identity, plain
from operators.records import Operator
from operators.register import Register
from operators.statements import StatementType
from pki.errors import HpkiError
from pki.validity import end_after_years, japan_date
from policies.checks import refusal_codes
from policies.moves import ApplicationState, moves
from policies.roles import Role
from ra.casework.records import FeeState
from ra.dossiers import changed_fields
from ra.persons.applicants import spellings
from ra.records import Application
from reports.compliance.beside import Step
from reports.compliance.engine import Judge, Ledger, spans
from reports.compliance.examinations import CHECKS as EXAMINATIONS
from reports.compliance.files import File, count, of_approved, rows
from reports.compliance.people import with_register
from reports.compliance.run import Run
from reports.tables import Text

_DECISION = (StatementType.APPROVAL.value, StatementType.REJECTION.value)
_EXAMINATION = StatementType.EXAMINATION.value
_PERSONAL = "PII."


def _reception_decides(_: Run, register: Register) -> Judge[File]:
    def judge(file: File) -> Sequence[Text] | None:
        facts = []
        for one in file.decisions:
            roles = register.roles(one.actor, Standing(one.seq, japan_date(one.at)))
            office = register.account(one.actor).office
            if Role.LRA_RECEPTION in roles or (office and office == file.data["office"]):
                facts.append(
                    Text(
                        f"地域受付の {one.actor} が決定した (記録 {one.seq})",
                        f"{one.actor} of a reception office decided (entry {one.seq})",
                    )
                )
        return facts if file.decisions else None

    return judge


def _two_people(_: Run) -> Judge[File]:
    def judge(file: File) -> Sequence[Text] | None:
        deciders, examiners = file.signers(*_DECISION), file.signers(_EXAMINATION)
        facts = []
        for one in file.decisions:
            before = [seq for seq in examiners if seq < one.seq]
            examiner = examiners[max(before)] if before else None
            if examiner is None:
                facts.append(Text("審査の署名がない", "nobody signed an examination"))
            elif examiner == one.actor:
                facts.append(
                    Text(f"審査と決定が同じ {examiner}", f"{examiner} both examined and decided")
                )
            if deciders.get(one.seq) != one.actor:
                facts.append(Text("決定の署名がない", "nobody signed the decision"))
        return facts if file.decisions else None

    return judge


def _own_file(run: Run, register: Register) -> Judge[File]:
    """Judge by the names the register still knows; what was erased cannot be compared."""
    known = dict[str, list[tuple[str, Identity]]]()
    erased = set(run.tx.exec(select(Operator.id).where(Operator.full_name == "")))
    changed = set[str]()
    for name in register.accounts.keys() - erased:
        try:
            identity = run.directory.identity(run.tx, name)
        except HpkiError:
            changed.add(name)
            continue
        known.setdefault(plain(identity.full_name), []).append((name, identity))
    known.pop("", None)
    born = {one.birth_date for found in known.values() for _, one in found}

    def possible(data: Mapping[str, Any]) -> set[str]:
        if data["birth_date"] is not None and born.isdisjoint((None, data["birth_date"])):
            return set()
        names = spellings(
            *(data[name] for name in ("kanji_name", "kana_name", "romaji_name")),
            former_surname=data["former_surname"],
        )
        return {
            operator
            for name in names
            for operator, identity in known.get(plain(name), ())
            if identity.maybe(names, data["birth_date"])
        }

    def judge(file: File) -> Sequence[Text] | None:
        if file.is_erased or not any(one.seq in run.positions for one in file.steps):
            return None
        people = {one for step in file.steps for one in (step.actor, step.co_actor)}
        return [
            Text(f"{one} 本人の申請の可能性", f"it may be {one}'s own file")
            for one in sorted(possible(file.data) & people)
        ] + [
            Text(f"{one} の氏名が登録と異なる", f"{one} has another name than is registered")
            for one in sorted(changed & people)
        ]

    return judge


def _refusals(run: Run) -> Judge[File]:
    codes = {one.code for one in refusal_codes()}
    rejected = ApplicationState.REJECTED.value

    def judge(file: File) -> Sequence[Text] | None:
        refusal = next((one for one in file.decisions if one.move[1] == rejected), None)
        if refusal is None:
            return None
        facts = []
        code = file.data["reject_code"]
        if code not in codes or code != refusal.detail.get("decision"):
            facts.append(Text("却下理由コードがない", "it has no code of refusal that was signed"))
        if code == "R99" and not file.is_erased and not file.data["reject_reason"]:
            facts.append(Text("R99の理由がない", "R99 wants a reason in words"))
        if file.signers(StatementType.REJECTION.value).get(refusal.seq) is None:
            facts.append(Text("却下の署名がない", "nobody signed the refusal"))
        notices = file.beside.rejections.get(file.ref, ())
        sent = [one for one in notices if one.sent_on is not None]
        told = any(one.code == "APP.REJECT_NOTICE" for one in file.steps)
        if not notices:
            facts.append(Text("通知の予定がない", "no notice to the applicant is due"))
        elif not sent and min(one.due_on for one in notices) < run.moment.day:
            facts.append(Text("通知が期限までに送られていない", "the notice was not sent in time"))
        elif sent and min(one.sent_on for one in sent) <= run.moment.day and not told:
            facts.append(Text("通知の記録がない", "no entry tells that the notice was sent"))
        return facts

    return judge


def _in_time(run: Run) -> Judge[File]:
    """Judge files open at the moment, and those first decided in the period.

    The clock stands while the applicant is waited for; of a file that waits still, at most for the
    days after which it is to be returned.
    """
    most, waiting = (int(run.number(key)) for key in ("OPEN_FILE_DAYS", "DEFICIENCY_DAYS"))
    clocks = {entry.code.value: entry.clock for entry in moves().state}
    still = {one.value for one in moves().open_states()}
    deficient = ApplicationState.DEFICIENT.value

    def judge(file: File) -> Sequence[Text] | None:
        first = next((one for one in file.moves if one.code == "APP.DECIDE"), None)
        due = file.data["received_on"] + timedelta(days=most)
        if first is not None and first.seq in run.positions:
            day, steps = japan_date(first.at), [one for one in file.moves if one.seq < first.seq]
        elif file.state == deficient or (file.state in still and clocks[file.state] == "runs"):
            day, steps = run.moment.day, list(file.moves)
        else:
            return None
        if file.state == deficient and file.moves:
            waited = (day - japan_date(file.moves[-1].at)).days
            due += timedelta(days=max(0, min(waited, waiting)))
        due += timedelta(days=_stood(steps, clocks))
        if day <= due:
            return ()
        late = (day - due).days
        return (Text(f"期限を {late} 日超過", f"{late} days later than allowed"),)

    return judge


def _stood(steps: Sequence[Step], clocks: Mapping[str, str]) -> int:
    """Return the days for which the clock stood between the steps."""
    days, since = 0, date.max
    for one in steps:
        origin, to = one.move
        if clocks.get(origin) == "stands":
            days += max((japan_date(one.at) - since).days, 0)
        if clocks.get(to) == "stands":
            since = japan_date(one.at)
    return days


def _paid(run: Run) -> Judge[File]:
    def judge(file: File) -> Sequence[Text] | None:
        orders = [
            one for one in file.beside.orders.get(file.ref, ()) if one.accepted_seq in run.positions
        ]
        fee = next(iter(file.beside.fees.get(file.ref, ())), None)
        wanted = file.rule.fee(file.channel, member=file.data["member_id"] is not None)
        if not orders or file.is_erased or (fee is None and not wanted):
            return None
        if fee is None:
            return (Text("手数料を請求していない", "the fee was never asked for"),)
        settled = [one.seq for one in file.steps if one.code in ("FEE.PAID", "FEE.WAIVED")]
        seq = min(one.accepted_seq for one in orders)
        if fee.state == FeeState.DUE or not settled or min(settled) > seq:
            return (
                Text("手数料の納付前に発行を指示した", "it was ordered before its fee was settled"),
            )
        return ()

    return judge


def _window(run: Run) -> Judge[File]:
    """Judge renewals of files whose certificates are known here."""
    most = int(run.number("RENEW_WINDOW_DAYS"))

    def judge(file: File, _: Step) -> Sequence[Text] | None:
        old = file.beside.issued.get(file.data["replaces"] or "", ())
        if file.data["type"] != "RENEW" or not old:
            return None
        left = (japan_date(max(one.not_after for one in old)) - file.data["received_on"]).days
        if 0 <= left <= most:
            return ()
        return (
            Text(
                f"満了まで {left} 日で受領 (更新期間 {most} 日)",
                f"received {left} days before expiry, the window is {most} days",
            ),
        )

    return of_approved(judge)(run)


def _replaced(run: Run) -> Judge[File]:
    """Judge reissues that want the earlier certificates revoked first."""

    def judge(file: File) -> Sequence[Text] | None:
        new = [one for one in file.beside.issued.get(file.ref, ()) if one.seq in run.positions]
        old = file.beside.issued.get(file.data["replaces"] or "", ())
        if file.rule.previous != "revoked" or not new or not old:
            return None
        return [
            Text(
                f"旧証明書 {one.serial} が新しい発行時に有効",
                f"the replaced certificate {one.serial} lived when the new one was issued",
            )
            for one in old
            if any(one.lives(later.seq, later.at) for later in new)
        ]

    return judge


def _kept(_: Run) -> Judge[File]:
    def judge(file: File) -> Sequence[Text] | None:
        if not file.decisions or file.is_erased:
            return None
        return list(_missing(file)) if file.state != "EXAMINING" else None

    return judge


def _missing(file: File) -> Iterator[Text]:
    if not file.signed:
        yield Text("審査記録がない", "no record of the examination is kept")
    elif file.signed_digest != digest(file.data["dossier"].encode()):
        yield Text("審査記録が署名と異なる", "the record is not that which was signed")
    elif file.approval is not None or file.state == ApplicationState.REJECTED.value:
        changed = changed_fields(file.data, file.data["salt"], file.signed["fields"])
        if changed:
            names = ", ".join(changed)
            yield Text(f"審査した値と異なる: {names}", f"is not as it was examined: {names}")
    if None in (file.data["kanji_name"], file.data["birth_date"]):
        yield Text("申請者の記録がない", "who applied is not there")
    wanted = {rule.document for rule in file.required()} & {"APPLICATION_FORM"}
    if not wanted <= file.papers.keys():
        yield Text("申請書がない", "the application form is not there")
    for kind in (_EXAMINATION,), _DECISION:
        if not file.signers(*kind):
            yield Text(f"署名がない: {kind[0]}", f"no statement is kept: {kind[0]}")


def _erased(run: Run) -> Judge[File]:
    """Judge what was erased by the moment; drafts whose paper never came are no record."""
    years = int(run.number("RETAIN_YEARS"))

    def judge(file: File) -> Sequence[Text] | None:
        purges = [one for one in file.steps if one.code == "APP.PURGE"]
        if not file.is_erased and not purges:
            return None
        if not purges:
            gone = file.data["erased_at"] <= run.moment.at
            return (_UNTOLD,) if gone else None
        purge = purges[-1]
        if purge.move[0] == ApplicationState.DRAFT.value or purge.seq not in run.positions:
            return None
        return list(_disposal(file, purge, years))

    return judge


_UNTOLD = Text("廃棄の記録がない", "no entry tells who erased it")


def _disposal(file: File, purge: Step, years: int) -> Iterator[Text]:
    found = file.beside.statements.get(file.ref, ())
    signed = [
        one.operator_id
        for one in found
        if one.seq == purge.seq and one.type == StatementType.ERASURE
    ]
    if len(set(signed)) < 2 or purge.actor == purge.co_actor:
        yield Text("二人の署名がない", "two people did not sign it")
    ends = [one.not_after for one in file.beside.issued.get(file.ref, ())]
    ends = ends or [one.at for one in file.moves[-1:]]
    if ends and purge.at <= end_after_years(japan_date(max(ends)) + timedelta(days=1), years):
        yield Text(f"{years} 年の保存期間内", f"erased within the {years} years of keeping")


def _viewed(run: Run) -> Judge[File]:
    """Judge whether whoever examined or decided a file is entered as having seen it."""
    lists = _listed_views(run)

    def judge(file: File) -> Sequence[Text] | None:
        if not file.decisions or file.is_erased:
            return None
        decision = file.decisions[-1]
        people = {decision.actor, *file.signers(_EXAMINATION).values()}
        seen = any(
            one.actor in people and one.seq < decision.seq and one.code.startswith(_PERSONAL)
            for one in file.steps
        ) or any(
            lists.get((ref, one), decision.seq) < decision.seq
            for one in people
            for ref in (file.ref, "")
        )
        if seen:
            return ()
        return (
            Text(
                "審査・決定の前の閲覧記録がない",
                "no entry tells that who examined or decided it saw it",
            ),
        )

    return judge


def _listed_views(run: Run) -> Mapping[tuple[str, str], int]:
    """Return the first position at which someone saw a list with the file.

    The reference is empty for a list longer than what an entry names.
    """
    query = (
        sa.select(TrailEntry)
        .where(
            col(TrailEntry.code).in_(["PII.VIEW", "PII.PRINT", "PII.EXPORT"]),
            col(TrailEntry.object_type) == "applications",
            col(TrailEntry.seq) <= run.moment.head.seq,
        )
        .order_by(col(TrailEntry.seq))
        .execution_options(yield_per=500)
    )
    found: dict[tuple[str, str], int] = {}
    for entry in run.tx.execute(query).scalars():
        detail: Mapping[str, Any] = (entry.content() or {}).get("detail", {})
        refs = detail.get("files", ())
        whole = detail.get("count") == len(refs)
        for ref in refs if whole else (*refs, ""):
            found.setdefault((str(ref), entry.actor), entry.seq)
    return found


FILES: Ledger[File] = Ledger(
    "applications",
    rows,
    count,
    {
        **EXAMINATIONS,
        "HC-4.1-02": with_register(_reception_decides),
        "HC-4.2-01": _two_people,
        "HC-4.2-02": with_register(_own_file),
        "HC-4.2-03": _refusals,
        "HC-4.2-05": _in_time,
        "HC-4.2-06": _paid,
        "HC-4.6-02": _window,
        "HC-4.7-01": _replaced,
        "HC-5.5.1-01": _kept,
        "HC-5.5.2-01": _erased,
        "HC-9.4-02": _viewed,
    },
    cut=spans(rows, col(Application.ref), 4000),
)
