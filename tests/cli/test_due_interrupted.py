"""``hpki crl due`` broken off by Ctrl-C or SIGTERM while it waits for another process."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.terminal import HPKI, SECONDS, Terminal, as_a_shell_starts_it


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock as another process that makes or publishes lists does."""
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wait_for_lock(process: subprocess.Popen[str], path: Path) -> None:
    """Wait until the process has the lock's file open, as it does while it waits."""
    until = time.monotonic() + SECONDS
    while process.poll() is None:
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                if os.readlink(descriptor) == str(path):
                    return
            except FileNotFoundError:
                continue
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, ["interrupted; what was begun can be taken up again"]),
        pytest.param(signal.SIGTERM, -signal.SIGTERM, [], marks=pytest.mark.soak),
    ],
)
def test_it_is_broken_off_and_taken_up_again(
    own_centre: Terminal, number: int, status: int, said: list[str]
) -> None:
    """Before a list is made, and after it was made and before it is published."""
    site, name = own_centre.site.resolve(), "sign.crl"
    public = site / "public"
    own_centre.run("crl", "due", "--operator", "fujita")
    (listed,) = [path for path in public.glob("*.crl") if name in path.name]
    served = listed.read_bytes()
    for lock in (site / "lists" / ".lock", public / ".lock"):
        own_centre.run("crl", "issue", "sign")
        with locked(lock):
            process = subprocess.Popen(
                [HPKI, "crl", "due"],
                env=own_centre.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=as_a_shell_starts_it,
            )
            wait_for_lock(process, lock)
            process.send_signal(number)
            out, err = process.communicate(timeout=SECONDS)
            banner, *lines = err.splitlines()
            assert "TRAINING" in banner
            assert (out, lines) == ("", said)
            assert process.returncode == status
        assert listed.read_bytes() == served
        (row,) = own_centre.run("crl", "due", "--json").json
        assert row["state"] == "PUBLISHED"
        assert listed.read_bytes() != served
        served = listed.read_bytes()
        for folder in (site / "lists", public):
            assert [one.name for one in folder.glob(".*")] == [".lock"]
    own_centre.run("audit", "verify")
