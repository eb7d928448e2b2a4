"""Files and folders shown to the judge: read twice, judged one by one, remembered little."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from cli.output import read_input
from cli.progress import bars
from pki.errors import HpkiError, InvalidInput, NotFound
from pki.reading.certificate import Certificate
from pki.reading.crl import MAX_OCTETS, RevocationList, open_list
from pki.reading.objects import objects_in
from policies.lint.corpus import Corpus, Options, Verdict

STDIN = "-"
_LARGE = 16 * 1024 * 1024
"""Octets from which on a list in DER is read from its file as needed."""

_ENDINGS = frozenset((".cer", ".crt", ".der", ".pem", ".crl", ".chain", ".arl"))


@dataclass
class Judged:
    """What came of it: verdicts in the order read, and what could not be read and why."""

    verdicts: list[Verdict] = field(default_factory=list)
    unreadable: list[tuple[str, HpkiError]] = field(default_factory=list)


def judge_files(names: Sequence[str], options: Options) -> Judged:
    """Judge every certificate and list in the files and folders; ``-`` is standard input.

    In folders, files with the endings of certificates and lists are read. Raises ``NotFound`` for
    a path that is not there and ``InvalidInput`` for a folder without any such file.
    """
    given = _stdin() if STDIN in names else b""
    paths = [path for name in names for path in _paths(name)]
    judged, corpus = Judged(), Corpus(options)
    with bars() as shown, ExitStack() as kept:
        for path in shown.track(paths, len(paths), "read"):
            try:
                for source, one in _objects(path, given, kept):
                    corpus.add(source, one)
            except HpkiError as error:
                judged.unreadable.append((path, error))
        broken = {path for path, _ in judged.unreadable}
        for path in shown.track(paths, len(paths), "judge"):
            try:
                with ExitStack() as opened:
                    for source, one in _objects(path, given, opened):
                        judged.verdicts.append(corpus.judge(source, one))
            except HpkiError as error:
                if path not in broken:
                    judged.unreadable.append((path, error))
        judged.verdicts.extend(corpus.pairs())
    return judged


def _objects(
    path: str, given: bytes, opened: ExitStack
) -> Iterator[tuple[str, Certificate | RevocationList]]:
    large = None if path == STDIN else _large_list(Path(path), opened)
    if large is not None:
        yield path, large
        return
    octets = given if path == STDIN else read_input(Path(path), MAX_OCTETS, "lint.size")
    if not octets:
        raise InvalidInput("lint.empty", "the file is empty")
    label = "stdin" if path == STDIN else path
    for number, one in enumerate(objects_in(octets), 1):
        yield (label if number == 1 else f"{label}#{number}"), one


def _large_list(path: Path, opened: ExitStack) -> RevocationList | None:
    """Return the list in a large file of DER, which is left open; None for anything else."""
    with ExitStack() as opening:
        try:
            if not _LARGE <= path.stat().st_size <= MAX_OCTETS:
                return None
            crl = open_list(opening.enter_context(path.open("rb")))
        except (OSError, HpkiError):
            return None
        opened.push(opening.pop_all())
        return crl


def _paths(name: str) -> list[str]:
    if name == STDIN:
        return [STDIN]
    path = Path(name)
    if not path.is_dir():
        if not path.exists():
            raise NotFound("cli.file.none", f"there is no file {name}", "Check the path.")
        return [name]
    found = sorted(
        str(below)
        for below in path.rglob("*")
        if below.suffix.lower() in _ENDINGS and below.is_file()
    )
    if not found:
        raise InvalidInput(
            "lint.folder",
            f"the folder {name} holds no file that ends in {', '.join(sorted(_ENDINGS))}",
            "Name the files themselves.",
        )
    return found


def _stdin() -> bytes:
    octets = sys.stdin.buffer.read(MAX_OCTETS + 1)
    if len(octets) > MAX_OCTETS:
        raise InvalidInput("lint.size", f"stdin has more than {MAX_OCTETS} octets")
    return octets
