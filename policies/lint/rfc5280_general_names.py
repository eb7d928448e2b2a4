"""RFC 5280 on GeneralNames, those of the alternative names first of all: R260."""

from __future__ import annotations

import re
from functools import lru_cache

from pki import oids
from pki.findings import Severity
from pki.reading.tlv import OID, DerError, Reader
from pki.reading.values import (
    DNS,
    EMAIL,
    IP,
    OTHER_NAME,
    REGISTERED_ID,
    URI,
    GeneralName,
)
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.words import octets, shown

_MOST_KEPT = 1024
_Graded = tuple[Severity, str] | None

_KINDS = (
    "otherName",
    "rfc822Name",
    "dNSName",
    "x400Address",
    "directoryName",
    "ediPartyName",
    "URI",
    "iPAddress",
    "registeredID",
)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LOOSE_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_\-]{0,61}[A-Za-z0-9_])?"
_LOOSE_HOST = re.compile(rf"(?:\*\.)?{_LOOSE_LABEL}(?:\.{_LOOSE_LABEL})*")
_LOCAL_PART = r"""(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]+|"[^"]+")"""
_MAILBOX = re.compile(rf"{_LOCAL_PART}@(?:{_HOST.pattern}|\[[^\]]+\])")
_URI_CHARACTERS = (
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.+)")
_AUTHORITY = re.compile(
    r"//(?:[^/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|[^/?#:@\[\]]*)(?::[0-9]*)?(?=[/?#]|\Z)"
)
_LONGEST_HOST = 253


def name_fault(name: GeneralName) -> _Graded:
    """Return what is wrong with the content of a GeneralName, as the end of a sentence.

    Source: RFC 5280 section 4.2.1.6.
    """
    kind = _KINDS[name.kind]
    if name.kind == IP:
        if len(name.octets) not in (4, 16):
            return Severity.ERROR, f"an {kind} of {len(name.octets)} octets, not 4 or 16"
        return None
    if not name.octets or (name.name is not None and not name.name.rdns):
        return Severity.ERROR, f"an empty {kind}"
    if name.kind in _TEXT_FAULTS:
        return _text_fault(name, kind)
    if name.kind in (OTHER_NAME, REGISTERED_ID):
        try:
            _read_inner(name)
        except DerError as error:
            what = f"the {kind} {octets(name.octets)}, which cannot be read: {shown(error)}"
            return Severity.ERROR, what
    return None


def _text_fault(name: GeneralName, kind: str) -> _Graded:
    text = name.text
    if text is None:
        return Severity.ERROR, f"the {kind} {octets(name.octets)}, which is no IA5String"
    fault = _TEXT_FAULTS[name.kind](text)
    return None if fault is None else (fault[0], f"the {kind} {shown(text)}, which {fault[1]}")


def _read_inner(name: GeneralName) -> None:
    reader = Reader(name.octets)
    end = len(name.octets)
    if name.kind == REGISTERED_ID:
        reader.oid(0, end)
        return
    begin, at = reader.expect(OID, 0, end, "the type of the name")
    reader.oid(begin, at)
    _, stop = reader.expect(0xA0, at, end, "the value of the name")
    if stop != end:
        raise DerError("more than type and value")


def is_host(text: str) -> bool:
    """Say whether the text is a domain name in the preferred syntax."""
    return len(text) <= _LONGEST_HOST and _HOST.fullmatch(text) is not None


def is_mailbox(text: str) -> bool:
    """Say whether the text is user@host."""
    return _MAILBOX.fullmatch(text) is not None


def _mailbox_fault(text: str) -> _Graded:
    return None if is_mailbox(text) else (Severity.ERROR, "is no mailbox user@host")


def _host_fault(text: str) -> _Graded:
    if is_host(text.removeprefix("*.")):
        return None
    if len(text) <= _LONGEST_HOST and _LOOSE_HOST.fullmatch(text):
        return Severity.WARNING, "has a label with a low line"
    return Severity.ERROR, "is no domain name in the preferred syntax"


def _uri_fault(text: str) -> _Graded:
    return _kept_uri_fault(text) if len(text) <= _MOST_KEPT else _read_uri_fault(text)


def _read_uri_fault(text: str) -> _Graded:
    match = _SCHEME.fullmatch(text)
    if text.encode("ascii").translate(None, _URI_CHARACTERS):
        return Severity.ERROR, "has characters that no URI has"
    if match is None:
        return Severity.ERROR, "is not absolute: scheme and what follows it"
    scheme, rest = match[1].lower(), match[2]
    authority = _AUTHORITY.match(rest)
    host = authority[1] if authority is not None else None
    if host is None:
        wrong = rest.startswith("//") or scheme in _WITH_HOST
        return (Severity.ERROR, "has no authority that can be read") if wrong else None
    if not host:
        return (Severity.ERROR, "names no host") if scheme in _WITH_HOST else None
    if not host.startswith("[") and not _LOOSE_HOST.fullmatch(host):
        return Severity.ERROR, "names a host that is no domain name or address"
    if not host.startswith("[") and "." not in host:
        return Severity.WARNING, "names a host that is not fully qualified"
    return None


_kept_uri_fault = lru_cache(maxsize=256)(_read_uri_fault)
_WITH_HOST = frozenset(("http", "https", "ftp"))


_TEXT_FAULTS = {EMAIL: _mailbox_fault, DNS: _host_fault, URI: _uri_fault}


def _alternative_names(judged: JudgedCertificate) -> Found:
    by_oid = judged.certificate.by_oid
    for oid, label in _ALTERNATIVE.items():
        if oid in by_oid:
            for name in by_oid[oid].value or ():
                fault = name_fault(name)
                if fault is not None:
                    yield fault[0], f"{label} has {fault[1]}"


_ALTERNATIVE = {oids.SUBJECT_ALT_NAME: "subjectAltName", oids.ISSUER_ALT_NAME: "issuerAltName"}


CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "R260",
        Severity.ERROR,
        "all certificates",
        "Each name in subjectAltName and issuerAltName is what its kind asks for: not empty, an "
        "ASCII mailbox, domain name or absolute URI, an address of 4 or 16 octets.",
        "RFC 5280 4.2.1.6, 4.2.1.7",
        "READ",
        _alternative_names,
    ),
)
"""The checks of this module."""
