"""Whether a certificate is what its profile says, where no rule of the HPKI's list speaks of it.

The rules stand in the profile's data file, each with its source; a message names the profile and,
where one rule of it is broken, that rule's source.
"""

from __future__ import annotations

from functools import cache, lru_cache

from pki import oids
from pki.findings import Severity
from pki.reading.certificate import PublicKey
from pki.reading.extensions import READERS
from pki.reading.values import Attribute
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.hpki_extensions import NOT_IN_END_ENTITIES, key_usage_faults
from policies.lint.hpki_fields import key_fault, too_long
from policies.lint.rfc5280_extensions import extension_name
from policies.lint.words import shown
from policies.profiles import shipped_profiles
from policies.profiles.model import (
    EXTENSION_RULES,
    CertificateProfile,
    ExtensionRule,
    KeyRule,
    Rule,
)

_MOST_TOLD, _MOST_KEPT = 10, 32
_UNUSED = {
    "2.5.4.4": "surname",
    "2.5.4.42": "givenName",
    "1.2.840.113549.1.9.1": "emailAddress",
}
"""Attributes that cards do not have (profile 2.4)."""

_QC_STATEMENTS = "1.3.6.1.5.5.7.1.3"
_TOLD_BY_HPKI_RULES = frozenset(
    (
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.BASIC_CONSTRAINTS,
        oids.KEY_USAGE,
        oids.CERTIFICATE_POLICIES,
        oids.CRL_DISTRIBUTION_POINTS,
    )
)
"""H020 to H071 and P007 tell where one of these is missing or of another criticality."""

_CRITICALITY_TOLD = _TOLD_BY_HPKI_RULES | {
    oids.SUBJECT_DIRECTORY_ATTRIBUTES,
    oids.SUBJECT_ALT_NAME,
    oids.AUTHORITY_INFO_ACCESS,
}
"""H060, H072 and R201 tell of the criticality of these."""

_OTHERS = tuple(
    (oid, name) for oid, name in EXTENSION_RULES.items() if oid not in _TOLD_BY_HPKI_RULES
)
_TIME_STAMPING = "tsa"
_SERVICES = ("ocsp", _TIME_STAMPING)
"""Of the purpose of these R231 and R232 tell."""

_NOT_IN_END_ENTITIES = NOT_IN_END_ENTITIES.keys() | {oids.BASIC_CONSTRAINTS}


def _by(profile: CertificateProfile, rule: Rule) -> str:
    return f"{shown(profile.id)}: {shown(rule.source)}"


