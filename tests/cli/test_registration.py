"""The RA's day at the terminal: reception, examination, register, decision, fee, letters."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ROOT, Story, answered
from tests.cli.terminal import Result, Terminal, error_line

AOKI = ("--operator", "aoki")
ENDO = ("--operator", "endo")
DEFICIENT = "T2026-0011"
UNPAID = "T2026-0007"
REFUTED = "T2026-0012"
CLEAN = "T2026-0006"
DRAFT = "T2026-0900"
EXAMINED = (CLEAN, UNPAID, "T2026-0009", REFUTED)
Row = dict[str, str]


def sample(ref: str, **changes: str) -> Row:
    """A row of the sample applicants, changed."""
    file = ROOT / "examples" / "applications.csv"
    rows = csv.DictReader(io.StringIO(file.read_text("utf-8-sig")))
    (row,) = (one for one in rows if one["application_ref"] == ref)
    return {**row, "web_id": "", **changes}


def written(path: Path, *rows: Row) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, tuple(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), "utf-8")
    return path


@pytest.fixture(scope="module")
def day(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One day of the RA on a copy of the shared site, by single commands."""
    folder = tmp_path_factory.mktemp("day")
    shutil.copytree(story.terminal.site, folder / "site")
    made = Story(Terminal(folder / "site"), folder)
    _tell_reception(made)
    _tell_examination(made)
    _tell_decisions(made)
    return made


def _tell_reception(made: Story) -> None:
    tell, run = made.tell, made.terminal.run
    rows = [sample(ref) for ref in (*EXAMINED, DEFICIENT)]
    bad = sample("T2026-0008")
    tell("import", "ra", "import", written(made.folder / "more.csv", *rows, bad), *AOKI,
         "--rejects", made.folder / "rejects.csv", "--json")  # fmt: skip
    draft = sample("T2026-0013", application_ref=DRAFT, web_id="W-1")
    tell("drafts", "ra", "import", written(made.folder / "web.csv", draft), "--drafts", *AOKI)
    made.said["wrong web id"] = run("ra", "receive", DRAFT, "--web-id", "W-2", *AOKI, status=3)
    tell("receive", "ra", "receive", DRAFT, "--web-id", "W-1", *AOKI)
    tell("withdraw", "ra", "withdraw", DRAFT, "--reason", "取下書", *AOKI)
    alone = ("ra", "complete", CLEAN, DEFICIENT, "--yes", *AOKI, "--json")
    made.said["complete"] = run(*alone, status=3)
    tell("ask", "ra", "complete", "--all", "--ask", "--yes", *AOKI, "--json")
    made.said["early"] = run("ra", "return", DEFICIENT, *AOKI, status=3)
    tell("notices", "ra", "notice", "list", "--json")
    tell("sent", "ra", "notice", "sent", DEFICIENT, "deficiency", "--way", "fax", *AOKI)
    made.said["sent twice"] = run("ra", "notice", "sent", DEFICIENT, "deficiency", *AOKI, status=5)


def _tell_examination(made: Story) -> None:
    tell, run = made.tell, made.terminal.run
    out = made.folder / "list.csv"
    made.said["too early"] = run("ra", "inquiry", "make", CLEAN, out, *AOKI, status=2)
    for ref in (CLEAN, UNPAID, REFUTED):
        tell("check", "ra", "check", ref, "identity", "DATA_MATCH", "--ok", *AOKI)
    made.said["make"] = run("ra", "inquiry", "make", "--all", out, "--yes", *AOKI, "--json",
                            status=3)  # fmt: skip
    name = sample(REFUTED)["kanji_name"]
    answers = answered(out)
    answers.write_text(answers.read_text("utf-8").replace(name, f"{name}子"), "utf-8")
    tell("answer", "ra", "inquiry", "answer", answers, *AOKI, "--json")
    tell("answer again", "ra", "inquiry", "answer", answers, *AOKI, "--json")
    seen = ("kanji_name=髙田　一", "address=東京都", "--explain", "address=転居")
    tell("match", "ra", "match", UNPAID, "RESIDENT_RECORD", *seen, *AOKI, "--json")
    right = ("kanji_name=" + sample(UNPAID)["kanji_name"],)
    tell("match again", "ra", "match", UNPAID, "RESIDENT_RECORD", *right, *AOKI, "--json")
    every = ("ra", "examine", "--all", "--rest-ok", *AOKI)
    made.said["no"] = made.terminal.typed(*every, answers=[("[y/N]", "n\n")])
    made.said["yes"] = made.terminal.typed(*every, answers=[("[y/N]", "y\n")])


