"""Intake: what is stored of sound rows, what of bad ones, and nobody twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import pytest
from sqlmodel import SQLModel, col, select

from audit.records import TrailEntry
from audit.trail import Trail
from operators.records import Operator
from operators.statements import KeySigner
from pki.errors import InvalidInput, Refused, Unavailable
from policies.moves import ApplicationState
from policies.roles import Role
from ra import records
from ra.casework.duplicates import Likeness, candidates
from ra.dossiers import salted
from ra.intake import Intake, Outcome
from ra.lists.workbook import SheetColumn, write_workbook
from ra.records import (
    Application,
    Document,
    ImportRejection,
    ImportRun,
    Person,
    PersonVersion,
)
from tests.flows.conftest import Centre, identity, p256
from tests.flows.registration import Row, entries, list_of, outcomes, row, take_in

TABLES: tuple[type[SQLModel], ...] = (
    Person,
    PersonVersion,
    Application,
    Document,
    ImportRejection,
    ImportRun,
    TrailEntry,
)

# 𠮷 beyond the BMP, 髙 and 﨑 beside 高 and 崎, a variation sequence, 神 that NFC would change
RARE_NAMES = {
    "𠮷田　健": "ヨシダ　ケン",
    "髙﨑　彩": "タカサキ　アヤ",
    "辻\U000e0100　香織": "ツジ　カオリ",
    "\ufa19田　聡": "カミタ　サトシ",
}


def counts(centre: Centre) -> dict[str, int]:
    with centre.store.read() as tx:
        return {table.__name__: len(tx.exec(select(table)).all()) for table in TABLES}


def added(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def persons_of(centre: Centre, *refs: str) -> list[str]:
    with centre.store.read() as tx:
        return [tx.get_one(Application, ref).person_id for ref in refs]


def applicant(centre: Centre, ref: str) -> PersonVersion:
    with centre.store.read() as tx:
        return records.applicant(tx, tx.get_one(Application, ref))


def test_names_are_stored_byte_for_byte(empty_centre: Centre) -> None:
    rows = [
        row(number, kanji_name=kanji, kana_name=kana, former_surname="", romaji_name="DEMO NAME")
        for number, (kanji, kana) in enumerate(RARE_NAMES.items(), start=1)
    ]
    take_in(empty_centre, *rows)
    found = {
        one.encode()
        for one in (applicant(empty_centre, item["application_ref"]).kanji_name for item in rows)
    }
    assert found == {name.encode() for name in RARE_NAMES}


def test_every_cell_of_a_sound_row_is_stored(empty_centre: Centre) -> None:
    given = row(
        registration_number="012345",
        director_role="病院長",
        institution_ja="架空\u2f9e病院",
        institution_en="Fictitious Hospital",
        work_prefecture="01",
        municipality="札幌市",
        former_surname="𠮷野",
        member_id="0000000012",
        documents="APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD@2026-08-20"
        ";ORG_DOC;FORMER_NAME_DOC",
    )
    report = take_in(empty_centre, given)
    assert outcomes(report) == [("T2026-0001", "ACCEPTED", ())]
    with empty_centre.store.read() as tx:
        application = tx.get_one(Application, "T2026-0001")
        person = tx.get_one(Person, application.person_id)
        version = records.applicant(tx, application)
        documents = records.documents_of(tx, application.ref)
        run = tx.get_one(ImportRun, application.import_id)
    stored = {
        **{name: getattr(version, name) for name in given if hasattr(version, name)},
        **{name: getattr(application, name) for name in given if hasattr(application, name)},
        "application_ref": application.ref,
        "birth_date": person.birth_date,
        "documents": ";".join(
            f"{one.code}@{one.issued_on}" if one.issued_on else one.code for one in documents
        ),
    }
    expected = given | {"documents": ";".join(sorted(given["documents"].split(";")))}
    assert {name: str(value) for name, value in stored.items()} == expected
    assert {(one.number, one.received_on, one.file_name) for one in documents} == {
        (1, date(2026, 9, 1), None)
    }
    assert (application.state, application.state_since, application.due_on) == (
        ApplicationState.RECEIVED,
        empty_centre.now,
        empty_centre.registrar.due_on(application),
    )
    assert (run.file_name, run.operator_id) == ("list.csv", "uketsuke")
    assert (run.at, version.valid_from) == (empty_centre.now, date(2026, 9, 1))


def test_a_bad_row_leaves_only_its_rejection_and_stops_nothing(empty_centre: Centre) -> None:
    bad = row(2, kanji_name="渡\ue000　直樹", telephone="tel", work_prefecture="48")
    before = counts(empty_centre)
    report = take_in(empty_centre, row(1), bad, row(3))
    faults = ("ra.row.private_use", "ra.row.work_prefecture", "ra.row.telephone")
    assert outcomes(report) == [
        ("T2026-0001", "ACCEPTED", ()),
        ("T2026-0002", "REJECTED", faults),
        ("T2026-0003", "ACCEPTED", ()),
    ]
    assert added(before, counts(empty_centre)) == {
        "Person": 2,
        "PersonVersion": 2,
        "Application": 2,
        "Document": 10,
        "ImportRejection": 3,
        "ImportRun": 1,
        "TrailEntry": 3,
    }
    with empty_centre.store.read() as tx:
        assert tx.get(Application, "T2026-0002") is None
        kept = tx.exec(select(ImportRejection).order_by(col(ImportRejection.position))).all()
    assert [(one.line, one.position, one.code) for one in kept] == [
        (3, position, code) for position, code in enumerate(faults)
    ]
    assert {one.row_digest for one in kept} == {report.verdicts[1].row_digest}
    personal = ("渡", "直樹", "tel", bad["address"], bad["birth_date"], bad["email"])
    words = " ".join(f"{one.text} {one.hint}" for one in kept)
    assert [value for value in personal if value in words.replace("telephone", "")] == []


def test_the_trail_names_the_rows_and_nobody(empty_centre: Centre) -> None:
    given = row(1, former_surname="", email="applicant1@example.jp")
    report = take_in(empty_centre, given, row(2, profession="内科医"))
    received, change = entries(empty_centre, "APP.RECEIVE", "DATA.CHANGE")[-2:]
    bodies = [json.loads(entry.body) for entry in (received, change)]
    assert [(one["object_id"], one["actor_id"], one["actor_role"]) for one in bodies] == [
        ("T2026-0001", "uketsuke", "RA_RECEPTION"),
        (report.import_id, "uketsuke", "RA_RECEPTION"),
    ]
    with empty_centre.store.read() as tx:
        salt = tx.get_one(Application, "T2026-0001").salt
    digest = report.verdicts[0].row_digest
    assert bodies[0]["detail"]["row"] == salted("row", digest, salt)
    tally = {str(outcome): report.count(outcome) for outcome in Outcome}
    assert bodies[1]["detail"] == {"sha256": bodies[1]["detail"]["sha256"], **tally}
    assert tally == {"ACCEPTED": 1, "ALREADY": 0, "REJECTED": 1}
    personal = ("kanji_name", "kana_name", "romaji_name", "birth_date", "address", "telephone")
    whole = "".join(entry.body for entry in entries(empty_centre))
    assert [name for name in personal if given[name] in whole] == []


def test_the_same_file_twice_doubles_nobody(empty_centre: Centre) -> None:
    rows = [row(1), row(2, profession="内科医"), row(3)]
    first = take_in(empty_centre, *rows)
    before = counts(empty_centre)
    again = take_in(empty_centre, *rows)
    assert again.import_id == first.import_id
    assert [outcome for _, outcome, _ in outcomes(again)] == ["ALREADY", "REJECTED", "ALREADY"]
    assert added(before, counts(empty_centre)) == {"TrailEntry": 1}


def test_a_workbook_of_rows_taken_in_from_csv_changes_nothing(empty_centre: Centre) -> None:
    take_in(empty_centre, row(1))
    given = row(1) | {"office": ""}
    octets = write_workbook("list", [SheetColumn(name, name) for name in given], [given])
    signer = empty_centre.signers["uketsuke"]
    again = empty_centre.intake.import_list(octets, "list.xlsx", signer)
    assert [outcome for _, outcome, _ in outcomes(again)] == ["ALREADY"]


def test_the_same_row_in_another_file_is_already_there(empty_centre: Centre) -> None:
    take_in(empty_centre, row(1))
    before = counts(empty_centre)
    again = take_in(empty_centre, row(2), row(1))
    assert [outcome for _, outcome, _ in outcomes(again)] == ["ACCEPTED", "ALREADY"]
    grown = added(before, counts(empty_centre))
    assert (grown["Application"], grown["Person"]) == (1, 1)


def test_a_reference_with_other_content_is_taken(empty_centre: Centre) -> None:
    take_in(empty_centre, row(1))
    before = counts(empty_centre)
    other = row(1, address="大阪府大阪市架空町9-9", registration_number="912999")
    assert outcomes(take_in(empty_centre, other)) == [
        ("T2026-0001", "REJECTED", ("ra.row.ref_taken",))
    ]
    grown = added(before, counts(empty_centre))
    assert grown == {"ImportRejection": 1, "ImportRun": 1, "TrailEntry": 1}
    assert applicant(empty_centre, "T2026-0001").address == row(1)["address"]


def alike(centre: Centre, ref: str) -> dict[str, tuple[Likeness, ...]]:
    """The files that the examiner of this one must choose about."""
    with centre.store.read() as tx:
        found = candidates(tx, tx.get_one(Application, ref))
    return {one.other.ref: one.likenesses for one in found}


def test_a_licence_with_two_applications_is_shown_to_their_examiner(empty_centre: Centre) -> None:
    """Across files and within one; another profession's register counts by itself."""
    same = {"registration_number": "900777"}
    report = take_in(
        empty_centre,
        row(1, **same),
        row(2, **same),
        row(3, **same, profession="歯科医師"),
    )
    assert [outcome for _, outcome, _ in outcomes(report)] == ["ACCEPTED"] * 3
    assert outcomes(take_in(empty_centre, row(4, **same))) == [("T2026-0004", "ACCEPTED", ())]
    licence = (Likeness.SAME_LICENCE,)
    assert alike(empty_centre, "T2026-0004") == {"T2026-0001": licence, "T2026-0002": licence}
    assert alike(empty_centre, "T2026-0001") == {"T2026-0002": licence, "T2026-0004": licence}
    assert alike(empty_centre, "T2026-0003") == {}