def _without_rule(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None:
        return
    for oid, found in judged.certificate.by_oid.items():
        if profile.extension(oid) is not None or _told_elsewhere(profile, oid, found.critical):
            continue
        known = oid in READERS or oid == _QC_STATEMENTS
        message = f"{shown(profile.id)} has no rule for the extension {extension_name(oid)}"
        yield message if known or judged.strict else (Severity.INFO, message)


def _told_elsewhere(profile: CertificateProfile, oid: str, critical: bool) -> bool:
    if critical and oid not in READERS:
        return True
    if profile.is_ca:
        return oid == oids.CERTIFICATE_POLICIES
    return oid in _NOT_IN_END_ENTITIES


def _missing(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None:
        return
    for oid, name in _OTHERS:
        rule: ExtensionRule | None = getattr(profile, name)
        if rule is None or not rule.required or oid in judged.certificate.by_oid:
            continue
        if oid != oids.EXTENDED_KEY_USAGE or profile.id not in _SERVICES:
            yield f"{extension_name(oid)} is missing ({_by(profile, rule)})"


def _criticality(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None:
        return
    for oid, found in judged.certificate.by_oid.items():
        if oid in _CRITICALITY_TOLD:
            continue
        if oid == oids.EXTENDED_KEY_USAGE and profile.id == _TIME_STAMPING:
            continue
        rule = profile.extension(oid)
        if rule is not None and found.critical is not rule.critical:
            how = "not critical" if rule.critical else "critical"
            yield f"{extension_name(oid)} is {how} ({_by(profile, rule)})"


def _subject(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None:
        return
    rule, attributes = profile.subject, judged.certificate.subject.attributes
    told = ("C", "CN") if profile.ca_name is not None and profile.is_ca else ("C",)
    compare = _kept_comparison if len(attributes) <= _MOST_KEPT else _compared
    types = tuple([one.oid for one in attributes])
    for what in compare(types, rule.required, rule.optional, told):
        yield f"the subject has {what} ({_by(profile, rule)})"


def _compared(
    types: tuple[str, ...],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    told: tuple[str, ...],
) -> tuple[str, ...]:
    labels = dict.fromkeys(Attribute(one, 0, b"").label for one in types)
    missing = [one for one in required if one not in labels and one not in told]
    others = [one for one in labels if one not in required and one not in optional]
    return (
        *(f"no {shown(one)}" for one in missing),
        *(_UNUSED.get(one) or shown(one) for one in others[:_MOST_TOLD]),
    )


_kept_comparison = lru_cache(maxsize=1024)(_compared)


def _key(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None:
        return
    key = judged.certificate.public_key
    if _allows(profile.key, key) or key_fault(judged.certificate) is not None:
        return
    if judged.strict or not any(_allows(rule, key) for rule in _variants(profile.reference)):
        yield f"the key {shown(key.text)} is none of the profile's ({_by(profile, profile.key)})"


def _allows(rule: KeyRule, key: PublicKey) -> bool:
    if key.modulus is not None:
        return key.modulus.bit_length() in rule.rsa_bits
    return key.curve in rule.curves


@cache
def _variants(reference: str) -> tuple[KeyRule, ...]:
    """Return the key rules of the profiles based on it: what claims it may follow one of them."""
    return tuple(
        one.key for one in shipped_profiles().certificates.values() if one.based_on == reference
    )


def _purposes(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    rule = profile.extended_key_usage if profile is not None else None
    found = judged.certificate.value(oids.EXTENDED_KEY_USAGE)
    if profile is None or rule is None or not found or profile.id == _TIME_STAMPING:
        return
    for purpose in dict.fromkeys(found):
        if purpose not in rule.purposes:
            yield f"extKeyUsage has {shown(purpose)} ({_by(profile, rule)})"
            break
    if not rule.required or profile.id in _SERVICES:
        return
    for purpose in rule.purposes:
        if purpose not in found:
            yield f"extKeyUsage has no {shown(purpose)} ({_by(profile, rule)})"


def _service_key_usage(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is not None and not profile.is_ca and profile.purpose is None:
        for fault in key_usage_faults(judged, profile):
            yield f"{fault} ({_by(profile, profile.key_usage)})"


def _ca_validity(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is not None and profile.is_ca:
        message = too_long(judged)
        if message is not None:
            yield f"{message} ({_by(profile, profile.validity)})"


_SOURCE = "the profile's rule"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "P001",
        Severity.WARNING,
        "all certificates",
        "The profile has a rule for every extension; an unknown one that is not critical is noted.",
        _SOURCE,
        "PROPOSAL",
        _without_rule,
        Severity.ERROR,
    ),
    Check(
        "P002",
        Severity.WARNING,
        "all certificates",
        "Every extension that the profile requires is there.",
        _SOURCE,
        "PROPOSAL",
        _missing,
        Severity.ERROR,
    ),
    Check(
        "P003",
        Severity.WARNING,
        "all certificates",
        "An extension is critical where the profile says so, and nowhere else.",
        _SOURCE,
        "PROPOSAL",
        _criticality,
        Severity.ERROR,
    ),
    Check(
        "P004",
        Severity.WARNING,
        "all certificates",
        "The subject has the attributes that the profile requires, and only those it allows.",
        _SOURCE,
        "PROPOSAL",
        _subject,
        Severity.ERROR,
    ),
    Check(
        "P005",
        Severity.INFO,
        "all certificates",
        "The key is one of those in the profile, or in a profile based on it.",
        _SOURCE,
        "PROPOSAL",
        _key,
        Severity.ERROR,
    ),
    Check(
        "P006",
        Severity.WARNING,
        "services, organisations",
        "extKeyUsage has the purposes that the profile requires, and only those it allows.",
        _SOURCE,
        "PROPOSAL",
        _purposes,
        Severity.ERROR,
    ),
    Check(
        "P007",
        Severity.WARNING,
        "OCSP responder, time-stamping authority",
        "keyUsage is there, of the profile's criticality, and exactly the profile's.",
        _SOURCE,
        "PROPOSAL",
        _service_key_usage,
        Severity.ERROR,
    ),
    Check(
        "P008",
        Severity.WARNING,
        "root, link, sub CA",
        "A CA's certificate is valid at most as long as the profile says.",
        _SOURCE,
        "PROPOSAL",
        _ca_validity,
        Severity.ERROR,
    ),
)
"""The checks of this module."""
