"""A revocation list's to-be-signed bytes, joined from entries that are DER already. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from crl.records import Scope
from pki import der, extensions, oids
from pki.names import with_common_name
from pki.signing import HashName, IssuerPublicKey, algorithm_der


@dataclass(frozen=True)
class ListFacts:
    """All that goes into a list; ``entries`` are DER, times aware UTC in whole seconds.

    ``issuer_and_serial``: those of the issuing certificate stand in the authority key identifier.
    """

    issuer: x509.Certificate
    scope: Scope
    number: int
    this_update: datetime
    next_update: datetime
    entries: Sequence[bytes]
    hash_name: HashName
    issuer_and_serial: bool = True

    @property
    def public_key(self) -> IssuerPublicKey:
        """The key that will sign."""
        return self.issuer.public_key()  # type: ignore[return-value]  # our own CA's


def to_be_signed(facts: ListFacts) -> bytes:
    """Return TBSCertList: version 2, revokedCertificates left out when empty.

    Source: RFC 5280 section 5.1.2; the root's lists carry a critical issuingDistributionPoint
    with the directory name alone and onlyContainsCACerts, a sub CA's list none (OBS).
    """
    parts = [
        der.integer(1),
        algorithm_der(facts.public_key, facts.hash_name),
        facts.issuer.subject.public_bytes(),
        der.time(facts.this_update),
        der.time(facts.next_update),
    ]
    if facts.entries:
        parts.append(der.sequence(*facts.entries))
    parts.append(der.tlv(0xA0, der.sequence(*_extensions(facts))))
    return der.sequence(*parts)


def _extensions(facts: ListFacts) -> list[bytes]:
    found = [
        _extension(oids.AUTHORITY_KEY_IDENTIFIER, _authority_key(facts).public_bytes()),
        _extension(oids.CRL_NUMBER, der.integer(facts.number)),
    ]
    if facts.scope is not Scope.FULL:
        name = with_common_name(facts.issuer.subject, facts.scope.value)
        point = extensions.issuing_distribution_point(name)
        found.append(
            _extension(oids.ISSUING_DISTRIBUTION_POINT, point.public_bytes(), critical=True)
        )
    return found


def _authority_key(facts: ListFacts) -> x509.AuthorityKeyIdentifier:
    if not facts.issuer_and_serial:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(facts.public_key)
    return extensions.authority_key_identifier(
        facts.public_key, facts.issuer.issuer, facts.issuer.serial_number
    )


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = b"\x01\x01\xff" if critical else b""
    return der.sequence(der.object_identifier(oid), flag, der.tlv(0x04, value))
