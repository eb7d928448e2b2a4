"""What other tools say of the golden files, and what ``docs/lint-agreement.md`` tells of it.

``python -m tests.interop.agreement`` prints where the document is wrong now.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import filter as matching_names
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from pkilint import loader  # type: ignore[import-untyped]
from pkilint.document import (  # type: ignore[import-untyped]
    SubstrateDecodingFailedError,
)
from pkilint.validation import (  # type: ignore[import-untyped]
    ValidationFindingSeverity,
)

from pki.findings import Severity
from tests.golden.lint.make import FOLDER
from tests.interop.test_pkilint import certificate_validator, list_validator
from tests.tiers import require_tool

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "lint-agreement.md"
GRAVE = ValidationFindingSeverity.WARNING
LEVELS = {"FATAL": Severity.ERROR, "ERROR": Severity.ERROR, "WARNING": Severity.WARNING}
UNREADABLE = "unreadable"
FAILED = "verification failed"
LIST_FAILED = "verify failure"
READERS = (
    "openssl x509/crl",
    "openssl, the key",
    "openssl asn1parse",
    "certtool",
    "certtool, in part",
    "cryptography",
)
REFUSALS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.UnsupportedGeneralNameType,
    x509.DuplicateExtension,
    x509.InvalidVersion,
)
_COMPLAINT = re.compile(r"(^|[\s(])error( importing|[:)])|^warning: ", re.MULTILINE)
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n(.*?)-----END", re.DOTALL)
_THREADS = 2


@dataclass(frozen=True)
class Golden:
    """The first object of a golden file, what stands behind it, and what we find in it."""

    name: str
    is_list: bool
    der: bytes
    certificates: tuple[bytes, ...]
    findings: Mapping[str, Severity]

    @property
    def rule(self) -> str:
        """The rule that the file breaks, ``sound`` for none."""
        return self.name.partition("-")[0]


@dataclass
class Said:
    """What others say, by the file's name: pkilint's codes, OpenSSL's words; who does not read."""

    pkilint: dict[str, dict[str, Severity]] = field(default_factory=dict)
    noticed: set[str] = field(default_factory=set)
    openssl: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unread: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def goldens() -> tuple[Golden, ...]:
    """Return every golden file; our findings are those that its header names."""
    return tuple(_golden(path) for path in sorted(FOLDER.glob("*.pem")))


def _golden(path: Path) -> Golden:
    text = path.read_text()
    blocks = [(label, base64.b64decode(body)) for label, body in _PEM.findall(text)]
    findings: dict[str, Severity] = {}
    for code, severity in re.findall(r"^Expect: 1 (\w+) (\w+)$", text, re.MULTILINE):
        findings[code] = min(findings.get(code, Severity.INFO), Severity(severity), key=_gravity)
    return Golden(
        path.stem,
        blocks[0][0] == "X509 CRL",
        blocks[0][1],
        tuple(der for label, der in blocks[1:] if label == "CERTIFICATE"),
        findings,
    )


def _gravity(severity: Severity) -> int:
    return list(Severity).index(severity)


def pem(der: bytes, is_list: bool) -> bytes:
    label = b"X509 CRL" if is_list else b"CERTIFICATE"
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, base64.encodebytes(der), label)


# What others say.


def ask_everyone(files: Collection[Golden], suspects: Collection[str]) -> Said:
    """Ask all tools; OpenSSL is asked about ``suspects`` and sound files one by one."""
    openssl = require_tool("openssl", tier="interop")
    certtool = require_tool("certtool", tier="interop")
    said = Said()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(_THREADS) as pool:
        running = [
            pool.submit(_ask_certtool, certtool, files, said),
            pool.submit(_ask_openssl_to_read, openssl, files, suspects, said),
            pool.submit(_ask_openssl_to_verify, openssl, files, Path(scratch), said),
        ]
        ask_pkilint(files, said)
        _ask_cryptography(files, said)
        for one in running:
            one.result()
    return said


def _run(*command: str | Path, octets: bytes = b"") -> tuple[bool, str, str]:
    done = subprocess.run(
        [*map(str, command)],
        input=octets,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "LC_ALL": "C"},
    )
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    return done.returncode == 0, out, err