def _tell_decisions(made: Story) -> None:
    tell, run = made.tell, made.terminal.run
    made.said["approve"] = run("ra", "approve", "--all", "--yes", *ENDO, "--json", status=3)
    tell("reject", "ra", "reject", REFUTED, "--code", "r02", *ENDO)
    tell("fees", "ra", "fee", "list", "--json")
    made.said["too little"] = run("ra", "fee", "pay", UNPAID, "55", "--reference", "1", *AOKI,
                                  status=2)  # fmt: skip
    made.said["not theirs"] = run("ra", "fee", "waive", UNPAID, "--reason", "x", *AOKI, status=3)
    tell("pay", "ra", "fee", "pay", UNPAID, "5500", "--reference", "1", *AOKI)
    tell("send back", "ra", "send-back", CLEAN, "--reason", "電話で訂正の申出", *ENDO)
    tell("show", "--lang", "ja", "ra", "show", UNPAID, *AOKI)
    tell("show json", "ra", "show", UNPAID, *AOKI, "--json")


def rows_of(result: Result, name: str) -> dict[str, Any]:
    """One value of each row, by application."""
    return {row["application"]: row.get(name) for row in result.json}


class TestReception:
    def test_missing_papers_reject_nothing_and_are_told(self, day: Story) -> None:
        rows = day.said["import"].json
        assert [row["outcome"] for row in rows] == ["ACCEPTED"] * 5 + ["REJECTED"]
        assert rows[4]["missing"] == ["RESIDENT_RECORD"]
        assert "不備 papers missing: 1件" in day.said["import"].err

    def test_a_draft_waits_for_the_paper_with_its_web_id(self, day: Story) -> None:
        error_line(day.said["wrong web id"].err, "ra.guard.web_id")
        assert day.said["receive"].err.endswith(f"{DRAFT}: 受付 RECEIVED\n")
        assert day.said["withdraw"].err.endswith(f"{DRAFT}: 取下げ WITHDRAWN\n")

    def test_an_incomplete_file_stops_no_other(self, day: Story) -> None:
        said = day.said["complete"]
        assert rows_of(said, "state") == {CLEAN: "EXAMINING", DEFICIENT: None}
        assert rows_of(said, "code") == {CLEAN: None, DEFICIENT: "ra.guard.documents_present"}
        assert "除外 left out: 1件" in said.err
        assert "不足書類" in said.err
        assert "RESIDENT_RECORD" in said.err
        assert "error ra.complete.some" in said.err

    def test_ask_makes_it_deficient_in_the_same_run(self, day: Story) -> None:
        said = day.said["ask"]
        assert rows_of(said, "state")[DEFICIENT] == "DEFICIENT"
        assert rows_of(said, "missing")[DEFICIENT] == ["RESIDENT_RECORD"]
        (notice,) = [row for row in day.said["notices"].json if row["application"] == DEFICIENT]
        assert (notice["notice"], notice["late"]) == ("DEFICIENCY", False)
        assert "不備通知 DEFICIENCY FAX" in day.said["sent"].err
        error_line(day.said["sent twice"].err, "ra.notice.none")
        error_line(day.said["early"].err, "ra.guard.notice_sent")

    def test_what_came_late_completes_the_file(self, day: Story, tmp_path: Path) -> None:
        shutil.copytree(day.terminal.site, tmp_path / "site")
        site = Terminal(tmp_path / "site")
        early = ("ra", "return", DEFICIENT, *AOKI)
        site.refused("ra.guard.period_over", 3, *early)
        assert site.run("ra", "return", "--late", *AOKI, "--json").json == []
        dated = ("--issued-on", "R8.8.20", "--received-on", "2026-09-10")
        site.run("ra", "document", "add", DEFICIENT, "RESIDENT_RECORD", *dated, *AOKI)
        said = site.run("ra", "complete", DEFICIENT, *AOKI, "--json")
        assert rows_of(said, "state") == {DEFICIENT: "EXAMINING"}
        out_of_it = ("ra", "ask", DEFICIENT, "--item", "form", *AOKI)
        site.refused("ra.guard.reason", 3, *out_of_it)
        again = site.run(*out_of_it, "--note", "署名なし")
        assert "申請書 FORM" in again.err
        site.refused("ra.deficiency.item", 2, "ra", "ask", CLEAN, "--item", "JUMINHYO", *AOKI)


