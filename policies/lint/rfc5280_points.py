"""RFC 5280 on where lists and other information are found: R270 to R278.

Where a rule of the HPKI says the same of what has a profile, the rule here speaks only of the rest.
What is said of an extension is kept by its octets, because all certificates of a CA have the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pki import oids
from pki.findings import Severity
from pki.reading.extensions import (
    READERS,
    AccessDescription,
    DistributionPoint,
    Extension,
)
from pki.reading.tlv import Reader
from pki.reading.values import URI, GeneralName
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.rfc5280_extensions import extension_name, unruled
from policies.lint.rfc5280_general_names import name_fault
from policies.lint.words import shown

_POINTS = (oids.CRL_DISTRIBUTION_POINTS, oids.FRESHEST_CRL)
_ACCESS = (oids.AUTHORITY_INFO_ACCESS, oids.SUBJECT_INFO_ACCESS)
_OCSP = "1.3.6.1.5.5.7.48.1"
_ONLINE_METHODS = {
    "1.3.6.1.5.5.7.48.2": "id-ad-caIssuers",
    "1.3.6.1.5.5.7.48.5": "id-ad-caRepository",
}
_ONLINE = (b"http://", b"https://", b"ldap://", b"ldaps://")
_LDAP = re.compile(
    r"ldaps?://(?P<host>[^/?#]*)(?:/(?P<dn>[^?#]*)(?:\?(?P<attributes>[^?#]*))?)?", re.IGNORECASE
)
_MOST_REASONS = 0x7F80
"""The eight named bits of ReasonFlags, without the first, which is unused."""


class _Fault(NamedTuple):
    code: str
    severity: Severity
    text: str


def _faults(extension: Extension, issuer: bytes) -> tuple[_Fault, ...]:
    """Return what is wrong, with the extension's name; ``issuer`` is the DER of a Name."""
    if extension.value is None:
        return ()
    octets = extension.octets
    short = len(octets) + len(issuer) <= _MOST_KEPT
    return (_kept_faults if short else _read_faults)(extension.oid, octets, issuer)


def _read_faults(oid: str, octets: bytes, issuer: bytes) -> tuple[_Fault, ...]:
    value = READERS[oid](Reader(octets))
    found = _access_faults(value) if oid in _ACCESS else _points_faults(value, issuer)
    label = extension_name(oid)
    return tuple(_Fault(one.code, one.severity, f"{label} has {one.text}") for one in found)


_MOST_KEPT = 2048
_kept_faults = lru_cache(maxsize=256)(_read_faults)


def _points_faults(points: tuple[DistributionPoint, ...], issuer: bytes) -> Iterator[_Fault]:
    for point in points:
        yield from _point_faults(point, issuer)
        for name in point.full_name or ():
            yield from _graded("R275", name_fault(name))
            yield from _graded("R276", _directory_fault(name, several=False))
    reasons = [point.reasons for point in points if point.reasons is not None]
    if points and len(reasons) == len(points) and not any(map(_names_all, reasons)):
        yield _Fault("R273", Severity.ERROR, "no point for all reasons")
    names = [name for point in points for name in point.full_name or ()]
    if names and not any(map(_is_online, names)):
        yield _Fault("R274", Severity.WARNING, "no http or ldap URI")


def _point_faults(point: DistributionPoint, issuer: bytes) -> Iterator[_Fault]:
    if point.full_name == ():
        yield _Fault("R270", Severity.ERROR, "a point with an empty fullName")
    elif point.full_name is None and point.relative_name is None and point.crl_issuer is None:
        only = "only reasons" if point.reasons is not None else "nothing in it"
        yield _Fault("R270", Severity.ERROR, f"a point with {only}")
    if point.crl_issuer is not None:
        names = [one.name for one in point.crl_issuer if one.name is not None and one.name.rdns]
        if not names or len(names) < len(point.crl_issuer):
            yield _Fault("R271", Severity.ERROR, "a cRLIssuer that is not an issuer's name alone")
        elif any(name.der == issuer for name in names):
            yield _Fault("R271", Severity.ERROR, "a cRLIssuer that is the certificate's issuer")
    if point.relative_name is not None:
        if len(point.crl_issuer or ()) > 1:
            what = "nameRelativeToCRLIssuer beside several names of the cRLIssuer"
            yield _Fault("R272", Severity.ERROR, what)
        else:
            yield _Fault("R272", Severity.WARNING, "nameRelativeToCRLIssuer")


def _graded(code: str, fault: tuple[Severity, str] | None) -> Iterator[_Fault]:
    if fault is not None:
        yield _Fault(code, *fault)


def _names_all(reasons: bytes) -> bool:
    return int.from_bytes(reasons[:2].ljust(2, b"\0"), "big") & _MOST_REASONS == _MOST_REASONS


