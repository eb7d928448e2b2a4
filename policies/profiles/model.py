"""The shape of a profile. Every rule carries ``source`` and ``firm``.

``firm`` is OBS (seen in real artefacts), READ, INFERRED, INFERRED-M (from memory) or PROPOSAL;
``docs/glossary.md`` says what the marks mean.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from pki import oids
from policies.schema import Strict
from policies.site import SiteKind

Firmness = Literal["OBS", "READ", "INFERRED", "INFERRED-M", "PROPOSAL"]


class Level(StrEnum):
    """Where in the hierarchy a certificate stands; LINK joins two keys of one root."""

    ROOT = "ROOT"
    LINK = "LINK"
    SUB_CA = "SUB_CA"
    END_ENTITY = "END_ENTITY"


class Purpose(StrEnum):
    """What an end entity's key, and all keys below one sub CA, are for."""

    SIGN = "SIGN"
    AUTH = "AUTH"


class Holder(StrEnum):
    """Whose keys an end-entity certificate certifies; a SERVICE is the centre's own machine."""

    PERSON = "PERSON"
    ORGANIZATION = "ORGANIZATION"
    SERVICE = "SERVICE"


class ListScope(StrEnum):
    """FULL list of a sub CA; the root's RARL (root itself) and SARL (subordinate CAs)."""

    FULL = "FULL"
    RARL = "RARL"
    SARL = "SARL"


class Rule(Strict):
    """A rule with its source and how firm it is."""

    source: str
    firm: Firmness


class KeyRule(Rule):
    """RSA moduli in bits and named curves of the certified key; what stands first is made here."""

    rsa_bits: tuple[int, ...]
    curves: tuple[Literal["secp256r1", "secp384r1"], ...]


class SignatureRule(Rule):
    """The hash under everything that a CA of this profile signs."""

    hash: Literal["SHA-256", "SHA-384"]


class ValidityRule(Rule):
    """The longest validity, in years or days.

    ``whole_days``: begins at 00:00:00 JST; every certificate ends at 23:59:59 JST.
    """

    max_years: int | None = Field(default=None, ge=1, le=100)
    max_days: int | None = Field(default=None, ge=1, le=36500)
    whole_days: bool

    @property
    def whole_years(self) -> int:
        """The whole years that it allows, leap years included; 0 if less than one."""
        return self.max_years if self.max_years is not None else (self.max_days or 0) // 366


class SubjectRule(Rule):
    """Attributes the subject must have and may have, by short name (C, O, CN)."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


class CaNameRule(Rule):
    """The tail of the CN ``HPKI-NN-*-tail`` of the sub CA, or of an end entity's issuer."""

    tail: str


class ExtensionRule(Rule):
    """Whether the extension is critical, and whether it must be there."""

    critical: bool
    required: bool = True


class AuthorityKeyRule(ExtensionRule):
    """``issuer_and_serial``: the issuing certificate's issuer and serial stand in it too."""

    issuer_and_serial: bool = True


class KeyUsageRule(ExtensionRule):
    """``bits`` named as in RFC 5280."""

    bits: tuple[str, ...]


