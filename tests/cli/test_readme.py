"""The README's tour runs, command by command, and its make targets exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cli.warm import warm_program

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = "A tour in ten minutes"
SECONDS = 240


def blocks(section: str) -> list[str]:
    """The commands of each ``sh`` or ``console`` block in the README's section of that heading."""
    _, found, rest = README.partition(f"\n## {section}\n")
    assert found, f"README.md has no section {section!r}"
    fenced = re.findall(r"^```(sh|console)\n(.*?)^```$", rest.partition("\n## ")[0], re.M | re.S)
    return ["\n".join(_typed(language, text)) for language, text in fenced]


def _typed(language: str, text: str) -> Iterator[str]:
    for line in text.splitlines():
        if language == "sh":
            yield line
        elif line.startswith(("$ ", "> ")):
            yield line[2:]


def test_the_tour_runs(tmp_path: Path, require_tool: Callable[..., str]) -> None:
    require_tool("openssl", tier="interop")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    ceremony = tmp_path / "examples" / "ceremony.toml"
    quicker = ceremony.read_text("utf-8").replace("RSA-4096", "RSA-2048")
    ceremony.write_text(quicker, "utf-8")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    surroundings = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "LANG": "C.UTF-8",
    }
    with warm_program(programs):
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", "\n".join(blocks(TOUR))],
            cwd=tmp_path,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    told = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, told
    assert "cards: 4 of 4 made and checked" in done.stderr, told
    assert "good.pem: OK" in done.stdout, told
    assert "certificate revoked" in done.stderr, told
    assert done.stdout.count("as it must be") == 2, told
    assert "error audit.trail.broken" in done.stderr, told
    assert "the trail is whole" in done.stderr, told
    (site,) = tmp_path.glob("*/site")
    made = {path.suffix for path in (site / "reports").rglob("*.*")}
    assert made == {".html", ".csv", ".json", ".xlsx"}


def test_the_tour_is_there() -> None:
    assert len(blocks(TOUR)) > 5


def test_the_make_targets_exist() -> None:
    lines = "\n".join(blocks("Two commands")).split("\n")
    targets = {line.removeprefix("make ") for line in lines if line.startswith("make ")}
    assert targets == {"demo", "test"}
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert targets <= set(rules)


def test_every_target_named_in_the_text_exists() -> None:
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= set(rules)


def test_the_pictures_are_there_and_small() -> None:
    names = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert names
    for name in names:
        assert 0 < (ROOT / name).stat().st_size < 300 * 1024, name
