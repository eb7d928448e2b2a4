"""One list read back: whose it is, and whether it is what went into it."""

from __future__ import annotations

import warnings

from cryptography import x509

from crl.building import ListFacts
from crl.records import Scope
from pki.errors import InvalidInput, Refused
from pki.extensions import issuing_distribution_point
from pki.names import text, with_common_name
from pki.signing import HashName, verify_signature

_UNREADABLE = (
    ValueError,
    TypeError,
    UserWarning,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def load_list(octets: bytes) -> x509.CertificateRevocationList:
    """Return the list in DER or PEM; raises ``InvalidInput`` for anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            return _load(octets)
    except _UNREADABLE as error:
        raise InvalidInput("crl.unreadable", f"this is no revocation list: {error}") from None


def _load(octets: bytes) -> x509.CertificateRevocationList:
    if octets.lstrip().startswith(b"-----BEGIN"):
        parsed = x509.load_pem_x509_crl(octets)
    else:
        parsed = x509.load_der_x509_crl(octets)
    list(parsed.issuer)  # names and extensions are decoded, and fail, only when they are read
    list(parsed.extensions)
    return parsed


def crl_number(parsed: x509.CertificateRevocationList) -> int:
    """Return the cRLNumber; raises ``InvalidInput`` where there is none."""
    try:
        return parsed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (x509.ExtensionNotFound, ValueError):
        raise InvalidInput("crl.number.missing", "the list has no cRLNumber") from None


def verify_list(
    parsed: x509.CertificateRevocationList, issuer: x509.Certificate, hash_name: HashName
) -> None:
    """Raise ``Refused`` unless the list is the issuer's, by name and signature."""
    if parsed.issuer != issuer.subject:
        raise Refused("crl.foreign", f"the list is of {text(parsed.issuer)}, another issuer")
    body = parsed.tbs_certlist_bytes
    try:
        verify_signature(issuer.public_key(), parsed.signature, body, hash_name)
    except Refused:
        raise Refused("crl.signature", "the list does not verify with its issuer's key") from None


def verify_facts(parsed: x509.CertificateRevocationList, facts: ListFacts) -> None:
    """Raise ``Refused`` unless number, scope and entry count are what went into the list."""
    point = None
    if facts.scope is not Scope.FULL:
        name = with_common_name(facts.issuer.subject, facts.scope.value)
        point = issuing_distribution_point(name)
    for what, found, wanted in (
        ("number", crl_number(parsed), facts.number),
        ("issuingDistributionPoint", _point(parsed), point),
        ("count of entries", len(parsed), len(facts.entries)),
    ):
        if found != wanted:
            raise Refused("crl.differs", f"the list's {what} is {found}, and {wanted} went into it")


def _point(parsed: x509.CertificateRevocationList) -> x509.IssuingDistributionPoint | None:
    try:
        return parsed.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return None
