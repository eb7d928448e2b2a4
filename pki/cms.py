"""Signed messages with their content inside: CMS SignedData, in DER alone, one signer.

Source: RFC 5652 section 5; algorithms: RFC 5754 and RFC 4056; signing certificate: RFC 5035
section 3. Whose certificate it is, and whether it counts, is the caller's to judge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pki import der, oids
from pki.errors import InvalidInput, Refused
from pki.reading.certificate import Certificate, read_certificate
from pki.reading.tlv import INTEGER, OCTET_STRING, OID, SEQUENCE, SET, DerError, Reader
from pki.reading.values import read_time

MAX_OCTETS: Final = 1024 * 1024
_MOST_DEPTH = 24
_MOST_ELEMENTS = 20_000
_MOST_CERTIFICATES = 16
_NULL = b"\x05\x00"

_Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_HASHES: dict[str, _Hash] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_NAMED = {
    "sha256": (oids.SHA256_WITH_RSA, oids.ECDSA_WITH_SHA256),
    "sha384": (oids.SHA384_WITH_RSA, oids.ECDSA_WITH_SHA384),
    "sha512": (oids.SHA512_WITH_RSA, oids.ECDSA_WITH_SHA512),
}
"""By hash: the signature algorithms that name it, of RSA and of elliptic curves."""


@dataclass(frozen=True)
class Signed:
    """``content`` as it was signed, the signer's certificate, and when the signer says it was."""

    content: bytes
    certificate_der: bytes
    signing_time: datetime | None


class _Element(NamedTuple):
    """One element: its tag, itself, and its content's octets."""

    tag: int
    der: bytes
    content: bytes


class _Signer(NamedTuple):
    """SignerInfo; ``attributes`` is the content of signedAttrs."""

    sid: _Element
    digest: _Element
    attributes: bytes
    algorithm: _Element
    signature: bytes


def read_signed(octets: bytes) -> Signed:
    """Return what a message holds whose one signature verifies with the certificate in it.

    Wanted are signed attributes, in the order of DER, with type and digest of the content; the
    signing certificate is compared where it is named (CAdES-BES). Unsigned attributes are passed
    over. Raises ``InvalidInput`` for what is no such message in DER of at most 1 MiB, ``Refused``
    for one that does not verify or is signed otherwise; codes ``pki.cms.…``.
    """
    if len(octets) > MAX_OCTETS:
        raise InvalidInput(
            "pki.cms.size",
            f"the message has {len(octets)} octets, at most {MAX_OCTETS} are read",
            "Sign the list of one application alone.",
        )
    if octets[:1] != b"\x30":
        raise InvalidInput(
            "pki.cms.form",
            "this is no CMS message in DER",
            "Convert PEM or S/MIME: openssl cms -cmsout -in FILE -inform PEM -outform DER.",
        )
    try:
        _verify_der(octets)
        return _read(octets)
    except DerError as error:
        raise InvalidInput(
            "pki.cms.der",
            f"this is no signed message in DER: {error}",
            "Sign it anew, not streamed: openssl cms -sign -binary -nodetach -outform DER.",
        ) from None


def _read(octets: bytes) -> Signed:
    info = _children(_elements(octets)[0])
    if _oid(_take(info, OID, "the message's type")) != oids.CMS_SIGNED_DATA:
        raise DerError("it is not SignedData")
    (data,) = _only(_children(_take(info, 0xA0, "SignedData")), SEQUENCE, "SignedData")
    parts = _children(data)
    _take(parts, INTEGER, "the version")
    digests = _children(_take(parts, SET, "digestAlgorithms"))
    content = _content(_children(_take(parts, SEQUENCE, "encapContentInfo")))
    certificates = _take_if(parts, 0xA0)
    _take_if(parts, 0xA1)
    signers = _children(_take(parts, SET, "signerInfos"))
    if parts or info:
        raise DerError("it holds more than a SignedData has")
    if len(signers) != 1:
        raise Refused(
            "pki.cms.signers", f"the message has {len(signers)} signatures, not one", "Sign once."
        )
    signer = _signer(signers[0])
    if signer.digest.der not in [one.der for one in digests]:
        raise DerError("digestAlgorithms does not name the signer's")
    digest = _digest_algorithm(signer.digest)
    certificate = _certificate_of(signer, _children(certificates) if certificates else [])
    attributes = _attributes(signer.attributes)
    _verify_attributes(attributes, content, digest)
    _verify_named(attributes, certificate)
    _verify_signature(signer, certificate, digest)
    return Signed(content, certificate.der, _signing_time(attributes))