def _is_online(name: GeneralName) -> bool:
    return name.kind == URI and name.octets[:8].lower().startswith(_ONLINE)


def _directory_fault(name: GeneralName, *, several: bool) -> tuple[Severity, str] | None:
    text = name.text if name.kind == URI else None
    match = _LDAP.match(text) if text is not None else None
    if match is None:
        return None
    attributes = match["attributes"]
    if not match["dn"] or not attributes:
        return Severity.ERROR, f"the LDAP URI {shown(text)} without both dn and attribute"
    if not several and "," in attributes:
        return Severity.ERROR, f"the LDAP URI {shown(text)} with several attributes"
    if not match["host"]:
        return Severity.WARNING, f"the LDAP URI {shown(text)} without a host"
    return None


def _access_faults(accesses: tuple[AccessDescription, ...]) -> Iterator[_Fault]:
    for one in accesses:
        yield from _graded("R278", name_fault(one.location))
        if one.method in _ONLINE_METHODS:
            yield from _graded("R276", _directory_fault(one.location, several=True))
        elif one.method == _OCSP and one.location.kind != URI:
            yield _Fault("R277", Severity.WARNING, "a place for id-ad-ocsp that is no URI")
    for method, label in _ONLINE_METHODS.items():
        places = [one.location for one in accesses if one.method == method]
        if places and not any(map(_is_online, places)):
            yield _Fault("R277", Severity.WARNING, f"no http or ldap URI for {label}")


def _faults_of(code: str, *where: str) -> Callable[[JudgedCertificate], Found]:
    """Return the check that tells of the faults of one code in these extensions."""

    def find(judged: JudgedCertificate) -> Found:
        certificate = judged.certificate
        for oid in where:
            extension = certificate.by_oid.get(oid)
            if extension is None:
                continue
            for fault in _faults(extension, certificate.issuer.der):
                if fault.code == code and (code != "R274" or unruled(judged, oid)):
                    yield fault.severity, fault.text

    return find


_ALL = "all certificates"
_UNRULED = "certificates whose profile has no rule for the extension, or without a profile"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R270",
        Severity.ERROR,
        _ALL,
        "A distribution point has a name, not empty, or a cRLIssuer.",
        "RFC 5280 4.2.1.13, 4.2.1.15",
        "READ",
        _faults_of("R270", *_POINTS),
    ),
    Check(
        "R271",
        Severity.ERROR,
        _ALL,
        "A cRLIssuer is the name of an issuer, and not of the certificate's.",
        "RFC 5280 4.2.1.13, 4.2.1.15",
        "READ",
        _faults_of("R271", *_POINTS),
    ),
    Check(
        "R272",
        Severity.ERROR,
        _ALL,
        "There is no nameRelativeToCRLIssuer beside several names of the cRLIssuer; elsewhere it "
        "is a WARNING.",
        "RFC 5280 4.2.1.13, 4.2.1.15",
        "READ",
        _faults_of("R272", *_POINTS),
    ),
    Check(
        "R273",
        Severity.ERROR,
        _ALL,
        "One distribution point at least is for all reasons.",
        "RFC 5280 4.2.1.13, 4.2.1.15",
        "READ",
        _faults_of("R273", *_POINTS),
    ),
    Check(
        "R274",
        Severity.WARNING,
        _UNRULED,
        "A name of the distribution points is an http or ldap URI.",
        "RFC 5280 4.2.1.13, 4.2.1.15",
        "READ",
        _faults_of("R274", *_POINTS),
    ),
    Check(
        "R275",
        Severity.ERROR,
        _ALL,
        "Each name of a distribution point is what its kind asks for, a URI absolute.",
        "RFC 5280 4.2.1.13, 4.2.1.6",
        "READ",
        _faults_of("R275", *_POINTS),
    ),
    Check(
        "R276",
        Severity.ERROR,
        _ALL,
        "An LDAP URI names entry and attribute, of a list only one; without a host, a WARNING.",
        "RFC 5280 4.2.1.13, 4.2.2",
        "READ",
        _faults_of("R276", *_POINTS, *_ACCESS),
    ),
    Check(
        "R277",
        Severity.WARNING,
        _ALL,
        "caIssuers and caRepository are found by an http or ldap URI, OCSP by a URI.",
        "RFC 5280 4.2.2, RFC 6960 3.1",
        "READ",
        _faults_of("R277", *_ACCESS),
    ),
    Check(
        "R278",
        Severity.ERROR,
        _ALL,
        "Each place in authorityInfoAccess and subjectInfoAccess is what its kind asks for, a URI "
        "absolute.",
        "RFC 5280 4.2.2, 4.2.1.6",
        "READ",
        _faults_of("R278", *_ACCESS),
    ),
)
"""The checks of this module."""
