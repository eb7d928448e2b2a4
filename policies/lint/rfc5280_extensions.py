"""RFC 5280 on extensions: criticality, what every one needs, key identifiers: R201 to R212.

Where a rule of the HPKI says the same of what has a profile, the rule here speaks only of the rest.
What the values of single extensions say stands in the modules beside this one.
"""

from __future__ import annotations

from pki import oids
from pki.findings import Severity
from pki.reading.extensions import READERS
from pki.reading.tlv import GENERALIZED_TIME
from pki.reading.values import Time, read_time
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.words import shown

_NAMES = {
    oids.SUBJECT_DIRECTORY_ATTRIBUTES: "subjectDirectoryAttributes",
    oids.SUBJECT_KEY_IDENTIFIER: "subjectKeyIdentifier",
    oids.KEY_USAGE: "keyUsage",
    oids.PRIVATE_KEY_USAGE_PERIOD: "privateKeyUsagePeriod",
    oids.SUBJECT_ALT_NAME: "subjectAltName",
    oids.ISSUER_ALT_NAME: "issuerAltName",
    oids.BASIC_CONSTRAINTS: "basicConstraints",
    oids.NAME_CONSTRAINTS: "nameConstraints",
    oids.CRL_DISTRIBUTION_POINTS: "cRLDistributionPoints",
    oids.CERTIFICATE_POLICIES: "certificatePolicies",
    oids.POLICY_MAPPINGS: "policyMappings",
    oids.AUTHORITY_KEY_IDENTIFIER: "authorityKeyIdentifier",
    oids.POLICY_CONSTRAINTS: "policyConstraints",
    oids.EXTENDED_KEY_USAGE: "extKeyUsage",
    oids.FRESHEST_CRL: "freshestCRL",
    oids.INHIBIT_ANY_POLICY: "inhibitAnyPolicy",
    oids.AUTHORITY_INFO_ACCESS: "authorityInfoAccess",
    oids.SUBJECT_INFO_ACCESS: "subjectInfoAccess",
    oids.OCSP_NO_CHECK: "id-pkix-ocsp-nocheck",
}
_NEVER_CRITICAL = {
    oids.AUTHORITY_KEY_IDENTIFIER: "4.2.1.1",
    oids.SUBJECT_KEY_IDENTIFIER: "4.2.1.2",
    oids.SUBJECT_DIRECTORY_ATTRIBUTES: "4.2.1.8",
    oids.FRESHEST_CRL: "4.2.1.15",
    oids.AUTHORITY_INFO_ACCESS: "4.2.2.1",
    oids.SUBJECT_INFO_ACCESS: "4.2.2.2",
}
_ERROR_OF_HPKI = frozenset(
    (
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.SUBJECT_KEY_IDENTIFIER,
        oids.SUBJECT_DIRECTORY_ATTRIBUTES,
    )
)
"""H020, H022 and H060 tell where one of these is critical and the profile has a rule for it."""

_ALWAYS_CRITICAL = {
    oids.NAME_CONSTRAINTS: "4.2.1.10",
    oids.POLICY_CONSTRAINTS: "4.2.1.11",
    oids.INHIBIT_ANY_POLICY: "4.2.1.14",
}
_RATHER_NOT_CRITICAL = {
    oids.SUBJECT_ALT_NAME: "4.2.1.6",
    oids.ISSUER_ALT_NAME: "4.2.1.7",
    oids.CRL_DISTRIBUTION_POINTS: "4.2.1.13",
    oids.OCSP_NO_CHECK: "RFC 6960 4.2.2.2.1",
}
_RATHER_CRITICAL = {oids.KEY_USAGE: "4.2.1.3", oids.POLICY_MAPPINGS: "4.2.1.5"}


def extension_name(oid: str) -> str:
    """Return the name that RFC 5280 gives the extension, or its OID."""
    return _NAMES.get(oid) or shown(oid)


def unruled(judged: JudgedCertificate, oid: str) -> bool:
    """Say whether no profile rules the extension, so that RFC 5280 alone speaks of it."""
    return judged.profile is None or judged.profile.extension(oid) is None


def is_ca(judged: JudgedCertificate) -> bool:
    """Say whether basicConstraints, where it can be read, has cA TRUE."""
    constraints = judged.certificate.value(oids.BASIC_CONSTRAINTS)
    return constraints is not None and bool(constraints.ca)