def ask_pkilint(files: Iterable[Golden], said: Said | None = None) -> Said:
    """Add to ``said`` what pkilint says."""
    said = said or Said()
    validators = {False: certificate_validator(), True: list_validator()}
    loaders = {False: loader.load_der_certificate, True: loader.load_der_crl}
    for one in files:
        codes = said.pkilint[one.name] = {}
        try:
            document = loaders[one.is_list](one.der, one.name)
        except SubstrateDecodingFailedError:
            codes[UNREADABLE] = Severity.ERROR
            continue
        try:
            results = list(validators[one.is_list].validate(document.root))
        except BaseException as error:  # noqa: BLE001 - its Rust part panics past Exception
            if type(error).__name__ != "PanicException":
                raise
            codes[UNREADABLE] = Severity.ERROR
            continue
        for result in results:
            for found in (described.finding for described in result.finding_descriptions):
                if found.severity <= GRAVE:
                    codes[_short(found.code)] = LEVELS[found.severity.name]
                elif found.severity is ValidationFindingSeverity.NOTICE and one.rule == "sound":
                    said.noticed.add(found.code)
    return said


@cache
def pkilint_codes() -> frozenset[str]:
    """Return the codes, from WARNING up, that pkilint's validators declare."""
    return frozenset(
        _short(found.code)
        for validator in (certificate_validator(), list_validator())
        for found in validator.validations
        if found.severity <= GRAVE
    )


def _short(code: str) -> str:
    return code.removeprefix("pkix.")


def _ask_cryptography(files: Iterable[Golden], said: Said) -> None:
    for one in files:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                (_read_list if one.is_list else _read_certificate)(one.der)
            except (*REFUSALS, Warning):
                said.unread["cryptography"].add(one.name)


def _read_certificate(der: bytes) -> list[Any]:
    found = x509.load_der_x509_certificate(der)
    times = [found.not_valid_before_utc, found.not_valid_after_utc]
    return [found.extensions, found.issuer, found.subject, found.public_key(), *times]


def _read_list(der: bytes) -> list[Any]:
    found = x509.load_der_x509_crl(der)
    rows = [(row.serial_number, row.revocation_date_utc, list(row.extensions)) for row in found]
    return [found.extensions, found.issuer, found.last_update_utc, found.next_update_utc, rows]


def _ask_certtool(certtool: str, files: Iterable[Golden], said: Said) -> None:
    for one in files:
        what = "--crl-info" if one.is_list else "--certificate-info"
        read, text, _ = _run(certtool, "--inder", what, octets=one.der)
        if not read:
            said.unread["certtool"].add(one.name)
        elif _COMPLAINT.search(text):
            said.unread["certtool, in part"].add(one.name)


def _ask_openssl_to_read(
    openssl: str, files: Collection[Golden], suspects: Collection[str], said: Said
) -> None:
    """``storeutl`` prints many objects in one run; where it passes one over, each has its own."""
    alone = [one for one in files if one.rule == "sound" or one.name in suspects]
    together = [one for one in files if one not in alone]
    octets = b"".join(pem(one.der, one.is_list) for one in together)
    with tempfile.NamedTemporaryFile() as file:
        file.write(octets)
        file.flush()
        _, text, _ = _run(openssl, "storeutl", "-noout", "-text", file.name)
    texts = re.split(r"^\d+: (?:Certificate|CRL)\n", text, flags=re.MULTILINE)[1:]
    if len(texts) != len(together):
        alone, together = list(files), []
    for one, text in zip(together, texts, strict=False):
        _note_openssl_text(one, True, text, said)
    for one in alone:
        what = "crl" if one.is_list else "x509"
        read, text, _ = _run(openssl, what, "-inform", "DER", "-noout", "-text", octets=one.der)
        _note_openssl_text(one, read, text, said)
    for one in files:
        if not _run(openssl, "asn1parse", "-inform", "DER", octets=one.der)[0]:
            said.unread["openssl asn1parse"].add(one.name)


def _note_openssl_text(one: Golden, read: bool, text: str, said: Said) -> None:
    if not read:
        said.unread["openssl x509/crl"].add(one.name)
    elif "Unable to load Public Key" in text:
        said.unread["openssl, the key"].add(one.name)


def _ask_openssl_to_verify(openssl: str, files: Iterable[Golden], folder: Path, said: Said) -> None:
    """One run for all certificates that have the same certificates behind them."""
    groups: dict[tuple[bytes, ...], list[Golden]] = defaultdict(list)
    for one in files:
        if one.is_list:
            if one.rule.startswith(("R36", "sound")):
                _verify_list(openssl, one, folder, said)
        else:
            groups[one.certificates or (one.der,)].append(one)
            (folder / one.name).write_bytes(pem(one.der, False))
    for certificates, group in groups.items():
        trusted = folder / "trusted"
        trusted.write_bytes(b"".join(pem(der, False) for der in certificates))
        command = (openssl, "verify", "-x509_strict", "-partial_chain", "-no_check_time")
        _, _, text = _run(*command, "-trusted", trusted, *(folder / one.name for one in group))
        _note_verification(text, said)


