"""Judging one certificate against its profile and its issuer.

A check takes a ``Subject`` and yields findings; it is registered by standing in ``CHECKS``. Codes
are those of the HPKI rule list (H…). The issuing code runs it on the twin, the exact
to-be-signed bytes under a placeholder signature, before the real key is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from pki import oids
from pki.errors import InvalidInput
from pki.extensions import key_usage, subject_key_identifier
from pki.findings import Finding, Severity
from pki.hcrole import decode_hc_roles
from pki.names import CA_COMMON_NAME, one
from pki.signing import algorithm_der
from pki.validity import JST, end_after_years
from policies.hcroles import DIRECTOR_UNIT, hc_role_table
from policies.profiles import CertificateProfile, Level, Purpose
from policies.site import SiteKind


@dataclass(frozen=True)
class Subject:
    """What is judged: the certificate, its issuer's certificate (itself for a root), the rules."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    profile: CertificateProfile
    kind: SiteKind

    def extension(self, oid: x509.ObjectIdentifier) -> x509.Extension[x509.ExtensionType] | None:
        """Return the extension of that type, or None."""
        try:
            return self.certificate.extensions.get_extension_for_oid(oid)
        except x509.ExtensionNotFound:
            return None


Check = Callable[[Subject], Iterator[Finding]]


def _error(code: str, message: str, source: str) -> Finding:
    return Finding(code, Severity.ERROR, message, source)


def _warning(code: str, message: str, source: str) -> Finding:
    return Finding(code, Severity.WARNING, message, source)


def check_version(subject: Subject) -> Iterator[Finding]:
    """H001: version 3."""
    if subject.certificate.version is not x509.Version.v3:
        yield _error("H001", "the certificate is not version 3", "RFC 5280 4.1.2.1")


def check_algorithm(subject: Subject) -> Iterator[Finding]:
    """H002: the issuer's algorithm, with NULL for RSA, inside and outside."""
    algorithm = algorithm_der(subject.issuer.public_key())  # type: ignore[arg-type]
    parsed = asn1_x509.Certificate.load(subject.certificate.public_bytes(Encoding.DER))
    inside = parsed["tbs_certificate"]["signature"].dump()
    if not algorithm == inside == parsed["signature_algorithm"].dump():
        yield _error("H002", "the signature algorithm is not the issuer's", "RFC 5280 4.1.1.2")


def check_names(subject: Subject) -> Iterator[Finding]:
    """H003 to H006: country JP, UTF8String elsewhere, one attribute an RDN, ASCII."""
    for name in (subject.certificate.subject, subject.certificate.issuer):
        if one(name, NameOID.COUNTRY_NAME) != "JP":
            yield _error("H003", "the name has no country JP", "profile 2.1")
        for rdn in name.rdns:
            attributes = list(rdn)
            if len(attributes) != 1:
                yield _warning("H005", "an RDN holds more than one attribute", "profile 2.1")
            for attribute in attributes:
                if attribute.oid in (NameOID.COUNTRY_NAME, NameOID.SERIAL_NUMBER):
                    continue
                if attribute._type.name != "UTF8String":
                    yield _warning(
                        "H004", f"{attribute.oid._name} is {attribute._type.name}", "profile 2.1"
                    )
                if not str(attribute.value).isascii():
                    yield _warning("H006", f"{attribute.oid._name} is not ASCII", "profile 2.1")


_PURPOSE_TAIL = {
    Purpose.SIGN: "forNonRepudiation",
    Purpose.AUTH: "forAuthentication-forIndividual",
}


def check_ca_name(subject: Subject) -> Iterator[Finding]:
    """H010: the sub CA's CN has the pattern, with the tail of its purpose."""
    if subject.profile.purpose is None:
        return
    certificate = subject.certificate
    name = certificate.subject if subject.profile.level is Level.SUB_CA else certificate.issuer
    match = CA_COMMON_NAME.match(one(name, NameOID.COMMON_NAME) or "")
    if match is None or match["purpose"] != _PURPOSE_TAIL[subject.profile.purpose]:
        yield _error(
            "H010",
            f"the CA's CN is not HPKI-01-*-{_PURPOSE_TAIL[subject.profile.purpose]}",
            "profile 2.3",
        )


