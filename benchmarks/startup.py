"""How long `hpki --help` takes beside the shortest Typer program. Goal: at most 1.5 times."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROUNDS = 11
GOAL = 1.5
HELLO = '''
import typer


def main(name: str = "world") -> None:
    """Say hello."""
    print(f"hello {name}")


typer.run(main)
'''


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    """Measure both in turns and print the medians and their ratio."""
    hpki = Path(sys.executable).with_name("hpki")
    if not hpki.exists():
        print(f"unavailable: no {hpki}; run `make check` or `make demo` once")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        hello = Path(folder, "hello.py")
        hello.write_text(HELLO)
        commands = {
            "hello": [sys.executable, str(hello), "--help"],
            "hpki": [str(hpki), "--help"],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        try:
            for command in commands.values():
                seconds(command)  # compiles the modules
            for _ in range(ROUNDS):
                for name, command in commands.items():
                    taken[name].append(seconds(command))
        except subprocess.CalledProcessError as error:
            print(f"unavailable: {' '.join(error.cmd)} ended with {error.returncode}")
            return 0
    base, ours = (median(taken[name]) for name in ("hello", "hpki"))
    print(f"typer hello-world --help  {base * 1000:7.1f} ms (median of {ROUNDS})")
    print(f"hpki --help               {ours * 1000:7.1f} ms (median of {ROUNDS})")
    print(f"ratio {ours / base:.2f} (goal <= {GOAL})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
