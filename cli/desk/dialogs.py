"""Questions over the desk: a line of text, one of several, several of several, yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, SelectionList, Static
from textual.widgets.option_list import Option
from textual.widgets.selection_list import Selection

from cli.desk.words import KEYS, key_words, say
from cli.tables import sound
from ra.persons.names import IDEOGRAPHIC_SPACE

Answer = TypeVar("Answer")
MOST = 1_000


class _Dialog(ModalScreen[Answer]):
    """A box over the desk; Esc gives None."""

    DEFAULT_CSS = """
    _Dialog { align: center middle; }
    _Dialog Vertical {
        width: 72; max-width: 96%; height: auto; max-height: 90%;
        border: round $accent; padding: 0 1; background: $surface;
    }
    _Dialog OptionList, _Dialog SelectionList { height: auto; max-height: 14; border: none; }
    _Dialog Static { height: auto; }
    _Dialog Input { border: tall $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, title: str, lines: Sequence[str] = ()) -> None:
        super().__init__()
        self._head = Text("\n").join(
            [Text(title, style="bold"), *(Text(sound(one)) for one in lines)]
        )

    def action_leave(self) -> None:
        """End without an answer."""
        self.dismiss(None)


class Ask(_Dialog[str | None]):
    """A line of text; ``typed`` is what was typed already."""

    def __init__(self, title: str, lines: Sequence[str] = (), typed: str = "") -> None:
        super().__init__(title, lines)
        self._typed = typed

    def compose(self) -> ComposeResult:
        """Give the question and a place to type."""
        with Vertical():
            yield Static(self._head)
            yield Input(self._typed, max_length=MOST, select_on_focus=False)

    def on_key(self, event: events.Key) -> None:
        """Take the wide space of Japanese names, which Textual holds for no character."""
        if event.key == "ideographic_space":
            self.query_one(Input).insert_text_at_cursor(IDEOGRAPHIC_SPACE)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """End with what was typed."""
        self.dismiss(event.value)


class Choose(_Dialog[str | None]):
    """One of several, by the arrows or by its number."""

    def __init__(self, title: str, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(title)
        self._choices = choices

    def compose(self) -> ComposeResult:
        """Give the question and its numbered answers."""
        with Vertical():
            yield Static(self._head)
            yield OptionList(
                *(
                    Option(Text(f"{number:2}  {words}"), id=code)
                    for number, (code, words) in enumerate(self._choices, 1)
                )
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """End with the code chosen."""
        self.dismiss(event.option.id)

    def on_key(self, event: events.Key) -> None:
        """Take a digit for the answer of that number."""
        if event.character and event.character in "123456789":
            number = int(event.character)
            if number <= len(self._choices):
                event.stop()
                self.dismiss(self._choices[number - 1][0])


class Several(_Dialog[list[str] | None]):
    """Several of several: Space chooses, Enter ends."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "done", show=False, priority=True)]

    def __init__(
        self, title: str, choices: Sequence[tuple[str, str]], chosen: Sequence[str]
    ) -> None:
        super().__init__(title)
        self._choices, self._chosen = choices, chosen

    def compose(self) -> ComposeResult:
        """Give the question and its answers, some chosen already."""
        with Vertical():
            yield Static(self._head)
            yield SelectionList[str](
                *(
                    Selection(Text(words), code, initial_state=code in self._chosen)
                    for code, words in self._choices
                )
            )

    def action_done(self) -> None:
        """End with the codes chosen."""
        self.dismiss(self.query_one(SelectionList).selected)


class Sure(_Dialog[bool | None]):
    """Yes by y, no by n; nothing else counts, so that a hasty Enter signs nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", show=False),
        Binding("n", "answer(False)", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str], question: str) -> None:
        super().__init__(title, [*lines, "", question])

    def compose(self) -> ComposeResult:
        """Give what is asked."""
        with Vertical():
            yield Static(self._head)

    def action_answer(self, yes: bool) -> None:  # noqa: FBT001
        """End with the answer."""
        self.dismiss(yes)


class Keys(_Dialog[None]):
    """All keys; any of them closes it."""

    def __init__(self) -> None:
        super().__init__(
            say("keys"), ["{:6} {}".format(*key_words(name, whole=True)) for name in KEYS]
        )

    def compose(self) -> ComposeResult:
        """Give the keys."""
        with Vertical():
            yield Static(self._head)

    def on_key(self, event: events.Key) -> None:
        """Close."""
        event.stop()
        self.dismiss(None)
