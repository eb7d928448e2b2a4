"""Whether a My Number (個人番号) stands in any text that is kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from ra.casework.records import Deficiency, DuplicateChoice, Fee, FieldMatch, Notice
from ra.records import (
    Application,
    Document,
    ImportRejection,
    ImportRun,
    PersonVersion,
    RevocationRequest,
)
from ra.records import (
    Check as Examined,
)
from reports.compliance.engine import Check
from reports.compliance.records import Answer, FindingRow
from reports.compliance.results import Outcome, Violation
from reports.compliance.run import Run
from reports.tables import Text

_BETWEEN = r"[-_\u2010-\u2015\u2212\u30fb\u30fc\s]?"
"""What may stand between digits: spaces, dashes, the long vowel mark, the middle dot."""
_TWELVE = re.compile(rf"(?<![0-9])[0-9](?:{_BETWEEN}[0-9]){{11}}(?![0-9])")
_WEIGHTS = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
"""Of the eleven digits from the left. Source: 平成26年総務省令第85号 art. 5, recalled."""
_TELEPHONE = "telephone"
_TEXTS: Sequence[tuple[Any, tuple[str, ...]]] = (
    (
        PersonVersion,
        (
            "kanji_name",
            "kana_name",
            "romaji_name",
            "former_surname",
            "postal_code",
            "address",
            "telephone",
            "email",
        ),
    ),
    (
        Application,
        (
            "registration_number",
            "institution_ja",
            "institution_en",
            "municipality",
            "office",
            "association",
            "member_id",
            "reject_reason",
        ),
    ),
    (Document, ("note",)),
    (Examined, ("note",)),
    (FieldMatch, ("seen", "explanation")),
    (DuplicateChoice, ("reason",)),
    (Deficiency, ("note",)),
    (Notice, ("way",)),
    (Fee, ("reference", "note")),
    (RevocationRequest, ("requester", "evidence", "refusal", "review_note")),
    (ImportRejection, ("text", "hint")),
    (ImportRun, ("file_name",)),
    (Answer, ("note", "evidence_name")),
    (FindingRow, ("fact", "action")),
)


def is_individual_number(digits: str) -> bool:
    """Return whether twelve ASCII digits have the check digit of a My Number."""
    rest = sum(int(one) * weight for one, weight in zip(digits, _WEIGHTS, strict=False)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


def numbers(text: str) -> Iterator[str]:
    """Yield what has twelve digits in the text, of any width, as ASCII digits."""
    for found in _TWELVE.finditer(unicodedata.normalize("NFKC", text)):
        yield re.sub(r"\D", "", found[0])


def stored(run: Run) -> Outcome:
    """Look through every text; what has twelve digits and no check digit is an observation.

    So is a telephone number, which may have one by chance.
    """
    outcome = Outcome()
    for table, names in _TEXTS:
        columns = sa.inspect(table).columns
        keys = sa.inspect(table).primary_key
        query = sa.select(*keys, *(columns[name] for name in names))
        for row in run.tx.execute(query, execution_options={"yield_per": 1000}):
            key = " ".join(map(str, row[: len(keys)]))
            facts = list(_found(outcome, f"{table.__tablename__} {key}", names, row[len(keys) :]))
            outcome.judge(f"{table.__tablename__} {key}", facts)
    return outcome


def _found(
    outcome: Outcome, row: str, names: Sequence[str], values: Sequence[str | None]
) -> Iterator[Text]:
    for name, value in zip(names, values, strict=True):
        for digits in numbers(value or ""):
            if name == _TELEPHONE or not is_individual_number(digits):
                fact = Text(f"{name} に12桁の数字", f"twelve digits in {name}")
                outcome.observations.append(Violation(row, fact))
            else:
                yield Text(f"{name} に個人番号らしい数字", f"{name} holds what may be a My Number")


CHECKS: Mapping[str, Check] = {"HC-9.3-01": stored}
