"""Envelopes that only one person's encryption key opens. Source: RFC 9180 (HPKE)."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ec

from pki.errors import Refused

_SUITE = hpke.Suite(hpke.KEM.P256, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)


def seal(content: bytes, recipient: ec.EllipticCurvePublicKey, purpose: bytes) -> bytes:
    """Return encapsulated key and ciphertext; ``purpose`` is bound to them and not secret."""
    return _SUITE.encrypt(content, recipient, info=purpose)


def open_sealed(sealed: bytes, key: ec.EllipticCurvePrivateKey, purpose: bytes) -> bytes:
    """Return the content; raises ``Refused`` for another key, purpose or changed octets."""
    try:
        return _SUITE.decrypt(sealed, key, info=purpose)
    except (InvalidTag, ValueError):
        raise Refused("keys.sealed", "the envelope does not open with this key") from None
