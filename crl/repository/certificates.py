"""A CA's certificate with those above it, and the text by which people compare them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7

from ca.issuers import issuer_certificate
from ca.records import Issuer
from pki.names import text
from pki.validity import JST, rfc3339

_HEAD = """\
認証局証明書のフィンガープリント
Fingerprints of the CA certificates

確認には SHA-256 を使い、このサイトとは別の経路（認証局の規程、電話など）で得た値と比べてください。
SHA-1 は、これしか表示しないビューア（Windows の「拇印」など）のためだけに載せています。
Compare SHA-256, with a value that you got in another way than from this site (practice statement,
telephone). SHA-1 is here only for viewers that show nothing else (the thumbprint in Windows).
"""


def chain(issuer: Issuer, issuers: Sequence[Issuer]) -> list[x509.Certificate]:
    """Return the CA's certificate and those above it, the CA's own first."""
    by_id = {one.id: one for one in issuers}
    found = [issuer_certificate(issuer)]
    while issuer.parent_id is not None:
        issuer = by_id[issuer.parent_id]
        found.append(issuer_certificate(issuer))
    return found


def certs_only(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return the certificates as a PKCS #7 message without signers, DER.

    Source: RFC 2315 section 9.1; RFC 5280 section 4.2.2.1, for caIssuers.
    """
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


def fingerprints(certificates: Sequence[tuple[str, x509.Certificate]]) -> bytes:
    """Return the text with a block for each file name and certificate, UTF-8.

    Digests as `openssl x509 -fingerprint` writes them.
    """
    return "\n".join([_HEAD, *(_block(*one) for one in certificates)]).encode()


def _block(name: str, certificate: x509.Certificate) -> str:
    lines = (
        ("主体者 Subject", text(certificate.subject)),
        ("発行者 Issuer", text(certificate.issuer)),
        ("シリアル番号 Serial number", serial_text(certificate)),
        ("有効期間 開始 Not before", _moment(certificate.not_valid_before_utc)),
        ("有効期間 満了 Not after", _moment(certificate.not_valid_after_utc)),
        ("証明書 SHA-256 Certificate", pairs(certificate.fingerprint(hashes.SHA256()))),
        ("証明書 SHA-1 Certificate", pairs(certificate.fingerprint(hashes.SHA1()))),  # noqa: S303
        ("公開鍵 SHA-256 Public key (SPKI)", pairs(_spki_sha256(certificate))),
    )
    return "\n".join([name, *(f"  {label}:\n    {value}" for label, value in lines), ""])


def serial_text(certificate: x509.Certificate) -> str:
    """Return the serial number in whole octets, hexadecimal, as openssl writes it."""
    digits = f"{certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def pairs(octets: bytes) -> str:
    """Return octets as ``0A:FF``."""
    return octets.hex(":").upper()


def _spki_sha256(certificate: x509.Certificate) -> bytes:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).digest()


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(JST):%Y-%m-%d %H:%M:%S} JST ({rfc3339(moment)})"
