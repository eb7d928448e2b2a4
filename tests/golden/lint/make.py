"""Writes the golden files: ``python -m tests.golden.lint.make``; a test compares them.

Each file is PEM under a few lines of text: what is wrong, in which sound scene, with which options
it is judged, and every finding that the judge must have, no more and no fewer.
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.golden.lint import (
    cases_certificate,
    cases_constraints,
    cases_extensions,
    cases_hpki,
    cases_issuer,
    cases_list_entries,
    cases_list_fields,
    cases_lists,
    cases_names,
    cases_points,
)
from tests.golden.lint.case import CASES, Case, Scene
from tests.golden.lint.sound import SOUND

FOLDER = Path(__file__).parent / "files"
MODULES = (
    cases_certificate,
    cases_constraints,
    cases_extensions,
    cases_hpki,
    cases_issuer,
    cases_list_entries,
    cases_list_fields,
    cases_lists,
    cases_names,
    cases_points,
)


def golden_files() -> Iterator[tuple[str, str]]:
    """Yield name and text of every golden file."""
    for name, sound in SOUND.items():
        yield (
            f"sound-{name}.pem",
            _text("sound", name, sound.options, sound.expect, sound.make()),
        )
    for one in CASES:
        yield f"{one.name}.pem", case_text(one)


def case_text(one: Case) -> str:
    """Return the text of a case's file."""
    scene = SOUND[one.scene].make()
    one.change(scene)
    expect = {*SOUND[one.scene].expect, f"1 {one.code} {one.severity}"}
    expect |= {f"1 {also}" for also in one.also}
    expect |= set(one.elsewhere)
    expect -= {f"1 {gone}" for gone in one.hides}
    return _text(one.what, one.scene, one.options, expect, scene)


def _text(what: str, scene: str, options: Iterable[str], expect: Iterable[str], made: Scene) -> str:
    lines = [f"What: {what}", f"Scene: {scene}", f"Options: {' '.join(options)}".rstrip()]
    lines += [f"Expect: {one}" for one in sorted(expect)]
    for draft in made.objects:
        label = "X509 CRL" if draft.is_list else "CERTIFICATE"
        encoded = base64.b64encode(draft.encode()).decode()
        lines += [f"-----BEGIN {label}-----", *textwrap.wrap(encoded, 64), f"-----END {label}-----"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write every file and remove those that are no longer made."""
    FOLDER.mkdir(exist_ok=True)
    made = dict(golden_files())
    for path in FOLDER.glob("*.pem"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
