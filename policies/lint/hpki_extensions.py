"""The HPKI's rules on the extensions of a certificate: H020 to H042, H070, H071, H073.

Source: sections 3.2 to 3.6 and 3.8 of the facts file ("profile"). What is right stands in the
certificate's profile; an extension that is there but cannot be read is RFC 5280's matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from pki import oids
from pki.findings import Severity
from pki.reading.certificate import Certificate
from pki.reading.extensions import AuthorityKeyIdentifier, DistributionPoint, Extension
from pki.reading.values import DIRECTORY, URI, GeneralName, Name
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.words import LONGEST, number, octets, shown
from policies.profiles.model import CertificateProfile, ExtensionRule, Level, Purpose

_KEY_IDENTIFIER_OCTETS = 20
_POINT_FOR_SOME = "a distribution point has reasons or a cRLIssuer"
NOT_IN_END_ENTITIES = {
    oids.EXTENDED_KEY_USAGE: "extKeyUsage",
    oids.PRIVATE_KEY_USAGE_PERIOD: "privateKeyUsagePeriod",
    oids.POLICY_MAPPINGS: "policyMappings",
    oids.NAME_CONSTRAINTS: "nameConstraints",
    oids.POLICY_CONSTRAINTS: "policyConstraints",
}
"""What H073 speaks of, by dotted type."""


def misplaced(found: Extension | None, rule: ExtensionRule, name: str) -> str | None:
    """Return the message where the extension is missing or its criticality is not the rule's."""
    if found is None:
        return f"{name} is missing" if rule.required else None
    if found.critical is rule.critical:
        return None
    return f"{name} is {'not ' if rule.critical else ''}critical"


def _authority_key(judged: JudgedCertificate) -> Found:
    if judged.profile is None:
        return
    found = judged.certificate.by_oid.get(oids.AUTHORITY_KEY_IDENTIFIER)
    rule = judged.profile.authority_key_identifier
    if message := misplaced(found, rule, "authorityKeyIdentifier"):
        yield message
    if found is not None and found.value is not None and found.value.key_identifier is None:
        yield "authorityKeyIdentifier has no keyIdentifier"


def _issuer_and_serial(judged: JudgedCertificate) -> Found:
    value = judged.certificate.value(oids.AUTHORITY_KEY_IDENTIFIER)
    if judged.profile is None or value is None or _is_half(value):
        return
    wanted = judged.profile.authority_key_identifier.issuer_and_serial
    if wanted is (value.serial is None):
        has = "lacks" if wanted else "has, against the profile,"
        yield f"authorityKeyIdentifier {has} authorityCertIssuer and authorityCertSerialNumber"
    elif wanted:
        yield from _authority_faults(value, judged.issuer)


def _authority_faults(value: AuthorityKeyIdentifier, issuer: Certificate | None) -> Iterator[str]:
    names = value.issuer or ()
    if len(names) != 1 or names[0].name is None:
        yield "authorityCertIssuer is not one directoryName"
    elif issuer is not None and names[0].name != issuer.issuer:
        yield f"authorityCertIssuer {shown(names[0].name.text)} is not the issuer's own issuer"
    if issuer is not None and value.serial is not None and value.serial != issuer.serial:
        yield (
            f"authorityCertSerialNumber is {number(value.serial)}, "
            f"the issuer's serial number {number(issuer.serial)}"
        )


def _is_half(value: AuthorityKeyIdentifier) -> bool:
    """Say whether issuer or serial is there without the other: R209 tells of that."""
    return (value.issuer is None) is not (value.serial is None) or value.issuer == ()


def _subject_key(judged: JudgedCertificate) -> Found:
    if judged.profile is None:
        return
    found = judged.certificate.by_oid.get(oids.SUBJECT_KEY_IDENTIFIER)
    if message := misplaced(found, judged.profile.subject_key_identifier, "subjectKeyIdentifier"):
        yield message
    if found is None or found.value is None:
        return
    if len(found.value) != _KEY_IDENTIFIER_OCTETS:
        yield f"subjectKeyIdentifier has {len(found.value)} octets, not 20"
    elif found.value != judged.certificate.public_key.sha1:
        yield (
            Severity.WARNING,
            f"subjectKeyIdentifier {octets(found.value)} is not the SHA-1 of the key",
        )


