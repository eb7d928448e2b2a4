"""RFC 5280 and its neighbours on what a key may be used for: R220 to R232.

Where a rule of the HPKI says the same of what has a profile, the rule here speaks only of the rest.
"""

from __future__ import annotations

from pki import oids
from pki.findings import Severity
from pki.reading.extensions import BasicConstraints
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.rfc5280_extensions import is_ca
from policies.lint.words import number

_AGREEMENT_ONLY = frozenset(("encipherOnly", "decipherOnly"))
_ENCIPHERMENT = frozenset(("keyEncipherment", "dataEncipherment"))
_CA_BITS = frozenset(("keyCertSign", "cRLSign"))
_SIGNING = frozenset(("digitalSignature", "nonRepudiation"))
_CODE_SIGNING = "1.3.6.1.5.5.7.3.3"
_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"
_USES = {
    oids.SERVER_AUTH: frozenset(("digitalSignature", "keyEncipherment", "keyAgreement")),
    oids.CLIENT_AUTH: frozenset(("digitalSignature", "keyAgreement")),
    _CODE_SIGNING: frozenset(("digitalSignature",)),
    _EMAIL_PROTECTION: _SIGNING | {"keyEncipherment", "keyAgreement"},
    oids.TIME_STAMPING: _SIGNING,
    oids.OCSP_SIGNING: _SIGNING,
}
"""Key purpose to the key usage bits of which one is needed. Source: RFC 5280 section 4.2.1.12."""


def _usage_of_ca(judged: JudgedCertificate) -> Found:
    if judged.profile is not None or not is_ca(judged):
        return
    extension = judged.certificate.by_oid.get(oids.KEY_USAGE)
    if extension is None:
        yield "the CA has no keyUsage"
    elif extension.value is not None and "keyCertSign" not in extension.value:
        yield Severity.WARNING, "the CA's keyUsage has no keyCertSign"


def _some_usage(judged: JudgedCertificate) -> Found:
    usage = judged.certificate.value(oids.KEY_USAGE)
    if usage is not None and not usage:
        yield "keyUsage has no bit set"


def _sign_certificates(judged: JudgedCertificate) -> Found:
    profile, found = judged.profile, judged.certificate
    if "keyCertSign" not in (found.value(oids.KEY_USAGE) or ()):
        return
    if profile is not None and profile.is_ca:
        return
    extension = found.by_oid.get(oids.BASIC_CONSTRAINTS)
    if extension is None or (extension.value is not None and not extension.value.ca):
        yield "keyUsage has keyCertSign and basicConstraints has not cA TRUE"


def _agreement(judged: JudgedCertificate) -> Found:
    usage = judged.certificate.value(oids.KEY_USAGE)
    if judged.profile is not None or not usage:
        return
    if usage >= _AGREEMENT_ONLY:
        yield "keyUsage has encipherOnly and decipherOnly"
    elif "keyAgreement" not in usage:
        for bit in usage & _AGREEMENT_ONLY:
            yield f"keyUsage has {bit} without keyAgreement"


def _possible_usage(judged: JudgedCertificate) -> Found:
    usage = judged.certificate.value(oids.KEY_USAGE)
    if not usage:
        return
    algorithm = judged.certificate.public_key.algorithm
    if algorithm == oids.EC_PUBLIC_KEY:
        for bit in sorted(usage & _ENCIPHERMENT):
            yield f"keyUsage has {bit}, which an elliptic curve key must not"
    elif algorithm == oids.RSA_ENCRYPTION and "keyAgreement" in usage and judged.profile is None:
        yield Severity.WARNING, "keyUsage has keyAgreement, which an RSA key cannot do"


