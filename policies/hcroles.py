"""The table of healthcare roles: 27 qualifications and 5 administrator roles, as data."""

from __future__ import annotations

from functools import cache
from typing import Literal

from policies.schema import Strict, load_toml, policy_data


class HcRole(Strict):
    """A role's exact English string in hcRole, its Japanese name, and how firm the string is."""

    role: str
    japanese: str
    status: Literal["confirmed", "assumed"]
    firm: str


class HcRoleTable(Strict):
    """Qualifications, and administrator roles, which need O and OU=Director in the subject."""

    qualification: tuple[HcRole, ...]
    administrator: tuple[HcRole, ...]

    def names(self) -> frozenset[str]:
        """Return every known English string."""
        return frozenset(entry.role for entry in (*self.qualification, *self.administrator))

    def administrator_names(self) -> frozenset[str]:
        """Return the English strings of administrator roles."""
        return frozenset(entry.role for entry in self.administrator)

    def spelled(self, role: str) -> str | None:
        """Return the English string that the role is but for upper and lower case, or None."""
        folded = role.casefold()
        for entry in (*self.qualification, *self.administrator):
            if entry.role.casefold() == folded:
                return entry.role
        return None

    def role_of(self, japanese: str) -> str | None:
        """Return the English string of a Japanese name, or None."""
        for entry in (*self.qualification, *self.administrator):
            if entry.japanese == japanese:
                return entry.role
        return None

    def japanese_of(self, role: str) -> str | None:
        """Return the Japanese name of an English string, or None."""
        for entry in (*self.qualification, *self.administrator):
            if entry.role == role:
                return entry.japanese
        return None


DIRECTOR_UNIT = "Director"
"""The OU of whoever holds an administrator role (READ)."""


@cache
def hc_role_table() -> HcRoleTable:
    """Return the table that ships."""
    return load_toml(HcRoleTable, policy_data("hcroles.toml"), "hcroles.toml", "policies.hcroles")
