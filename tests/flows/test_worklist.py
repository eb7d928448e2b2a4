"""The work list: whose work, in which order, how urgent, by pages, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from operators.acts import Assign
from policies.moves import ApplicationState, moves
from policies.parameters import Parameters
from policies.roles import Role
from ra.casework.records import NoticeKind
from ra.casework.worklist import Urgency, Wanted, urgency, waits_for
from ra.records import Application, insert_rows
from tests.flows.conftest import Centre
from tests.flows.registration import bring_to_examination, list_of, row, take_in

S = ApplicationState


def refs(centre: Centre, **wanted: Any) -> list[str]:
    """What the list shows, from its first to its last page."""
    found: list[str] = []
    after = None
    while True:
        page = centre.worklist.page(Wanted(**wanted), 2, after)
        found += [one.ref for one in page.rows]
        after = page.last
        if after is None:
            return found


def put(centre: Centre, ref: str, **changes: Any) -> None:
    """A file like the one that was taken in first, but for the changes."""
    days = changes.pop("days", 60)
    due = centre.registrar.today + timedelta(days=days)
    with centre.store.begin() as tx:
        like = tx.get_one(Application, "T2026-0001").model_dump()
        insert_rows(tx, Application, [like | {"ref": ref, "due_on": due} | changes])


@pytest.fixture
def listed(empty_centre: Centre) -> Centre:
    """A centre with one file of each sort; T2026-0001 is received."""
    take_in(empty_centre, row(1))
    put(empty_centre, "A-EXAMINING", state=S.EXAMINING, days=-3)
    put(empty_centre, "B-EXAMINED", state=S.EXAMINED, days=5, work_prefecture="01")
    put(empty_centre, "C-CONTACT", state=S.EXAMINED, type="CONTACT_CHANGE", days=20)
    put(empty_centre, "D-LATE", state=S.DEFICIENT, days=-1, office="OSAKA-1")
    put(empty_centre, "E-WAITS", state=S.DEFICIENT, days=1, office="OSAKA-1")
    put(empty_centre, "F-UNPAID", state=S.PAYMENT_WAIT, days=-9, profession="薬剤師")
    put(empty_centre, "G-ISSUING", state=S.ISSUING, days=60)
    put(empty_centre, "H-DONE", state=S.COMPLETED)
    return empty_centre


def test_everything_open_stands_by_due_day_on_pages_of_two(listed: Centre) -> None:
    assert refs(listed) == [
        "F-UNPAID",
        "A-EXAMINING",
        "D-LATE",
        "E-WAITS",
        "B-EXAMINED",
        "T2026-0001",
        "C-CONTACT",
        "G-ISSUING",
    ]
    assert listed.worklist.counts(Wanted()) == {
        S.RECEIVED: 1,
        S.DEFICIENT: 2,
        S.EXAMINING: 1,
        S.EXAMINED: 2,
        S.PAYMENT_WAIT: 1,
        S.ISSUING: 1,
    }


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.RA_RECEPTION, ["F-UNPAID", "D-LATE", "E-WAITS", "T2026-0001"]),
        (Role.RA_EXAMINER, ["A-EXAMINING", "D-LATE", "C-CONTACT"]),
        (Role.RA_APPROVER, ["F-UNPAID", "B-EXAMINED"]),
        (Role.IA_OPERATOR, ["G-ISSUING"]),
        (Role.AUDITOR, []),
    ],
)
def test_a_role_sees_its_work(listed: Centre, role: Role, expected: list[str]) -> None:
    assert refs(listed, role=role) == expected
    counted = listed.worklist.counts(Wanted(role=role))
    assert sum(counted.values()) == len(expected)
    assert list(counted) == [state for state in moves().open_states() if state in counted]


def test_filters(listed: Centre) -> None:
    assert refs(listed, prefecture="01") == ["B-EXAMINED"]
    assert refs(listed, profession="薬剤師") == ["F-UNPAID"]
    assert refs(listed, office="OSAKA-1") == ["D-LATE", "E-WAITS"]
    assert refs(listed, state=S.EXAMINED) == ["B-EXAMINED", "C-CONTACT"]
    assert refs(listed, state=S.COMPLETED) == []
    assert refs(listed, office="OSAKA-1", role=Role.RA_EXAMINER) == ["D-LATE"]


def test_a_row_says_since_when_for_whom_and_how_urgent(listed: Centre) -> None:
    listed.pass_time(days=1)
    rows = {one.ref: one for one in listed.worklist.page(Wanted()).rows}
    one = rows["A-EXAMINING"]
    assert (one.age_days, one.days_left, one.urgency) == (1, -4, Urgency.OVERDUE)
    assert (one.kanji_name, one.kana_name) == ("髙橋　一郎", "タカハシ　イチロウ")
    assert rows["B-EXAMINED"].urgency is Urgency.URGENT
    assert rows["C-CONTACT"].urgency is Urgency.SOON
    assert rows["G-ISSUING"].urgency is Urgency.LATER
    assert rows["E-WAITS"].urgency is Urgency.STANDS
    assert rows["T2026-0001"].waits_for == (Role.RA_RECEPTION,)
    assert rows["E-WAITS"].waits_for == (Role.RA_RECEPTION, Role.LRA_RECEPTION)
    assert rows["D-LATE"].waits_for == (*rows["E-WAITS"].waits_for, Role.RA_EXAMINER)


def test_a_letter_that_is_due_is_told(empty_centre: Centre) -> None:
    lacking = row(1, documents="APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID")
    take_in(empty_centre, lacking)
    reception = empty_centre.signers["uketsuke"]
    empty_centre.reception.ask("T2026-0001", (), "", reception)
    (one,) = empty_centre.worklist.page(Wanted()).rows
    assert one.letters == (NoticeKind.DEFICIENCY,)
    empty_centre.letters.send("T2026-0001", NoticeKind.DEFICIENCY, "MAIL", reception)
    assert empty_centre.worklist.page(Wanted()).rows[0].letters == ()


def test_a_person_sees_what_they_may_do(listed: Centre) -> None:
    assert refs(listed, operator="shonin") == ["F-UNPAID", "B-EXAMINED"]
    assert refs(listed, operator="hakko") == ["G-ISSUING"]
    assert refs(listed, operator="kiroku") == []
    assert refs(listed, operator="shonin", role=Role.RA_EXAMINER) == []
    first = listed.worklist.next_file(Wanted(operator="shonin"))
    assert first is not None
    assert first.ref == "F-UNPAID"
    second = listed.worklist.next_file(Wanted(operator="shonin"), {"F-UNPAID"})
    assert second is not None
    assert second.ref == "B-EXAMINED"
    assert listed.worklist.next_file(Wanted(operator="kiroku")) is None


def test_a_reception_office_sees_its_own_files(listed: Centre) -> None:
    listed.appoint("osaka")
    listed.decide(Assign(operator="osaka", office="OSAKA-1"), "kanri", "tachiai")
    listed.grant("osaka", Role.LRA_RECEPTION)
    assert refs(listed, operator="osaka") == ["D-LATE", "E-WAITS"]


def test_nobody_is_shown_an_own_file(empty_centre: Centre) -> None:
    own = {"kanji_name": "Uketsuke", "romaji_name": "UKETSUKE", "birth_date": "1970-01-01"}
    take_in(empty_centre, row(1))
    empty_centre.appoint("betsu", Role.RA_RECEPTION)
    report = empty_centre.intake.import_list(
        list_of(row(2, **own)), "own.csv", empty_centre.signers["betsu"]
    )
    assert not report.rows[0].faults, report.rows[0].faults
    assert refs(empty_centre, operator="betsu") == ["T2026-0001", "T2026-0002"]
    assert refs(empty_centre, operator="uketsuke") == ["T2026-0001"]


def test_what_the_register_is_asked_waits_for_nobody_here(centre: Centre) -> None:
    take_in(centre, row(1), row(2))
    examiner = centre.signers["uketsuke"]
    bring_to_examination(centre, "T2026-0002")
    centre.reception.complete("T2026-0001", examiner)
    for kind in ("IDENTITY", "DATA_MATCH"):
        centre.examination.check("T2026-0001", kind, examiner, ok=True)
    centre.inquiries.make(["T2026-0001"], examiner)
    waits = {one.ref: one.waits_for for one in centre.worklist.page(Wanted()).rows}
    assert waits == {"T2026-0001": (), "T2026-0002": (Role.RA_EXAMINER,)}
    assert refs(centre, operator="uketsuke") == ["T2026-0002"]


def test_nobody_decides_on_an_examination_of_ones_own(centre: Centre) -> None:
    take_in(centre, row(1))
    bring_to_examination(centre, "T2026-0001")
    centre.examination.examine("T2026-0001", centre.signers["uketsuke"], rest_ok=True)
    centre.become_small()
    centre.grant("uketsuke", Role.RA_APPROVER)
    assert refs(centre, operator="shonin") == ["T2026-0001"]
    assert refs(centre, operator="uketsuke", role=Role.RA_APPROVER) == []


@pytest.mark.parametrize(
    ("state", "left", "expected"),
    [
        (S.EXAMINING, -1, Urgency.OVERDUE),
        (S.EXAMINING, 0, Urgency.URGENT),
        (S.EXAMINING, 7, Urgency.URGENT),
        (S.EXAMINING, 8, Urgency.SOON),
        (S.EXAMINING, 30, Urgency.SOON),
        (S.EXAMINING, 31, Urgency.LATER),
        (S.DEFICIENT, 0, Urgency.STANDS),
        (S.DEFICIENT, -1, Urgency.OVERDUE),
    ],
)
def test_urgency(state: ApplicationState, left: int, expected: Urgency) -> None:
    assert urgency(state, left, Parameters()) is expected


def test_every_open_state_is_somebodys_work() -> None:
    for state in moves().open_states():
        for issues in (True, False):
            assert waits_for(state, issues=issues, late=False)
