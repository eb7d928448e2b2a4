"""Who looks at personal values, prints or exports them: entered before they are handed out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from audit.trail import Event, Trail
from operators.directory import Directory
from policies.roles import Role
from ra.persons.applicants import verify_nobodys_own, verify_office
from ra.records import find_application
from store.database import Store

_VIEWERS = (
    Role.RA_EXAMINER,
    Role.RA_APPROVER,
    Role.RA_RECEPTION,
    Role.RA_MANAGER,
    Role.REV_OFFICER,
    Role.HELPDESK,
    Role.LRA_RECEPTION,
)

_MOST_NAMED = 1000
"""An entry has at most 64 KiB; a longer list stands in the store as an inquiry."""


class Use(StrEnum):
    """What is done with personal values; the code of the entry."""

    VIEW = "PII.VIEW"
    PRINT = "PII.PRINT"
    EXPORT = "PII.EXPORT"


@dataclass(frozen=True)
class Views:
    """Enters views."""

    store: Store
    trail: Trail
    directory: Directory

    def enter(self, use: Use, refs: Sequence[str], operator: str, what: str) -> None:
        """Enter that an operator is about to see the files' values; ``what`` is a word for how.

        Raises ``Refused`` for a role that does not see them, an own file, or another office's,
        ``NotFound`` for an unknown file. A single file is the entry's object, several are listed.
        """
        with self.store.begin() as tx:
            role = self.directory.role_among(tx, operator, _VIEWERS)
            for ref in refs:
                application = find_application(tx, ref)
                if application.erased_at is None:
                    verify_nobodys_own(self.directory, tx, application, [operator])
                if role is Role.LRA_RECEPTION:
                    verify_office(self.directory, tx, operator, application.office)
            single = len(refs) == 1
            self.trail.append(
                tx,
                Event(
                    use.value,
                    "application" if single else "applications",
                    refs[0] if single else what,
                    actor=operator,
                    actor_role=role,
                    detail={"what": what} if single else _several(what, refs),
                ),
            )


def _several(what: str, refs: Sequence[str]) -> dict[str, object]:
    return {"what": what, "count": len(refs), "files": list(refs[:_MOST_NAMED])}
