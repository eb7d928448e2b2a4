"""Lines of the desk as they are drawn: words first, colours say the same."""

from __future__ import annotations

from rich.text import Text

from cli.desk.shown import Kind, Line, Shown
from cli.desk.words import ALWAYS, ANYWHERE, KEYS_IN, key_words, say, urgency_words
from cli.tables import sound
from cli.terms import state_term, type_term
from policies.moves import ApplicationState
from ra.casework.worklist import Waiting

_LABEL = 12
_MARKS = {
    "OK": ("適", "green"),
    "FAIL": ("否", "bold red"),
    "EQUAL": ("一致", "green"),
    "VARIANT": ("異体", "yellow"),
    "FORM": ("表記", "yellow"),
    "DIFFERENT": ("相違", "bold red"),
    "OTHER_PERSON": ("別人", "green"),
    "REPLACES": ("更新", "green"),
    "BOTH_WANTED": ("両方", "yellow"),
    "DUPLICATE": ("重複", "bold red"),
    "REGISTERED": ("登録", "green"),
    "NOT_FOUND": ("なし", "bold red"),
    "STRUCK_OFF": ("抹消", "bold red"),
    "SUSPENDED": ("停止", "bold red"),
}
"""What was said of a line, in at most four columns, and its colour."""


def drawn_waiting(row: Waiting) -> Text:
    """Return a file of the list, in two lines."""
    words, style = urgency_words(row)
    first = Text.assemble((words, style), " ", row.ref)
    kind = type_term(row.type).partition(" ")[0]
    state = state_term(row.state).partition(" ")[0]
    second = Text(
        f" {sound(row.kanji_name or '—')} {kind} {state}", style="dim" if style == "dim" else ""
    )
    return Text("\n").join([first, second])


def drawn_line(line: Line) -> Text:
    """Return a line to be ticked: what it is, its value, and what was said of it."""
    indent = "  " if line.kind is Kind.FIELD else ""
    label = Text(f"{indent}{line.label}", style="bold" if line.kind is Kind.PAPER else "")
    label.append(" " * max(_LABEL - label.cell_len, 0))
    said, style = _mark(line)
    text = Text.assemble((said, style), " ", label, " ", sound(line.value))
    for words in line.words:
        text.append(f"\n       {sound(words)}", style="italic")
    return text


def _mark(line: Line) -> tuple[str, str]:
    """Return what was said in four columns, and its colour."""
    word, style = _MARKS[line.mark] if line.mark else ("[  ]", "bold")
    return word + " " * (4 - Text(word).cell_len), style


def drawn_person(shown: Shown | None) -> Text:
    """Return who the file is of."""
    if shown is None:
        return Text("")
    first, name, *rest = shown.person
    head = [Text(first), Text(sound(name), style="bold"), *(Text(sound(one)) for one in rest)]
    return Text("\n").join(head)


def drawn_keys(state: ApplicationState | None) -> Text:
    """Return the keys that do something now."""
    here = (*KEYS_IN.get(state, ()), *ANYWHERE) if state else ()
    shown = [key_words(key) for key in (*here, *ALWAYS)]
    if state is None:
        shown.insert(0, (key_words("\r")[0], say("open")))
    return Text("  ").join(Text.assemble((key, "bold"), f":{words}") for key, words in shown)