def test_which_applications_are_shown_as_open(empty_centre: Centre) -> None:
    """Without certificates; drafts may never come, and what is over holds nothing."""
    same = {"registration_number": "900777"}
    take_in(empty_centre, row(1, **same), row(2, **same))
    shown = set()
    for state in ApplicationState:
        with empty_centre.store.begin() as tx:
            tx.get_one(Application, "T2026-0001").state = state
        if alike(empty_centre, "T2026-0002"):
            shown.add(state.value)
    assert shown == {
        "RECEIVED", "DEFICIENT", "EXAMINING", "QUAL_INQUIRY", "EXAMINED", "APPROVED",
        "PAYMENT_WAIT", "ISSUING",
    }  # fmt: skip


def test_a_second_licence_is_the_same_persons(empty_centre: Centre) -> None:
    """On one day with one version; later with telephone and spelling as they are then."""
    same_day = row(1, application_ref="T2026-0100", profession="薬剤師")
    changed = {"telephone": "000-0000-1234", "romaji_name": "TAKAHASHI ICHIROH"}
    later = row(1, application_ref="T2026-0200", profession="歯科医師", **changed)
    take_in(empty_centre, row(1))
    before = counts(empty_centre)
    report = take_in(empty_centre, same_day, later | {"received_on": "2026-10-01"})
    assert report.count(Outcome.ACCEPTED) == 2
    refs = ("T2026-0001", "T2026-0100", "T2026-0200")
    assert len(set(persons_of(empty_centre, *refs))) == 1
    grown = added(before, counts(empty_centre))
    assert (grown.get("Person"), grown["PersonVersion"]) == (None, 1)
    numbers = [applicant(empty_centre, ref).telephone for ref in refs]
    assert numbers == [row(1)["telephone"], row(1)["telephone"], changed["telephone"]]
    assert applicant(empty_centre, "T2026-0200").romaji_name == changed["romaji_name"]


