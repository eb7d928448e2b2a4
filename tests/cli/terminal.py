"""A person at the terminal: runs ``hpki`` as a program and reads what it says."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.cli.warm import Warm


@cache
def warm() -> Warm:
    """The one warm program of this test process; conftest closes it."""
    return Warm()


HPKI = Path(sys.executable).with_name("hpki")
SECONDS = 60
NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Result:
    """How a run ended: exit status, stdout and stderr (on a terminal all of it is ``out``)."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout holds, which must be JSON and nothing else."""
        return json.loads(self.out)


def as_a_shell_starts_it() -> None:
    """A background job of a script ignores Ctrl-C, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _take_terminal() -> None:
    """Make the pty the child's own."""
    as_a_shell_starts_it()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@dataclass(frozen=True)
class Terminal:
    """A shell whose site is ``site``, with no other variables than these."""

    site: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self, more: Mapping[str, str] = NONE) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "HPKI_SITE": str(self.site),
            **self.variables,
            **more,
        }

    def run(self, *args: object, status: int = 0, variables: Mapping[str, str] = NONE) -> Result:
        """Run it (warm) to the end and want this exit status."""
        ended, out, err = warm().run([*map(str, args)], self.environment(variables))
        return self._judged(Result(ended, out.decode(), err.decode()), status)

    def started(
        self, *args: object, status: int = 0, variables: Mapping[str, str] = NONE
    ) -> Result:
        """Start the program itself, as a shell does, and want this exit status."""
        done = subprocess.run(
            [HPKI, *map(str, args)],
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return self._judged(
            Result(done.returncode, done.stdout.decode(), done.stderr.decode()), status
        )

    @staticmethod
    def _judged(result: Result, status: int) -> Result:
        assert result.status == status, result
        assert "Traceback" not in result.err
        return result

    def refused(
        self, code: str, status: int, *args: object, variables: Mapping[str, str] = NONE
    ) -> str:
        """Run what must fail with this code: one error line, one hint line, nothing on stdout."""
        result = self.run(*args, status=status, variables=variables)
        assert result.out == "", result
        return error_line(result.err, code)

    def typed(
        self,
        *args: object,
        answers: Sequence[tuple[str, str]] = (),
        size: tuple[int, int] = (24, 80),
        variables: Mapping[str, str] = NONE,
    ) -> Result:
        """Run it on a terminal of its own and answer each prompt as it comes."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        process = subprocess.Popen(
            [HPKI, *map(str, args)],
            env=self.environment(variables),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        try:
            seen = _converse(ours, list(answers))
            return Result(process.wait(SECONDS), seen, "")
        finally:
            os.close(ours)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def head(self) -> tuple[int, str]:
        """Position and hash of the trail's newest entry, read past the program."""
        connection = sqlite3.connect(f"file:{self.site / 'store.sqlite'}?mode=ro", uri=True)
        try:
            found: tuple[int, str] = connection.execute(
                "SELECT seq, hash FROM trail_head"
            ).fetchone()
            return found
        finally:
            connection.close()


def error_line(err: str, code: str) -> str:
    """The text of the one error line, which has this code and is followed by one hint."""
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("error ")]
    hints = [line for line in lines if line.startswith("hint ")]
    assert len(errors) == 1, err
    assert len(hints) == 1, err
    assert len(hints[0]) > len("hint "), err
    rest = [line for line in lines if not line.startswith(("error ", "hint ", "  ", " 訓練"))]
    assert not rest, err
    found, _, text = errors[0].removeprefix("error ").partition(": ")
    assert found == code, err
    return text


def secret_values(site: Path) -> list[bytes]:
    """Every secret that lies in the site's ``secrets/``."""
    return [path.read_bytes().strip() for path in (site / "secrets").rglob("*") if path.is_file()]


def people_files(site: Path) -> dict[str, bytes]:
    """The files of people's keys and passphrases, with what they hold."""
    return {
        str(path.relative_to(site)): path.read_bytes()
        for folder in (site / "operators", site / "secrets" / "operators")
        for path in folder.iterdir()
    }


def person(shell: Terminal, name: str) -> Any:
    """What ``hpki operator show`` says of a person."""
    return shell.run("operator", "show", name, "--json").json


def files_with(site: Path, needles: Sequence[bytes]) -> list[Path]:
    """The site's files, secrets/ apart, that hold any of these octets."""
    return [
        path
        for path in site.rglob("*")
        if path.is_file()
        and path.relative_to(site).parts[0] != "secrets"
        and any(needle in octets for octets in [path.read_bytes()] for needle in needles)
    ]


def _converse(ours: int, answers: list[tuple[str, str]]) -> str:
    seen, mark = b"", 0
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if answers and answers[0][0].encode() in seen[mark:]:
            mark = len(seen)
            time.sleep(0.05)  # getpass throws away what is typed before its prompt
            os.write(ours, answers.pop(0)[1].encode())
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            octets = os.read(ours, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not octets:
            break
        seen += octets
    assert not answers, f"nobody asked {answers[0][0]!r}: {seen.decode()}"
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode()).replace("\r\n", "\n")
