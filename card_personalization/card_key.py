"""A private key on a card in the shape of cryptography's own, so that its builders sign with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.x509 import load_der_x509_certificate

from pki.errors import Refused, Unavailable
from pki.signing import IssuerPrivateKey, IssuerPublicKey

SignPayload = Callable[[bytes], bytes]
"""Signs on the card: PKCS#1 v1.5 over a DER DigestInfo, or ECDSA over a hash."""

# DER of DigestInfo before the digest. Source: RFC 8017 9.2 note 1
_DIGEST_INFO: dict[str, bytes] = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


def digest_info(algorithm: hashes.HashAlgorithm, digest: bytes) -> bytes:
    """DER DigestInfo of a digest; Refused unless SHA-256, SHA-384 or SHA-512 of right length."""
    prefix = _DIGEST_INFO.get(algorithm.name)
    if prefix is None or len(digest) != algorithm.digest_size:
        raise _unsupported(f"a {len(digest)}-byte {algorithm.name} digest")
    return prefix + digest


def certified_key(certificate_der: bytes) -> IssuerPublicKey:
    """Public key of a certificate on a card; ``Unavailable`` unless it is a readable RSA or EC."""
    try:
        found = load_der_x509_certificate(certificate_der).public_key()
    except (ValueError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, IssuerPublicKey):
        raise Unavailable("card.certificate", "the certificate holds no RSA or EC key to be read")
    return found


def card_private_key(public_key: IssuerPublicKey, sign_payload: SignPayload) -> IssuerPrivateKey:
    """Key on a card with that public half."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return CardPrivateKey(public_key, sign_payload)
    return CardCurveKey(public_key, sign_payload)


def signing_payload(
    public_key: IssuerPublicKey, algorithm: hashes.HashAlgorithm, octets: bytes
) -> bytes:
    """Return what the card signs for these octets: DigestInfo for RSA, the hash for EC."""
    hasher = hashes.Hash(algorithm)
    hasher.update(octets)
    digest = hasher.finalize()
    return digest_info(algorithm, digest) if isinstance(public_key, rsa.RSAPublicKey) else digest


class _OnCard:
    """What no key on a card does."""

    def private_numbers(self) -> NoReturn:
        """Refused: the key never leaves the card."""
        raise _unsupported("export of a private key")

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,  # noqa: A002 - the name in cryptography
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> NoReturn:
        """Refused: the key never leaves the card."""
        raise _unsupported("export of a private key")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class CardPrivateKey(_OnCard, rsa.RSAPrivateKey):
    """RSA key that signs by PKCS#1 v1.5 on the card; all else is Refused (card.unsupported)."""

    def __init__(self, public_key: rsa.RSAPublicKey, sign_digest_info: SignPayload) -> None:
        self._public_key = public_key
        self._sign_digest_info = sign_digest_info

    @property
    def key_size(self) -> int:
        """Bit length of the modulus."""
        return self._public_key.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        """Public half, as the card told it."""
        return self._public_key

    def sign(
        self,
        data: bytes,
        padding: padding.AsymmetricPadding,
        algorithm: utils.Prehashed | hashes.HashAlgorithm | utils.NoDigestInfo,
    ) -> bytes:
        """PKCS#1 v1.5 signature made on the card; card errors pass through."""
        if padding.name != "EMSA-PKCS1-v1_5":
            raise _unsupported(f"padding {padding.name}")
        if isinstance(algorithm, utils.NoDigestInfo):
            return self._sign_digest_info(data)
        if isinstance(algorithm, utils.Prehashed):
            return self._sign_digest_info(digest_info(algorithm._algorithm, data))
        return self._sign_digest_info(signing_payload(self._public_key, algorithm, data))

    def decrypt(self, ciphertext: bytes, padding: padding.AsymmetricPadding) -> NoReturn:
        """Refused: the key is for signatures."""
        raise _unsupported("decryption")


class CardCurveKey(_OnCard, ec.EllipticCurvePrivateKey):
    """EC key that signs by ECDSA on the card; all else is Refused (card.unsupported)."""

    def __init__(self, public_key: ec.EllipticCurvePublicKey, sign_hash: SignPayload) -> None:
        self._public_key = public_key
        self._sign_hash = sign_hash

    @property
    def curve(self) -> ec.EllipticCurve:
        """The named curve."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bit length of the curve's order."""
        return self._public_key.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Public half, as the card told it."""
        return self._public_key

    def sign(
        self,
        data: bytes | bytearray | memoryview[int],
        signature_algorithm: ec.EllipticCurveSignatureAlgorithm,
    ) -> bytes:
        """DER Ecdsa-Sig-Value made on the card; card errors pass through."""
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, utils.Prehashed):
            return self._sign_hash(bytes(data))
        return self._sign_hash(signing_payload(self._public_key, algorithm, bytes(data)))

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """Refused: the key is for signatures."""
        raise _unsupported("key agreement")


def _unsupported(what: str) -> Refused:
    return Refused("card.unsupported", f"a key on a card does not offer {what}")
