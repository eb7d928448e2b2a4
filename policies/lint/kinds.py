"""Which profile a foreign certificate or list claims to follow, by what stands in it.

A defect must not hide the claim, so several marks lead to the same kind: extended key usage, the
HPKI policy, the CN of the sub CA, and only then the basic constraints.
"""

from __future__ import annotations

from pki import oids
from pki.names import CA_COMMON_NAME
from pki.reading.certificate import Certificate
from pki.reading.crl import RevocationList
from pki.reading.values import URI, Name
from policies.profiles import Profiles
from policies.profiles.model import CertificateProfile, CrlProfile

_BY_TAIL = {
    "forNonRepudiation": "1",
    "forAuthentication-forIndividual": "2",
    "forAuthentication-forOrganization": "3",
}
_SUB_CA = {"1": "sub-ca-sign", "2": "sub-ca-auth", "3": "sub-ca-auth-org"}
_END_ENTITY = {"1": "ee-sign", "2": "ee-auth", "3": "ee-auth-org"}


def policy_purpose(certificate: Certificate) -> str | None:
    """Return the purpose arc (1 signing, 2 person, 3 organisation) of the HPKI policy, or None."""
    for policy in certificate.value(oids.CERTIFICATE_POLICIES) or ():
        if policy.oid.startswith(oids.POLICY_ARC):
            return str(policy.oid.removeprefix(oids.POLICY_ARC).partition(".")[0])
    return None


def name_purpose(name: Name) -> str | None:
    """Return the purpose arc that the tail of a sub CA's CN stands for, or None."""
    match = CA_COMMON_NAME.match(name.first(oids.COMMON_NAME) or "")
    return _BY_TAIL[match["purpose"]] if match is not None else None


def is_ca(certificate: Certificate) -> bool:
    """Say whether anything in the certificate claims that it is a CA's."""
    constraints = certificate.value(oids.BASIC_CONSTRAINTS)
    usage = certificate.value(oids.KEY_USAGE) or frozenset()
    return (
        (constraints is not None and constraints.ca)
        or "keyCertSign" in usage
        or certificate.self_issued
        or name_purpose(certificate.subject) is not None
    )


def claimed_profile(certificate: Certificate, profiles: Profiles) -> CertificateProfile | None:
    """Return the profile the certificate claims to follow; None for what is not the HPKI's."""
    purposes = certificate.value(oids.EXTENDED_KEY_USAGE) or ()
    below_hpki = name_purpose(certificate.issuer) is not None
    found: str | None
    if oids.OCSP_SIGNING in purposes:
        found = "ocsp" if below_hpki else None
    elif oids.TIME_STAMPING in purposes:
        found = "tsa" if below_hpki else None
    elif not is_ca(certificate):
        found = _END_ENTITY.get(
            policy_purpose(certificate) or name_purpose(certificate.issuer) or ""
        )
    elif certificate.self_issued:
        found = "root" if _names_own_key(certificate) else "root-link-new-with-old"
        if not _is_hpki_root(certificate):
            found = None
    else:
        found = _SUB_CA.get(policy_purpose(certificate) or name_purpose(certificate.subject) or "")
    return profiles.certificate(found) if found is not None else None


def _is_hpki_root(certificate: Certificate) -> bool:
    """Say whether the name holds ``HPKI`` or a distribution point ends in CN=RARL (OBS)."""
    points = certificate.value(oids.CRL_DISTRIBUTION_POINTS) or ()
    names = [one.name for point in points for one in point.full_name or () if one.name is not None]
    return "HPKI" in certificate.subject.text or any(
        name.first(oids.COMMON_NAME) == "RARL" for name in names
    )


def _names_own_key(certificate: Certificate) -> bool:
    """Say whether the AKI names the certified key; it does where there is no AKI to read."""
    identifier = certificate.value(oids.AUTHORITY_KEY_IDENTIFIER)
    if identifier is None or identifier.key_identifier is None:
        return True
    return identifier.key_identifier in (
        certificate.public_key.sha1,
        certificate.value(oids.SUBJECT_KEY_IDENTIFIER),
    )


def claimed_list_profile(crl: RevocationList, profiles: Profiles) -> CrlProfile | None:
    """Return the list profile: a sub CA's by its issuer's CN, the root's by a CA-only point.

    A sub CA's list with a URI in its point is one of those into which that CA's is split.
    """
    point = crl.value(oids.ISSUING_DISTRIBUTION_POINT)
    names = (point.full_name or ()) if point is not None else ()
    if name_purpose(crl.issuer) is not None:
        split = any(name.kind == URI for name in names)
        return profiles.crl("crl-sub-ca-split" if split else "crl-sub-ca")
    named = any(name.name is not None for name in names)
    return profiles.crl("crl-root") if named else None
