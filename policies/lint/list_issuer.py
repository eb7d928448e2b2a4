"""Checks of a list against the certificate of its issuer."""

from __future__ import annotations

from pki import oids
from pki.findings import Severity
from policies.lint.check import Check, Found, JudgedList
from policies.lint.issuer import (
    key_identifier_findings,
    lacks_usage,
    name_findings,
    signature_findings,
)
from policies.lint.words import number, shown


def _signature(judged: JudgedList) -> Found:
    return signature_findings(judged.crl, judged.issuer, strict=judged.strict)


def _issuer_may_sign(judged: JudgedList) -> Found:
    issuer = judged.issuer
    if issuer is not None and lacks_usage(issuer, "cRLSign"):
        yield f"the keyUsage of the issuer {shown(issuer.subject.text)} is without cRLSign"


def _issuer_name(judged: JudgedList) -> Found:
    return name_findings(judged.crl.issuer, judged.issuer)


def _key_identifier(judged: JudgedList) -> Found:
    return key_identifier_findings(judged.crl, judged.issuer)


def _issuing_certificate(judged: JudgedList) -> Found:
    authority = judged.crl.value(oids.AUTHORITY_KEY_IDENTIFIER)
    if judged.profile is None or judged.issuer is None or authority is None:
        return
    names, serial = authority.issuer, authority.serial
    if (
        names is None
        and serial is None
        and judged.profile.authority_key_identifier.issuer_and_serial
    ):
        yield "the AKI is without issuer and serial number of the CA's certificate"
    if names is not None and [one.name for one in names] != [judged.issuer.issuer]:
        yield "authorityCertIssuer is not the issuer of the CA's certificate"
    if serial is not None and serial != judged.issuer.serial:
        yield (
            f"authorityCertSerialNumber is {number(serial)}, "
            f"the CA's certificate has {number(judged.issuer.serial)}"
        )


CHECKS: tuple[Check[JudgedList], ...] = (
    Check(
        "R361",
        Severity.ERROR,
        "CRL",
        "The signature of a list verifies with the key of the issuer's certificate.",
        "RFC 5280 6.3.3",
        "READ",
        _signature,
    ),
    Check(
        "R362",
        Severity.ERROR,
        "CRL",
        "A keyUsage in the certificate of a list's issuer has cRLSign.",
        "RFC 5280 4.2.1.3, 6.3.3",
        "READ",
        _issuer_may_sign,
    ),
    Check(
        "R363",
        Severity.WARNING,
        "CRL",
        "The issuer of a list is the subject of its certificate, octet by octet.",
        "RFC 5280 4.1.2.6, 5.1.2.3, profile 5.1",
        "READ",
        _issuer_name,
        Severity.ERROR,
    ),
    Check(
        "R364",
        Severity.ERROR,
        "CRL",
        "The keyIdentifier of a list's AKI is the subjectKeyIdentifier of the issuer's "
        "certificate.",
        "RFC 5280 5.2.1, 4.2.1.1",
        "READ",
        _key_identifier,
    ),
    Check(
        "R365",
        Severity.WARNING,
        "CRL",
        "The AKI of a list names issuer and serial number of the CA's certificate, as in "
        "certificates of the CA.",
        "profile 5.2",
        "OBS",
        _issuing_certificate,
        Severity.ERROR,
    ),
)
