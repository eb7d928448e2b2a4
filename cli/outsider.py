"""Verification of an export, by a program that opens neither site nor store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from audit.anchor import Anchor
from audit.chain import Head
from cli.output import say
from cli.progress import bars
from operators.evidence.outsider import Trusted, Verified, verify_export
from pki.errors import InvalidInput, NotFound


def verify_folder(
    folder: Path, setup: str | None, heads: Sequence[Head], anchors: Sequence[Anchor]
) -> Verified:
    """Verify an export without any site, and say so where its root of trust is its own."""
    if setup is not None and not re.fullmatch("[0-9a-f]{64}", setup):
        raise InvalidInput(
            "cli.audit.setup", f"{setup!r} is no SHA-256", "Give the 64 digits of the signed page."
        )
    if not folder.is_dir():
        raise NotFound("cli.audit.export", f"there is no folder {folder}", "Check the path.")
    with bars() as shown:
        task = shown.start("entries", 0)
        found = verify_export(
            folder,
            Trusted(setup, heads, anchors),
            lambda done, total: shown.reach(task, done, total),
        )
    if setup is None:
        say(
            "warning: the root of trust was taken from the export itself; compare with the signed "
            f"page of the first set-up: {found.manifest.setup}",
            "yellow",
        )
    return found
