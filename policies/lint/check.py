"""What a check is, what it judges, and how it is run.

A check takes one subject and yields a message for each breach; it is registered by standing in
its module's ``CHECKS`` tuple. Codes: H… the HPKI's rule list, P… conformity with the profile,
R… RFC 5280.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from pki.findings import Finding, Severity
from pki.reading.certificate import Certificate
from pki.reading.crl import RevocationList
from policies.profiles.model import CertificateProfile, CrlProfile, Firmness
from policies.site import SiteKind

T = TypeVar("T")
Found = Iterator["str | tuple[Severity, str]"]
"""Messages; with a severity where it is another than the check's own."""


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One rule. ``strict`` is the severity that replaces ``severity`` when this centre issues.

    ``applies`` says in words to what; ``rule`` is the rule in one sentence; ``source`` and ``firm``
    say where it comes from.
    """

    code: str
    severity: Severity
    applies: str
    rule: str
    source: str
    firm: Firmness
    find: Callable[[T], Found]
    strict: Severity | None = None


def run(checks: Iterable[Check[T]], subject: T, *, strict: bool) -> tuple[Finding, ...]:
    """Return what the checks find, in their order."""
    findings = []
    for check in checks:
        for found in check.find(subject):
            severity = (strict and check.strict) or check.severity
            if not isinstance(found, str):
                severity, found = found
            findings.append(Finding(check.code, severity, found, check.source))
    return tuple(findings)


@dataclass(frozen=True)
class JudgedCertificate:
    """A certificate, and what it is judged by.

    ``profile`` is None for what is not the HPKI's: then RFC 5280 alone judges. ``issuer`` is the
    issuing certificate (itself for a root), None where it is not at hand. ``site`` is the kind of
    site that must have issued it, None for either kind. ``strict``: this centre is about to sign.
    ``serial_is_shared``: another certificate of the issuer has the same serial number.
    """

    certificate: Certificate
    profile: CertificateProfile | None
    issuer: Certificate | None = None
    site: SiteKind | None = None
    strict: bool = False
    serial_is_shared: bool = False


@dataclass(frozen=True)
class JudgedList:
    """A list, and what it is judged by; ``certificates`` are those whose status it may give.

    ``points``: URIs at which end entities' certificates of its issuer say that their list is.
    """

    crl: RevocationList
    profile: CrlProfile | None
    issuer: Certificate | None = None
    certificates: tuple[Certificate, ...] = ()
    strict: bool = False
    points: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class JudgedPair:
    """Two lists of one issuer and one issuingDistributionPoint, in the order of their numbers.

    ``expiry`` maps serial numbers of the issuer to notAfter where that is known.
    """

    older: RevocationList
    newer: RevocationList
    expiry: Mapping[int, datetime] = field(default_factory=dict)
