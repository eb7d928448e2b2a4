"""A revocation list put together around entries that are DER already, in constant memory.

Everything but the entries is small: ``frame`` gives what stands before and behind them.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from cryptography import x509

from pki import der, extensions, oids
from pki.names import with_common_name
from pki.signing import HashName, IssuerPublicKey, algorithm_der, hashlib_name
from policies.profiles import ListScope

_BLOCK = 1 << 20


@dataclass(frozen=True)
class ListFacts:
    """All that a list says but its entries; times aware UTC in whole seconds.

    ``issuer_and_serial``: those of the issuing certificate stand in the authority key identifier.
    ``shard_uri``: where a split list is fetched, as its certificates say.
    """

    issuer: x509.Certificate
    scope: ListScope
    number: int
    this_update: datetime
    next_update: datetime
    hash_name: HashName
    issuer_and_serial: bool = True
    shard_uri: str | None = None

    @property
    def public_key(self) -> IssuerPublicKey:
        """The key that will sign."""
        return self.issuer.public_key()  # type: ignore[return-value]  # our own CA's

    @property
    def point(self) -> x509.IssuingDistributionPoint | None:
        """The issuingDistributionPoint."""
        return distribution_point(self.issuer, self.scope, self.shard_uri)


def distribution_point(
    issuer: x509.Certificate, scope: ListScope, shard_uri: str | None
) -> x509.IssuingDistributionPoint | None:
    """Return the root's point with the list's directory name, a shard's with its URI, or none."""
    if scope is not ListScope.FULL:
        name = with_common_name(issuer.subject, scope.value)
        return extensions.issuing_distribution_point(name)
    if shard_uri is not None:
        return extensions.shard_distribution_point(shard_uri)
    return None


@dataclass(frozen=True)
class Frame:
    """The octets of TBSCertList before the first and behind the last entry."""

    head: bytes
    tail: bytes

    def digest(self, entries: BinaryIO, hash_name: HashName) -> bytes:
        """Return the digest of TBSCertList with the entries that the file holds."""
        running = hashlib.new(hashlib_name(hash_name), self.head)
        entries.seek(0)
        while block := entries.read(_BLOCK):
            running.update(block)
        running.update(self.tail)
        return running.digest()


def frame(facts: ListFacts, entries_octets: int) -> Frame:
    """Return what surrounds so many octets of entries.

    Version 2; revokedCertificates is left out when empty. The root's lists carry a critical
    issuingDistributionPoint with the directory name alone and onlyContainsCACerts, a sub CA's list
    none (OBS). Source: RFC 5280 section 5.1.2.
    """
    before = b"".join(
        (
            der.integer(1),
            algorithm_der(facts.public_key, facts.hash_name),
            facts.issuer.subject.public_bytes(),
            der.time(facts.this_update),
            der.time(facts.next_update),
            der.header(0x30, entries_octets) if entries_octets else b"",
        )
    )
    tail = der.tlv(0xA0, der.sequence(*_extensions(facts)))
    size = len(before) + entries_octets + len(tail)
    return Frame(der.header(0x30, size) + before, tail)


def write_list(
    target: BinaryIO, facts: ListFacts, around: Frame, entries: BinaryIO, signature: bytes
) -> None:
    """Write CertificateList into the empty file; entries are copied inside the kernel.

    Source: RFC 5280 section 5.1.1.
    """
    entries_octets = entries.seek(0, os.SEEK_END)
    end = algorithm_der(facts.public_key, facts.hash_name) + der.bit_string(signature)
    size = len(around.head) + entries_octets + len(around.tail) + len(end)
    target.write(der.header(0x30, size) + around.head)
    copy_octets(entries, target)
    target.write(around.tail + end)
    target.flush()


def copy_octets(source: BinaryIO, target: BinaryIO) -> None:
    """Append the whole of one open file to another; raises ``OSError``."""
    source.flush()
    target.flush()
    at, end = 0, os.fstat(source.fileno()).st_size
    while at < end:
        at += os.sendfile(target.fileno(), source.fileno(), at, end - at)
    target.seek(0, os.SEEK_END)


def _extensions(facts: ListFacts) -> list[bytes]:
    found = [
        _extension(oids.AUTHORITY_KEY_IDENTIFIER, _authority_key(facts).public_bytes()),
        _extension(oids.CRL_NUMBER, der.integer(facts.number)),
    ]
    point = facts.point
    if point is not None:
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
