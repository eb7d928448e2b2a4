"""Keys and validity: of holders' certificates and of the CAs'."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from pki import oids
from pki.reading.tlv import OID, SEQUENCE, Reader
from pki.validity import end_after_years, japan_date
from reports.compliance.certificates import DAMAGED, CertificateRow, of_holders
from reports.compliance.contents import NO_CA
from reports.compliance.engine import Judge
from reports.compliance.run import Run
from reports.tables import Text

_FEWEST_RSA_BITS = 2048
_SIGNATURES = frozenset(
    {
        oids.SHA256_WITH_RSA,
        oids.SHA384_WITH_RSA,
        oids.ECDSA_WITH_SHA256,
        oids.ECDSA_WITH_SHA384,
    }
)


def _one_key(one: CertificateRow) -> Sequence[Text] | None:
    """HC-4.6-01: holders' keys, among all certificates ever; a CA's may be in several of its own.

    A certificate only reserved holds its key, too. Those before the period are known by their
    columns, which must be right.
    """
    try:
        key = one.spki_sha256
    except DAMAGED:
        return (_UNREADABLE,) if one.in_period else None
    if not one.in_period:
        return None if key == one.data["spki_sha256"] else (_OTHER_KEY,)
    if one.is_authority:
        return None
    first = one.beside.keys.get(key) if one.beside is not None else None
    if first in (None, one.data["id"]):
        return ()
    return (Text("他の証明書と同じ鍵", "has the key of another certificate"),)


_UNREADABLE = Text("鍵を読み取れない", "has a key that cannot be read")
_OTHER_KEY = Text("列の鍵が証明書の鍵と異なる", "holds another key than its row says")


def _not_longer_than_ca(one: CertificateRow) -> Sequence[Text]:
    """HC-5.6-01; it may begin before its CA's certificate, at the start of the ceremony's day."""
    if one.signer is None:
        return (NO_CA,)
    end, limit = one.read.not_after.moment, one.signer.read.not_after.moment
    if end is not None and limit is not None and end <= limit:
        return ()
    return (Text("認証局の証明書より後に終わる", "ends after its CA's certificate"),)


def _key_in_use(run: Run) -> Judge[CertificateRow]:
    """HC-5.6-02: of holders and of subordinate CAs."""

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        if not one.in_period or not one.is_issued or one.signer is None:
            return None
        if one.read.self_issued:
            return None
        return _late(one)

    return judge


def _late(one: CertificateRow) -> Sequence[Text]:
    at = one.issued_at
    if one.signer is None or at is None or at <= one.signer.signs_until:
        return ()
    until = f"{one.signer.signs_until:%Y-%m-%d}"
    return (Text(f"鍵の使用期間({until}まで)の後に署名", f"was signed after {until}"),)


def _strength(run: Run) -> Judge[CertificateRow]:
    """HC-6.1-02: every certificate of the period and every CA's that is in force."""

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        if not one.is_issued or not (one.in_period or one.is_authority):
            return None
        facts = []
        key = one.read.public_key
        if not _is_strong(one):
            facts.append(Text(f"鍵は{key.text}", f"has a key {key.text}"))
        algorithm = _algorithm(one.read.signature_outside)
        if algorithm not in _SIGNATURES:
            facts.append(Text(f"署名方式は{algorithm}", f"is signed by {algorithm}"))
        return facts

    return judge


def _is_strong(one: CertificateRow) -> bool:
    key = one.read.public_key
    if key.modulus is not None:
        return key.modulus.bit_length() >= _FEWEST_RSA_BITS
    return one.profile is not None and key.curve in one.profile.key.curves


@lru_cache(maxsize=256)
def _algorithm(identifier: bytes) -> str:
    """Return the dotted OID of an AlgorithmIdentifier."""
    reader = Reader(identifier)
    begin, end = reader.whole(SEQUENCE, "the algorithm")
    return reader.oid(*reader.expect(OID, begin, end, "the algorithm"))


def _five_years(run: Run) -> Judge[CertificateRow]:
    """HC-6.3-01: by Japan's days, to the last second of the day before the anniversary."""
    years = int(run.number("CERT_MAX_YEARS"))

    def judge(one: CertificateRow) -> Sequence[Text]:
        return _too_long(one, years)

    return of_holders(judge)(run)


def _too_long(one: CertificateRow, years: int) -> Sequence[Text]:
    begin, end = one.read.not_before.moment, one.read.not_after.moment
    if begin is None or end is None:
        return (Text("有効期間を読み取れない", "has a validity that cannot be read"),)
    if end <= end_of(begin, years):
        return ()
    return (Text(f"有効期間が{years}年を超える", f"is valid for more than {years} years"),)


@lru_cache(maxsize=4096)
def end_of(begin: datetime, years: int) -> datetime:
    """Return the last moment of so many years of Japan's days."""
    return end_after_years(japan_date(begin), years)


def _ca_years(run: Run) -> Judge[CertificateRow]:
    """HC-6.3-02: roots and the CAs below; how long a key signs, HC-5.6-02 says of each certificate.

    CA certificates may begin at any hour: the day of the ceremony counts whole.
    """
    root, below = (int(run.number(key)) for key in ("ROOT_CERT_MAX_YEARS", "CA_CERT_MAX_YEARS"))

    def judge(one: CertificateRow) -> Sequence[Text] | None:
        if not one.is_issued or not one.is_authority:
            return None
        return _too_long(one, root if one.read.self_issued else below)

    return judge


CHECKS = {
    "HC-4.6-01": lambda _: _one_key,
    "HC-5.6-01": of_holders(_not_longer_than_ca),
    "HC-5.6-02": _key_in_use,
    "HC-6.1-02": _strength,
    "HC-6.3-01": _five_years,
    "HC-6.3-02": _ca_years,
}
"""The checks of this module."""
