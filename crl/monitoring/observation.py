"""A list as it was found somewhere, verified by its issuer's certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from crl.checking import this_update, verify_signed
from pki.errors import InvalidInput, Refused
from pki.reading.crl import RevocationList, open_list
from pki.reading.entries import PlainBlock
from pki.reading.tlv import DerError
from pki.signing import HashName, algorithm_der, hashlib_name

_HASHES: tuple[HashName, ...] = ("SHA-256", "SHA-384")


@dataclass(frozen=True)
class Observation:
    """What a verified list says; ``media_type`` is None where it came from no web server."""

    issuer: str
    issuer_der: bytes
    number: int | None
    this_update: datetime
    next_update: datetime | None
    entries: int
    octets: int
    sha256: str
    media_type: str | None = None


def observe(
    file: BinaryIO, issuers: Sequence[x509.Certificate], media_type: str | None = None
) -> Observation:
    """Return what the list in the file says, read in blocks.

    Raises ``InvalidInput`` for what is no list, ``Refused`` unless one of the certificates is its
    issuer's.
    """
    parsed = open_list(file)
    verify_by(parsed, issuers)
    following = parsed.next_update
    return Observation(
        parsed.issuer.text,
        parsed.issuer.der,
        parsed.number,
        this_update(parsed),
        following.moment if following is not None else None,
        _count(parsed),
        parsed.octets,
        parsed.sha256,
        media_type,
    )


def verify_by(parsed: RevocationList, issuers: Sequence[x509.Certificate]) -> None:
    """Raise ``Refused`` unless one of the certificates has the list's issuer and verifies it.

    Known are SHA-256 and SHA-384 with RSA and ECDSA; the algorithm must stand in both places.
    """
    fitting = [one for one in issuers if one.subject.public_bytes() == parsed.issuer.der]
    if not fitting:
        raise Refused(
            "crl.foreign",
            f"the list is of {parsed.issuer.text}, whose certificate is not among those known",
            "Find out who replaced the list; publish ours: `hpki crl publish`.",
        )
    for number, one in enumerate(fitting, 1):
        hash_name = _hash_of(parsed, one)
        if hash_name is None:
            continue
        try:
            verify_signed(parsed, parsed.tbs_digest(hashlib_name(hash_name)), one, hash_name)
        except Refused:
            if number == len(fitting):
                raise
        else:
            return
    raise Refused("crl.algorithm", "the list is signed by an algorithm that its issuer never uses")


def _hash_of(parsed: RevocationList, issuer: x509.Certificate) -> HashName | None:
    key = issuer.public_key()
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return None
    for name in _HASHES:
        if parsed.signature_inside == parsed.signature_outside == algorithm_der(key, name):
            return name
    return None


def _count(parsed: RevocationList) -> int:
    try:
        return sum(
            len(block.columns().reasons if isinstance(block, PlainBlock) else block.read)
            for block in parsed.blocks()
        )
    except DerError as error:
        raise InvalidInput("crl.entries", f"the list's entries cannot be read: {error}") from None
