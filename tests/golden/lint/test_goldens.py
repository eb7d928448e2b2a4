"""Every golden file is what the script makes, and draws exactly the findings it names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pki.reading.objects import objects_in
from policies.lint.catalogue import catalogue
from policies.lint.corpus import Corpus, Options
from policies.profiles import shipped_profiles
from policies.site import SiteKind
from tests.golden.lint.case import CASES
from tests.golden.lint.make import FOLDER, golden_files
from tests.golden.lint.sound import SOUND

FILES = sorted(FOLDER.glob("*.pem"))


def header(path: Path, key: str) -> list[str]:
    return [
        line.removeprefix(f"{key}: ")
        for line in path.read_text().splitlines()
        if line.startswith(f"{key}: ")
    ]


def options_of(path: Path) -> Options:
    given = dict(
        part.partition("=")[::2] for line in header(path, "Options") for part in line.split()
    )
    profiles = shipped_profiles()
    return Options(
        profiles,
        profiles.certificate(given["profile"]) if "profile" in given else None,
        SiteKind(given["site"]) if "site" in given else None,
        "strict" in given,
    )


def found_in(path: Path) -> list[str]:
    corpus = Corpus(options_of(path))
    objects = list(objects_in(path.read_bytes()))
    for one in objects:
        corpus.add("", one)
    verdicts = [corpus.judge("", one) for one in objects]
    found = [
        f"{number} {finding.code} {finding.severity}"
        for number, verdict in enumerate(verdicts, 1)
        for finding in verdict.findings
    ]
    # A pair is told of its newer list, which stands first in every scene.
    found += [
        f"1 {finding.code} {finding.severity}"
        for verdict in corpus.pairs()
        for finding in verdict.findings
    ]
    return sorted(set(found))


def test_the_files_are_what_the_script_makes() -> None:
    made = dict(golden_files())
    assert sorted(made) == [path.name for path in FILES]
    assert [name for name, text in made.items() if (FOLDER / name).read_text() != text] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_draws_exactly_its_findings(path: Path) -> None:
    assert found_in(path) == sorted(header(path, "Expect"))


def test_every_rule_fires_and_stays_silent() -> None:
    fired = {one.code for one in CASES}
    assert [check.code for check in catalogue() if check.code not in fired] == []
    assert fired <= {check.code for check in catalogue()}
    silent = {code for code in fired if not any(code in line for line in _expected_of_sound())}
    told = fired - silent
    assert told <= {"H053", "H066"}, "these tell of sound certificates; another scene is silent"


def _expected_of_sound() -> list[str]:
    return [line for sound in SOUND.values() for line in sound.expect]


def test_no_code_stands_twice() -> None:
    codes = Counter(check.code for check in catalogue())
    assert [code for code, count in codes.items() if count > 1] == []
