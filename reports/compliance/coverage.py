"""What our records can say to each control, as data: the parts it is about, and what is missing."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Self

from pydantic import model_validator

from policies.controls import controls
from policies.exchange import Part
from policies.schema import Strict, Words, load_toml
from reports.tables import Text


class Coverage(Strict):
    """``parts``: a site that is none of them answers 該当なし; empty: every site is asked.

    ``missing``: what is not recorded. Without a check the control is 未確認 for it; with one it is
    what the numbers leave open.
    """

    id: Words
    parts: tuple[Part, ...] = ()
    missing_ja: str = ""
    missing_en: str = ""

    @property
    def missing(self) -> Text | None:
        """What is not recorded, or None."""
        return Text(self.missing_ja, self.missing_en) if self.missing_ja else None


class _Coverages(Strict):
    control: tuple[Coverage, ...]

    @model_validator(mode="after")
    def _known(self) -> Self:
        ids = [one.id for one in self.control]
        if len(set(ids)) != len(ids) or not {one.id for one in controls().control}.issuperset(ids):
            raise ValueError("a control stands twice, or is not in the list")
        if any(bool(one.missing_ja) is not bool(one.missing_en) for one in self.control):
            raise ValueError("what is missing stands in one language only")
        return self


@cache
def _shipped() -> dict[str, Coverage]:
    octets = (files("reports") / "data" / "coverage.toml").read_bytes()
    table = load_toml(_Coverages, octets, "coverage.toml", "reports.coverage")
    return {one.id: one for one in table.control}


def coverage(control_id: str) -> Coverage:
    """Return the entry of the control; one that has none is asked of every site, and missing."""
    return _shipped().get(control_id) or Coverage(id=control_id)
