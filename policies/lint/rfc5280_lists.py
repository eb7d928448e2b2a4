"""RFC 5280 section 5 on lists; the rules on their entries are in ``rfc5280_entries``.

Where a rule of the HPKI says the same, the rule here is silent on lists with a profile.
"""

from __future__ import annotations

from collections import Counter

from pki import oids
from pki.findings import Severity
from policies.lint.check import Check, Found, JudgedList
from policies.lint.issuer import algorithm_faults, algorithm_mismatch
from policies.lint.survey import SERIAL_BOUND, is_delta, survey
from policies.lint.words import first_of, number, shown

LIST_EXTENSIONS = {
    oids.AUTHORITY_KEY_IDENTIFIER: ("authorityKeyIdentifier", False),
    oids.ISSUER_ALT_NAME: ("issuerAltName", False),
    oids.CRL_NUMBER: ("cRLNumber", False),
    oids.DELTA_CRL_INDICATOR: ("deltaCRLIndicator", True),
    oids.ISSUING_DISTRIBUTION_POINT: ("issuingDistributionPoint", True),
    oids.FRESHEST_CRL: ("freshestCRL", False),
    oids.AUTHORITY_INFO_ACCESS: ("authorityInfoAccess", False),
}
"""Name and criticality of each extension of a list. Source: RFC 5280 section 5.2."""


def _name(oid: str) -> str:
    return LIST_EXTENSIONS[oid][0] if oid in LIST_EXTENSIONS else shown(oid)


def _encoding(judged: JudgedList) -> Found:
    crl = judged.crl
    inside = (f"{_name(one.oid)}: {fault}" for one in crl.extensions for fault in one.faults)
    yield from first_of(shown(fault) for fault in (*crl.faults, *inside))
    yield from survey(crl).found("R301")


def _version(judged: JudgedList) -> Found:
    crl = judged.crl
    if judged.profile is not None:
        return
    if crl.version not in (1, 2):
        yield f"the list is v{number(crl.version)}"
    elif crl.version == 1 and crl.extensions:
        yield "the list has extensions but is not v2"
    yield from survey(crl).found("R302")


def _next_update(judged: JudgedList) -> Found:
    if judged.profile is None and judged.crl.next_update is None:
        yield "there is no nextUpdate"


def _authority(judged: JudgedList) -> Found:
    if judged.profile is not None:
        return
    found = judged.crl.by_oid.get(oids.AUTHORITY_KEY_IDENTIFIER)
    if found is None:
        yield "there is no authorityKeyIdentifier"
    elif found.value is not None and found.value.key_identifier is None:
        yield "authorityKeyIdentifier is without keyIdentifier"


def _has_number(judged: JudgedList) -> Found:
    if judged.profile is None and oids.CRL_NUMBER not in judged.crl.by_oid:
        yield "there is no cRLNumber"


def _succession(judged: JudgedList) -> Found:
    if judged.profile is not None or judged.crl.next_update is None:
        return
    begin, end = judged.crl.this_update.moment, judged.crl.next_update.moment
    if begin is not None and end is not None and end <= begin:
        yield "nextUpdate is not after thisUpdate"


def _algorithm(judged: JudgedList) -> Found:
    find = algorithm_mismatch if judged.profile is None else algorithm_faults
    yield from find(judged.crl.signature_inside, judged.crl.signature_outside)


def _issuer(judged: JudgedList) -> Found:
    if not judged.crl.issuer.rdns:
        yield "the issuer's name is empty"


def _times(judged: JudgedList) -> Found:
    yield from (f"thisUpdate: {fault}" for fault in judged.crl.this_update.faults)
    if judged.crl.next_update is not None:
        yield from (f"nextUpdate: {fault}" for fault in judged.crl.next_update.faults)


def _readable(judged: JudgedList) -> Found:
    yield from first_of(
        f"{_name(one.oid)} cannot be read: {shown(one.unreadable)}"
        for one in judged.crl.extensions
        if one.unreadable is not None
    )


def _once(judged: JudgedList) -> Found:
    crl = judged.crl
    if len(crl.by_oid) == len(crl.extensions):
        return
    counts = Counter(one.oid for one in crl.extensions)
    yield from first_of(f"{_name(oid)} stands twice" for oid in counts if counts[oid] > 1)


def _known(judged: JudgedList) -> Found:
    yield from first_of(
        f"{shown(one.oid)} is critical and no extension of lists"
        for one in judged.crl.extensions
        if one.critical and one.oid not in LIST_EXTENSIONS
    )


def _numbers(judged: JudgedList) -> Found:
    for oid in (oids.CRL_NUMBER, oids.DELTA_CRL_INDICATOR):
        value = judged.crl.value(oid)
        if value is None:
            continue
        if value < 0:
            yield f"{_name(oid)} is negative"
        elif value >= SERIAL_BOUND:
            yield f"{_name(oid)} has more than 20 octets"


def _criticality(judged: JudgedList) -> Found:
    told: set[str] = set()
    if judged.profile is not None:
        told = {oids.AUTHORITY_KEY_IDENTIFIER, oids.CRL_NUMBER}
        if judged.profile.issuing_distribution_point is not None:
            told.add(oids.ISSUING_DISTRIBUTION_POINT)
    for one in judged.crl.by_oid.values():
        name, critical = LIST_EXTENSIONS.get(one.oid, ("", one.critical))
        if one.critical is critical or one.oid in told:
            continue
        message = f"{name} is {'critical' if one.critical else 'not critical'}"
        yield (Severity.WARNING, message) if one.oid == oids.ISSUER_ALT_NAME else message