def test_nobody_has_two_licences_of_one_profession(empty_centre: Centre) -> None:
    """Equal names, birth date and address, but another number of the register: somebody else."""
    other = row(1, application_ref="T2026-0100", registration_number="912999")
    take_in(empty_centre, row(1), other | {"received_on": "2026-10-01"})
    assert len(set(persons_of(empty_centre, "T2026-0001", "T2026-0100"))) == 2


def test_who_moved_is_not_taken_for_the_same_person(empty_centre: Centre) -> None:
    moved = row(1, application_ref="T2026-0100", profession="薬剤師", address="大阪府架空町9-9")
    take_in(empty_centre, row(1), moved | {"received_on": "2026-10-01"})
    assert len(set(persons_of(empty_centre, "T2026-0001", "T2026-0100"))) == 2


NEAR: list[Row] = [
    {"birth_date": "1979-12-31"},
    {"kanji_name": "高橋　一郎"},  # found under the same key, but another name
    {"kana_name": "コウバシ　イチロウ"},
    {"address": "大阪府大阪市架空町9-9"},  # on the very same day
]


def test_who_is_only_similar_is_another_person(empty_centre: Centre) -> None:
    others = [
        row(1, application_ref=f"T2026-01{number:02d}", registration_number=f"9{number}", **change)
        for number, change in enumerate(NEAR, start=1)
    ]
    report = take_in(empty_centre, row(1), *others)
    assert report.count(Outcome.ACCEPTED) == 5
    refs = [one["application_ref"] for one in (row(1), *others)]
    assert len(set(persons_of(empty_centre, *refs))) == 5
    found = [applicant(empty_centre, ref).address for ref in refs]
    assert found == [one["address"] for one in (row(1), *others)]