def _never_critical(judged: JudgedCertificate) -> Found:
    for one in judged.certificate.extensions:
        if not one.critical or one.oid not in _NEVER_CRITICAL:
            continue
        if one.oid not in _ERROR_OF_HPKI or unruled(judged, one.oid):
            yield f"{extension_name(one.oid)} is critical ({_NEVER_CRITICAL[one.oid]})"


def _always_critical(judged: JudgedCertificate) -> Found:
    for one in judged.certificate.extensions:
        if one.critical:
            continue
        if one.oid in _ALWAYS_CRITICAL:
            yield f"{extension_name(one.oid)} is not critical ({_ALWAYS_CRITICAL[one.oid]})"
        elif one.oid == oids.BASIC_CONSTRAINTS and judged.profile is None and is_ca(judged):
            usage = judged.certificate.value(oids.KEY_USAGE)
            if usage is None or "keyCertSign" in usage:
                yield "basicConstraints of a CA is not critical (4.2.1.9)"


def _rather_not_critical(judged: JudgedCertificate) -> Found:
    for one in judged.certificate.extensions:
        if not one.critical or one.oid not in _RATHER_NOT_CRITICAL or not unruled(judged, one.oid):
            continue
        if one.oid != oids.SUBJECT_ALT_NAME or judged.certificate.subject.rdns:
            yield f"{extension_name(one.oid)} is critical ({_RATHER_NOT_CRITICAL[one.oid]})"


def _rather_critical(judged: JudgedCertificate) -> Found:
    for one in judged.certificate.extensions:
        if not one.critical and one.oid in _RATHER_CRITICAL and unruled(judged, one.oid):
            yield f"{extension_name(one.oid)} is not critical ({_RATHER_CRITICAL[one.oid]})"


_EMPTY = ((), (None, None))


def _not_empty(judged: JudgedCertificate) -> Found:
    for one in judged.certificate.extensions:
        if one.value not in _EMPTY:
            continue
        if one.oid != oids.CERTIFICATE_POLICIES or unruled(judged, one.oid):
            yield f"{extension_name(one.oid)} is empty"


def _no_repetition(judged: JudgedCertificate) -> Found:
    found = judged.certificate
    if judged.profile is not None or len(found.by_oid) == len(found.extensions):
        return
    seen: set[str] = set()
    for one in found.extensions:
        if one.oid in seen:
            yield f"{extension_name(one.oid)} stands there more than once"
            return
        seen.add(one.oid)