def _basic_constraints(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None or profile.basic_constraints is None:
        return
    found = judged.certificate.by_oid.get(oids.BASIC_CONSTRAINTS)
    if message := misplaced(found, profile.basic_constraints, "basicConstraints"):
        yield message
    if found is None or found.value is None:
        return
    if not found.value.ca:
        yield "cA is not TRUE in a CA's certificate"
    length = found.value.path_length
    if length == 0 and profile.level is Level.SUB_CA:
        yield Severity.WARNING, "pathLenConstraint is 0, real sub CAs have none"
    elif length is not None:
        yield f"pathLenConstraint is {number(length)}, it must be absent"


def _no_basic_constraints(judged: JudgedCertificate) -> Found:
    if judged.profile is None or judged.profile.is_ca:
        return
    found = judged.certificate.by_oid.get(oids.BASIC_CONSTRAINTS)
    if found is None:
        return
    if found.value is not None and found.value.ca:
        yield Severity.ERROR, "an end entity's certificate has basicConstraints with cA TRUE"
    else:
        yield "an end entity's certificate has basicConstraints"


def key_usage_faults(judged: JudgedCertificate, profile: CertificateProfile) -> Iterator[str]:
    """Yield where keyUsage is missing, of another criticality or not exactly the profile's."""
    found, wanted = judged.certificate.by_oid.get(oids.KEY_USAGE), profile.key_usage.bits
    if message := misplaced(found, profile.key_usage, "keyUsage"):
        yield message
    if found is None or not found.value:
        return
    if len(found.value) != len(wanted) or not found.value.issuperset(wanted):
        yield f"keyUsage is {' + '.join(sorted(found.value))}, not exactly {' + '.join(wanted)}"


def _key_usage_ca(judged: JudgedCertificate) -> Found:
    if judged.profile is not None and judged.profile.is_ca:
        yield from key_usage_faults(judged, judged.profile)


def _key_usage_sign(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is not None and not profile.is_ca and profile.purpose is Purpose.SIGN:
        yield from key_usage_faults(judged, profile)


def _key_usage_auth(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is not None and not profile.is_ca and profile.purpose is Purpose.AUTH:
        yield from key_usage_faults(judged, profile)


def _ca_distribution_points(judged: JudgedCertificate) -> Found:
    rule = judged.profile.distribution_points if judged.profile is not None else None
    if rule is None or rule.directory_name is None:
        return
    found = judged.certificate.by_oid.get(oids.CRL_DISTRIBUTION_POINTS)
    if message := misplaced(found, rule, "cRLDistributionPoints"):
        yield message
    if found is None or not found.value:
        return
    points: tuple[DistributionPoint, ...] = found.value
    if any(one.reasons is not None or one.crl_issuer is not None for one in points):
        yield _POINT_FOR_SOME
    names = [name for point in points for name in point.full_name or ()]
    if len(points) != 2 or sorted(name.kind for name in names) != [DIRECTORY, URI]:
        yield "cRLDistributionPoints is not one directoryName and one URI in two points"
        return
    common_name = rule.directory_name
    for name in names:
        if name.name is not None and not _is_list_name(name.name, judged.certificate, common_name):
            yield f"{shown(name.name.text, 160)} is not the issuer's name with CN={common_name}"
        elif name.name is None and name.octets[:5].lower() != b"http:":
            yield f"the list's URI {shown(_uri(name))} is not http"


def _is_list_name(name: Name, certificate: Certificate, common_name: str) -> bool:
    above, last = name.rdns[:-1], name.rdns[-1:]
    named = [(one.oid, one.text) for rdn in last for one in rdn]
    return above == certificate.issuer.rdns and named == [(oids.COMMON_NAME, common_name)]


def _uri(name: GeneralName) -> str:
    return name.octets[:LONGEST].decode("latin-1")


def _end_entity_distribution_points(judged: JudgedCertificate) -> Found:
    rule = judged.profile.distribution_points if judged.profile is not None else None
    if rule is None or rule.directory_name is not None:
        return
    found = judged.certificate.by_oid.get(oids.CRL_DISTRIBUTION_POINTS)
    if message := misplaced(found, rule, "cRLDistributionPoints"):
        yield message
    if found is None or not found.value:
        return
    web = secure = some = False
    for point in found.value:
        some = some or point.reasons is not None or point.crl_issuer is not None
        for name in point.full_name or ():
            if name.kind == URI:
                web = web or name.octets[:5].lower() == b"http:"
                secure = secure or name.octets[:6].lower() == b"https:"
    if some:
        yield _POINT_FOR_SOME
    if not web and secure:
        yield Severity.WARNING, "cRLDistributionPoints has an https URI and no http URI"
    elif not web:
        yield "cRLDistributionPoints has no http URI"


def _not_in_end_entities(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None or profile.is_ca:
        return
    for oid, name in NOT_IN_END_ENTITIES.items():
        if oid in judged.certificate.by_oid and profile.extension(oid) is None:
            yield f"an end entity's certificate has {name}"


_CA = "root, link, sub CA"
_END_ENTITY = "end entity"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "H020",
        Severity.ERROR,
        "all certificates",
        "authorityKeyIdentifier is there, not critical, and has a keyIdentifier.",
        "profile 3.2, 3.4, 3.5, RFC 5280 4.2.1.1",
        "OBS",
        _authority_key,
    ),
    Check(
        "H021",
        Severity.WARNING,
        "all certificates",
        "authorityKeyIdentifier has one directoryName and a serial number, which are issuer and "
        "serial number of the issuer's certificate; neither where the profile leaves them out.",
        "profile 3.2, 3.4, 3.5, 3.8",
        "OBS",
        _issuer_and_serial,
        Severity.ERROR,
    ),
    Check(
        "H022",
        Severity.ERROR,
        "all certificates",
        "subjectKeyIdentifier is there, not critical, of 20 octets, and the SHA-1 of the key.",
        "profile 3.2, 3.4, 3.5, RFC 5280 4.2.1.2",
        "OBS",
        _subject_key,
    ),
    Check(
        "H030",
        Severity.ERROR,
        _CA,
        "basicConstraints is critical with cA TRUE and without pathLenConstraint.",
        "profile 3.2, 3.4, RFC 5280 4.2.1.9",
        "OBS",
        _basic_constraints,
    ),
    Check(
        "H031",
        Severity.WARNING,
        _END_ENTITY,
        "basicConstraints is absent.",
        "profile 3.5",
        "OBS",
        _no_basic_constraints,
        Severity.ERROR,
    ),
    Check(
        "H040",
        Severity.ERROR,
        _CA,
        "keyUsage is critical and exactly keyCertSign and cRLSign.",
        "profile 3.2, 3.4",
        "OBS",
        _key_usage_ca,
    ),
    Check(
        "H041",
        Severity.ERROR,
        "end entity, signing",
        "keyUsage is critical and exactly nonRepudiation.",
        "profile 3.5",
        "OBS",
        _key_usage_sign,
    ),
    Check(
        "H042",
        Severity.WARNING,
        "end entity, authentication",
        "keyUsage is critical and exactly digitalSignature.",
        "profile 3.6, 3.7",
        "INFERRED",
        _key_usage_auth,
        Severity.ERROR,
    ),
    Check(
        "H070",
        Severity.WARNING,
        _CA,
        "cRLDistributionPoints is not critical and has two points: the issuer's name with "
        "CN=RARL or SARL, and an http URI; neither reasons nor cRLIssuer.",
        "profile 3.2, 3.4, 3.8",
        "OBS",
        _ca_distribution_points,
        Severity.ERROR,
    ),
    Check(
        "H071",
        Severity.ERROR,
        _END_ENTITY,
        "cRLDistributionPoints is there, not critical, with an http URI (https alone is a WARNING) "
        "and without reasons and cRLIssuer.",
        "profile 3.5",
        "OBS",
        _end_entity_distribution_points,
    ),
    Check(
        "H073",
        Severity.WARNING,
        _END_ENTITY,
        "extKeyUsage (unless the profile has it), privateKeyUsagePeriod, policyMappings, "
        "nameConstraints and policyConstraints are absent.",
        "profile 3.5",
        "INFERRED-M",
        _not_in_end_entities,
        Severity.ERROR,
    ),
)
"""The checks of this module."""
