"""The screen of the desk: left what waits, right the file, below what happened and the keys.

The store and the signer are used by one thread of their own, so that the screen stays alive while
something is signed. Steps follow one another: a key pressed meanwhile waits for its turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from cli.desk.bench import Bench
from cli.desk.dialogs import Keys
from cli.desk.drawing import drawn_keys, drawn_line, drawn_person, drawn_waiting
from cli.desk.shown import Kind, Line, Shown
from cli.desk.steps import STEPS, write_field
from cli.desk.words import ANYWHERE, KEYS_IN, TICKED_IN, WITHOUT_FILE, say
from cli.tables import sound
from pki.errors import HpkiError
from ra.casework.worklist import Urgency, Waiting
from ra.persons.names import IDEOGRAPHIC_SPACE

Result = TypeVar("Result")
View = Callable[[bytes, str], "subprocess.Popen[bytes]"]
Print = Callable[[str], Path]
_WIDE = 110


class DeskApp(App[None]):
    """The desk of one person; ``made`` are the inquiries made on the way.

    ``typed`` holds characters that open the question what a paper shows. ``fault`` is a fault of
    this program, for whoever runs the desk.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; background: $primary; color: $text; }
    #waiting { width: 28; height: 1fr; border: none; border-right: solid $primary; padding: 0; }
    #person { height: auto; max-height: 12; padding: 0 1; background: $boost; }
    #lines { height: 1fr; border: none; padding: 0; }
    #status { height: auto; max-height: 3; }
    #keys { height: auto; max-height: 2; background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave_at_once", priority=True, show=False),
        Binding("ctrl+q", "leave_at_once", priority=True, show=False),
        Binding("escape", "to_list", show=False),
    ]

    def __init__(self, bench: Bench, banner: str, view: View, print_sheet: Print) -> None:
        super().__init__()
        self.bench, self.banner = bench, banner
        self.view, self.print_sheet = view, print_sheet
        self.rows: tuple[Waiting, ...] = ()
        self.shown: Shown | None = None
        self.basket: list[str] = []
        self.skipped: set[str] = set()
        self.made: list[str] = []
        self.typed: str | None = None
        self.fault: Exception | None = None
        self.pending = 0
        self._viewers: list[subprocess.Popen[bytes]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="desk")
        self._turn = asyncio.Lock()

    def compose(self) -> ComposeResult:
        """Give the parts of the screen."""
        yield Static(id="title")
        with Horizontal():
            yield OptionList(id="waiting")
            with Vertical():
                yield Static(id="person")
                yield OptionList(id="lines")
        yield Static(id="status")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Read what waits."""
        self.set_interval(0.5, self._look_at_viewers)
        self.query_one("#waiting").focus()
        self.start(self.list_anew)

    def on_unmount(self) -> None:
        """End the viewers, and wait for what is being written."""
        self.close_viewers()
        self._thread.shutdown()

    def on_resize(self, event: events.Resize) -> None:
        """Give the list more room on a wide screen."""
        self.query_one("#waiting").styles.width = 28 if event.size.width < _WIDE else 40

    def start(self, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step when those before it are done."""
        self.pending += 1
        self.run_worker(self._take(step), exit_on_error=False)

    async def _take(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            async with self._turn:
                await step()
        except HpkiError as error:
            await self._tell_error(error)
        except Exception as error:
            self.fault = error
            self.exit()
        finally:
            self.pending -= 1

    async def _tell_error(self, error: HpkiError) -> None:
        if self.shown is not None:
            with contextlib.suppress(HpkiError):  # the first error says enough
                await self.look()
        hint = f" — {error.hint}" if error.hint else ""
        self.tell(f"{error.code}: {error.text}{hint}", "bold red")

    async def in_thread(self, work: Callable[[], Result], busy: str = "busy") -> Result:
        """Do it in the thread that has the store and the key; the screen stays alive."""
        self.tell(say(busy), "dim")
        result = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        self.tell("")
        return result

    def tell(self, text: str, style: str = "") -> None:
        """Put a line into the status bar."""
        self.query_one("#status", Static).update(Text(sound(" ".join(text.split())), style=style))

    async def list_anew(self) -> None:
        """Read what waits and draw it; files to be asked about are left out."""
        rows = await self.in_thread(self.bench.waiting)
        self.rows = tuple(row for row in rows if row.ref not in self.basket)
        waiting = self.query_one("#waiting", OptionList)
        waiting.clear_options()
        waiting.add_options([Option(drawn_waiting(row), id=row.ref) for row in self.rows])
        open_ref = self.shown.ref if self.shown else None
        refs = [row.ref for row in self.rows]
        waiting.highlighted = refs.index(open_ref) if open_ref in refs else (0 if refs else None)
        over = sum(row.urgency is Urgency.OVERDUE for row in self.rows)
        parts = [self.banner, say("title"), self.bench.signer.operator_id]
        parts += [say("waiting", len(refs)), say("over", over) if over else ""]
        parts += [say("asked", len(self.basket)) if self.basket else ""]
        self.query_one("#title", Static).update(Text("  ".join(filter(None, parts))))
        self._draw_keys()

    async def open(self, ref: str) -> None:
        """Open a file, which is entered, and put the cursor on what is to be ticked first."""
        self.close_viewers()
        self.shown = await self.in_thread(lambda: self.bench.open(ref))
        self._draw(self.shown.next_open() or 0)
        self.query_one("#lines").focus()

    async def look(self, *, further: bool = False) -> None:
        """Read the open file anew; ``further``: the cursor goes to what is to be ticked next."""
        before = self.shown
        if before is None:
            return
        at = self.query_one("#lines", OptionList).highlighted or 0
        self.shown = await self.in_thread(lambda: self.bench.look(before.ref))
        following = self.shown.next_open(at) if further else at
        self._draw(at if following is None else following)

    async def go_on(self, done: str) -> None:
        """Say what was done, and open the file that is due next."""
        besides = {*self.basket, *self.skipped}
        ref = await self.in_thread(lambda: self.bench.next_ref(besides))
        self.close_viewers()
        self.shown = None
        if ref is None:
            self._draw(0)
            self.query_one("#waiting").focus()
        else:
            await self.open(ref)
        await self.list_anew()
        self.tell(done if ref else f"{done}; {say('empty')}", "bold green")

    def _draw(self, at: int) -> None:
        lines = self.query_one("#lines", OptionList)
        lines.clear_options()
        person = self.query_one("#person", Static)
        person.update(drawn_person(self.shown))
        if self.shown is not None:
            lines.add_options([Option(drawn_line(line)) for line in self.shown.lines])
            lines.highlighted = min(at, len(self.shown.lines) - 1) if self.shown.lines else None
        self._draw_keys()

    def _draw_keys(self) -> None:
        state = self.shown.state if self.shown else None
        self.query_one("#keys", Static).update(drawn_keys(state))

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        at = self.query_one("#lines", OptionList).highlighted
        return self.shown.lines[at] if self.shown and at is not None else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open a file of the list, or tick the line of a file."""
        if event.option_list.id == "waiting" and event.option.id is not None:
            ref = event.option.id
            self.start(lambda: self.open(ref))
        elif event.option_list.id == "lines" and self._may("\r"):
            self.start(lambda: STEPS["\r"](self))

    def on_key(self, event: events.Key) -> None:
        """Take the step of a key; what does nothing with this file does nothing."""
        wide_space = event.key == "ideographic_space"  # which Textual holds for no character
        key = IDEOGRAPHIC_SPACE if wide_space else event.character or ""
        if len(self.screen_stack) > 1 or not (event.is_printable or wide_space):
            return
        if key == "?":
            self.push_screen(Keys())
        elif key in WITHOUT_FILE or self._may(key):
            self.start(lambda: STEPS[key](self))
        elif key not in STEPS:
            self._type(key)

    def on_paste(self, event: events.Paste) -> None:
        """Take what was pasted for what a paper shows."""
        if len(self.screen_stack) == 1:
            self._type(event.text)

    def _may(self, key: str) -> bool:
        state = self.shown.state if self.shown else None
        return state is not None and key in (*KEYS_IN.get(state, ()), *ANYWHERE)

    def _type(self, text: str) -> None:
        """Begin to write what a paper shows; more may come before the question is there."""
        if self.typed is not None:
            self.typed += text
        elif (
            self.shown
            and self.shown.state in TICKED_IN
            and self.line
            and self.line.kind is Kind.FIELD
        ):
            self.typed = text
            self.start(lambda: write_field(self))

    def action_to_list(self) -> None:
        """Put the cursor into the list."""
        self.query_one("#waiting").focus()

    def action_leave_at_once(self) -> None:
        """End without a question; what was entered is entered."""
        self.exit()

    def watch_viewer(self, viewer: subprocess.Popen[bytes]) -> None:
        """Keep a viewer that was started, to end it with the file."""
        self._viewers.append(viewer)

    def _look_at_viewers(self) -> None:
        for viewer in [one for one in self._viewers if one.poll() is not None]:
            self._viewers.remove(viewer)
            if viewer.returncode:
                self.tell(say("viewer", viewer.returncode), "bold red")

    def close_viewers(self) -> None:
        """End every viewer: a paper is not left on the screen without its file."""
        for viewer in self._viewers:
            viewer.terminate()
            viewer.wait()
        self._viewers.clear()
