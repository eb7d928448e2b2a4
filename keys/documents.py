"""Documents under keys of their own, which lie wrapped under one data key of the site.

The content: AES-256-GCM (NIST SP 800-38D), with the document's identity as associated data. Its
key: AES Key Wrap (RFC 3394), which needs no nonce, so that no number of documents under one data
key makes two alike; the content's tag binds key and identity. No key encrypts a second document.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from pki.errors import InvalidInput, Refused
from pki.serials import Entropy

OVERHEAD_OCTETS = 28
"""How much longer the ciphertext is than the content: the nonce before it, the tag behind."""
_KEY_OCTETS = 32
_NONCE_OCTETS = 12


def encrypt_document(
    content: bytes, identity: bytes, data_key: bytes, entropy: Entropy
) -> tuple[bytes, bytes]:
    """Return the new content key wrapped (40 octets), and nonce, ciphertext and tag in one."""
    _verify_data_key(data_key)
    key, nonce = entropy(_KEY_OCTETS), entropy(_NONCE_OCTETS)
    return aes_key_wrap(data_key, key), nonce + AESGCM(key).encrypt(nonce, content, identity)


def decrypt_document(
    ciphertext: bytes, identity: bytes, wrapped_key: bytes, data_key: bytes
) -> bytes:
    """Return the content.

    Raises ``Refused`` for another data key, content key or identity, and for changed octets.
    """
    key = AESGCM(_unwrap(wrapped_key, data_key))
    try:
        return key.decrypt(ciphertext[:_NONCE_OCTETS], ciphertext[_NONCE_OCTETS:], identity)
    except (InvalidTag, ValueError):
        raise Refused(
            "keys.document.changed",
            "the document's file was changed, or it is another document's",
            "Bring the file back from the backup, and call the auditor.",
        ) from None


def rewrap(wrapped_key: bytes, old: bytes, new: bytes) -> bytes:
    """Return the content key wrapped under the new data key; the content stays as it is."""
    _verify_data_key(new)
    return aes_key_wrap(new, _unwrap(wrapped_key, old))


def _unwrap(wrapped_key: bytes, data_key: bytes) -> bytes:
    _verify_data_key(data_key)
    try:
        key = aes_key_unwrap(data_key, wrapped_key)
    except (InvalidUnwrap, ValueError):
        key = b""
    if len(key) != _KEY_OCTETS:
        raise Refused(
            "keys.document.key",
            "the document's key does not open with the site's data key",
            "Check the secret reference `documents` in hpki.toml.",
        )
    return key


def _verify_data_key(data_key: bytes) -> None:
    if len(data_key) != _KEY_OCTETS:
        raise InvalidInput("keys.document.data_key", "the documents' data key has 32 octets")