class ExtendedKeyUsageRule(ExtensionRule):
    """``purposes`` as OIDs."""

    purposes: tuple[str, ...]


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
    """One kind of certificate. An extension without a rule must not be there.

    ``holder`` and ``carriers`` (what may hold the keys) are an end entity's; ``signature`` is a
    CA's, and so is ``issues``: the end-entity profiles it issues by, unless its ceremony names
    others. ``based_on`` is ``id@version`` of the profile whose tables this one takes over, except
    those that it replaces or lists in ``omit``.
    """

    id: str
    version: str
    based_on: str | None = None
    omit: tuple[str, ...] = ()
    experimental: bool = False
    level: Level
    purpose: Purpose | None = None
    holder: Holder | None = None
    carriers: tuple[Literal["CARD", "FILE"], ...] = ()
    issues: tuple[str, ...] = ()
    title_ja: str
    title_en: str
    key: KeyRule
    signature: SignatureRule | None = None
    validity: ValidityRule
    subject: SubjectRule
    ca_name: CaNameRule | None = None
    authority_key_identifier: AuthorityKeyRule
    subject_key_identifier: ExtensionRule
    key_usage: KeyUsageRule
    distribution_points: DistributionRule | None = None
    basic_constraints: ExtensionRule | None = None
    certificate_policies: PolicyRule | None = None
    subject_alt_name: ExtensionRule | None = None
    issuer_alt_name: ExtensionRule | None = None
    subject_directory_attributes: ExtensionRule | None = None
    extended_key_usage: ExtendedKeyUsageRule | None = None
    authority_info_access: ExtensionRule | None = None
    ocsp_no_check: ExtensionRule | None = None

    @property
    def reference(self) -> str:
        """``id@version``, as orders, statements and the store name it."""
        return f"{self.id}@{self.version}"

    @property
    def is_ca(self) -> bool:
        """Whether the certificate is a CA's."""
        return self.level is not Level.END_ENTITY

    def extension(self, oid: str) -> ExtensionRule | None:
        """Return the rule for the extension of that dotted type, or None."""
        name = EXTENSION_RULES.get(oid)
        return getattr(self, name) if name is not None else None


EXTENSION_RULES = {
    oids.AUTHORITY_KEY_IDENTIFIER: "authority_key_identifier",
    oids.SUBJECT_KEY_IDENTIFIER: "subject_key_identifier",
    oids.KEY_USAGE: "key_usage",
    oids.CRL_DISTRIBUTION_POINTS: "distribution_points",
    oids.BASIC_CONSTRAINTS: "basic_constraints",
    oids.CERTIFICATE_POLICIES: "certificate_policies",
    oids.SUBJECT_ALT_NAME: "subject_alt_name",
    oids.ISSUER_ALT_NAME: "issuer_alt_name",
    oids.SUBJECT_DIRECTORY_ATTRIBUTES: "subject_directory_attributes",
    oids.EXTENDED_KEY_USAGE: "extended_key_usage",
    oids.AUTHORITY_INFO_ACCESS: "authority_info_access",
    oids.OCSP_NO_CHECK: "ocsp_no_check",
}
"""Dotted extension type to the field that holds its rule."""


class ListValidityRule(Rule):
    """Hours from thisUpdate to nextUpdate: what is issued, and the bounds of what is accepted."""

    hours: int = Field(ge=1)
    max_hours: int = Field(ge=1)
    min_hours: int = Field(ge=0)


class RhythmRule(Rule):
    """Hours between two regular lists, and what a list in force has left at the least.

    ``overlap_hours`` before nextUpdate the next list is due, whatever the interval says.
    """

    interval_hours: int = Field(ge=1)
    overlap_hours: int = Field(ge=1)


class ReasonRule(Rule):
    """Which column of the grounds table gives the reason; ``allowed`` codes on such a list."""

    table: Literal["observed", "rfc5280"]
    allowed: tuple[int, ...]


class PointRule(ExtensionRule):
    """The critical issuingDistributionPoint: the list's directory name (RARL, SARL), or its URI."""


MOST_SHARDS = 1024


class ShardRule(Rule):
    """Into how many lists a CA's is split.

    The serial number modulo ``count``, when it is taken, says on which one a certificate stands.
    """

    count: int = Field(ge=2, le=MOST_SHARDS)


class CrlProfile(Strict):
    """Lists of one kind of CA. An extension without a rule must not be there."""

    id: str
    version: str
    scopes: tuple[ListScope, ...]
    title_ja: str
    title_en: str
    validity: ListValidityRule
    rhythm: RhythmRule
    reasons: ReasonRule
    authority_key_identifier: AuthorityKeyRule
    crl_number: ExtensionRule
    issuing_distribution_point: PointRule | None = None
    shards: ShardRule | None = None