class TestExamination:
    def test_the_register_is_asked_about_what_was_checked(self, day: Story) -> None:
        error_line(day.said["too early"].err, "ra.inquiry.none")
        made = day.said["make"]
        assert [row["application"] for row in made.json] == [CLEAN, UNPAID, REFUTED]
        assert "ra.guard.identity_matched: T2026-0009" in made.err
        header, labels, *rows = (day.folder / "list.csv").read_text("utf-8-sig").splitlines()
        assert header.startswith("inquiry,line,profession,kana_name,kanji_name")
        assert labels.startswith("# 照会番号,行,資格")
        assert [row.split(",")[1] for row in rows] == ["1", "2", "3"]

    def test_answers_are_held_against_the_files(self, day: Story) -> None:
        first, again = day.said["answer"], day.said["answer again"]
        outcomes = rows_of(first, "outcome")
        assert outcomes == {CLEAN: "CONFIRMED", UNPAID: "CONFIRMED", REFUTED: "REFUTED"}
        assert "子" in rows_of(first, "text")[REFUTED]
        assert set(rows_of(again, "outcome").values()) == {"ALREADY"}

    def test_an_answer_to_nothing_is_told_in_its_row(self, day: Story, tmp_path: Path) -> None:
        shutil.copytree(day.terminal.site, tmp_path / "site")
        site = Terminal(tmp_path / "site")
        octets = answered(day.folder / "list.csv").read_text("utf-8").replace(",1,", ",99,", 1)
        (tmp_path / "a.csv").write_text(octets, "utf-8")
        said = site.run("ra", "inquiry", "answer", tmp_path / "a.csv", *AOKI, "--json", status=3)
        assert (said.json[0]["outcome"], said.json[0]["application"]) == ("REJECTED", None)
        error_line(said.err.replace("a.csv:", " 訓練"), "ra.inquiry.rows")

    def test_inquiries_are_listed_and_shown(self, day: Story, tmp_path: Path) -> None:
        newest = day.terminal.run("ra", "inquiry", "list", "--json").json[-1]
        assert (newest["asked"], newest["answered"]) == (3, 3)
        out = tmp_path / "again.csv"
        shown = day.terminal.run(
            "ra", "inquiry", "show", newest["inquiry"], "--out", out, *AOKI, "--json"
        )
        assert [row["application"] for row in shown.json] == [CLEAN, UNPAID, REFUTED]
        assert out.read_bytes() == (day.folder / "list.csv").read_bytes()
        day.terminal.refused("ra.inquiry.unknown", 4, "ra", "inquiry", "show", "Q0", *AOKI)

    def test_a_difference_is_told_in_words(self, day: Story) -> None:
        verdicts = {row["field"]: (row["verdict"], row["text"]) for row in day.said["match"].json}
        assert verdicts["kanji_name"][0] == verdicts["address"][0] == "DIFFERENT"
        assert all(text for _, text in verdicts.values())
        assert [row["verdict"] for row in day.said["match again"].json] == ["EQUAL"]

    def test_the_exceptions_are_shown_before_the_question(self, day: Story) -> None:
        no, yes = day.said["no"].out, day.said["yes"].out
        before, _, after = no.partition("[y/N]")
        assert "審査済 examine: 3件 applications" in before
        assert "除外 left out: 1件" in before
        assert "ra.guard.no_inquiry: T2026-0009" in " ".join(before.split())
        assert "cli.confirm" in after
        assert "審査済 EXAMINED" in yes
        assert "3 of 4 done" in yes
        assert "ra.examine.some" in yes
        assert (day.said["no"].status, day.said["yes"].status) == (3, 3)