_RULES: dict[x509.ObjectIdentifier, str] = {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "authority_key_identifier",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "subject_key_identifier",
    ExtensionOID.KEY_USAGE: "key_usage",
    ExtensionOID.CRL_DISTRIBUTION_POINTS: "distribution_points",
    ExtensionOID.BASIC_CONSTRAINTS: "basic_constraints",
    ExtensionOID.CERTIFICATE_POLICIES: "certificate_policies",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "subject_alt_name",
    x509.ObjectIdentifier(oids.SUBJECT_DIRECTORY_ATTRIBUTES): "subject_directory_attributes",
}
_OPTIONAL = {"subject_alt_name", "subject_directory_attributes"}


def check_extension_set(subject: Subject) -> Iterator[Finding]:
    """H011, H031, H073: exactly the profile's extensions, each critical as it says."""
    present = {extension.oid: extension for extension in subject.certificate.extensions}
    for oid, extension in present.items():
        rule = getattr(subject.profile, _RULES.get(oid, ""), None)
        if rule is None:
            yield _error("H011", f"the profile has no extension {oid.dotted_string}", "profile 3")
        elif extension.critical is not rule.critical:
            yield _error("H011", f"{_RULES[oid]} has the wrong criticality", rule.source)
    for oid, field in _RULES.items():
        rule = getattr(subject.profile, field)
        if rule is not None and field not in _OPTIONAL and oid not in present:
            yield _error("H011", f"{field} is missing", rule.source)


