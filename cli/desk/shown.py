"""A file as the desk shows it: who, what is to be ticked, and the digest of all that was read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from cli.terms import channel_term, check_term, document_term, state_term, term, type_term
from policies.documents import load_document_rules
from policies.moves import ApplicationState
from ra import records
from ra.casework.duplicates import candidates
from ra.casework.guards import (
    ROMAJI,
    current_documents,
    has_unusual_romaji,
    missing_documents,
    wanted_checks,
)
from ra.casework.matches import FIELDS_ON, given_fields
from ra.casework.records import (
    FieldMatch,
    choices_of,
    deficiencies_of,
    inquiries_of,
    matches_of,
)
from ra.dates import both_calendars, parse_date
from ra.lists.columns import LABELS
from ra.persons.applicants import birth_date_of
from ra.persons.matching import match_field
from ra.records import Application, Document
from store.database import Transaction


class Kind(StrEnum):
    """What a line is about."""

    PAPER = "PAPER"
    FIELD = "FIELD"
    CHECK = "CHECK"
    DUPLICATE = "DUPLICATE"
    REGISTER = "REGISTER"


@dataclass(frozen=True)
class Line:
    """One line to be ticked; ``mark`` is the code of what was said of it, empty while open.

    ``key``: code and number of a paper, paper and field, kind of check, or another reference.
    ``dated``: the date on a paper is known.
    """

    kind: Kind
    key: tuple[str, ...]
    label: str
    value: str
    mark: str = ""
    words: tuple[str, ...] = ()
    dated: bool = False

    @property
    def to_be_ticked(self) -> bool:
        """Whether nobody said anything of it; the register speaks for itself."""
        return not self.mark and self.kind is not Kind.REGISTER


@dataclass(frozen=True)
class Shown:
    """A file as it was read at one moment; ``digest`` is that of the rows it was read from."""

    ref: str
    state: ApplicationState
    digest: str
    person: tuple[str, ...]
    lines: tuple[Line, ...]
    missing: tuple[str, ...]

    def next_open(self, after: int = -1) -> int | None:
        """Return the first line after one that is still to be ticked, else the first of all."""
        count = len(self.lines)
        order = [(after + 1 + step) % count for step in range(count)]
        return next((one for one in order if self.lines[one].to_be_ticked), None)

    def line(self, kind: Kind, *key: str) -> Line | None:
        """Return the line of that key."""
        return next((one for one in self.lines if (one.kind, one.key) == (kind, key)), None)


def read_shown(tx: Transaction, application: Application, digest: str) -> Shown:
    """Return the file as the rows are now."""
    lines = (
        *_papers(tx, application),
        *_checks(tx, application),
        *_duplicates(tx, application),
    )
    return Shown(
        application.ref,
        application.state,
        digest,
        tuple(_person(tx, application)),
        lines,
        missing_documents(tx, application),
    )


def _person(tx: Transaction, row: Application) -> Iterator[str]:
    version = records.applicant(tx, row)
    former = f" 旧姓 {version.former_surname}" if version.former_surname else ""
    licence = both_calendars(row.registration_date) if row.registration_date else ""
    yield f"{row.ref}  {state_term(row.state)}"
    yield f"{version.kanji_name}  {version.kana_name}"
    yield f"{version.romaji_name}{former}"
    yield f"{both_calendars(birth_date_of(tx, row))} 生"
    yield f"{row.profession} 第{row.registration_number}号 {licence}"
    yield f"〒{version.postal_code} {version.address}"
    office = f" {row.office}" if row.office else ""
    yield f"{type_term(row.type)} {channel_term(row.channel)}{office} {row.received_on}"
    if row.director_role:
        yield f"{row.director_role} {row.institution_ja or ''}"
    if row.replaces:
        yield f"{LABELS['replaces']} {row.replaces}"
    for asked in deficiencies_of(tx, row.ref):
        items = "・".join(document_term(item) for item in asked.items.split(","))
        when = f"{asked.supplied_on} 補完" if asked.supplied_on else "補完待ち"
        yield f"不備 {asked.asked_on} {items} {when} {asked.note}".rstrip()


def _papers(tx: Transaction, application: Application) -> Iterator[Line]:
    given = given_fields(tx, application)
    said = {(one.source, one.field): one for one in matches_of(tx, application.ref)}
    order = list(load_document_rules().document)
    papers = current_documents(tx, application.ref)
    for paper in sorted(papers, key=lambda one: order.index(one.code)):
        yield _paper(paper)
        fields = FIELDS_ON.get(paper.code, ())
        if paper.code == ROMAJI[0] and has_unusual_romaji(tx, application):
            fields = (*fields, ROMAJI[1])
        for field in fields:
            if given[field]:
                yield _field(paper.code, field, given[field], said.get((paper.code, field)))


def _paper(paper: Document) -> Line:
    dated = both_calendars(paper.issued_on) if paper.issued_on else ""
    if paper.valid_until:
        dated += f" 期限 {both_calendars(paper.valid_until)}"
    kept = (paper.media_type or "").rpartition("/")[2].upper() or "紙"
    mark = paper.result.value if paper.result else ""
    value = f"{kept} {dated}".rstrip()
    words = (paper.note,) if paper.note else ()
    label = document_term(paper.code).partition(" ")[0]
    key = (paper.code, str(paper.number))
    return Line(Kind.PAPER, key, label, value, mark, words, paper.issued_on is not None)


def _field(source: str, field: str, given: str, said: FieldMatch | None) -> Line:
    words: tuple[str, ...] = ()
    if said is not None and said.seen:
        match = match_field(field, given, said.seen)
        words = (f"書類「{said.seen}」", match.words_ja)
        words += (f"説明: {said.explanation}",) if said.explanation else ()
    mark = said.verdict if said else ""
    return Line(Kind.FIELD, (source, field), label_of(field), readable(field, given), mark, words)


def label_of(field: str) -> str:
    """Return the Japanese name of a field."""
    return LABELS[field]


def readable(field: str, value: str) -> str:
    """Return a value as it is read: dates in both calendars."""
    return both_calendars(parse_date(value)) if field.endswith("_date") else value


def _checks(tx: Transaction, application: Application) -> Iterator[Line]:
    done = {one.kind: one for one in records.checks_of(tx, application.ref)}
    for rule in wanted_checks(application):
        one = done.get(rule.kind)
        label = check_term(rule.kind).partition(" ")[0]
        if rule.kind == "QUALIFICATION" and (one is None or one.method == "MHLW_REGISTER"):
            yield _register(tx, application, label)
            continue
        words = (one.note,) if one is not None and one.note else ()
        mark = one.result.value if one else ""
        value = one.method if one else ""
        yield Line(Kind.CHECK, (rule.kind,), label, value, mark, words)


def _register(tx: Transaction, application: Application, label: str) -> Line:
    asked = inquiries_of(tx, application.ref)
    if not asked:
        return Line(Kind.REGISTER, (), label, "登録簿へ未照会")
    newest = asked[-1]
    if newest.answer is None:
        return Line(Kind.REGISTER, (), label, f"{newest.inquiry_id} 回答待ち")
    given = given_fields(tx, application)
    words = tuple(
        f"{label_of(one.field)}: {match_field(one.field, given[one.field], one.seen).words_ja}"
        for one in matches_of(tx, application.ref)
        if one.source == "REGISTER" and one.seen
    )
    value = f"{newest.inquiry_id} {both_calendars(newest.answered_on or application.received_on)}"
    return Line(Kind.REGISTER, (), label, value, newest.answer.value, words)


def _duplicates(tx: Transaction, application: Application) -> Iterator[Line]:
    choices = {one.other_ref: one for one in choices_of(tx, application.ref)}
    for one in candidates(tx, application):
        other, choice = one.other, choices.get(one.other.ref)
        why = "・".join(term(likeness).partition(" ")[0] for likeness in one.likenesses)
        name = records.applicant(tx, other).kanji_name
        words = (why, *((f"理由: {choice.reason}",) if choice else ()))
        value = f"{other.ref} {name} {state_term(other.state).partition(' ')[0]}"
        mark = choice.choice.value if choice else ""
        yield Line(Kind.DUPLICATE, (other.ref,), "重複の疑い", value, mark, words)