def _note_verification(text: str, said: Said) -> None:
    words: set[str] = set()
    for line in text.splitlines():
        if found := re.fullmatch(r"error \d+ at \d+ depth lookup: (.*)", line):
            words.add(found[1])
        elif found := re.fullmatch(r"error (.*): verification failed", line):
            said.openssl[Path(found[1]).name] |= words or {FAILED}
            words = set()


def _verify_list(openssl: str, one: Golden, folder: Path, said: Said) -> None:
    issuers = folder / "issuers"
    issuers.write_bytes(b"".join(pem(der, False) for der in one.certificates))
    command = (openssl, "crl", "-inform", "DER", "-noout", "-CAfile", issuers)
    _, _, text = _run(*command, octets=one.der)
    if LIST_FAILED in text:
        said.openssl[one.name].add(LIST_FAILED)


# What the document tells.

Rows = list[list[list[str]]]
"""Rows of a table, cells of a row, and in a cell the codes and what stands between backticks."""


@dataclass(frozen=True)
class Told:
    """The document's tables."""

    same: Rows
    graver: Rows
    alone: Rows
    silent: Rows
    undrawn: Rows
    reading: Rows
    gaps: Rows
    unexplained: tuple[str, ...]


def told(text: str) -> Told:
    """Read the document."""
    tables: dict[str, Rows] = defaultdict(list)
    unexplained, heading = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        cells = line.strip("| ").split("|")
        row = [_items(cell) for cell in cells]
        if line.startswith("| ") and any(row):
            tables[heading].append(row)
            if heading != "The same rule" and len(cells[-1].strip()) < 20:
                unexplained.append(line)
    return Told(
        tables["The same rule"],
        tables["Said with another weight"],
        tables["Where others speak and we do not"],
        tables["Where pkilint is silent"],
        tables["What pkilint could say and no golden file draws"],
        tables["Who does not read what"],
        tables["Known gaps"],
        tuple(unexplained),
    )


def _items(cell: str) -> list[str]:
    return [one or code for one, code in re.findall(r"`([^`]+)`|\b([HPR]\d{3})\b", cell)]


def suspects(document: Told, files: Iterable[Golden]) -> set[str]:
    """Return the files that OpenSSL is said not to read."""
    patterns = {
        one
        for tools, found, _ in document.reading
        if set(tools) & set(READERS[:2])
        for one in found
    }
    names = tuple(one.name for one in files)
    return {name for pattern in patterns for name in _matching(pattern, names)}


# The comparison: each function yields a line for what is not told, or is no longer so.


def differences(document: Told, files: Collection[Golden], said: Said) -> list[str]:
    """Return where the document and what the tools say now are not one."""
    parts: tuple[Callable[[Told, Collection[Golden], Said], Iterator[str]], ...] = (
        _about_same,
        _about_alone,
        _about_silence,
        _about_weight,
        _about_undrawn,
        _about_reading,
    )
    found = [f"not explained: {line}" for line in document.unexplained]
    return found + [line for part in parts for line in part(document, files, said)]


def _rules_of(document: Told, column: int) -> dict[str, set[str]]:
    """Return, by what the tool in that column says, the rules of ours that say the same."""
    rules: dict[str, set[str]] = defaultdict(set)
    for row in document.same:
        for word in row[column]:
            rules[word] |= set(row[0])
    return rules


def _words(said: Said, name: str) -> tuple[set[str], set[str]]:
    return set(said.pkilint[name]), said.openssl.get(name, set())


def _about_same(document: Told, files: Collection[Golden], said: Said) -> Iterator[str]:
    heard = {
        (rule, column, word)
        for one in files
        for column, words in enumerate(_words(said, one.name), 1)
        for word in words
        for rule in one.findings
    }
    for ours, *others in document.same:
        said_here = [(column, word) for column, words in enumerate(others, 1) for word in words]
        agreed = [(rule, *one) for rule in ours for one in said_here if (rule, *one) in heard]
        stale = set(ours) - {rule for rule, _, _ in agreed}
        stale |= {
            word for column, word in said_here if (column, word) not in {a[1:] for a in agreed}
        }
        if stale:
            yield f"no file shows in the row of {_joined(ours)}: {_joined(stale)}"


