"""``hpki audit`` at the terminal: anchors kept and delivered, the trail searched and verified."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    terminal = Terminal(tmp_path_factory.mktemp("audit") / "site")
    terminal.run("init", terminal.site)
    return terminal


@pytest.fixture
def site(made: Terminal, tmp_path: Path) -> Terminal:
    """A new training site of the test's own."""
    shutil.copytree(made.site, tmp_path / "site")
    return Terminal(tmp_path / "site")


def anchor_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def settle(site: Terminal, text: str) -> None:
    with (site.site / "hpki.toml").open("a") as file:
        file.write(f"\n[anchors]\n{text}\n")


def test_an_anchor_is_made_delivered_and_demanded(site: Terminal, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    settle(site, f'folders = ["{elsewhere}"]')
    (row,) = site.run("audit", "anchor", "--out", tmp_path / "mine.json", "--json").json
    files = [*anchor_files(site.site / "anchors"), *anchor_files(elsewhere), tmp_path / "mine.json"]
    assert [file.name for file in files] == [row["file"], row["file"], "mine.json"]
    assert len({file.read_bytes() for file in files}) == 1
    head = f"{row['seq']}:{row['hash']}"
    verified = site.run("audit", "verify", "--anchor", files[1], "--anchor", head, "--json").json
    assert (verified["seq"], verified["anchors"]) == (row["seq"] + 1, 1)
    wrong = f"{row['seq']}:{'0' * 64}"
    site.refused("audit.anchor.differs", 3, "audit", "verify", "--anchor", wrong)
    site.refused("cli.file.exists", 5, "audit", "anchor", "--out", tmp_path / "mine.json")
    assert site.run("audit", "anchor", "--due", "--json").json == [row]


def test_another_sites_anchor_is_refused(site: Terminal, tmp_path: Path) -> None:
    other = Terminal(tmp_path / "other")
    other.run("init", other.site)
    other.run("audit", "anchor", "--out", tmp_path / "other.json")
    site.refused("audit.anchor.site", 3, "audit", "verify", "--anchor", tmp_path / "other.json")


def test_a_store_rolled_back_behind_its_anchor_is_refused(site: Terminal) -> None:
    kept = (site.site / "store.sqlite").read_bytes()
    for _ in range(2):
        site.run("audit", "anchor")
    for name in ("store.sqlite-wal", "store.sqlite-shm"):
        (site.site / name).unlink(missing_ok=True)
    (site.site / "store.sqlite").write_bytes(kept)
    site.refused("audit.trail.broken", 3, "operator", "list")
    site.refused("audit.trail.broken", 3, "audit", "anchor")
    assert site.run("audit", "show", "--json").json
    site.run("audit", "verify")
    newest = anchor_files(site.site / "anchors")[-1]
    site.refused("audit.trail.broken", 3, "audit", "verify", "--anchor", newest)


def test_an_anchor_stands_without_its_time_stamp(site: Terminal) -> None:
    settle(site, 'tsa = "http://127.0.0.1:1/"\ntsa_roots = "roots.pem"')
    line = site.refused("audit.timestamp.tsa", 6, "audit", "anchor")
    assert "stands, without a time stamp" in line
    assert len(anchor_files(site.site / "anchors")) == 1
    assert site.run("audit", "verify", "--json").json["anchors"] == 1
    site.refused("audit.timestamp.tsa", 6, "audit", "anchor", "--stamp")


@pytest.mark.parametrize(
    "text",
    [
        'tsa = "http://tsa.example/"',
        'tsa = "file:///etc/passwd"\ntsa_roots = "x"',
        'tsa = "http://["\ntsa_roots = "x"',
        'folder = "x"',
    ],
)
def test_settings_of_anchors_are_judged(site: Terminal, text: str) -> None:
    settle(site, text)
    site.refused("cli.config", 2, "audit", "show")


def test_show_and_search(site: Terminal) -> None:
    for _ in range(3):
        site.run("audit", "anchor")

    def found(*args: object) -> list[int]:
        return [row["seq"] for row in site.run("audit", *args, "--json").json]

    everything = found("show")
    assert everything == list(range(1, len(everything) + 1))
    assert found("show", "2-3") == [2, 3]
    assert found("show", "1") == [1]
    assert found("show", "1-3", "--code", "LOG.START") == [1]
    anchors = found("search", "--code", "LOG.ANCHOR")
    assert len(anchors) == 3
    assert found("search", "--code", "LOG.") == [1, *anchors]
    assert found("search", "--code", "LOG.", "--after", "1", "--limit", "2") == anchors[:2]
    assert found("search", "--person", "sakurai", "--outcome", "OK") == [2]
    assert found("search", "--object", "site:nothing") == []
    newest = site.run("audit", "show", anchors[0], "--json").json[0]["object"].split()
    assert found("search", "--object", ":".join(newest)) == anchors[:1]
    assert found("search", "--since", "2020-01-01", "--until", "2999-12-31") == everything
    assert found("search", "--until", "2020-01-01") == []


@pytest.mark.parametrize(
    ("code", "args"),
    [
        ("policies.event.unknown", ("search", "--code", "NO.SUCH")),
        ("policies.event.unknown", ("show", "--code", "app.")),
        ("cli.day", ("search", "--since", "20261121")),
        ("cli.day", ("search", "--until", "2026-02-30")),
        ("cli.day", ("search", "--until", "9999-12-31x")),
        ("cli.audit.range", ("show", "0")),
        ("cli.audit.range", ("show", "5-4")),
        ("cli.audit.range", ("show", "1-²")),
        ("cli.usage", ("search", "--outcome", "MAYBE")),
        ("audit.anchor.form", ("verify", "--anchor", "yesterday")),
        ("audit.anchor.form", ("verify", "--anchor", __file__)),
    ],
)
def test_what_is_asked_wrongly(made: Terminal, code: str, args: tuple[str, ...]) -> None:
    made.refused(code, 2, "audit", *args)