def _point(judged: JudgedList) -> Found:
    point = judged.crl.value(oids.ISSUING_DISTRIBUTION_POINT)
    if point is None:
        return
    flags = [point.only_user, point.only_ca, point.only_attribute]
    nameless = point.full_name is None and point.relative_name is None
    if nameless and not (any(flags) or point.indirect or point.some_reasons is not None):
        yield "issuingDistributionPoint says nothing"
    if sum(flags) > 1:
        yield "more than one onlyContains flag is TRUE in issuingDistributionPoint"
    if point.only_attribute:
        yield "onlyContainsAttributeCerts is TRUE in issuingDistributionPoint"
    if point.full_name == ():
        yield "the full name in issuingDistributionPoint is empty"


def _freshest(judged: JudgedList) -> Found:
    if is_delta(judged.crl) and oids.FRESHEST_CRL in judged.crl.by_oid:
        yield "freshestCRL stands in a delta list"


def _authority_parts(judged: JudgedList) -> Found:
    authority = judged.crl.value(oids.AUTHORITY_KEY_IDENTIFIER)
    if authority is not None and (authority.issuer is None) is not (authority.serial is None):
        missing = "authorityCertIssuer" if authority.issuer is None else "authorityCertSerialNumber"
        yield f"authorityKeyIdentifier is without {missing}, but has the other of the two"


CHECKS: tuple[Check[JudgedList], ...] = (
    Check(
        "R301",
        Severity.ERROR,
        "CRL",
        "The list, its extensions and its entries are encoded in DER.",
        "RFC 5280 5.1.1.3, X.690",
        "READ",
        _encoding,
    ),
    Check(
        "R302",
        Severity.ERROR,
        "CRL",
        "A list with extensions, its own or in entries, is v2; there is no v3.",
        "RFC 5280 5.1.2.1",
        "READ",
        _version,
    ),
    Check(
        "R303",
        Severity.ERROR,
        "CRL",
        "A list has nextUpdate.",
        "RFC 5280 5.1.2.5",
        "READ",
        _next_update,
    ),
    Check(
        "R304",
        Severity.ERROR,
        "CRL",
        "A list has authorityKeyIdentifier with keyIdentifier.",
        "RFC 5280 5.2.1",
        "READ",
        _authority,
    ),
    Check(
        "R305",
        Severity.ERROR,
        "CRL",
        "A list has cRLNumber.",
        "RFC 5280 5.2.3",
        "READ",
        _has_number,
    ),
    Check(
        "R306",
        Severity.WARNING,
        "CRL",
        "nextUpdate is after thisUpdate.",
        "RFC 5280 5.1.2.5",
        "INFERRED",
        _succession,
    ),
    Check(
        "R307",
        Severity.ERROR,
        "CRL",
        "The signature algorithm is the same inside and outside; in a list of the HPKI it is "
        "one of those allowed.",
        "RFC 5280 5.1.1.2, profile 5.1",
        "READ",
        _algorithm,
    ),
    Check(
        "R308",
        Severity.ERROR,
        "CRL",
        "The issuer's name is not empty.",
        "RFC 5280 5.1.2.3",
        "READ",
        _issuer,
    ),
    Check(
        "R309",
        Severity.ERROR,
        "CRL",
        "thisUpdate and nextUpdate are UTCTime until 2049 and GeneralizedTime from 2050, in "
        "seconds and GMT.",
        "RFC 5280 5.1.2.4, 5.1.2.5",
        "READ",
        _times,
    ),
    Check(
        "R310",
        Severity.ERROR,
        "CRL",
        "Every extension of a list that RFC 5280 knows can be read.",
        "RFC 5280 5.2",
        "READ",
        _readable,
    ),
    Check(
        "R311",
        Severity.ERROR,
        "CRL",
        "No extension of a list stands twice.",
        "RFC 5280 4.2, 5.2",
        "READ",
        _once,
    ),
    Check(
        "R312",
        Severity.ERROR,
        "CRL",
        "A critical extension is one that RFC 5280 has for lists.",
        "RFC 5280 5.2",
        "READ",
        _known,
    ),
    Check(
        "R313",
        Severity.ERROR,
        "CRL",
        "cRLNumber and BaseCRLNumber are not negative and have at most 20 octets.",
        "RFC 5280 5.2.3, 5.2.4",
        "READ",
        _numbers,
    ),
    Check(
        "R314",
        Severity.ERROR,
        "CRL",
        "deltaCRLIndicator and issuingDistributionPoint are critical, authorityKeyIdentifier, "
        "cRLNumber, freshestCRL and authorityInfoAccess are not; issuerAltName should not be.",
        "RFC 5280 5.2",
        "READ",
        _criticality,
    ),
    Check(
        "R315",
        Severity.ERROR,
        "CRL",
        "issuingDistributionPoint is not empty, has at most one onlyContains flag, and not that"
        " for attribute certificates.",
        "RFC 5280 5.2.5",
        "READ",
        _point,
    ),
    Check(
        "R316",
        Severity.ERROR,
        "CRL",
        "A delta list has no freshestCRL.",
        "RFC 5280 5.2.6",
        "READ",
        _freshest,
    ),
    Check(
        "R317",
        Severity.ERROR,
        "CRL",
        "authorityCertIssuer and authorityCertSerialNumber stand both or neither.",
        "RFC 5280 4.2.1.1, 5.2.1",
        "READ",
        _authority_parts,
    ),
)
