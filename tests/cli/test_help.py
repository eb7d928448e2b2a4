"""Help, walked over the program itself: every command has an example, and --json for its data."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from cli.words import HEADINGS, HINTS
from pki.errors import Conflict, InvalidInput, NotFound, Refused, Unavailable
from tests.cli.terminal import Terminal

ROOT: Any = typer.main.get_command(app)
ISSUE = """
init; ca ceremony; ca list; ca show; operator add; operator list; ra import; ra list; ra show;
ra template; ra receive; ra complete; ra ask; ra return; ra withdraw; ra send-back; ra carry-out;
ra check; ra match; ra duplicates; ra choose; ra inquiry make; ra inquiry list; ra inquiry show;
ra inquiry answer; ra fee list; ra fee pay; ra fee waive; ra notice list; ra notice sent;
ra examine; ra approve; ra reject; cert issue; cert list; cert show; cert export;
card personalize; card list; card show; revoke; crl issue; crl publish; crl show;
report prefectures; audit verify; audit show; config show
"""


def walk(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in sorted(getattr(command, "commands", {}).items()):
        yield from walk(below, *path, name)


EVERYTHING = dict(walk(ROOT))
COMMANDS = {path: command for path, command in EVERYTHING.items() if command.callback is not None}
LEAVES = {path: one for path, one in EVERYTHING.items() if not hasattr(one, "commands")}


def named(path: tuple[str, ...]) -> str:
    return " ".join(path) or "hpki"


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What ``--help`` after these words prints; the tree of commands is made once."""

    def ask(*path: str) -> str:
        assert not ROOT.main([*path, "--help"], prog_name="hpki", standalone_mode=False)
        return capsys.readouterr().out

    return ask


def function_of(command: Any) -> Callable[..., None]:
    found: Callable[..., None] = inspect.unwrap(command.callback)
    return found


@pytest.mark.parametrize("path", EVERYTHING, ids=named)
def test_help_ends_well(path: tuple[str, ...], help_of: Callable[..., str]) -> None:
    said = help_of(*path)
    assert "Usage:" in said
    if path in LEAVES or not path:
        assert "Example: hpki" in " ".join(said.split())


def test_the_help_names_the_exit_statuses(help_of: Callable[..., str]) -> None:
    said = " ".join(help_of().split())
    for kind in (InvalidInput, Refused, NotFound, Conflict, Unavailable):
        assert f"{kind.exit_status} " in said
        assert HINTS[kind.exit_status]


def test_every_step_of_the_issue_is_a_command() -> None:
    wanted = {tuple(step.split()) for step in ISSUE.split(";")}
    assert wanted <= set(LEAVES)


@pytest.mark.parametrize("path", LEAVES, ids=named)
def test_the_example_is_a_command_line_that_the_command_takes(path: tuple[str, ...]) -> None:
    text = inspect.getdoc(function_of(LEAVES[path])) or ""
    example = " ".join(text[text.index("Example: ") + len("Example: ") :].split())
    words = shlex.split(example.replace("…", ""))
    assert words[0] == "hpki"
    with ROOT.make_context("hpki", words[1:]) as outer:
        command, rest = ROOT, [*outer._protected_args, *outer.args]
        for name in path:
            assert rest[0] == name
            command, rest = command.commands[name], rest[1:]
        command.make_context(path[-1], rest)


@pytest.mark.parametrize("path", LEAVES, ids=named)
def test_what_prints_data_prints_json_too(path: tuple[str, ...]) -> None:
    function = function_of(LEAVES[path])
    module = ast.parse(Path(inspect.getfile(function)).read_text("utf-8"))
    bodies = {one.name: one for one in module.body if isinstance(one, ast.FunctionDef)}
    seen, waiting = set(), [function.__name__]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in bodies:
            continue
        seen.add(name)
        waiting += [node.id for node in ast.walk(bodies[name]) if isinstance(node, ast.Name)]
    used = {
        node.id for name in seen for node in ast.walk(bodies[name]) if isinstance(node, ast.Name)
    }
    prints = bool(used & {"show_rows", "show_record", "show_json"})
    options = {option for parameter in LEAVES[path].params for option in parameter.opts}
    assert prints == ("--json" in options)


@pytest.mark.parametrize("path", LEAVES, ids=named)
def test_each_line_of_help_is_whole_in_the_list(path: tuple[str, ...]) -> None:
    first = (inspect.getdoc(function_of(LEAVES[path])) or "").splitlines()[0]
    assert len(first) <= 66, first
    assert first.endswith(".")


@pytest.mark.parametrize("path", [path for path in EVERYTHING if path not in LEAVES], ids=named)
def test_no_line_in_the_list_is_cut_at_80_columns(
    path: tuple[str, ...], help_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert [line for line in help_of(*path).splitlines()[1:] if line.endswith("...")] == []


def test_secrets_are_no_arguments() -> None:
    for path, command in LEAVES.items():
        for parameter in command.params:
            for name in parameter.opts:
                assert not re.search(r"pass|secret|pin\b|puk|key", name.lower()), (path, name)


def test_every_heading_has_two_languages(own_centre: Terminal) -> None:
    card = own_centre.run("card", "list", "--json").json[0]["card"]
    file = ("ra", "show", "T2026-0001", "--operator", "aoki")
    for arguments in (file, ("card", "show", card), ("ca", "show", "root")):
        assert set(own_centre.run(*arguments, "--json").json) <= set(HEADINGS)
    assert all(japanese and english for japanese, english in HEADINGS.values())


@pytest.mark.parametrize("words", [[], ["ra"], ["audit"]])
def test_a_group_alone_shows_its_help_and_is_wrong_usage(words: list[str], tmp_path: Path) -> None:
    done = Terminal(tmp_path).run(*words, status=2)
    assert done.out == ""
    assert done.err.startswith("Usage: hpki")


def test_the_version_is_said(tmp_path: Path) -> None:
    assert Terminal(tmp_path).run("--version").out.startswith("hpki ")
