"""Signed structures: to-be-signed bytes, algorithm, signature.

Certificates and lists are built first with a ``placeholder_key``, so that the exact to-be-signed
bytes can be judged and stored before the real key is touched, and are put together afterwards
around the real signature.
"""

from __future__ import annotations

from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pki import der, oids
from pki.errors import InvalidInput, Refused

IssuerPrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
IssuerPublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def hash_of(public_key: IssuerPublicKey) -> hashes.SHA256 | hashes.SHA384:
    """Return the hash a key signs with: SHA-384 for P-384, else SHA-256."""
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.key_size == 384:
        return hashes.SHA384()
    return hashes.SHA256()


def algorithm_der(public_key: IssuerPublicKey) -> bytes:
    """Return the AlgorithmIdentifier, with NULL for RSA. Source: RFC 4055 section 5, RFC 5758."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return der.sequence(der.object_identifier(oids.SHA256_WITH_RSA), b"\x05\x00")
    if isinstance(hash_of(public_key), hashes.SHA384):
        return der.sequence(der.object_identifier(oids.ECDSA_WITH_SHA384))
    return der.sequence(der.object_identifier(oids.ECDSA_WITH_SHA256))


def sign(key: IssuerPrivateKey, to_be_signed: bytes) -> bytes:
    """Return the signature octets: PKCS#1 v1.5 for RSA, DER Ecdsa-Sig-Value for EC."""
    algorithm = hash_of(key.public_key())
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(to_be_signed, padding.PKCS1v15(), algorithm)
    return key.sign(to_be_signed, ec.ECDSA(algorithm))


def verify_signature(public_key: object, signature: bytes, to_be_signed: bytes) -> None:
    """Raise ``Refused`` unless the signature over ``to_be_signed`` is the key's."""
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, to_be_signed, padding.PKCS1v15(), hash_of(public_key))
        elif isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, to_be_signed, ec.ECDSA(hash_of(public_key)))
        else:
            raise InvalidInput("pki.key.type", "the key is neither RSA nor an elliptic curve")
    except InvalidSignature:
        raise Refused("pki.signature.invalid", "the signature does not verify") from None


def assemble(to_be_signed: bytes, public_key: IssuerPublicKey, signature: bytes) -> bytes:
    """Return the DER of Certificate or CertificateList. Source: RFC 5280 sections 4.1, 5.1."""
    return der.sequence(to_be_signed, algorithm_der(public_key), der.bit_string(signature))


class _Placeholder:
    """What both placeholder keys share: they sign with zeros and hold nothing."""

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def _nothing(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a placeholder key holds no private numbers")

    private_numbers = private_bytes = decrypt = exchange = _nothing


class _RsaPlaceholder(_Placeholder, rsa.RSAPrivateKey):
    def __init__(self, public_key: rsa.RSAPublicKey) -> None:
        self._public_key = public_key

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public_key

    def sign(self, *_: object) -> bytes:
        return bytes((self.key_size + 7) // 8)


class _EcPlaceholder(_Placeholder, ec.EllipticCurvePrivateKey):
    def __init__(self, public_key: ec.EllipticCurvePublicKey) -> None:
        self._public_key = public_key

    @property
    def key_size(self) -> int:
        return self._public_key.key_size

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._public_key.curve

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    def sign(self, *_: object) -> bytes:
        half = der.tlv(0x02, b"\x01" + bytes(self.key_size // 8 - 1))
        return der.sequence(half, half)


def placeholder_key(public_key: IssuerPublicKey) -> IssuerPrivateKey:
    """Return a key of the issuer's type and size whose signature is a dummy of right length."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return _RsaPlaceholder(public_key)
    return _EcPlaceholder(public_key)