def check_authority_key(subject: Subject) -> Iterator[Finding]:
    """H020, H021: key identifier, issuer name and serial are those of the issuing certificate."""
    found = subject.extension(ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    if found is None or not isinstance(found.value, x509.AuthorityKeyIdentifier):
        return
    issuer_key = subject.issuer.public_key()
    if found.value.key_identifier != subject_key_identifier(issuer_key).digest:  # type: ignore[arg-type]
        yield _error("H020", "the AKI does not name the issuer's key", "profile 3.2 to 3.5")
    if found.value.authority_cert_issuer != [x509.DirectoryName(subject.issuer.issuer)] or (
        found.value.authority_cert_serial_number != subject.issuer.serial_number
    ):
        yield _error(
            "H021", "the AKI does not name the issuing certificate", "profile 3.8, strict HPKI"
        )


def check_subject_key(subject: Subject) -> Iterator[Finding]:
    """H022, H083: SKI by method 1; a key the profile allows."""
    key = subject.certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        yield _error("H083", "the key is neither RSA nor an elliptic curve", "profile 6.3")
        return
    found = subject.extension(ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    if found is not None and found.value != subject_key_identifier(key):
        yield _error("H022", "the SKI is not the SHA-1 of the key", "profile 3.2 to 3.5")
    rule = subject.profile.key
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in rule.rsa_bits or key.public_numbers().e != 65537:
            yield _error("H083", f"RSA {key.key_size} is not allowed here", rule.source)
    elif key.curve.name not in rule.curves:
        yield _error("H083", f"the curve {key.curve.name} is not allowed here", rule.source)


def check_basic_constraints(subject: Subject) -> Iterator[Finding]:
    """H030: cA TRUE without a path length."""
    found = subject.extension(ExtensionOID.BASIC_CONSTRAINTS)
    if found is not None and found.value != x509.BasicConstraints(ca=True, path_length=None):
        yield _error("H030", "basicConstraints is not cA TRUE without length", "profile 3.2, 3.4")


def check_key_usage(subject: Subject) -> Iterator[Finding]:
    """H040 to H042: exactly the profile's bits."""
    found = subject.extension(ExtensionOID.KEY_USAGE)
    rule = subject.profile.key_usage
    code = {None: "H040", Purpose.SIGN: "H041", Purpose.AUTH: "H042"}[
        subject.profile.purpose if subject.profile.level is Level.END_ENTITY else None
    ]
    if found is not None and found.value != key_usage(rule.bits):
        yield _error(code, f"keyUsage is not exactly {' + '.join(rule.bits)}", rule.source)


def check_policies(subject: Subject) -> Iterator[Finding]:
    """H051, H052: one policy, the site's, with one CPS URI."""
    found = subject.extension(ExtensionOID.CERTIFICATE_POLICIES)
    rule = subject.profile.certificate_policies
    if found is None or rule is None or not isinstance(found.value, x509.CertificatePolicies):
        return
    wanted = rule.oid(subject.kind)
    policies = list(found.value)
    if [policy.policy_identifier.dotted_string for policy in policies] != [wanted]:
        yield _error("H052", f"the policy is not {wanted} alone", rule.source)
    for policy in policies:
        qualifiers = policy.policy_qualifiers or []
        if len(qualifiers) != 1 or not str(qualifiers[0]).startswith(("http://", "https://")):
            yield _error("H051", "the policy has not exactly one CPS URI", rule.source)


def check_hc_role(subject: Subject) -> Iterator[Finding]:
    """H060 to H065: hcRole readable, known, and O and OU=Director with administrator roles."""
    found = subject.extension(x509.ObjectIdentifier(oids.SUBJECT_DIRECTORY_ATTRIBUTES))
    if found is None or not isinstance(found.value, x509.UnrecognizedExtension):
        return
    try:
        roles = decode_hc_roles(found.value.value)
    except InvalidInput as error:
        yield _error("H061", error.text, "profile 4.2")
        return
    table = hc_role_table()
    for role in roles:
        if role not in table.names():
            yield _warning("H062", f"hcRole {role!r} is not in the table", "profile 4.5")
    name = subject.certificate.subject
    administrator = not table.administrator_names().isdisjoint(roles)
    director = one(name, NameOID.ORGANIZATIONAL_UNIT_NAME) == DIRECTOR_UNIT
    if administrator and not (director and one(name, NameOID.ORGANIZATION_NAME)):
        yield _error("H064", "an administrator needs O and OU=Director", "profile 4.5")
    if director and not administrator:
        yield _warning("H065", "OU=Director without an administrator role", "profile 4.5")


def check_distribution_points(subject: Subject) -> Iterator[Finding]:
    """H070, H071: CAs have directory name and URI, end entities one URI; no reasons, no issuer."""
    found = subject.extension(ExtensionOID.CRL_DISTRIBUTION_POINTS)
    if found is None or not isinstance(found.value, x509.CRLDistributionPoints):
        return
    rule = subject.profile.distribution_points
    points = list(found.value)
    kinds = [type(name) for point in points for name in point.full_name or ()]
    wanted: list[type[x509.GeneralName]] = [x509.UniformResourceIdentifier]
    if rule.directory_name is not None:
        wanted.insert(0, x509.DirectoryName)
    if kinds != wanted or any(point.reasons or point.crl_issuer for point in points):
        code = "H070" if rule.directory_name else "H071"
        yield _error(code, "the distribution points have not the HPKI's form", rule.source)


def check_alternative_name(subject: Subject) -> Iterator[Finding]:
    """H072: one directoryName whose serialNumber is the subject's."""
    found = subject.extension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    if found is None or not isinstance(found.value, x509.SubjectAlternativeName):
        return
    names = list(found.value)
    if len(names) != 1 or not isinstance(names[0], x509.DirectoryName):
        yield _error("H072", "subjectAltName is not one directoryName", "profile 2.7")
    elif one(names[0].value, NameOID.SERIAL_NUMBER) != one(
        subject.certificate.subject, NameOID.SERIAL_NUMBER
    ):
        yield _error("H072", "subjectAltName names another serialNumber", "profile 2.7")


def check_validity(subject: Subject) -> Iterator[Finding]:
    """H080 to H082: not longer than allowed, Japan's day, and inside the issuer's."""
    begin = subject.certificate.not_valid_before_utc
    end = subject.certificate.not_valid_after_utc
    rule = subject.profile.validity
    longest = end_after_years(begin.astimezone(JST).date(), rule.max_years) + timedelta(days=1)
    if not begin < end <= longest:
        yield _error("H080", f"the validity is not within {rule.max_years} years", rule.source)
    if (end.hour, end.minute, end.second) != (14, 59, 59) or (
        rule.whole_days and (begin.hour, begin.minute, begin.second) != (15, 0, 0)
    ):
        yield _error("H081", "the validity does not follow Japan's day", rule.source)
    if end > subject.issuer.not_valid_after_utc:
        yield _error("H082", "the certificate outlives its issuer", "profile 6.1")


CHECKS: tuple[Check, ...] = (
    check_version,
    check_algorithm,
    check_names,
    check_ca_name,
    check_extension_set,
    check_authority_key,
    check_subject_key,
    check_basic_constraints,
    check_key_usage,
    check_policies,
    check_hc_role,
    check_distribution_points,
    check_alternative_name,
    check_validity,
)


def check_certificate(subject: Subject) -> tuple[Finding, ...]:
    """Return what every check in ``CHECKS`` finds, in their order.

    Extensions that cannot be read, a repeated one among them, are one finding and end it.
    """
    try:
        list(subject.certificate.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        return (_error("H011", f"the extensions cannot be read: {error}", "RFC 5280 4.2"),)
    return tuple(finding for check in CHECKS for finding in check(subject))
