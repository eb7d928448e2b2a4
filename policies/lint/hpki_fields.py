"""The HPKI's rules on the fields of a certificate: H001, H002, H011 and H080 to H083.

Source: sections 3.1 and 6 of the facts file ("profile"). They judge what has a profile; for
anything else RFC 5280 alone speaks.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from pki import oids
from pki.findings import Severity
from pki.reading.certificate import Certificate
from pki.reading.extensions import READERS
from pki.validity import end_after_years, japan_date
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.issuer import algorithm_faults
from policies.lint.words import MOMENT, number, shown

_LONGEST_RSA_2048 = datetime(2030, 12, 31, 14, 59, 59, tzinfo=UTC)
_EXPONENT = 65537


def _version(judged: JudgedCertificate) -> Found:
    if judged.profile is not None and judged.certificate.version != 3:
        yield f"the version is v{number(judged.certificate.version)}, not v3"


def _algorithm(judged: JudgedCertificate) -> Found:
    if judged.profile is not None:
        found = judged.certificate
        yield from algorithm_faults(found.signature_inside, found.signature_outside)


def _extension_set(judged: JudgedCertificate) -> Found:
    if judged.profile is None:
        return
    found = judged.certificate
    if len(found.by_oid) != len(found.extensions):
        seen: set[str] = set()
        for one in found.extensions:
            if one.oid in seen:
                yield f"the extension {shown(one.oid)} stands there more than once"
                break
            seen.add(one.oid)
    for one in found.by_oid.values():
        if one.critical and one.oid not in READERS:
            yield f"the extension {shown(one.oid)} is critical and unknown"


@lru_cache(maxsize=1024)
def _longest_end(begin: datetime, max_years: int | None, max_days: int | None) -> datetime | None:
    """Return the last notAfter that is allowed from there, None where the calendar ends before.

    Years run from Japan's day of notBefore to the end of the same day years later, as real cards
    do (profile 6.1); days run from the moment itself.
    """
    try:
        if max_years is not None:
            return end_after_years(japan_date(begin), max_years) + timedelta(days=1)
        return begin + timedelta(days=max_days or 0)
    except (ValueError, OverflowError):
        return None


def too_long(judged: JudgedCertificate) -> str | None:
    """Return the message for a validity longer than the profile's rule allows, else None."""
    profile, found = judged.profile, judged.certificate
    begin, end = found.not_before.moment, found.not_after.moment
    if profile is None or begin is None or end is None:
        return None
    rule = profile.validity
    last = _longest_end(begin, rule.max_years, rule.max_days)
    if last is None or end <= last:
        return None
    longest = f"{rule.max_years} years" if rule.max_years is not None else f"{rule.max_days} days"
    return f"the certificate is valid to {end:{MOMENT}}, beyond {longest} to {last:{MOMENT}}"


def _validity(judged: JudgedCertificate) -> Found:
    if judged.profile is not None and not judged.profile.is_ca:
        message = too_long(judged)
        if message is not None:
            yield message


def _japans_day(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None:
        return
    begin, end = judged.certificate.not_before.moment, judged.certificate.not_after.moment
    if end is not None and (end.hour, end.minute, end.second) != (14, 59, 59):
        yield f"notAfter {end:{MOMENT}} is not 14:59:59Z, the end of Japan's day"
    if not profile.validity.whole_days or begin is None:
        return
    if (begin.hour, begin.minute, begin.second) != (15, 0, 0):
        yield f"notBefore {begin:{MOMENT}} is not 15:00:00Z, the beginning of Japan's day"


def _outlives(judged: JudgedCertificate) -> Found:
    if judged.profile is None or judged.issuer is None:
        return
    end, last = judged.certificate.not_after.moment, judged.issuer.not_after.moment
    if end is not None and last is not None and end > last:
        yield f"the certificate ends {end:{MOMENT}}, after its issuer ({last:{MOMENT}})"


def key_fault(certificate: Certificate) -> str | None:
    """Return why the key is not one of the HPKI's algorithms and sizes, None where it is."""
    key = certificate.public_key
    if key.algorithm != oids.RSA_ENCRYPTION:
        return None if key.curve is not None else f"the key {shown(key.text)} is not allowed"
    if key.modulus is None or key.exponent is None:
        return "the RSA key cannot be read"
    if key.modulus < 0:
        return "the RSA modulus is negative"
    if key.modulus.bit_length() < 2048:
        return f"the RSA modulus has {key.modulus.bit_length()} bits, not 2048 or more"
    if key.exponent != _EXPONENT:
        return f"the RSA exponent is {number(key.exponent)}, not {_EXPONENT}"
    return None


def _key(judged: JudgedCertificate) -> Found:
    if judged.profile is None:
        return
    fault = key_fault(judged.certificate)
    if fault is not None:
        yield fault
        return
    modulus, end = judged.certificate.public_key.modulus, judged.certificate.not_after.moment
    if modulus is None or end is None or end <= _LONGEST_RSA_2048:
        return
    if modulus.bit_length() < 3072:
        yield Severity.WARNING, f"RSA {modulus.bit_length()} is used beyond 2030, to {end:{MOMENT}}"


_ALL = "all certificates"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "H001",
        Severity.ERROR,
        _ALL,
        "The version is v3.",
        "profile 3.1, RFC 5280 4.1.2.1",
        "READ",
        _version,
    ),
    Check(
        "H002",
        Severity.ERROR,
        _ALL,
        "The signature algorithm is SHA-2 with RSA (parameters NULL) or ECDSA (none), the same "
        "inside and outside.",
        "profile 3.1, RFC 5280 4.1.1.2",
        "OBS",
        _algorithm,
    ),
    Check(
        "H011",
        Severity.ERROR,
        _ALL,
        "No extension is repeated and no unknown extension is critical.",
        "RFC 5280 4.2",
        "READ",
        _extension_set,
    ),
    Check(
        "H080",
        Severity.ERROR,
        "end entity",
        "The validity is at most the profile's years, to the end of Japan's day years later, or "
        "its days.",
        "profile 6.1",
        "OBS",
        _validity,
    ),
    Check(
        "H081",
        Severity.INFO,
        _ALL,
        "notAfter is 23:59:59 JST; an end entity's notBefore is 00:00:00 JST.",
        "profile 3.1",
        "OBS",
        _japans_day,
    ),
    Check(
        "H082",
        Severity.ERROR,
        _ALL,
        "The certificate ends no later than its issuer's.",
        "profile 6.1",
        "PROPOSAL",
        _outlives,
    ),
    Check(
        "H083",
        Severity.ERROR,
        _ALL,
        "The key is RSA of 2048 bits or more with the exponent 65537, or on P-256, P-384 or "
        "P-521; RSA below 3072 bits does not last beyond 2030.",
        "profile 3.1, 6.3",
        "OBS",
        _key,
    ),
)
"""The checks of this module."""
