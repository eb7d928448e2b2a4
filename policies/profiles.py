"""Certificate and list profiles: what may be issued, read from data files.

Every rule carries ``source`` and ``firm`` (OBS seen, READ, INFERRED, INFERRED-M from memory,
PROPOSAL); ``docs/glossary.md`` says what the marks mean.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Literal

from pki.errors import NotFound
from policies.schema import Strict, load_toml
from policies.site import SiteKind


class Level(StrEnum):
    """Where in the hierarchy a certificate stands."""

    ROOT = "ROOT"
    SUB_CA = "SUB_CA"
    END_ENTITY = "END_ENTITY"


class Purpose(StrEnum):
    """What an end entity's key, and all keys below one sub CA, are for."""

    SIGN = "SIGN"
    AUTH = "AUTH"


class Rule(Strict):
    """A rule with its source and how firm it is."""

    source: str
    firm: Literal["OBS", "READ", "INFERRED", "INFERRED-M", "PROPOSAL"]


class KeyRule(Rule):
    """Allowed RSA moduli in bits and named curves."""

    rsa_bits: tuple[int, ...]
    curves: tuple[str, ...]


class ValidityRule(Rule):
    """``whole_days``: begins at 00:00:00 JST; every certificate ends at 23:59:59 JST."""

    max_years: int
    whole_days: bool


class ExtensionRule(Rule):
    """Whether the extension is critical."""

    critical: bool


class KeyUsageRule(ExtensionRule):
    """``bits`` named as in RFC 5280."""

    bits: tuple[str, ...]


class PolicyRule(ExtensionRule):
    """The policy OID in production and the one outside it."""

    production: str
    test: str

    def oid(self, kind: SiteKind) -> str:
        """Return the policy that a site of the kind puts into certificates."""
        return self.production if kind is SiteKind.PRODUCTION else self.test


class DistributionRule(ExtensionRule):
    """``directory_name``: CN of the root's list, for CA certificates."""

    directory_name: Literal["RARL", "SARL"] | None = None


class CertificateProfile(Strict):
    """One kind of certificate. An extension without a rule must not be there."""

    id: str
    version: str
    level: Level
    purpose: Purpose | None = None
    title_ja: str
    title_en: str
    key: KeyRule
    validity: ValidityRule
    authority_key_identifier: ExtensionRule
    subject_key_identifier: ExtensionRule
    key_usage: KeyUsageRule
    distribution_points: DistributionRule
    basic_constraints: ExtensionRule | None = None
    certificate_policies: PolicyRule | None = None
    subject_alt_name: ExtensionRule | None = None
    subject_directory_attributes: ExtensionRule | None = None


class CrlProfile(Rule):
    """Lists of one kind of CA: scopes, hours to nextUpdate and between two lists, reason table."""

    id: str
    version: str
    scopes: tuple[Literal["FULL", "RARL", "SARL"], ...]
    validity_hours: int
    interval_hours: int
    reason_table: Literal["observed", "rfc5280"]


def policy_data(name: str) -> bytes:
    """Return the octets of a data file of this folder."""
    return files("policies").joinpath("data", *name.split("/")).read_bytes()


@cache
def certificate_profile(profile_id: str) -> CertificateProfile:
    """Return the profile of that id, or raise ``NotFound``."""
    return load_toml(
        CertificateProfile, _profile_octets(profile_id), f"profile {profile_id}", "policies.profile"
    )


@cache
def crl_profile(profile_id: str) -> CrlProfile:
    """Return the list profile of that id, or raise ``NotFound``."""
    return load_toml(
        CrlProfile, _profile_octets(profile_id), f"profile {profile_id}", "policies.profile"
    )


def _profile_octets(profile_id: str) -> bytes:
    available = {
        entry.name.removesuffix(".toml"): entry
        for entry in files("policies").joinpath("data", "profiles").iterdir()
    }
    if profile_id not in available:
        raise NotFound(
            "policies.profile.unknown",
            f"there is no profile {profile_id!r}",
            f"Known: {', '.join(sorted(available))}.",
        )
    return available[profile_id].read_bytes()


END_ENTITY_PROFILE = {Purpose.SIGN: "ee-sign", Purpose.AUTH: "ee-auth"}
"""The profile of a person's certificate for each purpose."""
