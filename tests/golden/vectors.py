"""Fixed keys, names and hexadecimal notation for tests that compare bytes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from asn1crypto import keys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

FOLDER = Path(__file__).parent
NOW = datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    """``root``, ``sub`` or ``person``: an RSA-2048 key that is the same in every run."""
    key = serialization.load_pem_private_key((FOLDER / f"{name}.pem").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def spki(name: str) -> bytes:
    """SubjectPublicKeyInfo DER of the key."""
    return (
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def key_identifier(name: str) -> str:
    """SHA-1 of the BIT STRING's contents in hexadecimal, by asn1crypto and hashlib."""
    bits = keys.PublicKeyInfo.load(spki(name))["public_key"].contents[1:]
    return hashlib.sha1(bits).hexdigest()


def tlv(tag: str, *contents: str) -> str:
    """One DER element in hexadecimal, with its length worked out here and not by the product."""
    content = "".join(contents).replace(" ", "")
    size = len(content) // 2
    if size < 0x80:
        length = f"{size:02x}"
    elif size < 0x100:
        length = f"81{size:02x}"
    else:
        length = f"82{size:04x}"
    return (tag + length + content).lower()


def printable(text: str) -> str:
    """PrintableString."""
    return tlv("13", text.encode("ascii").hex())


def utf8(text: str) -> str:
    """UTF8String."""
    return tlv("0c", text.encode().hex())


def ia5(tag: str, text: str) -> str:
    """IA5 text under a tag: 16 IA5String, 86 a URI among GeneralNames."""
    return tlv(tag, text.encode("ascii").hex())


COUNTRY = "550406"
LOCALITY = "550407"
ORGANIZATION = "55040a"
UNIT = "55040b"
COMMON_NAME = "550403"
SERIAL_NUMBER = "550405"


def rdn(attribute: str, value: str) -> str:
    """One RDN with one attribute; ``attribute`` is the OID's content octets."""
    return tlv("31", tlv("30", tlv("06", attribute), value))


def name(*rdns: str) -> str:
    """A Name, C=JP first."""
    return tlv("30", rdn(COUNTRY, printable("JP")), *rdns)
