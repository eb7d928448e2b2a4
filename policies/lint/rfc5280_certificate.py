"""RFC 5280 on the fields of a certificate, names and extensions aside: R101 to R123.

Where a rule of the HPKI says the same of what has a profile, the rule here speaks only of the rest.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from pki import oids
from pki.findings import Severity
from pki.reading.certificate import Certificate
from pki.reading.values import EMAIL
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.issuer import algorithm_mismatch
from policies.lint.rfc5280_extensions import extension_name
from policies.lint.words import number, shown

_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
_NULL = b"\x05\x00"
_OBJECT_IDENTIFIER = b"\x06"
_CURVES: dict[str, ec.EllipticCurve] = {
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
}


def _encoding(judged: JudgedCertificate) -> Found:
    yield from judged.certificate.faults
    for extension in judged.certificate.extensions:
        for fault in extension.faults:
            yield f"{extension_name(extension.oid)}: {fault}"


def _version(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        return
    found = judged.certificate
    if not 1 <= found.version <= 3:
        yield f"the version v{number(found.version)} is none of v1, v2 and v3"
    elif found.version < 3 and found.has_extensions:
        yield f"the certificate has extensions and is v{found.version}"


def _positive_serial(judged: JudgedCertificate) -> Found:
    if judged.certificate.serial <= 0:
        yield f"the serial number {number(judged.certificate.serial)} is not positive"


def _long_serial(judged: JudgedCertificate) -> Found:
    serial = judged.certificate.serial
    octets = (serial if serial >= 0 else ~serial).bit_length() // 8 + 1
    if octets > 20:
        yield f"the serial number has {octets} octets, more than 20"


def _short_serial(judged: JudgedCertificate) -> Found:
    serial = judged.certificate.serial
    if 0 < serial < 1 << 63:
        yield f"the serial number has {serial.bit_length()} bits, fewer than 64"


def _time_form(judged: JudgedCertificate) -> Found:
    for fault in judged.certificate.not_before.faults:
        yield f"notBefore: {fault}"
    for fault in judged.certificate.not_after.faults:
        yield f"notAfter: {fault}"


def _time_order(judged: JudgedCertificate) -> Found:
    begin, end = judged.certificate.not_before.moment, judged.certificate.not_after.moment
    if begin is not None and end is not None and end < begin:
        yield f"notAfter {end:%Y-%m-%d %H:%M:%S}Z is before notBefore {begin:%Y-%m-%d %H:%M:%S}Z"


def _empty_issuer(judged: JudgedCertificate) -> Found:
    if not judged.certificate.issuer.rdns:
        yield "the issuer is an empty name"


def _empty_subject(judged: JudgedCertificate) -> Found:
    found = judged.certificate
    if found.subject.rdns:
        return
    if signs_for_others(found):
        yield "the subject of a CA or CRL issuer is an empty name"
        return
    alternative = found.by_oid.get(oids.SUBJECT_ALT_NAME)
    if alternative is None:
        yield "the subject is an empty name and there is no subjectAltName"
    elif not alternative.critical:
        yield "the subject is an empty name and subjectAltName is not critical"


def signs_for_others(found: Certificate) -> bool:
    """Say whether basicConstraints or keyUsage makes the subject a CA or a CRL issuer."""
    constraints = found.value(oids.BASIC_CONSTRAINTS)
    usage = found.value(oids.KEY_USAGE) or frozenset()
    return (
        (constraints is not None and constraints.ca) or "keyCertSign" in usage or "cRLSign" in usage
    )


def _email_address(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        return
    found = judged.certificate
    if all(one.oid != _EMAIL_ADDRESS for one in found.subject.attributes):
        return
    if all(name.kind != EMAIL for name in found.value(oids.SUBJECT_ALT_NAME) or ()):
        yield "the subject has emailAddress and subjectAltName has no rfc822Name"


def _unique_identifiers(judged: JudgedCertificate) -> Found:
    if judged.certificate.unique_ids:
        yield "the certificate has a unique identifier of issuer or subject"


def _readable(judged: JudgedCertificate) -> Found:
    for extension in judged.certificate.extensions:
        if extension.unreadable is not None:
            yield f"{extension_name(extension.oid)} cannot be read: {shown(extension.unreadable)}"


def _no_extension(judged: JudgedCertificate) -> Found:
    if judged.certificate.has_extensions and not judged.certificate.extensions:
        yield "the extensions are an empty SEQUENCE"


def _same_algorithm(judged: JudgedCertificate) -> Found:
    if judged.profile is None:
        found = judged.certificate
        yield from algorithm_mismatch(found.signature_inside, found.signature_outside)


def _rsa_parameters(judged: JudgedCertificate) -> Found:
    key = judged.certificate.public_key
    if key.algorithm == oids.RSA_ENCRYPTION and key.parameters != _NULL:
        yield "the parameters of the RSA key are not NULL"


def _rsa_numbers(judged: JudgedCertificate) -> Found:
    key = judged.certificate.public_key
    if key.algorithm != oids.RSA_ENCRYPTION:
        return
    modulus, exponent = key.modulus, key.exponent
    if modulus is not None and not modulus & 1:
        yield "the RSA modulus is even"
    if judged.profile is not None:
        return
    if modulus is None or exponent is None:
        yield "the RSA key is not a modulus and an exponent in DER"
    elif modulus <= 0:
        yield "the RSA modulus is not positive"
    elif not 3 <= exponent < modulus or not exponent & 1:
        yield f"the RSA exponent {number(exponent)} is not odd, from 3 to below the modulus"


def _named_curve(judged: JudgedCertificate) -> Found:
    key = judged.certificate.public_key
    if judged.profile is not None or key.algorithm != oids.EC_PUBLIC_KEY:
        return
    if key.parameters[:1] != _OBJECT_IDENTIFIER:
        yield "the parameters of the elliptic curve key are not the OID of a named curve"


def _point(judged: JudgedCertificate) -> Found:
    key = judged.certificate.public_key
    if key.curve is None:
        return
    octets = key.octets
    size = (_CURVES[key.curve].key_size + 7) // 8
    wanted = {b"\x04": 1 + 2 * size, b"\x02": 1 + size, b"\x03": 1 + size}.get(octets[:1])
    if wanted is None:
        yield f"the point begins with {shown(octets[:1].hex() or 'nothing')}, not 02, 03 or 04"
    elif len(octets) != wanted:
        yield f"the point on {key.curve} has {len(octets)} octets, not {wanted}"
    elif not _on_curve(key.curve, octets):
        yield f"the point is not on {key.curve}"


@lru_cache(maxsize=1024)
def _on_curve(curve: str, octets: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve], octets)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


_ALL = "all certificates"
_FOREIGN = "certificates without a profile"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R101",
        Severity.ERROR,
        _ALL,
        "The certificate and the values of its extensions are encoded in DER.",
        "RFC 5280 4.1, 4.2",
        "READ",
        _encoding,
    ),
    Check(
        "R102",
        Severity.ERROR,
        _FOREIGN,
        "The version is v1, v2 or v3, and v3 where there are extensions.",
        "RFC 5280 4.1.2.1",
        "READ",
        _version,
    ),
    Check(
        "R103",
        Severity.ERROR,
        _ALL,
        "The serial number is positive.",
        "RFC 5280 4.1.2.2",
        "READ",
        _positive_serial,
    ),
    Check(
        "R104",
        Severity.ERROR,
        _ALL,
        "The serial number has at most 20 octets.",
        "RFC 5280 4.1.2.2",
        "READ",
        _long_serial,
    ),
    Check(
        "R105",
        Severity.INFO,
        _ALL,
        "The serial number has 64 bits or more, as random ones do.",
        "profile 6.2",
        "PROPOSAL",
        _short_serial,
        Severity.ERROR,
    ),
    Check(
        "R106",
        Severity.ERROR,
        _ALL,
        "notBefore and notAfter are UTCTime through 2049 and GeneralizedTime later, in UTC with "
        "seconds and no fraction.",
        "RFC 5280 4.1.2.5",
        "READ",
        _time_form,
    ),
    Check(
        "R107",
        Severity.ERROR,
        _ALL,
        "notAfter is not before notBefore.",
        "RFC 5280 4.1.2.5",
        "READ",
        _time_order,
    ),
    Check(
        "R108",
        Severity.ERROR,
        _ALL,
        "The issuer is not an empty name.",
        "RFC 5280 4.1.2.4",
        "READ",
        _empty_issuer,
    ),
    Check(
        "R109",
        Severity.ERROR,
        _ALL,
        "Only an end entity's subject is an empty name, and then subjectAltName is critical.",
        "RFC 5280 4.1.2.6, 4.2.1.6",
        "READ",
        _empty_subject,
    ),
    Check(
        "R110",
        Severity.WARNING,
        _FOREIGN,
        "An e-mail address stands in subjectAltName as rfc822Name, not only in the subject.",
        "RFC 5280 4.1.2.6",
        "READ",
        _email_address,
    ),
    Check(
        "R117",
        Severity.ERROR,
        _ALL,
        "There are no unique identifiers of issuer or subject.",
        "RFC 5280 4.1.2.8, profile 3.1",
        "READ",
        _unique_identifiers,
    ),
    Check(
        "R118",
        Severity.ERROR,
        _ALL,
        "The value of an extension is what its type says.",
        "RFC 5280 4.2",
        "READ",
        _readable,
    ),
    Check(
        "R119",
        Severity.ERROR,
        _ALL,
        "The field of the extensions holds at least one.",
        "RFC 5280 4.1.2.9",
        "READ",
        _no_extension,
    ),
    Check(
        "R120",
        Severity.ERROR,
        _FOREIGN,
        "The signature algorithm is the same inside and outside.",
        "RFC 5280 4.1.1.2, 4.1.2.3",
        "READ",
        _same_algorithm,
    ),
    Check(
        "R121",
        Severity.ERROR,
        "certificates of RSA keys",
        "The parameters of an RSA key are NULL.",
        "RFC 3279 2.3.1",
        "READ",
        _rsa_parameters,
    ),
    Check(
        "R122",
        Severity.ERROR,
        "certificates of RSA keys",
        "An RSA key is an odd modulus and an odd exponent from 3 to below the modulus.",
        "RFC 3279 2.3.1, RFC 8017 3.1",
        "READ",
        _rsa_numbers,
    ),
    Check(
        "R123",
        Severity.ERROR,
        "certificates of elliptic curve keys, without a profile",
        "The parameters of an elliptic curve key are the OID of a named curve.",
        "RFC 5480 2.1.1",
        "READ",
        _named_curve,
    ),
    Check(
        "R124",
        Severity.ERROR,
        "certificates of elliptic curve keys",
        "The key is a point of the curve, uncompressed or compressed.",
        "RFC 5480 2.2",
        "READ",
        _point,
    ),
)
"""The checks of this module."""
