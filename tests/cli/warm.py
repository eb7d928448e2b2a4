"""``hpki`` kept warm: each command runs in a fork of one process that has imported everything.

Starting the program takes most of a second, of which nearly all is imports.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]


class Warm:
    """A process that forks for each command line it is given."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[int, bytes, bytes]:
        """Exit status, stdout and stderr of one command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as scratch:
            out, err = f"{scratch}/out", f"{scratch}/err"
            order = {
                "arguments": ["hpki", *arguments],
                "environment": dict(environment),
                "out": out,
                "err": err,
            }
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return (
                os.waitstatus_to_exitcode(status),
                Path(out).read_bytes(),
                Path(err).read_bytes(),
            )

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@contextmanager
def warm_program(folder: Path) -> Iterator[Path]:
    """A program ``hpki`` for shells, which has its work done by a warm process; its folder."""
    place = folder / "warm.socket"
    shim = folder / "hpki"
    shim.write_text(f"#!{sys.executable} -SE\nPLACE = {str(place)!r}\n{_SHIM}", encoding="utf-8")
    shim.chmod(0o700)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(place))
    listener.listen()
    server = subprocess.Popen(
        [sys.executable, __file__, str(listener.fileno())],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        pass_fds=[listener.fileno()],
    )
    try:
        yield folder
    finally:
        server.terminate()
        server.wait(10)
        listener.close()


_SHIM = """
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line.connect(PLACE)
order = {"arguments": ["hpki", *sys.argv[1:]], "environment": dict(os.environ), "cwd": os.getcwd()}
socket.send_fds(line, [json.dumps(order).encode()], [0, 1, 2])
sys.exit(int(line.recv(16) or b"1"))
"""


def serve_socket(descriptor: int) -> None:
    """Import the whole program, then fork for each program that calls."""
    _import_all()
    listener = socket.socket(fileno=descriptor)
    while True:
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            message, descriptors, _, _ = socket.recv_fds(line, 1 << 20, 3)
            child = os.fork()
            if child == 0:
                order = json.loads(message)
                for number, opened in enumerate(descriptors):
                    os.dup2(opened, number)
                    os.close(opened)
                line.close()
                os.chdir(order["cwd"])
                sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
                sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
                sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", closefd=False)
                _run(order)
            for opened in descriptors:
                os.close(opened)
            _, status = os.waitpid(child, 0)
            line.send(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)
        line.close()


def serve() -> None:
    """Import the whole program, then fork for each line of stdin."""
    _import_all()
    for line in sys.stdin.buffer:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _open_files(order)
            _run(order)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def _import_all() -> None:
    import gc
    import importlib
    import pkgutil

    from sqlalchemy.orm import configure_mappers

    import cli.main

    for package in ("audit", "ca", "card_personalization", "cli", "crl", "ra", "reports", "store"):
        home = importlib.import_module(package).__path__
        for found in pkgutil.walk_packages(home, f"{package}."):
            if "migrations" not in found.name:
                importlib.import_module(found.name)
    configure_mappers()
    cli.main.command()
    gc.freeze()


def _run(order: dict[str, object]) -> NoReturn:
    """Become the command and end as it ends."""
    import cli.main

    environment, arguments = order["environment"], order["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    try:
        cli.main.run()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))  # without taking the whole program down again
    os._exit(0)


def _open_files(order: dict[str, object]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path, mode in (
        (0, os.devnull, os.O_RDONLY),
        (1, str(order["out"]), flags),
        (2, str(order["err"]), flags),
    ):
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_socket(int(sys.argv[1]))
    serve()