def _verify_der(octets: bytes) -> None:
    """Raise unless the octets are one element of DER, not too deep and not of too many parts."""
    reader, count = Reader(octets), 0
    _, _, stop = reader.element(0, len(octets))
    if stop != len(octets):
        raise InvalidInput(
            "pki.cms.behind",
            f"{len(octets) - stop} octets stand behind the message",
            "Sign it anew: something else hides in the file.",
        )
    waiting = [(0, stop, 0)]
    while waiting:
        begin, end, depth = waiting.pop()
        for at, tag, inner, inner_end in reader.children(begin, end):
            count += 1
            if depth > _MOST_DEPTH or count > _MOST_ELEMENTS:
                raise DerError("it is too deep or has too many parts")
            if tag & 0xE0 == 0x20 and tag not in (SEQUENCE, SET):
                raise DerError(f"a string in pieces (BER) at octet {at}")
            if tag & 0x20:
                waiting.append((inner, inner_end, depth + 1))
    if reader.faults:
        raise DerError(reader.faults[0])


def _elements(octets: bytes) -> list[_Element]:
    found = Reader(octets).children(0, len(octets))
    return [_Element(tag, octets[at:stop], octets[begin:stop]) for at, tag, begin, stop in found]


def _children(element: _Element) -> list[_Element]:
    return _elements(element.content)


def _take(elements: list[_Element], tag: int, what: str) -> _Element:
    """Take the first of the elements away; raises ``DerError`` for another tag."""
    if not elements or elements[0].tag != tag:
        found = f"has the tag {elements[0].tag:02x}, not {tag:02x}" if elements else "is missing"
        raise DerError(f"{what} {found}")
    return elements.pop(0)


def _take_if(elements: list[_Element], tag: int) -> _Element | None:
    return elements.pop(0) if elements and elements[0].tag == tag else None


def _only(elements: list[_Element], tag: int, what: str) -> list[_Element]:
    if [one.tag for one in elements] != [tag]:
        raise DerError(f"{what} is not one element with the tag {tag:02x}")
    return elements


def _oid(element: _Element) -> str:
    return Reader(element.content).oid(0, len(element.content))


def _content(parts: list[_Element]) -> bytes:
    """Return the octets inside encapContentInfo."""
    if _oid(_take(parts, OID, "the content's type")) != oids.CMS_DATA:
        raise Refused("pki.cms.content", "the content signed is not plain data")
    if not parts:
        raise Refused(
            "pki.cms.detached",
            "the message is a signature without the content",
            "Sign with the content inside: openssl cms -sign -nodetach.",
        )
    (inside,) = _only(parts, 0xA0, "the content")
    (octets,) = _only(_children(inside), OCTET_STRING, "the content")
    return octets.content


def _signer(element: _Element) -> _Signer:
    if element.tag != SEQUENCE:
        raise DerError("SignerInfo is no SEQUENCE")
    parts = _children(element)
    _take(parts, INTEGER, "the signer's version")
    sid = _take_if(parts, 0x80) or _take(parts, SEQUENCE, "the signer's identifier")
    digest = _take(parts, SEQUENCE, "digestAlgorithm")
    attributes = _take_if(parts, 0xA0)
    if attributes is None:
        raise Refused(
            "pki.cms.attributes",
            "the message has no signed attributes",
            "Sign with attributes, as CAdES-BES: without openssl's -noattr.",
        )
    algorithm = _take(parts, SEQUENCE, "signatureAlgorithm")
    signature = _take(parts, OCTET_STRING, "the signature")
    _take_if(parts, 0xA1)
    if parts:
        raise DerError("SignerInfo has more parts than it may")
    return _Signer(sid, digest, attributes.content, algorithm, signature.content)


