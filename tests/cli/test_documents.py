"""Documents at the terminal: from a scan to the viewer, and nothing in clear left behind."""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.cli.conftest import application_rows
from tests.cli.terminal import Terminal

REF = "T2026-0001"
NEEDLE = secrets.token_hex(24)
RECORD = f"{REF}", "RESIDENT_RECORD"
VIEWER = '#!/bin/sh\nsha256sum "$2" > "$1"\n'


def scan(words: str) -> bytes:
    image, file, text = Image.new("L", (300, 400), 220), io.BytesIO(), PngImagePlugin.PngInfo()
    text.add_text("words", words)
    image.save(file, "PNG", pnginfo=text)
    return file.getvalue()


@pytest.fixture(scope="module")
def desk(new_site: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """A site with one application, whose viewer writes down what it read."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(new_site.site, folder / "site")
    shell = Terminal(folder / "site")
    (folder / "list.csv").write_text(application_rows(1), "utf-8")
    shell.run("ra", "import", folder / "list.csv", "--operator", "aoki")
    viewer = folder / "viewer"
    viewer.write_text(VIEWER)
    viewer.chmod(0o700)
    with (shell.site / "hpki.toml").open("a") as file:
        file.write(f'\n[documents]\nimage_viewer = ["{viewer}", "{folder / "seen"}"]\n')
    return shell


def in_clear(since: float, site: Path, apart: Path) -> list[Path]:
    """Files written since then that hold the needle: of the site, and temporary ones.

    Other tests' folders and ``apart`` are left out.
    """
    found = []
    for top in (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"), site.parent):
        for folder, below, names in os.walk(top):
            others = [one for one in below if one.startswith("pytest-of-")]
            below[:] = [one for one in below if one not in others and Path(folder, one) != apart]
            for path in (Path(folder, name) for name in names):
                try:
                    status = path.lstat()
                    young = status.st_mtime >= since and status.st_size < 50_000_000
                    if path.is_file() and young and NEEDLE.encode() in path.read_bytes():
                        found.append(path)
                except OSError:
                    continue
    return found


def test_from_the_scan_to_the_redacted_copy(desk: Terminal, tmp_path: Path) -> None:
    since = time.time() - 1
    scanned, black = tmp_path / "scan.pdf", tmp_path / "black.png"
    scanned.write_bytes(scan(NEEDLE))
    black.write_bytes(scan("-"))
    by = ("--operator", "aoki")
    added = desk.run("ra", "document", "add", *RECORD, scanned, "--issued-on", "R8.8.20",
                     "--received-on", "令和8年9月1日", *by, "--json")  # fmt: skip
    assert added.json["document"] == "RESIDENT_RECORD.2"
    assert (added.json["media_type"], added.json["issued_on"]) == ("image/png", "2026-08-20")
    assert "still lies there in clear" in added.err
    desk.run("ra", "document", "open", *RECORD, "--operator", "endo")
    seen = (desk.site.parent / "seen").read_text().split()
    assert seen[0] == hashlib.sha256(scanned.read_bytes()).hexdigest()
    assert seen[1].startswith("/proc/self/fd/")
    people = (*by, "--witness", "tani")
    redact = ("ra", "document", "redact", *RECORD, black, "--reason", "my_number", *people)
    shown = desk.run(*redact, "--dry-run", "--json").json
    assert (shown["document"], shown["licence"]) == ("RESIDENT_RECORD.2", "医師 903146")
    assert "cli.confirm.digits" in desk.run(*redact, "--confirm", "0000", status=3).err
    desk.run(*redact, "--confirm", "3146")
    rows = desk.run("ra", "document", "list", REF, "--json").json
    copy = next(one for one in rows if one["document"] == "RESIDENT_RECORD.3")
    assert copy["redacts"] == "RESIDENT_RECORD.2"
    desk.run("ra", "document", "open", *RECORD, *by)
    seen = (desk.site.parent / "seen").read_text().split()
    assert seen[0] == hashlib.sha256(black.read_bytes()).hexdigest()
    desk.refused("ra.document.redacted", 5, "ra", "document", "open", REF, "RESIDENT_RECORD.2", *by)
    desk.run("audit", "verify")
    assert desk.run("ra", "document", "strays", "--json").json == []
    assert in_clear(since, desk.site, tmp_path) == []


def test_the_data_key_is_the_sites_own(desk: Terminal, new_site: Terminal) -> None:
    key = desk.site / "secrets" / "documents"
    assert re.fullmatch("[0-9a-f]{64}\n", key.read_text())
    assert key.stat().st_mode & 0o777 == 0o600
    shown = {one["setting"]: one["value"] for one in desk.run("config", "show", "--json").json}
    assert shown["secrets.documents.file"] == "secrets/documents"
    assert key.read_text().strip() not in desk.run("config", "show").out


@pytest.fixture
def settings(desk: Terminal) -> Iterator[Path]:
    """The shared site's settings, put back as they were."""
    file = desk.site / "hpki.toml"
    before = file.read_bytes()
    yield file
    file.write_bytes(before)


def test_what_stops_at_once(desk: Terminal, settings: Path, tmp_path: Path) -> None:
    picture, by = tmp_path / "scan.png", ("--operator", "aoki")
    picture.write_bytes(scan("x"))
    add = ("ra", "document", "add", REF, "PHOTO_ID")
    desk.refused("ra.document.type", 2, *add, settings, *by)
    desk.refused("ra.document.code", 2, "ra", "document", "add", REF, "PASSPORT", *by)
    desk.refused("ra.date", 2, *add, "--received-on", "soon", *by)
    desk.refused("cli.document", 2, "ra", "document", "open", REF, "PHOTO_ID.one", *by)
    desk.refused("ra.document.paper", 4, "ra", "document", "open", REF, "PHOTO_ID", *by)
    desk.run(*add, picture, *by)
    desk.refused("ra.state", 5, "ra", "document", "check", REF, "PHOTO_ID", "ok", *by)
    for viewer, code in (("/nowhere", "start"), ("false", "failed")):
        variables = {"HPKI_DOCUMENTS__IMAGE_VIEWER": f'["{viewer}"]'}
        viewing = ("ra", "document", "open", REF, "PHOTO_ID", *by)
        desk.refused(f"cli.viewer.{code}", 6, *viewing, variables=variables)
    text = settings.read_text("utf-8")
    settings.write_text(text.replace("secrets/documents", "hpki.toml"), "utf-8")
    settings.chmod(0o600)
    desk.refused("cli.secret.form", 2, *add, picture, *by)
    settings.write_text(re.sub("\ndocuments = .*", "", text), "utf-8")
    desk.refused("cli.secret.documents", 6, *add, picture, *by)
