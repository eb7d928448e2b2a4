"""Who an operator is: known to the register by a salted digest, so that names can be erased."""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from operators.acts import person_digest
from pki.errors import Refused
from policies import variants


@dataclass(frozen=True)
class Identity:
    """Name and birth date; ``salt``: 64 hexadecimal digits, erased with them."""

    full_name: str
    birth_date: date | None
    salt: str

    def digest(self) -> str:
        """Return what the register holds of it."""
        return person_digest(self.full_name, self.birth_date, self.salt)

    def maybe(self, names: Collection[str], birth_date: date | None) -> bool:
        """Return whether it may be the person of one of these names and that birth date.

        Names are compared without width, case, blanks and variant characters (髙 as 高); an unknown
        birth date excludes nobody.
        """
        if plain(self.full_name) not in {plain(name) for name in names}:
            return False
        return birth_date is None or self.birth_date in (None, birth_date)


def plain(name: str) -> str:
    """Return the name without blanks, in one width, case and form, for comparison only."""
    return variants.fold("".join(unicodedata.normalize("NFKC", name).split()).casefold())


def verify_identity(identity: Identity, operator_id: str, known: str) -> None:
    """Raise ``Refused`` unless name and birth date are those the register knows."""
    try:
        same = hmac.compare_digest(identity.digest(), known)
    except ValueError:  # a salt that is not hexadecimal
        same = False
    if not same:
        raise Refused(
            "operators.identity.changed",
            f"name or birth date of {operator_id} were changed in the store",
            "Keep the store and call the auditor.",
        )


def verify_other_person(
    identity: Identity, operator_id: str, names: Collection[str], birth_date: date
) -> None:
    """Raise ``Refused`` if the operator may be that person. Source: ETSI EN 319 411-1, 6.2.2."""
    if identity.maybe(names, birth_date):
        raise Refused(
            "operators.own_file",
            f"the file may be {operator_id}'s own, and nobody handles an own file",
            "Let another person do it."
            if identity.birth_date
            else "Let another person do it, or have the operator's birth date registered.",
        )
