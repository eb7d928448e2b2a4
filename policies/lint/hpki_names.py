"""The HPKI's rules on names: H003 to H010, and H072 on the subjectAltName.

Source: section 2 of the facts file ("profile"). What is said of a name is kept by its octets,
because a CA's name stands in every certificate of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pki import oids
from pki.findings import Severity
from pki.reading.values import Attribute, Name, read_name
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.words import shown
from policies.profiles.model import Level

_UTF8_STRING, _NUMERIC_STRING, _PRINTABLE_STRING = 0x0C, 0x12, 0x13
_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
_DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25"
_DN_QUALIFIER = "2.5.4.46"
_NO_DIRECTORY_STRING = frozenset(
    (oids.COUNTRY, oids.SERIAL_NUMBER, _EMAIL_ADDRESS, _DOMAIN_COMPONENT, _DN_QUALIFIER)
)
_RANKS = {
    oids.COUNTRY: 0,
    oids.LOCALITY: 1,
    oids.ORGANIZATION: 2,
    oids.ORGANIZATIONAL_UNIT: 3,
    oids.COMMON_NAME: 4,
    oids.SERIAL_NUMBER: 5,
}
_JAPAN = ((Attribute(oids.COUNTRY, _PRINTABLE_STRING, b"JP"),),)
_SUBJECT_ALT_NAME_TYPES = _RANKS.keys() - {oids.LOCALITY}
_CA_NAME_HEAD = re.compile(r"HPKI-[0-9]{2}-[A-Za-z0-9_]+-")
_PLAIN = bytes(range(0x20, 0x7F))
_MOST_TOLD = 20
_MOST_KEPT = 1024


class _Fault(NamedTuple):
    """One breach by a name: the rule's code, and the end of a sentence about the name."""

    code: str
    text: str


def _faults(name: Name) -> tuple[_Fault, ...]:
    return _kept_faults(name.der) if len(name.der) <= _MOST_KEPT else _read_faults(name.der)


def _read_faults(der: bytes) -> tuple[_Fault, ...]:
    name = read_name(der)
    found = []
    if not _is_usual(name):
        found += [_Fault("H003", text) for text in _country_faults(name)]
        found += [_Fault("H005", text) for text in _order_faults(name)]
    for one in name.attributes:
        if one.tag != _UTF8_STRING or one.octets.translate(None, _PLAIN):
            found += _attribute_faults(one)
    return tuple(found[:_MOST_TOLD])


_kept_faults = lru_cache(maxsize=1024)(_read_faults)


def _is_usual(name: Name) -> bool:
    """Say whether neither H003 nor H005 can have anything to tell, the quick way."""
    last = 0
    for rdn in name.rdns[1:]:
        rank = _RANKS.get(rdn[0].oid, 0)
        if len(rdn) > 1 or rank <= last:
            return False
        last = rank
    return name.rdns[:1] == _JAPAN


def _country_faults(name: Name) -> Iterator[str]:
    countries = [one for one in name.attributes if one.oid == oids.COUNTRY]
    if not countries:
        yield "has no C"
    for one in countries:
        if one.tag != _PRINTABLE_STRING:
            yield f"has C as {one.string_type}, not PrintableString"
        elif one.octets != b"JP":
            yield f"has C '{shown(_value(one))}', not JP"


def _value(attribute: Attribute) -> str:
    text = attribute.text
    return text if text is not None else attribute.octets.hex()


def _attribute_faults(one: Attribute) -> Iterator[_Fault]:
    label, text = shown(one.label), one.text
    if one.tag != _UTF8_STRING and one.oid not in _NO_DIRECTORY_STRING:
        yield _Fault("H004", f"has {label} as {one.string_type}, not UTF8String")
    if text is None or one.tag in (_PRINTABLE_STRING, _NUMERIC_STRING):
        return
    if not (text.isascii() and text.isprintable()):
        yield _Fault("H006", f"has {label} '{shown(text)}', which is not plain ASCII")


def _order_faults(name: Name) -> Iterator[str]:
    before: Attribute | None = None
    for rdn in name.rdns:
        if len(rdn) > 1 and len({one.oid for one in rdn}) > 1:
            yield f"has an RDN of {len(rdn)} attributes"
        for one in rdn:
            if one.oid not in _RANKS:
                continue
            if before is not None and len(rdn) == 1:
                last, this = _RANKS[before.oid], _RANKS[one.oid]
                if this < last:
                    yield f"has {one.label} after {before.label}"
                elif this == last and one.oid != oids.ORGANIZATIONAL_UNIT:
                    yield f"has {one.label} twice"
            before = one


def _breaches(code: str) -> Callable[[JudgedCertificate], Found]:
    """Return the check that tells of the faults of one code in subject and issuer."""

    def find(judged: JudgedCertificate) -> Found:
        certificate = judged.certificate
        if judged.profile is None:
            return
        for fault in _faults(certificate.subject):
            if fault.code == code:
                yield f"the subject {fault.text}"
        if certificate.self_issued:
            return
        for fault in _faults(certificate.issuer):
            if fault.code == code:
                yield f"the issuer {fault.text}"

    return find


