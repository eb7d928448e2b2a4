"""RFC 5280 on distinguished names: R111 to R116.

Where a rule of the HPKI says the same of what has a profile, the rule here speaks only of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category

from pki import oids
from pki.findings import Severity
from pki.reading.tlv import SEQUENCE, DerError, Reader
from pki.reading.values import (
    STRING_TYPES,
    Attribute,
    Name,
    read_general_names,
    read_name,
)
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.words import octets, shown

_UTF8, _NUMERIC, _PRINTABLE, _TELETEX, _IA5, _UNIVERSAL, _BMP = (
    0x0C,
    0x12,
    0x13,
    0x14,
    0x16,
    0x1C,
    0x1E,
)
_CHARACTERS = {
    _PRINTABLE: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?",
    _NUMERIC: b"0123456789 ",
}
_DIRECTORY_STRING = frozenset((_UTF8, _PRINTABLE, _TELETEX, _UNIVERSAL, _BMP))
_PRINTABLE_STRING, _IA5_STRING = frozenset((_PRINTABLE,)), frozenset((_IA5,))
_TYPE_NAMES = {
    _DIRECTORY_STRING: "DirectoryString",
    _PRINTABLE_STRING: "PrintableString",
    _IA5_STRING: "IA5String",
}
_UNBOUNDED = 1 << 20
_LEGACY = frozenset((_TELETEX, _UNIVERSAL, _BMP))


class _Syntax(NamedTuple):
    label: str
    tags: frozenset[int]
    longest: int
    shortest: int = 1


_DIRECTORY_STRINGS = {
    oids.COMMON_NAME: ("CN", 64),
    "2.5.4.4": ("surname", 32768),
    oids.LOCALITY: ("L", 128),
    "2.5.4.8": ("ST", 128),
    oids.ORGANIZATION: ("O", 64),
    oids.ORGANIZATIONAL_UNIT: ("OU", 64),
    "2.5.4.12": ("title", 64),
    "2.5.4.41": ("name", 32768),
    "2.5.4.42": ("givenName", 32768),
    "2.5.4.43": ("initials", 32768),
    "2.5.4.44": ("generationQualifier", 32768),
    "2.5.4.65": ("pseudonym", 128),
}
_SYNTAXES = {
    oid: _Syntax(label, _DIRECTORY_STRING, longest)
    for oid, (label, longest) in _DIRECTORY_STRINGS.items()
} | {
    oids.COUNTRY: _Syntax("C", _PRINTABLE_STRING, 2, 2),
    oids.SERIAL_NUMBER: _Syntax("serialNumber", _PRINTABLE_STRING, 64),
    "2.5.4.46": _Syntax("dnQualifier", _PRINTABLE_STRING, _UNBOUNDED, 0),
    "1.2.840.113549.1.9.1": _Syntax("emailAddress", _IA5_STRING, 255),
    "0.9.2342.19200300.100.1.25": _Syntax("domainComponent", _IA5_STRING, _UNBOUNDED, 0),
}
"""What RFC 5280 appendix A.1 says of the values, sizes in characters."""


class _Fault(NamedTuple):
    code: str
    attribute: str
    text: str


def _faults(der: bytes) -> tuple[_Fault, ...]:
    """Return what is wrong with the name, each as the end of a sentence."""
    return _kept_faults(der) if len(der) <= _MOST_KEPT else _read_faults(der)


def _read_faults(der: bytes) -> tuple[_Fault, ...]:
    found: list[_Fault] = []
    for rdn in read_name(der).rdns:
        if len(rdn) > 1 and len({one.oid for one in rdn}) < len(rdn):
            found.append(_Fault("R115", "", "has an RDN with an attribute type twice"))
        for one in rdn:
            found += _attribute_faults(one)
        if len(found) >= _MOST_TOLD:
            break
    return tuple(found[:_MOST_TOLD])


_MOST_KEPT = 1024
_MOST_TOLD = 20
_kept_faults = lru_cache(maxsize=1024)(_read_faults)


def _attribute_faults(one: Attribute) -> Iterator[_Fault]:
    syntax = _SYNTAXES.get(one.oid)
    label = syntax.label if syntax is not None else shown(one.oid)
    if syntax is not None and one.tag not in syntax.tags:
        wanted = _TYPE_NAMES[syntax.tags]
        yield _Fault("R111", one.oid, f"has {label} as {one.string_type}, not {wanted}")
        return
    if syntax is not None and one.tag in _LEGACY:
        yield _Fault("R112", one.oid, f"has {label} as {one.string_type}")
    text, characters = one.text, _CHARACTERS.get(one.tag)
    if text is None:
        if one.tag in STRING_TYPES:
            yield _Fault("R113", one.oid, f"has {label} with octets that are no {one.string_type}")
        return
    if characters is not None and (wrong := one.octets.translate(None, characters)):
        what = f"has {label} with octets that are not of {one.string_type}: {octets(wrong)}"
        yield _Fault("R113", one.oid, what)
    elif characters is None and not text.isprintable() and _has_invisible(text):
        yield _Fault("R116", one.oid, f"has {label} with control or invisible characters")
    if syntax is not None and not syntax.shortest <= len(text) <= syntax.longest:
        wanted = f"{syntax.shortest} to {syntax.longest}"
        what = f"has {label} of {len(text)} characters, not {wanted}"
        yield _Fault("R114", one.oid, what)


def _has_invisible(text: str) -> bool:
    return any(category(one) in ("Cc", "Cf") for one in text)


def _told(judged: JudgedCertificate) -> tuple[tuple[str, _Fault], ...]:
    """Return every fault, with the name that has it, of which no rule of the HPKI tells."""
    found = judged.certificate
    by_oid = found.by_oid
    subject_alternatives = by_oid.get(oids.SUBJECT_ALT_NAME)
    issuer_alternatives = by_oid.get(oids.ISSUER_ALT_NAME)
    tell = _kept_told if len(found.der) <= _LONGEST_KEPT else _read_told
    return tell(
        found.subject.der,
        found.issuer.der,
        None if subject_alternatives is None else subject_alternatives.octets,
        None if issuer_alternatives is None else issuer_alternatives.octets,
        judged.profile is not None,
    )


def _read_told(
    subject: bytes,
    issuer: bytes,
    subject_alternatives: bytes | None,
    issuer_alternatives: bytes | None,
    ours: bool,
) -> tuple[tuple[str, _Fault], ...]:
    told = [("the subject", fault) for fault in _faults(subject)]
    if issuer != subject:
        told += [("the issuer", fault) for fault in _faults(issuer)]
    if ours:
        told = [(whose, fault) for whose, fault in told if not _said_of_both(fault)]
    for label, octets_ in (
        ("subjectAltName", subject_alternatives),
        ("issuerAltName", issuer_alternatives),
    ):
        told += [
            (f"a name in {label}", fault)
            for name in _directory_names(octets_)
            for fault in _faults(name.der)
            if not ours or fault.code not in _SAID_OF_ALL
        ]
    return tuple(told)


_LONGEST_KEPT = 4096
_kept_told = lru_cache(maxsize=64)(_read_told)
"""Six rules look at the same names one after another."""


def _directory_names(general_names: bytes | None) -> list[Name]:
    if general_names is None:
        return []
    reader = Reader(general_names)
    try:
        found = read_general_names(reader, *reader.whole(SEQUENCE, "GeneralNames"))
    except DerError:
        return []
    return [one.name for one in found if one.name is not None]


def _said_of_both(fault: _Fault) -> bool:
    return fault.attribute == oids.COUNTRY or fault.code in _SAID_OF_BOTH


_SAID_OF_ALL = frozenset(("R112",))
_SAID_OF_BOTH = frozenset(("R112", "R116"))
"""H004 tells of string types in every name, H006 of invisible characters in subject and issuer
and H003 of any C in them."""

_NOTHING: Found = iter(())


def _faults_of(code: str) -> Callable[[JudgedCertificate], Found]:
    def find(judged: JudgedCertificate) -> Found:
        told = _told(judged)
        return _messages(told, code) if told else _NOTHING

    return find


def _messages(told: tuple[tuple[str, _Fault], ...], code: str) -> Found:
    for whose, fault in told:
        if fault.code == code:
            yield f"{whose} {fault.text}"


_ALL = "all certificates"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R111",
        Severity.ERROR,
        _ALL,
        "Attributes of names have the string type that is theirs: DirectoryString, PrintableString "
        "for C, serialNumber and dnQualifier, IA5String for emailAddress and domainComponent.",
        "RFC 5280 4.1.2.4, appendix A.1",
        "READ",
        _faults_of("R111"),
    ),
    Check(
        "R112",
        Severity.WARNING,
        "certificates without a profile",
        "No attribute of a name is a TeletexString, BMPString or UniversalString.",
        "RFC 5280 4.1.2.4, 4.1.2.6",
        "READ",
        _faults_of("R112"),
    ),
    Check(
        "R113",
        Severity.ERROR,
        _ALL,
        "The octets of an attribute's value are characters of its string type.",
        "RFC 5280 4.1.2.4, X.680 41",
        "READ",
        _faults_of("R113"),
    ),
    Check(
        "R114",
        Severity.ERROR,
        _ALL,
        "An attribute's value has a character and no more than its upper bound: 64 for CN, O, OU, "
        "title and serialNumber, 128 for L, ST and pseudonym, 255 for emailAddress, exactly 2 "
        "for C.",
        "RFC 5280 appendix A.1",
        "READ",
        _faults_of("R114"),
    ),
    Check(
        "R115",
        Severity.ERROR,
        _ALL,
        "No attribute type stands twice in one RDN.",
        "RFC 5280 4.1.2.4, X.501 9.3",
        "READ",
        _faults_of("R115"),
    ),
    Check(
        "R116",
        Severity.WARNING,
        _ALL,
        "Names hold no control or invisible characters, which comparison leaves out.",
        "RFC 5280 7.1, RFC 4518 2.2",
        "INFERRED",
        _faults_of("R116"),
    ),
)
"""The checks of this module."""