class TestDecisions:
    def test_what_is_owed_waits_and_what_failed_is_left_out(self, day: Story) -> None:
        said = day.said["approve"]
        assert rows_of(said, "state") == {
            CLEAN: "ISSUING", UNPAID: "PAYMENT_WAIT", REFUTED: None,
        }  # fmt: skip
        assert rows_of(said, "code")[REFUTED] == "ra.guard.checks_ok"
        assert f"{REFUTED}: 却下 REJECTED — 資格確認不可 R02" in day.said["reject"].err

    def test_a_payment_lets_the_file_go_on(self, day: Story) -> None:
        (fee,) = day.said["fees"].json
        assert (fee["application"], fee["yen"], fee["fee"]) == (UNPAID, 5500, "DUE")
        error_line(day.said["too little"].err, "ra.fee.sum")
        error_line(day.said["not theirs"].err, "operators.role.missing")
        assert f"{UNPAID}: 5,500円 納付済 PAID" in day.said["pay"].err
        assert day.said["show json"].json["state"] == "ISSUING"
        settled = day.terminal.run("ra", "fee", "list", "--all", "--json").json
        assert [row["fee"] for row in settled] == ["PAID"]

    def test_what_only_the_step_itself_refuses_stops_no_other(self, day: Story) -> None:
        two = ("ra", "examine", CLEAN, "T2026-0009", "--rest-ok", "--yes", *ENDO, "--json")
        said = day.terminal.run(*two, status=3)
        codes = {CLEAN: "operators.role.missing", "T2026-0009": "ra.guard.no_inquiry"}
        assert rows_of(said, "code") == codes
        assert "error ra.examine.some: 2 of 2 were not done" in said.err

    def test_an_approval_is_taken_back(self, day: Story) -> None:
        assert f"{CLEAN}: 審査中 EXAMINING" in day.said["send back"].err

    @pytest.mark.parametrize(
        ("code", "status", "words"),
        [
            ("ra.state", 5, ("approve", DEFICIENT, *ENDO)),
            ("operators.role.missing", 3, ("check", CLEAN, "INTENT", "--ok", *ENDO)),
            ("operators.role.missing", 3, ("complete", DEFICIENT, *ENDO)),
            ("operators.role.missing", 3, ("show", CLEAN, "--operator", "fujita")),
            ("ra.state", 5, ("carry-out", CLEAN, *AOKI)),
            ("ra.state", 5, ("withdraw", DRAFT, "--reason", "x", *AOKI)),
            ("ra.guard.reason", 3, ("send-back", UNPAID, "--reason", " ", *ENDO)),
            ("cli.check", 2, ("check", CLEAN, "INTENT", *AOKI)),
            ("cli.check", 2, ("check", CLEAN, "INTENT", "--ok", "--fail", "x", *AOKI)),
            ("ra.check.unknown", 2, ("check", CLEAN, "SHOE", "--ok", *AOKI)),
            ("ra.check.method", 2, ("check", CLEAN, "INTENT", "--ok", "--method", "x", *AOKI)),
            ("cli.pair", 2, ("match", CLEAN, "PHOTO_ID", "kanji_name", *AOKI)),
            ("ra.match.field", 2, ("match", CLEAN, "PHOTO_ID", "shoe=42", *AOKI)),
            ("ra.match.source", 4, ("match", CLEAN, "MAP", "address=x", *AOKI)),
            ("ra.date", 2, ("match", CLEAN, "PHOTO_ID", "birth_date=S64.2.30", *AOKI)),
            ("cli.choice", 2, ("choose", CLEAN, UNPAID, "TWIN", "--reason", "x", *AOKI)),
            ("ra.duplicate.unknown", 4,
             ("choose", CLEAN, UNPAID, "DUPLICATE", "--reason", "x", *AOKI)),
            ("cli.notice", 2, ("notice", "sent", CLEAN, "POEM", *AOKI)),
            ("ra.fee.none", 5, ("fee", "pay", UNPAID, "5500", "--reference", "1", *AOKI)),
            ("cli.refs", 2, ("complete", *AOKI)),
            ("cli.refs", 2, ("return", DEFICIENT, "--late", *AOKI)),
            ("cli.search.operator", 2, ("list", "--search", "前田")),
            ("cli.template.format", 2, ("template", "list.doc")),
        ],
    )  # fmt: skip
    def test_each_wrong_step_is_one_line(
        self, day: Story, code: str, status: int, words: tuple[str, ...]
    ) -> None:
        day.terminal.refused(code, status, "ra", *words)


