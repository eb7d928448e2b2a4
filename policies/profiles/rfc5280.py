"""What no profile may ask for: rules that contradict RFC 5280, found before anything is issued."""

from __future__ import annotations

from collections.abc import Iterator

from pki.reading.extensions import KEY_USAGE_BITS
from policies.profiles.model import CertificateProfile, CrlProfile, Level

_CA_BITS = {"keyCertSign", "cRLSign"}


def contradictions(profile: CertificateProfile) -> Iterator[tuple[str, str]]:
    """Yield clause and fault for each rule of the profile that breaks a MUST."""
    yield from _criticality(profile)
    yield from _key_usage(profile)
    yield from _ca(profile) if profile.is_ca else _end_entity(profile)
    if not profile.subject.required and (
        profile.subject_alt_name is None or not profile.subject_alt_name.critical
    ):
        yield "4.1.2.6", "an empty subject needs a critical subjectAltName"
    purposes = profile.extended_key_usage
    if purposes is not None and not purposes.purposes:
        yield "4.2.1.12", "extended_key_usage names no purpose"


def _criticality(profile: CertificateProfile) -> Iterator[tuple[str, str]]:
    for name, clause in (
        ("authority_key_identifier", "4.2.1.1"),
        ("subject_key_identifier", "4.2.1.2"),
        ("subject_directory_attributes", "4.2.1.8"),
        ("authority_info_access", "4.2.2.1"),
    ):
        rule = getattr(profile, name)
        if rule is not None and rule.critical:
            yield clause, f"{name} must not be critical"
    for name, clause in (
        ("authority_key_identifier", "4.2.1.1"),
        ("subject_key_identifier", "4.2.1.2"),
        ("key_usage", "4.2.1.3"),
    ):
        below = profile.is_ca and profile.level is not Level.ROOT
        if below and not getattr(profile, name).required:
            yield clause, f"{name} must be required in a CA's certificate"


def _key_usage(profile: CertificateProfile) -> Iterator[tuple[str, str]]:
    bits = set(profile.key_usage.bits)
    if not bits:
        yield "4.2.1.3", "key_usage names no bit"
    if unknown := sorted(bits.difference(KEY_USAGE_BITS)):
        yield "4.2.1.3", f"key_usage has no bit {unknown[0]}"
    if bits & {"encipherOnly", "decipherOnly"} and "keyAgreement" not in bits:
        yield "4.2.1.3", "encipherOnly and decipherOnly mean nothing without keyAgreement"


def _ca(profile: CertificateProfile) -> Iterator[tuple[str, str]]:
    if profile.basic_constraints is None or not profile.basic_constraints.required:
        yield "4.2.1.9", "a CA's certificate must have basic_constraints"
    elif not profile.basic_constraints.critical:
        yield "4.2.1.9", "basic_constraints must be critical in a CA's certificate"
    if "keyCertSign" not in profile.key_usage.bits:
        yield "4.2.1.3", "a CA's key_usage must have keyCertSign"
    if not profile.subject.required:
        yield "4.1.2.6", "a CA must have a subject"


def _end_entity(profile: CertificateProfile) -> Iterator[tuple[str, str]]:
    if profile.basic_constraints is not None:
        yield "4.2.1.9", "basic_constraints here would say cA TRUE of an end entity"
    if "keyCertSign" in profile.key_usage.bits:
        yield "4.2.1.3", "an end entity must not have keyCertSign"


def list_contradictions(profile: CrlProfile) -> Iterator[tuple[str, str]]:
    """Yield clause and fault for each rule of the list profile that breaks a MUST."""
    if profile.authority_key_identifier.critical or not profile.authority_key_identifier.required:
        yield "5.2.1", "authority_key_identifier must be there and not critical"
    if profile.crl_number.critical or not profile.crl_number.required:
        yield "5.2.3", "crl_number must be there and not critical"
    point = profile.issuing_distribution_point
    if point is not None and not (point.critical and point.required):
        yield "5.2.5", "issuing_distribution_point must be there and critical"
    if not set(profile.reasons.allowed) <= {0, 1, 2, 3, 4, 5, 6, 8, 9, 10}:
        yield "5.3.1", "reasons.allowed has a code that is not defined"
    if ("FULL" not in profile.scopes or profile.shards is not None) and point is None:
        yield "5.2.5", "a list of a part of the certificates needs issuing_distribution_point"
