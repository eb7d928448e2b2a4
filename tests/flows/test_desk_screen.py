"""The desk, driven by keys on a real centre: what they do, how many are needed, what is refused."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.text import Text
from sqlalchemy import create_engine, text
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from cli.desk.app import DeskApp, View
from cli.desk.bench import Bench
from cli.desk.shown import Kind
from pki.errors import Unavailable
from policies.moves import ApplicationState
from ra import records
from ra.casework import records as work
from ra.casework.records import Choice, NoticeKind
from ra.records import CheckResult, find_application
from tests.flows.conftest import Centre, Moulds
from tests.flows.registration import (
    answers_to,
    bring_to_examination,
    entries,
    order_of,
    row,
    take_in,
)
from tests.unit.test_documents_formats import picture

if TYPE_CHECKING:
    from tests.postgres import Server

Play = Callable[["Hand"], Awaitable[None]]
S = ApplicationState
MOST_KEYS = 20


@pytest.fixture
def centre(moulds: Moulds, tmp_path: Path) -> Iterator[Centre]:
    """A centre that has held its key ceremony, on SQLite."""
    made = moulds.copy(tmp_path, None)
    yield made
    made.store.close()


class Hand:
    """Presses keys, counts them, and waits until what they started is done."""

    def __init__(self, desk: DeskApp, pilot: Pilot[None]) -> None:
        self.desk, self.pilot, self.pressed = desk, pilot, 0

    async def keys(self, *keys: str) -> None:
        for key in keys:
            asked = self.desk.screen if len(self.desk.screen_stack) > 1 else None
            await self.pilot.press(key)
            self.pressed += 1
            await self.rest(asked)

    async def text(self, text: str) -> None:
        """Type into the question, and answer it."""
        self.desk.screen.query_one(Input).value = text
        await self.keys("enter")

    async def rest(self, asked: Screen[object] | None = None) -> None:
        """Wait until nothing is under way but a question; ``asked``: one that may just end."""
        for turn in range(1000):
            await self.pilot.pause()
            assert self.desk.fault is None, self.desk.fault
            question = len(self.desk.screen_stack) > 1
            if not self.desk.pending or (question and (self.desk.screen is not asked or turn > 9)):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the desk does not come to rest")

    @property
    def status(self) -> str:
        return str(self.desk.screen_stack[0].query_one("#status", Static).render())

    @property
    def open_ref(self) -> str | None:
        return self.desk.shown.ref if self.desk.shown else None

    def marks(self, kind: Kind) -> dict[tuple[str, ...], str]:
        assert self.desk.shown is not None
        return {one.key: one.mark for one in self.desk.shown.lines if one.kind is kind}


def no_viewer(octets: bytes, media_type: str) -> subprocess.Popen[bytes]:
    raise Unavailable("cli.viewer.none", f"no viewer for {media_type}")


def play(
    centre: Centre,
    name: str,
    play: Play,
    size: tuple[int, int] = (80, 24),
    view: View = no_viewer,
) -> DeskApp:
    """Let somebody work at a desk."""
    bench = Bench(centre, centre.signers[name])
    desk = DeskApp(bench, "TEST", view, lambda ref: Path(f"{ref}.pdf"))

    async def run() -> None:
        async with desk.run_test(size=size) as pilot:
            hand = Hand(desk, pilot)
            await hand.rest()
            await play(hand)

    asyncio.run(run())
    return desk


def received(centre: Centre, *numbers: int, **changes: str) -> list[str]:
    """Files under examination."""
    rows = [row(number, **changes) for number in numbers]
    take_in(centre, *rows)
    for one in rows:
        centre.reception.complete(one["application_ref"], centre.signers["uketsuke"])
    return [one["application_ref"] for one in rows]


def state_of(centre: Centre, ref: str) -> ApplicationState:
    with centre.store.read() as tx:
        return find_application(tx, ref).state


def answer(centre: Centre, *refs: str) -> None:
    """Let the register confirm what was asked."""
    with centre.store.read() as tx:
        ids = {work.inquiries_of(tx, ref)[-1].inquiry_id for ref in refs}
    for one in sorted(ids):
        rows = centre.inquiries.rows(one)
        centre.inquiries.answer(answers_to(rows), centre.signers["uketsuke"])


def test_a_clean_file_takes_twenty_keys_of_the_examiner(centre: Centre) -> None:
    first, second = received(centre, 1, 2)

    async def field_by_field(hand: Hand) -> None:
        await hand.keys("enter")
        assert hand.open_ref == first
        assert hand.desk.shown is not None
        await hand.keys(*["enter"] * sum(one.to_be_ticked for one in hand.desk.shown.lines))
        await hand.keys("i")
        assert hand.open_ref == second, hand.status
        assert hand.pressed <= MOST_KEYS
        assert set(hand.marks(Kind.FIELD).values()) == {""}
        await hand.keys("q", "y")

    desk = play(centre, "uketsuke", field_by_field)
    assert state_of(centre, first) is S.QUAL_INQUIRY
    assert len(desk.made) == 1
    with centre.store.read() as tx:
        matches = work.matches_of(tx, first)
        assert {one.verdict for one in matches} == {"EQUAL"}
        assert len(matches) == 10
        assert {one.result for one in records.documents_of(tx, first)} == {CheckResult.OK}
    answer(centre, first)

    async def sign(hand: Hand) -> None:
        while hand.open_ref != first:
            await hand.keys("n" if hand.open_ref else "enter")
        hand.pressed = 1
        await hand.keys("e", "y")
        assert hand.open_ref != first
        assert hand.pressed <= 3

    play(centre, "uketsuke", sign)
    assert state_of(centre, first) is S.EXAMINED


def test_paper_by_paper_both_visits_take_less_than_twenty_keys(centre: Centre) -> None:
    (ref,) = received(centre, 1)

    async def examine(hand: Hand) -> None:
        await hand.keys("enter", *["space"] * 5, *["enter"] * 3, "i", "I", "y")
        answer(centre, ref)
        await hand.keys("r", "enter", "e", "y")
        assert hand.pressed <= MOST_KEYS

    play(centre, "uketsuke", examine)
    assert state_of(centre, ref) is S.EXAMINED


def examined(centre: Centre, *numbers: int) -> list[str]:
    """Files that wait for the approver."""
    rows = [row(number) for number in numbers]
    take_in(centre, *rows)
    refs = [one["application_ref"] for one in rows]
    bring_to_examination(centre, *refs)
    for ref in refs:
        centre.examination.examine(ref, centre.signers["uketsuke"], rest_ok=True)
    return refs


def test_the_approver_approves_rejects_and_sends_back(centre: Centre) -> None:
    first, second, third = examined(centre, 1, 2, 3)

    async def decide(hand: Hand) -> None:
        await hand.keys("enter", "a", "y")
        assert hand.pressed <= MOST_KEYS
        assert hand.open_ref == second, hand.status
        await hand.keys("k", "3")
        await hand.text("住所の相違")
        await hand.keys("n")
        assert state_of(centre, second) is S.EXAMINED
        await hand.keys("k", "3")
        await hand.text("住所の相違")
        await hand.keys("y")
        assert hand.open_ref == third
        await hand.keys("b")
        await hand.text("住所を再確認")
        assert hand.open_ref is None

    play(centre, "shonin", decide)
    assert order_of(centre, first) is not None
    assert [state_of(centre, ref) for ref in (first, second, third)] == [
        S.ISSUING,
        S.REJECTED,
        S.EXAMINING,
    ]
    with centre.store.read() as tx:
        assert find_application(tx, second).reject_code == "R03"
    assert len(entries(centre, "PII.VIEW")) == 3


def test_a_mismatch_is_explained_in_words(centre: Centre) -> None:
    (ref,) = received(centre, 1)

    async def compare(hand: Hand) -> None:
        await hand.keys("enter", "enter", "enter", "enter")
        await hand.keys("髙")
        assert hand.desk.screen.query_one(Input).value == "髙"
        await hand.pilot.press("島", "\u3000", "一", "郎")
        assert hand.desk.screen.query_one(Input).value == "髙島　一郎"
        await hand.keys("enter")
        words = str(hand.desk.screen.query_one(Static).render())
        assert "2文字目: 橋→島" in words
        await hand.text("婚姻前の氏、戸籍で確認")
        await hand.keys("up", "enter")
        assert hand.marks(Kind.FIELD)["LICENCE_COPY", "kanji_name"] == "DIFFERENT"
        await hand.keys("m")
        await hand.text("S55.1.3")
        await hand.text("")
        await hand.keys("m")
        await hand.text("Ｔ９０００１")
        await hand.keys("escape")
        marks = hand.marks(Kind.FIELD)
        assert marks["LICENCE_COPY", "kanji_name"] == "DIFFERENT"
        assert marks["LICENCE_COPY", "birth_date"] == "DIFFERENT"
        assert marks["LICENCE_COPY", "registration_number"] == ""
        await hand.keys(*["space"] * 6)
        await hand.keys("enter", "enter")
        assert "ra.guard.explained" in hand.status
        assert "birth_date" in hand.status

    play(centre, "uketsuke", compare)
    with centre.store.read() as tx:
        said = {(one.source, one.field): one for one in work.matches_of(tx, ref)}
        assert said["LICENCE_COPY", "kanji_name"].explanation == "婚姻前の氏、戸籍で確認"
        assert said["LICENCE_COPY", "birth_date"].seen == "S55.1.3"
        assert said["PHOTO_ID", "kanji_name"].verdict == "EQUAL"


def test_a_deficiency_is_asked_for(centre: Centre) -> None:
    ref, other = received(centre, 1, 2)

    async def ask(hand: Hand) -> None:
        await hand.keys("enter", "d", "down", "space", "enter")
        await hand.text("写真が不鮮明")
        assert hand.open_ref == other, hand.status

    play(centre, "uketsuke", ask)
    assert state_of(centre, ref) is S.DEFICIENT
    with centre.store.read() as tx:
        (asked,) = work.deficiencies_of(tx, ref)
        assert (asked.items, asked.note) == ("PHOTO", "写真が不鮮明")
        assert work.notices_of(tx, ref, NoticeKind.DEFICIENCY)


def test_the_reception_passes_on_and_asks(centre: Centre) -> None:
    lacking = row(2, documents="APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID")
    take_in(centre, row(1), lacking)

    async def receive(hand: Hand) -> None:
        await hand.keys("enter", "c")
        assert hand.open_ref == "T2026-0001", "the same person examines it"
        await hand.keys("n", "c")
        assert "ra.guard.documents_present" in hand.status
        await hand.keys("d", "enter", "enter")

    play(centre, "uketsuke", receive)
    assert state_of(centre, "T2026-0001") is S.EXAMINING
    assert state_of(centre, "T2026-0002") is S.DEFICIENT
    with centre.store.read() as tx:
        assert work.deficiencies_of(tx, "T2026-0002")[0].items == "RESIDENT_RECORD"


def test_a_paper_fails_with_words_and_a_date_is_asked_for(centre: Centre) -> None:
    papers = "APPLICATION_FORM;PHOTO;LICENCE_COPY;PHOTO_ID;RESIDENT_RECORD"
    (ref,) = received(centre, 1, documents=papers)

    async def judge(hand: Hand) -> None:
        await hand.keys("enter", "enter", "x")
        await hand.text("背景あり")
        await hand.keys("space", "space", "enter")
        await hand.text("令和7年1月5日")
        assert "ra.document.old" in hand.status
        await hand.keys("enter")
        await hand.text("R8.8.20")
        assert hand.marks(Kind.PAPER)["RESIDENT_RECORD", "1"] == "OK", hand.status

    play(centre, "uketsuke", judge)
    with centre.store.read() as tx:
        papers_by_code = {one.code: one for one in records.documents_of(tx, ref)}
    assert papers_by_code["PHOTO"].note == "背景あり"
    assert str(papers_by_code["RESIDENT_RECORD"].issued_on) == "2026-08-20"


def test_a_possible_duplicate_is_chosen_about(centre: Centre) -> None:
    same = row(1)["registration_number"]
    take_in(centre, row(1), row(2, registration_number=same, kanji_name="田中　花子"))
    for ref in ("T2026-0001", "T2026-0002"):
        centre.reception.complete(ref, centre.signers["uketsuke"])

    async def choose(hand: Hand) -> None:
        await hand.keys("enter", "end", "enter", "1")
        await hand.text("番号の誤記")
        assert hand.marks(Kind.DUPLICATE) == {("T2026-0002",): "OTHER_PERSON"}, hand.status

    play(centre, "uketsuke", choose)
    with centre.store.read() as tx:
        (chosen,) = work.choices_of(tx, "T2026-0001")
        assert (chosen.choice, chosen.reason) == (Choice.OTHER_PERSON, "番号の誤記")


def test_what_somebody_else_changed_is_shown_anew(centre: Centre) -> None:
    (ref,) = received(centre, 1)
    signer = centre.signers["uketsuke"]

    async def work_on(hand: Hand) -> None:
        await hand.keys("enter")
        centre.cabinet.check(ref, "PHOTO", 1, signer, False, "背景あり")
        await hand.keys("enter")
        assert "ra.file.changed" in hand.status
        marks = hand.marks(Kind.PAPER)
        assert (marks["APPLICATION_FORM", "1"], marks["PHOTO", "1"]) == ("", "FAIL")
        await hand.keys("enter")
        assert hand.marks(Kind.PAPER)["APPLICATION_FORM", "1"] == "OK"

    play(centre, "uketsuke", work_on)


def test_of_two_desks_on_one_file_one_decides(centre: Centre) -> None:
    first, second = examined(centre, 1, 2)

    async def decide(hand: Hand) -> None:
        await hand.keys("enter", "a")
        centre.examination.approve(first, centre.signers["shonin"])
        await hand.keys("y")
        assert "ra.file.changed" in hand.status
        assert hand.desk.shown is not None
        assert hand.desk.shown.state is S.ISSUING
        await hand.keys("a", "k", "b", "e", "x")
        assert len(hand.desk.screen_stack) == 1
        await hand.keys("n")
        assert hand.open_ref == second

    play(centre, "shonin", decide)
    assert len(entries(centre, "APP.DECIDE")) == 1


def test_wrong_keys_do_nothing(centre: Centre) -> None:
    (ref,) = received(centre, 1)

    async def press(hand: Hand) -> None:
        await hand.keys(*"aedomizあ", "space", "f5", "I")
        assert len(hand.desk.screen_stack) == 1
        assert hand.open_ref is None
        await hand.keys("enter", *"akbcz", "f5", "left")
        await hand.keys("?", "z")
        assert len(hand.desk.screen_stack) == 1
        await hand.keys("e", "enter", "space", "n")
        assert hand.open_ref == ref

    before = len(entries(centre))
    play(centre, "uketsuke", press)
    assert state_of(centre, ref) is S.EXAMINING
    assert len(entries(centre)) == before + 1


def test_a_paper_is_shown_from_memory_and_taken_away_with_its_file(centre: Centre) -> None:
    (ref,) = received(centre, 1)
    examiner, day = centre.signers["uketsuke"], centre.registrar.today
    centre.cabinet.add(ref, "PHOTO", day, examiner, picture())
    shown: list[tuple[bytes, str]] = []
    viewers: list[subprocess.Popen[bytes]] = []

    def view(octets: bytes, media_type: str) -> subprocess.Popen[bytes]:
        shown.append((octets, media_type))
        viewers.append(subprocess.Popen(["sleep", "60"]))
        return viewers[-1]

    async def look(hand: Hand) -> None:
        await hand.keys("enter", "o")
        assert "ra.document.paper" in hand.status
        await hand.keys("down", "o")
        assert shown == [(picture(), "image/jpeg")]
        assert viewers[0].poll() is None
        await hand.keys("n")
        assert viewers[0].poll() is not None

    play(centre, "uketsuke", look, view=view)
    codes = [json.loads(one.body)["detail"] for one in entries(centre, "PII.VIEW")]
    assert codes == [{"what": "desk"}, {"document": "PHOTO.2"}]


def test_a_missing_viewer_is_one_line(centre: Centre) -> None:
    (ref,) = received(centre, 1)
    day = centre.registrar.today
    centre.cabinet.add(ref, "PHOTO", day, centre.signers["uketsuke"], picture())

    async def look(hand: Hand) -> None:
        await hand.keys("enter", "down", "o")
        assert hand.status.startswith("cli.viewer.none")

    play(centre, "uketsuke", look)


def test_a_fault_of_the_program_ends_the_desk(centre: Centre) -> None:
    (ref,) = received(centre, 1)
    day = centre.registrar.today
    centre.cabinet.add(ref, "PHOTO", day, centre.signers["uketsuke"], picture())

    def view(octets: bytes, media_type: str) -> subprocess.Popen[bytes]:
        raise ZeroDivisionError

    async def look(hand: Hand) -> None:
        await hand.keys("enter", "down")
        await hand.pilot.press("o")
        for _ in range(500):
            if hand.desk.fault is not None:
                return
            await asyncio.sleep(0.01)

    assert isinstance(play(centre, "uketsuke", look, view=view).fault, ZeroDivisionError)


def test_a_lost_connection_is_one_line_and_comes_back(
    moulds: Moulds, tmp_path: Path, postgres_server: Server
) -> None:
    centre = moulds.copy(tmp_path, postgres_server)
    (ref,) = received(centre, 1)
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    async def lose(hand: Hand) -> None:
        await hand.keys("enter")
        engine = create_engine(centre.store.engine.url)
        with engine.connect() as connection:
            connection.execute(text(cut))
        engine.dispose()
        await hand.keys("enter")
        assert hand.status.startswith("store.unavailable"), hand.status
        assert "\n" not in hand.status
        await hand.keys("enter")
        assert hand.marks(Kind.PAPER)["APPLICATION_FORM", "1"] == "OK", hand.status

    try:
        play(centre, "uketsuke", lose)
    finally:
        centre.store.close()
        postgres_server.drop_database(centre.store.engine.url.database or "")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_rare_characters_keep_their_columns(centre: Centre, size: tuple[int, int]) -> None:
    names = ("𠮷田　髙子", "葛\U000e0100城　𠮷郎")
    for number, name in enumerate(names, 1):
        received(centre, number, kanji_name=name)

    async def look(hand: Hand) -> None:
        await hand.keys("enter")
        screen = hand.desk.screen
        strips = [strip.text for strip in screen._compositor.render_strips()]
        assert {Text(line).cell_len for line in strips} == {size[0]}
        assert all(any(name in line for line in strips) for name in names)
        borders = {Text(line[: line.index("│")]).cell_len for line in strips if "│" in line}
        assert borders == {27 if size[0] == 80 else 39}

    play(centre, "uketsuke", look, size)