def _about_alone(document: Told, files: Collection[Golden], said: Said) -> Iterator[str]:
    table = _Patterns(((words, patterns) for words, patterns, _ in document.alone), files)
    columns = _rules_of(document, 1), _rules_of(document, 2)
    alone = set()
    for one in files:
        for words, rules in zip(_words(said, one.name), columns, strict=True):
            for word in sorted(words):
                if rules.get(word, set()) & one.findings.keys():
                    continue
                alone.add((word, one.name))
                if not table.cover(word, one.name):
                    found = _joined(one.findings) or "nothing"
                    yield f"{one.name}: others say {word}, we say {found}"
    yield from table.unused("does not stand alone", alone)


def _about_silence(document: Told, files: Collection[Golden], said: Said) -> Iterator[str]:
    table = _Patterns((([""], patterns) for patterns, _ in document.silent), files)
    rules = _rules_of(document, 1)
    silent = set()
    for one in files:
        if any(one.rule in rules.get(word, ()) for word in said.pkilint[one.name]):
            continue
        silent.add(("", one.name))
        if one.rule.startswith("R") and not table.cover("", one.name):
            yield f"{one.name}: pkilint is silent"
    yield from table.unused("pkilint is not silent", silent)


def _about_weight(document: Told, files: Collection[Golden], said: Said) -> Iterator[str]:
    listed = {
        (code, rule, ours, theirs)
        for codes, rules, (ours,), (theirs,), _ in document.graver
        for code in codes
        for rule in rules
    }
    rules_of = _rules_of(document, 1)
    seen = set()
    for one in files:
        for code, theirs in said.pkilint[one.name].items():
            rules = rules_of.get(code, set()) & one.findings.keys()
            if theirs not in {one.findings[rule] for rule in rules}:
                seen |= {(code, rule, one.findings[rule], theirs) for rule in rules}
    yield from (f"of another weight: {' '.join(row)}" for row in sorted(seen - listed))
    yield from (f"of the same weight: {' '.join(row)}" for row in sorted(listed - seen))


def _about_undrawn(document: Told, files: Collection[Golden], said: Said) -> Iterator[str]:
    drawn = {code for codes in said.pkilint.values() for code in codes}
    undrawn = pkilint_codes() - drawn
    listed = {code for codes, *_ in document.undrawn for code in codes}
    yield from (f"no golden file draws {code}" for code in sorted(undrawn - listed))
    yield from (f"drawn, or not pkilint's: {code}" for code in sorted(listed - undrawn))


def _about_reading(document: Told, files: Collection[Golden], said: Said) -> Iterator[str]:
    table = _Patterns(((tools, patterns) for tools, patterns, _ in document.reading), files)
    unread = {(tool, name) for tool, names in said.unread.items() for name in names}
    yield from (f"there is no tool {tool}" for tool in table.words() - set(READERS))
    for tool, name in sorted(unread):
        if not table.cover(tool, name):
            yield f"{tool} does not read {name}"
    yield from table.unused("reads", unread)


@cache
def _matching(pattern: str, names: tuple[str, ...]) -> frozenset[str]:
    """Return the names of the pattern, those of the rule's files if it is a rule's code."""
    if re.fullmatch(r"[HPR]\d{3}", pattern):
        pattern += "-*"
    return frozenset(matching_names(names, pattern))


class _Patterns:
    """The files of which the document says something in a table, and whether it had to."""

    def __init__(
        self, rows: Iterable[tuple[list[str], list[str]]], files: Iterable[Golden]
    ) -> None:
        names = tuple(one.name for one in files)
        self._rows = [
            (word, pattern, _matching(pattern, names))
            for words, patterns in rows
            for word in words
            for pattern in patterns
        ]
        self._names: dict[str, set[str]] = defaultdict(set)
        for word, _, found in self._rows:
            self._names[word] |= found

    def words(self) -> set[str]:
        return set(self._names)

    def cover(self, word: str, name: str) -> bool:
        """Whether the document says that word of the file."""
        return name in self._names.get(word, ())

    def unused(self, complaint: str, true: Container[tuple[str, str]]) -> Iterator[str]:
        """Yield each pattern that has no file, or one of which the word is not true."""
        for word, pattern, names in self._rows:
            false = sorted(name for name in names if (word, name) not in true)
            if false or not names:
                yield f"{complaint}: {word or pattern} {_joined(false) or pattern}"


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def main() -> None:
    logging.getLogger("pkilint").setLevel(logging.CRITICAL)
    files = goldens()
    document = told(DOCUMENT.read_text())
    said = ask_everyone(files, suspects(document, files))
    for line in differences(document, files, said):
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
