"""The HPKI's rules on certificatePolicies: H050 to H053.

Source: sections 1.1, 3.2 to 3.5 and 3.8 of the facts file ("profile"). The policies themselves
stand in the certificate's profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pki import oids
from pki.findings import Severity
from pki.reading.extensions import Extension, PolicyInformation
from pki.reading.values import STRING_TYPES
from policies.lint.check import Check, Found, JudgedCertificate
from policies.lint.hpki_extensions import misplaced
from policies.lint.hpki_names import ca_name_fits
from policies.lint.kinds import policy_purpose
from policies.lint.words import LONGEST, shown
from policies.profiles.model import Level

_IA5_STRING = 0x16
_WEB = (b"http://", b"https://")


def _no_policies(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    if profile is None or not profile.is_ca or profile.certificate_policies is not None:
        return
    found = judged.certificate.by_oid.get(oids.CERTIFICATE_POLICIES)
    if found is None or (profile.level is Level.LINK and _is_any_policy(found)):
        return
    yield "certificatePolicies stands in a root's certificate"


def _is_any_policy(found: Extension) -> bool:
    named = [policy.oid for policy in found.value or ()]
    return named == [oids.ANY_POLICY] and not found.critical


def _policies(judged: JudgedCertificate) -> Found:
    rule = judged.profile.certificate_policies if judged.profile is not None else None
    if rule is None:
        return
    found = judged.certificate.by_oid.get(oids.CERTIFICATE_POLICIES)
    if message := misplaced(found, rule, "certificatePolicies"):
        yield message
    if found is None or found.value is None:
        return
    if len(found.value) != 1:
        yield f"certificatePolicies has {len(found.value)} policies, not one"
        return
    policy: PolicyInformation = found.value[0]
    if policy.oid not in (rule.production, rule.test) and not _in_arc(policy.oid):
        yield f"the policy {shown(policy.oid)} is not below the HPKI's {oids.POLICY_ARC[:-1]}"
    yield from _qualifier_faults(policy)


def _in_arc(oid: str) -> bool:
    return oid.startswith(oids.POLICY_ARC)


def _qualifier_faults(policy: PolicyInformation) -> Iterator[str]:
    qualifiers = policy.qualifiers
    if qualifiers is None or len(qualifiers) != 1:
        yield f"the policy has {len(qualifiers or ())} qualifiers, not one CPS URI"
        return
    only = qualifiers[0]
    if only.oid != oids.QUALIFIER_CPS:
        yield f"the policy's qualifier is {shown(only.oid)}, not a CPS URI"
    elif only.tag != _IA5_STRING:
        kind = STRING_TYPES.get(only.tag, (f"tag {only.tag:02x}",))[0]
        yield f"the CPS URI is {kind}, not IA5String"
    elif not only.octets.lower().startswith(_WEB):
        yield f"the CPS URI {shown(only.octets[:LONGEST].decode('latin-1'))} is not http or https"


def _policy_of_profile(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    rule = profile.certificate_policies if profile is not None else None
    policies = judged.certificate.value(oids.CERTIFICATE_POLICIES)
    if profile is None or rule is None or policies is None or len(policies) != 1:
        return
    oid: str = policies[0].oid
    wanted = (rule.production, rule.test) if judged.site is None else (rule.oid(judged.site),)
    if oid not in wanted:
        if oid in (rule.production, rule.test) or _in_arc(oid):
            yield f"the policy is {shown(oid)}, not {' or '.join(wanted)}"
        return
    if profile.is_ca or judged.issuer is None:
        return
    own, above = _purpose(oid), policy_purpose(judged.issuer)
    if above is not None and own not in (None, above) and ca_name_fits(judged):
        yield f"the policy is for the purpose {shown(own)}, the issuer's for {shown(above)}"


@lru_cache(maxsize=256)
def _purpose(oid: str) -> str | None:
    return oid.removeprefix(oids.POLICY_ARC).partition(".")[0] if _in_arc(oid) else None


def _test_policy(judged: JudgedCertificate) -> Found:
    profile = judged.profile
    rule = profile.certificate_policies if profile is not None else None
    if profile is None or rule is None or profile.is_ca or rule.test == rule.production:
        return
    for policy in judged.certificate.value(oids.CERTIFICATE_POLICIES) or ():
        if policy.oid == rule.test:
            yield "this is a test certificate, not for production"
            return


_END_ENTITY = "end entity"
_HAS_POLICY = "sub CA, end entity"
CHECKS: tuple[Check[JudgedCertificate], ...] = (
    Check(
        "H050",
        Severity.WARNING,
        "root, link",
        "certificatePolicies is absent; a link certificate may have anyPolicy, not critical.",
        "profile 3.2, 3.3",
        "OBS",
        _no_policies,
        Severity.ERROR,
    ),
    Check(
        "H051",
        Severity.ERROR,
        _HAS_POLICY,
        "certificatePolicies is there, critical, with exactly one policy of the HPKI and with one "
        "qualifier, a CPS URI (http or https, IA5String).",
        "profile 3.4, 3.5, 3.8",
        "OBS",
        _policies,
    ),
    Check(
        "H052",
        Severity.ERROR,
        _HAS_POLICY,
        "The policy is the one of the profile, in production or for tests as the site is, and for "
        "the purpose of the issuer's policy.",
        "profile 1.1, 3.4, 3.5",
        "OBS",
        _policy_of_profile,
    ),
    Check(
        "H053",
        Severity.INFO,
        _END_ENTITY,
        "The policy is not the one for test certificates.",
        "profile 1.1, 3.9",
        "OBS",
        _test_policy,
    ),
)
"""The checks of this module."""
