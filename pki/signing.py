"""Signed structures: to-be-signed bytes, algorithm, signature.

Certificates and lists are built first with a ``placeholder_key``, so that the exact to-be-signed
bytes can be judged and stored before the real key is touched, and are put together afterwards
around the real signature.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from pki import der, oids
from pki.errors import InvalidInput, Refused

IssuerPrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
IssuerPublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


HashName = Literal["SHA-256", "SHA-384"]

_HASHES: dict[str, type[hashes.SHA256 | hashes.SHA384]] = {
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
}
_OIDS = {
    ("RSA", "SHA-256"): oids.SHA256_WITH_RSA,
    ("RSA", "SHA-384"): oids.SHA384_WITH_RSA,
    ("EC", "SHA-256"): oids.ECDSA_WITH_SHA256,
    ("EC", "SHA-384"): oids.ECDSA_WITH_SHA384,
}


def spki_der(public_key: IssuerPublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo DER."""
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_id(spki: bytes) -> str:
    """Return the first 32 hexadecimal digits of the SHA-256 of a SubjectPublicKeyInfo."""
    return hashlib.sha256(spki).hexdigest()[:32]


def hash_algorithm(name: HashName) -> hashes.SHA256 | hashes.SHA384:
    """Return cryptography's value for the hash."""
    return _HASHES[name]()


def hashlib_name(name: HashName) -> str:
    """Return the hash's name in ``hashlib``."""
    return name.replace("-", "").lower()


def algorithm_der(public_key: IssuerPublicKey, hash_name: HashName) -> bytes:
    """Return the AlgorithmIdentifier, with NULL for RSA. Source: RFC 4055 section 5, RFC 5758."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return der.sequence(der.object_identifier(_OIDS["RSA", hash_name]), b"\x05\x00")
    return der.sequence(der.object_identifier(_OIDS["EC", hash_name]))


def sign(key: IssuerPrivateKey, to_be_signed: bytes, hash_name: HashName) -> bytes:
    """Return the signature octets: PKCS#1 v1.5 for RSA, DER Ecdsa-Sig-Value for EC."""
    algorithm = hash_algorithm(hash_name)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(to_be_signed, padding.PKCS1v15(), algorithm)
    return key.sign(to_be_signed, ec.ECDSA(algorithm))


def sign_digest(key: IssuerPrivateKey, digest: bytes, hash_name: HashName) -> bytes:
    """Return what ``sign`` returns, for octets of which only the digest is given."""
    algorithm = Prehashed(hash_algorithm(hash_name))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, padding.PKCS1v15(), algorithm)
    return key.sign(digest, ec.ECDSA(algorithm))


def verify_signature(
    public_key: object, signature: bytes, to_be_signed: bytes, hash_name: HashName
) -> None:
    """Raise ``Refused`` unless the signature over ``to_be_signed`` is the key's."""
    _verify(public_key, signature, to_be_signed, hash_algorithm(hash_name))


def verify_digest(public_key: object, signature: bytes, digest: bytes, hash_name: HashName) -> None:
    """Raise as ``verify_signature``, for octets of which only the digest is given."""
    _verify(public_key, signature, digest, Prehashed(hash_algorithm(hash_name)))


def _verify(
    public_key: object, signature: bytes, data: bytes, algorithm: hashes.HashAlgorithm | Prehashed
) -> None:
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, data, padding.PKCS1v15(), algorithm)
        elif isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, data, ec.ECDSA(algorithm))
        else:
            raise InvalidInput("pki.key.type", "the key is neither RSA nor an elliptic curve")
    except InvalidSignature:
        raise Refused("pki.signature.invalid", "the signature does not verify") from None


def assemble(
    to_be_signed: bytes, public_key: IssuerPublicKey, signature: bytes, hash_name: HashName
) -> bytes:
    """Return the DER of Certificate or CertificateList. Source: RFC 5280 sections 4.1, 5.1."""
    return der.sequence(
        to_be_signed, algorithm_der(public_key, hash_name), der.bit_string(signature)
    )


def twin(to_be_signed: bytes, public_key: IssuerPublicKey, hash_name: HashName) -> bytes:
    """Return what ``assemble`` makes of these bytes and a dummy signature of the right length."""
    return assemble(to_be_signed, public_key, dummy_signature(public_key), hash_name)


def dummy_signature(public_key: IssuerPublicKey) -> bytes:
    """Return a signature of the key's longest length that signs nothing."""
    return sign(placeholder_key(public_key), b"", "SHA-256")


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
