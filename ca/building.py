"""Certificates built from profile, issuer and content; pure, and without the issuer's key.

Every function returns the **twin**: the exact to-be-signed bytes under a placeholder signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ca.dossier import Content
from pki import extensions
from pki.errors import InvalidInput
from pki.names import with_common_name
from pki.signing import IssuerPublicKey, assemble, hash_of, placeholder_key, sign
from policies.profiles import CertificateProfile
from policies.site import SiteKind


@dataclass(frozen=True)
class IssuerFacts:
    """What a certificate says of its issuer: its own certificate and the URIs it hands down."""

    certificate: x509.Certificate
    cps_uri: str
    crl_uri: str

    @property
    def public_key(self) -> IssuerPublicKey:
        """The key that will sign."""
        return self.certificate.public_key()  # type: ignore[return-value]  # our own CA's


@dataclass(frozen=True)
class Period:
    """Validity, aware UTC."""

    not_before: datetime
    not_after: datetime


def end_entity_twin(
    profile: CertificateProfile,
    issuer: IssuerFacts,
    content: Content,
    public_key: IssuerPublicKey,
    serial: int,
    period: Period,
    kind: SiteKind,
) -> x509.Certificate:
    """Return the twin of a person's certificate."""
    builder = _base(content.subject(), issuer.certificate.subject, public_key, serial, period)
    builder = _common(builder, profile, public_key, _issuer_identifier(issuer))
    builder = _policies(builder, profile, issuer.cps_uri, kind)
    points = extensions.distribution_points(issuer.crl_uri)
    builder = builder.add_extension(points, profile.distribution_points.critical)
    name = content.alternative_name()
    if name is not None and profile.subject_alt_name is not None:
        alternative = x509.SubjectAlternativeName([x509.DirectoryName(name)])
        builder = builder.add_extension(alternative, profile.subject_alt_name.critical)
    if content.roles and profile.subject_directory_attributes is not None:
        builder = builder.add_extension(
            extensions.hc_role(content.roles), profile.subject_directory_attributes.critical
        )
    return _twin(builder, issuer.public_key)


def sub_ca_twin(
    profile: CertificateProfile,
    issuer: IssuerFacts,
    subject: x509.Name,
    public_key: IssuerPublicKey,
    serial: int,
    period: Period,
    kind: SiteKind,
) -> x509.Certificate:
    """Return the twin of a subordinate CA's certificate."""
    root = issuer.certificate.subject
    builder = _base(subject, root, public_key, serial, period)
    builder = _common(builder, profile, public_key, _issuer_identifier(issuer))
    builder = _policies(builder, profile, issuer.cps_uri, kind)
    builder = _ca_points(builder, profile, root, issuer.crl_uri)
    return _twin(builder, issuer.public_key)


def root_twin(
    profile: CertificateProfile,
    subject: x509.Name,
    japanese_name: x509.Name | None,
    own_list_uri: str,
    public_key: IssuerPublicKey,
    serial: int,
    period: Period,
) -> x509.Certificate:
    """Return the twin of a self-signed root's certificate."""
    builder = _base(subject, subject, public_key, serial, period)
    identifier = extensions.authority_key_identifier(public_key, subject, serial)
    builder = _common(builder, profile, public_key, identifier)
    builder = _ca_points(builder, profile, subject, own_list_uri)
    if japanese_name is not None and profile.subject_alt_name is not None:
        alternative = x509.SubjectAlternativeName([x509.DirectoryName(japanese_name)])
        builder = builder.add_extension(alternative, profile.subject_alt_name.critical)
    return _twin(builder, public_key)


def twin_of(tbs_der: bytes, issuer_key: IssuerPublicKey) -> x509.Certificate:
    """Return stored to-be-signed bytes as a twin again; raises ``InvalidInput`` for others."""
    unsigned = assemble(tbs_der, issuer_key, sign(placeholder_key(issuer_key), tbs_der))
    try:
        return x509.load_der_x509_certificate(unsigned)
    except ValueError as error:
        raise InvalidInput("ca.tbs", f"the stored bytes are no certificate: {error}") from None


def spki_der(public_key: IssuerPublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo DER."""
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _base(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: IssuerPublicKey,
    serial: int,
    period: Period,
) -> x509.CertificateBuilder:
    try:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(serial)
            .not_valid_before(period.not_before)
            .not_valid_after(period.not_after)
        )
    except (ValueError, TypeError) as error:
        raise InvalidInput("ca.content", f"no certificate can be made of this: {error}") from None


def _issuer_identifier(issuer: IssuerFacts) -> x509.AuthorityKeyIdentifier:
    certificate = issuer.certificate
    return extensions.authority_key_identifier(
        issuer.public_key, certificate.issuer, certificate.serial_number
    )


def _common(
    builder: x509.CertificateBuilder,
    profile: CertificateProfile,
    public_key: IssuerPublicKey,
    identifier: x509.AuthorityKeyIdentifier,
) -> x509.CertificateBuilder:
    builder = builder.add_extension(identifier, profile.authority_key_identifier.critical)
    builder = builder.add_extension(
        extensions.subject_key_identifier(public_key), profile.subject_key_identifier.critical
    )
    if profile.basic_constraints is not None:
        builder = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), profile.basic_constraints.critical
        )
    usage = extensions.key_usage(profile.key_usage.bits)
    return builder.add_extension(usage, profile.key_usage.critical)


def _policies(
    builder: x509.CertificateBuilder, profile: CertificateProfile, cps_uri: str, kind: SiteKind
) -> x509.CertificateBuilder:
    rule = profile.certificate_policies
    if rule is None:
        return builder
    return builder.add_extension(
        extensions.certificate_policies(rule.oid(kind), cps_uri), rule.critical
    )


def _ca_points(
    builder: x509.CertificateBuilder, profile: CertificateProfile, root: x509.Name, uri: str
) -> x509.CertificateBuilder:
    rule = profile.distribution_points
    name = with_common_name(root, rule.directory_name) if rule.directory_name else None
    return builder.add_extension(extensions.distribution_points(uri, name), rule.critical)


def _twin(builder: x509.CertificateBuilder, issuer_key: IssuerPublicKey) -> x509.Certificate:
    return builder.sign(placeholder_key(issuer_key), hash_of(issuer_key))
