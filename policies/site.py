"""The three kinds of site, and what a kind allows."""

from __future__ import annotations

from enum import StrEnum

from cryptography import x509

from pki.errors import Refused
from pki.names import text


class SiteKind(StrEnum):
    """What a site is for, fixed for its life.

    Outside production everything issued says DEMO and carries the test policies.
    """

    PRODUCTION = "production"
    TRIAL = "trial"
    TRAINING = "training"

    @property
    def banner(self) -> str | None:
        """The line that stands on every screen and report, or None in production."""
        return {"trial": "試験 TRIAL", "training": "訓練 TRAINING"}.get(self.value)


DEMO = "DEMO"


def verify_demo_marks(kind: SiteKind, name: x509.Name) -> None:
    """Raise ``Refused`` unless O, OU and a CA's CN fit the kind of site.

    Outside production the organization and the CA's own name (CN, or the last OU of a root, which
    has no CN) say DEMO; in production nothing does. Persons' names are not looked at.
    """
    has_common_name = bool(name.get_attributes_for_oid(x509.NameOID.COMMON_NAME))
    checked = [
        attribute
        for attribute in name
        if attribute.oid == x509.NameOID.ORGANIZATION_NAME
        or (attribute.oid == x509.NameOID.COMMON_NAME and str(attribute.value).startswith("HPKI-"))
    ]
    if not has_common_name:
        checked += name.get_attributes_for_oid(x509.NameOID.ORGANIZATIONAL_UNIT_NAME)[-1:]
    wanted = kind is not SiteKind.PRODUCTION
    for attribute in checked:
        if (DEMO in str(attribute.value)) != wanted:
            raise Refused(
                "policies.demo_mark",
                f"the name {text(name)} {'does not say' if wanted else 'says'} DEMO "
                f"in its {attribute.oid._name}",
                f"A {kind} site {'needs' if wanted else 'never has'} DEMO in CA names and O.",
            )
