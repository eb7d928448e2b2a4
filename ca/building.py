"""Certificates built from profile, issuer and content; pure, and without the issuer's key.

A **twin** is the exact to-be-signed bytes under a placeholder signature of the right length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from ca.dossier import Content
from pki import extensions
from pki.errors import InvalidInput
from pki.names import with_common_name
from pki.signing import HashName, IssuerPublicKey, hash_algorithm, placeholder_key, twin
from pki.validity import end_after_years, japan_date, start_of_day
from policies.profiles.model import CertificateProfile, ExtensionRule
from policies.site import SiteKind


@dataclass(frozen=True)
class IssuerFacts:
    """What a certificate says of its issuer, and how that signs.

    ``certificate_issuer`` and ``certificate_serial`` are those of the issuer's own certificate;
    ``crl_uri`` is the list on which the certificate will stand.
    """

    name: x509.Name
    public_key: IssuerPublicKey
    certificate_issuer: x509.Name
    certificate_serial: int
    cps_uri: str
    crl_uri: str
    hash_name: HashName


@dataclass(frozen=True)
class Period:
    """Validity, aware UTC."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class Wanted:
    """What one certificate is to say beside what profile and issuer give."""

    subject: x509.Name
    public_key: IssuerPublicKey
    serial: int
    period: Period
    alternative_name: x509.Name | None = None
    roles: tuple[str, ...] = ()


def end_entity_period(now: datetime, years: int) -> Period:
    """Return today's 00:00:00 JST to the last second of the day before the anniversary."""
    today = japan_date(now)
    return Period(start_of_day(today), end_after_years(today, years))


def wanted_of(
    content: Content,
    public_key: IssuerPublicKey,
    serial: int,
    period: Period,
    *,
    japanese_names: bool,
) -> Wanted:
    """Return what the certificate says; the Japanese name only where the CA puts it in."""
    name = content.alternative_name() if japanese_names else None
    return Wanted(content.subject(), public_key, serial, period, name, content.roles)


def issuer_facts(
    certificate: x509.Certificate, cps_uri: str, crl_uri: str, hash_name: HashName
) -> IssuerFacts:
    """Return the facts of a CA that has its certificate."""
    return IssuerFacts(
        certificate.subject,
        certificate.public_key(),  # type: ignore[arg-type]  # our own CA's
        certificate.issuer,
        certificate.serial_number,
        cps_uri,
        crl_uri,
        hash_name,
    )


def own_facts(wanted: Wanted, cps_uri: str, crl_uri: str, hash_name: HashName) -> IssuerFacts:
    """Return the facts of a root that is about to sign itself."""
    return IssuerFacts(
        wanted.subject,
        wanted.public_key,
        wanted.subject,
        wanted.serial,
        cps_uri,
        crl_uri,
        hash_name,
    )


def certificate_twin(
    profile: CertificateProfile, issuer: IssuerFacts, wanted: Wanted, kind: SiteKind
) -> x509.Certificate:
    """Return the twin of the certificate that the profile makes of what is wanted.

    Optional extensions are there where there is something to say. Raises ``InvalidInput`` for
    what X.509 cannot hold.
    """
    builder = _base(wanted, issuer.name)
    for rule, value in _extensions(profile, issuer, wanted, kind):
        if rule is not None:
            builder = builder.add_extension(value, rule.critical)
    return builder.sign(placeholder_key(issuer.public_key), hash_algorithm(issuer.hash_name))


def _extensions(
    profile: CertificateProfile, issuer: IssuerFacts, wanted: Wanted, kind: SiteKind
) -> Iterator[tuple[ExtensionRule | None, x509.ExtensionType]]:
    yield profile.authority_key_identifier, _authority_key(profile, issuer)
    yield profile.subject_key_identifier, extensions.subject_key_identifier(wanted.public_key)
    yield profile.basic_constraints, x509.BasicConstraints(ca=True, path_length=None)
    yield profile.key_usage, extensions.key_usage(profile.key_usage.bits)
    purposes = profile.extended_key_usage
    if purposes is not None and purposes.required:
        yield purposes, extensions.extended_key_usage(purposes.purposes)
    policy = profile.certificate_policies
    if policy is not None:
        yield policy, extensions.certificate_policies(policy.oid(kind), issuer.cps_uri)
    points = profile.distribution_points
    if points is not None:
        list_name = points.directory_name
        name = with_common_name(issuer.name, list_name) if list_name is not None else None
        yield points, extensions.distribution_points(issuer.crl_uri, name)
    if wanted.alternative_name is not None:
        directory_name = x509.DirectoryName(wanted.alternative_name)
        yield profile.subject_alt_name, x509.SubjectAlternativeName([directory_name])
    if wanted.roles:
        yield profile.subject_directory_attributes, extensions.hc_role(wanted.roles)
    yield profile.ocsp_no_check, x509.OCSPNoCheck()


def _authority_key(profile: CertificateProfile, issuer: IssuerFacts) -> x509.AuthorityKeyIdentifier:
    if not profile.authority_key_identifier.issuer_and_serial:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key)
    return extensions.authority_key_identifier(
        issuer.public_key, issuer.certificate_issuer, issuer.certificate_serial
    )


def twin_of(tbs_der: bytes, issuer_key: IssuerPublicKey, hash_name: HashName) -> x509.Certificate:
    """Return stored to-be-signed bytes as a twin again; raises ``InvalidInput`` for others."""
    try:
        return x509.load_der_x509_certificate(twin(tbs_der, issuer_key, hash_name))
    except ValueError as error:
        raise InvalidInput("ca.tbs", f"the stored bytes are no certificate: {error}") from None


def _base(wanted: Wanted, issuer: x509.Name) -> x509.CertificateBuilder:
    try:
        return (
            x509.CertificateBuilder()
            .subject_name(wanted.subject)
            .issuer_name(issuer)
            .public_key(wanted.public_key)
            .serial_number(wanted.serial)
            .not_valid_before(wanted.period.not_before)
            .not_valid_after(wanted.period.not_after)
        )
    except (ValueError, TypeError) as error:
        raise InvalidInput("ca.content", f"no certificate can be made of this: {error}") from None
