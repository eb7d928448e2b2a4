"""The columns of an application list, and what makes a single cell unsound."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import jaconv

from pki.errors import InvalidInput
from policies.applications import ApplicationType, Channel, application_types, channels
from ra.dates import parse_date
from ra.lists.faults import Fault, FaultCode, Rulebook
from ra.lists.table import show
from ra.persons import names

NO_WORKPLACE = "なし"
"""What an applicant without a workplace writes. Source: jmaca.med.or.jp, application."""


@dataclass(frozen=True)
class Column:
    """One column; ``check`` gives the faults of a cell that is not empty.

    ``lackable``: a file may come without it, which is as if all its cells were empty.
    """

    name: str
    label: str
    check: Callable[[Column, str, Rulebook], Iterator[Fault]]
    mandatory: bool = True
    is_name: bool = False
    lackable: bool = False

    @property
    def title(self) -> str:
        """Return the column in a sentence: ``field birth_date (生年月日)``."""
        return f"field {self.name} ({self.label})"

    def fault(self, code: FaultCode, rest: str, hint: str) -> Fault:
        """Return a fault whose text is ``The <column> <rest>.``."""
        return Fault(code, self.name, f"The {self.title} {rest}.", hint)


@lru_cache(maxsize=1024)
def parse_day(cell: str) -> date:
    """Return ``parse_date`` of the cell, remembered: a row's dates are wanted three times."""
    return parse_date(cell)


def parse_documents(cell: str) -> Mapping[str, str]:
    """Return the codes of a semicolon list in its order, each with the text of its date or empty.

    ``PHOTO; RESIDENT_RECORD@2026-08-30``. Empty items are passed over; of a code that comes twice
    the first date counts.
    """
    found: dict[str, str] = {}
    for code, day in _items(cell):
        found.setdefault(code, day)
    return found


def _items(cell: str) -> Iterator[tuple[str, str]]:
    for item in cell.split(";"):
        code, _, day = item.partition("@")
        if item.strip(" "):
            yield code.strip(" "), day.strip(" ")


