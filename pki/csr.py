"""Certification requests (PKCS#10): read, bounded, with proof of possession."""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from pki.errors import InvalidInput, Refused
from pki.signing import IssuerPublicKey

_MAX_OCTETS = 16 * 1024


def load_request(octets: bytes) -> x509.CertificateSigningRequest:
    """Return the request in DER or PEM; raises ``InvalidInput`` for anything else."""
    if len(octets) > _MAX_OCTETS:
        raise InvalidInput("pki.csr.size", f"a request has at most {_MAX_OCTETS} octets")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            return _load(octets)
    except (
        ValueError,
        TypeError,
        UserWarning,
        x509.InvalidVersion,
        UnsupportedAlgorithm,
    ) as error:
        raise InvalidInput("pki.csr.unreadable", f"this is no PKCS#10 request: {error}") from None


def _load(octets: bytes) -> x509.CertificateSigningRequest:
    if octets.lstrip().startswith(b"-----BEGIN"):
        request = x509.load_pem_x509_csr(octets)
    else:
        request = x509.load_der_x509_csr(octets)
    list(request.subject)  # a name is decoded, and its faults come to light, when it is read
    return request


def proven_public_key(request: x509.CertificateSigningRequest) -> IssuerPublicKey:
    """Return the key whose possession the request's own signature proves.

    Raises ``Refused`` when it does not. Source: RFC 2986 section 4.2.
    """
    try:
        if not request.is_signature_valid:
            raise Refused("pki.csr.proof", "the request is not signed by the key in it")
        return request.public_key()  # type: ignore[return-value]  # the profile judges its type
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        raise Refused("pki.csr.proof", f"the request's key cannot be used: {error}") from None