def _unknown_critical(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        return
    for one in judged.certificate.extensions:
        if one.critical and one.oid not in READERS:
            yield f"the extension {shown(one.oid)} is critical and unknown here"


def _authority_key(judged: JudgedCertificate) -> Found:
    found = judged.certificate
    if judged.profile is not None or found.self_issued:
        return
    extension = found.by_oid.get(oids.AUTHORITY_KEY_IDENTIFIER)
    if extension is None:
        yield "there is no authorityKeyIdentifier"
    elif extension.value is not None and extension.value.key_identifier is None:
        yield "authorityKeyIdentifier has no keyIdentifier"


def _issuer_and_serial(judged: JudgedCertificate) -> Found:
    found = judged.certificate.value(oids.AUTHORITY_KEY_IDENTIFIER)
    if found is None:
        return
    if (found.issuer is None) is not (found.serial is None):
        has, lacks = "authorityCertIssuer", "authorityCertSerialNumber"
        if found.issuer is None:
            has, lacks = lacks, has
        yield f"authorityKeyIdentifier has {has} and no {lacks}"
    elif found.issuer == ():
        yield "authorityCertIssuer is empty"


def _subject_key(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        return
    if oids.SUBJECT_KEY_IDENTIFIER in judged.certificate.by_oid:
        return
    if is_ca(judged):
        yield "the CA has no subjectKeyIdentifier"
    else:
        yield Severity.WARNING, "there is no subjectKeyIdentifier"


def _attribute_values(judged: JudgedCertificate) -> Found:
    for one in judged.certificate.value(oids.SUBJECT_DIRECTORY_ATTRIBUTES) or ():
        if one.values:
            continue
        if one.oid != oids.HEALTHCARE_ACTOR or unruled(judged, oids.SUBJECT_DIRECTORY_ATTRIBUTES):
            yield f"the attribute {shown(one.oid)} of subjectDirectoryAttributes has no value"


def _usage_period(judged: JudgedCertificate) -> Found:
    period = judged.certificate.value(oids.PRIVATE_KEY_USAGE_PERIOD)
    if period is None:
        return
    begin, end = _generalized(period.not_before), _generalized(period.not_after)
    for label, time in (("notBefore", begin), ("notAfter", end)):
        if time is not None and time.moment is None:
            yield f"{label} of privateKeyUsagePeriod is not of the form YYYYMMDDHHMMSSZ"
    if begin is None or end is None or begin.moment is None or end.moment is None:
        return
    if end.moment < begin.moment:
        yield "notAfter of privateKeyUsagePeriod is before its notBefore"


_LONGEST_TIME = 32


def _generalized(octets: bytes | None) -> Time | None:
    """Return the time, one without a moment where it is too long to be any; None for None."""
    if octets is None:
        return None
    if len(octets) > _LONGEST_TIME:
        return Time(GENERALIZED_TIME, octets, None, ())
    return read_time(GENERALIZED_TIME, octets)


_ALL = "all certificates"
_FOREIGN = "certificates without a profile"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R201",
        Severity.ERROR,
        _ALL,
        "authorityKeyIdentifier, subjectKeyIdentifier, subjectDirectoryAttributes, freshestCRL, "
        "authorityInfoAccess and subjectInfoAccess are not critical.",
        "RFC 5280 4.2.1.1, 4.2.1.2, 4.2.1.8, 4.2.1.15, 4.2.2",
        "READ",
        _never_critical,
    ),
    Check(
        "R202",
        Severity.ERROR,
        _ALL,
        "nameConstraints, policyConstraints, inhibitAnyPolicy and a CA's basicConstraints are "
        "critical.",
        "RFC 5280 4.2.1.9 to 4.2.1.11, 4.2.1.14",
        "READ",
        _always_critical,
    ),
    Check(
        "R203",
        Severity.WARNING,
        _ALL,
        "subjectAltName beside a subject, issuerAltName, cRLDistributionPoints and "
        "id-pkix-ocsp-nocheck are not critical.",
        "RFC 5280 4.2.1.6, 4.2.1.7, 4.2.1.13, RFC 6960 4.2.2.2.1",
        "READ",
        _rather_not_critical,
    ),
    Check(
        "R204",
        Severity.WARNING,
        _ALL,
        "keyUsage and policyMappings are critical.",
        "RFC 5280 4.2.1.3, 4.2.1.5",
        "READ",
        _rather_critical,
    ),
    Check(
        "R205",
        Severity.ERROR,
        _ALL,
        "An extension that is a list, or of optional fields alone, holds at least one.",
        "RFC 5280 4.2.1.4 to 4.2.1.15, 4.2.2",
        "READ",
        _not_empty,
    ),
    Check(
        "R206",
        Severity.ERROR,
        _FOREIGN,
        "No extension is repeated.",
        "RFC 5280 4.2",
        "READ",
        _no_repetition,
    ),
    Check(
        "R207",
        Severity.WARNING,
        _FOREIGN,
        "No unknown extension is critical, because whoever does not know it must reject.",
        "RFC 5280 4.2",
        "READ",
        _unknown_critical,
    ),
    Check(
        "R208",
        Severity.ERROR,
        _FOREIGN,
        "authorityKeyIdentifier with a keyIdentifier is there unless subject and issuer are one.",
        "RFC 5280 4.2.1.1",
        "READ",
        _authority_key,
    ),
    Check(
        "R209",
        Severity.ERROR,
        _ALL,
        "authorityKeyIdentifier has both authorityCertIssuer, not empty, and "
        "authorityCertSerialNumber, or neither.",
        "RFC 5280 4.2.1.1, appendix A.2",
        "READ",
        _issuer_and_serial,
    ),
    Check(
        "R210",
        Severity.ERROR,
        _FOREIGN,
        "subjectKeyIdentifier is there; only a WARNING in an end entity's certificate.",
        "RFC 5280 4.2.1.2",
        "READ",
        _subject_key,
    ),
    Check(
        "R211",
        Severity.ERROR,
        _ALL,
        "Every attribute of subjectDirectoryAttributes has a value.",
        "RFC 5280 4.2.1.8, appendix A.1",
        "READ",
        _attribute_values,
    ),
    Check(
        "R212",
        Severity.ERROR,
        _ALL,
        "The times of privateKeyUsagePeriod are GeneralizedTime in UTC with seconds, in order.",
        "RFC 5280 appendix A.2, 4.1.2.5.2",
        "READ",
        _usage_period,
    ),
)
"""The checks of this module."""