def check_cell(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    """Yield the faults of a filled cell: of its characters, or if those are sound of its form."""
    forbidden = names.forbidden_character(cell)
    if forbidden is None:
        yield from column.check(column, cell, rulebook)
    elif forbidden.private_use:
        yield column.fault(
            FaultCode.PRIVATE_USE,
            f"holds {forbidden.code_point} at position {forbidden.position}, a character that"
            " only some computers know (外字)",
            "Write the standard character of the resident record, or the common form.",
        )
    else:
        yield column.fault(
            FaultCode.CHARACTER,
            f"holds the unreadable or control character {forbidden.code_point} at position"
            f" {forbidden.position}",
            "Remove it or type the field again.",
        )


def _free(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    yield from ()


def _pattern(
    code: FaultCode, pattern: str, rest: str, hint: str, *, quoted: bool = True
) -> Callable[[Column, str, Rulebook], Iterator[Fault]]:
    """Return a check that the whole cell matches; ``quoted`` cells hold nothing personal."""
    compiled = re.compile(pattern)

    def check(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
        if compiled.fullmatch(cell) is None:
            yield column.fault(code, f"{show(cell)} {rest}" if quoted else rest, hint)

    return check


def _nearest(cell: str, known: Collection[str], japanese: Mapping[str, str] | None = None) -> str:
    """Return a hint: the code of that Japanese name, else the nearest, else all there are."""
    named = [code for code, name in (japanese or {}).items() if name == cell]
    near = named or difflib.get_close_matches(cell[:40], sorted(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else f"Write one of {', '.join(sorted(known))}."


def _day(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    try:
        day = parse_day(cell)
    except InvalidInput as error:
        yield Fault(
            FaultCode.DATE, column.name, f"The {column.title} is wrong: {error.text}", error.hint
        )
        return
    if day > rulebook.today:
        yield column.fault(FaultCode.FUTURE, f"{cell} lies in the future", "Compare the form.")


def _type(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if cell not in ApplicationType.__members__:
        japanese = {str(rule.code): rule.japanese for rule in application_types().values()}
        hint = _nearest(cell, ApplicationType.__members__, japanese)
        yield column.fault(FaultCode.TYPE, f"{show(cell)} is not known", hint)


def _channel(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if cell not in Channel.__members__:
        japanese = {str(rule.code): rule.japanese for rule in channels().values()}
        hint = _nearest(cell, Channel.__members__, japanese)
        yield column.fault(FaultCode.CHANNEL, f"{show(cell)} is not known", hint)


def _kanji_name(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if not names.is_kanji_name(cell):
        yield column.fault(
            FaultCode.KANJI_NAME,
            "is neither family and given name with one full-width space between nor a name in"
            " Latin letters",
            "Write it as in the resident record, with U+3000 between family and given name.",
        )


def _kana_name(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if names.is_kana_name(cell):
        return
    wide = unicodedata.normalize("NFC", jaconv.hira2kata(jaconv.h2z(cell)))
    spaced = names.IDEOGRAPHIC_SPACE.join(wide.split())
    hint = "Write full-width katakana with one full-width space between the names."
    if names.is_kana_name(spaced):
        hint = f"Write {spaced} if that is the name."
    yield column.fault(FaultCode.KANA_NAME, "is not full-width katakana and spaces", hint)


_ROMAJI = re.compile(r"[A-Za-z]+(?:(?:\. |[ '.-])[A-Za-z]+)*\.?")


def _romaji_name(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if _ROMAJI.fullmatch(cell) is None:
        rest = "is not ASCII letters with single spaces, hyphens, apostrophes and dots between"
        hint = "Write it as in the passport; it goes into the certificate."
        yield column.fault(FaultCode.ROMAJI_NAME, rest, hint)
    if len(cell) > 64:
        rest = f"has {len(cell)} characters; a certificate holds 64"
        hint = "Shorten a given name to its first letter, as agreed with the applicant."
        yield column.fault(FaultCode.ROMAJI_LENGTH, rest, hint)


def _former_surname(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if not (names.is_name_part(cell) or names.is_latin_name(cell)):
        hint = "Write it as on the evidence, without given name; or leave it empty."
        yield column.fault(FaultCode.FORMER_SURNAME, "is not a surname alone", hint)


def _profession(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if cell not in rulebook.roles.professions:
        hint = _nearest(cell, rulebook.roles.professions)
        if cell in rulebook.roles.director_roles:
            hint = "Write the licence here, and this in director_role (管理者等資格)."
        yield column.fault(FaultCode.PROFESSION, f"{show(cell)} is not a known qualification", hint)


def _director_role(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    if cell not in rulebook.roles.director_roles:
        hint = _nearest(cell, rulebook.roles.director_roles)
        yield column.fault(FaultCode.DIRECTOR_ROLE, f"{show(cell)} is no administrator role", hint)


def _documents(column: Column, cell: str, rulebook: Rulebook) -> Iterator[Fault]:
    known = rulebook.documents.names
    items = tuple(_items(cell))
    codes = [code for code, _ in items]
    for code in dict.fromkeys(codes):
        if code not in known:
            hint = _nearest(code, known, known)
            yield column.fault(
                FaultCode.DOCUMENT_UNKNOWN, f"lists {show(code)}, no document code", hint
            )
        if codes.count(code) > 1:
            hint = "Name each document once."
            yield column.fault(FaultCode.DOCUMENT_TWICE, f"lists {show(code)} more than once", hint)
    for _, day in items:
        if day:
            yield from _day(column, day, rulebook)


_REF = "[A-Za-z0-9-]{4,32}"
COLUMNS = (
    Column(
        "application_ref",
        "申請番号",
        _pattern(
            FaultCode.APPLICATION_REF,
            _REF,
            "is not 4 to 32 ASCII letters, digits and hyphens",
            "Write the number given at reception: T2026-0001.",
        ),
    ),
    Column("type", "申請種別", _type),
    Column("channel", "受付経路", _channel),
    Column("received_on", "受付日", _day),
    Column("kanji_name", "氏名(漢字)", _kanji_name, is_name=True),
    Column("kana_name", "氏名(カナ)", _kana_name, is_name=True),
    Column("romaji_name", "氏名(ローマ字)", _romaji_name, is_name=True),
    Column("former_surname", "旧姓", _former_surname, mandatory=False, is_name=True),
    Column("birth_date", "生年月日", _day),
    Column("profession", "資格", _profession),
    Column(
        "registration_number",
        "登録番号",
        _pattern(
            FaultCode.REGISTRATION_NUMBER,
            "[0-9]{1,10}",
            "is not 1 to 10 digits",
            "Write the digits alone, without 第 and 号.",
            quoted=False,
        ),
    ),
    Column("registration_date", "登録年月日", _day),
    Column("director_role", "管理者等資格", _director_role, mandatory=False),
    Column("institution_ja", "勤務先", _free),
    Column(
        "institution_en",
        "勤務先(英語)",
        _pattern(
            FaultCode.INSTITUTION_EN,
            "[ -~]{1,64}",
            "is not at most 64 printable ASCII characters",
            "Write it in English or romaji; it goes into the certificate.",
        ),
        mandatory=False,
    ),
    Column(
        "work_prefecture",
        "勤務先都道府県",
        _pattern(
            FaultCode.WORK_PREFECTURE,
            "0[1-9]|[1-3][0-9]|4[0-7]|99",
            "is not the code of a prefecture",
            "Write two digits, 01 to 47, or 99 for overseas (海外); spreadsheets drop the 0.",
        ),
    ),
    Column("municipality", "市区町村", _free, mandatory=False),
    Column(
        "postal_code",
        "郵便番号",
        _pattern(
            FaultCode.POSTAL_CODE,
            "[0-9]{3}-[0-9]{4}",
            "is not three digits, a hyphen and four digits",
            "Write it as 113-0021, in half-width digits.",
            quoted=False,
        ),
    ),
    Column("address", "住所", _free),
    Column(
        "telephone",
        "電話番号",
        _pattern(
            FaultCode.TELEPHONE,
            "(?=(?:[0-9]-?){9,15}$)0[0-9]*(?:-[0-9]+)*",
            "is not 9 to 15 digits from 0 on with single hyphens",
            "Write a number under which the applicant can be called back in case of loss;"
            " spreadsheets drop the first 0.",
            quoted=False,
        ),
    ),
    Column(
        "email",
        "メールアドレス",
        _pattern(
            FaultCode.EMAIL,
            r"(?=.{6,254}$)[A-Za-z0-9_][A-Za-z0-9._%+-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}",
            "is not an e-mail address",
            "Compare it with the form; leave it empty if there is none.",
            quoted=False,
        ),
        mandatory=False,
    ),
    Column(
        "member_id",
        "会員番号",
        _pattern(
            FaultCode.MEMBER_ID,
            "[0-9]{10}",
            "is not ten digits",
            "Write all ten digits with leading zeros; leave it empty for non-members.",
            quoted=False,
        ),
        mandatory=False,
    ),
    Column("documents", "提出書類", _documents, mandatory=False),
    Column("terms_version", "利用規約の版", _free),
    Column(
        "office",
        "受付審査局",
        _pattern(
            FaultCode.OFFICE,
            "[A-Z0-9-]{1,16}",
            "is not 1 to 16 capital letters, digits and hyphens",
            "Write the code of the reception office.",
        ),
        mandatory=False,
        lackable=True,
    ),
    Column("association", "所属医師会", _free, mandatory=False, lackable=True),
    Column(
        "replaces",
        "旧申請番号",
        _pattern(
            FaultCode.REPLACES,
            _REF,
            "is not 4 to 32 ASCII letters, digits and hyphens",
            "Write the number of the application whose certificates this one is about.",
        ),
        mandatory=False,
        lackable=True,
    ),
    Column(
        "web_id",
        "ウェブ申請ID",
        _pattern(
            FaultCode.WEB_ID,
            "[A-Za-z0-9-]{1,64}",
            "is not 1 to 64 ASCII letters, digits and hyphens",
            "Copy it from the web form; leave it empty for an application on paper.",
            quoted=False,
        ),
        mandatory=False,
        lackable=True,
    ),
)
LABELS = {column.name: column.label for column in COLUMNS}
LACKABLE = frozenset(column.name for column in COLUMNS if column.lackable)
