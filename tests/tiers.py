"""Tiers: tests that need a part outside Python. A missing part is loud, and a failure under CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import Any, NoReturn

import pytest

MISSING = "tier missing: "


def all_tiers_required() -> bool:
    """Whether a missing part is a failure: under CI, or with HPKI_REQUIRE_ALL_TIERS=1."""
    values = (os.environ.get(name, "") for name in ("CI", "HPKI_REQUIRE_ALL_TIERS"))
    return any(value.lower() not in ("", "0", "false", "no") for value in values)


def tier_missing(tier: str, what: str) -> NoReturn:
    """End the running test: failed where all tiers are required, else skipped and listed."""
    reason = f"{MISSING}{tier}: {what}"
    if all_tiers_required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def require_tool(name: str, *, tier: str) -> str:
    """Path of a program that the running test calls; without it the tier's rule applies."""
    path = shutil.which(name)
    if path is None:
        tier_missing(tier, f"no program {name!r} on PATH")
    return path


def missing_in(skipped: Iterable[Any]) -> dict[str, int]:
    """How many skipped reports there are for each missing part ("tier: what")."""
    counted: dict[str, int] = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        _, found, part = str(reason).partition(MISSING)
        if found:
            counted[part] = counted.get(part, 0) + 1
    return counted
