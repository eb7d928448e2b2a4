"""A process that dies leaves no core: what it knew goes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cli.terminal import HPKI, SECONDS, Terminal

AT_WORK = ("card", "personalize", "T2026-0001.1", "--operator", "fujita")


def aborted(command: Sequence[object], folder: Path, shell: Terminal, ready: Path) -> int:
    """Wait status of a program to which cores were allowed, aborted when it reads the FIFO."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'ulimit -c unlimited && exec "$@"', "sh", *map(str, command)],
        cwd=folder,
        env=shell.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(opened_by(ready, lambda: process.poll() is None))
    os.kill(process.pid, signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return status


def opened_by(fifo: Path, lives: Callable[[], bool]) -> int:
    """The FIFO, open for writing since somebody waits to read it."""
    deadline = time.monotonic() + SECONDS
    while lives() and time.monotonic() < deadline:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the program never came so far")


def test_an_aborted_station_leaves_no_core(own: Terminal, tmp_path: Path) -> None:
    """It waits for the passphrase of the CA keys, and knows operator's and card master key."""
    fifo, folder = own.site / "secrets" / "ca-keys", tmp_path / "empty"
    folder.mkdir()
    fifo.unlink()
    os.mkfifo(fifo, 0o600)
    status = aborted((HPKI, *AT_WORK), folder, own, fifo)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert list(folder.iterdir()) == []


def test_another_program_would_leave_one(own: Terminal, tmp_path: Path) -> None:
    """Else the test above would prove nothing here."""
    fifo, folder = tmp_path / "fifo", tmp_path / "empty"
    folder.mkdir()
    os.mkfifo(fifo, 0o600)
    status = aborted((sys.executable, "-c", f"open({str(fifo)!r})"), folder, own, fifo)
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert os.WCOREDUMP(status)