def _separate_usage(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        return
    usage = judged.certificate.value(oids.KEY_USAGE)
    if usage and usage & _CA_BITS and usage & _ENCIPHERMENT:
        bits = " and ".join(sorted(usage & _ENCIPHERMENT))
        yield f"keyUsage of a CA or CRL issuer has {bits}"


def _path_length(judged: JudgedCertificate) -> Found:
    found = judged.certificate
    constraints: BasicConstraints | None = found.value(oids.BASIC_CONSTRAINTS)
    if judged.profile is not None or constraints is None or constraints.path_length is None:
        return
    usage = found.value(oids.KEY_USAGE)
    if constraints.path_length < 0:
        yield f"pathLenConstraint is {number(constraints.path_length)}"
    if not constraints.ca:
        yield "pathLenConstraint stands there without cA TRUE"
    elif "keyCertSign" not in (usage if usage is not None else _CA_BITS):
        yield "pathLenConstraint stands there without keyCertSign"


def _purpose_twice(judged: JudgedCertificate) -> Found:
    purposes = judged.certificate.value(oids.EXTENDED_KEY_USAGE)
    if purposes is not None and len(set(purposes)) < len(purposes):
        yield "extKeyUsage names a purpose twice"


def _any_purpose(judged: JudgedCertificate) -> Found:
    extension = judged.certificate.by_oid.get(oids.EXTENDED_KEY_USAGE)
    if extension is None or not extension.critical:
        return
    if oids.ANY_EXTENDED_KEY_USAGE in (extension.value or ()):
        yield "extKeyUsage is critical and has anyExtendedKeyUsage"


def _common_purpose(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        return
    usage = judged.certificate.value(oids.KEY_USAGE)
    purposes = judged.certificate.value(oids.EXTENDED_KEY_USAGE)
    if not usage or not purposes:
        return
    if all(purpose in _USES and not usage & _USES[purpose] for purpose in purposes):
        yield f"keyUsage ({', '.join(sorted(usage))}) allows no purpose of extKeyUsage"


def _no_check(judged: JudgedCertificate) -> Found:
    found = judged.certificate
    if judged.profile is not None or oids.OCSP_NO_CHECK not in found.by_oid:
        return
    if oids.OCSP_SIGNING not in (found.value(oids.EXTENDED_KEY_USAGE) or ()):
        yield "id-pkix-ocsp-nocheck stands in a certificate that is no OCSP responder's"


def _ocsp_purpose(judged: JudgedCertificate) -> Found:
    if judged.profile is not None and judged.profile.id == "ocsp":
        extension = judged.certificate.by_oid.get(oids.EXTENDED_KEY_USAGE)
        if extension is None or oids.OCSP_SIGNING not in (extension.value or (oids.OCSP_SIGNING,)):
            yield "extKeyUsage of an OCSP responder has no id-kp-OCSPSigning"


def _time_stamping(judged: JudgedCertificate) -> Found:
    if judged.profile is None or judged.profile.id != "tsa":
        return
    extension = judged.certificate.by_oid.get(oids.EXTENDED_KEY_USAGE)
    if extension is None:
        yield "a time-stamping authority has no extKeyUsage"
        return
    if not extension.critical:
        yield "extKeyUsage of a time-stamping authority is not critical"
    if extension.value is not None and extension.value != (oids.TIME_STAMPING,):
        yield "extKeyUsage of a time-stamping authority is not id-kp-timeStamping alone"


_ALL = "all certificates"
_FOREIGN = "certificates without a profile"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R220",
        Severity.ERROR,
        "CA certificates without a profile",
        "A CA has keyUsage; without keyCertSign in it, a WARNING.",
        "RFC 5280 4.2.1.3",
        "READ",
        _usage_of_ca,
    ),
    Check(
        "R221",
        Severity.ERROR,
        _ALL,
        "keyUsage has a bit set.",
        "RFC 5280 4.2.1.3",
        "READ",
        _some_usage,
    ),
    Check(
        "R222",
        Severity.ERROR,
        _ALL,
        "keyUsage has keyCertSign only beside cA TRUE.",
        "RFC 5280 4.2.1.3, 4.2.1.9",
        "READ",
        _sign_certificates,
    ),
    Check(
        "R223",
        Severity.WARNING,
        _FOREIGN,
        "keyUsage has encipherOnly or decipherOnly only beside keyAgreement, and not both.",
        "RFC 5280 4.2.1.3, RFC 3279 2.3.3",
        "READ",
        _agreement,
    ),
    Check(
        "R224",
        Severity.ERROR,
        _ALL,
        "keyUsage has no bit that the key's algorithm cannot serve: no encipherment by elliptic "
        "curves; keyAgreement by RSA is a WARNING.",
        "RFC 8813 3, RFC 3279 2.3.1",
        "READ",
        _possible_usage,
    ),
    Check(
        "R225",
        Severity.WARNING,
        _FOREIGN,
        "A key that signs certificates or lists is not for encipherment.",
        "RFC 3279 2.3.1",
        "READ",
        _separate_usage,
    ),
    Check(
        "R226",
        Severity.ERROR,
        _FOREIGN,
        "pathLenConstraint stands only beside cA TRUE and keyCertSign, and is not negative.",
        "RFC 5280 4.2.1.9",
        "READ",
        _path_length,
    ),
    Check(
        "R227",
        Severity.WARNING,
        _ALL,
        "extKeyUsage names no purpose twice.",
        "RFC 5280 4.2.1.12",
        "INFERRED",
        _purpose_twice,
    ),
    Check(
        "R228",
        Severity.WARNING,
        _ALL,
        "extKeyUsage with anyExtendedKeyUsage is not critical.",
        "RFC 5280 4.2.1.12",
        "READ",
        _any_purpose,
    ),
    Check(
        "R229",
        Severity.WARNING,
        _FOREIGN,
        "keyUsage allows one of the purposes of extKeyUsage.",
        "RFC 5280 4.2.1.12",
        "READ",
        _common_purpose,
    ),
    Check(
        "R230",
        Severity.WARNING,
        _FOREIGN,
        "id-pkix-ocsp-nocheck stands only in an OCSP responder's certificate.",
        "RFC 6960 4.2.2.2.1",
        "INFERRED",
        _no_check,
    ),
    Check(
        "R231",
        Severity.ERROR,
        "OCSP responder",
        "extKeyUsage has id-kp-OCSPSigning.",
        "RFC 6960 4.2.2.2",
        "READ",
        _ocsp_purpose,
    ),
    Check(
        "R232",
        Severity.ERROR,
        "time-stamping authority",
        "extKeyUsage is critical and id-kp-timeStamping alone.",
        "RFC 3161 2.3",
        "READ",
        _time_stamping,
    ),
)
"""The checks of this module."""