class TestShowing:
    def test_a_file_is_shown_with_official_terms_and_both_calendars(self, day: Story) -> None:
        text = day.said["show"].out
        born = day.said["show json"].json["birth_date"]
        for wanted in ("発行処理中 ISSUING", "郵送 POST", f"{born} (昭和",
                       "本人確認 IDENTITY 適 OK",
                       "RESIDENT_RECORD address 相違 DIFFERENT 「東京都」 説明: 転居",
                       "登録あり REGISTERED", "5,500円 納付済 PAID", "手数料請求 FEE",
                       "手数料の入金 FEE.PAID aoki"):  # fmt: skip
            assert wanted in text, wanted
        history = day.said["show json"].json["history"]
        states = [one["state"] for one in history if one["state"]]
        assert states == ["RECEIVED", "EXAMINING", "QUAL_INQUIRY", "EXAMINED", "APPROVED",
                          "PAYMENT_WAIT", "ISSUING"]  # fmt: skip

    @pytest.mark.parametrize(
        ("lang", "words"), [("C", ("show", UNPAID)), ("ja_JP.UTF-8", ("list",))]
    )
    def test_screens_fit_80_columns(self, day: Story, lang: str, words: tuple[str, ...]) -> None:
        said = day.terminal.typed("ra", *words, *AOKI, variables={"LANG": lang})
        assert said.status == 0
        assert "ISSUING" in said.out
        assert all(_cells(line) <= 80 for line in said.out.splitlines()[1:]), said.out

    def test_a_list_is_paged_and_has_names_for_somebody_only(self, day: Story) -> None:
        head = day.terminal.head()
        first = day.terminal.run("ra", "list", "--limit", "2", "--json")
        assert "続き more: --after T2026-0002" in first.err
        assert not {"kanji_name", "kana_name"} & set(first.json[0])
        rest = day.terminal.run("ra", "list", "--after", "T2026-0002", "--json").json
        assert [row["application"] for row in rest][:2] == ["T2026-0003", "T2026-0004"]
        assert day.terminal.head() == head
        named = day.terminal.run("ra", "list", "--limit", "1", *AOKI, "--json").json
        assert (named[0]["application"], named[0]["kanji_name"]) == ("T2026-0001", "前田　慎一郎")
        assert day.terminal.head()[0] == head[0] + 1

    def test_who_saw_and_who_carried_out_is_in_the_trail(self, day: Story) -> None:
        search = ("audit", "show", "--json", "--limit", "1000", "--code")
        views = day.terminal.run(*search, "PII.VIEW").json
        assert f"application {UNPAID}" in {row["object"] for row in views}
        exports = day.terminal.run(*search, "PII.EXPORT").json
        assert {row["object"].split()[-2] for row in exports} >= {"import", "inquiry"}
        everything = day.terminal.run("audit", "show", "--limit", "1000", "--json").out
        for name in (sample(UNPAID)["kanji_name"], "電話で訂正の申出", "取下書"):
            assert name not in everything


class TestFiles:
    @pytest.mark.parametrize("name", ["list.csv", "list.xlsx"])
    def test_a_template_is_refused_until_it_is_filled_in(
        self, day: Story, tmp_path: Path, name: str
    ) -> None:
        day.terminal.run("ra", "template", tmp_path / name)
        said = day.terminal.run("ra", "import", tmp_path / name, *AOKI, "--json")
        assert [(row["line"], row["outcome"]) for row in said.json] == [
            (said.json[0]["line"], "REJECTED")
        ]
        day.terminal.refused("cli.file.exists", 5, "ra", "template", tmp_path / name)

    def test_bad_rows_are_told_and_nothing_is_lost(self, day: Story, tmp_path: Path) -> None:
        base = sample("T2026-0014")
        faults = {
            "received_on": "2099-01-01",
            "birth_date": "1981-02-29",
            "kanji_name": "髙" * 101,
            "kana_name": "タカハシ　😀",
            "romaji_name": "=1+1",
        }
        rows = [
            {**base, "application_ref": f"T2026-8{number:03}", name: value}
            for number, (name, value) in enumerate(faults.items())
        ]
        path = written(tmp_path / "bad.csv", *rows, base)
        said = day.terminal.run("ra", "import", path, *AOKI, "--json")
        assert [row["field"] for row in said.json] == [*faults, None]
        assert said.json[-1]["outcome"] == "ACCEPTED"

    def test_a_bomb_and_a_false_picture_are_one_line(self, day: Story, tmp_path: Path) -> None:
        bomb = tmp_path / "bomb.xlsx"
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("[Content_Types].xml", b" " * 50_000_000)
        said = day.terminal.run("ra", "import", bomb, *AOKI, status=2)
        assert "error ra.import." in said.err
        picture = tmp_path / "photo.jpg"
        picture.write_text("not a picture")
        words = ("ra", "document", "add", CLEAN, "PHOTO", picture, *AOKI)
        assert "error ra.document." in day.terminal.run(*words, status=2).err


def _cells(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(line)
