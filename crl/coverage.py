"""The coverage statement beside each list: what it covers, and what changed and why.

One RFC 8785 object, signed ECDSA P-256 with SHA-256 by the key that signs anchors. It names serial
numbers with the grounds of their revocations, so it is kept with the archive and never served.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from audit.canonical import canonical_json
from audit.chain import KEEP
from ca.records import Certificate, Revocation
from pki.errors import InvalidInput, Refused
from pki.signing import key_id, sign, spki_der, verify_signature
from pki.validity import rfc3339

TYPE = "hpki-crl-coverage"
OVERRIDE = "OVERRIDE"
MOST_NAMED = 1000
"""Serial numbers that a statement names one by one; of more the counts by ground tell."""
MAX_OCTETS = 1 << 20


@dataclass
class Tally:
    """Entries that came or left: how many for which cause, and the first ones by name."""

    count: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    named: list[dict[str, object]] = field(default_factory=list)

    def add(self, serial: str, cause: str, **facts: object) -> None:
        """Count one, and name it if there is room."""
        self.count += 1
        self.causes[cause] += 1
        if len(self.named) < MOST_NAMED:
            self.named.append({"serial": serial, "why": cause, **facts})

    def content(self) -> dict[str, object]:
        """Return it as the statement holds it."""
        return {"count": self.count, "why": dict(self.causes), "named": self.named}


@dataclass
class Difference:
    """What changed from the list before, whose number, SHA-256 and count are given."""

    number: int = 0
    sha256: str = ""
    entries: int = 0
    added: Tally = field(default_factory=Tally)
    removed: Tally = field(default_factory=Tally)

    def add(self, row: Certificate, revocation: Revocation) -> None:
        """Note a revocation that is new on the list."""
        self.added.add(
            row.serial,
            revocation.ground,
            revoked_at=rfc3339(revocation.revoked_at),
            seq=revocation.seq,
        )

    def remove(self, serial: str, not_after: datetime | None) -> None:
        """Note an entry that left: its certificate expired then, or two people let it go."""
        if not_after is not None:
            self.removed.add(serial, "EXPIRED", not_after=rfc3339(not_after))
        else:
            self.removed.add(serial, OVERRIDE)

    def verify_count(self, entries: int) -> None:
        """Raise ``Refused`` unless what was there, came and left gives the list's count."""
        expected = self.entries + self.added.count - self.removed.count
        if entries != expected:
            raise Refused(
                "crl.count",
                f"{entries} entries went into the list, and by what changed it has {expected}",
                KEEP,
            )

    def content(self) -> dict[str, object]:
        """Return it as the statement holds it."""
        before = {"number": self.number, "sha256": self.sha256, "entries": self.entries}
        return {
            "previous": before,
            "added": self.added.content(),
            "removed": self.removed.content(),
        }


def make_statement(body: dict[str, object], key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the statement's file: JSON with ``body``, ``signature`` (DER, hex), ``public_key``."""
    public_key = spki_der(key.public_key())
    octets = canonical_json({**body, "type": TYPE, "key": key_id(public_key)})
    return canonical_json(
        {
            "body": octets.decode(),
            "signature": sign(key, octets, "SHA-256").hex(),
            "public_key": public_key.hex(),
        }
    )


def read_statement(octets: bytes, keys: dict[str, bytes]) -> dict[str, Any]:
    """Return the body of the statement, signed by one of the keys.

    ``keys``: SubjectPublicKeyInfo DER by ``key_id``. Raises ``InvalidInput`` for what is no
    statement, ``Refused`` for one that does not verify.
    """
    try:
        if len(octets) > MAX_OCTETS:
            raise ValueError
        tree = json.loads(octets)
        text, signature = str(tree["body"]).encode(), bytes.fromhex(tree["signature"])
        body: dict[str, Any] = json.loads(text)
        known = keys.get(body["key"])
        if body["type"] != TYPE or canonical_json(body) != text:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InvalidInput("crl.coverage.form", "this is no coverage statement") from None
    try:
        public_key = serialization.load_der_public_key(known or b"")
        verify_signature(public_key, signature, text, "SHA-256")
    except (ValueError, UnsupportedAlgorithm, Refused):
        raise Refused(
            "crl.coverage.signature", "the coverage statement is not signed by this centre's key"
        ) from None
    return body