def failing_entropy(centre: Centre) -> Intake:
    """Randomness that ends within the second row."""
    calls = Counter[int]()

    def entropy(count: int) -> bytes:
        calls[count] += 1
        if calls[32] > 1:
            raise Unavailable("test.entropy", "no randomness")
        return os.urandom(count)

    return replace(centre.intake, entropy=entropy)


def failing_trail(centre: Centre) -> Intake:
    """A trail whose clock stops after its first entry."""
    moments = iter([centre.now])

    def clock() -> datetime:
        for moment in moments:
            return moment
        raise Unavailable("test.clock", "no time")

    return replace(centre.intake, trail=Trail(centre.store, clock, "test"))


@pytest.mark.parametrize("failing", [failing_entropy, failing_trail])
def test_a_failure_in_the_middle_leaves_nothing(
    empty_centre: Centre, failing: Callable[[Centre], Intake]
) -> None:
    before, head = counts(empty_centre), empty_centre.trail.verify()
    octets = list_of(row(1), row(2, profession="内科医"), row(3), row(4))
    with pytest.raises(Unavailable):
        failing(empty_centre).import_list(octets, "list.csv", empty_centre.signers["uketsuke"])
    assert counts(empty_centre) == before
    assert empty_centre.trail.verify() == head
    report = take_in(empty_centre, row(1), row(3))
    assert report.count(Outcome.ACCEPTED) == 2


def test_an_unreadable_file_leaves_nothing(empty_centre: Centre) -> None:
    before = counts(empty_centre)
    with pytest.raises(InvalidInput):
        empty_centre.intake.import_list(
            list_of(row(1)).replace(b"kana_name", b"kana"), "x", empty_centre.signers["uketsuke"]
        )
    assert counts(empty_centre) == before


def test_only_the_reception_takes_in(empty_centre: Centre) -> None:
    before = counts(empty_centre)
    strangers = {"operators.credential.unknown": [KeySigner("uketsuke", p256())]}
    others = [empty_centre.signers[name] for name in ("shonin", "hakko", "kanri")]
    for code, signers in (strangers | {"operators.role.missing": others}).items():
        for signer in signers:
            with pytest.raises(Refused) as refusal:
                empty_centre.intake.import_list(list_of(row(1)), "list.csv", signer)
            assert refusal.value.code == code
    assert counts(empty_centre) == before


@pytest.mark.parametrize("field", ["kanji_name", "romaji_name"])
def test_the_receptions_own_row_is_rejected_and_the_rest_taken_in(
    empty_centre: Centre, field: str
) -> None:
    """By any spelling of the name with the birth date; a namesake of another day comes in."""
    own = identity("uketsuke")
    assert own.full_name == "Uketsuke"
    names = {"kanji_name": "Uke Tsuke", "romaji_name": "UKETSUKE"}
    mine = row(1, **{field: names[field]}, birth_date="1970-01-01")
    namesake = row(2, **{field: names[field]}, birth_date="1970-01-02")
    report = take_in(empty_centre, mine, namesake, row(3))
    assert outcomes(report) == [
        ("T2026-0001", "REJECTED", ("ra.row.own_file",)),
        ("T2026-0002", "ACCEPTED", ()),
        ("T2026-0003", "ACCEPTED", ()),
    ]
    with empty_centre.store.read() as tx:
        assert tx.get(Application, "T2026-0001") is None
        (kept,) = tx.exec(select(ImportRejection)).all()
        assert names[field] not in kept.text + kept.hint
    empty_centre.appoint("uketsuke-ni", Role.RA_RECEPTION)
    signer = empty_centre.signers["uketsuke-ni"]
    again = empty_centre.intake.import_list(list_of(mine), "list.csv", signer)
    assert again.count(Outcome.ACCEPTED) == 1


def test_a_receptionist_whose_name_was_changed_in_the_store_takes_nothing_in(
    empty_centre: Centre,
) -> None:
    with empty_centre.store.begin() as tx:
        tx.get_one(Operator, "uketsuke").full_name = "Somebody Else"
    before = counts(empty_centre)
    with pytest.raises(Refused, match="operators.identity.changed"):
        take_in(empty_centre, row(1))
    assert counts(empty_centre) == before
