"""Checks of a certificate against its issuer, and the signature under anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import time, timedelta
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from pki import der, oids
from pki.errors import Refused
from pki.findings import Severity
from pki.reading.certificate import Certificate
from pki.reading.crl import RevocationList
from pki.reading.extensions import Subtree
from pki.reading.tlv import OID, SEQUENCE, DerError, Reader
from pki.reading.values import Name
from pki.signing import dummy_signature
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.words import MOMENT, first_of, hexadecimal, number, octets, shown

_NULL = b"\x05\x00"
_RSA_HASHES = {
    oids.SHA256_WITH_RSA: hashes.SHA256(),
    oids.SHA384_WITH_RSA: hashes.SHA384(),
    oids.SHA512_WITH_RSA: hashes.SHA512(),
}
_EC_HASHES = {
    oids.ECDSA_WITH_SHA256: hashes.SHA256(),
    oids.ECDSA_WITH_SHA384: hashes.SHA384(),
    oids.ECDSA_WITH_SHA512: hashes.SHA512(),
}
_ALLOWED = {
    **{oid: der.sequence(der.object_identifier(oid), _NULL) for oid in _RSA_HASHES},
    **{oid: der.sequence(der.object_identifier(oid)) for oid in _EC_HASHES},
}
_ALLOWED_DER = frozenset(_ALLOWED.values())
_V3 = 3
Folded = tuple[tuple[tuple[str, str], ...], ...]
_MIDNIGHT_JST = time(15)


def algorithm_mismatch(inside: bytes, outside: bytes) -> Iterator[str]:
    """Yield how the two AlgorithmIdentifiers (DER) of a signed object differ, if they do.

    Source: RFC 5280 sections 4.1.1.2 and 5.1.1.2.
    """
    if inside == outside:
        return
    within, around = algorithm_of(inside), algorithm_of(outside)
    if within == around:
        yield f"the signature algorithm {shown(within)} has other parameters inside than outside"
    else:
        yield f"the signature algorithm is {shown(within)} inside and {shown(around)} outside"


def algorithm_faults(inside: bytes, outside: bytes) -> Iterator[str]:
    """Yield what is wrong with the signature algorithm of a certificate or list of the HPKI.

    ``inside`` and ``outside`` are the DER of the two AlgorithmIdentifiers. They must be equal, the
    algorithm one of those allowed (SHA-2 with RSA or ECDSA), its parameters NULL for RSA and absent
    for ECDSA. Source: RFC 5280 section 4.1.1.2, RFC 4055 section 5, RFC 5758 section 3.2.
    """
    yield from algorithm_mismatch(inside, outside)
    if outside in _ALLOWED_DER:
        return
    algorithm = algorithm_of(outside)
    if algorithm in _ALLOWED:
        wanted = "NULL" if algorithm in _RSA_HASHES else "absent"
        yield f"the parameters of the signature algorithm {algorithm} are not {wanted}"
    else:
        yield f"the signature algorithm {shown(algorithm)} is not allowed"


def algorithm_of(algorithm_der: bytes) -> str | None:
    """Return the dotted OID of an AlgorithmIdentifier, None where it cannot be read."""
    reader = Reader(algorithm_der)
    try:
        begin, end = reader.whole(SEQUENCE, "the algorithm")
        return reader.oid(*reader.expect(OID, begin, end, "the algorithm"))
    except DerError:
        return None


def verify_signed(signed: Certificate | RevocationList, issuer: Certificate) -> None:
    """Raise ``Refused`` unless the signature is the issuer's key's, by an algorithm known here.

    ``lint.signature``: it does not verify; ``lint.algorithm``, ``lint.key``: it cannot be verified
    here.
    """
    algorithm = algorithm_of(signed.signature_outside) or "an unreadable algorithm"
    if algorithm not in _ALLOWED:
        raise Refused("lint.algorithm", f"signatures by {shown(algorithm)} cannot be verified here")
    try:
        key = _key(issuer.public_key.der)
    except (UnsupportedAlgorithm, ValueError):
        raise Refused("lint.key", "the issuer's key cannot be used here") from None
    try:
        if issuer.public_key.algorithm == oids.RSA_ENCRYPTION and isinstance(key, rsa.RSAPublicKey):
            digest, wanted = _digest(signed, _RSA_HASHES[algorithm])
            key.verify(signed.signature, digest, padding.PKCS1v15(), wanted)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            digest, wanted = _digest(signed, _EC_HASHES[algorithm])
            key.verify(signed.signature, digest, ec.ECDSA(wanted))
        else:
            raise Refused("lint.key", "the issuer's key is neither RSA nor an elliptic curve")
    except KeyError:
        raise Refused("lint.signature", "its algorithm is not for the issuer's key") from None
    except UnsupportedAlgorithm:
        raise Refused("lint.key", "the issuer's key cannot be used here") from None
    except (InvalidSignature, ValueError):
        raise Refused("lint.signature", "it does not verify with the issuer's key") from None


def _digest(
    signed: Certificate | RevocationList, algorithm: hashes.HashAlgorithm
) -> tuple[bytes, utils.Prehashed]:
    if isinstance(signed, RevocationList):
        return signed.tbs_digest(algorithm.name), utils.Prehashed(algorithm)
    return hashlib.new(algorithm.name, signed.tbs_der).digest(), utils.Prehashed(algorithm)


@lru_cache(maxsize=256)
def _key(spki_der: bytes) -> object:
    return serialization.load_der_public_key(spki_der)


def signature_findings(
    signed: Certificate | RevocationList, issuer: Certificate | None, *, strict: bool
) -> Found:
    """Yield that the signature does not verify, or as a WARNING that it cannot be verified here.

    The placeholder under what this centre is about to sign (``strict``) is a WARNING too.
    """
    if issuer is None:
        return
    if strict and _is_placeholder(signed.signature, issuer):
        yield Severity.WARNING, "the signature is the placeholder of what is to be signed"
        return
    try:
        verify_signed(signed, issuer)
    except Refused as refused:
        if refused.code != "lint.signature":
            yield Severity.WARNING, refused.text
        else:
            yield f"the signature is wrong: {refused.text}"


def _is_placeholder(signature: bytes, issuer: Certificate) -> bool:
    try:
        key = _key(issuer.public_key.der)
    except (UnsupportedAlgorithm, ValueError):
        return False
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return False
    return signature == dummy_signature(key)


def name_findings(named: Name, issuer: Certificate | None) -> Found:
    """Yield where the issuer's name is not the issuing certificate's subject, octet by octet."""
    if issuer is None or named.der == issuer.subject.der:
        return
    if named.folded == issuer.subject.folded:
        yield "the issuer's name is encoded otherwise than the subject of its certificate"
    else:
        yield Severity.ERROR, f"the issuer is {shown(named.text)}, not {shown(issuer.subject.text)}"


def key_identifier_findings(
    signed: Certificate | RevocationList, issuer: Certificate | None
) -> Found:
    """Yield where the AKI's keyIdentifier is not the issuer's SKI; silent where one is missing."""
    if issuer is None:
        return
    authority = signed.value(oids.AUTHORITY_KEY_IDENTIFIER)
    own = issuer.value(oids.SUBJECT_KEY_IDENTIFIER)
    if authority is None or authority.key_identifier is None or own is None:
        return
    if authority.key_identifier != own:
        yield (
            f"the AKI names the key {octets(authority.key_identifier)}, "
            f"the issuer's SKI is {octets(own)}"
        )


def lacks_usage(issuer: Certificate, bit: str) -> bool:
    """Say whether the issuer has a readable keyUsage without the bit."""
    usage = issuer.value(oids.KEY_USAGE)
    return usage is not None and bit not in usage


def _signature(judged: JudgedCertificate) -> Found:
    return signature_findings(judged.certificate, judged.issuer, strict=judged.strict)


def _issuer_name(judged: JudgedCertificate) -> Found:
    return name_findings(judged.certificate.issuer, judged.issuer)


def _key_identifier(judged: JudgedCertificate) -> Found:
    return key_identifier_findings(judged.certificate, judged.issuer)


def _other_issuer(judged: JudgedCertificate) -> Certificate | None:
    """Return the issuer unless the certificate is its own: then it is judged as a CA elsewhere."""
    issuer = judged.issuer
    return None if issuer is None or issuer.der == judged.certificate.der else issuer


def _issuer_is_ca(judged: JudgedCertificate) -> Found:
    issuer = _other_issuer(judged)
    if issuer is None or issuer.version < _V3:
        return
    constraints = issuer.value(oids.BASIC_CONSTRAINTS)
    if constraints is None or not constraints.ca:
        yield f"the issuer {shown(issuer.subject.text)} is no CA: cA is not TRUE"


def _issuer_may_sign(judged: JudgedCertificate) -> Found:
    issuer = _other_issuer(judged)
    if issuer is not None and lacks_usage(issuer, "keyCertSign"):
        yield f"the keyUsage of the issuer {shown(issuer.subject.text)} is without keyCertSign"


def _path_length(judged: JudgedCertificate) -> Found:
    issuer = _other_issuer(judged)
    if issuer is None or judged.certificate.self_issued:
        return
    above = issuer.value(oids.BASIC_CONSTRAINTS)
    if above is None or above.path_length is None or above.path_length > 0:
        return
    constraints = judged.certificate.value(oids.BASIC_CONSTRAINTS)
    if constraints is not None and constraints.ca:
        yield f"a CA stands below pathLenConstraint {number(above.path_length)}"


def _name_constraints(judged: JudgedCertificate) -> Found:
    issuer = _other_issuer(judged)
    constraints = issuer.value(oids.NAME_CONSTRAINTS) if issuer is not None else None
    if constraints is None or judged.certificate.self_issued:
        return
    permitted = _directory_names(constraints.permitted)
    excluded = _directory_names(constraints.excluded)
    alternatives = judged.certificate.value(oids.SUBJECT_ALT_NAME) or ()
    names = [judged.certificate.subject, *(one.name for one in alternatives if one.name)]
    outside = [name for name in names if permitted and name.rdns and not _is_below(name, permitted)]
    yield from first_of(
        f"{shown(name.text)} is outside what the issuer is permitted to name" for name in outside
    )
    yield from first_of(
        f"{shown(name.text)} is within what the issuer is excluded from naming"
        for name in names
        if _is_below(name, excluded)
    )


def _directory_names(subtrees: tuple[Subtree, ...] | None) -> set[Folded]:
    return {one.base.name.folded for one in subtrees or () if one.base.name is not None}


def _is_below(name: Name, bases: set[Folded]) -> bool:
    return any(name.folded[:length] in bases for length in {len(base) for base in bases})


def _begins_inside(judged: JudgedCertificate) -> Found:
    issuer = _other_issuer(judged)
    if issuer is None:
        return
    begin, above = judged.certificate.not_before.moment, issuer.not_before.moment
    if begin is None or above is None or begin >= above:
        return
    day_of_issuer = begin.time() == _MIDNIGHT_JST and above - begin < timedelta(days=1)
    if not day_of_issuer:
        yield f"the certificate begins at {begin:{MOMENT}}, its issuer's only at {above:{MOMENT}}"


def _serial_is_shared(judged: JudgedCertificate) -> Found:
    if judged.serial_is_shared:
        serial = hexadecimal(judged.certificate.serial)
        yield f"another certificate of the issuer has the serial number {serial} too"


_ALL = "all certificates"

CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R401",
        Severity.ERROR,
        _ALL,
        "The signature verifies with the key of the issuing certificate.",
        "RFC 5280 6.1.3",
        "READ",
        _signature,
    ),
    Check(
        "R402",
        Severity.WARNING,
        _ALL,
        "The issuer's name is the subject of the issuing certificate, octet by octet.",
        "RFC 5280 4.1.2.6, profile 2.1",
        "READ",
        _issuer_name,
        Severity.ERROR,
    ),
    Check(
        "R403",
        Severity.ERROR,
        _ALL,
        "The keyIdentifier of the AKI is the subjectKeyIdentifier of the issuing certificate.",
        "RFC 5280 4.2.1.2",
        "READ",
        _key_identifier,
    ),
    Check(
        "R404",
        Severity.ERROR,
        _ALL,
        "The issuing certificate is a CA's: basicConstraints with cA TRUE.",
        "RFC 5280 4.2.1.9",
        "READ",
        _issuer_is_ca,
    ),
    Check(
        "R405",
        Severity.ERROR,
        _ALL,
        "A keyUsage in the issuing certificate has keyCertSign.",
        "RFC 5280 4.2.1.3",
        "READ",
        _issuer_may_sign,
    ),
    Check(
        "R406",
        Severity.ERROR,
        "CA certificates",
        "No CA certificate stands below an issuer whose pathLenConstraint is 0.",
        "RFC 5280 4.2.1.9",
        "READ",
        _path_length,
    ),
    Check(
        "R407",
        Severity.ERROR,
        _ALL,
        "Subject and alternative directory names are inside the issuer's nameConstraints; "
        "other forms of names are not looked at.",
        "RFC 5280 4.2.1.10",
        "READ",
        _name_constraints,
    ),
    Check(
        "R408",
        Severity.WARNING,
        _ALL,
        "The certificate does not begin before its issuer's, but at the start of Japan's day.",
        "RFC 5280 6.1.3",
        "INFERRED",
        _begins_inside,
    ),
    Check(
        "R409",
        Severity.ERROR,
        _ALL,
        "No two certificates of an issuer have the same serial number.",
        "RFC 5280 4.1.2.2",
        "READ",
        _serial_is_shared,
    ),
)
