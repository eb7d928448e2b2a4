"""Extensions in the forms the HPKI uses. Source: RFC 5280 section 4.2, seen in real certificates.

Each function gives the extension's value; whether it is critical is the profile's to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from pki import oids
from pki.hcrole import encode_hc_roles
from pki.signing import IssuerPublicKey


def subject_key_identifier(public_key: IssuerPublicKey) -> x509.SubjectKeyIdentifier:
    """Return the 20-octet SHA-1 of the key's BIT STRING contents (method 1)."""
    return x509.SubjectKeyIdentifier.from_public_key(public_key)


def authority_key_identifier(
    issuer_key: IssuerPublicKey, name: x509.Name, serial: int
) -> x509.AuthorityKeyIdentifier:
    """Return key identifier, and issuer name and serial **of the issuing CA's certificate**."""
    return x509.AuthorityKeyIdentifier(
        key_identifier=subject_key_identifier(issuer_key).digest,
        authority_cert_issuer=[x509.DirectoryName(name)],
        authority_cert_serial_number=serial,
    )


def certificate_policies(policy: str, cps_uri: str) -> x509.CertificatePolicies:
    """Return one policy with one CPS pointer."""
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(policy), [cps_uri])]
    )


def distribution_points(
    uri: str, directory_name: x509.Name | None = None
) -> x509.CRLDistributionPoints:
    """Return one point for the URI, after one for the directory name where there is one.

    CA certificates carry both as two separate points, end entities the URI alone (OBS).
    """
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    if directory_name is not None:
        names.insert(0, x509.DirectoryName(directory_name))
    return x509.CRLDistributionPoints(
        [
            x509.DistributionPoint(
                full_name=[name], relative_name=None, reasons=None, crl_issuer=None
            )
            for name in names
        ]
    )


def issuing_distribution_point(directory_name: x509.Name) -> x509.IssuingDistributionPoint:
    """Return the root's form: the list's directory name and onlyContainsCACerts (OBS)."""
    return x509.IssuingDistributionPoint(
        full_name=[x509.DirectoryName(directory_name)],
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=True,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )


def shard_distribution_point(uri: str) -> x509.IssuingDistributionPoint:
    """Return the point of one part of a split list: the URI that its certificates name.

    Source: RFC 5280 sections 5.2.5 and 6.3.3; the HPKI has no such list (PROPOSAL).
    """
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(uri)],
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )


def key_usage(bits: Sequence[str]) -> x509.KeyUsage:
    """Return the usage bits named as in RFC 5280, e.g. ``("keyCertSign", "cRLSign")``."""
    return x509.KeyUsage(
        digital_signature="digitalSignature" in bits,
        content_commitment="nonRepudiation" in bits,
        key_encipherment="keyEncipherment" in bits,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign="keyCertSign" in bits,
        crl_sign="cRLSign" in bits,
        encipher_only=False,
        decipher_only=False,
    )


def extended_key_usage(purposes: Sequence[str]) -> x509.ExtendedKeyUsage:
    """Return the key purposes given as OIDs."""
    return x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose) for purpose in purposes])


def hc_role(roles: Sequence[str]) -> x509.UnrecognizedExtension:
    """Return subjectDirectoryAttributes with hcRole for the English role names."""
    return x509.UnrecognizedExtension(
        x509.ObjectIdentifier(oids.SUBJECT_DIRECTORY_ATTRIBUTES), encode_hc_roles(roles)
    )