def _digest_algorithm(element: _Element) -> _Hash:
    for oid, found in _HASHES.items():
        if element.der in _identifiers(oid):
            return found
    raise Refused(
        "pki.cms.digest",
        "the message is signed with a hash that is not SHA-256, SHA-384 or SHA-512",
        "Sign it anew with SHA-256.",
    )


def _identifiers(oid: str) -> tuple[bytes, bytes]:
    """Return AlgorithmIdentifier with NULL and without parameters. Source: RFC 5754 section 2."""
    encoded = der.object_identifier(oid)
    return der.sequence(encoded, _NULL), der.sequence(encoded)


def _certificate_of(signer: _Signer, found: Sequence[_Element]) -> Certificate:
    """Return the one certificate in the message that the signer's identifier names."""
    if len(found) > _MOST_CERTIFICATES or any(one.tag != SEQUENCE for one in found):
        _refuse_certificate(f"holds other things than at most {_MOST_CERTIFICATES} certificates")
    try:
        readable = [read_certificate(one.der) for one in found]
    except InvalidInput as error:
        _refuse_certificate(f"holds one that cannot be read: {error.text}")
    named = [one for one in readable if _is_named(signer.sid, one)]
    if len({one.der for one in named}) != 1:
        _refuse_certificate("does not hold the signer's, or holds several")
    return named[0]


def _is_named(sid: _Element, certificate: Certificate) -> bool:
    if sid.tag != SEQUENCE:
        return bool(certificate.value(oids.SUBJECT_KEY_IDENTIFIER) == sid.content)
    return sid.der == _issuer_and_serial(certificate.issuer.der, certificate.serial)


def _issuer_and_serial(issuer: bytes, serial: int) -> bytes | None:
    return der.sequence(issuer, der.integer(serial)) if serial > 0 else None


def _refuse_certificate(why: str) -> NoReturn:
    raise Refused(
        "pki.cms.certificate",
        f"of certificates the message {why}",
        "Sign it anew with the signer's certificate in the message.",
    )


def _attributes(octets: bytes) -> dict[str, list[_Element]]:
    """Return the values of each signed attribute, which stand once and in the order of DER."""
    found: dict[str, list[_Element]] = {}
    elements = _elements(octets)
    if [one.der for one in elements] != sorted(one.der for one in elements):
        raise DerError("the signed attributes are not in the order of DER")
    for element in elements:
        parts = _children(element) if element.tag == SEQUENCE else []
        oid = _oid(_take(parts, OID, "an attribute's type"))
        (values,) = _only(parts, SET, "an attribute's value")
        if oid in found:
            raise Refused("pki.cms.attributes", f"the signed attribute {oid} stands twice")
        found[oid] = _children(values)
    return found


def _verify_attributes(
    attributes: dict[str, list[_Element]], content: bytes, digest: _Hash
) -> None:
    """Raise ``Refused`` unless they name the content's type and digest. RFC 5652 section 11."""
    kind = _value(attributes, oids.CMS_CONTENT_TYPE)
    stated = _value(attributes, oids.CMS_MESSAGE_DIGEST)
    if kind is None or kind.tag != OID or stated is None or stated.tag != OCTET_STRING:
        raise Refused(
            "pki.cms.attributes", "the signed attributes lack the content's type or digest"
        )
    if _oid(kind) != oids.CMS_DATA:
        raise Refused("pki.cms.content", "the signed attributes name another type of content")
    if stated.content != hashlib.new(digest.name, content).digest():
        raise Refused("pki.cms.changed", "the content is not the one that was signed")


def _value(attributes: dict[str, list[_Element]], oid: str) -> _Element | None:
    """Return the attribute's one value, None where it is not there."""
    values = attributes.get(oid)
    if values is not None and len(values) != 1:
        raise Refused("pki.cms.attributes", f"the signed attribute {oid} has not one value")
    return values[0] if values else None


