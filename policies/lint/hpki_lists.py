"""The HPKI's rules for lists: H090 to H096, H099, and the set of extensions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pki import oids
from pki.findings import Severity
from pki.reading.certificate import Certificate
from pki.reading.extensions import Extension, IssuingDistributionPoint
from pki.reading.values import URI, GeneralName, Name
from policies.lint.check import Check, Found, JudgedList
from policies.lint.rfc5280_lists import LIST_EXTENSIONS
from policies.lint.survey import REASON_IS_CRITICAL, survey
from policies.lint.words import first_of, number, shown

_REASONS = {
    0: "unspecified",
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    7: "not used",
    8: "removeFromCRL",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
_NEVER = (6, 7, 8, -1)
_NAMED_ELSEWHERE = frozenset(
    (
        oids.AUTHORITY_KEY_IDENTIFIER,
        oids.CRL_NUMBER,
        oids.ISSUING_DISTRIBUTION_POINT,
        oids.DELTA_CRL_INDICATOR,
        oids.FRESHEST_CRL,
    )
)


def reason_text(reason: int) -> str:
    """Return ``reasonCode 5 (cessationOfOperation)``; -1 stands for what RFC 5280 has not."""
    return f"reasonCode {reason} ({_REASONS[reason]})" if reason >= 0 else "an unknown reasonCode"


def _fields(judged: JudgedList) -> Found:
    if judged.profile is None:
        return
    crl = judged.crl
    if crl.version != 2:
        yield f"the list is v{number(crl.version)}, not v2"
    for oid, name in (
        (oids.AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier"),
        (oids.CRL_NUMBER, "cRLNumber"),
    ):
        found = crl.by_oid.get(oid)
        if found is None:
            yield f"there is no {name}"
        elif found.critical:
            yield f"{name} is critical"
    authority = crl.value(oids.AUTHORITY_KEY_IDENTIFIER)
    if authority is not None and authority.key_identifier is None:
        yield "authorityKeyIdentifier is without keyIdentifier"


def _validity(judged: JudgedList) -> Found:
    if judged.profile is None:
        return
    if judged.crl.next_update is None:
        yield "there is no nextUpdate"
        return
    begin, end = judged.crl.this_update.moment, judged.crl.next_update.moment
    if begin is None or end is None:
        return
    rule, hours = judged.profile.validity, f"{(end - begin) / timedelta(hours=1):.6g} h"
    if end <= begin:
        yield "nextUpdate is not after thisUpdate"
    elif end - begin > timedelta(hours=rule.max_hours):
        yield f"nextUpdate is {hours} after thisUpdate, more than {rule.max_hours} h"
    elif end - begin < timedelta(hours=rule.min_hours):
        yield Severity.WARNING, f"nextUpdate is only {hours} after thisUpdate"


def _reasons(judged: JudgedList) -> Found:
    if judged.profile is None:
        return
    found = survey(judged.crl)
    yield from found.found(REASON_IS_CRITICAL)
    for reason, tally in sorted(found.reasons.items()):
        if reason in _NEVER or (reason and judged.strict):
            severity = Severity.ERROR
        else:
            severity = Severity.WARNING
        if reason in _NEVER or reason not in judged.profile.reasons.allowed:
            for message in tally.messages():
                yield severity, f"{message}: {reason_text(reason)}"


def _root_point(judged: JudgedList) -> Found:
    profile = judged.profile
    if profile is None or profile.issuing_distribution_point is None or profile.shards is not None:
        return
    found = judged.crl.by_oid.get(oids.ISSUING_DISTRIBUTION_POINT)
    yield from _misplaced(found)
    point = found.value if found is not None else None
    if point is None:
        return
    if not point.only_ca:
        yield "onlyContainsCACerts is not TRUE"
    yield from _only_some(point)
    names: tuple[GeneralName, ...] = point.full_name or ()
    if len(names) != 1 or names[0].name is None:
        yield "issuingDistributionPoint is not one directoryName"
    else:
        yield from first_of(_unmatched(names[0].name, judged.certificates))


def _misplaced(found: Extension | None) -> Iterator[str]:
    if found is None:
        yield "there is no issuingDistributionPoint"
    elif not found.critical:
        yield "issuingDistributionPoint is not critical"


def _only_some(point: IssuingDistributionPoint) -> Iterator[str]:
    if point.indirect or point.some_reasons is not None:
        yield "indirectCRL or onlySomeReasons stands in issuingDistributionPoint"


def _shard_point(judged: JudgedList) -> Found:
    if judged.profile is None or judged.profile.shards is None:
        return
    found = judged.crl.by_oid.get(oids.ISSUING_DISTRIBUTION_POINT)
    yield from _misplaced(found)
    point = found.value if found is not None else None
    if point is None:
        return
    if point.only_user or point.only_ca or point.only_attribute:
        yield "an onlyContains flag is TRUE in issuingDistributionPoint"
    yield from _only_some(point)
    names: tuple[GeneralName, ...] = point.full_name or ()
    if len(names) != 1 or names[0].kind != URI:
        yield "issuingDistributionPoint is not one URI"
    elif judged.points and names[0].octets not in judged.points:
        yield from _unnamed(names[0].octets, judged.points)


def _unnamed(uri: bytes, points: frozenset[bytes]) -> Found:
    """Yield what certificates name instead: the same file elsewhere, or other lists only."""
    file_name, text = _file_name(uri), uri.decode("latin-1")
    elsewhere = sorted(one for one in points if _file_name(one) == file_name)
    if not elsewhere:
        yield Severity.INFO, f"no certificate of the CA here points to {shown(text)}"
    for one in elsewhere[:1]:
        other = shown(one.decode("latin-1"))
        yield f"certificates of the CA point to {other}, not to {shown(text)}"


def _file_name(uri: bytes) -> bytes:
    return uri.rpartition(b"/")[2].lower()


def uri_points(certificate: Certificate) -> Iterator[bytes]:
    """Yield the URIs of the lists that the certificate points to."""
    for point in certificate.value(oids.CRL_DISTRIBUTION_POINTS) or ():
        for name in point.full_name or ():
            if name.kind == URI:
                yield name.octets


def _unmatched(point: Name, certificates: tuple[Certificate, ...]) -> Iterator[str]:
    """Yield the certificates of the list's scope (CN of the name) that point to another name."""
    scoped = False
    for one in certificates:
        same = [name for name in directory_points(one) if name.folded[-1:] == point.folded[-1:]]
        scoped = scoped or bool(same)
        if same and point not in same:
            yield f"{shown(one.subject.text)} points to {shown(same[0].text)}, not to this list"
    kinds = {one.self_issued for one in certificates}
    if not scoped and len(kinds) > 1:
        yield f"neither the root nor a CA below it points to {shown(point.text)}"


