"""What the compliance audit (準拠性監査) asks for: controls and the sections they stand in."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from pki.errors import NotFound
from policies.parameters import parameters
from policies.schema import Firm, Strict, Words, load_toml, policy_data


class AuditKind(StrEnum):
    """The reports of an audit. Source: operations 8.1, 8.4."""

    SIGN = "SIGN"
    AUTH = "AUTH"
    REMOTE = "REMOTE"


class Section(Strict):
    """A section of RFC 3647, or RS for the annex; ``point``: what is special to the HPKI there."""

    number: Words
    title_ja: Words
    title_en: Words
    point_ja: str = ""
    point_en: str = ""


class Control(Strict):
    """One requirement, in the ``sections`` of the CP that state it.

    ``mode``: A, the system decides alone; H, it computes and an auditor confirms; M, an auditor
    enters the result. ``evidence`` is what the auditor asks for, empty for nothing more;
    ``parameters`` are keys of ``policies.parameters``.
    """

    id: Words
    sections: tuple[Words, ...] = Field(min_length=1)
    mode: Literal["A", "H", "M"]
    kinds: tuple[AuditKind, ...] = Field(min_length=1)
    requirement_ja: Words
    requirement_en: Words
    evidence_ja: str = ""
    evidence_en: str = ""
    parameters: tuple[str, ...] = ()
    source: Words
    firm: Firm


class Controls(Strict):
    """All sections in the order of a report, and all controls."""

    section: tuple[Section, ...]
    control: tuple[Control, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        numbers = [one.number for one in self.section]
        if len(set(numbers)) != len(numbers):
            raise ValueError("two sections of one number")
        if len({one.id for one in self.control}) != len(self.control):
            raise ValueError("two controls of one id")
        known = {one.key for one in parameters()}
        for one in self.control:
            if not all(any(_within(part, number) for number in numbers) for part in one.sections):
                raise ValueError(f"{one.id} is in no section of the list")
            if not known.issuperset(one.parameters):
                raise ValueError(f"{one.id} names an unknown parameter")
        return self

    def find(self, control_id: str) -> Control:
        """Return the control; raises ``NotFound`` (``policies.control.unknown``)."""
        for one in self.control:
            if one.id == control_id:
                return one
        raise NotFound("policies.control.unknown", f"there is no control {control_id!r}")

    def of_section(self, number: str) -> tuple[Control, ...]:
        """Return the section's controls in order; none where it takes a manual entry."""
        return tuple(
            one for one in self.control if any(_within(part, number) for part in one.sections)
        )


def _within(part: str, number: str) -> bool:
    return part == number or part.startswith(f"{number}.")


@cache
def controls() -> Controls:
    """Return the controls that ship."""
    return load_toml(Controls, policy_data("controls.toml"), "controls.toml", "policies.controls")
