"""What the keys do with the open file: ask what is needed, do it, draw anew or go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from cli.desk.dialogs import Ask, Choose, Several, Sure
from cli.desk.shown import Kind, Line, Shown
from cli.desk.words import say
from cli.terms import document_term, refusal_term, term
from pki.errors import InvalidInput
from policies.checks import refusal_codes
from policies.documents import load_document_rules
from ra.casework.records import Choice
from ra.dates import parse_date
from ra.persons.matching import Verdict, match_field

if TYPE_CHECKING:
    from cli.desk.app import DeskApp

_GOOD = ("OK", "EQUAL", "VARIANT", "FORM", "REGISTERED", "OTHER_PERSON", "REPLACES", "BOTH_WANTED")


def _open(desk: DeskApp) -> tuple[Shown, Line]:
    """Return the open file and the line under the cursor."""
    if desk.shown is None or desk.line is None:
        raise InvalidInput("cli.desk.none", "no file is open", "Choose one in the list: Enter.")
    return desk.shown, desk.line


def _file(desk: DeskApp) -> Shown:
    if desk.shown is None:
        raise InvalidInput("cli.desk.none", "no file is open", "Choose one in the list: Enter.")
    return desk.shown


async def tick(desk: DeskApp) -> None:
    """Say that the line is in order; what was ticked already is only passed over."""
    shown, line = _open(desk)
    if line.kind is Kind.DUPLICATE:
        await _choose_about(desk, shown, line)
    elif line.mark or line.kind is Kind.REGISTER:
        pass
    elif line.kind is Kind.PAPER:
        dated = await _date_of(desk, line)
        await desk.in_thread(lambda: desk.bench.tick_paper(shown, line, dated))
    elif line.kind is Kind.FIELD:
        source, field = line.key
        await desk.in_thread(lambda: desk.bench.tick_equal(shown, source, [field]))
    else:
        await desk.in_thread(lambda: desk.bench.check(shown, line.key[0], ok=True))
    await desk.look(further=True)


async def tick_whole(desk: DeskApp) -> None:
    """Say that the paper of the line is in order with all that it shows."""
    shown, line = _open(desk)
    paper = _paper_of(shown, line)
    if paper is None:
        return
    dated = None if paper.mark else await _date_of(desk, paper)
    await desk.in_thread(lambda: desk.bench.tick_whole(shown, paper, dated))
    await desk.look(further=True)


def _paper_of(shown: Shown, line: Line) -> Line | None:
    """Return the paper that a line is about."""
    if line.kind not in (Kind.PAPER, Kind.FIELD):
        return None
    papers = [one for one in shown.lines if one.kind is Kind.PAPER]
    return next((one for one in papers if one.key[0] == line.key[0]), None)


async def _date_of(desk: DeskApp, paper: Line) -> date | None:
    """Ask for the date on a paper that must not be too old, if it is not known."""
    kind = load_document_rules().document[paper.key[0]]
    if kind.max_age is None or paper.dated:
        return None
    text = await desk.push_screen_wait(Ask(f"{paper.label}: {say('dated')}"))
    return parse_date(text) if text and text.strip() else None


async def write_field(desk: DeskApp) -> None:
    """Keep what the paper shows of a field, and why it differs."""
    typed, desk.typed = desk.typed or "", None
    shown, line = _open(desk)
    if line.kind is not Kind.FIELD:
        return
    source, field = line.key
    paper = document_term(source).partition(" ")[0]
    title = say("seen", paper, line.label)
    text = await desk.push_screen_wait(Ask(title, [line.value], typed))
    if text is None:
        return
    given = await desk.in_thread(lambda: desk.bench.given(shown, [field]))
    match = match_field(field, given[field], text)
    why: str | None = ""
    if match.verdict is Verdict.DIFFERENT:
        words = [f"{line.value} → {text}", match.words_ja, match.words_en]
        why = await desk.push_screen_wait(Ask(say("explain"), words))
    if why is None:
        return
    said = why.strip()
    await desk.in_thread(lambda: desk.bench.match(shown, source, {field: text}, said))
    await desk.look(further=True)


async def fail(desk: DeskApp) -> None:
    """Say that a paper or a check is not in order."""
    shown, line = _open(desk)
    if line.kind not in (Kind.PAPER, Kind.CHECK):
        return
    note = await desk.push_screen_wait(Ask(f"{line.label}: {say('note')}"))
    if note is None:
        return
    if line.kind is Kind.PAPER:
        await desk.in_thread(lambda: desk.bench.fail_paper(shown, line, note))
    else:
        await desk.in_thread(lambda: desk.bench.check(shown, line.key[0], ok=False, note=note))
    await desk.look(further=True)


async def _choose_about(desk: DeskApp, shown: Shown, line: Line) -> None:
    choices = [(one.value, term(one.value)) for one in Choice]
    chosen = await desk.push_screen_wait(Choose(say("choice", line.value), choices))
    reason = chosen and await desk.push_screen_wait(Ask(say("reason")))
    if chosen and reason is not None:
        choice = Choice(chosen)
        await desk.in_thread(lambda: desk.bench.choose(shown, line.key[0], choice, reason))


async def open_paper(desk: DeskApp) -> None:
    """Show the paper of the line in the viewer, from memory."""
    shown, line = _open(desk)
    paper = _paper_of(shown, line)
    if paper is None:
        return
    octets, media_type = await desk.in_thread(lambda: desk.bench.open_paper(shown, paper))
    desk.watch_viewer(desk.view(octets, media_type))
    desk.tell(say("opened", paper.label))


async def put_into_basket(desk: DeskApp) -> None:
    """Put the file on the list that will go to the register, and go on."""
    shown = _file(desk)
    for kind in ("IDENTITY", "DATA_MATCH"):
        line = shown.line(Kind.CHECK, kind)
        if line is None or not line.mark:
            raise InvalidInput(
                "cli.desk.unchecked",
                f"{shown.ref}: 本人確認 IDENTITY と記載事項照合 DATA_MATCH が先です",
                "Tick both before the register is asked.",
            )
    desk.basket.append(shown.ref)
    await desk.go_on(say("went", shown.ref, say("basket")))


async def make_list(desk: DeskApp) -> None:
    """Make the list for the register of all files put aside for it."""
    refs = list(desk.basket)
    if not refs:
        return
    title = say("inquire", len(refs))
    if await desk.push_screen_wait(Sure(title, refs[:10], say("yes"))):
        desk.basket.clear()
        made = await desk.in_thread(lambda: desk.bench.inquire(refs))
        desk.made.append(made.inquiry_id)
        left = "; ".join(f"{ref}: {error.text}" for ref, error in made.refused)
        await desk.list_anew()
        desk.tell(f"{made.inquiry_id}: {len(made.rows)} {left}", "bold green")


async def leave(desk: DeskApp) -> None:
    """End, after the list for the register is made."""
    await make_list(desk)
    desk.exit()


async def examine(desk: DeskApp) -> None:
    """Sign the examination."""
    shown = _file(desk)
    rest = [one.label for one in _open_lines(shown, Kind.PAPER, Kind.CHECK)]
    lines = [*shown.person[:5], "", *_summary(shown)]
    lines += [say("rest", "・".join(rest))] if rest else []
    if await _signed(desk, say("examine"), lines):
        await desk.in_thread(lambda: desk.bench.examine(shown), "signing")
        await desk.go_on(say("went", shown.ref, "審査済 EXAMINED"))


async def approve(desk: DeskApp) -> None:
    """Sign the approval."""
    shown = _file(desk)
    if await _signed(desk, say("approve"), [*shown.person[:5], "", *_summary(shown)]):
        await desk.in_thread(lambda: desk.bench.approve(shown), "signing")
        await desk.go_on(say("went", shown.ref, "承認 APPROVED"))


async def reject(desk: DeskApp) -> None:
    """Sign the refusal."""
    shown = _file(desk)
    codes = [(one.code, refusal_term(one.code)) for one in refusal_codes()]
    code = await desk.push_screen_wait(Choose(say("code"), codes))
    reason = code and await desk.push_screen_wait(Ask(f"{code} {say('reason')}"))
    if not code or reason is None:
        return
    lines = [*shown.person[:5], "", refusal_term(code), reason]
    if await _signed(desk, say("code"), lines):
        await desk.in_thread(lambda: desk.bench.reject(shown, code, reason), "signing")
        await desk.go_on(say("went", shown.ref, "却下 REJECTED"))


async def _signed(desk: DeskApp, title: str, lines: Sequence[str]) -> bool:
    answer = await desk.push_screen_wait(Sure(title, lines, say("sure")))
    return answer is True


def _open_lines(shown: Shown, *kinds: Kind) -> list[Line]:
    return [one for one in shown.lines if one.kind in kinds and not one.mark]


def _summary(shown: Shown) -> list[str]:
    """Return what failed, differs or is missing, or that nothing does."""
    bad = [one for one in shown.lines if one.mark and one.mark not in _GOOD]
    said = [
        f"{one.label} {term(one.mark).partition(' ')[0]} {' '.join(one.words)}".rstrip()
        for one in bad
    ]
    missing = "・".join(map(document_term, shown.missing))
    found = [say("faults", "; ".join(said))] if said else []
    found += [say("missing", missing)] if missing else []
    return found or [say("clean")]


async def send_back(desk: DeskApp) -> None:
    """Give the file back to the examiner, or take a question to the register back."""
    shown = _file(desk)
    reason = await desk.push_screen_wait(Ask(f"差戻し: {say('reason')}"))
    if reason is not None:
        await desk.in_thread(lambda: desk.bench.send_back(shown, reason))
        await desk.go_on(say("went", shown.ref, "差戻し EXAMINING"))


async def ask_applicant(desk: DeskApp) -> None:
    """Ask the applicant for what is missing."""
    shown = _file(desk)
    codes = [*load_document_rules().document, "FORM", "FIELDS"]
    choices = [(code, document_term(code)) for code in codes]
    items = await desk.push_screen_wait(Several(say("items"), choices, shown.missing))
    note = None if items is None else await desk.push_screen_wait(Ask(say("why_asked")))
    if items is not None and note is not None:
        await desk.in_thread(lambda: desk.bench.ask(shown, items, note))
        await desk.go_on(say("went", shown.ref, "不備照会中 DEFICIENT"))


async def complete(desk: DeskApp) -> None:
    """Pass the file on to the examination, or end one that issues nothing."""
    shown = _file(desk)
    if shown.state != "EXAMINED":
        await desk.in_thread(lambda: desk.bench.complete(shown))
        await desk.go_on(say("went", shown.ref, "審査中 EXAMINING"))
        return
    done = await desk.push_screen_wait(Ask(f"処理済: {say('done')}"))
    if done is not None:
        await desk.in_thread(lambda: desk.bench.carry_out(shown, done))
        await desk.go_on(say("went", shown.ref, "処理済 COMPLETED"))


async def skip(desk: DeskApp) -> None:
    """Leave the file and go on."""
    shown = _file(desk)
    desk.skipped.add(shown.ref)
    await desk.go_on(shown.ref)


async def print_file(desk: DeskApp) -> None:
    """Write the check sheet."""
    shown = _file(desk)
    path = await desk.in_thread(lambda: desk.print_sheet(shown.ref))
    desk.tell(say("sheet", path))


async def read_anew(desk: DeskApp) -> None:
    """Read list and file anew."""
    await desk.look()
    await desk.list_anew()


Step = Callable[["DeskApp"], Awaitable[None]]

STEPS: Mapping[str, Step] = {
    "\r": tick,
    " ": tick_whole,
    "m": write_field,
    "x": fail,
    "o": open_paper,
    "i": put_into_basket,
    "e": examine,
    "d": ask_applicant,
    "c": complete,
    "a": approve,
    "k": reject,
    "b": send_back,
    "n": skip,
    "p": print_file,
    "r": read_anew,
    "I": make_list,
    "q": leave,
}
"""What each key does; ``\\r`` is Enter."""
