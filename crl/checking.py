"""Judging one list, before it is published and when it is read back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import timedelta

from cryptography import x509

from crl.building import ListFacts
from crl.records import Scope
from pki.errors import InvalidInput, Refused
from pki.extensions import authority_key_identifier, issuing_distribution_point
from pki.findings import Finding, Severity
from pki.names import text, with_common_name
from pki.signing import verify_signature

_MAX_HOURS = 96
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


def verify_list(parsed: x509.CertificateRevocationList, issuer: x509.Certificate) -> None:
    """Raise ``Refused`` unless the list is the issuer's, by name and signature."""
    if parsed.issuer != issuer.subject:
        raise Refused("crl.foreign", f"the list is of {text(parsed.issuer)}, another issuer")
    try:
        verify_signature(issuer.public_key(), parsed.signature, parsed.tbs_certlist_bytes)
    except Refused:
        raise Refused("crl.signature", "the list does not verify with its issuer's key") from None


def check_list(parsed: x509.CertificateRevocationList, facts: ListFacts) -> tuple[Finding, ...]:
    """Return what is wrong with the list that was made of ``facts``, by parsing it again."""
    return tuple(
        Finding(code, Severity.ERROR, message, source)
        for code, message, source in _faults(parsed, facts)
    )


def _faults(
    parsed: x509.CertificateRevocationList, facts: ListFacts
) -> Iterator[tuple[str, str, str]]:
    if crl_number(parsed) != facts.number:
        yield "H090", "the list has another number", "RFC 5280 5.2.3"
    identifier = authority_key_identifier(
        facts.issuer.public_key(),  # type: ignore[arg-type]
        facts.issuer.issuer,
        facts.issuer.serial_number,
    )
    if _value(parsed, x509.AuthorityKeyIdentifier) != identifier:
        yield "H090", "the list's AKI does not name the issuing certificate", "profile 5.2"
    begin, end = parsed.last_update_utc, parsed.next_update_utc
    if end is None or not begin < end <= begin + timedelta(hours=_MAX_HOURS):
        yield "H091", f"nextUpdate is not within {_MAX_HOURS} h", "profile 5.1"
    point = _value(parsed, x509.IssuingDistributionPoint)
    wanted = None
    if facts.scope is not Scope.FULL:
        name = with_common_name(facts.issuer.subject, facts.scope.value)
        wanted = issuing_distribution_point(name)
    if point != wanted:
        yield "H093", "the issuingDistributionPoint is not the scope's", "profile 5.2"
    if len(parsed) != len(facts.entries):
        yield "H096", f"{len(facts.entries)} entries went in, {len(parsed)} came out", "coverage"


def _value(
    parsed: x509.CertificateRevocationList, kind: type[x509.ExtensionType]
) -> x509.ExtensionType | None:
    try:
        return parsed.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
