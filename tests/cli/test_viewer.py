"""Documents shown from memory: what a viewer gets, and what is left behind."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from cli.viewer import find_viewer, show
from pki.errors import Unavailable

OCTETS = os.urandom(300_000)
READS = """
import hashlib, os, sys
path = sys.argv[-1]
with open(path, "rb") as file:
    got = hashlib.sha256(file.read()).hexdigest()
try:
    os.ftruncate(int(path.rpartition("/")[2]), 0)
    sealed = "open"
except OSError:
    sealed = "sealed"
link = os.readlink(path).split(" ")[0]
print(f"{path} {link} {got} {sealed} {sys.argv[1]}", file=open(sys.argv[1], "w"))
"""


def test_a_viewer_reads_sealed_memory(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script, told = tmp_path / "viewer with space.py", tmp_path / "told; rm -rf x"
    script.write_text(READS + "print('words of the viewer')")
    before = len(os.listdir("/proc/self/fd"))
    show(OCTETS, [sys.executable, str(script), str(told)])
    path, link, got, sealed, *_ = told.read_text().split(" ")
    assert path.startswith("/proc/self/fd/")
    assert link == "/memfd:document"
    assert got == hashlib.sha256(OCTETS).hexdigest()
    assert sealed == "sealed"
    assert len(os.listdir("/proc/self/fd")) == before
    assert capfd.readouterr().out == ""
    assert sorted(tmp_path.iterdir()) == sorted([script, told])


def test_a_wrapper_script_passes_it_on(tmp_path: Path) -> None:
    wrapper, told = tmp_path / "viewer", tmp_path / "told"
    wrapper.write_text('#!/bin/sh\nsha256sum < "$2" > "$1"\n')
    wrapper.chmod(0o700)
    show(OCTETS, [str(wrapper), str(told)])
    assert told.read_text().startswith(hashlib.sha256(OCTETS).hexdigest())


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["/nowhere/viewer"], "cli.viewer.start"),
        (["/"], "cli.viewer.start"),
        (["false"], "cli.viewer.failed"),
    ],
)
def test_a_viewer_that_fails_is_told(command: list[str], code: str) -> None:
    with pytest.raises(Unavailable) as failed:
        show(OCTETS, command)
    assert failed.value.code == code
    assert failed.value.hint


def test_known_viewers_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for media_type, key in (("image/png", "image_viewer"), ("application/pdf", "pdf_viewer")):
        with pytest.raises(Unavailable) as failed:
            find_viewer(media_type)
        assert failed.value.code == "cli.viewer.none"
        assert key in failed.value.hint
    for name in ("feh", "zathura"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o700)
    assert find_viewer("image/jpeg") == ("feh", "--")
    assert find_viewer("application/pdf") == ("zathura",)
