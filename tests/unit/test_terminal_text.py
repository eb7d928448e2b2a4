"""What others wrote does not bend the terminal: escape sequences, reversals, line ends."""

from __future__ import annotations

import pytest

from cli.output import say, show_error, show_rows
from cli.tables import show_table, sound
from pki.errors import InvalidInput

BAD = "\x1b]0;owned\x07\x9b31m\u202e前田\u200b"


def test_only_what_is_seen_is_left() -> None:
    assert sound("𠮷田　髙子 葛\U000e0100城\nSmith") == "𠮷田　髙子 葛\U000e0100城\nSmith"
    assert sound(BAD) == "\\x1b]0;owned\\x07\\x9b31m\\u202e前田\\u200b"


def test_tables_lines_and_errors_are_sound(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name",), [[BAD]])
    show_rows([{"note": BAD}], ("note",), as_json=False)
    show_rows([{"note": BAD}], ("note",), as_json=True)
    say(BAD)
    show_error(InvalidInput("x.y", BAD, BAD))
    told = "".join(capsys.readouterr())
    assert "前田" in told
    assert all(one.isprintable() or one in "\n\u3000" for one in told)
