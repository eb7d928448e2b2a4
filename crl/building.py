"""A revocation list's to-be-signed bytes, joined from entries that are DER already. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from crl.records import Scope
from pki import der, extensions
from pki.names import with_common_name
from pki.signing import IssuerPublicKey, algorithm_der

_AKI = "2.5.29.35"
_CRL_NUMBER = "2.5.29.20"
_IDP = "2.5.29.28"


@dataclass(frozen=True)
class ListFacts:
    """All that goes into a list; ``entries`` are DER, times aware UTC in whole seconds."""

    issuer: x509.Certificate
    scope: Scope
    number: int
    this_update: datetime
    next_update: datetime
    entries: Sequence[bytes]


def to_be_signed(facts: ListFacts) -> bytes:
    """Return TBSCertList: version 2, revokedCertificates left out when empty.

    Source: RFC 5280 section 5.1.2; the root's lists carry a critical issuingDistributionPoint
    with the directory name alone and onlyContainsCACerts, a sub CA's list none (OBS).
    """
    public_key: IssuerPublicKey = facts.issuer.public_key()  # type: ignore[assignment]
    parts = [
        der.integer(1),
        algorithm_der(public_key),
        facts.issuer.subject.public_bytes(),
        der.time(facts.this_update),
        der.time(facts.next_update),
    ]
    if facts.entries:
        parts.append(der.sequence(*facts.entries))
    parts.append(der.tlv(0xA0, der.sequence(*_extensions(facts, public_key))))
    return der.sequence(*parts)


def _extensions(facts: ListFacts, public_key: IssuerPublicKey) -> list[bytes]:
    identifier = extensions.authority_key_identifier(
        public_key, facts.issuer.issuer, facts.issuer.serial_number
    )
    found = [
        _extension(_AKI, identifier.public_bytes()),
        _extension(_CRL_NUMBER, der.integer(facts.number)),
    ]
    if facts.scope is not Scope.FULL:
        name = with_common_name(facts.issuer.subject, facts.scope.value)
        point = extensions.issuing_distribution_point(name)
        found.append(_extension(_IDP, point.public_bytes(), critical=True))
    return found


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = b"\x01\x01\xff" if critical else b""
    return der.sequence(der.object_identifier(oid), flag, der.tlv(0x04, value))
