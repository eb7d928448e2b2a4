"""The CA certificates among many objects, and which of them issued what.

Their octets are kept, not what was read of them, and all work on one object is bounded: thousands
of certificates may claim the same name and the same key.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import lru_cache

from pki import oids
from pki.errors import InvalidInput, Refused
from pki.reading.certificate import Certificate, read_certificate
from pki.reading.crl import RevocationList
from pki.reading.values import Name
from policies.lint.issuer import verify_signed

MOST_OCTETS = 256 * 1024 * 1024
_OVERHEAD = 1024
_MOST_TRIED = 16
_MOST_ISSUED = 256
_read = lru_cache(maxsize=512)(read_certificate)


class Authorities:
    """CA certificates by name, by name and key, and by issuer; names as RFC 5280 7.1 compares."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._octets = 0
        self._by_name: dict[bytes, list[bytes]] = defaultdict(list)
        self._by_key: dict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
        self._by_issuer: dict[bytes, list[bytes]] = defaultdict(list)

    def add(self, certificate: Certificate) -> None:
        """Take note of a CA certificate; raises ``InvalidInput`` when there are too many."""
        digest = bytes.fromhex(certificate.sha256)
        if digest in self._seen:
            return
        self._octets += len(certificate.der) + _OVERHEAD
        if self._octets > MOST_OCTETS:
            raise InvalidInput(
                "lint.corpus.authorities",
                "there are too many CA certificates to be judged together",
                "Judge them in several runs.",
            )
        self._seen.add(digest)
        name = _key(certificate.subject)
        self._by_name[name].append(certificate.der)
        self._by_issuer[_key(certificate.issuer)].append(certificate.der)
        for identifier in {
            certificate.public_key.sha1,
            certificate.value(oids.SUBJECT_KEY_IDENTIFIER),
        }:
            if identifier is not None:
                self._by_key[name, identifier].append(certificate.der)

    def issued_by(self, name: Name) -> tuple[Certificate, ...]:
        """Return the CA certificates that a CA of the name issued, the first 256 of them."""
        return tuple(map(_read, self._by_issuer.get(_key(name), [])[:_MOST_ISSUED]))

    def issuer_of(self, found: Certificate | RevocationList) -> Certificate | None:
        """Return the certificate of the key that signed it, None where that is not at hand.

        It is one of the issuer's name and of the key that the AKI names, else one whose key
        verifies the signature; without an AKI any of the name. Among several of one key the AKI's
        serial number decides, then the certificate itself, then the one that is valid longest.
        """
        name = _key(found.issuer)
        authority = found.value(oids.AUTHORITY_KEY_IDENTIFIER)
        wanted = authority.key_identifier if authority is not None else None
        named = self._by_key.get((name, wanted), []) if wanted is not None else []
        namesakes = self._by_name.get(name, [])
        likely = _ordered(found, named or (namesakes if wanted is None else []))
        if len({one.public_key.der for one in likely}) == 1:
            return likely[0]
        tried: set[bytes] = set()
        for one in (*likely, *_ordered(found, namesakes)):
            if one.public_key.der not in tried and _verifies(found, one):
                return one
            tried.add(one.public_key.der)
        return likely[0] if likely else None


def _key(name: Name) -> bytes:
    return hashlib.sha256(repr(name.folded).encode("utf-8", "surrogatepass")).digest()


def _ordered(found: Certificate | RevocationList, candidates: list[bytes]) -> list[Certificate]:
    authority = found.value(oids.AUTHORITY_KEY_IDENTIFIER)
    serial = authority.serial if authority is not None else None
    own = found.der if isinstance(found, Certificate) else None

    def preference(one: Certificate) -> tuple[bool, bool, float]:
        end = one.not_after.moment
        return one.serial != serial, one.der != own, -end.timestamp() if end else 0.0

    return sorted(map(_read, candidates[:_MOST_TRIED]), key=preference)


def _verifies(found: Certificate | RevocationList, issuer: Certificate) -> bool:
    try:
        verify_signed(found, issuer)
    except Refused:
        return False
    return True