_subject_and_issuer_order = _breaches("H005")


def _order(judged: JudgedCertificate) -> Found:
    yield from _subject_and_issuer_order(judged)
    if judged.profile is None:
        return
    for other in judged.certificate.value(oids.SUBJECT_ALT_NAME) or ():
        if other.name is not None and not _is_usual(other.name):
            for fault in _order_faults(other.name):
                yield f"subjectAltName {fault}"


def ca_name_fits(judged: JudgedCertificate) -> bool:
    """Say whether the CN of the sub CA has the profile's tail; True where it asks for none.

    It is the subject's CN of a sub CA and the issuer's of an end entity.
    """
    profile = judged.profile
    if profile is None or profile.ca_name is None:
        return True
    found = judged.certificate
    name = found.issuer if profile.level is Level.END_ENTITY else found.subject
    read = _kept_fit if len(name.der) <= _MOST_KEPT else _fits
    return read(name.der, profile.ca_name.tail)


def _fits(der: bytes, tail: str) -> bool:
    common_name = read_name(der).first(oids.COMMON_NAME) or ""
    return common_name.endswith(tail) and bool(
        _CA_NAME_HEAD.fullmatch(common_name, 0, len(common_name) - len(tail))
    )


_kept_fit = lru_cache(maxsize=256)(_fits)


def _ca_name(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None or profile.ca_name is None or ca_name_fits(judged):
        return
    found, below = judged.certificate, profile.level is Level.END_ENTITY
    whose = "issuer" if below else "subject"
    common_name = (found.issuer if below else found.subject).first(oids.COMMON_NAME)
    wanted = f"HPKI-NN-*-{shown(profile.ca_name.tail)}"
    if common_name is None:
        yield f"the {whose} has no CN {wanted}"
    else:
        yield f"the {whose}'s CN '{shown(common_name)}' is not of the form {wanted}"


def _alternative_name(judged: JudgedCertificate) -> Found:
    rule = judged.profile.subject_alt_name if judged.profile is not None else None
    found = judged.certificate.by_oid.get(oids.SUBJECT_ALT_NAME)
    if rule is None or found is None:
        return
    if found.critical is not rule.critical:
        yield f"subjectAltName is {'not ' if rule.critical else ''}critical"
    if not found.value:
        return
    if len(found.value) != 1 or found.value[0].name is None:
        yield "subjectAltName is not one directoryName"
        return
    yield from _japanese_name_faults(found.value[0].name, judged.certificate.subject)


def _japanese_name_faults(name: Name, subject: Name) -> Iterator[str]:
    own, other = subject.first(oids.SERIAL_NUMBER), name.first(oids.SERIAL_NUMBER)
    if own != other:
        yield f"the serialNumber is {_or_absent(own)}, in subjectAltName {_or_absent(other)}"
    if name.first(oids.COUNTRY) != "JP":
        yield "subjectAltName has no C=JP"
    for one in name.attributes:
        if one.oid not in _SUBJECT_ALT_NAME_TYPES:
            yield f"subjectAltName has {shown(one.label)}, which real cards have not"
            return
        if one.tag == _PRINTABLE_STRING and one.oid not in _NO_DIRECTORY_STRING:
            yield f"subjectAltName has {one.label} as PrintableString, not UTF8String"
            return


def _or_absent(value: str | None) -> str:
    return shown(value) if value is not None else "absent"


_ALL = "all certificates"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "H003",
        Severity.ERROR,
        _ALL,
        "Subject and issuer have C, a PrintableString JP.",
        "profile 2.1",
        "OBS",
        _breaches("H003"),
    ),
    Check(
        "H004",
        Severity.WARNING,
        _ALL,
        "Attributes of subject and issuer are UTF8String, except C, serialNumber and those with "
        "a type of their own.",
        "profile 2.1, RFC 5280 4.1.2.4",
        "OBS",
        _breaches("H004"),
        Severity.ERROR,
    ),
    Check(
        "H005",
        Severity.INFO,
        _ALL,
        "RDNs have one attribute each and stand in the order C, L, O, OU, CN, serialNumber; only "
        "OU may be repeated.",
        "profile 2.1",
        "OBS",
        _order,
        Severity.ERROR,
    ),
    Check(
        "H006",
        Severity.WARNING,
        _ALL,
        "Subject and issuer are written in ASCII letters, digits and signs.",
        "profile 2.1",
        "INFERRED-M",
        _breaches("H006"),
    ),
    Check(
        "H010",
        Severity.ERROR,
        "sub CA, end entity",
        "The CN of the sub CA (subject of its own, issuer of an end entity's certificate) is "
        "HPKI-NN-*- with the tail of the purpose that the policy names.",
        "profile 2.3",
        "OBS",
        _ca_name,
    ),
    Check(
        "H072",
        Severity.WARNING,
        "root, end entity",
        "subjectAltName, if present, is not critical and one directoryName of C=JP, O, OU, CN and "
        "serialNumber, as UTF8String but for C and the serialNumber, which is the subject's.",
        "profile 2.2, 2.7",
        "OBS",
        _alternative_name,
        Severity.ERROR,
    ),
)
"""The checks of this module."""
