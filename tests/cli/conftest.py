"""One training site for all transcripts of a worker, made by single commands, and its copies."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import tiers
from tests.cli.terminal import Result, Terminal, people_files, warm

ROOT = Path(__file__).parents[2]
CEREMONY = ROOT / "tests" / "flows" / "ceremony.toml"
PEOPLE = (
    "--custodian",
    "kagi-ichi",
    "--custodian",
    "kagi-futa",
    "--custodian",
    "kagi-mitsu",
    "--witness",
    "mori",
)
LICENCE = "3146"
"""Last four digits of the licence of T2026-0001."""


@dataclass
class Story:
    """What every command of the chain said, by its name in ``said``."""

    terminal: Terminal
    folder: Path
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    said: dict[str, Result] = field(default_factory=dict)

    def tell(self, name: str, *args: object) -> Result:
        self.said[name] = self.terminal.run(*args)
        return self.said[name]

    @property
    def applications(self) -> Path:
        return self.folder / "applications.csv"


def application_rows(count: int) -> str:
    """Header and first rows of the sample applicants."""
    lines = (ROOT / "examples" / "applications.csv").read_text("utf-8").splitlines()
    return "\n".join(lines[: count + 1]) + "\n"


@pytest.fixture(scope="session", autouse=True)
def _warm() -> Iterator[None]:
    yield
    if warm.cache_info().currsize:
        warm().close()
        warm.cache_clear()


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The whole chain by single commands, as a person would type them."""
    folder = tmp_path_factory.mktemp("story")
    made = Story(Terminal(folder / "site"), folder)
    bad = application_rows(6).splitlines()[6].replace("-", "/", 1).replace(",0", ",x", 1)
    made.applications.write_text(f"{application_rows(5)}{bad}\n", "utf-8")
    tell = made.tell
    made.said["init"] = made.terminal.started("init", made.terminal.site)
    made.heads["init"] = made.terminal.head()
    tell("ceremony plan", "ca", "ceremony", CEREMONY, *PEOPLE, "--dry-run", "--json")
    made.heads["ceremony plan"] = made.terminal.head()
    tell("ceremony", "ca", "ceremony", CEREMONY, *PEOPLE, "--yes")
    _tell_applications(made)
    _tell_certificates(made)
    tell("crl issue", "crl", "issue", "--json")
    tell("crl publish", "crl", "publish", "--json", "--operator", "fujita")
    return made


def _tell_applications(made: Story) -> None:
    tell = made.tell
    tell("add", "operator", "add", "yamada", "--full-name", "山田 花子", "--role", "RA_EXAMINER",
         "--operator", "sakurai")  # fmt: skip
    rejects = made.folder / "rejects.csv"
    reception = ("ra", "import", made.applications, "--operator", "aoki")
    tell("import", *reception, "--rejects", rejects)
    tell("import again", *reception, "--json")
    bring_to_examination(made.terminal, made.folder, made.tell)
    file = ("T2026-0003", "--carrier", "FILE", "--rest-ok")
    tell("examine for a file", "ra", "examine", *file, "--operator", "aoki")
    rest = ("ra", "examine", "--all", "--rest-ok", "--yes", "--operator", "aoki", "--json")
    tell("examine", *rest)
    refs = [f"T2026-000{number}" for number in (1, 2, 3, 4)]
    tell("approve", "ra", "approve", *refs, "--yes", "--operator", "endo", "--json")
    tell("reject", "ra", "reject", "T2026-0005", "--code", "R02", "--operator", "endo")


def bring_to_examination(
    terminal: Terminal, folder: Path, tell: Callable[..., Result], *refs: str
) -> None:
    """Pass received files on, look at identity and data, ask the register, read its answers."""
    aoki = ("--operator", "aoki")
    tell("complete", "ra", "complete", *(refs or ("--all",)), "--yes", *aoki, "--json")
    for ref in refs or [row["application"] for row in terminal.run("ra", "list", "--json").json]:
        tell("check", "ra", "check", ref, "IDENTITY", "DATA_MATCH", "--ok", *aoki)
    asked = folder / f"inquiry-{'-'.join(refs) or 'all'}.csv"
    tell("inquiry", "ra", "inquiry", "make", *(refs or ("--all",)), asked, "--yes", *aoki)
    tell("answer", "ra", "inquiry", "answer", answered(asked), *aoki)


def answered(asked: Path, word: str = "登録あり") -> Path:
    """The list for the register, with its answers filled in."""
    file = asked.with_stem(f"{asked.stem}-answers")
    lines = asked.read_text("utf-8").splitlines()
    filled = [f"{line}{word}" if line.endswith(",") else line for line in lines]
    file.write_text("\n".join(filled) + "\n", "utf-8")
    return file


def _tell_certificates(made: Story) -> None:
    orders = [f"T2026-000{number}.1" for number in (1, 2, 4)]
    issuing = ("--operator", "fujita", "--json")
    trace = ("--trace", made.folder / "apdus.txt")
    layout = made.folder / "layout.toml"  # PINs long enough not to turn up by chance
    layout.write_text("[pin]\ndigits = 8\n")
    made.tell(
        "personalize", "card", "personalize", *orders, "--yes", *issuing, *trace, "--layout", layout
    )
    request, out = made.folder / "holder.csr", made.folder / "holder.pem"
    openssl = tiers.require_tool("openssl", tier="interop")
    command = [openssl, "req", "-new", "-newkey", "rsa:2048", "-noenc", "-subj", "/"]
    command += ["-keyout", str(made.folder / "holder.key"), "-out", str(request)]
    subprocess.run(command, check=True, capture_output=True)
    wanted = ("T2026-0003.1", "--csr", request, "--purpose", "sign")
    made.tell("issue", "cert", "issue", *wanted, "--out", out, *issuing)


@pytest.fixture
def centre(story: Story) -> Iterator[Terminal]:
    """The shared site, which the test must not change."""
    before = story.terminal.head()
    yield story.terminal
    assert story.terminal.head() == before, "the shared site was changed"


@pytest.fixture
def own_centre(story: Story, tmp_path: Path) -> Terminal:
    """A copy of the site for this test alone."""
    shutil.copytree(story.terminal.site, tmp_path / "site")
    return Terminal(tmp_path / "site")


@pytest.fixture(scope="session")
def openssl() -> str:
    return tiers.require_tool("openssl", tier="interop")


@pytest.fixture(scope="session")
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A training site as ``hpki init`` makes it."""
    terminal = Terminal(tmp_path_factory.mktemp("staff") / "site")
    terminal.run("init", terminal.site)
    return terminal


@pytest.fixture
def office(new_site: Terminal) -> Iterator[Terminal]:
    """The shared new site, which the test must not change."""
    before, files = new_site.head(), people_files(new_site.site)
    yield new_site
    assert new_site.head() == before
    assert people_files(new_site.site) == files


@pytest.fixture
def own(new_site: Terminal, tmp_path: Path) -> Terminal:
    """A copy of the new site for this test alone."""
    shutil.copytree(new_site.site, tmp_path / "site")
    return Terminal(tmp_path / "site")