def _verify_named(attributes: dict[str, list[_Element]], certificate: Certificate) -> None:
    """Raise ``Refused`` where the attributes name another signing certificate. RFC 5035 sec. 3."""
    value = _value(attributes, oids.SIGNING_CERTIFICATE_V2)
    if value is None:
        return
    first = _take(_children(value), SEQUENCE, "the signing certificates")
    parts = _children(_take(_children(first), SEQUENCE, "the signing certificate"))
    algorithm = _take_if(parts, SEQUENCE)
    digest = _digest_algorithm(algorithm) if algorithm else hashes.SHA256()
    stated = _take(parts, OCTET_STRING, "the signing certificate's hash")
    known = [hashlib.new(digest.name, certificate.der).digest()] == [stated.content]
    if parts:
        names = der.sequence(der.tlv(0xA4, certificate.issuer.der))
        known = known and parts[0].der == _issuer_and_serial(names, certificate.serial)
    if not known:
        raise Refused(
            "pki.cms.certificate",
            "the signed attributes name another certificate than the signer's",
        )


def _verify_signature(signer: _Signer, certificate: Certificate, digest: _Hash) -> None:
    """Raise ``Refused`` unless the certificate's key signed the attributes, as SET OF.

    Source: RFC 5652 section 5.4.
    """
    signed = der.tlv(SET, signer.attributes)
    with_rsa, with_ec = _NAMED[digest.name]
    try:
        key = serialization.load_der_public_key(certificate.public_key.der)
        if isinstance(key, rsa.RSAPublicKey):
            scheme = _rsa_padding(signer.algorithm.der, with_rsa, digest)
            key.verify(signer.signature, signed, scheme, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if signer.algorithm.der != _identifiers(with_ec)[1]:
                _refuse_algorithm()
            key.verify(signer.signature, signed, ec.ECDSA(digest))
        else:
            _refuse_algorithm()
    except (ValueError, UnsupportedAlgorithm) as error:
        _refuse_certificate(f"holds one whose key cannot be used: {error}")
    except InvalidSignature:
        raise Refused(
            "pki.cms.signature",
            "the signature is not that of the certificate's key over these attributes",
        ) from None


def _rsa_padding(algorithm: bytes, named: str, digest: _Hash) -> padding.PKCS1v15 | padding.PSS:
    if algorithm in (*_identifiers(oids.RSA_ENCRYPTION), *_identifiers(named)):
        return padding.PKCS1v15()
    if algorithm in _pss_identifiers(digest):
        return padding.PSS(padding.MGF1(digest), digest.digest_size)
    _refuse_algorithm()


def _pss_identifiers(digest: _Hash) -> list[bytes]:
    """Return RSASSA-PSS with one hash for all, and a salt as long. Source: RFC 4055 section 3.1."""
    (oid,) = (oid for oid, one in _HASHES.items() if one.name == digest.name)
    salt = der.tlv(0xA2, der.integer(digest.digest_size))
    found = []
    for one in _identifiers(oid):
        mask = der.sequence(der.object_identifier(oids.MGF1), one)
        parameters = der.sequence(der.tlv(0xA0, one), der.tlv(0xA1, mask), salt)
        found.append(der.sequence(der.object_identifier(oids.RSASSA_PSS), parameters))
    return found


def _refuse_algorithm() -> NoReturn:
    raise Refused(
        "pki.cms.algorithm",
        "the message is signed by an algorithm that does not fit its key or its hash",
        "Sign it with RSA (PKCS #1 v1.5, or PSS with a salt as long as the hash) or ECDSA.",
    )


def _signing_time(attributes: dict[str, list[_Element]]) -> datetime | None:
    value = _value(attributes, oids.CMS_SIGNING_TIME)
    if value is None:
        return None
    read = read_time(value.tag, value.content)
    if read.moment is None or read.faults:
        raise DerError(f"the signing time: {', '.join(read.faults)}")
    return read.moment