def directory_points(certificate: Certificate) -> list[Name]:
    """Return the directory names of the lists that the certificate points to."""
    return [
        name.name
        for point in certificate.value(oids.CRL_DISTRIBUTION_POINTS) or ()
        for name in point.full_name or ()
        if name.name is not None
    ]


def _no_point(judged: JudgedList) -> Found:
    if judged.profile is None or judged.profile.issuing_distribution_point is not None:
        return
    if oids.ISSUING_DISTRIBUTION_POINT in judged.crl.by_oid:
        yield "the complete list of a sub CA has issuingDistributionPoint"


def _no_delta(judged: JudgedList) -> Found:
    if judged.profile is None:
        return
    for oid, name in (
        (oids.DELTA_CRL_INDICATOR, "deltaCRLIndicator"),
        (oids.FRESHEST_CRL, "freshestCRL"),
    ):
        if oid in judged.crl.by_oid:
            yield f"the list has {name}"


def _not_empty(judged: JudgedList) -> Found:
    bounds = judged.crl.entries_bounds
    if bounds is not None and bounds[0] == bounds[1]:
        yield "revokedCertificates is an empty SEQUENCE"


def _other_extensions(judged: JudgedList) -> Found:
    if judged.profile is None:
        return
    profile = judged.profile.id
    yield from first_of(
        f"the profile {profile} has no extension {shown(one.oid)}"
        for one in judged.crl.extensions
        if one.oid not in _NAMED_ELSEWHERE and (one.oid in LIST_EXTENSIONS or not one.critical)
    )


CHECKS: tuple[Check[JudgedList], ...] = (
    Check(
        "H090",
        Severity.ERROR,
        "CRL",
        "A list is v2 and has authorityKeyIdentifier with keyIdentifier and cRLNumber, neither "
        "critical.",
        "profile 5.1, 5.2, RFC 5280 5.1.2.1, 5.2.1, 5.2.3",
        "OBS",
        _fields,
    ),
    Check(
        "H091",
        Severity.ERROR,
        "CRL",
        "nextUpdate is there, after thisUpdate and not further than the profile allows (96 h); "
        "sooner than its least (48 h) is a warning.",
        "profile 5.1, 5.6, RFC 5280 5.1.2.5",
        "OBS",
        _validity,
    ),
    Check(
        "H092",
        Severity.ERROR,
        "CRL",
        "A reasonCode is not critical and never 6, 7 or 8; 0 should be left out, others be among "
        "those of the profile.",
        "profile 5.2, RFC 5280 5.3.1",
        "OBS",
        _reasons,
    ),
    Check(
        "H093",
        Severity.ERROR,
        "root CRL",
        "A root's list has a critical issuingDistributionPoint of one directoryName and "
        "onlyContainsCACerts; the certificates of its scope point to that name.",
        "profile 5.2, 5.3, RFC 5280 5.2.5, 6.3.3",
        "OBS",
        _root_point,
    ),
    Check(
        "H094",
        Severity.WARNING,
        "sub CA CRL",
        "A sub CA's list is complete and has no issuingDistributionPoint.",
        "profile 5.2",
        "OBS",
        _no_point,
        Severity.ERROR,
    ),
    Check(
        "H095",
        Severity.WARNING,
        "CRL",
        "A list is no delta list and names none: no deltaCRLIndicator, no freshestCRL.",
        "profile 5.2",
        "OBS",
        _no_delta,
        Severity.ERROR,
    ),
    Check(
        "H096",
        Severity.ERROR,
        "CRL",
        "Without an entry, revokedCertificates is left out.",
        "RFC 5280 5.1.2.6, profile 5.1",
        "READ",
        _not_empty,
    ),
    Check(
        "H099",
        Severity.ERROR,
        "split sub CA CRL",
        "One of the lists into which a sub CA's is split has a critical issuingDistributionPoint "
        "of one URI and nothing else; certificates that name this file name that URI.",
        "RFC 5280 5.2.5, 6.3.3",
        "PROPOSAL",
        _shard_point,
    ),
    Check(
        "P301",
        Severity.WARNING,
        "CRL",
        "A list has no extension that its profile does not name.",
        "profile 5.2",
        "OBS",
        _other_extensions,
        Severity.ERROR,
    ),
)
