"""The documents are true to the program: commands, options, links, paths, packages, decisions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from policies.moves import ApplicationState
from policies.site import SiteKind
from tests.architecture.source_rules import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(app)
SHELL = ("sh", "console", "ini", "cron")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_OPERATORS = frozenset("();<>|&")


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _prose(text: str) -> str:
    return _FENCE.sub("", text)


def _after_hpki(line: str) -> Iterator[list[str]]:
    """The words after each call of hpki in a line of shell, up to the next operator."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found: list[str] | None = None
    for word in lexer:
        if set(word) <= _OPERATORS:
            if found is not None:
                yield found
            found = None
        elif found is not None:
            found.append(word)
        elif word.rpartition("=")[2].rpartition("/")[2] == "hpki":
            found = []
    if found is not None:
        yield found


def typed_commands(text: str) -> Iterator[list[str]]:
    """Arguments of every hpki call in a document's blocks of shell."""
    for language, block in _FENCE.findall(text):
        if language in SHELL:
            for line in block.replace("\\\n", " ").splitlines():
                yield from (found for found in _after_hpki(line) if found)


def mentioned_commands(text: str) -> Iterator[list[str]]:
    """Arguments of every hpki call in a document's inline code; options may be left out there."""
    for code in re.findall(r"`(hpki [^`]+)`", _prose(text)):
        yield from _after_hpki(code)


def option_of(command: Any, word: str) -> Any:
    """The option that a word such as ``--out`` or ``--out=x`` names; fails where there is none."""
    name = word.partition("=")[0]
    for parameter in command.params:
        if name in (*parameter.opts, *parameter.secondary_opts):
            return parameter
    if name == "--help":
        return None
    raise LookupError(f"{command.name} has no option {name}")


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The innermost command that the words name, and the words after it."""
    command, rest = COMMANDS, list(words)
    while hasattr(command, "commands"):
        while rest and rest[0].startswith("-"):
            option = option_of(command, rest[0])
            takes_value = option is not None and not option.is_flag and "=" not in rest[0]
            rest = rest[2 if takes_value else 1 :]
        if not rest:
            return command, []
        if rest[0] not in command.commands:
            raise LookupError(f"{command.name} has no command {rest[0]!r}")
        command = command.commands[rest.pop(0)]
    return command, rest


def verify_typed(words: list[str]) -> None:
    """Raise unless the program takes the words as they stand."""
    command, rest = find_command(words)
    assert not hasattr(command, "commands"), f"hpki {' '.join(words)} names no verb"
    if "--help" not in rest:
        command.make_context(command.name, rest)


def verify_mentioned(words: list[str]) -> None:
    """Raise unless the command and each option exist."""
    command, rest = find_command(words)
    for word in rest:
        if word.startswith("-") and len(word) > 1:
            option_of(command, word)


def test_there_is_something_to_compare() -> None:
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    assert sum(len(list(typed_commands(text))) for text in texts) > 40
    assert sum(len(list(mentioned_commands(text))) for text in texts) > 5


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_commands_and_options_exist(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPKI_OPERATOR", raising=False)
    text = path.read_text(encoding="utf-8")
    wrong = []
    for verify, found in (
        (verify_typed, typed_commands(text)),
        (verify_mentioned, mentioned_commands(text)),
    ):
        for words in found:
            try:
                verify(words)
            except Exception as error:
                told = getattr(error, "message", error)
                wrong.append(f"hpki {shlex.join(words)}: {told}")
    assert wrong == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_links_resolve(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", _prose(path.read_text(encoding="utf-8")))
    relative = [one for one in targets if not re.match(r"[a-z]+:|#", one)]
    missing = [one for one in relative if not (path.parent / one.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_paths_of_ours_exist(path: Path) -> None:
    code = re.findall(r"`([\w./-]+)`", _prose(path.read_text(encoding="utf-8")))
    folders = (*PACKAGES, "tests", "docs", "examples", "tools", "benchmarks")
    ours = [one for one in code if "/" in one and one.partition("/")[0] in folders]
    assert [one for one in ours if not (ROOT / one).exists()] == []


def test_every_package_stands_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert [name for name in PACKAGES if f"`{name}/`" not in text] == []


def test_the_floors_stand_in_the_order_of_the_contract() -> None:
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    diagram = _FENCE.findall(drawn)[0][1]
    names = re.findall(r"\b(?:{})\b".format("|".join(PACKAGES)), _first_columns(diagram))
    contract = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("layers = [")[2]
    assert names == re.findall(r"\b(?:{})\b".format("|".join(PACKAGES)), contract)


def _first_columns(diagram: str) -> str:
    return "\n".join(line[:30] for line in diagram.splitlines())


def test_the_glossary_has_every_state_and_kind() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    terms = set(re.findall(r"^\| ([^|]+?) \|", text, re.M))
    assert {*ApplicationState} <= terms
    assert {*SiteKind} <= terms


def test_each_decision_is_in_the_index_and_whole() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(folder.glob("[0-9]*.md"))
    assert [page.name[:4] for page in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix(f"# {page.name[:4]} ")
        assert f"| [{page.name[:4]}]({page.name}) | {title} |" in index
        assert re.findall(r"^## (.*)$", text, re.M) == ["Context", "Decision", "Consequences"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["crl", "burn"], "no command 'burn'"),
        (["crl", "due", "--soon"], "soon"),
        (["--sight", "x", "crl", "due"], "no option --sight"),
        (["ra", "reject", "T2026-0001", "--code", "R02"], "operator"),
        (["ca", "show", "sign", "root"], "root"),
    ],
)
def test_the_comparison_bites(words: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HPKI_OPERATOR", raising=False)
    with pytest.raises(Exception, match=".*") as caught:
        verify_typed(words)
    error: Any = caught.value
    assert told in f"{error} {getattr(error, 'message', '')} {getattr(error, 'param', '')}"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hpki crl due", [["crl", "due"]]),
        ("ExecStart=/opt/x/bin/hpki --site s crl due", [["--site", "s", "crl", "due"]]),
        ("a && hpki ca list | grep x > y", [["ca", "list"]]),
        ('hpki cert export "$(awk x y)" --out z', [["cert", "export", "$(awk x y)", "--out", "z"]]),
        ("export HPKI_SITE=/srv/hpki", [[]]),
        ("# hpki crl burn", []),
    ],
)
def test_calls_are_found_in_shell(line: str, words: list[list[str]]) -> None:
    assert list(_after_hpki(line)) == words
