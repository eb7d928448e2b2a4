"""What is told before a batch is what the step itself says; lists of names, read in pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pki.errors import HpkiError
from policies.moves import ApplicationState
from ra.casework.inquiries import AnswerOutcome, inquiry_csv
from ra.hindrances import Hindrances
from ra.persons.records import Wanted, list_applications
from tests.flows.conftest import Centre
from tests.flows.registration import PAPERS, bring_to_examination, row, take_in

PHOTO_GONE = PAPERS["POST"].replace("PHOTO;", "")
OLD_PAPER = PAPERS["POST"].replace("2026-08-20", "2026-01-20")


def refusal(act: Callable[[], object]) -> str:
    """The code of the error that the call raises; empty for none."""
    try:
        act()
    except HpkiError as error:
        return error.code
    return ""


def test_what_is_told_is_what_happens(centre: Centre) -> None:
    take_in(centre, row(1), row(2, documents=PHOTO_GONE), row(3, documents=OLD_PAPER), row(4))
    told = Hindrances(centre.store, centre.examination)
    examiner, approver = centre.signers["uketsuke"], centre.signers["shonin"]
    who = examiner.operator_id
    refs = [f"T2026-000{number}" for number in (1, 2, 3, 4, 5)]

    def compare(foretell: Callable[[str], object], act: Callable[[str], object]) -> list[str]:
        before = [refusal(lambda ref=ref: foretell(ref)) for ref in refs]  # type: ignore[misc]
        after = [refusal(lambda ref=ref: act(ref)) for ref in refs]  # type: ignore[misc]
        assert [bool(code) for code in before] == [bool(code) for code in after]
        return before

    unknown = "ra.application.unknown"
    assert compare(
        lambda ref: told.of_completion(ref, who),
        lambda ref: centre.reception.complete(ref, examiner),
    ) == ["", "ra.guard.documents_present", "", "", unknown]
    for ref in (refs[0], refs[2]):
        for kind in ("IDENTITY", "DATA_MATCH"):
            centre.examination.check(ref, kind, examiner, ok=True)
    asked = [refusal(lambda ref=ref: told.of_inquiry(ref, who)) for ref in refs]  # type: ignore[misc]
    assert asked == ["", "ra.state", "", "ra.guard.identity_matched", unknown]
    made = centre.inquiries.make([refs[0], refs[2]], examiner)
    answers = centre.inquiries.answer(inquiry_csv(made.rows, "登録あり"), examiner)
    assert [one.outcome for one in answers] == [AnswerOutcome.CONFIRMED] * 2
    head = centre.trail.verify()
    strict = [refusal(lambda ref=ref: told.of_examination(ref, who)) for ref in refs]  # type: ignore[misc]
    assert strict[0] == "ra.guard.checked"
    assert centre.trail.verify() == head
    assert compare(
        lambda ref: told.of_examination(ref, who, rest_ok=True),
        lambda ref: centre.examination.examine(ref, examiner, rest_ok=True),
    ) == ["", "ra.state", "ra.document.old", "ra.guard.no_inquiry", unknown]
    assert compare(
        lambda ref: told.of_approval(ref, approver.operator_id),
        lambda ref: centre.examination.approve(ref, approver),
    ) == ["", "ra.state", "ra.state", "ra.state", unknown]


def test_a_changed_file_is_told_before_anybody_signs(centre: Centre) -> None:
    take_in(centre, row())
    bring_to_examination(centre, "T2026-0001")
    centre.examination.examine("T2026-0001", centre.signers["uketsuke"], rest_ok=True)
    with centre.store.begin() as tx:
        tx.connection().exec_driver_sql("UPDATE application SET work_prefecture = '01'")
    told = Hindrances(centre.store, centre.examination)
    assert refusal(lambda: told.of_approval("T2026-0001", "shonin")) == "ra.dossier.changed"


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (None, ["T2026-0001", "T2026-0002", "T2026-0003"]),
        ("高橋", ["T2026-0001"]),
        ("サイトウ", ["T2026-0002"]),
        ("saito", ["T2026-0002"]),
        ("900003", ["T2026-0003"]),
        ("90000", []),
        ("　", []),
    ],
)
def test_names_are_found_in_any_spelling(
    centre: Centre, search: str | None, found: list[str]
) -> None:
    names = {"kanji_name": "齋藤　幸", "kana_name": "サイトウ　サチ", "romaji_name": "SAITO SACHI"}
    other = {"kanji_name": "王　明", "kana_name": "ワン　ミン", "romaji_name": "WANG MING"}
    take_in(centre, row(1), row(2, **names), row(3, **other))
    with centre.store.read() as tx:
        rows = list_applications(tx, Wanted(search=search))
        assert [one.application_ref for one in rows] == found
        if search is None:
            assert [one.kanji_name for one in rows] == ["髙橋　一郎", "齋藤　幸", "王　明"]
            paged = list_applications(tx, Wanted(after="T2026-0001", limit=1))
            assert [one.application_ref for one in paged] == ["T2026-0002"]
            assert list_applications(tx, Wanted(states=(ApplicationState.REJECTED,))) == []
            assert list_applications(tx, Wanted(office="sapporo")) == []
